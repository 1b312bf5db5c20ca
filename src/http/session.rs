//! Sessions of browsers: begun by a login, kept by a cookie that scripts of the page cannot read.

use std::collections::BTreeMap;

use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::guard::{self, Peer};
use super::problem::refuse;
use super::{Shared, State};
use crate::access::Caller;

/// The cookie's name.
pub(super) const COOKIE: &str = "maskwatch_session";

/// Who wants to come in
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    username: String,
    password: String,
}

/// Who has come in
#[derive(Serialize, JsonSchema)]
pub(super) struct Who {
    /// Name of the user or the token; null where everybody may come in
    user: Option<String>,
    /// What they may do
    role: String,
    /// Labels of the cameras that they see; empty: all of them
    labels: BTreeMap<String, String>,
}

/// Ids of sessions that a request carries.
pub(super) fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| *name == COOKIE).map(|(_, value)| value).take(4)
}

fn view(caller: &Caller) -> Who {
    let grant = caller.grant();
    Who { user: caller.name().map(str::to_owned), role: grant.role.to_string(), labels: grant.scope.labels().clone() }
}

pub(super) async fn who(Extension(caller): Extension<Caller>) -> Response {
    Json(view(&caller)).into_response()
}

pub(super) async fn begin(
    state: Shared,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    login: Result<Json<Login>, JsonRejection>,
) -> Response {
    let Ok(Json(login)) = login else {
        // Not the parser's words: they may quote the password.
        return refuse(StatusCode::BAD_REQUEST, r#"JSON is expected: {"username":"…","password":"…"}"#);
    };
    if !state.access.guarded() {
        return refuse(StatusCode::CONFLICT, "there is no login here: everybody may come in");
    }
    let caller = match guard::log_in(&state, peer.0, &login.username, &login.password).await {
        Ok(caller) => caller,
        Err(refused) => return refused,
    };
    // Another login in the same browser ends the first.
    cookies(&headers).for_each(|id| state.access.end_session(id, peer.0));
    let Some((id, longest)) = state.access.begin_session(&caller, peer.0) else {
        return refuse(StatusCode::FORBIDDEN, "sessions are for users");
    };
    let cookie = cookie(id.expose(), longest.as_secs(), state.secure);
    ([(header::SET_COOKIE, cookie)], Json(view(&caller))).into_response()
}

/// The cookie of a session that takes the place of one that a change has ended.
pub(super) fn renewed(state: &State, caller: &Caller, from: std::net::IpAddr) -> Option<HeaderValue> {
    let (id, longest) = state.access.begin_session(caller, from)?;
    Some(cookie(id.expose(), longest.as_secs(), state.secure))
}

pub(super) async fn end(state: Shared, Extension(peer): Extension<Peer>, headers: HeaderMap) -> Response {
    // That of the cookie: nobody else knows its id, so nobody else can end it.
    cookies(&headers).for_each(|id| state.access.end_session(id, peer.0));
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie("", 0, state.secure))]).into_response()
}

/// Not for scripts, not for foreign pages, and by TLS alone where there is TLS.
fn cookie(id: &str, seconds: u64, secure: bool) -> HeaderValue {
    let secure = if secure { "; Secure" } else { "" };
    let text = format!("{COOKIE}={id}; Max-Age={seconds}; Path=/; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=b; maskwatch_session=one;x"));
        headers.append(header::COOKIE, HeaderValue::from_static("maskwatch_session=two=2"));
        assert_eq!(cookies(&headers).collect::<Vec<_>>(), ["one", "two=2"]);
        assert_eq!(cookies(&HeaderMap::new()).count(), 0);
    }

    #[test]
    fn a_cookie_is_kept_from_scripts_and_foreign_pages() {
        let text = |secure| cookie("id", 9, secure).to_str().unwrap().to_owned();
        assert_eq!(text(false), "maskwatch_session=id; Max-Age=9; Path=/; HttpOnly; SameSite=Strict");
        assert!(text(true).ends_with("; Secure"));
    }
}
