//! Totals that tell nothing about one person: `privacy: statistics`.
//!
//! People are added up unseen and told only when a window has closed, and only in cells of enough people. A cell of fewer
//! is not told but kept for the next window: so every number that ever comes out is one of at least `minimum` people over
//! one whole window or more, and nothing can be had by subtracting numbers from each other. What is not told when the
//! counting ends is forgotten.

use std::time::Duration;

use crate::face::MaskState;

/// How long and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatisticsConfig {
    /// Length of a window.
    pub window: Duration,
    /// Fewest people in a number.
    pub minimum: u64,
}

impl Default for StatisticsConfig {
    /// A quarter of an hour, as in the trial at Châtelet in 2020; ten people.
    fn default() -> Self {
        Self { window: Duration::from_secs(15 * 60), minimum: 10 }
    }
}

/// What one closed window tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// People by state, in the order of [`MaskState::ALL`]: those of this window, and of those before it that were too
    /// few to be told. `None`: too few, or none.
    pub people: [Option<u64>; MaskState::ALL.len()],
}

/// The people of the open window.
#[derive(Clone, Debug)]
pub struct Tally {
    config: StatisticsConfig,
    began: Duration,
    counts: [u64; MaskState::ALL.len()],
}

impl Tally {
    /// A window begins at `now`, a time by any clock that only rises.
    pub fn new(config: StatisticsConfig, now: Duration) -> Self {
        Self { config, began: now, counts: [0; MaskState::ALL.len()] }
    }

    /// Other windows from now on: also the open one. Whoever was added stays.
    pub fn set_config(&mut self, config: StatisticsConfig) {
        self.config = config;
    }

    /// A person is decided.
    pub fn add(&mut self, state: MaskState) {
        let count = &mut self.counts[state as usize];
        *count = count.saturating_add(1);
    }

    /// The totals, if the window is over; the next one begins now.
    pub fn close(&mut self, now: Duration) -> Option<Totals> {
        if now.saturating_sub(self.began) < self.config.window {
            return None;
        }
        self.began = now;
        let minimum = self.config.minimum.max(1);
        let told = |count: &mut u64| (*count >= minimum).then(|| std::mem::take(count));
        Some(Totals { people: self.counts.each_mut().map(told) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn minutes(n: u64) -> Duration {
        Duration::from_secs(60 * n)
    }

    #[test]
    fn small_cells_wait_for_company() {
        let mut tally = Tally::new(StatisticsConfig::default(), Duration::ZERO);
        (0..30).for_each(|_| tally.add(MaskState::Mask));
        (0..6).for_each(|_| tally.add(MaskState::NoMask));
        assert_eq!(tally.close(minutes(14)), None, "the window is open");
        assert_eq!(tally.close(minutes(15)), Some(Totals { people: [Some(30), None, None, None] }));
        (0..6).for_each(|_| tally.add(MaskState::NoMask));
        assert_eq!(tally.close(minutes(29)), None);
        assert_eq!(tally.close(minutes(31)), Some(Totals { people: [None, None, Some(12), None] }));
        assert_eq!(tally.close(minutes(46)), Some(Totals::default()));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Person(usize),
        Wait(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![6 => (0..4usize).prop_map(Step::Person), 1 => (0..400u64).prop_map(Step::Wait)];
        prop::collection::vec(step, 0..400)
    }

    proptest! {
        /// Whoever looks at the running sums at any two moments sees, for each state, no change or one of at least the
        /// minimum; and changes are at least a window apart.
        #[test]
        fn no_two_looks_differ_by_few(steps in steps(), minimum in 1..12u64, window in 1..600u64) {
            let config = StatisticsConfig { window: Duration::from_secs(window), minimum };
            let mut tally = Tally::new(config, Duration::ZERO);
            let (mut now, mut last) = (Duration::ZERO, Duration::ZERO);
            let (mut sums, mut truth) = ([0u64; 4], [0u64; 4]);
            for step in steps {
                match step {
                    Step::Person(state) => {
                        tally.add(MaskState::ALL[state]);
                        truth[state] += 1;
                    }
                    Step::Wait(seconds) => now += Duration::from_secs(seconds),
                }
                let Some(totals) = tally.close(now) else { continue };
                prop_assert!(now - last >= config.window);
                last = now;
                for (sum, told) in sums.iter_mut().zip(totals.people) {
                    prop_assert!(told.is_none_or(|told| told >= minimum));
                    *sum += told.unwrap_or(0);
                }
                for (sum, truth) in sums.iter().zip(truth) {
                    prop_assert!(*sum <= truth && truth - *sum < minimum, "nobody is lost, nobody is told twice");
                }
            }
        }
    }
}
