//! The thread that stores the counts and renews the overlay's captions.
//!
//! A person counted is on the disk within a second: what changed meanwhile goes into one transaction. While the disk
//! refuses, changes wait in memory, bounded by the number of places and steps, and are tried again.

use std::path::Path;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::store::{Store, StoreError};
use super::{People, now};

/// Least time between two transactions: what a crash of the machine may cost, and what a disk has to bear at most.
const PACE: Duration = Duration::from_secs(1);
/// Captions are renewed this often while nobody comes: people leave the window by themselves.
const RENEW: Duration = Duration::from_secs(5);
/// Pause after the disk refused.
const RETRY: Duration = Duration::from_secs(10);
/// How often what is too old is removed.
const EXPIRE: Duration = Duration::from_secs(3600);

/// A running keeper. Dropping it stores what is not stored yet, and ends the thread.
pub struct Keeper {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Opens the store in `folder`, takes over what is there, and starts. Without a folder, or where it cannot be used
    /// (said in the log), nothing outlives the process.
    pub(super) fn start(people: &Arc<People>, folder: Option<&Path>, wake: Receiver<()>) -> std::io::Result<Self> {
        let store = folder.and_then(|folder| {
            open(people, folder)
                .inspect_err(|error| {
                    tracing::error!("people counted are not kept over a restart: {error}");
                })
                .ok()
        });
        let (stop, stopped) = bounded(0);
        let work = Work { people: Arc::downgrade(people), store, troubled: None, expired: Instant::now() };
        let thread = std::thread::Builder::new().name("people".into()).spawn(move || work.run(&wake, &stopped))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }

    /// Stores what is not stored yet, and ends.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that keeps people counted panicked");
        }
    }
}

fn open(people: &People, folder: &Path) -> Result<Store, StoreError> {
    let (store, rows, aside) = Store::open(folder)?;
    if let Some(aside) = aside {
        let name = aside.display();
        tracing::error!(
            "people counted before are lost: the store was corrupt and is now {name}; counting begins anew"
        );
    }
    let rows = {
        let mut ledger = people.ledger();
        ledger.restore(now(), rows);
        ledger.take_dirty()
    };
    store.write(&rows, true)?;
    tracing::info!(folder = %folder.display(), counts = rows.len(), "people counted before go on");
    Ok(store)
}

struct Work {
    people: Weak<People>,
    store: Option<Store>,
    /// Since when the disk refuses.
    troubled: Option<Instant>,
    expired: Instant,
}

impl Work {
    fn run(mut self, wake: &Receiver<()>, stopped: &Receiver<()>) {
        loop {
            let begin = Instant::now();
            let asked = crossbeam_channel::select! {
                recv(wake) -> _ => true,
                recv(stopped) -> _ => false,
                default(RENEW) => true,
            };
            let Some(people) = self.people.upgrade() else { return };
            self.store_changes(&people, !asked);
            people.renew_captions();
            if !asked {
                return;
            }
            self.expire(&people);
            drop(people);
            let rest = PACE.saturating_sub(begin.elapsed());
            if !matches!(stopped.recv_timeout(rest), Err(RecvTimeoutError::Timeout)) {
                if let Some(people) = self.people.upgrade() {
                    self.store_changes(&people, true);
                }
                return;
            }
        }
    }

    fn store_changes(&mut self, people: &People, last: bool) {
        let Some(store) = &self.store else {
            // Nobody stores them: they need not be remembered as changed.
            drop(people.ledger().take_dirty());
            return;
        };
        if !last && self.troubled.is_some_and(|since| since.elapsed() < RETRY) {
            return;
        }
        let rows = people.ledger().take_dirty();
        if rows.is_empty() {
            return;
        }
        match store.write(&rows, false) {
            Ok(()) => self.troubled = None,
            Err(error) => {
                tracing::error!("people counted cannot be stored; tried again: {error}");
                people.ledger().keep_dirty(rows);
                self.troubled = Some(Instant::now());
            }
        }
    }

    fn expire(&mut self, people: &People) {
        if self.expired.elapsed() < EXPIRE {
            return;
        }
        self.expired = Instant::now();
        let oldest = people.ledger().expire(now());
        if let Some(store) = &self.store
            && let Err(error) = store.forget(oldest)
        {
            tracing::warn!("old counts stay in the store: {error}");
        }
    }
}
