//! The thread that keeps one camera alive: connect, watch, tear down, pause, again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gst::prelude::*;

use super::failure::Failure;
use super::handle::CameraHandle;
use super::intake::Running;
use super::orders::{Ordered, Orders};
use super::results::{Listener, Results};
use super::rtsp;
use super::source::{self, Outlets, Source};
use super::status::CameraStatus;
use super::tally::Tally;
use super::teardown::teardown;
use super::watch::Watch;
use crate::backoff::Pauses;
use crate::config::plan::CameraPlan;
use crate::frames::Hub;
use crate::metrics::{CameraMetrics, DisconnectReason};

/// How often a running camera is looked at.
pub(super) const TICK: gst::ClockTime = gst::ClockTime::from_mseconds(100);
/// Time from the start of an attempt to its first picture. A camera's keyframes may be seconds apart.
pub(super) const FIRST_FRAME: Duration = Duration::from_secs(10);
/// How long who fetches has to say good-bye to its source.
pub(super) const GOODBYE: Duration = Duration::from_secs(1);
/// A connection that held for so long was good: the pauses start small again.
const STABLE: Duration = Duration::from_secs(10);

/// What a camera needs besides its plan.
#[derive(Clone)]
pub struct CameraContext {
    /// The camera's metrics.
    pub metrics: Arc<CameraMetrics>,
    /// Where its frames go.
    pub hub: Arc<Hub>,
    /// Name by which the engine is registered with `gstmaskwatch::engines`; `None`: no analysis.
    pub engine: Option<String>,
    /// Hears its results.
    pub listener: Option<Arc<dyn Listener>>,
}

/// Keeps a camera alive, on a thread of its own.
pub struct Supervisor {
    plan: CameraPlan,
    context: CameraContext,
    results: Results,
    status: Arc<CameraStatus>,
    orders: Arc<Orders>,
    /// What was learnt of the camera, from connection to connection.
    memory: rtsp::Memory,
}

impl Supervisor {
    /// Runs a camera on a thread of its own, for ever.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn spawn(plan: CameraPlan, context: CameraContext) -> std::io::Result<CameraHandle> {
        Self::spawn_by(plan, context, Orders::default())
    }

    /// The same, but it connects only when it is given its engine.
    ///
    /// # Errors
    /// As of [`Self::spawn`].
    pub fn spawn_held(plan: CameraPlan, context: CameraContext) -> std::io::Result<CameraHandle> {
        Self::spawn_by(plan, context, Orders::held())
    }

    fn spawn_by(plan: CameraPlan, context: CameraContext, orders: Orders) -> std::io::Result<CameraHandle> {
        let status = Arc::new(CameraStatus::new());
        let orders = Arc::new(orders);
        let (done, ended) = crossbeam_channel::bounded::<()>(0);
        let hub = Arc::clone(&context.hub);
        let mut camera = Self {
            results: Results::new(
                &plan,
                Arc::clone(&status),
                Arc::clone(&context.metrics),
                Arc::clone(&hub),
                context.listener.clone(),
            ),
            plan: plan.clone(),
            context,
            status: Arc::clone(&status),
            orders: Arc::clone(&orders),
            memory: rtsp::Memory::default(),
        };
        let thread = std::thread::Builder::new().name(format!("cam-{}", plan.name)).spawn(move || {
            let span = tracing::info_span!("camera", camera = %camera.plan.name);
            let _entered = span.enter();
            camera.run();
            drop(done);
        })?;
        Ok(CameraHandle { plan, hub, status, orders, thread: Some(thread), ended })
    }
}

/// How one connection ended.
enum End {
    /// It was asked to.
    Stopped,
    /// Another connection is wanted.
    Renewed,
    /// Something went wrong.
    Failed(Failure),
}

impl Supervisor {
    fn run(&mut self) {
        self.orders.wait_to_begin();
        let mut pauses = Pauses::default();
        while !self.orders.is_stopped() {
            self.adopt(None);
            let (end, good_for) = self.run_guarded();
            let failure = match end {
                End::Stopped => break,
                End::Renewed => {
                    pauses.reset();
                    continue;
                }
                End::Failed(failure) => failure,
            };
            if good_for >= STABLE {
                pauses.reset();
            }
            let pause = pauses.next(failure.reason == DisconnectReason::Auth, rand::random());
            tracing::debug!(pause_s = pause.as_secs_f64(), "next attempt after a pause");
            if self.pause(Instant::now() + pause) {
                pauses.reset();
            }
        }
        self.context.metrics.set_up(false);
        self.context.metrics.degraded(None);
    }

