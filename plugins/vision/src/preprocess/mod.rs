//! From a decoder's planes to a network's input, in one pass.

mod placement;
mod spec;

pub use placement::Placement;
pub use spec::{ChannelOrder, InputSpec, Layout, Resize, SpecError};

use crate::frame::{FrameError, FrameView};
use crate::geometry::Rect;

/// Writes pictures into a network's input. Owns its scratch rows and tap tables: one per camera and network.
#[derive(Clone, Debug)]
pub struct Preprocessor {
    spec: InputSpec,
}

impl Preprocessor {
    /// For inputs of this kind.
    pub fn new(spec: InputSpec) -> Self {
        Self { spec }
    }

    /// The input that is written.
    pub fn spec(&self) -> &InputSpec {
        &self.spec
    }

    /// Writes the whole picture to `out[..spec.len()]` and says where it lies there.
    ///
    /// # Errors
    /// [`FrameError`] when the planes do not make a picture or `out` is too short; `out` is then not touched.
    pub fn whole(&mut self, _frame: &FrameView<'_>, _out: &mut [f32]) -> Result<Placement, FrameError> {
        unimplemented!()
    }

    /// Writes the part `roi` of the picture (normalised) to `out[..spec.len()]`.
    ///
    /// # Errors
    /// As [`Preprocessor::whole`].
    pub fn crop(&mut self, _frame: &FrameView<'_>, _roi: Rect, _out: &mut [f32]) -> Result<(), FrameError> {
        unimplemented!()
    }
}

/// The part of a picture that a classifier sees of a face.
pub fn crop_rect(_face: Rect, _frame_w: u32, _frame_h: u32, _margin: f32, _square: bool) -> Rect {
    unimplemented!()
}
