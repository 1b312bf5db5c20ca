//! A fake RTSP camera with switches.
//!
//! [`options`] lists the switches; [`server`] answers requests, one thread a connection, and [`sender`] sends pictures,
//! one thread a session; [`sdp`], [`packets`] and [`carrier`] are what they need.

mod carrier;
pub mod options;
mod packets;
mod sdp;
mod sender;
mod server;
mod session;

pub use server::Camera;
