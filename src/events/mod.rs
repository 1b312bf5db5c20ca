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

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use anyhow::Context;
use crossbeam_channel::Receiver;
use maskwatch_vision::compliance::Counts;
use uuid::ContextV7;

pub use feed::Feed;
pub(crate) use feed::Subscription;
pub(crate) use history::{Asked, History, Mark};
pub(crate) use spool::Record;

use self::inbox::{Happening, Inbox};
use self::journal::Journal;
use self::policy::{Policy, Watched};
use self::sinks::Senders;
use self::spool::{Spool, StoredAt};
use crate::camera::Listener;
use crate::clock::Clock;
use crate::config::plan::{CameraPlan, EventsPlan, Privacy};
use crate::metrics::{EventResult, Metrics, SinkMetrics};
use crate::state_file::{Folder, StoreHealth};

/// Events at work.
pub struct Events {
    inbox: Inbox,
    feed: Arc<Feed>,
    journal: Running<Spool>,
    senders: Senders,
    sinks: Arc<[SinkMetrics]>,
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
        metrics: &Metrics,
        clock: Clock,
        figures: impl Fn(&str, &str) -> Counts + Send + 'static,
    ) -> anyhow::Result<Self> {
        let names: Vec<String> = plan.sinks.iter().map(|sink| sink.name.clone()).collect();
        let sinks: Arc<[SinkMetrics]> = names.iter().map(|name| metrics.sink(name)).collect();
        // Without sinks nothing waits.
        let folder = state_dir.filter(|_| !names.is_empty());
        if folder.is_none() && !names.is_empty() {
            tracing::info!("events wait in memory only: there is no state_dir");
        }
        let kind = &spool::KIND;
        let store = folder.map(|_| Arc::new(StoreHealth::new(kind, metrics.state_store(kind.store))));
        let stored_at = folder
            .zip(store.as_ref())
            .map(|(path, health)| StoredAt { folder: Folder::new(path), health: Arc::clone(health) });
        let kept_at = state_dir.map(|path| {
            let health = StoreHealth::new(&history::KIND, metrics.state_store(history::KIND.store));
            (Folder::new(path), Arc::new(health))
        });
        let history = Arc::new(History::new(plan.history, kept_at));
        let spool = Spool::open(stored_at, &names, plan.spool_bytes).context("events")?;
        let lanes = (0..names.len()).map(|index| spool.lane(index)).collect();
        let senders = Senders::start(&plan.sinks, lanes, &sinks, &clock)?;
        let (inbox, happenings) = Inbox::new(Arc::clone(&sinks), clock);
        let feed = Arc::new(Feed::new());
        let journal = Journal {
            inbox: inbox.clone(),
            happenings,
            policy: Policy::new(plan.person_every, plan.compliance),
            figures: Box::new(figures),
            feed: Arc::clone(&feed),
            history: Arc::clone(&history),
            spool,
            sinks: Arc::clone(&sinks),
            ids: ContextV7::new(),
        };
        let journal = Running::spawn("events", move || journal.run()).context("events: no thread")?;
        Ok(Self { inbox, feed, journal, senders, sinks, store, history })
    }

    /// Events of this camera are wanted from now on; called again when its plan has changed.
    pub fn watch(&self, camera: &CameraPlan) {
        let people = camera.privacy != Privacy::Statistics;
        let zones = camera.areas.zones.iter().map(|zone| zone.name.clone()).collect();
        let watched = Watched { labels: camera.labels.clone(), people, zones };
        self.inbox.put(Happening::Watch { camera: camera.name.clone(), watched });
    }

    /// The camera is configured no longer.
    pub fn forget(&self, camera: &str) {
        self.inbox.put(Happening::Forget { camera: camera.to_owned() });
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
        let Some(mut spool) = self.journal.join(deadline) else {
            tracing::error!("events: what was heard last could not be written in time");
            return;
        };
        self.senders.stop(deadline);
        let saved = spool.save(true);
        count_lost(&mut spool, &self.sinks);
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
        for (sink, waiting) in self.sinks.iter().zip(waiting) {
            sink.count(EventResult::Dropped, waiting.min(unsaved));
        }
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
