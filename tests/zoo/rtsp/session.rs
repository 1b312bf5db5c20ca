//! What the thread that answers and the one that sends share: whether the session lives.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// One session.
pub struct Session {
    pub number: String,
    timeout: Option<Duration>,
    last_sign: Mutex<Instant>,
    over: AtomicBool,
    /// A question of the camera waits for its answer.
    pub open_question: AtomicBool,
}

impl Session {
    pub fn new(number: String, timeout: Option<Duration>) -> Self {
        Self {
            number,
            timeout,
            last_sign: Mutex::new(Instant::now()),
            over: AtomicBool::new(false),
            open_question: AtomicBool::new(false),
        }
    }

    /// Something that keeps it alive came.
    pub fn sign(&self) {
        *self.last_sign.lock().unwrap() = Instant::now();
    }

    pub fn timed_out(&self) -> bool {
        self.timeout.is_some_and(|timeout| self.last_sign.lock().unwrap().elapsed() > timeout)
    }

    pub fn end(&self) {
        self.over.store(true, Ordering::Release);
    }

    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }
}
