//! What a camera's thread is told while it runs.

use std::sync::PoisonError;
use std::time::Instant;

use tracing_mutex::stdsync::{Condvar, Mutex, MutexGuard};

use crate::config::plan::CameraPlan;

/// What is to be another way from now on; of each kind the latest.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Ordered {
    pub(super) plan: Option<CameraPlan>,
    /// Name by which an engine is registered with `gstmaskwatch::engines`.
    pub(super) engine: Option<String>,
}

#[derive(Default)]
struct State {
    stop: bool,
    /// It does not begin yet.
    held: bool,
    change: Option<Ordered>,
}

/// A box that others put orders into and the camera's thread empties.
#[derive(Default)]
pub(super) struct Orders {
    state: Mutex<State>,
    changed: Condvar,
}

impl Orders {
    /// For a camera that is to wait for [`Self::engine`] before it begins.
    pub(super) fn held() -> Self {
        Self { state: Mutex::new(State { held: true, ..State::default() }), ..Self::default() }
    }

    /// It shall end.
    pub(super) fn stop(&self) {
        self.tell(|state| state.stop = true);
    }

    /// It shall run by this plan.
    pub(super) fn plan(&self, plan: CameraPlan) {
        self.tell(|state| state.change.get_or_insert_default().plan = Some(plan));
    }

    /// It shall ask this engine, and begin if it has not.
    pub(super) fn engine(&self, name: String) {
        self.tell(|state| {
            state.change.get_or_insert_default().engine = Some(name);
            state.held = false;
        });
    }

    fn tell(&self, order: impl FnOnce(&mut State)) {
        order(&mut self.lock());
        self.changed.notify_all();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.lock().stop
    }

    /// What has been ordered since the last call.
    pub(super) fn take(&self) -> Option<Ordered> {
        self.lock().change.take()
    }

    /// Waits until it may begin, or shall end.
    pub(super) fn wait_to_begin(&self) {
        let mut state = self.lock();
        while state.held && !state.stop {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until `deadline`, or until something is ordered.
    pub(super) fn wait(&self, deadline: Instant) {
        let mut state = self.lock();
        while !state.stop && state.change.is_none() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::config::secret::CameraUrl;

    fn plan(weight: u32) -> CameraPlan {
        CameraPlan { weight, ..CameraPlan::new("gate", CameraUrl::parse("rtsp://127.0.0.1/a").unwrap()) }
    }

    #[test]
    fn the_latest_of_each_kind_counts_and_is_taken_once() {
        let orders = Orders::default();
        assert_eq!(orders.take(), None);
        orders.plan(plan(1));
        orders.engine("second".into());
        orders.plan(plan(2));
        assert_eq!(orders.take(), Some(Ordered { plan: Some(plan(2)), engine: Some("second".into()) }));
        assert_eq!(orders.take(), None);
    }

    #[test]
    fn a_pause_ends_with_an_order() {
        let orders = Arc::new(Orders::held());
        let other = Arc::clone(&orders);
        let thread = std::thread::spawn(move || {
            other.wait_to_begin();
            other.wait(Instant::now() + Duration::from_secs(600));
            let change = other.take();
            other.wait(Instant::now() + Duration::from_secs(600));
            (change.and_then(|change| change.engine), other.is_stopped())
        });
        orders.engine("first".into());
        orders.stop();
        assert_eq!(thread.join().unwrap(), (Some("first".into()), true));
    }
}
