//! Y'CbCr to R'G'B', and pixel values to network values.

use super::spec::{ChannelOrder, InputSpec, Layout};
use crate::frame::{ColorMatrix, ColorRange};

/// The affine map from Y'CbCr to R'G'B', all `0..=255`.
///
/// ITU-R BT.601-7 section 2.5, BT.709-6 section 3 and BT.2020-2 table 4: with the luma weights `kr`, `kb` and `kg = 1 - kr - kb`,
/// `R = Y + 2 (1 - kr) Cr`, `B = Y + 2 (1 - kb) Cb`, `G = (Y - kr R - kb B) / kg`; limited range is first stretched by
/// 255/219 (luma, from 16) and 255/224 (chroma, around 128).
#[derive(Clone, Copy, Debug)]
pub(super) struct ToRgb {
    luma: (f32, f32),
    red_v: (f32, f32),
    green_u: f32,
    green_v: f32,
    green: f32,
    blue_u: (f32, f32),
}

impl ToRgb {
    /// Value of "no colour" in the chroma planes.
    pub(super) const NEUTRAL: f32 = 128.0;

    /// For samples of this matrix and range.
    pub(super) fn new(matrix: ColorMatrix, range: ColorRange) -> Self {
        let (kr, kb) = matrix.luma_weights();
        let kg = 1.0 - kr - kb;
        let (luma, black, chroma) = match range {
            ColorRange::Limited => (255.0 / 219.0, 16.0, 255.0 / 224.0),
            ColorRange::Full => (1.0, 0.0, 1.0),
        };
        let (red_v, blue_u) = (2.0 * (1.0 - kr) * chroma, 2.0 * (1.0 - kb) * chroma);
        let (green_v, green_u) = (-red_v * kr / kg, -blue_u * kb / kg);
        Self {
            luma: (luma, -luma * black),
            red_v: (red_v, -red_v * Self::NEUTRAL),
            green_u,
            green_v,
            green: -(green_u + green_v) * Self::NEUTRAL,
            blue_u: (blue_u, -blue_u * Self::NEUTRAL),
        }
    }

    /// The luma sample of a grey of `value` in `0..=255`.
    pub(super) fn luma_of(&self, value: u8) -> f32 {
        (f32::from(value) - self.luma.1) / self.luma.0
    }

    /// Turns rows of Y, U and V into rows of R, G and B in place, clamped to `0..=255`.
    pub(super) fn convert(&self, lines: &mut [Vec<f32>; 3]) {
        let [first, second, third] = lines;
        for ((a, b), c) in first.iter_mut().zip(second.iter_mut()).zip(third.iter_mut()) {
            let (luma, u, v) = (*a * self.luma.0 + self.luma.1, *b, *c);
            *a = (luma + v * self.red_v.0 + self.red_v.1).clamp(0.0, 255.0);
            *b = (luma + u * self.green_u + v * self.green_v + self.green).clamp(0.0, 255.0);
            *c = (luma + u * self.blue_u.0 + self.blue_u.1).clamp(0.0, 255.0);
        }
    }
}

/// `(pixel - mean) / std` as one multiplication and one addition for each channel, and where the channels go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Normalise {
    gain: [f32; 3],
    bias: [f32; 3],
    /// The place in the output of red, green and blue.
    place: [usize; 3],
    layout: Layout,
    width: usize,
    height: usize,
    pad: [f32; 3],
}

impl Normalise {
    /// For this input.
    pub(super) fn new(spec: &InputSpec) -> Self {
        let gain = spec.std.map(|std| 1.0 / std);
        let bias: [f32; 3] = std::array::from_fn(|i| -spec.mean[i] * gain[i]);
        Self {
            gain,
            bias,
            place: match spec.color {
                ChannelOrder::Rgb => [0, 1, 2],
                ChannelOrder::Bgr => [2, 1, 0],
            },
            layout: spec.layout,
            width: spec.width as usize,
            height: spec.height as usize,
            pad: std::array::from_fn(|i| f32::from(spec.pad) * gain[i] + bias[i]),
        }
    }

