//! One axis of a separable triangle filter: which source samples make which output sample, and by how much.
//!
//! The filter is Pillow's `BILINEAR` (`Image.resize`): a triangle of half width `max(scale, 1)` source samples around
//! the output sample's centre, cut off at the picture's edges and scaled to sum 1, `scale` being source samples for each
//! output sample. Shrinking averages, enlarging interpolates.

use std::ops::Range;

/// The stretch of a source axis that is resampled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    /// Where the first output sample begins and the last one ends, in source samples; may lie outside of the picture.
    pub(super) ends: (f64, f64),
    /// Samples that the filter may look at (where Pillow's cropped picture would begin and end).
    pub(super) visible: (i64, i64),
    /// Samples that the picture has; visible ones outside of `0..len` are pad.
    pub(super) len: usize,
}

/// The weights of one axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Taps {
    /// Source samples that are used at all.
    window: Range<usize>,
    /// Weights for each output sample.
    width: usize,
    /// For each output sample, where its first weight applies, counted from `window.start`.
    starts: Vec<u32>,
    /// `width` weights for each output sample.
    weights: Vec<f32>,
    /// For each output sample, the weight of what lies outside of the picture.
    outside: Vec<f32>,
    /// Any of `outside` is not 0.
    reaches_outside: bool,
    /// Each output sample is one source sample, in order.
    identity: bool,
}

/// One output sample's weights before they are packed.
struct Raw {
    start: usize,
    weights: Vec<f32>,
    outside: f32,
}

impl Taps {
    /// The weights that make `outputs` samples of `span`.
    pub(super) fn new(span: &Span, outputs: usize) -> Self {
        let raw: Vec<Raw> = (0..outputs).map(|output| triangle(span, outputs, output)).collect();
        let used = || raw.iter().filter(|one| !one.weights.is_empty());
        let first = used().map(|one| one.start).min().unwrap_or(0);
        let end = used().map(|one| one.start + one.weights.len()).max().unwrap_or(first);
        let longest = used().map(|one| one.weights.len()).max().unwrap_or(0);
        // An even width where there is room: the inner loops are unrolled for those.
        let width = longest.next_multiple_of(2).min(end - first);
        let mut taps = Self { window: first..end, width, ..Self::default() };
        for one in raw {
            let wanted = if one.weights.is_empty() { 0 } else { one.start - first };
            let start = wanted.min(end - first - width);
            taps.starts.push(start as u32);
            taps.weights.extend(std::iter::repeat_n(0.0, wanted - start));
            taps.weights.extend_from_slice(&one.weights);
            taps.weights.resize(taps.starts.len() * width, 0.0);
            taps.outside.push(one.outside);
            taps.reaches_outside |= one.outside != 0.0;
        }
        taps.identity = width > 0 && (0..outputs).all(|index| taps.one(index) == (first + index, &[1.0], 0.0));
        taps
    }

    /// Source samples that are used at all; empty when the whole span is outside of the picture.
    pub(super) fn window(&self) -> Range<usize> {
        self.window.clone()
    }

    /// Output samples.
    pub(super) fn outputs(&self) -> usize {
        self.starts.len()
    }

    /// Output sample `index`: its first source sample, the weights from there on without zeros at the ends, and the
    /// weight of the outside.
    pub(super) fn one(&self, index: usize) -> (usize, &[f32], f32) {
        let all = &self.weights[index * self.width..][..self.width];
        let begin = all.iter().position(|w| *w != 0.0).unwrap_or(0);
        let end = all.iter().rposition(|w| *w != 0.0).map_or(begin, |last| last + 1);
        (self.window.start + self.starts[index] as usize + begin, &all[begin..end], self.outside[index])
    }

    /// Filters `row`, which holds the samples of [`Taps::window`], into `out`. Pad has the value `pad`.
    pub(super) fn apply(&self, row: &[f32], pad: f32, out: &mut [f32]) {
        match self.width {
            0 => out.fill(0.0),
            _ if self.identity => out.copy_from_slice(row),
            2 => dots::<2>(row, &self.starts, &self.weights, out),
            4 => dots::<4>(row, &self.starts, &self.weights, out),
            6 => dots::<6>(row, &self.starts, &self.weights, out),
            8 => dots::<8>(row, &self.starts, &self.weights, out),
            width => {
                for ((out, start), weights) in out.iter_mut().zip(&self.starts).zip(self.weights.chunks_exact(width)) {
                    *out = row[*start as usize..].iter().zip(weights).map(|(x, w)| x * w).sum();
                }
            }
        }
        if self.reaches_outside {
            for (out, outside) in out.iter_mut().zip(&self.outside) {
                *out += outside * pad;
            }
        }
    }
}

