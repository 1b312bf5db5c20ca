//! Makes parts of a picture unrecognisable, in place.
//!
//! What is under a box is replaced by means over cells, at most four to the box's height, and smooth transitions
//! between them: the pixels themselves are gone, so nothing but the means can be got back. Cells are never smaller than
//! a 45th of the picture's height: a box that ends inside a larger face leaves no more of that.

use gst_video::{VideoFormat, prelude::*};
use maskwatch_vision::{geometry::Rect, privacy::Cover};

/// Cells along the height of a box, which is some two heights of the face in it, and along a picture that is hidden as a
/// whole. With eight, a detector still took 5 of 178 hidden faces for faces, and a whole picture of one person for one
/// large face; with four, 1 of 178 and none (val photos and the demo's portrait, score 0.1).
const CELLS: u32 = 4;
/// Cells of least size along the height of the picture.
const FINEST: u32 = 45;

/// Why a picture cannot be hidden; then it must not be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HideError {
    /// The format is not one of I420, NV12, RGB, BGRx.
    #[error("faces cannot be hidden in {0} pictures; hint: convert to I420 first")]
    Format(String),
    /// There is no picture, or its planes are shorter than its size says.
    #[error("the picture cannot be read")]
    Broken,
}

/// A copy of `sample`'s picture in which what `cover` says is hidden. Metadata stay. The original is not touched.
///
/// # Errors
/// [`HideError`]: nothing of the picture may be shown.
pub fn sample(sample: &gst::Sample, cover: &Cover) -> Result<gst::Sample, HideError> {
    let (Some(buffer), Some(caps)) = (sample.buffer(), sample.caps()) else { return Err(HideError::Broken) };
    let info = gst_video::VideoInfo::from_caps(caps).map_err(|_| HideError::Broken)?;
    let copy = self::buffer(buffer, &info, cover)?;
    let mut made = gst::Sample::builder().buffer(&copy);
    if let Some(segment) = sample.segment() {
        made = made.segment(segment);
    }
    Ok(made.caps(&caps.to_owned()).build())
}

/// A copy of a buffer, with its metadata, in which what `cover` says is hidden.
pub(super) fn buffer(
    buffer: &gst::BufferRef,
    info: &gst_video::VideoInfo,
    cover: &Cover,
) -> Result<gst::Buffer, HideError> {
    let mut copy = buffer.copy_deep().map_err(|_| HideError::Broken)?;
    let writable = copy.get_mut().ok_or(HideError::Broken)?;
    let mut frame =
        gst_video::VideoFrameRef::from_buffer_ref_writable(writable, info).map_err(|_| HideError::Broken)?;
    self::frame(&mut frame, cover)?;
    drop(frame);
    Ok(copy)
}

/// Hides in a frame what `cover` says.
///
/// # Errors
/// [`HideError`]: the frame may be hidden in part only and must not be shown.
pub fn frame(frame: &mut gst_video::VideoFrameRef<&mut gst::BufferRef>, cover: &Cover) -> Result<(), HideError> {
    let (width, height) = (frame.width(), frame.height());
    let strides: Vec<usize> = frame.plane_stride().iter().map(|stride| usize::try_from(*stride).unwrap_or(0)).collect();
    let stride = |plane: usize| strides.get(plane).copied().unwrap_or(0);
    let format = frame.format();
    let [first, second, third, _] = frame.planes_data_mut();
    let plane =
        |bytes, index: usize, step, channels, halved| Plane { bytes, stride: stride(index), step, channels, halved };
    let mut planes = match format {
        VideoFormat::I420 => {
            vec![plane(first, 0, 1, 1, false), plane(second, 1, 1, 1, true), plane(third, 2, 1, 1, true)]
        }
        VideoFormat::Nv12 => vec![plane(first, 0, 1, 1, false), plane(second, 1, 2, 2, true)],
        VideoFormat::Rgb => vec![plane(first, 0, 3, 3, false)],
        VideoFormat::Bgrx => vec![plane(first, 0, 4, 3, false)],
        other => return Err(HideError::Format(other.to_string())),
    };
    planes_of(&mut planes, [width, height], cover)
}

/// Hides in a packed R, G, B picture without padding: `3 * width * height` bytes.
///
/// # Errors
/// [`HideError::Broken`] when there are fewer bytes.
pub fn rgb([width, height]: [u32; 2], pixels: &mut [u8], cover: &Cover) -> Result<(), HideError> {
    let plane = Plane { bytes: pixels, stride: width as usize * 3, step: 3, channels: 3, halved: false };
    planes_of(&mut [plane], [width, height], cover)
}

/// One plane: samples of `step` bytes, of which the first `channels` count.
struct Plane<'a> {
    bytes: &'a mut [u8],
    stride: usize,
    step: usize,
    channels: usize,
    /// Half as many samples as pixels in both directions.
    halved: bool,
}

impl Plane<'_> {
    /// Whether all samples of such a picture are there.
    fn holds(&self, width: u32, height: u32) -> bool {
        let samples = |n: u32| (if self.halved { n.div_ceil(2) } else { n }) as usize;
        let row = (samples(width) - 1) * self.step + self.channels;
        self.stride >= row && self.bytes.len() >= (samples(height) - 1) * self.stride + row
    }
}

