//! Files of redb that outlive the process: made, opened, read, moved aside where they are broken, and opened again after
//! their disk refused.
//!
//! A file is there with its format number and its tables, or it is not there: it is made under another name first. So a
//! disk that is full while the file is made leaves nothing behind that the next start would take for a broken file. Only
//! what the file's own content is at fault for counts as broken; a disk that cannot be read or written never does, and
//! whatever redb says while an I/O error happens is that error (`watched` knows it).
//!
//! redb does nothing more with a database whose file had an I/O error: who holds a `StateFile` drops it after any
//! error, and opens it again in growing pauses (`Retry`). [`StoreHealth`] tells metrics, API and log how it stands.

mod durable;
mod error;
mod folder;
mod health;
mod retry;
mod watched;

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use redb::{Builder, Database, ReadOnlyTable, ReadableDatabase, TableDefinition, TableError};

#[cfg(test)]
pub(crate) use durable::observed;
pub(crate) use durable::{make_folder, sync_folder, sync_name};
pub(crate) use error::StateError;
pub(crate) use folder::Folder;
#[cfg(test)]
pub(crate) use folder::faults;
pub use health::StoreHealth;
pub(crate) use retry::Retry;
use watched::{Trouble, Watched};

/// The format number's table, in every file.
const ABOUT: TableDefinition<&str, u64> = TableDefinition::new("about");
const FORMAT: &str = "format";
/// Length of redb's header; before the first commit all behind it is empty.
const HEADER: usize = 320;
/// Length of what redb begins its files with once they can be opened.
const MAGIC: usize = 9;
/// A file that is greater than this was more than begun.
const BEGUN: u64 = 4 << 20;

/// A kind of file.
#[derive(Debug)]
pub(crate) struct Kind {
    /// Its value of the label `store`.
    pub(crate) store: &'static str,
    /// Its name in the state folder.
    pub(crate) file: &'static str,
    /// Version of its tables' meaning. Files without a number are of the first.
    pub(crate) format: u64,
    /// Memory for its pages.
    pub(crate) cache_bytes: usize,
    /// Whether all of it is checked when it is opened.
    pub(crate) check: bool,
    /// What a broken file means, for the log.
    pub(crate) loss: &'static str,
    /// What happens while the file cannot be written, for people.
    pub(crate) meanwhile: &'static str,
}

impl Kind {
    fn builder(&self) -> Builder {
        let mut builder = Database::builder();
        builder.set_cache_size(self.cache_bytes).set_check_integrity_on_open(self.check);
        builder
    }
}

/// An open file.
#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
    database: Database,
    trouble: Trouble,
    /// The one before it was broken.
    replaces: bool,
}

impl StateFile {
    /// Opens the file in `folder`, which is made where it is missing, as the file is, and reads what it holds. A broken
    /// file is moved aside, with a line in the log.
    pub(crate) fn open<T>(
        folder: &Folder,
        kind: &Kind,
        read: impl Fn(&Database) -> Result<T, redb::Error>,
    ) -> Result<(Self, T), StateError> {
        let path = folder.path().join(kind.file);
        make_folder(folder.path()).map_err(|error| StateError::disk(folder.path(), &error))?;
        if !exists(&path).map_err(|error| StateError::disk(&path, &error))? {
            make(folder, kind, &path)?;
        }
        match Self::try_open(folder, kind, &path, &read) {
            Err(StateError::Broken { cause, .. }) => {
                let aside = aside(&path);
                let moved = std::fs::rename(&path, &aside).and_then(|()| sync_name(&path));
                moved.map_err(|error| StateError::disk(&path, &error))?;
                let (name, moved_to, loss) = (path.display(), aside.display(), kind.loss);
                tracing::error!(%moved_to, "{name} is corrupt ({cause}) and was moved aside: {loss}");
                make(folder, kind, &path)?;
                let (file, held) = Self::try_open(folder, kind, &path, &read)?;
                Ok((Self { replaces: true, ..file }, held))
            }
            other => other,
        }
    }

