//! The engine: pictures of all cameras in, faces out.
//!
//! ```text
//! Camera::submit (camera's thread): preprocess -> board (one place per camera, newest wins)
//! detect thread:   board -> batch by policy -> detector -> decode -> Subject::select -> bounded channel
//! classify thread: channel -> all faces that wait, up to 32 -> cut -> classifier -> Subject::finish
//! ```
//! Channel rule: the one from detect to classify holds `JOBS_PER_BATCH` batches and blocks the detect thread while it
//! is full; pictures then wait on the board, where newer ones supersede older ones. So an overloaded classifier lowers
//! the analysis rate and holds no more than a fixed number of pictures.

mod board;
mod camera;
mod classify;
mod detect;
mod faults;
mod pool;
mod ticket;

use std::{
    num::NonZero,
    path::PathBuf,
    sync::Arc,
    thread::{self, JoinHandle},
};

use maskwatch_vision::{batch::BatchConfig, preprocess::Preprocessor};

pub use self::camera::Camera;
pub(crate) use self::classify::CHUNK;
use self::{
    board::Board,
    camera::Shared,
    classify::Classify,
    detect::{Detect, Next},
    faults::Faults,
    pool::Pool,
};
use crate::{
    EngineError, EngineOptions, ModelInfo, Observe, library,
    manifest::{ClassificationSpec, DetectionSpec, Manifest, Task},
    network::{LoadOptions, Network},
};

/// Frames between the two threads, in detector batches.
const JOBS_PER_BATCH: usize = 1;

/// The inference engine, shared by all cameras that are attached to it.
///
/// Dropping the last reference stops it: what waits is finished as [`crate::DropReason::Stopped`], a batch that is
/// running is waited for.
pub struct Engine {
    shared: Arc<Shared>,
    models: Vec<ModelInfo>,
    score_threshold: f32,
    hide_score: f32,
    threads: Vec<JoinHandle<()>>,
}

/// A manifest with the part that its task needs.
pub(crate) struct Model<S> {
    pub(crate) manifest: Manifest,
    pub(crate) spec: S,
}

impl Engine {
    /// Loads and checks the models, warms them up and starts the engine's threads.
    ///
    /// # Errors
    /// A manifest, a model file, ONNX Runtime's library or the provider asked for is missing or does not fit; the options
    /// contradict each other; a thread does not start. Nothing is left running then.
    pub fn start(options: EngineOptions, observer: Arc<dyn Observe>) -> Result<Arc<Self>, EngineError> {
        if options.max_batch == 0 {
            return Err(EngineError::Options("max_batch is 0; hint: 1 turns batching off".into()));
        }
        let detector = detector(&options)?;
        let classifier = options.classifier.as_deref().map(|name| classifier(&options, name)).transpose()?;
        if classifier.is_none() && !detector.spec.states {
            return Err(EngineError::Options(format!(
                "detector {} tells no states and no classifier is set; hint: set a classifier, or a detector whose \
                 classes name mask, incorrect or no_mask",
                detector.manifest.name
            )));
        }
        let load = network_loader(&options)?;
        let detector_network = load(&detector.manifest, options.max_batch)?;
        let classifier = match classifier {
            Some(model) => Some((load(&model.manifest, CHUNK)?, model)),
            None => None,
        };
        drop(load);
        let parts = Parts { options, observer, detector, detector_network, classifier };
        parts.start().map(Arc::new)
    }

    /// The models in use: the detector, then the classifier where there is one.
    pub fn models(&self) -> &[ModelInfo] {
        &self.models
    }

    /// The detector's own least face score: where [`Camera::submit`] is given none.
    pub fn score_threshold(&self) -> f32 {
        self.score_threshold
    }

    /// The detector's own least score of what is hidden where no face may be seen.
    pub fn hide_score(&self) -> f32 {
        self.hide_score
    }

    /// Makes a place for a camera. `weight`: its share when more pictures wait than a batch holds, against the other
    /// cameras' weights; 0 counts as 1. Names are for messages only: two cameras may have the same.
    pub fn attach(self: &Arc<Self>, camera: &str, weight: u32) -> Camera {
        Camera::new(self.shared.clone(), camera, weight)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shared.board.stop();
        // The last reference may be dropped by a subject on an engine thread, which can wait neither for itself nor for
        // the other one, whose end depends on it. They end by themselves.
        let here = thread::current().id();
        if self.threads.iter().any(|handle| handle.thread().id() == here) {
            return;
        }
        for handle in self.threads.drain(..) {
            if handle.join().is_err() {
                tracing::error!("an engine thread died; hint: please report the panic logged before");
            }
        }
    }
}

