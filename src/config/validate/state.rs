//! Where the state is kept.

use std::path::{Path, PathBuf};

use super::Check;

/// What systemd calls the folder that it has made for the service; several are parted by colons.
const SYSTEMD: &str = "STATE_DIRECTORY";
/// Beside the configuration file, where nobody says otherwise.
const USUAL: &str = "state";

/// The folder: as written, systemd's, or beside the configuration file. Whether it can be used shows when the service
/// starts: `check` writes nothing.
pub(super) fn folder(check: &Check, written: Option<&Path>) -> PathBuf {
    if let Some(written) = written {
        return check.path(written);
    }
    let given = (check.surroundings.env)(SYSTEMD).unwrap_or_default();
    match given.split(':').next() {
        Some(first) if !first.is_empty() => PathBuf::from(first),
        _ => check.path(Path::new(USUAL)),
    }
}
