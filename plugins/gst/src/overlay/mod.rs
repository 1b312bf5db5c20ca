//! `maskoverlay`: draws the faces that a buffer carries, and a caption, into the picture.
//!
//! Each face of the buffer's [`FaceMeta`](crate::meta::FaceMeta) gets a box in the colour of its state (blue: mask, red:
//! no mask, amber: incorrect, grey: unknown) and a label such as `Mask 98%`. A caption in the left top corner shows the
//! camera's name, the time of day and a status text. Only the pixels under these are touched; with `enabled=false` the
//! picture passes untouched and uncopied.
//!
//! ## Example
//! ```sh
#![doc = include_str!("launch.txt")]
//! ```
//!
//! ## Properties
//! | name | type, default | meaning |
//! | --- | --- | --- |
//! | `camera` | string, empty | name in the caption |
//! | `status` | string, empty | second line of the caption |
//! | `clock` | bool, true | time of day in the caption |
//! | `areas` | string, empty | zones, lines and ignore masks to draw, as JSON: the form of [`maskwatch_vision::zone::Areas`] |
//! | `enabled` | bool, true | draw at all |
//!
//! All can be changed while playing.
//!
//! The same drawing for single pictures: [`paint`], [`paint_rgb`]; and a whole picture for a camera without signal:
//! [`slate`].

use gst::{glib, prelude::*};

mod areas;
mod imp;
mod key;
mod painter;
mod slate;
mod style;

pub use painter::{Caption, PaintError, Painter, clock_now};
pub use slate::Slate;

use maskwatch_vision::face::FaceView;

glib::wrapper! {
    /// The element.
    pub struct MaskOverlay(ObjectSubclass<imp::MaskOverlay>)
        @extends gst_video::VideoFilter, gst_base::BaseTransform, gst::Element, gst::Object;
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "maskoverlay", gst::Rank::NONE, MaskOverlay::static_type())
}

/// Draws faces and a caption into one frame. For many frames keep a [`Painter`]: it remembers its labels.
///
/// # Errors
/// [`PaintError`] for a format that cannot be drawn on.
pub fn paint(
    frame: &mut gst_video::VideoFrameRef<&mut gst::BufferRef>,
    faces: &[FaceView],
    caption: &Caption<'_>,
) -> Result<(), PaintError> {
    Painter::new().paint(frame, faces, caption)
}

/// Draws faces and a caption into a packed R, G, B picture without padding: `3 * width * height` bytes.
///
/// # Errors
/// [`PaintError::Size`] when there are fewer bytes.
pub fn paint_rgb(
    size: [u32; 2],
    pixels: &mut [u8],
    faces: &[FaceView],
    caption: &Caption<'_>,
) -> Result<(), PaintError> {
    Painter::new().paint_rgb(size, pixels, faces, caption)
}

/// Fills one frame with a slate. For many frames keep a [`Painter`].
///
/// # Errors
/// [`PaintError`] for a format that cannot be drawn on.
pub fn slate(frame: &mut gst_video::VideoFrameRef<&mut gst::BufferRef>, slate: &Slate<'_>) -> Result<(), PaintError> {
    Painter::new().slate(frame, slate)
}
