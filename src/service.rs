//! All running parts together: engine, servers, cameras. `run` and `demo` start the same service with different plans.
//!
//! Start: the engine loads its models, the servers take their ports, and only then cameras are connected to. Whatever
//! fails before leaves nothing behind. HTTP answers last: whoever asks at once finds every camera, and all counts at 0.
//!
//! Stop: cameras first (people in the picture are counted), then events (what cannot be sent waits on disk), then the
//! streams, then HTTP, so that a last scrape sees the last counts.

use std::net::SocketAddr;
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use anyhow::Context;
use maskwatch_engine::{Engine, EngineOptions};
use maskwatch_vision::zone::Areas;

use crate::camera::{CameraContext, CameraHandle, Listener, Supervisor};
use crate::config::plan::{CameraPlan, InferencePlan, Plan, Privacy};
use crate::events::Events;
use crate::frames::Hub;
use crate::http::{HttpServer, Listening, State};
use crate::logging;
use crate::metrics::Metrics;
use crate::people::{Keeper, People};
use crate::privacy;
use crate::roster::{Entry, Roster};
use crate::rtsp::{RtspServer, Stream};

/// The engine's name for `maskinfer`.
const ENGINE: &str = "service";
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
        max_wait: plan.max_wait,
        threads: plan.threads,
        ..EngineOptions::default()
    };
    let engine = Engine::start(options, Arc::clone(metrics) as Arc<dyn maskwatch_engine::Observe>)?;
    metrics.models_loaded(engine.models());
    Ok(engine)
}

/// Everything that runs.
pub struct Service {
    shared: Shared,
    cameras: Vec<CameraHandle>,
    http: HttpServer,
    keeper: Keeper,
}

/// What all cameras have in common.
struct Shared {
    metrics: Arc<Metrics>,
    roster: Arc<Roster>,
    rtsp: RtspServer,
    people: Arc<People>,
    events: Events,
    listener: Arc<dyn Listener>,
}

impl Service {
    /// Starts all parts of a plan.
    ///
    /// # Errors
    /// A model does not load, or a port is taken; nothing runs then.
    pub fn start(plan: Plan) -> anyhow::Result<Self> {
        start_media()?;
        let metrics = Metrics::new().context("metrics")?;
        let listening = Listening::bind(plan.http.listen)?;
        let engine = start_engine(&plan.inference, &metrics)?;
        // After the models, which take their time: who connects before the streams are there is told that there are none.
        let rtsp = RtspServer::start(&plan.rtsp, &metrics)?;
        gstmaskwatch::engines::register(ENGINE, engine);
        metrics.config_loaded();

        let roster = Arc::new(Roster::new(plan.cameras.iter().map(|camera| camera.name.clone()).collect()));
        let (people, keeper) = People::start(Arc::clone(&metrics), plan.compliance, plan.state_dir.as_deref())
            .context("people: the thread does not start")?;
        let window = Arc::clone(&people);
        let figures = move |camera: &str, zone: &str| window.figure(camera, zone).counts;
        let events = Events::start(&plan.events, plan.state_dir.as_deref(), &metrics, figures)?;
        let listener: Arc<dyn Listener> = Arc::new(vec![Arc::clone(&people) as Arc<dyn Listener>, events.listener()]);
        let state = State::new(
            Arc::clone(&metrics),
            Arc::clone(&roster),
            Arc::clone(&people),
            &events,
            rtsp.address().port(),
            plan.http.auth.as_ref(),
        );
        let shared = Shared { metrics, roster, rtsp, people, events, listener };
        let mut cameras = Vec::with_capacity(plan.cameras.len());
        for camera in plan.cameras {
            let name = camera.name.clone();
            let started = shared.add(camera, &plan.version);
            cameras.push(started.with_context(|| format!("camera {name} does not start"))?);
        }
        let http = listening.serve(state).context("http: the server does not start")?;
        Ok(Self { shared, cameras, http, keeper })
    }

    /// All metrics.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.shared.metrics
    }

    /// The cameras.
    pub fn roster(&self) -> &Arc<Roster> {
        &self.shared.roster
    }

    /// Where the annotated streams are; the port is the real one.
    pub fn rtsp_address(&self) -> SocketAddr {
        self.shared.rtsp.address()
    }

    /// Where the web page is; the port is the real one.
    pub fn http_address(&self) -> SocketAddr {
        self.http.address()
    }

    /// What to open, for people: one line per stream and page.
    pub fn directions(&self) -> String {
        let rtsp = reachable(self.rtsp_address());
        let http = reachable(self.http_address());
        let mut text = format!("Page      http://{http}/\nMetrics   http://{http}/metrics\n");
        if self.cameras.len() > 1 {
            text += &format!("All       rtsp://{rtsp}/{}\n", crate::rtsp::MOSAIC);
        }
        for camera in &self.cameras {
            text += &format!("Stream    rtsp://{rtsp}/{}\n", camera.name());
        }
        text
    }

    /// Ends everything, within 5 s. What has not ended by then is named in the log, and the process ends.
    pub fn stop(self) {
        let begin = Instant::now();
        watch_the_end(begin + ALL_END);
        let Self { shared: Shared { rtsp, events, .. }, cameras, http, keeper } = self;
        tracing::info!(cameras = cameras.len(), "ending: cameras");
        cameras.iter().for_each(CameraHandle::ask_to_stop);
        for camera in cameras {
            let name = camera.name().to_owned();
            if !camera.stop(begin + CAMERAS_END) {
                tracing::warn!("camera {name}: did not end in time and is left behind");
            }
        }
        // All people are counted now.
        keeper.stop();
        tracing::info!("ending: events");
        events.stop(begin + EVENTS_END);
        tracing::info!("ending: streams, engine, HTTP");
        drop(rtsp);
        gstmaskwatch::engines::unregister(ENGINE);
        http.stop();
        tracing::info!(took_s = begin.elapsed().as_secs_f32(), "ended");
    }
}

impl Shared {
    fn add(&self, plan: CameraPlan, version: &str) -> anyhow::Result<CameraHandle> {
        self.events.watch(&plan);
        let unseen = plan.privacy == Privacy::Statistics;
        // Who is in one zone and not in another could be had by subtraction.
        let places = if unseen { Vec::new() } else { plan.places() };
        let metrics = self.metrics.camera_with_zones(&plan.name, &places);
        let hub = Hub::new(&plan, &metrics);
        privacy::record(&plan, &hub, &metrics, version);
        if unseen {
            self.metrics.withhold(&plan.name);
        }
        let output = plan.output;
        let areas = Arc::new(if output.zones { plan.areas.clone() } else { Areas::default() });
        let context = CameraContext {
            metrics: Arc::clone(&metrics),
            hub: Arc::clone(&hub),
            engine: Some(ENGINE.to_owned()),
            listener: Some(Arc::clone(&self.listener)),
        };
        self.people.caption(&hub);
        let camera = Supervisor::spawn(plan, context)?;
        self.roster.add(Entry::of(&camera, Arc::clone(&metrics)));
        self.rtsp.add(Stream { hub, status: Arc::clone(camera.status()), metrics, output, areas });
        Ok(camera)
    }
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
