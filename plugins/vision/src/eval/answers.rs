//! Figures of a classifier on faces whose place is known.

use super::classification::{Confusion, Figures, calibration_error};
use super::faces::STATES;
use crate::face::{MaskState, StateScores};

/// Ranges of confidence of the calibration error.
const BINS: usize = 15;

/// A face's label and what the product said of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// One of [`STATES`].
    pub truth: MaskState,
    /// State scores.
    pub scores: StateScores,
    /// The answer: the likeliest state, or `unknown`.
    pub state: MaskState,
}

/// Which differences count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grain {
    /// `mask`, `incorrect` and `no_mask` are three classes.
    Three,
    /// `mask` means that a mask is there, worn well or badly: the scores of `mask` and `incorrect` are added. So are
    /// most public data labelled, and there a badly worn mask that is recognised is no error.
    Two,
}

impl Grain {
    /// The grain of labels: two, where none of them is `incorrect`.
    pub fn of(labels: impl IntoIterator<Item = MaskState>) -> Self {
        if labels.into_iter().any(|label| label == MaskState::Incorrect) { Self::Three } else { Self::Two }
    }

    /// Classes, in the order of the rows and columns of the confusion matrix.
    pub fn classes(self) -> &'static [MaskState] {
        match self {
            Self::Three => &STATES,
            Self::Two => &[MaskState::Mask, MaskState::NoMask],
        }
    }

    /// The likeliest class, as an index, and its score.
    fn best(self, scores: &StateScores) -> (usize, f64) {
        let (best, score) = match self {
            Self::Three => scores.best(),
            Self::Two => StateScores { mask: scores.mask + scores.incorrect, incorrect: 0.0, ..*scores }.best(),
        };
        (self.index(best), f64::from(score))
    }

    fn index(self, state: MaskState) -> usize {
        let class = if self == Self::Two && state == MaskState::Incorrect { MaskState::Mask } else { state };
        self.classes().iter().position(|other| *other == class).unwrap_or_default()
    }
}

/// All figures.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswersReport {
    /// What counted as a class.
    pub grain: Grain,
    /// By [`Grain::classes`]; the likeliest class counts as said, also where the answer is `unknown`.
    pub confusion: Confusion,
    /// Share of faces whose likeliest of the three states is the label, whatever the grain.
    pub three_state_accuracy: f64,
    /// Expected calibration error over 15 ranges of confidence; `None` without faces.
    pub calibration_error: Option<f64>,
    /// Share of faces with the answer `unknown`.
    pub unknown_share: f64,
    /// Accuracy over the others; `None` where all are unknown.
    pub accuracy_of_known: Option<f64>,
}

impl AnswersReport {
    /// Evaluates answers.
    pub fn of(answers: &[Answer], grain: Grain) -> Self {
        let mut confusion = Confusion::new(grain.classes().len());
        let mut confidences = Vec::with_capacity(answers.len());
        let (mut known, mut known_right, mut three_right) = (0_u64, 0_u64, 0_u64);
        for answer in answers {
            let (said, score) = grain.best(&answer.scores);
            let truth = grain.index(answer.truth);
            confusion.add(truth, said);
            confidences.push((score, said == truth));
            three_right += u64::from(answer.scores.best().0 == answer.truth);
            if answer.state != MaskState::Unknown {
                known += 1;
                known_right += u64::from(said == truth);
            }
        }
        let total = answers.len().max(1) as f64;
        Self {
            grain,
            confusion,
            three_state_accuracy: three_right as f64 / total,
            calibration_error: calibration_error(&confidences, BINS),
            unknown_share: (answers.len() as u64 - known) as f64 / total,
            accuracy_of_known: (known > 0).then(|| known_right as f64 / known as f64),
        }
    }

    /// Figures of each class that occurs in the labels.
    pub fn classes(&self) -> Vec<(MaskState, Figures)> {
        let present = self.confusion.present().into_iter();
        present.map(|class| (self.grain.classes()[class], self.confusion.class(class))).collect()
    }
}
