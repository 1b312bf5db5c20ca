//! What a fake camera was asked, and what it gave.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::head::Head;

/// One request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Since the camera was switched on.
    pub at: Duration,
    pub head: Head,
}

/// Written by the camera's threads, read by the table.
pub struct Journal {
    origin: Instant,
    asked: Mutex<Vec<Asked>>,
    notes: Mutex<Vec<String>>,
    pictures: AtomicU64,
    whole: AtomicU64,
    refused: AtomicU64,
    held: AtomicU64,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            origin: Instant::now(),
            asked: Mutex::default(),
            notes: Mutex::default(),
            pictures: AtomicU64::new(0),
            whole: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            held: AtomicU64::new(0),
        }
    }
}

impl Journal {
    pub fn request(&self, head: &Head) {
        self.asked.lock().unwrap().push(Asked { at: self.origin.elapsed(), head: head.clone() });
    }

    /// Something worth a word in a failure's report.
    pub fn note(&self, text: impl Into<String>) {
        let at = self.origin.elapsed().as_secs_f64();
        self.notes.lock().unwrap().push(format!("{at:.1} s: {}", text.into()));
    }

    /// A picture was sent. `whole`: it and all that it is built upon.
    pub fn picture(&self, whole: bool) {
        self.whole.fetch_add(u64::from(whole), Ordering::AcqRel);
        self.pictures.fetch_add(1, Ordering::AcqRel);
    }

    /// All pictures of one connection were sent.
    pub fn hold(&self) {
        self.held.fetch_add(1, Ordering::AcqRel);
    }

    /// A request with credentials was refused.
    pub fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::AcqRel);
    }

    /// Pictures sent, over all connections.
    pub fn pictures(&self) -> u64 {
        self.pictures.load(Ordering::Acquire)
    }

    /// Those of them that a decoder can make whole pictures of.
    pub fn whole(&self) -> u64 {
        self.whole.load(Ordering::Acquire)
    }

    /// Connections that have sent all their pictures.
    pub fn held(&self) -> u64 {
        self.held.load(Ordering::Acquire)
    }

    /// Wrong logins so far.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Acquire)
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// How often `method` was asked for.
    pub fn count(&self, method: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| asked.head.method == method).count()
    }

    pub fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap().clone()
    }
}
