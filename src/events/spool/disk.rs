//! The row on disk, in a state file: whole after every crash, and written in one durable step per batch.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use redb::{Database, ReadableTable, TableDefinition};

use super::OVERHEAD;
use crate::state_file::{self, Folder, Kind, StateError, StateFile, StoreHealth};

/// Number to event.
const EVENTS: TableDefinition<u64, &[u8]> = TableDefinition::new("events");
/// Sink to the number up to which it has had its events.
const PLACES: TableDefinition<&str, u64> = TableDefinition::new("sinks");
/// Numbers never begin anew, also when no event waits.
const HEAD: TableDefinition<(), u64> = TableDefinition::new("head");

/// Of the row.
pub(crate) const KIND: Kind = Kind {
    store: "events",
    file: "events.redb",
    format: 1,
    // It is read and written at its ends.
    cache_bytes: 4 << 20,
    // redb mends by itself what a crash leaves; to read all of a long row would hold up the start.
    check: false,
    loss: "what waited in it is not sent",
    meanwhile: "events wait in memory",
};

/// What was found on disk.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Number of the latest event there ever was.
    pub(super) head: u64,
    /// Numbers and sizes of the events that wait, in rising order. Where the file is damaged, numbers may be missing.
    pub(super) waiting: VecDeque<(u64, u64)>,
    /// Places of all sinks.
    pub(super) places: BTreeMap<String, u64>,
}

impl Found {
    /// Events up to this number are not on disk.
    pub(super) fn floor(&self) -> u64 {
        self.waiting.front().map_or(self.head, |(first, _)| first.saturating_sub(1))
    }
}

/// What a step writes.
pub(super) struct Step<'a> {
    /// Events with their numbers.
    pub(super) events: &'a mut dyn Iterator<Item = (u64, Bytes)>,
    /// Events up to this number go.
    pub(super) floor: u64,
    /// Number of the latest event.
    pub(super) head: u64,
    /// All sinks' places.
    pub(super) places: &'a [(&'a str, u64)],
    /// All events that are there go, whatever their number.
    pub(super) anew: bool,
}

/// An open file.
#[derive(Debug)]
pub(super) struct Disk(StateFile);

impl Disk {
    /// Opens or makes the file. A broken one is moved aside, with a line in the log.
    pub(super) fn open(folder: &Folder, health: &StoreHealth) -> Result<(Self, Found), StateError> {
        let (file, found) = StateFile::open(folder, &KIND, find)?;
        health.opened(&file);
        Ok((Self(file), found))
    }

    /// Makes one durable step.
    pub(super) fn save(&self, step: Step<'_>) -> Result<(), StateError> {
        self.0.with(|database| {
            let write = database.begin_write()?;
            {
                let mut table = write.open_table(EVENTS)?;
                if step.anew {
                    table.retain(|_, _| false)?;
                }
                for (seq, json) in step.events {
                    table.insert(seq, json.as_ref())?;
                }
                table.retain_in(..=step.floor, |_, _| false)?;
                let mut table = write.open_table(PLACES)?;
                table.retain(|_, _| false)?;
                for (sink, done) in step.places {
                    table.insert(sink, done)?;
                }
                write.open_table(HEAD)?.insert((), step.head)?;
            }
            Ok(write.commit()?)
        })
    }

    /// Numbers and texts of events above `after` as they are stored, `most` of them, in rising order.
    pub(super) fn texts(&self, after: u64, most: usize) -> Result<Vec<(u64, Bytes)>, StateError> {
        self.0.with(|database| {
            let Some(table) = state_file::table(database, EVENTS)? else { return Ok(Vec::new()) };
            let mut found = Vec::new();
            for entry in table.range(after + 1..)?.take(most) {
                let (seq, json) = entry?;
                found.push((seq.value(), Bytes::copy_from_slice(json.value())));
            }
            Ok(found)
        })
    }
}

/// The row and the places. Numbers that are missing in the row stay so: the readers count them as lost.
fn find(database: &Database) -> Result<Found, redb::Error> {
    let head = state_file::table(database, HEAD)?.map(|head| head.get(())).transpose()?.flatten();
    let mut waiting = VecDeque::new();
    if let Some(events) = state_file::table(database, EVENTS)? {
        for entry in events.iter()? {
            let (seq, json) = entry?;
            waiting.push_back((seq.value(), json.value().len() as u64 + OVERHEAD));
        }
    }
    let last = waiting.back().map_or(0, |(seq, _)| *seq);
    let head = head.map_or(0, |head| head.value()).max(last);
    let mut places = BTreeMap::new();
    if let Some(table) = state_file::table(database, PLACES)? {
        for entry in table.iter()? {
            let (sink, done) = entry?;
            places.insert(sink.value().to_owned(), done.value());
        }
    }
    Ok(Found { head, waiting, places })
}
