//! What answers where.

mod access;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware;
use axum::response::{Html, IntoResponse, Response};
use axum::{Extension, Json, Router};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::api::CameraView;
use super::openapi::{Operation, Routes};
use super::people::CameraPeople;
use super::problem::Problem;
use super::{Shared, State, about, cameras, change, config, discover, events, guard, people, probe, tags, totals};
use crate::access::{Caller, Role};
use crate::discover::Discovery;
use crate::metrics;

/// Longest body that is read.
const MOST_BODY: usize = 64 * 1024;

pub(super) fn router(state: Arc<State>) -> Router {
    let (router, document) = routes(state.access.guarded()).finish();
    router
        .fallback(|| async { Problem::absent("there is nothing here") })
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this method is not served here")
        })
        .layer(DefaultBodyLimit::max(MOST_BODY))
        .layer(Extension(Arc::new(Document::new(&document))))
        .layer(middleware::from_fn_with_state(Arc::clone(&state), guard::guard))
        .with_state(state)
}

/// Every route, with its entry in the document. `login`: whether one is asked for.
fn routes(login: bool) -> Routes {
    access::access(Routes::new(login))
        .get("/", page, Operation::new("getPage", "The web page").media("text/html", "The page"))
        .get("/page.js", script, Operation::new("getScript", "Its script").media("text/javascript", "The script"))
        .get(
            "/metrics",
            render,
            Operation::new("getMetrics", "Metrics for Prometheus").media("text/plain", "In Prometheus' text format"),
        )
        .get(
            "/livez",
            || async { "alive\n" },
            Operation::new("getLive", "Whether the process works").open().media("text/plain", "It does"),
        )
        .get(
            "/readyz",
            ready,
            Operation::new(
                "getReady",
                "Whether models run, and every camera has given a picture or been given up on as down",
            )
            .open()
            .json::<Ready>(200, "It has")
            .json::<Ready>(503, "Not yet"),
        )
        .get(
            "/api/v1/openapi.json",
            document,
            Operation::new("getOpenapi", "This document")
                .tagged()
                .header("If-None-Match", "Tag of what is there already")
                .json::<Anything>(200, "An OpenAPI document")
                .unchanged(),
        )
        .get(
            "/api/v1/version",
            about::version,
            Operation::new("getVersion", "What runs")
                .tagged()
                .header("If-None-Match", "Tag of what is there already")
                .json::<about::Version>(200, "Version, commit and what is switched on")
                .unchanged(),
        )
        .get(
            "/api/v1/models",
            about::models,
            Operation::new("listModels", "The networks that run")
                .tagged()
                .header("If-None-Match", "Tag of what is there already")
                .json::<about::Models>(200, "The networks")
                .unchanged(),
        )
        .get(
            "/api/v1/people",
            totals::people,
            Operation::new("getPeople", "People of all cameras by time, or of those with a label or a zone")
                .query::<totals::Which>()
                .json::<totals::PeopleTotals>(200, "People, and shares of them")
                .problem(400, "The query is not understood")
                .problem(404, "No such camera"),
        )
        .get(
            "/api/v1/cameras",
            cameras::list,
            Operation::new("listCameras", "All cameras, or those with a label")
                .query::<cameras::Which>()
                .tagged()
                .json::<cameras::Cameras>(200, "A page; the tag is that of the cameras' configuration")
                .problem(400, "The query is not understood"),
        )
        .get(
            "/api/v1/cameras/{name}",
            cameras::one,
            Operation::new("getCamera", "A camera")
                .tagged()
                .json::<CameraView>(200, "The camera; the tag is that of its configuration")
                .problem(404, "No such camera"),
        )
        .post(
            "/api/v1/cameras",
            change::add,
            changes(Operation::new("addCamera", "A camera comes"))
                .json::<CameraView>(201, "It is connected to")
                .bad_body(),
        )
        .put(
            "/api/v1/cameras/{name}",
            change::change,
            changes(Operation::new("changeCamera", "A camera has these values"))
                .header("If-Match", "Tag of the camera as it was seen")
                .json::<CameraView>(200, "It is in force")
                .bad_body()
                .problem(404, "No such camera")
                .problem(412, "It has been changed meanwhile"),
        )
        .delete(
            "/api/v1/cameras/{name}",
            change::remove,
            Operation::new("removeCamera", "A camera goes")
                .header("If-Match", "Tag of the camera as it was seen")
                .done(204, "It is gone; what was counted stays")
                .problem(404, "No such camera")
                .problem(409, "It stands in a file that people write")
                .problem(412, "It has been changed meanwhile")
                .problem(422, "The configuration would not be good without it")
                .problem(503, "Too many changes wait, or the service ends")
                .problem(504, "Not done yet")
                .problem(507, "The disk refuses"),
        )
        .get(
            "/api/v1/cameras/{name}/people",
            cameras::people_of,
            Operation::new("getPeopleOfCamera", "People of a camera by time")
                .query::<people::Query>()
                .json::<CameraPeople>(200, "People, and shares of them")
                .problem(400, "The query is not understood")
                .problem(404, "No such camera"),
        )
        .get(
            "/api/v1/cameras/{name}/snapshot.jpg",
            cameras::picture,
            Operation::new("getSnapshot", "The latest picture, with its faces")
                .media("image/jpeg", "The picture")
                .problem(403, "The camera gives statistics only")
                .problem(404, "No such camera")
                .problem(500, "The picture cannot be made")
                .problem(503, "There is no picture"),
        )
        .get(
            "/api/v1/events",
            events::events,
            Operation::new(
                "getEvents",
                "Events as they happen; with from, to or cursor, or as JSON, those of the past",
            )
            .query::<events::Which>()
            .header("Last-Event-ID", "Of the stream: the event that was had last; what came since comes first")
            .media("text/event-stream", "Server-sent events")
            .json::<events::EventList>(200, "A page of past events, the newest first")
            .problem(400, "The query is not understood")
            .problem(503, "Too many listen, or the disk refuses"),
        )
        .get(
            "/api/v1/config",
            config::view,
            Operation::new("getConfig", "The configuration in force, and what became of the last change")
                .json::<config::ConfigView>(200, "How it stands"),
        )
        .post(
            "/api/v1/config/reload",
            config::reload,
            Operation::new("reloadConfig", "Reads the configuration again")
                .json::<config::ReloadView>(200, "What was done")
                .json::<config::ReloadView>(422, "It is refused; nothing has changed")
                .problem(503, "Too many wait, or the service ends")
                .problem(504, "Not done yet"),
        )
        .post(
            "/api/v1/probe",
            probe::probe,
            Operation::new("probe", "One look at a camera that need not be configured, within ten seconds")
                .body::<probe::ProbeRequest>()
                .json::<probe::ProbeAnswer>(200, "What it sends, or why nothing comes")
                .bad_body()
                .problem(403, "It may not be connected to")
                .problem(503, "Several looks are under way")
                .problem(504, "The look did not end in time"),
        )
        .get(
            "/api/v1/discover",
            discover::discover,
            Operation::new("discover", "ONVIF cameras on the networks under network.discover")
                .json::<Discovery>(200, "What was found")
                .problem(403, "No network is named")
                .problem(503, "A search is under way"),
        )
        .post(
            "/api/v1/discover",
            discover::with_login,
            Operation::new("discoverWithLogin", "The same, with a login to try on each")
                .body::<discover::DiscoverRequest>()
                .json::<Discovery>(200, "What was found")
                .bad_body()
                .problem(403, "No network is named")
                .problem(503, "A search is under way"),
        )
}

