//! Why a state file is not at hand.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Why there is no such file, or not now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    /// Another process has it.
    #[error("{} is in use (is another maskwatch running with the same `state_dir`?)", .0.display())]
    InUse(PathBuf),
    /// A later version wrote it.
    #[error("{} is of a later version of maskwatch (format {found}); it is left alone", path.display())]
    Later {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// Its content is at fault.
    #[error("{} is corrupt: {cause}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What redb says.
        cause: String,
    },
    /// The disk, the folder, or the right to use them.
    #[error("{}: {cause} ({hint})", path.display())]
    Disk {
        /// The file or the folder.
        path: PathBuf,
        /// What the system says.
        cause: String,
        /// What to do.
        hint: &'static str,
    },
}

impl StateError {
    pub(super) fn disk(path: &Path, error: &io::Error) -> Self {
        let hint = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room there",
            ErrorKind::ReadOnlyFilesystem => "it is mounted read-only; name another folder as `state_dir`?",
            ErrorKind::PermissionDenied => "name a folder that this user may write to as `state_dir`",
            ErrorKind::NotADirectory | ErrorKind::AlreadyExists => "name a folder as `state_dir`",
            _ => "is the disk of `state_dir` there and in order?",
        };
        // Without the number: `No space left on device (os error 28)`.
        let cause = error.to_string();
        let cause = cause.split(" (os error").next().unwrap_or_default().to_owned();
        Self::Disk { path: path.to_owned(), cause, hint }
    }

    pub(super) fn of_redb(path: &Path, error: &redb::Error) -> Self {
        let broken = match error {
            redb::Error::DatabaseAlreadyOpen => return Self::InUse(path.to_owned()),
            redb::Error::Corrupted(_) | redb::Error::UpgradeRequired(_) | redb::Error::RepairAborted => true,
            redb::Error::TableTypeMismatch { .. } | redb::Error::TableIsMultimap(_) => true,
            redb::Error::TypeDefinitionChanged { .. } => true,
            redb::Error::Io(error) => is_content(error),
            _ => false,
        };
        let (path, cause) = (path.to_owned(), error.to_string());
        match broken {
            true => Self::Broken { path, cause },
            false => Self::Disk { path, cause, hint: "is the disk of `state_dir` there and in order?" },
        }
    }
}

/// Whether an error of reading speaks of what the file holds rather than of the disk or of permissions.
pub(super) fn is_content(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof)
}
