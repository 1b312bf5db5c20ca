//! People by camera, zone and time. Pure: the time comes in.
//!
//! Two books per place: a sliding window in fine steps, and quarters of an hour for the history. A quarter is the
//! greatest step that hours and days of every time zone are made of. What is counted while the time may still turn out
//! to be wrong stands beside them, loose: it shows where the time reckoned has it, and moves along when that is corrected.
//! Nothing grows too old but by time that has passed for sure.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use maskwatch_vision::compliance::{ComplianceConfig, Counts, Figure, Z_95, wilson};
use maskwatch_vision::face::MaskState;

use super::place::{Book, Place, QUARTER_S};
use crate::clock::Reading;
use crate::config::plan::CompliancePlan;

/// Place and time of a count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) book: Book,
    pub(super) camera: String,
    /// Empty: the whole picture.
    pub(super) zone: String,
    /// Beginning, in seconds since the Unix epoch.
    pub(super) begin_s: u64,
}

/// A count as it is stored: not what was added, but all of it, so that writing it twice does no harm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) key: Key,
    pub(super) counts: Counts,
}

/// What is to be stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// As they are now.
    pub(super) rows: Vec<Row>,
    /// Those in which nobody is left.
    pub(super) gone: Vec<Key>,
}

/// People of a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    /// Its beginning, since the Unix epoch.
    pub from: Duration,
    /// Its end.
    pub to: Duration,
    /// The people, and their share where there are enough of them.
    pub figure: Figure,
}

/// All counts.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    plan: CompliancePlan,
    /// By camera and zone.
    places: BTreeMap<(String, String), Place>,
    /// Changed and not yet stored.
    dirty: BTreeSet<Key>,
    /// Corrections of the time that the loose counts have followed, in seconds.
    moved_s: i64,
}

impl Ledger {
    pub(super) fn new(plan: CompliancePlan) -> Self {
        Self { plan, places: BTreeMap::new(), dirty: BTreeSet::new(), moved_s: 0 }
    }

    /// Brings the loose counts to where the time has them now. Before anything else that is done at `now`; each call with
    /// a later reading.
    pub(super) fn follow(&mut self, now: &Reading) {
        let by = now.moved_s - std::mem::replace(&mut self.moved_s, now.moved_s);
        if by != 0 {
            for ((camera, zone), place) in &mut self.places {
                let touched = place.shift(by);
                let key = |(book, begin_s)| Key { book, camera: camera.clone(), zone: zone.clone(), begin_s };
                self.dirty.extend(touched.into_iter().map(key));
            }
        }
        if now.settled {
            self.places.values_mut().for_each(Place::settle);
        }
    }

    /// Counts a person. `zone` empty: on the camera as a whole.
    pub(super) fn add(&mut self, now: &Reading, camera: &str, zone: &str, state: MaskState) {
        let touched = self.place(camera, zone).add(now.wall, state, now.settled);
        let key = |(book, begin_s)| Key { book, camera: camera.to_owned(), zone: zone.to_owned(), begin_s };
        self.dirty.extend(touched.map(key));
    }

    /// How the windows are made.
    pub(super) fn plan(&self) -> CompliancePlan {
        self.plan
    }

    /// Goes on by another plan. A longer window fills up as time passes: what has left a shorter one does not come back.
    pub(super) fn set_plan(&mut self, plan: CompliancePlan) {
        let before = std::mem::replace(&mut self.plan, plan);
        if (before.window, before.bucket) == (plan.window, plan.bucket) {
            return;
        }
        let config = self.config();
        for ((camera, zone), place) in &mut self.places {
            let key = |(book, begin_s)| Key { book, camera: camera.clone(), zone: zone.clone(), begin_s };
            self.dirty.extend(place.set_config(config).into_iter().map(key));
        }
    }

    fn config(&self) -> ComplianceConfig {
        let CompliancePlan { window, bucket, min_people, .. } = self.plan;
        ComplianceConfig { window, bucket, min_known: min_people }
    }

    fn place(&mut self, camera: &str, zone: &str) -> &mut Place {
        let config = self.config();
        self.places.entry((camera.to_owned(), zone.to_owned())).or_insert_with(|| Place::new(config))
    }

    fn known(&self, (camera, zone): (&str, &str)) -> Option<&Place> {
        self.places.get(&(camera.to_owned(), zone.to_owned()))
    }

    /// The window of a place that ends at `now`, since the Unix epoch; nobody where nobody came.
    pub(super) fn figure(&self, now: Duration, camera: &str, zone: &str) -> Figure {
        self.known((camera, zone)).map(|place| self.share(place.window(now))).unwrap_or_default()
    }

