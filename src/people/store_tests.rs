use std::fs;

use super::*;

fn row(book: Book, camera: &str, begin_s: u64, mask: u64) -> Row {
    let key = Key { book, camera: camera.into(), zone: "door:forward".into(), begin_s };
    Row { key, counts: Counts { mask, incorrect: 1, no_mask: 2, unknown: 3 } }
}

fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    rows
}

#[test]
fn rows_come_back_as_they_were_last_written() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("a/b");
    let (store, rows, aside) = Store::open(&inside).unwrap();
    assert!(rows.is_empty() && aside.is_none());
    store.write(&[row(Book::Window, "gate", 60, 1), row(Book::Quarters, "gate", 0, 1)], false).unwrap();
    store.write(&[row(Book::Window, "gate", 60, 5), row(Book::Window, "yard", 120, 2)], false).unwrap();
    drop(store);
    let (store, rows, _) = Store::open(&inside).unwrap();
    let expected =
        vec![row(Book::Window, "gate", 60, 5), row(Book::Window, "yard", 120, 2), row(Book::Quarters, "gate", 0, 1)];
    assert_eq!(sorted(rows), expected);
    store.forget([(Book::Window, 100), (Book::Quarters, 1)]).unwrap();
    assert_eq!(store.read().unwrap(), [row(Book::Window, "yard", 120, 2)]);
    store.write(&[row(Book::Window, "gate", 180, 9)], true).unwrap();
    assert_eq!(store.read().unwrap(), [row(Book::Window, "gate", 180, 9)]);
}

#[test]
fn a_file_in_use_is_told_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, ..) = Store::open(folder.path()).unwrap();
    let error = Store::open(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::InUse(_)), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_corrupt_file_is_moved_aside_whatever_is_wrong_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let (store, ..) = Store::open(folder.path()).unwrap();
    let rows: Vec<Row> = (0..500).map(|n| row(Book::Quarters, "gate", n * 900, n)).collect();
    store.write(&rows, false).unwrap();
    drop(store);
    let path = folder.path().join(FILE);
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
        let (store, rows, aside) = Store::open(folder.path()).unwrap();
        let aside = aside.unwrap_or_else(|| panic!("case {index} is noticed"));
        assert!(rows.is_empty());
        assert_eq!(fs::read(&aside).unwrap(), bytes, "kept for those who want to look at it");
        store.write(&[row(Book::Window, "gate", 0, 1)], false).unwrap();
        drop(store);
        assert_eq!(Store::open(folder.path()).unwrap().1.len(), 1);
    }
}

#[test]
fn a_later_format_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (store, ..) = Store::open(folder.path()).unwrap();
    let transaction = store.database.begin_write().unwrap();
    transaction.open_table(ABOUT).unwrap().insert("format", 2).unwrap();
    transaction.commit().unwrap();
    drop(store);
    let error = Store::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("later version"), "{error}");
    assert!(folder.path().join(FILE).exists());
}

#[test]
fn a_folder_that_cannot_be_had_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Store::open(&file.join("state")).unwrap_err().to_string();
    assert!(error.contains("file/state") && error.contains("state_dir"), "{error}");
}
