//! Rectangles in the unit square and their overlap.

use serde::{Deserialize, Serialize};

/// An axis-aligned box, normalised to the picture: `0..1`, origin top left.
///
/// A box may reach outside the unit square (a face cut by the picture's edge) until [`Rect::clip`] is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rect {
    /// Left edge.
    pub x: f32,
    /// Top edge.
    pub y: f32,
    /// Width, never negative.
    pub w: f32,
    /// Height, never negative.
    pub h: f32,
}

impl Rect {
    /// A box by its left top corner and its size. Negative sizes become 0.
    pub fn new(x: f32, y: f32, w: f32, h: f32) -> Self {
        Self { x, y, w: w.max(0.0), h: h.max(0.0) }
    }

    /// A box by two corners; a second corner left of or above the first gives an empty box.
    pub fn from_corners(x1: f32, y1: f32, x2: f32, y2: f32) -> Self {
        Self::new(x1, y1, x2 - x1, y2 - y1)
    }

    /// The whole picture.
    pub const FULL: Self = Self { x: 0.0, y: 0.0, w: 1.0, h: 1.0 };

    /// Right edge.
    pub fn right(&self) -> f32 {
        self.x + self.w
    }

    /// Bottom edge.
    pub fn bottom(&self) -> f32 {
        self.y + self.h
    }

    /// Centre `(x, y)`.
    pub fn center(&self) -> (f32, f32) {
        (self.x + self.w / 2.0, self.y + self.h / 2.0)
    }

    /// Area in units of the picture's area.
    pub fn area(&self) -> f32 {
        self.w * self.h
    }

    /// Area shared with `other`; 0 when they are apart or only touch.
    pub fn intersection(&self, other: &Self) -> f32 {
        let w = (self.right().min(other.right()) - self.x.max(other.x)).max(0.0);
        let h = (self.bottom().min(other.bottom()) - self.y.max(other.y)).max(0.0);
        w * h
    }

    /// Intersection over union, in `0..=1`; 0 when either is empty.
    pub fn iou(&self, other: &Self) -> f32 {
        let shared = self.intersection(other);
        let union = self.area() + other.area() - shared;
        if union > 0.0 { (shared / union).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// The part inside the unit square.
    pub fn clip(&self) -> Self {
        let x1 = self.x.clamp(0.0, 1.0);
        let y1 = self.y.clamp(0.0, 1.0);
        Self::from_corners(x1, y1, self.right().clamp(x1, 1.0), self.bottom().clamp(y1, 1.0))
    }

    /// In pixels of a picture of `width` x `height`: `[x, y, w, h]`.
    pub fn to_pixels(&self, width: u32, height: u32) -> [f32; 4] {
        let (w, h) = (width as f32, height as f32);
        [self.x * w, self.y * h, self.w * w, self.h * h]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_never_negative() {
        assert_eq!(Rect::new(0.5, 0.5, -1.0, f32::NAN), Rect::new(0.5, 0.5, 0.0, 0.0));
        assert_eq!(Rect::from_corners(0.5, 0.5, 0.25, 0.75), Rect::new(0.5, 0.5, 0.0, 0.25));
    }

    #[test]
    fn overlap_by_hand() {
        let a = Rect::new(0.0, 0.0, 0.5, 0.5);
        let b = Rect::new(0.25, 0.25, 0.5, 0.5);
        assert_eq!(a.intersection(&b), 0.0625);
        assert_eq!(a.iou(&b), 0.0625 / 0.4375);
        assert_eq!(a.iou(&Rect::new(0.5, 0.0, 0.5, 0.5)), 0.0, "boxes that touch do not overlap");
    }

    #[test]
    fn clipping_by_hand() {
        assert_eq!(Rect::new(-0.25, 0.5, 0.5, 0.75).clip(), Rect::new(0.0, 0.5, 0.25, 0.5));
        assert_eq!(Rect::new(2.0, 2.0, 1.0, 1.0).clip().area(), 0.0);
    }

    #[test]
    fn pixels() {
        assert_eq!(Rect::new(0.5, 0.25, 0.25, 0.5).to_pixels(640, 480), [320.0, 120.0, 160.0, 240.0]);
        assert_eq!(Rect::FULL.center(), (0.5, 0.5));
    }
}
