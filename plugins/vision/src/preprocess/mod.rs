//! From a decoder's planes to a network's input, in one pass.
//!
//! Each output row is made at once: source rows are blended as they lie (bytes, by stride), then columns, then the three
//! rows of channels are colour-converted, normalised and written in the network's layout. No picture in between is kept,
//! so a row stays in the first-level cache and a full-size RGB copy never exists.
//!
//! # Resampling
//! A separable triangle filter whose support grows with the scale when shrinking: for RGB the same as Pillow's
//! `Image.resize(size, Image.BILINEAR)` but for Pillow's rounding to bytes after each pass (at most 1 of 255). Y'CbCr
//! planes are resampled each by itself to the target grid, chroma sited left as in H.264, and converted there; as the
//! filter and the conversion are both linear, that equals converting first, up to clamping and the chroma's own blur.
//!
//! # Rounding
//! Letterbox: see [`Fit`]. Crops: the box is rounded to whole pixels, each edge half up, at least 1 x 1; what lies
//! outside of the picture is filled with the pad value *before* resampling, and the filter does not look beyond the crop:
//! as if the crop had been cut out and pasted on a canvas of pad pixels first.

mod color;
mod fit;
mod region;
mod resample;
mod spec;
mod taps;

pub use fit::Fit;
pub use spec::{ChannelOrder, InputSpec, Layout, Resize, SpecError};

use crate::frame::{FrameError, FrameView, PixelFormat};
use crate::geometry::Rect;
use color::{Normalise, ToRgb};
use region::{Plan, Region};
use resample::{Plane, Scratch};

/// Writes pictures into a network's input.
///
/// Owns its scratch rows and the tap tables of the last whole picture and the last crop, which are reused while size,
/// format and region stay the same. One per camera and network; it needs no lock.
#[derive(Clone, Debug)]
pub struct Preprocessor {
    spec: InputSpec,
    normalise: Normalise,
    whole: Option<Plan>,
    crop: Option<Plan>,
    scratch: Scratch,
    lines: [Vec<f32>; 3],
}

impl Preprocessor {
    /// For inputs of this kind; [`InputSpec::check`] says whether it makes sense.
    pub fn new(spec: InputSpec) -> Self {
        Self {
            spec,
            normalise: Normalise::new(&spec),
            whole: None,
            crop: None,
            scratch: Scratch::default(),
            lines: Default::default(),
        }
    }

    /// The input that is written.
    pub fn spec(&self) -> &InputSpec {
        &self.spec
    }

    /// Writes the whole picture to `out[..spec.len()]` and says where it lies there.
    ///
    /// # Errors
    /// [`FrameError`] when the planes do not make a picture or `out` is too short; `out` is then not touched.
    pub fn whole(&mut self, frame: &FrameView<'_>, out: &mut [f32]) -> Result<Fit, FrameError> {
        let out = self.room(frame, out)?;
        let fit = self.spec.fit(frame.width, frame.height);
        let region = Region::whole(frame.width, frame.height);
        let plan = plan(self.whole.take(), frame, region, &fit);
        self.run(&plan, frame, &fit, out);
        self.whole = Some(plan);
        Ok(fit)
    }

    /// Writes the part `roi` of the picture to `out[..spec.len()]`, fitted in as [`InputSpec::resize`] says.
    ///
    /// `roi` is normalised to the picture and may lie partly or wholly outside of it.
    ///
    /// # Errors
    /// As [`Preprocessor::whole`].
    pub fn crop(&mut self, frame: &FrameView<'_>, roi: Rect, out: &mut [f32]) -> Result<(), FrameError> {
        let out = self.room(frame, out)?;
        let region = Region::of(roi, frame.width, frame.height);
        let fit = self.spec.fit(region.width(), region.height());
        let plan = plan(self.crop.take(), frame, region, &fit);
        self.run(&plan, frame, &fit, out);
        self.crop = Some(plan);
        Ok(())
    }

