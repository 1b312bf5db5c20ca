//! The start of a service: it answers while its models load, and tells systemd how it goes.

// Helpers outside of test functions fail by panicking too.
#![allow(clippy::unwrap_used)]

mod support;

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;

use support::clip::Clip;
use support::{AppConfig, http, root, soon, temp_dir, wait_until};

/// A folder of models whose detector is a pipe: it is read when somebody writes it.
fn slow_models(folder: &Path) -> (String, std::path::PathBuf) {
    let model = folder.join("models").join("maskwatch-ssd-640");
    std::fs::create_dir_all(&model).unwrap();
    let mut pipe = None;
    for entry in std::fs::read_dir(root().join("models/maskwatch-ssd-640")).unwrap() {
        let (from, to) = entry.map(|entry| (entry.path(), model.join(entry.file_name()))).unwrap();
        if from.extension().is_some_and(|extension| extension == "onnx") {
            assert!(Command::new("mkfifo").arg(&to).status().unwrap().success());
            pipe = Some(to);
        } else {
            std::fs::copy(&from, &to).unwrap();
        }
    }
    let models = format!("models_dir: '{}'", folder.join("models").display());
    (models, pipe.unwrap())
}

#[test]
fn it_answers_while_models_load() {
    let folder = temp_dir();
    let (models, _pipe) = slow_models(folder.path());
    let mut app = AppConfig::new()
        .inference(&models)
        .inference("classifier: none")
        .camera("gate", "rtsp://127.0.0.1:9/x")
        .start();
    let ready = http::get(app.http, "/readyz").unwrap();
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json()["reason"], "models load", "{}", ready.text());
    let scrape = app.metrics();
    assert_eq!(scrape.find("camera_up", &[("camera", "gate")]), Some(0.0), "all series from the start");
    let camera = http::get(app.http, "/api/v1/cameras/gate").unwrap().json();
    assert_eq!((&camera["state"], &camera["disconnects"]), (&"connecting".into(), &0.into()), "{camera}");
    // Nobody writes the pipe: the end is not held up by it.
    assert_eq!(app.stop().code(), Some(0));
}

#[test]
fn systemd_is_told_how_it_goes() {
    let folder = temp_dir();
    let clip = Clip::default().write(folder.path(), "clip");
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(soon())).unwrap();
    let next = || {
        let mut text = [0; 4096];
        let length = socket.recv(&mut text).unwrap();
        String::from_utf8(text[..length].to_vec()).unwrap()
    };
    let until = |what: &str| loop {
        let said = next();
        if said.contains(what) {
            return said;
        }
        assert_eq!(said.trim(), "WATCHDOG=1", "waiting for {what}");
    };
    let camera = format!("file://{}", clip.display());
    let mut app = AppConfig::new().env("NOTIFY_SOCKET", path.to_str().unwrap()).camera("gate", &camera).start();
    until("READY=1");
    until("WATCHDOG=1");
    app.process.signal("HUP");
    assert!(until("RELOADING=1").contains("MONOTONIC_USEC="));
    until("READY=1");
    wait_until("it is ready", soon(), || http::get(app.http, "/readyz").unwrap().status == 200);
    assert_eq!(app.stop().code(), Some(0));
    until("STOPPING=1");
}
