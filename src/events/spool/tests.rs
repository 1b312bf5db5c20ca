use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::state_file::Folder;
use crate::state_file::faults::Faults;

pub(super) const ROOMY: u64 = 1 << 20;

pub(super) fn names(sinks: &[&str]) -> Vec<String> {
    sinks.iter().map(|sink| (*sink).to_owned()).collect()
}

pub(super) fn event(number: u64) -> Record {
    let json = format!(r#"{{"id":"{number}","type":"camera.up","camera":"gate"}}"#);
    Record::read(0, json.into()).unwrap()
}

/// A spool as [`Spool::open`] makes it, in a folder or in memory.
pub(super) fn open(folder: Option<&Path>, sinks: &[&str], most_bytes: u64) -> Spool {
    Spool::open(folder.map(|path| stored_at(Folder::new(path))), &names(sinks), most_bytes).unwrap()
}

pub(super) fn stored_at(folder: Folder) -> StoredAt {
    let series = crate::metrics::Metrics::new().unwrap().state_store(KIND.store);
    StoredAt { folder, health: Arc::new(StoreHealth::new(&KIND, series)) }
}

pub(super) fn is_well(spool: &Spool) -> bool {
    spool.shared.health.as_ref().unwrap().standing().problem.is_none()
}

pub(super) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// What waits for a sink, read in pieces of three and marked as had.
fn take_all(spool: &Spool, index: usize) -> Vec<String> {
    let mut lane = spool.lane(index);
    let mut ids = Vec::new();
    while lane.is_behind() {
        for record in runtime().block_on(lane.next(3)).records {
            lane.done(record.seq);
            ids.push(record.id);
        }
    }
    ids
}

pub(super) fn ids(numbers: impl IntoIterator<Item = u64>) -> Vec<String> {
    numbers.into_iter().map(|number| number.to_string()).collect()
}

#[test]
fn sinks_go_at_their_own_pace_in_order() {
    let folder = tempfile::tempdir().unwrap();
    for place in [None, Some(folder.path())] {
        let mut spool = open(place, &["a", "b"], ROOMY);
        assert_eq!(spool.append((0..10).map(event).collect()), [0, 0]);
        assert_eq!(take_all(&spool, 0), ids(0..10));
        spool.save(true).unwrap();
        spool.append(vec![event(10)]);
        assert_eq!(spool.waiting(), [1, 11]);
        assert_eq!(take_all(&spool, 1), ids(0..11), "on disk and in memory");
        assert_eq!(take_all(&spool, 0), ids([10]));
        spool.save(true).unwrap();
        assert!(spool.sizes.is_empty() && spool.bytes == 0, "what all have had is let go");
    }
}

#[test]
fn what_was_saved_is_there_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let open = || open(Some(folder.path()), &["a", "b"], ROOMY);
    let mut spool = open();
    spool.append((0..5).map(event).collect());
    assert_eq!(take_all(&spool, 0).len(), 5);
    spool.save(true).unwrap();
    spool.append(vec![event(5)]);
    drop(spool); // without a save: as when the process is killed
    let mut spool = open();
    assert_eq!((take_all(&spool, 0), take_all(&spool, 1)), (vec![], ids(0..5)));
    spool.append(vec![event(6)]);
    assert_eq!(take_all(&spool, 0), ids([6]));
    spool.save(true).unwrap();
    drop(spool);
    assert_eq!(take_all(&open(), 0), ids([]), "numbers go on where nothing waits");
}

#[test]
fn a_new_sink_begins_with_the_next_event_and_one_that_is_gone_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let open = |sinks: &[&str]| open(Some(folder.path()), sinks, ROOMY);
    let mut spool = open(&["a"]);
    spool.append((0..4).map(event).collect());
    spool.save(true).unwrap();
    drop(spool);
    let mut spool = open(&["b"]);
    spool.append(vec![event(4)]);
    spool.save(true).unwrap();
    assert_eq!(take_all(&spool, 0), ids([4]));
    drop(spool);
    assert_eq!(open(&["a"]).waiting(), [0], "it is a new one now");
}

#[test]
fn sinks_come_and_go_while_events_wait() {
    let folder = tempfile::tempdir().unwrap();
    for place in [None, Some(folder.path())] {
        let mut spool = open(place, &["a", "b"], ROOMY);
        spool.append((0..4).map(event).collect());
        assert_eq!(take_all(&spool, 1).len(), 4);
        spool.save(true).unwrap();
        assert_eq!(spool.set_sinks(&names(&["c", "a"]), ROOMY), [("b".to_owned(), 0)]);
        spool.append(vec![event(4)]);
        assert_eq!(spool.waiting(), [1, 5]);
        assert_eq!((take_all(&spool, 0), take_all(&spool, 1)), (ids([4]), ids(0..5)));
        spool.append((5..8).map(event).collect());
        assert_eq!(spool.set_sinks(&[], ROOMY), [("c".to_owned(), 3), ("a".to_owned(), 3)]);
        spool.append(vec![event(8)]);
        spool.save(true).unwrap();
        assert!(spool.sizes.is_empty(), "nothing waits for nobody");
        spool.set_sinks(&names(&["a"]), ROOMY);
        spool.append(vec![event(9)]);
        assert_eq!(take_all(&spool, 0), ids([9]), "it is a new one");
        spool.save(true).unwrap();
        spool.append((10..20).map(event).collect());
        assert_eq!(spool.set_sinks(&names(&["a"]), 1), []);
        assert_eq!((spool.take_lost(), take_all(&spool, 0)), (vec![9], ids([19])), "less room");
    }
}

