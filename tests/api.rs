//! The API and its document: what is served is documented and the other way round, and what is given is what the
//! document says.

// Helpers outside of test functions fail by panicking too.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{Value, json};
use support::clip::Clip;
use support::http::{Response, get, request};
use support::{App, AppConfig};

const PROBLEM: &str = "application/problem+json";

/// A camera that plays a clip, and two whose port nobody listens on.
fn three_cameras() -> (App, tempfile::TempDir) {
    let folder = support::temp_dir();
    let clip = Clip { width: 320, height: 240, ..Clip::default() }.write(folder.path(), "clip");
    let labels = |site: &str| format!("labels: {{ site: {site} }}");
    let zones = "zones: [{ name: door, line: [[0.5, 0], [0.5, 1]] }]";
    let mut app = AppConfig::new()
        .top(&format!("state_dir: {}", folder.path().join("state").display()))
        .camera_with("clip", &format!("file://{}", clip.display()), &[&labels("mall-a"), zones])
        .camera_with("absent", "rtsp://127.0.0.1:9/x?key=s3cret", &[&labels("mall-a")])
        .camera_with("gone", "rtsp://127.0.0.1:9/y", &[&labels("mall-b"), "privacy: statistics"])
        .start();
    app.wait_ready();
    (app, folder)
}

/// The document of a running service.
struct Document(Value);

impl Document {
    fn of(app: &App) -> Self {
        Self(get(app.http, "/api/v1/openapi.json").unwrap().json())
    }

    /// Path, method and operation of each entry.
    fn operations(&self) -> Vec<(&str, String, &Value)> {
        let paths = self.0["paths"].as_object().unwrap();
        let mut all = Vec::new();
        for (path, methods) in paths {
            for (method, operation) in methods.as_object().unwrap() {
                all.push((path.as_str(), method.to_uppercase(), operation));
            }
        }
        all
    }

    /// Checks an answer against what the document says of it.
    #[track_caller]
    fn check(&self, method: &str, path: &str, asked: &str, answer: &Response) {
        let operation = &self.0["paths"][path][method.to_lowercase()];
        let status = answer.status.to_string();
        let told = &operation["responses"][&status];
        assert!(told.is_object(), "{method} {asked}: {status} is not in the document: {}", answer.text());
        let Some(content) = told.get("content") else {
            assert!(answer.body.is_empty(), "{method} {asked}: no body is documented for {status}");
            return;
        };
        let media = answer.header("content-type").unwrap().split(';').next().unwrap();
        let about = content.get(media).unwrap_or_else(|| panic!("{method} {asked}: {media} is not in {content}"));
        if let Some(schema) = about.get("schema") {
            let mut whole = schema.clone();
            whole["components"] = self.0["components"].clone();
            let validator = jsonschema::validator_for(&whole).unwrap();
            let body = answer.json();
            let errors: Vec<String> =
                validator.iter_errors(&body).map(|error| format!("{}: {error}", error.instance_path())).collect();
            assert!(errors.is_empty(), "{method} {asked}: {errors:#?}\n{body:#}");
        }
        for (name, header) in told["headers"].as_object().into_iter().flatten() {
            assert!(header["required"] != true || answer.header(&name.to_lowercase()).is_some(), "{asked}: no {name}");
        }
    }
}

#[test]
fn what_is_served_is_documented_and_what_is_documented_is_served() {
    let (mut app, _folder) = three_cameras();
    let document = Document::of(&app);
    assert_eq!(document.0["openapi"], "3.1.0");
    let paths: Vec<&str> = document.0["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    for path in [
        "/",
        "/metrics",
        "/livez",
        "/readyz",
        "/api/v1/cameras",
        "/api/v1/cameras/{name}",
        "/api/v1/cameras/{name}/snapshot.jpg",
        "/api/v1/events",
        "/api/v1/openapi.json",
    ] {
        assert!(paths.contains(&path), "{path} is not in {paths:?}");
    }
    for path in &paths {
        let documented: Vec<String> =
            document.operations().into_iter().filter(|(of, ..)| of == path).map(|(_, method, _)| method).collect();
        let asked = path.replace("{name}", "clip");
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] {
            // Events are read from another connection for ever.
            if method == "GET" && *path == "/api/v1/events" {
                continue;
            }
            let answer = request(app.http, method, &asked, &[], b"").unwrap();
            if documented.iter().any(|known| known == method) {
                assert!(![404, 405].contains(&answer.status), "{method} {path}: {}", answer.status);
                document.check(method, path, &asked, &answer);
            } else {
                assert_eq!(answer.status, 405, "{method} {path}");
                assert_eq!(answer.header("content-type"), Some(PROBLEM), "{method} {path}");
                let allowed = answer.header("allow").unwrap_or_default();
                assert!(documented.iter().all(|known| allowed.contains(known.as_str())), "{path}: {allowed}");
            }
        }
    }
    assert_eq!(app.stop().code(), Some(0));
}

