//! Drawing on video frames: shapes and text as small bitmaps, blended straight into the frame's own planes.
//!
//! Only the pixels that change are touched, in the frame's own format. `VideoOverlayComposition::blend` was the
//! alternative; it unpacks and packs whole picture rows for every rectangle.

pub(crate) mod bitmap;
pub(crate) mod cache;
pub(crate) mod canvas;
pub(crate) mod text;

pub(crate) use bitmap::{Bitmap, Color};
pub(crate) use cache::Cache;
pub(crate) use canvas::Canvas;