fn planes_of(planes: &mut [Plane<'_>], [width, height]: [u32; 2], cover: &Cover) -> Result<(), HideError> {
    if width == 0 || height == 0 || planes.iter().any(|plane| !plane.holds(width, height)) {
        return Err(HideError::Broken);
    }
    let whole = [Rect::FULL];
    let parts: &[Rect] = match cover {
        Cover::Whole(_) => &whole,
        Cover::Parts(parts) => parts,
    };
    for part in parts {
        let Some(area) = Area::of(part, [width, height]) else { continue };
        let cell = ((area.y1 - area.y0).div_ceil(CELLS)).max(height.div_ceil(FINEST)).max(2);
        for plane in planes.iter_mut() {
            if plane.halved {
                let half = Area { x0: area.x0 / 2, y0: area.y0 / 2, x1: area.x1.div_ceil(2), y1: area.y1.div_ceil(2) };
                mosaic(plane, half, cell.div_ceil(2));
            } else {
                mosaic(plane, area, cell);
            }
        }
    }
    Ok(())
}

/// Samples from `x0`, `y0` to before `x1`, `y1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Area {
    x0: u32,
    y0: u32,
    x1: u32,
    y1: u32,
}

impl Area {
    /// All pixels that `part` touches; `None`: none. What is not finite is the whole picture.
    fn of(part: &Rect, [width, height]: [u32; 2]) -> Option<Self> {
        let sound = [part.x, part.y, part.w, part.h].iter().all(|value| value.is_finite());
        let part = if sound { part.clip() } else { Rect::FULL };
        let [x, y, w, h] = part.to_pixels(width, height);
        let (x0, y0) = (x.floor() as u32, y.floor() as u32);
        let (x1, y1) = (((x + w).ceil() as u32).min(width), ((y + h).ceil() as u32).min(height));
        (x0 < x1 && y0 < y1 && w > 0.0 && h > 0.0).then_some(Self { x0, y0, x1, y1 })
    }
}

/// Where along one direction the cells lie, and how each sample mixes the two that are nearest.
struct Steps {
    /// First sample of each cell, and the end of the last.
    edges: Vec<usize>,
    /// Per sample: the earlier cell, the later one, and the later one's share of 256.
    mix: Vec<(usize, usize, u32)>,
}

impl Steps {
    /// Cells of about `cell` samples over `from..to`.
    fn new(from: u32, to: u32, cell: u32) -> Self {
        let len = (to - from) as usize;
        let count = (len / cell.max(1) as usize).max(1);
        let edges: Vec<usize> = (0..=count).map(|index| index * len / count).collect();
        let size = len as f32 / count as f32;
        let mix = (0..len).map(|sample| {
            let at = ((sample as f32 + 0.5) / size - 0.5).clamp(0.0, (count - 1) as f32);
            let cell = at as usize;
            (cell, (cell + 1).min(count - 1), ((at - cell as f32) * 256.0) as u32)
        });
        let mix = mix.collect();
        Self { edges, mix }
    }

    fn cells(&self) -> usize {
        self.edges.len() - 1
    }
}

/// Replaces the samples of `area` by cell means with smooth transitions.
fn mosaic(plane: &mut Plane<'_>, area: Area, cell: u32) {
    let (columns, rows) = (Steps::new(area.x0, area.x1, cell), Steps::new(area.y0, area.y1, cell));
    let (x0, y0) = (area.x0 as usize, area.y0 as usize);
    for channel in 0..plane.channels {
        let start = |row: usize| (y0 + row) * plane.stride + x0 * plane.step + channel;
        let mut means = vec![0u32; columns.cells() * rows.cells()];
        for (down, means) in means.chunks_mut(columns.cells()).enumerate() {
            let lines = rows.edges[down]..rows.edges[down + 1];
            for row in lines.clone() {
                let line = plane.bytes.get(start(row)..).unwrap_or_default();
                for (mean, span) in means.iter_mut().zip(columns.edges.windows(2)) {
                    let samples = line.iter().step_by(plane.step).skip(span[0]).take(span[1] - span[0]);
                    *mean += samples.map(|sample| u32::from(*sample)).sum::<u32>();
                }
            }
            for (mean, span) in means.iter_mut().zip(columns.edges.windows(2)) {
                let count = ((span[1] - span[0]) * lines.len()).max(1) as u32;
                *mean = (*mean + count / 2) / count;
            }
        }
        let mut between = vec![0u32; columns.cells()];
        for (row, (above, below, share)) in rows.mix.iter().enumerate() {
            for (index, value) in between.iter_mut().enumerate() {
                let mean = |down: &usize| means[down * columns.cells() + index];
                *value = mean(above) * (256 - share) + mean(below) * share;
            }
            let line = plane.bytes.get_mut(start(row)..).unwrap_or_default();
            for (sample, (left, right, share)) in line.iter_mut().step_by(plane.step).zip(&columns.mix) {
                *sample = ((between[*left] * (256 - share) + between[*right] * share + (1 << 15)) >> 16) as u8;
            }
        }
    }
}

#[cfg(test)]
#[path = "pixels_tests.rs"]
mod tests;
