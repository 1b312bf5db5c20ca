use proptest::prelude::*;

use super::*;

const ROOMY: u64 = 1 << 20;

fn names(sinks: &[&str]) -> Vec<String> {
    sinks.iter().map(|sink| (*sink).to_owned()).collect()
}

fn event(number: u64) -> Record {
    let json = format!(r#"{{"id":"{number}","type":"camera.up","camera":"gate"}}"#);
    Record::read(0, json.into()).unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// What waits for a sink, read in pieces of three and marked as had.
fn take_all(spool: &Spool, index: usize) -> Vec<String> {
    let mut lane = spool.lane(index);
    let mut ids = Vec::new();
    while lane.is_behind() {
        for record in runtime().block_on(lane.next(3)).unwrap() {
            lane.done(record.seq);
            ids.push(record.id);
        }
    }
    ids
}

fn ids(numbers: impl IntoIterator<Item = u64>) -> Vec<String> {
    numbers.into_iter().map(|number| number.to_string()).collect()
}

#[test]
fn sinks_go_at_their_own_pace_in_order() {
    let folder = tempfile::tempdir().unwrap();
    for place in [None, Some(folder.path())] {
        let mut spool = Spool::open(place, &names(&["a", "b"]), ROOMY).unwrap();
        assert_eq!(spool.append((0..10).map(event).collect()), [0, 0]);
        assert_eq!(take_all(&spool, 0), ids(0..10));
        spool.save().unwrap();
        spool.append(vec![event(10)]);
        assert_eq!(spool.waiting(), [1, 11]);
        assert_eq!(take_all(&spool, 1), ids(0..11), "on disk and in memory");
        assert_eq!(take_all(&spool, 0), ids([10]));
        spool.save().unwrap();
        assert!(spool.sizes.is_empty() && spool.bytes == 0, "what all have had is let go");
    }
}

#[test]
fn what_was_saved_is_there_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Spool::open(Some(folder.path()), &names(&["a", "b"]), ROOMY).unwrap();
    let mut spool = open();
    spool.append((0..5).map(event).collect());
    assert_eq!(take_all(&spool, 0).len(), 5);
    spool.save().unwrap();
    spool.append(vec![event(5)]);
    drop(spool); // without a save: as when the process is killed
    let mut spool = open();
    assert_eq!((take_all(&spool, 0), take_all(&spool, 1)), (vec![], ids(0..5)));
    spool.append(vec![event(6)]);
    assert_eq!(take_all(&spool, 0), ids([6]));
    spool.save().unwrap();
    drop(spool);
    assert_eq!(take_all(&open(), 0), ids([]), "numbers go on where nothing waits");
}

#[test]
fn a_new_sink_begins_with_the_next_event_and_one_that_is_gone_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let open = |sinks: &[&str]| Spool::open(Some(folder.path()), &names(sinks), ROOMY).unwrap();
    let mut spool = open(&["a"]);
    spool.append((0..4).map(event).collect());
    spool.save().unwrap();
    drop(spool);
    let mut spool = open(&["b"]);
    spool.append(vec![event(4)]);
    spool.save().unwrap();
    assert_eq!(take_all(&spool, 0), ids([4]));
    drop(spool);
    assert_eq!(open(&["a"]).waiting(), [0], "it is a new one now");
}

#[test]
fn the_oldest_give_way_and_are_counted_for_those_who_missed_them() {
    let folder = tempfile::tempdir().unwrap();
    for place in [None, Some(folder.path())] {
        let one = event(0).json.len() as u64 + OVERHEAD;
        let mut spool = Spool::open(place, &names(&["a", "b"]), one * 10).unwrap();
        assert_eq!(spool.append((0..6).map(event).collect()), [0, 0]);
        spool.save().unwrap();
        assert_eq!(take_all(&spool, 0).len(), 6);
        assert_eq!(spool.append((6..10).map(event).collect()), [0, 0]);
        assert_eq!(spool.append((0..3).map(event).collect()), [0, 3]);
        spool.save().unwrap();
        assert_eq!(take_all(&spool, 1), ids((3..10).chain(0..3)));
        assert_eq!(take_all(&spool, 0), ids((6..10).chain(0..3)));
    }
}

#[test]
fn a_broken_file_is_moved_aside() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("events.redb"), "no database".repeat(1000)).unwrap();
    let mut spool = Spool::open(Some(folder.path()), &names(&["a"]), ROOMY).unwrap();
    spool.append(vec![event(1)]);
    spool.save().unwrap();
    let files = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    assert_eq!(files.filter(|name| name.contains("broken")).count(), 1);
}

#[test]
fn one_process_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Spool::open(Some(folder.path()), &names(&["a"]), ROOMY).unwrap();
    let second = Spool::open(Some(folder.path()), &names(&["a"]), ROOMY);
    assert!(matches!(second, Err(SpoolError::InUse(_))));
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(matches!(Spool::open(Some(&file), &[], ROOMY), Err(SpoolError::Unusable { .. })));
}

/// One step of a life of a spool.
#[derive(Clone, Debug)]
enum Step {
    Append(u64),
    Take(usize, usize),
    Save,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1u64..5).prop_map(Step::Append),
        4 => (0usize..2, 1usize..6).prop_map(|(sink, most)| Step::Take(sink, most)),
        2 => Just(Step::Save),
        1 => Just(Step::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_saved_event_reaches_every_sink_in_order(steps in prop::collection::vec(step(), 0..40)) {
        let folder = tempfile::tempdir().unwrap();
        let open = || Spool::open(Some(folder.path()), &names(&["a", "b"]), ROOMY).unwrap();
        let runtime = runtime();
        let (mut spool, mut next, mut saved) = (open(), 0, 0);
        let mut had: [Vec<u64>; 2] = [Vec::new(), Vec::new()];
        for step in steps.into_iter().chain([Step::Save, Step::Take(0, 1000), Step::Take(1, 1000)]) {
            match step {
                Step::Append(count) => {
                    spool.append((next..next + count).map(event).collect());
                    next += count;
                }
                Step::Save => {
                    spool.save().unwrap();
                    saved = next;
                }
                Step::Crash => {
                    drop(spool);
                    spool = open();
                    // What was not saved never was; its numbers come again.
                    next = saved;
                    had.iter_mut().for_each(|had| had.retain(|number| *number < saved));
                }
                Step::Take(sink, most) => {
                    let mut lane = spool.lane(sink);
                    let mut left = most;
                    while left > 0 && lane.is_behind() {
                        for record in runtime.block_on(lane.next(left)).unwrap() {
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
