//! The latest events, for those who listen now: the console and everybody else at `/api/v1/events`.
//!
//! Bounded twice: so many events are kept for who comes back, and so many wait for a listener that reads slowly. One that
//! falls behind further is told how many it has missed; it holds up nobody.

use std::collections::VecDeque;

use tokio::sync::broadcast;
use tracing_mutex::parking_lot::Mutex;

use super::spool::Record;

/// Events kept, and events that may wait for one listener.
const KEPT: usize = 256;

/// Hands events on to listeners.
pub struct Feed {
    recent: Mutex<VecDeque<Record>>,
    live: broadcast::Sender<Record>,
}

/// What a listener gets.
pub(crate) struct Subscription {
    /// Events after the one that it had last, as far as they are still kept.
    pub(crate) missed: Vec<Record>,
    /// Events from now on.
    pub(crate) live: broadcast::Receiver<Record>,
}

impl Default for Feed {
    fn default() -> Self {
        Self { recent: Mutex::default(), live: broadcast::Sender::new(KEPT) }
    }
}

impl Feed {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn publish(&self, records: &[Record]) {
        // Both under the lock, so that a listener gets each event from one side; neither waits.
        let mut recent = self.recent.lock();
        for record in records {
            if recent.len() == KEPT {
                recent.pop_front();
            }
            recent.push_back(record.clone());
            // Nobody may be listening.
            let _ = self.live.send(record.clone());
        }
    }

    /// Begins to listen, after the event with the id `last` where that is still known. Ids rise with time, so one that
    /// is not kept any more gives those that are newer.
    pub(crate) fn subscribe(&self, last: Option<&str>) -> Subscription {
        let recent = self.recent.lock();
        let live = self.live.subscribe();
        let missed = match last.and_then(|last| uuid::Uuid::parse_str(last).ok()) {
            Some(last) => recent.iter().filter(|record| record.id > last.to_string()).cloned().collect(),
            None => Vec::new(),
        };
        Subscription { missed, live }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: usize) -> Record {
        let id = format!("01900000-0000-7000-8000-{number:012}");
        Record::read(0, format!(r#"{{"id":"{id}","type":"camera.up","camera":"gate"}}"#).into()).unwrap()
    }

    #[test]
    fn a_listener_gets_what_it_missed_and_then_what_comes() {
        let feed = Feed::new();
        feed.publish(&[event(1), event(2), event(3)]);
        let mut listener = feed.subscribe(Some(&event(1).id));
        assert_eq!(listener.missed, [event(2), event(3)]);
        feed.publish(&[event(4)]);
        assert_eq!(listener.live.try_recv().unwrap(), event(4));
        for last in [None, Some("nonsense")] {
            assert!(feed.subscribe(last).missed.is_empty(), "{last:?}");
        }
    }

    #[test]
    fn a_slow_listener_is_told_what_it_lost_and_memory_is_bounded() {
        let feed = Feed::new();
        let mut slow = feed.subscribe(None);
        feed.publish(&(0..KEPT + 10).map(event).collect::<Vec<_>>());
        assert!(matches!(slow.live.try_recv(), Err(broadcast::error::TryRecvError::Lagged(10))));
        assert_eq!(slow.live.try_recv().unwrap(), event(10));
        assert_eq!(feed.subscribe(Some(&event(0).id)).missed.len(), KEPT);
    }
}
