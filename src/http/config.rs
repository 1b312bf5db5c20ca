//! Which configuration is in force, and the wish to read it again.

use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::Shared;
use super::api::timestamp;
use super::problem::Problem;
use crate::fleet::{Attempt, Cause, Outcome, Stand, Step, Wish};

/// How long an answer to a reload is waited for: cameras that go may take their time to end.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The configuration in force
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ConfigView {
    /// The first twelve digits of the SHA-256 of its text
    version: String,
    /// Since when it is in force
    #[schemars(extend("format" = "date-time"))]
    since: Option<String>,
    /// The last attempt to change it
    last_reload: Option<AttemptView>,
    /// Keys that are taken over by a restart only
    restart_needed: Vec<String>,
    models: ModelsView,
}

/// How the models stand
#[derive(Debug, Serialize, JsonSchema)]
struct ModelsView {
    /// Whether models run
    ready: bool,
    /// Why the ones configured do not load; those of before go on
    failed: Option<String>,
}

/// What became of an attempt, and when
#[derive(Debug, Serialize, JsonSchema)]
struct AttemptView {
    #[schemars(extend("format" = "date-time"))]
    at: String,
    cause: Cause,
    #[serde(flatten)]
    reload: ReloadView,
}

/// What a reload did
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct ReloadView {
    /// applied: it is in force, but for what needs a restart; refused: what was in force stays
    #[schemars(extend("enum" = ["applied", "refused"]))]
    result: &'static str,
    /// What was done, a line each
    changes: Vec<String>,
    /// The same for programs
    steps: Vec<Step>,
    /// Refused: what is wrong, a line each, with file and line. Applied: what could not be done and stays as it was
    problems: Vec<String>,
}

impl From<Outcome> for ReloadView {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Applied { steps, problems } => {
                let changes = steps.iter().map(ToString::to_string).collect();
                Self { result: "applied", changes, steps, problems }
            }
            Outcome::Refused { problems } => Self { result: "refused", problems, ..Self::default() },
        }
    }
}

/// What is in force, what became of the last attempt to change it, and what waits for a restart.
pub(super) async fn view(state: Shared) -> Json<ConfigView> {
    let Stand { version, since, last, restart, models_ready, models_failed } = state.standing.view();
    let attempt = |Attempt { at, cause, outcome }| AttemptView { at: timestamp(at), cause, reload: outcome.into() };
    Json(ConfigView {
        version,
        since: since.map(timestamp),
        last_reload: last.map(attempt),
        restart_needed: restart,
        models: ModelsView { ready: models_ready, failed: models_failed },
    })
}

/// Reads the configuration again; the answer says what that did. 422 where it is refused.
pub(super) async fn reload(state: Shared) -> Result<Response, Problem> {
    let (answer, answered) = tokio::sync::oneshot::channel();
    if !state.wishes.try_put(Wish::Reload(Cause::Api, Some(answer))) {
        return Err(Problem::busy("too many changes wait already"));
    }
    match tokio::time::timeout(PATIENCE, answered).await {
        Ok(Ok(outcome)) => {
            let applied = matches!(outcome, Outcome::Applied { .. });
            let status = if applied { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
            Ok((status, Json(ReloadView::from(outcome))).into_response())
        }
        Ok(Err(_)) => Err(Problem::busy("the service ends")),
        Err(_) => Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, "not done yet: see /api/v1/config")),
    }
}
