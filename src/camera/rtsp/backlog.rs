//! How long a packet has waited between its arrival and the decoder.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Packets that are remembered; at 20 Mbit/s the last nine seconds.
const PACKETS: usize = 16_384;

/// Written by the thread that receives, read by the one that decodes.
pub(in crate::camera) struct Backlog {
    origin: Instant,
    /// By number: when it arrived, in milliseconds after `origin`.
    came: Box<[AtomicU32]>,
}

impl Backlog {
    pub(in crate::camera) fn new() -> Self {
        Self { origin: Instant::now(), came: (0..PACKETS).map(|_| AtomicU32::new(0)).collect() }
    }

    fn now(&self) -> u32 {
        // Wraps after 49 days of one connection, as the subtraction does.
        self.origin.elapsed().as_millis() as u32
    }

    /// A packet arrived.
    pub(super) fn came(&self, number: u16) {
        self.came[usize::from(number) % PACKETS].store(self.now(), Ordering::Relaxed);
    }

    /// How long ago a packet arrived, that goes to the decoder now.
    pub(in crate::camera) fn waited(&self, number: u16) -> Duration {
        let came = self.came[usize::from(number) % PACKETS].load(Ordering::Relaxed);
        Duration::from_millis(u64::from(self.now().wrapping_sub(came)))
    }
}
