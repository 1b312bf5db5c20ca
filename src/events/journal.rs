//! The thread that decides and writes: happenings in, events out to the listeners and into the spool.

use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use maskwatch_vision::compliance::Counts;
use uuid::{ContextV7, Timestamp, Uuid};

use super::event::{Event, SCHEMA};
use super::feed::Feed;
use super::history::History;
use super::inbox::{Happening, Inbox, Replan};
use super::policy::{Draft, Policy};
use super::spool::{Record, Spool};
use crate::metrics::{EventResult, SinkMetrics};

/// How often places are written and figures are looked at where nothing happens.
const TICK: Duration = Duration::from_millis(500);
/// How often compliance is looked at.
const FIGURES: Duration = Duration::from_secs(5);
/// Happenings taken in one go.
const MOST: usize = 512;

/// The people in the window of a camera's zone now.
pub(super) type Figures = Box<dyn Fn(&str, &str) -> Counts + Send>;

/// What the thread works with.
pub(super) struct Journal {
    pub(super) inbox: Inbox,
    pub(super) happenings: Receiver<Happening>,
    pub(super) policy: Policy,
    pub(super) figures: Figures,
    pub(super) feed: Arc<Feed>,
    pub(super) history: Arc<History>,
    pub(super) spool: Spool,
    /// Of the spool's sinks, in its order.
    pub(super) sinks: Vec<SinkMetrics>,
    /// Ids rise, also where the time is corrected backwards.
    pub(super) ids: ContextV7,
}

impl Journal {
    /// Works until it is asked to end; everything put before that is in the spool then.
    pub(super) fn run(mut self) -> (Spool, Vec<SinkMetrics>) {
        let mut looked: Option<Instant> = None;
        loop {
            let (drafts, ended) = self.hear();
            let mut drafts = drafts;
            if looked.is_none_or(|looked| looked.elapsed() >= FIGURES) {
                looked = Some(Instant::now());
                drafts.extend(self.look_at_figures());
            }
            self.take_in(drafts);
            // The store's health tells of errors.
            let _ = self.spool.save(false);
            super::count_lost(&mut self.spool, &self.sinks);
            let lost = self.inbox.take_lost();
            self.sinks.iter().for_each(|sink| sink.count(EventResult::Dropped, lost));
            for (sink, waiting) in self.sinks.iter().zip(self.spool.waiting()) {
                sink.waiting(waiting);
            }
            // After all that alerts wait for.
            self.history.keep(self.inbox.prune(), ended);
            if ended {
                return (self.spool, self.sinks);
            }
        }
    }

    /// Waits a tick for happenings; gives what comes of them, and whether the end was asked for.
    fn hear(&mut self) -> (Vec<Draft>, bool) {
        let first = match self.happenings.recv_timeout(TICK) {
            Ok(happening) => happening,
            Err(RecvTimeoutError::Timeout) => return (Vec::new(), false),
            Err(RecvTimeoutError::Disconnected) => return (Vec::new(), true),
        };
        let more: Vec<_> = self.happenings.try_iter().take(MOST).collect();
        let mut drafts = Vec::new();
        for happening in std::iter::once(first).chain(more) {
            if matches!(happening, Happening::End) {
                return (drafts, true);
            }
            drafts.extend(self.decide(happening));
        }
        (drafts, false)
    }

    fn decide(&mut self, happening: Happening) -> Option<Draft> {
        let policy = &mut self.policy;
        match happening {
            Happening::Watch { camera, watched } => policy.watch(&camera, watched),
            Happening::Forget { camera } => policy.forget(&camera),
            Happening::Verdict { at, camera, person, zones } => return policy.verdict(at, &camera, &person, &zones),
            Happening::Up { at, camera } => return policy.up(at, &camera),
            Happening::Down { at, camera, reason, facts } => return policy.down(at, &camera, reason, facts),
            Happening::Degraded { at, camera, facts } => return policy.degraded(at, &camera, facts),
            Happening::Restored { at, camera } => return policy.restored(at, &camera),
            Happening::Picture { at, camera, luma } => return policy.picture(at, &camera, &luma),
            Happening::Replan(change) => self.change(*change),
            Happening::End => {}
        }
        None
    }

    fn change(&mut self, change: Replan) {
        if !change.claim.take() {
            return;
        }
        self.policy.set_rules(change.person_every, change.compliance);
        let (names, sinks): (Vec<_>, Vec<_>) = change.sinks.into_iter().unzip();
        self.sinks = sinks;
        for (sink, waited) in self.spool.set_sinks(&names, change.spool_bytes) {
            tracing::warn!(sink, waited, "events: this sink is configured no longer; what waited for it is dropped");
        }
        let lanes = (0..names.len()).map(|index| self.spool.lane(index)).collect();
        // Who asked may have given up.
        change.done.send(lanes).ok();
    }

    fn look_at_figures(&mut self) -> Vec<Draft> {
        let at = self.inbox.now();
        let places = self.policy.places();
        let look =
            |(camera, zone): &(String, String)| self.policy.figure(at, camera, zone, (self.figures)(camera, zone));
        places.iter().filter_map(look).collect()
    }

    fn take_in(&mut self, drafts: Vec<Draft>) {
        let records: Vec<Record> = drafts.into_iter().filter_map(|draft| self.seal(draft)).collect();
        if records.is_empty() {
            return;
        }
        self.feed.publish(&records);
        self.history.append(&records);
        let dropped = self.spool.append(records);
        for (sink, dropped) in self.sinks.iter().zip(dropped) {
            sink.count(EventResult::Dropped, dropped);
        }
    }

    fn id(&self) -> Uuid {
        let now = self.inbox.now().wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        Uuid::new_v7(Timestamp::from_unix(&self.ids, now.as_secs(), now.subsec_nanos()))
    }

    /// Gives a draft its id and its form.
    fn seal(&self, draft: Draft) -> Option<Record> {
        let labels = self.policy.labels(&draft.camera);
        let kind = draft.body.kind();
        tracing::debug!(camera = %draft.camera, kind, "event");
        let event = Event {
            schema: SCHEMA,
            id: self.id(),
            time: draft.at.wall,
            camera: draft.camera,
            labels,
            body: draft.body,
        };
        let sealed = serde_json::to_vec(&event).and_then(|json| Record::read(0, json.into()));
        sealed.inspect_err(|error| tracing::error!(%error, kind, "an event cannot be written")).ok()
    }
}
