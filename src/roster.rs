//! Who is on duty: the configured cameras, as the web page, the API and the probes see them.

use std::sync::Arc;

use tracing_mutex::parking_lot::{RwLock, RwLockWriteGuard};

use crate::camera::{CameraHandle, CameraStatus};
use crate::config::plan::CameraPlan;
use crate::frames::Hub;
use crate::metrics::CameraMetrics;

/// One camera, for reading.
#[derive(Clone)]
pub struct Entry {
    /// What it runs by.
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
#[derive(Default)]
pub struct Roster {
    state: RwLock<Listed>,
}

#[derive(Default)]
struct Listed {
    /// Names, in their order.
    configured: Vec<String>,
    entries: Vec<Arc<Entry>>,
}

impl Roster {
    /// The names that are configured; none of them runs yet.
    pub fn new(configured: Vec<String>) -> Self {
        Self { state: RwLock::new(Listed { configured, entries: Vec::new() }) }
    }

    /// These are configured from now on, in this order.
    pub fn configure(&self, names: Vec<String>) {
        self.write().configured = names;
    }

    /// A camera runs, or runs by another plan.
    pub fn put(&self, entry: Entry) {
        let mut listed = self.write();
        let known = listed.entries.iter().position(|known| known.plan.name == entry.plan.name);
        match known {
            Some(index) => listed.entries[index] = Arc::new(entry),
            None => listed.entries.push(Arc::new(entry)),
        }
    }

    /// A camera runs no longer.
    pub fn remove(&self, name: &str) {
        self.write().entries.retain(|entry| entry.plan.name != name);
    }

    /// All that run.
    pub fn all(&self) -> Vec<Arc<Entry>> {
        let listed = self.state.read();
        let mut entries = listed.entries.clone();
        let place = |entry: &Arc<Entry>| listed.configured.iter().position(|name| *name == entry.plan.name);
        entries.sort_by_key(|entry| place(entry).unwrap_or(usize::MAX));
        entries
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
        let configured = self.state.read().configured.clone();
        configured.into_iter().filter(|name| !settled(name)).collect()
    }

    fn write(&self) -> RwLockWriteGuard<'_, Listed> {
        self.state.write()
    }
}
