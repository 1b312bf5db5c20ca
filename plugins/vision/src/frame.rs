//! A picture lent for reading: planes with strides, as a decoder leaves them.

/// How pixels lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// Planes Y, U, V; chroma halved in both directions (rounded up for odd sizes).
    I420,
    /// Planes Y and interleaved UV; chroma halved in both directions (rounded up for odd sizes).
    Nv12,
    /// One plane, three bytes R, G, B.
    Rgb,
}

/// The matrix that turns Y'CbCr into R'G'B'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColorMatrix {
    /// ITU-R BT.601.
    Bt601,
    /// ITU-R BT.709.
    Bt709,
    /// ITU-R BT.2020, non-constant luminance.
    Bt2020,
    /// SMPTE 240M.
    Smpte240m,
}

impl ColorMatrix {
    /// Shares of red and blue in luma, `(kr, kb)`; green has the rest.
    pub fn luma_weights(self) -> (f32, f32) {
        match self {
            Self::Bt601 => (0.299, 0.114),
            Self::Bt709 => (0.2126, 0.0722),
            Self::Bt2020 => (0.2627, 0.0593),
            Self::Smpte240m => (0.212, 0.087),
        }
    }
}

/// Range of the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColorRange {
    /// Y 16..235, chroma 16..240.
    Limited,
    /// 0..255.
    Full,
}

/// A borrowed picture. Rows are `stride` bytes apart and may be followed by padding.
#[derive(Clone, Copy, Debug)]
pub struct FrameView<'a> {
    /// Layout of `planes`.
    pub format: PixelFormat,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The planes the format has; the rest are empty.
    pub planes: [&'a [u8]; 3],
    /// Bytes from one row to the next, per plane.
    pub strides: [usize; 3],
    /// For the Y'CbCr formats.
    pub matrix: ColorMatrix,
    /// For the Y'CbCr formats.
    pub range: ColorRange,
}

/// Why planes do not make a picture, or a picture not a network's input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Width or height is 0.
    #[error("picture of {0}x{1} pixels")]
    Empty(u32, u32),
    /// A plane is shorter than its rows.
    #[error("plane {plane} has {got} bytes, {want} needed")]
    Short {
        /// Index of the plane.
        plane: usize,
        /// Bytes it has.
        got: usize,
        /// Bytes its rows need.
        want: usize,
    },
    /// Rows are nearer to each other than they are long.
    #[error("plane {plane} has rows of {row} bytes but a stride of {stride}")]
    Stride {
        /// Index of the plane.
        plane: usize,
        /// Stride given.
        stride: usize,
        /// Bytes of a row.
        row: usize,
    },
    /// The place for the network's input is too short.
    #[error("room for {got} input values, {want} needed")]
    Room {
        /// Values there is room for.
        got: usize,
        /// Values needed.
        want: usize,
    },
}

impl FrameView<'_> {
    /// Rows and bytes per row of each plane: `(rows, row_bytes)`; `(0, 0)` for planes the format does not have.
    pub fn plane_layout(&self) -> [(usize, usize); 3] {
        let (w, h) = (self.width as usize, self.height as usize);
        let (cw, ch) = (w.div_ceil(2), h.div_ceil(2));
        match self.format {
            PixelFormat::I420 => [(h, w), (ch, cw), (ch, cw)],
            PixelFormat::Nv12 => [(h, w), (ch, cw * 2), (0, 0)],
            PixelFormat::Rgb => [(h, w * 3), (0, 0), (0, 0)],
        }
    }

    /// Checks that every row of every plane can be read.
    ///
    /// # Errors
    /// [`FrameError`] names the first plane that is too short or whose stride is.
    pub fn check(&self) -> Result<(), FrameError> {
        if self.width == 0 || self.height == 0 {
            return Err(FrameError::Empty(self.width, self.height));
        }
        for (plane, (rows, row_bytes)) in self.plane_layout().into_iter().enumerate() {
            let stride = self.strides[plane];
            if rows > 1 && stride < row_bytes {
                return Err(FrameError::Stride { plane, stride, row: row_bytes });
            }
            let want = if rows == 0 { 0 } else { (rows - 1).saturating_mul(stride).saturating_add(row_bytes) };
            let got = self.planes[plane].len();
            if got < want {
                return Err(FrameError::Short { plane, got, want });
            }
        }
        Ok(())
    }
}
