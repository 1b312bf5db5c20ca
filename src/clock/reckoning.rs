//! What time it is, as far as that can be known. Pure: what the machine's two clocks say comes in.
//!
//! Two clocks: a steady one that nobody sets, and the system's, which may be wrong and may be set at any moment. Within a
//! run the time is reckoned: an anchor, and what the steady clock has counted since. Where the system's clock says
//! something else, it is doubted until it has proved itself, and then followed. Beside the time reckoned there is a time
//! that has passed for sure, which is never ahead of the truth: by it alone things grow too old.

use std::time::Duration;

/// Nanoseconds, before or after.
type Nanos = i128;

const SECOND: Nanos = 1_000_000_000;
const MINUTE: Nanos = 60 * SECOND;
const HOUR: Nanos = 60 * MINUTE;
const DAY: Nanos = 24 * HOUR;

/// Up to here a difference is worked off by going a little faster or slower: adjustments by NTP.
const NEAR: Nanos = 2 * SECOND;
/// So much faster or slower: one part of this many.
const SLEW: Nanos = 100;
/// A plausible time must be kept by the system's clock for so long before it is followed.
const CONFIRM: Nanos = MINUTE;
/// One from before what was seen already: so long. Nothing grows too old by it; but a machine whose clock is not set yet
/// looks like this.
const CONFIRM_EARLIER: Nanos = HOUR;
/// So much earlier than what was seen already is not worth a doubt.
const MARGIN: Nanos = 10 * MINUTE;
/// A time that was followed counts for sure after so long: until then it may turn out to be wrong.
const SETTLE: Nanos = DAY;
/// A start so long after what was seen last goes on where that stood.
const RESTART: Nanos = HOUR;
/// Nobody runs a build for longer: what is further ahead of it than this is wrong.
const LIFE: Nanos = 20 * 365 * DAY;

/// What is known at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// The time to go by, since the Unix epoch.
    pub(crate) wall: Duration,
    /// Since the start; nobody sets it.
    pub(crate) steady: Duration,
    /// Time that has passed for sure, since the Unix epoch.
    pub(crate) sure: Duration,
    /// By how many seconds the time was corrected so far in this run: what came at 12:00 before a correction by an hour
    /// came at 13:00.
    pub(crate) moved_s: i64,
    /// Whether what comes now has its final place in time; else a correction may move it.
    pub(crate) settled: bool,
    /// The system's clock is not believed.
    pub(crate) suspect: bool,
}

impl Reading {
    /// What is too old is older than something by this time; `None` while nothing may be called old.
    pub(crate) fn prune(&self) -> Option<Duration> {
        (!self.suspect).then_some(self.sure)
    }
}

/// What outlives the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Past {
    /// Time that had passed for sure.
    pub(crate) sure: Duration,
    /// Time as it was reckoned.
    pub(crate) wall: Duration,
    /// For how long it had been so, as far as it was not sure.
    pub(crate) held: Duration,
}

/// Why the system's clock is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// It says less than when this program was built.
    BeforeBuild,
    /// It is decades ahead of that.
    FarAhead,
    /// It says less than was seen already.
    Earlier,
    /// It was set.
    Set,
}

/// News of the system's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It is not believed any more.
    Doubted(Doubt),
    /// It is believed again: it says what was reckoned.
    Back,
    /// It is believed, and the time was corrected by so many seconds.
    Followed(i64),
}

/// The time of a run.
#[derive(Clone, Debug)]
pub(super) struct Reckoning {
    built: Nanos,
    /// Time reckoned, less the steady clock.
    offset: Nanos,
    /// Time that has passed for sure, less the steady clock.
    sure: Nanos,
    last: Nanos,
    begun: bool,
    /// The system's clock was believed in this run.
    confirmed: bool,
    /// What was seen by runs before is known.
    past: bool,
    doubt: Option<Doubt>,
    /// What the system's clock says instead, less the steady one, and since when.
    step: Option<(Nanos, Nanos)>,
    /// Since when it may still turn out to be wrong.
    unsettled: Option<Nanos>,
    moved: Nanos,
}

impl Reckoning {
    /// `built`: when the program was, since the Unix epoch.
    pub(super) fn new(built: Duration) -> Self {
        let built = nanos(built);
        Self {
            built,
            offset: built,
            sure: built,
            last: 0,
            begun: false,
            confirmed: false,
            past: false,
            doubt: None,
            step: None,
            unsettled: None,
            moved: 0,
        }
    }

    /// Takes in what both clocks say. `system`: since the Unix epoch.
    pub(super) fn look(&mut self, steady: Duration, system: Duration) -> Option<Change> {
        let now = nanos(steady).max(self.last);
        let elapsed = now - std::mem::replace(&mut self.last, now);
        let said = nanos(system) - now;
        if !self.begun {
            return self.begin(said);
        }
        let away = said - self.offset;
        if away.abs() > NEAR {
            return self.consider(said);
        }
        let change = self.doubt.take().map(|_| Change::Back);
        self.confirmed = true;
        self.step = None;
        self.offset += away.clamp(-elapsed / SLEW, elapsed / SLEW);
        if self.unsettled.is_none_or(|since| now - since >= SETTLE) {
            self.settle();
        }
        change
    }

