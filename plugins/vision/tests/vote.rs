//! The vote over a person's frames.

use std::time::Duration;

use maskwatch_vision::face::{MaskState, StateScores};
use maskwatch_vision::vote::{Evidence, Vote, VoteConfig};
use proptest::prelude::*;
use proptest::test_runner::Config;

fn scores(state: MaskState, sure: f32) -> StateScores {
    let p = |s| if s == state { sure } else { (1.0 - sure) / 2.0 };
    StateScores::normalized(p(MaskState::Mask), p(MaskState::Incorrect), p(MaskState::NoMask))
}

fn frame(state: MaskState, sure: f32, height_px: f32) -> Evidence {
    Evidence { scores: scores(state, sure), height_px, detection_score: 0.95, quality: 1.0 }
}

/// The state after frames `step` apart.
fn state_after(frames: &[Evidence], step: Duration) -> (MaskState, f32) {
    let config = VoteConfig::default();
    let mut vote = Vote::default();
    for (n, evidence) in frames.iter().enumerate() {
        vote.add(&config, step * n as u32, evidence);
    }
    vote.result(&config)
}

const FIFTH: Duration = Duration::from_millis(200);
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn nothing_is_unknown() {
    assert_eq!(state_after(&[], FIFTH), (MaskState::Unknown, 0.0));
}

#[test]
fn one_frame_never_decides() {
    assert_eq!(state_after(&[frame(MaskState::NoMask, 0.999, 300.0)], FIFTH).0, MaskState::Unknown);
}

#[test]
fn two_confident_frames_decide_for_the_alert() {
    let (state, confidence) = state_after(&[frame(MaskState::NoMask, 0.95, 60.0); 2], FIFTH);
    assert_eq!(state, MaskState::NoMask);
    assert!(confidence > 0.95, "{confidence}");
}

#[test]
fn a_passer_by_seen_twice_in_two_seconds_is_decided() {
    assert_eq!(state_after(&[frame(MaskState::Mask, 0.9, 28.0); 2], SECOND).0, MaskState::Mask);
}

#[test]
fn tiny_faces_stay_unknown_however_often_seen() {
    assert_eq!(state_after(&[frame(MaskState::Mask, 0.99, 11.0); 500], FIFTH).0, MaskState::Unknown);
}

#[test]
fn two_poor_frames_do_not_decide_but_many_do() {
    assert_eq!(state_after(&[frame(MaskState::Mask, 0.9, 20.0); 2], FIFTH).0, MaskState::Unknown);
    assert_eq!(state_after(&[frame(MaskState::Mask, 0.9, 20.0); 8], FIFTH).0, MaskState::Mask);
}

#[test]
fn frames_in_quick_succession_are_worth_less() {
    let frames = [frame(MaskState::Mask, 0.7, 60.0); 3];
    let quick = state_after(&frames, Duration::from_millis(40));
    let slow = state_after(&frames, FIFTH);
    assert!(slow.1 > quick.1, "{slow:?} {quick:?}");
}

#[test]
fn contradiction_is_unknown_and_one_wrong_frame_no_matter() {
    let (mask, bare) = (frame(MaskState::Mask, 0.9, 60.0), frame(MaskState::NoMask, 0.9, 60.0));
    assert_eq!(state_after(&[mask, bare, mask, bare], FIFTH).0, MaskState::Unknown);
    let (state, confidence) = state_after(&[mask, mask, bare, mask, mask], FIFTH);
    assert_eq!(state, MaskState::Mask);
    assert!(confidence < state_after(&[mask; 5], FIFTH).1);
}

#[test]
fn a_large_face_outweighs_small_ones() {
    let (far, near) = (frame(MaskState::NoMask, 0.8, 17.0), frame(MaskState::Mask, 0.9, 80.0));
    assert_eq!(state_after(&[far, far, far, near, near], FIFTH).0, MaskState::Mask);
}

#[test]
fn a_mask_taken_off_is_noticed_within_seconds_without_flicker() {
    let config = VoteConfig::default();
    let mut vote = Vote::default();
    let mut states = Vec::new();
    for n in 0..600u32 {
        let state = if n < 300 { MaskState::Mask } else { MaskState::NoMask };
        vote.add(&config, FIFTH * n, &frame(state, 0.9, 60.0));
        states.push(vote.result(&config).0);
    }
    let changed = states.iter().position(|&s| s == MaskState::NoMask).expect("a change");
    assert!((301..300 + 15).contains(&changed), "{changed}");
    let changes = states.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(changes <= 3, "unknown, mask, (unknown,) no mask: {changes}");
}

fn evidence() -> impl Strategy<Value = Evidence> {
    let odd = prop_oneof![8 => 0.0f32..=1.0, 1 => Just(f32::NAN), 1 => Just(f32::INFINITY)];
    (0.0f32..=1.0, 0.0f32..=1.0, 0.0f32..=1.0, 0.0f32..400.0, 0.0f32..=1.0, odd).prop_map(
        |(mask, incorrect, no_mask, height_px, detection_score, quality)| Evidence {
            scores: StateScores::normalized(mask, incorrect, no_mask),
            height_px,
            detection_score,
            quality,
        },
    )
}

proptest! {
    // An integration test has no place for regression files: a failing case is printed, to be made a test of its own.
    #![proptest_config(Config { failure_persistence: None, ..Config::default() })]

    #[test]
    fn probabilities_stay_probabilities(frames in prop::collection::vec((0u64..5000, evidence()), 0..200)) {
        let config = VoteConfig::default();
        let mut vote = Vote::default();
        for (millis, evidence) in frames {
            let before = vote.result(&config).0;
            let changed = vote.add(&config, Duration::from_millis(millis), &evidence);
            let (state, confidence) = vote.result(&config);
            prop_assert_eq!(changed, state != before);
            prop_assert!((0.0..=1.0).contains(&confidence));
            prop_assert_eq!(state == MaskState::Unknown, confidence == 0.0);
            prop_assert!(state == MaskState::Unknown || confidence >= config.leave.min(config.enter) - 1e-6);
            let sum: f32 = vote.posterior(&config).iter().sum();
            prop_assert!((sum - 1.0).abs() < 1e-5);
        }
        prop_assert!(vote.frames() < config.min_frames || vote.posterior(&config).iter().all(|p| p.is_finite()));
    }

    #[test]
    fn agreement_never_lowers_confidence(sure in 0.5f32..0.99, height in 15.0f32..200.0, count in 1usize..40) {
        let less = state_after(&vec![frame(MaskState::Incorrect, sure, height); count], FIFTH);
        let more = state_after(&vec![frame(MaskState::Incorrect, sure, height); count + 1], FIFTH);
        prop_assert!(more.1 >= less.1 - 1e-5, "{:?} {:?}", less, more);
        prop_assert!(more.0 == less.0 || less.0 == MaskState::Unknown);
    }

    #[test]
    fn fewer_frames_than_the_least_are_unknown(evidence in evidence()) {
        prop_assert_eq!(state_after(&[evidence], FIFTH).0, MaskState::Unknown);
    }
}
