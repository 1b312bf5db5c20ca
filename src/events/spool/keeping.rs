//! The row on a disk that comes and goes.
//!
//! While there is none the row goes on in memory. A disk that is there again gets what it has missed; one that is there
//! for the first time, after events have come already, gives what waited on it from before, behind those that came
//! meanwhile: they are numbered anew, and a sink that was ahead of others before may get some twice.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;

use super::disk::{Disk, Found, Step};
use super::{OVERHEAD, Record, Spool};
use crate::state_file::{Folder, Retry, StateError, StoreHealth};

/// Events written in one step.
const MOST_AT_ONCE: usize = 4096;

/// Where the row is stored, and who is told how that goes.
pub(in crate::events) struct StoredAt {
    /// The state folder.
    pub(in crate::events) folder: Folder,
    /// Is told.
    pub(in crate::events) health: Arc<StoreHealth>,
}

/// The disk's side of the writer.
pub(super) struct Keeping {
    stored_at: StoredAt,
    retry: Retry,
    /// What waited on the disk from before is in the row.
    adopted: bool,
}

impl Keeping {
    pub(super) fn new(stored_at: StoredAt) -> Self {
        Self { stored_at, retry: Retry::default(), adopted: false }
    }
}

impl Spool {
    /// Brings the disk up to date, durably, where anything has changed. After a failure this does nothing until the
    /// pause is over, unless it is the `last` time.
    ///
    /// # Errors
    /// The disk refuses; everything stays as it is in memory, and a later call tries again.
    pub(in crate::events) fn save(&mut self, last: bool) -> Result<(), StateError> {
        let head = *self.shared.head.borrow();
        self.prune(head);
        let now = Instant::now();
        let Some(keeping) = &mut self.keeping else { return Ok(()) };
        if self.places.is_empty() && !keeping.adopted {
            // Nothing waits, and nothing ever has.
            keeping.stored_at.health.works();
            return Ok(());
        }
        if self.shared.refused.swap(false, Ordering::AcqRel) {
            keeping.retry.failed(now, rand::random());
        }
        if !last && !keeping.retry.is_due(now) {
            return Ok(());
        }
        let saved = self.try_save();
        let Some(keeping) = &mut self.keeping else { return Ok(()) };
        match &saved {
            Ok(written) => {
                if *written {
                    keeping.retry.worked();
                }
                keeping.stored_at.health.works();
            }
            Err(error) => {
                keeping.retry.failed(now, rand::random());
                keeping.stored_at.health.fails(error);
                self.shared.set_disk(None);
                // What is on it can be read as a rule, also while it is full.
                self.reopen().ok();
            }
        }
        saved.map(drop)
    }

    /// Whether anything had to be written.
    fn try_save(&mut self) -> Result<bool, StateError> {
        if self.shared.disk().is_none() {
            self.reopen()?;
        }
        let shared = Arc::clone(&self.shared);
        let Some(disk) = shared.disk() else { return Ok(false) };
        let floor = shared.floor.load(Ordering::Acquire);
        let done = self.done();
        let mut written = false;
        loop {
            let unwritten: Vec<Record> = shared.tail().iter().take(MOST_AT_ONCE).cloned().collect();
            if unwritten.is_empty() && self.saved == (floor, done.clone()) {
                return Ok(written);
            }
            let head = unwritten.last().map_or(*shared.head.borrow(), |record| record.seq);
            let events = &mut unwritten.into_iter().map(|record| (record.seq, record.json));
            disk.save(Step { events, floor, head, places: &self.places(&done), anew: false })?;
            self.stored_up_to(head);
            self.saved = (floor, done.clone());
            written = true;
        }
    }

    fn done(&self) -> Vec<u64> {
        self.places.iter().map(|place| place.done()).collect()
    }

    fn places(&self, done: &[u64]) -> Vec<(&str, u64)> {
        self.places.iter().map(|place| place.sink.as_str()).zip(done.iter().copied()).collect()
    }

    /// Events up to `head` are on disk: the readers find them there.
    fn stored_up_to(&self, head: u64) {
        let mut tail = self.shared.tail();
        self.shared.stored.fetch_max(head, Ordering::AcqRel);
        while tail.front().is_some_and(|record| record.seq <= head) {
            tail.pop_front();
        }
    }

