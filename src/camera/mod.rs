//! Cameras: one GStreamer pipeline each, under a supervisor thread of its own.
//!
//! * [`Supervisor::spawn`] starts a camera for ever: it connects, watches the last decoded frame, tears down, waits and
//!   connects again, until [`CameraHandle::stop`]. [`CameraHandle::change`] gives it another plan meanwhile.
//! * Pictures go to the camera's [`crate::frames::Hub`], results to its metrics and to the [`Listener`].
//! * [`CameraStatus`] says at any time how the camera fares.
//!
//! Nothing here is shared between cameras but the engine: a camera's errors, flushes, clock and restarts stay its own.

mod advice;
mod decoding;
mod degraded;
mod failure;
mod handle;
mod head;
mod intake;
mod keyframe;
mod ledger;
mod login;
mod orders;
pub mod probe;
mod references;
mod results;
mod rtsp;
mod source;
mod status;
mod supervisor;
mod tally;
mod teardown;
mod watch;

pub use failure::Failure;
pub use handle::CameraHandle;
pub use results::Listener;
pub use status::{CameraState, CameraStatus, Degradation, StatusView};
pub use supervisor::{CameraContext, Supervisor};

/// The element that sees to the analysis.
pub(crate) const INFER_ELEMENT: &str = "maskinfer";
