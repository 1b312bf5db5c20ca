//! Manifests: what is wrong is said with file, line, field and hint.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod support;

use std::{fs, path::Path};

use maskwatch_engine::manifest::{self, Manifest, Precision, Task};
use maskwatch_vision::{detect::BoxFormat, face::MaskState};
use support::{Models, classifier, detector};

/// The message about the manifest `text` of a model named `name`.
fn complaint(name: &str, text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join(name);
    fs::create_dir(&model).unwrap();
    fs::write(model.join("manifest.yaml"), text.replace("SHA", &"0".repeat(64))).unwrap();
    Manifest::load(folder.path(), name).unwrap_err().to_string()
}

#[test]
fn each_wrong_field_is_named_with_its_line() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("name: m", "name: other", &["manifest.yaml:1: name: \"other\"", "folder's name \"m\""]),
        ("file: m.onnx", "file: ../m.onnx", &[":3: file: \"../m.onnx\"", "name only"]),
        ("file: m.onnx", "file: /etc/passwd", &[":3: file: ", "beside the manifest"]),
        ("file: m.onnx", "file: ..", &[":3: file: "]),
        ("sha256: SHA", "sha256: ABC", &[":4: sha256: \"ABC\"", "sha256sum"]),
        ("width: 32", "width: 0", &[":8: input.width: 0"]),
        ("width: 32", "width: 100000", &["input.width: 100000 is not in 1..=8192"]),
        ("width: 32", "width: wide", &[":8: input.width: ", "u32"]),
        ("layout: nchw", "layout: chw", &["input.layout: unknown variant `chw`", "`nhwc`"]),
        ("std: [255, 255, 255]", "std: [255, 0, 255]", &[":13: input.std: "]),
        ("mean: [0, 0, 0]", "mean: [0, 0]", &["input.mean: ", "3"]),
        ("pad: 0", "pad: 256", &["input.pad: ", "256"]),
        ("pad: 0", "pad: 0\n  padding: 1", &["input: unknown field `padding`"]),
        ("precision: fp32", "precision: fp64", &["precision: unknown variant `fp64`"]),
        ("task: detection", "task: classification", &[":2: task: ", "classification needs"]),
        ("[background, face]", "[background]", &["detection.classes: names no face"]),
        ("[background, face]", "[face, face]", &["detection.classes: names a class twice"]),
        ("[background, face]", "[background, nose]", &["detection.classes[1]: unknown variant `nose`"]),
        ("score_threshold: 0.2", "score_threshold: 1.2", &["detection.score_threshold: 1.2 is not in 0..=1"]),
        (
            "score_threshold: 0.2",
            "score_threshold: 0.2\n  hide_score: 0.3",
            &["detection.hide_score: 0.3 is not in 0..=0.2"],
        ),
        (
            "score_threshold: 0.2",
            "score_threshold: 0.2\n  calibration: {scale: 0, shift: .inf}",
            &["detection.calibration.scale: 0 is not in 0.01..=100", "detection.calibration.shift: inf is not in"],
        ),
        ("nms_iou: 0.4", "nms_iou: .nan", &["detection.nms_iou: NaN is not in"]),
        ("max_faces: 200", "max_faces: 0", &["detection.max_faces: is 0"]),
        ("boxes: boxes", "boxes: scores", &["detection.boxes: names the same tensor"]),
        ("box_format: corners", "box_format: ssd", &["detection.variances: ", "detection.anchors: "]),
        ("box_format: corners", "box_format: corners\n  variances: [0.1, 0.2]", &["detection.variances: goes with"]),
        (
            "box_format: corners",
            "box_format: ssd\n  variances: [0.1, 0.2]\n  anchors:\n    levels:\n    - { stride: 8, boxes: [[8, 8]] }\n    \
             - { stride: 0, boxes: [[8, 8]] }",
            &["detection.anchors.levels[1].stride: is 0"],
        ),
        ("name: m\n", "description: |\n  name: no\nname: other\n", &["manifest.yaml:3: name: \"other\""]),
        ("name: m\n", "", &["missing field `name`"]),
        ("name: m\n", "name: [\n", &["manifest.yaml:"]),
    ];
    for (from, to, fragments) in cases {
        let text = detector("m", "[background, face]");
        assert!(text.contains(from), "{from:?}");
        let error = complaint("m", &text.replace(from, to));
        for fragment in fragments.iter().chain(&["hint: "]) {
            assert!(error.contains(fragment), "{to:?}: {fragment:?} is not in: {error}");
        }
    }
}

