//! One guard before all routes: what the request is for, who sends it, who calls, what they may do, on which cameras.
//!
//! Ways to come in: Basic (scripts, scrapers, players), `Authorization: Bearer` with a token, and a session's cookie. What
//! changes something is refused to foreign pages, however they come in; by cookie it has to be known to come from a page of
//! ours.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::RequestPartsExt;
use axum::extract::{self, MatchedPath, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::StreamExt;

use super::host::{self, Sender};
use super::problem::refuse;
use super::table::{self, About, Need, Row};
use super::{State, cameras, session};
use crate::access::{Access, Admission, Caller, Refusal};

/// Logins that wait until their password is hashed, at most.
pub(super) const LOGINS: usize = 16;

/// Whom a connection is with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// On every answer: nothing is guessed, framed, referred to, cached, or shown on foreign pages.
const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; img-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
];

/// Lets in who may, with their [`Caller`] among the request's extensions, and puts the headers on.
pub(super) async fn guard(state: extract::State<Arc<State>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let mut response = match admit(&state, &mut parts).await {
        Ok(caller) => {
            parts.extensions.insert(Admission::new(&state.access, &caller));
            parts.extensions.insert(caller.clone());
            let response = next.run(Request::from_parts(parts, body)).await;
            while_it_holds(&state.access, caller, response)
        }
        Err(refused) => refused,
    };
    response.headers_mut().extend(HEADERS);
    response
}

async fn admit(state: &State, parts: &mut Parts) -> Result<Caller, Response> {
    let host = host::asked_for(&parts.headers, &parts.uri);
    if !state.access.guarded() && !host.is_some_and(|host| host::is_ours(host, &state.access.hosts())) {
        let what = "without a login this server answers to addresses, localhost and the names of http.hosts only";
        return Err(refuse(StatusCode::MISDIRECTED_REQUEST, what));
    }
    let sender = host::sender(&parts.headers, host);
    let changes = !table::is_look(&parts.method);
    if changes && sender == Sender::Foreign {
        return Err(refuse(StatusCode::FORBIDDEN, "a page of another server cannot change anything here"));
    }
    let matched = parts.extract::<MatchedPath>().await.ok();
    let Some(row) = Row::of(matched.as_ref().map(MatchedPath::as_str)) else {
        return Err(refuse(StatusCode::INTERNAL_SERVER_ERROR, "nobody has said who may use this"));
    };
    let peer = parts.extensions.get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0);
    let known = identify(state, &parts.headers, peer).await;
    let need = row.need(&parts.method);
    let caller = match (need, known) {
        // Who shows a wrong login here is a stranger like others.
        (Need::Open, Ok((caller, _))) => return Ok(caller),
        (Need::Open, Err(_)) => return Ok(Caller::stranger()),
        (Need::Role(_), Err(refused)) => return Err(refused.answer()),
        (Need::Role(_), Ok((_, Way::Cookie))) if changes && sender != Sender::Ours => {
            let what = "a change by cookie has to come from a page of this server (Origin or Sec-Fetch-Site is missing); \
                        scripts log in by Basic or a token";
            return Err(refuse(StatusCode::FORBIDDEN, what));
        }
        (Need::Role(_), Ok((caller, _))) => caller,
    };
    may(state, parts, row, need, &caller).await?;
    Ok(caller)
}

/// Whether a caller may do this, on these cameras.
async fn may(state: &State, parts: &mut Parts, row: Row, need: Need, caller: &Caller) -> Result<(), Response> {
    let grant = caller.grant();
    if let Need::Role(role) = need
        && !grant.role.covers(role)
    {
        return Err(refuse(StatusCode::FORBIDDEN, format!("this needs the role {role}; yours is {}", grant.role)));
    }
    if grant.scope.is_whole() {
        return Ok(());
    }
    match row.about {
        About::Nothing | About::Seen => Ok(()),
        About::All => Err(refuse(StatusCode::FORBIDDEN, "this is about all cameras, and you see some of them")),
        About::Camera => {
            let params = parts.extract::<RawPathParams>().await.map_err(IntoResponse::into_response)?;
            let name = params.iter().find(|(key, _)| *key == "name").map(|(_, name)| name);
            let entry = name.and_then(|name| state.roster.get(name));
            if entry.is_some_and(|entry| grant.scope.admits(&entry.plan.labels)) {
                Ok(())
            } else {
                Err(cameras::unknown().into_response())
            }
        }
    }
}

