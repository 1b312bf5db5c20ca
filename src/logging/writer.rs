//! The way of the log to the standard error: a bounded queue and one thread that writes.
//!
//! Nobody who logs waits for a disk or a reader of a pipe, and no error of writing comes back to whoever logs: a line
//! that cannot be written, or that finds no room in a service's queue, is dropped and counted, and one line says how
//! many were lost as soon as writing works again. Of a command that runs over files nothing is dropped while its reader
//! is merely slow: there the queue makes wait.
//!
//! `tracing-appender` has such a queue, but it counts no line that could not be written, and where the reader of a pipe
//! stalls its end prints to the standard output, which panics when that cannot be written either.

use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::LogFormat;

/// Lines that may wait.
const MOST_LINES: usize = 1024;
/// Bytes of the lines that may wait.
const MOST_BYTES: usize = 1 << 20;
/// Least time between two reports of lost lines while some are still being lost.
const REPORT: Duration = Duration::from_secs(1);
/// How often writing is tried while lines are lost and no new one comes.
const PROBE: Duration = Duration::from_secs(5);
/// Pause before another attempt where the standard error does not block and takes nothing now.
const NOT_NOW: Duration = Duration::from_millis(20);

static DROPPED: AtomicU64 = AtomicU64::new(0);
static QUEUE: OnceLock<Queue> = OnceLock::new();

/// Lines lost since the process began.
pub(crate) fn lines_dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// Begins to write from a thread of its own. `patient`: who logs waits where the queue is full.
pub(super) fn start(form: LogFormat, patient: bool) -> std::io::Result<()> {
    let (queue, jobs) = Queue::new(patient, &DROPPED);
    let pump = Pump::new(std::io::stderr(), form, &DROPPED);
    let waiting = Arc::clone(&queue.bytes);
    std::thread::Builder::new().name("log".into()).spawn(move || pump.run(&jobs, &waiting))?;
    // A second start in one process: the first thread goes on, this one ends with its queue.
    let _already = QUEUE.set(queue);
    Ok(())
}

/// Hands a text on as it is; its last line is to be whole. Before [`start`] it is written at once.
pub(super) fn put(text: &[u8]) {
    match QUEUE.get() {
        Some(queue) => queue.put(text),
        None if std::io::stderr().write_all(text).is_err() => drop(DROPPED.fetch_add(1, Ordering::Relaxed)),
        None => {}
    }
}

/// Waits until all that was put before is written; `limit`: how long at most.
pub(super) fn flush(limit: Option<Duration>) {
    if let Some(queue) = QUEUE.get() {
        queue.flush(limit);
    }
}

enum Job {
    Line(Vec<u8>),
    /// Dropped when it is reached.
    Flush(Sender<()>),
}

struct Queue {
    jobs: Sender<Job>,
    patient: bool,
    /// Of the lines that wait.
    bytes: Arc<AtomicUsize>,
    dropped: &'static AtomicU64,
}

impl Queue {
    fn new(patient: bool, dropped: &'static AtomicU64) -> (Self, Receiver<Job>) {
        let (jobs, receiver) = crossbeam_channel::bounded(MOST_LINES);
        (Self { jobs, patient, bytes: Arc::default(), dropped }, receiver)
    }

    fn put(&self, text: &[u8]) {
        let size = text.len();
        let before = self.bytes.fetch_add(size, Ordering::AcqRel);
        let job = Job::Line(text.to_vec());
        let sent = match self.patient {
            true => self.jobs.send(job).is_ok(),
            false => before + size <= MOST_BYTES && self.jobs.try_send(job).is_ok(),
        };
        if !sent {
            self.bytes.fetch_sub(size, Ordering::AcqRel);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn flush(&self, limit: Option<Duration>) {
        let deadline = limit.map(|limit| Instant::now() + limit);
        let (done, reached) = crossbeam_channel::bounded::<()>(0);
        // Both fail where time is up, or where the writer is gone: there is nothing more to do then.
        let _ = match deadline {
            Some(deadline) => {
                self.jobs.send_deadline(Job::Flush(done), deadline).is_ok() && reached.recv_deadline(deadline).is_ok()
            }
            None => self.jobs.send(Job::Flush(done)).is_ok() && reached.recv().is_ok(),
        };
    }
}

/// The writing side.
struct Pump<W> {
    out: W,
    form: LogFormat,
    dropped: &'static AtomicU64,
    /// The last text was cut off amid a line.
    torn: bool,
    /// Lost lines that were told of.
    told: u64,
    told_at: Option<Instant>,
}

impl<W: Write> Pump<W> {
    fn new(out: W, form: LogFormat, dropped: &'static AtomicU64) -> Self {
        Self { out, form, dropped, torn: false, told: dropped.load(Ordering::Relaxed), told_at: None }
    }

    fn run(mut self, jobs: &Receiver<Job>, waiting: &AtomicUsize) {
        loop {
            match jobs.recv_timeout(PROBE) {
                Ok(Job::Line(line)) => {
                    waiting.fetch_sub(line.len(), Ordering::AcqRel);
                    self.line(&line, jobs.is_empty());
                }
                Ok(Job::Flush(done)) => {
                    self.report(true);
                    drop(done);
                }
                Err(RecvTimeoutError::Timeout) => self.report(true),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// `last`: no other line waits.
    fn line(&mut self, line: &[u8], last: bool) {
        self.report(last);
        if !self.write(line) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Says how many lines were lost since that was last said. `now`: also when it was said a moment ago.
    fn report(&mut self, now: bool) {
        let lost = self.dropped.load(Ordering::Relaxed);
        let rested = self.told_at.is_none_or(|at| at.elapsed() >= REPORT);
        if lost > self.told && (now || rested) && self.write(&report(self.form, lost - self.told)) {
            (self.told, self.told_at) = (lost, Some(Instant::now()));
        }
    }

    /// Whether all of it could be written.
    fn write(&mut self, text: &[u8]) -> bool {
        let begin: &[u8] = if self.torn { b"\n" } else { b"" };
        let mut rest = &[begin, text].concat()[..];
        let whole = rest.len();
        while !rest.is_empty() {
            match self.out.write(rest) {
                Ok(0) => break,
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::park_timeout(NOT_NOW),
                Err(_) => break,
            }
        }
        let written = whole - rest.len();
        if written > 0 {
            self.torn = written > begin.len() && !rest.is_empty();
        }
        // A line that lacks its end alone is there; the end comes with the next.
        rest.is_empty() || self.torn && rest == b"\n"
    }
}

/// The line about lost lines, in the log's own form.
fn report(form: LogFormat, lines: u64) -> Vec<u8> {
    let time = humantime::format_rfc3339_micros(SystemTime::now());
    let text = "log lines were lost: the standard error could not be written, or not fast enough";
    let line = match form {
        LogFormat::Text => format!("{time}  WARN maskwatch::logging: {text} lines={lines}\n"),
        LogFormat::Json => format!(
            "{{\"timestamp\":\"{time}\",\"level\":\"WARN\",\"message\":\"{text}\",\"lines\":{lines},\
             \"target\":\"maskwatch::logging\"}}\n"
        ),
    };
    line.into_bytes()
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
