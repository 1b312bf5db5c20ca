//! What is written beside a face, in which colour, and where.

use crate::face::MaskState;
use crate::geometry::Rect;

/// The text of a face's label: `Mask 98%`, `No mask 97%`, `Incorrect 91%`, `?`.
pub fn text(state: MaskState, confidence: f32) -> String {
    let percent = (confidence.clamp(0.0, 1.0) * 100.0).round() as u32;
    match state {
        MaskState::Mask => format!("Mask {percent}%"),
        MaskState::Incorrect => format!("Incorrect {percent}%"),
        MaskState::NoMask => format!("No mask {percent}%"),
        MaskState::Unknown => "?".to_owned(),
    }
}

/// The colour of a state, R, G, B: blue for mask, red for no mask, amber for incorrect, grey for unknown.
pub fn color(state: MaskState) -> [u8; 3] {
    match state {
        MaskState::Mask => [0x21, 0x74, 0xf3],
        MaskState::Incorrect => [0xff, 0xb0, 0x00],
        MaskState::NoMask => [0xe0, 0x2b, 0x2b],
        MaskState::Unknown => [0x8f, 0x96, 0x9e],
    }
}

/// Distance between a face's box and its label, in pixels.
const GAP: f32 = 2.0;
/// Price of covering another face, per pixel: dearer than anything else.
const COVERS_FACE: f32 = 8.0;
/// Price of covering another label or a reserved area, per pixel.
const COVERS_TEXT: f32 = 3.0;
/// Price of covering the label's own face, per pixel.
const COVERS_OWN: f32 = 1.0;
/// Price of each step down the list of places, as a share of the label's area: decides among places that are free.
const STEP: f32 = 0.001;

/// A box in pixels.
#[derive(Clone, Copy)]
struct Area {
    x: f32,
    y: f32,
    w: f32,
    h: f32,
}

impl Area {
    fn of(rect: &Rect, frame: [u32; 2]) -> Self {
        let [x, y, w, h] = rect.to_pixels(frame[0], frame[1]);
        Self { x, y, w, h }
    }

    fn shared(&self, other: &Self) -> f32 {
        let w = (self.x + self.w).min(other.x + other.w) - self.x.max(other.x);
        let h = (self.y + self.h).min(other.y + other.h) - self.y.max(other.y);
        if w > 0.0 && h > 0.0 { w * h } else { 0.0 }
    }

    /// Moved by as little as brings it into the frame; whole pixels.
    fn inside(self, frame: [u32; 2]) -> Self {
        let fit = |at: f32, size: f32, limit: u32| {
            let at = if at.is_finite() { at.round() } else { 0.0 };
            at.min((limit as f32 - size).floor()).max(0.0)
        };
        Self { x: fit(self.x, self.w, frame[0]), y: fit(self.y, self.h, frame[1]), ..self }
    }
}

/// Places for a label of `size` beside `face`, the best first: above, below, beside, and inside at last.
fn places(face: &Area, size: [u32; 2]) -> [Area; 10] {
    let [w, h] = size.map(|v| v as f32);
    let (left, right) = (face.x, face.x + face.w - w);
    let (above, below) = (face.y - h - GAP, face.y + face.h + GAP);
    let (before, after) = (face.x - w - GAP, face.x + face.w + GAP);
    let (top, bottom) = (face.y, face.y + face.h - h);
    [
        (left, above),
        (right, above),
        (left, below),
        (right, below),
        (after, top),
        (before, top),
        (after, bottom),
        (before, bottom),
        (left, top),
        (left, bottom),
    ]
    .map(|(x, y)| Area { x, y, w, h })
}

