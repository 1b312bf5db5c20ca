//! What the people counted add up to: the compliance ratio of each camera over a sliding window.
//!
//! The ratio grows old by itself when nobody comes, so it is worked out when it is asked for ([`People::refresh`]).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use gstmaskwatch::report::PersonReport;
use maskwatch_vision::compliance::{ComplianceConfig, ComplianceWindow, Figure};
use maskwatch_vision::face::MaskState;
use maskwatch_vision::statistics::Totals;

use crate::camera::Listener;
use crate::metrics::Metrics;

/// The windows of all cameras: an hour in buckets of a minute; no ratio under twenty people.
pub struct People {
    metrics: Arc<Metrics>,
    config: ComplianceConfig,
    windows: Mutex<HashMap<String, ComplianceWindow>>,
}

impl People {
    /// Nobody yet.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, config: ComplianceConfig::default(), windows: Mutex::default() }
    }

    /// Brings the gauges up to date: before each scrape.
    pub fn refresh(&self) {
        let now = now();
        let ratios: Vec<(String, Option<f64>)> = {
            let windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
            windows.iter().map(|(camera, window)| (camera.clone(), window.figure(now).ratio)).collect()
        };
        for (camera, ratio) in ratios {
            self.metrics.camera(&camera).compliance(ratio);
        }
    }

    /// Counts, ratio and its uncertainty of one camera now; nobody where nobody came.
    pub fn figure(&self, camera: &str) -> Figure {
        let windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        windows.get(camera).map(|window| window.figure(now())).unwrap_or_default()
    }

    /// Length of the windows.
    pub fn window(&self) -> Duration {
        self.config.window
    }
}

impl Listener for People {
    fn person(&self, camera: &str, report: &PersonReport) {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.entry(camera.to_owned()).or_insert_with(|| ComplianceWindow::new(self.config));
        window.add(now(), report.person.state);
    }

    fn totals(&self, camera: &str, totals: &Totals) {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.entry(camera.to_owned()).or_insert_with(|| ComplianceWindow::new(self.config));
        for (state, people) in MaskState::ALL.into_iter().zip(totals.people) {
            (0..people.unwrap_or(0)).for_each(|_| window.add(now(), state));
        }
    }
}

/// Time since the Unix epoch: windows are meant to outlive the process one day.
fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use maskwatch_vision::track::Person;

    use super::*;

    fn person(state: MaskState) -> PersonReport {
        let (first_seen, last_seen) = (Duration::ZERO, Duration::ZERO);
        let person =
            Person { track: 1, state, confidence: 1.0, first_seen, last_seen, frames: 3, face_height_px: 40.0 };
        PersonReport { camera: "gate".into(), person }
    }

    #[test]
    fn the_gauge_appears_with_enough_known_people() {
        let metrics = Metrics::new().unwrap();
        metrics.camera("gate");
        let people = People::new(Arc::clone(&metrics));
        for _ in 0..30 {
            people.person("gate", &person(MaskState::Unknown));
        }
        for _ in 0..19 {
            people.person("gate", &person(MaskState::Mask));
        }
        people.refresh();
        assert!(!metrics.render().unwrap().contains("compliance_ratio{"), "19 known people are too few");
        people.person("gate", &person(MaskState::NoMask));
        people.refresh();
        let text = metrics.render().unwrap();
        assert!(text.contains("maskwatch_compliance_ratio{camera=\"gate\"} 0.95"), "{text}");
        let (low, high) = people.figure("gate").interval.unwrap();
        assert!(low < 0.95 && 0.95 < high);
        assert_eq!(people.figure("yard"), Figure::default());
    }
}
