//! Figures of the whole chain on labelled pictures: are the faces found, and are they given the right state?
//!
//! *Faces*: all states are one class, ranked by face score. *A state*: only faces labelled with it are to be found, and
//! every found face is listed once, under its likeliest state, ranked by face score x state score. What is told at a
//! score instead of over all scores takes the product's own answer, in which `unknown` stands for no state.

use std::ops::Range;

use super::classification::{Confusion, Figures};
use super::detection::{Found, Picture, PixelBox, Protocol, Truth, match_boxes, rank};
use crate::face::{MaskState, StateScores};

/// The states that a label can name, in the order in which they are told.
pub const STATES: [MaskState; 3] = [MaskState::Mask, MaskState::Incorrect, MaskState::NoMask];

/// Heights in source pixels by which recall is told: `0-16`, `16-32`, `32-64` and from 64 on.
const HEIGHTS: [Range<f64>; 4] = [0.0..16.0, 16.0..32.0, 32.0..64.0, 64.0..f64::INFINITY];

/// A face by its label.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LabelledFace {
    /// Where.
    pub bbox: PixelBox,
    /// One of [`STATES`].
    pub state: MaskState,
    /// Stands for a group that was not labelled one by one: counts neither for nor against.
    pub crowd: bool,
}

/// A face by the product.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FoundFace {
    /// Where, clipped to the picture.
    pub bbox: PixelBox,
    /// Face score.
    pub score: f64,
    /// State scores, where there are any.
    pub states: Option<StateScores>,
    /// The answer.
    pub state: MaskState,
}

/// A picture with both.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FacesOfPicture {
    /// By label.
    pub labelled: Vec<LabelledFace>,
    /// By the product, in any order.
    pub found: Vec<FoundFace>,
}

/// How well one kind of face is found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    /// Average precision at IoU 0.5; `None` where no label is of this kind.
    pub average_precision: Option<f64>,
    /// At the score asked for; the support is the number of labels.
    pub at_score: Figures,
}

/// All figures.
#[derive(Clone, Debug, PartialEq)]
pub struct FacesReport {
    /// All faces as one kind.
    pub faces: Finding,
    /// Each of [`STATES`]; `None` where no found face has state scores.
    pub states: Option<[Finding; 3]>,
    /// Ranges of heights in pixels, with recall of faces at the score asked for.
    pub heights: Vec<(Range<f64>, Figures)>,
    /// Answers for the faces found at the score asked for: rows are labels, columns answers, both in the order of
    /// [`MaskState::ALL`].
    pub answers: Confusion,
}

impl FacesReport {
    /// Evaluates pictures; `score` is the face score at which precision, recall, F1 and answers are told.
    pub fn of(pictures: &[FacesOfPicture], score: f64) -> Self {
        let protocol = Protocol::default();
        let all = boxes(pictures, |_| true, |face| Some(face.score));
        let ranking = rank(&all, &protocol);
        let faces = Finding { average_precision: ranking.average_precision(), at_score: ranking.above(score) };
        let heights = HEIGHTS.into_iter().map(|range| {
            let protocol = Protocol { heights: Some(range.clone()), ..Protocol::default() };
            (range, rank(&all, &protocol).above(score))
        });
        let judged = pictures.iter().flat_map(|picture| &picture.found).any(|face| face.states.is_some());
        Self {
            faces,
            states: judged.then(|| STATES.map(|state| finding(pictures, state, score))),
            heights: heights.collect(),
            answers: answers(pictures, score),
        }
    }

    /// Mean of the average precisions of some states; `None` unless all of them have one.
    pub fn mean(&self, states: &[MaskState]) -> Option<f64> {
        let findings = self.states.as_ref()?;
        let of = |state: &MaskState| {
            STATES.iter().position(|other| other == state).and_then(|index| findings[index].average_precision)
        };
        let values: Vec<f64> = states.iter().map(of).collect::<Option<_>>()?;
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }
}

/// The pictures' boxes: labels that `wanted` takes, and found faces with the score that `listed` gives them.
fn boxes(
    pictures: &[FacesOfPicture],
    wanted: impl Fn(&LabelledFace) -> bool,
    listed: impl Fn(&FoundFace) -> Option<f64>,
) -> Vec<Picture> {
    let truth = |face: &LabelledFace| Truth { bbox: face.bbox, crowd: face.crowd, ignored: false };
    let found = |face: &FoundFace| listed(face).map(|score| Found { bbox: face.bbox, score });
    let picture = |both: &FacesOfPicture| Picture {
        truths: both.labelled.iter().filter(|face| wanted(face)).map(truth).collect(),
        found: both.found.iter().filter_map(found).collect(),
    };
    pictures.iter().map(picture).collect()
}

fn finding(pictures: &[FacesOfPicture], state: MaskState, score: f64) -> Finding {
    let of_state = |face: &LabelledFace| face.state == state;
    let listed = |face: &FoundFace| {
        let (best, share) = face.states?.best();
        (best == state).then(|| face.score * f64::from(share))
    };
    let answered = |face: &FoundFace| (face.state == state && face.score >= score).then_some(face.score);
    let protocol = Protocol::default();
    Finding {
        average_precision: rank(&boxes(pictures, of_state, listed), &protocol).average_precision(),
        at_score: rank(&boxes(pictures, of_state, answered), &protocol).above(score),
    }
}

fn answers(pictures: &[FacesOfPicture], score: f64) -> Confusion {
    let index = |state: MaskState| MaskState::ALL.iter().position(|other| *other == state).unwrap_or_default();
    let mut confusion = Confusion::new(MaskState::ALL.len());
    for picture in pictures {
        let sure: Vec<&FoundFace> = picture.found.iter().filter(|face| face.score >= score).collect();
        let truths = picture.labelled.iter();
        let one = Picture {
            truths: truths.map(|face| Truth { bbox: face.bbox, crowd: face.crowd, ignored: false }).collect(),
            found: sure.iter().map(|face| Found { bbox: face.bbox, score: face.score }).collect(),
        };
        for verdict in match_boxes(&one, &Protocol::default()).iter().filter(|verdict| !verdict.ignored) {
            if let Some(truth) = verdict.truth {
                confusion.add(index(picture.labelled[truth].state), index(sure[verdict.found].state));
            }
        }
    }
    confusion
}