/// What adding and changing a camera have in common.
fn changes(operation: Operation) -> Operation {
    operation
        .body::<change::CameraBody>()
        .problem(409, "It is there already, stands in a file that people write, or there is no place for it")
        .problem(503, "Too many changes wait, or the service ends")
        .problem(504, "Not done yet")
        .problem(507, "The disk refuses")
}

/// What is told in the document itself.
#[derive(JsonSchema)]
#[schemars(rename = "OpenApi", extend("type" = "object"))]
#[allow(dead_code)]
struct Anything(Value);

/// The OpenAPI document, as it is sent.
struct Document {
    text: String,
    tag: String,
}

impl Document {
    fn new(document: &Value) -> Self {
        let text = document.to_string();
        Self { tag: tags::of_bytes(text.as_bytes()), text }
    }
}

async fn document(Extension(document): Extension<Arc<Document>>, headers: HeaderMap) -> Response {
    let answer = ([(header::CONTENT_TYPE, "application/json")], document.text.clone());
    tags::unless_had(&headers, &document.tag, answer)
}

async fn page() -> Html<&'static str> {
    Html(include_str!("page.html"))
}

async fn script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript")], include_str!("page.js"))
}

async fn render(state: Shared) -> Result<Response, Problem> {
    state.people.refresh();
    let text = state.metrics.render().map_err(Problem::internal)?;
    Ok(([(header::CONTENT_TYPE, metrics::TEXT_FORMAT)], text).into_response())
}

