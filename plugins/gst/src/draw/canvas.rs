//! The planes of a writable frame, and blending into them.

use gst_video::{VideoFormat, prelude::*};
use maskwatch_vision::frame::{ColorMatrix, ColorRange};

use super::bitmap::{Bitmap, Color};
use crate::frame::coding;

/// One plane: rows of bytes, `stride` apart.
struct Plane<'a> {
    bytes: &'a mut [u8],
    stride: usize,
}

impl Plane<'_> {
    /// Lays `value` over byte `column` of `row` at opacity `alpha` (`0..=1`); nothing where the plane is too short.
    fn mix(&mut self, row: usize, column: usize, value: f32, alpha: f32) {
        if let Some(below) = self.bytes.get_mut(row * self.stride + column) {
            let mixed = f32::from(*below) + (value - f32::from(*below)) * alpha;
            *below = mixed.round().clamp(0.0, 255.0) as u8;
        }
    }
}

/// The chroma samples: two planes, or one with Cb and Cr in turn.
enum Chroma<'a> {
    Planar { cb: Plane<'a>, cr: Plane<'a> },
    Interleaved(Plane<'a>),
}

impl Chroma<'_> {
    fn mix(&mut self, row: usize, column: usize, [u, v]: [f32; 2], alpha: f32) {
        match self {
            Self::Planar { cb, cr } => {
                cb.mix(row, column, u, alpha);
                cr.mix(row, column, v, alpha);
            }
            Self::Interleaved(plane) => {
                plane.mix(row, column * 2, u, alpha);
                plane.mix(row, column * 2 + 1, v, alpha);
            }
        }
    }
}

/// How pixels lie in the planes.
enum Pixels<'a> {
    /// Luma at full size; chroma halved in both directions.
    Yuv { luma: Plane<'a>, chroma: Chroma<'a>, coder: Coder },
    /// One plane; `order`: byte of R, G, B within a pixel of `size` bytes.
    Packed { plane: Plane<'a>, size: usize, order: [usize; 3] },
}

/// A frame to draw on.
pub(crate) struct Canvas<'a> {
    width: i64,
    height: i64,
    layout: Pixels<'a>,
}

/// R'G'B' to Y'CbCr, 8 bits. ITU-R BT.601-7, BT.709-6 and BT.2020-2, part "digital representation".
#[derive(Clone, Copy, Debug)]
struct Coder {
    kr: f32,
    kb: f32,
    range: ColorRange,
}

impl Coder {
    fn new(matrix: ColorMatrix, range: ColorRange) -> Self {
        let (kr, kb) = matrix.luma_weights();
        Self { kr, kb, range }
    }

    fn code(&self, [r, g, b, _]: Color) -> [f32; 3] {
        let [r, g, b] = [r, g, b].map(|v| f32::from(v) / 255.0);
        let y = self.kr * r + (1.0 - self.kr - self.kb) * g + self.kb * b;
        let cb = (b - y) / (2.0 * (1.0 - self.kb));
        let cr = (r - y) / (2.0 * (1.0 - self.kr));
        match self.range {
            ColorRange::Limited => [16.0 + 219.0 * y, 128.0 + 224.0 * cb, 128.0 + 224.0 * cr],
            ColorRange::Full => [255.0 * y, 128.0 + 255.0 * cb, 128.0 + 255.0 * cr],
        }
    }
}

