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

/// First pause after a refused login. Many cameras shut an address out for half an hour after five of them.
const REFUSED_FIRST: Duration = Duration::from_secs(5 * 60);
/// Longest one.
const REFUSED_LONGEST: Duration = Duration::from_secs(60 * 60);

/// The pauses of one camera: short ones for what passes by itself, long ones for a password that is refused.
#[derive(Debug, Default)]
pub(crate) struct Pauses {
    usual: Backoff,
    refusals: u32,
}

impl Pauses {
    /// The pause before the next attempt. `refused`: the login was. `random`: as for [`Backoff::next`].
    pub(crate) fn next(&mut self, refused: bool, random: f64) -> Duration {
        if !refused {
            self.refusals = 0;
            return self.usual.next(random);
        }
        let doubled = REFUSED_FIRST.saturating_mul(1 << self.refusals.min(8));
        self.refusals = self.refusals.saturating_add(1);
        // Only longer: a camera counts.
        doubled.min(REFUSED_LONGEST).mul_f64(1.0 + 0.25 * random.clamp(0.0, 1.0))
    }

    /// The connection was good.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
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

    #[test]
    fn refused_logins_are_rare() {
        let mut pauses = Pauses::default();
        let minutes: Vec<u64> = (0..6).map(|_| pauses.next(true, 0.0).as_secs() / 60).collect();
        assert_eq!(minutes, [5, 10, 20, 40, 60, 60]);
        assert!(pauses.next(false, 0.5) < Duration::from_secs(1));
        assert_eq!(pauses.next(true, 0.0), REFUSED_FIRST, "something else happened in between");
    }

    proptest! {
        /// No half hour ever sees five of them: that is where cameras shut one out.
        #[test]
        fn no_camera_is_provoked(randoms in prop::collection::vec(0.0..1.0f64, 1..40)) {
            let mut pauses = Pauses::default();
            let mut times = vec![Duration::ZERO];
            for random in randoms {
                times.push(times[times.len() - 1] + pauses.next(true, random));
            }
            prop_assert!(times.windows(5).all(|five| five[4] - five[0] > Duration::from_secs(30 * 60)));
        }

        #[test]
        fn always_bounded(random in -1.0..2.0f64, failures in 0u32..100) {
            let mut backoff = Backoff { failures };
            let pause = backoff.next(random);
            prop_assert!(pause >= FIRST.mul_f64(0.75) && pause <= LONGEST.mul_f64(1.25));
        }
    }
}
