//! What holds for every stream of detections.

use std::collections::{BTreeMap, BTreeSet};

use maskwatch_vision::track::Person;
use proptest::prelude::*;
use proptest::test_runner::Config;

use super::*;

fn detection() -> impl Strategy<Value = Detection> {
    let place = prop_oneof![20 => -0.2f32..1.2, 1 => Just(f32::NAN), 1 => Just(f32::INFINITY)];
    // A few places and sizes, so that tracks come about.
    let grid = (0u8..6, 0u8..4).prop_map(|(x, y)| (f32::from(x) * 0.15, f32::from(y) * 0.2, 0.05, 0.08));
    let free = (place, -0.2f32..1.2, 0.0f32..0.4, 0.0f32..0.4);
    let score = prop_oneof![10 => 0.0f32..=1.0, 10 => 0.85f32..=1.0, 1 => Just(f32::NAN)];
    (prop_oneof![4 => grid, 1 => free], score).prop_map(|((x, y, w, h), score)| Detection {
        rect: Rect { x, y, w, h },
        score,
        states: None,
    })
}

/// Frames: milliseconds since the one before (negative: a jump back), detections, and whether all ends after it.
fn stream() -> impl Strategy<Value = Vec<(i64, Vec<Detection>, bool)>> {
    let gap = prop_oneof![20 => 0i64..400, 5 => 400i64..3000, 1 => 5000i64..9000, 1 => -3000i64..0];
    let frame = (gap, prop::collection::vec(detection(), 0..8), prop::bool::weighted(0.03));
    prop::collection::vec(frame, 0..120)
}

/// Everything a run hands out.
#[derive(Debug, Default, PartialEq)]
struct Run {
    people: Vec<Person>,
    associations: Vec<Association>,
}

/// Time before the first frame, in milliseconds.
const START: i64 = 5000;

fn run(stream: &[(i64, Vec<Detection>, bool)]) -> Run {
    let mut tracker = Tracker::default();
    let mut run = Run::default();
    let mut now = START;
    for (n, (gap, found, end)) in stream.iter().enumerate() {
        now = (now + gap).max(0);
        run.associations.push(step(&mut tracker, ms(now as u64), found));
        // Not always asked in every frame.
        if n % 3 != 0 {
            run.people.extend(tracker.take_decided());
        }
        if *end {
            tracker.end_all();
        }
    }
    tracker.end_all();
    run.people.extend(tracker.take_decided());
    run
}

proptest! {
    // An integration test has no place for regression files: a failing case is printed, to be made a test of its own.
    #![proptest_config(Config { failure_persistence: None, ..Config::default() })]

    #[test]
    fn each_person_is_counted_exactly_once(stream in stream()) {
        let run = run(&stream);
        let counted: Vec<u64> = run.people.iter().map(|person| person.track).collect();
        let unique: BTreeSet<u64> = counted.iter().copied().collect();
        prop_assert_eq!(counted.len(), unique.len(), "twice: {:?}", counted);
        // Who was seen long enough by findings that are strong on average is a person.
        let TrackerConfig { confirm_hits, least_stay, mean_score, .. } = TrackerConfig::default();
        let mut seen: BTreeMap<u64, Vec<(Duration, f32)>> = BTreeMap::new();
        let mut now = START;
        for ((gap, found, _), association) in stream.iter().zip(&run.associations) {
            now = (now + gap).max(0);
            for (detection, link) in found.iter().zip(&association.links) {
                if let Some(track) = link.track {
                    seen.entry(track).or_default().push((ms(now as u64), detection.score));
                }
            }
        }
        for (track, hits) in &seen {
            let mean = hits.iter().map(|(_, score)| score).sum::<f32>() / hits.len() as f32;
            let long = hits[hits.len() - 1].0 - hits[0].0 >= least_stay;
            let due = hits.len() >= confirm_hits as usize && long && mean >= mean_score + 1e-3;
            prop_assert!(!due || unique.contains(track), "{track} is nobody: {hits:?}");
        }
        for person in &run.people {
            prop_assert!(person.first_seen <= person.last_seen);
            prop_assert!(person.frames >= confirm_hits && person.frames as usize <= seen[&person.track].len());
            prop_assert!(person.last_seen - person.first_seen >= least_stay);
            prop_assert!(person.state == MaskState::Unknown || person.confidence > 0.0);
        }
    }

    #[test]
    fn links_are_sound(stream in stream()) {
        let mut newest = 0;
        let mut ended = BTreeSet::new();
        for ((_, found, _), association) in stream.iter().zip(run(&stream).associations) {
            prop_assert_eq!(association.links.len(), found.len());
            let linked: Vec<u64> = association.links.iter().filter_map(|link| link.track).collect();
            let unique: BTreeSet<u64> = linked.iter().copied().collect();
            prop_assert_eq!(unique.len(), linked.len(), "one face per track and frame");
            for (detection, link) in found.iter().zip(&association.links) {
                let r = detection.rect;
                let finite = [r.x, r.y, r.w, r.h].iter().all(|v| v.is_finite());
                prop_assert!(link.track.is_none() || (finite && detection.score >= 0.2));
                prop_assert!(link.track.is_some() || !link.classify);
            }
            for track in &association.ended {
                prop_assert!(ended.insert(*track), "ended twice");
            }
            prop_assert!(unique.is_disjoint(&ended), "numbers are not used again");
            // New numbers go up by one.
            for track in linked.iter().filter(|track| **track > newest).collect::<BTreeSet<_>>() {
                prop_assert_eq!(*track, newest + 1);
                newest = *track;
            }
        }
    }

    #[test]
    fn the_same_stream_gives_the_same_run(stream in stream()) {
        prop_assert_eq!(run(&stream), run(&stream));
    }

    #[test]
    fn views_are_sound_at_any_time(stream in stream(), look in 0u64..20_000) {
        let mut tracker = Tracker::default();
        let mut now = START;
        for (gap, found, _) in &stream {
            now = (now + gap).max(0);
            step(&mut tracker, ms(now as u64), found);
            for time in [ms(now as u64), ms(look)] {
                let views = tracker.view(time);
                prop_assert!(views.windows(2).all(|pair| pair[0].track < pair[1].track));
                for view in views {
                    let r = view.rect;
                    prop_assert!([r.x, r.y, r.w, r.h, view.score].iter().all(|v| v.is_finite()) && r.w > 0.0 && r.h > 0.0);
                    prop_assert!((0.0..=1.0).contains(&view.confidence));
                }
            }
        }
    }
}
