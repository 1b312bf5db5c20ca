//! Shares of people with a mask, over sliding windows, with their uncertainty.
//!
//! People are counted into buckets of time. A window is the bucket of now and as many before it as make up its length,
//! so its far edge moves in steps of a bucket: a window of an hour in buckets of a minute covers 59 to 60 minutes.
//! Counts are whole numbers, so sums, merges and reloads are exact.

use std::collections::BTreeMap;
use std::ops::{AddAssign, Range};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::face::MaskState;

/// People by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// With a mask over nose and mouth.
    pub mask: u64,
    /// With a badly worn mask.
    pub incorrect: u64,
    /// Without.
    pub no_mask: u64,
    /// Not to be told; never part of a ratio.
    pub unknown: u64,
}

impl Counts {
    /// One more person.
    pub fn add(&mut self, state: MaskState) {
        let count = match state {
            MaskState::Mask => &mut self.mask,
            MaskState::Incorrect => &mut self.incorrect,
            MaskState::NoMask => &mut self.no_mask,
            MaskState::Unknown => &mut self.unknown,
        };
        *count = count.saturating_add(1);
    }

    /// People of one state.
    pub fn of(&self, state: MaskState) -> u64 {
        match state {
            MaskState::Mask => self.mask,
            MaskState::Incorrect => self.incorrect,
            MaskState::NoMask => self.no_mask,
            MaskState::Unknown => self.unknown,
        }
    }

    /// People whose state is known: the denominator of the ratio.
    pub fn known(&self) -> u64 {
        self.mask.saturating_add(self.incorrect).saturating_add(self.no_mask)
    }

    /// All people.
    pub fn total(&self) -> u64 {
        self.known().saturating_add(self.unknown)
    }

    /// `mask / (mask + incorrect + no_mask)`; `None` for fewer than `min_known` known people, or none.
    pub fn ratio(&self, min_known: u64) -> Option<f64> {
        let known = self.known();
        (known >= min_known.max(1)).then(|| self.mask as f64 / known as f64)
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.mask = self.mask.saturating_add(other.mask);
        self.incorrect = self.incorrect.saturating_add(other.incorrect);
        self.no_mask = self.no_mask.saturating_add(other.no_mask);
        self.unknown = self.unknown.saturating_add(other.unknown);
    }
}

/// The standard normal quantile of a two-sided interval of 95 %.
pub const Z_95: f64 = 1.959_963_984_540_054;

/// Wilson's score interval for `hits` of `trials` (Wilson, 1927), within `0..=1`; `None` without trials. `z` is the
/// normal quantile of the confidence wanted, as [`Z_95`].
pub fn wilson(hits: u64, trials: u64, z: f64) -> Option<(f64, f64)> {
    if trials == 0 {
        return None;
    }
    let n = trials as f64;
    let p = hits.min(trials) as f64 / n;
    let z2 = z * z;
    let center = p + z2 / (2.0 * n);
    let half = z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    let low = ((center - half) / (1.0 + z2 / n)).clamp(0.0, 1.0);
    let high = ((center + half) / (1.0 + z2 / n)).clamp(0.0, 1.0);
    Some((low.min(p), high.max(p)))
}

/// Length and grain of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComplianceConfig {
    /// Length of the sliding window.
    pub window: Duration,
    /// Length of a bucket; at least a second, no longer than the window.
    pub bucket: Duration,
    /// Known people below which there is no ratio.
    pub min_known: u64,
}

impl Default for ComplianceConfig {
    fn default() -> Self {
        Self { window: Duration::from_secs(3600), bucket: Duration::from_secs(60), min_known: 20 }
    }
}

/// A share with its uncertainty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// People in the window, `unknown` beside the rest.
    pub counts: Counts,
    /// The compliance ratio; `None` below the minimum count.
    pub ratio: Option<f64>,
    /// Wilson's interval of 95 %; `None` with the ratio.
    pub interval: Option<(f64, f64)>,
}

/// Counts by time. Times are durations since an epoch that outlives the process (the Unix epoch), so that a window
/// written to disk goes on where it stood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComplianceWindow {
    bucket_s: u64,
    window_s: u64,
    min_known: u64,
    /// By number of the bucket since the epoch. Empty buckets are absent.
    buckets: BTreeMap<u64, Counts>,
}

