//! Every metric of the program, in one struct with a method per happening. The registry is made here and passed on;
//! nothing is global.
//!
//! * Of a camera: [`Metrics::camera`] gives a [`CameraMetrics`] to keep; its methods cost an atomic operation or two.
//!   All its series exist at 0 from that moment until [`Metrics::remove_camera`].
//! * Of the engine: [`Metrics`] implements [`maskwatch_engine::Observe`].
//! * The rest: methods of [`Metrics`].

mod access;
mod camera;
mod degraded;
mod engine;
mod events;
mod families;
pub mod labels;
mod log;
mod process;
mod single;
mod tls;

use std::sync::Arc;
use std::{collections::HashMap, time::SystemTime};

use maskwatch_engine::ModelInfo;
use prometheus::core::Collector;
use prometheus::{Encoder, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};
use tracing_mutex::parking_lot::Mutex;

pub use access::{AccessMetrics, LoginResult};
pub use camera::CameraMetrics;
pub use events::{EventResult, SinkMetrics};
pub use labels::{DegradedReason, DisconnectReason, FrameDrop, PictureLoss};

pub use tls::TlsMetrics;

use engine::EngineFamilies;
use events::EventFamilies;
use families::CameraFamilies;

/// Prefix of every name.
const NAMESPACE: &str = "maskwatch";

/// The commit that this program was built from; `unknown` where neither git nor `MASKWATCH_COMMIT` said it (`build.rs`).
pub(crate) const COMMIT: &str = env!("MASKWATCH_COMMIT");

/// All metrics of the process.
pub struct Metrics {
    registry: Registry,
    cameras: CameraFamilies,
    engine: EngineFamilies,
    events: EventFamilies,
    model_info: IntGaugeVec,
    models: Mutex<Vec<ModelInfo>>,
    state_store_ok: IntGaugeVec,
    state_files_broken: IntCounterVec,
    clock_suspect: IntGauge,
    reload_successful: IntGauge,
    reload_timestamp: prometheus::Gauge,
    /// Handles given out, so that asking twice for a camera gives the same one.
    handles: Mutex<HashMap<String, Arc<CameraMetrics>>>,
}

