//! Events on their way to real receivers: brokers that are killed and come back, servers that refuse, hang or ask for
//! patience, and this program killed in between. A file sink beside them is the truth: it has every event once.

// Helpers outside of test functions fail by panicking too.
#![allow(clippy::unwrap_used)]

mod receivers;
mod support;

use std::collections::HashSet;
use std::io::{BufRead, Read, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue, StatusCode};
use maskwatch::config::plan::{Credentials, MqttPlan, SinkPlan, SinkTarget};
use maskwatch::config::secret::Secret;
use receivers::broker::{Broker, Kind};
use receivers::inbox::{self, Received, wait_for_events};
use receivers::source::{Source, assert_complete, hook, lines, mqtt, nats, remote};
use support::{AppConfig, soon, temp_dir, wait_until};

#[test]
fn every_event_reaches_mosquitto_which_is_killed_under_load() {
    let folder = temp_dir();
    let mut broker = Broker::start(Kind::Mosquitto);
    let received = inbox::mqtt(broker.port, "maskwatch/#");
    let mut source = Source::start(folder.path(), vec![mqtt(broker.port)]);
    for _ in 0..3 {
        source.tell(300);
        wait_for_events(&received, source.told - 200);
        broker.kill();
        source.tell(100);
        broker.revive();
    }
    let all = wait_for_events(&received, source.told);
    let repeated = assert_complete(&all, &source.truth());
    println!("{} events, {repeated} came twice", source.told);
    assert_eq!(all[0].address, "maskwatch/gate/camera.up");
    assert_eq!(all[0].event["labels"]["site"], "mall-a");
    wait_until("nothing waits", soon(), || source.scrape().get("events_spooled", &[("sink", "bus")]) == 0.0);
    assert_eq!(source.count("bus", "delivered"), source.told);
    assert!(source.count("bus", "failed") >= 1 && source.count("bus", "dropped") == 0);
    source.stop();
}

#[test]
fn every_event_is_in_jetstream_once_though_the_server_is_killed_under_load() {
    let folder = temp_dir();
    let mut broker = Broker::start(Kind::Nats);
    let mut source = Source::start(folder.path(), vec![nats(broker.port)]);
    for _ in 0..3 {
        source.tell(300);
        let enough = source.told - 200;
        wait_until("events are delivered", soon(), || source.count("nats", "delivered") >= enough);
        broker.kill();
        source.tell(100);
        broker.revive();
    }
    wait_until("all are delivered", soon(), || source.count("nats", "delivered") == source.told);
    let all = inbox::jetstream(broker.port, "MASKWATCH");
    assert_eq!(assert_complete(&all, &source.truth()), 0, "the stream leaves out what comes twice");
    assert_eq!(all[0].address, "maskwatch.gate.camera.up");
    source.stop();
}

#[test]
fn a_broker_that_freezes_is_left_and_gets_everything_afterwards() {
    let folder = temp_dir();
    let broker = Broker::start(Kind::Mosquitto);
    let received = inbox::mqtt(broker.port, "maskwatch/#");
    let mut source = Source::start(folder.path(), vec![mqtt(broker.port)]);
    source.tell(10);
    wait_for_events(&received, 10);
    broker.freeze(true);
    source.tell(50);
    wait_until("the sink notices", soon(), || source.count("bus", "failed") >= 1);
    broker.freeze(false);
    let all = wait_for_events(&received, 60);
    assert_complete(&all, &source.truth());
    source.stop();
}

