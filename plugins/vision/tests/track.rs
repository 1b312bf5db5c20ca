//! The tracker: cases, and properties under random detections.

#[path = "track/properties.rs"]
mod properties;
#[path = "track/slow.rs"]
mod slow;

use std::time::Duration;

use maskwatch_vision::face::{ClassifiedFace, Detection, MaskState, StateScores};
use maskwatch_vision::geometry::Rect;
use maskwatch_vision::track::{Association, Tracker, TrackerConfig};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn at(x: f32, score: f32) -> Detection {
    Detection { rect: Rect::new(x, 0.4, 0.05, 0.1), score, states: None }
}

const BARE: StateScores = StateScores { mask: 0.02, incorrect: 0.02, no_mask: 0.96 };

/// Associates a frame and gives evidence where it is asked for. Faces are 100 pixels high per tenth of the picture.
fn step(tracker: &mut Tracker, time: Duration, found: &[Detection]) -> Association {
    let association = tracker.associate(time, found);
    for (detection, link) in found.iter().zip(&association.links) {
        let Some(track) = link.track else { continue };
        let states = link.classify.then_some(BARE);
        let state = states.map_or(MaskState::Unknown, |states| states.best().0);
        let face = ClassifiedFace { detection: *detection, states, state };
        tracker.evidence(time, track, &face, detection.rect.h * 1000.0);
    }
    association
}

fn tracks(association: &Association) -> Vec<Option<u64>> {
    association.links.iter().map(|link| link.track).collect()
}

#[test]
fn a_face_keeps_its_number_at_every_rate() {
    for millis in [40, 100, 200, 500, 1000] {
        let mut tracker = Tracker::default();
        for n in 0..20 {
            // A fifth of a face per second and more: by a whole picture in no case.
            let x = 0.1 + 0.03 * (n * millis) as f32 / 1000.0;
            assert_eq!(tracks(&step(&mut tracker, ms(n * millis), &[at(x, 0.9)])), [Some(1)], "{millis} ms, frame {n}");
        }
    }
}

#[test]
fn a_walking_face_at_one_frame_per_second_does_not_overlap_and_is_followed() {
    let mut tracker = Tracker::default();
    for n in 0..6u64 {
        // Two and a half faces per second.
        let association = step(&mut tracker, ms(n * 1000), &[at(0.1 + 0.125 * n as f32, 0.9)]);
        assert_eq!(tracks(&association), [Some(1)], "frame {n}");
    }
    tracker.end_all();
    let people = tracker.take_decided();
    assert_eq!(people.len(), 1);
    assert_eq!((people[0].state, people[0].frames), (MaskState::NoMask, 6));
}

#[test]
fn followers_are_not_mistaken_for_those_they_follow() {
    // At the next analysis the second stands where the first stood.
    let mut tracker = Tracker::default();
    for n in 0..8u64 {
        let x = 0.1 + 0.07 * n as f32;
        let association = step(&mut tracker, ms(n * 1000), &[at(x, 0.9), at(x + 0.07, 0.9)]);
        assert_eq!(tracks(&association), [Some(1), Some(2)], "frame {n}");
    }
}

#[test]
fn two_who_cross_keep_their_numbers() {
    let mut tracker = Tracker::default();
    for n in 0..50u64 {
        let (a, b) = (0.2 + 0.012 * n as f32, 0.8 - 0.012 * n as f32);
        // The one behind is hidden while they overlap.
        let both = [at(a, 0.9), at(b, 0.9)];
        let found = if (a - b).abs() < 0.04 { &both[..1] } else { &both[..] };
        let links = tracks(&step(&mut tracker, ms(n * 100), found));
        assert_eq!(links[0], Some(1), "frame {n}");
        assert!(links.get(1).is_none_or(|link| *link == Some(2)), "frame {n}");
    }
}

#[test]
fn weak_detections_prolong_but_never_begin() {
    let mut tracker = Tracker::default();
    assert_eq!(tracks(&step(&mut tracker, ms(0), &[at(0.5, 0.4)])), [None]);
    step(&mut tracker, ms(200), &[at(0.5, 0.9)]);
    step(&mut tracker, ms(400), &[at(0.5, 0.9)]);
    assert_eq!(tracks(&step(&mut tracker, ms(600), &[at(0.5, 0.4)])), [Some(1)]);
    assert_eq!(tracks(&step(&mut tracker, ms(800), &[at(0.5, 0.1)])), [None]);
}

