//! How far apart the analyses of a camera are, as seen: what is asked for and what a busy machine gives are two things.

use std::collections::VecDeque;
use std::time::Duration;

use super::config::TrackerConfig;

/// Gaps that are remembered. The middle one of three follows a new rate with the second analysis and is not moved by a
/// single stall.
const REMEMBERED: usize = 3;
/// A gap of up to so many usual ones breaks nothing: one or two analyses may be dropped.
const GAP_INTERVALS: u32 = 3;
/// But none longer than this is bridged, whatever is usual: after two minutes a face at the same place may well be
/// somebody else's.
const LONGEST_GAP: Duration = Duration::from_secs(120);

/// The latest gaps between analyses.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    gaps: VecDeque<Duration>,
}

impl Pace {
    /// An analysis came `gap` after the one before.
    pub(super) fn note(&mut self, gap: Duration) {
        // Two pictures of the same moment tell nothing.
        if gap.is_zero() {
            return;
        }
        if self.gaps.len() == REMEMBERED {
            self.gaps.pop_front();
        }
        self.gaps.push_back(gap);
    }

    /// Gaps longer than this are a break in the stream.
    pub(super) fn longest_gap(&self, config: &TrackerConfig) -> Duration {
        let usual = self.usual().max(config.interval);
        config.max_gap.max(usual.saturating_mul(GAP_INTERVALS).min(LONGEST_GAP))
    }

    /// The middle one of the gaps, the lesser of two middle ones; zero before the first.
    fn usual(&self) -> Duration {
        let mut sorted: Vec<Duration> = self.gaps.iter().copied().collect();
        sorted.sort_unstable();
        sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(gaps: &[u64], interval: u64) -> u64 {
        let mut pace = Pace::default();
        gaps.iter().for_each(|gap| pace.note(Duration::from_millis(*gap)));
        let config = TrackerConfig { interval: Duration::from_millis(interval), ..TrackerConfig::default() };
        pace.longest_gap(&config).as_millis() as u64
    }

    #[test]
    fn the_longest_gap_follows_what_is_seen_and_not_a_single_stall() {
        assert_eq!([after(&[], 0), after(&[], 200), after(&[200; 9], 200)], [5000; 3]);
        assert_eq!([after(&[200, 60_000], 200), after(&[200, 200, 60_000, 200], 200)], [5000; 2]);
        // Overload, though five per second are asked for: known with the second gap.
        assert_eq!([after(&[200, 200, 8000], 200), after(&[200, 200, 8000, 9000], 200)], [5000, 24_000]);
        assert_eq!(after(&[10_000, 10_000, 200, 200], 200), 5000, "the machine is free again");
        assert_eq!(after(&[200, 0, 0, 0], 0), 5000);
    }

    #[test]
    fn what_is_asked_for_counts_from_the_first_analysis() {
        assert_eq!([after(&[], 5000), after(&[], 10_000), after(&[], 20_000)], [15_000, 30_000, 60_000]);
        assert_eq!([after(&[], 100_000), after(&[500_000; 5], 0)], [120_000; 2], "and there is an end");
    }
}
