//! Users and tokens by request, as a page or a script of an operator does it, beside the commands.

// Helpers outside of test functions fail by panicking too.
#![allow(clippy::unwrap_used)]

mod support;

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use support::http::request;
use support::users::{ask, ask_with, command, done, look, service};

const ANNA: &str = "anna:correct horse";

const CAMERAS: &str = "cameras:\n- { name: north, url: 'rtsp://127.0.0.1:9/a', labels: { site: mall-a } }\n\
                       - { name: south, url: 'rtsp://127.0.0.1:9/b', labels: { site: mall-b } }\n";

#[test]
fn an_operator_adds_changes_and_removes_users_and_tokens() {
    let mut app = service(CAMERAS);
    let (http, users) = (app.http, app.folder.path().join("users.json"));
    let guard =
        json!({ "name": "wächter", "role": "viewer", "labels": { "site": "mall-a" }, "password": "canary-0ne" });
    let added = ask(http, "POST", "/api/v1/users", ANNA, &guard);
    assert_eq!(added.status, 201, "{}", added.text());
    let place = added.header("location").unwrap().to_owned();
    assert_eq!(place, "/api/v1/users/w%C3%A4chter");
    // At once, and of what was asked for.
    let login = "wächter:canary-0ne";
    assert_eq!(look(http, "/api/v1/cameras/north", login), 200);
    assert_eq!((look(http, "/api/v1/cameras/south", login), look(http, "/api/v1/users", login)), (404, 403));
    assert_eq!(ask(http, "POST", "/api/v1/users", ANNA, &guard).status, 409);
    assert_eq!(std::fs::metadata(&users).unwrap().permissions().mode() & 0o777, 0o600);

    // Who saw it before somebody else changed it is told so.
    let seen = ask(http, "GET", &place, ANNA, &Value::Null);
    let tag = seen.header("etag").unwrap().to_owned();
    assert_eq!(
        (seen.json()["role"].as_str(), seen.json()["labels"]["site"].as_str()),
        (Some("viewer"), Some("mall-a"))
    );
    let relabel = json!({ "labels": {} });
    let changed = ask_with(http, "PUT", &place, ANNA, &[("If-Match", &tag)], &relabel);
    assert_eq!(changed.status, 200, "{}", changed.text());
    assert_eq!(ask_with(http, "PUT", &place, ANNA, &[("If-Match", &tag)], &relabel).status, 412);
    assert_eq!(ask_with(http, "DELETE", &place, ANNA, &[("If-Match", &tag)], &Value::Null).status, 412);
    assert_eq!(look(http, "/api/v1/cameras/south", login), 200);
    let rotated = ask(http, "PUT", &place, ANNA, &json!({ "password": "canary-tw0" }));
    assert_eq!(rotated.status, 200);
    assert_ne!(rotated.header("etag"), changed.header("etag"), "the password counts");
    assert_eq!((look(http, "/", login), look(http, "/", "wächter:canary-tw0")), (401, 200));
    // The command reads what the service wrote, and the service what the command writes.
    assert!(done(&command(&app.folder.path().join("maskwatch.yaml"), &["user", "list"], "")).contains("wächter"));
    let gone = ask(http, "DELETE", &place, ANNA, &Value::Null);
    assert_eq!((gone.status, look(http, "/", "wächter:canary-tw0")), (204, 401));
    assert_eq!(ask(http, "DELETE", &place, ANNA, &Value::Null).status, 404);

    let made = ask(http, "POST", "/api/v1/tokens", ANNA, &json!({ "name": "scrape", "role": "metrics" }));
    assert_eq!(made.status, 201, "{}", made.text());
    let token = made.json()["token"].as_str().unwrap().to_owned();
    assert_eq!((look(http, "/metrics", &token), look(http, "/api/v1/cameras", &token)), (200, 403));
    let listed = ask(http, "GET", "/api/v1/tokens", ANNA, &Value::Null);
    let entry = listed.json()["tokens"][0].clone();
    assert_eq!((entry["name"].as_str(), entry["expired"].as_bool()), (Some("scrape"), Some(false)));
    assert!(entry["last_used"].is_string() && entry["expires"].is_string(), "{entry}");
    assert_eq!(ask(http, "DELETE", "/api/v1/tokens/scrape", ANNA, &Value::Null).status, 204);
    assert_eq!(look(http, "/metrics", &token), 401);

    let audit = ask(http, "GET", "/api/v1/audit", ANNA, &Value::Null).json()["audit"].clone();
    let deeds: Vec<(&str, &str)> = audit
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .filter(|deed| !deed["what"].as_str().unwrap().starts_with("login."))
        .map(|deed| (deed["what"].as_str().unwrap(), deed["detail"].as_str().unwrap()))
        .collect();
    assert!(audit.as_array().unwrap().iter().all(|deed| deed["from"] == "127.0.0.1"), "{audit}");
    assert_eq!(
        deeds,
        [
            ("user.added", "wächter: viewer, site=mall-a"),
            ("user.changed", "wächter: viewer"),
            ("user.changed", "wächter: viewer, another password"),
            ("user.removed", "wächter"),
            ("token.added", "token:scrape: metrics"),
            ("token.removed", "token:scrape"),
        ]
    );
    assert_eq!(app.stop().code(), Some(0));
    let kept = std::fs::read_to_string(&users).unwrap();
    for text in [app.process.log().concat(), kept, seen.text(), listed.text(), added.text(), audit.to_string()] {
        assert!(!text.contains("canary") && !text.contains(&token), "{text}");
    }
    for answer in [seen, listed, added] {
        assert!(!answer.text().contains("argon2") && !answer.text().contains("sha256"), "{}", answer.text());
    }
}