/// Everything loaded, nothing running.
struct Parts {
    options: EngineOptions,
    observer: Arc<dyn Observe>,
    detector: Model<DetectionSpec>,
    detector_network: Network,
    classifier: Option<(Network, Model<ClassificationSpec>)>,
}

impl Parts {
    fn start(self) -> Result<Engine, EngineError> {
        let Self { options, observer, detector, detector_network, classifier } = self;
        let config = BatchConfig { max_batch: options.max_batch, ..BatchConfig::default() };
        let pool = Pool::new(detector_network.item_len(), options.max_batch + 2);
        let board = Arc::new(Board::new(config, pool));
        let shared = Arc::new(Shared {
            board: board.clone(),
            observer: observer.clone(),
            model: detector.manifest.name.clone(),
            input: detector.manifest.input,
        });
        let mut models = vec![detector_network.info().clone()];
        models.extend(classifier.iter().map(|(network, _)| network.info().clone()));
        // From here on a failure drops the engine, which stops what has been started.
        let (score_threshold, hide_score) = (detector.spec.decode.score_threshold, detector.spec.hide_score);
        let mut engine = Engine { shared, models, score_threshold, hide_score, threads: Vec::new() };
        let mut next = Next::Finish;
        let mut classify = None;
        if let Some((network, model)) = classifier {
            let (jobs, waiting) = crossbeam_channel::bounded(options.max_batch * JOBS_PER_BATCH);
            next = Next::Classify { jobs, min_face_px: model.spec.min_face_px };
            classify = Some(Classify {
                network,
                preprocessor: Preprocessor::new(model.manifest.input),
                spec: model.spec,
                jobs: waiting,
                board: board.clone(),
                observer: observer.clone(),
                faults: Faults::default(),
                batch: Vec::new(),
            });
        }
        let detect = Detect {
            network: detector_network,
            spec: detector.spec,
            board,
            next,
            observer,
            faults: Faults::default(),
            batch: Vec::new(),
        };
        engine.threads.push(spawn("mw-detect", move || detect.run())?);
        if let Some(classify) = classify {
            engine.threads.push(spawn("mw-classify", move || classify.run())?);
        }
        Ok(engine)
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, EngineError> {
    let builder = thread::Builder::new().name(name.into());
    builder.spawn(work).map_err(|cause| EngineError::Thread { name: name.into(), cause })
}

fn detector(options: &EngineOptions) -> Result<Model<DetectionSpec>, EngineError> {
    let manifest = Manifest::load(&options.models_dir, &options.detector)?;
    match manifest.task.clone() {
        Task::Detection(spec) => Ok(Model { manifest, spec }),
        Task::Classification(_) => Err(wrong_task("detector", &manifest)),
    }
}

pub(crate) fn classifier(options: &EngineOptions, name: &str) -> Result<Model<ClassificationSpec>, EngineError> {
    let manifest = Manifest::load(&options.models_dir, name)?;
    match manifest.task.clone() {
        Task::Classification(spec) => Ok(Model { manifest, spec }),
        Task::Detection(_) => Err(wrong_task("classifier", &manifest)),
    }
}

fn wrong_task(role: &str, manifest: &Manifest) -> EngineError {
    EngineError::Options(format!(
        "model {} is for {} and cannot be the {role}; hint: `maskwatch models` lists the models with their tasks",
        manifest.name,
        manifest.task.as_str()
    ))
}

/// Loads ONNX Runtime; the result loads networks for batches of up to the given size.
pub(crate) fn network_loader(
    options: &EngineOptions,
) -> Result<impl Fn(&Manifest, usize) -> Result<Network, EngineError> + use<>, EngineError> {
    let environment = library::load(&library::find(options.library.as_deref())?)?;
    let cache_dir = options.cache_dir.clone().or_else(default_cache_dir);
    let (provider, threads) = (options.provider, thread_count(options.threads));
    Ok(move |manifest: &Manifest, max_batch| {
        let options = LoadOptions { provider, threads, max_batch, cache_dir: cache_dir.as_deref() };
        Network::load(manifest, &environment, options)
    })
}

/// Threads of one run: as asked, else all cores that this process may use.
fn thread_count(asked: usize) -> usize {
    if asked > 0 { asked } else { thread::available_parallelism().map_or(1, NonZero::get) }
}

/// `$XDG_CACHE_HOME/maskwatch`, else `~/.cache/maskwatch` (XDG Base Directory Specification).
fn default_cache_dir() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("maskwatch"))
}