#[test]
fn answers_and_problems_are_as_the_document_says() {
    let (mut app, _folder) = three_cameras();
    let document = Document::of(&app);
    for (path, asked, status) in [
        ("/readyz", "/readyz", 200),
        ("/api/v1/version", "/api/v1/version", 200),
        ("/api/v1/models", "/api/v1/models", 200),
        ("/api/v1/people", "/api/v1/people", 200),
        ("/api/v1/people", "/api/v1/people?by=15m&label=site:mall-a&zone=door:forward", 200),
        ("/api/v1/people", "/api/v1/people?label=site:mall-c", 200),
        ("/api/v1/people", "/api/v1/people?zone=hall", 400),
        ("/api/v1/people", "/api/v1/people?label=site", 400),
        ("/api/v1/people", "/api/v1/people?camera=nobody", 404),
        ("/api/v1/events", "/api/v1/events?from=0", 200),
        ("/api/v1/events", "/api/v1/events?from=0&camera=absent&type=camera.down&limit=1", 200),
        ("/api/v1/events", "/api/v1/events?from=0&type=camera.away", 400),
        ("/api/v1/events", "/api/v1/events?from=0&cursor=x", 400),
        ("/api/v1/events", "/api/v1/events?from=2&to=1", 400),
        ("/api/v1/events", "/api/v1/events?limit=5", 400),
        ("/api/v1/cameras", "/api/v1/cameras", 200),
        ("/api/v1/cameras", "/api/v1/cameras?limit=1&label=site:mall-a", 200),
        ("/api/v1/cameras", "/api/v1/cameras?limit=0", 400),
        ("/api/v1/cameras", "/api/v1/cameras?cursor=x", 400),
        ("/api/v1/cameras", "/api/v1/cameras?site=mall-a", 400),
        ("/api/v1/cameras/{name}", "/api/v1/cameras/clip", 200),
        ("/api/v1/cameras/{name}", "/api/v1/cameras/absent", 200),
        ("/api/v1/cameras/{name}", "/api/v1/cameras/gone", 200),
        ("/api/v1/cameras/{name}", "/api/v1/cameras/nobody", 404),
        ("/api/v1/cameras/{name}", "/api/v1/cameras/%ff", 404),
        ("/api/v1/cameras/{name}/people", "/api/v1/cameras/clip/people?zone=door:forward&by=15m", 200),
        ("/api/v1/cameras/{name}/people", "/api/v1/cameras/clip/people?from=x", 400),
        ("/api/v1/cameras/{name}/snapshot.jpg", "/api/v1/cameras/clip/snapshot.jpg", 200),
        ("/api/v1/cameras/{name}/snapshot.jpg", "/api/v1/cameras/absent/snapshot.jpg", 503),
        ("/api/v1/cameras/{name}/snapshot.jpg", "/api/v1/cameras/gone/snapshot.jpg", 403),
    ] {
        let answer = get(app.http, asked).unwrap();
        assert_eq!(answer.status, status, "{asked}: {}", answer.text());
        document.check("GET", path, asked, &answer);
        if status >= 400 {
            let problem = answer.json();
            assert_eq!((&problem["status"], &problem["type"]), (&json!(status), &json!("about:blank")), "{asked}");
            assert_eq!(answer.header("content-type"), Some(PROBLEM), "{asked}");
        }
    }
    for nothing in ["/nothing", "/api/v1/nothing", "/api/v2/cameras"] {
        let answer = get(app.http, nothing).unwrap();
        assert_eq!((answer.status, answer.header("content-type")), (404, Some(PROBLEM)), "{nothing}");
    }
    assert!(!document.0.to_string().contains("s3cret"));
    assert_eq!(app.stop().code(), Some(0));
}

#[test]
fn past_events_are_told_by_time_over_a_restart() {
    let folder = support::temp_dir();
    let config = |port: u16| {
        AppConfig::new()
            .top(&format!("state_dir: {}", folder.path().join("state").display()))
            .camera("absent", &format!("rtsp://127.0.0.1:{port}/x"))
            .camera("gone", &format!("rtsp://127.0.0.1:{port}/y"))
    };
    let list = |app: &App, query: &str| {
        let answer = get(app.http, &format!("/api/v1/events?{query}")).unwrap();
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        answer.json()
    };
    let both = |app: &App| {
        support::wait_until("both cameras are told to be down", support::soon(), || {
            get(app.http, "/api/v1/events?from=0").is_ok_and(|answer| {
                answer.status == 200 && answer.json()["events"].as_array().is_some_and(|events| events.len() >= 2)
            })
        });
    };
    let mut app = config(9).start();
    app.wait_ready();
    both(&app);
    let before = list(&app, "from=0");
    let times: Vec<&str> = before["events"].as_array().unwrap().iter().map(|e| e["time"].as_str().unwrap()).collect();
    assert!(times.windows(2).all(|pair| pair[0] >= pair[1]), "the newest first: {times:?}");
    assert_eq!(app.stop().code(), Some(0));

    let mut app = config(9).start();
    app.wait_ready();
    both(&app);
    let after = list(&app, "from=0&camera=gone");
    let ids = |answer: &Value| {
        answer["events"].as_array().unwrap().iter().map(|event| event["id"].clone()).collect::<Vec<_>>()
    };
    let gone = before["events"].as_array().unwrap().iter().find(|event| event["camera"] == "gone").unwrap();
    assert!(ids(&after).contains(&gone["id"]), "{after}");
    assert_eq!(list(&app, &format!("from=0&to={}", times[times.len() - 1]))["events"], json!([]));
    // Page by page the same as at once.
    let whole = ids(&list(&app, "from=0&limit=500"));
    let (mut pages, mut query) = (Vec::new(), "from=0&limit=1".to_owned());
    loop {
        let page = list(&app, &query);
        pages.extend(ids(&page));
        match page["next"].as_str() {
            Some(next) => query = format!("from=0&limit=1&cursor={next}"),
            None => break,
        }
    }
    assert!(pages.len() >= 3 && pages.ends_with(&whole[whole.len() - 3..]), "{pages:?} {whole:?}");
    assert_eq!(app.stop().code(), Some(0));
}

