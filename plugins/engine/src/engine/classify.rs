//! The classify thread: owns the classifier's network, batches the faces of all cameras.

use std::{sync::Arc, time::Instant};

use crossbeam_channel::Receiver;
use maskwatch_vision::{
    batch::BatchReason,
    face::{ClassifiedFace, Detection},
    preprocess::{Preprocessor, crop_rect},
    privacy::Suspects,
};

use super::{
    board::{Board, StopOnExit},
    faults::Faults,
    ticket::{Ticket, guarded},
};
use crate::{
    Analysis, DropReason, Observe, Outcome, Phase,
    judge::{by_classifier, unclassified},
    manifest::ClassificationSpec,
    network::Network,
};

/// Most faces in one run.
pub(crate) const CHUNK: usize = 32;

/// A picture with faces to classify.
pub(super) struct FaceJob {
    pub(super) ticket: Ticket,
    pub(super) found: Vec<Detection>,
    /// Where faces may be, on its way through.
    pub(super) suspects: Option<Suspects>,
    /// Indices into `found`, valid, at least one.
    pub(super) picked: Vec<usize>,
    /// Since when it waits.
    pub(super) ready: Instant,
}

pub(super) struct Classify {
    pub(super) network: Network,
    pub(super) spec: ClassificationSpec,
    pub(super) preprocessor: Preprocessor,
    pub(super) jobs: Receiver<FaceJob>,
    pub(super) board: Arc<Board>,
    pub(super) observer: Arc<dyn Observe>,
    pub(super) faults: Faults,
    /// The crops of one chunk, one after the other.
    pub(super) batch: Vec<f32>,
}

/// A job in work.
struct Open {
    ticket: Ticket,
    picked: Vec<usize>,
    faces: Vec<ClassifiedFace>,
    suspects: Option<Suspects>,
    ready: Instant,
    /// Why it failed, once it has.
    failed: Option<String>,
}

/// One face of the gathered jobs: which job, and which of its faces.
type Pick = (usize, usize);

impl Classify {
    /// Runs until the detect thread is gone and its jobs are done.
    pub(super) fn run(mut self) {
        // Without this thread no picture with a face would ever be finished well: better none are taken.
        let _stop = StopOnExit(self.board.clone());
        while let Ok(first) = self.jobs.recv() {
            let jobs = self.gather(first);
            if self.board.is_stopped() {
                jobs.into_iter().for_each(|job| job.ticket.finish(Outcome::Dropped(DropReason::Stopped)));
            } else {
                self.process(jobs);
            }
        }
    }

    /// `first` and what else waits, until a chunk is full.
    fn gather(&self, first: FaceJob) -> Vec<Open> {
        let mut faces = 0;
        let mut jobs = Vec::new();
        let mut next = Some(first);
        while let Some(job) = next {
            faces += job.picked.len();
            let FaceJob { ticket, found, suspects, picked, ready } = job;
            let unjudged = found.into_iter().map(unclassified).collect();
            jobs.push(Open { ticket, picked, faces: unjudged, suspects, ready, failed: None });
            next = if faces < CHUNK { self.jobs.try_recv().ok() } else { None };
        }
        jobs
    }

    fn process(&mut self, mut jobs: Vec<Open>) {
        let picks: Vec<Pick> =
            jobs.iter().enumerate().flat_map(|(job, open)| open.picked.iter().map(move |face| (job, *face))).collect();
        for chunk in picks.chunks(CHUNK) {
            self.observe_batch(chunk, &jobs);
            let done = guarded(|| self.classify(chunk, &mut jobs)).and_then(|done| done);
            if let Err(cause) = done {
                let name = &self.network.info().name;
                self.faults.report(name, jobs.len(), &cause);
                for (job, _) in chunk {
                    jobs[*job].failed.get_or_insert_with(|| format!("model {name}: {cause}"));
                }
            }
        }
        for Open { ticket, faces, suspects, failed, .. } in jobs {
            ticket.finish(failed.map_or(Outcome::Done(Analysis { faces, suspects }), Outcome::Failed));
        }
    }

    fn observe_batch(&self, chunk: &[Pick], jobs: &[Open]) {
        let longest = chunk.iter().map(|(job, _)| jobs[*job].ready.elapsed()).max().unwrap_or_default();
        let reason = if chunk.len() == CHUNK { BatchReason::Full } else { BatchReason::Idle };
        self.observer.batch(&self.network.info().name, chunk.len(), reason, longest);
    }

    /// Cuts the chunk's faces out of their pictures, runs the network, judges.
    fn classify(&mut self, chunk: &[Pick], jobs: &mut [Open]) -> Result<(), String> {
        let started = Instant::now();
        let len = self.network.item_len();
        self.batch.resize(CHUNK * len, 0.0);
        for (&(job, face), out) in chunk.iter().zip(self.batch.chunks_mut(len)) {
            let open = &mut jobs[job];
            if open.failed.is_none()
                && let Err(cause) = cut(&mut self.preprocessor, &self.spec, open, face, out)
            {
                open.failed = Some(format!("cutting out a face failed: {cause}"));
            }
        }
        let cropped = Instant::now();
        let outputs = self.network.run(&self.batch, chunk.len())?;
        let ran = Instant::now();
        for (item, &(job, face)) in chunk.iter().enumerate() {
            let face = &mut jobs[job].faces[face];
            *face = by_classifier(&self.spec, outputs.item(0, item)?, face.detection);
        }
        drop(outputs);
        let name = &self.network.info().name;
        self.observer.phase(name, Phase::Pre, cropped - started);
        self.observer.phase(name, Phase::Run, ran - cropped);
        self.observer.phase(name, Phase::Post, ran.elapsed());
        Ok(())
    }
}

/// Writes one face of a picture, cut as the manifest says, to `out`.
fn cut(
    preprocessor: &mut Preprocessor,
    spec: &ClassificationSpec,
    open: &mut Open,
    face: usize,
    out: &mut [f32],
) -> Result<(), String> {
    let rect = open.faces[face].detection.rect;
    open.ticket.with(|subject| {
        let frame = subject.frame();
        let roi = crop_rect(rect, frame.width, frame.height, spec.margin, spec.square);
        preprocessor.crop(&frame, roi, out).map_err(|error| error.to_string())
    })?
}
