//! The store as far as the disk has one now. While the disk refuses, the ledger has everything; when there is room
//! again, what differs is written. Counts are stored whole, not as what was added, so nothing is stored twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing_mutex::parking_lot::Mutex;

use super::ledger::{Changes, Ledger, Row};
use super::place::Book;
use super::store::Store;
use crate::clock::Clock;
use crate::state_file::{Folder, Retry, StateError, StoreHealth};

/// What is known of the time is written so often where nobody is counted.
const NOTE: Duration = Duration::from_secs(10 * 60);

/// Keeps a ledger on a disk that comes and goes.
pub(super) struct Shelf {
    folder: Folder,
    /// `None`: it refuses.
    store: Option<Store>,
    /// What was counted before this process is in the ledger.
    restored: bool,
    /// When what is known of the time was written, since the start.
    noted: Duration,
    retry: Retry,
    health: Arc<StoreHealth>,
}

impl Shelf {
    /// Nothing is opened yet.
    pub(super) fn new(folder: Folder, health: Arc<StoreHealth>) -> Self {
        Self { folder, store: None, restored: false, noted: Duration::ZERO, retry: Retry::default(), health }
    }

    /// Brings the disk up to date; the first time, takes over what was counted before. After a failure this does nothing
    /// until the pause is over, unless it is the `last` time.
    pub(super) fn keep(&mut self, ledger: &Mutex<Ledger>, clock: &Clock, last: bool) {
        let moment = Instant::now();
        if !last && !self.retry.is_due(moment) {
            return;
        }
        match self.try_keep(ledger, clock, last) {
            Ok(()) => {
                self.retry.worked();
                self.health.works();
            }
            Err(error) => self.failed(&error),
        }
    }

    /// Time until the next attempt; `None` where the last one succeeded.
    pub(super) fn pause(&self) -> Option<Duration> {
        self.retry.pause(Instant::now())
    }

    /// Removes rows that begin before the time given for their book.
    pub(super) fn forget(&mut self, oldest: [(Book, u64); 2]) {
        if let Some(store) = &self.store
            && let Err(error) = store.forget(oldest)
        {
            self.failed(&error);
        }
    }

    fn failed(&mut self, error: &StateError) {
        // It does nothing more after an error; what it was to write is found when it is opened again.
        self.store = None;
        self.retry.failed(Instant::now(), rand::random());
        self.health.fails(error);
    }

    fn try_keep(&mut self, ledger: &Mutex<Ledger>, clock: &Clock, last: bool) -> Result<(), StateError> {
        if let Some(store) = &self.store {
            let (now, changes) = {
                let mut ledger = ledger.lock();
                let now = clock.now();
                ledger.follow(&now);
                (now, ledger.take_dirty())
            };
            if changes != Changes::default() || last || now.steady >= self.noted + NOTE {
                store.write(&changes, clock.past())?;
                self.noted = now.steady;
            }
            return Ok(());
        }
        // Whatever changed until now is among what differs.
        drop(ledger.lock().take_dirty());
        let (store, found) = Store::open(&self.folder, &self.health)?;
        if !self.restored {
            found.past.into_iter().for_each(|past| clock.know(past));
        }
        let all = {
            let mut ledger = ledger.lock();
            let now = clock.now();
            ledger.follow(&now);
            if !self.restored {
                let (folder, counts) = (self.folder.path().display(), found.rows.len());
                tracing::info!(%folder, counts, "people counted before go on");
                ledger.restore(now.prune(), found.rows.clone());
                self.restored = true;
            }
            drop(ledger.take_dirty());
            ledger.rows()
        };
        store.write(&difference(&found.rows, all), clock.past())?;
        self.store = Some(store);
        Ok(())
    }
}

/// What makes `found` into `wanted`.
fn difference(found: &[Row], wanted: Vec<Row>) -> Changes {
    let mut rest: BTreeMap<_, _> = found.iter().map(|row| (&row.key, row.counts)).collect();
    let rows = wanted.into_iter().filter(|row| rest.remove(&row.key) != Some(row.counts)).collect();
    Changes { rows, gone: rest.into_keys().cloned().collect() }
}

#[cfg(test)]
#[path = "shelf_tests.rs"]
mod tests;
