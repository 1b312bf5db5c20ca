//! What tells a living camera from a frozen one: the last decoded frame, not the bus.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// A camera slower than its timeout is waited for so many of its own frame intervals.
const INTERVALS: u32 = 4;
/// Pictures a second that a camera may mean. Other figures are ticks of a clock, or nonsense.
const PLAUSIBLE: RangeInclusive<f64> = 0.01..=240.0;

/// Written by streaming threads, read by the supervisor.
pub(super) struct Watch {
    origin: Instant,
    frames: AtomicU64,
    /// Nanoseconds after `origin`, plus one; 0: never.
    last_frame: AtomicU64,
    /// The same for encoded data that reached a decoder.
    last_data: AtomicU64,
    /// Moving average of the interval between two frames, in nanoseconds.
    interval: AtomicU64,
    /// When the source agreed to send, as `last_frame`.
    agreed: AtomicU64,
    /// When a picture was last kept from the decoder, as `last_frame`.
    refused: AtomicU64,
    /// A decoder stands in the pipeline.
    decodes: AtomicBool,
    /// How long the data that goes to the decoder now has waited for it, in nanoseconds.
    late: AtomicU64,
    /// Pictures a second by the data itself, and by the camera's description: the bits of a number; 0: not said.
    coded_rate: AtomicU64,
    offered_rate: AtomicU64,
    /// Packets come by UDP.
    datagrams: AtomicBool,
}

