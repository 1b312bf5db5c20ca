//! What people really write: empty secrets, passwords with odd characters, YAML of another time. Each works, or is refused
//! with its line and what to write instead; no message ever repeats a password.

// Helpers outside of test functions fail by panicking too.
#![allow(clippy::unwrap_used)]

#[path = "config_careless/never_printed.rs"]
mod never_printed;
#[path = "config_careless/odd_passwords.rs"]
mod odd_passwords;
#[path = "config_careless/other_yamls.rs"]
mod other_yamls;

use std::collections::BTreeMap;
use std::path::Path;

use maskwatch::config::plan::{CameraPlan, Plan};
use maskwatch::config::{self, ConfigError, Surroundings};

fn parse_with(text: &str, folder: &Path, variables: &BTreeMap<&str, String>) -> Result<Plan, ConfigError> {
    let env = |name: &str| variables.get(name).cloned();
    let around = Surroundings::new("c.yaml", folder.to_path_buf(), &env);
    config::parse(text, &around)
}

/// Read with a few variables and a folder of files that hold no secret.
fn parse(text: &str) -> Result<Plan, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [
        ("empty", b"".as_slice()),
        ("line", b"\n"),
        ("blanks", b" \t\r\n"),
        ("bom", b"\xef\xbb\xbf\n"),
        ("two", b"pa55\nw0rd\n"),
        ("good", b"pa55\r\n"),
    ] {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let variables =
        [("EMPTY", ""), ("BLANKS", " \t"), ("LINE", "\n"), ("PW", "pa55\n"), ("NULL", "null"), ("WORD", "x")];
    parse_with(text, folder.path(), &variables.map(|(name, value)| (name, value.to_owned())).into())
}

/// The problems, without the file's name.
fn problems(text: &str) -> Vec<String> {
    match parse(text) {
        Ok(_) => Vec::new(),
        Err(error) => error.problems().iter().map(ToString::to_string).collect(),
    }
}

