//! What `maskinfer` tells goes to the camera's metrics and to the [`Listener`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use gstmaskwatch::report::{DropReport, FrameReport, PersonReport, Report, VerdictReport, VisitReport};
use maskwatch_vision::face::MaskState;
use maskwatch_vision::sight::Luma;
use maskwatch_vision::statistics::{Tally, Totals};

use super::failure::Failure;
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

    /// A person counted before was counted at a further place.
    fn visit(&self, camera: &str, report: &VisitReport) {
        let _ = (camera, report);
    }

    /// A state is known while the person is still in view: for alerts.
    fn verdict(&self, camera: &str, report: &VerdictReport) {
        let _ = (camera, report);
    }

    /// A window of a camera with `privacy: statistics` has closed. Of such a camera nothing else about people is told.
    fn totals(&self, camera: &str, totals: &Totals) {
        let _ = (camera, totals);
    }

    /// How bright an analysed picture is.
    fn picture(&self, camera: &str, luma: &Luma) {
        let _ = (camera, luma);
    }

    /// A connection gave its first frames.
    fn up(&self, camera: &str) {
        let _ = camera;
    }

    /// A connection ended, or an attempt failed.
    fn down(&self, camera: &str, failure: &Failure) {
        let _ = (camera, failure);
    }
}

/// Several listeners, told in their order.
impl Listener for Vec<Arc<dyn Listener>> {
    fn frame(&self, camera: &str, report: &FrameReport) {
        self.iter().for_each(|listener| listener.frame(camera, report));
    }

    fn person(&self, camera: &str, report: &PersonReport) {
        self.iter().for_each(|listener| listener.person(camera, report));
    }

    fn visit(&self, camera: &str, report: &VisitReport) {
        self.iter().for_each(|listener| listener.visit(camera, report));
    }

    fn verdict(&self, camera: &str, report: &VerdictReport) {
        self.iter().for_each(|listener| listener.verdict(camera, report));
    }

    fn totals(&self, camera: &str, totals: &Totals) {
        self.iter().for_each(|listener| listener.totals(camera, totals));
    }

    fn picture(&self, camera: &str, luma: &Luma) {
        self.iter().for_each(|listener| listener.picture(camera, luma));
    }

    fn up(&self, camera: &str) {
        self.iter().for_each(|listener| listener.up(camera));
    }

    fn down(&self, camera: &str, failure: &Failure) {
        self.iter().for_each(|listener| listener.down(camera, failure));
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

    /// A connection gave its first frames.
    pub(super) fn up(&self) {
        if let Some(listener) = &self.listener {
            listener.up(self.hub.camera());
        }
    }

    /// A connection ended, or an attempt failed.
    pub(super) fn down(&self, failure: &Failure) {
        if let Some(listener) = &self.listener {
            listener.down(self.hub.camera(), failure);
        }
    }

    /// Takes one report in.
    pub(super) fn take(&mut self, report: Report) {
        if self.tally.is_some() {
            return self.take_unseen(report);
        }
        match report {
            Report::Frame(report) => {
                self.picture(&report);
                self.frame(&report);
            }
            Report::Person(report) => self.person(&report),
            Report::Visit(report) => self.visit(&report),
            Report::Verdict(report) => {
                if let Some(listener) = &self.listener {
                    listener.verdict(self.hub.camera(), &report);
                }
            }
            Report::Drop(report) => self.dropped(report),
        }
    }

    /// The same with `privacy: statistics`. What is not named here is not told: also what is added to the reports one
    /// day.
    fn take_unseen(&mut self, report: Report) {
        match report {
            Report::Frame(report) => {
                self.metrics.frame_analyzed_unseen();
                self.picture(&report);
            }
            Report::Person(report) => {
                if let Some(tally) = &mut self.tally {
                    tally.add(report.person.state);
                }
            }
            Report::Drop(report) => self.dropped(report),
            Report::Visit(_) | Report::Verdict(_) | Report::Hidden(_) => {}
        }
    }

    fn dropped(&mut self, report: DropReport) {
        self.metrics.frame_dropped(FrameDrop::from_name(&report.reason));
        if let Some(error) = report.error {
            self.complain(&error);
        }
    }

    /// A camera's health is told whatever may be told of people.
            Report::Hidden(reason) => self.metrics.frame_hidden(reason),
    fn picture(&self, report: &FrameReport) {
        if let Some((listener, luma)) = self.listener.as_ref().zip(report.luma) {
            listener.picture(self.hub.camera(), &luma);
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
        let state = report.person.state;
        self.status.person(state);
        self.metrics.person(state);
        report.zones.iter().for_each(|zone| self.metrics.person_at(zone, state));
        report.crossings.iter().for_each(|crossing| self.metrics.person_at(&crossing.label(), state));
        if let Some(listener) = &self.listener {
            listener.person(self.hub.camera(), report);
        }
    }

    fn visit(&self, report: &VisitReport) {
        self.metrics.person_at(&report.visited.label(), report.state);
        if let Some(listener) = &self.listener {
            listener.visit(self.hub.camera(), report);
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
        Report::Person(PersonReport {
            camera: "gate".into(),
            person,
            zones: vec!["hall".into()],
            crossings: Vec::new(),
        })
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
}
