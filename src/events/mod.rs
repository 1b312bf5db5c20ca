//! Events: what happens at the cameras, told to files, webhooks and brokers.
//!
//! The way of an event: the cameras' threads put happenings into a bounded inbox (`inbox`); one thread (`journal`) asks
//! the pure `policy` what is worth an event, gives it its id, hands it to the listeners at `/api/v1/events` ([`Feed`]) and
//! puts it into the `spool`; one task per sink (`sinks`) takes it from there, in order, and tries until the other side
//! has it. A sink that is slow or gone holds up neither cameras nor other sinks.
//!
//! Every event reaches every sink at least once; one that comes twice has the same id.

pub mod event;
mod feed;
mod history;
mod inbox;
mod journal;
pub mod policy;
mod sinks;
mod spool;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use crossbeam_channel::Receiver;
use maskwatch_vision::compliance::Counts;
use uuid::ContextV7;

pub use feed::Feed;
pub(crate) use feed::Subscription;
pub(crate) use history::{Asked, History, Mark};
pub(crate) use spool::Record;

use self::inbox::{Claim, Happening, Inbox, Replan};
use self::journal::Journal;
use self::policy::{Policy, Watched};
use self::sinks::{Senders, Target};
use self::spool::{Lane, Spool, StoredAt};
use crate::camera::Listener;
use crate::clock::Clock;
use crate::config::plan::{CameraPlan, EventsPlan, Privacy, SinkPlan};
use crate::metrics::{EventResult, Metrics, SinkMetrics};
use crate::state_file::{Folder, StoreHealth};

/// Time for a sink that goes or changes to send what it is at.
const LAST_SENDING: Duration = Duration::from_millis(500);
/// Time for the journal to take up another plan: a disk may be slow.
const CHANGED: Duration = Duration::from_secs(5);

/// Events at work.
pub struct Events {
    inbox: Inbox,
    feed: Arc<Feed>,
    journal: Running<(Spool, Vec<SinkMetrics>)>,
    senders: Senders,
    plan: EventsPlan,
    metrics: Arc<Metrics>,
    clock: Clock,
    store: Option<Arc<StoreHealth>>,
    history: Arc<History>,
}

impl Events {
    /// Opens the spool in `state_dir` (in memory without one) and begins to send. Times are those of `clock`; `figures`
    /// gives the people in the compliance window of a camera and a zone.
    ///
    /// # Errors
    /// The spool is in use; a sink's certificates cannot be read; the system gives no thread. A disk that refuses is no
    /// error: it is said in the log, the metrics and the API, and events wait in memory meanwhile.
    pub fn start(
        plan: &EventsPlan,
        state_dir: Option<&Path>,
        metrics: &Arc<Metrics>,
        clock: Clock,
        figures: impl Fn(&str, &str) -> Counts + Send + 'static,
    ) -> anyhow::Result<Self> {
        let names: Vec<String> = plan.sinks.iter().map(|sink| sink.name.clone()).collect();
        let sinks: Vec<SinkMetrics> = names.iter().map(|name| metrics.sink(name)).collect();
        warn_of_memory(plan, state_dir.is_some());
        let at = |kind| {
            let health = |kind: &'static _| Arc::new(StoreHealth::new(kind, metrics.state_store(kind.store)));
            state_dir.map(|path| (Folder::new(path), health(kind)))
        };
        let stored_at = at(&spool::KIND).map(|(folder, health)| StoredAt { folder, health });
        let store = stored_at.as_ref().map(|at| Arc::clone(&at.health));
        let history = Arc::new(History::new(plan.history, at(&history::KIND)));
        let spool = Spool::open(stored_at, &names, plan.spool_bytes).context("events")?;
        let targets = plan.sinks.iter().map(|plan| Target::new(plan, &clock)).collect::<Result<Vec<_>, _>>()?;
        let mut senders = Senders::start()?;
        for (index, (target, plan)) in targets.into_iter().zip(&plan.sinks).enumerate() {
            senders.begin(plan.clone(), target, spool.lane(index), sinks[index].clone());
        }
        let (inbox, happenings) = Inbox::new(clock.clone());
        let feed = Arc::new(Feed::new());
        let journal = Journal {
            inbox: inbox.clone(),
            happenings,
            policy: Policy::new(plan.person_every, plan.compliance),
            figures: Box::new(figures),
            feed: Arc::clone(&feed),
            history: Arc::clone(&history),
            spool,
            sinks,
            ids: ContextV7::new(),
        };
        let journal = Running::spawn("events", move || journal.run()).context("events: no thread")?;
        let metrics = Arc::clone(metrics);
        Ok(Self { inbox, feed, journal, senders, plan: plan.clone(), metrics, clock, store, history })
    }

