//! Who is on duty: the configured cameras, as the web page, the API and the probes see them.

use std::sync::{Arc, PoisonError, RwLock};

use crate::camera::{CameraHandle, CameraStatus};
use crate::config::plan::CameraPlan;
use crate::frames::Hub;
use crate::metrics::CameraMetrics;

/// One camera, for reading.
#[derive(Clone)]
pub struct Entry {
    /// What it was started with.
    pub plan: CameraPlan,
    /// How it fares.
    pub status: Arc<CameraStatus>,
    /// Its frames.
    pub hub: Arc<Hub>,
    /// Its counts.
    pub metrics: Arc<CameraMetrics>,
}

impl Entry {
    /// The entry of a camera that runs.
    pub fn of(camera: &CameraHandle, metrics: Arc<CameraMetrics>) -> Self {
        let (status, hub) = (Arc::clone(camera.status()), Arc::clone(camera.hub()));
        Self { plan: camera.plan().clone(), status, hub, metrics }
    }
}

/// All configured cameras, in the order of the configuration.
pub struct Roster {
    configured: Vec<String>,
    entries: RwLock<Vec<Arc<Entry>>>,
}

impl Roster {
    /// The names that are configured; none of them runs yet.
    pub fn new(configured: Vec<String>) -> Self {
        Self { configured, entries: RwLock::default() }
    }

    /// A camera runs.
    pub fn add(&self, entry: Entry) {
        self.entries.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(entry));
    }

    /// All that run.
    pub fn all(&self) -> Vec<Arc<Entry>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One of them.
    pub fn get(&self, name: &str) -> Option<Arc<Entry>> {
        self.all().into_iter().find(|entry| entry.plan.name == name)
    }

    /// Configured cameras that have neither produced a frame nor been given up on as down.
    pub fn awaited(&self) -> Vec<String> {
        let entries = self.all();
        let settled =
            |name: &String| entries.iter().any(|entry| entry.plan.name == *name && entry.status.view().settled());
        self.configured.iter().filter(|name| !settled(name)).cloned().collect()
    }
}