impl<'a> Canvas<'a> {
    /// The frame's planes; `None` for a format that cannot be drawn on.
    pub(crate) fn new<'b>(frame: &'a mut gst_video::VideoFrameRef<&'b mut gst::BufferRef>) -> Option<Self> {
        let info = frame.info().clone();
        let strides: Vec<usize> = frame.plane_stride().iter().map(|s| usize::try_from(*s).unwrap_or(0)).collect();
        let stride = |plane: usize| strides.get(plane).copied().unwrap_or(0);
        let [first, second, third, _] = frame.planes_data_mut();
        let first = Plane { bytes: first, stride: stride(0) };
        let packed = |plane, size, order| Some(Pixels::Packed { plane, size, order });
        let layout = match info.format() {
            VideoFormat::I420 | VideoFormat::Nv12 => {
                let (matrix, range) = coding(&info);
                let second = Plane { bytes: second, stride: stride(1) };
                let chroma = match info.format() {
                    VideoFormat::I420 => Chroma::Planar { cb: second, cr: Plane { bytes: third, stride: stride(2) } },
                    _ => Chroma::Interleaved(second),
                };
                Some(Pixels::Yuv { luma: first, chroma, coder: Coder::new(matrix, range) })
            }
            VideoFormat::Rgb => packed(first, 3, [0, 1, 2]),
            VideoFormat::Bgrx => packed(first, 4, [2, 1, 0]),
            _ => None,
        }?;
        Some(Self { width: i64::from(info.width()), height: i64::from(info.height()), layout })
    }

    /// A packed picture of R, G, B bytes without padding.
    pub(crate) fn rgb(width: u32, height: u32, bytes: &'a mut [u8]) -> Self {
        let plane = Plane { bytes, stride: width as usize * 3 };
        let layout = Pixels::Packed { plane, size: 3, order: [0, 1, 2] };
        Self { width: i64::from(width), height: i64::from(height), layout }
    }

    pub(crate) fn width(&self) -> u32 {
        self.width as u32
    }

    pub(crate) fn height(&self) -> u32 {
        self.height as u32
    }

    /// Lays a bitmap over the picture with its left top corner at `(x, y)`; what is outside is cut.
    pub(crate) fn blend(&mut self, bitmap: &Bitmap, x: i64, y: i64) {
        let size = [i64::from(bitmap.width()), i64::from(bitmap.height())];
        self.cover([x, y, size[0], size[1]], |px, py| bitmap.pixel((px - x) as u32, (py - y) as u32));
    }

    /// Lays one colour over a rectangle `[x, y, w, h]` in pixels; what is outside is cut.
    pub(crate) fn fill(&mut self, rect: [i64; 4], color: Color) {
        self.cover(rect, |_, _| color);
    }

    /// The outline of `rect`, `thickness` pixels inward.
    pub(crate) fn stroke(&mut self, [x, y, w, h]: [i64; 4], thickness: i64, color: Color) {
        if w <= 0 || h <= 0 {
            return;
        }
        let t = thickness.min((w + 1) / 2).min((h + 1) / 2).max(1);
        self.fill([x, y, w, t], color);
        self.fill([x, y + h - t, w, t.min(h - t)], color);
        self.fill([x, y + t, t, h - 2 * t], color);
        self.fill([x + w - t, y + t, t.min(w - t), h - 2 * t], color);
    }

    /// A straight line from `from` to `to`, `thickness` pixels across its steeper direction, in steps of a pixel along the
    /// other: as cheap as the pixels it has, however wide the box around it. What is outside is cut; nothing is drawn
    /// for ends that are no numbers.
    pub(crate) fn line(&mut self, from: [f32; 2], to: [f32; 2], thickness: i64, color: Color) {
        let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
        // Ends far outside must not cost more than the picture.
        let most = 4.0 * (self.width + self.height) as f32;
        let long = dx.abs().max(dy.abs());
        if !(long.is_finite() && long <= most) {
            return;
        }
        let steps = (long.round() as i64).max(1);
        let at = |step: i64| {
            let share = step as f32 / steps as f32;
            [(from[0] + dx * share).round() as i64, (from[1] + dy * share).round() as i64]
        };
        if dx.abs() >= dy.abs() {
            (0..=steps).map(at).for_each(|[x, y]| self.fill([x, y, 1, thickness], color));
        } else {
            (0..=steps).map(at).for_each(|[x, y]| self.fill([x, y, thickness, 1], color));
        }
    }

    /// Lays what `source` gives for each pixel of `rect` over the picture.
    fn cover(&mut self, [x, y, w, h]: [i64; 4], source: impl Fn(i64, i64) -> Color) {
        let (x0, x1) = (x.max(0), (x + w).min(self.width));
        let (y0, y1) = (y.max(0), (y + h).min(self.height));
        if x0 >= x1 || y0 >= y1 {
            return;
        }
        let area = [x0, y0, x1, y1];
        match &mut self.layout {
            Pixels::Packed { plane, size, order } => cover_packed(plane, *size, *order, area, source),
            Pixels::Yuv { luma, chroma, coder } => {
                for py in y0..y1 {
                    for px in x0..x1 {
                        let color = source(px, py);
                        if color[3] > 0 {
                            luma.mix(py as usize, px as usize, coder.code(color)[0], f32::from(color[3]) / 255.0);
                        }
                    }
                }
                cover_chroma(chroma, *coder, area, [self.width, self.height], source);
            }
        }
    }
}

fn cover_packed(
    plane: &mut Plane<'_>,
    size: usize,
    order: [usize; 3],
    [x0, y0, x1, y1]: [i64; 4],
    source: impl Fn(i64, i64) -> Color,
) {
    for py in y0..y1 {
        for px in x0..x1 {
            let color = source(px, py);
            if color[3] == 0 {
                continue;
            }
            for channel in 0..3 {
                let column = px as usize * size + order[channel];
                plane.mix(py as usize, column, f32::from(color[channel]), f32::from(color[3]) / 255.0);
            }
        }
    }
}

/// Each chroma sample takes the mean of what its pixels get, so that edges on odd pixels have no coloured fringe.
fn cover_chroma(
    chroma: &mut Chroma<'_>,
    coder: Coder,
    [x0, y0, x1, y1]: [i64; 4],
    [width, height]: [i64; 2],
    source: impl Fn(i64, i64) -> Color,
) {
    for row in y0 / 2..=(y1 - 1) / 2 {
        for column in x0 / 2..=(x1 - 1) / 2 {
            let (mut weight, mut sums) = (0.0, [0.0; 2]);
            for py in (row * 2).max(y0)..(row * 2 + 2).min(y1) {
                for px in (column * 2).max(x0)..(column * 2 + 2).min(x1) {
                    let color = source(px, py);
                    let alpha = f32::from(color[3]) / 255.0;
                    let [_, u, v] = coder.code(color);
                    weight += alpha;
                    sums = [sums[0] + u * alpha, sums[1] + v * alpha];
                }
            }
            if weight > 0.0 {
                // The last column and row of an odd size have fewer pixels to a sample.
                let pixels = (width - column * 2).min(2) * (height - row * 2).min(2);
                chroma.mix(row as usize, column as usize, sums.map(|sum| sum / weight), weight / pixels as f32);
            }
        }
    }
}
