//! Tools of the engine's tests: model folders made on the spot, subjects that report, an observer that can hold a thread.
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, reason = "only tests use it")]

use std::{
    collections::HashSet,
    fmt::Write as _,
    fs,
    path::Path,
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, unbounded};
use maskwatch_engine::{Ask, Camera, Engine, EngineOptions, Observe, Outcome, OwnedFrame, Phase, Provider, Subject};
use maskwatch_vision::{batch::BatchReason, face::Detection, frame::FrameView};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// Long enough for the slowest machine; reached only by a fault.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Input of the detectors under `tests/data`.
pub(crate) const SIZE: (u32, u32) = (32, 24);

/// A folder of models.
pub(crate) struct Models {
    folder: TempDir,
}

impl Models {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Adds `tests/data/NAME.onnx` with the manifest `text`, in which `SHA` is replaced by the file's hash.
    pub(crate) fn add(&self, name: &str, text: &str) {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(format!("{name}.onnx"));
        self.add_bytes(name, &fs::read(&data).unwrap(), text);
    }

    /// Likewise, with `bytes` as the model file.
    pub(crate) fn add_bytes(&self, name: &str, bytes: &[u8], text: &str) {
        let sha = Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        });
        let folder = self.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{name}.onnx")), bytes).unwrap();
        fs::write(folder.join("manifest.yaml"), text.replace("SHA", &sha)).unwrap();
    }

    /// With the detectors and classifiers that most tests use.
    pub(crate) fn usual() -> Self {
        let models = Self::new();
        models.add("faces", &detector("faces", "[background, face]"));
        models.add("fails", &detector("fails", "[background, face]"));
        models.add("states", &detector("states", "[background, mask, incorrect, no_mask]"));
        models.add("masks", &classifier("masks"));
        models.add("masks-fails", &classifier("masks-fails"));
        models
    }

    pub(crate) fn options(&self, detector: &str, classifier: Option<&str>) -> EngineOptions {
        EngineOptions {
            models_dir: self.path().into(),
            detector: detector.into(),
            classifier: classifier.map(Into::into),
            provider: Provider::Cpu,
            threads: 1,
            ..EngineOptions::default()
        }
    }

    pub(crate) fn start(&self, detector: &str, classifier: Option<&str>, recorder: &Arc<Recorder>) -> Arc<Engine> {
        Engine::start(self.options(detector, classifier), recorder.clone())
            .expect("hint: `make setup` fetches ONNX Runtime")
    }
}

pub(crate) fn detector(name: &str, classes: &str) -> String {
    format!(
        "name: {name}
task: detection
file: {name}.onnx
sha256: SHA
precision: fp32
input:
  name: input
  width: 32
  height: 24
  layout: nchw
  color: rgb
  mean: [0, 0, 0]
  std: [255, 255, 255]
  resize: letterbox
  pad: 0
detection:
  scores: scores
  boxes: boxes
  classes: {classes}
  activation: none
  box_format: corners
  score_threshold: 0.2
  nms_iou: 0.4
  max_faces: 200
"
    )
}

pub(crate) fn classifier(name: &str) -> String {
    format!(
        "name: {name}
task: classification
file: {name}.onnx
sha256: SHA
precision: fp32
input: {{ name: input, width: 8, height: 8, layout: nchw, color: rgb, mean: [0, 0, 0], std: [255, 255, 255], resize: stretch, pad: 0 }}
classification:
  output: scores
  labels: [mask, no_mask]
  activation: none
  temperature: 1.0
  crop:
    margin: 0.0
    square: false
  unknown_below: 0.6
  min_face_px: 2
  detector_weight: 0.0
"
    )
}

/// A picture of one grey.
pub(crate) fn grey(level: u8) -> OwnedFrame {
    let (width, height) = SIZE;
    OwnedFrame::rgb(width, height, vec![level; (width * height * 3) as usize])
}

/// What a subject does when asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    PickAll,
    PickNone,
    /// Picks indices that do not exist, and all.
    PickWildly,
    PanicInSelect,
    PanicInFinish,
}

/// A subject that reports its outcome under its number.
pub(crate) struct Shot {
    pub(crate) number: usize,
    pub(crate) frame: OwnedFrame,
    pub(crate) manner: Manner,
    pub(crate) out: Sender<(usize, Outcome)>,
}

