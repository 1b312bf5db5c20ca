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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_level_row_column_box() {
        let levels = [
            AnchorLevel { stride: 8, boxes: vec![[4.0, 6.0], [8.0, 12.0]] },
            AnchorLevel { stride: 16, boxes: vec![[16.0, 16.0]] },
        ];
        let all = anchors(20, 16, &levels);
        assert_eq!(all.len(), 3 * 2 * 2 + 2);
        assert_eq!(all[0], [0.2, 0.25, 0.2, 0.375]);
        assert_eq!(all[1], [0.2, 0.25, 0.4, 0.75]);
        assert_eq!(all[2], [0.6, 0.25, 0.2, 0.375]);
        assert_eq!(all[6], [0.2, 0.75, 0.2, 0.375]);
        assert_eq!(all[13], [1.2, 0.5, 0.8, 1.0]);
    }

    /// The published figures: 4420 priors for 320x240, 17640 for 640x480 (UltraFace, `vision/ssd/config`).
    #[test]
    fn ultraface_counts() {
        let level = |stride, count| AnchorLevel { stride, boxes: vec![[10.0, 10.0]; count] };
        let levels = [level(8, 3), level(16, 2), level(32, 2), level(64, 3)];
        assert_eq!(anchors(320, 240, &levels).len(), 4420);
        assert_eq!(anchors(640, 480, &levels).len(), 17640);
    }

    #[test]
    fn no_stride_no_cells() {
        assert!(anchors(10, 10, &[AnchorLevel { stride: 0, boxes: vec![[1.0, 1.0]] }]).is_empty());
    }
}
