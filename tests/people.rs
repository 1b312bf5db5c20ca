//! People counted by zone and time as a user asks for them, over restarts and crashes, against a clip with known people.

// Helpers outside of test functions fail by panicking too.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::time::Duration;

use maskwatch::demo::State;
use serde_json::Value;
use support::{App, AppConfig, http, wait_until};

/// A turn of the clip, with time to spare on a busy machine.
const TURN: Duration = Duration::from_secs(90);
/// The scene: two people with a mask (one of them badly worn), then one without, and nobody at begin and end.
const SCENE: &str = "shop";

fn config(state: &Path, zones: &str, compliance: &str) -> AppConfig {
    let clip = support::demo::camera(SCENE).clip;
    AppConfig::new()
        .top(&format!("state_dir: {}", state.display()))
        .top(&format!("compliance: {compliance}"))
        .camera_with("gate", &format!("file://{}", clip.display()), &[&format!("zones: {zones}")])
}

/// Everything that the API tells of people, in one turn's zones.
const ZONES: &str = "[{ name: left, polygon: [[0, 0], [0.5, 0], [0.5, 1], [0, 1]] }, \
                     { name: all, polygon: [[0, 0], [1, 0], [1, 1], [0, 1]] }, \
                     { name: middle, line: [[0.5, 1], [0.5, 0]] }]";

