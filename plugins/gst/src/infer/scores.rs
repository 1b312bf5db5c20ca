//! Which detections are faces, and which only may be some.

use maskwatch_vision::{
    face::{ClassifiedFace, Detection},
    geometry::Rect,
};

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

    /// Takes off what is no face; gives the boxes to hide, those of the faces with them.
    pub(super) fn split(&self, raw: &mut Vec<ClassifiedFace>) -> Option<Vec<Rect>> {
        let hide = self.hide.map(|_| raw.iter().map(|face| face.detection.rect).collect());
        raw.retain(|face| face.detection.score >= self.face);
        hide
    }
}

#[cfg(test)]
mod tests {
    use maskwatch_vision::face::MaskState;

    use super::*;

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
        assert_eq!(scores.split(&mut raw).map(|hide| hide.len()), Some(3));
        assert_eq!(raw.len(), 2);
    }

    #[test]
    fn a_face_is_never_left_out_of_what_is_hidden() {
        let scores = Scores::new(0.3, Some(0.6));
        assert_eq!(scores.least(), 0.3);
        let plain = Scores::new(0.3, None);
        assert_eq!((plain.least(), plain.split(&mut faces())), (0.3, None));
    }
}
