//! Cameras that are not configured: looked at and searched for by the API.

// Helpers outside of test functions fail by panicking too.
#![allow(clippy::unwrap_used)]

mod support;

use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::clip::Clip;
use support::http::{Response, get, request};
use support::onvif::Onvif;
use support::{App, AppConfig, Process};

/// A service with one camera that is not there.
fn service(network: &str) -> App {
    let config = AppConfig::new().camera("absent", "rtsp://127.0.0.1:9/x");
    let mut app = if network.is_empty() { config } else { config.top(network) }.start();
    app.wait_ready();
    app
}

fn post(app: &App, path: &str, body: &Value) -> Response {
    request(app.http, "POST", path, &[("Content-Type", "application/json")], body.to_string().as_bytes()).unwrap()
}

fn probe(app: &App, body: &Value) -> Response {
    post(app, "/api/v1/probe", body)
}

/// A simulated camera, and the address of its stream.
fn camera(folder: &tempfile::TempDir) -> (Process, String) {
    let clip = Clip { width: 640, height: 360, ..Clip::default() }.write(folder.path(), "clip");
    let port = support::free_port();
    let mut command = std::process::Command::new(support::maskwatch());
    command.arg("camera-sim").arg(&clip).args(["--listen", &format!("127.0.0.1:{port}")]).current_dir(support::root());
    let process = Process::start("camera-sim", &mut command);
    process.wait_for_line("/cam0", support::soon());
    (process, format!("rtsp://127.0.0.1:{port}/cam0"))
}

#[test]
fn a_camera_tells_what_it_sends_with_a_small_picture() {
    let folder = support::temp_dir();
    let (_camera, url) = camera(&folder);
    let mut app = service("");
    let begun = Instant::now();
    let answer = probe(&app, &json!({ "url": url, "picture": true }));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let told = answer.json();
    assert_eq!((answer.status, &told["ok"], &told["error"]), (200, &json!(true), &Value::Null), "{told:#}");
    let video = &told["video"];
    assert_eq!((&video["codec"], &video["width"], &video["height"]), (&json!("h264"), &json!(640), &json!(360)));
    let jpeg = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, told["picture"].as_str().unwrap()).unwrap();
    let picture = image::load_from_memory(&jpeg).unwrap();
    assert_eq!((picture.width(), picture.height()), (320, 180));
    assert_eq!(probe(&app, &json!({ "url": url })).json()["picture"], Value::Null, "only for who asks");
    assert_eq!(app.stop().code(), Some(0));
}

#[test]
fn why_nothing_comes_is_told_in_the_words_of_the_log_and_no_password_is() {
    let mut app = service("");
    let told = probe(&app, &json!({ "url": "rtsp://127.0.0.1:9/x" })).json();
    let of_log = get(app.http, "/api/v1/cameras/absent").unwrap().json()["failure"].clone();
    assert_eq!((&told["ok"], &told["error"]), (&json!(false), &of_log), "{told:#}");
    let secret = "tr0ub4dor";
    for (body, status) in [
        (json!({ "url": format!("rtsp://127.0.0.1:9/x?pwd={secret}"), "username": "ops", "password": secret }), 200),
        (json!({ "url": format!("rtsp://ops:{secret}@127.0.0.1:9/x") }), 422),
        (json!({ "url": "rtsp://127.0.0.1:9/x", "username": "ops", "password": format!("{secret}\n{secret}") }), 422),
        (json!({ "url": "rtsp://127.0.0.1:9/x", "password": secret }), 422),
        (json!({ "url": "rtsp://127.0.0.1:9/x", "username": { "a": secret } }), 422),
        (json!({ "url": "rtsp://127.0.0.1:9/x", "transport": secret }), 422),
        (json!({ "url": "file:///etc/passwd" }), 422),
        (json!({ "url": "v4l2:///dev/video0" }), 422),
        (json!([secret]), 422),
    ] {
        let answer = probe(&app, &body);
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
        if body["transport"].is_null() {
            assert!(!answer.text().contains(secret), "{body}: {}", answer.text());
        }
    }
    let plain = request(app.http, "POST", "/api/v1/probe", &[], b"{}").unwrap();
    assert_eq!(plain.status, 415);
    let broken = request(app.http, "POST", "/api/v1/probe", &[("Content-Type", "application/json")], b"{").unwrap();
    assert_eq!(broken.status, 400);
    let long = json!({ "url": "x".repeat(100_000) });
    assert_eq!(probe(&app, &long).status, 413);
    assert_eq!(app.stop().code(), Some(0));
    assert!(!app.process.log().concat().contains(secret));
}

