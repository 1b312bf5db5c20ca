//! One frame with its faces drawn, as JPEG.

use anyhow::Context;
use gst_video::prelude::*;
use gst_video::{VideoConverter, VideoFormat, VideoFrameRef, VideoInfo};
use gstmaskwatch::meta::FaceMeta;
use gstmaskwatch::overlay::{self, Caption, Painter};
use image::codecs::jpeg::JpegEncoder;
use maskwatch_vision::zone::Areas;

use crate::frames::{Shape, Shown};

/// Good enough to read a label, small enough to refresh every second.
const QUALITY: u8 = 82;
/// Width of small pictures.
const SMALL: u32 = 320;

/// Converts, draws and encodes: some ten milliseconds for a full HD picture; not for the thread that serves.
/// `areas`: zones and lines to draw.
pub(super) fn jpeg(shown: &Shown, camera: &str, status: &str, areas: Areas) -> anyhow::Result<Vec<u8>> {
    let buffer = shown.sample().buffer().context("the frame has no picture")?;
    let caps = shown.sample().caps().context("the frame has no format")?;
    let info = VideoInfo::from_caps(caps)?;
    let shape = Shape::of(&info);
    let size = [shape.width, shape.height];
    let mut pixels = rgb(buffer, &info, shape)?;
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

/// The picture alone, small.
pub(super) fn small(shown: &Shown) -> anyhow::Result<Vec<u8>> {
    let buffer = shown.sample().buffer().context("the frame has no picture")?;
    let info = VideoInfo::from_caps(shown.sample().caps().context("the frame has no format")?)?;
    let shape = Shape::of(&info);
    let pixels = rgb(buffer, &info, shape)?;
    let picture = image::RgbImage::from_raw(shape.width, shape.height, pixels).context("the picture is cut short")?;
    let height = (u64::from(SMALL) * u64::from(shape.height) / u64::from(shape.width)).clamp(1, u64::from(SMALL) * 2);
    let small =
        if shape.width > SMALL { image::imageops::thumbnail(&picture, SMALL, u32::try_from(height)?) } else { picture };
    let mut out = Vec::with_capacity(32 * 1024);
    JpegEncoder::new_with_quality(&mut out, QUALITY).encode_image(&small)?;
    Ok(out)
}

/// The picture as packed R, G, B, as large as it is shown: viewers of JPEGs take all pixels for square.
fn rgb(buffer: &gst::BufferRef, info: &VideoInfo, shape: Shape) -> anyhow::Result<Vec<u8>> {
    let (width, height) = (shape.width as usize, shape.height as usize);
    // The converter wants the rate and the order of fields to be the same on both sides.
    let target = VideoInfo::builder(VideoFormat::Rgb, shape.width, shape.height)
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

    /// The snapshot of a grey picture with pixels of this shape. An odd width, so that rows are padded; a rate, as
    /// cameras have it.
    fn snapshot(pixel: (i32, i32)) -> image::RgbImage {
        gst::init().unwrap();
        let info = VideoInfo::builder(VideoFormat::I420, 101, 53)
            .fps(gst::Fraction::new(25, 1))
            .par(gst::Fraction::new(pixel.0, pixel.1))
            .build()
            .unwrap();
        let mut buffer = gst::Buffer::with_size(info.size()).unwrap();
        buffer.get_mut().unwrap().map_writable().unwrap().fill(128);
        let sample = gst::Sample::builder().buffer(&buffer).caps(&info.to_caps().unwrap()).build();
        let plan = CameraPlan::new("gate", CameraUrl::parse("rtsp://127.0.0.1/a").unwrap());
        let hub = Hub::new(&plan, &Metrics::new().unwrap().camera("gate"));
        hub.open().publish(sample);
        let jpeg = jpeg(&hub.latest().unwrap(), "gate", "", Areas::default()).unwrap();
        image::load_from_memory(&jpeg).unwrap().to_rgb8()
    }

    #[test]
    fn a_frame_becomes_a_jpeg_of_its_shown_size_and_colour() {
        for (pixel, size) in [((1, 1), (101, 53)), ((2, 1), (202, 53)), ((1, 2), (51, 53))] {
            let picture = snapshot(pixel);
            assert_eq!(picture.dimensions(), size, "{pixel:?}");
            let grey = picture.get_pixel(size.0 / 2, 40).0;
            assert!(grey.iter().all(|value| (120..140).contains(value)), "{grey:?}");
        }
    }
}
