//! What `maskinfer` tells goes to the camera's metrics and to the [`Listener`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use gstmaskwatch::report::{FrameReport, PersonReport, Report, VerdictReport, VisitReport};
use maskwatch_vision::face::MaskState;
use maskwatch_vision::sight::Luma;

use super::failure::Failure;
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

/// The results of one camera.
pub(super) struct Results {
    metrics: Arc<CameraMetrics>,
    hub: Arc<Hub>,
    listener: Option<Arc<dyn Listener>>,
    complaint: Option<Instant>,
    suppressed: u64,
}

impl Results {
    pub(super) fn new(metrics: Arc<CameraMetrics>, hub: Arc<Hub>, listener: Option<Arc<dyn Listener>>) -> Self {
        Self { metrics, hub, listener, complaint: None, suppressed: 0 }
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
            Report::Drop(report) => {
                self.metrics.frame_dropped(FrameDrop::from_name(&report.reason));
                if let Some(error) = report.error {
                    self.complain(&error);
                }
            }
        }
    }

    /// A camera's health is told whatever may be told of people.
    fn picture(&self, report: &FrameReport) {
        if let Some((listener, luma)) = self.listener.as_ref().zip(report.luma) {
            listener.picture(self.hub.camera(), &luma);
        }
    }

    fn frame(&self, report: &FrameReport) {
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
