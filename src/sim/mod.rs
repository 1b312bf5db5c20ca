//! Simulated cameras: files served as endless RTSP streams, as real cameras serve theirs.
//!
//! A clip's encoded pictures are read into memory once; serving costs no codec. Each client has its own sender, which
//! starts at a keyframe, so that a picture comes at once. All clients of a camera see the same moment, give or take a
//! group of pictures. The fault switches are for tests and for `soak`.

mod clip;
mod feeder;
mod server;

pub use clip::{Clip, ClipError};
pub use server::{Options, Server, SimCamera, SimError};