    /// Goes on by another plan. A sink that is the same in both is not touched; what waits for one that has changed waits
    /// on; what waited for one that is gone is dropped, which is said.
    ///
    /// # Errors
    /// A sink's certificates cannot be read, or the thread that decides does not come to it: all stays as it was.
    pub fn change(&mut self, plan: &EventsPlan) -> anyhow::Result<()> {
        let new = |plan: &&SinkPlan| !self.senders.is_busy(plan);
        let target = |plan: &SinkPlan| Ok((plan.name.clone(), Target::new(plan, &self.clock)?));
        let mut targets: BTreeMap<String, Target> =
            plan.sinks.iter().filter(new).map(target).collect::<anyhow::Result<_>>()?;
        let sinks: Vec<(String, SinkMetrics)> =
            plan.sinks.iter().map(|sink| (sink.name.clone(), self.metrics.sink(&sink.name))).collect();
        let lanes = self.journal_by(plan, sinks.clone()).inspect_err(|_| {
            let known = |name: &String| self.plan.sinks.iter().any(|sink| sink.name == *name);
            sinks.iter().filter(|(name, _)| !known(name)).for_each(|(name, _)| self.metrics.remove_sink(name));
        })?;
        warn_of_memory(plan, self.store.is_some());
        self.history.set_plan(plan.history);
        self.senders.retain(&plan.sinks, Instant::now() + LAST_SENDING);
        for ((plan, lane), (name, metrics)) in plan.sinks.iter().zip(lanes).zip(sinks) {
            if let Some(target) = targets.remove(&name) {
                self.senders.begin(plan.clone(), target, lane, metrics);
            }
        }
        let stays = |gone: &SinkPlan| plan.sinks.iter().any(|sink| sink.name == gone.name);
        self.plan.sinks.iter().filter(|sink| !stays(sink)).for_each(|gone| self.metrics.remove_sink(&gone.name));
        self.plan = plan.clone();
        Ok(())
    }

    /// The thread that decides goes on by this plan; gives the sinks' readers.
    fn journal_by(&self, plan: &EventsPlan, sinks: Vec<(String, SinkMetrics)>) -> anyhow::Result<Vec<Lane>> {
        let (done, lanes) = crossbeam_channel::bounded(1);
        let (spool_bytes, person_every, compliance) = (plan.spool_bytes, plan.person_every, plan.compliance);
        let (deadline, claim) = (Instant::now() + CHANGED, Claim::default());
        let replan = Replan { claim: claim.clone(), sinks, spool_bytes, person_every, compliance, done };
        self.inbox.order(Box::new(replan), deadline);
        let in_time = lanes.recv_deadline(deadline).ok();
        // Taken up at the last moment: what is done is waited for.
        let lanes = in_time.or_else(|| if claim.take() { None } else { lanes.recv_timeout(CHANGED).ok() });
        lanes.context("events: the thread that decides did not take the change in time")
    }

    /// Events of this camera are wanted from now on; called again when its plan has changed.
    pub fn watch(&self, camera: &CameraPlan) {
        let people = camera.privacy != Privacy::Statistics;
        let zones = camera.areas.zones.iter().map(|zone| zone.name.clone()).collect();
        let watched = Watched { labels: camera.labels.clone(), people, zones };
        self.inbox.tell(Happening::Watch { camera: camera.name.clone(), watched });
    }

    /// The camera is configured no longer.
    pub fn forget(&self, camera: &str) {
        self.inbox.tell(Happening::Forget { camera: camera.to_owned() });
    }

    /// Hears the cameras.
    pub fn listener(&self) -> Arc<dyn Listener> {
        Arc::new(self.inbox.clone())
    }

