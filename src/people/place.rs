//! The two books of one camera or zone.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use maskwatch_vision::compliance::{ComplianceConfig, ComplianceWindow, Counts};
use maskwatch_vision::face::MaskState;

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

/// One place.
#[derive(Clone, Debug)]
pub(super) struct Place {
    window: ComplianceWindow,
    /// By beginning, in seconds since the Unix epoch.
    quarters: BTreeMap<u64, Counts>,
    /// What is in neither of them because its time may turn out to be wrong, likewise.
    loose: BTreeMap<u64, Counts>,
    /// Length of a window's step, and of the loose counts': whole parts of it and of a quarter.
    bucket_s: u64,
    grain_s: u64,
}

impl Place {
    pub(super) fn new(config: ComplianceConfig) -> Self {
        let bucket_s = config.bucket.as_secs().max(1);
        let grain_s = common(bucket_s, QUARTER_S);
        let window = ComplianceWindow::new(config);
        Self { window, quarters: BTreeMap::new(), loose: BTreeMap::new(), bucket_s, grain_s }
    }

    /// Goes on with a window of another kind. Steps of before go where they begin. Gives the beginnings of what has changed.
    pub(super) fn set_config(&mut self, config: ComplianceConfig) -> BTreeSet<(Book, u64)> {
        let before = std::mem::replace(self, Self::new(config));
        self.quarters = before.quarters;
        let mut touched = BTreeSet::new();
        for (begin, counts) in before.window.closed(Duration::MAX) {
            self.window.restore(begin, counts);
            touched.extend([begin, self.window.bucket(begin).0].map(|begin| (Book::Window, begin.as_secs())));
        }
        for (begin, counts) in before.loose {
            touched.insert((Book::Window, begin / before.bucket_s * before.bucket_s));
            touched.extend(self.begins(begin));
            *self.loose.entry(begin / self.grain_s * self.grain_s).or_default() += counts;
        }
        touched
    }

    /// Counts a person at `now` since the Unix epoch, for good or loose. Gives the beginnings of what has changed.
    pub(super) fn add(&mut self, now: Duration, state: MaskState, for_good: bool) -> [(Book, u64); 2] {
        let begins = self.begins(now.as_secs());
        if for_good {
            self.window.add(now, state);
            self.quarters.entry(begins[1].1).or_default().add(state);
        } else {
            self.loose.entry(now.as_secs() / self.grain_s * self.grain_s).or_default().add(state);
        }
        begins
    }

    /// The step and the quarter that a second is in.
    fn begins(&self, second: u64) -> [(Book, u64); 2] {
        let (bucket, _) = self.window.bucket(Duration::from_secs(second));
        [(Book::Window, bucket.as_secs()), (Book::Quarters, second / QUARTER_S * QUARTER_S)]
    }

    /// Moves the loose counts by so many seconds. Gives the beginnings of what has changed.
    pub(super) fn shift(&mut self, by: i64) -> BTreeSet<(Book, u64)> {
        let mut touched = BTreeSet::new();
        for (begin, counts) in std::mem::take(&mut self.loose) {
            let moved = begin.saturating_add_signed(by);
            *self.loose.entry(moved).or_default() += counts;
            touched.extend(self.begins(begin).into_iter().chain(self.begins(moved)));
        }
        touched
    }

    /// The loose counts are where they belong.
    pub(super) fn settle(&mut self) {
        for (begin, counts) in std::mem::take(&mut self.loose) {
            self.window.restore(Duration::from_secs(begin), counts);
            *self.quarters.entry(begin / QUARTER_S * QUARTER_S).or_default() += counts;
        }
    }

    /// People of the window that ends at `now`.
    pub(super) fn window(&self, now: Duration) -> Counts {
        let extent = self.window.extent(now);
        let mut counts = self.window.counts(now);
        counts += self.loose(extent.start.as_secs()..extent.end.as_secs());
        counts
    }

    /// People of whole quarters.
    pub(super) fn quarters(&self, span: Range<u64>) -> Counts {
        let mut counts = self.loose(span.clone());
        self.quarters.range(span).for_each(|(_, more)| counts += *more);
        counts
    }

    fn loose(&self, span: Range<u64>) -> Counts {
        let mut counts = Counts::default();
        self.loose.range(span).for_each(|(_, more)| counts += *more);
        counts
    }

    /// People of one step or quarter.
    pub(super) fn counts(&self, book: Book, begin_s: u64) -> Counts {
        if book == Book::Quarters {
            return self.quarters(begin_s..begin_s.saturating_add(QUARTER_S));
        }
        let (begin, mut counts) = self.window.bucket(Duration::from_secs(begin_s));
        if begin.as_secs() != begin_s {
            // A step of a window of before: it has gone into another one.
            return Counts::default();
        }
        counts += self.loose(begin_s..begin_s.saturating_add(self.bucket_s));
        counts
    }

    /// Everything, by book and beginning.
    pub(super) fn all(&self) -> Vec<(Book, u64, Counts)> {
        let mut whole = self.clone();
        whole.settle();
        let window = whole.window.closed(Duration::MAX);
        let window = window.map(|(begin, counts)| (Book::Window, begin.as_secs(), counts));
        window.chain(whole.quarters.iter().map(|(begin, counts)| (Book::Quarters, *begin, *counts))).collect()
    }

    /// From the first to the last quarter that anybody is in; `None` where nobody is.
    pub(super) fn extent(&self) -> Option<Range<u64>> {
        let books = [&self.quarters, &self.loose];
        let first = books.iter().filter_map(|book| book.first_key_value()).map(|(begin, _)| *begin).min()?;
        let last = books.iter().filter_map(|book| book.last_key_value()).map(|(begin, _)| *begin).max()?;
        Some(first / QUARTER_S * QUARTER_S..last / QUARTER_S * QUARTER_S + QUARTER_S)
    }

    /// Takes over a count unless it is too old: by the time of now, and the oldest quarter that is kept. Gives its
    /// beginning.
    pub(super) fn restore(
        &mut self,
        book: Book,
        begin_s: u64,
        counts: Counts,
        old: Option<(Duration, u64)>,
    ) -> Option<u64> {
        let begin = Duration::from_secs(begin_s);
        match book {
            Book::Window => {
                if old.is_some_and(|(now, _)| !self.window.holds(begin, now)) {
                    return None;
                }
                self.window.restore(begin, counts);
                Some(self.window.bucket(begin).0.as_secs())
            }
            Book::Quarters => {
                let begin_s = begin_s / QUARTER_S * QUARTER_S;
                if old.is_some_and(|(_, oldest)| begin_s < oldest) {
                    return None;
                }
                *self.quarters.entry(begin_s).or_default() += counts;
                Some(begin_s)
            }
        }
    }

    /// Forgets what has left the window by `now`, and quarters before `oldest`; true where nothing is left.
    pub(super) fn expire(&mut self, now: Duration, oldest: u64) -> bool {
        self.quarters = self.quarters.split_off(&oldest);
        self.window.expire(now) & self.quarters.is_empty() & self.loose.is_empty()
    }
}

/// Greatest common divisor.
fn common(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { common(b, a % b) }
}
