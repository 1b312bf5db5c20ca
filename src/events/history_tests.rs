use std::time::SystemTime;

use proptest::prelude::*;

use super::*;
use crate::metrics::Metrics;
use crate::state_file::faults::Faults;

const BEGIN: u64 = 1_764_000_000_000;
const PLAN: HistoryPlan = HistoryPlan { keep: Duration::from_secs(3600), most: 1000 };

/// Event number `n`, `n` seconds after the beginning.
fn event(n: u64) -> Record {
    let time = humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(BEGIN + n * 1000)).to_string();
    let id = Uuid::from_u128(u128::from(n) + 1);
    let (camera, kind) =
        (["gate", "hall"][n as usize % 2], ["camera.up", "camera.down", "person.no_mask"][n as usize % 3]);
    let json = format!(r#"{{"id":"{id}","time":"{time}","type":"{kind}","camera":"{camera}","n":{n}}}"#);
    Record::read(0, json.into()).unwrap()
}

fn time(seconds: u64) -> Option<Duration> {
    at(seconds).duration_since(UNIX_EPOCH).ok()
}

fn at(n: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(BEGIN + n * 1000)
}

fn all() -> Asked {
    Asked { from: 0, to: u64::MAX, camera: None, kind: None, before: None, limit: 500 }
}

/// The numbers of a page.
fn numbers(page: &Page) -> Vec<u64> {
    let number = |json: &Bytes| serde_json::from_slice::<serde_json::Value>(json).unwrap()["n"].as_u64().unwrap();
    page.events.iter().map(number).collect()
}

fn on_disk(folder: Folder, plan: HistoryPlan) -> History {
    let health = StoreHealth::new(&KIND, Metrics::new().unwrap().state_store("history"));
    History::new(plan, Some((folder, Arc::new(health))))
}

#[test]
fn what_was_kept_is_there_after_a_restart_the_newest_first() {
    let folder = tempfile::tempdir().unwrap();
    let history = on_disk(Folder::new(folder.path()), PLAN);
    history.append(&[event(0), event(1)]);
    history.keep(time(1), false);
    history.append(&[event(2)]);
    assert_eq!(numbers(&history.page(&all()).unwrap()), [2, 1, 0], "from memory and disk");
    history.keep(time(2), true);
    drop(history);
    let history = on_disk(Folder::new(folder.path()), PLAN);
    history.keep(time(3), false);
    assert_eq!(numbers(&history.page(&all()).unwrap()), [2, 1, 0]);
    let (from, to) = (BEGIN + 1000, BEGIN + 2000);
    assert_eq!(numbers(&history.page(&Asked { from, to, ..all() }).unwrap()), [1], "the end is no part of it");
    assert_eq!(numbers(&history.page(&Asked { from: to, to: from, ..all() }).unwrap()), [0; 0]);
}

#[test]
fn many_that_are_to_go_at_once_go_in_steps() {
    let folder = tempfile::tempdir().unwrap();
    let roomy = HistoryPlan { keep: Duration::from_secs(86_400), most: 10_000 };
    let history = on_disk(Folder::new(folder.path()), roomy);
    let count = MOST_FORGOTTEN + 10;
    history.append(&(0..count).map(event).collect::<Vec<_>>());
    history.keep(time(count), false);
    history.set_plan(HistoryPlan { most: 5, ..roomy });
    history.keep(time(count), false);
    let left = history.page(&Asked { limit: 500, ..all() }).unwrap().events.len();
    assert_eq!(left, 10, "no step takes more than its share");
    history.keep(time(count), false);
    assert_eq!(numbers(&history.page(&all()).unwrap()).len(), 5);
}

#[test]
fn it_is_bounded_by_age_and_by_number() {
    let folder = tempfile::tempdir().unwrap();
    let few = HistoryPlan { most: 5, ..PLAN };
    for history in [on_disk(Folder::new(folder.path()), few), History::new(few, None)] {
        for n in 0..9 {
            history.append(&[event(n)]);
            history.keep(time(n), false);
        }
        assert_eq!(numbers(&history.page(&all()).unwrap()), [8, 7, 6, 5, 4]);
    }
    let history = History::new(PLAN, None);
    history.append(&[event(0), event(10)]);
    history.keep(None, false);
    assert_eq!(numbers(&history.page(&all()).unwrap()), [10, 0], "nothing is old while the clock is not believed");
    history.keep(time(3605), false);
    assert_eq!(numbers(&history.page(&all()).unwrap()), [10]);
}

#[test]
fn a_disk_that_refuses_costs_nothing_that_fits_into_memory() {
    let folder = tempfile::tempdir().unwrap();
    let faults = Faults::default();
    let history = on_disk(Folder::failing(folder.path(), &faults), PLAN);
    history.append(&[event(0)]);
    history.keep(time(0), false);
    faults.after(0);
    history.append(&[event(1)]);
    history.keep(time(1), true);
    assert!(history.page(&all()).unwrap_err().contains("in memory"), "a part is not told as the whole");
    faults.heal();
    history.keep(time(2), true);
    assert_eq!(numbers(&history.page(&all()).unwrap()), [1, 0]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn pages_together_are_the_whole(
        count in 0..40u64,
        saved in 0..40u64,
        limit in 1..12usize,
        camera: bool,
        kind: bool,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let history = on_disk(Folder::new(folder.path()), PLAN);
        history.append(&(0..count.min(saved)).map(event).collect::<Vec<_>>());
        history.keep(time(0), false);
        history.append(&(count.min(saved)..count).map(event).collect::<Vec<_>>());
        let asked = Asked {
            camera: camera.then(|| "hall".to_owned()),
            kind: kind.then(|| "camera.up".to_owned()),
            limit,
            ..all()
        };
        let wanted: Vec<u64> = (0..count).rev().filter(|n| asked.wants(&event(*n))).collect();
        let (mut seen, mut before) = (Vec::new(), None);
        loop {
            let page = history.page(&Asked { before, ..asked.clone() }).unwrap();
            prop_assert!(page.events.len() <= limit);
            seen.extend(numbers(&page));
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        prop_assert_eq!(seen, wanted);
    }
}
