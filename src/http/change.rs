//! Cameras that come, change and go by request.
//!
//! They are written to files of their own (see [`crate::fleet::Written`]), and brought into force as by any other change of
//! the configuration.

use axum::Extension;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Shared;
use super::ask::{Body, Name};
use super::cameras;
use super::config::PATIENCE;
use super::guard::Peer;
use super::problem::Problem;
use crate::access::Caller;
use crate::config::plan::CameraPlan;
use crate::config::raw::RawCamera;
use crate::fleet::{CameraWish, Deed, Objection, Wish};

/// A camera, with the keys of the configuration; a password is kept in a file of its own and never told again
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct CameraBody(#[schemars(with = "RawCamera")] Map<String, Value>);

/// A camera comes. 201, with its address.
pub(super) async fn add(
    state: Shared,
    Extension(caller): Extension<Caller>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Body(CameraBody(mut values)): Body<CameraBody>,
) -> Result<Response, Problem> {
    let Some(Value::String(name)) = values.remove("name") else {
        return Err(unfit("name: the camera has none (lower-case letters, digits and `-`, such as north-gate)"));
    };
    wish(&state, (&caller, peer), &name, Deed::Add(values), None).await?;
    let place = format!("/api/v1/cameras/{name}");
    let view = cameras::one(state, Name(name), headers).await?;
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], view).into_response())
}

/// A camera has other values from now on. What is left out has its default; a password that is left out stays.
pub(super) async fn change(
    state: Shared,
    Extension(caller): Extension<Caller>,
    Extension(peer): Extension<Peer>,
    Name(name): Name,
    headers: HeaderMap,
    Body(CameraBody(mut values)): Body<CameraBody>,
) -> Result<Response, Problem> {
    if values.remove("name").is_some_and(|other| other != name.as_str()) {
        return Err(unfit("name: a camera keeps its name; add another one and remove this one"));
    }
    let seen = seen(&state, &name, &headers)?;
    wish(&state, (&caller, peer), &name, Deed::Change(values), seen).await?;
    cameras::one(state, Name(name), headers).await
}

/// A camera goes. What was counted stays.
pub(super) async fn remove(
    state: Shared,
    Extension(caller): Extension<Caller>,
    Extension(peer): Extension<Peer>,
    Name(name): Name,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let seen = seen(&state, &name, &headers)?;
    wish(&state, (&caller, peer), &name, Deed::Remove, seen).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The camera as the caller has seen it, where they say so (`If-Match`): between this look and the change it may be changed
/// by others, so the plan itself is what is compared then.
fn seen(state: &super::State, name: &str, headers: &HeaderMap) -> Result<Option<Box<CameraPlan>>, Problem> {
    let given: Vec<&str> = if_match(headers).collect();
    if given.is_empty() {
        return Ok(None);
    }
    let entry = state.roster.get(name).ok_or_else(cameras::unknown)?;
    let tag = state.tags.camera(&entry.plan);
    let fits = given.iter().any(|one| *one == "*" || *one == tag);
    if fits { Ok(Some(Box::new(entry.plan.clone()))) } else { Err(problem(&Objection::Changed)) }
}

/// Tags that the caller has seen.
pub(super) fn if_match(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::IF_MATCH).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

async fn wish(
    state: &super::State,
    (caller, peer): (&Caller, Peer),
    name: &str,
    deed: Deed,
    seen: Option<Box<CameraPlan>>,
) -> Result<(), Problem> {
    let (answer, answered) = tokio::sync::oneshot::channel();
    let by = caller.name().map(str::to_owned);
    let wish = CameraWish { name: name.to_owned(), deed, seen, by, from: peer.0 };
    if !state.wishes.try_put(Wish::Camera(wish, answer)) {
        return Err(Problem::busy("too many changes wait already"));
    }
    match tokio::time::timeout(PATIENCE, answered).await {
        Ok(Ok(Ok(()))) => Ok(()),
        Ok(Ok(Err(objection))) => Err(problem(&objection)),
        Ok(Err(_)) => Err(Problem::busy("the service ends")),
        Err(_) => Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, "not done yet: see /api/v1/config")),
    }
}

fn unfit(what: &str) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, what)
}

fn problem(objection: &Objection) -> Problem {
    let status = match objection {
        Objection::Absent => StatusCode::NOT_FOUND,
        Objection::Present | Objection::ByHand { .. } | Objection::NoInclude => StatusCode::CONFLICT,
        Objection::Changed => StatusCode::PRECONDITION_FAILED,
        Objection::Bad(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Objection::Disk(_) => StatusCode::INSUFFICIENT_STORAGE,
    };
    Problem::new(status, objection.to_string())
}
