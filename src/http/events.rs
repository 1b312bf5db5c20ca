//! Events as they happen: server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).
//!
//! A browser that was cut off says which event it had last, and gets what came since as far as it is kept. A listener that
//! reads too slowly is told how many it missed, in an event named `lagged`.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::State;
use super::routes::refuse;
use crate::access::{Caller, Scope};
use crate::events::{Record, Subscription};

/// Something is sent at least so often, so that dead connections are noticed on both sides.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// When a browser comes back after it was cut off.
const RETRY: Duration = Duration::from_secs(2);

/// One listener.
struct Listener {
    begun: bool,
    missed: VecDeque<Record>,
    live: Receiver<Record>,
    /// The cameras that the listener sees.
    scope: Scope,
    _place: OwnedSemaphorePermit,
}

impl Listener {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        if !self.begun {
            self.begun = true;
            return Some((Ok(Event::default().retry(RETRY).comment("events of maskwatch")), self));
        }
        loop {
            let record = match self.missed.pop_front() {
                Some(record) => record,
                None => match self.live.recv().await {
                    Ok(record) => record,
                    Err(RecvError::Lagged(missed)) => {
                        let told = Event::default().event("lagged").data(format!("{{\"missed\":{missed}}}"));
                        return Some((Ok(told), self));
                    }
                    Err(RecvError::Closed) => return None,
                },
            };
            if sees(&self.scope, &record) {
                return Some((Ok(event(&record)), self));
            }
        }
    }
}

/// Whether an event is of a camera that is seen. Its own labels count: the camera may have others by now, or be gone.
fn sees(scope: &Scope, record: &Record) -> bool {
    #[derive(Deserialize)]
    struct Labelled {
        labels: BTreeMap<String, String>,
    }
    scope.is_whole() || serde_json::from_slice::<Labelled>(&record.json).is_ok_and(|event| scope.admits(&event.labels))
}

fn event(record: &Record) -> Event {
    Event::default().id(&record.id).data(String::from_utf8_lossy(&record.json))
}

/// Listens until the client goes.
pub(super) async fn listen(
    state: extract::State<Arc<State>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Response {
    let Ok(place) = Arc::clone(&state.listeners).try_acquire_owned() else {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "too many listen already; a broker serves more");
    };
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let Subscription { missed, live } = state.feed.subscribe(last);
    let scope = caller.grant().scope.clone();
    let listener = Listener { begun: false, missed: missed.into(), live, scope, _place: place };
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    Sse::new(stream::unfold(listener, Listener::next)).keep_alive(keep_alive).into_response()
}
