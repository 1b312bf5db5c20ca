use std::fs;

use proptest::prelude::*;
use redb::ReadableTable;

use super::*;

const NUMBERS: TableDefinition<u64, u64> = TableDefinition::new("numbers");
const KIND: Kind = Kind {
    store: "numbers",
    file: "numbers.redb",
    format: 3,
    cache_bytes: 1 << 20,
    check: true,
    loss: "the numbers are lost",
    meanwhile: "numbers wait in memory",
};

fn read(database: &Database) -> Result<Vec<u64>, redb::Error> {
    let Some(table) = table(database, NUMBERS)? else { return Ok(Vec::new()) };
    table.iter()?.map(|entry| Ok(entry?.1.value())).collect()
}

fn write(file: &StateFile, numbers: std::ops::Range<u64>) -> Result<(), StateError> {
    file.with(|database| {
        let transaction = database.begin_write()?;
        {
            let mut table = transaction.open_table(NUMBERS)?;
            for number in numbers {
                table.insert(number, number)?;
            }
        }
        Ok(transaction.commit()?)
    })
}

fn open(folder: &Folder) -> Result<(StateFile, Vec<u64>), StateError> {
    StateFile::open(folder, &KIND, read)
}

fn names(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = files.collect();
    names.sort();
    names
}

#[test]
fn a_file_in_use_is_told_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let place = Folder::new(folder.path());
    let _first = open(&place).unwrap();
    let error = open(&place).unwrap_err();
    assert!(matches!(error, StateError::InUse(_)), "{error}");
    assert_eq!(names(folder.path()), [KIND.file]);
}

#[test]
fn a_corrupt_file_is_moved_aside_whatever_is_wrong_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let place = Folder::new(folder.path());
    let (file, _) = open(&place).unwrap();
    write(&file, 0..20_000).unwrap();
    drop(file);
    let path = folder.path().join(KIND.file);
    let good = fs::read(&path).unwrap();
    let damaged = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        bytes
    };
    let cases = [
        damaged(&|bytes| bytes[..64].fill(0)),
        damaged(&|bytes| bytes.truncate(good.len() / 3)),
        damaged(&|bytes| bytes[4096..].fill(0xA5)),
        damaged(&|bytes| {
            // Every stored page, and no header.
            let half = bytes.len() / 2;
            bytes[4096..half].iter_mut().step_by(97).for_each(|byte| *byte ^= 0xFF);
        }),
        b"no database at all".to_vec(),
    ];
    for (index, bytes) in cases.into_iter().enumerate() {
        fs::write(&path, &bytes).unwrap();
        let (file, held) = open(&place).unwrap();
        assert!(held.is_empty(), "case {index}");
        let aside = names(folder.path()).into_iter().filter(|name| name.contains("corrupt"));
        let kept = aside.filter(|name| fs::read(folder.path().join(name)).unwrap() == bytes).count();
        assert_eq!(kept, 1, "case {index}: kept for those who want to look at it");
        write(&file, 7..8).unwrap();
        drop(file);
        assert_eq!(open(&place).unwrap().1, [7]);
    }
}

#[test]
fn a_later_format_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let place = Folder::new(folder.path());
    let later = Kind { format: 4, ..KIND };
    StateFile::open(&place, &later, read).unwrap();
    let error = open(&place).unwrap_err();
    assert!(error.to_string().contains("later version"), "{error}");
    assert_eq!(names(folder.path()), [KIND.file]);
    // The other way round it is read: who knows a later format knows what came before.
    fs::remove_file(folder.path().join(KIND.file)).unwrap();
    open(&place).unwrap();
    StateFile::open(&place, &later, read).unwrap();
}

#[test]
fn a_folder_that_cannot_be_had_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = open(&Folder::new(&file.join("state"))).unwrap_err().to_string();
    assert!(error.contains("file/state") && error.contains("state_dir"), "{error}");
}

#[test]
fn a_file_that_was_only_begun_is_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    let place = Folder::new(folder.path());
    let path = folder.path().join(KIND.file);
    // As earlier versions left it on a full disk: its length, and no header.
    for begun in [vec![], vec![0; 1_000_000], vec![0; 5]] {
        fs::write(&path, begun).unwrap();
        let (file, held) = open(&place).unwrap();
        assert!(held.is_empty());
        drop(file);
        fs::remove_file(&path).unwrap();
    }
    assert_eq!(names(folder.path()), [""; 0], "nothing is moved aside");
}

#[test]
fn a_disk_that_is_full_while_the_file_is_made_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let faults = faults::Faults::default();
    let place = Folder::failing(folder.path(), &faults);
    let mut steps = 0;
    loop {
        faults.after(steps);
        match open(&place) {
            Ok(_) => break,
            Err(error @ StateError::Disk { .. }) => {
                assert!(error.to_string().contains("make room"), "{error}");
                faults.heal();
                // What was made whole before the disk was full may stay; it is no broken file.
                let made = names(folder.path());
                assert!(made.is_empty() || made == [KIND.file], "after {steps} steps: {made:?}");
                assert!(made.is_empty() || open(&place).is_ok());
                fs::remove_file(folder.path().join(KIND.file)).ok();
            }
            Err(error) => panic!("after {steps} steps: {error}"),
        }
        steps += 1;
    }
    assert!(steps > 5, "the disk failed at every step: {steps}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_full_disk_never_makes_a_file_look_broken(
        batches in prop::collection::vec((1u64..2000, prop::option::of(0u64..40), any::<bool>()), 1..12),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let faults = faults::Faults::default();
        let place = Folder::failing(folder.path(), &faults);
        let (mut file, mut stored) = (None, 0);
        let mut next = 0;
        for (count, full_after, open_while_full) in batches {
            if let Some(steps) = full_after {
                faults.after(steps);
            }
            next += count;
            let mut attempts = 0;
            loop {
                if file.is_none() {
                    match open(&place) {
                        Ok((opened, held)) => {
                            // The last batch may be there although its end was told as an error.
                            prop_assert!(held.len() as u64 == stored || held.len() as u64 == next, "{} of {stored}", held.len());
                            file = Some(opened);
                        }
                        Err(error) => prop_assert!(matches!(error, StateError::Disk { .. }), "{}", error),
                    }
                }
                if let Some(opened) = &file {
                    match write(opened, 0..next) {
                        Ok(()) => break,
                        Err(error) => prop_assert!(matches!(error, StateError::Disk { .. }), "{}", error),
                    }
                    file = None;
                }
                attempts += 1;
                prop_assert!(attempts < 10, "it goes on once there is room");
                if !open_while_full || attempts > 2 {
                    faults.heal();
                }
            }
            stored = next;
        }
        faults.heal();
        drop(file);
        prop_assert_eq!(open(&place).unwrap().1.len() as u64, stored);
        prop_assert_eq!(names(folder.path()), [KIND.file]);
    }
}