/// How somebody came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Open,
    Header,
    Cookie,
}

/// Why somebody does not come in.
enum Refused {
    /// They showed nothing, or a session that has ended.
    Nothing,
    Access(Refusal),
    /// Too many logins wait.
    Busy,
}

impl Refused {
    fn answer(&self) -> Response {
        let later = |wait: Duration, what: String| {
            let mut response = refuse(StatusCode::TOO_MANY_REQUESTS, what);
            let seconds = HeaderValue::from(wait.as_secs() + 1);
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
            response
        };
        let what = match self {
            Self::Nothing => "a login is needed",
            Self::Access(Refusal::Wrong) => "the user name, the password or the token is wrong",
            Self::Access(Refusal::Expired) => "the token has expired",
            Self::Access(Refusal::Slowed(left)) => {
                let seconds = left.as_secs() + 1;
                return later(*left, format!("too many failed logins; the next one is looked at in {seconds} s"));
            }
            Self::Busy => return later(Duration::ZERO, "too many logins at a time".to_owned()),
        };
        let mut response = refuse(StatusCode::UNAUTHORIZED, what);
        let challenge = HeaderValue::from_static("Basic realm=\"maskwatch\", charset=\"UTF-8\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        response
    }
}

async fn identify(state: &State, headers: &HeaderMap, peer: IpAddr) -> Result<(Caller, Way), Refused> {
    if !state.access.guarded() {
        return Ok((Caller::anybody(), Way::Open));
    }
    if let Some(given) = headers.get(header::AUTHORIZATION) {
        let given = given.to_str().ok().and_then(|text| text.split_once(' '));
        let (scheme, rest) = given.ok_or(Refused::Nothing)?;
        if scheme.eq_ignore_ascii_case("bearer") {
            return state.access.token(peer, rest.trim()).map(|caller| (caller, Way::Header)).map_err(Refused::Access);
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(Refused::Nothing);
        }
        let login = BASE64_STANDARD.decode(rest.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let login = login.as_deref().and_then(|login| login.split_once(':'));
        let (name, password) = login.ok_or(Refused::Access(Refusal::Wrong))?;
        return by_password(state, peer, name, password).await.map(|caller| (caller, Way::Header));
    }
    let session = session::cookies(headers).find_map(|id| state.access.session(id));
    session.map(|caller| (caller, Way::Cookie)).ok_or(Refused::Nothing)
}

/// A login by name and password; hashing is for another thread, and for few at a time.
async fn by_password(state: &State, peer: IpAddr, name: &str, password: &str) -> Result<Caller, Refused> {
    if let Some(caller) = state.access.quick(peer, name, password).map_err(Refused::Access)? {
        return Ok(caller);
    }
    let Ok(place) = Arc::clone(&state.logins).try_acquire_owned() else { return Err(Refused::Busy) };
    let (access, name, password) = (Arc::clone(&state.access), name.to_owned(), password.to_owned());
    let looked = tokio::task::spawn_blocking(move || {
        let caller = access.login(peer, &name, &password);
        drop(place);
        caller
    });
    looked.await.map_err(|_| Refused::Busy)?.map_err(Refused::Access)
}

/// The same for the route that begins a session.
pub(super) async fn log_in(state: &State, peer: IpAddr, name: &str, password: &str) -> Result<Caller, Response> {
    by_password(state, peer, name, password).await.map_err(|refused| {
        let mut response = refused.answer();
        // The page asks by itself; the browser need not.
        response.headers_mut().remove(header::WWW_AUTHENTICATE);
        response
    })
}

/// A stream of events ends when its listener is not let in any more.
fn while_it_holds(access: &Arc<Access>, caller: Caller, response: Response) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE);
    if kind.is_none_or(|kind| kind != "text/event-stream") {
        return response;
    }
    let access = Arc::clone(access);
    let revoked = async move { access.revoked(caller).await };
    response.map(|body| axum::body::Body::from_stream(body.into_data_stream().take_until(Box::pin(revoked))))
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
