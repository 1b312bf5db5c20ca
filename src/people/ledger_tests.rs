use proptest::prelude::*;

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn plan() -> CompliancePlan {
    CompliancePlan { min_people: 2, ..CompliancePlan::default() }
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(1_700_000_000 / QUARTER_S * QUARTER_S + seconds)
}

/// A moment when the time is settled.
pub(super) fn settled(wall: Duration) -> Reading {
    Reading { wall, steady: Duration::ZERO, sure: wall, moved_s: 0, settled: true, suspect: false }
}

#[test]
fn hours_begin_where_they_are_asked_for() {
    let mut ledger = Ledger::new(plan());
    // A quarter past, half past, and an hour later.
    for (seconds, state) in [(900, MaskState::Mask), (1800, MaskState::NoMask), (5400, MaskState::Mask)] {
        ledger.add(&settled(at(seconds)), "gate", "", state);
    }
    let hours = ledger.history(("gate", ""), (at(0), at(7200)), HOUR, 100);
    let totals: Vec<_> = hours.iter().map(|hour| hour.figure.counts.total()).collect();
    assert_eq!(totals, [2, 1]);
    assert_eq!((hours[0].figure.ratio, hours[1].figure.ratio), (Some(0.5), None), "one is fewer than two");
    assert!(hours[0].figure.interval.is_some() && hours[1].figure.interval.is_none());
    let shifted = ledger.history(("gate", ""), (at(1800), at(1800) + HOUR), HOUR, 100);
    assert_eq!((shifted.len(), shifted[0].from, shifted[0].figure.counts.total()), (1, at(1800), 1));
    assert_eq!(ledger.history(("gate", ""), (at(0), at(7200)), HOUR, 1).len(), 1);
    assert_eq!(ledger.history(("yard", ""), (at(0), at(1)), HOUR, 9)[0].figure, Figure::default());
    assert!(ledger.history(("gate", ""), (at(900), at(900)), HOUR, 9).is_empty());
}

#[test]
fn only_what_changed_is_told_and_all_there_is_when_that_is_asked_for() {
    let mut ledger = Ledger::new(plan());
    ledger.add(&settled(at(10)), "gate", "", MaskState::Mask);
    ledger.add(&settled(at(20)), "gate", "", MaskState::Mask);
    ledger.add(&settled(at(20)), "gate", "hall", MaskState::Mask);
    let rows = ledger.take_dirty().rows;
    assert_eq!(rows.len(), 4, "{rows:?}");
    assert!(rows.iter().all(|row| row.counts.mask == if row.key.zone.is_empty() { 2 } else { 1 }));
    assert_eq!(ledger.take_dirty(), Changes::default());
    let sorted = |mut rows: Vec<Row>| {
        rows.sort_by(|a, b| a.key.cmp(&b.key));
        rows
    };
    assert_eq!(sorted(ledger.rows()), sorted(rows));
}

#[test]
fn what_is_too_old_goes() {
    let mut ledger = Ledger::new(plan());
    ledger.add(&settled(at(0)), "gate", "", MaskState::Mask);
    ledger.add(&settled(at(0)), "yard", "", MaskState::Mask);
    ledger.add(&settled(at(8 * 86_400)), "yard", "", MaskState::Mask);
    let oldest = ledger.expire(at(15 * 86_400));
    assert_eq!(ledger.cameras().collect::<Vec<_>>(), ["yard"]);
    assert_eq!(oldest[1], (Book::Quarters, at(86_400).as_secs()));
}

#[test]
fn another_step_or_length_keeps_what_fits() {
    let mut ledger = Ledger::new(plan());
    for minute in 0..50 {
        ledger.add(&settled(at(minute * 60)), "gate", "hall", MaskState::Mask);
    }
    let (rows, now) = (ledger.take_dirty().rows, at(50 * 60));
    for (window, bucket, kept) in [(7200, 60, 50), (1800, 60, 29), (3600, 600, 50), (3600, 10, 50)] {
        let seconds = Duration::from_secs;
        let other = CompliancePlan { window: seconds(window), bucket: seconds(bucket), ..plan() };
        let mut next = Ledger::new(other);
        next.restore(Some(now), rows.clone());
        assert_eq!(next.figure(now, "gate", "hall").counts.mask, kept, "window {window}, step {bucket}");
        // Stored anew, and taken over once more: the same.
        let mut last = Ledger::new(other);
        last.restore(Some(now), next.take_dirty().rows);
        assert_eq!(last.figure(now, "gate", "hall"), next.figure(now, "gate", "hall"));
        assert_eq!(last.history(("gate", "hall"), (at(0), now), HOUR, 9)[0].figure.counts.mask, 50);
    }
}

