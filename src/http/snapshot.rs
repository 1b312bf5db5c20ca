//! One frame with its faces drawn, as JPEG.

use anyhow::Context;
use gst_video::prelude::*;
use gst_video::{VideoConverter, VideoFormat, VideoFrameRef, VideoInfo};
use gstmaskwatch::meta::FaceMeta;
use gstmaskwatch::overlay::{self, Caption, Painter};
use image::codecs::jpeg::JpegEncoder;
use maskwatch_vision::zone::Areas;

use crate::frames::Shown;

/// Good enough to read a label, small enough to refresh every second.
const QUALITY: u8 = 82;

/// Converts, draws and encodes: some ten milliseconds for a full HD picture; not for the thread that serves.
/// `areas`: zones and lines to draw.
pub(super) fn jpeg(shown: &Shown, camera: &str, status: &str, areas: Areas) -> anyhow::Result<Vec<u8>> {
    let buffer = shown.sample().buffer().context("the frame has no picture")?;
    let caps = shown.sample().caps().context("the frame has no format")?;
    let info = VideoInfo::from_caps(caps)?;
    let size = [info.width(), info.height()];
    let mut pixels = rgb(buffer, &info)?;
    if let Some(meta) = FaceMeta::get(buffer) {
        let clock = overlay::clock_now();
        let mut painter = Painter::new();
        painter.set_areas(areas);
        painter.paint_rgb(size, &mut pixels, meta.faces(), &Caption { camera, clock: &clock, status })?;
    }
    let mut out = Vec::with_capacity(128 * 1024);
    JpegEncoder::new_with_quality(&mut out, QUALITY).encode(
        &pixels,
        size[0],
        size[1],
        image::ExtendedColorType::Rgb8,
    )?;
    Ok(out)
}

/// The picture as packed R, G, B.
fn rgb(buffer: &gst::BufferRef, info: &VideoInfo) -> anyhow::Result<Vec<u8>> {
    let (width, height) = (info.width() as usize, info.height() as usize);
    // The converter wants the rate and the order of fields to be the same on both sides.
    let target = VideoInfo::builder(VideoFormat::Rgb, info.width(), info.height())
        .fps(info.fps())
        .interlace_mode(info.interlace_mode())
        .build()?;
    let mut converted = gst::Buffer::with_size(target.size())?;
    {
        let source = VideoFrameRef::from_buffer_ref_readable(buffer, info)?;
        let out = converted.get_mut().context("the buffer is shared")?;
        let mut out = VideoFrameRef::from_buffer_ref_writable(out, &target)?;
        VideoConverter::new(info, &target, None)?.frame_ref(&source, &mut out);
    }
    let frame = VideoFrameRef::from_buffer_ref_readable(&converted, &target)?;
    let stride = usize::try_from(frame.plane_stride()[0])?;
    let data = frame.plane_data(0)?;
    let mut pixels = Vec::with_capacity(width * height * 3);
    for row in data.chunks(stride).take(height) {
        pixels.extend_from_slice(row.get(..width * 3).context("the picture is cut short")?);
    }
    Ok(pixels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::plan::CameraPlan;
    use crate::config::secret::CameraUrl;
    use crate::frames::Hub;
    use crate::metrics::Metrics;

    #[test]
    fn a_frame_becomes_a_jpeg_of_its_size_and_colour() {
        gst::init().unwrap();
        // An odd width, so that rows are padded; a rate, as cameras have it.
        let info = VideoInfo::builder(VideoFormat::I420, 101, 53).fps(gst::Fraction::new(25, 1)).build().unwrap();
        let mut buffer = gst::Buffer::with_size(info.size()).unwrap();
        buffer.get_mut().unwrap().map_writable().unwrap().fill(128);
        let sample = gst::Sample::builder().buffer(&buffer).caps(&info.to_caps().unwrap()).build();
        let plan = CameraPlan::new("gate", CameraUrl::parse("rtsp://127.0.0.1/a").unwrap());
        let hub = Hub::new(&plan, &Metrics::new().unwrap().camera("gate"));
        hub.open().publish(sample);
        let jpeg = jpeg(&hub.latest().unwrap(), "gate", "", Areas::default()).unwrap();
        let picture = image::load_from_memory(&jpeg).unwrap().to_rgb8();
        assert_eq!(picture.dimensions(), (101, 53));
        let grey = picture.get_pixel(50, 40).0;
        assert!(grey.iter().all(|value| (120..140).contains(value)), "{grey:?}");
    }
}