fn plan(text: &str) -> Plan {
    parse(text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

/// The only camera of a configuration.
fn camera(keys: &str) -> CameraPlan {
    let text = format!("cameras:\n  - name: a\n    url: rtsp://127.0.0.1:1/x\n{keys}");
    plan(&text).cameras.remove(0)
}

const CAMERA: &str = "cameras: [{ name: a, url: 'rtsp://h/1' }]\n";

/// Everything that is no secret, as it can stand behind `password:`.
const NO_SECRETS: [&str; 13] = [
    "",
    "~",
    "null",
    "NULL",
    "\"\"",
    "''",
    "\"  \"",
    "\"\\n\"",
    "|",
    "${EMPTY}",
    "\"${EMPTY}\"",
    "${BLANKS}",
    "${LINE}${EMPTY}",
];
const NO_SECRET_FILES: [&str; 4] = ["empty", "line", "blanks", "bom"];

/// Wherever a secret is meant: with `KEY: VALUE` to come in line 2, at this path.
const PLACES: [(&str, &str, &str); 7] = [
    ("http: { listen: 0.0.0.0:1, username: a,\n", " }\n", "http"),
    ("rtsp: { listen: '[::]:1', username: a,\n", " }\n", "rtsp"),
    ("http: { username: a,\n", " }\n", "http"),
    ("defaults: { username: a,\n", " }\n", "defaults"),
    ("cameras: [{ name: a, url: 'rtsp://h/1', username: a,\n", " }]\n", "cameras[0]"),
    ("events: { sinks: [{ name: m, type: mqtt, url: 'mqtt://h', username: a,\n", " }]}\n", "events.sinks[0]"),
    ("events: { sinks: [{ name: w, type: webhook, url: 'http://h', username: a,\n", " }]}\n", "events.sinks[0]"),
];

#[test]
fn an_empty_secret_is_no_secret_anywhere() {
    let refused = |text: &str, path: &str| {
        let problems = problems(text);
        let begin = format!("2: {path}: ");
        assert!(problems.iter().any(|problem| problem.starts_with(&begin)), "{text}\n{problems:#?}");
    };
    for (before, after, path) in PLACES {
        let rest = if path.starts_with("cameras") { "" } else { CAMERA };
        for insecure in ["", "insecure: true\n"] {
            for value in NO_SECRETS.into_iter().filter(|value| *value != "|") {
                refused(&format!("{before}  password: {value}{after}{rest}{insecure}"), &format!("{path}.password"));
                refused(
                    &format!("{before}  username: {value}, password: x{after}{rest}{insecure}")
                        .replace("username: a,", ""),
                    &format!("{path}.username"),
                );
            }
            for file in NO_SECRET_FILES {
                refused(
                    &format!("{before}  password_file: {file}{after}{rest}{insecure}"),
                    &format!("{path}.password_file"),
                );
            }
        }
    }
    for value in NO_SECRETS {
        let hook = "events:\n  sinks:\n  - name: w\n    type: webhook\n    url: http://h\n";
        let problems = problems(&format!("{hook}    secret: {value}\n{CAMERA}"));
        assert!(
            problems.len() == 1 && problems[0].starts_with("6: events.sinks[0].secret: an empty secret ("),
            "{value}: {problems:?}"
        );
    }
    for file in NO_SECRET_FILES {
        refused(
            &format!(
                "events: {{ sinks: [{{ name: w, type: webhook, url: 'http://h',\n  secret_file: {file} }}]}}\n{CAMERA}"
            ),
            "events.sinks[0].secret_file",
        );
    }
}

#[test]
fn messages_about_empty_secrets() {
    let http = "http: { listen: 0.0.0.0:1, username: a, password: ";
    for (value, expected) in [
        (
            "${EMPTY}",
            "1: http.password: an empty secret (environment variable EMPTY is empty: set it, or take the key out)",
        ),
        ("~", "1: http.password: an empty secret (quote it where the word itself is meant)"),
        (
            "''",
            "1: http.password: an empty secret (write a value, in quotes where it begins with `#`; or take the key out)",
        ),
        ("\"a\\nb\"", "1: http.password: a secret of several lines, or with control characters (write one line)"),
    ] {
        assert_eq!(problems(&format!("{http}{value} }}\n{CAMERA}")), [expected]);
    }
    let file = problems(&format!("http: {{ username: a, password_file: ${{WORD}} }}\n{CAMERA}"));
    assert!(file[0].starts_with("1: http.password_file: `${WORD}` cannot be read: "), "{file:?}");
    let open = "0.0.0.0:1 is open to the network without a password";
    for login in ["", ", username: a", ", password: x"] {
        let problems = problems(&format!("http: {{ listen: 0.0.0.0:1{login} }}\n{CAMERA}"));
        assert!(!problems.is_empty() && (problems[0].contains(open) || !login.is_empty()), "{problems:?}");
    }
    assert!(plan(&format!("http: {{ listen: 0.0.0.0:1 }}\ninsecure: true\n{CAMERA}")).http.auth.is_none());
    assert!(plan(&format!("{http}${{PW}} }}\n{CAMERA}")).http.auth.is_some());
}

#[test]
fn secrets_lose_their_last_line_break_and_nothing_else() {
    for (value, password) in [
        ("${PW}", "pa55"),
        ("\"${PW}\"", "pa55"),
        ("'x${PW}'", "xpa55"),
        ("|\n      pa55", "pa55"),
        ("${NULL}", "null"),
        ("'~'", "~"),
        ("' pa55 '", " pa55 "),
        ("0123", "0123"),
        ("no", "no"),
        ("1e3", "1e3"),
        ("!!str 0123", "0123"),
        ("pa55 # a comment", "pa55"),
        ("${PW} #a comment", "pa55"),
        ("pa#5:5", "pa#5:5"),
        ("'@%&*!|>[{#'", "@%&*!|>[{#"),
        ("\"a\\u00df\\\\\"", "aß\\"),
        ("a'b\"c", "a'b\"c"),
    ] {
        let camera = camera(&format!("    username: u\n    password: {value}\n"));
        assert_eq!(camera.credentials.unwrap().password.expose(), password, "{value}");
    }
    let camera = camera("    username: u\n    password_file: good\n");
    assert_eq!(camera.credentials.unwrap().password.expose(), "pa55");
}

#[test]
fn what_is_empty_never_vanishes() {
    for (text, place) in [
        ("cameras:\n- name:\n  url: rtsp://h/1\n", "2: cameras[0].name: "),
        ("cameras:\n- name: a\n  url: ${EMPTY}\n", "3: cameras[0].url: "),
        ("cameras:\n- name: a\n  url: \"${EMPTY}\"\n", "3: cameras[0].url: "),
        ("cameras:\n- name: a\n  url: \"\"\n", "3: cameras[0].url: "),
        ("cameras:\n- { name: a, url: 'rtsp://h/1' }\n-\n", "3: cameras[1]: "),
        ("cameras:\n- { name: a, url: 'rtsp://h/1' }\n- ${EMPTY}\n", "3: cameras[1]: "),
        ("cameras:\n- { name: a, url: 'rtsp://h/1' }\n- {}\n", "3: cameras[1]: "),
        ("cameras:\n", "1: cameras: "),
        ("cameras: []\n", "1: cameras: no cameras (add for example:"),
        ("", "1: cameras: no cameras (add for example:"),
    ] {
        let problems = problems(text);
        assert!(problems.iter().any(|problem| problem.starts_with(place)), "{text}\n{problems:#?}");
    }
}

/// Keys that are written and empty, outside of cameras.
const EMPTY_KEYS: [&str; 18] = [
    "state_dir: ''",
    "state_dir: ~",
    "http: { listen: }",
    "insecure:",
    "inference: { classifier: }",
    "inference: { models_dir: '' }",
    "inference: { library: ${EMPTY} }",
    "events: { person_every: }",
    "events: { compliance: { target: } }",
    "events: { sinks: [{ name: , type: jsonl, path: a }] }",
    "events: { sinks: [{ name: a, type: , path: a }] }",
    "events: { sinks: [{ name: a, type: jsonl, path: }] }",
    "events: { sinks: [{ name: a, type: mqtt, url: ${EMPTY} }] }",
    "events: { sinks: [{ name: a, type: mqtt, url: 'mqtt://h', topic: }] }",
    "events: { sinks: [''] }",
    "events: { sinks: }",
    "events: { sinks: [{ name: a, type: nats, url: 'nats://h', ca_file: '' }] }",
    "events: { sinks: [{ name: a, type: nats, url: 'nats://h', stream: '', subject: ~ }] }",
];

#[test]
fn an_empty_value_is_not_one_left_out() {
    let nothing = "(write a value, in quotes where it begins with `#`; or take the key out)";
    let zone = "zones: [{ name: z, polygon: [[0, 0], [1, 0], [1, 1]]";
    for (line, place) in [
        ("labels: { site: }".to_owned(), "labels.site: nothing where text is expected"),
        ("labels: { site: '' }".to_owned(), "labels.site: nothing where text is expected"),
        ("labels:".to_owned(), "labels: nothing where a mapping (`key: value`) is expected"),
        ("zones:".to_owned(), "zones: nothing where a list is expected"),
        ("zones: [ '' ]".to_owned(), "zones[0]: nothing where a mapping (`key: value`) is expected"),
        (format!("{zone}, line: }}]"), "zones[0].line: nothing where a list is expected"),
        (format!("{zone}, ignore: }}]"), "zones[0].ignore: nothing where true or false is expected"),
        (
            "zones: [{ name: , polygon: [[0, 0], [1, 0], [1, 1]] }]".to_owned(),
            "zones[0].name: nothing where text is expected",
        ),
        ("output: { max_fps: }".to_owned(), "output.max_fps: nothing where a whole number from 0 is expected"),
        ("min_score:".to_owned(), "min_score: nothing where a number is expected"),
        ("timeout: ''".to_owned(), "timeout: nothing where text is expected"),
        ("transport:".to_owned(), "transport: nothing where one of tcp, udp, auto is expected"),
        ("privacy:".to_owned(), "privacy: nothing where one of off, blur, statistics is expected"),
        ("username:".to_owned(), "username: nothing where text is expected"),
    ] {
        let text = format!("cameras:\n- name: a\n  url: rtsp://h/1\n  {line}\n");
        assert_eq!(problems(&text), [format!("4: cameras[0].{place} {nothing}")], "{text}");
        let shared = format!("{CAMERA}defaults:\n\n\n  {line}\n");
        assert_eq!(problems(&shared), [format!("5: defaults.{place} {nothing}")], "{shared}");
    }
    for line in EMPTY_KEYS {
        let problems = problems(&format!("{CAMERA}{line}\n"));
        assert!(
            !problems.is_empty() && problems.iter().all(|problem| problem.starts_with("2: ")),
            "{line}: {problems:?}"
        );
    }
}

#[test]
fn variables_in_brackets() {
    for flow in ["password: ${PW} }", "password: ${PW}}", "password: ${PW}, timeout: 5s }", "password: \"${PW}\" }"] {
        let plan = plan(&format!("cameras:\n- {{ name: a, url: 'rtsp://h/1', username: u, {flow}\n"));
        assert_eq!(plan.cameras[0].credentials.as_ref().unwrap().password.expose(), "pa55", "{flow}");
    }
    let plan = plan("cameras: [{ name: ${WORD}, url: rtsp://${WORD}/1, labels: { a: ${WORD}${WORD} } }]");
    assert_eq!((plan.cameras[0].name.as_str(), plan.cameras[0].url.expose()), ("x", "rtsp://x/1"));
    assert_eq!(plan.cameras[0].labels["a"], "xx");
}

#[test]
fn merge_keys() {
    let text = "x-base: &base\n  transport: udp\n  timeout: 5s\nx-more: &more\n  timeout: 7s\n  weight: 3\n\
                cameras:\n- &first\n  <<: *base\n  name: a\n  url: rtsp://h/1\n\
                - <<: [*more, *base]\n  name: b\n  url: rtsp://h/2\n\
                - <<: *first\n  name: c\n  weight: 2\n";
    let cameras = plan(text).cameras;
    let told = |camera: &CameraPlan| (camera.timeout.as_secs(), camera.weight, format!("{:?}", camera.transport));
    assert_eq!(
        cameras.iter().map(told).collect::<Vec<_>>(),
        [(5, 1, "Udp".into()), (7, 3, "Udp".into()), (5, 2, "Udp".into())]
    );
    assert_eq!(cameras[2].url.expose(), "rtsp://h/1");
    // Unknown keys are found where they are written, known ones are checked there.
    let bad = "x-base: &base\n  timeout: 5\n  colour: red\ncameras:\n- <<: *base\n  name: a\n  url: rtsp://h/1\n  colour: blue\n\
               - { <<: *base, name: a, url: 'rtsp://h/2' }\n";
    let problems = problems(bad);
    let expected = [
        "2: cameras[0].timeout: `5` is no duration",
        "2: cameras[1].timeout: `5` is no duration",
        "3: cameras[1].colour: unknown key (known here: ",
        "8: cameras[0].colour: unknown key (known here: ",
        "9: cameras[1].name: `a` is the name of another camera (see line 6)",
    ];
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.starts_with(expected), "{problem}");
    }
    // A place for anchors is at the top alone.
    let inner = self::problems("cameras:\n- { name: a, url: 'rtsp://h/1', x-base: 1 }\n");
    assert!(inner[0].starts_with("2: cameras[0].x-base: unknown key"), "{inner:?}");
}

