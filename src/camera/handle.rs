//! What others hold of a camera that runs.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use super::orders::Orders;
use super::status::CameraStatus;
use crate::config::plan::CameraPlan;
use crate::frames::Hub;

/// A camera that runs. Dropping the handle asks it to stop and does not wait.
pub struct CameraHandle {
    pub(super) plan: CameraPlan,
    pub(super) hub: Arc<Hub>,
    pub(super) status: Arc<CameraStatus>,
    pub(super) orders: Arc<Orders>,
    pub(super) thread: Option<JoinHandle<()>>,
    pub(super) ended: crossbeam_channel::Receiver<()>,
}

impl CameraHandle {
    /// What it runs by.
    pub fn plan(&self) -> &CameraPlan {
        &self.plan
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.plan.name
    }

    /// Its frames.
    pub fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// How it fares.
    pub fn status(&self) -> &Arc<CameraStatus> {
        &self.status
    }

    /// It runs by `plan` from now on; does not wait. Its privacy mode is in force when this returns. Only where the pictures
    /// come another way is it connected to anew, at once.
    pub fn change(&mut self, plan: CameraPlan) {
        self.hub.change(&plan);
        self.plan = plan.clone();
        self.orders.plan(plan);
    }

    /// It is analysed by the engine registered under this name from now on; does not wait. A camera that is held begins.
    pub fn ask_engine(&self, name: &str) {
        self.orders.engine(name.to_owned());
    }

    /// Asks it to stop; does not wait. For many cameras: ask all, then [`Self::stop`] each.
    pub fn ask_to_stop(&self) {
        self.orders.stop();
    }

    /// Stops it and waits at most until `deadline`. Returns whether it has ended; if not, its thread is left behind.
    pub fn stop(mut self, deadline: Instant) -> bool {
        self.orders.stop();
        // The channel closes when the thread is through.
        let ended = !matches!(self.ended.recv_deadline(deadline), Err(crossbeam_channel::RecvTimeoutError::Timeout));
        if let Some(thread) = self.thread.take().filter(|_| ended)
            && thread.join().is_err()
        {
            tracing::error!(camera = self.name(), "the camera's thread panicked");
        }
        ended
    }
}

impl Drop for CameraHandle {
    fn drop(&mut self) {
        self.orders.stop();
    }
}
