//! Pictures and clips with faces, a detector to look for them, and a measure of what is left of a hidden one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use gst_video::prelude::*;
use image::RgbImage;
use maskwatch::config::plan::InferencePlan;
use maskwatch::metrics::Metrics;
use maskwatch::service;
use maskwatch_engine::{Engine, OwnedFrame};
use maskwatch_vision::geometry::Rect;

use super::{process::run_well, root, soon};

/// The engine of these tests, under this name.
pub const ENGINE: &str = "faces-test";

/// The default models, started once per process and registered as [`ENGINE`].
pub fn engine() -> Arc<Engine> {
    static STARTED: OnceLock<Arc<Engine>> = OnceLock::new();
    let start = || {
        service::start_media().unwrap();
        let engine = service::start_engine(&InferencePlan::default(), &Metrics::new().unwrap()).unwrap();
        gstmaskwatch::engines::register(ENGINE, Arc::clone(&engine));
        engine
    };
    Arc::clone(STARTED.get_or_init(start))
}

/// Faces that the detector finds in a picture.
pub fn find(picture: &RgbImage, min_score: f32) -> Vec<(Rect, f32)> {
    let camera = engine().attach("test", 1);
    let frame = OwnedFrame::rgb(picture.width(), picture.height(), picture.as_raw().clone());
    let faces = camera.analyze(frame, Some(min_score)).unwrap();
    faces.iter().map(|face| (face.detection.rect, face.detection.score)).collect()
}

/// The portrait of the demo.
pub fn portrait() -> PathBuf {
    root().join(".fetched/demo/astronaut.png")
}

/// A clip of the portrait in the middle of a picture, at rest or swaying by a tenth of the width.
pub fn portrait_clip(folder: &Path, name: &str, (width, height): (u32, u32), sways: bool) -> PathBuf {
    let x = if sways { "(iw-ow)/2*(1+sin(2*PI*t/2))" } else { "(iw-ow)/2" };
    let filter = format!(
        "scale={height}:{height},pad={wide}:{height}:(ow-iw)/2:0:0x506070,crop={width}:{height}:{x}:0,format=yuv420p",
        wide = width + width / 5
    );
    encode(&["-loop", "1", "-framerate", "25", "-i", portrait().to_str().unwrap()], &filter, 4, folder, name)
}

/// A clip that shows photos for a second each.
pub fn photo_clip(folder: &Path, name: &str, photos: &[PathBuf]) -> PathBuf {
    for (index, photo) in photos.iter().enumerate() {
        let picture = image::open(photo).unwrap().into_rgb8();
        picture.save(folder.join(format!("{name}-{index:03}.png"))).unwrap();
    }
    let filter = "scale=1280:720:force_original_aspect_ratio=decrease,pad=1280:720:(ow-iw)/2:(oh-ih)/2,setsar=1,fps=25,\
                  format=yuv420p";
    let pattern = folder.join(format!("{name}-%03d.png"));
    let input = ["-framerate", "1", "-i", pattern.to_str().unwrap()];
    encode(&input, filter, photos.len() as u32, folder, name)
}

fn encode(input: &[&str], filter: &str, seconds: u32, folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(format!("{name}.mp4"));
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-y"]).args(input).args(["-vf", filter, "-t", &seconds.to_string()]);
    command.args(["-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "25", "-crf", "20"]);
    run_well(command.arg(&path), soon());
    path
}

/// Side of a [`Patch`].
const SIDE: usize = 32;

/// The fine detail of a face: 32 x 32 values of luma over its box, less their surroundings' mean.
#[derive(Clone, Debug)]
pub struct Patch(Vec<f32>);

impl Patch {
    /// Out of the luma plane of a sample (I420 or NV12); `None` for a box that is not wholly in the picture.
    pub fn of_sample(sample: &gst::Sample, face: &Rect) -> Option<Self> {
        let info = gst_video::VideoInfo::from_caps(sample.caps()?).ok()?;
        let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(sample.buffer()?, &info).ok()?;
        let (plane, stride) = (frame.plane_data(0).ok()?, usize::try_from(frame.plane_stride()[0]).ok()?);
        Self::new([info.width(), info.height()], face, |x, y| f32::from(plane[y * stride + x]))
    }

    /// Out of a picture.
    pub fn of_picture(picture: &RgbImage, face: &Rect) -> Option<Self> {
        Self::new([picture.width(), picture.height()], face, |x, y| {
            let [r, g, b] = picture.get_pixel(x as u32, y as u32).0.map(f32::from);
            0.299 * r + 0.587 * g + 0.114 * b
        })
    }

    fn new([width, height]: [u32; 2], face: &Rect, luma: impl Fn(usize, usize) -> f32) -> Option<Self> {
        if face.x < 0.0 || face.y < 0.0 || face.right() > 1.0 || face.bottom() > 1.0 {
            return None;
        }
        let [x, y, w, h] = face.to_pixels(width, height);
        let along = |from: f32, length: f32, index: usize| from + length * (index as f32 + 0.5) / SIDE as f32;
        let value = |index: usize| {
            let (column, row) = (along(x, w, index % SIDE) as usize, along(y, h, index / SIDE) as usize);
            luma(column.min(width as usize - 1), row.min(height as usize - 1))
        };
        let values: Vec<f32> = (0..SIDE * SIDE).map(value).collect();
        let mean_around = |index: usize| {
            let (column, row) = (index % SIDE, index / SIDE);
            let span = |at: usize| at.saturating_sub(4)..(at + 5).min(SIDE);
            let around = span(row).flat_map(|r| span(column).map(move |c| (r, c)));
            let (count, sum) = around.fold((0.0, 0.0), |(n, sum), (r, c)| (n + 1.0, sum + values[r * SIDE + c]));
            sum / count
        };
        Some(Self((0..SIDE * SIDE).map(|index| values[index] - mean_around(index)).collect()))
    }

    /// How strong the detail is: its standard deviation in steps of luma.
    pub fn strength(&self) -> f32 {
        (self.dot(self) / self.0.len() as f32).sqrt()
    }

    /// Share of this face's detail that is in `other`: 1 where it is the same picture, 0 where nothing is left. It is
    /// looked for within three values in each direction.
    pub fn share_in(&self, other: &Self) -> f32 {
        let own = self.dot(self).max(f32::MIN_POSITIVE);
        let shifts = (-3i32..=3).flat_map(|dx| (-3i32..=3).map(move |dy| (dx, dy)));
        let at = |(dx, dy): (i32, i32)| {
            let inside = |index: usize| {
                let (x, y) = ((index % SIDE) as i32 + dx, (index / SIDE) as i32 + dy);
                let side = SIDE as i32;
                ((0..side).contains(&x) && (0..side).contains(&y)).then(|| (y * side + x) as usize)
            };
            (0..self.0.len()).filter_map(|index| Some(self.0[index] * other.0[inside(index)?])).sum::<f32>() / own
        };
        shifts.map(at).fold(f32::MIN, f32::max)
    }

    fn dot(&self, other: &Self) -> f32 {
        self.0.iter().zip(&other.0).map(|(a, b)| a * b).sum()
    }
}