impl ComplianceWindow {
    /// An empty window.
    pub fn new(config: ComplianceConfig) -> Self {
        let bucket_s = config.bucket.as_secs().max(1);
        let window_s = config.window.as_secs().max(bucket_s);
        Self { bucket_s, window_s, min_known: config.min_known, buckets: BTreeMap::new() }
    }

    /// Counts a person at `time`. Nothing is forgotten for it, see [`Self::expire`]: the time may be wrong.
    pub fn add(&mut self, time: Duration, state: MaskState) {
        self.buckets.entry(self.number(time)).or_default().add(state);
    }

    /// Beginning and counts of the bucket that `time` is in.
    pub fn bucket(&self, time: Duration) -> (Duration, Counts) {
        let number = self.number(time);
        let begin = Duration::from_secs(number.saturating_mul(self.bucket_s));
        (begin, self.buckets.get(&number).copied().unwrap_or_default())
    }

    /// Adds what was counted in the bucket that `begin` is in, as [`Self::bucket`] told it.
    pub fn restore(&mut self, begin: Duration, counts: Counts) {
        *self.buckets.entry(self.number(begin)).or_default() += counts;
    }

    /// Whether the bucket that `begin` is in has not left the window by `now`.
    pub fn holds(&self, begin: Duration, now: Duration) -> bool {
        self.number(begin) >= self.first(now)
    }

    /// Forgets the buckets that have left the window by `now`; true where none is left.
    pub fn expire(&mut self, now: Duration) -> bool {
        self.buckets = self.buckets.split_off(&self.first(now));
        self.buckets.is_empty()
    }

    /// The time that the window which ends at `now` covers: whole buckets.
    pub fn extent(&self, now: Duration) -> Range<Duration> {
        let begin = |number: u64| Duration::from_secs(number.saturating_mul(self.bucket_s));
        begin(self.first(now))..begin(self.number(now).saturating_add(1))
    }

    /// Sum over the window that ends at `now`. People from after `now` (a clock set back) are left out.
    pub fn counts(&self, now: Duration) -> Counts {
        let mut sum = Counts::default();
        self.buckets.range(self.first(now)..=self.number(now)).for_each(|(_, counts)| sum += *counts);
        sum
    }

    /// Ratio and interval of the window that ends at `now`.
    pub fn figure(&self, now: Duration) -> Figure {
        let counts = self.counts(now);
        let ratio = counts.ratio(self.min_known);
        let interval = ratio.and_then(|_| wilson(counts.mask, counts.known(), Z_95));
        Figure { counts, ratio, interval }
    }

    /// The buckets that are over at `now` and not empty: their beginnings, and their counts. In order of time.
    pub fn closed(&self, now: Duration) -> impl Iterator<Item = (Duration, Counts)> + '_ {
        let current = self.number(now);
        let bucket_s = self.bucket_s;
        self.buckets
            .range(..current)
            .map(move |(number, counts)| (Duration::from_secs(number.saturating_mul(bucket_s)), *counts))
    }

    /// Adds the counts of `other` (another camera; what was stored before a restart). Buckets of another length go
    /// where they begin, which is exact if they are a whole part of this window's. Buckets that a window of this length
    /// would have forgotten by the newest of both are dropped.
    pub fn merge(&mut self, other: &Self) {
        for (number, counts) in &other.buckets {
            let begin = number.saturating_mul(other.bucket_s.max(1));
            *self.buckets.entry(begin / self.bucket_s.max(1)).or_default() += *counts;
        }
        if let Some((&newest, _)) = self.buckets.last_key_value() {
            let first = (newest + 1).saturating_sub(self.span());
            self.buckets = self.buckets.split_off(&first);
        }
    }

    fn number(&self, time: Duration) -> u64 {
        // What was read from a file may hold a 0.
        time.as_secs() / self.bucket_s.max(1)
    }

    /// Number of the first bucket of the window that ends at `now`.
    fn first(&self, now: Duration) -> u64 {
        self.number(now).saturating_add(1).saturating_sub(self.span())
    }

    /// Number of buckets in the window.
    fn span(&self) -> u64 {
        self.window_s.div_ceil(self.bucket_s.max(1)).max(1)
    }
}

#[cfg(test)]
#[path = "compliance_tests.rs"]
mod tests;
