//! The prior boxes of an SSD.

use serde::{Deserialize, Serialize};

/// One feature map of an SSD: a grid of cells with the same boxes in each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnchorLevel {
    /// Input pixels from one cell to the next.
    pub stride: u32,
    /// Width and height of each box of a cell, in input pixels.
    pub boxes: Vec<[f32; 2]>,
}

/// The anchors of an input of `width` x `height` pixels as `[cx, cy, w, h]`, normalised to the input.
///
/// Order: level, row, column, then the boxes of one cell. A level has `ceil(width / stride)` x `ceil(height / stride)`
/// cells, their centres at `(i + 0.5) * stride`. A stride of 0 gives no cells.
pub fn anchors(width: u32, height: u32, levels: &[AnchorLevel]) -> Vec<[f32; 4]> {
    let (w, h) = (width as f32, height as f32);
    let mut all = Vec::new();
    for level in levels.iter().filter(|level| level.stride > 0) {
        let stride = level.stride as f32;
        for row in 0..height.div_ceil(level.stride) {
            for column in 0..width.div_ceil(level.stride) {
                let (cx, cy) = ((column as f32 + 0.5) * stride / w, (row as f32 + 0.5) * stride / h);
                all.extend(level.boxes.iter().map(|[bw, bh]| [cx, cy, bw / w, bh / h]));
            }
        }
    }
    all
}
