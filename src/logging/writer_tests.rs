use std::collections::VecDeque;
use std::io;

use proptest::prelude::*;
use tracing_mutex::parking_lot::Mutex;

use super::*;

/// What the next calls of `write` do; when they are used up everything is taken.
#[derive(Clone, Copy, Debug)]
enum Turn {
    All,
    Some(usize),
    Fails(ErrorKind),
}

/// A standard error whose disk fills up and empties.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<(VecDeque<Turn>, Vec<u8>)>>);

impl Disk {
    fn plan(&self, turns: &[Turn]) {
        self.0.lock().0.extend(turns);
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().1.clone()).unwrap()
    }
}

impl Write for Disk {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let (turns, written) = &mut *self.0.lock();
        let size = match turns.pop_front().unwrap_or(Turn::All) {
            Turn::All => text.len(),
            Turn::Some(size) => size.clamp(1, text.len()),
            Turn::Fails(kind) => return Err(kind.into()),
        };
        written.extend(&text[..size]);
        Ok(size)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn counter() -> &'static AtomicU64 {
    Box::leak(Box::default())
}

fn pump(form: LogFormat) -> (Pump<Disk>, Disk) {
    let disk = Disk::default();
    (Pump::new(disk.clone(), form, counter()), disk)
}

#[test]
fn a_line_that_cannot_be_written_is_counted_and_told_of_when_writing_works_again() {
    let (mut pump, disk) = pump(LogFormat::Text);
    let full = Turn::Fails(ErrorKind::StorageFull);
    pump.line(b"one\n", true);
    // Two lines, and before the second the report about the first.
    disk.plan(&[full, full, full]);
    pump.line(b"two\n", true);
    pump.line(b"three\n", true);
    assert_eq!(pump.dropped.load(Ordering::Relaxed), 2);
    pump.line(b"four\n", true);
    let text = disk.text();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0] == "one" && lines[2] == "four" && lines.len() == 3, "{text}");
    assert!(lines[1].contains(" WARN maskwatch::logging: log lines were lost") && lines[1].ends_with("lines=2"));
    pump.line(b"five\n", true);
    assert!(disk.text().ends_with("four\nfive\n"), "it is said once");
}

#[test]
fn a_line_that_was_cut_off_does_not_run_into_the_next() {
    let (mut pump, disk) = pump(LogFormat::Json);
    disk.plan(&[Turn::Some(2), Turn::Fails(ErrorKind::StorageFull)]);
    pump.line(b"{\"a\":1}\n", true);
    pump.line(b"{\"b\":2}\n", true);
    let text = disk.text();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!((lines[0], lines[2], lines.len()), ("{\"", "{\"b\":2}", 3), "{text}");
    let report: serde_json::Value = serde_json::from_str(lines[1]).unwrap();
    assert_eq!((&report["lines"], &report["level"]), (&1.into(), &"WARN".into()));
}

#[test]
fn an_output_that_takes_nothing_now_is_tried_again() {
    let (mut pump, disk) = pump(LogFormat::Text);
    disk.plan(&[Turn::Fails(ErrorKind::WouldBlock), Turn::Fails(ErrorKind::Interrupted), Turn::Some(1)]);
    pump.line(b"one\n", true);
    assert_eq!((disk.text().as_str(), pump.dropped.load(Ordering::Relaxed)), ("one\n", 0));
}

#[test]
fn a_service_drops_what_finds_no_room_and_waits_for_nobody() {
    let dropped = counter();
    let (queue, jobs) = Queue::new(false, dropped);
    (0..MOST_LINES + 5).for_each(|_| queue.put(b"line\n"));
    assert_eq!(dropped.load(Ordering::Relaxed), 5);
    let begin = Instant::now();
    queue.flush(Some(Duration::from_millis(50)));
    assert!(begin.elapsed() < Duration::from_secs(5), "nobody writes: the flush gives up");
    let disk = Disk::default();
    let (pump, bytes) = (Pump { told: 0, ..Pump::new(disk.clone(), LogFormat::Text, dropped) }, queue.bytes.clone());
    std::thread::spawn(move || pump.run(&jobs, &bytes));
    queue.flush(None);
    assert_eq!(disk.text().lines().filter(|line| *line == "line").count(), MOST_LINES);
    assert!(disk.text().contains("lines=5"), "told of without another line");
    assert_eq!(queue.bytes.load(Ordering::Relaxed), 0);
}

#[test]
fn memory_is_bounded_by_bytes_too() {
    let dropped = counter();
    let (queue, jobs) = Queue::new(false, dropped);
    let long = vec![b'x'; MOST_BYTES / 4];
    (0..6).for_each(|_| queue.put(&long));
    assert_eq!((jobs.len(), dropped.load(Ordering::Relaxed)), (4, 2));
}

#[test]
fn a_command_waits_for_a_slow_reader_and_drops_nothing() {
    let dropped = counter();
    let (queue, jobs) = Queue::new(true, dropped);
    let disk = Disk::default();
    let (pump, bytes) = (Pump::new(disk.clone(), LogFormat::Text, dropped), queue.bytes.clone());
    let writer = std::thread::spawn(move || pump.run(&jobs, &bytes));
    (0..3 * MOST_LINES).for_each(|_| queue.put(b"line\n"));
    queue.flush(None);
    assert_eq!((disk.text().lines().count(), dropped.load(Ordering::Relaxed)), (3 * MOST_LINES, 0));
    drop(queue);
    writer.join().unwrap();
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        3 => Just(Turn::All),
        2 => (1usize..6).prop_map(Turn::Some),
        2 => Just(Turn::Fails(ErrorKind::StorageFull)),
        1 => Just(Turn::Fails(ErrorKind::BrokenPipe)),
    ]
}

proptest! {
    #[test]
    fn every_line_is_there_whole_or_counted_and_all_counted_are_told(turns in prop::collection::vec(turn(), 0..60)) {
        let (mut pump, disk) = pump(LogFormat::Text);
        disk.plan(&turns);
        (0..30).for_each(|number| pump.line(format!("<line {number}>\n").as_bytes(), true));
        disk.0.lock().0.clear();
        pump.report(true);
        let text = disk.text();
        let whole = text.lines().filter(|line| line.starts_with("<line ") && line.ends_with('>')).count() as u64;
        let dropped = pump.dropped.load(Ordering::Relaxed);
        prop_assert_eq!(whole + dropped, 30);
        let told: u64 = text.lines().filter_map(|line| line.split_once(" lines=")?.1.parse::<u64>().ok()).sum();
        // A report that was cut off amid its number is told again.
        prop_assert!(told == dropped || turns.iter().any(|turn| matches!(turn, Turn::Some(_))), "{}", text);
        prop_assert!(told >= dropped);
    }
}
