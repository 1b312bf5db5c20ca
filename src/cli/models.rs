//! The command line of `models`, and what names models and their scores elsewhere.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Which models, and where they run; for the commands without a configuration.
#[derive(Args, Clone, Debug)]
pub struct ModelArgs {
    /// Folder that holds the models [default: found beside the program]
    #[arg(long, value_name = "DIR", env = "MASKWATCH_MODELS")]
    pub models_dir: Option<PathBuf>,
    /// Detector: a folder's name, or the path of a model folder or manifest
    #[arg(long, value_name = "NAME")]
    pub detector: Option<String>,
    /// Classifier, likewise; `none`: the detector's own states serve
    #[arg(long, value_name = "NAME")]
    pub classifier: Option<String>,
    /// Where the networks run: auto, cpu, openvino, cuda or tensorrt
    #[arg(long, value_name = "NAME", default_value = "auto")]
    pub provider: maskwatch_engine::Provider,
    /// ONNX Runtime's library [default: found, see `make setup`]
    #[arg(long, value_name = "FILE", env = "ORT_DYLIB_PATH")]
    pub library: Option<PathBuf>,
}

/// Arguments of `models`.
#[derive(Args, Debug)]
pub struct ModelsArgs {
    /// `list` (default) or `verify`
    #[arg(value_enum, default_value = "list", value_name = "ACTION")]
    pub action: ModelsAction,
    /// Folder that holds the models [default: found beside the program]
    #[arg(long, value_name = "DIR", env = "MASKWATCH_MODELS")]
    pub models_dir: Option<PathBuf>,
}

/// What `models` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ModelsAction {
    /// Names, tasks, sizes, licences.
    List,
    /// Compares every model file with the sha256 of its manifest.
    Verify,
}

/// A probability.
pub(super) fn score(text: &str) -> Result<f32, String> {
    let value: f32 = text.parse().map_err(|_| format!("`{text}` is not a number"))?;
    if (0.0..=1.0).contains(&value) { Ok(value) } else { Err(format!("{value} is not between 0 and 1")) }
}
