//! What requests carry: parts of the path, queries and bodies. What does not fit is a problem that says why.

use axum::extract::rejection::JsonRejection;
use axum::extract::{self, FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::access::Admission;

/// `{name}` of the path.
pub(super) struct Name(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match extract::Path::<String>::from_request_parts(parts, state).await {
            Ok(extract::Path(name)) => Ok(Self(name)),
            // What is no text is no camera's name.
            Err(_) => Err(Problem::absent("the name in the path is not UTF-8")),
        }
    }
}

/// The query. A key that is not known is a problem: a wrong answer to a misspelt question is worse than none.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(extract::Query(query)) => Ok(Self(query)),
            Err(error) => Err(Problem::bad(error.body_text())),
        }
    }
}

/// A body in JSON, of somebody who may still send it when all of it has come.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let admission = request.extensions().get::<Admission>().cloned();
        match extract::Json::<T>::from_request(request, state).await {
            Ok(_) if admission.is_none_or(|admission| !admission.holds()) => {
                Err(Problem::new(StatusCode::UNAUTHORIZED, "the login holds no longer"))
            }
            Ok(extract::Json(body)) => Ok(Self(body)),
            // The parser's own words may repeat what was sent, and that may be a password.
            Err(JsonRejection::JsonDataError(error)) => {
                Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, unquoted(&error.body_text())))
            }
            Err(JsonRejection::JsonSyntaxError(_)) => Err(Problem::bad("the body is not JSON")),
            Err(JsonRejection::MissingJsonContentType(_)) => {
                let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
                Err(Problem::new(status, "a body in JSON is wanted, with Content-Type: application/json"))
            }
            Err(error) => Err(Problem::new(error.status(), "the body cannot be read, or is too long")),
        }
    }
}

/// A message of the JSON parser without the value that did not fit.
fn unquoted(message: &str) -> String {
    let kind = ["invalid type", "invalid value"].into_iter().find_map(|kind| Some((message.find(kind)?, kind)));
    let quotes = message.find('"').zip(message.rfind('"').map(|end| end + 1));
    let cut = kind.map(|(begin, kind)| begin + kind.len()).zip(message.rfind(", expected")).or(quotes);
    match cut.filter(|(begin, end)| begin < end) {
        Some((begin, end)) => format!("{}{}", &message[..begin], &message[end..]),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_not_repeated() {
        #[derive(Debug, serde::Deserialize)]
        #[allow(dead_code)]
        struct Login {
            tries: u8,
        }
        for body in [r#"{"tries": "a\"3cret, expected"}"#, r#"{"tries": -31415}"#, r#"{"tries": [31415]}"#] {
            let said = unquoted(&serde_json::from_str::<Login>(body).unwrap_err().to_string());
            assert!(!said.contains("3cret") && !said.contains("31415") && said.contains("expected u8"), "{said}");
        }
    }
}
