//! Deeds on the disk: `audit.redb` of the state folder.

use std::sync::Arc;
use std::time::Instant;

use redb::{Database, ReadableTable, ReadableTableMetadata, TableDefinition};
use tracing_mutex::parking_lot::Mutex;

use super::{Audit, Deed, KEPT};
use crate::state_file::{self, Folder, Kind, Retry, StateError, StateFile, StoreHealth};

/// Deeds in the order in which they were done.
const DEEDS: TableDefinition<u64, &[u8]> = TableDefinition::new("audit");

/// Of the file.
pub(in crate::access) const KIND: Kind = Kind {
    store: "audit",
    file: "audit.redb",
    format: 1,
    // It is written at its end, and read at the start.
    cache_bytes: 1 << 20,
    check: false,
    loss: "the audit of the API begins anew; the log has what was there",
    meanwhile: "the audit waits in memory",
};

/// The file, and how it is written.
pub(super) struct Shelf {
    folder: Folder,
    health: Arc<StoreHealth>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// `None`: it is not open yet, or refuses.
    file: Option<StateFile>,
    /// Whether what it had from before is in memory.
    read: bool,
    retry: Retry,
}

impl Shelf {
    /// Nothing is opened yet.
    pub(super) fn new(folder: Folder, health: Arc<StoreHealth>) -> Self {
        Self { folder, health, state: Mutex::default() }
    }

    pub(super) fn health(&self) -> &Arc<StoreHealth> {
        &self.health
    }

    /// As of [`Audit::keep`]. The lock is of this alone: who notes a deed does not wait for the disk.
    pub(super) fn keep(&self, audit: &Audit, last: bool) {
        let mut state = self.state.lock();
        let now = Instant::now();
        if !last && !state.retry.is_due(now) {
            return;
        }
        match self.write(audit, &mut state) {
            Ok(lost) => {
                state.retry.worked();
                self.health.works();
                if lost > 0 {
                    tracing::warn!(deeds = lost, "the audit of the API lacks some: the disk refused for too long");
                }
            }
            Err(error) => {
                // It does nothing more after an error.
                state.file = None;
                state.retry.failed(now, rand::random());
                self.health.fails(&error);
            }
        }
    }

    /// Writes what waits in one durable step; gives how many deeds were lost meanwhile.
    fn write(&self, audit: &Audit, state: &mut State) -> Result<u64, StateError> {
        let file = match state.file.take() {
            Some(file) => file,
            None => {
                let (file, before) = StateFile::open(&self.folder, &KIND, read)?;
                self.health.opened(&file);
                if !std::mem::replace(&mut state.read, true) {
                    audit.begin_with(before);
                }
                file
            }
        };
        let (new, number) = audit.waiting();
        if !new.is_empty() {
            file.with(|database| append(database, &new))?;
        }
        state.file = Some(file);
        Ok(audit.written(number))
    }
}

fn read(database: &Database) -> Result<Vec<Deed>, redb::Error> {
    let Some(table) = state_file::table(database, DEEDS)? else { return Ok(Vec::new()) };
    let mut deeds = Vec::new();
    for entry in table.iter()? {
        // A text that is no deed was not written here.
        deeds.extend(serde_json::from_slice::<Deed>(entry?.1.value()).ok());
    }
    Ok(deeds)
}

fn append(database: &Database, new: &[Deed]) -> Result<(), redb::Error> {
    let write = database.begin_write()?;
    {
        let mut table = write.open_table(DEEDS)?;
        let last = table.last()?.map_or(0, |(number, _)| number.value());
        for (number, deed) in (last + 1..).zip(new) {
            // JSON of texts and a time can always be written.
            let json = serde_json::to_vec(deed).unwrap_or_default();
            table.insert(number, json.as_slice())?;
        }
        let over = table.len()?.saturating_sub(KEPT as u64);
        for _ in 0..over {
            table.pop_first()?;
        }
    }
    Ok(write.commit()?)
}
