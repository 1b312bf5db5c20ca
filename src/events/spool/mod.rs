//! What waits for its sinks: a numbered row of events and, per sink, how far it has come.
//!
//! One writer ([`Spool`]) and one reader per sink ([`Lane`]). New events are in memory first, where the readers find them
//! at once, and then on disk: a slow disk delays no alert. What is on disk survives the end of the process in every form;
//! a sink's place is written a little later than it moves, so after a crash some events come twice, and none is lost.
//! Without a folder, or while the disk refuses, events wait in memory (`keeping`). In both cases the row is bounded: the
//! oldest give way, and are counted for each sink that had not had them. What is damaged on the disk is passed over, and
//! counted likewise; a disk that gives nothing now is waited for.

mod disk;
mod keeping;
mod lane;
mod record;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::watch;
use tracing_mutex::parking_lot::{Mutex, MutexGuard, RwLock};

pub(super) use self::disk::KIND;
pub(super) use self::keeping::StoredAt;
pub(super) use self::lane::Lane;
pub(crate) use self::record::Record;

use self::disk::Disk;
use self::keeping::Keeping;
use crate::state_file::{StateError, StoreHealth};

/// What an event costs besides its text.
const OVERHEAD: u64 = 64;

/// Shared by the writer and the readers.
struct Shared {
    /// `None`: there is none, or it refuses now.
    disk: RwLock<Option<Arc<Disk>>>,
    /// A reader had an error: the writer opens it again.
    refused: AtomicBool,
    health: Option<Arc<StoreHealth>>,
    /// Events up to this number are not in `tail` any more: they are on disk alone, or gone.
    stored: AtomicU64,
    /// Events that are not on disk, in rising order.
    tail: Mutex<VecDeque<Record>>,
    /// Events up to this number are gone: every sink has had them, or they had to give way.
    floor: AtomicU64,
    /// Number of the latest event.
    head: watch::Sender<u64>,
}

/// How far a sink has come.
struct Place {
    sink: String,
    /// Events up to this number need not be sent any more.
    done: AtomicU64,
}

impl Place {
    fn new(sink: &str, done: u64) -> Self {
        Self { sink: sink.to_owned(), done: AtomicU64::new(done) }
    }

    fn done(&self) -> u64 {
        self.done.load(Ordering::Acquire)
    }
}

impl Shared {
    fn tail(&self) -> MutexGuard<'_, VecDeque<Record>> {
        self.tail.lock()
    }

    fn disk(&self) -> Option<Arc<Disk>> {
        self.disk.read().clone()
    }

    fn set_disk(&self, disk: Option<Arc<Disk>>) {
        *self.disk.write() = disk;
    }

    /// This disk gives nothing any more until it is opened again.
    fn refuses(&self, disk: &Arc<Disk>, error: &StateError) {
        if self.disk().is_some_and(|now| Arc::ptr_eq(&now, disk)) {
            self.set_disk(None);
            self.refused.store(true, Ordering::Release);
            self.health.iter().for_each(|health| health.fails(error));
        }
    }
}

/// The writer.
pub(super) struct Spool {
    shared: Arc<Shared>,
    /// Of the sinks, in the order in which they were named.
    places: Vec<Arc<Place>>,
    /// Numbers and bytes of the events above the floor, in rising order.
    sizes: VecDeque<(u64, u64)>,
    bytes: u64,
    most_bytes: u64,
    /// Floor and places as they are on disk.
    saved: (u64, Vec<u64>),
    /// `None`: in memory only.
    keeping: Option<Keeping>,
    /// Events of each sink that are lost and not yet told.
    lost: Vec<u64>,
}

impl Spool {
    /// Opens the spool of these sinks in a folder, or in memory. A sink that is new there begins with the next event.
    ///
    /// # Errors
    /// Another process uses the folder. A disk that refuses is none: it is tried again whenever [`Self::save`] is called.
    pub(super) fn open(stored_at: Option<StoredAt>, sinks: &[String], most_bytes: u64) -> Result<Self, StateError> {
        let shared = Shared {
            disk: RwLock::default(),
            refused: AtomicBool::new(false),
            health: stored_at.as_ref().map(|place| Arc::clone(&place.health)),
            stored: AtomicU64::new(0),
            tail: Mutex::default(),
            floor: AtomicU64::new(0),
            head: watch::Sender::new(0),
        };
        let mut spool = Self {
            shared: Arc::new(shared),
            places: sinks.iter().map(|sink| Arc::new(Place::new(sink, 0))).collect(),
            sizes: VecDeque::new(),
            bytes: 0,
            most_bytes,
            saved: (0, Vec::new()),
            keeping: stored_at.map(Keeping::new),
            lost: vec![0; sinks.len()],
        };
        match spool.save(false) {
            Err(error @ StateError::InUse(_)) => Err(error),
            _ => Ok(spool),
        }
    }