/// Where each face's label goes: its left top corner in pixels, inside the frame wherever the label fits into it.
///
/// `faces` are normalised boxes, `sizes` the labels' widths and heights in pixels (one per face; surplus entries on
/// either side are left out), `frame` the picture's width and height in pixels, `reserved` normalised areas to keep free
/// if possible (a caption).
///
/// Labels are placed one after the other from top to bottom; each takes the place that covers least. Costs grow with
/// the square of the number of faces: some microseconds for ten, under a millisecond for 64.
pub fn place(faces: &[Rect], sizes: &[[u32; 2]], frame: [u32; 2], reserved: &[Rect]) -> Vec<[u32; 2]> {
    let count = faces.len().min(sizes.len());
    let areas: Vec<Area> = faces[..count].iter().map(|rect| Area::of(rect, frame)).collect();
    let mut texts: Vec<Area> = reserved.iter().map(|rect| Area::of(rect, frame)).collect();
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|&a, &b| areas[a].y.total_cmp(&areas[b].y).then(areas[a].x.total_cmp(&areas[b].x)).then(a.cmp(&b)));
    let mut answer = vec![[0, 0]; count];
    for index in order {
        let step = STEP * sizes[index][0] as f32 * sizes[index][1] as f32;
        let mut best: Option<(f32, Area)> = None;
        for (rank, place) in places(&areas[index], sizes[index]).into_iter().enumerate() {
            let place = place.inside(frame);
            let on_faces: f32 = (0..count).filter(|&i| i != index).map(|i| place.shared(&areas[i])).sum();
            let on_texts: f32 = texts.iter().map(|text| place.shared(text)).sum();
            let cost = COVERS_FACE * on_faces
                + COVERS_TEXT * on_texts
                + COVERS_OWN * place.shared(&areas[index])
                + step * rank as f32;
            if best.is_none_or(|(least, _)| cost < least) {
                best = Some((cost, place));
            }
        }
        if let Some((_, place)) = best {
            texts.push(place);
            answer[index] = [place.x as u32, place.y as u32];
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FRAME: [u32; 2] = [640, 480];

    fn overlap(at: [u32; 2], size: [u32; 2], rect: &Rect) -> f32 {
        let label = Area { x: at[0] as f32, y: at[1] as f32, w: size[0] as f32, h: size[1] as f32 };
        label.shared(&Area::of(rect, FRAME))
    }

    #[test]
    fn texts_are_those_of_the_contract() {
        assert_eq!(text(MaskState::Mask, 0.98), "Mask 98%");
        assert_eq!(text(MaskState::NoMask, 0.966), "No mask 97%");
        assert_eq!(text(MaskState::Incorrect, 0.91), "Incorrect 91%");
        assert_eq!(text(MaskState::Unknown, 0.5), "?");
        assert_eq!(text(MaskState::Mask, f32::NAN), "Mask 0%");
    }

    #[test]
    fn colours_differ_in_the_channel_that_names_them() {
        let [blue, amber, red, grey] = MaskState::ALL.map(color);
        assert!(blue[2] > 200 && blue[0] < 100);
        assert!(red[0] > 200 && red[1] < 100 && red[2] < 100);
        assert!(amber[0] > 200 && amber[1] > 120 && amber[2] < 100);
        assert!(grey.iter().max().zip(grey.iter().min()).is_some_and(|(a, b)| a - b < 32));
    }

    #[test]
    fn a_lone_label_sits_above_its_face() {
        let face = Rect::new(0.25, 0.5, 0.1, 0.2);
        assert_eq!(place(&[face], &[[80, 16]], FRAME, &[]), [[160, 222]]);
    }

    #[test]
    fn at_the_top_edge_it_sits_below_and_a_caption_is_kept_free() {
        let face = Rect::new(0.4, 0.01, 0.1, 0.2);
        let at = place(&[face], &[[60, 16]], FRAME, &[]);
        assert!(at[0][1] as f32 >= 0.21 * 480.0);
        let low = Rect::new(0.0, 0.3, 0.1, 0.2);
        let caption = Rect::new(0.0, 0.2, 0.5, 0.1);
        assert_eq!(overlap(place(&[low], &[[60, 16]], FRAME, &[caption])[0], [60, 16], &caption), 0.0);
    }

    #[test]
    fn a_face_above_another_is_not_covered() {
        let faces = [Rect::new(0.4, 0.2, 0.1, 0.2), Rect::new(0.4, 0.405, 0.1, 0.2)];
        let at = place(&faces, &[[70, 16]; 2], FRAME, &[]);
        for (label, other) in [(0, 1), (1, 0)] {
            assert_eq!(overlap(at[label], [70, 16], &faces[other]), 0.0, "{at:?}");
        }
    }

    proptest! {
        #[test]
        fn labels_are_inside_and_the_same_every_time(
            faces in prop::collection::vec((-0.1f32..1.1, -0.1f32..1.1, 0.0f32..0.4, 0.0f32..0.4), 0..64),
            size in (1u32..200, 1u32..40),
        ) {
            let faces: Vec<Rect> = faces.into_iter().map(|(x, y, w, h)| Rect::new(x, y, w, h)).collect();
            let sizes = vec![[size.0, size.1]; faces.len()];
            let at = place(&faces, &sizes, FRAME, &[]);
            prop_assert_eq!(at.len(), faces.len());
            for [x, y] in &at {
                prop_assert!(x + size.0 <= FRAME[0] && y + size.1 <= FRAME[1]);
            }
            prop_assert_eq!(at, place(&faces, &sizes, FRAME, &[]));
        }

        #[test]
        fn two_faces_apart_are_never_covered(
            x in 0.2f32..0.7, y in 0.2f32..0.7, angle in 0.0..std::f32::consts::TAU,
        ) {
            // Far enough that a free place exists for each.
            let other = Rect::new(x + 0.15 * angle.cos(), y + 0.2 * angle.sin(), 0.1, 0.15);
            let faces = [Rect::new(x, y, 0.1, 0.15), other];
            prop_assume!(faces[0].intersection(&faces[1]) == 0.0);
            let at = place(&faces, &[[80, 16]; 2], FRAME, &[]);
            // Whole pixels beside a box that ends within one.
            prop_assert!(overlap(at[0], [80, 16], &faces[1]) < 2.0);
            prop_assert!(overlap(at[1], [80, 16], &faces[0]) < 2.0);
        }
    }
}
