use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::face::StateScores;
use crate::geometry::Rect;
use crate::zone::{Direction, Line, NamedLine, Point, Polygon, Zone};

const MASKED: StateScores = StateScores { mask: 0.97, incorrect: 0.02, no_mask: 0.01 };
const HEIGHT: u32 = 720;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn at(x: f32, y: f32) -> Detection {
    Detection { rect: Rect::new(x - 0.03, y - 0.05, 0.06, 0.1), score: 0.9, states: None }
}

fn band(name: &str, left: f32, right: f32) -> Zone {
    let corners: Vec<Point> = vec![[left, 0.0], [right, 0.0], [right, 1.0], [left, 1.0]];
    Zone { name: name.into(), polygon: Polygon::new(corners).expect("a band") }
}

fn areas() -> Areas {
    let line = Line::new([0.5, 0.0], [0.5, 1.0]).expect("a line");
    Areas {
        zones: vec![band("left", 0.0, 0.5), band("right", 0.5, 1.0)],
        lines: vec![NamedLine { name: "middle".into(), line }],
        ignore: vec![band("poster", 0.9, 1.0).polygon],
        min_face_height_px: 30.0,
    }
}

/// Frames of one face that moves to the right; all that was told.
fn walk(census: &mut Census, step_ms: u64, frames: u64, from: f32, speed: f32) -> Vec<News> {
    let mut told = Vec::new();
    for n in 0..frames {
        let time = ms(n * step_ms);
        let found = [at(from + speed * time.as_secs_f32(), 0.5)];
        feed(census, time, &found);
        told.push(census.take_news());
    }
    told
}

fn feed(census: &mut Census, time: Duration, found: &[Detection]) -> Association {
    let association = census.associate(time, found, HEIGHT);
    for (link, detection) in association.links.iter().zip(found) {
        if let Some(track) = link.track {
            let face = ClassifiedFace { detection: *detection, states: Some(MASKED), state: MaskState::Mask };
            census.evidence(time, track, &face, detection.rect.h * HEIGHT as f32);
        }
    }
    association
}

#[test]
fn somebody_counted_on_the_left_is_counted_on_the_right_later() {
    for step_ms in [40, 200, 1000] {
        let mut census = Census::new(TrackerConfig::default(), areas());
        let told = walk(&mut census, step_ms, 6000 / step_ms, 0.1, 0.12);
        let people: Vec<_> = told.iter().flat_map(|news| &news.people).collect();
        assert_eq!(people.len(), 1, "every {step_ms} ms");
        assert_eq!(people[0].places, [Place::Zone(0)]);
        let visits: Vec<_> = told.iter().flat_map(|news| &news.visits).collect();
        let places: BTreeSet<_> = visits.iter().map(|visit| visit.place).collect();
        // The line goes down: its right (as one walks) is the picture's left.
        assert_eq!(places, BTreeSet::from([Place::Zone(1), Place::Line(0, Direction::Backward)]));
        assert_eq!(visits.len(), 2);
        assert!(visits.iter().all(|visit| visit.state == MaskState::Mask && visit.track == 1));
        let verdicts: Vec<_> = told.iter().flat_map(|news| &news.verdicts).collect();
        assert_eq!(verdicts.len(), 1);
        assert_eq!((verdicts[0].person.state, &verdicts[0].zones), (MaskState::Mask, &vec![0]));
    }
}

#[test]
fn posters_and_small_faces_are_nobody() {
    let mut census = Census::new(TrackerConfig::default(), areas());
    let small = Detection { rect: Rect::new(0.2, 0.2, 0.02, 0.03), ..at(0.2, 0.2) };
    for n in 0..20 {
        let association = feed(&mut census, ms(n * 200), &[small, at(0.95, 0.5), at(0.3, 0.5)]);
        assert_eq!(association.links.iter().map(|link| link.track).collect::<Vec<_>>(), [None, None, Some(1)]);
    }
    census.end_all();
    assert_eq!(census.take_news().people.len(), 1);
}

#[test]
fn nothing_is_kept_of_tracks_that_ended() {
    let mut census = Census::new(TrackerConfig::default(), areas());
    for n in 0..400u64 {
        // Lonely detections here and there, and somebody who comes and goes.
        let lonely = at(0.05 + 0.8 * ((n * 7 % 11) as f32 / 11.0), 0.15 + 0.7 * ((n * 5 % 7) as f32 / 7.0));
        let found = if n % 40 < 15 { vec![lonely, at(0.4, 0.5)] } else { vec![lonely] };
        feed(&mut census, ms(n * 200), &found);
        census.take_news();
    }
    census.end_all();
    census.take_news();
    assert!(census.counted.is_empty() && census.visits.is_empty());
    assert!((0..1000).all(|track| census.ways.visits(track).is_empty()));
}

/// Frames: milliseconds since the one before, and the columns in which faces stand.
fn stream() -> impl Strategy<Value = Vec<(u64, BTreeSet<u8>)>> {
    let frame = (prop_oneof![9 => 40u64..600, 1 => 3000u64..8000], prop::collection::btree_set(0u8..10, 0..4));
    prop::collection::vec(frame, 0..80)
}

proptest! {
    #[test]
    fn each_is_counted_once_and_a_place_has_no_more_people_than_its_camera(stream in stream()) {
        let mut census = Census::new(TrackerConfig::default(), areas());
        let (mut now, mut people, mut at_places) = (0, BTreeMap::new(), BTreeSet::new());
        let mut take = |news: News| -> Result<(), TestCaseError> {
            for counted in news.people {
                let track = counted.person.track;
                prop_assert!(people.insert(track, counted.person.state).is_none(), "twice");
                for place in counted.places {
                    prop_assert!(at_places.insert((track, place)), "twice at a place");
                }
            }
            for visit in news.visits {
                prop_assert_eq!(people.get(&visit.track), Some(&visit.state), "counted before, and so");
                prop_assert!(at_places.insert((visit.track, visit.place)), "twice at a place");
            }
            Ok(())
        };
        for (gap, columns) in stream {
            now += gap;
            let found: Vec<_> = columns.iter().map(|column| at(f32::from(*column) / 10.0 + 0.05, 0.5)).collect();
            feed(&mut census, ms(now), &found);
            take(census.take_news())?;
        }
        census.end_all();
        take(census.take_news())?;
    }
}
