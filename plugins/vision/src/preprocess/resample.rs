//! One plane of a picture to rows of the target grid.

use super::taps::Taps;

/// A plane's samples: where they lie and which of them are wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plane<'a> {
    /// The bytes.
    pub(super) bytes: &'a [u8],
    /// Bytes from one row to the next.
    pub(super) stride: usize,
    /// Interleaved channels: 1 for Y, U or V, 2 for UV, else 3, for RGB.
    pub(super) channels: usize,
}

/// Weights of both axes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Grid {
    /// Along the rows.
    pub(super) x: Taps,
    /// From row to row.
    pub(super) y: Taps,
}

/// Rows in the making, kept to spare allocations.
#[derive(Clone, Debug, Default)]
pub(super) struct Scratch {
    blended: Vec<f32>,
    channel: Vec<f32>,
}

/// Samples that are blended together, in registers.
const BLOCK: usize = 32;

impl Grid {
    /// Makes output row `row` of each channel of `plane`: rows blended first, while they are bytes and lie side by side
    /// (that loop is the same for all formats and runs in SIMD), then columns. Pad has the value `pad`.
    pub(super) fn row(&self, plane: Plane<'_>, row: usize, pad: f32, scratch: &mut Scratch, lines: &mut [Vec<f32>]) {
        let window = self.x.window();
        scratch.blended.resize(window.len() * plane.channels, 0.0);
        self.blend(plane, row, pad, &mut scratch.blended);
        for (channel, line) in lines.iter_mut().enumerate().take(plane.channels) {
            line.resize(self.x.outputs(), 0.0);
            let samples = match plane.channels {
                1 => &scratch.blended,
                2 => pick::<2>(&scratch.blended, channel, &mut scratch.channel),
                _ => pick::<3>(&scratch.blended, channel, &mut scratch.channel),
            };
            self.x.apply(samples, pad, line);
        }
    }

    /// The weighted sum of the source rows of output row `row`, over the columns in use.
    fn blend(&self, plane: Plane<'_>, row: usize, pad: f32, out: &mut [f32]) {
        let (first, weights, outside) = self.y.one(row);
        let base = first * plane.stride + self.x.window().start * plane.channels;
        let init = outside * pad;
        let (blocks, rest) = out.as_chunks_mut::<BLOCK>();
        let done = blocks.len() * BLOCK;
        for (index, block) in blocks.iter_mut().enumerate() {
            let mut sums = [init; BLOCK];
            for (tap, weight) in weights.iter().enumerate() {
                let at = base + tap * plane.stride + index * BLOCK;
                let Some(bytes) = plane.bytes[at..].first_chunk::<BLOCK>() else { return };
                for (sum, byte) in sums.iter_mut().zip(bytes) {
                    *sum += f32::from(*byte) * weight;
                }
            }
            *block = sums;
        }
        rest.fill(init);
        for (tap, weight) in weights.iter().enumerate() {
            let at = base + tap * plane.stride + done;
            for (sum, byte) in rest.iter_mut().zip(&plane.bytes[at..]) {
                *sum += f32::from(*byte) * weight;
            }
        }
    }
}

/// Channel `channel` out of `C` interleaved ones.
fn pick<'a, const C: usize>(from: &[f32], channel: usize, to: &'a mut Vec<f32>) -> &'a Vec<f32> {
    let (pixels, _) = from.as_chunks::<C>();
    to.resize(pixels.len(), 0.0);
    for (to, pixel) in to.iter_mut().zip(pixels) {
        *to = pixel[channel];
    }
    to
}
