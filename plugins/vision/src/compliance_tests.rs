use super::*;
use proptest::prelude::*;

const MINUTE: Duration = Duration::from_secs(60);

fn window(minutes: u32, min_known: u64) -> ComplianceWindow {
    ComplianceWindow::new(ComplianceConfig { window: MINUTE * minutes, bucket: MINUTE, min_known })
}

fn fill(window: &mut ComplianceWindow, time: Duration, mask: u32, no_mask: u32, unknown: u32) {
    let states = [(MaskState::Mask, mask), (MaskState::NoMask, no_mask), (MaskState::Unknown, unknown)];
    for (state, count) in states {
        (0..count).for_each(|_| window.add(time, state));
    }
}

#[test]
fn unknown_stands_beside_the_ratio() {
    let mut w = window(10, 1);
    fill(&mut w, MINUTE, 3, 1, 40);
    let figure = w.figure(MINUTE);
    assert_eq!(figure.ratio, Some(0.75));
    assert_eq!(figure.counts, Counts { mask: 3, incorrect: 0, no_mask: 1, unknown: 40 });
}

#[test]
fn there_is_no_figure_below_the_minimum() {
    let mut w = window(10, 5);
    assert_eq!(w.figure(MINUTE), Figure::default());
    fill(&mut w, MINUTE, 4, 0, 9);
    assert_eq!((w.figure(MINUTE).ratio, w.figure(MINUTE).interval), (None, None));
    fill(&mut w, MINUTE, 0, 1, 0);
    assert_eq!(w.figure(MINUTE).ratio, Some(0.8));
    assert_eq!(Counts::default().ratio(0), None);
}

#[test]
fn people_leave_the_window_by_buckets() {
    let mut w = window(3, 1);
    fill(&mut w, MINUTE * 10, 1, 0, 0);
    let last = MINUTE * 13 - Duration::from_nanos(1);
    assert_eq!(w.counts(last).mask, 1);
    assert_eq!(w.counts(MINUTE * 13).mask, 0);
    assert_eq!(w.counts(MINUTE * 9).mask, 0, "a clock set back does not count what is to come");
}

#[test]
fn wilson_gives_the_published_values() {
    // Newcombe (1998), table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    let cases = [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)];
    for (hits, trials, low, high) in cases {
        let (l, h) = wilson(hits, trials, Z_95).expect("an interval");
        assert!((l - low).abs() < 6e-5 && (h - high).abs() < 6e-5, "{hits} of {trials}: {l} {h}");
    }
    assert_eq!(wilson(0, 0, Z_95), None);
}

#[test]
fn closed_buckets_do_not_hold_the_present_one() {
    let mut w = window(60, 1);
    fill(&mut w, MINUTE * 5, 2, 0, 0);
    fill(&mut w, MINUTE * 6, 0, 1, 0);
    let closed: Vec<_> = w.closed(MINUTE * 6 + Duration::from_secs(30)).collect();
    assert_eq!(closed, [(MINUTE * 5, Counts { mask: 2, ..Counts::default() })]);
    assert_eq!(w.closed(MINUTE * 7).count(), 2);
}

#[test]
fn a_window_of_another_grain_is_taken_over() {
    let mut minutes = window(60, 1);
    fill(&mut minutes, MINUTE * 61, 2, 1, 1);
    let config = ComplianceConfig { window: MINUTE * 120, bucket: MINUTE * 60, min_known: 1 };
    let mut hours = ComplianceWindow::new(config);
    hours.merge(&minutes);
    assert_eq!(hours.closed(MINUTE * 120).collect::<Vec<_>>(), [(MINUTE * 60, minutes.counts(MINUTE * 61))]);
}

#[test]
fn a_clock_that_was_far_ahead_does_not_stop_the_counting() {
    let mut w = window(60, 1);
    fill(&mut w, MINUTE * 1_000_000, 5, 0, 0);
    fill(&mut w, MINUTE * 100, 1, 1, 0);
    assert_eq!(w.figure(MINUTE * 100).counts, Counts { mask: 1, no_mask: 1, ..Counts::default() });
    assert_eq!(w.counts(MINUTE * 1_000_000).total(), 5, "who came then is not forgotten: it may be this that is wrong");
}

