//! Properties: whatever a password is, and whatever is written around it, no message has a piece of it.

use std::collections::BTreeMap;
use std::path::Path;

use maskwatch::config::plan::Plan;
use proptest::prelude::*;

use super::parse_with;

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
