//! The pictures of a camera with `privacy: blur`, on their way from the camera to those who see them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use maskwatch_vision::geometry::Rect;
use maskwatch_vision::privacy::{Cover, Gate, PrivacyConfig};

use super::shown::Raw;

/// Holds pictures until it is known what to hide in them.
///
/// Pictures are let out by one thread at a time, the streaming thread or the supervisor's, whichever comes: so their
/// order stays, and no lock is held while they are handed on. A thread that dies in that lets no picture out any more.
pub(super) struct Veil {
    origin: Instant,
    state: Mutex<State>,
}

struct State {
    gate: Gate<Raw>,
    /// A thread is letting pictures out; it takes along what comes meanwhile.
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

    /// A picture of a connection, of the present one or it is dropped. One without a time hides all that waits, and itself.
    pub(super) fn push(&self, connection: u64, raw: Raw) {
        let time = raw.time().unwrap_or_default();
        let size = size_of(&raw.sample);
        let now = self.now();
        let mut state = self.lock();
        if state.connection != connection {
            return;
        }
        if state.size.replace(size).is_some_and(|before| before != size) {
            state.gate.cut();
        }
        state.gate.push(now, time, raw);
    }

    /// The analysis of the picture at `time` is through.
    pub(super) fn look(&self, time: Duration, faces: &[Rect]) {
        let now = self.now();
        self.lock().gate.look(now, time, faces);
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
        if std::mem::replace(&mut self.lock().letting_out, true) {
            return;
        }
        while let Some((raw, cover)) = self.next() {
            show(raw, cover);
        }
    }

    fn next(&self) -> Option<(Raw, Cover)> {
        let now = self.now();
        let mut state = self.lock();
        let next = state.gate.take(now);
        state.letting_out = next.is_some();
        next
    }

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn size_of(sample: &gst::Sample) -> Option<(i32, i32)> {
    let caps = sample.caps()?.structure(0)?;
    Some((caps.get("width").ok()?, caps.get("height").ok()?))
}
