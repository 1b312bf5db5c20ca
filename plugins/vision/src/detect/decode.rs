//! Scores and boxes of the network to faces of the picture.

use serde::{Deserialize, Serialize};

use super::calibration::{Calibration, EDGE, logit};
use super::nms::{Groups, Voting};
use crate::face::{Detection, StateScores};
use crate::geometry::Rect;
use crate::preprocess::Fit;
use crate::privacy::{MOST_SUSPECTS, Suspects, Unknown, take_in};

/// What a score column of the detector means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassName {
    /// No face.
    Background,
    /// A face, whatever its state.
    Face,
    /// A face with a mask on nose and mouth.
    Mask,
    /// A face with a badly worn mask.
    Incorrect,
    /// A face without a mask.
    NoMask,
}

/// What turns the raw scores into probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// They are probabilities already.
    None,
    /// Softmax over the classes.
    Softmax,
    /// Sigmoid of each.
    Sigmoid,
}

/// What the four numbers of a box mean.
#[derive(Clone, Debug, PartialEq)]
pub enum BoxFormat {
    /// `x1, y1, x2, y2`, normalised to the input.
    Corners,
    /// `tx, ty, tw, th` against anchors (Liu et al., SSD, arXiv 1512.02325, section 2.2).
    Ssd {
        /// For the centre and for the size.
        variances: [f32; 2],
        /// `cx, cy, w, h`, normalised to the input, in the order of the output's rows.
        anchors: Vec<[f32; 4]>,
    },
}

/// How a detector's output is read.
#[derive(Clone, Debug, PartialEq)]
pub struct DecodeSpec {
    /// Meaning of the score columns.
    pub classes: Vec<ClassName>,
    /// Applied to the scores.
    pub activation: Activation,
    /// Applied to the face scores after that.
    pub calibration: Option<Calibration>,
    /// Meaning of the boxes.
    pub boxes: BoxFormat,
    /// Faces below it are dropped.
    pub score_threshold: f32,
    /// Of two faces that overlap by more than this the worse is dropped.
    pub nms_iou: f32,
    /// Whether and how dropped boxes move the one that is kept.
    pub voting: Option<Voting>,
    /// At most so many faces are returned. What is to be hidden has a bound of its own ([`MOST_SUSPECTS`]).
    pub max_faces: usize,
}

/// What one image's output says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The faces, by falling score.
    pub faces: Vec<Detection>,
    /// Where faces may be, where that was asked for.
    pub suspects: Option<Suspects>,
}

/// The rows of one output that are worth a look.
struct Candidates {
    boxes: Vec<Detection>,
    /// Some row has numbers that are none.
    unreadable: bool,
}

/// Why an output cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The spec names no class.
    #[error("the detector names no class")]
    NoClasses,
    /// The scores are not a whole number of rows.
    #[error("{got} scores are no whole number of rows of {classes} classes")]
    Scores {
        /// Values got.
        got: usize,
        /// Columns of a row.
        classes: usize,
    },
    /// The boxes are fewer or more than the scores' rows.
    #[error("{got} box values for {rows} rows of scores: 4 for each row are needed")]
    Boxes {
        /// Values got.
        got: usize,
        /// Rows of scores.
        rows: usize,
    },
    /// The anchors are not as many as the rows.
    #[error("{rows} rows of scores, {anchors} anchors: the manifest's anchors do not fit the model")]
    Anchors {
        /// Rows of scores.
        rows: usize,
        /// Anchors of the spec.
        anchors: usize,
    },
}

impl DecodeSpec {
    /// The faces in one image's output, by falling score, at the spec's own threshold.
    ///
    /// # Errors
    /// [`DecodeError`] when the lengths do not fit together.
    pub fn decode(&self, scores: &[f32], boxes: &[f32], fit: &Fit) -> Result<Vec<Detection>, DecodeError> {
        self.decode_above(self.score_threshold, scores, boxes, fit)
    }

    /// As [`DecodeSpec::decode`], with another threshold (a camera's own).
    ///
    /// # Errors
    /// [`DecodeError`] when the lengths do not fit together.
    pub fn decode_above(
        &self,
        min_score: f32,
        scores: &[f32],
        boxes: &[f32],
        fit: &Fit,
    ) -> Result<Vec<Detection>, DecodeError> {
        self.decode_hiding(min_score, None, scores, boxes, fit).map(|found| found.faces)
    }

