//! A classifier alone, for faces whose place is known: evaluation on labelled boxes and on face crops.
//!
//! The same cutting, network and judgement as on the classify thread, on the caller's thread and without a detector.

use maskwatch_vision::{
    face::{ClassifiedFace, Detection},
    frame::FrameView,
    geometry::Rect,
    preprocess::{Preprocessor, crop_rect},
};

use crate::{
    EngineError, EngineOptions, ModelInfo,
    engine::{CHUNK, classifier, network_loader},
    judge::{by_classifier, unclassified},
    manifest::ClassificationSpec,
    network::Network,
};

/// A loaded classifier.
pub struct FaceClassifier {
    network: Network,
    spec: ClassificationSpec,
    preprocessor: Preprocessor,
    batch: Vec<f32>,
}

impl FaceClassifier {
    /// Loads and checks the classifier that the options name; their detector is not looked at.
    ///
    /// # Errors
    /// As [`crate::Engine::start`]; also where the options name no classifier.
    pub fn load(options: &EngineOptions) -> Result<Self, EngineError> {
        let Some(name) = options.classifier.as_deref() else {
            return Err(EngineError::Options("no classifier is named; hint: `maskwatch models` lists them".into()));
        };
        let model = classifier(options, name)?;
        let network = network_loader(options)?(&model.manifest, CHUNK)?;
        let preprocessor = Preprocessor::new(model.manifest.input);
        Ok(Self { network, spec: model.spec, preprocessor, batch: Vec::new() })
    }

    /// Name, task, precision and provider.
    pub fn model(&self) -> &ModelInfo {
        self.network.info()
    }

    /// Classifies faces of a picture, each cut out as the manifest says. Faces lower than its `min_face_px` are left
    /// unclassified, as in the engine.
    ///
    /// # Errors
    /// The picture's planes do not fit together, or the run failed.
    pub fn boxes(&mut self, frame: &FrameView<'_>, faces: &[Rect]) -> Result<Vec<ClassifiedFace>, EngineError> {
        let mut judged: Vec<_> = faces.iter().map(|face| unclassified(given(*face))).collect();
        let least = self.spec.min_face_px;
        let high = |face: &Rect| face.h * frame.height as f32 >= least;
        let picked: Vec<usize> = (0..faces.len()).filter(|&index| high(&faces[index])).collect();
        for chunk in picked.chunks(CHUNK) {
            let (margin, square) = (self.spec.margin, self.spec.square);
            let cut = |face: Rect| crop_rect(face, frame.width, frame.height, margin, square);
            let parts: Vec<Rect> = chunk.iter().map(|&index| cut(faces[index])).collect();
            for (&index, face) in chunk.iter().zip(self.run(frame, &parts, |item| given(faces[chunk[item]]))?) {
                judged[index] = face;
            }
        }
        Ok(judged)
    }

    /// Classifies a picture that is a face cut out already: all of it becomes the network's input.
    ///
    /// # Errors
    /// As [`FaceClassifier::boxes`].
    pub fn crop(&mut self, frame: &FrameView<'_>) -> Result<ClassifiedFace, EngineError> {
        let judged = self.run(frame, &[Rect::FULL], |_| given(Rect::FULL))?;
        judged.into_iter().next().ok_or_else(|| self.failed("no result"))
    }

    /// Runs one batch of parts of a picture; `face` tells whose each part is.
    fn run(
        &mut self,
        frame: &FrameView<'_>,
        parts: &[Rect],
        face: impl Fn(usize) -> Detection,
    ) -> Result<Vec<ClassifiedFace>, EngineError> {
        let len = self.network.item_len();
        let mut batch = std::mem::take(&mut self.batch);
        batch.resize(CHUNK * len, 0.0);
        for (part, out) in parts.iter().zip(batch.chunks_mut(len)) {
            self.preprocessor.crop(frame, *part, out).map_err(|error| self.failed(&error.to_string()))?;
        }
        let name = self.network.info().name.clone();
        let failed = |cause: String| EngineError::Classify { model: name.clone(), cause };
        let outputs = self.network.run(&batch, parts.len()).map_err(failed)?;
        let judge = |item| Ok(by_classifier(&self.spec, outputs.item(0, item).map_err(failed)?, face(item)));
        let judged = (0..parts.len()).map(judge).collect();
        drop(outputs);
        self.batch = batch;
        judged
    }

    fn failed(&self, cause: &str) -> EngineError {
        EngineError::Classify { model: self.network.info().name.clone(), cause: cause.into() }
    }
}

/// A face whose place was given, not found.
fn given(rect: Rect) -> Detection {
    Detection { rect, score: 1.0, states: None }
}
