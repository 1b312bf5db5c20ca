//! Pictures for the tests.

use maskwatch_vision::frame::{ColorMatrix, ColorRange, FrameView, PixelFormat};

/// A picture that owns its planes.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    pub(crate) format: PixelFormat,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) planes: [Vec<u8>; 3],
    pub(crate) strides: [usize; 3],
    pub(crate) matrix: ColorMatrix,
    pub(crate) range: ColorRange,
}

impl Picture {
    /// A picture whose plane samples are `value(plane, column, row, channel)`; rows are followed by `slack` bytes of
    /// junk, the last one is not.
    pub(crate) fn new(
        format: PixelFormat,
        (width, height): (u32, u32),
        slack: usize,
        value: impl Fn(usize, usize, usize, usize) -> u8,
    ) -> Self {
        let mut picture = Self {
            format,
            width,
            height,
            planes: Default::default(),
            strides: [0; 3],
            matrix: ColorMatrix::Bt601,
            range: ColorRange::Limited,
        };
        let layout = picture.view().plane_layout();
        for (plane, (rows, bytes)) in layout.into_iter().enumerate() {
            let channels = match format {
                PixelFormat::Rgb => 3,
                PixelFormat::Nv12 if plane == 1 => 2,
                _ => 1,
            };
            let stride = bytes + slack;
            let mut data = vec![0xA7; if rows == 0 { 0 } else { (rows - 1) * stride + bytes }];
            for row in 0..rows {
                for byte in 0..bytes {
                    data[row * stride + byte] = value(plane, byte / channels, row, byte % channels);
                }
            }
            picture.planes[plane] = data;
            picture.strides[plane] = stride;
        }
        picture
    }

    /// Lends it.
    pub(crate) fn view(&self) -> FrameView<'_> {
        FrameView {
            format: self.format,
            width: self.width,
            height: self.height,
            planes: [&self.planes[0], &self.planes[1], &self.planes[2]],
            strides: self.strides,
            matrix: self.matrix,
            range: self.range,
        }
    }
}

/// The picture of the Pillow fixture, cut out at `(left, top)`; what lies outside of `whole` is `pad`.
pub(crate) fn formula(whole: (u32, u32), (left, top): (i64, i64), size: (u32, u32), pad: u8) -> Picture {
    Picture::new(PixelFormat::Rgb, size, 0, |_, column, row, channel| {
        let (x, y) = (left + column as i64, top + row as i64);
        let inside = (0..i64::from(whole.0)).contains(&x) && (0..i64::from(whole.1)).contains(&y);
        if inside { ((x * 7 + y * 13 + channel as i64 * 50) % 256) as u8 } else { pad }
    })
}