#[test]
fn a_webhook_is_signed_retried_and_asked_no_sooner_than_it_wants() {
    let folder = temp_dir();
    let calls = Arc::new(AtomicUsize::new(0));
    let refused_at = Arc::new(std::sync::Mutex::new(None::<Instant>));
    let (counter, refused) = (Arc::clone(&calls), Arc::clone(&refused_at));
    let (port, received) = inbox::webhook(move |headers, request| {
        assert_signed(headers, request);
        match counter.fetch_add(1, Ordering::SeqCst) {
            3 => {
                *refused.lock().unwrap() = Some(Instant::now());
                let wish = HeaderMap::from_iter([(axum::http::header::RETRY_AFTER, HeaderValue::from_static("2"))]);
                (StatusCode::SERVICE_UNAVAILABLE, wish)
            }
            4 => {
                assert!(refused.lock().unwrap().unwrap().elapsed() >= Duration::from_millis(1900));
                (StatusCode::INTERNAL_SERVER_ERROR, HeaderMap::new())
            }
            7 => (StatusCode::BAD_REQUEST, HeaderMap::new()),
            _ => (StatusCode::NO_CONTENT, HeaderMap::new()),
        }
    });
    let mut source = Source::start(folder.path(), vec![hook(port, Duration::from_secs(5))]);
    source.tell(10);
    let all = wait_for_events(&received, 9);
    let mut truth = source.truth();
    // Ten events and two attempts again: the eighth call is the sixth event.
    let rejected = truth.remove(5);
    assert_eq!(assert_complete(&all, &truth), 0);
    assert!(all.iter().all(|request| request.address == "/hook" && request.id() != rejected));
    wait_until("all are through", soon(), || source.count("hook", "delivered") == 9);
    assert_eq!((source.count("hook", "failed"), source.count("hook", "rejected")), (2, 1));
    source.stop();
}

#[test]
fn a_receiver_that_is_out_of_order_loses_nothing_and_one_that_is_gone_neither() {
    let folder = temp_dir();
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    // A login page, a password that was changed, a path that is not there yet, a proxy's word; and then an event that the
    // receiver does not take.
    let (port, received) = inbox::webhook(move |_, _| {
        let said = match counter.fetch_add(1, Ordering::SeqCst) {
            0 => StatusCode::FOUND,
            1 => StatusCode::UNAUTHORIZED,
            2 => StatusCode::NOT_FOUND,
            3 => StatusCode::METHOD_NOT_ALLOWED,
            6 => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::NO_CONTENT,
        };
        (said, HeaderMap::new())
    });
    // Nobody speaks TLS there, and nobody listens.
    let mut encrypted = hook(port, Duration::from_secs(5));
    encrypted.name = "encrypted".into();
    let SinkTarget::Webhook(plan) = &mut encrypted.target else { panic!() };
    plan.remote = remote(&format!("https://127.0.0.1:{port}/hook"), Duration::from_secs(5));
    let closed = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let mut absent = hook(closed, Duration::from_secs(5));
    absent.name = "absent".into();
    let mut source = Source::start(folder.path(), vec![hook(port, Duration::from_secs(5)), encrypted, absent]);
    source.tell(10);
    let all = wait_for_events(&received, 9);
    let mut truth = source.truth();
    // Four attempts again: the seventh call is the third event.
    truth.remove(2);
    assert_eq!(assert_complete(&all, &truth), 0);
    wait_until("all are through", soon(), || source.count("hook", "delivered") == 9);
    assert_eq!((source.count("hook", "failed"), source.count("hook", "rejected")), (4, 1));
    for sink in ["encrypted", "absent"] {
        wait_until("it is tried", soon(), || source.count(sink, "failed") >= 1);
        assert_eq!(source.scrape().get("events_spooled", &[("sink", sink)]), 10.0, "{sink}: everything is kept");
        assert_eq!((source.count(sink, "rejected"), source.count(sink, "dropped")), (0, 0), "{sink}");
    }
    source.stop();
}

/// Checks the signature as a receiver would, by the words of the standard.
fn assert_signed(headers: &HeaderMap, request: &Received) {
    use base64::Engine;
    use hmac::Mac;
    let header = |name: &str| headers.get(name).unwrap().to_str().unwrap();
    let (id, time) = (header("webhook-id"), header("webhook-timestamp"));
    assert_eq!(id, request.id());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(now.abs_diff(time.parse().unwrap()) < 60, "{time}");
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
    mac.update(format!("{id}.{time}.").as_bytes());
    mac.update(request.text.as_bytes());
    let signature = base64::prelude::BASE64_STANDARD.encode(mac.finalize().into_bytes());
    assert_eq!(header("webhook-signature"), format!("v1,{signature}"));
    assert_eq!(header("content-type"), "application/json");
}

