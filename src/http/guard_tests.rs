//! A real server on loopback, raw requests, every route with every role.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::table::TABLE;
use super::*;
use crate::access::{Book, Role, Scope, Token, User, password, store, token};
use crate::camera::CameraStatus;
use crate::clock::Clock;
use crate::config::plan::{AccessPlan, CameraPlan, CompliancePlan, Credentials, EventsPlan, NetworkPlan, TlsPlan};
use crate::config::secret::{CameraUrl, Secret};
use crate::events::Events;
use crate::fleet::{Standing, Wishes};
use crate::frames::Hub;
use crate::http::{HttpServer, Listening};
use crate::metrics::{Metrics, TlsMetrics};
use crate::people::{Keeper, People};
use crate::roster::{Entry, Roster};
use crate::tls::server::Certificate;

const PASSWORD: &str = "correct horse";

/// A server with two cameras, `north` of `mall-a` and `south` of `mall-b`.
struct Rig {
    server: HttpServer,
    access: Arc<Access>,
    _events: Events,
    _keeper: Keeper,
}

fn rig(access: AccessPlan, login: Option<&Credentials>) -> Rig {
    rig_with(access, login, None)
}

fn rig_with(access: AccessPlan, login: Option<&Credentials>, tls: Option<&TlsPlan>) -> Rig {
    let metrics = Metrics::new().unwrap();
    let families = TlsMetrics::new(metrics.registry()).unwrap();
    let certificate = tls.map(|tls| Certificate::open("http", tls, families).unwrap());
    let roster = Arc::new(Roster::new(vec!["north".to_owned(), "south".to_owned()]));
    for (name, site) in [("north", "mall-a"), ("south", "mall-b")] {
        let mut plan = CameraPlan::new(name, CameraUrl::parse("rtsp://127.0.0.1/a").unwrap());
        plan.labels.insert("site".to_owned(), site.to_owned());
        let metrics = metrics.camera(name);
        let hub = Hub::new(&plan, &metrics);
        roster.put(Entry { plan, status: Arc::new(CameraStatus::new()), hub, metrics });
    }
    let clock = Clock::system(metrics.clock_suspect());
    let plan = CompliancePlan::default();
    let (people, keeper) = People::start(Arc::clone(&metrics), plan, None, clock.clone()).unwrap();
    let events = Events::start(&EventsPlan::default(), None, &metrics, clock, |_, _| Default::default()).unwrap();
    let access = Access::start(&access, login, None, &metrics).unwrap();
    let ruled = (Standing::new(Arc::clone(&metrics)), Wishes::new().0);
    let network = Arc::new(tokio::sync::watch::Sender::new(NetworkPlan::default()));
    let state = State::new(
        (metrics, roster, people),
        &events,
        ruled,
        network,
        ("rtsp", 8554),
        Arc::clone(&access),
        tls.is_some(),
    );
    let server = Listening::bind(([127, 0, 0, 1], 0).into()).unwrap().serve(state, certificate).unwrap();
    Rig { server, access, _events: events, _keeper: keeper }
}

fn write(path: &Path, change: impl FnOnce(&mut Book)) {
    store::change(path, |book| {
        change(book);
        Ok::<_, crate::access::UsersError>(())
    })
    .unwrap();
}

