//! The users file on disk: read with care, written whole or not at all.
//!
//! `maskwatch user` and `maskwatch token` write it, and a service where an operator asks it to; it may lie where the service
//! cannot write, and then the service says so. Two writers take turns by a lock on the folder.

use std::fs::{File, Metadata, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::book::{Book, BookProblem};
use crate::shutdown::Shutdown;

/// Most bytes of a file that is read.
const LONGEST: u64 = 4 << 20;
/// How long others who change it are waited for, and how often it is looked.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(10);
/// Who may read it: its owner.
const MODE: u32 = 0o600;
/// Bits of the mode that let others in.
const OTHERS: u32 = 0o077;

/// Why the users file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// It is not there.
    #[error("{0} is not there (make it: maskwatch user add NAME --role operator --users-file {0})")]
    Missing(PathBuf),
    /// Others may read the hashes.
    #[error("{path} may be read or written by others (its mode is {mode:03o}; run: chmod 600 {path})")]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The disk or its rights.
    #[error("{path}: {error} ({hint})")]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
        /// What to look at.
        hint: &'static str,
    },
    /// What it holds.
    #[error("{path} {problem}; it is left as it is (take it from a backup, or move it away and add the users anew)")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: BookProblem,
    },
}

/// What tells that a file has changed: nobody changes all of it by accident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark([i128; 5]);

impl Mark {
    fn of(metadata: &Metadata) -> Self {
        let nanoseconds = |s: i64, ns: i64| i128::from(s) * 1_000_000_000 + i128::from(ns);
        Self([
            i128::from(metadata.dev()),
            i128::from(metadata.ino()),
            i128::from(metadata.len()),
            nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        ])
    }

    /// Of a file as it is now; `None` where there is none.
    pub(crate) fn now(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().map(|metadata| Self::of(&metadata))
    }
}

/// Reads and checks the file.
///
/// # Errors
/// It is missing, open to others, damaged, or of a later version.
pub fn read(path: &Path) -> Result<Book, UsersError> {
    let hint = "may this user read it?";
    let disk = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => UsersError::Missing(path.to_owned()),
        _ => UsersError::Disk { path: path.to_owned(), error, hint },
    };
    let file = File::open(path).map_err(disk)?;
    let metadata = file.metadata().map_err(disk)?;
    if !metadata.is_file() {
        return Err(disk(io::Error::other("it is no file")));
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & OTHERS != 0 {
        return Err(UsersError::Open { path: path.to_owned(), mode });
    }
    let mut text = Vec::new();
    file.take(LONGEST).read_to_end(&mut text).map_err(disk)?;
    Book::read(&text).map_err(|problem| UsersError::Content { path: path.to_owned(), problem })
}

/// Changes the file: read, changed by `change`, written. Where it is not there yet, `change` begins with nobody. Gives
/// what `change` gives; where that is an error, the file stays as it is.
///
/// # Errors
/// As of [`read`], what `change` says, or the disk refuses.
pub fn change<T, E: From<UsersError>>(path: &Path, change: impl FnOnce(&mut Book) -> Result<T, E>) -> Result<T, E> {
    // The file itself where a link leads to it: the link stays.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let hint = "is its folder there, and may this user write there?";
    let disk = |error: io::Error| UsersError::Disk { path: path.clone(), error, hint };
    let folder_file = File::open(folder).map_err(disk)?;
    lock(&folder_file).map_err(disk)?;
    let mut book = match read(&path) {
        Err(UsersError::Missing(_)) => Book::new(),
        other => other?,
    };
    let made = change(&mut book)?;
    let text = book.text().map_err(|error| disk(error.into()))?;
    write(&path, folder, text.as_bytes()).and_then(|()| folder_file.sync_all()).map_err(disk)?;
    Ok(made)
}

/// Waits for others who change it, not for ever: who locks a folder may hang.
fn lock(folder: &File) -> io::Result<()> {
    let begin = Instant::now();
    loop {
        match folder.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if begin.elapsed() < PATIENCE => drop(Shutdown::new().wait_timeout(PAUSE)),
            Err(TryLockError::WouldBlock) => {
                let what = format!("another program has locked its folder for {} s", PATIENCE.as_secs());
                return Err(io::Error::new(io::ErrorKind::TimedOut, what));
            }
        }
    }
}

