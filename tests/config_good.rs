//! The configurations that we ship are good, complete, and agree with the schema.

// Helpers outside of test functions fail by panicking too.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use maskwatch::config::plan::{Plan, SinkTarget, Transport};
use maskwatch::config::{self, ConfigError, Surroundings, schema};
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn parse(text: &str) -> Result<Plan, ConfigError> {
    let env = |name: &str| match name {
        "NORTH_GATE_PASSWORD" => Some("0123".to_owned()),
        "MASKWATCH_HTTP_PASSWORD" | "MASKWATCH_RTSP_PASSWORD" | "MASKWATCH_MQTT_PASSWORD" | "MASKWATCH_HOOK_SECRET" => {
            Some("pw".to_owned())
        }
        _ => None,
    };
    config::parse(text, &Surroundings::new("test.yaml", root().join("config"), &env))
}

fn shipped(name: &str) -> String {
    fs::read_to_string(root().join("config").join(name)).unwrap()
}

#[test]
fn the_shipped_files_are_good() {
    for name in ["maskwatch.yaml", "full.yaml"] {
        let plan = parse(&shipped(name)).unwrap_or_else(|error| panic!("{error}"));
        assert!(!plan.cameras.is_empty(), "{name}");
    }
}

#[test]
fn the_schema_is_the_one_checked_in() {
    let file = root().join("config/maskwatch.schema.json");
    let now = schema::json().unwrap();
    if std::env::var_os("MASKWATCH_BLESS").is_some() {
        fs::write(&file, &now).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(now == written, "out of date: maskwatch schema > config/maskwatch.schema.json");
}

/// The file as JSON, as an editor's YAML server sees it.
fn as_json(name: &str) -> Value {
    serde_yaml::from_str(&shipped(name)).unwrap()
}

#[test]
fn the_shipped_files_fit_the_schema() {
    let schema: Value = serde_json::from_str(&schema::json().unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for name in ["maskwatch.yaml", "full.yaml"] {
        let errors: Vec<_> = validator.iter_errors(&as_json(name)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
    for bad in [r#"{"cameras":[]}"#, r#"{"cameras":[{"name":"a"}]}"#, r#"{"cameras":[{"name":"A","url":"rtsp://a/"}]}"#]
    {
        let bad: Value = serde_json::from_str(bad).unwrap();
        assert!(!validator.is_valid(&bad), "{bad}");
    }
}

/// Every key that the schema recommends, below a camera or a server as `camera.url`.
fn keys_of_the_schema() -> BTreeSet<String> {
    let schema: Value = serde_json::from_str(&schema::json().unwrap()).unwrap();
    let mut keys = BTreeSet::new();
    let mut add = |prefix: &str, object: &Value| {
        for (key, about) in object["properties"].as_object().unwrap() {
            if about["deprecated"] != true {
                keys.insert(format!("{prefix}{key}"));
            }
        }
    };
    add("", &schema);
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        if definition["properties"].is_object() {
            add(&format!("{}.", name.to_lowercase()), definition);
        }
    }
    keys
}

#[test]
fn the_full_file_shows_every_key() {
    let text = shipped("full.yaml");
    for key in keys_of_the_schema() {
        let name = key.rsplit('.').next().unwrap();
        let shown = text.lines().any(|line| {
            let line = line.trim_start_matches([' ', '-', '#']);
            line.starts_with(&format!("{name}:"))
                || line.contains(&format!("{{ {name}:"))
                || line.contains(&format!(", {name}:"))
        });
        assert!(shown, "{key} is not in config/full.yaml");
    }
}

#[test]
fn a_key_without_effect_is_told_and_refuses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("maskwatch.yaml");
    fs::write(&file, "inference:\n  max_batch: 4\n  max_wait: 20ms\ncameras: [{ name: a, url: rtsp://h/1 }]\n")
        .unwrap();
    let loaded = config::load_all(&file);
    assert_eq!(loaded.plan.unwrap().inference.max_batch, 4);
    let told: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        ["3: inference.max_wait: has no effect any more (leave it out: a frame waits only while the detector is busy)"]
    );
}

#[test]
fn defaults_go_into_cameras_and_cameras_win() {
    let plan = parse(
        "defaults: { analyze_fps: 2, transport: udp, username: ops, password: a, labels: { site: x }, \
         output: { bitrate_kbps: 500 } }\n\
         cameras:\n\
         - { name: a, url: rtsp://h/1 }\n\
         - { name: b, url: rtsp://h/2, analyze_fps: 0, username: eve, password: 0123, labels: { zone: y }, \
             output: { max_fps: 10 } }\n",
    )
    .unwrap();
    let [a, b] = &plan.cameras[..] else { panic!("{plan:?}") };
    assert_eq!((a.analyze_fps, a.transport, a.output.bitrate_kbps), (2.0, Transport::Udp, 500));
    assert_eq!((b.analyze_fps, b.transport, b.output.bitrate_kbps), (0.0, Transport::Udp, 500));
    assert_eq!((a.output.max_fps, b.output.max_fps), (None, Some(10)));
    assert_eq!(a.credentials.as_ref().unwrap().username, "ops");
    let b_login = b.credentials.as_ref().unwrap();
    assert_eq!((b_login.username.as_str(), b_login.password.expose()), ("eve", "0123"), "a number stays text");
    assert_eq!(b.labels.keys().collect::<Vec<_>>(), ["site", "zone"]);
    assert_eq!(a.timeout, Duration::from_millis(2500));
}

#[test]
fn variables_and_password_files_are_read() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("pw"), "s3cret\n").unwrap();
    let text =
        "cameras:\n- { name: a, url: \"rtsp://${HOST}/1\", username: u, password_file: pw, analyze_fps: \"${FPS}\" }";
    let env = |name: &str| match name {
        "HOST" => Some("cam".to_owned()),
        "FPS" => Some("7.5".to_owned()),
        _ => None,
    };
    let around = Surroundings::new("x.yaml", folder.path().to_path_buf(), &env);
    let plan = config::parse(text, &around).unwrap();
    let camera = &plan.cameras[0];
    assert_eq!(camera.url.expose(), "rtsp://cam/1");
    assert_eq!(camera.credentials.as_ref().unwrap().password.expose(), "s3cret");
    assert_eq!(camera.analyze_fps, 7.5);
    assert!(!format!("{plan:?}").contains("s3cret"));
}

