//! What the engine tells about its own work: for metrics.

use std::time::Duration;

use maskwatch_vision::batch::BatchReason;

/// A part of the way of one batch through a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Scaling, colour conversion and layout: of one whole frame for a detector, of one batch of crops for a classifier.
    Pre,
    /// The run of the network.
    Run,
    /// Decoding of the outputs of one batch.
    Post,
}

impl Phase {
    /// The label used in metrics: `pre`, `run`, `post`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pre => "pre",
            Self::Run => "run",
            Self::Post => "post",
        }
    }
}

/// Receives the engine's figures. Called from engine threads and from cameras' threads, never with a lock held; must
/// not block.
pub trait Observe: Send + Sync {
    /// A batch of `size` inputs (frames or faces) of `model` begins. `longest_wait`: since its oldest input was ready.
    fn batch(&self, model: &str, size: usize, reason: BatchReason, longest_wait: Duration);
    /// A phase of `model` took this long.
    fn phase(&self, model: &str, phase: Phase, took: Duration);
}

/// Observes nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl Observe for NoObserver {
    fn batch(&self, _model: &str, _size: usize, _reason: BatchReason, _longest_wait: Duration) {}
    fn phase(&self, _model: &str, _phase: Phase, _took: Duration) {}
}
