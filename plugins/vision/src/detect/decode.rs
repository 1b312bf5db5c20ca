//! Scores and boxes of the network to faces of the picture.

use serde::{Deserialize, Serialize};

use crate::face::Detection;
use crate::preprocess::Placement;

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
    /// Meaning of the boxes.
    pub boxes: BoxFormat,
    /// Faces below it are dropped.
    pub score_threshold: f32,
    /// Of two faces that overlap by more than this the worse is dropped.
    pub nms_iou: f32,
    /// At most so many faces are returned.
    pub max_faces: usize,
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
    pub fn decode(
        &self,
        scores: &[f32],
        boxes: &[f32],
        placement: &Placement,
    ) -> Result<Vec<Detection>, DecodeError> {
        self.decode_above(self.score_threshold, scores, boxes, placement)
    }

    /// As [`DecodeSpec::decode`], with another threshold.
    ///
    /// # Errors
    /// [`DecodeError`] when the lengths do not fit together.
    pub fn decode_above(
        &self,
        _min_score: f32,
        _scores: &[f32],
        _boxes: &[f32],
        _placement: &Placement,
    ) -> Result<Vec<Detection>, DecodeError> {
        unimplemented!()
    }
}
