//! Who gets a camera's pictures.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use tracing_mutex::parking_lot::Mutex;

use super::Shown;

/// Called with every picture, on the camera's streaming thread or its supervisor's. Must not block. A panic costs it this
/// picture, and nobody else anything; after ten in a row it is called no longer.
pub type Subscriber = Arc<dyn Fn(&Shown) + Send + Sync>;

/// Panics in a row after which a subscriber goes. A picture that one subscriber does not get along with must not end a
/// stream for good; but one that gets along with none would fill the log for ever.
const STRIKES: u32 = 10;

struct Seat {
    id: u64,
    subscriber: Subscriber,
    /// Panics since it last got through.
    strikes: AtomicU32,
}

/// The subscribers, in the order in which they came.
#[derive(Default)]
pub(super) struct Audience {
    seats: Mutex<Arc<Vec<Arc<Seat>>>>,
    next_id: AtomicU64,
}

impl Audience {
    /// A further one; gives its number.
    pub(super) fn add(&self, subscriber: Subscriber) -> u64 {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let mut seats = self.seats.lock();
        let mut list = seats.as_ref().clone();
        list.push(Arc::new(Seat { id, subscriber, strikes: AtomicU32::new(0) }));
        *seats = Arc::new(list);
        id
    }

    /// One goes. It may own much: it ends here, with no lock held.
    pub(super) fn remove(&self, id: u64) {
        let before = {
            let mut seats = self.seats.lock();
            let list = seats.iter().filter(|seat| seat.id != id).cloned().collect();
            std::mem::replace(&mut *seats, Arc::new(list))
        };
        drop(before);
    }

    pub(super) fn len(&self) -> usize {
        self.seats.lock().len()
    }

    /// Hands a picture to each, with no lock held. `failed`: is called for each that panicked.
    pub(super) fn show(&self, camera: &str, shown: &Shown, failed: impl Fn()) {
        let seats = Arc::clone(&self.seats.lock());
        for seat in seats.iter() {
            if catch_unwind(AssertUnwindSafe(|| (seat.subscriber)(shown))).is_ok() {
                seat.strikes.store(0, Ordering::Relaxed);
                continue;
            }
            failed();
            let strikes = seat.strikes.fetch_add(1, Ordering::Relaxed) + 1;
            if strikes < STRIKES {
                tracing::error!(camera, strikes, "an output failed at a picture; the log says why");
            } else {
                tracing::error!(camera, "an output failed at {STRIKES} pictures in a row and gets no more of them");
                self.remove(seat.id);
            }
        }
    }
}
