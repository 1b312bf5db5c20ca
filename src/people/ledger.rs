//! People by camera, zone and time. Pure: the time comes in.
//!
//! Two books per place: a sliding window in fine steps, and quarters of an hour for the history. A quarter is the
//! greatest step that hours and days of every time zone are made of.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use maskwatch_vision::compliance::{ComplianceConfig, ComplianceWindow, Counts, Figure, Z_95, wilson};
use maskwatch_vision::face::MaskState;

use crate::config::plan::CompliancePlan;

/// Step of the history, in seconds.
pub(super) const QUARTER_S: u64 = 900;

/// Which book a row is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Book {
    /// The window.
    Window,
    /// The history.
    Quarters,
}

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

/// One place.
#[derive(Clone, Debug)]
struct Place {
    window: ComplianceWindow,
    /// By beginning, in seconds since the Unix epoch.
    quarters: BTreeMap<u64, Counts>,
}

/// All counts.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    plan: CompliancePlan,
    /// By camera and zone.
    places: BTreeMap<(String, String), Place>,
    /// Changed and not yet stored.
    dirty: BTreeSet<Key>,
}

impl Ledger {
    pub(super) fn new(plan: CompliancePlan) -> Self {
        Self { plan, places: BTreeMap::new(), dirty: BTreeSet::new() }
    }

    /// Counts a person, `now` since the Unix epoch. `zone` empty: on the camera as a whole.
    pub(super) fn add(&mut self, now: Duration, camera: &str, zone: &str, state: MaskState) {
        let place = self.place(camera, zone);
        place.window.add(now, state);
        let begin_s = now.as_secs() / QUARTER_S * QUARTER_S;
        place.quarters.entry(begin_s).or_default().add(state);
        let (bucket, _) = place.window.bucket(now);
        let key = |book, begin_s| Key { book, camera: camera.to_owned(), zone: zone.to_owned(), begin_s };
        self.dirty.extend([key(Book::Window, bucket.as_secs()), key(Book::Quarters, begin_s)]);
    }

    fn place(&mut self, camera: &str, zone: &str) -> &mut Place {
        let CompliancePlan { window, bucket, min_people, .. } = self.plan;
        let config = ComplianceConfig { window, bucket, min_known: min_people };
        let empty = || Place { window: ComplianceWindow::new(config), quarters: BTreeMap::new() };
        self.places.entry((camera.to_owned(), zone.to_owned())).or_insert_with(empty)
    }

    /// The window of a place that ends now; nobody where nobody came.
    pub(super) fn figure(&self, now: Duration, camera: &str, zone: &str) -> Figure {
        let place = self.places.get(&(camera.to_owned(), zone.to_owned()));
        place.map(|place| place.window.figure(now)).unwrap_or_default()
    }

    /// The cameras at which people were counted.
    pub(super) fn cameras(&self) -> impl Iterator<Item = &str> {
        self.places.keys().filter(|(_, zone)| zone.is_empty()).map(|(camera, _)| camera.as_str())
    }

    /// People of a place in stretches of `step` from `from` on until `to` is reached. `from` is taken down, `to` up, to a
    /// quarter of an hour; so is `step`. `most` stretches at most.
    pub(super) fn history(
        &self,
        (camera, zone): (&str, &str),
        (from, to): (Duration, Duration),
        step: Duration,
        most: usize,
    ) -> Vec<Stretch> {
        let place = self.places.get(&(camera.to_owned(), zone.to_owned()));
        let (mut begin, end) = (from.as_secs() / QUARTER_S * QUARTER_S, to.as_secs().div_ceil(QUARTER_S) * QUARTER_S);
        let step = step.as_secs().div_ceil(QUARTER_S).max(1) * QUARTER_S;
        let mut stretches = Vec::new();
        while begin < end && stretches.len() < most {
            let until = begin.saturating_add(step).min(end);
            let mut counts = Counts::default();
            let quarters = place.into_iter().flat_map(|place| place.quarters.range(begin..until));
            quarters.for_each(|(_, more)| counts += *more);
            let (from, to) = (Duration::from_secs(begin), Duration::from_secs(until));
            stretches.push(Stretch { from, to, figure: self.share(counts) });
            begin = until;
        }
        stretches
    }

    /// The share of people counted, under the same minimum as the window's.
    fn share(&self, counts: Counts) -> Figure {
        let ratio = counts.ratio(self.plan.min_people);
        let interval = ratio.and_then(|_| wilson(counts.mask, counts.known(), Z_95));
        Figure { counts, ratio, interval }
    }

    /// The changed counts; they are not told again until they change.
    pub(super) fn take_dirty(&mut self) -> Vec<Row> {
        let keys = std::mem::take(&mut self.dirty);
        keys.into_iter().filter_map(|key| self.row(key)).collect()
    }

    fn row(&self, key: Key) -> Option<Row> {
        let place = self.places.get(&(key.camera.clone(), key.zone.clone()))?;
        let counts = match key.book {
            Book::Window => place.window.bucket(Duration::from_secs(key.begin_s)).1,
            Book::Quarters => place.quarters.get(&key.begin_s).copied().unwrap_or_default(),
        };
        // Nobody: it has grown too old meanwhile.
        (counts.total() > 0).then_some(Row { key, counts })
    }

    /// All counts.
    pub(super) fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for ((camera, zone), place) in &self.places {
            let mut add = |book, begin_s, counts| {
                let key = Key { book, camera: camera.clone(), zone: zone.clone(), begin_s };
                rows.push(Row { key, counts });
            };
            let buckets = place.window.closed(Duration::MAX);
            buckets.for_each(|(begin, counts)| add(Book::Window, begin.as_secs(), counts));
            place.quarters.iter().for_each(|(begin_s, counts)| add(Book::Quarters, *begin_s, *counts));
        }
        rows
    }

    /// Takes over what was stored, as far as it is not too old. All that fits is dirty afterwards: steps of another
    /// length are to be stored anew in place of the old ones.
    pub(super) fn restore(&mut self, now: Duration, rows: Vec<Row>) {
        for Row { mut key, counts } in rows {
            let begin = Duration::from_secs(key.begin_s);
            let old = self.oldest_quarter(now);
            let place = self.place(&key.camera, &key.zone);
            let fits = match key.book {
                Book::Window => {
                    let fits = place.window.restore(begin, counts, now);
                    key.begin_s = place.window.bucket(begin).0.as_secs();
                    fits
                }
                Book::Quarters => {
                    key.begin_s = key.begin_s / QUARTER_S * QUARTER_S;
                    let fits = key.begin_s >= old;
                    if fits {
                        *place.quarters.entry(key.begin_s).or_default() += counts;
                    }
                    fits
                }
            };
            if fits {
                self.dirty.insert(key);
            }
        }
    }

    /// Forgets what is older than the plan keeps. Returns the oldest beginning of each book that is still kept.
    pub(super) fn expire(&mut self, now: Duration) -> [(Book, u64); 2] {
        let old = self.oldest_quarter(now);
        self.places.retain(|_, place| {
            place.quarters = place.quarters.split_off(&old);
            !(place.window.expire(now) & place.quarters.is_empty())
        });
        let bucket = now.saturating_sub(self.plan.window + self.plan.bucket).as_secs();
        [(Book::Window, bucket), (Book::Quarters, old)]
    }

    fn oldest_quarter(&self, now: Duration) -> u64 {
        now.saturating_sub(self.plan.history).as_secs() / QUARTER_S * QUARTER_S
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
