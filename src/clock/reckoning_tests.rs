use proptest::prelude::*;

use super::*;

const BUILT: u64 = 1_780_000_000;
/// The truth at the start.
const START: u64 = BUILT + 100 * 86_400;
const DAY_S: i64 = 86_400;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A reckoning, and a system's clock that is wrong by some seconds.
struct Machine {
    reckoning: Reckoning,
    /// True time since the start of the test, and at the start of this run.
    time: u64,
    begin: u64,
    wrong_by: i64,
}

impl Machine {
    fn start(time: u64, wrong_by: i64, past: Option<Past>) -> Self {
        let mut this = Self { reckoning: Reckoning::new(seconds(BUILT)), time, begin: time, wrong_by };
        this.look();
        if let Some(past) = past {
            this.reckoning.know(past);
        }
        this
    }

    /// One that was right yesterday and is so now.
    fn usual() -> Self {
        let sure = seconds(START - 60);
        Self::start(0, 0, Some(Past { sure, wall: sure, held: Duration::ZERO }))
    }

    fn truth(&self) -> u64 {
        START + self.time
    }

    fn look(&mut self) -> Option<Change> {
        let system = self.truth().saturating_add_signed(self.wrong_by);
        self.reckoning.look(seconds(self.time - self.begin), seconds(system))
    }

    /// Time passes, and is looked at every ten seconds; gives what was told.
    fn pass(&mut self, time: u64) -> Vec<Change> {
        let end = self.time + time;
        let mut news = Vec::new();
        while self.time < end {
            self.time = end.min(self.time + 10);
            news.extend(self.look());
        }
        news
    }

    fn set(&mut self, wrong_by: i64) -> Vec<Change> {
        self.wrong_by = wrong_by;
        self.look().into_iter().collect()
    }

    /// How far the time reckoned is from the true one.
    fn off(&self) -> i64 {
        self.reckoning.reading().wall.as_secs().cast_signed() - self.truth().cast_signed()
    }
}

#[test]
fn small_differences_are_worked_off() {
    let mut machine = Machine::usual();
    for wrong_by in [1, -1, 1, 0, 2] {
        assert_eq!(machine.set(wrong_by), []);
        assert!(machine.pass(3600).is_empty());
        assert_eq!(machine.off(), wrong_by);
        let reading = machine.reckoning.reading();
        assert!(reading.settled && !reading.suspect && reading.sure == reading.wall && reading.moved_s == 0);
    }
}

#[test]
fn a_step_is_followed_when_it_has_stood_for_a_minute() {
    for (wrong_by, wait) in [(5, 60), (-5, 60), (3600, 60), (-500, 60), (10 * 365 * DAY_S, 60), (-3600, 3600)] {
        let mut machine = Machine::usual();
        machine.pass(100);
        let doubted = machine.set(wrong_by);
        assert!(matches!(doubted[..], [Change::Doubted(Doubt::Set | Doubt::Earlier)]), "{wrong_by}: {doubted:?}");
        assert_eq!((machine.pass(wait - 1), machine.off()), (vec![], 0), "{wrong_by}");
        assert_eq!(machine.reckoning.reading().prune(), None);
        assert_eq!((machine.pass(1), machine.off()), (vec![Change::Followed(wrong_by)], wrong_by));
        let reading = machine.reckoning.reading();
        assert_eq!((reading.moved_s, reading.suspect, reading.settled), (wrong_by, false, false));
        let sure = machine.truth().saturating_add_signed(wrong_by.min(0));
        assert_eq!(reading.prune(), Some(seconds(sure)), "{wrong_by}: not ahead of the truth yet");
        machine.pass(DAY_S.unsigned_abs());
        let reading = machine.reckoning.reading();
        assert_eq!((reading.settled, reading.sure), (true, reading.wall), "it has stood for a day");
    }
}

#[test]
fn a_step_and_back_changes_nothing() {
    for wrong_by in [-(START as i64), 73 * 365 * DAY_S, 3600] {
        let mut machine = Machine::usual();
        machine.pass(100);
        let before = machine.reckoning.reading();
        assert_eq!(machine.set(wrong_by).len(), 1, "{wrong_by}");
        assert_eq!(machine.pass(50), [], "told once");
        assert_eq!((machine.set(0), machine.off()), (vec![Change::Back], 0));
        let after = machine.reckoning.reading();
        assert_eq!((after.moved_s, after.settled, after.sure), (0, true, before.sure + seconds(50)));
    }
    // What cannot be is never followed, however long it lasts.
    for (wrong_by, doubt) in [(-(START as i64), Doubt::BeforeBuild), (73 * 365 * DAY_S, Doubt::FarAhead)] {
        let mut machine = Machine::usual();
        assert_eq!(machine.set(wrong_by), [Change::Doubted(doubt)]);
        assert_eq!((machine.pass(3 * DAY_S.unsigned_abs()), machine.off()), (vec![], 0));
    }
}

