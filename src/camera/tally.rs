//! The figures of one connection's pictures, shared between the streaming threads that count and the supervisor that
//! looks. Every call keeps `received = decoded + lost + in flight`, in the camera's metrics too.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing_mutex::parking_lot::{Mutex, MutexGuard};

use super::ledger::{Entry, Ledger};
use crate::metrics::{CameraMetrics, FrameDrop, PictureLoss};

/// Counts of one connection at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Coded pictures that arrived.
    pub(super) received: u64,
    /// Pictures that the decoder gave.
    pub(super) decoded: u64,
    /// Pictures that were not decoded, in the order of [`PictureLoss::ALL`].
    pub(super) lost: [u64; PictureLoss::ALL.len()],
    /// Packets that were sent and never came, as far as their numbers tell.
    pub(super) packets_lost: u64,
}

/// One connection's books.
pub(super) struct Tally {
    books: Mutex<Books>,
    packets_lost: AtomicU64,
    metrics: Arc<CameraMetrics>,
}

#[derive(Default)]
struct Books {
    ledger: Ledger,
    counts: Counts,
    /// Decoded pictures that entered the queue, and the last one that left it.
    queued: u64,
    left: u64,
    closed: bool,
}

impl Tally {
    pub(super) fn new(metrics: Arc<CameraMetrics>) -> Self {
        Self { books: Mutex::default(), packets_lost: AtomicU64::new(0), metrics }
    }

    fn lock(&self) -> MutexGuard<'_, Books> {
        self.books.lock()
    }

    /// A coded picture arrived and goes to the decoder; its number.
    pub(super) fn admitted(&self) -> u64 {
        let mut books = self.lock();
        books.counts.received += 1;
        let number = books.ledger.admitted();
        self.metrics.frame_received();
        self.flush(&mut books);
        number
    }

    /// A coded picture arrived and is kept from the decoder.
    pub(super) fn refused(&self, reason: PictureLoss) {
        let mut books = self.lock();
        books.counts.received += 1;
        books.counts.lost[reason as usize] += 1;
        self.metrics.frame_received();
        self.metrics.picture_lost(reason, 1);
    }

    /// The decoder gave a picture, made of that one.
    pub(super) fn decoded(&self, number: Option<u64>) {
        let mut books = self.lock();
        let entry = books.ledger.decoded(number);
        self.book(&mut books, entry);
    }

    /// A picture came that needed no decoder.
    pub(super) fn raw(&self) {
        let mut books = self.lock();
        books.counts.received += 1;
        self.metrics.frame_received();
        self.book(&mut books, Entry { decoded: 1, lost: None });
    }

    fn book(&self, books: &mut Books, entry: Entry) {
        if entry.decoded > 0 {
            books.counts.decoded += entry.decoded;
            self.metrics.frame_decoded();
        }
        if let Some((reason, count)) = entry.lost {
            books.counts.lost[reason as usize] += count;
            self.metrics.picture_lost(reason, count);
        }
        self.flush(books);
    }

    /// After the end nothing is in flight, whatever still comes from threads that are ending.
    fn flush(&self, books: &mut Books) {
        if books.closed
            && let Some((reason, count)) = books.ledger.ended().lost
        {
            books.counts.lost[reason as usize] += count;
            self.metrics.picture_lost(reason, count);
        }
        self.metrics.pictures_in_flight(books.ledger.in_flight());
    }

    /// A decoded picture enters the queue; its number there, from 1.
    pub(super) fn queued(&self) -> u64 {
        let mut books = self.lock();
        books.queued += 1;
        books.queued
    }

    /// The picture with that number leaves the queue: those between it and the one before were dropped there.
    pub(super) fn left(&self, number: u64) {
        let mut books = self.lock();
        let skipped = number.saturating_sub(books.left + 1);
        books.left = number.max(books.left);
        drop(books);
        self.metrics.frames_dropped(FrameDrop::Queue, skipped);
    }

    /// So many more packets were sent and never came.
    pub(super) fn packets_lost(&self, count: u64) {
        self.packets_lost.fetch_add(count, Ordering::Relaxed);
        self.metrics.packets_lost(count);
    }

    /// The connection ended: what is in flight is lost.
    pub(super) fn close(&self) {
        let mut books = self.lock();
        books.closed = true;
        self.flush(&mut books);
        let waiting = books.queued.saturating_sub(books.left);
        books.left = books.queued;
        drop(books);
        self.metrics.frames_dropped(FrameDrop::Flushed, waiting);
    }

    /// The counts now.
    pub(super) fn counts(&self) -> Counts {
        Counts { packets_lost: self.packets_lost.load(Ordering::Relaxed), ..self.lock().counts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    fn tally() -> (Arc<Metrics>, Tally) {
        let all = Metrics::new().unwrap();
        let tally = Tally::new(all.camera("gate"));
        (all, tally)
    }

    fn figure(all: &Metrics, series: &str) -> u64 {
        let text = all.render().unwrap();
        let line = text.lines().find(|line| line.starts_with(&format!("maskwatch_{series} ")));
        line.unwrap_or_else(|| panic!("no {series} in {text}")).rsplit(' ').next().unwrap().parse().unwrap()
    }

    #[test]
    fn the_metrics_add_up() {
        let (all, tally) = tally();
        tally.refused(PictureLoss::Gate);
        let first = tally.admitted();
        tally.admitted();
        tally.decoded(Some(first));
        let dropped = |reason| figure(&all, &format!("frames_dropped_total{{camera=\"gate\",reason=\"{reason}\"}}"));
        let stage = |stage| figure(&all, &format!("frames_total{{camera=\"gate\",stage=\"{stage}\"}}"));
        let in_flight = || figure(&all, "frames_in_flight{camera=\"gate\"}");
        assert_eq!((stage("received"), stage("decoded"), dropped("gate"), in_flight()), (3, 1, 1, 1));
        tally.close();
        assert_eq!((dropped("ended"), in_flight()), (1, 0));
        // A streaming thread that was late.
        tally.admitted();
        assert_eq!((stage("received"), dropped("ended"), in_flight()), (4, 2, 0));
        let counts = tally.counts();
        assert_eq!(counts.received, counts.decoded + counts.lost.iter().sum::<u64>());
    }

    #[test]
    fn what_the_queue_drops_is_seen_by_its_numbers() {
        let (all, tally) = tally();
        let numbers: Vec<_> = (0..6).map(|_| tally.queued()).collect();
        tally.left(numbers[0]);
        tally.left(numbers[3]);
        let dropped = |reason| figure(&all, &format!("frames_dropped_total{{camera=\"gate\",reason=\"{reason}\"}}"));
        assert_eq!(dropped("queue"), 2);
        tally.close();
        assert_eq!((dropped("queue"), dropped("flushed")), (2, 2));
    }

    #[test]
    fn lost_packets_are_told() {
        let (all, tally) = tally();
        tally.packets_lost(2);
        tally.packets_lost(3);
        assert_eq!(tally.counts().packets_lost, 5);
        assert_eq!(figure(&all, "rtp_packets_lost_total{camera=\"gate\"}"), 5);
    }
}
