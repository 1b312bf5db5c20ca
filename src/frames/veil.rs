//! The pictures of a camera with `privacy: blur`, on their way from the camera to those who see them.

use std::cell::Cell;
use std::time::{Duration, Instant};

use maskwatch_vision::privacy::{Cover, Gate, PrivacyConfig, Suspects};
use tracing_mutex::parking_lot::{Mutex, MutexGuard};

use super::shown::Raw;

/// Holds pictures until it is known what to hide in them.
///
/// Pictures are let out by one thread at a time, the streaming thread or the supervisor's, whichever comes: so their
/// order stays, and no lock is held while they are handed on. A thread that dies in that gives its turn back.
pub(super) struct Veil {
    origin: Instant,
    state: Mutex<State>,
}

struct State {
    gate: Gate<Raw>,
    /// A thread is letting pictures out ([`Turn`]); it takes along what comes meanwhile.
    letting_out: bool,
    /// Of the latest picture.
    size: Option<Option<(i32, i32)>>,
    /// The connection whose pictures are taken.
    connection: u64,
}

impl Veil {
    pub(super) fn new(analyze_fps: f64) -> Self {
        let gate = Gate::new(PrivacyConfig::for_rate(analyze_fps));
        Self {
            origin: Instant::now(),
            state: Mutex::new(State { gate, letting_out: false, size: None, connection: 0 }),
        }
    }

    /// Analyses come at another rate from now on.
    pub(super) fn set_rate(&self, analyze_fps: f64) {
        self.lock().gate.set_config(PrivacyConfig::for_rate(analyze_fps));
    }

    /// A picture of the present connection, or it is dropped. One without a time hides all that waits, and itself.
    pub(super) fn push(&self, raw: Raw) {
        let time = raw.time().unwrap_or_default();
        let size = size_of(&raw.sample);
        let now = self.now();
        let mut state = self.lock();
        if state.connection != raw.connection {
            return;
        }
        if state.size.replace(size).is_some_and(|before| before != size) {
            state.gate.cut();
        }
        state.gate.push(now, time, raw);
    }

    /// The analysis of the picture at `time` is through.
    pub(super) fn look(&self, time: Duration, suspects: &Suspects) {
        let now = self.now();
        self.lock().gate.look(now, time, suspects);
    }

    /// From now on pictures of this connection alone are taken. What waits goes, and is not shown.
    pub(super) fn restart(&self, connection: u64) {
        let mut state = self.lock();
        state.connection = connection;
        state.size = None;
        state.gate.clear();
    }

    /// Lets out what may be seen now, with what is to be hidden in it.
    pub(super) fn let_out(&self, mut show: impl FnMut(Raw, Cover)) {
        let Some(turn) = Turn::take(self) else { return };
        while let Some((raw, cover)) = turn.next() {
            show(raw, cover);
        }
    }

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

/// The right to let pictures out. It is given back when nothing is left to let out, or on whatever other way out.
struct Turn<'a> {
    veil: &'a Veil,
    over: Cell<bool>,
}

impl<'a> Turn<'a> {
    /// `None`: another thread has it.
    fn take(veil: &'a Veil) -> Option<Self> {
        let taken = std::mem::replace(&mut veil.lock().letting_out, true);
        (!taken).then(|| Self { veil, over: Cell::new(false) })
    }

    /// The next picture; `None`: none is left, and the turn is over. Both under one lock, so that no picture comes
    /// between and stays behind.
    fn next(&self) -> Option<(Raw, Cover)> {
        let now = self.veil.now();
        let mut state = self.veil.lock();
        let next = state.gate.take(now);
        state.letting_out = next.is_some();
        self.over.set(next.is_none());
        next
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // Once it is over somebody else may have it.
        if !self.over.get() {
            self.veil.lock().letting_out = false;
        }
    }
}

fn size_of(sample: &gst::Sample) -> Option<(i32, i32)> {
    let caps = sample.caps()?.structure(0)?;
    Some((caps.get("width").ok()?, caps.get("height").ok()?))
}