    /// What runs before have seen. Only the first time counts.
    pub(super) fn know(&mut self, past: Past) -> Option<Change> {
        let sure = nanos(past.sure) - self.last;
        if std::mem::replace(&mut self.past, true) || sure + self.last > self.built + LIFE {
            return None;
        }
        self.sure = self.sure.max(sure);
        if self.offset < self.sure - MARGIN {
            let before = self.offset;
            self.moved += self.sure - before;
            self.offset = self.sure;
            self.confirmed = false;
            self.step = self.step.or(Some((before, self.last)));
            return self
                .doubt
                .replace(self.doubt.unwrap_or(Doubt::Earlier))
                .is_none()
                .then_some(Change::Doubted(Doubt::Earlier));
        }
        if self.doubt.is_some() || self.unsettled.is_none() {
            return None;
        }
        let since = |before: Duration| self.offset - (nanos(before) - self.last);
        let goes_on = |before: Duration| (-MARGIN..=RESTART).contains(&since(before));
        if goes_on(past.sure) {
            self.settle();
        } else if goes_on(past.wall) {
            self.unsettled = Some(self.last - nanos(past.held));
        }
        None
    }

    /// The latest reading.
    pub(super) fn reading(&self) -> Reading {
        Reading {
            wall: duration(self.offset + self.last),
            steady: duration(self.last),
            sure: duration(self.sure + self.last),
            moved_s: i64::try_from((self.moved + SECOND / 2).div_euclid(SECOND)).unwrap_or_default(),
            settled: self.doubt.is_none() && self.unsettled.is_none(),
            suspect: self.doubt.is_some(),
        }
    }

    /// What the next run is to know.
    pub(super) fn past(&self) -> Past {
        let Reading { sure, wall, .. } = self.reading();
        let held = self.unsettled.filter(|_| self.doubt.is_none()).map_or(0, |since| self.last - since);
        Past { sure, wall, held: duration(held) }
    }

    fn begin(&mut self, said: Nanos) -> Option<Change> {
        self.begun = true;
        self.sure = self.built - self.last;
        self.unsettled = Some(self.last);
        self.doubt = self.implausible(said);
        self.confirmed = self.doubt.is_none();
        self.offset = if self.confirmed { said } else { self.sure };
        self.doubt.map(Change::Doubted)
    }

    /// The system's clock says something else than what was reckoned.
    fn consider(&mut self, said: Nanos) -> Option<Change> {
        let same = self.step.filter(|(step, _)| (said - step).abs() <= NEAR);
        let (_, since) = *self.step.insert(same.unwrap_or((said, self.last)));
        let doubt = self.implausible(said);
        let proof = match doubt {
            // Whatever is reckoned is no better.
            None if !self.confirmed => Some(0),
            None => Some(CONFIRM),
            Some(Doubt::Earlier) => Some(CONFIRM_EARLIER),
            Some(_) => None,
        };
        if proof.is_some_and(|proof| self.last - since >= proof) {
            return Some(self.follow(said));
        }
        let doubt = doubt.unwrap_or(Doubt::Set);
        self.doubt.replace(doubt).is_none().then_some(Change::Doubted(doubt))
    }

    fn follow(&mut self, said: Nanos) -> Change {
        let before = self.reading().moved_s;
        self.moved += said - self.offset;
        self.offset = said;
        self.sure = self.sure.min(said);
        (self.doubt, self.step) = (None, None);
        self.confirmed = true;
        self.unsettled = Some(self.last);
        Change::Followed(self.reading().moved_s - before)
    }

    fn settle(&mut self) {
        self.unsettled = None;
        self.sure = self.offset;
    }

    fn implausible(&self, said: Nanos) -> Option<Doubt> {
        match said + self.last {
            time if time < self.built - DAY => Some(Doubt::BeforeBuild),
            time if time > self.built + LIFE => Some(Doubt::FarAhead),
            _ if said < self.sure - MARGIN => Some(Doubt::Earlier),
            _ => None,
        }
    }
}

fn nanos(time: Duration) -> Nanos {
    // Durations are shorter than half of that.
    Nanos::try_from(time.as_nanos()).unwrap_or(Nanos::MAX / 4)
}

/// 0 for what is negative.
fn duration(nanos: Nanos) -> Duration {
    let nanos = u128::try_from(nanos).unwrap_or_default();
    Duration::new(u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX), (nanos % 1_000_000_000) as u32)
}

#[cfg(test)]
#[path = "reckoning_tests.rs"]
mod tests;
