//! Where state files are.

use std::fs::File;
use std::path::{Path, PathBuf};

use redb::StorageBackend;
use redb::backends::FileBackend;

/// The state folder. Tests have some whose disk fails.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    #[cfg(test)]
    faults: faults::Faults,
}

impl Folder {
    /// A folder that need not be there yet.
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            #[cfg(test)]
            faults: faults::Faults::default(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How redb reads and writes a file here.
    pub(super) fn backend(&self, file: File) -> Result<Box<dyn StorageBackend>, redb::Error> {
        let backend = FileBackend::new(file)?;
        #[cfg(test)]
        let backend = faults::Faulty::new(backend, self.faults.clone());
        Ok(Box::new(backend))
    }
}

#[cfg(test)]
impl Folder {
    /// One whose disk fails when `faults` say so.
    pub(crate) fn failing(path: &Path, faults: &faults::Faults) -> Self {
        Self { faults: faults.clone(), ..Self::new(path) }
    }
}

#[cfg(test)]
#[path = "faults.rs"]
pub(crate) mod faults;
