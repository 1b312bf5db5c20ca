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
    let inside = Folder::new(&folder.path().join("a/b"));
    let (store, rows) = Store::open(&inside).unwrap();
    assert!(rows.is_empty());
    store.write(&[row(Book::Window, "gate", 60, 1), row(Book::Quarters, "gate", 0, 1)], &[]).unwrap();
    store.write(&[row(Book::Window, "gate", 60, 5), row(Book::Window, "yard", 120, 2)], &[]).unwrap();
    drop(store);
    let (store, rows) = Store::open(&inside).unwrap();
    let expected =
        vec![row(Book::Window, "gate", 60, 5), row(Book::Window, "yard", 120, 2), row(Book::Quarters, "gate", 0, 1)];
    assert_eq!(sorted(rows), expected);
    store.forget([(Book::Window, 100), (Book::Quarters, 1)]).unwrap();
    assert_eq!(store.0.with(read).unwrap(), [row(Book::Window, "yard", 120, 2)]);
    let gone = [row(Book::Window, "yard", 120, 0).key];
    store.write(&[row(Book::Window, "gate", 180, 9)], &gone).unwrap();
    assert_eq!(store.0.with(read).unwrap(), [row(Book::Window, "gate", 180, 9)]);
}

#[test]
fn a_store_of_the_first_version_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::create(folder.path().join(KIND.file)).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(TableDefinition::<&str, u64>::new("about")).unwrap().insert("format", 1).unwrap();
    transaction.open_table(WINDOW).unwrap().insert(("gate", "", 60), [1, 2, 3, 4]).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let (_, rows) = Store::open(&Folder::new(folder.path())).unwrap();
    let counts = Counts { mask: 1, incorrect: 2, no_mask: 3, unknown: 4 };
    assert_eq!(rows.iter().map(|row| row.counts).collect::<Vec<_>>(), [counts]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
