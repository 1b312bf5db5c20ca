//! What `maskinfer` tells goes to the camera's metrics, to the overlay's caption and to the [`Listener`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use gstmaskwatch::report::{FrameReport, PersonReport, Report};
use maskwatch_vision::face::MaskState;
use maskwatch_vision::statistics::{Tally, Totals};

use super::status::CameraStatus;
use crate::config::plan::{CameraPlan, Privacy};
use crate::frames::Hub;
use crate::metrics::{CameraMetrics, FrameDrop};

/// Least time between two log lines about failed analyses of one camera.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Hears every result of every camera, on the camera's supervisor thread, with no lock held.
pub trait Listener: Send + Sync {
    /// A frame was analysed.
    fn frame(&self, camera: &str, report: &FrameReport) {
        let _ = (camera, report);
    }

    /// A person was counted.
    fn person(&self, camera: &str, report: &PersonReport) {
        let _ = (camera, report);
    }

    /// A window of a camera with `privacy: statistics` has closed. Of such a camera nothing else about people is told.
    fn totals(&self, camera: &str, totals: &Totals) {
        let _ = (camera, totals);
    }
}

/// The results of one camera. The one place through which they leave it: with `privacy: statistics` nothing about one
/// person or one moment passes, but only the totals of [`Tally`].
pub(super) struct Results {
    /// With `privacy: statistics`.
    tally: Option<Tally>,
    origin: Instant,
    status: Arc<CameraStatus>,
    metrics: Arc<CameraMetrics>,
    hub: Arc<Hub>,
    listener: Option<Arc<dyn Listener>>,
    complaint: Option<Instant>,
    suppressed: u64,
}

impl Results {
    pub(super) fn new(
        plan: &CameraPlan,
        status: Arc<CameraStatus>,
        metrics: Arc<CameraMetrics>,
        hub: Arc<Hub>,
        listener: Option<Arc<dyn Listener>>,
    ) -> Self {
        let statistics = plan.privacy == Privacy::Statistics;
        let tally = statistics.then(|| Tally::new(plan.statistics, Duration::ZERO));
        Self { tally, origin: Instant::now(), status, metrics, hub, listener, complaint: None, suppressed: 0 }
    }

    /// Looks whether a window has closed. To be called some times per second.
    pub(super) fn tick(&mut self) {
        let now = self.origin.elapsed();
        let Some(totals) = self.tally.as_mut().and_then(|tally| tally.close(now)) else { return };
        for (state, people) in MaskState::ALL.into_iter().zip(totals.people) {
            self.metrics.people(state, people.unwrap_or(0));
        }
        if let Some(listener) = &self.listener {
            listener.totals(self.hub.camera(), &totals);
        }
    }

    /// Takes one report in.
    pub(super) fn take(&mut self, report: Report) {
        if let Some(tally) = &mut self.tally {
            // Whatever is not named here is not told: also what is added to the reports one day.
            match &report {
                Report::Frame(_) => return self.metrics.frame_analyzed_unseen(),
                Report::Person(report) => return tally.add(report.person.state),
                Report::Drop(_) => {}
                #[allow(unreachable_patterns)]
                _ => return,
            }
        }
        match report {
            Report::Frame(report) => self.frame(&report),
            Report::Person(report) => self.person(&report),
            Report::Drop(report) => {
                self.metrics.frame_dropped(FrameDrop::from_name(&report.reason));
                if let Some(error) = report.error {
                    self.complain(&error);
                }
            }
        }
    }

    fn frame(&self, report: &FrameReport) {
        self.status.picture(report);
        if let (Some(time), Some(hide)) = (report.running_time, &report.hide) {
            self.hub.analyzed(time.into(), hide);
        }
        self.metrics.frame_analyzed(report.latency);
        for face in &report.raw {
            self.metrics.face_seen(face.detection.rect.h * report.height as f32);
        }
        let mut visible = [0; MaskState::ALL.len()];
        for face in &report.faces {
            visible[face.state as usize] += 1;
        }
        self.metrics.people_visible(visible);
        if let Some(listener) = &self.listener {
            listener.frame(self.hub.camera(), report);
        }
    }

    fn person(&self, report: &PersonReport) {
        self.status.person(report.person.state);
        self.metrics.person(report.person.state);
        if let Some(caption) = caption(self.metrics.people_so_far()) {
            self.hub.set_caption(&caption);
        }
        if let Some(listener) = &self.listener {
            listener.person(self.hub.camera(), report);
        }
    }

