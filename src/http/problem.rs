//! Errors, as RFC 9457 tells them.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

/// Media type of a problem.
pub(super) const PROBLEM: &str = "application/problem+json";

/// What went wrong
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Problem {
    /// A URI for the kind of the problem; about:blank: the status says it
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words
    title: &'static str,
    /// The status again
    #[schemars(range(min = 400, max = 599))]
    status: u16,
    /// What is the matter here, for people
    detail: String,
}

impl Problem {
    /// A problem of this request.
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Problem");
        Self { kind: "about:blank", title, status: status.as_u16(), detail: detail.into() }
    }

    /// The request cannot be understood.
    pub(super) fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// There is no such thing.
    pub(super) fn absent(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// Not now.
    pub(super) fn busy(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// A fault of ours.
    pub(super) fn internal(error: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }

    /// What is the matter.
    #[cfg(test)]
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }
}

/// The answer with a problem.
pub(super) fn refuse(status: StatusCode, detail: impl Into<String>) -> Response {
    Problem::new(status, detail).into_response()
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let kind = [(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM))];
        (status, kind, Json(self)).into_response()
    }
}