#[test]
fn a_window_is_restored_from_its_buckets() {
    let mut before = window(60, 1);
    for minute in [10, 11, 40, 69] {
        fill(&mut before, MINUTE * minute, minute, 1, 1);
    }
    let rows: Vec<_> = [10, 11, 40, 69].map(|minute| before.bucket(MINUTE * minute + MINUTE / 2)).into();
    assert_eq!(rows[2].0, MINUTE * 40);
    let mut after = window(60, 1);
    rows.iter().for_each(|(begin, counts)| after.restore(*begin, *counts));
    let held = |(begin, _): &&(Duration, Counts)| after.holds(*begin, MINUTE * 70);
    assert_eq!(rows.iter().filter(held).count(), 3, "minute 10 has left an hour that ends with minute 70");
    assert_eq!(after.extent(MINUTE * 70), MINUTE * 11..MINUTE * 71);
    assert_eq!(after.figure(MINUTE * 70), before.figure(MINUTE * 70));
    assert!(!after.expire(MINUTE * 128) && after.expire(MINUTE * 129));
}

fn state() -> impl Strategy<Value = MaskState> {
    prop::sample::select(MaskState::ALL.to_vec())
}

/// People in order of time, in seconds.
fn people() -> impl Strategy<Value = Vec<(u64, MaskState)>> {
    prop::collection::vec((0u64..40_000, state()), 0..300).prop_map(|mut people| {
        people.sort_by_key(|person| person.0);
        people
    })
}

proptest! {
    #[test]
    fn a_window_is_the_sum_of_its_people(people in people(), minutes in 1u32..200) {
        let mut w = window(minutes, 1);
        let mut now = Duration::ZERO;
        for (n, (second, state)) in people.iter().enumerate() {
            now = Duration::from_secs(*second);
            w.add(now, *state);
            let from = (second / 60 + 1).saturating_sub(u64::from(minutes)) * 60;
            let mut truth = Counts::default();
            people[..=n].iter().filter(|person| person.0 >= from).for_each(|person| truth.add(person.1));
            prop_assert_eq!(w.counts(now), truth);
        }
        w.expire(now);
        prop_assert!(w.buckets.len() <= minutes as usize);
        prop_assert_eq!(w.counts(now).total(), w.buckets.values().map(Counts::total).sum::<u64>());
        let figure = w.figure(now);
        prop_assert_eq!(figure.ratio.is_some(), figure.counts.known() > 0);
    }

    #[test]
    fn merging_parts_is_counting_the_whole(people in people(), parts in prop::collection::vec(0usize..3, 300)) {
        let mut whole = window(10_000, 1);
        let mut split = [window(10_000, 1), window(10_000, 1), window(10_000, 1)];
        for ((second, state), part) in people.iter().zip(parts) {
            whole.add(Duration::from_secs(*second), *state);
            split[part].add(Duration::from_secs(*second), *state);
        }
        let [mut sum, b, c] = split;
        sum.merge(&b);
        sum.merge(&c);
        prop_assert_eq!(&sum, &whole);
        let text = serde_json::to_string(&sum).expect("text");
        prop_assert_eq!(serde_json::from_str::<ComplianceWindow>(&text).expect("the window again"), whole);
    }

    #[test]
    fn wilson_holds_the_share_and_narrows(hits in 0u64..5000, misses in 0u64..5000) {
        prop_assume!(hits + misses > 0);
        let trials = hits + misses;
        let share = hits as f64 / trials as f64;
        let (low, high) = wilson(hits, trials, Z_95).expect("an interval");
        prop_assert!(0.0 <= low && low <= share && share <= high && high <= 1.0);
        let (low4, high4) = wilson(hits * 4, trials * 4, Z_95).expect("an interval");
        prop_assert!(high4 - low4 < high - low);
    }
}