#[test]
fn a_short_occlusion_is_bridged_and_a_long_one_ends() {
    let mut tracker = Tracker::default();
    (0..5).for_each(|n| _ = step(&mut tracker, ms(n * 200), &[at(0.5, 0.9)]));
    (5..12).for_each(|n| assert_eq!(step(&mut tracker, ms(n * 200), &[]).lost, [1]));
    assert_eq!(tracks(&step(&mut tracker, ms(2400), &[at(0.5, 0.9)])), [Some(1)]);
    let ended: Vec<u64> = (13..30).flat_map(|n| step(&mut tracker, ms(n * 200), &[]).ended).collect();
    assert_eq!(ended, [1]);
    assert_eq!(tracks(&step(&mut tracker, ms(6000), &[at(0.5, 0.9)])), [Some(2)]);
}

#[test]
fn jumps_of_time_end_everything_once() {
    for jump in [0, 400, 20_000] {
        let mut tracker = Tracker::default();
        (5..10).for_each(|n| _ = step(&mut tracker, ms(n * 200), &[at(0.5, 0.9)]));
        let association = step(&mut tracker, ms(jump), &[at(0.5, 0.9)]);
        assert!(association.jumped, "{jump}");
        assert_eq!((association.ended, association.links[0].track), (vec![1], Some(2)));
        assert_eq!(tracker.take_decided().len(), 1);
        assert_eq!(tracker.take_decided(), []);
    }
}

#[test]
fn a_picture_that_never_changes_is_one_person() {
    let mut tracker = Tracker::default();
    let mut people = Vec::new();
    let mut classified = 0;
    for n in 0..5000u64 {
        let association = step(&mut tracker, ms(n * 200), &[at(0.3, 0.95), at(0.6, 0.95)]);
        classified += association.links.iter().filter(|link| link.classify).count();
        people.extend(tracker.take_decided());
    }
    tracker.end_all();
    people.extend(tracker.take_decided());
    assert_eq!(people.len(), 2);
    assert!(classified < 2 * 5000 / 9, "about every two seconds: {classified}");
    assert!(people[0].last_seen <= ms(3000), "counted while it goes on");
}

#[test]
fn a_face_without_mask_is_announced_within_half_a_second_at_five_frames_per_second() {
    let mut tracker = Tracker::default();
    let mut told = Vec::new();
    for n in 0..20u64 {
        step(&mut tracker, ms(n * 200), &[at(0.3 + 0.01 * n as f32, 0.9)]);
        told.extend(tracker.take_verdicts().into_iter().map(|person| (n, person.state)));
    }
    assert_eq!(told, [(1, MaskState::NoMask)]);
}

#[test]
fn classification_is_asked_for_when_it_pays() {
    let mut tracker = Tracker::default();
    let grown = |h: f32| Detection { rect: Rect::new(0.5, 0.4, h / 2.0, h), score: 0.9, states: None };
    let asked = |tracker: &mut Tracker, millis, h| step(tracker, ms(millis), &[grown(h)]).links[0].classify;
    assert!(asked(&mut tracker, 0, 0.10), "new");
    assert!(asked(&mut tracker, 200, 0.10), "uncertain after one frame");
    assert!(!asked(&mut tracker, 400, 0.10), "certain");
    assert!(!asked(&mut tracker, 600, 0.12), "hardly bigger");
    assert!(asked(&mut tracker, 800, 0.135), "bigger");
    assert!(!asked(&mut tracker, 1000, 0.135), "as big as at its best");
    assert!((6..15).any(|n| asked(&mut tracker, n * 200, 0.135)), "stale");
}

#[test]
fn boxes_are_predicted_and_do_not_outlive_the_face() {
    let mut tracker = Tracker::default();
    for n in 0..10u64 {
        step(&mut tracker, ms(n * 200), &[at(0.2 + 0.02 * n as f32, 0.9)]);
    }
    let now = tracker.view(ms(1800))[0].rect.x;
    let later = tracker.view(ms(1920))[0].rect.x;
    assert!((later - now - 0.012).abs() < 0.003, "a tenth of a picture per second: {now} {later}");
    assert_eq!(tracker.view(ms(5000)), []);
    // Gone from the picture: the box follows it out and is not drawn at the edge.
    let mut leaving = Tracker::default();
    (0..10u64).for_each(|n| _ = step(&mut leaving, ms(n * 200), &[at(0.52 + 0.05 * n as f32, 0.9)]));
    assert_eq!(leaving.view(ms(1800)).len(), 1);
    assert_eq!(leaving.view(ms(2000)), []);
}

#[test]
fn one_detection_is_no_person() {
    let mut tracker = Tracker::default();
    step(&mut tracker, ms(0), &[at(0.5, 0.99)]);
    assert_eq!(tracker.view(ms(0)).len(), 1, "shown at once in the first frame of a stream");
    tracker.end_all();
    assert_eq!(tracker.take_decided(), []);
}

