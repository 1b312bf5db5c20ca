//! Names that survive a crash of the machine. A file's content is on the disk after a sync of the file; its name, where
//! it was made, renamed or removed, only after one of the folder.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Brings the names in a folder to the disk.
///
/// # Errors
/// The folder cannot be opened or synced. File systems that know no such thing are no error.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    #[cfg(test)]
    observed::note(folder);
    match File::open(folder)?.sync_all() {
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        other => other,
    }
}

/// The same for the folder that a file is in.
///
/// # Errors
/// As of [`sync_folder`].
pub(crate) fn sync_name(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), sync_folder)
}

/// Makes a folder with those above it, where they are missing, so that they survive.
///
/// # Errors
/// A folder cannot be made or synced.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    folder.parent().map_or(Ok(()), make_folder)?;
    match std::fs::create_dir(folder) {
        // Somebody else was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync_name(folder),
    }
}

/// Which folders this thread has synced.
#[cfg(test)]
pub(crate) mod observed {
    use std::cell::RefCell;
    use std::path::{Path, PathBuf};

    thread_local! {
        static SYNCED: RefCell<Vec<PathBuf>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn note(folder: &Path) {
        SYNCED.with_borrow_mut(|synced| synced.push(folder.to_owned()));
    }

    /// Those since this was asked last.
    pub(crate) fn take() -> Vec<PathBuf> {
        SYNCED.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_that_is_made_is_synced_in_the_one_above() {
        let top = tempfile::tempdir().unwrap();
        let (one, two) = (top.path().join("one"), top.path().join("one/two"));
        make_folder(&two).unwrap();
        assert_eq!(observed::take(), [top.path().to_owned(), one]);
        make_folder(&two).unwrap();
        make_folder(Path::new("")).unwrap();
        assert!(observed::take().is_empty() && two.is_dir());
        std::fs::write(two.join("file"), "").unwrap();
        assert!(make_folder(&two.join("file")).is_err() && make_folder(&two.join("file/three")).is_err());
        sync_name(Path::new("Cargo.toml")).unwrap();
        assert_eq!(observed::take(), [Path::new(".")]);
    }
}
