//! Where faces may be in an analysed picture.

use super::{MARGIN, Unknown};
use crate::geometry::Rect;

/// Most boxes of one picture in which faces may be. With more the whole picture is hidden: a thousand faces are more
/// than a full grandstand shows, and each box costs time with every picture until the next analysis.
pub const MOST_SUSPECTS: usize = 1000;

/// What an analysis says of where faces may be.
#[derive(Clone, Debug, PartialEq)]
pub enum Suspects {
    /// In these boxes with [`MARGIN`] around each, and nowhere else.
    Within(Vec<Rect>),
    /// Anywhere: the whole picture must be hidden.
    Anywhere(Unknown),
}

impl Suspects {
    /// Nowhere.
    pub const NONE: Self = Self::Within(Vec::new());

    /// The boxes of the picture's copy, in which `moved` says where each lies.
    #[must_use]
    pub fn map(&self, moved: impl Fn(&Rect) -> Rect) -> Self {
        match self {
            Self::Within(boxes) => Self::Within(boxes.iter().map(moved).collect()),
            Self::Anywhere(why) => Self::Anywhere(*why),
        }
    }

    /// Whether the whole picture must be hidden, and why.
    pub fn anywhere(&self) -> Option<Unknown> {
        match self {
            Self::Within(_) => None,
            Self::Anywhere(why) => Some(*why),
        }
    }
}

impl From<Vec<Rect>> for Suspects {
    fn from(boxes: Vec<Rect>) -> Self {
        Self::Within(boxes)
    }
}

/// Enlarges `suspect` until it hides `candidate` too, where it does not yet: a box that a better one of the same face
/// suppressed may reach beyond that one's margin.
pub(crate) fn take_in(suspect: &mut Rect, candidate: &Rect) {
    if contains(&grown(suspect, MARGIN), candidate) {
        return;
    }
    // What is as much smaller as a margin is large. A box around it has a larger margin still.
    let shrink = MARGIN / (1.0 + 2.0 * MARGIN);
    let (dx, dy) = (candidate.w * shrink, candidate.h * shrink);
    let core = Rect::from_corners(candidate.x + dx, candidate.y + dy, candidate.right() - dx, candidate.bottom() - dy);
    *suspect = hull(suspect, &core);
}

fn contains(outer: &Rect, inner: &Rect) -> bool {
    outer.x <= inner.x && outer.y <= inner.y && outer.right() >= inner.right() && outer.bottom() >= inner.bottom()
}

/// The least box around both.
pub(super) fn hull(a: &Rect, b: &Rect) -> Rect {
    Rect::from_corners(a.x.min(b.x), a.y.min(b.y), a.right().max(b.right()), a.bottom().max(b.bottom()))
}

/// A box with `by` of its own width and height more on every side.
pub(super) fn grown(face: &Rect, by: f32) -> Rect {
    let (dx, dy) = (face.w * by, face.h * by);
    Rect::new(face.x - dx, face.y - dy, face.w + 2.0 * dx, face.h + 2.0 * dy)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rects() -> impl Strategy<Value = Rect> {
        (-0.3f32..1.2, -0.3f32..1.2, 0.001f32..0.9, 0.001f32..0.9).prop_map(|(x, y, w, h)| Rect::new(x, y, w, h))
    }

    proptest! {
        #[test]
        fn what_is_taken_in_is_hidden_and_what_was_hidden_stays_so(first in rects(), others in prop::collection::vec(rects(), 0..5)) {
            let mut suspect = first;
            others.iter().for_each(|other| take_in(&mut suspect, other));
            let hidden = grown(&grown(&suspect, MARGIN), 1e-5);
            for part in others.iter().chain([&grown(&first, MARGIN)]) {
                prop_assert!(contains(&hidden, part), "{hidden:?} {part:?}");
            }
        }

        #[test]
        fn what_is_hidden_already_changes_nothing(first in rects(), (x, y) in (0.0f32..0.5, 0.0f32..0.5)) {
            let mut suspect = first;
            let area = grown(&first, MARGIN * 0.99);
            take_in(&mut suspect, &Rect::new(area.x + x * area.w, area.y + y * area.h, area.w * 0.4, area.h * 0.4));
            prop_assert_eq!(suspect, first);
        }
    }
}
