//! The counts on disk: one redb file, of which one thread knows.
//!
//! A transaction is there whole or not at all, also after a crash. The file is checked when it is opened; one that
//! cannot be trusted is moved aside, never mended by guessing, and counting begins anew.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use maskwatch_vision::compliance::Counts;
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition};

use super::ledger::{Book, Key, Row};

/// The file's name in the state folder.
pub(super) const FILE: &str = "people.redb";
/// Memory for pages of the file: it is read once and written in small pieces.
const CACHE_BYTES: usize = 1 << 20;
/// Version of the tables' meaning.
const FORMAT: u64 = 1;

/// Camera, zone, beginning in Unix seconds.
type StoredKey = (&'static str, &'static str, u64);
/// Mask, incorrect, no mask, unknown.
type StoredCounts = [u64; 4];
type Table = TableDefinition<'static, StoredKey, StoredCounts>;

const WINDOW: Table = Table::new("window");
const QUARTERS: Table = Table::new("quarters");
const ABOUT: TableDefinition<&str, u64> = TableDefinition::new("about");

fn table(book: Book) -> Table {
    match book {
        Book::Window => WINDOW,
        Book::Quarters => QUARTERS,
    }
}

/// Why counts are not kept over a restart.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    /// The folder.
    #[error("{}: {cause} (name a folder that this user may write to as `state_dir`)", path.display())]
    Folder { path: PathBuf, cause: std::io::Error },
    /// Another process.
    #[error("{} is in use (is another maskwatch running with the same `state_dir`?)", .0.display())]
    InUse(PathBuf),
    /// A later version wrote it.
    #[error("{} is of a later version of maskwatch (format {found}); it is left alone", path.display())]
    Later { path: PathBuf, found: u64 },
    /// The disk, or the file.
    #[error("{}: {cause}", path.display())]
    Storage {
        path: PathBuf,
        cause: String,
        /// The file's contents are at fault, not the disk.
        corrupt: bool,
    },
}

impl StoreError {
    fn storage(path: &Path, cause: impl Into<redb::Error>) -> Self {
        let cause = cause.into();
        let corrupt = match &cause {
            redb::Error::Corrupted(_) | redb::Error::UpgradeRequired(_) | redb::Error::RepairAborted => true,
            redb::Error::TableTypeMismatch { .. } | redb::Error::TableIsMultimap(_) => true,
            redb::Error::TypeDefinitionChanged { .. } => true,
            redb::Error::Io(error) => {
                matches!(error.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof)
            }
            _ => false,
        };
        Self::Storage { path: path.to_owned(), cause: cause.to_string(), corrupt }
    }
}

/// An open file.
#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    database: Database,
}

impl Store {
    /// Opens the file in `folder`, which is made where it is missing, and reads everything in it. A corrupt file is
    /// moved aside; its new name is told.
    pub(super) fn open(folder: &Path) -> Result<(Self, Vec<Row>, Option<PathBuf>), StoreError> {
        std::fs::create_dir_all(folder).map_err(|cause| StoreError::Folder { path: folder.to_owned(), cause })?;
        let path = folder.join(FILE);
        match Self::try_open(&path) {
            Ok((store, rows)) => Ok((store, rows, None)),
            Err(StoreError::Storage { corrupt: true, .. }) => {
                let aside = aside(&path);
                std::fs::rename(&path, &aside).map_err(|cause| StoreError::Folder { path: path.clone(), cause })?;
                let (store, rows) = Self::try_open(&path)?;
                Ok((store, rows, Some(aside)))
            }
            Err(error) => Err(error),
        }
    }

    /// What the library panics about is corrupt too: it was written by nobody who kept to the format.
    fn try_open(path: &Path) -> Result<(Self, Vec<Row>), StoreError> {
        let caught = std::panic::catch_unwind(|| Self::open_and_read(path));
        caught.unwrap_or_else(|_| {
            let cause = "cannot be read".to_owned();
            Err(StoreError::Storage { path: path.to_owned(), cause, corrupt: true })
        })
    }

