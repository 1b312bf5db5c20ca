//! The configuration is changed while the service runs: by the file, by signal, by request. What is not named stays as it
//! is; what is wrong changes nothing.

// Helpers outside of test functions fail by panicking too.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::time::Duration;

use maskwatch::sim;
use serde_json::Value;
use support::app::App;
use support::clip::Clip;
use support::{AppConfig, Scrape, grab, http, soon, temp_dir, wait_until};

/// Cameras of one small clip.
fn simulate(folder: &Path, count: usize) -> sim::Server {
    gst::init().unwrap();
    let clip = Clip { width: 320, height: 240, fps: 10, ..Clip::default() }.write(folder, "clip");
    let clip = sim::Clip::load(&clip).unwrap();
    sim::Server::start(&sim::Options::local(), vec![clip; count]).unwrap()
}

fn standing(app: &App) -> Value {
    http::get(app.http, "/api/v1/config").unwrap().json()
}

/// Changes the file and waits until that was noticed; gives what became of it.
fn rewrite(app: &App, text: &str) -> Value {
    let before = standing(app)["last_reload"]["at"].clone();
    std::fs::write(app.folder.path().join("maskwatch.yaml"), text).unwrap();
    noticed(app, &before)
}

fn noticed(app: &App, before: &Value) -> Value {
    wait_until("the change is noticed", soon(), || standing(app)["last_reload"]["at"] != *before);
    standing(app)["last_reload"].clone()
}

fn changes(reload: &Value) -> Vec<String> {
    let changes = reload["changes"].as_array().unwrap_or_else(|| panic!("{reload}"));
    changes.iter().map(|change| change.as_str().unwrap().to_owned()).collect()
}

fn connects(scrape: &Scrape, camera: &str) -> f64 {
    scrape.get("camera_connects_total", &[("camera", camera)])
}

#[test]
fn what_is_not_named_is_not_touched() {
    let folder = temp_dir();
    let server = simulate(folder.path(), 3);
    let with =
        |name: &str, index: usize| AppConfig::new().camera("gate", &server.url(0)).camera(name, &server.url(index));
    let mut app = with("yard", 1).start();
    app.wait_ready();
    let viewer = {
        let url = app.stream("gate");
        std::thread::spawn(move || grab::packets(&url, "tcp", 150, Duration::from_secs(120)))
    };
    app.wait_for_metrics("a viewer", soon(), |scrape| scrape.get("rtsp_clients", &[("camera", "gate")]) == 1.0);
    for round in 0..4 {
        let name = format!("hall-{round}");
        let told = changes(&rewrite(&app, &with(&name, 1 + round % 2).yaml(app.http, app.rtsp)));
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].ends_with("removed") && told[1] == format!("camera {name}: added"), "{told:?}");
        app.wait_for_metrics("the new one is up", soon(), |scrape| {
            scrape.find("camera_up", &[("camera", &name)]) == Some(1.0)
        });
    }
    let scrape = app.metrics();
    assert_eq!(connects(&scrape, "gate"), 1.0);
    assert_eq!(scrape.get("rtsp_clients", &[("camera", "gate")]), 1.0);
    assert_eq!(scrape.find("camera_up", &[("camera", "yard")]), None, "no series of what is gone");
    let gone = http::get(app.http, "/api/v1/cameras/yard").unwrap();
    assert_eq!(gone.status, 404);
    let packets = viewer.join().unwrap();
    // The first may have no time yet.
    assert!(packets.len() >= 145, "the viewer saw all of it: {}", packets.len());
    let widest = packets.windows(2).map(|two| two[1].pts - two[0].pts).fold(0.0, f64::max);
    assert!(widest < 1.0, "no slate, no pause: {widest} s");
    let lost = ["gate", "late", "decoder", "ended", "broken"]
        .map(|reason| scrape.get("frames_dropped_total", &[("camera", "gate"), ("reason", reason)]));
    assert_eq!(lost, [0.0; 5]);
    assert_eq!(app.stop().code(), Some(0));
}

