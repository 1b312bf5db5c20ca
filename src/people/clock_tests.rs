//! Clocks that are wrong, and what becomes of the people counted.

use std::time::{SystemTime, UNIX_EPOCH};

use proptest::prelude::*;

use super::tests::settled;
use super::*;
use crate::clock::{Clock, HandsOfClock, Past};

/// The truth at the start: in whole quarters.
const START: u64 = 1_790_000_100;
const MINUTE: u64 = 60;
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
const EPOCH: i64 = -(START as i64);
const YEAR_2099: i64 = 73 * 365 * 86_400;
const TEN_YEARS: i64 = 10 * 365 * 86_400;

/// A ledger under a clock that may be wrong. Everything is looked at every minute.
struct Life {
    ledger: Ledger,
    clock: Clock,
    hands: HandsOfClock,
    truth: u64,
    /// When people came.
    came: Vec<u64>,
}

fn system(truth: u64, wrong_by: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(truth.saturating_add_signed(wrong_by))
}

impl Life {
    /// A program that ran until a minute ago.
    fn start() -> Self {
        let sure = Duration::from_secs(START - MINUTE);
        Self::start_at(START, 0, Some(Past { sure, wall: sure, held: Duration::ZERO }))
    }

    fn start_at(truth: u64, wrong_by: i64, past: Option<Past>) -> Self {
        let (clock, hands) = Clock::by_hand(system(truth, wrong_by));
        if let Some(past) = past {
            clock.know(past);
        }
        let plan = CompliancePlan { min_people: 1, ..CompliancePlan::default() };
        Self { ledger: Ledger::new(plan), clock, hands, truth, came: Vec::new() }
    }

    fn set(&self, wrong_by: i64) {
        self.hands.set(system(self.truth, wrong_by));
    }

    fn look(&mut self) -> Reading {
        let now = self.clock.now();
        self.ledger.follow(&now);
        if let Some(prune) = now.prune() {
            self.ledger.expire(prune);
        }
        now
    }

    /// Somebody comes, and a minute passes; and so on.
    fn pass(&mut self, minutes: u64) {
        for _ in 0..minutes {
            let now = self.look();
            self.ledger.add(&now, "gate", "", MaskState::Mask);
            self.came.push(self.truth);
            self.truth += MINUTE;
            self.hands.advance(Duration::from_secs(MINUTE));
        }
        self.look();
    }

    /// People in the window now.
    fn window(&mut self) -> u64 {
        let now = self.look();
        self.ledger.figure(now.wall, "gate", "").counts.mask
    }

    /// People in the history before this time.
    fn before(&self, time: u64) -> u64 {
        let span = (Duration::ZERO, Duration::from_secs(time));
        self.ledger.history(("gate", ""), span, Duration::MAX / 2, 1)[0].figure.counts.mask
    }

    fn all(&self) -> u64 {
        self.before(START * 4)
    }
}

#[test]
fn figures_do_not_move_while_a_clock_is_wrong_and_are_whole_afterwards() {
    for (wrong_by, meanwhile) in [(EPOCH, 55), (YEAR_2099, 55), (HOUR as i64, 55), (-(HOUR as i64), 55), (TEN_YEARS, 5)]
    {
        let mut life = Life::start();
        life.pass(50);
        life.set(wrong_by);
        assert_eq!(life.window(), 50, "{wrong_by}");
        life.pass(5);
        // What is followed moves the window; it does not empty it for good.
        let followed = life.clock.now().moved_s != 0;
        assert_eq!(life.window(), if followed { 5 } else { meanwhile }, "{wrong_by}");
        life.set(0);
        life.pass(2);
        assert_eq!((life.window(), life.all()), (57, 57), "{wrong_by}");
        assert_eq!(life.before(START + 30 * MINUTE), 30, "everybody at the right time: {wrong_by}");
    }
}

