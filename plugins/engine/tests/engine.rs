//! The engine with small networks: batches across cameras, every picture finished once, faults stay where they are.

mod support;

use std::{collections::HashMap, sync::Arc, thread};

use maskwatch_engine::{Ask, DropReason, Engine, EngineError, NoObserver, Outcome, OwnedFrame, Phase};
use maskwatch_vision::{
    batch::BatchReason,
    face::{ClassifiedFace, MaskState},
    geometry::Rect,
    privacy::Suspects,
};
use support::{Manner, Models, Recorder, Results, SIZE, grey};

fn close(a: f32, b: f32) -> bool {
    (a - b).abs() < 0.01
}

fn faces(outcome: &Outcome) -> &[ClassifiedFace] {
    match outcome {
        Outcome::Done(analysis) => &analysis.faces,
        other => panic!("not done: {other:?}"),
    }
}

fn dropped(outcome: &Outcome) -> DropReason {
    match outcome {
        Outcome::Dropped(reason) => *reason,
        other => panic!("not dropped: {other:?}"),
    }
}

#[test]
fn a_picture_is_detected_cut_and_classified() {
    let (models, recorder) = (Models::usual(), Recorder::new());
    let engine = models.start("faces", Some("masks"), &recorder);
    let camera = engine.attach("door", 1);
    let found = camera.analyze(grey(204), None).unwrap();
    let [face] = found.as_slice() else { panic!("{found:?}") };
    assert!(close(face.detection.score, 0.8));
    assert!(face.detection.rect.iou(&Rect::from_corners(0.25, 0.25, 0.5, 0.75)) > 0.99);
    assert_eq!(face.state, MaskState::Mask);
    assert!(close(face.states.unwrap().mask, 0.8));

    // A dark face: mean 0.3, so no_mask 0.7. A middling one: under unknown_below.
    assert_eq!(camera.analyze(grey(77), None).unwrap()[0].state, MaskState::NoMask);
    assert_eq!(camera.analyze(grey(128), None).unwrap()[0].state, MaskState::Unknown);
    // Under the model's threshold, and above the caller's own.
    assert!(camera.analyze(grey(26), None).unwrap().is_empty());
    assert_eq!(camera.analyze(grey(26), Some(0.05)).unwrap().len(), 1);
    assert!(camera.analyze(grey(204), Some(0.9)).unwrap().is_empty());
    // What is no face may be one all the same, and is named where that is asked for.
    let asked = camera.analyze_asked(grey(26), Ask { face: None, hide: Some(0.05) }).unwrap();
    assert!(asked.faces.is_empty());
    assert!(matches!(asked.suspects, Some(Suspects::Within(boxes)) if boxes.len() == 1));
    let both = camera.analyze_asked(grey(204), Ask { face: None, hide: Some(0.05) }).unwrap();
    assert_eq!(both.faces[0].state, MaskState::Mask);
    assert!(matches!(both.suspects, Some(Suspects::Within(boxes)) if boxes.len() == 1));
    assert_eq!(camera.analyze_asked(grey(204), Ask::default()).unwrap().suspects, None);

    let names: Vec<_> = engine.models().iter().map(|model| (model.name.as_str(), model.task.as_str())).collect();
    assert_eq!(names, [("faces", "detection"), ("masks", "classification")]);
    let phases = recorder.phases.lock().unwrap();
    for model in ["faces", "masks"] {
        for phase in [Phase::Pre, Phase::Run, Phase::Post] {
            assert!(phases.contains(&(model.into(), phase)), "{model} {phase:?}");
        }
    }
}

#[test]
fn frames_of_eight_cameras_meet_in_one_batch_and_keep_their_own_results() {
    let (models, recorder, results) = (Models::usual(), Recorder::new(), Results::new());
    let engine = models.start("faces", Some("masks"), &recorder);
    let cameras: Vec<_> = (0..8).map(|number| engine.attach(&format!("camera {number}"), 1)).collect();
    recorder.hold("faces");
    results.submit(&cameras[0], 100, 128);
    assert_eq!(recorder.begun("faces"), 1);
    // The executor is busy: what comes now waits and goes together.
    for (number, camera) in cameras.iter().enumerate() {
        results.submit(camera, number, 80 + 20 * number as u8);
    }
    recorder.release();
    for (number, outcome) in results.take(9).into_iter().filter(|(number, _)| *number < 100) {
        let score = faces(&outcome)[0].detection.score;
        assert!(close(score, (80 + 20 * number) as f32 / 255.0), "camera {number}: {score}");
    }
    let batches = recorder.batches.lock().unwrap();
    assert!(batches.contains(&("faces".into(), 8, BatchReason::Full)), "{batches:?}");
}

