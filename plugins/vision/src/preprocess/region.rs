//! Which part of a picture is resampled, as integer pixels and as spans of the planes.

use super::resample::Grid;
use super::taps::{Span, Taps};
use crate::frame::{FrameView, PixelFormat};
use crate::geometry::Rect;

/// A rectangle of whole pixels that may reach outside of the picture. Never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Region {
    pub(super) left: i64,
    pub(super) top: i64,
    pub(super) right: i64,
    pub(super) bottom: i64,
}

/// Coordinates are held within this many pixels of the origin, so that nonsense costs no time.
const FAR: f64 = 65536.0;

impl Region {
    /// The whole picture.
    pub(super) fn whole(width: u32, height: u32) -> Self {
        Self { left: 0, top: 0, right: i64::from(width), bottom: i64::from(height) }
    }

    /// By two corners in pixels, each rounded half up; at least one pixel wide and high.
    pub(super) fn rounded(x1: f64, y1: f64, x2: f64, y2: f64) -> Self {
        let round = |value: f64| (value + 0.5).floor().clamp(-FAR, FAR) as i64;
        let (left, top) = (round(x1), round(y1));
        Self { left, top, right: round(x2).max(left + 1), bottom: round(y2).max(top + 1) }
    }

    /// The whole pixels of a normalised box.
    pub(super) fn of(rect: Rect, width: u32, height: u32) -> Self {
        let (w, h) = (f64::from(width), f64::from(height));
        let (x, y) = (f64::from(rect.x), f64::from(rect.y));
        Self::rounded(x * w, y * h, (x + f64::from(rect.w)) * w, (y + f64::from(rect.h)) * h)
    }

    /// Normalised to the picture.
    pub(super) fn normalised(&self, width: u32, height: u32) -> Rect {
        let (w, h) = (f64::from(width.max(1)), f64::from(height.max(1)));
        Rect::new(
            (self.left as f64 / w) as f32,
            (self.top as f64 / h) as f32,
            (self.width() as f64 / w) as f32,
            (self.height() as f64 / h) as f32,
        )
    }

    /// Columns.
    pub(super) fn width(&self) -> u32 {
        (self.right - self.left) as u32
    }

    /// Rows.
    pub(super) fn height(&self) -> u32 {
        (self.bottom - self.top) as u32
    }
}

/// All that the tap tables of a picture depend on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Key {
    pub(super) format: PixelFormat,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) region: Region,
    pub(super) columns: u32,
    pub(super) rows: u32,
}

/// The tap tables of a picture.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) key: Key,
    /// For Y, or for R, G and B.
    pub(super) luma: Grid,
    /// For U and V; empty for RGB.
    pub(super) chroma: Grid,
}

impl Plan {
    /// Computes the tables.
    pub(super) fn new(key: Key) -> Self {
        let Key { region, width, height, .. } = key;
        let (columns, rows) = (key.columns as usize, key.rows as usize);
        let luma = Grid {
            x: Taps::new(&full(region.left, region.right, width), columns),
            y: Taps::new(&full(region.top, region.bottom, height), rows),
        };
        let chroma = match key.format {
            PixelFormat::Rgb => Grid::default(),
            PixelFormat::I420 | PixelFormat::Nv12 => Grid {
                x: Taps::new(&half(region.left, region.right, width, LEFT_SITED), columns),
                y: Taps::new(&half(region.top, region.bottom, height, 0.0), rows),
            },
        };
        Self { key, luma, chroma }
    }

    /// The key of a frame's part on a target of `columns` x `rows`.
    pub(super) fn key(frame: &FrameView<'_>, region: Region, columns: u32, rows: u32) -> Key {
        Key { format: frame.format, width: frame.width, height: frame.height, region, columns, rows }
    }
}

/// How far, in chroma samples, a chroma sample lies left of the middle of its two luma samples: 4:2:0 as MPEG-2, H.264
/// and H.265 have it by default (chroma_sample_loc_type 0). JPEG's centred siting differs by half a luma sample, which
/// no network can see. Vertically both are centred.
const LEFT_SITED: f64 = 0.25;

/// The span of a plane that has a sample for each pixel.
fn full(from: i64, to: i64, len: u32) -> Span {
    Span { ends: (from as f64, to as f64), visible: (from, to), len: len as usize }
}

/// The span of a plane that has a sample for every second pixel.
fn half(from: i64, to: i64, len: u32, shift: f64) -> Span {
    Span {
        ends: (from as f64 / 2.0 + shift, to as f64 / 2.0 + shift),
        visible: (from.div_euclid(2), (to + 1).div_euclid(2)),
        len: len.div_ceil(2) as usize,
    }
}