#[test]
fn a_variable_cannot_smuggle_yaml_in() {
    let env = |_: &str| Some("x, insecure: true, y: {".to_owned());
    let around = Surroundings::new("x.yaml", PathBuf::new(), &env);
    let error = config::parse("cameras: [{ name: \"${N}\", url: rtsp://h/1 }]", &around).unwrap_err();
    assert_eq!(error.problems().len(), 1, "{error}");
    assert_eq!(error.problems()[0].path, "cameras[0].name");
}

#[test]
fn open_servers_need_a_password_or_the_word() {
    let cameras = "cameras: [{ name: a, url: rtsp://h/1 }]\n";
    let open = "http: { listen: 0.0.0.0:8080 }\nrtsp: { listen: 0.0.0.0:8554, username: a, password: b }\n";
    assert_eq!(parse(&format!("{open}{cameras}")).unwrap_err().problems().len(), 1);
    assert!(parse(&format!("{open}insecure: true\n{cameras}")).is_ok());
    let closed = "http: { listen: 0.0.0.0:8080, username: a, password: b }\n";
    assert!(parse(&format!("{closed}{cameras}")).unwrap().http.auth.is_some());
}

#[test]
fn events_have_their_defaults_and_print_no_secret() {
    let plan = parse(
        "cameras: [{ name: a, url: rtsp://h/1 }]\n\
         events:\n  compliance: { target: 0.8 }\n  sinks:\n\
         \x20   - { name: log, type: jsonl, path: events.jsonl }\n\
         \x20   - { name: hook, type: webhook, url: 'https://h/T0KEN', secret: s3cret }\n\
         \x20   - { name: bus, type: mqtt, url: 'mqtts://broker', username: u, password: s3cret }\n\
         \x20   - { name: nats, type: nats, url: 'nats://broker:4333', subject: 'a.{type}' }\n",
    )
    .unwrap();
    let events = &plan.events;
    assert_eq!((events.person_every, events.spool_bytes), (Duration::from_secs(30), 64 << 20));
    let alert = events.compliance.unwrap();
    assert_eq!((alert.target, alert.hold, alert.minimum), (0.8, Duration::from_secs(300), 20));
    let [log, hook, bus, nats] = &events.sinks[..] else { panic!("{events:?}") };
    let SinkTarget::Jsonl(log) = &log.target else { panic!("{log:?}") };
    assert_eq!((&log.path, log.rotate_bytes, log.keep), (&root().join("config/events.jsonl"), 16 << 20, 5));
    let SinkTarget::Webhook(hook) = &hook.target else { panic!("{hook:?}") };
    assert_eq!((hook.remote.timeout, hook.remote.url.expose()), (Duration::from_secs(5), "https://h/T0KEN"));
    let SinkTarget::Mqtt(bus) = &bus.target else { panic!("{bus:?}") };
    assert_eq!((bus.topic.as_str(), bus.remote.url.port_or(8883)), ("maskwatch/{camera}/{type}", 8883));
    let SinkTarget::Nats(nats) = &nats.target else { panic!("{nats:?}") };
    assert_eq!((nats.stream.as_str(), nats.subject.as_str()), ("MASKWATCH", "a.{type}"));
    assert!(!format!("{plan:?}").contains("s3cret") && !format!("{plan:?}").contains("T0KEN"));
}

