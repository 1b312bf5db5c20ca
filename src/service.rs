//! All running parts together: engine, servers, cameras. `run` and `demo` start the same service with different plans.
//!
//! Start: the servers take their ports and answer; whoever asks finds every camera, and all counts at 0. Then the engine
//! loads its models, which may take minutes, and cameras are connected to. Whatever fails before leaves nothing behind.
//!
//! Then [`Service::attend`] grants what is wished for: to read the configuration again, and to end.
//!
//! Stop: cameras first (people in the picture are counted), then events (what cannot be sent waits on disk), then the
//! streams, then HTTP, so that a last scrape sees the last counts.

use std::net::SocketAddr;
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use anyhow::Context;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use maskwatch_engine::{Engine, EngineOptions};
use tokio::sync::watch;

use crate::access::{self, Access};
use crate::camera::Listener;
use crate::clock::Clock;
use crate::config::plan::{InferencePlan, Plan};
use crate::events::Events;
use crate::fleet::{
    self, CameraWish, Cause, ConfigFile, Deed, Fleet, Objection, Outcome, Part, Shared, Standing, Wish, Wishes,
};
use crate::http::{HttpServer, Listening, State};
use crate::logging;
use crate::metrics::{Metrics, TlsMetrics};
use crate::people::{Keeper, People};
use crate::roster::Roster;
use crate::rtsp::RtspServer;
use crate::tls::server::Certificate;

/// How often the service says that it is alive, at least.
const ALIVE: Duration = Duration::from_secs(1);
/// Time for the cameras to end.
const CAMERAS_END: Duration = Duration::from_secs(3);
/// Time for the cameras and then the events to end.
const EVENTS_END: Duration = Duration::from_secs(4);
/// Time for everything to end: after it the process ends nevertheless.
const ALL_END: Duration = Duration::from_millis(4800);

/// Readies GStreamer, our elements and the log's bridge: once per process.
///
/// # Errors
/// GStreamer or the elements cannot be loaded.
pub fn start_media() -> anyhow::Result<()> {
    static BRIDGE: Once = Once::new();
    static GLIB: Once = Once::new();
    GLIB.call_once(logging::bridge_glib);
    gst::init().context("GStreamer does not start (run `make setup`)")?;
    BRIDGE.call_once(logging::bridge_gstreamer);
    gstmaskwatch::plugin_register_static().context("the elements of Maskwatch cannot be registered")
}

/// Starts the engine that a plan names.
///
/// # Errors
/// A model or the library is missing or does not load.
pub fn start_engine(plan: &InferencePlan, metrics: &Arc<Metrics>) -> anyhow::Result<Arc<Engine>> {
    let options = EngineOptions {
        models_dir: plan.models_dir.clone(),
        detector: plan.detector.clone(),
        classifier: plan.classifier.clone(),
        provider: plan.provider,
        library: plan.library.clone(),
        max_batch: plan.max_batch,
        threads: plan.threads,
        ..EngineOptions::default()
    };
    Ok(Engine::start(options, Arc::clone(metrics) as Arc<dyn maskwatch_engine::Observe>)?)
}

/// Everything that runs.
pub struct Service {
    fleet: Fleet,
    standing: Arc<Standing>,
    http: HttpServer,
    keeper: Keeper,
    wishes: Wishes,
    wished: Receiver<Wish>,
    /// What the models that run were loaded by.
    running: InferencePlan,
}

