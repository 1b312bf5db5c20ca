//! What is not a camera is changed while the service runs, too: logins, sinks, how shares are told, what may be connected
//! to. Cameras notice nothing of it.

// Helpers outside of test functions fail by panicking too.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use maskwatch::sim;
use serde_json::Value;
use support::app::App;
use support::clip::Clip;
use support::{AppConfig, http, soon, temp_dir, wait_until};

const LOGIN: (&str, &str) = ("Authorization", "Basic b3BzOmNvcnJlY3QtaG9yc2U="); // ops:correct-horse
const OTHER: (&str, &str) = ("Authorization", "Basic b3BzOmJhdHRlcnktc3RhcGxl"); // ops:battery-staple

fn simulate(folder: &Path) -> sim::Server {
    gst::init().unwrap();
    let clip = Clip { width: 320, height: 240, fps: 10, ..Clip::default() }.write(folder, "clip");
    sim::Server::start(&sim::Options::local(), vec![sim::Clip::load(&clip).unwrap()]).unwrap()
}

/// A camera that is there, and one that nobody answers for: its failure is an event.
fn cameras(server: &sim::Server, away: &str) -> AppConfig {
    AppConfig::new().camera("gate", &server.url(0)).camera(away, "rtsp://127.0.0.1:9/a")
}

fn get(app: &App, path: &str, login: Option<(&str, &str)>) -> http::Response {
    http::request(app.http, "GET", path, login.as_slice(), &[]).unwrap()
}

/// Somebody who listens to events.
struct Listening(TcpStream);

impl Listening {
    fn begin(app: &App, login: Option<(&str, &str)>) -> Self {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, app.http)).unwrap();
        stream.set_read_timeout(Some(soon())).unwrap();
        let login = login.map(|(name, value)| format!("{name}: {value}\r\n")).unwrap_or_default();
        write!(stream, "GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{login}\r\n").unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).unwrap();
        assert_eq!(&head, b"HTTP/1.1 200");
        Self(stream)
    }

    fn ends(mut self) {
        let (begin, mut piece) = (Instant::now(), [0; 1024]);
        while self.0.read(&mut piece).unwrap() > 0 {
            assert!(begin.elapsed() < soon(), "it goes on");
        }
    }
}

/// Reloads by request with this text; gives the answer.
fn reload(app: &App, text: &str, login: Option<(&str, &str)>) -> Value {
    let path = app.folder.path().join("maskwatch.yaml");
    std::fs::write(path, text).unwrap();
    let answer = http::request(app.http, "POST", "/api/v1/config/reload", login.as_slice(), &[]).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let said = answer.json();
    // The change was seen in the file first, perhaps.
    if said["changes"] == Value::Array(Vec::new()) && said["problems"] == Value::Array(Vec::new()) {
        return get(app, "/api/v1/config", login).json()["last_reload"].clone();
    }
    said
}

fn assert_untouched(app: &App, login: Option<(&str, &str)>) {
    let text = get(app, "/metrics", login).text();
    assert!(text.contains("maskwatch_camera_connects_total{camera=\"gate\"} 1\n"), "{text}");
}

#[test]
fn a_login_comes_changes_and_goes_while_the_service_runs() {
    let folder = temp_dir();
    let server = simulate(folder.path());
    let open = cameras(&server, "yard");
    let mut app = open.clone().start();
    app.wait_ready();
    let plain = open.yaml(app.http, app.rtsp);
    let with = |password: &str| {
        let listen = format!("http: {{ listen: 127.0.0.1:{} }}", app.http);
        let locked = format!("http: {{ listen: 127.0.0.1:{}, username: ops, password: {password} }}", app.http);
        plain.replace(&listen, &locked)
    };
    let stream = Listening::begin(&app, None);
    let said = reload(&app, &with("correct-horse"), None);
    assert_eq!(said["changes"], serde_json::json!(["changed: http.username, http.password"]), "{said}");
    assert_eq!(get(&app, "/api/v1/cameras", None).status, 401);
    assert_eq!(get(&app, "/api/v1/cameras", Some(LOGIN)).status, 200);
    stream.ends();

    let stream = Listening::begin(&app, Some(LOGIN));
    reload(&app, &with("battery-staple"), Some(LOGIN));
    assert_eq!(get(&app, "/api/v1/cameras", Some(LOGIN)).status, 401);
    assert_eq!(get(&app, "/api/v1/cameras", Some(OTHER)).status, 200);
    stream.ends();

    // An address that stays open to others until a restart keeps its login until then.
    let elsewhere = plain.replace(&app.http.to_string(), "1");
    let said = reload(&app, &elsewhere, Some(OTHER));
    assert_eq!(said["changes"].as_array().map(Vec::len), Some(2), "{said}");
    assert_eq!(get(&app, "/api/v1/cameras", None).status, 401);
    let standing = get(&app, "/api/v1/config", Some(OTHER)).json();
    assert_eq!(standing["restart_needed"], serde_json::json!(["http.listen", "http.username, http.password"]));

    reload(&app, &plain, Some(OTHER));
    assert_eq!(get(&app, "/api/v1/cameras", None).status, 200);
    assert_untouched(&app, None);
    assert_eq!(app.stop().code(), Some(0));
}

