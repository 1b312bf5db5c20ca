//! What happened, by time: events kept for who asks later, whatever sinks there are.
//!
//! New events are in memory, where they are found at once, and then on the disk (`history.redb` in `state_dir`).
//! Without a folder, or while the disk refuses, the latest are in memory alone. Bounded by age and by number.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use bytes::Bytes;
use redb::{Database, ReadableTable, TableDefinition};
use serde::Deserialize;
use tracing_mutex::parking_lot::Mutex;
use uuid::Uuid;

use super::spool::Record;
use crate::config::plan::HistoryPlan;
use crate::state_file::{self, Folder, Kind, Retry, StateError, StateFile, StoreHealth};

/// Time and id to event.
const EVENTS: TableDefinition<(u64, u128), &[u8]> = TableDefinition::new("history");

/// Of the file.
pub(super) const KIND: Kind = Kind {
    store: "history",
    file: "history.redb",
    format: 1,
    // It is written at its end, and read seldom.
    cache_bytes: 4 << 20,
    check: false,
    loss: "the list of past events begins anew",
    meanwhile: "past events wait in memory",
};

/// Events in memory at most.
const MOST_IN_MEMORY: usize = 10_000;
/// Old ones that go in one step: new ones do not wait for many.
const MOST_FORGOTTEN: u64 = 4096;
/// How often old ones are looked for.
const PRUNE: Duration = Duration::from_secs(60);

/// An event's place in the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    /// Milliseconds since the Unix epoch.
    pub(crate) ms: u64,
    /// The event's id.
    pub(crate) id: Uuid,
}

impl Mark {
    fn of(record: &Record) -> Option<Self> {
        #[derive(Deserialize)]
        struct Head {
            time: String,
            id: Uuid,
        }
        let Head { time, id } = serde_json::from_slice(&record.json).ok()?;
        let time = humantime::parse_rfc3339(&time).ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(Self { ms: u64::try_from(time.as_millis()).ok()?, id })
    }

    /// The first of a millisecond.
    fn first(ms: u64) -> Self {
        Self { ms, id: Uuid::nil() }
    }

    fn key(self) -> (u64, u128) {
        (self.ms, self.id.as_u128())
    }
}

/// What is asked for: events from `from` on and before `to`, in milliseconds since the Unix epoch.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// `None`: of all.
    pub(crate) camera: Option<String>,
    /// Value of `type`; `None`: all.
    pub(crate) kind: Option<String>,
    /// Only those before this one.
    pub(crate) before: Option<Mark>,
    /// At least 1.
    pub(crate) limit: usize,
}

impl Asked {
    fn wants(&self, record: &Record) -> bool {
        let fits = |asked: &Option<String>, own: &str| asked.as_deref().is_none_or(|asked| asked == own);
        fits(&self.camera, &record.camera) && fits(&self.kind, &record.kind)
    }

    /// Begin, and the end that is no part of it; `None`: nothing is between them.
    fn span(&self) -> Option<(Mark, Mark)> {
        let end = Mark::first(self.to);
        let (begin, end) = (Mark::first(self.from), self.before.map_or(end, |before| before.min(end)));
        (begin < end).then_some((begin, end))
    }
}

/// Some events, the newest first, and where the next ones begin.
#[derive(Debug, PartialEq)]
pub(crate) struct Page {
    pub(crate) events: Vec<Bytes>,
    /// The last of them, where older ones follow.
    pub(crate) next: Option<Mark>,
}

/// Past events.
pub(crate) struct History {
    plan: Mutex<HistoryPlan>,
    /// Those that are not on the disk.
    recent: Mutex<BTreeMap<Mark, Record>>,
    /// `None`: in memory only.
    disk: Option<Disk>,
}

struct Disk {
    folder: Folder,
    health: Arc<StoreHealth>,
    state: Mutex<DiskState>,
}