#[test]
fn the_newest_picture_of_a_camera_wins() {
    let (models, recorder, results) = (Models::usual(), Recorder::new(), Results::new());
    let engine = models.start("faces", Some("masks"), &recorder);
    let camera = engine.attach("door", 1);
    recorder.hold("faces");
    results.submit(&camera, 0, 200);
    recorder.begun("faces");
    for number in 1..5 {
        results.submit(&camera, number, 200);
    }
    let superseded = results.take(3);
    assert!(superseded.iter().all(|(_, outcome)| dropped(outcome) == DropReason::Superseded));
    assert_eq!(superseded.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2, 3]);
    recorder.release();
    assert!(results.take(2).iter().all(|(_, outcome)| faces(outcome).len() == 1));
}

#[test]
fn a_silent_camera_holds_up_nobody() {
    let (models, recorder) = (Models::usual(), Recorder::new());
    let engine = models.start("faces", Some("masks"), &recorder);
    let cameras: Vec<_> = (0..8).map(|number| engine.attach(&format!("camera {number}"), 1)).collect();
    for camera in &cameras {
        camera.analyze(grey(200), None).unwrap();
    }
    for _ in 0..20 {
        assert_eq!(cameras[7].analyze(grey(200), None).unwrap().len(), 1);
    }
}

#[test]
fn detaching_ends_what_waits_and_what_runs_as_stopped() {
    let (models, recorder, results) = (Models::usual(), Recorder::new(), Results::new());
    let engine = models.start("faces", Some("masks"), &recorder);
    let camera = engine.attach("door", 1);
    let other = engine.attach("gate", 1);
    recorder.hold("faces");
    results.submit(&camera, 0, 200);
    recorder.begun("faces");
    results.submit(&camera, 1, 200);
    results.submit(&other, 2, 200);
    drop(camera);
    assert_eq!(results.next(), (1, Outcome::Dropped(DropReason::Stopped)));
    recorder.release();
    let rest = results.take(2);
    assert_eq!(dropped(&rest[0].1), DropReason::Stopped);
    assert_eq!(faces(&rest[1].1).len(), 1);
}

#[test]
fn a_flush_gives_up_what_was_submitted_and_nothing_after() {
    let (models, recorder, results) = (Models::usual(), Recorder::new(), Results::new());
    let engine = models.start("faces", Some("masks"), &recorder);
    let camera = engine.attach("door", 1);
    recorder.hold("faces");
    results.submit(&camera, 0, 200);
    recorder.begun("faces");
    results.submit(&camera, 1, 200);
    camera.flush();
    assert_eq!(results.next(), (1, Outcome::Dropped(DropReason::Flushed)));
    results.submit(&camera, 2, 200);
    recorder.release();
    let rest = results.take(2);
    assert_eq!(dropped(&rest[0].1), DropReason::Flushed);
    assert_eq!(faces(&rest[1].1).len(), 1);
}

#[test]
fn dropping_the_engine_ends_what_waits_and_refuses_what_comes() {
    let (models, recorder, results) = (Models::usual(), Recorder::new(), Results::new());
    let engine = models.start("faces", Some("masks"), &recorder);
    let camera = engine.attach("door", 1);
    let other = engine.attach("gate", 1);
    recorder.hold("faces");
    results.submit(&camera, 0, 200);
    recorder.begun("faces");
    results.submit(&camera, 1, 200);
    results.submit(&other, 2, 200);
    // Waits for the batch that runs, but not before what waits is finished.
    let stopping = thread::spawn(move || drop(engine));
    assert!(results.take(2).iter().all(|(_, outcome)| dropped(outcome) == DropReason::Stopped));
    recorder.release();
    stopping.join().unwrap();
    results.next();
    results.submit(&camera, 3, 200);
    assert_eq!(results.next(), (3, Outcome::Dropped(DropReason::Stopped)));
    let refused = camera.analyze(grey(200), None).unwrap_err();
    assert!(
        matches!(&refused, EngineError::Dropped { camera, reason: DropReason::Stopped } if camera == "door"),
        "{refused}"
    );
    assert!(results.is_empty());
}

