//! Which detections are faces, and which only may be some.

use maskwatch_engine::Outcome;
use maskwatch_vision::{
    face::{ClassifiedFace, Detection},
    frame::FrameView,
    geometry::Rect,
    quality::{self, FaceQuality},
};

/// Faces of one picture whose light and sharpness are measured, best detections first.
const MOST_MEASURED: usize = 16;

/// Least scores of one element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scores {
    /// Of a face that counts.
    face: f32,
    /// Of what is to be hidden; `None`: nothing is.
    hide: Option<f32>,
}

impl Scores {
    /// What counts as a face is hidden too.
    pub(super) fn new(face: f32, hide: Option<f32>) -> Self {
        Self { face, hide: hide.map(|hide| hide.min(face)) }
    }

    /// What the detector is asked for.
    pub(super) fn least(&self) -> f32 {
        self.hide.unwrap_or(self.face)
    }

    /// How many of the detections are faces: the first ones, as detectors give the best first.
    pub(super) fn faces(&self, found: &[Detection]) -> usize {
        found.iter().take_while(|detection| detection.score >= self.face).count()
    }

    /// Takes off what is no face.
    pub(super) fn keep_faces(&self, raw: &mut Vec<ClassifiedFace>) {
        raw.retain(|face| face.detection.score >= self.face);
    }
}

/// What is read out of a picture and its detections apart from the faces' states.
#[derive(Clone, Debug, Default)]
pub(super) struct Looked {
    /// Boxes to hide, those of the faces with them.
    pub(super) hide: Option<Vec<Rect>>,
    /// Of the faces that count.
    pub(super) quality: Vec<FaceQuality>,
}

impl Looked {
    /// Some thousand samples of each face that counts.
    pub(super) fn at(outcome: &Outcome, frame: &FrameView<'_>, scores: &Scores) -> Self {
        let Outcome::Done(raw) = outcome else { return Self::default() };
        let counted = raw.iter().filter(|face| face.detection.score >= scores.face).take(MOST_MEASURED);
        Self {
            hide: scores.hide.map(|_| raw.iter().map(|face| face.detection.rect).collect()),
            quality: counted.filter_map(|face| quality::face(frame, &face.detection.rect)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use maskwatch_vision::{
        face::MaskState,
        frame::{ColorMatrix, ColorRange, PixelFormat},
    };

    use super::*;

    const GREY: FrameView<'static> = FrameView {
        format: PixelFormat::Rgb,
        width: 200,
        height: 200,
        planes: [&[128; 200 * 200 * 3], &[], &[]],
        strides: [600, 0, 0],
        matrix: ColorMatrix::Bt601,
        range: ColorRange::Full,
    };

    fn faces() -> Vec<ClassifiedFace> {
        let face = |score: f32| {
            let detection = Detection { rect: Rect::new(score, 0.1, 0.1, 0.1), score, states: None };
            ClassifiedFace { detection, states: None, state: MaskState::Unknown }
        };
        [0.9, 0.5, 0.2].map(face).to_vec()
    }

    #[test]
    fn what_may_be_a_face_is_hidden_and_not_counted() {
        let scores = Scores::new(0.5, Some(0.1));
        assert_eq!(scores.least(), 0.1);
        let mut raw = faces();
        let found: Vec<Detection> = raw.iter().map(|face| face.detection).collect();
        assert_eq!(scores.faces(&found), 2);
        let looked = Looked::at(&Outcome::Done(raw.clone()), &GREY, &scores);
        assert_eq!(looked.hide.map(|hide| hide.len()), Some(3));
        assert_eq!(looked.quality.len(), 2);
        scores.keep_faces(&mut raw);
        assert_eq!(raw.len(), 2);
    }

    #[test]
    fn a_face_is_never_left_out_of_what_is_hidden() {
        let scores = Scores::new(0.3, Some(0.6));
        assert_eq!(scores.least(), 0.3);
        let plain = Scores::new(0.3, None);
        assert_eq!(plain.least(), 0.3);
        assert_eq!(Looked::at(&Outcome::Done(faces()), &GREY, &plain).hide, None);
    }
}
