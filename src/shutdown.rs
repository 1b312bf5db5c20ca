//! The end of the program, asked for once and known everywhere: a token that threads and futures can wait for.
//!
//! The first SIGINT or SIGTERM asks for an orderly end; a second one ends the process at once. SIGHUP, which a terminal
//! sends that goes away, and an operator who wants a configuration read again, ends a command that runs over files like
//! the others (unless `nohup` asked for the contrary), and never a service.
//!
//! SIGPIPE is ignored from the start by Rust's runtime: who writes to a reader that is gone gets an error.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tokio::sync::watch;
use tracing_mutex::stdsync::{Condvar, Mutex};

/// Time for the lines that wait when the process ends at once.
const LAST_LINES: Duration = Duration::from_millis(100);

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

    /// A token that the first SIGINT, SIGTERM or SIGHUP sets. The second ends the process at once, with status 1. SIGHUP
    /// stays ignored where it was so at the start: `nohup`.
    ///
    /// # Errors
    /// Where the signals or the thread that waits for them cannot be had.
    pub fn on_signals() -> std::io::Result<Self> {
        let ignored = std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores(&status, SIGHUP));
        let also = if ignored { None } else { Some(SIGHUP) };
        Self::on([SIGINT, SIGTERM].into_iter().chain(also))
    }

    /// The same of a service, which SIGHUP does not end: `hangup` is called at each.
    ///
    /// # Errors
    /// As of [`Self::on_signals`].
    pub fn on_signals_of_service(hangup: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let mut hangups = Signals::new([SIGHUP])?;
        std::thread::Builder::new().name("hangup-signals".into()).spawn(move || {
            for _ in hangups.forever() {
                hangup();
            }
        })?;
        Self::on([SIGINT, SIGTERM])
    }

    fn on(which: impl IntoIterator<Item = i32>) -> std::io::Result<Self> {
        let shutdown = Self::new();
        let mut signals = Signals::new(which)?;
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

/// What the program tells whoever started it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExitStatus(u8);

impl ExitStatus {
    /// All is well.
    pub const SUCCESS: Self = Self(0);
    /// Failed at run time.
    pub const FAILED: Self = Self(1);
    /// Bad usage or bad configuration.
    pub const BAD: Self = Self(2);
    /// A panic, which Rust tells by this number.
    pub const PANIC: Self = Self(101);
    /// What was to be compared differs.
    pub(crate) const DIFFERENT: Self = Self(1);
}

/// Ends the process; what was logged or printed is to be written already.
///
/// Nothing that libraries want done at a process's end (C's `atexit`, C++'s destructors of static objects) is done:
/// threads of theirs, and ours that are in their code, run on meanwhile, and ONNX Runtime's crash where its objects go
/// from under them.
pub fn exit(status: ExitStatus) -> ! {
    signal_hook::low_level::exit(status.0.into())
}

/// Ends the process without tidying up; what was logged gets a moment to be written.
pub(crate) fn exit_at_once() -> ! {
    crate::logging::flush(Some(LAST_LINES));
    exit(ExitStatus::FAILED)
}

/// Whether the process of this `/proc/PID/status` ignores a signal: a mask in hexadecimal, from signal 1 on.
fn ignores(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_that_are_ignored_are_read_from_proc() {
        let status = "Name:\tmaskwatch\nSigBlk:\t0000000000000001\nSigIgn:\t0000000000001001\nSigCgt:\t0\n";
        assert!(ignores(status, SIGHUP) && ignores(status, 13) && !ignores(status, SIGINT));
        assert!(!ignores("", SIGHUP) && !ignores("SigIgn: x", SIGHUP));
    }

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