#[test]
fn a_sink_that_hangs_delays_no_other() {
    let folder = temp_dir();
    // Takes connections and never answers.
    let silent = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let silent_port = silent.local_addr().unwrap().port();
    let (port, received) = inbox::webhook(|_, _| (StatusCode::OK, HeaderMap::new()));
    let mut second = hook(port, Duration::from_secs(5));
    second.name = "good".into();
    let sinks = vec![hook(silent_port, Duration::from_secs(60)), second, mqtt(silent_port), nats(silent_port)];
    let mut source = Source::start(folder.path(), sinks);
    source.tell(200);
    let begin = Instant::now();
    assert_eq!(assert_complete(&wait_for_events(&received, 200), &source.truth()), 0);
    println!("200 requests beside sinks that hang: {:?}", begin.elapsed());
    for sink in ["hook", "bus", "nats"] {
        assert_eq!(source.count(sink, "delivered"), 0);
        // The gauge is renewed once the disk has them: after what can be sent.
        let spooled = || source.scrape().get("events_spooled", &[("sink", sink)]);
        wait_until("all wait", soon(), || spooled() == 200.0);
    }
    let begin = Instant::now();
    source.stop();
    assert!(begin.elapsed() < Duration::from_millis(4500), "the end does not wait for them: {:?}", begin.elapsed());
    drop(silent);
}

#[test]
fn what_waits_at_the_end_is_sent_after_the_next_start() {
    let folder = temp_dir();
    let mut broker = Broker::absent(Kind::Mosquitto);
    let mut source = Source::start(folder.path(), vec![mqtt(broker.port)]);
    source.tell(100);
    let mut truth = source.truth();
    source.stop();
    broker.revive();
    let received = inbox::mqtt(broker.port, "maskwatch/#");
    let mut source = Source::start(folder.path(), vec![mqtt(broker.port)]);
    assert_complete(&wait_for_events(&received, 100), &truth);
    source.told = 100;
    source.tell(1);
    truth = source.truth();
    assert_complete(&wait_for_events(&received, 101), &truth);
    source.stop();
}

#[test]
fn this_program_killed_and_started_again_loses_no_event() {
    const CAMERAS: usize = 60;
    let folder = temp_dir();
    let truth = folder.path().join("truth.jsonl");
    let mut broker = Broker::absent(Kind::Mosquitto);
    // Each camera that nobody listens for is told of once per start.
    let config = (0..CAMERAS)
        .fold(AppConfig::new(), |config, index| config.camera(&format!("gate-{index}"), "rtsp://127.0.0.1:9/x"));
    let config = config.top(&format!(
        "state_dir: {}\nevents:\n  sinks:\n    - {{ name: truth, type: jsonl, path: {} }}\n    \
         - {{ name: bus, type: mqtt, url: 'mqtt://127.0.0.1:{}' }}\n",
        folder.path().join("state").display(),
        truth.display(),
        broker.port
    ));
    let mut told = 0;
    for _ in 0..2 {
        let mut app = config.clone().start();
        told += CAMERAS;
        wait_until("all are in the file", soon(), || lines(&truth).len() >= told);
        let scrape = app.wait_for_metrics("all wait", soon(), |scrape| {
            scrape.get("events_spooled", &[("sink", "bus")]) >= told as f64
        });
        assert_eq!(scrape.get("events_total", &[("sink", "bus"), ("result", "delivered")]), 0.0);
        app.process.kill();
    }
    broker.revive();
    let received = inbox::mqtt(broker.port, "maskwatch/#");
    let mut app = config.start();
    let all = wait_for_events(&received, told);
    app.process.kill(); // amid the sending of this start's own events
    let ids: Vec<String> = lines(&truth).iter().map(|event| event["id"].as_str().unwrap().into()).collect();
    // The file may have got some twice as well: its place is written a little later than it moves.
    let mut seen = HashSet::new();
    let truth: Vec<String> = ids.into_iter().filter(|id| seen.insert(id.clone())).take(told).collect();
    let mut seen = HashSet::new();
    let first: Vec<String> = all.iter().map(Received::id).filter(|id| seen.insert(id.clone())).take(told).collect();
    assert_eq!(first, truth);
}