    /// The reader of a sink, by its index in the list given to [`Self::open`] or [`Self::set_sinks`].
    pub(super) fn lane(&self, index: usize) -> Lane {
        Lane::new(Arc::clone(&self.shared), Arc::clone(&self.places[index]))
    }

    /// The sinks from now on. One that is new begins with the next event; one of before goes on where it stood. Gives the
    /// sinks that are gone, each with the number of events that it had not had. Readers of these read on in vain.
    pub(super) fn set_sinks(&mut self, sinks: &[String], most_bytes: u64) -> Vec<(String, u64)> {
        let head = *self.shared.head.borrow();
        let mut before = std::mem::take(&mut self.places);
        let mut lost = std::mem::take(&mut self.lost);
        for sink in sinks {
            let known = before.iter().position(|place| place.sink == *sink);
            let (place, lost) = match known {
                Some(index) => (before.remove(index), lost.remove(index)),
                None => (Arc::new(Place::new(sink, head)), 0),
            };
            self.places.push(place);
            self.lost.push(lost);
        }
        self.most_bytes = most_bytes;
        // Nothing counts as saved: the next step writes all places.
        self.saved.1.clear();
        let waited = |place: &Arc<Place>| head.saturating_sub(place.done());
        let gone = before.iter().zip(lost).map(|(place, lost)| (place.sink.clone(), waited(place) + lost));
        let gone = gone.collect();
        let dropped = self.give_way();
        self.lost.iter_mut().zip(dropped).for_each(|(lost, dropped)| *lost += dropped);
        gone
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
                self.sizes.push_back((head, size));
                self.bytes += size;
                tail.push_back(record);
            }
        }
        let dropped = self.give_way();
        self.prune(head);
        shared.head.send_replace(head);
        dropped
    }

    /// For each sink, how many events were lost with the disk that it had not had, since that was asked last.
    pub(super) fn take_lost(&mut self) -> Vec<u64> {
        let none = vec![0; self.lost.len()];
        std::mem::replace(&mut self.lost, none)
    }

    /// Drops the oldest events while there are too many.
    fn give_way(&mut self) -> Vec<u64> {
        let mut dropped = vec![0; self.places.len()];
        while self.bytes > self.most_bytes && self.sizes.len() > 1 {
            self.drop_oldest(&mut dropped);
        }
        dropped
    }

    fn drop_oldest(&mut self, dropped: &mut [u64]) {
        let Some(gone) = self.raise_floor() else { return };
        for (place, dropped) in self.places.iter().zip(dropped) {
            // With it goes what is missing before it.
            *dropped += gone.saturating_sub(place.done.fetch_max(gone, Ordering::AcqRel));
        }
    }

    /// Lets go of what every sink has had. `head`: number of the latest event.
    fn prune(&mut self, head: u64) {
        let had = self.places.iter().map(|place| place.done()).min().unwrap_or(head);
        while self.sizes.front().is_some_and(|(seq, _)| *seq <= had) {
            self.raise_floor();
        }
        let floor = self.shared.floor.load(Ordering::Acquire);
        let mut tail = self.shared.tail();
        while tail.front().is_some_and(|record| record.seq <= floor) {
            tail.pop_front();
        }
    }

    /// The oldest event goes; gives its number.
    fn raise_floor(&mut self) -> Option<u64> {
        let (gone, size) = self.sizes.pop_front()?;
        self.bytes -= size;
        self.shared.floor.fetch_max(gone, Ordering::AcqRel);
        Some(gone)
    }

    /// For each sink, how many events wait for it.
    pub(super) fn waiting(&self) -> Vec<u64> {
        let head = *self.shared.head.borrow();
        self.places.iter().map(|place| head.saturating_sub(place.done())).collect()
    }
}

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod tests;