#[test]
fn what_is_wrong_changes_nothing_and_is_told() {
    let folder = temp_dir();
    let server = simulate(folder.path(), 1);
    let good = AppConfig::new().camera("gate", &server.url(0));
    let mut app = good.clone().start();
    app.wait_ready();
    let successful = |app: &App| app.metrics().get("config_last_reload_successful", &[]);
    let version = standing(&app)["version"].clone();
    let bad = good.clone().camera("gate", "rtsp://127.0.0.1/x").yaml(app.http, app.rtsp) + "colour: red\n";
    let refused = rewrite(&app, &bad);
    assert_eq!(refused["result"], "refused");
    let problems = refused["problems"].to_string();
    assert!(problems.contains("maskwatch.yaml:") && problems.contains("colour"), "{problems}");
    assert!(problems.contains("is the name of another camera"), "all at once: {problems}");
    assert_eq!((successful(&app), &standing(&app)["version"]), (0.0, &version));
    app.process.wait_for_line("configuration refused", soon());
    assert_eq!(connects(&app.metrics(), "gate"), 1.0);

    // The same by request, and then by signal with a good one.
    let answer = http::request(app.http, "POST", "/api/v1/config/reload", &[], &[]).unwrap();
    assert_eq!((answer.status, answer.json()["result"].as_str()), (422, Some("refused")));
    let port = app.http;
    let before = standing(&app)["last_reload"]["at"].clone();
    std::fs::write(app.folder.path().join("maskwatch.yaml"), good.top("state_dir: elsewhere").yaml(port, app.rtsp))
        .unwrap();
    app.process.signal("HUP");
    let applied = noticed(&app, &before);
    assert_eq!(applied["result"], "applied", "{applied}");
    assert_eq!(standing(&app)["restart_needed"], serde_json::json!(["state_dir"]));
    assert_eq!((successful(&app), connects(&app.metrics(), "gate")), (1.0, 1.0));
    assert_ne!(standing(&app)["version"], version);
    assert_eq!(app.stop().code(), Some(0));
}

#[test]
fn a_camera_is_changed_in_its_connection() {
    let folder = temp_dir();
    let server = simulate(folder.path(), 1);
    let with = |lines: &[&str]| AppConfig::new().camera_with("gate", &server.url(0), lines);
    let mut app = with(&["analyze_fps: 2"]).start();
    app.wait_ready();
    let camera = |app: &App| http::get(app.http, "/api/v1/cameras/gate").unwrap().json();
    let lines = [
        "analyze_fps: 10",
        "min_score: 0.9",
        "min_face_px: 20",
        "weight: 3",
        "labels: { site: mall-a }",
        "zones: [{ name: hall, polygon: [[0, 0], [1, 0], [1, 1]] }]",
        "output: { zones: true }",
    ];
    let told = changes(&rewrite(&app, &with(&lines).yaml(app.http, app.rtsp)));
    let keys = "analyze_fps, weight, min_score, min_face_px, labels, zones, output";
    assert_eq!(told, [format!("camera gate: changed ({keys})")]);
    let changed = camera(&app);
    assert_eq!((&changed["labels"]["site"], &changed["analyze_fps"]), (&"mall-a".into(), &10.0.into()));
    assert_eq!(changed["zones"][0]["name"], "hall", "{changed}");
    let rate = |app: &App| {
        let (before, began) = (app.metrics().frames("gate", "analyzed"), std::time::Instant::now());
        app.wait_for_metrics("analyses", soon(), |scrape| scrape.frames("gate", "analyzed") >= before + 20.0);
        20.0 / began.elapsed().as_secs_f64()
    };
    assert!(rate(&app) > 4.0, "analysed more often than before");
    let hall =
        |scrape: &Scrape| scrape.find("people_total", &[("camera", "gate"), ("zone", "hall"), ("state", "mask")]);
    assert_eq!(hall(&app.metrics()), Some(0.0));

    // Stricter: nothing that came before is given out. Then back.
    rewrite(&app, &with(&["privacy: statistics"]).yaml(app.http, app.rtsp));
    assert_eq!(camera(&app)["privacy"]["mode"], "statistics");
    assert_eq!(http::get(app.http, "/api/v1/cameras/gate/snapshot.jpg").unwrap().status, 403);
    let seen = |scrape: &Scrape| scrape.find("people_visible", &[("camera", "gate"), ("state", "mask")]);
    assert_eq!((hall(&app.metrics()), seen(&app.metrics())), (None, None));
    rewrite(&app, &with(&["privacy: off"]).yaml(app.http, app.rtsp));
    wait_until("a picture", soon(), || http::get(app.http, "/api/v1/cameras/gate/snapshot.jpg").unwrap().status == 200);
    assert_eq!(seen(&app.metrics()), Some(0.0));
    assert_eq!(connects(&app.metrics(), "gate"), 1.0);
    assert_eq!(app.stop().code(), Some(0));
}