proptest! {
    #[test]
    fn a_restart_at_any_moment_changes_no_figure(
        people in prop::collection::vec((0u64..20, 0usize..2, prop::sample::select(MaskState::ALL.to_vec())), 1..200),
        stop in 0usize..200,
        flushes in prop::collection::vec(any::<bool>(), 200),
    ) {
        let cameras = ["gate", "yard"];
        let mut stored: BTreeMap<Key, Counts> = BTreeMap::new();
        let (mut whole, mut parts, mut now) = (Ledger::new(plan()), Ledger::new(plan()), 0);
        for (n, (gap, camera, state)) in people.iter().enumerate() {
            now += gap * 30;
            whole.add(&settled(at(now)), cameras[*camera], "", *state);
            parts.add(&settled(at(now)), cameras[*camera], "", *state);
            if flushes[n] || n == stop {
                stored.extend(parts.take_dirty().rows.into_iter().map(|row| (row.key, row.counts)));
            }
            if n == stop {
                parts = Ledger::new(plan());
                let rows = stored.iter().map(|(key, counts)| Row { key: key.clone(), counts: *counts }).collect();
                parts.restore(Some(at(now)), rows);
            }
        }
        for camera in cameras {
            prop_assert_eq!(whole.figure(at(now), camera, ""), parts.figure(at(now), camera, ""));
            let span = (at(0), at(now + 1));
            prop_assert_eq!(whole.history((camera, ""), span, HOUR, 999), parts.history((camera, ""), span, HOUR, 999));
        }
    }
}

/// What a store holds that was empty and is told of all changes.
#[derive(Default)]
struct Stored(BTreeMap<Key, Counts>);

impl Stored {
    fn take(&mut self, ledger: &mut Ledger) {
        let Changes { rows, gone } = ledger.take_dirty();
        self.0.extend(rows.into_iter().map(|row| (row.key, row.counts)));
        self.0.retain(|key, _| !gone.contains(key));
    }
}

#[test]
fn a_longer_window_takes_over_what_is_in_the_shorter_one() {
    let mut ledger = Ledger::new(plan());
    (0..3).for_each(|n| ledger.add(&settled(at(n * 600)), "gate", "", MaskState::Mask));
    let figure = |ledger: &Ledger, seconds| ledger.figure(at(seconds), "gate", "").counts.total();
    assert_eq!(figure(&ledger, 1200), 3);
    ledger.set_plan(CompliancePlan { window: Duration::from_secs(900), ..plan() });
    assert_eq!(figure(&ledger, 1200), 2);
    ledger.set_plan(CompliancePlan { window: 4 * HOUR, min_people: 4, ..plan() });
    assert_eq!((figure(&ledger, 1200), figure(&ledger, 3 * 3600)), (3, 3));
    assert_eq!(ledger.figure(at(1200), "gate", "").ratio, None, "three are fewer than four");
}

proptest! {
    #[test]
    fn nobody_is_lost_or_doubled_when_windows_are_made_anew(
        before in proptest::collection::vec((0u64..7200, any::<bool>()), 1..40),
        after in proptest::collection::vec(0u64..7200, 0..20),
        (old, new) in (1u64..1000, 1u64..1000),
    ) {
        let plan = |bucket| CompliancePlan { window: 4 * HOUR, bucket: Duration::from_secs(bucket), ..plan() };
        let (mut ledger, mut stored) = (Ledger::new(plan(old)), Stored::default());
        for (seconds, sure) in &before {
            ledger.add(&Reading { settled: *sure, ..settled(at(*seconds)) }, "gate", "", MaskState::Mask);
        }
        stored.take(&mut ledger);
        ledger.set_plan(plan(new));
        for seconds in &after {
            ledger.add(&settled(at(*seconds)), "gate", "", MaskState::Mask);
        }
        stored.take(&mut ledger);
        let people = (before.len() + after.len()) as u64;
        prop_assert_eq!(ledger.figure(at(7200), "gate", "").counts.total(), people);
        let rows: BTreeMap<_, _> = ledger.rows().into_iter().map(|row| (row.key, row.counts)).collect();
        prop_assert_eq!(&stored.0, &rows);
        let of = |book| rows.iter().filter(|(key, _)| key.book == book).map(|(_, counts)| counts.total()).sum::<u64>();
        prop_assert_eq!((of(Book::Window), of(Book::Quarters)), (people, people));
    }
}
