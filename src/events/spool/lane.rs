//! A sink's view of the row.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

use super::{Place, Record, Shared};

/// How often a disk is looked at that does not give its events now.
const LOOK: Duration = Duration::from_millis(250);

/// What comes next for a sink.
#[derive(Debug, Default)]
pub(crate) struct Portion {
    /// Events in order; none where all of them are lost.
    pub(crate) records: Vec<Record>,
    /// Events before and between them that are on the disk no longer, or that cannot be read.
    pub(crate) lost: u64,
}

/// The reader of one sink.
pub(crate) struct Lane {
    shared: Arc<Shared>,
    place: Arc<Place>,
    head: watch::Receiver<u64>,
}

impl Lane {
    pub(super) fn new(shared: Arc<Shared>, place: Arc<Place>) -> Self {
        let head = shared.head.subscribe();
        Self { shared, place, head }
    }

    /// The sink's name.
    pub(crate) fn sink(&self) -> &str {
        &self.place.sink
    }

    /// Whether anything waits.
    pub(crate) fn is_behind(&self) -> bool {
        *self.head.borrow() > self.place()
    }

    /// How many events wait.
    pub(crate) fn waiting(&self) -> u64 {
        self.head.borrow().saturating_sub(self.place())
    }

    /// Waits for the next events and gives them in order, `most` at a time; they stay in the row until [`Self::done`].
    /// What is lost of them is told once. While a disk does not give those that come next, it waits for that too. Nothing
    /// is lost when the future is dropped.
    pub(crate) async fn next(&mut self, most: usize) -> Portion {
        loop {
            let head = *self.head.borrow_and_update();
            let place = self.place();
            if head > place {
                let shared = Arc::clone(&self.shared);
                let read = tokio::task::spawn_blocking(move || read(&shared, place, most)).await;
                // A task that was cancelled belongs to a runtime that ends.
                match read.unwrap_or_default() {
                    Some(found) => {
                        let portion = self.understand(found, head);
                        if portion.lost > 0 || !portion.records.is_empty() {
                            return portion;
                        }
                    }
                    None => tokio::time::sleep(LOOK).await,
                }
            } else if self.head.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Passes over what is damaged: numbers that are missing, texts that are no event. What comes behind such a place is
    /// left for the next time, so that nothing is told twice. `head`: number of the latest event when it was read.
    fn understand(&self, found: Found, head: u64) -> Portion {
        // What gave way since is counted already.
        let place = self.place();
        let nothing = found.is_empty();
        let (mut last, mut portion) = (place, Portion::default());
        for (seq, text) in found.into_iter().filter(|(seq, _)| *seq > place) {
            let record = match text {
                Text::Read(record) => Ok(record),
                Text::Stored(json) => Record::read(seq, json),
            };
            let (missing, whole) = (seq - last - 1, record.is_ok());
            if !portion.records.is_empty() && (missing > 0 || !whole) {
                break;
            }
            // Nobody could address a text that is no event.
            portion.lost += missing + u64::from(!whole);
            portion.records.extend(record);
            last = seq;
        }
        if nothing {
            portion.lost = head.saturating_sub(place);
            last = last.max(head);
        }
        if portion.lost > 0 {
            let (sink, events) = (self.sink(), portion.lost);
            tracing::error!(sink, events, "events that waited on the disk are damaged or missing, and are not sent");
        }
        self.done(portion.records.first().map_or(last, |record| record.seq - 1));
        portion
    }

    /// Events up to this number need not be sent any more.
    pub(crate) fn done(&self, seq: u64) {
        self.place.done.fetch_max(seq, Ordering::AcqRel);
    }

    fn place(&self) -> u64 {
        self.place.done()
    }
}

/// Events by number, in rising order.
type Found = Vec<(u64, Text)>;

/// An event as it was found.
enum Text {
    /// In memory.
    Read(Record),
    /// On disk.
    Stored(Bytes),
}

/// Events above `after`; `None` while the disk has them and does not give them. The memory is looked at first: what is
/// no longer there by then is on disk.
fn read(shared: &Shared, after: u64, most: usize) -> Option<Found> {
    let recent: Vec<Record> = {
        let tail = shared.tail();
        let first = tail.partition_point(|record| record.seq <= after);
        tail.range(first..).take(most).cloned().collect()
    };
    let is_next = recent.first().is_some_and(|record| record.seq == after + 1);
    let recent = recent.into_iter().map(|record| (record.seq, Text::Read(record))).collect();
    // What lies between was on disk alone, or has given way.
    if is_next || after >= shared.stored.load(Ordering::Acquire) {
        return Some(recent);
    }
    let disk = shared.disk()?;
    match disk.texts(after, most) {
        Ok(older) if older.is_empty() => Some(recent),
        Ok(older) => Some(older.into_iter().map(|(seq, json)| (seq, Text::Stored(json))).collect()),
        Err(error) => {
            shared.refuses(&disk, &error);
            None
        }
    }
}