    /// Fills columns `from..to` of `row` with the pad value.
    pub(super) fn pad(&self, out: &mut [f32], row: usize, from: usize, to: usize) {
        let begin = row * self.width + from;
        let end = row * self.width + to;
        match self.layout {
            Layout::Nchw => {
                for (plane, pad) in out.chunks_exact_mut(self.width * self.height).zip(self.pad) {
                    plane[begin..end].fill(pad);
                }
            }
            Layout::Nhwc => {
                let (pixels, _) = out[3 * begin..3 * end].as_chunks_mut::<3>();
                pixels.fill(self.pad);
            }
        }
    }

    /// Writes one row of R, G and B from column `left` on.
    pub(super) fn write(&self, lines: &[Vec<f32>; 3], out: &mut [f32], row: usize, left: usize) {
        let begin = row * self.width + left;
        match self.layout {
            Layout::Nchw => {
                for (line, place) in lines.iter().zip(self.place) {
                    let (gain, bias) = (self.gain[place], self.bias[place]);
                    let at = place * self.width * self.height + begin;
                    for (out, value) in out[at..].iter_mut().zip(line) {
                        *out = value * gain + bias;
                    }
                }
            }
            Layout::Nhwc => {
                let (pixels, _) = out[3 * begin..].as_chunks_mut::<3>();
                for (line, place) in lines.iter().zip(self.place) {
                    let (gain, bias) = (self.gain[place], self.bias[place]);
                    for (pixel, value) in pixels.iter_mut().zip(line) {
                        pixel[place] = value * gain + bias;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rgb(matrix: ColorMatrix, range: ColorRange, yuv: [f32; 3]) -> [f32; 3] {
        let mut lines = yuv.map(|v| vec![v]);
        ToRgb::new(matrix, range).convert(&mut lines);
        lines.map(|line| line[0])
    }

    fn near(a: [f32; 3], b: [f32; 3]) -> bool {
        a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1.5)
    }

    /// The primaries as the tables of the standards give them: rounded to bytes, so not exactly 0 and 255.
    #[test]
    fn known_colours() {
        use ColorMatrix::{Bt601, Bt709, Bt2020, Smpte240m};
        use ColorRange::{Full, Limited};
        for (matrix, range, yuv, want) in [
            (Bt601, Limited, [16.0, 128.0, 128.0], [0.0, 0.0, 0.0]),
            (Bt601, Limited, [235.0, 128.0, 128.0], [255.0, 255.0, 255.0]),
            (Bt601, Limited, [81.0, 90.0, 240.0], [255.0, 0.0, 0.0]),
            (Bt601, Limited, [145.0, 54.0, 34.0], [0.0, 255.0, 0.0]),
            (Bt601, Limited, [41.0, 240.0, 110.0], [0.0, 0.0, 255.0]),
            (Bt709, Limited, [63.0, 102.0, 240.0], [255.0, 0.0, 0.0]),
            (Bt709, Limited, [173.0, 42.0, 26.0], [0.0, 255.0, 0.0]),
            (Bt709, Limited, [32.0, 240.0, 118.0], [0.0, 0.0, 255.0]),
            (Bt2020, Limited, [74.0, 97.0, 240.0], [255.0, 0.0, 0.0]),
            (Bt2020, Limited, [164.0, 47.0, 25.0], [0.0, 255.0, 0.0]),
            (Bt2020, Limited, [29.0, 240.0, 119.0], [0.0, 0.0, 255.0]),
            (Smpte240m, Limited, [62.0, 102.0, 240.0], [255.0, 0.0, 0.0]),
            (Bt601, Full, [76.0, 85.0, 255.0], [254.0, 0.0, 0.0]),
        ] {
            let got = rgb(matrix, range, yuv);
            assert!(near(got, want), "{matrix:?} {range:?} {yuv:?}: {got:?}, not {want:?}");
        }
    }

    #[test]
    fn luma_of_a_grey_comes_back() {
        for range in [ColorRange::Limited, ColorRange::Full] {
            for value in [0u8, 1, 114, 255] {
                let luma = ToRgb::new(ColorMatrix::Bt601, range).luma_of(value);
                let got = rgb(ColorMatrix::Bt601, range, [luma, 128.0, 128.0]);
                assert!(got.iter().all(|v| (v - f32::from(value)).abs() < 1e-3), "{range:?} {value}: {got:?}");
            }
        }
    }
}
