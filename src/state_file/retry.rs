//! When a disk that refused is asked again. Pure: time and randomness come in.

use std::time::{Duration, Instant};

use crate::backoff::Backoff;

/// Growing pauses between attempts.
#[derive(Debug, Default)]
pub(crate) struct Retry {
    backoff: Backoff,
    /// `None`: the last attempt succeeded.
    due: Option<Instant>,
}

impl Retry {
    /// Whether an attempt may be made at `now`.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.due.is_none_or(|due| due <= now)
    }

    /// Time until the next attempt after a failed one; `None` where none failed.
    pub(crate) fn pause(&self, now: Instant) -> Option<Duration> {
        self.due.map(|due| due.saturating_duration_since(now))
    }

    /// An attempt failed at `now`. `random`: as of [`Backoff::next`].
    pub(crate) fn failed(&mut self, now: Instant, random: f64) {
        self.due = Some(now + self.backoff.next(random));
    }

    /// An attempt succeeded.
    pub(crate) fn worked(&mut self) {
        self.backoff.reset();
        self.due = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_until_an_attempt_succeeds() {
        let (mut retry, now) = (Retry::default(), Instant::now());
        assert!(retry.is_due(now) && retry.pause(now).is_none());
        retry.failed(now, 0.5);
        let first = retry.pause(now).unwrap();
        assert!(!retry.is_due(now) && retry.is_due(now + first));
        retry.failed(now, 0.5);
        assert!(retry.pause(now).unwrap() > first);
        retry.worked();
        retry.failed(now, 0.5);
        assert_eq!(retry.pause(now), Some(first));
    }
}
