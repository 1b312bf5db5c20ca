use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use maskwatch_vision::compliance::Counts;
use maskwatch_vision::face::MaskState;
use prometheus::{IntCounter, IntGauge};
use proptest::prelude::*;

use super::super::ledger::Key;
use super::super::store::KIND;
use super::*;
use crate::config::plan::CompliancePlan;
use crate::state_file::faults::Faults;

const NOW: Duration = Duration::from_secs(1_764_000_000);

/// A process's memory and its shelf.
struct Life {
    ledger: Mutex<Ledger>,
    shelf: Shelf,
    clock: Clock,
    gauge: IntGauge,
}

impl Life {
    fn new(folder: Folder) -> Self {
        let (gauge, broken) = (IntGauge::new("ok", "ok").unwrap(), IntCounter::new("broken", "broken").unwrap());
        let health = Arc::new(StoreHealth::new(&KIND, (gauge.clone(), broken)));
        let (clock, _) = Clock::by_hand(UNIX_EPOCH + NOW);
        let ledger = Mutex::new(Ledger::new(CompliancePlan::default()));
        Self { ledger, shelf: Shelf::new(folder, health), clock, gauge }
    }

    fn count(&self, people: u64) {
        let now = self.clock.now();
        (0..people).for_each(|_| self.ledger.lock().add(&now, "gate", "", MaskState::Mask));
    }

    fn keep(&mut self) {
        self.shelf.keep(&self.ledger, &self.clock, true);
    }

    /// In the window and in the history.
    fn counted(&self) -> [u64; 2] {
        let ledger = self.ledger.lock();
        let history = ledger.history(("gate", ""), (NOW, NOW + Duration::from_secs(1)), Duration::from_secs(1), 9);
        [ledger.figure(NOW, "gate", "").counts, history[0].figure.counts].map(|counts: Counts| counts.mask)
    }
}

/// What a process that starts now takes over.
fn on_disk(folder: &Path) -> [u64; 2] {
    let mut life = Life::new(Folder::new(folder));
    life.keep();
    assert_eq!(life.gauge.get(), 1);
    life.counted()
}

#[test]
fn counts_wait_for_a_disk_that_is_full_for_a_while() {
    let folder = tempfile::tempdir().unwrap();
    let faults = Faults::default();
    let mut life = Life::new(Folder::failing(folder.path(), &faults));
    life.count(2);
    life.keep();
    faults.after(0);
    life.count(3);
    life.keep();
    assert_eq!(life.gauge.get(), 0);
    let problem = life.shelf.health.standing().problem.unwrap();
    assert!(problem.contains("wait in memory") && problem.contains("people.redb: ") && problem.contains("make room"));
    assert!(life.shelf.pause().is_some());
    life.count(5);
    faults.heal();
    life.keep();
    assert_eq!((life.gauge.get(), life.shelf.health.standing().problem), (1, None));
    assert_eq!(life.counted(), [10, 10]);
    drop(life);
    assert_eq!(on_disk(folder.path()), [10, 10]);
}

#[test]
fn a_disk_that_is_there_only_later_brings_what_was_counted_before() {
    let folder = tempfile::tempdir().unwrap();
    let mut life = Life::new(Folder::new(folder.path()));
    life.count(7);
    life.keep();
    drop(life);
    // Away: a file in place of the folder.
    let away = folder.path().with_extension("away");
    fs::rename(folder.path(), &away).unwrap();
    fs::write(folder.path(), "").unwrap();
    let mut life = Life::new(Folder::new(folder.path()));
    life.keep();
    life.count(4);
    assert_eq!((life.gauge.get(), life.counted()), (0, [4, 4]));
    fs::remove_file(folder.path()).unwrap();
    fs::rename(&away, folder.path()).unwrap();
    life.keep();
    assert_eq!((life.gauge.get(), life.counted()), (1, [11, 11]));
    drop(life);
    assert_eq!(on_disk(folder.path()), [11, 11]);
}

#[test]
fn only_what_differs_is_written() {
    let key = |camera: &str, begin_s| Key { book: Book::Window, camera: camera.into(), zone: String::new(), begin_s };
    let row = |camera, begin_s, mask| Row { key: key(camera, begin_s), counts: Counts { mask, ..Counts::default() } };
    let found = [row("a", 0, 1), row("a", 60, 2), row("b", 0, 3)];
    let changes = difference(&found, vec![row("a", 60, 2), row("b", 0, 4), row("c", 0, 1)]);
    assert_eq!(changes, Changes { rows: vec![row("b", 0, 4), row("c", 0, 1)], gone: vec![key("a", 0)] });
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Count(u64),
    Keep,
    /// The disk is full after so many more writes.
    Full(u64),
    Heal,
    /// The process ends in order once there is room, and another starts, perhaps on a disk that fills up again.
    Restart(Option<u64>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1u64..4).prop_map(Step::Count),
        4 => Just(Step::Keep),
        2 => (0u64..30).prop_map(Step::Full),
        1 => Just(Step::Heal),
        1 => prop::option::of(0u64..30).prop_map(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whenever_the_disk_fails_everybody_is_there_once_when_it_works_again(
        first in prop::option::of(0u64..30),
        steps in prop::collection::vec(step(), 0..25),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let faults = Faults::default();
        let place = || Folder::failing(folder.path(), &faults);
        first.into_iter().for_each(|steps| faults.after(steps));
        let (mut life, mut people) = (Life::new(place()), 0);
        for step in steps {
            match step {
                Step::Count(more) => {
                    life.count(more);
                    people += more;
                }
                Step::Keep => life.keep(),
                Step::Full(steps) => faults.after(steps),
                Step::Heal => faults.heal(),
                Step::Restart(steps) => {
                    faults.heal();
                    life.keep();
                    prop_assert_eq!(life.counted(), [people, people]);
                    drop(life);
                    steps.into_iter().for_each(|steps| faults.after(steps));
                    life = Life::new(place());
                }
            }
        }
        faults.heal();
        life.keep();
        prop_assert_eq!(life.gauge.get(), 1);
        prop_assert_eq!(life.counted(), [people, people]);
        drop(life);
        prop_assert_eq!(on_disk(folder.path()), [people, people]);
        prop_assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is moved aside");
    }
}