#[test]
fn nobody_locks_themselves_or_everybody_out() {
    let mut app = service(CAMERAS);
    let http = app.http;
    let token = ask(http, "POST", "/api/v1/tokens", ANNA, &json!({ "name": "robot", "role": "operator" })).json();
    let robot = token["token"].as_str().unwrap();
    for (method, who, body, said) in [
        ("DELETE", ANNA, Value::Null, "is yourself"),
        ("PUT", ANNA, json!({ "role": "viewer" }), "is yourself"),
        ("DELETE", robot, Value::Null, "the last operator"),
        ("PUT", robot, json!({ "role": "viewer" }), "the last operator"),
    ] {
        let answer = ask(http, method, "/api/v1/users/anna", who, &body);
        assert_eq!(answer.status, 409, "{method} {body}: {}", answer.text());
        assert!(answer.json()["detail"].as_str().unwrap().contains(said), "{}", answer.text());
    }
    for (body, said) in [
        (json!({ "name": "b", "role": "metrics", "password": "long enough" }), "metrics is for tokens"),
        (
            json!({ "name": "b", "role": "operator", "labels": { "a": "b" }, "password": "long enough" }),
            "labels limit viewers",
        ),
        (json!({ "name": "b:c", "role": "viewer", "password": "long enough" }), "a name is"),
        (json!({ "name": "b", "role": "viewer", "password": "3hort" }), "shorter than 8"),
    ] {
        let answer = ask(http, "POST", "/api/v1/users", ANNA, &body);
        assert_eq!(answer.status, 422, "{body}: {}", answer.text());
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(said) && !detail.contains("3hort"), "{detail}");
    }
    // With another operator one may go, by the hand of the other.
    let bert = json!({ "name": "bert", "role": "operator", "password": "battery staple" });
    assert_eq!(ask(http, "POST", "/api/v1/users", ANNA, &bert).status, 201);
    assert_eq!(ask(http, "DELETE", "/api/v1/users/anna", "bert:battery staple", &Value::Null).status, 204);
    assert_eq!(look(http, "/", ANNA), 401);
    // A file that is gone is not made anew without the others.
    std::fs::remove_file(app.folder.path().join("users.json")).unwrap();
    let answer =
        ask(http, "POST", "/api/v1/users", robot, &json!({ "name": "x", "role": "viewer", "password": "long enough" }));
    assert_eq!(answer.status, 409, "{}", answer.text());
    assert!(answer.text().contains("is not there"), "{}", answer.text());
    assert_eq!(look(http, "/", "bert:battery staple"), 200, "who was in stays in");
    assert_eq!(app.stop().code(), Some(0));
}