    /// The cameras at which people were counted.
    pub(super) fn cameras(&self) -> impl Iterator<Item = &str> {
        self.places.keys().filter(|(_, zone)| zone.is_empty()).map(|(camera, _)| camera.as_str())
    }

    /// The time of which there may be people at a place, in whole quarters, since the Unix epoch: as far back as the plan
    /// keeps, until now; further where something is kept nevertheless.
    pub(super) fn extent(&self, now: Duration, place: (&str, &str)) -> Range<Duration> {
        let kept = self.known(place).and_then(Place::extent);
        let (from, to) = (self.oldest_quarter(now), now.as_secs() / QUARTER_S * QUARTER_S + QUARTER_S);
        let whole = kept.map_or(from..to, |kept| kept.start.min(from)..kept.end.max(to));
        Duration::from_secs(whole.start)..Duration::from_secs(whole.end)
    }

    /// People of a place in stretches of `step` from `from` on until `to` is reached. `from` is taken down, `to` up, to a
    /// quarter of an hour; so is `step`. `most` stretches at most.
    pub(super) fn history(
        &self,
        place: (&str, &str),
        (from, to): (Duration, Duration),
        step: Duration,
        most: usize,
    ) -> Vec<Stretch> {
        let place = self.known(place);
        let (mut begin, end) = (from.as_secs() / QUARTER_S * QUARTER_S, to.as_secs().div_ceil(QUARTER_S) * QUARTER_S);
        let step = step.as_secs().div_ceil(QUARTER_S).max(1) * QUARTER_S;
        let mut stretches = Vec::new();
        while begin < end && stretches.len() < most {
            let until = begin.saturating_add(step).min(end);
            let counts = place.map(|place| place.quarters(begin..until)).unwrap_or_default();
            let (from, to) = (Duration::from_secs(begin), Duration::from_secs(until));
            stretches.push(Stretch { from, to, figure: self.share(counts) });
            begin = until;
        }
        stretches
    }

    /// The share of people counted, under the same minimum as the window's.
    pub(super) fn share(&self, counts: Counts) -> Figure {
        let ratio = counts.ratio(self.plan.min_people);
        let interval = ratio.and_then(|_| wilson(counts.mask, counts.known(), Z_95));
        Figure { counts, ratio, interval }
    }

    /// The changed counts; they are not told again until they change.
    pub(super) fn take_dirty(&mut self) -> Changes {
        let mut changes = Changes::default();
        for key in std::mem::take(&mut self.dirty) {
            let place = self.known((&key.camera, &key.zone));
            let counts = place.map(|place| place.counts(key.book, key.begin_s)).unwrap_or_default();
            match counts.total() {
                // It has grown too old meanwhile, or was moved away.
                0 => changes.gone.push(key),
                _ => changes.rows.push(Row { key, counts }),
            }
        }
        changes
    }

    /// All counts.
    pub(super) fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for ((camera, zone), place) in &self.places {
            let row = |(book, begin_s, counts)| {
                let key = Key { book, camera: camera.clone(), zone: zone.clone(), begin_s };
                Row { key, counts }
            };
            rows.extend(place.all().into_iter().map(row));
        }
        rows
    }

    /// Takes over what was stored, as far as it is not too old by `prune`, see [`Reading::prune`]. All that fits is dirty
    /// afterwards: steps of another length are to be stored anew in place of the old ones.
    pub(super) fn restore(&mut self, prune: Option<Duration>, rows: Vec<Row>) {
        for Row { key, counts } in rows {
            let old = prune.map(|now| (now, self.oldest_quarter(now)));
            let restored = self.place(&key.camera, &key.zone).restore(key.book, key.begin_s, counts, old);
            self.dirty.extend(restored.map(|begin_s| Key { begin_s, ..key }));
        }
    }

    /// Forgets what is older than the plan keeps by `now`, a time that has passed for sure. Returns the oldest beginning of
    /// each book that is still kept.
    pub(super) fn expire(&mut self, now: Duration) -> [(Book, u64); 2] {
        let old = self.oldest_quarter(now);
        self.places.retain(|_, place| !place.expire(now, old));
        let bucket = now.saturating_sub(self.plan.window + self.plan.bucket).as_secs();
        [(Book::Window, bucket), (Book::Quarters, old)]
    }

    fn oldest_quarter(&self, now: Duration) -> u64 {
        now.saturating_sub(self.plan.history).as_secs() / QUARTER_S * QUARTER_S
    }
}

#[cfg(test)]
#[path = "clock_tests.rs"]
mod clock_tests;
#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