#[derive(Default)]
struct DiskState {
    /// `None`: it refuses now.
    file: Option<Arc<StateFile>>,
    retry: Retry,
    pruned: Option<Instant>,
    /// Events that found no place while the disk refused.
    lost: u64,
}

impl History {
    /// Nothing is opened yet.
    pub(super) fn new(plan: HistoryPlan, stored_at: Option<(Folder, Arc<StoreHealth>)>) -> Self {
        let disk = stored_at.map(|(folder, health)| Disk { folder, health, state: Mutex::default() });
        Self { plan: Mutex::new(plan), recent: Mutex::default(), disk }
    }

    /// What is kept from now on: at the next [`Self::keep`] the rest goes.
    pub(super) fn set_plan(&self, plan: HistoryPlan) {
        *self.plan.lock() = plan;
    }

    fn plan(&self) -> HistoryPlan {
        *self.plan.lock()
    }

    /// How the store stands; `None` where nothing is stored.
    pub(super) fn store(&self) -> Option<&Arc<StoreHealth>> {
        self.disk.as_ref().map(|disk| &disk.health)
    }

    /// These are found from now on.
    pub(super) fn append(&self, records: &[Record]) {
        let mut recent = self.recent.lock();
        recent.extend(records.iter().filter_map(|record| Some((Mark::of(record)?, record.clone()))));
        let most = MOST_IN_MEMORY.min(self.plan().most);
        let over = recent.len().saturating_sub(most);
        (0..over).for_each(|_| drop(recent.pop_first()));
        drop(recent);
        if let Some(disk) = self.disk.as_ref().filter(|_| over > 0) {
            disk.state.lock().lost += over as u64;
        }
    }

    /// Brings the disk up to date, and forgets what is too old at `now`; nothing where that is
    /// `None`. After a failure this does nothing until the
    /// pause is over, unless it is the `last` time.
    pub(super) fn keep(&self, now: Option<Duration>, last: bool) {
        let mark = |now: Duration| {
            let oldest = now.saturating_sub(self.plan().keep);
            Mark::first(u64::try_from(oldest.as_millis()).unwrap_or_default())
        };
        let oldest = now.map(mark);
        let Some(disk) = &self.disk else {
            let mut recent = self.recent.lock();
            if let Some(oldest) = &oldest {
                *recent = recent.split_off(oldest);
            }
            return;
        };
        let moment = Instant::now();
        let (file, prune) = {
            let state = disk.state.lock();
            if !last && !state.retry.is_due(moment) {
                return;
            }
            let due = state.pruned.is_none_or(|pruned| moment.duration_since(pruned) >= PRUNE);
            (state.file.clone(), due && oldest.is_some())
        };
        let written = self.write(disk, file, oldest.filter(|_| prune));
        let mut state = disk.state.lock();
        match written {
            Ok((file, clean)) => {
                state.file = Some(file);
                state.retry.worked();
                if prune && clean {
                    state.pruned = Some(moment);
                }
                disk.health.works();
                let lost = std::mem::take(&mut state.lost);
                if lost > 0 {
                    tracing::warn!(events = lost, "the list of past events lacks some: the disk refused for too long");
                }
            }
            Err(error) => {
                // It does nothing more after an error.
                state.file = None;
                state.retry.failed(moment, rand::random());
                disk.health.fails(&error);
            }
        }
    }

