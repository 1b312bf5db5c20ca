//! Which configuration is in force, and the wish to read it again.

use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::State;
use super::api::timestamp;
use super::routes::refuse;
use crate::fleet::{Attempt, Cause, Outcome, Stand, Wish};

/// How long an answer to a reload is waited for: cameras that go may take their time to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is in force, what became of the last attempt to change it, and what waits for a restart.
pub(super) fn view(state: &State) -> Value {
    let Stand { version, since, last, restart, models_ready, models_failed } = state.standing.view();
    json!({
        "version": version,
        "since": since.map(timestamp),
        "last_reload": last.as_ref().map(attempt),
        "restart_needed": restart,
        "models": { "ready": models_ready, "failed": models_failed },
    })
}

fn attempt(attempt: &Attempt) -> Value {
    let mut value = outcome(&attempt.outcome);
    value["at"] = timestamp(attempt.at).into();
    value["cause"] = json!(attempt.cause);
    value
}

fn outcome(outcome: &Outcome) -> Value {
    let mut value = json!(outcome);
    if let Outcome::Applied { steps } = outcome {
        value["changes"] = steps.iter().map(ToString::to_string).collect();
    }
    value
}

/// Reads the configuration again; the answer says what that did. 422 where it is refused.
pub(super) async fn reload(state: &State) -> Response {
    let (answer, answered) = tokio::sync::oneshot::channel();
    if !state.wishes.try_put(Wish::Reload(Cause::Api, Some(answer))) {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "too many reloads wait already");
    }
    match tokio::time::timeout(PATIENCE, answered).await {
        Ok(Ok(done @ Outcome::Applied { .. })) => Json(outcome(&done)).into_response(),
        Ok(Ok(refused)) => (StatusCode::UNPROCESSABLE_ENTITY, Json(outcome(&refused))).into_response(),
        Ok(Err(_)) => refuse(StatusCode::SERVICE_UNAVAILABLE, "the service ends"),
        Err(_) => refuse(StatusCode::GATEWAY_TIMEOUT, "not done yet: see /api/v1/config"),
    }
}
