//! Waiting for a condition, with a deadline.

use std::time::{Duration, Instant};

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// The usual deadline. Generous: a loaded machine with two cores passes too, and who waits for an event loses nothing.
pub fn soon() -> Duration {
    Duration::from_secs(60)
}

/// Looks until `condition` gives a value; panics with `what` when `limit` has passed.
#[track_caller]
pub fn wait_for<T>(what: &str, limit: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < end, "waited {limit:?} in vain: {what}");
        pause();
    }
}

/// Looks until `condition` holds; panics with `what` when `limit` has passed.
#[track_caller]
pub fn wait_until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    wait_for(what, limit, || condition().then_some(()));
}

/// The time between two looks.
pub(super) fn pause() {
    std::thread::park_timeout(LOOK_EVERY);
}

/// Lets time pass: for peers that keep a pace, and where nothing may happen for a while.
pub fn let_pass(span: Duration) {
    let end = Instant::now() + span;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
}