fn api(app: &App, path: &str) -> Value {
    let answer = http::get(app.http, &format!("/api/v1/cameras/gate{path}")).unwrap();
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

fn total(people: &Value) -> u64 {
    people.as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum()
}

/// People in the sliding window.
fn window(app: &App) -> Value {
    api(app, "")["compliance"]["people"].clone()
}

/// Waits until that many people are in the window, and their counts are on the disk for sure: frames of two seconds have
/// passed since. Gives the window.
#[track_caller]
fn wait_for_people(app: &App, count: u64) -> Value {
    wait_until("the people of a turn are counted", TURN, || total(&window(app)) >= count);
    let before = app.metrics().frames("gate", "decoded");
    let rate = f64::from(support::demo::camera(SCENE).truth.fps);
    app.wait_for_metrics("two seconds pass", TURN, |scrape| scrape.frames("gate", "decoded") >= before + 2.0 * rate);
    window(app)
}

/// Whether every frame that was due was analysed: on a machine too busy for that a person may be counted twice.
fn kept_up(app: &App) -> bool {
    let scrape = app.metrics();
    let dropped = ["superseded", "overload"]
        .map(|reason| scrape.get("frames_dropped_total", &[("camera", "gate"), ("reason", reason)]));
    dropped == [0.0, 0.0]
}

#[test]
fn counts_go_on_where_they_stood_after_a_stop_and_after_a_crash() {
    let truth = support::demo::camera(SCENE).truth;
    let (turn, bare) = (truth.people.len() as u64, truth.count(State::NoMask) as u64);
    let folder = support::temp_dir();
    let state = folder.path().join("state");
    let usual = "{ min_people: 3 }";

    let mut app = config(&state, ZONES, usual).start();
    let before_crash = wait_for_people(&app, turn);
    if kept_up(&app) {
        assert_eq!((total(&before_crash), &before_crash["no_mask"]), (turn, &bare.into()), "each of the clip once");
    }
    app.process.kill();

    let mut app = config(&state, ZONES, usual).start();
    assert_eq!(window(&app), before_crash, "nobody lost, nobody twice");
    let so_far = total(&before_crash);
    let before_stop = wait_for_people(&app, so_far + turn);
    if kept_up(&app) {
        assert_eq!(total(&before_stop), so_far + turn, "another turn of the clip: {before_stop}");
    }
    assert!(app.stop().success());
    a_changed_configuration_keeps_what_fits(&state, total(&before_stop), turn);

    // A store that cannot be read costs the counts, not the service.
    std::fs::write(state.join("people.redb"), "no database").unwrap();
    let mut app = config(&state, ZONES, usual).start();
    app.process.wait_for_line("corrupt", support::soon());
    assert_eq!(total(&window(&app)), 0);
    assert!(app.stop().success());
}

/// Another window, step and list of zones. Who was in the picture at the stop was counted then: a turn's people at most.
fn a_changed_configuration_keeps_what_fits(state: &Path, people: u64, turn: u64) {
    let zones = ZONES.replace("left", "entrance");
    let mut app = config(state, &zones, "{ window: 2h, bucket: 10s, min_people: 3 }").start();
    let view = api(&app, "");
    let counted = total(&view["compliance"]["people"]);
    assert!((people..=people + turn).contains(&counted), "{people} before: {view}");
    let ratio = view["compliance"]["ratio"].as_f64().unwrap();
    let [low, high] = [0, 1].map(|end| view["compliance"]["interval_95"][end].as_f64().unwrap());
    assert!(low < ratio && ratio < high && high - low > 0.2, "so few people tell little: {low} {high}");
    let zone = |name: &str| {
        let zones = view["zones"].as_array().unwrap();
        zones.iter().find(|zone| zone["name"] == name).unwrap_or_else(|| panic!("{name} in {zones:?}")).clone()
    };
    assert_eq!(total(&zone("all")["compliance"]["people"]), counted, "a zone of the same name goes on");
    assert_eq!(total(&zone("entrance")["compliance"]["people"]), 0, "a new one begins anew");
    assert_eq!(total(&api(&app, "/people?by=all&zone=all")["whole"]["people"]), counted);
    let hours = api(&app, "/people");
    let by_hour: u64 = hours["stretches"].as_array().unwrap().iter().map(|hour| total(&hour["people"])).sum();
    assert_eq!((by_hour, total(&hours["whole"]["people"])), (counted, counted), "{hours}");
    assert!(app.stop().success());
}

#[test]
fn zones_and_lines_count_each_person_once() {
    let truth = support::demo::camera(SCENE).truth;
    let (width, turn) = (truth.width as f32, truth.people.len() as u64);
    let folder = support::temp_dir();
    let mut app = config(folder.path(), ZONES, "{ min_people: 1 }").start();
    let scrape = app.metrics();
    for zone in ["", "left", "all", "middle:forward", "middle:backward"] {
        let labels = [("camera", "gate"), ("zone", zone), ("state", "mask")];
        assert_eq!(scrape.get("people_total", &labels), 0.0, "{zone} is there from the start");
    }
    wait_for_people(&app, turn);
    // Where the faces' centres were, by the truth.
    let center = |face: &maskwatch::demo::Face| (face.bbox[0] + face.bbox[2] / 2.0) / width;
    let ways: Vec<Vec<f32>> = truth
        .people
        .iter()
        .map(|person| {
            let own = truth.frames.iter().flatten().filter(|face| face.person == person.id && face.whole);
            own.map(center).collect()
        })
        .collect();
    let left = ways.iter().filter(|way| way.iter().any(|x| *x < 0.45)).count() as u64;
    let crossed = |over: fn(f32, f32) -> bool| {
        ways.iter().filter(|way| way.windows(2).any(|pair| over(pair[0], pair[1]))).count() as u64
    };
    // The line goes up: its left (as one walks) is the picture's left.
    let forward = crossed(|a, b| a < 0.5 && b >= 0.5);
    let backward = crossed(|a, b| a >= 0.5 && b < 0.5);
    let scrape = app.metrics();
    let counted = |zone: &str| scrape.get("people_total", &[("camera", "gate"), ("zone", zone)]) as u64;
    assert_eq!(counted("all"), counted(""), "everybody was in the zone that is everywhere");
    if kept_up(&app) {
        assert_eq!(
            ["", "left", "middle:forward", "middle:backward"].map(counted),
            [turn, left, forward, backward],
            "ways: {ways:?}"
        );
    }
    let refused = |query: &str| {
        let answer = http::get(app.http, &format!("/api/v1/cameras/gate/people?{query}")).unwrap();
        (answer.status, answer.text())
    };
    for (query, said) in [("zone=hall", "no zone"), ("by=week", "15m"), ("since=1", "known"), ("from=x", "no time")] {
        let (status, text) = refused(query);
        assert!(status == 400 && text.contains(said), "{query}: {status} {text}");
    }
    let all = api(&app, "/people?from=0&to=4000000000&by=15m");
    let quarters = all["stretches"].as_array().unwrap();
    // The 14 days that are kept, and the quarters at both ends.
    assert!((14 * 96..=14 * 96 + 2).contains(&quarters.len()), "{}", quarters.len());
    assert_eq!((&all["clamped"], &all["from"], &all["kept_from"]), (&true.into(), &quarters[0]["from"], &all["from"]));
    assert_eq!(total(&all["whole"]["people"]), quarters.iter().map(|quarter| total(&quarter["people"])).sum::<u64>());
    assert_eq!(api(&app, "/people")["clamped"], false);
    let nothing = api(&app, "/people?from=0&to=900");
    assert_eq!((&nothing["clamped"], &nothing["whole"], &nothing["from"]), (&true.into(), &Value::Null, &Value::Null));
    assert_eq!(scrape.get("clock_suspect", &[]), 0.0);
    assert_eq!(http::get(app.http, "/api/v1/cameras/nobody/people").unwrap().status, 404);
    let picture = http::get(app.http, "/api/v1/cameras/gate/snapshot.jpg").unwrap();
    assert_eq!(picture.status, 200);
    assert!(app.stop().success());
}
