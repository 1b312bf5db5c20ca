//! From the cameras' threads to the journal: a bounded channel that nobody waits at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use crossbeam_channel::{Receiver, Sender};
use gstmaskwatch::report::VerdictReport;
use maskwatch_vision::sight::Luma;
use maskwatch_vision::track::Person;

use super::event::{DegradedFacts, FailureFacts};
use super::policy::{Moment, Watched};
use super::spool::Lane;
use crate::camera::{Degradation, Failure, Listener};
use crate::clock::Clock;
use crate::config::plan::ComplianceAlert;
use crate::metrics::{DisconnectReason, SinkMetrics};

/// Happenings that may wait.
const CAPACITY: usize = 4096;
/// Time for room where a camera comes, changes or goes.
const ROOM: Duration = Duration::from_secs(5);
/// Pictures' brightness is left out from here on, so that people and failures find room.
const CROWDED: usize = CAPACITY / 2;

/// What the policy hears of.
#[derive(Debug)]
pub(super) enum Happening {
    Watch { camera: String, watched: Watched },
    Forget { camera: String },
    Verdict { at: Moment, camera: String, person: Person, zones: Vec<String> },
    Up { at: Moment, camera: String },
    Down { at: Moment, camera: String, reason: DisconnectReason, facts: FailureFacts },
    Degraded { at: Moment, camera: String, facts: DegradedFacts },
    Restored { at: Moment, camera: String },
    Picture { at: Moment, camera: String, luma: Luma },
    Replan(Box<Replan>),
    End,
}

/// Something that is done by one of two, or not at all.
#[derive(Clone, Debug, Default)]
pub(super) struct Claim(Arc<AtomicBool>);

impl Claim {
    /// Whether nobody else has.
    pub(super) fn take(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }
}

/// Another plan for the journal, while it works.
#[derive(Debug)]
pub(super) struct Replan {
    /// Whoever takes it decides: the journal, to do it, or who asked, to give up.
    pub(super) claim: Claim,
    pub(super) sinks: Vec<(String, SinkMetrics)>,
    pub(super) spool_bytes: u64,
    pub(super) person_every: Duration,
    pub(super) compliance: Option<ComplianceAlert>,
    /// Is given the sinks' readers, in order.
    pub(super) done: Sender<Vec<Lane>>,
}

/// The cameras' end of the channel.
#[derive(Clone)]
pub(super) struct Inbox {
    sender: Sender<Happening>,
    clock: Clock,
    /// What did not fit, and reaches no sink.
    lost: Arc<AtomicU64>,
}

impl Inbox {
    pub(super) fn new(clock: Clock) -> (Self, Receiver<Happening>) {
        let (sender, receiver) = crossbeam_channel::bounded(CAPACITY);
        (Self { sender, clock, lost: Arc::default() }, receiver)
    }

    /// What is too old is older than something by this time; `None` while nothing may be called old.
    pub(super) fn prune(&self) -> Option<Duration> {
        self.clock.now().prune()
    }

    pub(super) fn now(&self) -> Moment {
        let now = self.clock.now();
        Moment { wall: UNIX_EPOCH + now.wall, steady: now.steady }
    }

    /// Hands it on, or counts it as lost.
    pub(super) fn put(&self, happening: Happening) {
        if self.sender.try_send(happening).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Hands on what must not be missed; waits for room, not for ever.
    pub(super) fn tell(&self, happening: Happening) {
        if self.sender.send_timeout(happening, ROOM).is_err() {
            tracing::error!("events: the thread that decides has not heard of a change of cameras; reload once more");
        }
    }

    /// Happenings that did not fit, since that was asked last.
    pub(super) fn take_lost(&self) -> u64 {
        self.lost.swap(0, Ordering::Relaxed)
    }

    /// Hands on what the journal is to do; waits for room until `deadline`. Whether it will come to it.
    pub(super) fn order(&self, change: Box<Replan>, deadline: Instant) -> bool {
        self.sender.send_deadline(Happening::Replan(change), deadline).is_ok()
    }

    /// Asks the journal to end after all that was put before; waits for room until `deadline`.
    pub(super) fn end(&self, deadline: Instant) {
        // Whoever receives is gone, or does not come to it: the caller's deadline decides.
        let _ = self.sender.send_deadline(Happening::End, deadline);
    }
}

impl Listener for Inbox {
    fn picture(&self, camera: &str, luma: &Luma) {
        if self.sender.len() < CROWDED {
            self.put(Happening::Picture { at: self.now(), camera: camera.to_owned(), luma: *luma });
        }
    }

    fn verdict(&self, camera: &str, report: &VerdictReport) {
        let (person, zones) = (report.verdict, report.zones.clone());
        self.put(Happening::Verdict { at: self.now(), camera: camera.to_owned(), person, zones });
    }

    fn up(&self, camera: &str) {
        self.put(Happening::Up { at: self.now(), camera: camera.to_owned() });
    }

    fn degraded(&self, camera: &str, degradation: &Degradation) {
        let facts = DegradedFacts {
            reason: degradation.reason.as_str().to_owned(),
            message: degradation.message.clone(),
            ratio: degradation.ratio,
        };
        self.put(Happening::Degraded { at: self.now(), camera: camera.to_owned(), facts });
    }

    fn restored(&self, camera: &str) {
        self.put(Happening::Restored { at: self.now(), camera: camera.to_owned() });
    }

    fn down(&self, camera: &str, failure: &Failure) {
        let facts = FailureFacts {
            reason: failure.reason.as_str().to_owned(),
            cause: failure.cause.clone(),
            hint: failure.hint.to_owned(),
        };
        self.put(Happening::Down { at: self.now(), camera: camera.to_owned(), reason: failure.reason, facts });
    }
}