impl Service {
    /// Opens the servers of a plan and prepares its cameras: HTTP answers from now on, and says that models are awaited.
    /// Cameras are connected to once [`Self::use_models`] has given them some.
    ///
    /// # Errors
    /// A port is taken, or the system refuses a thread; nothing runs then.
    pub fn open(plan: &Plan) -> anyhow::Result<Self> {
        start_media()?;
        let metrics = Metrics::new().context("metrics")?;
        let access = Access::start(&plan.access, plan.http.auth.as_ref(), plan.state_dir.as_deref(), &metrics)?;
        let tls = TlsMetrics::new(metrics.registry()).context("metrics")?;
        let open = |server, plan: &Option<_>| {
            plan.as_ref().map(|plan| Certificate::open(server, plan, tls.clone())).transpose()
        };
        let (certificate, rtsp_certificate) = (open("http", &plan.http.tls)?, open("rtsp", &plan.rtsp.tls)?);
        let listening = Listening::bind(plan.http.listen)?;
        let rtsp = RtspServer::start(&plan.rtsp, Arc::clone(&access), rtsp_certificate, &metrics)?;
        let standing = Standing::new(Arc::clone(&metrics));
        let (wishes, wished) = Wishes::new();

        let roster = Arc::new(Roster::new(plan.cameras.iter().map(|camera| camera.name.clone()).collect()));
        let (clock, state_dir) = (Clock::system(metrics.clock_suspect()), plan.state_dir.as_deref());
        let (people, keeper) = People::start(Arc::clone(&metrics), plan.compliance, state_dir, clock.clone())
            .context("people: the thread does not start")?;
        let window = Arc::clone(&people);
        let figures = move |camera: &str, zone: &str| window.figure(camera, zone).counts;
        let events = Events::start(&plan.events, state_dir, &metrics, clock, figures)?;
        let listener: Arc<dyn Listener> = Arc::new(vec![Arc::clone(&people) as Arc<dyn Listener>, events.listener()]);
        let network = Arc::new(watch::Sender::new(plan.network.clone()));
        let state = State::new(
            (Arc::clone(&metrics), Arc::clone(&roster), Arc::clone(&people)),
            &events,
            (Arc::clone(&standing), wishes.clone()),
            Arc::clone(&network),
            (rtsp.scheme(), rtsp.address().port()),
            Arc::clone(&access),
            plan.http.tls.is_some(),
        );
        let mut fleet = Fleet::new(Shared { metrics, roster, rtsp, people, events, access, network, listener }, plan);
        let (_, problems) = fleet.apply(plan, Duration::ZERO);
        if let Some(problem) = problems.first() {
            anyhow::bail!("{problem}");
        }
        let outcome = Outcome::Applied { steps: Vec::new(), problems };
        standing.applied(Cause::Start, &plan.version, outcome, &[]);
        let http = listening.serve(state, certificate).context("http: the server does not start")?;
        Ok(Self { fleet, standing, http, keeper, wishes, wished, running: plan.inference.clone() })
    }

    /// Opens, loads the models, and lets the cameras begin.
    ///
    /// # Errors
    /// A model does not load, or a port is taken; nothing runs then.
    pub fn start(plan: &Plan) -> anyhow::Result<Self> {
        let mut service = Self::open(plan)?;
        let engine = start_engine(&plan.inference, service.metrics())?;
        service.use_models(engine);
        Ok(service)
    }

    /// The cameras are analysed by these models from now on; those that wait for them begin.
    pub fn use_models(&mut self, engine: Arc<Engine>) {
        self.fleet.use_engine(engine);
        self.standing.models_loaded();
    }

