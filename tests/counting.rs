//! People counted in clips with known people: the part of the evaluation that fits the suite. The whole is
//! `cargo run --example counting`; its figures are in `deploy/docs/counting.md`.

// Helpers outside of test functions fail by panicking too.
#![allow(clippy::unwrap_used)]

#[path = "counting/mod.rs"]
mod counting;
mod support;

use counting::{clips, photos, play, replay::Recording, score, stage::Clip};
use maskwatch::config::plan::InferencePlan;
use maskwatch::metrics::Metrics;
use maskwatch::service;
use maskwatch_vision::face::MaskState;

/// The clips of the validation photos, where they are.
fn val_clips() -> Option<Vec<Clip>> {
    let detection = support::data::find("detection")?;
    Some(clips::all(&photos::load(&detection, "val")))
}

/// Registers the usual models under `name`.
fn engine(name: &str) {
    service::start_media().unwrap();
    let engine = service::start_engine(&InferencePlan::default(), &Metrics::new().unwrap()).unwrap();
    gstmaskwatch::engines::register(name, engine);
}

#[test]
fn there_are_enough_people_in_enough_clips() {
    let Some(clips) = val_clips() else { return };
    let people: Vec<usize> = clips.iter().map(|clip| clip.people().len()).collect();
    assert!(clips.len() >= 8 && people.iter().sum::<usize>() >= 200, "{people:?}");
    assert!(people.iter().all(|count| *count >= 8), "{people:?}");
}

#[test]
fn the_tracker_alone_counts_within_one_percent_from_five_frames_per_second() {
    let Some(clips) = val_clips() else { return };
    // At one per second who is new and who has moved on is not always to be told apart.
    for (fps, off, ratio_off, switches) in [(1, 0.06, 2.0, 0.07), (5, 0.01, 0.5, 0.001)] {
        let mut all = score::Score::default();
        for clip in &clips {
            all += score::score(clip, fps, &Recording::of_truth(clip, fps).replay());
        }
        assert!(all.count_error().abs() <= off, "at {fps} per second: {all:?}");
        assert!(all.ratio_error().unwrap().abs() <= ratio_off, "at {fps} per second: {all:?}");
        let per_box = all.tracking.switches as f64 / all.tracking.truth as f64;
        assert!(per_box <= switches, "at {fps} per second: {all:?}");
    }
}

#[test]
fn people_who_go_behind_pillars_are_counted_once() {
    let Some(clips) = val_clips() else { return };
    let clip = clips.iter().find(|clip| clip.name == "pillars").unwrap();
    engine("counting-photos");
    let (answer, recording) = play::end_to_end(clip, 5, "counting-photos");
    gstmaskwatch::engines::unregister("counting-photos");
    assert_eq!(recording.replay(), answer, "what is measured by recordings is what the element does");
    let score = score::score(clip, 5, &answer);
    assert!(score.count_error().abs() <= 0.1, "{score:?}");
    // Two of the 28 people.
    assert!(score.ratio_error().unwrap().abs() <= 7.5, "{score:?}");
    assert!(score.tracking.switches <= 8, "{score:?}");
    // What counting boxes would make of it.
    assert!(score.boxes.total() > 5 * score.truth.total(), "{score:?}");
}

#[test]
fn everybody_in_a_scene_of_the_demo_is_counted_at_any_rate() {
    let camera = support::demo::camera("lobby");
    engine("counting-demo");
    for fps in [1, 5] {
        let people = play::file(&camera.clip, fps, "counting-demo").people;
        let bare = people.iter().filter(|person| person.state == MaskState::NoMask).count();
        assert_eq!(people.len(), camera.truth.people.len(), "at {fps} per second: {people:?}");
        assert_eq!(bare, camera.truth.count(maskwatch::demo::State::NoMask), "at {fps} per second: {people:?}");
    }
    gstmaskwatch::engines::unregister("counting-demo");
}
