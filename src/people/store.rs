//! The counts on disk: one state file, of which one thread knows.
//!
//! A transaction is there whole or not at all, also after a crash. A file that cannot be trusted is moved aside, never
//! mended by guessing, and counting begins anew.

use std::time::Duration;

use maskwatch_vision::compliance::Counts;
use redb::{Database, ReadableTable, TableDefinition};

use super::ledger::{Changes, Key, Row};
use super::place::Book;
use crate::clock::Past;
use crate::state_file::{self, Folder, Kind, StateError, StateFile, StoreHealth};

/// Of the counts.
pub(super) const KIND: Kind = Kind {
    store: "people",
    file: "people.redb",
    format: 1,
    // It is read once and written in small pieces.
    cache_bytes: 1 << 20,
    check: true,
    loss: "people counted before are lost, and counting begins anew",
    meanwhile: "people counted wait in memory",
};

/// Camera, zone, beginning in Unix seconds.
type StoredKey = (&'static str, &'static str, u64);
/// Mask, incorrect, no mask, unknown.
type StoredCounts = [u64; 4];
type Table = TableDefinition<'static, StoredKey, StoredCounts>;

const WINDOW: Table = Table::new("window");
const QUARTERS: Table = Table::new("quarters");
/// What is known of the time, in seconds.
const CLOCK: TableDefinition<&str, u64> = TableDefinition::new("clock");
const SURE: &str = "sure";
const WALL: &str = "wall";
const HELD: &str = "held";

/// What was found on disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) rows: Vec<Row>,
    /// `None` in files of before it was kept.
    pub(super) past: Option<Past>,
}

fn table(book: Book) -> Table {
    match book {
        Book::Window => WINDOW,
        Book::Quarters => QUARTERS,
    }
}

/// An open file.
#[derive(Debug)]
pub(super) struct Store(StateFile);

impl Store {
    /// Opens the file in `folder`, and reads everything in it.
    pub(super) fn open(folder: &Folder, health: &StoreHealth) -> Result<(Self, Found), StateError> {
        let (file, found) = StateFile::open(folder, &KIND, read)?;
        health.opened(&file);
        Ok((Self(file), found))
    }

    /// Writes what has changed, and what is known of the time, in one transaction; on return that is on the disk.
    pub(super) fn write(&self, changes: &Changes, past: Past) -> Result<(), StateError> {
        self.0.with(|database| {
            let transaction = database.begin_write()?;
            for book in [Book::Window, Book::Quarters] {
                let mut table = transaction.open_table(table(book))?;
                for key in changes.gone.iter().filter(|key| key.book == book) {
                    table.remove((key.camera.as_str(), key.zone.as_str(), key.begin_s))?;
                }
                for Row { key, counts } in changes.rows.iter().filter(|row| row.key.book == book) {
                    let Counts { mask, incorrect, no_mask, unknown } = *counts;
                    let key = (key.camera.as_str(), key.zone.as_str(), key.begin_s);
                    table.insert(key, [mask, incorrect, no_mask, unknown])?;
                }
            }
            {
                let mut table = transaction.open_table(CLOCK)?;
                for (key, time) in [(SURE, past.sure), (WALL, past.wall), (HELD, past.held)] {
                    table.insert(key, time.as_secs())?;
                }
            }
            Ok(transaction.commit()?)
        })
    }

    /// Removes rows that begin before the time given for their book.
    pub(super) fn forget(&self, oldest: [(Book, u64); 2]) -> Result<(), StateError> {
        self.0.with(|database| {
            let transaction = database.begin_write()?;
            for (book, oldest) in oldest {
                transaction.open_table(table(book))?.retain(|(_, _, begin), _| begin >= oldest)?;
            }
            Ok(transaction.commit()?)
        })
    }
}

fn read(database: &Database) -> Result<Found, redb::Error> {
    let mut rows = Vec::new();
    for book in [Book::Window, Book::Quarters] {
        let Some(table) = state_file::table(database, table(book))? else { continue };
        for entry in table.iter()? {
            let (key, counts) = entry?;
            let ((camera, zone, begin_s), [mask, incorrect, no_mask, unknown]) = (key.value(), counts.value());
            let key = Key { book, camera: camera.to_owned(), zone: zone.to_owned(), begin_s };
            rows.push(Row { key, counts: Counts { mask, incorrect, no_mask, unknown } });
        }
    }
    let mut past = None;
    if let Some(table) = state_file::table(database, CLOCK)? {
        let time = |key| Ok::<_, redb::Error>(table.get(key)?.map(|time| Duration::from_secs(time.value())));
        if let (Some(sure), Some(wall), Some(held)) = (time(SURE)?, time(WALL)?, time(HELD)?) {
            past = Some(Past { sure, wall, held });
        }
    }
    Ok(Found { rows, past })
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
