//! What answers where.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{self, Path, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;

use super::{State, api, config, events, people, snapshot};
use crate::config::plan::Privacy;
use crate::metrics;

type Shared = extract::State<Arc<State>>;

/// Probes answer without a login: orchestrators have none.
const OPEN: [&str; 2] = ["/livez", "/readyz"];

/// On every answer: nothing is guessed, framed, referred to or cached.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; img-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
];

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
        .fallback(|| async { refuse(StatusCode::NOT_FOUND, "there is nothing here") })
        .method_not_allowed_fallback(|| async {
            refuse(StatusCode::METHOD_NOT_ALLOWED, "this method is not served here")
        })
        .layer(middleware::from_fn_with_state(Arc::clone(&state), guard))
        .with_state(state)
}

/// An error as JSON.
pub(super) fn refuse(status: StatusCode, error: impl Into<String>) -> Response {
    (status, Json(json!({ "error": error.into() }))).into_response()
}

/// Lets in who may, and puts the headers on.
async fn guard(state: Shared, request: Request, next: Next) -> Response {
    let admitted = OPEN.contains(&request.uri().path()) || admits(&state, request.headers());
    let mut response = if admitted {
        next.run(request).await
    } else {
        let mut response = refuse(StatusCode::UNAUTHORIZED, "a user name and a password are needed");
        let challenge = HeaderValue::from_static("Basic realm=\"maskwatch\", charset=\"UTF-8\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        response
    };
    response.headers_mut().extend(HEADERS);
    response
}

fn admits(state: &State, headers: &HeaderMap) -> bool {
    state.auth.as_ref().is_none_or(|guard| guard.admits(headers))
}

async fn render(state: Shared) -> Response {
    state.people.refresh();
    match state.metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::TEXT_FORMAT)], text).into_response(),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

/// 200 once models run and every configured camera has produced a frame or been given up on as down; else what is awaited.
async fn ready(state: Shared, headers: HeaderMap) -> Response {
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
    if admits(&state, &headers) {
        body["awaited"] = awaited.into();
    }
    (status, Json(body)).into_response()
}

async fn cameras(state: Shared, headers: HeaderMap) -> Response {
    let host = api::host_of(&headers);
    let all: Vec<_> = state.roster.all().iter().map(|entry| api::view(entry, &state, &host)).collect();
    let mosaic = api::stream(&host, state.rtsp_port, crate::rtsp::MOSAIC);
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

fn no_camera() -> Response {
    refuse(StatusCode::NOT_FOUND, "no camera of this name is configured")
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
