//! What a camera's latest pictures say of its placement.

use std::time::{Duration, Instant};

use gstmaskwatch::report::FrameReport;
use maskwatch_vision::face::MaskState;
use maskwatch_vision::placement::{Figures, Limits, Placement, advice};
use tracing_mutex::parking_lot::Mutex;

/// Written by the supervisor, read by others.
pub(super) struct Advisor {
    origin: Instant,
    placement: Mutex<Placement>,
}

impl Advisor {
    pub(super) fn new() -> Self {
        Self { origin: Instant::now(), placement: Mutex::default() }
    }

    pub(super) fn picture(&self, report: &FrameReport) {
        self.with(|placement, now| placement.picture(now, report.luma.map(|luma| luma.mean / 255.0), &report.quality));
    }

    pub(super) fn person(&self, state: MaskState) {
        self.with(|placement, now| placement.person(now, state));
    }

    /// The figures of the last ten minutes, and the sentence that follows from them.
    pub(super) fn advice(&self) -> (Figures, Option<String>) {
        let figures = self.with(|placement, now| placement.figures(now));
        (figures, advice(&figures, &Limits::default()))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Placement, Duration) -> T) -> T {
        let now = self.origin.elapsed();
        work(&mut self.placement.lock(), now)
    }
}