#[test]
fn the_last_reference_may_go_on_an_engine_thread() {
    struct Keeper(Option<Arc<Engine>>, OwnedFrame, crossbeam_channel::Sender<Outcome>);
    impl maskwatch_engine::Subject for Keeper {
        fn frame(&self) -> maskwatch_vision::frame::FrameView<'_> {
            self.1.view()
        }
        fn select(&mut self, _found: &[maskwatch_vision::face::Detection]) -> Vec<usize> {
            Vec::new()
        }
        fn finish(mut self: Box<Self>, outcome: Outcome) {
            drop(self.0.take());
            self.2.send(outcome).unwrap();
        }
    }
    let (models, recorder) = (Models::usual(), Recorder::new());
    let engine = models.start("faces", Some("masks"), &recorder);
    let camera = engine.attach("door", 1);
    let (out, done) = crossbeam_channel::bounded(1);
    camera.submit(Box::new(Keeper(Some(engine), grey(200), out)), Ask::default());
    assert!(matches!(done.recv_timeout(support::PATIENCE).unwrap(), Outcome::Done(_)));
}

#[test]
fn a_failed_run_fails_its_batch_alone() {
    let (models, recorder, results) = (Models::usual(), Recorder::new(), Results::new());
    for (detector, classifier, failing) in [("fails", "masks", "fails"), ("faces", "masks-fails", "masks-fails")] {
        let engine = models.start(detector, Some(classifier), &recorder);
        let camera = engine.attach("door", 1);
        for _ in 0..3 {
            let error = camera.analyze(grey(250), None).unwrap_err().to_string();
            assert!(error.contains("door") && error.contains(failing) && error.contains("Gather"), "{error}");
            assert_eq!(camera.analyze(grey(200), None).unwrap()[0].state, MaskState::Mask);
        }
    }
    assert!(results.is_empty());
}

#[test]
fn panics_of_subjects_stay_with_them() {
    let (models, recorder, results) = (Models::usual(), Recorder::new(), Results::new());
    let engine = models.start("faces", Some("masks"), &recorder);
    let camera = engine.attach("door", 1);
    results.submit_as(&camera, 0, grey(200), Manner::PanicInSelect);
    let (_, outcome) = results.next();
    assert!(matches!(&outcome, Outcome::Failed(cause) if cause.contains("select on purpose")), "{outcome:?}");
    results.submit_as(&camera, 1, grey(200), Manner::PanicInFinish);
    results.next();
    assert_eq!(camera.analyze(grey(200), None).unwrap().len(), 1);
}

#[test]
fn a_picture_that_is_none_fails_at_once() {
    let (models, recorder, results) = (Models::usual(), Recorder::new(), Results::new());
    let engine = models.start("faces", Some("masks"), &recorder);
    let camera = engine.attach("door", 1);
    let (width, height) = SIZE;
    results.submit_as(&camera, 0, OwnedFrame::rgb(width, height, vec![0; 10]), Manner::PickAll);
    results.submit_as(&camera, 1, OwnedFrame::rgb(0, 0, Vec::new()), Manner::PickAll);
    assert!(results.take(2).iter().all(|(_, outcome)| matches!(outcome, Outcome::Failed(_))));
    assert_eq!(camera.analyze(grey(200), None).unwrap().len(), 1);
}

#[test]
fn faces_not_picked_come_back_unclassified_and_wrong_picks_do_no_harm() {
    let (models, recorder, results) = (Models::usual(), Recorder::new(), Results::new());
    let engine = models.start("states", Some("masks"), &recorder);
    let camera = engine.attach("door", 1);
    results.submit_as(&camera, 0, grey(200), Manner::PickNone);
    let (_, outcome) = results.next();
    let none = faces(&outcome);
    assert_eq!(none.len(), 2);
    assert!(none.iter().all(|face| face.states.is_none() && face.state == MaskState::Unknown));
    assert!(recorder.sizes("masks").is_empty());
    results.submit_as(&camera, 1, grey(200), Manner::PickWildly);
    let (_, outcome) = results.next();
    assert!(faces(&outcome).iter().all(|face| face.state == MaskState::Mask));
    assert_eq!(recorder.sizes("masks"), [2]);
}

#[test]
fn faces_too_low_are_unknown_without_being_classified() {
    let (models, recorder) = (Models::usual(), Recorder::new());
    // The box is half of 24 pixels high.
    models.add("masks", &support::classifier("masks").replace("min_face_px: 2", "min_face_px: 13"));
    let engine = models.start("faces", Some("masks"), &recorder);
    let found = engine.attach("door", 1).analyze(grey(200), None).unwrap();
    assert_eq!((found[0].state, found[0].states), (MaskState::Unknown, None));
    assert!(recorder.sizes("masks").is_empty());
}

