//! What people really write: empty secrets, passwords with odd characters, YAML of another time. Each works, or is refused
//! with its line and what to write instead; no message ever repeats a password.

// Helpers outside of test functions fail by panicking too.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use maskwatch::config::plan::{CameraPlan, Plan};
use maskwatch::config::{self, ConfigError, Surroundings};
use proptest::prelude::*;

fn parse_with(text: &str, folder: &Path, variables: &BTreeMap<&str, String>) -> Result<Plan, ConfigError> {
    let env = |name: &str| variables.get(name).cloned();
    let around = Surroundings { file: PathBuf::from("c.yaml"), folder: folder.to_path_buf(), env: &env };
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
    for line in [
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
    ] {
        let problems = problems(&format!("{CAMERA}{line}\n"));
        assert!(
            !problems.is_empty() && problems.iter().all(|problem| problem.starts_with("2: ")),
            "{line}: {problems:?}"
        );
    }
}

#[test]
fn passwords_that_yaml_takes_for_something_else() {
    let quote = "(quote the value: '…', and write a ' in it twice)";
    let begin = "6: cameras[0].password: ";
    for (value, expected) in [
        ("@Hunter22", format!("not YAML: an unquoted value cannot begin so {quote}")),
        ("%Hunter22", format!("not YAML: an unquoted value cannot begin so {quote}")),
        ("`Hunter22", format!("not YAML: an unquoted value cannot begin so {quote}")),
        ("[Hunter22", format!("not YAML: while parsing a flow sequence, expected ',' or ']' {quote}")),
        ("{Hunter22", format!("not YAML: while parsing a flow mapping, did not find expected ',' or '}}' {quote}")),
        ("Hun: ter22", format!("not YAML: mapping values are not allowed in this context {quote}")),
        (
            "*Hunter22",
            "not YAML: while parsing node, found unknown anchor (`*` stands for what an `&` has named before; quote the \
             value where the `*` belongs to it)"
                .to_owned(),
        ),
        (
            "\"Hunter\\d22\"",
            "not YAML: while parsing a quoted scalar, found unknown escape character (between double quotes, `\\` begins an \
             escape: use single quotes)"
                .to_owned(),
        ),
        ("&Hunter22", "`&` begins an anchor, a name for later (quote the value where the `&` belongs to it)".to_owned()),
        ("&Hun ter22", "`&` begins an anchor, a name for later (quote the value where the `&` belongs to it)".to_owned()),
        (
            "!Hunter22",
            "`!` begins a tag, and tags are not supported (quote the value where the `!` belongs to it; a secret is named as \
             ${VARIABLE} or in a file)"
                .to_owned(),
        ),
        (
            "!secret gate",
            "`!` begins a tag, and tags are not supported (quote the value where the `!` belongs to it; a secret is named as \
             ${VARIABLE} or in a file)"
                .to_owned(),
        ),
        ("[Hunter22]", "a list where text is expected".to_owned()),
        ("{Hunter22}", "a mapping where text is expected".to_owned()),
        ("{Hunter22: [x], Hunter22: 1}", "the key is written twice (first in line 6; keep one)".to_owned()),
        ("- Hunter22", "not YAML: block sequence entries are not allowed in this context (quote the value: '…', and write a ' in it twice)".to_owned()),
        (
            "Hunter22 #x",
            "`#` after a blank ends the value and begins a comment (quote the value where the `#` belongs to it; begin a \
             comment with `# `)"
                .to_owned(),
        ),
        (
            "#Hunter22",
            "an empty secret (write a value, in quotes where it begins with `#`; or take the key out)".to_owned(),
        ),
        ("Hun${ter22", "`${` without `}` (write ${NAME}, or $${ for the characters ${)".to_owned()),
        ("Hun${ter22}", "the environment variable in it is not set (set it; write $${ for the characters ${)".to_owned()),
        (
            "Hun${ter 22}",
            "`${…}` names no environment variable (a name has letters, digits and `_`; write $${ for the characters ${)".to_owned(),
        ),
        ("${NOT_SET}", "environment variable NOT_SET is not set (set it: export NOT_SET=…)".to_owned()),
    ] {
        let text = format!("http: {{ listen: 127.0.0.1:0 }}\ncameras:\n- name: a\n  url: rtsp://h/1\n  username: u\n  password: {value}\n");
        let problems = problems(&text);
        assert!(problems.contains(&format!("{begin}{expected}")), "{value}: {problems:#?}");
        for problem in &problems {
            assert!(problem.starts_with(begin), "{value}: {problem}");
            assert!(!problem.contains("Hun") && !problem.contains("ter22"), "{value}: {problem}");
        }
    }
    let shared = "defaults: { username: u, password: &pw pa55 }\ncameras:\n- { name: a, url: 'rtsp://h/1' }\n\
                  - { name: b, url: 'rtsp://h/2', username: v, password: *pw }\n";
    for camera in plan(shared).cameras {
        assert_eq!(camera.credentials.unwrap().password.expose(), "pa55");
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
fn words_of_other_yamls() {
    for (word, told) in [
        ("true", Ok(true)),
        ("True", Ok(true)),
        ("TRUE", Ok(true)),
        ("false", Ok(false)),
        ("False", Ok(false)),
        ("yes", Err("true")),
        ("On", Err("true")),
        ("y", Err("true")),
        ("no", Err("false")),
        ("OFF", Err("false")),
    ] {
        let text = format!("cameras:\n- name: a\n  url: rtsp://h/1\n  insecure_tls: {word}\n");
        match told {
            Ok(value) => assert_eq!(plan(&text).cameras[0].insecure_tls, value, "{word}"),
            Err(write) => {
                let expected =
                    format!("4: cameras[0].insecure_tls: `{word}` where true or false is expected (write {write})");
                assert_eq!(problems(&text), [expected]);
            }
        }
    }
    for name in ["no", "007", "1e3", "2024-01-01", "1", "off"] {
        assert_eq!(plan(&format!("cameras: [{{ name: {name}, url: 'rtsp://h/1' }}]")).cameras[0].name, name);
    }
    assert_eq!(
        problems("cameras:\n- name: null\n  url: rtsp://h/1\n"),
        ["2: cameras[0].name: nothing where text is expected (quote it where the word itself is meant)"]
    );
    assert_eq!(plan("cameras: [{ name: 'null', url: 'rtsp://h/1' }]").cameras[0].name, "null");
    assert_eq!(
        problems("cameras:\n  a:\n    url: rtsp://h/1\n"),
        [
            "1: cameras: a mapping where a list is expected (write `- ` before each item, and what it is called as its `name`)"
        ]
    );
    assert_eq!(
        problems("http:\n\tlisten: 127.0.0.1:1\ncameras:\n- name: a\n"),
        [
            "2: http: not YAML: tabs disallowed within this context (block indentation) (indent with blanks; YAML takes no tabs there)"
        ]
    );
}

#[test]
fn files_of_any_text_encoding() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.yaml");
    let text = "cameras:\n- name: a\n  url: rtsp://h/1\n  labels: { site: été }\n";
    let utf16 = |bytes: fn(u16) -> [u8; 2], text: &str| text.encode_utf16().flat_map(bytes).collect::<Vec<_>>();
    let marked = format!("\u{feff}{text}");
    for (what, bytes) in [
        ("UTF-8", text.as_bytes().to_vec()),
        ("UTF-8 with a mark", marked.as_bytes().to_vec()),
        ("CR LF", text.replace('\n', "\r\n").into_bytes()),
        ("UTF-16LE", utf16(u16::to_le_bytes, &marked)),
        ("UTF-16BE", utf16(u16::to_be_bytes, &marked)),
        ("UTF-16LE without a mark", utf16(u16::to_le_bytes, text)),
        ("UTF-16BE without a mark", utf16(u16::to_be_bytes, &text.replace('\n', "\r\n"))),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let plan = config::load(&file).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(plan.cameras[0].labels["site"], "été", "{what}");
    }
    // Latin-1: no guess is made.
    std::fs::write(&file, text.as_bytes().iter().map(|b| if *b == 0xc3 { b'x' } else { *b }).collect::<Vec<_>>())
        .unwrap();
    let said = config::load(&file).unwrap_err().to_string();
    assert_eq!(said, format!("{}:4: not text in UTF-8 (save the file as UTF-8)", file.display()));
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

/// Passwords of which every piece can be told from everything else that a message says.
fn password() -> impl Strategy<Value = String> {
    "([0-9]{0,2}[ -/:-@\\[-`{-~]{0,2}zq[0-9]{0,2}){1,4}[ -/:-@\\[-`{-~]{0,2}"
}

/// What people write around a password, right and wrong; `@@` is where it goes.
const TEMPLATES: [&str; 46] = [
    "cameras:\n- name: a\n  url: rtsp://h/1\n  username: u\n  password: @@\n  labels: { a: b }\n",
    "cameras:\n- name: a\n  url: rtsp://h/1\n  username: u\n  password:@@\n  labels: { a: b }\n",
    "cameras:\n- name: a\n  url: rtsp://h/1\n  username: u\n  password @@\n  labels: { a: b }\n",
    "cameras:\n- name: a\n  url: rtsp://h/1\n  username: u\n  password = @@\n",
    "cameras:\n- name: a\n  url: rtsp://h/1\n  password=@@\n  username: u\n",
    "cameras:\n- password: @@\n  name: a\n  url: rtsp://h/1\n  username: u\n  password: @@\n",
    "cameras:\n- name: a\n  url: rtsp://h/1\n  username: u\n  password: \"@@\"\n",
    "cameras:\n- name: a\n  url: rtsp://h/1\n  username: u\n  password: '@@'\n",
    "cameras:\n- name: a\n  url: rtsp://h/1\n  username: u\n  password: \"@@\n  timeout: 5s\n",
    "cameras:\n- name: a\n  url: rtsp://h/1\n  username: u\n  password: '@@\n  timeout: 5s\n",
    "cameras:\n- name: a\n  url: rtsp://h/1\n  username: u\n  password: @@\"\n  timeout: 5s\n",
    "cameras:\n- name: a\n  url: rtsp://h/1\n  username: u\n\tpassword: @@\n",
    "cameras:\n- name: a\n  url: rtsp://h/1\n  username: u\n password: @@\n",
    "cameras:\n- name: a\n  url: rtsp://h/1\n  username: u\n    password: @@\n",
    "cameras:\n- name: a\n  url: rtsp://h/1\n  username: u\n  password: |\n    @@\n",
    "cameras:\n- name: a\n  url: rtsp://h/1\n  username: u\n  password: |@@\n",
    "cameras:\n- name: a\n  url: rtsp://h/1\n  username: u\n  password: >@@\n    @@\n",
    "cameras:\n- name: a\n  url: rtsp://h/1\n  username: u\n  password:\n    - @@\n",
    "cameras:\n- name: a\n  url: rtsp://h/1\n  username: u\n  password:\n    @@: @@\n",
    "cameras:\n- name: a\n  url: rtsp://h/1\n  username: u\n  password:\n    @@\n",
    "cameras:\n- name: a\n  url: rtsp://h/1\n  username: u\n  password: [@@]\n",
    "cameras:\n- name: a\n  url: rtsp://h/1\n  username: u\n  password: {@@, @@}\n",
    "cameras:\n- name: a\n  url: rtsp://h/1\n  username: u\n  password: !@@\n",
    "cameras:\n- name: a\n  url: rtsp://h/1\n  username: u\n  password: &@@\n",
    "cameras:\n- name: a\n  url: rtsp://h/1\n  username: u\n  password: &@@ x\n",
    "cameras:\n- name: a\n  url: rtsp://h/1\n  username: u\n  password: *@@\n",
    "cameras:\n- name: a\n  url: rtsp://h/1\n  username: u\n  password: x${@@}\n",
    "cameras:\n- { name: a, url: rtsp://h/1, username: u, password: @@ }\n",
    "cameras:\n- { name: a, url: rtsp://h/1, username: u, password: @@, analyze_fps: 5 }\n",
    "cameras:\n- { name: a, url: rtsp://h/1, username: u, password: \"@@\", colour: 5 }\n",
    "cameras:\n- { name: a, url: rtsp://h/1, username: u, password:@@ }\n",
    "cameras:\n- { name: a, url: rtsp://h/1, username: u, password @@ }\n",
    "cameras: [{ name: a, url: rtsp://h/1, username: u, password: @@ }, { name: b, url: rtsp://h/2 }]\n",
    "http: { listen: 0.0.0.0:1, username: u, password: @@ }\ncameras: [{ name: a, url: rtsp://h/1 }]\n",
    "http:\n  username: u\n  password: @@\n   listen: 0.0.0.0:1\ncameras: [{ name: a, url: rtsp://h/1 }]\n",
    "cameras:\n- name: a\n  url: rtsp://ops:@@@10.0.0.21:554/x\n",
    "cameras:\n- name: a\n  url: 'rtsp://ops:@@@10.0.0.21:554/x'\n",
    "cameras:\n- { name: a, url: rtsp://ops:@@@10.0.0.21:554/x, weight: 1 }\n",
    "cameras:\n- { name: a, url: \"http://ops:@@@10.0.0.21:554/x\" }\n",
    "cameras:\n- name: a\n  url: ops:@@@10.0.0.21:554/x\n",
    "cameras:\n- rtsp://ops:@@@10.0.0.21:554/x\n",
    "cameras:\n- 'rtsp://ops:@@@10.0.0.21:554/x'\n",
    "cameras:\n  'rtsp://ops:@@@10.0.0.21:554/x': { name: a }\n",
    "cameras:\n- name: 'rtsp://ops:@@@10.0.0.21:554/x'\n  url: a\n",
    "events: { sinks: [{ name: s, type: webhook, url: 'https://h/', secret: @@ }] }\ncameras: [{ name: a, url: rtsp://h/1 }]\n",
    "events:\n  sinks:\n  - name: s\n    type: mqtt\n    url: mqtt://ops:@@@h\n    username: u\n    password: @@\n",
];

/// Keys that are no secret, where a variable may be put by mistake.
const WRONG_PLACES: [&str; 16] = [
    "name: ${PW}",
    "name: a-${PW}",
    "url: ${PW}",
    "url: rtsp://ops:${PW}@h/1",
    "url: rtsp://h:${PW}/1",
    "timeout: ${PW}",
    "analyze_fps: ${PW}",
    "weight: ${PW}",
    "transport: ${PW}",
    "insecure_tls: ${PW}",
    "password_file: ${PW}",
    "output: ${PW}",
    "zones: [{ name: ${PW}, line: [[0, 0], [1, 1]] }]",
    "zones: ${PW}",
    "zones: [{ name: z, line: ${PW} }]",
    "labels: { ${PW}: x }",
];
const WRONG_SECTIONS: [&str; 12] = [
    "http: { listen: ${PW} }",
    "http: ${PW}",
    "insecure: ${PW}",
    "inference: { detector: ${PW} }",
    "inference: { library: ${PW} }",
    "inference: { models_dir: ${PW} }",
    "inference: { provider: ${PW} }",
    "compliance: { window: ${PW} }",
    "events: { sinks: [{ name: ${PW}, type: jsonl, path: . }] }",
    "events: { sinks: [{ name: a, type: ${PW} }] }",
    "events: { sinks: [{ name: a, type: mqtt, url: ${PW}, topic: '{${PW}}', ca_file: ${PW} }] }",
    "events: { sinks: [{ name: a, type: nats, url: 'nats://${PW}@h', stream: '${PW}', subject: '${PW}..' }] }",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn no_message_repeats_a_password(password in password(), template in prop::sample::select(&TEMPLATES[..])) {
        let text = template.replace("@@@", "\u{1}@").replace("@@", "\u{1}").replace('\u{1}', &password);
        match parse_with(&text, Path::new("/nowhere"), &BTreeMap::new()) {
            Err(error) => prop_assert!(!error.to_string().contains("zq"), "{text}\n{error}"),
            Ok(plan) => prop_assert!(!format!("{plan:?}").contains("zq"), "{text}\n{plan:?}"),
        }
    }

    #[test]
    fn no_message_repeats_a_variable(
        password in password(),
        key in prop::sample::select(&WRONG_PLACES[..]),
        section in prop::sample::select(&WRONG_SECTIONS[..]),
    ) {
        let text = format!("{section}\ncameras:\n- name: a\n  url: rtsp://h/1\n- username: u\n  {key}\n");
        let variables = [("PW", password)].into();
        let error = parse_with(&text, Path::new("/nowhere"), &variables).expect_err(&text).to_string();
        prop_assert!(!error.contains("zq"), "{text}\n{error}");
    }

    #[test]
    fn a_quoted_password_is_kept_as_it_is(password in "[ -~äß€]{1,20}") {
        prop_assume!(!password.trim().is_empty());
        let quoted = password.replace("${", "$${").replace('\'', "''");
        let text = format!("cameras: [{{ name: a, url: 'rtsp://h/1', username: u, password: '{quoted}' }}]");
        let plan = parse_with(&text, Path::new("/nowhere"), &BTreeMap::new());
        let password_of = |plan: &Plan| plan.cameras[0].credentials.as_ref().map(|login| login.password.expose().to_owned());
        prop_assert_eq!(plan.ok().as_ref().and_then(password_of), Some(password));
    }
}