#[test]
fn a_first_sink_that_comes_late_finds_what_waited_for_it_before() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(Some(folder.path()), &["a"], ROOMY);
    spool.append((0..2).map(event).collect());
    spool.save(true).unwrap();
    drop(spool);
    let mut spool = open(Some(folder.path()), &[], ROOMY);
    spool.append(vec![event(7)]);
    spool.save(false).unwrap();
    assert!(spool.shared.disk().is_none() && is_well(&spool), "without sinks there is nothing to store");
    spool.set_sinks(&names(&["a"]), ROOMY);
    spool.append(vec![event(8)]);
    spool.save(true).unwrap();
    assert_eq!(take_all(&spool, 0), ids([8, 0, 1]));
}

#[test]
fn the_oldest_give_way_and_are_counted_for_those_who_missed_them() {
    let folder = tempfile::tempdir().unwrap();
    for place in [None, Some(folder.path())] {
        let one = event(0).json.len() as u64 + OVERHEAD;
        let mut spool = open(place, &["a", "b"], one * 10);
        assert_eq!(spool.append((0..6).map(event).collect()), [0, 0]);
        spool.save(true).unwrap();
        assert_eq!(take_all(&spool, 0).len(), 6);
        assert_eq!(spool.append((6..10).map(event).collect()), [0, 0]);
        assert_eq!(spool.append((0..3).map(event).collect()), [0, 3]);
        spool.save(true).unwrap();
        assert_eq!(take_all(&spool, 1), ids((3..10).chain(0..3)));
        assert_eq!(take_all(&spool, 0), ids((6..10).chain(0..3)));
    }
}

#[test]
fn a_broken_file_is_moved_aside() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("events.redb"), "no database".repeat(1000)).unwrap();
    let (metrics, names) = (crate::metrics::Metrics::new().unwrap(), names(&["a"]));
    let health = Arc::new(StoreHealth::new(&KIND, metrics.state_store(KIND.store)));
    let place = StoredAt { folder: Folder::new(folder.path()), health };
    let mut spool = Spool::open(Some(place), &names, ROOMY).unwrap();
    assert_eq!(metrics.state_store(KIND.store).1.get(), 1, "and counted");
    spool.append(vec![event(1)]);
    spool.save(true).unwrap();
    let files = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    assert_eq!(files.filter(|name| name.contains("corrupt")).count(), 1);
}

#[test]
fn one_process_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let _first = open(Some(folder.path()), &["a"], ROOMY);
    let second = Spool::open(Some(stored_at(Folder::new(folder.path()))), &names(&["a"]), ROOMY);
    assert!(matches!(second, Err(StateError::InUse(_))));
}

/// A disk that is away: a file in place of the folder.
fn away(folder: &Path, away: bool) {
    let aside = folder.with_extension("aside");
    if away {
        std::fs::rename(folder, &aside).unwrap();
        std::fs::write(folder, "").unwrap();
    } else {
        std::fs::remove_file(folder).unwrap();
        std::fs::rename(&aside, folder).unwrap();
    }
}

#[test]
fn events_go_on_in_memory_until_there_is_a_disk_and_what_waited_on_it_comes_then() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(Some(folder.path()), &["a", "b"], ROOMY);
    spool.append((0..5).map(event).collect());
    assert_eq!(take_all(&spool, 0), ids(0..5));
    spool.append(vec![event(5)]);
    spool.save(true).unwrap();
    drop(spool);
    away(folder.path(), true);
    let mut spool = open(Some(folder.path()), &["a", "b", "c"], ROOMY);
    assert!(!is_well(&spool) && spool.save(true).is_err());
    spool.append((6..9).map(event).collect());
    assert_eq!(take_all(&spool, 0), ids(6..9), "nobody waits for the disk");
    assert_eq!((spool.waiting(), spool.unsaved()), (vec![0, 3, 3], 3));
    away(folder.path(), false);
    spool.save(true).unwrap();
    assert!(is_well(&spool) && spool.unsaved() == 0);
    // Who was ahead before the restart gets some again, with their old ids.
    assert_eq!(take_all(&spool, 0), ids(0..6));
    assert_eq!(take_all(&spool, 1), ids((6..9).chain(0..6)));
    spool.append(vec![event(9)]);
    spool.save(true).unwrap();
    assert_eq!(spool.take_lost(), [0, 0, 0]);
    drop(spool);
    let spool = open(Some(folder.path()), &["a", "b", "c"], ROOMY);
    assert_eq!(take_all(&spool, 1), ids([9]));
    assert_eq!(take_all(&spool, 2), ids((6..9).chain(0..6).chain([9])));
}