#[test]
fn a_changed_password_is_tried_at_once() {
    let folder = temp_dir();
    gst::init().unwrap();
    let clip = Clip { width: 320, height: 240, fps: 10, ..Clip::default() }.write(folder.path(), "clip");
    let options = sim::Options { auth: Some(("ops".into(), "right".into())), ..sim::Options::local() };
    let server = sim::Server::start(&options, vec![sim::Clip::load(&clip).unwrap()]).unwrap();
    std::fs::write(folder.path().join("secret"), "wrong").unwrap();
    let secret = format!("password_file: '{}'", folder.path().join("secret").display());
    let mut app = AppConfig::new().camera_with("gate", &server.url(0), &["username: ops", &secret]).start();
    let state = |app: &App| http::get(app.http, "/api/v1/cameras/gate").unwrap().json()["state"].clone();
    wait_until("refused", soon(), || state(&app) == "refused");
    let before = standing(&app)["last_reload"]["at"].clone();
    std::fs::write(folder.path().join("secret"), "right").unwrap();
    let told = changes(&noticed(&app, &before));
    assert_eq!(told, ["camera gate: connected to anew (password)"]);
    wait_until("up, and not after minutes", soon(), || state(&app) == "up");
    assert_eq!(app.stop().code(), Some(0));
}

#[test]
fn cameras_of_files_of_their_own_come_and_go_with_them() {
    let folder = temp_dir();
    let server = simulate(folder.path(), 3);
    let base = AppConfig::new().camera("gate", &server.url(0)).top("include: cameras.d/*.yaml");
    let mut app = base.start();
    app.wait_ready();
    let at = |name: &str| app.folder.path().join("cameras.d").join(name);
    let add = |name: &str, text: String| {
        let before = standing(&app)["last_reload"]["at"].clone();
        std::fs::create_dir_all(at("").as_path()).unwrap();
        std::fs::write(at(name), text).unwrap();
        noticed(&app, &before)
    };
    // The folder is not there at first.
    let told = add("yard.yaml", format!("name: yard\nurl: '{}'\n", server.url(1)));
    assert_eq!(changes(&told), ["camera yard: added"]);
    app.wait_for_metrics("it is up", soon(), |scrape| scrape.find("camera_up", &[("camera", "yard")]) == Some(1.0));
    let told = add("others.yaml", format!("cameras:\n  - {{ name: yard, url: '{}' }}\n", server.url(2)));
    let problem = told["problems"][0].as_str().unwrap_or_else(|| panic!("{told}"));
    // The files are read in the order of their names.
    assert!(problem.contains("cameras.d/yard.yaml:1: name: `yard` is the name of another camera"), "{problem}");
    assert!(problem.contains("others.yaml:2"), "{problem}");
    let told = add("others.yaml", format!("cameras:\n  - {{ name: hall, url: '{}' }}\n", server.url(2)));
    assert_eq!(changes(&told), ["camera hall: added"]);
    let before = standing(&app)["last_reload"]["at"].clone();
    std::fs::remove_file(at("yard.yaml")).unwrap();
    assert_eq!(changes(&noticed(&app, &before)), ["camera yard: removed"]);
    assert_eq!(connects(&app.metrics(), "gate"), 1.0);
    assert_eq!(app.stop().code(), Some(0));
}

