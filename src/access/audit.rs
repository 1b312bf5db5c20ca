//! Who did what: lines of the log with the target `maskwatch::audit`, and the latest of them for the API.
//!
//! With a state folder they outlive the process (`shelf`).

mod shelf;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use shelf::Shelf;
use tracing_mutex::parking_lot::{Mutex, MutexGuard};

use crate::state_file::{Folder, StoreHealth};

pub(super) use shelf::KIND;

/// Entries that are kept for the API; the log has them all.
const KEPT: usize = 1000;

/// Something that somebody did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deed {
    /// When.
    #[serde(with = "stamp")]
    pub time: SystemTime,
    /// What, in one word or two with a dot: `login.ok`, `user.changed`.
    pub what: Cow<'static, str>,
    /// A user, or a token as `token:NAME`; `None` where nobody is known by that name.
    pub who: Option<String>,
    /// The address that it came from.
    pub from: Option<String>,
    /// More, for people.
    pub detail: String,
}

impl Deed {
    /// By somebody, from somewhere.
    pub fn new(what: &'static str, who: Option<&str>, from: Option<std::net::IpAddr>, detail: &str) -> Self {
        let (who, from) = (who.map(str::to_owned), from.map(|from| from.to_canonical().to_string()));
        Self { time: stamp::now(), what: what.into(), who, from, detail: detail.to_owned() }
    }
}

/// Times as they are kept: RFC 3339, UTC, milliseconds.
mod stamp {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn now() -> SystemTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UNIX_EPOCH + Duration::from_millis(u64::try_from(since.as_millis()).unwrap_or_default())
    }

    pub(super) fn serialize<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_rfc3339_millis(*time))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SystemTime, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_rfc3339(&text).map_err(de::Error::custom)
    }
}

/// The latest deeds.
#[derive(Default)]
pub struct Audit {
    held: Mutex<Held>,
    /// `None`: in memory only.
    shelf: Option<Shelf>,
}

/// What is in memory: the latest deeds, with the number of the last one.
#[derive(Default)]
struct Held {
    deeds: VecDeque<Deed>,
    /// Of this process, and how many of them the disk has.
    made: u64,
    written: u64,
    /// Deeds that gave way before the disk had them.
    lost: u64,
}

impl Held {
    fn push(&mut self, deed: Deed) {
        if self.deeds.len() == KEPT {
            self.deeds.pop_front();
            if self.waiting() >= KEPT as u64 {
                self.written += 1;
                self.lost += 1;
            }
        }
        self.deeds.push_back(deed);
        self.made += 1;
    }

    fn waiting(&self) -> u64 {
        self.made - self.written
    }
}

impl Audit {
    /// One that is kept in a folder.
    pub(super) fn kept(folder: Folder, health: Arc<StoreHealth>) -> Self {
        Self { held: Mutex::default(), shelf: Some(Shelf::new(folder, health)) }
    }

    /// How the store stands; `None` where nothing is stored.
    pub(super) fn store(&self) -> Option<&Arc<StoreHealth>> {
        self.shelf.as_ref().map(Shelf::health)
    }

    /// Notes one, here and in the log.
    pub fn note(&self, deed: Deed) {
        let (who, from) = (deed.who.as_deref().unwrap_or("-"), deed.from.as_deref().unwrap_or("-"));
        tracing::info!(target: "maskwatch::audit", what = &*deed.what, who, from, "{}", deed.detail);
        self.held().push(deed);
    }

    /// The latest ones, newest first.
    pub fn latest(&self, most: usize) -> Vec<Deed> {
        self.held().deeds.iter().rev().take(most).cloned().collect()
    }

    /// Brings the disk up to date, and reads first what it has from before. After a failure this does nothing until the
    /// pause is over, unless it is the `last` time.
    pub(super) fn keep(&self, last: bool) {
        if let Some(shelf) = &self.shelf {
            shelf.keep(self, last);
        }
    }