/// How many people there are of somebody who is found with these scores, one every `interval` milliseconds.
fn people_of(scores: impl IntoIterator<Item = f32>, interval: u64) -> usize {
    let mut tracker = Tracker::default();
    for (n, score) in scores.into_iter().enumerate() {
        step(&mut tracker, ms(n as u64 * interval), &[at(0.5, score)]);
    }
    tracker.end_all();
    tracker.take_decided().len()
}

#[test]
fn a_glimpse_is_nobody_at_any_rate_and_a_short_visit_is_somebody() {
    assert_eq!([people_of([0.9; 2], 200), people_of([0.9; 8], 40)], [0, 0]);
    // A second and a half, with misses at both ends.
    assert_eq!([people_of([0.9; 5], 200), people_of([0.9; 30], 40)], [1, 1]);
    assert_eq!(people_of([0.9; 2], 1000), 1);
}

#[test]
fn one_strong_finding_among_weak_ones_is_nobody_at_any_rate() {
    let doubtful = |count| std::iter::once(0.7).chain(std::iter::once(0.62)).chain(std::iter::repeat_n(0.53, count));
    assert_eq!([people_of(doubtful(15), 200), people_of(doubtful(75), 40)], [0, 0]);
    // Findings that vary, and are mostly strong.
    assert_eq!(people_of([0.7, 0.55, 0.75, 0.5, 0.7, 0.65], 200), 1);
}

#[test]
fn a_box_within_a_face_is_no_second_face_and_a_face_beside_it_is() {
    let head = Detection { rect: Rect::new(0.4, 0.3, 0.1, 0.2), score: 0.9, states: None };
    let count = |other: Rect| {
        let mut tracker = Tracker::default();
        let other = Detection { rect: other, score: 0.8, states: None };
        (0..10).for_each(|n| _ = step(&mut tracker, ms(n * 200), &[head, other]));
        tracker.end_all();
        tracker.take_decided().len()
    };
    assert_eq!(count(Rect::new(0.42, 0.34, 0.07, 0.15)), 1);
    assert_eq!(count(Rect::new(0.47, 0.34, 0.07, 0.15)), 2);
    // Much smaller: a face far off may show beside the large one's cheek.
    assert_eq!(count(Rect::new(0.41, 0.31, 0.03, 0.06)), 2);
}

/// What a detector sees of a face that goes to the left past a pillar: narrower and a little lower boxes at its edges.
fn past_a_pillar(time: f32) -> Option<Detection> {
    let (left, w, [from, until]) = (0.7 - 0.1 * time, 0.09, [0.4, 0.5]);
    let (a, b) = match left {
        left if left < from => (left, (left + w).min(from)),
        left => (left.max(until), left + w),
    };
    let share = ((b - a) / w).max(0.0);
    let h = 0.2 * (0.6 + 0.4 * share);
    let rect = Rect::new(a, 0.5 - h / 2.0, b - a, h);
    (share >= 0.45).then_some(Detection { rect, score: 0.6 + 0.3 * share, states: None })
}

#[test]
fn whoever_goes_past_a_pillar_is_one_person() {
    for interval in [40, 100, 200] {
        let mut tracker = Tracker::default();
        for time in (0..6000).step_by(interval as usize) {
            let found: Vec<_> = past_a_pillar(time as f32 / 1000.0).into_iter().collect();
            step(&mut tracker, ms(time), &found);
        }
        tracker.end_all();
        assert_eq!(tracker.take_decided().len(), 1, "a frame every {interval} ms");
    }
}

#[test]
fn a_person_without_usable_evidence_is_unknown_and_counted() {
    let mut tracker = Tracker::default();
    (0..5).for_each(|n| _ = tracker.associate(ms(n * 200), &[at(0.5, 0.9)]));
    tracker.end_all();
    let people = tracker.take_decided();
    assert_eq!(people.iter().map(|p| (p.state, p.confidence)).collect::<Vec<_>>(), [(MaskState::Unknown, 0.0)]);
}

#[test]
fn evidence_for_a_track_that_is_no_more_is_ignored() {
    let mut tracker = Tracker::default();
    let face = ClassifiedFace { detection: at(0.5, 0.9), states: Some(BARE), state: MaskState::NoMask };
    tracker.evidence(ms(0), 7, &face, 100.0);
    step(&mut tracker, ms(0), &[at(0.5, 0.9)]);
    tracker.end_all();
    tracker.evidence(ms(0), 1, &face, 100.0);
    assert_eq!(tracker.view(ms(0)), []);
}
