//! How a camera fares, readable from every thread.

use std::time::SystemTime;

use gstmaskwatch::report::FrameReport;
use maskwatch_vision::face::MaskState;
use maskwatch_vision::placement::Figures;
use tracing_mutex::parking_lot::{Mutex, MutexGuard};

use super::advice::Advisor;
use super::failure::Failure;
use crate::metrics::{DegradedReason, DisconnectReason};

/// State of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CameraState {
    /// No frame yet and no failure yet.
    Connecting,
    /// Frames come, and can be had: their shape, and as far as the privacy mode lets any out, a picture.
    Up,
    /// The last attempt failed or the connection ended; it is tried again and again.
    Down,
    /// The camera refuses the login. It is tried again after minutes only: cameras shut out who asks too often.
    Refused,
}

impl CameraState {
    /// `connecting`, `up`, `down` or `refused`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Up => "up",
            Self::Down => "down",
            Self::Refused => "refused",
        }
    }

    /// Whether nothing comes of it.
    pub fn is_down(self) -> bool {
        matches!(self, Self::Down | Self::Refused)
    }
}

/// Why a camera that is up gives too little.
#[derive(Clone, Debug, PartialEq)]
pub struct Degradation {
    /// One of a bounded set, for metrics.
    pub reason: DegradedReason,
    /// One sentence: what is the matter, and what to do about it.
    pub message: String,
    /// Decoded pictures, of those that arrived or were announced in the last ten seconds, whichever is more; 0 to 1.
    pub ratio: f64,
    /// Since when it gives too little, for whatever reason.
    pub since: SystemTime,
}

/// A camera's state at one moment.
#[derive(Clone, Debug)]
pub struct StatusView {
    /// State of the connection.
    pub state: CameraState,
    /// Since when it has that state.
    pub since: SystemTime,
    /// What ended the last connection or attempt; kept while the camera is down.
    pub failure: Option<Failure>,
    /// Why too little comes of a camera that is up.
    pub degraded: Option<Degradation>,
    /// Last decoded frame of all connections.
    pub last_frame: Option<SystemTime>,
    /// Connections that gave a frame.
    pub connects: u64,
    /// Connections and attempts that ended in a failure.
    pub disconnects: u64,
}

impl StatusView {
    /// Whether the camera has produced a frame, or failed once, since it was started.
    pub fn settled(&self) -> bool {
        self.connects > 0 || self.disconnects > 0
    }

    /// The bounded word for why it is down.
    pub fn reason(&self) -> Option<DisconnectReason> {
        self.failure.as_ref().map(|failure| failure.reason)
    }
}

/// The cell that the supervisor writes and others read.
pub struct CameraStatus {
    view: Mutex<StatusView>,
    advisor: Advisor,
}

impl CameraStatus {
    /// Connecting, since now.
    pub fn new() -> Self {
        let view = StatusView {
            state: CameraState::Connecting,
            since: SystemTime::now(),
            failure: None,
            degraded: None,
            last_frame: None,
            connects: 0,
            disconnects: 0,
        };
        Self { view: Mutex::new(view), advisor: Advisor::new() }
    }

    /// A copy of all of it.
    pub fn view(&self) -> StatusView {
        self.lock().clone()
    }

    /// The state alone.
    pub fn state(&self) -> CameraState {
        self.lock().state
    }

    /// How well the camera has seen faces in the last ten minutes, and what to do about it; `None`: nothing, or too
    /// little is known.
    pub fn advice(&self) -> (Figures, Option<String>) {
        self.advisor.advice()
    }

    /// A picture was analysed.
    pub(super) fn picture(&self, report: &FrameReport) {
        self.advisor.picture(report);
    }

    /// A person was decided.
    pub(super) fn person(&self, state: MaskState) {
        self.advisor.person(state);
    }

    /// A connection is up: all that can be had of it is there to be read. `also` is done before anybody can see that, so
    /// that what it tells is never told alone: who hears of it there and asks here waits for it.
    pub(super) fn up(&self, last_frame: Option<SystemTime>, also: impl FnOnce()) {
        let mut view = self.lock();
        also();
        view.connects += 1;
        view.failure = None;
        view.last_frame = last_frame.or(view.last_frame);
        view.enter(CameraState::Up);
    }

    /// The connection is ended because another is wanted. `also` as with [`Self::up`].
    pub(super) fn renew(&self, also: impl FnOnce()) {
        let mut view = self.lock();
        also();
        (view.failure, view.degraded) = (None, None);
        view.enter(CameraState::Connecting);
    }

    /// Frames came until now.
    pub(super) fn seen(&self, last_frame: SystemTime) {
        self.lock().last_frame = Some(last_frame);
    }

    /// Too little comes of the connection, or no longer (`None`). `also` as with [`Self::up`].
    pub(super) fn degraded(&self, degradation: Option<Degradation>, also: impl FnOnce()) {
        let mut view = self.lock();
        also();
        view.degraded = degradation;
    }

    /// A connection or an attempt failed. `also` as with [`Self::up`].
    pub(super) fn down(&self, failure: Failure, also: impl FnOnce()) {
        let mut view = self.lock();
        also();
        view.disconnects += 1;
        let refused = failure.reason == DisconnectReason::Auth;
        view.failure = Some(failure);
        view.degraded = None;
        view.enter(if refused { CameraState::Refused } else { CameraState::Down });
    }

    fn lock(&self) -> MutexGuard<'_, StatusView> {
        self.view.lock()
    }
}

impl Default for CameraStatus {
    fn default() -> Self {
        Self::new()
    }
}

impl StatusView {
    fn enter(&mut self, state: CameraState) {
        if self.state != state {
            self.state = state;
            self.since = SystemTime::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_reads_a_state_of_which_half_is_told() {
        let status = CameraStatus::new();
        let unreadable = || assert!(status.view.try_lock().is_none(), "a reader would see the state before the change");
        let now = SystemTime::now();
        status.up(Some(now), unreadable);
        let view = status.view();
        assert_eq!((view.state, view.connects, view.last_frame), (CameraState::Up, 1, Some(now)));
        status.down(Failure::new(DisconnectReason::Eos, "the stream ended"), unreadable);
        assert_eq!((status.state(), status.view().disconnects), (CameraState::Down, 1));
    }
}