    /// Writes what is in memory, in one durable step; only then does it leave the memory. Whether all that is to go is gone.
    fn write(
        &self,
        disk: &Disk,
        file: Option<Arc<StateFile>>,
        oldest: Option<Mark>,
    ) -> Result<(Arc<StateFile>, bool), StateError> {
        let file = match file {
            Some(file) => file,
            None => Arc::new(StateFile::open(&disk.folder, &KIND, |_| Ok(()))?.0),
        };
        let new: Vec<(Mark, Bytes)> =
            self.recent.lock().iter().map(|(mark, record)| (*mark, record.json.clone())).collect();
        let most = self.plan().most as u64;
        if new.is_empty() && !file.with(|database| has_surplus(database, oldest, most))? {
            return Ok((file, true));
        }
        file.with(|database| {
            let write = database.begin_write()?;
            {
                let mut table = write.open_table(EVENTS)?;
                for (mark, json) in &new {
                    table.insert(mark.key(), json.as_ref())?;
                }
                for _ in 0..MOST_FORGOTTEN {
                    if !surplus(&table, oldest, most)? {
                        break;
                    }
                    table.pop_first()?;
                }
            }
            Ok(write.commit()?)
        })?;
        let mut recent = self.recent.lock();
        new.iter().for_each(|(mark, _)| drop(recent.remove(mark)));
        drop(recent);
        let clean = !file.with(|database| has_surplus(database, oldest, most))?;
        Ok((file, clean))
    }

    /// Events by time. Reads the disk.
    ///
    /// # Errors
    /// Why the disk cannot be read: a part of the list would look like all of it.
    pub(crate) fn page(&self, asked: &Asked) -> Result<Page, String> {
        let Some((begin, end)) = asked.span() else { return Ok(Page { events: Vec::new(), next: None }) };
        let more = asked.limit + 1;
        // The memory first: what leaves it meanwhile is on the disk by then.
        let mut found: BTreeMap<Mark, Bytes> = {
            let recent = self.recent.lock();
            let wanted = recent.range(begin..end).rev().filter(|(_, record)| asked.wants(record));
            wanted.take(more).map(|(mark, record)| (*mark, record.json.clone())).collect()
        };
        if let Some(disk) = &self.disk {
            let file = disk.state.lock().file.clone();
            let why = || disk.health.standing().problem.unwrap_or_else(|| "the list is being opened".to_owned());
            let file = file.ok_or_else(why)?;
            let read = file.with(|database| read(database, asked, (begin, end), more));
            found.extend(read.map_err(|error| error.to_string())?);
        }
        let next = found.len() > asked.limit;
        let page: Vec<(Mark, Bytes)> = found.into_iter().rev().take(asked.limit).collect();
        let next = page.last().map(|(mark, _)| *mark).filter(|_| next);
        Ok(Page { events: page.into_iter().map(|(_, json)| json).collect(), next })
    }
}

/// Whether the first event is from before `oldest`.
fn has_surplus(database: &Database, oldest: Option<Mark>, most: u64) -> Result<bool, redb::Error> {
    match state_file::table(database, EVENTS)? {
        Some(table) => Ok(surplus(&table, oldest, most)?),
        None => Ok(false),
    }
}

/// Whether the first event is to go: it is older than `oldest`, or one of too many.
fn surplus(
    table: &impl ReadableTable<(u64, u128), &'static [u8]>,
    oldest: Option<Mark>,
    most: u64,
) -> Result<bool, redb::StorageError> {
    if table.len()? > most {
        return Ok(true);
    }
    let Some(oldest) = oldest else { return Ok(false) };
    Ok(table.first()?.is_some_and(|(key, _)| key.value() < oldest.key()))
}

fn read(
    database: &Database,
    asked: &Asked,
    (begin, end): (Mark, Mark),
    most: usize,
) -> Result<Vec<(Mark, Bytes)>, redb::Error> {
    let Some(table) = state_file::table(database, EVENTS)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    let span = (Bound::Included(begin.key()), Bound::Excluded(end.key()));
    for entry in table.range::<(u64, u128)>(span)?.rev() {
        let (key, json) = entry?;
        let json = Bytes::copy_from_slice(json.value());
        // A text that is no event was not written here.
        if Record::read(0, json.clone()).is_ok_and(|record| asked.wants(&record)) {
            let (ms, id) = key.value();
            found.push((Mark { ms, id: Uuid::from_u128(id) }, json));
            if found.len() == most {
                break;
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
