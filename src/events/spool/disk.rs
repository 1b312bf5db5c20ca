//! The row on disk, in a file of redb: whole after every crash, and written in one durable step per batch.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::{OVERHEAD, Record};

/// Number to event.
const EVENTS: TableDefinition<u64, &[u8]> = TableDefinition::new("events");
/// Sink to the number up to which it has had its events.
const PLACES: TableDefinition<&str, u64> = TableDefinition::new("sinks");
/// Numbers never begin anew, also when no event waits.
const HEAD: TableDefinition<(), u64> = TableDefinition::new("head");

/// The file's name in its folder.
const FILE: &str = "events.redb";
/// Memory for pages: the row is read and written at its ends.
const CACHE: usize = 4 << 20;

/// Why there is no spool on disk.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpoolError {
    /// Another process has it.
    #[error("events: {0} is in use (is another maskwatch running with the same state_dir?)")]
    InUse(PathBuf),
    /// The folder or the file cannot be used.
    #[error("events: {path} cannot be written: {cause} (may this user write to state_dir, and is there room?)")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the system or the store said.
        cause: String,
    },
}

/// What was found on disk.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Number of the latest event there ever was.
    pub(super) head: u64,
    /// Sizes of the events that wait, in rising order; the last of them is event `head`.
    pub(super) sizes: VecDeque<u64>,
    /// Places of all sinks.
    pub(super) places: BTreeMap<String, u64>,
}

/// An open file.
pub(super) struct Disk {
    path: PathBuf,
    database: Database,
}

impl Disk {
    /// Opens or makes the file. A broken one is moved aside, with a line in the log.
    pub(super) fn open(folder: &Path) -> Result<(Self, Found), SpoolError> {
        let path = folder.join(FILE);
        let unusable = |cause: String| SpoolError::Unusable { path: path.clone(), cause };
        std::fs::create_dir_all(folder).map_err(|error| unusable(error.to_string()))?;
        let whole = |path: &Path| -> Result<(Self, Found), redb::Error> {
            let database = Database::builder().set_cache_size(CACHE).create(path)?;
            let disk = Self { path: path.to_path_buf(), database };
            let found = disk.found()?;
            Ok((disk, found))
        };
        match whole(&path) {
            Ok(opened) => Ok(opened),
            Err(redb::Error::DatabaseAlreadyOpen) => Err(SpoolError::InUse(path)),
            Err(redb::Error::Io(error)) if !is_content(&error) => Err(unusable(error.to_string())),
            Err(error) => {
                let aside = aside(&path);
                tracing::error!(%error, file = %path.display(), moved_to = %aside.display(),
                    "events: the spool is broken; it is moved aside and begun anew, what waited in it is not sent");
                std::fs::rename(&path, &aside).map_err(|error| unusable(error.to_string()))?;
                whole(&path).map_err(|error| unusable(error.to_string()))
            }
        }
    }

    fn found(&self) -> Result<Found, redb::Error> {
        let write = self.database.begin_write()?;
        let found = {
            let (mut events, places, head) =
                (write.open_table(EVENTS)?, write.open_table(PLACES)?, write.open_table(HEAD)?);
            let last = events.last()?.map(|(seq, _)| seq.value());
            let head = head.get(())?.map_or(0, |head| head.value()).max(last.unwrap_or(0));
            let mut waiting: Vec<(u64, u64)> = Vec::new();
            for entry in events.iter()? {
                let (seq, json) = entry?;
                waiting.push((seq.value(), json.value().len() as u64 + OVERHEAD));
            }
            // The row has no holes; what lies before one would count wrongly.
            let whole = waiting.iter().rev().zip(0..).take_while(|((seq, _), back)| *seq == head - back).count();
            for (seq, _) in &waiting[..waiting.len() - whole] {
                events.remove(seq)?;
            }
            let sizes = waiting[waiting.len() - whole..].iter().map(|(_, size)| *size).collect();
            let mut known = BTreeMap::new();
            for entry in places.iter()? {
                let (sink, done) = entry?;
                known.insert(sink.value().to_owned(), done.value());
            }
            Found { head, sizes, places: known }
        };
        write.commit()?;
        Ok(found)
    }

    /// Writes new events and all places, and takes out events up to `floor`, in one durable step.
    pub(super) fn save<'a>(
        &self,
        events: &[Record],
        floor: u64,
        head: u64,
        places: impl Iterator<Item = (&'a str, u64)>,
    ) -> Result<(), SpoolError> {
        let saved = || -> Result<(), redb::Error> {
            let write = self.database.begin_write()?;
            {
                let mut table = write.open_table(EVENTS)?;
                for record in events {
                    table.insert(record.seq, record.json.as_ref())?;
                }
                table.retain_in(..=floor, |_, _| false)?;
                let mut table = write.open_table(PLACES)?;
                table.retain(|_, _| false)?;
                for (sink, done) in places {
                    table.insert(sink, done)?;
                }
                write.open_table(HEAD)?.insert((), head)?;
            }
            write.commit()?;
            Ok(())
        };
        saved().map_err(|error| SpoolError::Unusable { path: self.path.clone(), cause: error.to_string() })
    }

    /// Events above `after`, `most` of them, in rising order.
    pub(super) fn read(&self, after: u64, most: usize) -> Result<Vec<Record>, SpoolError> {
        let unusable = |cause: String| SpoolError::Unusable { path: self.path.clone(), cause };
        let read = || -> Result<Vec<(u64, Bytes)>, redb::Error> {
            let table = self.database.begin_read()?.open_table(EVENTS)?;
            let mut found = Vec::new();
            for entry in table.range(after + 1..)?.take(most) {
                let (seq, json) = entry?;
                found.push((seq.value(), Bytes::copy_from_slice(json.value())));
            }
            Ok(found)
        };
        let found = read().map_err(|error| unusable(error.to_string()))?;
        // A text that is no event is passed over: nobody could address it.
        Ok(found.into_iter().filter_map(|(seq, json)| Record::read(seq, json).ok()).collect())
    }
}

/// Whether an error of reading speaks of the file's content rather than of the disk or of permissions.
fn is_content(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof)
}

/// A name beside the file that is free.
fn aside(path: &Path) -> PathBuf {
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let name = |suffix: String| path.with_extension(format!("redb.broken-{suffix}"));
    let plain = name(seconds.to_string());
    (1..)
        .map(|index| name(format!("{seconds}-{index}")))
        .find(|path| !path.exists())
        .filter(|_| plain.exists())
        .unwrap_or(plain)
}