#[test]
fn what_is_on_a_full_disk_is_still_sent() {
    let folder = tempfile::tempdir().unwrap();
    let faults = Faults::default();
    let place = stored_at(Folder::failing(folder.path(), &faults));
    let mut spool = Spool::open(Some(place), &names(&["a"]), ROOMY).unwrap();
    spool.append((0..5).map(event).collect());
    spool.save(true).unwrap();
    spool.append((5..8).map(event).collect());
    // Enough to open it again: redb marks it as in use.
    let tried = (0..40).find(|steps| {
        faults.after(*steps);
        spool.save(true).is_err() && spool.shared.disk().is_some()
    });
    assert!(tried.is_some() || spool.unsaved() == 0);
    faults.heal();
    spool.save(false).unwrap();
    assert_eq!(take_all(&spool, 0), ids(0..8));
}

#[test]
fn what_goes_with_the_disk_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let faults = Faults::default();
    let place = stored_at(Folder::failing(folder.path(), &faults));
    let mut spool = Spool::open(Some(place), &names(&["a", "b"]), ROOMY).unwrap();
    spool.append((0..5).map(event).collect());
    assert_eq!(take_all(&spool, 0).len(), 5);
    spool.save(true).unwrap();
    faults.after(0);
    spool.append((5..8).map(event).collect());
    assert!(spool.save(true).is_err());
    // Somebody removes the file meanwhile.
    spool.shared.set_disk(None);
    std::fs::remove_file(folder.path().join("events.redb")).unwrap();
    faults.heal();
    spool.save(true).unwrap();
    assert_eq!(spool.take_lost(), [0, 5]);
    assert_eq!((take_all(&spool, 0), take_all(&spool, 1)), (ids(5..8), ids(5..8)));
}

/// One step of a life of a spool.
#[derive(Clone, Debug)]
enum Step {
    Append(u64),
    Take(usize, usize),
    Save,
    Crash,
    /// The disk is full after so many more writes.
    Full(u64),
    Heal,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1u64..5).prop_map(Step::Append),
        4 => (0usize..2, 1usize..6).prop_map(|(sink, most)| Step::Take(sink, most)),
        2 => Just(Step::Save),
        1 => Just(Step::Crash),
        1 => (0u64..25).prop_map(Step::Full),
        1 => Just(Step::Heal),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_saved_event_reaches_every_sink_in_order(steps in prop::collection::vec(step(), 0..40)) {
        let folder = tempfile::tempdir().unwrap();
        let faults = Faults::default();
        let open = || {
            let place = stored_at(Folder::failing(folder.path(), &faults));
            Spool::open(Some(place), &names(&["a", "b"]), ROOMY).unwrap()
        };
        let runtime = runtime();
        let (mut spool, mut next, mut saved) = (open(), 0, 0);
        let mut had: [Vec<u64>; 2] = [Vec::new(), Vec::new()];
        let end = [Step::Heal, Step::Save, Step::Take(0, 1000), Step::Take(1, 1000)];
        for step in steps.into_iter().chain(end) {
            match step {
                Step::Append(count) => {
                    spool.append((next..next + count).map(event).collect());
                    next += count;
                }
                Step::Save => {
                    if spool.save(true).is_ok() {
                        saved = next;
                    }
                }
                Step::Full(steps) => faults.after(steps),
                Step::Heal => faults.heal(),
                Step::Crash => {
                    // A disk that refuses at the start has a test of its own.
                    faults.heal();
                    drop(spool);
                    spool = open();
                    // What was not saved never was; its numbers come again. A step whose end was told as an error may
                    // have been made all the same.
                    let before = next;
                    next = *spool.shared.head.borrow();
                    prop_assert!((saved..=before).contains(&next), "{} {} {}", saved, next, before);
                    saved = next;
                    had.iter_mut().for_each(|had| had.retain(|number| *number < saved));
                }
                Step::Take(sink, most) => {
                    let mut lane = spool.lane(sink);
                    let mut left = most;
                    // What is on a disk that refuses is not given now.
                    while left > 0 && lane.is_behind() && spool.shared.disk().is_some() {
                        for record in runtime.block_on(lane.next(left)).records {
                            had[sink].push(record.id.parse().unwrap());
                            lane.done(record.seq);
                            left = left.saturating_sub(1);
                        }
                    }
                }
            }
        }
        for had in had {
            // Again and again from an earlier one after a crash, but never with a hole.
            prop_assert!(had.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{:?}", had);
            prop_assert!(had.first().is_none_or(|first| *first == 0));
            prop_assert_eq!(had.iter().max().map_or(0, |last| last + 1), next);
        }
    }
}
