//! Annotated streams out: `/<camera>` and `/mosaic`, H.264, for VLC and everybody else.
//!
//! * One encoder per watched stream, whatever the number of its viewers; none where nobody watches. gst-rtsp-server
//!   shares the media; its pipeline exists from the first viewer to the last.
//! * A stream's size and rate are fixed when its first viewer comes: a camera that changes its size is scaled, so that
//!   viewers go on.
//! * Time stamps are those of the stream's own clock at the moment when a picture enters. They never go back, whatever
//!   the camera does.
//! * A camera that is silent for a second is stood in for by slates, made by one thread for all streams.
//! * A viewer that joins gets a keyframe at once.
//!
//! Locks are held to copy values out, never over a push or a property.

mod credentials;
mod doors;
mod ear;
mod feed;
pub mod host;
mod mosaic;
mod porter;
mod reception;
mod relay;
mod server;
mod slate;
mod visits;

pub use server::{RtspError, RtspServer, Stream, scheme};

/// The mount of all cameras tiled; no camera may have this name.
pub const MOSAIC: &str = "mosaic";

/// The element that draws.
const OVERLAY_ELEMENT: &str = "maskoverlay";