#[test]
fn a_history_of_days_outlives_a_wrong_clock_and_grows_old_by_the_right_one() {
    for (wrong_by, hours) in [(YEAR_2099, 72), (EPOCH, 72), (TEN_YEARS, 20), (40 * DAY as i64, 20)] {
        let mut life = Life::start();
        for days in 1..10 {
            let at = Duration::from_secs(START - days * DAY);
            life.ledger.add(&settled(at), "gate", "", MaskState::NoMask);
        }
        let old = |life: &mut Life| {
            life.look();
            let rows = life.ledger.rows();
            rows.iter().filter(|row| row.key.book == Book::Quarters).map(|row| row.counts.no_mask).sum::<u64>()
        };
        life.set(wrong_by);
        life.pass(hours * 60);
        assert_eq!(old(&mut life), 9, "{wrong_by}");
        life.set(0);
        life.pass(120);
        assert_eq!((old(&mut life), life.all()), (9, life.came.len() as u64), "{wrong_by}");
        // Ten days later the first of them are older than 14.
        life.pass(10 * 24 * 60);
        let kept = 14 * DAY - (life.truth - START);
        assert!(old(&mut life).abs_diff(kept / DAY) <= 1 && kept < 5 * DAY, "{wrong_by}: {}", old(&mut life));
    }
}

#[test]
fn people_of_a_start_without_a_clock_come_to_their_time_when_it_is_known() {
    let sure = Duration::from_secs(START - 3 * DAY);
    let past = Past { sure, wall: sure, held: Duration::ZERO };
    for (wrong_by, past) in
        [(EPOCH, Some(past)), (EPOCH, None), (YEAR_2099, Some(past)), (-60 * DAY as i64, Some(past))]
    {
        let mut life = Life::start_at(START, wrong_by, past);
        life.ledger.take_dirty();
        life.pass(30);
        assert_eq!(life.window(), 30, "{wrong_by}");
        let wrong = life.ledger.take_dirty();
        assert_eq!(life.before(START - DAY), 30);
        life.set(0);
        life.pass(10);
        assert_eq!((life.window(), life.before(START), life.before(START + 30 * MINUTE)), (40, 0, 30), "{wrong_by}");
        let moved = life.ledger.take_dirty();
        assert!(wrong.rows.iter().all(|row| moved.gone.contains(&row.key)), "they leave the disk where they were");
        let stored: u64 =
            moved.rows.iter().filter(|row| row.key.book == Book::Quarters).map(|row| row.counts.mask).sum();
        assert_eq!(stored, 40);
    }
}

/// Seconds by which a clock is wrong.
fn wrong() -> impl Strategy<Value = i64> {
    prop_oneof![
        2 => -7200i64..7200,
        2 => -30 * DAY as i64..30 * DAY as i64,
        1 => 30 * DAY as i64..TEN_YEARS,
        1 => Just(EPOCH),
        1 => Just(YEAR_2099),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_is_done_to_the_clock_everybody_is_kept_at_their_time(
        // A clock that is wrong for so many hours, by how much, set again how often; and right for so many.
        periods in prop::collection::vec((prop::collection::vec((0u64..8, wrong()), 0..3), 2u64..12), 1..6),
    ) {
        let mut life = Life::start();
        for days in 1..5 {
            let at = Duration::from_secs(START - days * DAY);
            life.ledger.add(&settled(at), "gate", "", MaskState::NoMask);
        }
        for (wrong, right_h) in periods {
            for (hours, wrong_by) in wrong {
                life.set(wrong_by);
                life.pass(hours * 60);
                prop_assert_eq!(life.all(), life.came.len() as u64);
            }
            life.set(0);
            life.pass(right_h * 60);
            prop_assert!(!life.clock.now().suspect);
            let old: u64 = life.ledger.rows().iter().filter(|row| row.key.book == Book::Quarters).map(|row| row.counts.no_mask).sum();
            prop_assert_eq!((life.all(), old), (life.came.len() as u64, 4));
        }
        // To a minute, the grain of what is counted in doubt, and the seconds that NTP would work off.
        let (window, now) = (life.window(), life.truth);
        let came = |time: u64| life.came.iter().filter(|came| **came < time).count() as u64;
        for quarter in (START..life.truth).step_by(QUARTER_S as usize) {
            let counted = life.before(quarter);
            prop_assert!(came(quarter - 2) <= counted && counted <= came(quarter + MINUTE + 2), "{} at {}", counted, quarter);
        }
        let expected = came(now + 1) - came((now / MINUTE + 1) * MINUTE - HOUR);
        prop_assert!(window.abs_diff(expected) <= 2, "{} for {}", window, expected);
    }
}
