//! The engines of this process, by name.
//!
//! All `maskinfer` elements that name the same engine share it, so their frames meet in its batches. The program
//! registers the engine that it has set up; in `gst-launch-1.0` the first element starts one from its own properties,
//! and it lives as long as an element uses it.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Weak},
};

use maskwatch_engine::{Engine, EngineError, EngineOptions, NoObserver};
use tracing_mutex::parking_lot::Mutex;

/// An engine by name.
#[derive(Default)]
struct Slot {
    /// Kept until it is unregistered.
    registered: Option<Arc<Engine>>,
    /// Started by an element; kept by its users.
    started: Weak<Engine>,
}

type Slots = HashMap<String, Arc<Mutex<Slot>>>;

static SLOTS: LazyLock<Mutex<Slots>> = LazyLock::new(Mutex::default);

/// The place of `name`. The list is locked for this look-up only; the place has its own lock, so that one engine's slow
/// start holds up those alone who wait for that engine.
fn slot(name: &str) -> Arc<Mutex<Slot>> {
    SLOTS.lock().entry(name.to_owned()).or_default().clone()
}

/// Makes an engine known under `name` to every `maskinfer` started from now on. An earlier one of that name is replaced.
pub fn register(name: &str, engine: Arc<Engine>) {
    let replaced = slot(name).lock().registered.replace(engine);
    // Dropped here, after the lock: the last user of an engine waits for its threads.
    drop(replaced);
}

/// Forgets an engine; elements that run keep theirs.
pub fn unregister(name: &str) {
    let removed = slot(name).lock().registered.take();
    drop(removed);
}

/// The engine of `name`: registered, else started by another element, else started now with `options`.
///
/// # Errors
/// When it must be started and does not start.
pub(crate) fn obtain(name: &str, options: EngineOptions) -> Result<Arc<Engine>, EngineError> {
    let slot = slot(name);
    let mut slot = slot.lock();
    if let Some(engine) = slot.registered.clone().or_else(|| slot.started.upgrade()) {
        return Ok(engine);
    }
    let engine = Engine::start(options, Arc::new(NoObserver))?;
    slot.started = Arc::downgrade(&engine);
    Ok(engine)
}
