//! The promise that every submitted picture is finished, once.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use crate::subject::{DropReason, Outcome, Subject};

/// What a camera's pictures under way need to know of it.
#[derive(Debug)]
pub(super) struct Place {
    /// Number in the batching policy, never used again.
    pub(super) id: u64,
    /// For messages.
    pub(super) name: String,
    /// Counts flushes: a picture that was submitted before the latest is not wanted any more.
    flushes: AtomicU64,
    /// The camera is detached.
    gone: AtomicBool,
}

impl Place {
    pub(super) fn new(id: u64, name: &str) -> Self {
        Self { id, name: name.into(), flushes: AtomicU64::new(0), gone: AtomicBool::new(false) }
    }

    pub(super) fn flush(&self) {
        self.flushes.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn leave(&self) {
        self.gone.store(true, Ordering::Release);
    }
}

/// A subject that will be finished: by [`Ticket::finish`], or when this is dropped on whatever way out.
pub(super) struct Ticket {
    /// `None` once finished.
    subject: Option<Box<dyn Subject>>,
    place: Arc<Place>,
    flushes: u64,
}

impl Ticket {
    pub(super) fn new(subject: Box<dyn Subject>, place: &Arc<Place>) -> Self {
        let flushes = place.flushes.load(Ordering::Acquire);
        Self { subject: Some(subject), place: place.clone(), flushes }
    }

    /// Number of the camera.
    pub(super) fn camera(&self) -> u64 {
        self.place.id
    }

    /// Runs `work` on the subject.
    ///
    /// # Errors
    /// It panicked; says with what.
    pub(super) fn with<R>(&mut self, work: impl FnOnce(&mut dyn Subject) -> R) -> Result<R, String> {
        match self.subject.as_deref_mut() {
            Some(subject) => guarded(|| work(subject)),
            None => Err("the picture is finished already".into()),
        }
    }

    /// Finishes the subject. A flush or a detachment since it was submitted overrules the outcome.
    pub(super) fn finish(mut self, outcome: Outcome) {
        self.close(outcome);
    }

    fn close(&mut self, outcome: Outcome) {
        let Some(subject) = self.subject.take() else { return };
        let outcome = if matches!(outcome, Outcome::Dropped(_)) {
            outcome
        } else if self.place.gone.load(Ordering::Acquire) {
            Outcome::Dropped(DropReason::Stopped)
        } else if self.place.flushes.load(Ordering::Acquire) != self.flushes {
            Outcome::Dropped(DropReason::Flushed)
        } else {
            outcome
        };
        if let Err(cause) = guarded(|| subject.finish(outcome)) {
            tracing::error!(camera = self.place.name, cause, "taking a result failed");
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.close(Outcome::Failed("the analysis was broken off; hint: the log says why".into()));
    }
}

/// Runs `work`; a panic becomes an error that says what it said. The caller answers for the state that is left behind.
pub(super) fn guarded<R>(work: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| format!("panic: {}", message(payload.as_ref())))
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".into())
}
