//! A mapped GStreamer frame as the picture that `maskwatch-vision` reads.

use gst_video::prelude::*;
use maskwatch_vision::frame::{ColorMatrix, ColorRange, FrameView, PixelFormat};

/// Most rows of a picture of standard definition.
const SD_ROWS: u32 = 576;

/// How the samples of a Y'CbCr picture are coded. Where the caps do not say, it is as GStreamer 1.22 and players assume:
/// BT.601 up to 576 rows, BT.709 above, both with limited range. (Other versions of GStreamer take 2160 rows and more for
/// BT.2020; pictures that come from `maskwatch` say what they are.)
pub(crate) fn coding(info: &gst_video::VideoInfo) -> (ColorMatrix, ColorRange) {
    let colorimetry = info.colorimetry();
    let matrix = match colorimetry.matrix() {
        gst_video::VideoColorMatrix::Bt601 | gst_video::VideoColorMatrix::Fcc => ColorMatrix::Bt601,
        gst_video::VideoColorMatrix::Bt709 => ColorMatrix::Bt709,
        gst_video::VideoColorMatrix::Bt2020 => ColorMatrix::Bt2020,
        gst_video::VideoColorMatrix::Smpte240m => ColorMatrix::Smpte240m,
        _ if info.height() > SD_ROWS => ColorMatrix::Bt709,
        _ => ColorMatrix::Bt601,
    };
    let range = match colorimetry.range() {
        gst_video::VideoColorRange::Range0_255 => ColorRange::Full,
        _ => ColorRange::Limited,
    };
    (matrix, range)
}

/// The layout that vision knows a format by; `None` for formats that `maskinfer` does not take.
pub(crate) fn pixel_format(format: gst_video::VideoFormat) -> Option<PixelFormat> {
    match format {
        gst_video::VideoFormat::I420 => Some(PixelFormat::I420),
        gst_video::VideoFormat::Nv12 => Some(PixelFormat::Nv12),
        gst_video::VideoFormat::Rgb => Some(PixelFormat::Rgb),
        _ => None,
    }
}

/// An empty picture: what a frame of an unknown format reads as, so that reading it fails as an error.
const NOTHING: FrameView<'static> = FrameView {
    format: PixelFormat::Rgb,
    width: 0,
    height: 0,
    planes: [&[], &[], &[]],
    strides: [0; 3],
    matrix: ColorMatrix::Bt601,
    range: ColorRange::Full,
};

/// A mapped frame, lent for reading. Planes and strides are those of the map, never assumed.
pub(crate) fn view(frame: &gst_video::VideoFrame<gst_video::video_frame::Readable>) -> FrameView<'_> {
    let info = frame.info();
    let Some(format) = pixel_format(info.format()) else { return NOTHING };
    let (matrix, range) = coding(info);
    let [first, second, third, _] = frame.planes_data();
    let mut strides = [0; 3];
    for (stride, given) in strides.iter_mut().zip(frame.plane_stride()) {
        *stride = usize::try_from(*given).unwrap_or(0);
    }
    FrameView {
        format,
        width: info.width(),
        height: info.height(),
        planes: [first, second, third],
        strides,
        matrix,
        range,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_told_is_as_gstreamer_takes_it() {
        use gst_video::VideoColorMatrix as Matrix;
        gst::init().unwrap();
        for (height, theirs, ours) in [
            (480, Matrix::Bt601, ColorMatrix::Bt601),
            (SD_ROWS, Matrix::Bt601, ColorMatrix::Bt601),
            (SD_ROWS + 1, Matrix::Bt709, ColorMatrix::Bt709),
            (720, Matrix::Bt709, ColorMatrix::Bt709),
            (1080, Matrix::Bt709, ColorMatrix::Bt709),
        ] {
            let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, 640, height).build().unwrap();
            assert_eq!(info.colorimetry().matrix(), theirs, "{height} rows");
            assert_eq!(coding(&info), (ours, ColorRange::Limited), "{height} rows");
        }
    }
}
