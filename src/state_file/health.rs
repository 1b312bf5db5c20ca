//! How a store stands: for the metrics, the API and the log.

use std::time::{Instant, SystemTime};

use prometheus::{IntCounter, IntGauge};
use tracing_mutex::parking_lot::{Mutex, MutexGuard};

use super::{Kind, StateError, StateFile};

/// Whether a store is up to date on its disk. Told at each change.
#[derive(Debug)]
pub struct StoreHealth {
    store: &'static str,
    meanwhile: &'static str,
    gauge: IntGauge,
    broken: IntCounter,
    now: Mutex<Standing>,
}

/// A moment's standing.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    /// Since when.
    pub(crate) since: SystemTime,
    /// The same by a clock that nobody sets.
    begin: Instant,
    /// What is wrong, for people; `None`: nothing.
    pub(crate) problem: Option<String>,
}

impl StoreHealth {
    /// All is well until something is not. `gauge`: 1 while that is so; `broken`: files that were moved aside.
    pub(crate) fn new(kind: &Kind, (gauge, broken): (IntGauge, IntCounter)) -> Self {
        gauge.set(1);
        let now = Mutex::new(Standing { since: SystemTime::now(), begin: Instant::now(), problem: None });
        Self { store: kind.store, meanwhile: kind.meanwhile, gauge, broken, now }
    }

    /// The store's name.
    pub(crate) fn store(&self) -> &'static str {
        self.store
    }

    pub(crate) fn standing(&self) -> Standing {
        self.lock().clone()
    }

    /// A file was opened.
    pub(crate) fn opened(&self, file: &StateFile) {
        self.broken.inc_by(file.replaces_a_broken_one().into());
    }

    /// The disk refuses: what comes waits in memory.
    pub(crate) fn fails(&self, error: &StateError) {
        let text = format!("{}: {error}; it is tried again", self.meanwhile);
        self.gauge.set(0);
        let before = {
            let mut now = self.lock();
            if now.problem.is_none() {
                (now.since, now.begin) = (SystemTime::now(), Instant::now());
            }
            now.problem.replace(text.clone())
        };
        if before.is_none() {
            tracing::error!(store = self.store, "{text}");
        }
    }

    /// Everything is on the disk.
    pub(crate) fn works(&self) {
        self.gauge.set(1);
        let since = {
            let mut now = self.lock();
            let Some(_over) = now.problem.take() else { return };
            now.since = SystemTime::now();
            std::mem::replace(&mut now.begin, Instant::now())
        };
        let after_s = since.elapsed().as_secs();
        tracing::info!(store = self.store, after_s, "what waited is on the disk now");
    }

    fn lock(&self) -> MutexGuard<'_, Standing> {
        self.now.lock()
    }
}