#[test]
fn what_is_out_of_bounds_is_not_connected_to() {
    // Whoever is connected to there is one too many.
    let trap = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    trap.set_nonblocking(true).unwrap();
    let port = trap.local_addr().unwrap().port();
    let mut app = service("network: { cameras: [192.0.2.0/24, 127.7.0.0/16] }");
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        for scheme in ["rtsp", "http"] {
            let answer = probe(&app, &json!({ "url": format!("{scheme}://{host}:{port}/x") }));
            assert_eq!(answer.status, 403, "{scheme} {host}: {}", answer.text());
            assert!(answer.text().contains("network.cameras"), "{}", answer.text());
        }
    }
    assert!(trap.accept().is_err(), "nothing came");
    // Who may be asked cannot send us on to who may not.
    let sends_on = TcpListener::bind((Ipv4Addr::new(127, 7, 0, 1), 0)).unwrap();
    let allowed = sends_on.local_addr().unwrap();
    let redirect = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = sends_on.accept().unwrap();
        let _head = stream.read(&mut [0; 4096]).unwrap();
        write!(stream, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{port}/x\r\nContent-Length: 0\r\n\r\n")
            .unwrap();
    });
    let told = probe(&app, &json!({ "url": format!("http://{allowed}/x") })).json();
    assert!(told["error"]["cause"].as_str().unwrap().contains("network.cameras"), "{told:#}");
    redirect.join().unwrap();
    assert!(trap.accept().is_err(), "nothing came");
    assert_eq!(app.stop().code(), Some(0));

    let mut app = service("");
    for url in [
        "rtsp://169.254.169.254/x".to_owned(),
        "http://[::ffff:169.254.169.254]/latest".to_owned(),
        format!("http://127.0.0.1:{}/api/v1/events", app.http),
        format!("http://localhost:{}/", app.http),
        format!("rtsp://localhost:{}/absent", app.rtsp),
        format!("http://0.0.0.0:{}/", app.http),
    ] {
        assert_eq!(probe(&app, &json!({ "url": url })).status, 403, "{url}");
    }
    assert_eq!(app.stop().code(), Some(0));
}

#[test]
fn few_looks_are_under_way_at_a_time_and_each_ends_in_time() {
    // It takes connections and says nothing.
    let mute = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("rtsp://{}/x", mute.local_addr().unwrap());
    let mut app = service("");
    let port = app.http;
    let looks: Vec<_> = (0..5)
        .map(|_| {
            let body = json!({ "url": url }).to_string();
            std::thread::spawn(move || {
                let begun = Instant::now();
                let json = [("Content-Type", "application/json")];
                (request(port, "POST", "/api/v1/probe", &json, body.as_bytes()).unwrap(), begun.elapsed())
            })
        })
        .collect();
    let answers: Vec<(Response, Duration)> = looks.into_iter().map(|look| look.join().unwrap()).collect();
    let count = |status: u16| answers.iter().filter(|(answer, _)| answer.status == status).count();
    assert_eq!((count(200), count(503)), (3, 2), "{answers:?}");
    for (answer, took) in &answers {
        assert!(*took < Duration::from_secs(11), "{took:?}");
        if answer.status == 200 {
            assert_eq!(answer.json()["error"]["reason"], "timeout", "{}", answer.text());
        }
    }
    assert_eq!(app.stop().code(), Some(0));
}

#[test]
fn devices_are_found_and_tell_what_they_send() {
    let device = Onvif::start(false);
    let mut app = service(&format!("network: {{ discover: [{}/32] }}", device.address));
    let found = get(app.http, "/api/v1/discover").unwrap();
    assert_eq!(found.status, 200, "{}", found.text());
    assert!(!found.text().contains("s3cret"), "{}", found.text());
    let found = found.json();
    assert_eq!(found["problems"], json!([]));
    let [one] = &found["devices"].as_array().unwrap()[..] else { panic!("{found:#}") };
    assert_eq!((&one["address"], &one["name"]), (&json!(device.address.to_string()), &json!("North gate")));
    assert_eq!((&one["main"], &one["sub"], &one["problem"]), (&json!("great"), &json!("small"), &Value::Null));
    assert_eq!(one["profiles"][0]["url"], "rtsp://10.9.9.9:554/great?channel=1", "without its login");
    assert_eq!((&one["profiles"][1]["width"], &one["profiles"][1]["fps"]), (&json!(640), &json!(25.0)));
    assert_eq!(app.stop().code(), Some(0));
}

#[test]
fn devices_that_want_a_login_get_a_proof_of_it_by_their_own_clock() {
    let device = Onvif::start(true);
    let mut app = service(&format!("network: {{ discover: [{}/32] }}", device.address));
    let without = get(app.http, "/api/v1/discover").unwrap().json();
    assert!(without["devices"][0]["problem"].as_str().unwrap().contains("wants a login"), "{without:#}");
    let with = post(&app, "/api/v1/discover", &json!({ "username": "ops", "password": "tr0ub4dor" }));
    assert_eq!(with.json()["devices"][0]["main"], "great", "{}", with.text());
    let wrong = post(&app, "/api/v1/discover", &json!({ "username": "other", "password": "tr0ub4dor" }));
    assert!(wrong.json()["devices"][0]["problem"].as_str().unwrap().contains("refuses"), "{}", wrong.text());
    let asked = device.asked.lock().unwrap().concat();
    assert!(asked.contains("<u:Created>2000-01-01T00:01:0"), "{asked}");
    assert!(!asked.contains("tr0ub4dor"), "the password itself goes nowhere");
    assert_eq!(app.stop().code(), Some(0));
    assert!(!app.process.log().concat().contains("tr0ub4dor"));
}

#[test]
fn nothing_is_searched_unless_networks_are_named() {
    let mut app = service("");
    let answer = get(app.http, "/api/v1/discover").unwrap();
    assert_eq!(answer.status, 403);
    assert!(answer.json()["detail"].as_str().unwrap().contains("network.discover"), "{}", answer.text());
    assert!(!get(app.http, "/api/v1/version").unwrap().text().contains("discover"));
    assert_eq!(app.stop().code(), Some(0));
}
