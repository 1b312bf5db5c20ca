//! The starter models on a portrait.

mod support;

use std::{path::Path, sync::Arc};

use maskwatch_engine::{Engine, EngineOptions, NoObserver, OwnedFrame, Provider};
use maskwatch_vision::{face::MaskState, geometry::Rect};

#[test]
fn the_portrait_has_one_face_without_a_mask() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let portrait = root.join(".fetched/demo/astronaut.png");
    let picture = image::open(&portrait)
        .unwrap_or_else(|error| panic!("{}: {error}; hint: `make setup` fetches it", portrait.display()))
        .into_rgb8();
    let options =
        EngineOptions { models_dir: root.join("models"), provider: Provider::Cpu, ..EngineOptions::default() };
    let engine = Engine::start(options, Arc::new(NoObserver)).unwrap();
    let camera = engine.attach("portrait", 1);
    let (width, height) = picture.dimensions();
    let found = camera.analyze(OwnedFrame::rgb(width, height, picture.into_raw()), None).unwrap();
    let [face] = found.as_slice() else { panic!("{found:?}") };
    // By eye: brow to chin and ear to ear, in the picture of 512 x 512.
    let expected = Rect::from_corners(178.0 / 512.0, 70.0 / 512.0, 268.0 / 512.0, 190.0 / 512.0);
    assert!(face.detection.rect.iou(&expected) > 0.5, "{face:?}");
    assert!(face.detection.score > 0.7, "{face:?}");
    assert_eq!(face.state, MaskState::NoMask, "{face:?}");
}
