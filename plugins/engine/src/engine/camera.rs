//! A camera's place in the engine.

use std::{sync::Arc, time::Instant};

use crossbeam_channel::{Sender, bounded};
use maskwatch_vision::{
    face::{ClassifiedFace, Detection},
    frame::FrameView,
    preprocess::{InputSpec, Preprocessor},
};
use tracing_mutex::parking_lot::Mutex;

use super::{
    board::{Board, Waiting},
    ticket::{Place, Ticket},
};
use crate::{Analysis, Ask, DropReason, EngineError, Observe, Outcome, OwnedFrame, Phase, Subject};

/// What all cameras of an engine share.
pub(super) struct Shared {
    pub(super) board: Arc<Board>,
    pub(super) observer: Arc<dyn Observe>,
    /// Name of the detector.
    pub(super) model: String,
    /// Its input.
    pub(super) input: InputSpec,
}

/// A camera's place in an engine; dropping it detaches the camera.
///
/// It does not keep the engine alive: once the [`Engine`](crate::Engine) is dropped, every picture is finished as
/// [`DropReason::Stopped`].
pub struct Camera {
    shared: Arc<Shared>,
    place: Arc<Place>,
    /// Taken out while in use, so that no lock is held over the work. `None`: in use, or not made yet.
    preprocessor: Mutex<Option<Preprocessor>>,
}

impl Camera {
    pub(super) fn new(shared: Arc<Shared>, name: &str, weight: u32) -> Self {
        let place = Arc::new(Place::new(shared.board.register(weight), name));
        Self { shared, place, preprocessor: Mutex::new(None) }
    }

    /// The name given when it was attached.
    pub fn name(&self) -> &str {
        &self.place.name
    }

    /// Submits a picture: writes it into the detector's input on this thread and returns. A picture of this camera that
    /// still waits is finished as [`DropReason::Superseded`]. Never waits for inference.
    pub fn submit(&self, subject: Box<dyn Subject>, ask: Ask) {
        let mut ticket = Ticket::new(subject, &self.place);
        if self.shared.board.is_stopped() {
            return ticket.finish(Outcome::Dropped(DropReason::Stopped));
        }
        let mut tensor = self.shared.board.pool.take();
        let mut preprocessor = self.take_preprocessor();
        let started = Instant::now();
        let written = ticket
            .with(|subject| {
                let frame = subject.frame();
                let fit = preprocessor.whole(&frame, &mut tensor).map_err(|error| error.to_string())?;
                Ok((fit, frame.height))
            })
            .and_then(|written| written);
        let ready = Instant::now();
        *self.preprocessor.lock() = Some(preprocessor);
        match written {
            Ok((fit, height)) => {
                self.shared.observer.phase(&self.shared.model, Phase::Pre, ready - started);
                self.shared.board.place(Waiting { ticket, tensor, fit, height, ask, ready });
            }
            Err(cause) => {
                self.shared.board.pool.put(tensor);
                ticket.finish(Outcome::Failed(format!("the picture cannot be read: {cause}")));
            }
        }
    }

    fn take_preprocessor(&self) -> Preprocessor {
        let kept = self.preprocessor.lock().take();
        kept.unwrap_or_else(|| Preprocessor::new(self.shared.input))
    }

    /// Analyses a picture, classifies every face in it, and waits for the result. One at a time: a second picture of the
    /// same camera supersedes the first. Must not be called from [`Subject`]'s or [`Observe`]'s methods.
    ///
    /// # Errors
    /// The picture was dropped (superseded, flushed, the engine stopped), or its analysis failed.
    pub fn analyze(&self, frame: OwnedFrame, min_score: Option<f32>) -> Result<Vec<ClassifiedFace>, EngineError> {
        self.analyze_asked(frame, Ask { face: min_score, hide: None }).map(|analysis| analysis.faces)
    }

    /// As [`Camera::analyze`], with all that can be asked for.
    ///
    /// # Errors
    /// As [`Camera::analyze`].
    pub fn analyze_asked(&self, frame: OwnedFrame, ask: Ask) -> Result<Analysis, EngineError> {
        let (done, result) = bounded(1);
        self.submit(Box::new(Single { frame, done }), ask);
        let camera = || self.place.name.clone();
        match result.recv() {
            Ok(Outcome::Done(analysis)) => Ok(analysis),
            Ok(Outcome::Dropped(reason)) => Err(EngineError::Dropped { camera: camera(), reason }),
            Ok(Outcome::Failed(cause)) => Err(EngineError::Analysis { camera: camera(), cause }),
            // Not reached: a subject is always finished before it is dropped.
            Err(_) => Err(EngineError::Analysis { camera: camera(), cause: "the engine gave no result".into() }),
        }
    }

    /// Gives up every picture submitted so far: what waits is finished now, what is under way when its batch ends, both
    /// as [`DropReason::Flushed`].
    pub fn flush(&self) {
        self.place.flush();
        self.shared.board.withdraw(self.place.id);
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.place.leave();
        self.shared.board.unregister(self.place.id);
    }
}

/// A picture whose result somebody waits for.
struct Single {
    frame: OwnedFrame,
    done: Sender<Outcome>,
}

impl Subject for Single {
    fn frame(&self) -> FrameView<'_> {
        self.frame.view()
    }

    fn select(&mut self, found: &[Detection]) -> Vec<usize> {
        (0..found.len()).collect()
    }

    fn finish(self: Box<Self>, outcome: Outcome) {
        // There is room for the one result; nobody waiting is no fault.
        drop(self.done.try_send(outcome));
    }
}
