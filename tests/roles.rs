//! Every operation of the document, tried by those who may not use it: the document is what is enumerated, so that no
//! operation comes without an answer to who may use it.

// Helpers outside of test functions fail by panicking too.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use support::http::request;
use support::users::{ask, authorization, service};

const ANNA: &str = "anna:correct horse";

const CAMERAS: &str = "include: cameras.d/*.yaml\n\
                       cameras:\n- { name: north, url: 'rtsp://127.0.0.1:9/a', labels: { site: mall-a } }\n\
                       - { name: south, url: 'rtsp://127.0.0.1:9/b', labels: { site: mall-b } }\n";

/// What a viewer may look at; with labels, too, where it is not marked.
const LOOKS: [(&str, bool); 14] = [
    ("/", true),
    ("/page.js", true),
    ("/metrics", false),
    ("/api/v1/openapi.json", true),
    ("/api/v1/version", true),
    ("/api/v1/models", true),
    ("/api/v1/people", true),
    ("/api/v1/cameras", true),
    ("/api/v1/cameras/{name}", true),
    ("/api/v1/cameras/{name}/people", true),
    ("/api/v1/cameras/{name}/snapshot.jpg", true),
    ("/api/v1/events", true),
    ("/api/v1/config", false),
    ("/api/v1/session", true),
];

/// What is for operators, though it only looks.
const FOR_OPERATORS: [&str; 5] =
    ["/api/v1/audit", "/api/v1/users", "/api/v1/users/{name}", "/api/v1/tokens", "/api/v1/discover"];

/// What is for everybody: by the document itself.
const OPEN: [(&str, &str); 4] =
    [("get", "/livez"), ("get", "/readyz"), ("post", "/api/v1/session"), ("delete", "/api/v1/session")];

/// The status that a caller gets.
fn status(port: u16, method: &str, path: &str, login: Option<&str>) -> u16 {
    let login = login.map(authorization);
    let mut headers = vec![("Content-Type", "application/json"), ("Accept", "application/json")];
    headers.extend(login.iter().map(|login| ("Authorization", login.as_str())));
    let path = path.replace("{name}", if path.contains("/cameras/") { "north" } else { "anna" });
    request(port, &method.to_uppercase(), &path, &headers, b"{}").unwrap().status
}

#[test]
fn every_operation_of_the_document_is_refused_to_who_may_not_use_it() {
    let mut app = service(CAMERAS);
    let http = app.http;
    let token = |name: &str, role: &str, labels: Value| {
        let body = json!({ "name": name, "role": role, "labels": labels });
        ask(http, "POST", "/api/v1/tokens", ANNA, &body).json()["token"].as_str().unwrap().to_owned()
    };
    let (viewer, metrics) = (token("viewer", "viewer", json!({})), token("metrics", "metrics", json!({})));
    let (north, south) = (json!({ "site": "mall-a" }), json!({ "site": "mall-b" }));
    let (some, other) = (token("some", "viewer", north), token("other", "viewer", south));
    let before = [
        ask(http, "GET", "/api/v1/users", ANNA, &Value::Null),
        ask(http, "GET", "/api/v1/cameras", ANNA, &Value::Null),
    ]
    .map(|answer| answer.header("etag").unwrap().to_owned());

    let document = ask(http, "GET", "/api/v1/openapi.json", ANNA, &Value::Null).json();
    let (mut looks, mut open, mut tried) = (BTreeSet::new(), BTreeSet::new(), 0);
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let of = |login: Option<&str>| status(http, method, path, login);
            let at = format!("{method} {path}");
            if operation["security"] == json!([]) {
                open.insert((method.as_str(), path.as_str()));
                continue;
            }
            tried += 1;
            assert_eq!(of(None), 401, "{at}: nobody");
            assert!([401, 429].contains(&of(Some("mwt_none"))), "{at}: with a token that is none");
            let scraped = path == "/metrics" && method == "get";
            assert_eq!(of(Some(&metrics)), if scraped { 200 } else { 403 }, "{at}: a token for metrics");
            let look = LOOKS.iter().find(|(of, _)| of == path && method == "get");
            if method == "get" {
                looks.insert(path.as_str());
            }
            let Some((_, some_may)) = look else {
                for (who, login) in [("a viewer", &viewer), ("a viewer of some cameras", &some)] {
                    assert_eq!(of(Some(login)), 403, "{at}: {who}");
                }
                continue;
            };
            assert!(![401, 403].contains(&of(Some(&viewer))), "{at}: a viewer may");
            assert_eq!(of(Some(&some)) == 403, !some_may, "{at}: a viewer of some cameras");
            let unseen = path.contains("{name}");
            assert_eq!(of(Some(&other)) == 404, unseen, "{at}: a viewer of other cameras");
        }
    }
    let known: BTreeSet<&str> = LOOKS.iter().map(|(path, _)| *path).chain(FOR_OPERATORS).collect();
    assert_eq!(looks, known, "an operation was added: say here who may use it");
    assert_eq!(open, BTreeSet::from(OPEN), "what is open to everybody");
    assert!(tried > 25, "{tried} operations");

    // Nothing of that had an effect.
    let after = [
        ask(http, "GET", "/api/v1/users", ANNA, &Value::Null),
        ask(http, "GET", "/api/v1/cameras", ANNA, &Value::Null),
    ]
    .map(|answer| answer.header("etag").unwrap().to_owned());
    assert_eq!(after, before);
    assert_eq!(app.stop().code(), Some(0));
}
