//! What one frame alone says of the faces found in it. Pure.

use maskwatch_vision::{
    face::{ClassifiedFace, FaceView, MaskState},
    track::Link,
    zone::Areas,
};

/// The faces that are looked at: a poster is neither shown nor reported.
pub(super) fn admitted(
    areas: &Areas,
    frame_height: u32,
    links: &[Link],
    raw: Vec<ClassifiedFace>,
) -> (Vec<Link>, Vec<ClassifiedFace>) {
    let admits = |face: &ClassifiedFace| areas.admits(&face.detection, frame_height);
    links.iter().copied().zip(raw).filter(|(_, face)| admits(face)).unzip()
}

/// One frame's faces without tracks.
pub(super) fn plain(raw: &[ClassifiedFace]) -> Vec<FaceView> {
    raw.iter().map(|face| single(0, face)).collect()
}

/// What one frame alone says of a face.
fn single(track: u64, face: &ClassifiedFace) -> FaceView {
    let confidence = match (face.states, face.state) {
        (Some(states), MaskState::Mask) => states.mask,
        (Some(states), MaskState::Incorrect) => states.incorrect,
        (Some(states), MaskState::NoMask) => states.no_mask,
        (_, MaskState::Unknown) | (None, _) => 0.0,
    };
    let (rect, score) = (face.detection.rect, face.detection.score);
    FaceView { track, rect, score, state: face.state, confidence }
}

/// The faces found in this frame and no others, where they were found, each with its track's state where that is known.
pub(super) fn exact(links: &[Link], raw: &[ClassifiedFace], shown: &[FaceView]) -> Vec<FaceView> {
    let of = |(link, face): (&Link, &ClassifiedFace)| {
        let track = link.track.unwrap_or(0);
        let own = single(track, face);
        let voted = shown.iter().find(|view| track != 0 && view.track == track && view.state != MaskState::Unknown);
        voted.map_or(own, |view| FaceView { state: view.state, confidence: view.confidence, ..own })
    };
    links.iter().zip(raw).map(of).collect()
}

#[cfg(test)]
mod tests {
    use maskwatch_vision::{
        face::{Detection, StateScores},
        geometry::Rect,
    };

    use super::*;

    fn face(x: f32) -> ClassifiedFace {
        let detection = Detection { rect: Rect::new(x, 0.1, 0.2, 0.2), score: 0.9, states: None };
        let states = Some(StateScores { mask: 0.7, incorrect: 0.2, no_mask: 0.1 });
        ClassifiedFace { detection, states, state: MaskState::Mask }
    }

    #[test]
    fn exact_faces_lie_where_they_were_found_with_the_voted_state() {
        let raw = [face(0.1), face(0.5), face(0.7)];
        let links = [Some(4), None, Some(5)].map(|track| Link { track, classify: true });
        let view =
            |track, state| FaceView { track, rect: Rect::new(0.0, 0.0, 0.1, 0.1), score: 0.5, state, confidence: 0.99 };
        let shown = [view(4, MaskState::NoMask), view(5, MaskState::Unknown), view(6, MaskState::Mask)];
        let faces = exact(&links, &raw, &shown);
        assert_eq!(faces.len(), 3);
        assert_eq!((faces[0].state, faces[0].confidence, faces[0].track), (MaskState::NoMask, 0.99, 4));
        assert_eq!((faces[1].state, faces[1].confidence, faces[1].track), (MaskState::Mask, 0.7, 0));
        assert_eq!((faces[2].state, faces[2].track), (MaskState::Mask, 5));
        assert_eq!(faces[0].rect, raw[0].detection.rect);
    }

    #[test]
    fn unknown_has_no_confidence() {
        let unknown = ClassifiedFace { states: None, state: MaskState::Unknown, ..face(0.1) };
        assert_eq!(plain(&[unknown])[0].confidence, 0.0);
    }
}
