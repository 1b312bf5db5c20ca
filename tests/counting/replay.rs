//! Analysed frames through the tracker and the vote, without pictures: recorded ones, or the truth.

use std::path::Path;
use std::time::Duration;

use maskwatch_vision::census::Census;
use maskwatch_vision::face::{ClassifiedFace, Detection, MaskState, StateScores};
use maskwatch_vision::geometry::Rect;
use maskwatch_vision::track::{Person, TrackerConfig};
use maskwatch_vision::zone::Areas;
use serde::{Deserialize, Serialize};

use super::stage::{Clip, SIZE, TrueFace};

/// What was answered to a clip.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// One per analysed frame.
    pub frames: Vec<Vec<Seen>>,
    pub people: Vec<Person>,
}

/// A box of a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// 0: of no track.
    pub track: u64,
    pub rect: Rect,
    /// What the frame alone says.
    pub single: MaskState,
}

/// The classified faces of each analysed frame of a clip.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// Frames per second.
    pub fps: u32,
    pub frames: Vec<Vec<ClassifiedFace>>,
}

/// A face as a recording's file has it.
#[derive(Serialize, Deserialize)]
struct Line {
    rect: Rect,
    score: f32,
    states: Option<StateScores>,
    state: MaskState,
}

/// A recording's first line.
#[derive(Serialize, Deserialize, PartialEq, Debug)]
pub struct Head {
    pub fps: u32,
    /// The models' hashes.
    pub models: Vec<String>,
}

impl Recording {
    /// The boxes and states that are true, as a detector and a classifier without fault would give them.
    pub fn of_truth(clip: &Clip, fps: u32) -> Self {
        let classified = |face: TrueFace| {
            let certain = |state| if state == face.state { 0.9 } else { 0.05 };
            let [mask, incorrect, no_mask] = [MaskState::Mask, MaskState::Incorrect, MaskState::NoMask].map(certain);
            let detection = Detection { rect: face.rect, score: 0.9, states: None };
            ClassifiedFace { detection, states: Some(StateScores { mask, incorrect, no_mask }), state: face.state }
        };
        let frame = |time| clip.faces(time).into_iter().filter(TrueFace::is_asked).map(classified).collect();
        Self { fps, frames: clip.times(fps).map(frame).collect() }
    }

    /// The frames that an analysis `fps` times per second takes of it. The rate has to be a divisor of its own.
    pub fn thinned(&self, fps: u32) -> Self {
        assert!(self.fps.is_multiple_of(fps), "{fps} of {} per second", self.fps);
        let step = (self.fps / fps) as usize;
        Self { fps, frames: self.frames.iter().step_by(step).cloned().collect() }
    }

    /// One JSON line per frame, after the head.
    pub fn write(&self, path: &Path, head: &Head) {
        let line = |face: &ClassifiedFace| {
            let Detection { rect, score, .. } = face.detection;
            Line { rect, score, states: face.states, state: face.state }
        };
        let mut text = serde_json::to_string(head).unwrap();
        for frame in &self.frames {
            text.push('\n');
            text += &serde_json::to_string(&frame.iter().map(line).collect::<Vec<_>>()).unwrap();
        }
        std::fs::write(path, text).unwrap();
    }

    /// The recording in a file, where there is one with this head.
    pub fn read(path: &Path, head: &Head) -> Option<Self> {
        let text = std::fs::read_to_string(path).ok()?;
        let mut lines = text.lines();
        let found: Head = serde_json::from_str(lines.next()?).unwrap();
        assert_eq!(found, *head, "{} was made otherwise", path.display());
        let face = |line: Line| {
            let detection = Detection { rect: line.rect, score: line.score, states: None };
            ClassifiedFace { detection, states: line.states, state: line.state }
        };
        let frame = |line| serde_json::from_str::<Vec<Line>>(line).unwrap().into_iter().map(face).collect();
        Some(Self { fps: head.fps, frames: lines.map(frame).collect() })
    }

    /// Through the tracker and the vote, as `maskinfer` with `sync=true` does it.
    pub fn replay(&self) -> Answer {
        self.replay_with(TrackerConfig::default())
    }

    /// The same with another tracker.
    pub fn replay_with(&self, config: TrackerConfig) -> Answer {
        let mut census = Census::new(config, Areas::default());
        let mut answer = Answer::default();
        for (number, faces) in self.frames.iter().enumerate() {
            let time = Duration::from_secs(1) * number as u32 / self.fps;
            let found: Vec<Detection> = faces.iter().map(|face| face.detection).collect();
            let links = census.associate(time, &found, SIZE[1]).links;
            let mut frame = Vec::new();
            for (face, link) in faces.iter().zip(links) {
                let (track, rect) = (link.track.unwrap_or_default(), face.detection.rect);
                census.evidence(time, track, face, rect.h * SIZE[1] as f32);
                frame.push(Seen { track, rect, single: face.state });
            }
            answer.frames.push(frame);
            answer.people.extend(census.take_news().people.into_iter().map(|counted| counted.person));
        }
        census.end_all();
        answer.people.extend(census.take_news().people.into_iter().map(|counted| counted.person));
        answer
    }
}
