//! Passwords that nobody may ever read again: one in every place that takes one. Then everything that can go wrong with
//! them goes wrong, and whatever the program tells is searched for them.

// Helpers outside of test functions fail by panicking too.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use support::http::request;
use support::users::{ask, authorization, command, done};
use support::{App, Process, free_port, maskwatch, root, soon, wait_until};

/// Part of every secret of this test, in letters that no encoding changes.
const CANARY: &str = "canary";

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::prelude::BASE64_STANDARD.encode(text)
}

/// A camera that refuses each login, by Basic: it is sent the password itself.
fn refusing() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || answer(stream));
        }
    });
    port
}

fn answer(mut stream: std::net::TcpStream) {
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        text += &String::from_utf8_lossy(&buffer[..count]);
        while let Some((request, rest)) = text.split_once("\r\n\r\n") {
            let cseq = request.lines().find(|line| line.starts_with("CSeq")).unwrap_or("CSeq: 1");
            // What it was sent comes back in its own words, as some cameras do.
            let said = request.lines().find(|line| line.starts_with("Authorization")).unwrap_or_default();
            let head = format!(
                "RTSP/1.0 401 Unauthorized {said}\r\n{cseq}\r\nWWW-Authenticate: Basic realm=\"{said}\"\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).ok();
            text = rest.to_owned();
        }
    }
}