    /// How the stores stand: of what waits for sinks and of past events, as far as they are on a disk.
    pub fn stores(&self) -> impl Iterator<Item = &Arc<StoreHealth>> {
        self.store.iter().chain(self.history.store())
    }

    /// Past events.
    pub(crate) fn history(&self) -> &Arc<History> {
        &self.history
    }

    /// For those who listen now.
    pub fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }

    /// Ends: all that was heard goes into the spool, what can be sent until `deadline` is sent, the rest waits on disk.
    pub fn stop(self, deadline: Instant) {
        self.inbox.end(deadline);
        let Some((mut spool, sinks)) = self.journal.join(deadline) else {
            tracing::error!("events: what was heard last could not be written in time");
            return;
        };
        self.senders.stop(deadline);
        let saved = spool.save(true);
        count_lost(&mut spool, &sinks);
        let (waiting, unsaved) = (spool.waiting(), spool.unsaved());
        let most = waiting.iter().max().copied().unwrap_or_default();
        match saved {
            Err(error) if unsaved > 0 => {
                tracing::error!(events = unsaved, "events that wait in memory are lost: {error}")
            }
            Err(error) => tracing::error!("events that are delivered already may come again: {error}"),
            Ok(()) if unsaved > 0 => {
                tracing::warn!(events = unsaved, "events that wait in memory are lost: no state_dir")
            }
            Ok(()) if most > 0 => tracing::info!(waiting = most, "events wait for the next start"),
            Ok(()) => {}
        }
        for (sink, waiting) in sinks.iter().zip(waiting) {
            sink.count(EventResult::Dropped, waiting.min(unsaved));
        }
    }
}

fn warn_of_memory(plan: &EventsPlan, stored: bool) {
    if !stored && !plan.sinks.is_empty() {
        tracing::info!("events wait in memory only: there is no state_dir");
    }
}

/// Counts what went with the disk.
fn count_lost(spool: &mut Spool, sinks: &[SinkMetrics]) {
    for (sink, lost) in sinks.iter().zip(spool.take_lost()) {
        sink.count(EventResult::Dropped, lost);
    }
}

/// A thread that is waited for with a deadline.
struct Running<T> {
    thread: JoinHandle<T>,
    ended: Receiver<()>,
}

impl<T: Send + 'static> Running<T> {
    fn spawn(name: &str, work: impl FnOnce() -> T + Send + 'static) -> std::io::Result<Self> {
        let (done, ended) = crossbeam_channel::bounded::<()>(0);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _done = done; // dropped at the end, whatever it is
            work()
        })?;
        Ok(Self { thread, ended })
    }

    /// What it gave; `None` where it did not end in time or panicked.
    fn join(self, deadline: Instant) -> Option<T> {
        let late = matches!(self.ended.recv_deadline(deadline), Err(crossbeam_channel::RecvTimeoutError::Timeout));
        if late { None } else { self.thread.join().ok() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_that_was_given_up_is_not_carried_out_later() {
        let metrics = Metrics::new().unwrap();
        let (clock, _) = Clock::by_hand(std::time::UNIX_EPOCH + Duration::from_secs(1_790_000_000));
        let plan = EventsPlan::default();
        let mut events = Events::start(&plan, None, &metrics, clock, |_, _| Counts::default()).unwrap();
        let (done, lanes) = crossbeam_channel::bounded(1);
        let claim = Claim::default();
        assert!(claim.take(), "whoever asked has given up");
        let sinks = vec![("late".to_owned(), metrics.sink("late"))];
        let (spool_bytes, person_every) = (plan.spool_bytes, plan.person_every);
        let replan = Replan { claim, sinks, spool_bytes, person_every, compliance: None, done };
        assert!(events.inbox.order(Box::new(replan), Instant::now() + CHANGED));
        assert!(matches!(lanes.recv_timeout(CHANGED * 4), Err(crossbeam_channel::RecvTimeoutError::Disconnected)));
        // The next one is.
        let wanted = EventsPlan { person_every: Duration::from_secs(7), ..plan };
        events.change(&wanted).unwrap();
        assert_eq!(events.plan, wanted);
        events.stop(Instant::now() + CHANGED);
    }
}