/// Dot products of `K` samples, unrolled. Sums of pairs, so that no sum waits for the one before.
fn dots<const K: usize>(row: &[f32], starts: &[u32], weights: &[f32], out: &mut [f32]) {
    let (weights, _) = weights.as_chunks::<K>();
    for ((out, start), weights) in out.iter_mut().zip(starts).zip(weights) {
        let Some(samples) = row[*start as usize..].first_chunk::<K>() else { return };
        let mut sum = 0.0;
        for pair in 0..K / 2 {
            sum += samples[2 * pair] * weights[2 * pair] + samples[2 * pair + 1] * weights[2 * pair + 1];
        }
        *out = sum;
    }
}

/// The weights of output sample `output` of `outputs`.
fn triangle(span: &Span, outputs: usize, output: usize) -> Raw {
    let (low, high) = span.visible;
    let scale = (span.ends.1 - span.ends.0) / outputs as f64;
    let support = scale.max(1.0);
    let centre = span.ends.0 - low as f64 + (output as f64 + 0.5) * scale;
    let visible = (high - low).max(1);
    let begin = ((centre - support + 0.5) as i64).clamp(0, visible - 1);
    let end = ((centre + support + 0.5) as i64).clamp(begin + 1, visible);
    let weigh = |at: i64| (1.0 - ((at as f64 - centre + 0.5) / support).abs()).max(0.0);
    let sum: f64 = (begin..end).map(weigh).sum();
    // No sample in reach happens only by rounding; then the nearest counts alone.
    let share = |at: i64| if sum > 0.0 { weigh(at) / sum } else { f64::from(u8::from(at == begin)) };

    let inside = |at: i64| (0..span.len as i64).contains(&(low + at));
    let weights: Vec<f32> = (begin..end).filter(|at| inside(*at)).map(|at| share(at) as f32).collect();
    let outside: f64 = (begin..end).filter(|at| !inside(*at)).map(share).sum();
    Raw { start: (low + begin).max(0) as usize, weights, outside: outside as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(len: usize) -> Span {
        Span { ends: (0.0, len as f64), visible: (0, len as i64), len }
    }

    #[test]
    fn halving_weighs_four_samples() {
        let taps = Taps::new(&whole(16), 8);
        let (start, weights, outside) = taps.one(3);
        assert_eq!((start, weights, outside), (5, &[0.125, 0.375, 0.375, 0.125][..], 0.0));
    }

    #[test]
    fn same_size_is_the_identity() {
        let taps = Taps::new(&whole(9), 9);
        for index in 0..9 {
            assert_eq!(taps.one(index), (index, &[1.0][..], 0.0));
        }
    }

    #[test]
    fn weights_sum_to_one_and_stay_in_the_row() {
        for (len, outputs) in [(1, 1), (1, 7), (7, 1), (2, 3), (37, 16), (23, 12), (1280, 640), (640, 1279), (5000, 3)]
        {
            let taps = Taps::new(&whole(len), outputs);
            let row = vec![1.0; taps.window().len()];
            let mut out = vec![0.0; outputs];
            taps.apply(&row, 9.0, &mut out);
            assert!(out.iter().all(|v| (v - 1.0).abs() < 1e-5), "{len} -> {outputs}: {out:?}");
            assert!(taps.window().end <= len);
        }
    }

    #[test]
    fn outside_is_pad() {
        let span = Span { ends: (-4.0, 4.0), visible: (-4, 4), len: 100 };
        let taps = Taps::new(&span, 8);
        let row = vec![1.0; taps.window().len()];
        let mut out = vec![0.0; 8];
        taps.apply(&row, 5.0, &mut out);
        assert_eq!(out, [5.0, 5.0, 5.0, 5.0, 1.0, 1.0, 1.0, 1.0]);

        let far = Span { ends: (200.0, 208.0), visible: (200, 208), len: 100 };
        let taps = Taps::new(&far, 4);
        assert!(taps.window().is_empty());
        let mut out = vec![0.0; 4];
        taps.apply(&[], 5.0, &mut out);
        assert_eq!(out, [5.0; 4]);
    }
}