/// Whether the service is ready
#[derive(Serialize, JsonSchema)]
struct Ready {
    ready: bool,
    /// What is awaited
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// Cameras that are waited for; only for who has logged in
    #[serde(skip_serializing_if = "Option::is_none")]
    awaited: Option<Vec<String>>,
}

/// 200 once models run and every configured camera has produced a frame or been given up on as down; else what is awaited.
async fn ready(state: Shared, Extension(caller): Extension<Caller>) -> Response {
    let awaited = state.roster.awaited();
    let models = state.standing.view().models_ready;
    let ready = models && awaited.is_empty();
    let reason = match (models, ready) {
        (false, _) => Some("models load"),
        (true, false) => Some("cameras are connected to"),
        (true, true) => None,
    };
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let sees_all = caller.grant().role.covers(Role::Viewer) && caller.grant().scope.is_whole();
    (status, Json(Ready { ready, reason, awaited: Some(awaited).filter(|_| sees_all) })).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The document with and without a login.
    fn documents() -> [Value; 2] {
        [false, true].map(|login| routes(login).finish().1)
    }

    /// Every object in it.
    fn objects<'a>(value: &'a Value, found: &mut Vec<&'a serde_json::Map<String, Value>>) {
        match value {
            Value::Object(object) => {
                found.push(object);
                object.values().for_each(|value| objects(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| objects(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_of_the_document_leads_somewhere() {
        for document in documents() {
            let mut found = Vec::new();
            objects(&document, &mut found);
            let references: Vec<&str> =
                found.iter().filter_map(|object| object.get("$ref").and_then(Value::as_str)).collect();
            assert!(references.len() > 10);
            for reference in references {
                let pointer = reference.strip_prefix('#').unwrap();
                assert!(document.pointer(pointer).is_some(), "{reference}");
            }
        }
    }

    #[test]
    fn names_of_operations_are_unique_and_each_tells_what_it_gives() {
        let [open, login] = documents();
        for document in [&open, &login] {
            let paths = document["paths"].as_object().unwrap();
            let operations: Vec<&Value> = paths.values().flat_map(|path| path.as_object().unwrap().values()).collect();
            let names: std::collections::BTreeSet<&str> =
                operations.iter().map(|operation| operation["operationId"].as_str().unwrap()).collect();
            assert_eq!(names.len(), operations.len());
            for operation in operations {
                let answers = operation["responses"].as_object().unwrap();
                assert!(answers.keys().any(|status| status.starts_with('2')), "{operation}");
            }
        }
        let answers = |document: &Value| document["paths"]["/metrics"]["get"]["responses"].clone();
        assert!(answers(&login).get("401").is_some() && answers(&open).get("401").is_none());
        assert_eq!(login["paths"]["/livez"]["get"]["security"], serde_json::json!([]));
        assert!(login.get("security").is_some() && open.get("security").is_none());
    }
}