/// A certificate of an authority that nobody knows, for 127.0.0.1. Gives the authority's file.
fn certificates(folder: &Path) -> PathBuf {
    let openssl = |line: &str| {
        let mut command = std::process::Command::new("openssl");
        support::process::run_well(command.args(line.split(' ')).current_dir(folder), soon());
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    openssl(&format!("req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=test-authority"));
    openssl(&format!(
        "req -x509 {key} -keyout key.pem -out cert.pem -subj /CN=broker -CA ca.pem -CAkey ca.key \
         -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=CA:FALSE"
    ));
    folder.join("ca.pem")
}

#[test]
fn an_encrypted_broker_is_trusted_by_its_authority_alone_and_asks_for_the_login() {
    let folder = temp_dir();
    let ca = certificates(folder.path());
    let (tls, plain) = (support::free_port(), support::free_port());
    let path = folder.path().display();
    std::fs::write(folder.path().join("passwords"), "").unwrap();
    let mut passwd = std::process::Command::new("mosquitto_passwd");
    passwd.args(["-b", &format!("{path}/passwords"), "maskwatch", "s3cret"]);
    support::process::run_well(&mut passwd, soon());
    let lines = format!(
        "per_listener_settings true\nlistener {plain} 127.0.0.1\nallow_anonymous true\nlistener {tls} 127.0.0.1\n\
         certfile {path}/cert.pem\nkeyfile {path}/key.pem\npassword_file {path}/passwords\nallow_anonymous false"
    );
    let process = support::Process::start("mosquitto", &mut receivers::broker::secured(folder.path(), &lines));
    process.wait_for_line("running", soon());
    let received = inbox::mqtt(plain, "maskwatch/#");
    let sink = |name: &str, trusted: bool, password: Option<&str>| {
        let mut remote = remote(&format!("mqtts://127.0.0.1:{tls}"), Duration::from_secs(5));
        remote.ca_file = trusted.then(|| ca.clone());
        let login = |password| Credentials { username: "maskwatch".into(), password: Secret::new(password) };
        remote.credentials = password.map(login);
        let target = SinkTarget::Mqtt(MqttPlan { remote, topic: format!("maskwatch/{name}") });
        SinkPlan { name: name.into(), target }
    };
    let sinks = vec![
        sink("good", true, Some("s3cret")),
        sink("unknown", false, Some("s3cret")),
        sink("login", true, Some("x")),
    ];
    let mut source = Source::start(folder.path(), sinks);
    source.tell(5);
    let all = wait_for_events(&received, 5);
    assert!(all.iter().all(|message| message.address == "maskwatch/good"));
    wait_until("the others fail", soon(), || {
        source.count("unknown", "failed") > 0 && source.count("login", "failed") > 0
    });
    assert_eq!((source.count("unknown", "delivered"), source.count("login", "delivered")), (0, 0));
    source.stop();
    drop(process);
}

#[test]
fn listeners_by_http_get_what_they_missed_and_what_comes() {
    let mut app = AppConfig::new().camera("absent", "rtsp://127.0.0.1:9/x").start();
    app.wait_ready();
    let listen = |last: &str| {
        let mut stream = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, app.http)).unwrap();
        let request = format!("GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nLast-Event-ID: {last}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        stream.set_read_timeout(Some(soon())).unwrap();
        std::io::BufReader::new(stream)
    };
    let next = |stream: &mut std::io::BufReader<std::net::TcpStream>, start: &str| loop {
        let mut line = String::new();
        assert!(stream.read_line(&mut line).unwrap() > 0, "the stream ended");
        if let Some(rest) = line.strip_prefix(start) {
            return rest.trim().to_owned();
        }
    };
    let mut first = listen("00000000-0000-0000-0000-000000000000");
    assert_eq!(next(&mut first, "content-type: "), "text/event-stream");
    let id = next(&mut first, "id: ");
    let event: serde_json::Value = serde_json::from_str(&next(&mut first, "data: ")).unwrap();
    assert_eq!((event["type"].as_str(), event["id"].as_str()), (Some("camera.down"), Some(id.as_str())));
    assert_eq!((event["reason"].as_str(), event["camera"].as_str()), (Some("refused"), Some("absent")));
    // Who has had it does not get it again: only the greeting comes.
    let mut second = listen(&id);
    assert_eq!(next(&mut second, ": "), "events of maskwatch");
    let begin = Instant::now();
    assert_eq!(app.stop().code(), Some(0));
    assert!(begin.elapsed() < Duration::from_secs(5), "listeners do not hold up the end");
    let mut rest = String::new();
    second.read_to_string(&mut rest).unwrap_or_default();
    assert!(!rest.contains(&id), "{rest}");
}

#[test]
fn the_schema_of_events_is_the_one_checked_in() {
    let file = support::root().join("deploy/docs/event.schema.json");
    let now = maskwatch::events::event::schema().unwrap();
    if std::env::var_os("MASKWATCH_BLESS").is_some() {
        std::fs::write(&file, &now).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(now == written, "out of date: maskwatch schema --events > deploy/docs/event.schema.json");
}