#[test]
fn addresses_of_sinks_keep_their_passwords_too() {
    let sink = |kind: &str, url: &str| {
        problems(&format!("{CAMERA}events: {{ sinks: [{{ name: s, type: {kind}, url: '{url}' }}] }}\n"))
    };
    let login = "user name or password inside the URL (move them to `username` and `password` or `password_file`)";
    for password in ["Hun#ter22", "Hun/ter22", "Hun?ter22", "Hun[ter22", "Hun@ter22", "Hun:ter22", "Hun ter22"] {
        for (kind, scheme) in [("webhook", "https"), ("mqtt", "mqtt"), ("nats", "NATS")] {
            assert_eq!(
                sink(kind, &format!("{scheme}://ops:{password}@h:1")),
                [format!("2: events.sinks[0].url: {login}")]
            );
        }
    }
    for (kind, url, expected) in [
        ("mqtt", "h:1883", "not a URL: `://` is missing (such as mqtt://127.0.0.1:1883)"),
        (
            "webhook",
            "https://[fe80::1%eth0]/x",
            "an IPv6 address with a zone, which sinks do not take (write the address without its zone (`%eth0`), or a name)",
        ),
    ] {
        assert_eq!(sink(kind, url), [format!("2: events.sinks[0].url: {expected}")]);
    }
    for (kind, url) in
        [("webhook", "HTTPS://hook_1.lan/a@b"), ("mqtt", "MQTT://10.0.0.1"), ("webhook", "http://10.0.0.1:80/a@b/c")]
    {
        assert_eq!(sink(kind, url), Vec::<String>::new(), "{url}");
    }
}
