//! One camera of the program, run inside the test, with or without an engine.

#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use maskwatch::camera::{CameraContext, CameraHandle, CameraState, Supervisor};
use maskwatch::config::plan::{CameraPlan, OutputPlan};
use maskwatch::config::secret::CameraUrl;
use maskwatch::frames::Hub;
use maskwatch::metrics::{CameraMetrics, DisconnectReason, Metrics};
use maskwatch::sim;

use crate::support::{complaints, wait_until};

/// Frames that have to come for a camera to count as running.
const SOME: u64 = 5;

/// A plan with the program's usual values.
pub fn plan(name: &str, url: &str) -> CameraPlan {
    let url = CameraUrl::parse(url).unwrap();
    let output = OutputPlan { bitrate_kbps: 1000, ..CameraPlan::new(name, url.clone()).output };
    CameraPlan { latency: Duration::from_millis(100), output, ..CameraPlan::new(name, url) }
}

/// A running camera.
pub struct Rig {
    pub camera: CameraHandle,
    pub hub: Arc<Hub>,
    pub metrics: Arc<CameraMetrics>,
    pub all: Arc<Metrics>,
}

impl Rig {
    /// Starts it without an engine.
    pub fn start(plan: CameraPlan) -> Self {
        Self::with_metrics(plan, &Metrics::new().unwrap())
    }

    /// The same, counted with others.
    pub fn with_metrics(plan: CameraPlan, all: &Arc<Metrics>) -> Self {
        Self::with_engine(plan, all, None)
    }

    /// The same, analysed by a registered engine.
    pub fn with_engine(plan: CameraPlan, all: &Arc<Metrics>, engine: Option<&str>) -> Self {
        complaints::are_fatal();
        gst::init().unwrap();
        let all = Arc::clone(all);
        let metrics = all.camera(&plan.name);
        let hub = Hub::new(&plan, &metrics);
        let context = CameraContext {
            metrics: Arc::clone(&metrics),
            hub: Arc::clone(&hub),
            engine: engine.map(str::to_owned),
            listener: None,
        };
        let camera = Supervisor::spawn(plan, context).unwrap();
        Self { camera, hub, metrics, all }
    }

    /// Starts it on `url` with the usual plan.
    pub fn on(url: &str) -> Self {
        Self::start(plan("gate", url))
    }

    #[track_caller]
    pub fn wait_up(&self) {
        let before = self.hub.published();
        let end = Instant::now() + Duration::from_secs(30);
        wait_until("the camera gives frames", Duration::from_secs(60), || {
            assert!(Instant::now() < end, "no frames: {:?}", self.camera.status().view());
            self.camera.status().state() == CameraState::Up && self.hub.published() >= before + SOME
        });
    }

    /// Waits until it is down; gives the reason and the message.
    #[track_caller]
    pub fn wait_down(&self) -> (DisconnectReason, String) {
        wait_until("the camera is down", Duration::from_secs(30), || self.camera.status().state().is_down());
        let failure = self.camera.status().view().failure.unwrap();
        (failure.reason, failure.to_string())
    }

    /// Width and height of the latest frame.
    pub fn size(&self) -> Option<(u32, u32)> {
        self.hub.shape().map(|shape| (shape.width, shape.height))
    }

    #[track_caller]
    pub fn stop(self) {
        assert!(self.camera.stop(Instant::now() + Duration::from_secs(10)), "the camera's thread ends");
    }
}

/// A simulated camera server on loopback.
pub fn simulate(files: &[&Path]) -> sim::Server {
    gst::init().unwrap();
    let files: Vec<_> = files.iter().map(|file| file.to_path_buf()).collect();
    sim::Server::start_files(&sim::Options::local(), &files).unwrap()
}
