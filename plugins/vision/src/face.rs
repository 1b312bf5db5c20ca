//! Faces, their states and scores: the words every other part speaks in.

use serde::{Deserialize, Serialize};

use crate::geometry::Rect;

/// What is known of a face's mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaskState {
    /// Nose and mouth are covered.
    Mask,
    /// A mask is there, but nose or mouth shows.
    Incorrect,
    /// No mask.
    NoMask,
    /// Too small, too blurred or too uncertain to say.
    Unknown,
}

impl MaskState {
    /// All states, in the order in which they are exported.
    pub const ALL: [Self; 4] = [Self::Mask, Self::Incorrect, Self::NoMask, Self::Unknown];

    /// The name used in metrics, JSON and events: `mask`, `incorrect`, `no_mask`, `unknown`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mask => "mask",
            Self::Incorrect => "incorrect",
            Self::NoMask => "no_mask",
            Self::Unknown => "unknown",
        }
    }
}

/// Probabilities of the three states that can be seen. They sum to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StateScores {
    /// Probability of [`MaskState::Mask`].
    pub mask: f32,
    /// Probability of [`MaskState::Incorrect`].
    pub incorrect: f32,
    /// Probability of [`MaskState::NoMask`].
    pub no_mask: f32,
}

impl StateScores {
    /// Scores scaled to sum 1. All zero (or not finite) becomes one third each.
    pub fn normalized(mask: f32, incorrect: f32, no_mask: f32) -> Self {
        let sum = mask + incorrect + no_mask;
        if !(sum.is_finite() && sum > 0.0) {
            return Self { mask: 1.0 / 3.0, incorrect: 1.0 / 3.0, no_mask: 1.0 / 3.0 };
        }
        Self { mask: mask / sum, incorrect: incorrect / sum, no_mask: no_mask / sum }
    }

    /// The likeliest state and its probability. Ties go to the earlier of no_mask, incorrect, mask: never flatter.
    pub fn best(&self) -> (MaskState, f32) {
        let mut best = (MaskState::NoMask, self.no_mask);
        for candidate in [(MaskState::Incorrect, self.incorrect), (MaskState::Mask, self.mask)] {
            if candidate.1 > best.1 {
                best = candidate;
            }
        }
        best
    }

    /// `(1 - weight) * self + weight * other`, normalised. `weight` in `0..=1`.
    pub fn fuse(&self, other: &Self, weight: f32) -> Self {
        let mix = |a: f32, b: f32| (1.0 - weight) * a + weight * b;
        Self::normalized(
            mix(self.mask, other.mask),
            mix(self.incorrect, other.incorrect),
            mix(self.no_mask, other.no_mask),
        )
    }
}

/// One face found by the detector in one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// Where, in the picture (letterbox undone), not clipped.
    pub rect: Rect,
    /// Probability that this is a face.
    pub score: f32,
    /// State probabilities by the detector itself, where its classes name states.
    pub states: Option<StateScores>,
}

/// One face of one analysed frame, after classification.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassifiedFace {
    /// As detected.
    pub detection: Detection,
    /// This frame's evidence: `None` where the face was not classified in this frame, or could not be (too small).
    pub states: Option<StateScores>,
    /// What this frame alone says; [`MaskState::Unknown`] where `states` is `None` or under the model's threshold.
    pub state: MaskState,
}

/// One face as it is shown and reported: a track's box predicted to the frame, with the person's voted state.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaceView {
    /// Track number, unique on its camera; 0 where nothing is tracked.
    pub track: u64,
    /// Where, in the picture.
    pub rect: Rect,
    /// Probability that this is a face.
    pub score: f32,
    /// The person's state.
    pub state: MaskState,
    /// Confidence of `state`, `0..=1`.
    pub confidence: f32,
}
