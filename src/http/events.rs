//! Events: as they happen, and by time.
//!
//! Live ones are server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>). A browser that
//! was cut off says which event it had last, and gets what came since as far as it is kept. A listener that reads too
//! slowly is told how many it missed, in an event named `lagged`. Past ones come as a list.

mod live;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::Shared;
use super::State;
use super::ask::Query;
use super::paging;
use super::people::{time, time_schema};
use super::problem::Problem;
use crate::access::{Caller, Scope};
use crate::events::event::{Body, Event};
use crate::events::{Asked, Mark};

/// Entries of a page where nothing is said.
const USUAL: u32 = 100;
/// The span that is looked at where no beginning is given.
const DAY: Duration = Duration::from_secs(24 * 3600);
const STREAM: &str = "text/event-stream";

/// Which events. With `from`, `to` or `cursor` those of the past come as a list, the newest first; without, events come
/// as they happen
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Which {
    /// Not before: RFC 3339, or seconds since 1970. Default: a day before the end
    #[schemars(schema_with = "time_schema")]
    from: Option<String>,
    /// Before, likewise. Default: now
    #[schemars(schema_with = "time_schema")]
    to: Option<String>,
    /// Those of this camera
    camera: Option<String>,
    /// Those of this type
    #[serde(rename = "type")]
    #[schemars(schema_with = "kind_schema")]
    kind: Option<String>,
    /// Most entries of a page. Default: 100
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
    /// `next` of the page before; the other keys stay as they were
    #[schemars(regex(pattern = "^[0-9]{1,16}\\.[0-9a-f]{32}$"))]
    cursor: Option<String>,
}

fn kind_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": Body::KINDS })
}

/// Past events, the newest first
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct EventList {
    #[schemars(with = "Vec<Event>")]
    events: Vec<Value>,
    /// Cursor of the next page, with older ones; null: this is the last one
    next: Option<String>,
}

/// Which events are wanted, whenever they happen.
#[derive(Clone, Debug)]
struct Filter {
    camera: Option<String>,
    kind: Option<String>,
    /// The cameras that the caller sees.
    scope: Scope,
}

/// Whether an event is of a camera that is seen. Its own labels count: the camera may have others by now, or be gone.
fn sees(scope: &Scope, json: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Labelled {
        labels: BTreeMap<String, String>,
    }
    scope.is_whole() || serde_json::from_slice::<Labelled>(json).is_ok_and(|event| scope.admits(&event.labels))
}

pub(super) async fn events(
    state: Shared,
    Extension(caller): Extension<Caller>,
    Query(which): Query<Which>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let scope = caller.grant().scope.clone();
    let past = which.from.is_some() || which.to.is_some() || which.cursor.is_some();
    let accepts = |media: &str| {
        let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|one| one.trim().starts_with(media))
    };
    let live = accepts(STREAM) || !(past || accepts("application/json"));
    if let Some(kind) = which.kind.as_deref().filter(|kind| !Body::KINDS.contains(kind)) {
        return Err(Problem::bad(format!("type={kind} is no type (known: {})", Body::KINDS.join(", "))));
    }
    let mut response = if live {
        if past {
            return Err(Problem::bad(
                "from, to and cursor are of the list (Accept: application/json); a stream goes on \
                                     behind Last-Event-ID",
            ));
        }
        let limit = which.limit.map(|limit| paging::limit(Some(limit), USUAL)).transpose()?;
        if limit.is_some() {
            return Err(Problem::bad("limit is of the list (Accept: application/json, or from)"));
        }
        live::listen(&state, &headers, Filter { camera: which.camera, kind: which.kind, scope })?
    } else {
        list(&state, which, &scope).await?
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

async fn list(state: &Arc<State>, which: Which, scope: &Scope) -> Result<Response, Problem> {
    let asked = asked(which, state.people.now())?;
    let history = Arc::clone(&state.history);
    // It reads the disk.
    let page = tokio::task::spawn_blocking(move || history.page(&asked)).await.map_err(Problem::internal)?;
    let page = page.map_err(Problem::busy)?;
    let read = |json: &bytes::Bytes| serde_json::from_slice(json);
    // A page may have fewer entries than its limit, and another one after it.
    let events = page
        .events
        .iter()
        .filter(|json| sees(scope, json))
        .map(read)
        .collect::<Result<_, _>>()
        .map_err(Problem::internal)?;
    Ok(Json(EventList { events, next: page.next.map(cursor) }).into_response())
}

/// What a query asks for. `now`: since the Unix epoch.
fn asked(which: Which, now: Duration) -> Result<Asked, Problem> {
    let time = |key, text: &Option<String>| text.as_deref().map(|text| time(key, text)).transpose();
    let to = time("to", &which.to).map_err(Problem::bad)?;
    let from = time("from", &which.from).map_err(Problem::bad)?;
    let end = to.unwrap_or(now);
    let from = from.unwrap_or_else(|| end.saturating_sub(DAY));
    if to.is_some() && from >= end {
        return Err(Problem::bad("`from` is not before `to`"));
    }
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Ok(Asked {
        from: millis(from),
        // Without an end, what a clock that is set back put into the future is told too.
        to: to.map_or(u64::MAX, millis),
        camera: which.camera,
        kind: which.kind,
        before: which.cursor.as_deref().map(mark).transpose()?,
        limit: paging::limit(which.limit, USUAL)?,
    })
}

fn cursor(mark: Mark) -> String {
    format!("{}.{}", mark.ms, mark.id.simple())
}

fn mark(cursor: &str) -> Result<Mark, Problem> {
    let parts = cursor.split_once('.').and_then(|(ms, id)| Some((ms.parse().ok()?, Uuid::try_parse(id).ok()?)));
    parts.map(|(ms, id)| Mark { ms, id }).ok_or_else(|| paging::unknown(cursor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_as_they_were() {
        let one = Mark { ms: 1_764_000_000_123, id: Uuid::from_u128(7) };
        assert_eq!(mark(&cursor(one)).unwrap(), one);
        for wrong in ["", "1", "x.00000000000000000000000000000007", "1.7"] {
            assert!(mark(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_usual_list_is_that_of_the_last_day() {
        let seconds = Duration::from_secs;
        let ask = |from: &str, to: &str| {
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            asked(Which { from: some(from), to: some(to), ..Which::default() }, seconds(1_764_000_000))
        };
        let usual = ask("", "").unwrap();
        assert_eq!((usual.from, usual.to, usual.limit), (1_763_913_600_000, u64::MAX, 100));
        let given = ask("2025-11-24T08:00:00Z", "2025-11-24T09:00:00Z").unwrap();
        assert_eq!(given.to - given.from, 3_600_000);
        assert!(ask("1764000000", "1764000000").unwrap_err().detail().contains("before"));
        assert!(ask("yesterday", "").unwrap_err().detail().contains("no time"));
    }
}
