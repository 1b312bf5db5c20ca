//! What is analysed, and how its analysis ends.

use maskwatch_vision::{
    face::{ClassifiedFace, Detection},
    frame::{ColorMatrix, ColorRange, FrameView, PixelFormat},
    privacy::Suspects,
};

/// What is asked of one picture. Scores are `0..=1`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ask {
    /// Least score of a face; `None`: the detector's own.
    pub face: Option<f32>,
    /// Least score of what may be a face and is to be hidden; `None`: nothing is.
    pub hide: Option<f32>,
}

/// What an analysis found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Analysis {
    /// Every face found, in the order given to [`Subject::select`].
    pub faces: Vec<ClassifiedFace>,
    /// Where faces may be; `None` where [`Ask::hide`] is.
    pub suspects: Option<Suspects>,
}

/// A picture under analysis, with the camera's own knowledge of it.
///
/// The engine reads [`Subject::frame`] twice: on the submitting thread for the detector's input, and on the classify
/// thread to cut faces out of the full resolution.
pub trait Subject: Send {
    /// The picture, the same each time.
    fn frame(&self) -> FrameView<'_>;
    /// Which of the faces found (indices into `found`) must be classified now. Wrong indices are ignored.
    fn select(&mut self, found: &[Detection]) -> Vec<usize>;
    /// The analysis ended. Called exactly once, on any thread, with no lock held; should be brief.
    fn finish(self: Box<Self>, outcome: Outcome);
}

/// How an analysis ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Analysed.
    Done(Analysis),
    /// Not analysed, on purpose.
    Dropped(DropReason),
    /// Not analysed, by a fault; says what and, where known, a hint.
    Failed(String),
}

/// Why a picture was not analysed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DropReason {
    /// A newer picture of the same camera took its place.
    Superseded,
    /// The camera was flushed ([`crate::Camera::flush`]).
    Flushed,
    /// The camera was detached, or the engine stopped.
    Stopped,
}

impl DropReason {
    /// The label used in metrics: `superseded`, `flushed`, `stopped`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Superseded => "superseded",
            Self::Flushed => "flushed",
            Self::Stopped => "stopped",
        }
    }
}

/// A picture that owns its pixels.
#[derive(Clone, Debug)]
pub struct OwnedFrame {
    /// Layout of `planes`.
    pub format: PixelFormat,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The planes the format has; the rest are empty.
    pub planes: [Vec<u8>; 3],
    /// Bytes from one row to the next, per plane.
    pub strides: [usize; 3],
    /// For the Y'CbCr formats.
    pub matrix: ColorMatrix,
    /// For the Y'CbCr formats.
    pub range: ColorRange,
}

impl OwnedFrame {
    /// A picture of packed R, G, B bytes without padding: `3 * width * height` of them.
    pub fn rgb(width: u32, height: u32, pixels: Vec<u8>) -> Self {
        Self {
            format: PixelFormat::Rgb,
            width,
            height,
            planes: [pixels, Vec::new(), Vec::new()],
            strides: [width as usize * 3, 0, 0],
            matrix: ColorMatrix::Bt709,
            range: ColorRange::Full,
        }
    }

    /// The picture, lent for reading.
    pub fn view(&self) -> FrameView<'_> {
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
