//! What answers where.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{self, Path};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde_json::json;

use super::{State, api, config, events, guard, people, session, snapshot};
use crate::access::{Caller, Role};
use crate::config::plan::Privacy;
use crate::metrics;

type Shared = extract::State<Arc<State>>;

pub(super) fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/", get(|| async { Html(include_str!("page.html")) }))
        .route("/page.js", get(|| async { ([(header::CONTENT_TYPE, "text/javascript")], include_str!("page.js")) }))
        .route("/metrics", get(render))
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .route("/api/v1/cameras", get(cameras))
        .route("/api/v1/cameras/{name}", get(camera))
        .route("/api/v1/cameras/{name}/people", get(people_of))
        .route("/api/v1/cameras/{name}/snapshot.jpg", get(picture))
        .route("/api/v1/config", get(|state: Shared| async move { Json(config::view(&state)) }))
        .route("/api/v1/config/reload", post(|state: Shared| async move { config::reload(&state).await }))
        .route("/api/v1/events", get(events::listen))
        .route("/api/v1/session", session::route())
        .route("/api/v1/audit", get(audit))
        .fallback(|| async { refuse(StatusCode::NOT_FOUND, "there is nothing here") })
        .method_not_allowed_fallback(|| async {
            refuse(StatusCode::METHOD_NOT_ALLOWED, "this method is not served here")
        })
        .layer(middleware::from_fn_with_state(Arc::clone(&state), guard::guard))
        .with_state(state)
}

/// An error as JSON.
pub(super) fn refuse(status: StatusCode, error: impl Into<String>) -> Response {
    (status, Json(json!({ "error": error.into() }))).into_response()
}

async fn render(state: Shared) -> Response {
    state.people.refresh();
    match state.metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::TEXT_FORMAT)], text).into_response(),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
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
    let mut body = json!({ "ready": ready });
    if let Some(reason) = reason {
        body["reason"] = reason.into();
    }
    if caller.grant().role.covers(Role::Viewer) && caller.grant().scope.is_whole() {
        body["awaited"] = awaited.into();
    }
    (status, Json(body)).into_response()
}

async fn cameras(state: Shared, Extension(caller): Extension<Caller>, headers: HeaderMap) -> Response {
    let (host, scope) = (api::host_of(&headers), &caller.grant().scope);
    let entries = state.roster.all();
    let seen = entries.iter().filter(|entry| scope.admits(&entry.plan.labels));
    let all: Vec<_> = seen.map(|entry| api::view(entry, &state, &host)).collect();
    // It shows all cameras.
    let mosaic = scope.is_whole().then(|| api::stream(&host, state.rtsp_port, crate::rtsp::MOSAIC));
    Json(json!({ "cameras": all, "mosaic": mosaic, "stores": api::stores(&state) })).into_response()
}

async fn camera(state: Shared, Path(name): Path<String>, headers: HeaderMap) -> Response {
    match state.roster.get(&name) {
        Some(entry) => Json(api::view(&entry, &state, &api::host_of(&headers))).into_response(),
        None => no_camera(),
    }
}

/// People of a camera or zone by the hour.
async fn people_of(
    state: Shared,
    Path(name): Path<String>,
    query: Result<extract::Query<people::Query>, QueryRejection>,
) -> Response {
    let Some(entry) = state.roster.get(&name) else { return no_camera() };
    let answer = query
        .map_err(|error| format!("{} (known: from, to, by, zone)", error.body_text()))
        .and_then(|extract::Query(query)| people::history(&entry, &state, &query));
    match answer {
        Ok(value) => Json(value).into_response(),
        Err(error) => refuse(StatusCode::BAD_REQUEST, error),
    }
}

pub(super) fn no_camera() -> Response {
    refuse(StatusCode::NOT_FOUND, "no camera of this name is configured")
}

/// What may be asked of the audit.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct AuditQuery {
    limit: usize,
}

impl Default for AuditQuery {
    fn default() -> Self {
        Self { limit: 100 }
    }
}

/// Who did what, newest first.
async fn audit(state: Shared, query: Result<extract::Query<AuditQuery>, QueryRejection>) -> Response {
    match query {
        Ok(query) => Json(json!({ "audit": state.access.audit().latest(query.limit) })).into_response(),
        Err(error) => refuse(StatusCode::BAD_REQUEST, format!("{} (known: limit)", error.body_text())),
    }
}

/// The latest frame with its faces, as JPEG.
async fn picture(state: Shared, Path(name): Path<String>) -> Response {
    let Some(entry) = state.roster.get(&name) else { return no_camera() };
    if entry.hub.privacy() == Privacy::Statistics {
        return refuse(StatusCode::FORBIDDEN, format!("camera {name} gives statistics only (privacy: statistics)"));
    }
    let Ok(place) = Arc::clone(&state.snapshots).acquire_owned().await else {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "ending");
    };
    let hub = Arc::clone(&entry.hub);
    let areas = if entry.plan.output.zones { entry.plan.areas.clone() } else { Default::default() };
    // Also the latest picture is asked for there: faces may have to be hidden in it first.
    let made = tokio::task::spawn_blocking(move || {
        let jpeg = hub.latest().map(|shown| snapshot::jpeg(&shown, hub.camera(), &hub.caption(), areas));
        drop(place);
        jpeg
    });
    match made.await {
        Ok(Some(Ok(jpeg))) => ([(header::CONTENT_TYPE, "image/jpeg")], jpeg).into_response(),
        Ok(Some(Err(error))) => refuse(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        Ok(None) => {
            let status = entry.status.view();
            let why = status.failure.map_or_else(|| status.state.as_str().to_owned(), |failure| failure.to_string());
            refuse(StatusCode::SERVICE_UNAVAILABLE, format!("camera {name} has no picture: {why}"))
        }
    }
}
