//! The cameras: which there are, how they fare, and their latest pictures.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Shared;
use super::api::{self, CameraView, StoreView};
use super::ask::{Name, Query};
use super::paging;
use super::people::{self, CameraPeople};
use super::problem::Problem;
use super::{snapshot, tags};
use crate::access::Caller;
use crate::config::plan::Privacy;
use crate::roster::Entry;

/// Which cameras
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Which {
    /// Those with this label, as site:mall-a
    #[schemars(regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*:"))]
    label: Option<String>,
    /// Most entries of a page. Default: 500
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
    /// `next` of the page before
    #[schemars(regex(pattern = "^[0-9]{1,9}\\..+$"))]
    cursor: Option<String>,
}

/// Cameras, in the order of the configuration
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Cameras {
    cameras: Vec<CameraView>,
    /// Cursor of the next page; null: this is the last one
    next: Option<String>,
    /// Address of the stream that shows all cameras; null for who sees only some
    mosaic: Option<String>,
    /// What is to outlive the process
    stores: Vec<StoreView>,
}

/// All cameras, or those with a label. The tag is that of their configuration, whatever they do.
pub(super) async fn list(
    state: Shared,
    Extension(caller): Extension<Caller>,
    Query(which): Query<Which>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let limit = paging::limit(which.limit, paging::MOST)?;
    let label = which.label.as_deref().map(label).transpose()?;
    let scope = &caller.grant().scope;
    let mut entries = state.roster.all();
    entries.retain(|entry| scope.admits(&entry.plan.labels));
    entries.retain(|entry| label.is_none_or(|label| has(&entry.plan.labels, label)));
    let tag = state.tags.all(entries.iter().map(|entry| &entry.plan));
    let name = |entry: &Arc<Entry>| entry.plan.name.clone();
    let (page, next) = paging::page(entries, name, which.cursor.as_deref(), limit)?;
    let host = api::host_of(&headers);
    let cameras = Cameras {
        cameras: page.iter().map(|entry| api::view(entry, &state, &host)).collect(),
        next,
        mosaic: scope.is_whole().then(|| api::stream(&host, state.rtsp, crate::rtsp::MOSAIC)),
        stores: api::stores(&state),
    };
    Ok(tags::tagged(&tag, Json(cameras)))
}

/// One of them. The tag is that of its configuration: for a change that is to be made only if nobody made another.
pub(super) async fn one(state: Shared, Name(name): Name, headers: HeaderMap) -> Result<Response, Problem> {
    let entry = state.roster.get(&name).ok_or_else(unknown)?;
    let view = api::view(&entry, &state, &api::host_of(&headers));
    Ok(tags::tagged(&state.tags.camera(&entry.plan), Json(view)))
}

/// People of a camera or zone by the hour.
pub(super) async fn people_of(
    state: Shared,
    Name(name): Name,
    Query(query): Query<people::Query>,
) -> Result<Json<CameraPeople>, Problem> {
    let entry = state.roster.get(&name).ok_or_else(unknown)?;
    people::history(&entry, &state, &query).map(Json)
}

/// The latest frame with its faces, as JPEG.
pub(super) async fn picture(state: Shared, Name(name): Name) -> Result<Response, Problem> {
    let entry = state.roster.get(&name).ok_or_else(unknown)?;
    if entry.hub.privacy() == Privacy::Statistics {
        let why = format!("camera {name} gives statistics only (privacy: statistics)");
        return Err(Problem::new(StatusCode::FORBIDDEN, why));
    }
    let Ok(place) = Arc::clone(&state.snapshots).acquire_owned().await else { return Err(Problem::busy("ending")) };
    let hub = Arc::clone(&entry.hub);
    let areas = if entry.plan.output.zones { entry.plan.areas.clone() } else { Default::default() };
    // Also the latest picture is asked for there: faces may have to be hidden in it first.
    let made = tokio::task::spawn_blocking(move || {
        let jpeg = hub.latest().map(|shown| snapshot::jpeg(&shown, hub.camera(), &hub.caption(), areas));
        drop(place);
        jpeg
    });
    match made.await.map_err(Problem::internal)? {
        Some(Ok(jpeg)) => Ok(([(header::CONTENT_TYPE, "image/jpeg")], jpeg).into_response()),
        Some(Err(error)) => Err(Problem::internal(error)),
        None => {
            let status = entry.status.view();
            let why = status.failure.map_or_else(|| status.state.as_str().to_owned(), |failure| failure.to_string());
            Err(Problem::busy(format!("camera {name} has no picture: {why}")))
        }
    }
}

pub(super) fn unknown() -> Problem {
    Problem::absent("no camera of this name is configured")
}

/// Name and value of a label in a query.
pub(super) fn label(text: &str) -> Result<(&str, &str), Problem> {
    let parts = text.split_once(':').filter(|(name, _)| !name.is_empty());
    parts.ok_or_else(|| Problem::bad(format!("label={text} is no label and value (such as site:mall-a)")))
}

/// Whether that label has that value.
pub(super) fn has(labels: &BTreeMap<String, String>, (name, value): (&str, &str)) -> bool {
    labels.get(name).is_some_and(|own| own == value)
}
