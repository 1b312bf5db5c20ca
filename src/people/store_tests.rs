use std::fs;

use super::*;

fn row(book: Book, camera: &str, begin_s: u64, mask: u64) -> Row {
    let key = Key { book, camera: camera.into(), zone: "door:forward".into(), begin_s };
    Row { key, counts: Counts { mask, incorrect: 1, no_mask: 2, unknown: 3 } }
}

const PAST: Past =
    Past { sure: Duration::from_secs(1000), wall: Duration::from_secs(2000), held: Duration::from_secs(30) };

fn write(store: &Store, rows: &[Row], gone: &[Key]) {
    store.write(&Changes { rows: rows.to_vec(), gone: gone.to_vec() }, PAST).unwrap();
}

fn open(folder: &Folder) -> (Store, Found) {
    let metrics = crate::metrics::Metrics::new().unwrap();
    Store::open(folder, &StoreHealth::new(&KIND, metrics.state_store(KIND.store))).unwrap()
}

fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    rows
}

#[test]
fn rows_come_back_as_they_were_last_written() {
    let folder = tempfile::tempdir().unwrap();
    let inside = Folder::new(&folder.path().join("a/b"));
    let (store, found) = open(&inside);
    assert!(found.rows.is_empty() && found.past.is_none());
    write(&store, &[row(Book::Window, "gate", 60, 1), row(Book::Quarters, "gate", 0, 1)], &[]);
    write(&store, &[row(Book::Window, "gate", 60, 5), row(Book::Window, "yard", 120, 2)], &[]);
    drop(store);
    let (store, Found { rows, past }) = open(&inside);
    assert_eq!(past, Some(PAST));
    let expected =
        vec![row(Book::Window, "gate", 60, 5), row(Book::Window, "yard", 120, 2), row(Book::Quarters, "gate", 0, 1)];
    assert_eq!(sorted(rows), expected);
    store.forget([(Book::Window, 100), (Book::Quarters, 1)]).unwrap();
    assert_eq!(store.0.with(read).unwrap().rows, [row(Book::Window, "yard", 120, 2)]);
    let gone = [row(Book::Window, "yard", 120, 0).key];
    write(&store, &[row(Book::Window, "gate", 180, 9)], &gone);
    assert_eq!(store.0.with(read).unwrap().rows, [row(Book::Window, "gate", 180, 9)]);
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
    let (_, Found { rows, past }) = open(&Folder::new(folder.path()));
    assert_eq!(past, None);
    let counts = Counts { mask: 1, incorrect: 2, no_mask: 3, unknown: 4 };
    assert_eq!(rows.iter().map(|row| row.counts).collect::<Vec<_>>(), [counts]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