    /// What the disk has from before.
    fn begin_with(&self, before: Vec<Deed>) {
        let mut held = self.held();
        let room = KEPT.saturating_sub(held.deeds.len());
        let over = before.len().saturating_sub(room);
        before.into_iter().skip(over).rev().for_each(|deed| held.deeds.push_front(deed));
    }

    /// What the disk does not have, and the number of the last of it.
    fn waiting(&self) -> (Vec<Deed>, u64) {
        let held = self.held();
        let count = usize::try_from(held.waiting()).unwrap_or(KEPT).min(held.deeds.len());
        (held.deeds.iter().skip(held.deeds.len() - count).cloned().collect(), held.made)
    }

    /// The disk has all up to this number. Gives how many were lost before.
    fn written(&self, number: u64) -> u64 {
        let mut held = self.held();
        held.written = held.written.max(number);
        std::mem::take(&mut held.lost)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;
    use crate::state_file::faults::Faults;

    fn deed(n: usize) -> Deed {
        Deed::new("login.ok", Some("anna"), None, &n.to_string())
    }

    fn details(audit: &Audit, most: usize) -> Vec<String> {
        audit.latest(most).into_iter().map(|deed| deed.detail).collect()
    }

    fn kept(folder: Folder) -> Audit {
        let audit =
            Audit::kept(folder, Arc::new(StoreHealth::new(&KIND, Metrics::new().unwrap().state_store("audit"))));
        audit.keep(false);
        audit
    }

    #[test]
    fn the_latest_deeds_are_kept_newest_first() {
        let audit = Audit::default();
        (0..KEPT + 10).for_each(|n| audit.note(deed(n)));
        assert_eq!(
            (audit.latest(usize::MAX).len(), details(&audit, 2)),
            (KEPT, vec!["1009".to_owned(), "1008".to_owned()])
        );
    }

    #[test]
    fn deeds_outlive_the_process_and_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let first = kept(Folder::new(folder.path()));
        (0..5).for_each(|n| first.note(deed(n)));
        first.keep(false);
        first.note(deed(5));
        first.keep(true);
        let whole = first.latest(usize::MAX);
        drop(first);
        let second = kept(Folder::new(folder.path()));
        assert_eq!(second.latest(usize::MAX), whole);
        (6..KEPT + 20).for_each(|n| second.note(deed(n)));
        second.keep(true);
        drop(second);
        let third = kept(Folder::new(folder.path()));
        assert_eq!(third.latest(usize::MAX).len(), KEPT);
        assert_eq!(details(&third, 1), ["1019"]);
        assert_eq!(third.latest(usize::MAX)[KEPT - 1].detail, "20");
    }

    #[test]
    fn a_damaged_file_is_moved_aside() {
        let folder = tempfile::tempdir().unwrap();
        let first = kept(Folder::new(folder.path()));
        first.note(deed(0));
        first.keep(true);
        drop(first);
        std::fs::write(folder.path().join(KIND.file), vec![7; 64 << 10]).unwrap();
        let second = kept(Folder::new(folder.path()));
        assert!(second.latest(9).is_empty() && second.store().unwrap().standing().problem.is_none());
        second.note(deed(1));
        second.keep(true);
        drop(second);
        assert_eq!(details(&kept(Folder::new(folder.path())), 9), ["1"]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "the damaged one is beside it");
    }

    #[test]
    fn a_disk_that_refuses_costs_nothing_but_time() {
        let folder = tempfile::tempdir().unwrap();
        let faults = Faults::default();
        let audit = kept(Folder::failing(folder.path(), &faults));
        faults.after(0);
        (0..KEPT + 3).for_each(|n| audit.note(deed(n)));
        audit.keep(true);
        assert!(audit.store().unwrap().standing().problem.is_some());
        assert_eq!(details(&audit, 1), ["1002"], "the API goes on");
        assert_eq!(audit.held().lost, 3);
        faults.heal();
        audit.keep(true);
        assert!(audit.store().unwrap().standing().problem.is_none());
        drop(audit);
        assert_eq!(kept(Folder::new(folder.path())).latest(usize::MAX).len(), KEPT);
    }
}