    /// As [`DecodeSpec::decode_above`], and with `hide` also where faces may be: every box of at least that score, those
    /// with it that a better one suppresses. A face that counts is always among them.
    ///
    /// Scores are looked at before anything is computed: an anchor under the threshold costs one comparison. Rows with
    /// a number that is not finite, boxes without area and boxes wholly outside of the picture are no faces; a row that
    /// cannot be read may be one anywhere.
    ///
    /// # Errors
    /// [`DecodeError`] when the lengths do not fit together.
    pub fn decode_hiding(
        &self,
        min_score: f32,
        hide: Option<f32>,
        scores: &[f32],
        boxes: &[f32],
        fit: &Fit,
    ) -> Result<Found, DecodeError> {
        let boxes = self.checked(scores, boxes)?;
        let hide = hide.map(|hide| hide.min(min_score));
        let least = hide.unwrap_or(min_score);
        let floor = self.voting.map_or(least, |voting| voting.floor.min(least));
        let Candidates { boxes, unreadable } = self.candidates(floor, least, scores, boxes, fit);
        let limit = hide.map_or(self.max_faces, |_| self.max_faces.max(MOST_SUSPECTS));
        let groups = Groups::new(boxes, self.nms_iou, self.voting.as_ref(), limit);
        let mut faces = if self.voting.is_some() { groups.voted() } else { groups.kept().copied().collect() };
        let suspects = hide.map(|hide| match unreadable {
            true => Suspects::Anywhere(Unknown::Unreadable),
            false => suspects(hide, &groups, &faces),
        });
        faces.truncate(self.max_faces);
        faces.retain(|face| face.score >= min_score);
        Ok(Found { faces, suspects })
    }

    /// The boxes of at least the score `floor`. Rows that cannot be read are noted where they could reach `least`.
    fn candidates(&self, floor: f32, least: f32, scores: &[f32], boxes: &[[f32; 4]], fit: &Fit) -> Candidates {
        let columns = Columns::new(&self.classes);
        // Everything passes a floor of 0, whatever the calibration.
        let raw_floor = if floor <= 0.0 { floor } else { self.calibration.map_or(floor, |c| c.invert(floor)) };
        let bound = Bound::new(self.activation, &columns, raw_floor);
        let mut probabilities = vec![0.0; self.classes.len()];
        let mut found = Candidates { boxes: Vec::new(), unreadable: false };
        for (index, (row, raw)) in scores.chunks_exact(self.classes.len()).zip(boxes).enumerate() {
            if !bound.may_pass(&columns, row) {
                found.unreadable |= columns.hides_a_face(row);
                continue;
            }
            if !row.iter().all(|score| score.is_finite()) {
                found.unreadable = true;
                continue;
            }
            activate(self.activation, row, &mut probabilities);
            let raw_score = columns.face_score(self.activation, &probabilities);
            let score = self.calibration.map_or(raw_score, |calibration| calibration.apply(raw_score));
            if score < floor {
                continue;
            }
            let Some([x1, y1, x2, y2]) = self.corners(index, raw) else {
                found.unreadable |= score >= least;
                continue;
            };
            let rect = fit.to_picture(Rect::from_corners(x1, y1, x2, y2));
            if x2 > x1 && y2 > y1 && rect.intersection(&Rect::FULL) > 0.0 {
                found.boxes.push(Detection { rect, score, states: columns.states(&self.classes, &probabilities) });
            }
        }
        found
    }

    /// The boxes as fours, one for each row of scores, when the lengths fit together.
    fn checked<'a>(&self, scores: &[f32], boxes: &'a [f32]) -> Result<&'a [[f32; 4]], DecodeError> {
        let classes = self.classes.len();
        if classes == 0 {
            return Err(DecodeError::NoClasses);
        }
        if !scores.len().is_multiple_of(classes) {
            return Err(DecodeError::Scores { got: scores.len(), classes });
        }
        let rows = scores.len() / classes;
        let (fours, rest) = boxes.as_chunks::<4>();
        if fours.len() != rows || !rest.is_empty() {
            return Err(DecodeError::Boxes { got: boxes.len(), rows });
        }
        match &self.boxes {
            BoxFormat::Ssd { anchors, .. } if anchors.len() != rows => {
                Err(DecodeError::Anchors { rows, anchors: anchors.len() })
            }
            _ => Ok(fours),
        }
    }

    /// The corners of a row's box, normalised to the input; `None` when they are not finite.
    fn corners(&self, index: usize, raw: &[f32; 4]) -> Option<[f32; 4]> {
        let corners = match &self.boxes {
            BoxFormat::Corners => *raw,
            BoxFormat::Ssd { variances, anchors } => ssd_corners(raw, anchors.get(index)?, *variances),
        };
        corners.iter().all(|v| v.is_finite()).then_some(corners)
    }
}

/// Where faces may be: the kept boxes of at least the score `hide`, enlarged where one that they suppressed is not hidden
/// with them.
fn suspects(hide: f32, groups: &Groups, kept: &[Detection]) -> Suspects {
    let mut boxes: Vec<Rect> = kept.iter().take_while(|face| face.score >= hide).map(|face| face.rect).collect();
    for (face, owner) in groups.members().take_while(|(face, _)| face.score >= hide) {
        // An owner's score is not less, so its box is among them.
        match owner.and_then(|owner| boxes.get_mut(owner)) {
            Some(suspect) => take_in(suspect, &face.rect),
            None => return Suspects::Anywhere(Unknown::Crowd),
        }
    }
    if boxes.len() > MOST_SUSPECTS { Suspects::Anywhere(Unknown::Crowd) } else { Suspects::Within(boxes) }
}