    fn reopen(&mut self) -> Result<(), StateError> {
        let Some(keeping) = &self.keeping else { return Ok(()) };
        let (disk, found) = Disk::open(&keeping.stored_at.folder, &keeping.stored_at.health)?;
        if keeping.adopted {
            self.resume(&found);
        } else {
            self.forget_sinks(&found);
            if *self.shared.head.borrow() == 0 {
                self.take_over(found)
            } else {
                self.adopt(&disk, &found)?
            }
            // Nothing counts as saved: the next step writes all places.
            self.saved.1.clear();
        }
        self.shared.set_disk(Some(Arc::new(disk)));
        if let Some(keeping) = &mut self.keeping {
            keeping.adopted = true;
        }
        Ok(())
    }

    fn forget_sinks(&self, found: &Found) {
        let configured = |sink: &str| self.places.iter().any(|place| place.sink == sink);
        for gone in found.places.keys().filter(|known| !configured(known)) {
            tracing::warn!(sink = %gone, "events: this sink is configured no longer; what waited for it is dropped");
        }
    }

    /// The row begins with what is on disk.
    fn take_over(&mut self, found: Found) {
        for place in &self.places {
            let done = found.places.get(&place.sink).copied().unwrap_or(found.head).min(found.head);
            place.done.store(done, Ordering::Release);
        }
        self.shared.floor.store(found.floor(), Ordering::Release);
        self.shared.stored.store(found.head, Ordering::Release);
        self.bytes = found.waiting.iter().map(|(_, size)| size).sum();
        self.sizes = found.waiting;
        self.shared.head.send_replace(found.head);
    }

    /// Events have come already: what waits on disk from before is numbered anew behind them, in one step.
    fn adopt(&mut self, disk: &Disk, found: &Found) -> Result<(), StateError> {
        let shared = Arc::clone(&self.shared);
        let head = *shared.head.borrow();
        let known = self.places.iter().filter_map(|place| found.places.get(&place.sink));
        let had = known.min().copied().unwrap_or(found.head).max(found.floor());
        let old: Vec<Bytes> = disk.texts(had, usize::MAX)?.into_iter().map(|(_, json)| json).collect();
        let sizes: Vec<(u64, u64)> =
            (head + 1..).zip(&old).map(|(seq, json)| (seq, json.len() as u64 + OVERHEAD)).collect();
        let tail: Vec<Record> = shared.tail().iter().cloned().collect();
        let last = head + old.len() as u64;
        let (floor, done) = (shared.floor.load(Ordering::Acquire), self.done());
        let events = tail.into_iter().map(|record| (record.seq, record.json));
        let events = &mut events.chain((head + 1..).zip(old));
        disk.save(Step { events, floor, head: last, places: &self.places(&done), anew: true })?;
        if last > head {
            tracing::info!(events = last - head, "events that waited on the disk are sent after those that came since");
        }
        self.bytes += sizes.iter().map(|(_, size)| size).sum::<u64>();
        self.sizes.extend(sizes);
        self.stored_up_to(last);
        self.shared.head.send_replace(last);
        let dropped = self.give_way();
        self.lose(dropped);
        self.prune(last);
        Ok(())
    }

    fn lose(&mut self, dropped: Vec<u64>) {
        self.lost.iter_mut().zip(dropped).for_each(|(lost, dropped)| *lost += dropped);
    }

    /// What was only on disk must still be there; else it is lost, which is said and counted.
    fn resume(&mut self, found: &Found) {
        let stored = self.shared.stored.load(Ordering::Acquire);
        let gone = if found.head < stored { stored } else { stored.min(found.floor()) };
        let mut dropped = vec![0; self.places.len()];
        while self.sizes.front().is_some_and(|(seq, _)| *seq <= gone) {
            self.drop_oldest(&mut dropped);
        }
        if gone == stored {
            self.saved.1.clear();
        }
        if let Some(most) = dropped.iter().max().filter(|most| **most > 0) {
            tracing::error!(events = most, "events that waited on the disk are not there any more and are not sent");
        }
        self.lose(dropped);
    }

    /// Events that are in memory alone and that a sink has not had, the most of any sink.
    pub(in crate::events) fn unsaved(&self) -> u64 {
        let stored = if self.keeping.is_some() { self.shared.stored.load(Ordering::Acquire) } else { 0 };
        let head = *self.shared.head.borrow();
        let waits = |done: u64| head.saturating_sub(done.max(stored));
        self.done().into_iter().map(waits).max().unwrap_or(0)
    }
}