impl Subject for Shot {
    fn frame(&self) -> FrameView<'_> {
        self.frame.view()
    }

    fn select(&mut self, found: &[Detection]) -> Vec<usize> {
        match self.manner {
            Manner::PickNone => Vec::new(),
            Manner::PickWildly => (0..found.len() + 3).chain([0, 0, usize::MAX]).collect(),
            Manner::PanicInSelect => panic!("select on purpose"),
            Manner::PickAll | Manner::PanicInFinish => (0..found.len()).collect(),
        }
    }

    fn finish(self: Box<Self>, outcome: Outcome) {
        self.out.send((self.number, outcome)).unwrap();
        assert!(self.manner != Manner::PanicInFinish, "finish on purpose");
    }
}

/// Outcomes of subjects, each allowed once.
pub(crate) struct Results {
    out: Sender<(usize, Outcome)>,
    outcomes: Receiver<(usize, Outcome)>,
    seen: Mutex<HashSet<usize>>,
}

impl Results {
    pub(crate) fn new() -> Self {
        let (out, outcomes) = unbounded();
        Self { out, outcomes, seen: Mutex::default() }
    }

    pub(crate) fn submit(&self, camera: &Camera, number: usize, level: u8) {
        self.submit_as(camera, number, grey(level), Manner::PickAll);
    }

    pub(crate) fn submit_as(&self, camera: &Camera, number: usize, frame: OwnedFrame, manner: Manner) {
        camera.submit(Box::new(Shot { number, frame, manner, out: self.out.clone() }), Ask::default());
    }

    /// The next outcome.
    pub(crate) fn next(&self) -> (usize, Outcome) {
        let (number, outcome) = self.outcomes.recv_timeout(PATIENCE).expect("an outcome in time");
        assert!(self.seen.lock().unwrap().insert(number), "picture {number} finished twice");
        (number, outcome)
    }

    /// The next `count` outcomes, by number.
    pub(crate) fn take(&self, count: usize) -> Vec<(usize, Outcome)> {
        let mut taken: Vec<_> = (0..count).map(|_| self.next()).collect();
        taken.sort_by_key(|(number, _)| *number);
        taken
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.outcomes.is_empty()
    }
}

/// One batch as observed: model, size, reason.
pub(crate) type Batch = (String, usize, BatchReason);

/// Records batches and phases; holds the thread of a model at the begin of its batches while told to.
pub(crate) struct Recorder {
    pub(crate) batches: Mutex<Vec<Batch>>,
    pub(crate) phases: Mutex<Vec<(String, Phase)>>,
    held: Mutex<Option<String>>,
    changed: Condvar,
    begun: (Sender<Batch>, Receiver<Batch>),
}

impl Recorder {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            batches: Mutex::default(),
            phases: Mutex::default(),
            held: Mutex::default(),
            changed: Condvar::new(),
            begun: unbounded(),
        })
    }

    /// From now on batches of `model` begin, but do not go on.
    pub(crate) fn hold(&self, model: &str) {
        *self.held.lock().unwrap() = Some(model.into());
    }

    pub(crate) fn release(&self) {
        *self.held.lock().unwrap() = None;
        self.changed.notify_all();
    }

    /// Waits until another batch of `model` has begun; its size.
    pub(crate) fn begun(&self, model: &str) -> usize {
        loop {
            let (name, size, _) = self.begun.1.recv_timeout(PATIENCE).expect("a batch in time");
            if name == model {
                return size;
            }
        }
    }

    /// Sizes of the batches of `model` so far.
    pub(crate) fn sizes(&self, model: &str) -> Vec<usize> {
        self.batches.lock().unwrap().iter().filter(|(name, ..)| name == model).map(|(_, size, _)| *size).collect()
    }
}

impl Observe for Recorder {
    fn batch(&self, model: &str, size: usize, reason: BatchReason, _longest_wait: Duration) {
        self.batches.lock().unwrap().push((model.into(), size, reason));
        self.begun.0.send((model.into(), size, reason)).unwrap();
        let held = self.held.lock().unwrap();
        drop(self.changed.wait_while(held, |held| held.as_deref() == Some(model)).unwrap());
    }

    fn phase(&self, model: &str, phase: Phase, _took: Duration) {
        self.phases.lock().unwrap().push((model.into(), phase));
    }
}
