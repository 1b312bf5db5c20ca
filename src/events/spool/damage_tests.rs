//! What is damaged on the disk, and a disk that gives nothing.

use std::path::Path;

use super::tests::{ROOMY, event, ids, is_well, names, open, runtime, stored_at};
use super::*;
use crate::state_file::Folder;
use crate::state_file::faults::Faults;

/// Time for a reader to look at a disk that gives nothing.
const LOOKS: std::time::Duration = std::time::Duration::from_secs(1);

/// What waits for a sink in pieces of three, and how many are told to be lost. Each piece is looked at twice, as after an
/// attempt that failed.
fn take_what_is_left(spool: &Spool, index: usize) -> (Vec<String>, u64) {
    let mut lane = spool.lane(index);
    let (mut ids, mut lost) = (Vec::new(), 0);
    while lane.is_behind() {
        let first = runtime().block_on(lane.next(3));
        lost += first.lost;
        if first.records.is_empty() {
            continue;
        }
        let again = runtime().block_on(lane.next(3));
        assert!(again.lost == 0 && again.records.starts_with(&first.records), "what is lost is told once: {again:?}");
        for record in first.records {
            lane.done(record.seq);
            ids.push(record.id);
        }
    }
    (ids, lost)
}

/// Texts by number; `None`: the event is gone.
type Damage<'a> = &'a [(u64, Option<&'a str>)];

/// Changes what is stored behind the spool's back: texts become others, or go.
fn damage(folder: &Path, change: Damage<'_>) {
    let database = redb::Database::create(folder.join(KIND.file)).unwrap();
    let write = database.begin_write().unwrap();
    {
        let mut table = write.open_table(redb::TableDefinition::<u64, &[u8]>::new("events")).unwrap();
        for (seq, text) in change {
            match text {
                Some(text) => drop(table.insert(seq, text.as_bytes()).unwrap()),
                None => drop(table.remove(seq).unwrap()),
            }
        }
    }
    write.commit().unwrap();
}

#[test]
fn what_is_damaged_is_passed_over_and_counted_and_the_rest_is_sent() {
    let junk = Some("\0\0{");
    // Events are numbered from 1, their ids from 0. Damaged as a whole piece, at the ends, and in the middle.
    let cases: [(Damage<'_>, Vec<u64>); 6] = [
        (&[(1, junk), (2, junk), (3, junk), (4, junk)], (4..10).collect()),
        (&[(1, None), (2, None), (3, junk)], (3..10).collect()),
        (&[(4, None), (5, junk), (6, None)], [0, 1, 2, 6, 7, 8, 9].into()),
        (&[(2, junk), (4, junk), (9, None)], [0, 2, 4, 5, 6, 7, 9].into()),
        (&[(9, None), (10, None)], (0..8).collect()),
        (
            &[
                (1, None),
                (2, None),
                (3, None),
                (4, None),
                (5, None),
                (6, None),
                (7, None),
                (8, None),
                (9, None),
                (10, None),
            ],
            vec![],
        ),
    ];
    for (change, left) in cases {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = open(Some(folder.path()), &["a", "b"], ROOMY);
        spool.append((0..10).map(event).collect());
        spool.save(true).unwrap();
        drop(spool);
        damage(folder.path(), change);
        let mut spool = open(Some(folder.path()), &["a", "b"], ROOMY);
        assert_eq!(take_what_is_left(&spool, 0), (ids(left.clone()), change.len() as u64), "{change:?}");
        spool.append(vec![event(10)]);
        spool.save(true).unwrap();
        let (rest, lost) = take_what_is_left(&spool, 1);
        assert_eq!((rest, lost), (ids(left.into_iter().chain([10])), change.len() as u64), "{change:?}");
        assert_eq!(take_what_is_left(&spool, 0), (ids([10]), 0));
        spool.save(true).unwrap();
        assert!(spool.sizes.is_empty() && spool.bytes == 0 && spool.take_lost() == [0, 0]);
    }
}

#[test]
fn what_is_damaged_and_gives_way_is_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let one = event(0).json.len() as u64 + OVERHEAD;
    let mut spool = open(Some(folder.path()), &["a"], one * 5);
    spool.append((0..5).map(event).collect());
    spool.save(true).unwrap();
    drop(spool);
    damage(folder.path(), &[(1, None), (2, None), (4, None)]);
    let mut spool = open(Some(folder.path()), &["a"], one * 5);
    let dropped = spool.append((5..9).map(event).collect());
    assert_eq!(dropped, [3], "the third, and the two missing before it");
    spool.save(true).unwrap();
    assert_eq!(take_what_is_left(&spool, 0), (ids(4..9), 1));
}

#[test]
fn a_disk_that_gives_nothing_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let faults = Faults::default();
    let open = || Spool::open(Some(stored_at(Folder::failing(folder.path(), &faults))), &names(&["a"]), ROOMY).unwrap();
    let mut spool = open();
    // More than is kept in memory of the file.
    let text = "x".repeat(200_000);
    let large = |number: u64| {
        let json = format!(r#"{{"id":"{number}","type":"camera.up","camera":"gate","x":"{text}"}}"#);
        Record::read(0, json.into()).unwrap()
    };
    spool.most_bytes = 1 << 30;
    spool.append((0..100).map(large).collect());
    spool.save(true).unwrap();
    drop(spool);
    let mut spool = open();
    let runtime = runtime();
    faults.give_nothing();
    let mut lane = spool.lane(0);
    let (mut had, mut refused) = (Vec::new(), 0);
    while lane.is_behind() {
        let portion = runtime.block_on(async { tokio::time::timeout(LOOKS, lane.next(3)).await });
        match portion {
            Ok(portion) => {
                assert_eq!(portion.lost, 0);
                portion.records.iter().for_each(|record| lane.done(record.seq));
                had.extend(portion.records.into_iter().map(|record| record.id));
            }
            Err(_) => {
                assert!(!is_well(&spool), "it is said");
                refused += 1;
                faults.heal();
                spool.save(true).unwrap();
            }
        }
    }
    assert_eq!((refused, had), (1, ids(0..100)));
    assert!(is_well(&spool) && spool.take_lost() == [0]);
}
