//! Where a picture lies in a network's input, and the way back.

use super::spec::{InputSpec, Resize};
use crate::geometry::Rect;

/// Where the scaled picture lies in the input: an integer pixel rectangle, and the maps both ways.
///
/// Letterbox: `scale = min(W / w, H / h)`; the scaled picture has `floor(w * scale + 0.5)` columns and
/// `floor(h * scale + 0.5)` rows, at least 1 and at most `W` and `H`; it begins at column `(W - columns) / 2` and row
/// `(H - rows) / 2`, both rounded down. Stretch: the whole input. The maps use the rectangle as rounded, so they are
/// exact inverses of what was done to the pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// First column of the picture in the input, in pixels.
    pub left: u32,
    /// First row, in pixels.
    pub top: u32,
    /// Columns that the picture covers, in pixels.
    pub columns: u32,
    /// Rows that the picture covers, in pixels.
    pub rows: u32,
    /// Width of the input, in pixels.
    pub input_width: u32,
    /// Height of the input, in pixels.
    pub input_height: u32,
}

impl InputSpec {
    /// Where a picture of `width` x `height` pixels comes to lie in the input.
    pub fn fit(&self, width: u32, height: u32) -> Fit {
        Fit::new(self, width, height)
    }
}

impl Fit {
    /// The fit of a picture of `width` x `height` pixels. Sizes of 0 are taken as 1.
    pub fn new(spec: &InputSpec, width: u32, height: u32) -> Self {
        let (input_width, input_height) = (spec.width.max(1), spec.height.max(1));
        let (columns, rows) = match spec.resize {
            Resize::Stretch => (input_width, input_height),
            Resize::Letterbox => {
                let (w, h) = (f64::from(width.max(1)), f64::from(height.max(1)));
                let scale = (f64::from(input_width) / w).min(f64::from(input_height) / h);
                let fit = |side: f64, most: u32| ((side * scale + 0.5).floor() as u32).clamp(1, most);
                (fit(w, input_width), fit(h, input_height))
            }
        };
        Self {
            left: (input_width - columns) / 2,
            top: (input_height - rows) / 2,
            columns,
            rows,
            input_width,
            input_height,
        }
    }

    /// The whole input is the picture: nothing to undo.
    pub fn identity(input_width: u32, input_height: u32) -> Self {
        let (columns, rows) = (input_width.max(1), input_height.max(1));
        Self { left: 0, top: 0, columns, rows, input_width: columns, input_height: rows }
    }

    /// A box normalised to the input, normalised to the picture. Not clipped.
    pub fn to_picture(&self, r: Rect) -> Rect {
        let (sx, sy) = self.scale();
        let (ox, oy) = self.offset();
        Rect::new((r.x - ox) / sx, (r.y - oy) / sy, r.w / sx, r.h / sy)
    }

    /// A box normalised to the picture, normalised to the input.
    pub fn to_input(&self, r: Rect) -> Rect {
        let (sx, sy) = self.scale();
        let (ox, oy) = self.offset();
        Rect::new(r.x * sx + ox, r.y * sy + oy, r.w * sx, r.h * sy)
    }

    /// Share of the input's width and height that the picture covers.
    fn scale(&self) -> (f32, f32) {
        (self.columns as f32 / self.input_width as f32, self.rows as f32 / self.input_height as f32)
    }

    /// The picture's left top corner, normalised to the input.
    fn offset(&self) -> (f32, f32) {
        (self.left as f32 / self.input_width as f32, self.top as f32 / self.input_height as f32)
    }
}
