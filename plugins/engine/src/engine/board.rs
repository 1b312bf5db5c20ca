//! Where pictures wait: one place per camera, and the policy that picks batches.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use maskwatch_vision::{
    batch::{Arrival, BatchConfig, BatchPolicy, BatchReason, Decision},
    preprocess::Fit,
};
use tracing_mutex::parking_lot::{Mutex, MutexGuard};

use super::{pool::Pool, ticket::Ticket};
use crate::subject::{Ask, DropReason, Outcome};

/// A picture that is ready for the detector.
pub(super) struct Waiting {
    pub(super) ticket: Ticket,
    /// The detector's input; goes back to the pool after the run.
    pub(super) tensor: Vec<f32>,
    /// Where the picture lies in it.
    pub(super) fit: Fit,
    /// Height of the picture in pixels.
    pub(super) height: u32,
    pub(super) ask: Ask,
    /// Since when it waits.
    pub(super) ready: Instant,
}

/// What cameras and the detect thread share. The lock is held for look-ups only: never over preprocessing, inference, a
/// channel send, or a call into a subject.
pub(super) struct Board {
    state: Mutex<State>,
    /// One token: "look at the board". A full channel already says so.
    wake: Sender<()>,
    woken: Receiver<()>,
    stopped: AtomicBool,
    /// Zero of the policy's times.
    epoch: Instant,
    pub(super) pool: Pool,
}

struct State {
    policy: BatchPolicy,
    waiting: HashMap<u64, Waiting>,
    next_id: u64,
}

impl Board {
    pub(super) fn new(config: BatchConfig, pool: Pool) -> Self {
        let (wake, woken) = bounded(1);
        let state = State { policy: BatchPolicy::new(config), waiting: HashMap::new(), next_id: 1 };
        let stopped = AtomicBool::new(false);
        Self { state: Mutex::new(state), wake, woken, stopped, epoch: Instant::now(), pool }
    }

    /// A panic in the policy leaves a usable, if inexact, state; waiting pictures must still be finished.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Makes a place for a camera and gives its number.
    pub(super) fn register(&self, weight: u32) -> u64 {
        let mut state = self.state();
        let id = state.next_id;
        state.next_id += 1;
        state.policy.register(id, weight);
        id
    }

    pub(super) fn unregister(&self, camera: u64) {
        let left = {
            let mut state = self.state();
            state.policy.unregister(camera);
            state.waiting.remove(&camera)
        };
        self.discard(left, DropReason::Stopped);
    }

    /// Takes a camera's waiting picture back.
    pub(super) fn withdraw(&self, camera: u64) {
        let left = {
            let mut state = self.state();
            state.policy.withdraw(camera);
            state.waiting.remove(&camera)
        };
        self.discard(left, DropReason::Flushed);
    }

    /// Lets a picture wait, in place of an older one of the same camera.
    pub(super) fn place(&self, picture: Waiting) {
        let camera = picture.ticket.camera();
        let (left, reason) = {
            let mut state = self.state();
            if self.is_stopped() {
                (Some(picture), DropReason::Stopped)
            } else {
                match state.policy.arrive(camera, self.epoch.elapsed()) {
                    Arrival::Unregistered => (Some(picture), DropReason::Stopped),
                    Arrival::Queued | Arrival::Replaced => {
                        (state.waiting.insert(camera, picture), DropReason::Superseded)
                    }
                }
            }
        };
        self.ring();
        self.discard(left, reason);
    }

    /// Waits for the next batch. `None`: the engine stops.
    pub(super) fn next_batch(&self) -> Option<(Vec<Waiting>, BatchReason)> {
        loop {
            let until = {
                let mut state = self.state();
                if self.is_stopped() {
                    return None;
                }
                match state.policy.next(self.epoch.elapsed(), true) {
                    Decision::Run { cameras, reason } => {
                        let batch: Vec<_> = cameras.iter().filter_map(|camera| state.waiting.remove(camera)).collect();
                        if !batch.is_empty() {
                            return Some((batch, reason));
                        }
                        continue;
                    }
                    Decision::Wait(until) => until,
                }
            };
            self.sleep(until);
        }
    }

    /// Sleeps until something happens on the board, or until `until`.
    fn sleep(&self, until: Option<Duration>) {
        // The board holds a sender itself, so neither ends by disconnection; a timeout needs no other answer than to look.
        match until {
            Some(until) => drop(self.woken.recv_deadline(self.epoch + until)),
            None => drop(self.woken.recv()),
        }
    }

    fn ring(&self) {
        match self.wake.try_send(()) {
            Ok(()) | Err(TrySendError::Full(()) | TrySendError::Disconnected(())) => {}
        }
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Ends the waiting, now and for ever: what waits is finished as stopped, and so is what comes later.
    pub(super) fn stop(&self) {
        let left: Vec<_> = {
            let mut state = self.state();
            // Set under the lock: whoever placed a picture before is seen here, whoever comes later sees it.
            self.stopped.store(true, Ordering::Release);
            state.waiting.drain().map(|(_, picture)| picture).collect()
        };
        self.ring();
        for picture in left {
            self.discard(Some(picture), DropReason::Stopped);
        }
    }

    fn discard(&self, picture: Option<Waiting>, reason: DropReason) {
        if let Some(Waiting { ticket, tensor, .. }) = picture {
            self.pool.put(tensor);
            ticket.finish(Outcome::Dropped(reason));
        }
    }
}

/// Stops the board when its thread ends, for whatever reason: no picture waits for a thread that is gone.
pub(super) struct StopOnExit(pub(super) Arc<Board>);

impl Drop for StopOnExit {
    fn drop(&mut self) {
        self.0.stop();
    }
}
