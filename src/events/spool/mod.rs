//! What waits for its sinks: a numbered row of events and, per sink, how far it has come.
//!
//! One writer ([`Spool`]) and one reader per sink ([`Lane`]). New events are in memory first, where the readers find them
//! at once, and then on disk: a slow disk delays no alert. What is on disk survives the end of the process in every form;
//! a sink's place is written a little later than it moves, so after a crash some events come twice, and none is lost.
//! Without a folder, or while the disk refuses, events wait in memory. In both cases the row is bounded: the oldest give
//! way, and are counted for each sink that had not had them.

mod disk;
mod lane;
mod record;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

pub(super) use self::disk::SpoolError;
pub(super) use self::lane::Lane;
pub(crate) use self::record::Record;

use self::disk::Disk;

/// What an event costs besides its text.
const OVERHEAD: u64 = 64;
/// Events written in one step.
const MOST_AT_ONCE: usize = 4096;

/// Shared by the writer and the readers.
struct Shared {
    disk: Option<Disk>,
    /// Events that are not on disk, in rising order.
    tail: Mutex<VecDeque<Record>>,
    /// Events up to this number are gone: every sink has had them, or they had to give way.
    floor: AtomicU64,
    places: Vec<Place>,
    /// Number of the latest event.
    head: watch::Sender<u64>,
}

/// How far a sink has come.
struct Place {
    sink: String,
    /// Events up to this number need not be sent any more.
    done: AtomicU64,
}

impl Shared {
    fn tail(&self) -> MutexGuard<'_, VecDeque<Record>> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writer.
pub(super) struct Spool {
    shared: Arc<Shared>,
    /// Bytes of the events above the floor, in rising order.
    sizes: VecDeque<u64>,
    bytes: u64,
    most_bytes: u64,
    /// Floor and places as they are on disk.
    saved: (u64, Vec<u64>),
}

impl Spool {
    /// Opens the spool of these sinks in `folder`, or in memory. A sink that is new there begins with the next event.
    ///
    /// # Errors
    /// The folder cannot be written, or another process uses it. A broken file is moved aside instead.
    pub(super) fn open(folder: Option<&Path>, sinks: &[String], most_bytes: u64) -> Result<Self, SpoolError> {
        let (disk, found) = match folder {
            Some(folder) => Disk::open(folder).map(|(disk, found)| (Some(disk), found))?,
            None => (None, disk::Found::default()),
        };
        let place = |sink: &String| {
            let done = found.places.get(sink).copied().unwrap_or(found.head).min(found.head);
            Place { sink: sink.clone(), done: AtomicU64::new(done) }
        };
        let places: Vec<_> = sinks.iter().map(place).collect();
        for gone in found.places.keys().filter(|known| !sinks.contains(known)) {
            tracing::warn!(sink = %gone, "events: this sink is configured no longer; what waited for it is dropped");
        }
        let floor = found.head - found.sizes.len() as u64;
        let shared = Shared {
            disk,
            tail: Mutex::default(),
            floor: AtomicU64::new(floor),
            places,
            head: watch::Sender::new(found.head),
        };
        let bytes = found.sizes.iter().sum();
        // Nothing counts as saved: the first save writes all places, and takes those out that are configured no longer.
        let saved = (floor, Vec::new());
        Ok(Self { shared: Arc::new(shared), sizes: found.sizes, bytes, most_bytes, saved })
    }

    /// The reader of a sink, by its index in the list given to [`Self::open`].
    pub(super) fn lane(&self, index: usize) -> Lane {
        Lane::new(Arc::clone(&self.shared), index)
    }

    /// Puts events into the row; the readers have them at once. Returns for each sink how many events had to give way
    /// that it had not had.
    pub(super) fn append(&mut self, events: Vec<Record>) -> Vec<u64> {
        let shared = Arc::clone(&self.shared);
        let mut head = *shared.head.borrow();
        {
            let mut tail = shared.tail();
            for mut record in events {
                head += 1;
                record.seq = head;
                let size = record.json.len() as u64 + OVERHEAD;
                self.sizes.push_back(size);
                self.bytes += size;
                tail.push_back(record);
            }
        }
        let dropped = self.give_way();
        self.prune(head);
        shared.head.send_replace(head);
        dropped
    }

    /// Drops the oldest events while there are too many.
    fn give_way(&mut self) -> Vec<u64> {
        let mut dropped = vec![0; self.shared.places.len()];
        while self.bytes > self.most_bytes && self.sizes.len() > 1 {
            let gone = self.raise_floor();
            for (place, dropped) in self.shared.places.iter().zip(&mut dropped) {
                *dropped += u64::from(place.done.fetch_max(gone, Ordering::AcqRel) < gone);
            }
        }
        dropped
    }

    /// Lets go of what every sink has had. `head`: number of the latest event.
    fn prune(&mut self, head: u64) {
        let had = self.shared.places.iter().map(|place| place.done.load(Ordering::Acquire)).min().unwrap_or(head);
        while self.shared.floor.load(Ordering::Acquire) < had && !self.sizes.is_empty() {
            self.raise_floor();
        }
        let floor = self.shared.floor.load(Ordering::Acquire);
        let mut tail = self.shared.tail();
        while tail.front().is_some_and(|record| record.seq <= floor) {
            tail.pop_front();
        }
    }

    fn raise_floor(&mut self) -> u64 {
        self.bytes -= self.sizes.pop_front().unwrap_or_default();
        self.shared.floor.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Brings the disk up to date, durably, where anything has changed.
    ///
    /// # Errors
    /// The disk refuses; everything stays as it is in memory, and the next call tries again.
    pub(super) fn save(&mut self) -> Result<(), SpoolError> {
        let head = *self.shared.head.borrow();
        self.prune(head);
        let Some(disk) = &self.shared.disk else { return Ok(()) };
        let floor = self.shared.floor.load(Ordering::Acquire);
        let done: Vec<u64> = self.shared.places.iter().map(|place| place.done.load(Ordering::Acquire)).collect();
        loop {
            let unwritten: Vec<Record> = self.shared.tail().iter().take(MOST_AT_ONCE).cloned().collect();
            if unwritten.is_empty() && self.saved == (floor, done.clone()) {
                return Ok(());
            }
            let last = unwritten.last().map_or(head, |record| record.seq);
            let places = self.shared.places.iter().map(|place| place.sink.as_str()).zip(done.iter().copied());
            disk.save(&unwritten, floor, last, places)?;
            let mut tail = self.shared.tail();
            while tail.front().is_some_and(|record| record.seq <= last) {
                tail.pop_front();
            }
            drop(tail);
            self.saved = (floor, done.clone());
        }
    }

    /// For each sink, how many events wait for it.
    pub(super) fn waiting(&self) -> Vec<u64> {
        let head = *self.shared.head.borrow();
        self.shared.places.iter().map(|place| head.saturating_sub(place.done.load(Ordering::Acquire))).collect()
    }
}

#[cfg(test)]
mod tests;
