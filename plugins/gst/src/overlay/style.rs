//! Sizes by the picture's height, and the colours of everything that is not a state.

use crate::draw::Color;

/// Sizes in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Style {
    /// The em of labels and captions.
    pub(crate) em: u32,
    /// Strokes of boxes.
    pub(crate) stroke: u32,
}

/// Background of labels and captions: dark and translucent, so that white text stands out on any picture.
pub(crate) const CHIP: Color = [14, 17, 22, 205];
/// Text that matters.
pub(crate) const TEXT: Color = [255, 255, 255, 255];
/// Text beside it.
pub(crate) const DIM: Color = [196, 203, 212, 255];
/// The hair line around boxes, which parts them from a bright background.
pub(crate) const EDGE: Color = [0, 0, 0, 110];
/// Background of slates, top and bottom.
pub(crate) const SLATE: [Color; 2] = [[27, 32, 40, 255], [14, 17, 22, 255]];
/// The accent of "no signal".
pub(crate) const ALERT: Color = [242, 95, 92, 255];

impl Style {
    /// For a picture of `height` pixels: an em of 2.4 % of it, at least 12 pixels (readable at 640x360), and strokes of
    /// 2 to 3 pixels up to 1080 rows.
    pub(crate) fn of(height: u32) -> Self {
        let em = (height as f32 * 0.024).round().max(12.0) as u32;
        let stroke = (height as f32 / 400.0).round().max(2.0) as u32;
        Self { em, stroke }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_follow_the_height() {
        assert_eq!(Style::of(1), Style { em: 12, stroke: 2 });
        assert_eq!(Style::of(480), Style { em: 12, stroke: 2 });
        assert_eq!(Style::of(720), Style { em: 17, stroke: 2 });
        assert_eq!(Style::of(1080), Style { em: 26, stroke: 3 });
    }
}