    fn try_open<T>(
        folder: &Folder,
        kind: &Kind,
        path: &Path,
        read: impl Fn(&Database) -> Result<T, redb::Error>,
    ) -> Result<(Self, T), StateError> {
        let file = OpenOptions::new().read(true).write(true).open(path);
        let file = file.map_err(|error| StateError::disk(path, &error))?;
        let trouble = Trouble::default();
        let database = guarded(path, &trouble, || {
            let backend = Watched::new(folder.backend(file)?, &trouble);
            Ok(kind.builder().create_with_backend(backend)?)
        })?;
        let this = Self { path: path.to_owned(), database, trouble, replaces: false };
        let found = this.with(format)?;
        if found > kind.format {
            return Err(StateError::Later { path: path.to_owned(), found });
        }
        let held = this.with(read)?;
        Ok((this, held))
    }

    /// Whether the file before it was broken, and was moved aside.
    pub(crate) fn replaces_a_broken_one(&self) -> bool {
        self.replaces
    }

    /// Works with the database. After an error it does nothing more: drop it and open it again.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T, StateError> {
        guarded(&self.path, &self.trouble, || work(&self.database))
    }
}

/// Runs redb: what it panics about is broken content too, for nobody who kept to its format wrote that.
fn guarded<T>(path: &Path, trouble: &Trouble, work: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, StateError> {
    trouble.clear();
    let caught = catch_unwind(AssertUnwindSafe(work));
    // Also behind a panic: redb asserts what an I/O error has just made untrue.
    match (caught, trouble.take()) {
        (Ok(Ok(value)), _) => Ok(value),
        (_, Some(error)) => Err(StateError::disk(path, &error)),
        (Ok(Err(error)), None) => Err(StateError::of_redb(path, &error)),
        (Err(_), None) => Err(StateError::Broken { path: path.to_owned(), cause: "it cannot be read".to_owned() }),
    }
}

fn format(database: &Database) -> Result<u64, redb::Error> {
    let found = table(database, ABOUT)?.map(|about| about.get(FORMAT)).transpose()?.flatten();
    Ok(found.map_or(1, |format| format.value()))
}

/// A table as it stands; `None` where nothing was written into it yet.
pub(crate) fn table<K: redb::Key + 'static, V: redb::Value + 'static>(
    database: &Database,
    table: TableDefinition<'_, K, V>,
) -> Result<Option<ReadOnlyTable<K, V>>, redb::Error> {
    match database.begin_read()?.open_table(table) {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether there is a file with anything in it. One that an earlier version began on a full disk is removed.
fn exists(path: &Path) -> io::Result<bool> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other?,
    };
    if file.metadata()?.len() > BEGUN {
        return Ok(true);
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let blank = |bytes: Option<&[u8]>| bytes.unwrap_or_default().iter().all(|byte| *byte == 0);
    let begun = blank(bytes.get(..MAGIC.min(bytes.len()))) && blank(bytes.get(HEADER..));
    if begun {
        std::fs::remove_file(path).and_then(|()| sync_name(path))?;
    }
    Ok(!begun)
}

/// Makes the file, whole, and only then under its name.
fn make(folder: &Folder, kind: &Kind, path: &Path) -> Result<(), StateError> {
    let disk = |error: &io::Error| StateError::disk(path, error);
    // As other files are made: what may be read by whom is the umask's to say.
    let new = tempfile::Builder::new()
        .prefix(kind.file)
        .suffix(".new")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder.path())
        .map_err(|error| disk(&error))?;
    let (trouble, file) = (Trouble::default(), new.reopen().map_err(|error| disk(&error))?);
    guarded(path, &trouble, || {
        let backend = Watched::new(folder.backend(file)?, &trouble);
        let database = kind.builder().create_with_backend(backend)?;
        let write = database.begin_write()?;
        write.open_table(ABOUT)?.insert(FORMAT, kind.format)?;
        Ok(write.commit()?)
    })?;
    let named = new.persist_noclobber(path).map_err(|error| error.error);
    // The name itself, too, is to outlive a crash of the machine.
    named.and_then(|_| sync_folder(folder.path())).map_err(|error| disk(&error))
}

/// A name beside the file that is free: a second that sees two broken files does not lose the first.
fn aside(path: &Path) -> PathBuf {
    let second = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut names = (0u64..).map(|n| path.with_extension(format!("redb.corrupt-{}", second.saturating_add(n))));
    names.find(|name| !name.exists()).unwrap_or_else(|| path.with_extension("redb.corrupt"))
}

#[cfg(test)]
mod tests;