/// A token of each kind in a users file, with a user of each role; the tokens by `metrics`, `viewer`, `filtered`, `operator`.
fn users(folder: &Path) -> (AccessPlan, Vec<(&'static str, String)>) {
    let path = folder.join("users.json");
    let mall = Scope::of([("site".to_owned(), "mall-a".to_owned())]);
    let kinds = [
        ("metrics", Role::Metrics, Scope::default()),
        ("viewer", Role::Viewer, Scope::default()),
        ("filtered", Role::Viewer, mall),
        ("operator", Role::Operator, Scope::default()),
    ];
    let hash = password::hash(PASSWORD).unwrap();
    let mut tokens = Vec::new();
    write(&path, |book| {
        for (name, role, labels) in kinds {
            let ticket = token::Ticket::token();
            let (created, sha256) = (SystemTime::now(), token::hash_of(&ticket));
            tokens.push((name, format!("Authorization: Bearer {}\r\n", ticket.expose())));
            let (owned, changed) = (name.to_owned(), created);
            book.tokens.push(Token {
                name: owned.clone(),
                role,
                labels: labels.clone(),
                sha256,
                created,
                expires: None,
            });
            if role != Role::Metrics {
                book.users.push(User { name: owned, role, labels, password: hash.clone(), rtsp_digest: None, changed });
            }
        }
    });
    (AccessPlan { users_file: Some(path), hosts: Vec::new() }, tokens)
}

/// Sends `head` and its body as they are; gives the answer's head and, unless it is a stream, body.
fn raw(at: SocketAddr, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).unwrap();
    let mut answer = Vec::new();
    let mut bytes = [0; 4096];
    while let Ok(count) = stream.read(&mut bytes) {
        answer.extend_from_slice(&bytes[..count]);
        let streams = String::from_utf8_lossy(&answer).contains("text/event-stream");
        if count == 0 || streams {
            break;
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn ask(at: SocketAddr, method: &str, path: &str, headers: &str) -> String {
    raw(at, &format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{headers}"), "")
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("no answer: {answer}"))
}

fn basic(name: &str, password: &str) -> String {
    format!("Authorization: Basic {}\r\n", BASE64_STANDARD.encode(format!("{name}:{password}")))
}

fn session(at: SocketAddr, name: &str, password: &str, headers: &str) -> String {
    let head =
        "POST /api/v1/session HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\n";
    let body = serde_json::json!({ "username": name, "password": password }).to_string();
    raw(at, &format!("{head}{headers}"), &body)
}

fn cookie(answer: &str) -> String {
    let line = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap_or_else(|| panic!("{answer}"));
    format!("Cookie: {}\r\n", line.split(';').next().unwrap())
}

/// Who may look at what, written out: m: metrics, v: viewer, f: viewer of `mall-a`, o: operator, s: stranger.
const MAY_LOOK: [(&str, &str); 24] = [
    ("/", "vfo"),
    ("/page.js", "vfo"),
    ("/livez", "mvfos"),
    ("/readyz", "mvfos"),
    ("/metrics", "mvo"),
    ("/api/v1/openapi.json", "vfo"),
    ("/api/v1/version", "vfo"),
    ("/api/v1/models", "vfo"),
    ("/api/v1/people", "vfo"),
    ("/api/v1/probe", "o"),
    ("/api/v1/discover", "o"),
    ("/api/v1/cameras", "vfo"),
    ("/api/v1/cameras/{name}", "vfo"),
    ("/api/v1/cameras/{name}/people", "vfo"),
    ("/api/v1/cameras/{name}/snapshot.jpg", "vfo"),
    ("/api/v1/config", "vo"),
    ("/api/v1/config/reload", "o"),
    ("/api/v1/events", "vfo"),
    ("/api/v1/session", "vfo"),
    ("/api/v1/users", "o"),
    ("/api/v1/users/{name}", "o"),
    ("/api/v1/tokens", "o"),
    ("/api/v1/tokens/{name}", "o"),
    ("/api/v1/audit", "o"),
];

#[test]
fn every_route_with_every_role() {
    let folder = tempfile::tempdir().unwrap();
    let (plan, mut callers) = users(folder.path());
    callers.push(("stranger", String::new()));
    let rig = rig(plan, None);
    let at = rig.server.address();
    let written: BTreeSet<_> = MAY_LOOK.iter().map(|(path, _)| *path).collect();
    assert_eq!(written, TABLE.iter().map(|row| row.path).collect(), "a route was added: say here who may use it");
    for (path, who) in MAY_LOOK {
        // Callers come in by tokens: who goes is a user.
        let of = if path.contains("/users/") { "filtered" } else { "north" };
        for (name, headers) in &callers {
            let said = ask(at, "GET", &path.replace("{name}", of), headers);
            let answer = status(&said);
            let refused = if *name == "stranger" { 401 } else { 403 };
            let may = who.contains(&name[..1]);
            // Where nothing may be searched, nobody may search.
            let off = said.contains("network.discover");
            assert_eq!(answer == refused && !off, !may, "{name}: GET {path}: {answer}");
            let changes_only = ["/api/v1/config/reload", "/api/v1/probe", "/api/v1/tokens/{name}"].contains(&path);
            assert!(![404, 500].contains(&answer), "{name}: GET {path}: {answer}: the route is there");
            assert!(answer != 405 || changes_only, "{name}: GET {path}: {answer}");
            // What changes something is for operators. The rig grants no wishes.
            for method in ["POST", "PUT", "DELETE", "PATCH"] {
                let answer = status(&ask(at, method, &path.replace("{name}", of), headers));
                match *name {
                    _ if path == "/api/v1/session" => assert!([400, 204, 405].contains(&answer), "{method}: {answer}"),
                    "operator" => assert!(![401, 403, 500].contains(&answer), "{method} {path}: {answer}"),
                    _ => assert_eq!(answer, refused, "{name}: {method} {path}"),
                }
            }
        }
    }
    for (name, headers) in &callers {
        let expected = match *name {
            "stranger" => 401,
            "metrics" => 403,
            _ => 404,
        };
        assert_eq!(status(&ask(at, "GET", "/api/v1/nothing", headers)), expected, "{name}");
    }
}

#[test]
fn who_sees_some_cameras_sees_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (plan, callers) = users(folder.path());
    let rig = rig(plan, None);
    let at = rig.server.address();
    let headers = |name: &str| callers.iter().find(|(caller, _)| *caller == name).unwrap().1.as_str();
    let all = ask(at, "GET", "/api/v1/cameras", headers("viewer"));
    assert!(all.contains("\"north\"") && all.contains("\"south\"") && all.contains("/mosaic"), "{all}");
    let some = ask(at, "GET", "/api/v1/cameras", headers("filtered"));
    assert!(some.contains("\"north\"") && !some.contains("south") && some.contains("\"mosaic\":null"), "{some}");
    // As if it were not there: the same answer, byte for byte.
    let body = |answer: &str| answer.split_once("\r\n\r\n").unwrap().1.to_owned();
    for rest in ["", "/people", "/snapshot.jpg"] {
        let other = ask(at, "GET", &format!("/api/v1/cameras/south{rest}"), headers("filtered"));
        let none = ask(at, "GET", &format!("/api/v1/cameras/nobody{rest}"), headers("filtered"));
        assert_eq!((status(&other), body(&other)), (404, body(&none)), "{rest}");
        let own = status(&ask(at, "GET", &format!("/api/v1/cameras/north{rest}"), headers("filtered")));
        assert!([200, 503].contains(&own), "{rest}: {own}");
        // Escaped it is the same camera.
        let escaped = ask(at, "GET", &format!("/api/v1/cameras/%73outh{rest}"), headers("filtered"));
        assert_eq!(status(&escaped), 404);
    }
    assert!(!ask(at, "GET", "/readyz", headers("filtered")).contains("south"));
    assert!(ask(at, "GET", "/readyz", headers("viewer")).contains("south"));
}

#[test]
fn without_a_login_only_our_names_are_answered() {
    let plan = AccessPlan { users_file: None, hosts: vec!["cameras.example.org".to_owned()] };
    let rig = rig(plan, None);
    let at = rig.server.address();
    let asked = |host: &str| raw(at, &format!("GET /api/v1/cameras HTTP/1.1\r\n{host}Connection: close\r\n"), "");
    for host in ["127.0.0.1", "127.0.0.1:8080", "localhost:1", "[::1]", "cameras.example.org:8080", "10.9.8.7"] {
        let answer = asked(&format!("Host: {host}\r\n"));
        assert_eq!(status(&answer), 200, "{host}");
        assert!(answer.contains("cross-origin-resource-policy: same-origin"), "{answer}");
    }
    for host in
        ["Host: evil.example\r\n", "Host: evil.example:8080\r\n", "", "Host: localhost\r\nHost: evil.example\r\n"]
    {
        let answer = asked(host);
        assert_eq!(status(&answer), 421, "{host:?}");
        assert!(answer.contains("http.hosts") && !answer.contains("north"), "{answer}");
        assert!(answer.contains("cross-origin-resource-policy: same-origin"), "{answer}");
    }
    let whole = "GET http://evil.example/api/v1/cameras HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n";
    assert_eq!(status(&raw(at, whole, "")), 421);
    // A form on a foreign page is sent to addresses, too.
    for foreign in ["Origin: http://evil.example\r\n", "Sec-Fetch-Site: cross-site\r\n", "Origin: null\r\n"] {
        assert_eq!(status(&ask(at, "POST", "/api/v1/cameras", foreign)), 403, "{foreign}");
    }
    assert_eq!(status(&ask(at, "POST", "/api/v1/cameras", "Origin: http://127.0.0.1\r\n")), 415);
}

#[test]
fn a_session_is_begun_used_and_ended() {
    let folder = tempfile::tempdir().unwrap();
    let (plan, _) = users(folder.path());
    let path = plan.users_file.clone().unwrap();
    let rig = rig(plan, None);
    let at = rig.server.address();
    let begun = session(at, "operator", PASSWORD, "");
    assert_eq!(status(&begun), 200, "{begun}");
    assert!(begun.contains("HttpOnly; SameSite=Strict") && begun.contains("\"role\":\"operator\""), "{begun}");
    let cookie = cookie(&begun);
    assert_eq!(status(&ask(at, "GET", "/api/v1/audit", &cookie)), 200);
    // A change by cookie has to come from a page of ours; by Basic it need not come from a page at all.
    let change = |headers: &str| status(&ask(at, "DELETE", "/api/v1/cameras", headers));
    assert_eq!(change(&cookie), 403);
    assert_eq!(change(&format!("{cookie}Origin: http://evil.example\r\n")), 403);
    assert_eq!(change(&format!("{cookie}Sec-Fetch-Site: same-site\r\n")), 403);
    assert_eq!(
        change(&format!("{cookie}Sec-Fetch-Site: same-origin\r\n")),
        405,
        "the method is not there, but it was let in"
    );
    assert_eq!(change(&format!("{cookie}Origin: http://127.0.0.1\r\n")), 405);
    assert_eq!(change(&basic("operator", PASSWORD)), 405);
    assert_eq!(change(&format!("{}Sec-Fetch-Site: cross-site\r\n", basic("operator", PASSWORD))), 403);
    // Ended by hand.
    assert_eq!(status(&ask(at, "DELETE", "/api/v1/session", &cookie)), 204);
    assert_eq!(status(&ask(at, "GET", "/api/v1/audit", &cookie)), 401);
    // Ended by another password.
    let again = self::cookie(&session(at, "operator", PASSWORD, ""));
    assert_eq!(status(&ask(at, "GET", "/", &again)), 200);
    write(&path, |book| {
        let user = book.users.iter_mut().find(|user| user.name == "operator").unwrap();
        user.password = password::hash("battery staple").unwrap();
    });
    let end = std::time::Instant::now() + Duration::from_secs(20);
    while status(&ask(at, "GET", "/", &again)) != 401 {
        assert!(std::time::Instant::now() < end, "the session goes on");
    }
    let whole = rig.access.audit().latest(100);
    let deeds: Vec<_> = whole.iter().map(|deed| &*deed.what).collect();
    assert!(deeds.contains(&"session.begun") && deeds.contains(&"session.ended"), "{deeds:?}");
    for wrong in [session(at, "operator", PASSWORD, ""), session(at, "nobody", PASSWORD, "")] {
        assert_eq!(status(&wrong), 401);
        assert!(!wrong.contains("www-authenticate"), "the page asks, not the browser: {wrong}");
    }
    assert_eq!(status(&session(at, "operator", "battery staple", "Sec-Fetch-Site: cross-site\r\n")), 403);
    let broken = raw(
        at,
        "POST /api/v1/session HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n",
        "{\"password\":\"hunter2\"",
    );
    assert!(status(&broken) == 400 && !broken.contains("hunter2"), "{broken}");
}

#[test]
fn guessing_over_http_is_slowed_and_says_for_how_long() {
    let login = Credentials { username: "ops".into(), password: Secret::new("a:ß") };
    let rig = rig(AccessPlan::default(), Some(&login));
    let at = rig.server.address();
    let right = basic("ops", "a:ß");
    assert_eq!(status(&ask(at, "GET", "/", &right)), 200);
    assert_eq!(status(&ask(at, "GET", "/", &right.replace("Basic", "bAsIc"))), 200);
    for odd in ["Authorization: Basic !\r\n", "Authorization: Digest x\r\n", "Authorization: Basic\r\n", ""] {
        let answer = ask(at, "GET", "/", odd);
        assert_eq!(status(&answer), 401, "{odd}");
        assert!(answer.contains("www-authenticate: Basic realm"), "{answer}");
    }
    // As somebody who was never here: the loopback interface has many addresses, but they are all known as one here.
    let answers: Vec<_> = (0..30).map(|n| ask(at, "GET", "/", &basic("other", &n.to_string()))).collect();
    let slowed = answers.iter().find(|answer| status(answer) == 429).expect("30 guesses are too many");
    assert!(slowed.contains("retry-after: ") && slowed.contains("too many failed logins"), "{slowed}");
    assert_eq!(status(&ask(at, "GET", "/", &right)), 200, "who was there before is not slowed");
    assert_eq!(status(&ask(at, "GET", "/livez", &basic("other", "x"))), 200, "probes are open to everybody");
}

#[test]
fn by_tls_everything_is_the_same_and_cookies_are_for_tls_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (plan, _) = users(folder.path());
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let mut openssl = std::process::Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-noenc", "-days", "2", "-subj", "/CN=localhost"]);
    openssl.args(["-addext", "subjectAltName=IP:127.0.0.1", "-out"]).arg(&cert).arg("-keyout").arg(&key);
    assert!(openssl.output().unwrap().status.success());
    let rig = rig_with(plan, None, Some(&TlsPlan { cert: cert.clone(), key }));
    let at = rig.server.address();
    let curl = |arguments: &[&str], path: &str| {
        let mut curl = std::process::Command::new("curl");
        curl.args(["-sS", "-i", "--max-time", "20", "--cacert"]).arg(&cert).args(arguments);
        String::from_utf8(curl.arg(format!("https://{at}{path}")).output().unwrap().stdout).unwrap()
    };
    let user = format!("viewer:{PASSWORD}");
    assert_eq!(status(&curl(&["--basic", "-u", &user], "/api/v1/cameras")), 200);
    assert_eq!(status(&curl(&[], "/api/v1/cameras")), 401);
    let body = format!(r#"{{"username":"viewer","password":"{PASSWORD}"}}"#);
    let json = ["-H", "Content-Type: application/json", "-d", &body, "-H", &format!("Origin: https://{at}")];
    let begun = curl(&json, "/api/v1/session");
    assert!(status(&begun) == 200 && begun.contains("SameSite=Strict; Secure"), "{begun}");
    let mut plain = TcpStream::connect(at).unwrap();
    plain.write_all(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    plain.read_to_end(&mut answer).unwrap_or_default();
    assert!(!answer.starts_with(b"HTTP"), "nothing in the clear");
}