    /// The same trouble with every frame is one line every ten seconds.
    fn complain(&mut self, error: &str) {
        if self.complaint.is_some_and(|last| last.elapsed() < LOG_EVERY) {
            self.suppressed += 1;
            return;
        }
        tracing::warn!(error, suppressed = self.suppressed, "a frame was not analysed");
        (self.complaint, self.suppressed) = (Some(Instant::now()), 0);
    }
}

/// The running figure of the overlay: people so far, in the order of [`MaskState::ALL`]. `None` while nobody is known.
fn caption(people: [u64; MaskState::ALL.len()]) -> Option<String> {
    let of = |state: MaskState| people[state as usize];
    let known = of(MaskState::Mask) + of(MaskState::Incorrect) + of(MaskState::NoMask);
    let unknown = of(MaskState::Unknown);
    if known == 0 {
        return None;
    }
    let percent = of(MaskState::Mask) as f64 / known as f64 * 100.0;
    let rest = if unknown > 0 { format!(", {unknown} unknown") } else { String::new() };
    Some(format!("Mask {percent:.0} % of {known}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes down what it hears.
    #[derive(Default)]
    struct Ear(std::sync::Mutex<Vec<String>>);

    impl Listener for Ear {
        fn frame(&self, _: &str, _: &FrameReport) {
            self.0.lock().unwrap().push("frame".into());
        }

        fn person(&self, _: &str, _: &PersonReport) {
            self.0.lock().unwrap().push("person".into());
        }

        fn totals(&self, camera: &str, totals: &Totals) {
            self.0.lock().unwrap().push(format!("{camera} {:?}", totals.people));
        }
    }

    fn person(state: MaskState) -> Report {
        let (first_seen, last_seen) = (Duration::ZERO, Duration::ZERO);
        let person = maskwatch_vision::track::Person {
            track: 1,
            state,
            confidence: 1.0,
            first_seen,
            last_seen,
            frames: 3,
            face_height_px: 40.0,
        };
        Report::Person(PersonReport { camera: "gate".into(), person })
    }

    #[test]
    fn with_statistics_only_totals_of_enough_people_leave() {
        let url = crate::config::secret::CameraUrl::parse("rtsp://127.0.0.1/a").unwrap();
        let statistics = maskwatch_vision::statistics::StatisticsConfig { window: Duration::ZERO, minimum: 3 };
        let plan = CameraPlan { privacy: Privacy::Statistics, statistics, ..CameraPlan::new("gate", url) };
        let all = crate::metrics::Metrics::new().unwrap();
        let metrics = all.camera("gate");
        all.withhold("gate");
        let hub = Hub::new(&plan, &metrics);
        let ear = Arc::new(Ear::default());
        let status = Arc::new(CameraStatus::new());
        let mut results =
            Results::new(&plan, status, metrics, Arc::clone(&hub), Some(Arc::clone(&ear) as Arc<dyn Listener>));
        for _ in 0..2 {
            results.take(person(MaskState::NoMask));
        }
        for _ in 0..4 {
            results.take(person(MaskState::Mask));
        }
        let count = |text: &str| all.render().unwrap().contains(text);
        assert!(count("people_total{camera=\"gate\",state=\"mask\",zone=\"\"} 0"), "nothing moves before the end");
        results.tick();
        assert!(count("people_total{camera=\"gate\",state=\"mask\",zone=\"\"} 4"));
        assert!(count("people_total{camera=\"gate\",state=\"no_mask\",zone=\"\"} 0"));
        assert_eq!(*ear.0.lock().unwrap(), ["gate [Some(4), None, None, None]"]);
        assert!(!count("people_visible{camera=\"gate\"") && !count("face_height_pixels_count{camera=\"gate\""));
        assert_eq!(&*hub.caption(), "");
    }

    #[test]
    fn the_caption_leaves_unknown_out_of_the_ratio() {
        assert_eq!(caption([0, 0, 0, 4]), None);
        assert_eq!(caption([3, 0, 1, 0]).as_deref(), Some("Mask 75 % of 4"));
        assert_eq!(caption([1, 1, 1, 2]).as_deref(), Some("Mask 33 % of 3, 2 unknown"));
    }
}
