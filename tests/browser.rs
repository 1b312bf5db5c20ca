//! What a real browser makes of pages of others: Chromium, where it is installed.

// Helpers outside of test functions fail by panicking too, and say what they skip.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::process::Command;

use support::clip::Clip;
use support::web::Web;
use support::{AppConfig, http, process, soon, wait_until};

/// A page as Chromium has it when its scripts are done; every name under `.example` is this machine.
fn page(profile: &std::path::Path, url: &str) -> String {
    let mut chromium = Command::new("chromium");
    chromium.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000", "--dump-dom"]);
    chromium.arg(format!("--user-data-dir={}", profile.display()));
    chromium.args(["--host-resolver-rules=MAP *.example 127.0.0.1", url]).env("HOME", profile);
    String::from_utf8_lossy(&process::run_well(&mut chromium, soon())).into_owned()
}

/// Shows a picture of another server, and says on the page what came of it.
fn shows(picture: &str) -> String {
    format!(
        "<p id=t>waits</p><script>const i = new Image(); i.onload = () => t.textContent = 'shown ' + i.width;\
         i.onerror = () => t.textContent = 'not shown'; i.src = '{picture}';</script>"
    )
}

#[test]
fn no_foreign_page_reads_this_service_or_shows_its_pictures() {
    if Command::new("chromium").arg("--version").output().is_err() {
        println!("SKIP: chromium is not installed");
        return;
    }
    let folder = support::temp_dir();
    let clip = Clip { width: 320, height: 240, ..Clip::default() }.write(folder.path(), "clip");
    let mut app = AppConfig::new().camera("clip", &format!("file://{}", clip.display())).start();
    app.wait_ready();
    let snapshot = "/api/v1/cameras/clip/snapshot.jpg";
    wait_until("a picture", soon(), || http::get(app.http, snapshot).is_ok_and(|answer| answer.status == 200));
    let picture = http::get(app.http, snapshot).unwrap().body;
    // The same picture by a server that does not mind.
    let careless = Web::start(move |request| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", picture.len());
        request.send(&[head.as_bytes(), &picture].concat())
    });
    let (ours, theirs) =
        (format!("http://127.0.0.1:{}{snapshot}", app.http), format!("http://127.0.0.1:{}/", careless.port));
    let foreign = Web::start(move |request| {
        let body = shows(if request.head.contains("/ours") { &ours } else { &theirs });
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n", body.len());
        request.send(format!("{head}{body}").as_bytes())
    });
    let profile = support::temp_dir();
    let open = |url: &str| page(profile.path(), url);
    // Another name for this machine reads nothing.
    let rebound = open(&format!("http://evil.example:{}/api/v1/cameras", app.http));
    assert!(rebound.contains("\"status\":421") && !rebound.contains("clip"), "{rebound}");
    // Pictures are for our own pages: the same one from a server that allows it is shown.
    let at = |path: &str| open(&format!("http://attacker.example:{}{path}", foreign.port));
    let shown = at("/theirs");
    assert!(shown.contains("shown 320"), "the browser shows pictures of others at all: {shown}");
    let refused = at("/ours");
    assert!(refused.contains("not shown"), "{refused}");
    let own = open(&format!("http://127.0.0.1:{}/", app.http));
    assert!(own.contains("clip"), "the page itself works: {own}");
    assert_eq!(app.stop().code(), Some(0));
}
