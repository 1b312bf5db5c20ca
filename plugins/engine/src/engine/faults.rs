//! Repeated faults, logged at a bounded rate.

use std::time::{Duration, Instant};

/// Least time between two log lines of one thread's faults.
const INTERVAL: Duration = Duration::from_secs(10);

/// Lets one fault per [`INTERVAL`] through and counts the rest.
#[derive(Debug, Default)]
pub(super) struct Faults {
    last: Option<Instant>,
    suppressed: u64,
}

impl Faults {
    /// Logs the fault of a run, or counts it.
    pub(super) fn report(&mut self, model: &str, pictures: usize, cause: &str) {
        if let Some(suppressed) = self.admit(Instant::now()) {
            tracing::error!(model, pictures, cause, suppressed, "inference failed");
        }
    }

    /// `Some(number suppressed since the last one let through)` where a fault at `now` is let through.
    fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now.saturating_duration_since(last) < INTERVAL) {
            self.suppressed += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_an_interval_and_the_rest_are_counted() {
        let (mut faults, start) = (Faults::default(), Instant::now());
        assert_eq!(faults.admit(start), Some(0));
        assert_eq!(faults.admit(start + INTERVAL / 2), None);
        assert_eq!(faults.admit(start + INTERVAL / 2), None);
        assert_eq!(faults.admit(start + INTERVAL), Some(2));
        assert_eq!(faults.admit(start + INTERVAL * 2), Some(0));
    }
}
