//! The engine: frames of all cameras in, faces out.

use std::sync::Arc;

use maskwatch_vision::face::ClassifiedFace;

use crate::{EngineError, EngineOptions, ModelInfo, Observe, OwnedFrame, Subject};

/// The inference engine. One per process is usual.
pub struct Engine {}

impl Engine {
    /// Loads the models, checks them and starts the threads.
    pub fn start(_options: EngineOptions, _observer: Arc<dyn Observe>) -> Result<Arc<Self>, EngineError> {
        unimplemented!()
    }
    /// The models in use: the detector, then the classifier where there is one.
    pub fn models(&self) -> &[ModelInfo] {
        unimplemented!()
    }
    /// Makes a place for a camera.
    pub fn attach(self: &Arc<Self>, _camera: &str, _weight: u32) -> Camera {
        unimplemented!()
    }
}

/// A camera's place in the engine. Dropping it detaches.
pub struct Camera {}

impl Camera {
    /// Submits a picture.
    pub fn submit(&self, _subject: Box<dyn Subject>, _min_score: Option<f32>) {
        unimplemented!()
    }
    /// Analyses a picture and waits for it.
    pub fn analyze(&self, _frame: OwnedFrame, _min_score: Option<f32>) -> Result<Vec<ClassifiedFace>, EngineError> {
        unimplemented!()
    }
    /// Drops what waits.
    pub fn flush(&self) {
        unimplemented!()
    }
}
