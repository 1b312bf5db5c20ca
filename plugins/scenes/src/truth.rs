//! What is in a demo scene, known exactly because it was made: written beside each clip as JSON.

use serde::{Deserialize, Serialize};

/// How somebody wears a mask, under the contract's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Over nose and mouth.
    Mask,
    /// Under the nose.
    Incorrect,
    /// None.
    NoMask,
}

impl State {
    /// The contract's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mask => "mask",
            Self::Incorrect => "incorrect",
            Self::NoMask => "no_mask",
        }
    }
}

/// One clip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// Changes whenever the scenes do: clips of another version are made anew.
    pub version: u32,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Frames per second.
    pub fps: u32,
    /// Everybody who comes by in one turn of the clip.
    pub people: Vec<Person>,
    /// One entry per frame, in order.
    pub frames: Vec<Vec<Face>>,
}

/// Somebody who comes by once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Number within the clip.
    pub id: u32,
    /// How the mask is worn.
    pub state: State,
}

/// A face in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Face {
    /// Whose.
    pub person: u32,
    /// Left, top, width, height in pixels; reaches beyond the picture where the face does.
    pub bbox: [f32; 4],
    /// How the mask is worn.
    pub state: State,
    /// Whether the whole face is in the picture.
    pub whole: bool,
}

impl Truth {
    /// Number of people in that state who come by in one turn of the clip.
    pub fn count(&self, state: State) -> usize {
        self.people.iter().filter(|person| person.state == state).count()
    }

    /// Length of one turn in seconds.
    pub fn seconds(&self) -> f64 {
        self.frames.len() as f64 / f64::from(self.fps)
    }
}