#[test]
fn other_models_are_taken_over_without_a_picture_lost() {
    let folder = temp_dir();
    let server = simulate(folder.path(), 1);
    let with =
        |line: &str| AppConfig::new().inference(line).default_line("analyze_fps: 10").camera("gate", &server.url(0));
    let mut app = with("detector: maskwatch-ssd-640").start();
    app.wait_ready();
    let model = |scrape: &Scrape, name: &str| scrape.find("model_info", &[("model", name)]);
    let told = changes(&rewrite(&app, &with("classifier: none").yaml(app.http, app.rtsp)));
    assert_eq!(told, ["changed: inference"]);
    let scrape = app.wait_for_metrics("one model is left", soon(), |scrape| model(scrape, "maskwatch-cls").is_none());
    assert_eq!(model(&scrape, "maskwatch-ssd-640"), Some(1.0));
    let before = scrape.frames("gate", "analyzed");
    let scrape = app.wait_for_metrics("analyses", soon(), |scrape| scrape.frames("gate", "analyzed") >= before + 20.0);
    let lost = ["stopped", "flushed", "failed"]
        .map(|reason| scrape.find("frames_dropped_total", &[("camera", "gate"), ("reason", reason)]).unwrap_or(0.0));
    assert_eq!(lost, [0.0; 3]);
    assert_eq!(connects(&scrape, "gate"), 1.0);

    // A file that is no model: those of before go on, and it is said.
    let models = folder.path().join("models").join("maskwatch-ssd-640");
    std::fs::create_dir_all(&models).unwrap();
    for entry in std::fs::read_dir(support::root().join("models/maskwatch-ssd-640")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), models.join(entry.file_name())).unwrap();
        if entry.path().extension().is_some_and(|extension| extension == "onnx") {
            std::fs::write(models.join(entry.file_name()), "no model").unwrap();
        }
    }
    let broken = format!("{{ models_dir: '{}', classifier: none }}", models.parent().unwrap().display());
    let text = with("x").yaml(app.http, app.rtsp).replace("inference:\n  x\n", &format!("inference: {broken}\n"));
    assert_eq!(changes(&rewrite(&app, &text)), ["changed: inference"]);
    wait_until("said", soon(), || standing(&app)["models"]["failed"].is_string());
    let before = app.metrics().frames("gate", "analyzed");
    app.wait_for_metrics("analyses go on", soon(), |scrape| scrape.frames("gate", "analyzed") >= before + 5.0);

    // The same configuration is tried again when somebody asks: the file may be whole by now.
    let model = support::root().join("models/maskwatch-ssd-640");
    for entry in std::fs::read_dir(&model).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), models.join(entry.file_name())).unwrap();
    }
    let answer = http::request(app.http, "POST", "/api/v1/config/reload", &[], &[]).unwrap();
    assert_eq!(changes(&answer.json()), ["changed: inference"]);
    wait_until("taken over", soon(), || standing(&app)["models"]["failed"].is_null());
    assert_eq!(app.stop().code(), Some(0));
}

/// What the API does with cameras, on the same files that people write.
mod by_request {
    use super::*;

