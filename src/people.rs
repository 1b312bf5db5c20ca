//! What the people counted add up to: the compliance ratio of each camera over a sliding window.
//!
//! The ratio grows old by itself when nobody comes, so it is worked out when it is asked for ([`People::refresh`]).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gstmaskwatch::report::PersonReport;
use maskwatch_vision::face::MaskState;

use crate::camera::Listener;
use crate::metrics::Metrics;

/// Length of the window: this many buckets of [`BUCKET`], the running one among them.
const BUCKETS: u64 = 15;
const BUCKET: Duration = Duration::from_secs(60);
/// People of a known state needed for a figure: with fewer, one person more or less turns it over.
const LEAST: u64 = 10;

/// Counts of one bucket, in the order of [`MaskState::ALL`].
type Counts = [u64; MaskState::ALL.len()];

/// The windows of all cameras.
pub struct People {
    metrics: Arc<Metrics>,
    begin: Instant,
    windows: Mutex<HashMap<String, Window>>,
}

impl People {
    /// Nobody yet.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, begin: Instant::now(), windows: Mutex::default() }
    }

    /// Brings the gauges up to date: before each scrape.
    pub fn refresh(&self) {
        let now = self.begin.elapsed();
        let ratios: Vec<(String, Option<f64>)> = {
            let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
            windows.iter_mut().map(|(camera, window)| (camera.clone(), window.ratio(now))).collect()
        };
        for (camera, ratio) in ratios {
            self.metrics.camera(&camera).compliance(ratio);
        }
    }

    /// The ratio of one camera now; `None` while too few people came by.
    pub fn ratio(&self, camera: &str) -> Option<f64> {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        windows.get_mut(camera)?.ratio(self.begin.elapsed())
    }
}

impl Listener for People {
    fn person(&self, camera: &str, report: &PersonReport) {
        let now = self.begin.elapsed();
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        windows.entry(camera.to_owned()).or_default().add(now, report.person.state);
    }
}

/// One camera's buckets. Memory is bounded whatever the crowd.
#[derive(Default)]
struct Window {
    buckets: [(u64, Counts); BUCKETS as usize],
}

impl Window {
    fn add(&mut self, now: Duration, state: MaskState) {
        let number = number(now);
        let bucket = &mut self.buckets[(number % BUCKETS) as usize];
        if bucket.0 != number {
            *bucket = (number, Counts::default());
        }
        bucket.1[state as usize] += 1;
    }

    fn ratio(&mut self, now: Duration) -> Option<f64> {
        let number = number(now);
        let valid = self.buckets.iter().filter(|(bucket, _)| bucket + BUCKETS > number);
        let sum = |state: MaskState| valid.clone().map(|(_, counts)| counts[state as usize]).sum::<u64>();
        let mask = sum(MaskState::Mask);
        let known = mask + sum(MaskState::Incorrect) + sum(MaskState::NoMask);
        (known >= LEAST).then(|| mask as f64 / known as f64)
    }
}

fn number(now: Duration) -> u64 {
    now.as_secs() / BUCKET.as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(n: u64) -> Duration {
        BUCKET * u32::try_from(n).unwrap()
    }

    #[test]
    fn unknown_is_beside_the_ratio_and_few_people_give_none() {
        let mut window = Window::default();
        for _ in 0..20 {
            window.add(minutes(0), MaskState::Unknown);
        }
        for _ in 0..9 {
            window.add(minutes(1), MaskState::Mask);
        }
        assert_eq!(window.ratio(minutes(1)), None);
        window.add(minutes(2), MaskState::NoMask);
        assert_eq!(window.ratio(minutes(2)), Some(0.9));
    }

    #[test]
    fn the_window_slides() {
        let mut window = Window::default();
        for _ in 0..10 {
            window.add(minutes(1), MaskState::NoMask);
        }
        for _ in 0..10 {
            window.add(minutes(5), MaskState::Mask);
        }
        assert_eq!(window.ratio(minutes(15)), Some(0.5));
        assert_eq!(window.ratio(minutes(16)), Some(1.0));
        assert_eq!(window.ratio(minutes(20)), None);
        window.add(minutes(31), MaskState::Mask);
        assert_eq!(window.ratio(minutes(31)), None, "a bucket used again holds the new only");
    }
}