#[test]
fn a_classifiers_fields_are_checked_too() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("labels: [mask, no_mask]", "labels: [mask, unknown]", &["classification.labels: names fewer"]),
        ("labels: [mask, no_mask]", "labels: [mask, mask, no_mask]", &["classification.labels: names a label twice"]),
        ("activation: none", "activation: sigmoid", &["classification.activation: "]),
        ("temperature: 1.0", "temperature: 0", &["classification.temperature: 0 is not in"]),
        ("margin: 0.0", "margin: -1", &[":13: classification.crop.margin: -1 is not in"]),
        ("unknown_below: 0.6", "unknown_below: 60", &["classification.unknown_below: 60"]),
        ("detector_weight: 0.0", "detector_weight: 2", &["classification.detector_weight: 2"]),
        ("square: false", "square: no way", &["classification.crop.square: "]),
    ];
    for (from, to, fragments) in cases {
        let text = classifier("m");
        assert!(text.contains(from), "{from:?}");
        let error = complaint("m", &text.replace(from, to));
        for fragment in fragments.iter().chain(&["hint: "]) {
            assert!(error.contains(fragment), "{to:?}: {fragment:?} is not in: {error}");
        }
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let text = detector("m", "[background]").replace("width: 32", "width: 0").replace("nms_iou: 0.4", "nms_iou: 7");
    assert_eq!(complaint("m", &text).lines().count(), 3);
}

#[test]
fn a_model_is_found_by_name_by_folder_and_by_file() {
    let models = Models::usual();
    let folder = models.path().join("faces");
    let file = folder.join("manifest.yaml");
    let nowhere = Path::new("nowhere");
    for (dir, given) in
        [(models.path(), "faces"), (nowhere, folder.to_str().unwrap()), (nowhere, file.to_str().unwrap())]
    {
        let found = Manifest::load(dir, given).unwrap();
        assert_eq!((found.name.as_str(), found.precision), ("faces", Precision::Fp32));
        found.verify().unwrap();
    }
    let error = Manifest::load(models.path(), "face").unwrap_err().to_string();
    assert!(error.contains("no model named \"face\"") && error.contains("faces, fails, masks"), "{error}");
    let error = Manifest::load(nowhere, "face").unwrap_err().to_string();
    assert!(error.contains("no model is in nowhere"), "{error}");
}

#[test]
fn the_list_shows_good_and_bad_ones() {
    let models = Models::usual();
    fs::create_dir(models.path().join("training")).unwrap();
    fs::create_dir(models.path().join("broken")).unwrap();
    fs::write(models.path().join("broken/manifest.yaml"), "name: broken\n").unwrap();
    let all = manifest::list(models.path()).unwrap();
    let names: Vec<_> = all.iter().map(|(name, loaded)| (name.as_str(), loaded.is_ok())).collect();
    let expected =
        [("broken", false), ("faces", true), ("fails", true), ("masks", true), ("masks-fails", true), ("states", true)];
    assert_eq!(names, expected);
    assert!(manifest::list(Path::new("nowhere")).unwrap_err().to_string().contains("nowhere"));
}

#[test]
fn an_ssd_with_states_and_what_is_for_people_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("m");
    fs::create_dir(&model).unwrap();
    let ssd =
        "box_format: ssd\n  variances: [0.1, 0.2]\n  anchors: { levels: [{ stride: 16, boxes: [[8, 8], [9, 9]] }] }";
    let text = detector("m", "[background, mask, incorrect, no_mask]").replace("box_format: corners", ssd);
    let text = format!(
        "{}licence: MIT\nsources: [one, {{ url: two }}]\ndescription: d\ncard: card.md\naccuracy: {{ ap: 0.7 }}\n",
        text.replace("SHA", &"0".repeat(64))
    );
    fs::write(model.join("manifest.yaml"), text).unwrap();
    let manifest = Manifest::load(folder.path(), "m").unwrap();
    let Task::Detection(spec) = &manifest.task else { panic!("{manifest:?}") };
    assert!(spec.states);
    assert_eq!(spec.anchors, Some(2 * 2 * 2));
    assert!(matches!(&spec.decode.boxes, BoxFormat::Ssd { variances: [0.1, 0.2], .. }));
    assert_eq!((manifest.about.sources.len(), manifest.about.licence.as_deref()), (2, Some("MIT")));
}

#[test]
fn what_is_hidden_has_a_score_of_its_own() {
    let hidden = |text: String| {
        let models = Models::new();
        models.add("faces", &text);
        let Task::Detection(spec) = Manifest::load(models.path(), "faces").unwrap().task else { panic!("{text}") };
        spec.hide_score
    };
    let text = detector("faces", "[background, face]");
    assert_eq!(hidden(text.replace("score_threshold: 0.2", "score_threshold: 0.2\n  hide_score: 0.15")), 0.15);
    assert_eq!(hidden(text.replace("score_threshold: 0.2", "score_threshold: 0.02")), 0.02);
    assert_eq!(hidden(text), 0.1);
}

#[test]
fn the_repositorys_own_manifests_are_sound() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    let all = manifest::list(&folder).unwrap();
    assert!(!all.is_empty());
    for (name, loaded) in all {
        let loaded = loaded.unwrap_or_else(|error| panic!("{error}"));
        loaded.verify().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(loaded.name, name);
        if let Task::Classification(spec) = loaded.task {
            assert!(spec.labels.contains(&MaskState::Mask), "{name}");
        }
    }
}