/// Corners of an SSD box: `c = ca + t vc sa`, `s = sa exp(t vs)` for centre and size of each axis.
fn ssd_corners(raw: &[f32; 4], anchor: &[f32; 4], [centre, size]: [f32; 2]) -> [f32; 4] {
    let [cx, cy, w, h] = *anchor;
    let (x, y) = (cx + raw[0] * centre * w, cy + raw[1] * centre * h);
    let (half_w, half_h) = (w * (raw[2] * size).exp() / 2.0, h * (raw[3] * size).exp() / 2.0);
    [x - half_w, y - half_h, x + half_w, y + half_h]
}

/// Probabilities of one row.
fn activate(activation: Activation, row: &[f32], out: &mut [f32]) {
    match activation {
        Activation::None => out.iter_mut().zip(row).for_each(|(out, raw)| *out = raw.clamp(0.0, 1.0)),
        Activation::Sigmoid => out.iter_mut().zip(row).for_each(|(out, raw)| *out = 1.0 / (1.0 + (-raw).exp())),
        Activation::Softmax => {
            let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            out.iter_mut().zip(row).for_each(|(out, raw)| *out = (raw - most).exp());
            let sum: f32 = out.iter().sum();
            out.iter_mut().for_each(|out| *out /= sum);
        }
    }
}

/// Which score columns say "a face", and which "no face".
struct Columns {
    face: Vec<usize>,
    background: Vec<usize>,
    names_states: bool,
}

impl Columns {
    fn new(classes: &[ClassName]) -> Self {
        let (background, face) = (0..classes.len()).partition(|i| classes[*i] == ClassName::Background);
        let names_states = classes.iter().any(|c| !matches!(c, ClassName::Background | ClassName::Face));
        Self { face, background, names_states }
    }

    /// The largest score of the face columns.
    fn most(&self, row: &[f32]) -> f32 {
        self.face.iter().map(|i| row[*i]).fold(f32::NEG_INFINITY, f32::max)
    }

    /// Whether a row that seems to be no face holds numbers by which it could be one.
    fn hides_a_face(&self, row: &[f32]) -> bool {
        row.iter().any(|score| score.is_nan()) || self.most(row) == f32::INFINITY
    }

    /// Softmax classes exclude each other, so their probabilities add up; others do not.
    fn face_score(&self, activation: Activation, probabilities: &[f32]) -> f32 {
        match activation {
            Activation::Softmax => self.face.iter().map(|i| probabilities[*i]).sum::<f32>().min(1.0),
            Activation::None | Activation::Sigmoid => self.most(probabilities),
        }
    }

    /// The detector's own opinion of the mask, where its classes name states.
    fn states(&self, classes: &[ClassName], probabilities: &[f32]) -> Option<StateScores> {
        let of = |name| classes.iter().zip(probabilities).filter(|(c, _)| **c == name).map(|(_, p)| p).sum();
        let scores = || StateScores::normalized(of(ClassName::Mask), of(ClassName::Incorrect), of(ClassName::NoMask));
        self.names_states.then(scores)
    }
}

/// A bound on raw scores that no face above the threshold fails: it spares the exponentials of all the others.
struct Bound {
    /// Least raw score (none, sigmoid) or least lead over the background (softmax).
    least: f32,
    against_background: bool,
}

impl Bound {
    fn new(activation: Activation, columns: &Columns, min_score: f32) -> Self {
        let logit = logit(min_score) - 1e-3;
        let softmax = activation == Activation::Softmax;
        let least = match activation {
            // All pass; clamping and rounding could lift any score to it.
            _ if min_score <= EDGE => f64::NEG_INFINITY,
            // Without a background every row is a face.
            Activation::Softmax if columns.background.is_empty() => f64::NEG_INFINITY,
            // n face classes together are at most n times the largest.
            Activation::Softmax => logit - (columns.face.len().max(1) as f64).ln(),
            Activation::Sigmoid => logit,
            Activation::None => f64::from(min_score),
        };
        Self { least: least as f32, against_background: softmax && !columns.background.is_empty() }
    }

    /// False for rows that cannot be a face.
    fn may_pass(&self, columns: &Columns, row: &[f32]) -> bool {
        let most = columns.most(row);
        if !self.against_background {
            return most >= self.least;
        }
        let background = columns.background.iter().map(|i| row[*i]).fold(f32::NEG_INFINITY, f32::max);
        most - background >= self.least
    }
}