    fn open_and_read(path: &Path) -> Result<(Self, Vec<Row>), StoreError> {
        let failed = |error: redb::Error| StoreError::storage(path, error);
        let database =
            Database::builder().set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true).create(path).map_err(
                |error| match error {
                    DatabaseError::DatabaseAlreadyOpen => StoreError::InUse(path.to_owned()),
                    other => StoreError::storage(path, other),
                },
            )?;
        let store = Self { path: path.to_owned(), database };
        let found = store.format().map_err(failed)?;
        if found > FORMAT {
            return Err(StoreError::Later { path: path.to_owned(), found });
        }
        let rows = store.read().map_err(failed)?;
        Ok((store, rows))
    }

    /// The format of the file, which is written where none is.
    fn format(&self) -> Result<u64, redb::Error> {
        let transaction = self.database.begin_write()?;
        let found = {
            let mut about = transaction.open_table(ABOUT)?;
            let found = about.get("format")?.map(|format| format.value());
            if found.is_none() {
                about.insert("format", FORMAT)?;
            }
            transaction.open_table(WINDOW)?;
            transaction.open_table(QUARTERS)?;
            found.unwrap_or(FORMAT)
        };
        transaction.commit()?;
        Ok(found)
    }

    fn read(&self) -> Result<Vec<Row>, redb::Error> {
        let transaction = self.database.begin_read()?;
        let mut rows = Vec::new();
        for book in [Book::Window, Book::Quarters] {
            for entry in transaction.open_table(table(book))?.iter()? {
                let (key, counts) = entry?;
                let ((camera, zone, begin_s), [mask, incorrect, no_mask, unknown]) = (key.value(), counts.value());
                let key = Key { book, camera: camera.to_owned(), zone: zone.to_owned(), begin_s };
                rows.push(Row { key, counts: Counts { mask, incorrect, no_mask, unknown } });
            }
        }
        Ok(rows)
    }

    /// Writes rows in one transaction; on return they are on the disk. `anew`: in place of all that is there.
    pub(super) fn write(&self, rows: &[Row], anew: bool) -> Result<(), StoreError> {
        self.try_write(rows, anew).map_err(|error| StoreError::storage(&self.path, error))
    }

    fn try_write(&self, rows: &[Row], anew: bool) -> Result<(), redb::Error> {
        let transaction = self.database.begin_write()?;
        for book in [Book::Window, Book::Quarters] {
            let mut table = transaction.open_table(table(book))?;
            if anew {
                table.retain(|_, _| false)?;
            }
            for Row { key, counts } in rows.iter().filter(|row| row.key.book == book) {
                let Counts { mask, incorrect, no_mask, unknown } = *counts;
                let key = (key.camera.as_str(), key.zone.as_str(), key.begin_s);
                table.insert(key, [mask, incorrect, no_mask, unknown])?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    /// Removes rows that begin before the time given for their book.
    pub(super) fn forget(&self, oldest: [(Book, u64); 2]) -> Result<(), StoreError> {
        let forget = || -> Result<(), redb::Error> {
            let transaction = self.database.begin_write()?;
            for (book, oldest) in oldest {
                transaction.open_table(table(book))?.retain(|(_, _, begin), _| begin >= oldest)?;
            }
            transaction.commit()?;
            Ok(())
        };
        forget().map_err(|error| StoreError::storage(&self.path, error))
    }
}

/// A name beside the file that is free: a second that sees two corrupt files does not lose the first.
fn aside(path: &Path) -> PathBuf {
    let second = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let names = (0u64..).map(|n| path.with_extension(format!("redb.corrupt-{}", second.saturating_add(n))));
    names.into_iter().find(|name| !name.exists()).unwrap_or_else(|| path.with_extension("redb.corrupt"))
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