#[test]
fn without_a_classifier_the_detectors_states_serve() {
    let (models, recorder) = (Models::usual(), Recorder::new());
    let engine = models.start("states", None, &recorder);
    let found = engine.attach("door", 1).analyze(grey(200), None).unwrap();
    let mut states: Vec<_> = found.iter().map(|face| face.state).collect();
    states.sort();
    assert_eq!(states, [MaskState::Mask, MaskState::NoMask]);
    assert_eq!(engine.models().len(), 1);
}

#[test]
fn faces_of_all_cameras_are_classified_together_in_chunks() {
    let (models, recorder, results) = (Models::usual(), Recorder::new(), Results::new());
    let mut options = models.options("states", Some("masks"));
    options.max_batch = 32;
    let engine = Engine::start(options, recorder.clone()).unwrap();
    let cameras: Vec<_> = (0..22).map(|number| engine.attach(&format!("camera {number}"), 1)).collect();
    recorder.hold("masks");
    results.submit(&cameras[20], 20, 200);
    recorder.begun("masks");
    for (number, camera) in cameras.iter().enumerate().take(20) {
        results.submit(camera, number, 100 + 5 * number as u8);
    }
    // The detector is through with the others when it begins the last one's.
    let mut detected = 1;
    while detected < 21 {
        detected = recorder.sizes("states").iter().sum();
        thread::yield_now();
    }
    results.submit(&cameras[21], 21, 200);
    while recorder.sizes("states").iter().sum::<usize>() < 22 {
        thread::yield_now();
    }
    recorder.release();
    for (number, outcome) in results.take(22) {
        let mean = if number < 20 { (100 + 5 * number) as f32 / 255.0 } else { 200.0 / 255.0 };
        assert_eq!(faces(&outcome).len(), 2);
        assert!(faces(&outcome).iter().all(|face| close(face.states.unwrap().mask, mean)), "{number} {outcome:?}");
    }
    assert!(recorder.sizes("masks").contains(&32), "{:?}", recorder.sizes("masks"));
}

#[test]
fn every_picture_is_finished_once_under_stress() {
    const CAMERAS: usize = 8;
    const PICTURES: usize = 250;
    let (models, recorder, results) = (Models::usual(), Recorder::new(), Results::new());
    let engine = models.start("fails", Some("masks"), &recorder);
    thread::scope(|scope| {
        for number in 0..CAMERAS {
            let (engine, results) = (&engine, &results);
            scope.spawn(move || {
                let mut camera = engine.attach(&format!("camera {number}"), number as u32);
                for picture in 0..PICTURES {
                    let manner = match picture % 29 {
                        3 => Manner::PanicInSelect,
                        5 => Manner::PickNone,
                        7 => Manner::PickWildly,
                        _ => Manner::PickAll,
                    };
                    // Some make the run fail.
                    let level = if picture % 13 == 0 { 255 } else { 120 + (picture % 60) as u8 };
                    results.submit_as(&camera, number * PICTURES + picture, grey(level), manner);
                    match picture % 41 {
                        11 => camera.flush(),
                        17 => camera = engine.attach("again", 1),
                        _ => thread::yield_now(),
                    }
                }
            });
        }
    });
    drop(engine);
    let mut kinds: HashMap<&str, usize> = HashMap::new();
    for (_, outcome) in results.take(CAMERAS * PICTURES) {
        *kinds
            .entry(match outcome {
                Outcome::Done(_) => "done",
                Outcome::Failed(_) => "failed",
                Outcome::Dropped(reason) => reason.as_str(),
            })
            .or_default() += 1;
    }
    assert!(results.is_empty());
    assert_eq!(kinds.values().sum::<usize>(), CAMERAS * PICTURES);
    assert!(kinds.contains_key("done"), "{kinds:?}");
}

#[test]
fn two_engines_share_the_library() {
    let models = Models::usual();
    let first = Engine::start(models.options("faces", Some("masks")), Arc::new(NoObserver)).unwrap();
    let second = Engine::start(models.options("states", None), Arc::new(NoObserver)).unwrap();
    drop(first);
    assert_eq!(second.attach("door", 1).analyze(grey(200), None).unwrap().len(), 2);

    let elsewhere = tempfile::tempdir().unwrap();
    let library = elsewhere.path().join("libonnxruntime.so");
    std::fs::write(&library, "").unwrap();
    let mut options = models.options("states", None);
    options.library = Some(library);
    let error = Engine::start(options, Arc::new(NoObserver)).err().unwrap();
    assert!(matches!(error, EngineError::OtherLibrary { .. }), "{error}");
}
