//! Events as they happen.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::Filter;
use crate::events::{Record, Subscription};
use crate::http::State;
use crate::http::problem::Problem;

/// Something is sent at least so often, so that dead connections are noticed on both sides.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// When a browser comes back after it was cut off.
const RETRY: Duration = Duration::from_secs(2);

/// One subscriber.
struct Subscriber {
    begun: bool,
    filter: Filter,
    missed: VecDeque<Record>,
    live: Receiver<Record>,
    _place: OwnedSemaphorePermit,
}

impl Subscriber {
    async fn next(mut self) -> Option<(Result<sse::Event, Infallible>, Self)> {
        if !self.begun {
            self.begun = true;
            return Some((Ok(sse::Event::default().retry(RETRY).comment("events of maskwatch")), self));
        }
        loop {
            let record = match self.missed.pop_front() {
                Some(record) => record,
                None => match self.live.recv().await {
                    Ok(record) => record,
                    Err(RecvError::Lagged(missed)) => {
                        let lagged = sse::Event::default().event("lagged").data(format!("{{\"missed\":{missed}}}"));
                        return Some((Ok(lagged), self));
                    }
                    Err(RecvError::Closed) => return None,
                },
            };
            if self.filter.wants(&record) {
                let event = sse::Event::default().id(&record.id).data(String::from_utf8_lossy(&record.json));
                return Some((Ok(event), self));
            }
        }
    }
}

impl Filter {
    fn wants(&self, record: &Record) -> bool {
        let fits = |asked: &Option<String>, own: &str| asked.as_deref().is_none_or(|asked| asked == own);
        fits(&self.camera, &record.camera) && fits(&self.kind, &record.kind) && super::sees(&self.scope, &record.json)
    }
}

/// Listens until the client goes.
///
/// # Errors
/// Too many listen.
pub(super) fn listen(state: &State, headers: &HeaderMap, filter: Filter) -> Result<Response, Problem> {
    let place = Arc::clone(&state.listeners).try_acquire_owned();
    let place = place.map_err(|_| Problem::busy("too many listen already; a broker serves more"))?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let Subscription { missed, live } = state.feed.subscribe(last);
    let subscriber = Subscriber { begun: false, filter, missed: missed.into(), live, _place: place };
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    Ok(Sse::new(stream::unfold(subscriber, Subscriber::next)).keep_alive(keep_alive).into_response())
}