#[test]
fn sinks_come_change_and_go_and_those_not_named_notice_nothing() {
    let folder = temp_dir();
    let server = simulate(folder.path());
    let file = |name: &str| folder.path().join(name);
    let sink = |name: &str, to: &str| format!("{{ name: {name}, type: jsonl, path: {} }}", file(to).display());
    let with = |away: &str, sinks: &[String]| {
        cameras(&server, away).top("state_dir: state").top(&format!("events: {{ sinks: [{}] }}", sinks.join(", ")))
    };
    // Events of a camera that is away, by the file's lines.
    let told = |name: &str, camera: &str| {
        std::fs::read_to_string(file(name)).unwrap_or_default().contains(&format!("\"camera\":\"{camera}\""))
    };
    let heard = |name: &str, camera: &str| wait_until("the event is there", soon(), || told(name, camera));
    let kept = sink("kept", "kept.jsonl");

    let mut app = with("yard-1", std::slice::from_ref(&kept)).start();
    app.wait_ready();
    heard("kept.jsonl", "yard-1");
    let text = |config: &AppConfig| config.yaml(app.http, app.rtsp);
    let said = reload(&app, &text(&with("yard-2", &[kept.clone(), sink("more", "more.jsonl")])), None);
    assert!(said["changes"].to_string().contains("changed: events"), "{said}");
    heard("kept.jsonl", "yard-2");
    heard("more.jsonl", "yard-2");
    assert!(!told("more.jsonl", "yard-1"), "a new sink begins with the next event");

    reload(&app, &text(&with("yard-3", &[sink("more", "moved.jsonl"), kept.clone()])), None);
    heard("moved.jsonl", "yard-3");
    heard("kept.jsonl", "yard-3");
    assert!(!told("more.jsonl", "yard-3"));

    // One that cannot be had changes nothing of those that run.
    std::fs::write(file("ca.pem"), "no certificate").unwrap();
    let bad =
        format!("{{ name: bad, type: webhook, url: 'https://127.0.0.1:9/', ca_file: {} }}", file("ca.pem").display());
    let said = reload(&app, &text(&with("yard-4", &[kept.clone(), bad])), None);
    assert!(said["problems"].to_string().contains("sink bad"), "{said}");
    heard("kept.jsonl", "yard-4");
    heard("moved.jsonl", "yard-4");

    reload(&app, &text(&with("yard-5", std::slice::from_ref(&kept))), None);
    heard("kept.jsonl", "yard-5");
    assert!(!told("moved.jsonl", "yard-5"));
    let scrape = app.metrics();
    assert_eq!(scrape.find("events_spooled", &[("sink", "more")]), None, "no series of what is gone");
    assert_eq!(scrape.get("events_total", &[("sink", "kept"), ("result", "dropped")]), 0.0);
    assert_untouched(&app, None);
    assert_eq!(app.stop().code(), Some(0));

    // Each event once, in all the files of a sink together.
    let ids = |names: &[&str]| -> Vec<String> {
        let lines = names.iter().map(|name| std::fs::read_to_string(file(name)).unwrap()).collect::<String>();
        let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned();
        lines.lines().map(id).collect()
    };
    for names in [&["kept.jsonl"][..], &["more.jsonl", "moved.jsonl"]] {
        let all = ids(names);
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(all.len(), different.len(), "{names:?}");
    }
}

#[test]
fn shares_and_networks_are_told_by_the_new_plan_at_once() {
    let folder = temp_dir();
    let server = simulate(folder.path());
    let config = cameras(&server, "yard");
    let mut app = config.clone().start();
    app.wait_ready();
    let minimum = |app: &App| get(app, "/api/v1/cameras/gate/people", None).json()["min_people"].clone();
    assert_eq!(minimum(&app), 20);
    let refused = get(&app, "/api/v1/discover", None);
    assert_eq!(refused.status, 403, "{}", refused.text());
    let wanted = config
        .top("compliance: { min_people: 7, window: 10m, bucket: 30s }")
        .top("network: { discover: [127.0.0.9/32] }")
        .yaml(app.http, app.rtsp);
    let said = reload(&app, &wanted, None);
    assert_eq!(said["changes"], serde_json::json!(["changed: network", "changed: compliance"]), "{said}");
    assert_eq!(minimum(&app), 7);
    wait_until("cameras may be searched for", Duration::from_secs(20), || {
        get(&app, "/api/v1/discover", None).status == 200
    });
    assert_untouched(&app, None);
    assert_eq!(app.stop().code(), Some(0));
}