fn secret_file(path: &Path, text: &str) {
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// The configuration, with a secret in every key that takes one.
fn config(camera: u16, http: u16, rtsp: u16) -> String {
    format!(
        "http: {{ listen: 127.0.0.1:{http}, username: ops, password: canary-http }}\n\
         rtsp: {{ listen: 127.0.0.1:{rtsp}, username: viewer, password: canary-rtsp }}\n\
         users_file: users.json\nstate_dir: state\ninclude: cameras.d/*.yaml\n\
         events:\n  sinks:\n\
\x20 - {{ name: hook, type: webhook, url: 'http://127.0.0.1:9/canary-hook-path?key=canary-hook-key', secret: canary-hook-secret, timeout: 1s }}\n\
\x20 - {{ name: broker, type: mqtt, url: 'mqtt://127.0.0.1:9', username: mw, password: canary-mqtt }}\n\
\x20 - {{ name: bus, type: nats, url: 'nats://127.0.0.1:9', username: mw, password: canary-nats, stream: S, subject: 's.{{camera}}' }}\n\
         cameras:\n\
         - {{ name: literal, url: 'rtsp://127.0.0.1:{camera}/x?key=canary-query', username: ops, password: canary-camera }}\n\
         - {{ name: by-file, url: 'rtsp://127.0.0.1:{camera}/y', username: ops, password_file: camera.txt }}\n\
         - {{ name: by-variable, url: 'rtsp://127.0.0.1:{camera}/z', username: ops, password: '${{CAMERA_PASSWORD}}' }}\n\
         - {{ name: away, url: 'http://127.0.0.1:9/mjpeg?token=canary-web', username: ops, password: canary-away }}\n"
    )
}

/// Every way in which a login or a change of one fails.
fn go_wrong(app: &App, camera: u16, token: &str) {
    let http = app.http;
    let login = "ops:canary-http";
    for (path, body) in [
        ("cameras", json!({ "name": "wrong", "url": 7, "username": "ops", "password": "canary-type" })),
        (
            "cameras",
            json!({ "name": "wrong", "url": "rtsp://a:canary-in-url@127.0.0.1/x", "password": "canary-alone" }),
        ),
        (
            "cameras",
            json!({ "name": "wrong", "url": "rtsp://127.0.0.1/x", "username": "ops", "password": ["canary-list"] }),
        ),
        (
            "probe",
            json!({ "url": format!("rtsp://127.0.0.1:{camera}/x?key=canary-probe-key"), "username": "ops", "password": "canary-probe" }),
        ),
        ("probe", json!({ "url": "canary-no-url", "username": "ops", "password": "canary-probe" })),
        ("discover", json!({ "username": "ops", "password": "canary-discover" })),
        ("users", json!({ "name": "canary:name", "role": "viewer", "password": "canary-unfit" })),
        ("users", json!({ "name": "guard", "role": "boss", "password": "canary-role" })),
        ("session", json!({ "username": "canary-as-name", "password": "canary-session" })),
    ] {
        let answer = ask(http, "POST", &format!("/api/v1/{path}"), login, &body);
        clean(&format!("the answer to {body}"), &answer.text(), token);
    }
    for wrong in ["ops:canary-guess", "guard:canary-guess", "canary-name:x", "mwt_canary"] {
        let headers = [("Authorization", &*authorization(wrong))];
        let answer = request(http, "GET", "/api/v1/cameras", &headers, b"").unwrap();
        assert!([401, 429].contains(&answer.status));
        clean(&format!("the answer to {wrong}"), &answer.text(), token);
    }
    // A configuration that is wrong around its passwords.
    let file = app.folder.path().join("maskwatch.yaml");
    let good = std::fs::read_to_string(&file).unwrap();
    let bad =
        good.replace("password: canary-camera", "password: [canary-camera, canary-more]") + "pasword: canary-key\n";
    std::fs::write(&file, bad.replace("rtsp://127", "rtsp://ops:canary-inside@127")).unwrap();
    app.process.wait_for_line("configuration refused", soon());
    let standing = ask(http, "GET", "/api/v1/config", login, &Value::Null);
    assert!(standing.text().contains("refused"), "{}", standing.text());
    clean("what is told of a bad configuration", &standing.text(), token);
    let checked = command(&file, &["check"], "");
    clean("check", &String::from_utf8_lossy(&[checked.stdout, checked.stderr].concat()), token);
    std::fs::write(&file, good).unwrap();
}

#[track_caller]
fn clean(what: &str, text: &str, token: &str) {
    let spoilt = ["canary-", token].into_iter().map(str::to_owned).chain(encoded());
    for secret in spoilt {
        let line = text.lines().find(|line| line.contains(&secret));
        // The name of the metric and the like do not begin so.
        assert!(line.is_none(), "{what} tells `{secret}`: {}", line.unwrap_or_default());
    }
}

/// As the passwords stand in headers of Basic.
fn encoded() -> impl Iterator<Item = String> {
    ["ops:canary-camera", "ops:canary-file", "ops:canary-variable", "ops:canary-api", "ops:canary-probe"]
        .map(base64)
        .into_iter()
}

#[test]
fn no_secret_is_ever_told() {
    let (camera, http, rtsp) = (refusing(), free_port(), free_port());
    let folder = support::temp_dir();
    let file = folder.path().join("maskwatch.yaml");
    secret_file(&file, &config(camera, http, rtsp));
    secret_file(&folder.path().join("camera.txt"), "canary-file\n");
    std::fs::create_dir(folder.path().join("cameras.d")).unwrap();
    done(&command(&file, &["user", "add", "guard", "--role", "viewer"], "canary-user\n"));
    let token = done(&command(&file, &["token", "add", "robot", "--role", "operator"], "")).trim().to_owned();

    let mut run = Command::new(maskwatch());
    run.args(["run", "--log", "debug", "-c"]).arg(&file).current_dir(root()).env("CAMERA_PASSWORD", "canary-variable");
    let mut app = App { process: Process::start("maskwatch", &mut run), http, rtsp, folder };
    app.wait_alive();
    app.wait_ready();
    let login = "ops:canary-http";
    let by_api = json!({ "name": "by-api", "url": format!("rtsp://127.0.0.1:{camera}/w?k=canary-api-key"), "username": "ops", "password": "canary-api" });
    let added = ask(http, "POST", "/api/v1/cameras", login, &by_api);
    assert_eq!(added.status, 201, "{}", added.text());
    clean("the answer to a new camera", &added.text(), &token);
    let known = ask(
        http,
        "POST",
        "/api/v1/users",
        &token,
        &json!({ "name": "bert", "role": "viewer", "password": "canary-bert" }),
    );
    assert_eq!(known.status, 201, "{}", known.text());
    for name in ["literal", "by-file", "by-variable", "by-api"] {
        wait_until("every login is refused", soon(), || {
            let told = ask(http, "GET", &format!("/api/v1/cameras/{name}"), login, &Value::Null).json();
            told["failure"]["reason"] == "auth"
        });
    }
    go_wrong(&app, camera, &token);
    for sink in ["hook", "broker", "bus"] {
        wait_until("every sink has failed", soon(), || app.process.log().iter().any(|line| line.contains(sink)));
    }

    // Whatever can be read.
    let document = ask(http, "GET", "/api/v1/openapi.json", login, &Value::Null).json();
    let mut read = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        if methods.get("get").is_none() {
            continue;
        }
        let names: &[&str] = match () {
            () if path.contains("/users/") => &["guard", "bert"],
            () if path.contains("{name}") => &["literal", "by-file", "by-variable", "away", "by-api"],
            () => &["-"],
        };
        for name in names {
            let json = [("Accept", "application/json")];
            let answer =
                support::users::ask_with(http, "GET", &path.replace("{name}", name), login, &json, &Value::Null);
            assert_ne!(answer.status, 401, "{path}");
            clean(&format!("GET {path} of {name}"), &answer.text(), &token);
            read += 1;
        }
    }
    assert!(read > 30, "{read} answers");
    let id = app.process.id();
    clean("the command line", &std::fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap(), &token);
    let environment = std::fs::read(format!("/proc/{id}/environ")).unwrap();
    let environment = String::from_utf8_lossy(&environment).replace("CAMERA_PASSWORD=canary-variable", "");
    clean("the environment, but for what the operator put there", &environment, &token);
    assert_eq!(app.stop().code(), Some(0));
    let log = app.process.log();
    assert!(log.len() > 50 && log.iter().any(|line| line.contains("DEBUG")), "{} lines", log.len());
    clean("the log", &log.join("\n"), &token);
    let users = std::fs::read_to_string(app.folder.path().join("users.json")).unwrap();
    clean("the users file", &users, &token);
    assert!(config(1, 2, 3).contains(CANARY));
}
