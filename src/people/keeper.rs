//! The thread that stores the counts and renews the overlay's captions.
//!
//! A person counted is on the disk within a second: what changed meanwhile goes into one transaction. While the disk
//! refuses, changes wait in memory, bounded by the number of places and steps; see `shelf`.

use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::People;
use super::shelf::Shelf;

/// Least time between two transactions: what a crash of the machine may cost, and what a disk has to bear at most.
const PACE: Duration = Duration::from_secs(1);
/// Captions are renewed this often while nobody comes: people leave the window by themselves.
const RENEW: Duration = Duration::from_secs(5);
/// How often what is too old is removed.
const EXPIRE: Duration = Duration::from_secs(3600);

/// A running keeper. Dropping it stores what is not stored yet, and ends the thread.
pub struct Keeper {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Takes over what is on the `shelf`, as far as its disk gives it now, and starts. Without one nothing outlives the
    /// process.
    pub(super) fn start(people: &Arc<People>, mut shelf: Option<Shelf>, wake: Receiver<()>) -> std::io::Result<Self> {
        if let Some(shelf) = &mut shelf {
            shelf.keep(&people.ledger, &people.clock, false);
        }
        let (stop, stopped) = bounded(0);
        let work = Work { people: Arc::downgrade(people), shelf, expired: Instant::now() };
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

struct Work {
    people: Weak<People>,
    shelf: Option<Shelf>,
    expired: Instant,
}

impl Work {
    fn run(mut self, wake: &Receiver<()>, stopped: &Receiver<()>) {
        loop {
            let begin = Instant::now();
            let retry = self.shelf.as_ref().and_then(Shelf::pause).unwrap_or(RENEW);
            let asked = crossbeam_channel::select! {
                recv(wake) -> _ => true,
                recv(stopped) -> _ => false,
                default(RENEW.min(retry)) => true,
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
        match &mut self.shelf {
            Some(shelf) => shelf.keep(&people.ledger, &people.clock, last),
            // Nobody stores them: they need not be remembered as changed.
            None => drop(people.at_now().1.take_dirty()),
        }
    }

    fn expire(&mut self, people: &People) {
        if self.expired.elapsed() < EXPIRE {
            return;
        }
        let (now, mut ledger) = people.at_now();
        // While the time is in doubt nothing is old.
        let Some(prune) = now.prune() else { return };
        self.expired = Instant::now();
        let oldest = ledger.expire(prune);
        drop(ledger);
        if let Some(shelf) = &mut self.shelf {
            shelf.forget(oldest);
        }
    }
}
