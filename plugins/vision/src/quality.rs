//! How fit a face is for being judged: size, light and sharpness, by a thousand samples at most.

use crate::frame::{ColorRange, FrameView, PixelFormat};
use crate::geometry::Rect;

/// Samples along each side of a face.
const SIDE: usize = 32;
/// One face.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FaceQuality {
    /// Height in pixels of the picture, as far as it is in it.
    pub height_px: f32,
    /// Mean luma, `0..=1`.
    pub luma: f32,
    /// Variance of the Laplacian over the variance of the luma, on the face brought to 32 x 32 samples: free of the face's
    /// size and of its contrast. `None` for a face lower than 32 pixels, or without any contrast.
    pub sharpness: Option<f32>,
}

/// Light and sharpness of the face at `rect`; `None` where that is outside of the picture.
pub fn face(frame: &FrameView<'_>, rect: &Rect) -> Option<FaceQuality> {
    let luma = Luma::of(frame)?;
    let rect = rect.clip();
    let [x, y, w, h] = rect.to_pixels(frame.width, frame.height);
    if !(w >= 1.0 && h >= 1.0) {
        return None;
    }
    let edge = |from: f32, length: f32, index: usize| (from + length * index as f32 / SIDE as f32) as usize;
    let mut values = [[0.0f32; SIDE]; SIDE];
    for (row, line) in values.iter_mut().enumerate() {
        let rows = [edge(y, h, row), edge(y, h, row + 1)];
        for (column, value) in line.iter_mut().enumerate() {
            *value = luma.mean([edge(x, w, column), edge(x, w, column + 1)], rows);
        }
    }
    let all = || values.iter().flatten().copied();
    let mean = all().sum::<f32>() / (SIDE * SIDE) as f32;
    let variance = all().map(|value| (value - mean).powi(2)).sum::<f32>() / (SIDE * SIDE) as f32;
    let seen = h >= SIDE as f32 && w >= SIDE as f32 / 2.0 && variance > 1e-4;
    Some(FaceQuality { height_px: h, luma: mean, sharpness: seen.then(|| laplacian(&values) / variance) })
}

/// Variance of the four-neighbour Laplacian, whose mean is about zero.
fn laplacian(values: &[[f32; SIDE]; SIDE]) -> f32 {
    let inner = 1..SIDE - 1;
    let squares = inner.clone().flat_map(|y| inner.clone().map(move |x| (x, y))).map(|(x, y)| {
        let around = values[y - 1][x] + values[y + 1][x] + values[y][x - 1] + values[y][x + 1];
        (around - 4.0 * values[y][x]).powi(2)
    });
    squares.sum::<f32>() / ((SIDE - 2) * (SIDE - 2)) as f32
}

/// The luma of a picture, `0..=1`.
struct Luma<'a> {
    frame: &'a FrameView<'a>,
    base: f32,
    span: f32,
}

impl<'a> Luma<'a> {
    fn of(frame: &'a FrameView<'a>) -> Option<Self> {
        frame.check().ok()?;
        let limited = frame.format != PixelFormat::Rgb && frame.range == ColorRange::Limited;
        let (base, span) = if limited { (16.0, 219.0) } else { (0.0, 255.0) };
        Some(Self { frame, base, span })
    }

    fn at(&self, x: usize, y: usize) -> f32 {
        let (x, y) = (x.min(self.frame.width as usize - 1), y.min(self.frame.height as usize - 1));
        let line = &self.frame.planes[0][y * self.frame.strides[0]..];
        let value = match self.frame.format {
            PixelFormat::I420 | PixelFormat::Nv12 => f32::from(line[x]),
            // ITU-R BT.601.
            PixelFormat::Rgb => {
                let [r, g, b] = [0, 1, 2].map(|channel| f32::from(line[x * 3 + channel]));
                0.299 * r + 0.587 * g + 0.114 * b
            }
        };
        ((value - self.base) / self.span).clamp(0.0, 1.0)
    }

    /// Mean over columns and rows from the first to before the second, at least one each, at most four by four of them.
    fn mean(&self, columns: [usize; 2], rows: [usize; 2]) -> f32 {
        let steps = |[from, to]: [usize; 2]| (from..to.max(from + 1)).step_by(((to.max(from + 1) - from) / 4).max(1));
        let (mut sum, mut count) = (0.0, 0);
        for y in steps(rows) {
            for x in steps(columns) {
                sum += self.at(x, y);
                count += 1;
            }
        }
        sum / count as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::ColorMatrix;

    const SIZE: usize = 128;

    /// A picture with this luma.
    fn frame(plane: &[u8]) -> FrameView<'_> {
        FrameView {
            format: PixelFormat::I420,
            width: SIZE as u32,
            height: SIZE as u32,
            planes: [plane, &[128; SIZE * SIZE / 4], &[128; SIZE * SIZE / 4]],
            strides: [SIZE, SIZE / 2, SIZE / 2],
            matrix: ColorMatrix::Bt709,
            range: ColorRange::Limited,
        }
    }

    /// Two broad stripes under many narrow ones, mixed with their neighbours over `blur` pixels, of this height.
    fn stripes(blur: usize, amplitude: f32) -> Vec<u8> {
        let stripe = |x: usize, width: usize| if (x / width).is_multiple_of(2) { amplitude } else { -amplitude };
        let sharp = |x: usize| stripe(x, 8) + stripe(x, 64);
        let value = |x: usize| {
            let around = x.saturating_sub(blur)..=x + blur;
            around.clone().map(sharp).sum::<f32>() / around.count() as f32
        };
        (0..SIZE * SIZE).map(|index| (126.0 + value(index % SIZE)) as u8).collect()
    }

    #[test]
    fn light_by_hand() {
        let luma = |value: u8| face(&frame(&[value; SIZE * SIZE]), &Rect::FULL).unwrap();
        assert_eq!(luma(235), FaceQuality { height_px: 128.0, luma: 1.0, sharpness: None });
        assert_eq!(luma(16).luma, 0.0);
        assert!((luma(126).luma - 0.5).abs() < 0.01);
        assert_eq!(face(&frame(&[16; 5]), &Rect::FULL), None, "short planes are no picture");
    }

    #[test]
    fn blur_lowers_sharpness_and_contrast_does_not() {
        let sharpness =
            |blur, amplitude| face(&frame(&stripes(blur, amplitude)), &Rect::FULL).unwrap().sharpness.unwrap();
        assert!(sharpness(0, 40.0) > 2.0 * sharpness(7, 40.0), "{} {}", sharpness(0, 40.0), sharpness(7, 40.0));
        let [strong, faint] = [sharpness(0, 40.0), sharpness(0, 10.0)];
        assert!((strong - faint).abs() < 0.05 * strong, "{strong} {faint}");
    }

    #[test]
    fn small_faces_and_boxes_outside_have_no_sharpness() {
        let plane = stripes(0, 40.0);
        let small = face(&frame(&plane), &Rect::new(0.1, 0.1, 0.2, 0.2)).unwrap();
        assert_eq!(small.sharpness, None);
        assert_eq!(face(&frame(&plane), &Rect::new(1.5, 0.1, 0.2, 0.2)), None);
        assert!(face(&frame(&plane), &Rect::new(0.9, 0.9, 0.5, 0.5)).is_some());
    }
}
