//! The HTTP side of a running service: probes, metrics, API, snapshot, login, and clients that misbehave.

// Helpers outside of test functions fail by panicking too.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use support::clip::Clip;
use support::http::{get, request};
use support::{AppConfig, soon};

/// A camera whose port nobody listens on, and one that plays a clip.
fn two_cameras(folder: &tempfile::TempDir) -> AppConfig {
    let clip = Clip { width: 320, height: 240, ..Clip::default() }.write(folder.path(), "clip");
    AppConfig::new()
        .camera("clip", &format!("file://{}", clip.display()))
        .camera("absent", "rtsp://127.0.0.1:9/x?key=s3cret")
}

#[test]
fn pages_api_and_metrics_of_a_running_service() {
    let folder = support::temp_dir();
    let mut app = two_cameras(&folder).start();
    app.wait_ready();

    let answer = get(app.http, "/api/v1/cameras").unwrap().json();
    let cameras = answer["cameras"].as_array().unwrap();
    assert_eq!(cameras.iter().map(|camera| camera["name"].as_str().unwrap()).collect::<Vec<_>>(), ["clip", "absent"]);
    assert_eq!(answer["mosaic"], format!("rtsp://127.0.0.1:{}/mosaic", app.rtsp));
    let clip = get(app.http, "/api/v1/cameras/clip").unwrap().json();
    assert_eq!((clip["state"].as_str(), &clip["picture"]["width"]), (Some("up"), &320.into()));
    let absent = get(app.http, "/api/v1/cameras/absent").unwrap();
    assert!(!absent.text().contains("s3cret"), "{}", absent.text());
    assert_eq!(absent.json()["failure"]["reason"], "refused");

    let picture = get(app.http, "/api/v1/cameras/clip/snapshot.jpg").unwrap();
    assert_eq!((picture.status, picture.header("content-type")), (200, Some("image/jpeg")));
    let picture = image::load_from_memory(&picture.body).unwrap();
    assert_eq!((picture.width(), picture.height()), (320, 240));
    assert_eq!(get(app.http, "/api/v1/cameras/absent/snapshot.jpg").unwrap().status, 503);
    assert_eq!(get(app.http, "/api/v1/cameras/nobody/snapshot.jpg").unwrap().status, 404);
    assert_eq!(get(app.http, "/nothing").unwrap().status, 404);
    assert_eq!(request(app.http, "POST", "/metrics", &[], b"").unwrap().status, 405);

    let page = get(app.http, "/").unwrap();
    assert!(page.text().contains("/page.js") && page.header("content-security-policy").is_some());
    assert!(!page.text().contains("http://") && !page.text().contains("https://"), "no foreign assets");

    let scrape = get(app.http, "/metrics").unwrap();
    assert!(scrape.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    let text = scrape.text();
    for series in [
        "maskwatch_camera_up{camera=\"clip\"} 1",
        "maskwatch_camera_up{camera=\"absent\"} 0",
        "maskwatch_config_last_reload_successful 1",
        "maskwatch_rtsp_clients{camera=\"mosaic\"} 0",
        "maskwatch_model_info{model=\"",
        "maskwatch_people_total{camera=\"absent\",state=\"unknown\",zone=\"\"} 0",
    ] {
        assert!(text.contains(series), "{series} not in\n{text}");
    }
    app.wait_for_metrics("frames are analysed", soon(), |scrape| scrape.frames("clip", "analyzed") > 3.0);
    assert!(!app.process.log().concat().contains("s3cret"));
    assert_eq!(app.stop().code(), Some(0));
}

#[test]
fn a_login_is_asked_for_but_not_by_probes() {
    let folder = support::temp_dir();
    let config = folder.path().join("a.yaml");
    let (http, rtsp) = (support::free_port(), support::free_port());
    let text = format!(
        "http: {{ listen: 127.0.0.1:{http}, username: ops, password: '${{PW}}' }}\nrtsp: {{ listen: 127.0.0.1:{rtsp} }}\n\
         cameras: [{{ name: a, url: rtsp://127.0.0.1:9/a }}]\n"
    );
    std::fs::write(&config, text).unwrap();
    let mut command = std::process::Command::new(support::maskwatch());
    command.args(["run", "-c"]).arg(&config).env("PW", "tr0ub4dor").current_dir(support::root());
    let process = support::Process::start("maskwatch", &mut command);
    let mut app = support::App { process, http, rtsp, folder };
    app.wait_ready();
    for path in
        ["/", "/metrics", "/api/v1/cameras", "/api/v1/cameras/a/snapshot.jpg", "/api/v1/events", "/page.js", "/nothing"]
    {
        let answer = get(http, path).unwrap();
        assert_eq!(answer.status, 401, "{path}");
        assert!(answer.header("www-authenticate").unwrap().starts_with("Basic "));
    }
    assert_eq!(get(http, "/livez").unwrap().status, 200);
    let ready = get(http, "/readyz").unwrap();
    assert!(ready.status == 200 && ready.json().get("awaited").is_none(), "{ready:?}");
    // ops:tr0ub4dor and ops:wrong
    let with = |login: &str| request(http, "GET", "/metrics", &[("Authorization", login)], b"").unwrap().status;
    assert_eq!(with("Basic b3BzOnRyMHViNGRvcg=="), 200);
    assert_eq!(with("Basic b3BzOndyb25n"), 401);
    assert_eq!(app.stop().code(), Some(0));
    assert!(!app.process.log().concat().contains("tr0ub4dor"));
}

#[test]
fn clients_that_say_nothing_or_half_a_word_hold_nobody_up() {
    let mut app = AppConfig::new().camera("a", "rtsp://127.0.0.1:9/a").start();
    let idle: Vec<_> = (0..40).map(|_| TcpStream::connect((Ipv4Addr::LOCALHOST, app.http)).unwrap()).collect();
    let mut half = TcpStream::connect((Ipv4Addr::LOCALHOST, app.http)).unwrap();
    half.write_all(b"GET /metrics HTTP/1.1\r\nHost: ").unwrap();
    let mut garbage = TcpStream::connect((Ipv4Addr::LOCALHOST, app.http)).unwrap();
    garbage.write_all(&[0xff; 64 * 1024]).unwrap_or_default();
    assert_eq!(get(app.http, "/metrics").unwrap().status, 200);
    garbage.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // Refused or cut off, but not kept.
    let mut answer = Vec::new();
    garbage.read_to_end(&mut answer).unwrap_or_default();
    let begin = Instant::now();
    assert_eq!(app.stop().code(), Some(0));
    assert!(begin.elapsed() < Duration::from_secs(5), "idle clients do not hold up the end");
    drop((idle, half));
}

/// Also while ONNX Runtime is at work, whose objects must not go from under it.
#[test]
fn a_second_signal_ends_at_once() {
    for _ in 0..5 {
        let mut app = AppConfig::new().camera("a", "rtsp://127.0.0.1:9/a").start();
        app.process.signal("TERM");
        app.process.wait_for_line("a second signal ends at once", soon());
        app.process.signal("TERM");
        let status = app.process.wait(Duration::from_secs(5));
        // 0: it had ended before the second came.
        assert!(matches!(status.code(), Some(0 | 1)), "{status}");
    }
}

#[test]
fn an_end_asked_for_while_models_load_is_an_orderly_one() {
    for _ in 0..5 {
        let mut app = AppConfig::new().camera("a", "rtsp://127.0.0.1:9/a").start();
        assert_eq!(app.stop().code(), Some(0));
    }
}