    /// The part of `out` that is written, when both ends are in order.
    fn room<'a>(&self, frame: &FrameView<'_>, out: &'a mut [f32]) -> Result<&'a mut [f32], FrameError> {
        frame.check()?;
        let (got, want) = (out.len(), self.spec.len());
        out.get_mut(..want).ok_or(FrameError::Room { got, want })
    }

    /// Writes all rows of the input.
    fn run(&mut self, plan: &Plan, frame: &FrameView<'_>, fit: &Fit, out: &mut [f32]) {
        let width = self.spec.width as usize;
        let (left, top) = (fit.left as usize, fit.top as usize);
        let (columns, rows) = (fit.columns as usize, fit.rows as usize);
        let colour = ToRgb::new(frame.matrix, frame.range);
        for row in 0..self.spec.height as usize {
            if !(top..top + rows).contains(&row) {
                self.normalise.pad(out, row, 0, width);
                continue;
            }
            self.fill_lines(plan, frame, &colour, row - top);
            self.normalise.pad(out, row, 0, left);
            self.normalise.write(&self.lines, out, row, left);
            self.normalise.pad(out, row, left + columns, width);
        }
    }

    /// Makes one row of R, G and B in `self.lines`.
    fn fill_lines(&mut self, plan: &Plan, frame: &FrameView<'_>, colour: &ToRgb, row: usize) {
        let plane =
            |index: usize, channels| Plane { bytes: frame.planes[index], stride: frame.strides[index], channels };
        let (pad, neutral) = (self.spec.pad, ToRgb::NEUTRAL);
        let (scratch, lines) = (&mut self.scratch, &mut self.lines);
        match frame.format {
            PixelFormat::Rgb => return plan.luma.row(plane(0, 3), row, f32::from(pad), scratch, lines),
            PixelFormat::I420 => {
                plan.luma.row(plane(0, 1), row, colour.luma_of(pad), scratch, &mut lines[..1]);
                plan.chroma.row(plane(1, 1), row, neutral, scratch, &mut lines[1..2]);
                plan.chroma.row(plane(2, 1), row, neutral, scratch, &mut lines[2..]);
            }
            PixelFormat::Nv12 => {
                plan.luma.row(plane(0, 1), row, colour.luma_of(pad), scratch, &mut lines[..1]);
                plan.chroma.row(plane(1, 2), row, neutral, scratch, &mut lines[1..]);
            }
        }
        colour.convert(lines);
    }
}

/// The last plan where it still fits, else a new one.
fn plan(last: Option<Plan>, frame: &FrameView<'_>, region: Region, fit: &Fit) -> Plan {
    let key = Plan::key(frame, region, fit.columns, fit.rows);
    last.filter(|plan| plan.key == key).unwrap_or_else(|| Plan::new(key))
}

/// The part of a picture that a classifier sees of a face, normalised to the picture.
///
/// In pixels of the picture (`frame_w` x `frame_h`): the box grows by `margin` of its width (height) on each side, then,
/// with `square`, its shorter side grows to the longer one, then its edges are rounded half up to whole pixels. The
/// result may reach outside of the picture and has at least one pixel.
pub fn crop_rect(face: Rect, frame_w: u32, frame_h: u32, margin: f32, square: bool) -> Rect {
    let (w, h) = (f64::from(frame_w), f64::from(frame_h));
    let grow = 0.5 + f64::from(margin);
    let (mut half_w, mut half_h) = (f64::from(face.w) * w * grow, f64::from(face.h) * h * grow);
    if square {
        half_w = half_w.max(half_h);
        half_h = half_w;
    }
    let cx = (f64::from(face.x) + f64::from(face.w) / 2.0) * w;
    let cy = (f64::from(face.y) + f64::from(face.h) / 2.0) * h;
    Region::rounded(cx - half_w, cy - half_h, cx + half_w, cy + half_h).normalised(frame_w, frame_h)
}
