//! Cameras of which too little comes out decoded, through the whole program: metric, API, events, and their end.

// Helpers outside of test functions fail by panicking too.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use maskwatch::sim;
use serde_json::Value;
use support::clip::Clip;
use support::{App, AppConfig, Scrape, soon, temp_dir, wait_until};

const REASONS: [&str; 4] = ["loss", "late", "decoder", "rate"];

/// The clip at half its speed: the pictures themselves still announce 10 a second.
fn slowed(clip: &Path) -> PathBuf {
    let path = clip.with_file_name("slowed.mp4");
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-itsscale", "2", "-i"]).arg(clip).args(["-c", "copy"]).arg(&path);
    support::process::run_well(&mut command, soon());
    path
}

fn degraded(scrape: &Scrape, camera: &str, reason: &str) -> bool {
    scrape.get("camera_degraded", &[("camera", camera), ("reason", reason)]) == 1.0
}

fn view(app: &App, camera: &str) -> Value {
    support::http::get(app.http, &format!("/api/v1/cameras/{camera}")).unwrap().json()["degraded"].clone()
}

/// The types and reasons of what was told of a camera, in order.
fn told(file: &Path, camera: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let ours = events.filter(|event| event["camera"] == camera);
    let field = |event: &Value, key: &str| event[key].as_str().unwrap_or_default().to_owned();
    ours.map(|event| (field(&event, "type"), field(&event, "reason"))).collect()
}

#[test]
fn what_a_camera_loses_is_told_with_its_reason_and_so_is_its_end() {
    gst::init().unwrap();
    let folder = temp_dir();
    // Little work: what is lost is to be lost on purpose.
    let clip = Clip { width: 160, height: 120, fps: 10, ..Clip::default() }.write(folder.path(), "clip");
    let files = [clip.clone(), clip.clone(), slowed(&clip), clip];
    let server = sim::Server::start_files(&sim::Options::local(), &files).unwrap();
    let file = folder.path().join("events.jsonl");
    let mut app = AppConfig::new()
        .top(&format!("events: {{ sinks: [{{ name: log, type: jsonl, path: '{}' }}] }}", file.display()))
        .default_line("analyze_fps: 1")
        .camera_with("datagrams", &server.url(0), &["transport: udp"])
        .camera_with("connection", &server.url(1), &["transport: tcp"])
        .camera("slow", &server.url(2))
        .camera("well", &server.url(3))
        .start();
    let scrape = app.metrics();
    for (camera, reason) in ["datagrams", "connection", "slow", "well"].iter().flat_map(|c| REASONS.map(|r| (c, r))) {
        assert!(!degraded(&scrape, camera, reason), "{camera} {reason}: exported at 0 from the start");
    }
    app.wait_for_metrics("all are up", soon(), |scrape| scrape.get("camera_up", &[]) == 4.0);
    server.cameras()[..2].iter().for_each(|camera| camera.lose_one_of(7));
    let degraded_by = |camera: &str, reason: &str, words: &[&str]| {
        let mut found = Value::Null;
        wait_until(&format!("{camera} is degraded by {reason}"), soon(), || {
            found = view(&app, camera);
            found["reason"] == reason && degraded(&app.metrics(), camera, reason)
        });
        let message = found["message"].as_str().unwrap();
        assert!(words.iter().all(|word| message.contains(word)) && message.ends_with(')'), "{found}");
        assert!(found["ratio"].as_f64().is_some_and(|ratio| ratio < 0.8) && found["since"].is_string(), "{found}");
        assert!(camera == "datagrams" || !message.contains("transport: tcp"), "that it is already: {found}");
    };
    degraded_by("datagrams", "loss", &[" % of", "network lost", "transport: tcp"]);
    degraded_by("connection", "loss", &[" % of", "left out"]);
    degraded_by("slow", "rate", &["announces 10 pictures a second and sends "]);
    let in_file = |camera, kind: &str, reason: &str| {
        wait_until(&format!("{camera}: {kind}"), soon(), || {
            told(&file, camera).contains(&(kind.to_owned(), reason.to_owned()))
        });
    };
    in_file("datagrams", "camera.degraded", "loss");
    in_file("connection", "camera.degraded", "loss");
    in_file("slow", "camera.degraded", "rate");

    server.cameras()[..2].iter().for_each(|camera| camera.lose_one_of(0));
    app.wait_for_metrics("what was lost is forgotten", soon(), |scrape| {
        REASONS.iter().all(|reason| !degraded(scrape, "datagrams", reason) && !degraded(scrape, "connection", reason))
    });
    assert!(view(&app, "datagrams").is_null() && view(&app, "connection").is_null());
    in_file("datagrams", "camera.restored", "");
    in_file("connection", "camera.restored", "");

    // The end of a connection ends that as well.
    assert!(degraded(&app.metrics(), "slow", "rate"), "it is as slow as ever");
    server.cameras()[2].kill();
    app.wait_for_metrics("it is down", soon(), |scrape| scrape.get("camera_up", &[("camera", "slow")]) == 0.0);
    assert!(!degraded(&app.metrics(), "slow", "rate") && view(&app, "slow").is_null());
    assert!(
        told(&file, "well").iter().all(|(_, reason)| !["loss", "decoder"].contains(&reason.as_str())),
        "nothing did"
    );
    assert_eq!(app.stop().code(), Some(0));
}