impl Metrics {
    /// Registers all families.
    ///
    /// # Errors
    /// Only where two families have the same name: a defect of this program.
    pub fn new() -> Result<Arc<Self>, prometheus::Error> {
        let registry = Registry::new();
        let build = gauges(&registry, "build_info", "Always 1; the labels say what runs.", &["version", "commit"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION"), COMMIT]).set(1);
        let reload_timestamp = register(
            &registry,
            prometheus::Gauge::with_opts(opts(
                "config_last_reload_success_timestamp_seconds",
                "When the configuration in use was loaded (Unix time).",
            ))?,
        )?;
        let reload_successful = register(
            &registry,
            IntGauge::with_opts(opts(
                "config_last_reload_successful",
                "1: the last load of the configuration succeeded.",
            ))?,
        )?;
        let clock_suspect = register(
            &registry,
            IntGauge::with_opts(opts(
                "clock_suspect",
                "1: the system's clock is not believed; nothing is forgotten by age meanwhile.",
            ))?,
        )?;
        registry.register(Box::new(process::ProcessMetrics::new()?))?;
        registry.register(Box::new(log::LogMetrics::new()?))?;
        Ok(Arc::new(Self {
            cameras: CameraFamilies::new(&registry)?,
            engine: EngineFamilies::new(&registry)?,
            events: EventFamilies::new(&registry)?,
            model_info: gauges(
                &registry,
                "model_info",
                "Always 1; the labels say which models run and where.",
                &["model", "precision", "provider"],
            )?,
            state_store_ok: gauges(
                &registry,
                "state_store_ok",
                "1: what is to outlive the process is on the disk; 0: it waits in memory.",
                &["store"],
            )?,
            state_files_broken: counters(
                &registry,
                "state_files_broken_total",
                "State files that could not be read and were moved aside.",
                &["store"],
            )?,
            clock_suspect,
            reload_successful,
            reload_timestamp,
            models: Mutex::default(),
            handles: Mutex::default(),
            registry,
        }))
    }

    /// The registry, for tests and for further families.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// A camera's handle; its series exist from now on. Also for the name `mosaic`, see [`Self::output`].
    pub fn camera(&self, name: &str) -> Arc<CameraMetrics> {
        self.camera_with_zones(name, &[])
    }

    /// The same with the labels that people are counted under besides the camera as a whole. Of a camera that is there
    /// already the zones stay as they are.
    pub fn camera_with_zones(&self, name: &str, zones: &[String]) -> Arc<CameraMetrics> {
        let mut handles = self.handles.lock();
        handles.entry(name.to_owned()).or_insert_with(|| Arc::new(self.cameras.camera(name, zones))).clone()
    }

    /// The handle of a camera that has one.
    pub fn known_camera(&self, name: &str) -> Option<Arc<CameraMetrics>> {
        self.handles.lock().get(name).cloned()
    }

    /// The gauge `rtsp_clients` of an output that is no camera: the mosaic.
    pub fn output(&self, name: &str) -> IntGauge {
        self.cameras.rtsp_clients(name)
    }

    /// The camera is configured no longer: its series go. Handles still held count into the void.
    pub fn remove_camera(&self, name: &str) {
        let handle = self.handles.lock().remove(name);
        self.cameras.remove(name, &handle.map(|handle| handle.zones()).unwrap_or_default());
    }

    /// An event sink's handle; its series exist from now on.
    pub fn sink(&self, name: &str) -> SinkMetrics {
        self.events.sink(name)
    }

    /// The sink is configured no longer: its series go. Handles still held count into the void.
    pub fn remove_sink(&self, name: &str) {
        self.events.remove(name);
    }

    /// Whether this store (`people`, `events`) is up to date on its disk, and how many of its files were broken; there are
    /// series for each that is in use.
    pub(crate) fn state_store(&self, store: &str) -> (IntGauge, IntCounter) {
        let labels = [store];
        (self.state_store_ok.with_label_values(&labels), self.state_files_broken.with_label_values(&labels))
    }

    /// Whether the system's clock is not believed, for [`crate::clock::Clock::system`].
    pub fn clock_suspect(&self) -> IntGauge {
        self.clock_suspect.clone()
    }

    /// A camera gives statistics only, or no longer: series that move with single people go, its own and those of the
    /// engine; the engine's stay away.
    pub fn withhold(&self, name: &str, withheld: bool) {
        if withheld {
            self.engine.withhold_faces();
        }
        if let Some(camera) = self.known_camera(name) {
            camera.withhold(withheld);
        }
    }

    /// The engine runs these models.
    pub fn models_loaded(&self, models: &[ModelInfo]) {
        self.model_info.reset();
        for model in models {
            self.model_info.with_label_values(&[&model.name, &model.precision, model.provider.as_str()]).set(1);
            self.engine.model(&model.name, model.task == "classification");
        }
        *self.models.lock() = models.to_vec();
    }

    /// The models that run, as they were told last.
    pub(crate) fn models(&self) -> Vec<ModelInfo> {
        self.models.lock().clone()
    }

    /// The configuration was loaded and is in use.
    pub fn config_loaded(&self) {
        self.reload_successful.set(1);
        self.reload_timestamp.set(unix_seconds());
    }

    /// A new configuration was refused; the old one stays in use.
    pub fn config_refused(&self) {
        self.reload_successful.set(0);
    }

    /// All metrics in Prometheus' text format.
    ///
    /// # Errors
    /// Where a family is malformed: a defect of this program.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        let families = {
            let _whole = self.cameras.changing.write();
            self.registry.gather()
        };
        let mut out = Vec::with_capacity(16 * 1024);
        TextEncoder::new().encode(&families, &mut out)?;
        String::from_utf8(out).map_err(|error| prometheus::Error::Msg(error.to_string()))
    }
}

/// Content type of [`Metrics::render`].
pub const TEXT_FORMAT: &str = prometheus::TEXT_FORMAT;

/// Now, as Unix time in seconds.
pub(crate) fn unix_seconds() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |elapsed| elapsed.as_secs_f64())
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace(NAMESPACE)
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

fn gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
    register(registry, IntGaugeVec::new(opts(name, help), labels)?)
}

fn float_gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec, prometheus::Error> {
    register(registry, GaugeVec::new(opts(name, help), labels)?)
}

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
    register(registry, IntCounterVec::new(opts(name, help), labels)?)
}

fn histograms(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
    buckets: &[f64],
) -> Result<prometheus::HistogramVec, prometheus::Error> {
    let opts = prometheus::HistogramOpts::from(opts(name, help)).buckets(buckets.to_vec());
    register(registry, prometheus::HistogramVec::new(opts, labels)?)
}

#[cfg(test)]
mod tests;
