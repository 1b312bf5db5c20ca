//! What can go wrong, each with its cause and a hint.

use std::path::PathBuf;

use crate::{library::LibraryError, manifest::ManifestError, provider::Provider, subject::DropReason};

/// Why an engine does not start, or a picture was not analysed.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The manifest or its model file is missing, malformed or altered.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// ONNX Runtime is missing or does not load.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// Another engine of this process runs with another copy of ONNX Runtime.
    #[error(
        "ONNX Runtime is already loaded from {loaded}; it cannot be loaded again from {wanted}; hint: use one library for all engines of a process"
    )]
    OtherLibrary {
        /// In use.
        loaded: PathBuf,
        /// Asked for.
        wanted: PathBuf,
    },
    /// The execution provider asked for does not load.
    #[error("model {model}: provider {provider} does not load: {cause}; hint: {}", provider.hint())]
    Provider {
        /// Name of the model.
        model: String,
        /// As asked for.
        provider: Provider,
        /// What ONNX Runtime said.
        cause: String,
    },
    /// The model file does not do what its manifest says.
    #[error("model {model}: {cause}; hint: {hint}")]
    Model {
        /// Name of the model.
        model: String,
        /// What differs.
        cause: String,
        /// What to do.
        hint: String,
    },
    /// The options contradict each other or the models.
    #[error("{0}")]
    Options(String),
    /// A thread could not be started.
    #[error("engine thread {name} does not start: {cause}")]
    Thread {
        /// Name of the thread.
        name: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The picture was dropped before it was analysed.
    #[error("camera {camera}: picture dropped: {}", reason.as_str())]
    Dropped {
        /// Name of the camera.
        camera: String,
        /// Why.
        reason: DropReason,
    },
    /// The picture could not be analysed.
    #[error("camera {camera}: {cause}")]
    Analysis {
        /// Name of the camera.
        camera: String,
        /// What failed.
        cause: String,
    },
    /// Faces could not be classified, apart from any camera.
    #[error("model {model}: {cause}")]
    Classify {
        /// Name of the model.
        model: String,
        /// What failed.
        cause: String,
    },
}

impl EngineError {
    /// Whether the user's configuration, models or installation must change (exit status 2), rather than a passing fault.
    pub fn is_config(&self) -> bool {
        !matches!(self, Self::Thread { .. } | Self::Dropped { .. } | Self::Analysis { .. } | Self::Classify { .. })
    }
}
