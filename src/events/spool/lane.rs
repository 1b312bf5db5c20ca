//! A sink's view of the row.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;

use super::{Record, Shared};

/// How often a disk is looked at that does not give its events now.
const LOOK: Duration = Duration::from_millis(250);

/// The reader of one sink.
pub(crate) struct Lane {
    shared: Arc<Shared>,
    index: usize,
    head: watch::Receiver<u64>,
}

impl Lane {
    pub(super) fn new(shared: Arc<Shared>, index: usize) -> Self {
        let head = shared.head.subscribe();
        Self { shared, index, head }
    }

    /// The sink's name.
    pub(crate) fn sink(&self) -> &str {
        &self.shared.places[self.index].sink
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
    /// While a disk does not give those that come next, it waits for that too. Nothing is lost when the future is
    /// dropped.
    pub(crate) async fn next(&mut self, most: usize) -> Vec<Record> {
        loop {
            let head = *self.head.borrow_and_update();
            let place = self.place();
            if head > place {
                let shared = Arc::clone(&self.shared);
                let read = tokio::task::spawn_blocking(move || read(&shared, place, most)).await;
                // A task that was cancelled belongs to a runtime that ends.
                match read.unwrap_or_default() {
                    Some(found) if !found.is_empty() => return found,
                    // It gave way meanwhile, or was no event.
                    Some(_) => self.done(head),
                    None => tokio::time::sleep(LOOK).await,
                }
            } else if self.head.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Events up to this number need not be sent any more.
    pub(crate) fn done(&self, seq: u64) {
        self.shared.places[self.index].done.fetch_max(seq, Ordering::AcqRel);
    }

    fn place(&self) -> u64 {
        self.shared.places[self.index].done.load(Ordering::Acquire)
    }
}

/// Events above `after`; `None` while the disk has them and does not give them. The memory is looked at first: what is
/// no longer there by then is on disk.
fn read(shared: &Shared, after: u64, most: usize) -> Option<Vec<Record>> {
    let recent: Vec<Record> = {
        let tail = shared.tail();
        let first = tail.partition_point(|record| record.seq <= after);
        tail.range(first..).take(most).cloned().collect()
    };
    if recent.first().is_some_and(|record| record.seq == after + 1) {
        return Some(recent);
    }
    // What lies between was on disk alone, or has given way.
    let Some(disk) = shared.disk() else {
        return (after >= shared.stored.load(Ordering::Acquire)).then_some(recent);
    };
    match disk.read(after, most) {
        Ok(older) if older.is_empty() => Some(recent),
        Ok(older) => Some(older),
        Err(error) => {
            shared.refuses(&disk, &error);
            None
        }
    }
}