#[test]
fn people_of_all_cameras_are_the_sum_of_those_of_each() {
    let scene = support::demo::camera("shop").clip;
    let url = format!("file://{}", scene.display());
    let mut app = AppConfig::new()
        .top("compliance: { min_people: 1 }")
        .camera_with("one", &url, &["labels: { site: mall-a }"])
        .camera_with("two", &url, &["labels: { site: mall-b }"])
        .start();
    let ask = |app: &App, query: &str| get(app.http, &format!("/api/v1/people?by=all{query}")).unwrap().json();
    let total = |people: &Value| people.as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum::<u64>();
    support::wait_until("both cameras have counted somebody", std::time::Duration::from_secs(120), || {
        let cameras = ask(&app, "")["cameras"].clone();
        cameras.as_array().unwrap().iter().all(|camera| total(&camera["people"]) > 0)
    });
    let all = ask(&app, "");
    let each: u64 = all["cameras"].as_array().unwrap().iter().map(|camera| total(&camera["people"])).sum();
    assert_eq!(total(&all["whole"]["people"]), each, "{all:#}");
    let [low, high] = [0, 1].map(|end| all["whole"]["interval_95"][end].as_f64().unwrap());
    assert!((low..=high).contains(&all["whole"]["ratio"].as_f64().unwrap()), "{all:#}");
    let site = ask(&app, "&label=site:mall-b");
    assert_eq!(site["cameras"].as_array().unwrap().len(), 1);
    assert_eq!(site["cameras"][0]["camera"], "two");
    assert_eq!(app.stop().code(), Some(0));
}

#[test]
fn lists_come_in_pages_and_by_label() {
    let (mut app, _folder) = three_cameras();
    let names = |answer: &Value| {
        let cameras = answer["cameras"].as_array().unwrap();
        cameras.iter().map(|camera| camera["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let ask = |query: &str| get(app.http, &format!("/api/v1/cameras{query}")).unwrap().json();
    assert_eq!(names(&ask("")), ["clip", "absent", "gone"]);
    assert_eq!(ask("")["next"], Value::Null);
    let (mut seen, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let page = ask(&query);
        seen.extend(names(&page));
        match page["next"].as_str() {
            Some(next) => query = format!("?limit=2&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["clip", "absent", "gone"]);
    assert_eq!(names(&ask("?label=site:mall-a")), ["clip", "absent"]);
    assert!(names(&ask("?label=site:mall-c")).is_empty());
    assert_eq!(app.stop().code(), Some(0));
}

#[test]
fn tags_are_those_of_the_configuration_and_not_of_what_happens() {
    let (mut app, _folder) = three_cameras();
    let tag = |path: &str| get(app.http, path).unwrap().header("etag").unwrap().to_owned();
    let before = (tag("/api/v1/cameras/clip"), tag("/api/v1/cameras"));
    let frames = app.metrics().frames("clip", "decoded");
    app.wait_for_metrics("pictures come", support::soon(), |scrape| scrape.frames("clip", "decoded") > frames + 3.0);
    assert_eq!((tag("/api/v1/cameras/clip"), tag("/api/v1/cameras")), before);
    assert_ne!(tag("/api/v1/cameras/absent"), before.0);
    assert!(before.0.starts_with('"'), "a strong one, fit for If-Match");
    // The state is part of the answer and not of the tag: it is never said that nothing has changed.
    let had = |path: &str, tag: &str| request(app.http, "GET", path, &[("If-None-Match", tag)], b"").unwrap().status;
    assert_eq!(had("/api/v1/cameras/clip", &before.0), 200);
    let document = tag("/api/v1/openapi.json");
    assert_eq!(had("/api/v1/openapi.json", &document), 304);
    assert_eq!(had("/api/v1/openapi.json", "\"another\""), 200);
    assert_eq!(app.stop().code(), Some(0));
}