#[test]
fn keys_may_be_empty() {
    assert!(parse("events: {}\ncameras: [{ name: a, url: rtsp://h/1, zones: [], privacy: off }]").is_ok());
}

#[test]
fn zones_lines_and_masks_become_areas() {
    let plan = parse(
        "defaults: { min_face_px: 12, zones: [{ name: all, polygon: [[0, 0], [1, 0], [1, 1]] }] }\n\
         cameras:\n\
         - { name: a, url: rtsp://h/1 }\n\
         - { name: b, url: rtsp://h/2, min_face_px: 20, output: { zones: true }, zones: [\
             { name: door, line: [[0.2, 0.7], [0.8, 0.7]] }, { name: hall, polygon: [[0, 0], [1, 0], [1, 1]] },\
             { name: poster, polygon: [[0, 0], [0.1, 0], [0, 0.1]], ignore: true }] }\n\
         - { name: c, url: rtsp://h/3, zones: [] }\n",
    )
    .unwrap();
    let [a, b, c] = &plan.cameras[..] else { panic!("{plan:?}") };
    assert_eq!((a.places(), a.areas.min_face_height_px, a.output.zones), (vec!["all".to_owned()], 12.0, false));
    assert_eq!(b.places(), ["hall", "door:forward", "door:backward"], "a camera's own zones replace those of all");
    assert_eq!((b.areas.ignore.len(), b.areas.min_face_height_px, b.output.zones), (1, 20.0, true));
    assert_eq!(c.places(), Vec::<String>::new());
}

#[test]
fn the_state_has_its_folder() {
    let plan = |key: &str, given: Option<&str>| {
        let env = |name: &str| given.filter(|_| name == "STATE_DIRECTORY").map(str::to_owned);
        let around = Surroundings::new("x.yaml", PathBuf::from("/etc/maskwatch"), &env);
        config::parse(&format!("{key}cameras: [{{ name: a, url: rtsp://h/1 }}]"), &around).unwrap().state_dir.unwrap()
    };
    assert_eq!(plan("", None), PathBuf::from("/etc/maskwatch/state"));
    assert_eq!(plan("", Some("/var/lib/maskwatch:/var/lib/other")), PathBuf::from("/var/lib/maskwatch"));
    assert_eq!(plan("state_dir: here\n", Some("/var/lib/maskwatch")), PathBuf::from("/etc/maskwatch/here"));
    assert_eq!(plan("state_dir: /srv/state\n", None), PathBuf::from("/srv/state"));
}