    fn ask(app: &App, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> http::Response {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let headers = [&[("Content-Type", "application/json")], headers].concat();
        http::request(app.http, method, path, &headers, &body).unwrap()
    }

    #[test]
    fn cameras_come_change_and_go() {
        let folder = temp_dir();
        let server = simulate(folder.path(), 3);
        let base = AppConfig::new().camera("gate", &server.url(0)).top("include: cameras.d/*.yaml");
        let mut app = base.start();
        app.wait_ready();
        let at = |name: &str| app.folder.path().join("cameras.d").join(name);
        let yard = serde_json::json!({ "name": "yard", "url": server.url(1), "username": "ops", "password": "s3cret" });
        let added = ask(&app, "POST", "/api/v1/cameras", &[], &yard);
        assert_eq!((added.status, added.header("location")), (201, Some("/api/v1/cameras/yard")), "{}", added.text());
        assert!(!added.text().contains("s3cret"));
        let file = std::fs::read_to_string(at("yard.yaml")).unwrap();
        assert!(file.contains("password_file: yard.") && !file.contains("s3cret"), "{file}");
        let passwords = || {
            let names =
                std::fs::read_dir(at("")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
            names.filter(|name| name.ends_with(".password")).collect::<Vec<_>>()
        };
        assert_eq!(passwords().len(), 1);
        app.wait_for_metrics("it is up", soon(), |scrape| scrape.find("camera_up", &[("camera", "yard")]) == Some(1.0));
        assert_eq!(ask(&app, "POST", "/api/v1/cameras", &[], &yard).status, 409, "it is there");

        let tag = added.header("etag").unwrap().to_owned();
        let slower = serde_json::json!({ "url": server.url(1), "username": "ops", "analyze_fps": 2 });
        let changed = ask(&app, "PUT", "/api/v1/cameras/yard", &[("If-Match", &tag)], &slower);
        assert_eq!((changed.status, &changed.json()["analyze_fps"]), (200, &2.0.into()), "{}", changed.text());
        assert_eq!(connects(&app.metrics(), "yard"), 1.0, "the password is kept, and the connection");
        let late = ask(&app, "PUT", "/api/v1/cameras/yard", &[("If-Match", &tag)], &slower);
        assert_eq!(late.status, 412, "{}", late.text());

        let wrong =
            serde_json::json!({ "url": server.url(1), "analyze_fps": 2000, "colour": "red", "password": "s3cret" });
        let refused = ask(&app, "PUT", "/api/v1/cameras/yard", &[], &wrong);
        assert_eq!(refused.status, 422);
        let said = refused.text();
        assert!(said.contains("analyze_fps") && said.contains("colour") && !said.contains("s3cret"), "{said}");
        // Its values are no way to what the service may read.
        let nosy = serde_json::json!({ "url": server.url(1), "labels": { "a": "${PATH}" } });
        let literal = ask(&app, "PUT", "/api/v1/cameras/yard", &[], &nosy);
        assert_eq!(literal.json()["labels"]["a"], "${PATH}", "{}", literal.text());

        for url in ["file:///etc/hostname".to_owned(), "v4l2:///dev/video0".to_owned()] {
            let inside = ask(&app, "PUT", "/api/v1/cameras/yard", &[], &serde_json::json!({ "url": url }));
            assert_eq!(inside.status, 422, "{}", inside.text());
        }
        // Our own streams are no cameras for us; a link-local address is none by default.
        let own = serde_json::json!({ "url": format!("rtsp://127.0.0.1:{}/gate", app.rtsp) });
        assert_eq!(ask(&app, "PUT", "/api/v1/cameras/yard", &[], &own).status, 200);
        wait_until("refused", soon(), || {
            let failure = http::get(app.http, "/api/v1/cameras/yard").unwrap().json()["failure"].clone();
            failure["cause"].as_str().is_some_and(|cause| cause.contains("one of our own"))
        });

        for (method, path) in [("PUT", "/api/v1/cameras/gate"), ("DELETE", "/api/v1/cameras/gate")] {
            let body = if method == "PUT" { slower.clone() } else { Value::Null };
            let by_hand = ask(&app, method, path, &[], &body);
            assert_eq!(by_hand.status, 409, "{method}: {}", by_hand.text());
            assert!(by_hand.text().contains("people write"), "{}", by_hand.text());
        }
        std::fs::write(at("hall.yaml"), format!("# ours\nname: hall\nurl: '{}'\n", server.url(2))).unwrap();
        wait_until("hall is there", soon(), || http::get(app.http, "/api/v1/cameras/hall").unwrap().status == 200);
        assert_eq!(ask(&app, "DELETE", "/api/v1/cameras/hall", &[], &Value::Null).status, 409);
        assert!(std::fs::read_to_string(at("hall.yaml")).unwrap().starts_with("# ours"));

        assert_eq!(ask(&app, "DELETE", "/api/v1/cameras/yard", &[], &Value::Null).status, 204);
        assert_eq!(ask(&app, "DELETE", "/api/v1/cameras/yard", &[], &Value::Null).status, 404);
        assert!(!at("yard.yaml").exists() && passwords().is_empty());
        assert_eq!(connects(&app.metrics(), "gate"), 1.0);
        assert_eq!(app.stop().code(), Some(0));
    }

    #[test]
    fn there_must_be_a_place_for_them() {
        let folder = temp_dir();
        let server = simulate(folder.path(), 1);
        let mut app = AppConfig::new().camera("gate", &server.url(0)).start();
        app.wait_ready();
        let yard = serde_json::json!({ "name": "yard", "url": server.url(0) });
        let answer = ask(&app, "POST", "/api/v1/cameras", &[], &yard);
        assert_eq!(answer.status, 409);
        assert!(answer.text().contains("include: cameras.d/*.yaml"), "{}", answer.text());
        assert_eq!(app.stop().code(), Some(0));
    }
}
