//! What a camera says of itself when it agrees to send.

use std::time::Duration;

use super::packets::Seen;
use crate::camera::login::Scheme;

/// Of one session.
#[derive(Clone, Debug)]
pub(in crate::camera) struct Account {
    /// How it calls itself.
    pub(in crate::camera) server: Option<String>,
    /// How it asked for a password.
    pub(in crate::camera) login: Scheme,
    /// With a digest: which.
    pub(in crate::camera) algorithm: Option<&'static str>,
    /// From the question for the stream to the answer.
    pub(in crate::camera) thought: Duration,
    /// Of the session; `None`: it names none.
    pub(in crate::camera) timeout: Option<Duration>,
    /// The request that keeps the session alive.
    pub(in crate::camera) keep_alive: &'static str,
    /// Packets travel by UDP.
    pub(in crate::camera) udp: bool,
    /// Name of the stream's coding, such as `H264`.
    pub(in crate::camera) coding: String,
    /// Pictures per second, as announced.
    pub(in crate::camera) rate: Option<f64>,
    /// What else it offers.
    pub(in crate::camera) besides: Vec<String>,
    /// The packets of the session, once it has ended.
    pub(in crate::camera) seen: Seen,
}
