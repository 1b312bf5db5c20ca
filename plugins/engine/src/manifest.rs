//! Model manifests.

/// Why a model's manifest or file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ManifestError(String);
