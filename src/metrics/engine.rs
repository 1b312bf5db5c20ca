//! Metrics of the inference engine.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use maskwatch_engine::{Observe, Phase};
use maskwatch_vision::batch::BatchReason;
use prometheus::{HistogramVec, IntCounterVec, Registry};

use super::{Metrics, counters, histograms};

/// Seconds of one phase.
const INFERENCE: [f64; 12] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0];
/// Seconds that the oldest input of a batch waited.
const WAIT: [f64; 10] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.1, 0.25];
/// Inputs of one batch.
const BATCH: [f64; 6] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0];
/// All reasons and phases, exported at 0 from the start.
const REASONS: [BatchReason; 4] = [BatchReason::Full, BatchReason::Deadline, BatchReason::Idle, BatchReason::Flush];
const PHASES: [Phase; 3] = [Phase::Pre, Phase::Run, Phase::Post];

/// The families that have a model label.
pub(super) struct EngineFamilies {
    batch_size: HistogramVec,
    batch_wait: HistogramVec,
    batches: IntCounterVec,
    duration: HistogramVec,
    /// The network that runs when a face is there.
    of_faces: OnceLock<String>,
    /// It is not told of: each of its runs would say that somebody is there.
    withheld: AtomicBool,
}

impl EngineFamilies {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let r = registry;
        Ok(Self {
            batch_size: histograms(r, "batch_size", "Inputs of one batch.", &["model"], &BATCH)?,
            batch_wait: histograms(r, "batch_wait_seconds", "Wait of the oldest input of a batch.", &["model"], &WAIT)?,
            batches: counters(r, "batches_total", "Batches run, by what set them off.", &["model", "reason"])?,
            duration: histograms(
                r,
                "inference_duration_seconds",
                "Time of one phase: pre (one picture, or one batch of crops), run and post (one batch).",
                &["model", "phase"],
                &INFERENCE,
            )?,
            of_faces: OnceLock::new(),
            withheld: AtomicBool::new(false),
        })
    }

    /// The runs of the network that works on faces are not told of any more.
    pub(super) fn withhold_faces(&self) {
        self.withheld.store(true, Ordering::Release);
        if let Some(model) = self.of_faces.get() {
            drop(self.batch_size.remove_label_values(&[model]));
            drop(self.batch_wait.remove_label_values(&[model]));
            for reason in REASONS {
                drop(self.batches.remove_label_values(&[model, reason.as_str()]));
            }
            for phase in PHASES {
                drop(self.duration.remove_label_values(&[model, phase.as_str()]));
            }
        }
    }

    fn tells_of(&self, model: &str) -> bool {
        !(self.withheld.load(Ordering::Acquire) && self.of_faces.get().is_some_and(|withheld| withheld == model))
    }

    /// All series of a model exist from now on. `of_faces`: it runs only when a face is there.
    pub(super) fn model(&self, model: &str, of_faces: bool) {
        if of_faces {
            self.of_faces.get_or_init(|| model.to_owned());
        }
        if !self.tells_of(model) {
            return;
        }
        self.batch_size.with_label_values(&[model]);
        self.batch_wait.with_label_values(&[model]);
        for reason in REASONS {
            self.batches.with_label_values(&[model, reason.as_str()]);
        }
        for phase in PHASES {
            self.duration.with_label_values(&[model, phase.as_str()]);
        }
    }
}

impl Observe for Metrics {
    fn batch(&self, model: &str, size: usize, reason: BatchReason, longest_wait: Duration) {
        if !self.engine.tells_of(model) {
            return;
        }
        self.engine.batch_size.with_label_values(&[model]).observe(size as f64);
        self.engine.batch_wait.with_label_values(&[model]).observe(longest_wait.as_secs_f64());
        self.engine.batches.with_label_values(&[model, reason.as_str()]).inc();
    }

    fn phase(&self, model: &str, phase: Phase, took: Duration) {
        if self.engine.tells_of(model) {
            self.engine.duration.with_label_values(&[model, phase.as_str()]).observe(took.as_secs_f64());
        }
    }
}
