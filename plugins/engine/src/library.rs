//! Finding ONNX Runtime's dynamic library.

use std::path::{Path, PathBuf};

/// Why ONNX Runtime's library cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// Nowhere to be found.
    #[error("ONNX Runtime's library not found (looked at {}); hint: run `make setup`, or name it by the option `library` or the environment variable ORT_DYLIB_PATH", searched.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "))]
    NotFound {
        /// Where it was looked for.
        searched: Vec<PathBuf>,
    },
    /// There, but does not load.
    #[error("ONNX Runtime's library {} does not load: {cause}; hint: run `make setup` to fetch the version that this program needs", path.display())]
    Load {
        /// The library.
        path: PathBuf,
        /// What the loader said.
        cause: String,
    },
}

/// Finds the library.
pub fn find(_explicit: Option<&Path>) -> Result<PathBuf, LibraryError> {
    unimplemented!()
}
