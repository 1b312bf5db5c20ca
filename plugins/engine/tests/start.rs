//! Engines that must not start: each says which model, what differs, and what to do.

mod support;

use std::sync::Arc;

use maskwatch_engine::{Engine, EngineError, EngineOptions, NoObserver, Provider};
use support::{Models, classifier, detector};

fn refusal(options: EngineOptions) -> EngineError {
    let Err(error) = Engine::start(options, Arc::new(NoObserver)) else { panic!("it started") };
    assert!(error.is_config(), "{error}");
    assert!(error.to_string().contains("hint: "), "{error}");
    error
}

/// Adds `name` with a changed manifest, starts it, and wants every fragment in the message.
fn refuses(name: &str, change: (&str, &str), fragments: &[&str]) {
    let models = Models::usual();
    let manifest = if name.starts_with("masks") { classifier(name) } else { detector(name, "[background, face]") };
    let changed = manifest.replace(change.0, change.1);
    models.add(name, &changed);
    let options = if name.starts_with("masks") {
        models.options("faces", Some(name))
    } else {
        models.options(name, Some("masks"))
    };
    let error = refusal(options).to_string();
    for fragment in fragments.iter().chain([&name]) {
        assert!(error.contains(fragment), "{fragment:?} is not in: {error}");
    }
}

#[test]
fn models_that_do_something_else_are_refused_at_load() {
    refuses("fixed", ("", ""), &["fixed batch of 1", "dynamic first"]);
    refuses("half", ("", ""), &["\"input\"", "f16", "32-bit float"]);
    refuses("sums", ("", ""), &["[1, 4, 2]", "batch of 2"]);
    refuses("three-classes", ("", ""), &["[2, 4, 3]", "detection.classes"]);
    refuses("faces", ("name: input", "name: picture"), &["\"picture\"", "input.name"]);
    refuses("faces", ("scores: scores", "scores: score"), &["no output \"score\"", "scores, boxes"]);
    refuses("faces", ("boxes: boxes", "boxes: scores2"), &["no output \"scores2\""]);
    refuses("faces", ("width: 32", "width: 64"), &["[3, 24, 64]", "input.width"]);
    refuses("faces", ("layout: nchw", "layout: nhwc"), &["[24, 32, 3]", "input.layout"]);
    let anchors = "box_format: ssd\n  variances: [0.1, 0.2]\n  anchors: { levels: [{ stride: 16, boxes: [[8, 8]] }, { stride: 32, boxes: [[16, 16]] }] }";
    refuses("faces", ("box_format: corners", anchors), &["4 boxes", "anchors are 5"]);
    refuses("masks", ("[mask, no_mask]", "[mask, incorrect, no_mask]"), &["[2, 2]", "classification.labels"]);
}

#[test]
fn anchors_that_fit_are_taken() {
    let models = Models::usual();
    let anchors = "box_format: ssd\n  variances: [0.1, 0.2]\n  anchors: { levels: [{ stride: 16, boxes: [[8, 8]] }] }";
    models.add("faces", &detector("faces", "[background, face]").replace("box_format: corners", anchors));
    Engine::start(models.options("faces", Some("masks")), Arc::new(NoObserver)).unwrap();
}

#[test]
fn an_altered_or_missing_model_file_is_refused() {
    let models = Models::usual();
    let file = models.path().join("faces/faces.onnx");
    std::fs::write(&file, b"something else").unwrap();
    let error = refusal(models.options("faces", Some("masks"))).to_string();
    assert!(error.contains("faces.onnx has sha256") && error.contains("is expected"), "{error}");
    std::fs::remove_file(&file).unwrap();
    let error = refusal(models.options("faces", Some("masks"))).to_string();
    assert!(error.contains("faces.onnx cannot be read") && error.contains("make setup"), "{error}");
}

#[test]
fn a_file_that_is_no_network_is_refused() {
    let models = Models::usual();
    models.add_bytes("faces", b"something else", &detector("faces", "[background, face]"));
    let error = refusal(models.options("faces", Some("masks"))).to_string();
    assert!(error.contains("model faces") && error.contains("damaged"), "{error}");
}

#[test]
fn roles_must_fit_tasks() {
    let models = Models::usual();
    let error = refusal(models.options("masks", Some("masks"))).to_string();
    assert!(error.contains("masks is for classification") && error.contains("detector"), "{error}");
    let error = refusal(models.options("faces", Some("faces"))).to_string();
    assert!(error.contains("faces is for detection") && error.contains("classifier"), "{error}");
    let error = refusal(models.options("faces", None)).to_string();
    assert!(error.contains("faces tells no states"), "{error}");
    let error = refusal(models.options("fases", Some("masks"))).to_string();
    assert!(error.contains("\"fases\"") && error.contains("faces, fails, masks"), "{error}");
    let error = refusal(EngineOptions { max_batch: 0, ..models.options("faces", Some("masks")) }).to_string();
    assert!(error.contains("max_batch"), "{error}");
}

#[test]
fn a_provider_that_is_not_there_is_refused_and_auto_goes_on_to_the_cpu() {
    let models = Models::usual();
    for (provider, wheel) in [
        (Provider::Cuda, "onnxruntime-gpu"),
        (Provider::Tensorrt, "onnxruntime-gpu"),
        (Provider::Openvino, "onnxruntime-openvino"),
    ] {
        let options = EngineOptions { provider, ..models.options("faces", Some("masks")) };
        // A machine may have one of them.
        if let Err(error) = Engine::start(options, Arc::new(NoObserver)) {
            assert!(matches!(error, EngineError::Provider { .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains(provider.as_str()) && text.contains(wheel), "{text}");
        }
    }
    let options = EngineOptions { provider: Provider::Auto, ..models.options("faces", Some("masks")) };
    let engine = Engine::start(options, Arc::new(NoObserver)).unwrap();
    assert!(engine.models().iter().all(|model| model.provider != Provider::Auto));
}

#[test]
fn a_library_that_is_not_there_is_refused() {
    let models = Models::usual();
    let options =
        EngineOptions { library: Some(models.path().join("none.so")), ..models.options("faces", Some("masks")) };
    let error = refusal(options).to_string();
    assert!(error.contains("none.so") && error.contains("make setup"), "{error}");
}
