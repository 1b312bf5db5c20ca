//! The detect thread: owns the detector's network, takes batches from the board, finds faces.

use std::{sync::Arc, time::Instant};

use crossbeam_channel::Sender;
use maskwatch_vision::{
    batch::BatchReason,
    detect::Found,
    face::{ClassifiedFace, Detection},
};

use super::{
    board::{Board, StopOnExit, Waiting},
    classify::FaceJob,
    faults::Faults,
    ticket::{Ticket, guarded},
};
use crate::{
    Analysis, DropReason, Observe, Outcome, Phase,
    judge::{by_detector, unclassified},
    manifest::DetectionSpec,
    network::Network,
};

/// Where found faces go.
pub(super) enum Next {
    /// To the classify thread. The channel is bounded: while it is full, the detector waits and newer pictures supersede
    /// older ones on the board.
    Classify {
        jobs: Sender<FaceJob>,
        /// Faces lower than this many source pixels are not classified.
        min_face_px: f32,
    },
    /// Nowhere: the detector's own states serve.
    Finish,
}

pub(super) struct Detect {
    pub(super) network: Network,
    pub(super) spec: DetectionSpec,
    pub(super) board: Arc<Board>,
    pub(super) next: Next,
    pub(super) observer: Arc<dyn Observe>,
    pub(super) faults: Faults,
    /// The inputs of one batch, one after the other.
    pub(super) batch: Vec<f32>,
}

/// A picture whose tensor has been used.
struct Seen {
    ticket: Ticket,
    height: u32,
}

impl Detect {
    /// Runs until the board is stopped.
    pub(super) fn run(mut self) {
        let _stop = StopOnExit(self.board.clone());
        while let Some((pictures, reason)) = self.board.next_batch() {
            self.process(pictures, reason);
        }
    }

    fn process(&mut self, mut pictures: Vec<Waiting>, reason: BatchReason) {
        let name = self.network.info().name.clone();
        let longest = pictures.iter().map(|picture| picture.ready.elapsed()).max().unwrap_or_default();
        self.observer.batch(&name, pictures.len(), reason, longest);
        // The tickets stay out of the guarded part, so that a panic in it fails them with its own words.
        let found = guarded(|| self.detect(&name, &mut pictures)).and_then(|found| found);
        let seen: Vec<_> = pictures
            .into_iter()
            .map(|Waiting { ticket, tensor, height, .. }| {
                self.board.pool.put(tensor);
                Seen { ticket, height }
            })
            .collect();
        match found {
            Ok(found) => {
                for (picture, found) in seen.into_iter().zip(found) {
                    self.pass_on(picture, found);
                }
            }
            Err(cause) => {
                self.faults.report(&name, seen.len(), &cause);
                for picture in seen {
                    picture.ticket.finish(Outcome::Failed(format!("model {name}: {cause}")));
                }
            }
        }
    }

    /// What is in each picture.
    fn detect(&mut self, name: &str, pictures: &mut [Waiting]) -> Result<Vec<Found>, String> {
        let started = Instant::now();
        let data = match &*pictures {
            // One picture is run from where it lies.
            [only] => only.tensor.as_slice(),
            many => {
                self.batch.clear();
                many.iter().for_each(|picture| self.batch.extend_from_slice(&picture.tensor));
                self.batch.as_slice()
            }
        };
        let outputs = self.network.run(data, pictures.len())?;
        let ran = Instant::now();
        let mut found = Vec::with_capacity(pictures.len());
        for (item, picture) in pictures.iter().enumerate() {
            let (scores, boxes) = (outputs.item(0, item)?, outputs.item(1, item)?);
            let decode = &self.spec.decode;
            let threshold = picture.ask.face.unwrap_or(decode.score_threshold);
            let seen = decode.decode_hiding(threshold, picture.ask.hide, scores, boxes, &picture.fit);
            found.push(seen.map_err(|error| error.to_string())?);
        }
        self.observer.phase(name, Phase::Run, ran - started);
        self.observer.phase(name, Phase::Post, ran.elapsed());
        Ok(found)
    }

    /// Asks the subject which faces it wants classified, and hands them on.
    fn pass_on(&self, picture: Seen, found: Found) {
        let Seen { mut ticket, height } = picture;
        let Found { faces: found, suspects } = found;
        let picked = match ticket.with(|subject| subject.select(&found)) {
            Ok(picked) => picked,
            Err(cause) => return ticket.finish(Outcome::Failed(format!("choosing faces failed: {cause}"))),
        };
        match &self.next {
            Next::Finish => {
                let faces: Vec<ClassifiedFace> = found.into_iter().map(by_detector).collect();
                ticket.finish(Outcome::Done(Analysis { faces, suspects }));
            }
            Next::Classify { jobs, min_face_px } => {
                let picked = worth_classifying(&found, picked, height, *min_face_px);
                if picked.is_empty() {
                    let faces = found.into_iter().map(unclassified).collect();
                    return ticket.finish(Outcome::Done(Analysis { faces, suspects }));
                }
                let job = FaceJob { ticket, found, suspects, picked, ready: Instant::now() };
                if let Err(refused) = jobs.send(job) {
                    // The classify thread ends before this one only when it dies; its log says why.
                    refused.into_inner().ticket.finish(Outcome::Dropped(DropReason::Stopped));
                }
            }
        }
    }
}

/// The picked indices that exist, each once, of faces at least `min_face_px` high in a picture of `height` pixels.
fn worth_classifying(found: &[Detection], mut picked: Vec<usize>, height: u32, min_face_px: f32) -> Vec<usize> {
    picked.sort_unstable();
    picked.dedup();
    picked.retain(|&index| found.get(index).is_some_and(|face| face.rect.h * height as f32 >= min_face_px));
    picked
}

#[cfg(test)]
mod tests {
    use maskwatch_vision::geometry::Rect;

    use super::*;

    #[test]
    fn small_missing_and_repeated_faces_are_not_classified() {
        let face = |h| Detection { rect: Rect::new(0.1, 0.1, 0.1, h), score: 0.9, states: None };
        let found = [face(0.2), face(0.05), face(0.1)];
        assert_eq!(worth_classifying(&found, vec![2, 0, 0, 1, 7], 120, 12.0), [0, 2]);
        assert_eq!(worth_classifying(&found, vec![0, 1, 2], 120, 0.0), [0, 1, 2]);
    }
}
