//! The store as far as the disk has one now. While the disk refuses, the ledger has everything; when there is room
//! again, what differs is written. Counts are stored whole, not as what was added, so nothing is stored twice.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::ledger::{Book, Key, Ledger, Row};
use super::lock;
use super::store::Store;
use crate::state_file::{Folder, Retry, StateError, StoreHealth};

/// Keeps a ledger on a disk that comes and goes.
pub(super) struct Shelf {
    folder: Folder,
    /// `None`: it refuses.
    store: Option<Store>,
    /// What was counted before this process is in the ledger.
    restored: bool,
    retry: Retry,
    health: Arc<StoreHealth>,
}

impl Shelf {
    /// Nothing is opened yet.
    pub(super) fn new(folder: Folder, health: Arc<StoreHealth>) -> Self {
        Self { folder, store: None, restored: false, retry: Retry::default(), health }
    }

    /// Brings the disk up to date; the first time, takes over what was counted before. After a failure this does nothing
    /// until the pause is over, unless it is the `last` time. `now`: since the Unix epoch.
    pub(super) fn keep(&mut self, ledger: &Mutex<Ledger>, now: Duration, last: bool) {
        let moment = Instant::now();
        if !last && !self.retry.is_due(moment) {
            return;
        }
        match self.try_keep(ledger, now) {
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

    fn try_keep(&mut self, ledger: &Mutex<Ledger>, now: Duration) -> Result<(), StateError> {
        if let Some(store) = &self.store {
            let rows = lock(ledger).take_dirty();
            return store.write(&rows, &[]);
        }
        // Whatever changed until now is among what differs.
        drop(lock(ledger).take_dirty());
        let (store, found) = Store::open(&self.folder)?;
        let all = {
            let mut ledger = lock(ledger);
            if !self.restored {
                tracing::info!(folder = %self.folder.path().display(), counts = found.len(), "people counted before go on");
                ledger.restore(now, found.clone());
                self.restored = true;
            }
            drop(ledger.take_dirty());
            ledger.rows()
        };
        let (rows, gone) = difference(&found, all);
        store.write(&rows, &gone)?;
        self.store = Some(store);
        Ok(())
    }
}

/// What makes `found` into `wanted`: rows to be written, and rows to be taken out.
fn difference(found: &[Row], wanted: Vec<Row>) -> (Vec<Row>, Vec<Key>) {
    let mut rest: BTreeMap<&Key, _> = found.iter().map(|row| (&row.key, row.counts)).collect();
    let rows = wanted.into_iter().filter(|row| rest.remove(&row.key) != Some(row.counts)).collect();
    (rows, rest.into_keys().cloned().collect())
}

#[cfg(test)]
#[path = "shelf_tests.rs"]
mod tests;
