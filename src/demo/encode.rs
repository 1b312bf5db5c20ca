//! Pictures into an MP4 file: H.264 or H.265 without B-frames, a keyframe each second, as cameras send them.

use std::path::Path;

use gst::prelude::*;
use image::RgbImage;
use maskwatch_scenes::Scene;

/// Encodes `frames` into `path`.
///
/// # Errors
/// No encoder, or the file cannot be written: GStreamer's words.
pub(super) fn write(path: &Path, scene: &Scene, frames: impl Iterator<Item = RgbImage>) -> Result<(), String> {
    let pipeline = build(path, scene)?;
    let source = pipeline
        .by_name("in")
        .and_then(|element| element.downcast::<gst_app::AppSrc>().ok())
        .ok_or("the pipeline has no source")?;
    let result = pipeline
        .set_state(gst::State::Playing)
        .map_err(|error| reason(&pipeline).unwrap_or_else(|| error.to_string()))
        .and_then(|_| feed(&source, scene, frames).map_err(|error| reason(&pipeline).unwrap_or(error)))
        .and_then(|()| wait_for_end(&pipeline));
    pipeline.set_state(gst::State::Null).map_err(|error| error.to_string())?;
    result
}

fn build(path: &Path, scene: &Scene) -> Result<gst::Pipeline, String> {
    let fps = scene.fps;
    let hevc = scene.hevc && gst::ElementFactory::find("x265enc").is_some();
    let encoder = if hevc {
        format!(
            "x265enc speed-preset=superfast bitrate=2500 key-int-max={fps} option-string=bframes=0:log-level=none ! h265parse"
        )
    } else {
        // The buffer model's feedback comes when a thread happens to be done: without it the same pictures make the same
        // clip each time, everywhere.
        format!(
            "x264enc speed-preset=veryfast bitrate=2500 vbv-buf-capacity=0 bframes=0 key-int-max={fps} \
             ! video/x-h264,profile=main ! h264parse"
        )
    };
    let line =
        format!("appsrc name=in ! videoconvert ! video/x-raw,format=I420 ! {encoder} ! mp4mux ! filesink name=out");
    let pipeline = gst::parse::launch(&line).map_err(|error| error.to_string())?;
    let pipeline = pipeline.downcast::<gst::Pipeline>().map_err(|_| "not a pipeline".to_owned())?;
    let sink = pipeline.by_name("out").ok_or("the pipeline has no sink")?;
    sink.set_property("location", path.to_string_lossy().as_ref());
    Ok(pipeline)
}

fn feed(source: &gst_app::AppSrc, scene: &Scene, frames: impl Iterator<Item = RgbImage>) -> Result<(), String> {
    let rate = gst::Fraction::new(scene.fps as i32, 1);
    let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::Rgb, scene.width, scene.height).fps(rate).build();
    let info = info.map_err(|error| error.to_string())?;
    source.set_caps(Some(&info.to_caps().map_err(|error| error.to_string())?));
    source.set_format(gst::Format::Time);
    source.set_block(true);
    source.set_max_bytes(4 * info.size() as u64);
    let duration = gst::ClockTime::SECOND / u64::from(scene.fps);
    for (frame, number) in frames.zip(0u64..) {
        let mut buffer = gst::Buffer::from_mut_slice(padded(frame, &info));
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(gst::ClockTime::SECOND * number / u64::from(scene.fps));
            buffer.set_duration(duration);
        }
        source.push_buffer(buffer).map_err(|error| error.to_string())?;
    }
    source.end_of_stream().map(|_| ()).map_err(|error| error.to_string())
}

/// The picture with GStreamer's row length (rows begin at multiples of four bytes).
fn padded(frame: RgbImage, info: &gst_video::VideoInfo) -> Vec<u8> {
    let row = frame.width() as usize * 3;
    let stride = usize::try_from(info.stride()[0]).unwrap_or(row).max(row);
    if stride == row {
        return frame.into_raw();
    }
    let mut bytes = vec![0; stride * frame.height() as usize];
    for (to, from) in bytes.chunks_exact_mut(stride).zip(frame.as_raw().chunks_exact(row)) {
        to[..row].copy_from_slice(from);
    }
    bytes
}

fn wait_for_end(pipeline: &gst::Pipeline) -> Result<(), String> {
    let bus = pipeline.bus().ok_or("the pipeline has no bus")?;
    for message in bus.iter_timed(gst::ClockTime::NONE) {
        match message.view() {
            gst::MessageView::Eos(_) => return Ok(()),
            gst::MessageView::Error(error) => return Err(error.error().to_string()),
            _ => {}
        }
    }
    Err("the pipeline ended without a word".into())
}

/// The error that waits on the bus.
fn reason(pipeline: &gst::Pipeline) -> Option<String> {
    let message = pipeline.bus()?.pop_filtered(&[gst::MessageType::Error])?;
    match message.view() {
        gst::MessageView::Error(error) => Some(error.error().to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use maskwatch_scenes::SCENES;

    use super::*;

    /// Frames that are hard to code, and always the same.
    fn hard(scene: &Scene) -> impl Iterator<Item = RgbImage> {
        let (width, height) = (scene.width, scene.height);
        (0..3 * scene.fps).map(move |frame| {
            RgbImage::from_fn(width, height, |x, y| {
                let mixed = (x / 4 + 7 * frame).wrapping_mul(0x9e37_79b9) ^ (y / 4).wrapping_mul(0x85eb_ca6b);
                image::Rgb([mixed, mixed >> 8, mixed >> 16].map(|value| (value >> 3) as u8))
            })
        })
    }

    #[test]
    fn the_same_pictures_make_the_same_clip() {
        gst::init().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let coded = |name: &str, scene: &Scene| {
            let path = folder.path().join(name);
            write(&path, scene, hard(scene)).unwrap();
            let file = std::fs::read(&path).unwrap();
            // What lies about the pictures holds the time of writing.
            let find = |name: &[u8]| file.windows(4).position(|word| word == name).unwrap();
            file[find(b"mdat")..find(b"moov")].to_vec()
        };
        for scene in SCENES.iter().filter(|scene| scene.width < 1920) {
            assert!(coded("one.mp4", scene) == coded("other.mp4", scene), "{} is another each time", scene.name);
        }
    }
}
