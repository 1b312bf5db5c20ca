//! Which configuration is in force, and what became of the last attempt to change it.

use std::sync::Arc;
use std::time::SystemTime;

use schemars::JsonSchema;
use serde::Serialize;
use tracing_mutex::parking_lot::{Mutex, MutexGuard};

use super::difference::Step;
use crate::metrics::Metrics;

/// What asked for a configuration to be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// The start of the service.
    Start,
    /// SIGHUP.
    Signal,
    /// A file has changed.
    File,
    /// A request.
    Api,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is in force, but for what needs a restart.
    Applied {
        /// What was done; nothing where nothing differed.
        steps: Vec<Step>,
        /// What could not be done and stays as it was, a line each.
        problems: Vec<String>,
    },
    /// It has problems; what was in force stays.
    Refused {
        /// One line each, with file and line.
        problems: Vec<String>,
    },
}

/// One attempt to load a configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// When.
    pub at: SystemTime,
    /// Why.
    pub cause: Cause,
    /// And then.
    pub outcome: Outcome,
}

/// How things stand.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stand {
    /// The version in force: the first twelve digits of the SHA-256 of its text.
    pub version: String,
    /// Since when that is so.
    pub since: Option<SystemTime>,
    /// The last attempt.
    pub last: Option<Attempt>,
    /// Keys that a restart would take over.
    pub restart: Vec<String>,
    /// Models that were configured and do not load; those of before go on.
    pub models_failed: Option<String>,
    /// Whether models run.
    pub models_ready: bool,
}

/// The cell that the owner of the fleet writes and others read.
pub struct Standing {
    stand: Mutex<Stand>,
    metrics: Arc<Metrics>,
}

impl Standing {
    /// Nothing is in force yet.
    pub fn new(metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self { stand: Mutex::default(), metrics })
    }

    /// A copy of all of it.
    pub fn view(&self) -> Stand {
        self.lock().clone()
    }

    /// A configuration was taken over.
    pub fn applied(&self, cause: Cause, version: &str, outcome: Outcome, restart: &[&'static str]) {
        let now = SystemTime::now();
        let mut stand = self.lock();
        if stand.version != version || stand.since.is_none() {
            version.clone_into(&mut stand.version);
            stand.since = Some(now);
        }
        stand.restart = restart.iter().map(|key| (*key).to_owned()).collect();
        stand.last = Some(Attempt { at: now, cause, outcome });
        self.metrics.config_loaded();
    }

    /// A configuration was refused.
    pub fn refused(&self, cause: Cause, problems: Vec<String>) {
        let outcome = Outcome::Refused { problems };
        self.lock().last = Some(Attempt { at: SystemTime::now(), cause, outcome });
        self.metrics.config_refused();
    }

    /// Models run.
    pub fn models_loaded(&self) {
        let mut stand = self.lock();
        (stand.models_ready, stand.models_failed) = (true, None);
    }

    /// Models that were configured do not load.
    pub fn models_failed(&self, error: String) {
        self.lock().models_failed = Some(error);
    }

    fn lock(&self) -> MutexGuard<'_, Stand> {
        self.stand.lock()
    }
}
