//! The end of the program, asked for once and known everywhere: a token that threads and futures can wait for.
//!
//! The first SIGINT or SIGTERM asks for an orderly end; a second one ends the process at once.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tokio::sync::watch;

/// A request to end. Clones share it.
#[derive(Clone)]
pub struct Shutdown {
    inner: Arc<Inner>,
}

struct Inner {
    asked: Mutex<bool>,
    changed: Condvar,
    async_side: watch::Sender<bool>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

impl Shutdown {
    /// A token that nobody has asked of yet.
    pub fn new() -> Self {
        let (async_side, _) = watch::channel(false);
        Self { inner: Arc::new(Inner { asked: Mutex::new(false), changed: Condvar::new(), async_side }) }
    }

    /// A token that the first SIGINT or SIGTERM sets. The second ends the process at once, with status 1.
    ///
    /// # Errors
    /// Where the signals or the thread that waits for them cannot be had.
    pub fn on_signals() -> std::io::Result<Self> {
        let shutdown = Self::new();
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let token = shutdown.clone();
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            for signal in signals.forever() {
                if token.is_set() {
                    tracing::warn!("second signal: ending at once");
                    exit_at_once();
                }
                tracing::info!(signal, "ending; a second signal ends at once");
                token.set();
            }
        })?;
        Ok(shutdown)
    }

    /// Asks for the end.
    pub fn set(&self) {
        *self.inner.asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.inner.changed.notify_all();
        self.inner.async_side.send_replace(true);
    }

    /// Whether the end was asked for.
    pub fn is_set(&self) -> bool {
        *self.inner.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the end is asked for.
    pub fn wait(&self) {
        let mut asked = self.inner.asked.lock().unwrap_or_else(PoisonError::into_inner);
        while !*asked {
            asked = self.inner.changed.wait(asked).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits, but not longer than `limit`. Returns whether the end was asked for: a sleep that ends at once.
    pub fn wait_timeout(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let mut asked = self.inner.asked.lock().unwrap_or_else(PoisonError::into_inner);
        while !*asked {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            asked = self.inner.changed.wait_timeout(asked, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        *asked
    }

    /// The same as a future.
    pub async fn wait_async(&self) {
        let mut side = self.inner.async_side.subscribe();
        // The sender lives as long as `self`.
        drop(side.wait_for(|asked| *asked).await);
    }
}

/// Ends the process without tidying up.
pub(crate) fn exit_at_once() -> ! {
    std::process::exit(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wakes_threads_and_futures() {
        let shutdown = Shutdown::new();
        assert!(!shutdown.wait_timeout(Duration::from_millis(1)));
        let other = shutdown.clone();
        let thread = std::thread::spawn(move || other.wait_timeout(Duration::from_secs(60)));
        let future = shutdown.clone();
        let async_thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(future.wait_async());
        });
        shutdown.set();
        assert!(thread.join().unwrap());
        async_thread.join().unwrap();
        shutdown.wait();
        assert!(shutdown.is_set());
    }
}
