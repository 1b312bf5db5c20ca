//! What `maskinfer` tells goes to the camera's metrics and to the [`Listener`].

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use gstmaskwatch::report::{DropReport, FrameReport, PersonReport, Report, VerdictReport, VisitReport};
use maskwatch_vision::face::MaskState;
use maskwatch_vision::sight::Luma;
use maskwatch_vision::statistics::{StatisticsConfig, Tally, Totals};

use super::degraded::{Finding, Fitness};
use super::failure::{Failure, Origin};
use super::status::{CameraStatus, Degradation};
use super::tally;
use super::watch::Watch;
use crate::config::plan::{CameraPlan, Privacy};
use crate::frames::Hub;
use crate::metrics::{CameraMetrics, FrameDrop};

/// Frames that make a connection up. A frozen camera may still send one picture to each newcomer, its last; it would be
/// up and down in turn.
pub(super) const PROOF: u64 = 2;
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

    /// A connection gave its first frames; they can be had already, and the camera's state says so.
    fn up(&self, camera: &str) {
        let _ = camera;
    }

    /// Too little of what the camera sends comes out decoded, or for another reason than before. Told again only after
    /// [`Self::restored`], [`Self::up`] or [`Self::down`].
    fn degraded(&self, camera: &str, degradation: &Degradation) {
        let _ = (camera, degradation);
    }

    /// Enough comes out decoded again.
    fn restored(&self, camera: &str) {
        let _ = camera;
    }

    /// A connection ended, or an attempt failed; the camera's state says so already, and its pictures are gone.
    fn down(&self, camera: &str, failure: &Failure) {
        let _ = (camera, failure);
    }
}

/// Several listeners, told in their order. One that panics costs the others nothing.
impl Listener for Vec<Arc<dyn Listener>> {
    fn frame(&self, camera: &str, report: &FrameReport) {
        self.iter().for_each(|listener| guarded(|| listener.frame(camera, report)));
    }

    fn person(&self, camera: &str, report: &PersonReport) {
        self.iter().for_each(|listener| guarded(|| listener.person(camera, report)));
    }

    fn visit(&self, camera: &str, report: &VisitReport) {
        self.iter().for_each(|listener| guarded(|| listener.visit(camera, report)));
    }

    fn verdict(&self, camera: &str, report: &VerdictReport) {
        self.iter().for_each(|listener| guarded(|| listener.verdict(camera, report)));
    }

    fn totals(&self, camera: &str, totals: &Totals) {
        self.iter().for_each(|listener| guarded(|| listener.totals(camera, totals)));
    }

    fn picture(&self, camera: &str, luma: &Luma) {
        self.iter().for_each(|listener| guarded(|| listener.picture(camera, luma)));
    }

    fn up(&self, camera: &str) {
        self.iter().for_each(|listener| guarded(|| listener.up(camera)));
    }

    fn degraded(&self, camera: &str, degradation: &Degradation) {
        self.iter().for_each(|listener| guarded(|| listener.degraded(camera, degradation)));
    }

    fn restored(&self, camera: &str) {
        self.iter().for_each(|listener| guarded(|| listener.restored(camera)));
    }

    fn down(&self, camera: &str, failure: &Failure) {
        self.iter().for_each(|listener| guarded(|| listener.down(camera, failure)));
    }
}

