//! What the detector is asked for, and what is read out of a picture apart from the faces' states.

use maskwatch_engine::{Analysis, Ask, Outcome};
use maskwatch_vision::{
    frame::FrameView,
    privacy::Suspects,
    quality::{self, FaceQuality},
};

/// Faces of one picture whose light and sharpness are measured, best detections first.
const MOST_MEASURED: usize = 16;

/// `face`: least score of a face that counts; `hide`: of what is to be hidden, `None`: nothing is. What counts as a face is
/// hidden too.
pub(super) fn ask(face: f32, hide: Option<f32>) -> Ask {
    Ask { face: Some(face), hide: hide.map(|hide| hide.min(face)) }
}

/// What is read out of a picture and its detections apart from the faces' states.
#[derive(Clone, Debug, Default)]
pub(super) struct Looked {
    /// Where faces may be, where that was asked for.
    pub(super) hide: Option<Suspects>,
    /// Of the faces that count.
    pub(super) quality: Vec<FaceQuality>,
}

impl Looked {
    /// Some thousand samples of each face that counts.
    pub(super) fn at(outcome: &Outcome, frame: &FrameView<'_>) -> Self {
        let Outcome::Done(Analysis { faces, suspects }) = outcome else { return Self::default() };
        let measured = faces.iter().take(MOST_MEASURED);
        let quality = measured.filter_map(|face| quality::face(frame, &face.detection.rect)).collect();
        Self { hide: suspects.clone(), quality }
    }
}

#[cfg(test)]
mod tests {
    use maskwatch_vision::{
        face::{ClassifiedFace, Detection, MaskState},
        frame::{ColorMatrix, ColorRange, PixelFormat},
        geometry::Rect,
        privacy::Unknown,
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

    #[test]
    fn all_that_is_to_be_hidden_is_passed_on_and_the_best_faces_are_measured() {
        let rect = Rect::new(0.1, 0.1, 0.1, 0.1);
        let detection = Detection { rect, score: 0.9, states: None };
        let face = ClassifiedFace { detection, states: None, state: MaskState::Unknown };
        for suspects in [Some(Suspects::Within(vec![rect; 300])), Some(Suspects::Anywhere(Unknown::Crowd)), None] {
            let looked =
                Looked::at(&Outcome::Done(Analysis { faces: vec![face; 20], suspects: suspects.clone() }), &GREY);
            assert_eq!((looked.hide, looked.quality.len()), (suspects, MOST_MEASURED));
        }
    }

    #[test]
    fn a_face_is_never_left_out_of_what_is_hidden() {
        assert_eq!(ask(0.3, Some(0.6)), Ask { face: Some(0.3), hide: Some(0.3) });
        assert_eq!(ask(0.5, Some(0.1)), Ask { face: Some(0.5), hide: Some(0.1) });
        assert_eq!(ask(0.3, None).hide, None);
    }
}