impl Watch {
    pub(super) fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            origin: Instant::now(),
            frames: zero(),
            last_frame: zero(),
            last_data: zero(),
            interval: zero(),
            agreed: zero(),
            refused: zero(),
            decodes: AtomicBool::new(false),
            late: zero(),
            coded_rate: zero(),
            offered_rate: zero(),
            datagrams: AtomicBool::new(false),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX - 1) + 1
    }

    /// A frame came out of the decoder. Called by one thread at a time.
    pub(super) fn frame(&self) {
        let now = self.now();
        let before = self.last_frame.swap(now, Ordering::Relaxed);
        self.frames.fetch_add(1, Ordering::Relaxed);
        if before > 0 {
            let step = now.saturating_sub(before);
            let mean = self.interval.load(Ordering::Relaxed);
            let mean = if mean == 0 { step } else { mean / 8 * 7 + step / 8 };
            self.interval.store(mean, Ordering::Relaxed);
        }
    }

    /// Encoded data reached the decoder.
    pub(super) fn data(&self) {
        self.last_data.store(self.now(), Ordering::Relaxed);
    }

    /// The source has agreed to send.
    pub(super) fn agreed(&self) {
        self.agreed.store(self.now(), Ordering::Relaxed);
    }

    /// A picture was kept from the decoder on purpose: the wait for a better one is no silence of the camera. That wait
    /// is bounded elsewhere.
    pub(super) fn refused(&self) {
        self.refused.store(self.now(), Ordering::Relaxed);
    }

    /// Whether the source has agreed to send.
    pub(super) fn has_agreed(&self) -> bool {
        self.agreed.load(Ordering::Relaxed) > 0
    }

    /// There is a decoder: what comes without passing one is no picture of this connection's source.
    pub(super) fn decoding(&self) {
        self.decodes.store(true, Ordering::Relaxed);
    }

    /// Whether there is a decoder.
    pub(super) fn decodes(&self) -> bool {
        self.decodes.load(Ordering::Relaxed)
    }

    /// The data that goes to the decoder from now on has waited so long for it.
    pub(super) fn waited(&self, late: Duration) {
        self.late.store(u64::try_from(late.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How long the data that goes to the decoder now has waited for it.
    pub(super) fn late(&self) -> Duration {
        Duration::from_nanos(self.late.load(Ordering::Relaxed))
    }

    /// The data itself says how many pictures a second it is made of; `None`: it does not, or that varies.
    pub(super) fn coded_rate(&self, rate: Option<f64>) {
        announce(&self.coded_rate, rate);
    }

    /// The camera's description says so.
    pub(super) fn offered_rate(&self, rate: Option<f64>) {
        announce(&self.offered_rate, rate);
    }

    /// Pictures a second, as announced. A camera that says two things keeps its word where it keeps one of them.
    pub(super) fn announced(&self) -> Option<f64> {
        let rates = [&self.coded_rate, &self.offered_rate];
        let rates = rates.map(|cell| f64::from_bits(cell.load(Ordering::Relaxed))).into_iter();
        rates.filter(|rate| *rate > 0.0).reduce(f64::min)
    }

    /// Packets come by UDP, which may lose them.
    pub(super) fn datagrams(&self) {
        self.datagrams.store(true, Ordering::Relaxed);
    }

    /// Whether packets come by UDP.
    pub(super) fn has_datagrams(&self) -> bool {
        self.datagrams.load(Ordering::Relaxed)
    }

    /// Frames of this connection.
    pub(super) fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    /// Time since the last frame; where there was none, since the source agreed to send, or else since the begin. Once
    /// there was one, a frame that is kept from the decoder counts like one that came.
    pub(super) fn silence(&self) -> Duration {
        match self.frames() {
            0 => self.since(&self.agreed),
            _ => self.since(&self.last_frame).min(self.since(&self.refused)),
        }
    }

    /// When the last frame came, on the wall.
    pub(super) fn last_frame(&self) -> Option<SystemTime> {
        (self.frames() > 0).then(|| SystemTime::now() - self.since(&self.last_frame))
    }

    /// Whether encoded data came within `span`, though frames may not.
    pub(super) fn data_within(&self, span: Duration) -> bool {
        self.last_data.load(Ordering::Relaxed) > 0 && self.since(&self.last_data) <= span
    }

    /// Silence beyond this means frozen: `timeout`, or more for a camera whose frames are further apart than that.
    pub(super) fn patience(&self, timeout: Duration) -> Duration {
        timeout.max(Duration::from_nanos(self.interval.load(Ordering::Relaxed)).saturating_mul(INTERVALS))
    }

    fn since(&self, moment: &AtomicU64) -> Duration {
        Duration::from_nanos(self.now().saturating_sub(moment.load(Ordering::Relaxed).max(1)))
    }
}

fn announce(cell: &AtomicU64, rate: Option<f64>) {
    let rate = rate.filter(|rate| PLAUSIBLE.contains(rate)).unwrap_or_default();
    cell.store(rate.to_bits(), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_measures() {
        let watch = Watch::new();
        assert_eq!(watch.frames(), 0);
        assert!(watch.last_frame().is_none());
        assert!(!watch.data_within(Duration::from_secs(3600)));
        watch.data();
        watch.frame();
        assert_eq!(watch.frames(), 1);
        assert!(watch.last_frame().is_some());
        assert!(watch.data_within(Duration::from_secs(3600)));
        assert!(watch.silence() <= watch.origin.elapsed());
    }

    #[test]
    fn a_picture_that_is_kept_back_is_no_silence() {
        let Some(before) = Instant::now().checked_sub(Duration::from_secs(60)) else { return };
        let watch = Watch { origin: before, ..Watch::new() };
        watch.frames.store(1, Ordering::Relaxed);
        watch.last_frame.store(1, Ordering::Relaxed);
        assert!(watch.silence() >= Duration::from_secs(60));
        watch.refused();
        assert!(watch.silence() < Duration::from_secs(30), "{:?}", watch.silence());
    }

    #[test]
    fn slow_cameras_get_more_patience() {
        let watch = Watch::new();
        let timeout = Duration::from_millis(2500);
        watch.interval.store(40_000_000, Ordering::Relaxed);
        assert_eq!(watch.patience(timeout), timeout);
        watch.interval.store(2_000_000_000, Ordering::Relaxed);
        assert_eq!(watch.patience(timeout), Duration::from_secs(8));
    }

    #[test]
    fn the_announced_rate_is_the_lower_one_of_those_that_make_sense() {
        let watch = Watch::new();
        assert_eq!(watch.announced(), None);
        watch.offered_rate(Some(60.0));
        assert_eq!(watch.announced(), Some(60.0));
        watch.coded_rate(Some(25.0));
        assert_eq!(watch.announced(), Some(25.0));
        watch.coded_rate(Some(90_000.0));
        watch.offered_rate(Some(f64::NAN));
        assert_eq!(watch.announced(), None);
    }
}
