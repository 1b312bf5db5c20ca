//! How an engine is set up, and what it says of itself.

use std::path::PathBuf;

use maskwatch_vision::batch::BatchConfig;

use crate::provider::Provider;

/// Options of an engine. Values are final: no unset field means something else elsewhere. The defaults are those of the
/// program's configuration and of the element's properties, too.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Folder that holds one folder per model.
    pub models_dir: PathBuf,
    /// Detector: a folder's name in `models_dir`, or a path to a model folder or manifest.
    pub detector: String,
    /// Classifier, likewise; `None`: the detector's own states serve.
    pub classifier: Option<String>,
    /// Where the networks run.
    pub provider: Provider,
    /// ONNX Runtime's library; `None`: searched for ([`crate::library::find`]).
    pub library: Option<PathBuf>,
    /// Most frames in one detector run, at least 1.
    pub max_batch: usize,
    /// Threads of one network run on the CPU; 0: all cores.
    pub threads: usize,
    /// Folder for engines that a provider compiles (TensorRT, OpenVINO); `None`: `$XDG_CACHE_HOME/maskwatch`, else
    /// `~/.cache/maskwatch`, else none is kept.
    pub cache_dir: Option<PathBuf>,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            models_dir: PathBuf::from("models"),
            detector: "maskwatch-ssd-640".into(),
            classifier: Some("maskwatch-cls".into()),
            provider: Provider::Auto,
            library: None,
            max_batch: BatchConfig::default().max_batch,
            threads: 0,
            cache_dir: None,
        }
    }
}

/// One model in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelInfo {
    /// Name by its manifest.
    pub name: String,
    /// `detection` or `classification`.
    pub task: String,
    /// `fp32`, `fp16` or `int8`.
    pub precision: String,
    /// Where it runs; never [`Provider::Auto`].
    pub provider: Provider,
    /// Threads of one run; `None`: it does not run on the processor's cores.
    pub threads: Option<usize>,
}