    /// Waits before the next attempt. True where it ends early because the camera is to be reached another way: a password
    /// that was changed is tried at once.
    fn pause(&mut self, until: Instant) -> bool {
        while !self.orders.is_stopped() && Instant::now() < until {
            self.orders.wait(until);
            if self.adopt(None) {
                return true;
            }
        }
        false
    }

    /// Takes over what was ordered, in the connection that runs, if one does. True where another connection is needed.
    fn adopt(&mut self, connection: Option<&Connection<'_>>) -> bool {
        let Some(Ordered { plan, engine }) = self.orders.take() else { return false };
        let plan = plan.unwrap_or_else(|| self.plan.clone());
        let renew = !plan.same_source(&self.plan);
        if let Some(connection) = connection.filter(|_| !renew) {
            connection.source.change((&self.plan, &plan), engine.as_deref());
        }
        if renew {
            self.memory = rtsp::Memory::default();
        }
        self.results.change(&plan);
        self.plan = plan;
        self.context.engine = engine.or(self.context.engine.take());
        renew
    }

    /// A defect of this program costs one connection, not the camera.
    fn run_guarded(&mut self) -> (End, Duration) {
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.run_once()));
        caught.unwrap_or_else(|_| {
            let failure = Failure::new(DisconnectReason::Error, "internal error, see the log");
            self.fell(&failure);
            (End::Failed(failure), Duration::ZERO)
        })
    }

    /// One connection from its start to its end, and for how long frames came.
    fn run_once(&mut self) -> (End, Duration) {
        self.results.begin();
        let watch = Arc::new(Watch::new());
        let tally = Arc::new(Tally::new(Arc::clone(&self.context.metrics)));
        let outlets = Outlets {
            hub: Arc::clone(&self.context.hub),
            watch: Arc::clone(&watch),
            tally: Arc::clone(&tally),
            memory: Arc::clone(&self.memory),
            once: false,
        };
        let built = source::build(&self.plan, self.context.engine.as_deref(), &outlets);
        let mut source = match built {
            Ok(source) => source,
            Err(error) => {
                let failure = Failure::new(DisconnectReason::Unsupported, format!("no pipeline: {error}"));
                self.fell(&failure);
                return (End::Failed(failure), Duration::ZERO);
            }
        };
        let intake = source.intake.take();
        let mut connection = Connection::new(&source, &watch, &tally);
        // An error of the state change comes on the bus, with its cause.
        source.pipeline.set_state(gst::State::Playing).ok();
        match intake.map(|(intake, feed)| Running::start(intake, feed, &self.plan.name)).transpose() {
            Ok(running) => connection.intake = running,
            Err(error) => connection.stillborn = Some(Failure::new(DisconnectReason::Error, error.to_string())),
        }
        let attended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.attend(&mut connection)));
        let end = match attended {
            Ok(end) => end,
            Err(panic) => {
                // A pipeline must not be dropped while it plays, whatever happened beside it.
                let intake = connection.intake.take();
                self.end(source, intake, &tally);
                std::panic::resume_unwind(panic);
            }
        };
        // Metrics and status tell before the teardown, which may take its time.
        match &end {
            End::Failed(failure) => self.fell(failure),
            End::Renewed => {
                self.results.renew();
                tracing::info!("connecting anew: the configuration has changed");
            }
            End::Stopped => {}
        }
        let good_for = connection.up_since.map_or(Duration::ZERO, |since| since.elapsed());
        let intake = connection.intake.take();
        self.end(source, intake, &tally);
        (end, good_for)
    }

    /// Follows a connection until it ends.
    fn attend(&mut self, connection: &mut Connection<'_>) -> End {
        let Some(bus) = connection.source.pipeline.bus() else {
            return End::Failed(Failure::new(DisconnectReason::Error, "the pipeline has no bus"));
        };
        loop {
            if self.orders.is_stopped() {
                return End::Stopped;
            }
            if self.adopt(Some(connection)) {
                return End::Renewed;
            }
            // Who fetches knows more of a failure than the pipeline that it feeds.
            if let Some(failure) = connection.failure() {
                return End::Failed(failure);
            }
            if let Some(message) = bus.timed_pop(TICK)
                && let Some(end) = self.heard(connection, &message)
            {
                return end;
            }
            if let Some(end) = self.looked(connection) {
                return end;
            }
        }
    }

    /// What the frames, or their absence, tell.
    fn looked(&mut self, connection: &mut Connection<'_>) -> Option<End> {
        self.context.hub.tick();
        self.results.tick();
        let frames = connection.watch.frames();
        let came = frames > connection.frames_seen;
        if came {
            connection.frames_seen = frames;
            if let Some(moment) = connection.watch.last_frame() {
                self.status.seen(moment);
            }
        }
        // Also without a further frame: the latest may have arrived at the hub only now.
        if connection.up_since.is_none() && self.results.rise(frames, connection.watch.last_frame()) {
            connection.up_since = Some(Instant::now());
            tracing::info!("up");
        }
        // A camera from which nothing comes is on its way to be frozen, which is told by itself.
        if let Some(since) = connection.up_since.filter(|_| came) {
            self.results.judge(since.elapsed(), connection.watch, connection.tally);
        }
        // Until the source has agreed to send, who fetches has the say, with the patience that its protocol needs.
        if connection.intake.is_some() && !connection.watch.has_agreed() {
            return None;
        }
        let first = connection.up_since.is_none();
        let limit =
            if first { FIRST_FRAME.max(self.plan.timeout) } else { connection.watch.patience(self.plan.timeout) };
        let silence = connection.watch.silence();
        (silence > limit).then(|| {
            End::Failed(Failure::silent(silence, connection.watch.data_within(limit / 2), frames == 0, &self.plan))
        })
    }

    /// What a message means for the connection; `None`: it goes on.
    fn heard(&mut self, connection: &mut Connection<'_>, message: &gst::Message) -> Option<End> {
        match message.view() {
            gst::MessageView::Error(error) => {
                tracing::debug!(error = %error.error(), "GStreamer reports an error");
                Some(End::Failed(Failure::of(&error.error(), &self.plan)))
            }
            gst::MessageView::Eos(_) => Some(End::Failed(Failure::new(DisconnectReason::Eos, "the stream ended"))),
            gst::MessageView::Latency(_) => {
                connection.source.pipeline.recalculate_latency().ok();
                None
            }
            gst::MessageView::Element(_) => {
                if let Some(report) = gstmaskwatch::report::from_message(message) {
                    self.results.take(report);
                }
                None
            }
            _ => None,
        }
    }

    /// Tells that the connection fell: status, metrics, listeners, log.
    fn fell(&mut self, failure: &Failure) {
        self.results.fall(failure);
        tracing::warn!(reason = failure.reason.as_str(), "camera {}: {failure}", self.plan.name);
    }

    /// Ends the pipeline. People that were still followed are counted as it stops.
    fn end(&mut self, source: Source, intake: Option<Running>, tally: &Tally) {
        let bus = source.pipeline.bus();
        if let Some(intake) = &intake {
            intake.ask_to_stop();
        }
        teardown(source.pipeline, &self.plan.name);
        if let Some(intake) = intake {
            intake.stop(GOODBYE);
        }
        tally.close();
        self.context.hub.clear();
        while let Some(message) = bus.as_ref().and_then(gst::Bus::pop) {
            if let Some(report) = gstmaskwatch::report::from_message(&message) {
                self.results.take(report);
            }
        }
    }
}

/// One connection.
struct Connection<'a> {
    source: &'a Source,
    watch: &'a Watch,
    tally: &'a Tally,
    /// What feeds the pipeline, where none of its elements fetches by itself.
    intake: Option<Running>,
    /// It could not even begin.
    stillborn: Option<Failure>,
    frames_seen: u64,
    up_since: Option<Instant>,
}

impl<'a> Connection<'a> {
    fn new(source: &'a Source, watch: &'a Watch, tally: &'a Tally) -> Self {
        Self { source, watch, tally, intake: None, stillborn: None, frames_seen: 0, up_since: None }
    }

    /// Why nothing more comes.
    fn failure(&mut self) -> Option<Failure> {
        self.stillborn.take().or_else(|| self.intake.as_ref().and_then(Running::failure))
    }
}