/// Writes a file whole: under another name first, then under its own. It keeps its owner.
pub(super) fn write(path: &Path, folder: &Path, text: &[u8]) -> io::Result<()> {
    let mut new = tempfile::Builder::new()
        .prefix(".maskwatch-")
        .suffix(".new")
        .permissions(std::fs::Permissions::from_mode(MODE))
        .tempfile_in(folder)?;
    new.write_all(text)?;
    if let Ok(old) = std::fs::metadata(path) {
        let made = new.as_file().metadata()?;
        if (old.uid(), old.gid()) != (made.uid(), made.gid()) {
            fchown(new.as_file(), Some(old.uid()), Some(old.gid()))?;
        }
    }
    new.as_file().sync_all()?;
    new.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::super::book::User;
    use super::super::grant::{Role, Scope};
    use super::*;

    const HASH: &str = super::super::book::tests::HASH;

    fn add(path: &Path, name: &str) -> Result<(), UsersError> {
        let name = name.to_owned();
        change(path, |book| {
            let (role, labels) = (Role::Viewer, Scope::default());
            let (password, changed) = (HASH.to_owned(), std::time::SystemTime::now());
            book.users.push(User { name, role, labels, password, rtsp_digest: None, changed });
            Ok(())
        })
    }

    #[test]
    fn a_file_is_made_for_its_owner_alone_and_changed_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.json");
        assert!(matches!(read(&path), Err(UsersError::Missing(_))));
        add(&path, "anna").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let mark = Mark::now(&path);
        add(&path, "bert").unwrap();
        assert_ne!(Mark::now(&path), mark);
        assert_eq!(read(&path).unwrap().users.len(), 2);
        let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["users.json"], "nothing is left behind");
        // An error leaves it as it is.
        let refused: Result<(), UsersError> = change(&path, |book| {
            book.users.clear();
            Err(UsersError::Missing(PathBuf::new()))
        });
        assert!(refused.is_err() && read(&path).unwrap().users.len() == 2);
    }

    #[test]
    fn a_file_that_others_may_read_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.json");
        add(&path, "anna").unwrap();
        for mode in [0o640, 0o604, 0o620, 0o602, 0o644] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains(&format!("{mode:o}; run: chmod 600 {}", path.display())), "{error}");
            assert!(add(&path, "bert").is_err(), "nor is it changed");
        }
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o400)).unwrap();
        assert!(read(&path).is_ok());
    }

    #[test]
    fn what_is_not_understood_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.json");
        add(&path, "anna").unwrap();
        let good = std::fs::read_to_string(&path).unwrap();
        for (bad, said) in [
            (good.replace("\"format\": 1", "\"format\": 7"), "later version"),
            (good[..good.len() / 2].to_owned(), "damaged"),
            (String::new(), "damaged"),
        ] {
            std::fs::write(&path, &bad).unwrap();
            let error = add(&path, "bert").unwrap_err().to_string();
            assert!(error.contains(said) && error.contains("left as it is"), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), bad);
        }
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("users.json"), folder.path().join("link.json"));
        add(&path, "anna").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        add(&link, "bert").unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(read(&path).unwrap().users.len(), 2);
    }

    #[test]
    fn writers_take_turns_and_readers_see_whole_files_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.json");
        add(&path, "first").unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut looks = 0;
                while !done.load(Ordering::Acquire) || looks == 0 {
                    read(&path).unwrap();
                    looks += 1;
                }
            });
            let writers: Vec<_> = (0..4)
                .map(|writer| {
                    let path = &path;
                    scope.spawn(move || (0..10).for_each(|n| add(path, &format!("u{writer}-{n}")).unwrap()))
                })
                .collect();
            writers.into_iter().for_each(|writer| writer.join().unwrap());
            done.store(true, Ordering::Release);
            reader.join().unwrap();
        });
        assert_eq!(read(&path).unwrap().users.len(), 41, "no change was lost");
    }
}