    /// All metrics.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.fleet.shared().metrics
    }

    /// The cameras.
    pub fn roster(&self) -> &Arc<Roster> {
        &self.fleet.shared().roster
    }

    /// Where wishes are put that [`Self::attend`] grants.
    pub fn wishes(&self) -> &Wishes {
        &self.wishes
    }

    /// Where the annotated streams are; the port is the real one.
    pub fn rtsp_address(&self) -> SocketAddr {
        self.fleet.shared().rtsp.address()
    }

    /// Where the web page is; the port is the real one.
    pub fn http_address(&self) -> SocketAddr {
        self.http.address()
    }

    /// What to open, for people: one line per stream and page.
    pub fn directions(&self) -> String {
        let rtsp = reachable(self.rtsp_address());
        let http = reachable(self.http_address());
        let scheme = self.http.scheme();
        let mut text = format!("Page      {scheme}://{http}/\nMetrics   {scheme}://{http}/metrics\n");
        let (cameras, streams) = (self.fleet.cameras(), self.fleet.shared().rtsp.scheme());
        if cameras.len() > 1 {
            text += &format!("All       {streams}://{rtsp}/{}\n", crate::rtsp::MOSAIC);
        }
        for camera in cameras {
            text += &format!("Stream    {streams}://{rtsp}/{}\n", camera.name());
        }
        text
    }

    /// Grants wishes until the end is wished for. `config`: the file that a reload reads. `tell` hears how it goes, some
    /// times per minute at least.
    pub fn attend(&mut self, config: &ConfigFile, tell: impl Fn(Beat)) {
        loop {
            tell(Beat::Alive);
            match self.wished.recv_timeout(ALIVE) {
                Ok(Wish::End) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(Wish::Reload(cause, answer)) => {
                    tell(Beat::Reloading);
                    let outcome = self.reload(config, cause);
                    tell(Beat::Ready);
                    // Who asked may be gone.
                    if let Some(answer) = answer {
                        answer.send(outcome).ok();
                    }
                }
                Ok(Wish::Camera(wish, answer)) => {
                    answer.send(self.write(config, &wish)).ok();
                }
                Ok(Wish::Models(plan, loaded)) => self.models_came(&plan, loaded),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Reads the configuration and brings it into force, or says what is wrong with it.
    fn reload(&mut self, config: &ConfigFile, cause: Cause) -> Outcome {
        let wanted = match config.read() {
            Ok(wanted) => wanted,
            Err(problems) => {
                problems.iter().for_each(|problem| tracing::error!("configuration refused: {problem}"));
                self.standing.refused(cause, problems.clone());
                return Outcome::Refused { problems };
            }
        };
        let (difference, problems) = self.fleet.apply(&wanted, CAMERAS_END);
        let (steps, restart) = (difference.steps(), difference.restart());
        for step in &steps {
            tracing::info!(version = wanted.version, "configuration: {step}");
        }
        problems.iter().for_each(|problem| tracing::error!("configuration: {problem}"));
        if steps.is_empty() && problems.is_empty() {
            tracing::info!(version = wanted.version, "configuration: nothing to do");
        }
        if difference.parts.contains(&Part::Inference) {
            self.load_models(wanted.inference.clone());
        }
        let outcome = Outcome::Applied { steps, problems };
        self.standing.applied(cause, &wanted.version, outcome.clone(), &restart);
        outcome
    }

    /// Writes or takes away a camera's file, once it is known that the whole is good with it, and brings it into force.
    fn write(&mut self, config: &ConfigFile, wish: &CameraWish) -> Result<(), Objection> {
        let plan = self.fleet.plan();
        let written = config.written(plan).ok_or(Objection::NoInclude)?;
        let there = written.is_ours(plan, &wish.name)?;
        let present = plan.cameras.iter().find(|camera| camera.name == wish.name);
        match (&wish.deed, there) {
            (Deed::Add(_), true) => return Err(Objection::Present),
            (Deed::Change(_) | Deed::Remove, false) => return Err(Objection::Absent),
            _ if wish.seen.as_deref().is_some_and(|seen| present != Some(seen)) => return Err(Objection::Changed),
            _ => {}
        }
        let path = written.path(&wish.name)?;
        let texts = match &wish.deed {
            Deed::Add(values) | Deed::Change(values) => Some(written.texts(&wish.name, values)?),
            Deed::Remove => None,
        };
        config.check(path, texts.as_ref().map(|texts| texts.checked.clone())).map_err(Objection::Bad)?;
        match &texts {
            Some(texts) => written.put(&wish.name, texts)?,
            None => written.remove(&wish.name)?,
        }
        let what = match &wish.deed {
            Deed::Add(_) => "camera.added",
            Deed::Change(_) => "camera.changed",
            Deed::Remove => "camera.removed",
        };
        // Also where nobody waits for the answer any more.
        let deed = access::Deed::new(what, wish.by.as_deref(), Some(wish.from), &wish.name);
        self.fleet.shared().access.audit().note(deed);
        match self.reload(config, Cause::Api) {
            Outcome::Applied { .. } => Ok(()),
            // Something else was broken in between.
            Outcome::Refused { problems } => Err(Objection::Bad(problems)),
        }
    }

    /// Beside those that run: they are replaced when the new ones are ready.
    fn load_models(&self, plan: InferencePlan) {
        if plan == self.running {
            // Others were wanted, and are not any more.
            return self.standing.models_loaded();
        }
        let (metrics, wishes) = (Arc::clone(self.metrics()), self.wishes.clone());
        let load = move || {
            let loaded = start_engine(&plan, &metrics);
            wishes.put(Wish::Models(Box::new(plan), loaded));
        };
        if let Err(error) = std::thread::Builder::new().name("models".into()).spawn(load) {
            self.standing.models_failed(format!("no thread: {error}"));
            tracing::error!(%error, "no thread to load models");
        }
    }

    fn models_came(&mut self, plan: &InferencePlan, loaded: anyhow::Result<Arc<Engine>>) {
        if *plan != self.fleet.plan().inference {
            return tracing::info!("models that were loaded are not wanted any more");
        }
        match loaded {
            Ok(engine) => {
                tracing::info!("models replaced");
                self.running = plan.clone();
                self.use_models(engine);
            }
            Err(error) => {
                tracing::error!("the new models do not load, those of before go on: {error:#}");
                self.standing.models_failed(format!("{error:#}"));
                self.fleet.keep_models(self.running.clone());
            }
        }
    }

    /// Ends everything, within 5 s. What has not ended by then is named in the log, and the process ends.
    pub fn stop(self) {
        let begin = Instant::now();
        watch_the_end(begin + ALL_END);
        let Self { fleet, http, keeper, .. } = self;
        tracing::info!(cameras = fleet.cameras().len(), "ending: cameras");
        let Shared { rtsp, events, .. } = fleet.stop(begin + CAMERAS_END);
        // All people are counted now.
        keeper.stop();
        tracing::info!("ending: events");
        events.stop(begin + EVENTS_END);
        tracing::info!("ending: streams, engine, HTTP");
        drop(rtsp);
        fleet::forget_engine();
        http.stop();
        tracing::info!(took_s = begin.elapsed().as_secs_f32(), "ended");
    }
}

/// What a service shows to who supervises it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// It grants wishes.
    Alive,
    /// The configuration is read and brought into force.
    Reloading,
    /// That is done.
    Ready,
}

/// A part that hangs in its end (a driver, a network file) must not hold the process.
fn watch_the_end(deadline: Instant) {
    let watch = std::thread::Builder::new().name("end-watch".into()).spawn(move || {
        let never = crate::shutdown::Shutdown::new();
        never.wait_timeout(deadline.saturating_duration_since(Instant::now()));
        tracing::error!("a part did not end in time; the process ends without it");
        crate::shutdown::exit_at_once();
    });
    if let Err(error) = watch {
        tracing::warn!(%error, "the end is not watched");
    }
}

/// The address to open in a browser on this machine: "everywhere" is no address.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => SocketAddr::from(([127, 0, 0, 1], v4.port())),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => SocketAddr::from(([127, 0, 0, 1], v6.port())),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everywhere_is_reached_on_this_machine() {
        let shown = |text: &str| reachable(text.parse().unwrap()).to_string();
        assert_eq!(shown("0.0.0.0:8080"), "127.0.0.1:8080");
        assert_eq!(shown("[::]:8080"), "127.0.0.1:8080");
        assert_eq!(shown("10.0.0.1:8080"), "10.0.0.1:8080");
    }
}