#[test]
fn a_start_with_a_wrong_clock_goes_on_from_what_was_seen_and_follows_the_right_one_at_once() {
    let sure = seconds(START - 5000);
    let past = Some(Past { sure, wall: sure, held: Duration::ZERO });
    // In 1970, in 2099, and on a date that came with the machine.
    for wrong_by in [-(START as i64), 73 * 365 * DAY_S, -40 * DAY_S] {
        let mut machine = Machine::start(0, wrong_by, past);
        let reading = machine.reckoning.reading();
        assert_eq!((reading.wall, reading.suspect, reading.settled), (sure, true, false), "{wrong_by}");
        let moved = reading.moved_s;
        assert_eq!(machine.pass(600), []);
        assert_eq!(machine.off(), -5000);
        assert_eq!(machine.set(0), [Change::Followed(5000)], "{wrong_by}");
        assert_eq!((machine.off(), machine.reckoning.reading().moved_s), (0, moved + 5000));
    }
    // The same without anything that was seen: time begins when the program was built.
    let mut machine = Machine::start(0, -(START as i64), None);
    machine.pass(100);
    assert_eq!(machine.reckoning.reading().wall, seconds(BUILT + 100));
    assert_eq!(machine.set(0), [Change::Followed((START - BUILT) as i64)]);
}

#[test]
fn what_was_seen_may_come_late_and_only_once() {
    let mut machine = Machine::start(0, -40 * DAY_S, None);
    machine.pass(500);
    assert_eq!((machine.off(), machine.reckoning.reading().suspect), (-40 * DAY_S, false), "who could know?");
    let sure = seconds(START + 400);
    let past = Past { sure, wall: sure, held: Duration::ZERO };
    assert_eq!(machine.reckoning.know(past), Some(Change::Doubted(Doubt::Earlier)));
    assert_eq!((machine.off(), machine.reckoning.reading().moved_s), (-100, 40 * DAY_S - 100));
    let nonsense = seconds(START * 3);
    assert_eq!(machine.reckoning.know(Past { sure: nonsense, wall: nonsense, held: Duration::ZERO }), None);
    assert_eq!(machine.set(0), [Change::Followed(100)]);
    // One that is decades ahead is nothing that was seen.
    let mut machine = Machine::start(0, 0, Some(Past { sure: nonsense, wall: nonsense, held: Duration::ZERO }));
    assert_eq!((machine.pass(100), machine.off()), (vec![], 0));
}

#[test]
fn a_program_that_is_started_anew_every_hour_is_sure_after_a_day_nevertheless() {
    let sure = seconds(START - 30 * 86_400);
    let mut past = Past { sure, wall: sure, held: Duration::ZERO };
    let mut hours = 0;
    loop {
        let mut machine = Machine::start(hours * 3600, 0, Some(past));
        if machine.reckoning.reading().settled {
            break;
        }
        assert!(machine.reckoning.reading().sure < seconds(machine.truth() - 28 * 86_400));
        machine.pass(3500);
        past = machine.reckoning.past();
        hours += 1;
    }
    assert!((24..=26).contains(&hours), "{hours}");
}

/// Seconds by which a clock is wrong: adjusted, set by hand, years off, at the epoch, in 2099.
fn wrong() -> impl Strategy<Value = i64> {
    prop_oneof![
        2 => -2i64..=2,
        3 => -7200i64..7200,
        2 => -30 * DAY_S..30 * DAY_S,
        1 => 30 * DAY_S..15 * 365 * DAY_S,
        1 => Just(-(START as i64)),
        1 => Just(73 * 365 * DAY_S),
    ]
}

/// Hours of a wrong clock, by how much, hours of the right one after it, and whether and how long the machine is off
/// before each of the two.
type Period = (u64, i64, u64, Option<u64>, Option<u64>);

fn periods() -> impl Strategy<Value = Vec<Period>> {
    let off = || prop::option::weighted(0.3, 0u64..3 * 86_400);
    prop::collection::vec((0u64..20, wrong(), 2u64..30, off(), off()), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_clock_that_is_wrong_for_less_than_a_day_makes_nothing_too_old(periods in periods()) {
        let mut machine = Machine::usual();
        for (wrong_h, wrong_by, right_h, off_before, off_after) in periods {
            for (hours, wrong_by, off) in [(wrong_h, wrong_by, off_before), (right_h, 0, off_after)] {
                match off {
                    Some(off) => {
                        let past = machine.reckoning.past();
                        machine = Machine::start(machine.time + off, wrong_by, Some(past));
                    }
                    None => drop(machine.set(wrong_by)),
                }
                let mut before = machine.reckoning.reading();
                for _ in 0..hours * 60 {
                    machine.time += 60;
                    let change = machine.look();
                    let now = machine.reckoning.reading();
                    prop_assert!(now.prune().is_none() == now.suspect);
                    prop_assert!(now.sure <= seconds(machine.truth() + 3600 + 2), "sure of what is not yet: {:?}", now);
                    if !matches!(change, Some(Change::Followed(_))) {
                        let went = (now.wall - before.wall).as_secs_f64();
                        prop_assert!((59.3..=60.7).contains(&went), "{} s in a minute", went);
                        prop_assert_eq!(now.moved_s, before.moved_s);
                    }
                    before = now;
                }
            }
            let now = machine.reckoning.reading();
            prop_assert!(!now.suspect && machine.off().abs() <= 2, "right for hours: {:?}", now);
        }
    }
}
