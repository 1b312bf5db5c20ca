//! Analyses that are many seconds apart, because so few are asked for or because the machine gives no more.

use maskwatch_vision::track::Person;
use proptest::prelude::*;
use proptest::test_runner::Config;

use super::*;

/// Milliseconds between analyses at 0.05, 0.1, 0.15 and 0.2 per second, and where one loses a face that walks.
const INTERVALS: [u64; 6] = [20_000, 10_000, 6_667, 5_000, 3_300, 2_500];

fn tracker(interval: u64) -> Tracker {
    Tracker::new(TrackerConfig { interval: ms(interval), ..TrackerConfig::default() })
}

/// Everybody counted of frames at these times (milliseconds).
fn count(mut tracker: Tracker, frames: impl IntoIterator<Item = (u64, Vec<Detection>)>) -> Vec<Person> {
    let mut people = Vec::new();
    for (time, found) in frames {
        step(&mut tracker, ms(time), &found);
        people.extend(tracker.take_decided());
    }
    tracker.end_all();
    people.extend(tracker.take_decided());
    people
}

#[test]
fn somebody_who_stays_is_one_person_at_every_rate() {
    for interval in INTERVALS {
        // The rate is asked for, or nobody knows why it is so low.
        for asked in [interval, 200, 0] {
            let frames = (0..12u64).map(|n| (n * interval, vec![at(0.4 + 0.004 * (n % 3) as f32, 0.9)]));
            let people = count(tracker(asked), frames);
            assert_eq!(people.len(), 1, "every {interval} ms, {asked} asked for: {people:?}");
            assert_eq!(people[0].state, MaskState::NoMask);
        }
    }
}

#[test]
fn two_views_are_enough_and_one_is_nobody() {
    for interval in INTERVALS {
        let views = |most: u64| {
            let seen = move |n: u64| if (2..2 + most).contains(&n) { vec![at(0.4, 0.9)] } else { Vec::new() };
            count(tracker(interval), (0..12).map(|n| (n * interval, seen(n)))).len()
        };
        assert_eq!([views(1), views(2), views(5)], [0, 1, 1], "every {interval} ms");
    }
}

#[test]
fn a_state_takes_two_views_and_is_told_with_the_second() {
    let mut tracker = tracker(10_000);
    let mut told = Vec::new();
    for n in 0..4u64 {
        step(&mut tracker, ms(n * 10_000), &[at(0.4, 0.9)]);
        told.extend(tracker.take_verdicts().into_iter().map(|person| (n, person.state)));
    }
    assert_eq!(told, [(1, MaskState::NoMask)]);
    // Counted once it has stood until the next analysis, not only when everybody has gone home.
    assert_eq!(tracker.take_decided().len(), 1);
}

#[test]
fn a_queue_that_moves_on_is_followed() {
    for interval in INTERVALS {
        // Two face widths per analysis; neighbours are four apart.
        let place = |n: u64, who: u64| 0.75 - 0.1 * n as f32 + 0.2 * who as f32;
        let queue = |n: u64| (0..8).map(|who| place(n, who)).filter(|x| (0.0..0.95).contains(x)).collect::<Vec<_>>();
        let frames = (0..20u64).map(|n| (n * interval, queue(n).into_iter().map(|x| at(x, 0.9)).collect()));
        assert_eq!(count(tracker(interval), frames).len(), 8, "every {interval} ms");
    }
}

#[test]
fn somebody_missed_once_is_still_the_same() {
    for interval in INTERVALS {
        for missed in 1..6u64 {
            let found = |n: u64| if n == missed { Vec::new() } else { vec![at(0.4, 0.9)] };
            let people = count(tracker(interval), (0..8).map(|n| (n * interval, found(n))));
            assert_eq!(people.len(), 1, "every {interval} ms, missed in {missed}");
        }
    }
}