/// A listener that panics has missed one result, and goes on with the next: it keeps counts and events, of which no later
/// one may be lost. The camera goes on too.
fn guarded(tell: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(tell)).is_err() {
        tracing::error!("a result was not taken; the log says why");
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
    /// Where the pictures come from.
    source: Origin,
    /// The running connection is up.
    up: bool,
    /// How much of it comes out decoded.
    fitness: Fitness,
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
        let origin = Instant::now();
        let (source, fitness) = (Origin::of(plan), Fitness::default());
        Self {
            tally,
            origin,
            status,
            metrics,
            hub,
            listener,
            source,
            up: false,
            fitness,
            complaint: None,
            suppressed: 0,
        }
    }

    /// Looks whether a window has closed. To be called some times per second.
    pub(super) fn tick(&mut self) {
        let now = self.origin.elapsed();
        let Some(totals) = self.tally.as_mut().and_then(|tally| tally.close(now)) else { return };
        for (state, people) in MaskState::ALL.into_iter().zip(totals.people) {
            self.metrics.people(state, people.unwrap_or(0));
        }
        self.tell(|listener, camera| listener.totals(camera, &totals));
    }

    /// Looks whether the connection, which has given so many frames, the latest at `last_frame`, is up; then tells it, once
    /// per connection. Being up promises that its pictures can be had, so it waits for the first to arrive at the hub.
    pub(super) fn rise(&mut self, frames: u64, last_frame: Option<SystemTime>) -> bool {
        if self.up || frames < PROOF || !self.hub.is_ready() {
            return false;
        }
        self.up = true;
        self.status.up(last_frame, || self.metrics.connected());
        self.tell(|listener, camera| listener.up(camera));
        true
    }

    /// Looks whether enough of the connection, which has been up for so long, comes out decoded. To be called some times
    /// per second.
    pub(super) fn judge(&mut self, up: Duration, watch: &Watch, tally: &tally::Tally) {
        let origin = self.source.by(watch.has_datagrams());
        // A file's pictures need not be evenly spaced.
        let announced = watch.announced().filter(|_| origin != Origin::File);
        if let Some(finding) = self.fitness.look(up, tally.counts(), announced) {
            self.fares(&finding, origin);
        }
    }

    fn fares(&self, finding: &Finding, origin: Origin) {
        let Finding::Degraded { shortfall, news } = finding else {
            self.status.degraded(None, || self.metrics.degraded(None));
            tracing::info!("no longer degraded");
            return self.tell(|listener, camera| listener.restored(camera));
        };
        let since = self.status.view().degraded.map_or_else(SystemTime::now, |known| known.since);
        let (reason, message) = (shortfall.reason, shortfall.sentence(origin));
        let degradation = Degradation { reason, message, ratio: shortfall.ratio(), since };
        self.status.degraded(Some(degradation.clone()), || self.metrics.degraded(Some(reason)));
        if *news {
            tracing::warn!(reason = reason.as_str(), "degraded: {}", degradation.message);
            self.tell(|listener, camera| listener.degraded(camera, &degradation));
        }
    }

    /// A new connection begins: it is not judged by the one before.
    pub(super) fn begin(&mut self) {
        self.up = false;
        self.fitness = Fitness::default();
        self.status.degraded(None, || self.metrics.degraded(None));
    }

    /// The camera runs by another plan from now on. People of an open window of `privacy: statistics` stay in it as long as
    /// the mode does; what is not told when the mode ends is forgotten.
    pub(super) fn change(&mut self, plan: &CameraPlan) {
        self.source = Origin::of(plan);
        let now = self.origin.elapsed();
        match (&mut self.tally, plan.privacy == Privacy::Statistics) {
            (Some(tally), true) => tally.set_config(plan.statistics),
            (tally, true) => *tally = Some(Tally::new(plan.statistics, now)),
            (tally, false) => *tally = None,
        }
    }

    /// The connection was ended because another is wanted.
    pub(super) fn renew(&mut self) {
        self.up = false;
        self.status.renew(|| {
            self.hub.clear();
            self.metrics.degraded(None);
            self.metrics.renewed();
        });
    }

    /// A connection ended, or an attempt failed. Its pictures go with the state that promised them; who hears of it last
    /// finds it everywhere.
    pub(super) fn fall(&mut self, failure: &Failure) {
        self.up = false;
        self.status.down(failure.clone(), || {
            self.hub.clear();
            self.metrics.degraded(None);
            self.metrics.disconnected(failure.reason);
        });
        self.tell(|listener, camera| listener.down(camera, failure));
    }

    fn tell(&self, what: impl FnOnce(&dyn Listener, &str)) {
        if let Some(listener) = &self.listener {
            guarded(|| what(listener.as_ref(), self.hub.camera()));
        }
    }

    /// Takes one report in.
    pub(super) fn take(&mut self, report: Report) {
        // The mode is in force at the hub before the plan with it arrives here: nobody is told of in between.
        if self.tally.is_none() && self.hub.privacy() == Privacy::Statistics {
            self.tally = Some(Tally::new(StatisticsConfig::default(), self.origin.elapsed()));
        }
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
            Report::Verdict(report) => self.tell(|listener, camera| listener.verdict(camera, &report)),
            Report::Drop(report) => self.dropped(report),
            Report::Hidden(reason) => self.metrics.frame_hidden(reason),
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
    fn picture(&self, report: &FrameReport) {
        if let Some(luma) = &report.luma {
            self.tell(|listener, camera| listener.picture(camera, luma));
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
        // What comes of a connection that has ended is of people whom nobody sees any more.
        if self.up {
            let mut visible = [0; MaskState::ALL.len()];
            report.faces.iter().for_each(|face| visible[face.state as usize] += 1);
            self.metrics.people_visible(visible);
        }
        self.tell(|listener, camera| listener.frame(camera, report));
    }

    fn person(&self, report: &PersonReport) {
        let state = report.person.state;
        self.status.person(state);
        self.metrics.person(state);
        report.zones.iter().for_each(|zone| self.metrics.person_at(zone, state));
        report.crossings.iter().for_each(|crossing| self.metrics.person_at(&crossing.label(), state));
        self.tell(|listener, camera| listener.person(camera, report));
    }

    fn visit(&self, report: &VisitReport) {
        self.metrics.person_at(&report.visited.label(), report.state);
        self.tell(|listener, camera| listener.visit(camera, report));
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
#[path = "results_tests.rs"]
mod tests;