#[test]
fn a_password_change_ends_all_sessions_but_the_one_that_made_it() {
    let mut app = service(CAMERAS);
    let http = app.http;
    let begin = |password: &str| {
        let body = json!({ "username": "anna", "password": password }).to_string();
        let answer = request(http, "POST", "/api/v1/session", &[("Content-Type", "application/json")], body.as_bytes());
        cookie(&answer.unwrap())
    };
    let (page, other) = (begin("correct horse"), begin("correct horse"));
    let by = |cookie: &str, method: &str, path: &str, body: &[u8]| {
        let origin = format!("http://127.0.0.1:{http}");
        let headers = [("Cookie", cookie), ("Origin", &origin), ("Content-Type", "application/json")];
        request(http, method, path, &headers, body).unwrap()
    };
    let changed = by(&page, "PUT", "/api/v1/users/anna", br#"{"password":"battery staple"}"#);
    assert_eq!(changed.status, 200, "{}", changed.text());
    let renewed = cookie(&changed);
    let status = |cookie: &str| by(cookie, "GET", "/api/v1/session", b"").status;
    assert_eq!((status(&page), status(&other), status(&renewed)), (401, 401, 200));
    assert_eq!(app.stop().code(), Some(0));
}

fn cookie(answer: &support::http::Response) -> String {
    answer.header("set-cookie").unwrap_or_else(|| panic!("{answer:?}")).split(';').next().unwrap().to_owned()
}

#[test]
fn without_a_users_file_it_is_said_how_to_have_one() {
    let mut app = support::AppConfig::new().camera("north", "rtsp://127.0.0.1:9/a").start();
    for (method, path) in [
        ("GET", "users"),
        ("GET", "users/anna"),
        ("POST", "users"),
        ("PUT", "users/anna"),
        ("DELETE", "users/anna"),
        ("GET", "tokens"),
        ("POST", "tokens"),
        ("DELETE", "tokens/robot"),
    ] {
        let body = match (method, path) {
            ("POST", "users") => json!({ "name": "anna", "role": "viewer", "password": "long enough" }),
            ("POST", _) => json!({ "name": "robot", "role": "viewer" }),
            ("PUT", _) => json!({ "role": "viewer" }),
            _ => Value::Null,
        };
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let json = [("Content-Type", "application/json")];
        let answer = request(app.http, method, &format!("/api/v1/{path}"), &json, text.as_bytes()).unwrap();
        assert_eq!(answer.status, 409, "{method} {path}: {}", answer.text());
        assert!(answer.text().contains("users_file: users.json"), "{}", answer.text());
    }
    assert_eq!(app.stop().code(), Some(0));
}

/// A stream of events that is open; it has been greeted.
fn listen(http: u16, header: &str) -> std::io::BufReader<std::net::TcpStream> {
    use std::io::{BufRead, Write};
    let mut stream = std::net::TcpStream::connect((std::net::Ipv4Addr::LOCALHOST, http)).unwrap();
    let request = format!("GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{header}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    stream.set_read_timeout(Some(support::soon())).unwrap();
    let mut stream = std::io::BufReader::new(stream);
    let mut line = String::new();
    while !line.starts_with(": events of maskwatch") {
        line.clear();
        assert!(stream.read_line(&mut line).unwrap() > 0, "not let in: {header}");
    }
    stream
}

/// Reads until the server ends the stream; `false` where it does not within `soon`.
fn ends(mut stream: std::io::BufReader<std::net::TcpStream>) -> bool {
    std::io::Read::read_to_end(&mut stream, &mut Vec::new()).is_ok()
}

fn goes_on(stream: &std::io::BufReader<std::net::TcpStream>) -> bool {
    let mut stream = stream.get_ref();
    stream.set_nonblocking(true).unwrap();
    // A signal of life may be there, an end may not.
    let read = std::io::Read::read(&mut stream, &mut [0; 1]);
    stream.set_nonblocking(false).unwrap();
    read.map_or_else(|error| error.kind() == std::io::ErrorKind::WouldBlock, |count| count > 0)
}

#[test]
fn a_stream_of_events_ends_with_the_right_to_it() {
    let mut app = service(CAMERAS);
    let http = app.http;
    let add = |path: &str, body: Value| {
        let answer = ask(http, "POST", path, ANNA, &body);
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["token"].as_str().map(str::to_owned).unwrap_or_default()
    };
    let user = |name: &str| json!({ "name": name, "role": "viewer", "password": "battery staple" });
    for name in ["gone", "narrowed", "rotated", "stays"] {
        add("/api/v1/users", user(name));
    }
    let token =
        |name: &str, time: &str| add("/api/v1/tokens", json!({ "name": name, "role": "viewer", "expires_in": time }));
    let (revoked, brief) = (token("revoked", "1d"), token("brief", "6s"));
    let by = |login: &str| listen(http, &format!("Authorization: {}", support::users::authorization(login)));
    let begin = || {
        let login = br#"{"username":"stays","password":"battery staple"}"#;
        cookie(&request(http, "POST", "/api/v1/session", &[("Content-Type", "application/json")], login).unwrap())
    };
    let (ended, lasting) = (begin(), begin());
    let streams = [
        ("the user is removed", by("gone:battery staple")),
        ("the user sees less", by("narrowed:battery staple")),
        ("the password is another", by("rotated:battery staple")),
        ("the token is removed", by(&revoked)),
        ("the token ends by itself", by(&brief)),
        ("the session is ended", listen(http, &format!("Cookie: {ended}"))),
    ];
    let others = [by(ANNA), by("stays:battery staple"), listen(http, &format!("Cookie: {lasting}"))];
    assert!(streams.iter().map(|(_, stream)| stream).chain(&others).all(goes_on), "nothing has happened yet");
    for (method, path, body) in [
        ("DELETE", "/api/v1/users/gone", Value::Null),
        ("PUT", "/api/v1/users/narrowed", json!({ "labels": { "site": "mall-a" } })),
        ("PUT", "/api/v1/users/rotated", json!({ "password": "correct horse" })),
        ("DELETE", "/api/v1/tokens/revoked", Value::Null),
    ] {
        assert!((200..300).contains(&ask(http, method, path, ANNA, &body).status), "{method} {path}");
    }
    assert_eq!(request(http, "DELETE", "/api/v1/session", &[("Cookie", &ended)], b"").unwrap().status, 204);
    for (why, stream) in streams {
        assert!(ends(stream), "{why}: the stream goes on");
    }
    assert!(others.iter().all(goes_on), "who may listen listens on");
    assert_eq!(look(http, "/", &brief), 401);
    assert_eq!(app.stop().code(), Some(0));
}

#[test]
fn the_audit_is_there_after_a_restart_and_after_a_kill() {
    let mut app = service(&format!("include: cameras.d/*.yaml\n{CAMERAS}"));
    let (http, rtsp) = (app.http, app.rtsp);
    let deeds = || {
        let told = ask(http, "GET", "/api/v1/audit?limit=1000", ANNA, &Value::Null).json()["audit"].clone();
        let told = told.as_array().unwrap().iter().map(|deed| deed["what"].as_str().unwrap().to_owned());
        told.filter(|what| !what.starts_with("login.")).collect::<Vec<_>>()
    };
    app.wait_ready();
    let yard = json!({ "name": "yard", "url": "rtsp://127.0.0.1:9/y" });
    assert_eq!(ask(http, "POST", "/api/v1/cameras", ANNA, &yard).status, 201);
    assert_eq!(ask(http, "DELETE", "/api/v1/cameras/yard", ANNA, &Value::Null).status, 204);
    assert_eq!(deeds(), ["camera.removed", "camera.added"]);
    assert_eq!(app.stop().code(), Some(0));

    let folder = std::mem::replace(&mut app.folder, tempfile::tempdir().unwrap());
    let mut app = support::users::start(folder, http, rtsp);
    assert_eq!(deeds(), ["camera.removed", "camera.added"]);
    assert_eq!(ask(http, "POST", "/api/v1/tokens", ANNA, &json!({ "name": "robot", "role": "viewer" })).status, 201);
    let kept = || std::fs::read(app.folder.path().join("state/audit.redb")).unwrap();
    let told = |bytes: Vec<u8>| bytes.windows(11).any(|bytes| bytes == b"token.added");
    support::wait_until("the audit is written", support::soon(), || told(kept()));
    app.process.kill();
    let folder = std::mem::replace(&mut app.folder, tempfile::tempdir().unwrap());
    let mut app = support::users::start(folder, http, rtsp);
    assert_eq!(deeds(), ["token.added", "camera.removed", "camera.added"]);
    assert_eq!(app.stop().code(), Some(0));
}

/// Somebody holds a request back that they had the right to begin.
#[test]
fn a_request_that_comes_late_is_judged_when_all_of_it_is_there() {
    use std::io::{Read, Write};
    let mut app = service(CAMERAS);
    let http = app.http;
    let bert = json!({ "name": "bert", "role": "operator", "password": "battery staple" });
    assert_eq!(ask(http, "POST", "/api/v1/users", ANNA, &bert).status, 201);
    let body = json!({ "name": "carl", "role": "operator", "password": "purple monkey" }).to_string();
    let mut stream = std::net::TcpStream::connect((std::net::Ipv4Addr::LOCALHOST, http)).unwrap();
    stream.set_read_timeout(Some(support::soon())).unwrap();
    write!(
        stream,
        "POST /api/v1/users HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Authorization: {}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
        body.len(),
        support::users::authorization("bert:battery staple")
    )
    .unwrap();
    // Said when the body is asked for: whoever has come so far is in.
    let mut head = [0; 25];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(ask(http, "DELETE", "/api/v1/users/bert", ANNA, &Value::Null).status, 204);
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert_eq!(look(http, "/api/v1/users/carl", ANNA), 404);
    assert_eq!(app.stop().code(), Some(0));
}

/// A lock that nobody gives back holds up this request alone.
#[test]
fn a_folder_that_another_program_has_locked_is_not_waited_for_for_ever() {
    let mut app = service(CAMERAS);
    let http = app.http;
    let folder = std::fs::File::open(app.folder.path()).unwrap();
    folder.lock().unwrap();
    let bert = json!({ "name": "bert", "role": "viewer", "password": "battery staple" });
    let refused = ask(http, "POST", "/api/v1/users", ANNA, &bert);
    assert_eq!(refused.status, 507, "{}", refused.text());
    assert!(refused.text().contains("has locked its folder"), "{}", refused.text());
    folder.unlock().unwrap();
    assert_eq!(ask(http, "POST", "/api/v1/users", ANNA, &bert).status, 201);
    assert_eq!(app.stop().code(), Some(0));
}