#[test]
fn an_analysis_that_is_dropped_breaks_nothing() {
    for interval in [20_000, 10_000, 5_000] {
        let frames = (0..12u64).filter(|n| n % 4 != 2).map(|n| (n * interval, vec![at(0.4, 0.9)]));
        assert_eq!(count(tracker(interval), frames).len(), 1, "every {interval} ms");
    }
}

#[test]
fn under_overload_counting_goes_on_at_the_rate_that_is_left() {
    // Five per second are asked for and given, then one in nine seconds.
    let times = (0..20u64).map(|n| n * 200).chain((1..12).map(|n| 4000 + n * 9000));
    let frames = times.map(|time| {
        // Somebody comes for a minute when the machine is slow already.
        (time, if (35_000..95_000).contains(&time) { vec![at(0.4, 0.9)] } else { Vec::new() })
    });
    assert_eq!(count(tracker(200), frames).len(), 1);
}

#[test]
fn a_break_in_the_stream_is_one_at_any_rate() {
    for (interval, gap) in [(200, 6_000), (1000, 6_000), (5_000, 16_000), (10_000, 31_000), (20_000, 61_000)] {
        let mut tracker = tracker(interval);
        (0..6).for_each(|n| _ = step(&mut tracker, ms(n * interval), &[at(0.5, 0.9)]));
        assert!(step(&mut tracker, ms(5 * interval + gap), &[at(0.5, 0.9)]).jumped, "every {interval} ms");
    }
    // Beyond two minutes nobody knows who stayed: no analysis goes on from the one before.
    let frames = (0..6u64).map(|n| (n * 130_000, vec![at(0.5, 0.9)]));
    assert_eq!(count(tracker(130_000), frames), []);
}

#[test]
fn boxes_between_two_slow_looks_stay_where_the_face_is() {
    let mut tracker = tracker(10_000);
    // A queue's pace: a tenth of a picture in ten seconds.
    (0..6u64).for_each(|n| _ = step(&mut tracker, ms(n * 10_000), &[at(0.2 + 0.1 * n as f32, 0.9)]));
    let [now, later] = [50_000, 51_000].map(|time| tracker.view(ms(time))[0].rect.x);
    assert!((0.0..0.03).contains(&(later - now)), "{now} {later}");
}

/// People who stay at places of their own: when they come and go (in analyses), and how they fidget.
fn stays() -> impl Strategy<Value = Vec<(u64, u64)>> {
    prop::collection::vec((0u64..10, 2u64..12), 0..3)
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::default() })]

    #[test]
    fn who_is_seen_twice_or_more_is_counted_once(
        places in prop::collection::vec(stays(), 1..4),
        interval in 5_000u64..=20_000,
        jitter in prop::collection::vec((0.75f64..1.25, -0.01f32..0.01, 0.7f32..1.0), 60),
    ) {
        // At each place one after the other, with nobody for four analyses between two.
        let mut due = 0;
        let mut shifts = vec![Vec::new(); 60];
        for (place, stays) in places.iter().enumerate() {
            let mut next = 0;
            for (pause, views) in stays {
                let begin = next + pause;
                let end = begin + views;
                (begin..end.min(60)).for_each(|n| shifts[n as usize].push(place));
                // Who is cut off by the end with one view is nobody.
                due += usize::from(end.min(60) >= begin + 2);
                next = end + 4;
            }
        }
        let mut time = 0.0;
        let frames = shifts.iter().zip(&jitter).map(|(present, (stretch, dx, score))| {
            time += interval as f64 * stretch;
            // Places are eighteen face widths apart: who comes is not taken for who goes elsewhere at that moment.
            let found = |place: &usize| {
                let rect = Rect::new(0.05 + 0.45 * *place as f32 + dx, 0.4, 0.025, 0.05);
                Detection { rect, score: *score, states: None }
            };
            (time as u64, present.iter().map(found).collect())
        });
        let people = count(tracker(interval), frames.collect::<Vec<_>>());
        prop_assert_eq!(people.len(), due, "{:?}", people);
    }
}
