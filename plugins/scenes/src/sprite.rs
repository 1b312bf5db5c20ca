//! A picture with transparent parts that is laid into frames at any size and place.

use image::{RgbImage, Rgba, RgbaImage, imageops};

/// The picture at full size and at halves of it, colours multiplied by opacity. Scaling down takes the next larger
/// copy and interpolates, so that nothing flickers while somebody moves.
pub(super) struct Sprite {
    levels: Vec<RgbaImage>,
}

impl Sprite {
    /// From a picture with straight (not multiplied) colours.
    pub(super) fn new(mut picture: RgbaImage) -> Self {
        for Rgba([r, g, b, alpha]) in picture.pixels_mut() {
            for channel in [r, g, b] {
                *channel = (u16::from(*channel) * u16::from(*alpha) / 255) as u8;
            }
        }
        let mut levels = vec![picture];
        while let Some(last) = levels.last().filter(|level| level.width() > 64 && level.height() > 64) {
            let half = imageops::resize(last, last.width() / 2, last.height() / 2, imageops::FilterType::Triangle);
            levels.push(half);
        }
        Self { levels }
    }

    /// Lays it into `frame` with its top left corner at `left`, `top`; `scale` is the share of the full size.
    /// Parts outside of the frame are cut off; rows from `end` on are not touched.
    pub(super) fn draw(&self, frame: &mut RgbImage, left: f32, top: f32, scale: f32, end: u32) {
        let wanted = (1.0 / scale.max(f32::EPSILON)).log2().floor().max(0.0) as usize;
        let index = wanted.min(self.levels.len() - 1);
        let level = &self.levels[index];
        let step = 1.0 / (scale * (1u32 << index) as f32); // pixels of the level per pixel of the frame
        let (width, height) = (level.width() as f32 / step, level.height() as f32 / step);
        let rows = span(top, height, end.min(frame.height()));
        let columns = span(left, width, frame.width());
        for y in rows {
            let source_y = (y as f32 + 0.5 - top) * step - 0.5;
            for x in columns.clone() {
                let [r, g, b, alpha] = sample(level, (x as f32 + 0.5 - left) * step - 0.5, source_y);
                if alpha > 0 {
                    let keep = FULL - alpha;
                    let pixel = &mut frame.get_pixel_mut(x, y).0;
                    for (under, over) in pixel.iter_mut().zip([r, g, b]) {
                        *under = ((u32::from(*under) * keep / 255 + over) >> 16).min(255) as u8;
                    }
                }
            }
        }
    }
}

/// An opaque pixel's opacity in the fixed-point form of [`sample`].
const FULL: u32 = 255 << 16;

/// Whole pixels that a length of `size` from `start` touches, within 0 to `end`.
fn span(start: f32, size: f32, end: u32) -> std::ops::Range<u32> {
    (start.floor().max(0.0) as u32).min(end)..((start + size).ceil().max(0.0) as u32).min(end)
}

/// The colour between pixels, times 65536; nothing outside of the picture.
fn sample(picture: &RgbaImage, x: f32, y: f32) -> [u32; 4] {
    let (left, top) = (x.floor(), y.floor());
    let (across, down) = (((x - left) * 256.0) as u32, ((y - top) * 256.0) as u32);
    let (left, top) = (left as i32, top as i32);
    let mut sum = [0; 4];
    for (dy, below) in [(0, 256 - down), (1, down)] {
        let Some(row) = row(picture, top + dy) else { continue };
        for (dx, beside) in [(0, 256 - across), (1, across)] {
            let at = (left + dx).wrapping_mul(4) as usize; // a negative place becomes a large one, outside of the row
            if let Some(pixel) = row.get(at..at.wrapping_add(4)) {
                for (total, value) in sum.iter_mut().zip(pixel) {
                    *total += u32::from(*value) * below * beside;
                }
            }
        }
    }
    sum
}

/// A row of the picture; `None` outside of it.
fn row(picture: &RgbaImage, y: i32) -> Option<&[u8]> {
    let length = picture.width() as usize * 4;
    let start = usize::try_from(y).ok()? * length;
    picture.as_raw().get(start..start + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_picture_covers_its_place_only() {
        let sprite = Sprite::new(RgbaImage::from_pixel(100, 100, Rgba([200, 100, 50, 255])));
        let mut frame = RgbImage::new(80, 80);
        sprite.draw(&mut frame, 10.0, 20.0, 0.5, 60);
        assert_eq!(frame.get_pixel(35, 45).0, [200, 100, 50]);
        assert_eq!(frame.get_pixel(5, 45).0, [0; 3]);
        assert_eq!(frame.get_pixel(35, 15).0, [0; 3]);
        assert_eq!(frame.get_pixel(35, 65).0, [0; 3], "rows from `end` on stay");
    }

    #[test]
    fn parts_outside_are_cut_off() {
        let sprite = Sprite::new(RgbaImage::from_pixel(100, 100, Rgba([255; 4])));
        let mut frame = RgbImage::new(10, 10);
        sprite.draw(&mut frame, -500.0, 3.0, 1.0, 10);
        assert!(frame.pixels().all(|pixel| pixel.0 == [0; 3]));
        sprite.draw(&mut frame, -50.0, -50.0, 1.0, 10);
        assert!(frame.pixels().all(|pixel| pixel.0 == [255; 3]));
    }
}
