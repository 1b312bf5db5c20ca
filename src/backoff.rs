//! Growing pauses between attempts. Pure: randomness comes in as a number.

use std::time::Duration;

/// First pause.
const FIRST: Duration = Duration::from_millis(500);
/// Longest pause, before jitter.
const LONGEST: Duration = Duration::from_secs(30);

/// Doubles from half a second to thirty seconds.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The pause before the next attempt. `random` in `0..1` spreads it over ±25 %, so that what went down together does
    /// not come back in one step.
    pub(crate) fn next(&mut self, random: f64) -> Duration {
        let doubled = FIRST.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        doubled.min(LONGEST).mul_f64(0.75 + 0.5 * random.clamp(0.0, 1.0))
    }

    /// The connection was good.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn doubles_up_to_the_longest_and_starts_again() {
        let mut backoff = Backoff::default();
        let pauses: Vec<f64> = (0..9).map(|_| backoff.next(0.5).as_secs_f64()).collect();
        assert_eq!(pauses, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]);
        backoff.reset();
        assert_eq!(backoff.next(0.5), FIRST);
    }

    proptest! {
        #[test]
        fn always_bounded(random in -1.0..2.0f64, failures in 0u32..100) {
            let mut backoff = Backoff { failures };
            let pause = backoff.next(random);
            prop_assert!(pause >= FIRST.mul_f64(0.75) && pause <= LONGEST.mul_f64(1.25));
        }
    }
}
