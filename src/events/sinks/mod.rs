//! One task per sink on one thread: each takes its events in order and tries until the other side has them.

mod jsonl;
mod mqtt;
mod nats;
mod webhook;

use std::time::{Duration, Instant};

use anyhow::Context;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::LocalSet;

use self::jsonl::Jsonl;
use self::mqtt::Mqtt;
use self::nats::Nats;
use self::webhook::Webhook;
use super::Running;
use super::spool::{Lane, Record};
use crate::backoff::Backoff;
use crate::clock::Clock;
use crate::config::plan::{SinkPlan, SinkTarget};
use crate::metrics::{EventResult, SinkMetrics};

/// Events sent in one go.
const MOST: usize = 32;
/// Reads of the spool and writes of files at the same time: one for each sink, so that a file system that hangs holds up
/// no other sink.
const BLOCKING: usize = 40;
/// What a task's end may take beyond its deadline.
const GRACE: Duration = Duration::from_millis(100);

/// Where events go.
trait Sink {
    /// Sends the events in order and marks each that is through. An error means: from the first that is not, again later.
    async fn deliver(&mut self, records: &[Record], progress: &Progress) -> Result<(), Trouble>;

    /// Keeps the connection while there is nothing to send; ends when it breaks.
    async fn idle(&mut self) -> Trouble {
        std::future::pending().await
    }
}

/// Why events cannot be sent now.
#[derive(Debug)]
struct Trouble {
    cause: String,
    hint: &'static str,
    /// The other side's own wish.
    retry_after: Option<Duration>,
}

impl Trouble {
    fn new(cause: impl Into<String>, hint: &'static str) -> Self {
        Self { cause: cause.into(), hint, retry_after: None }
    }

    /// The other side did not answer.
    fn silence(limit: Duration) -> Self {
        Self::new(format!("no answer within {limit:?}"), "is it overloaded, or the network slow? see `timeout`")
    }
}

/// Marks what is through.
struct Progress {
    lane: Lane,
    metrics: SinkMetrics,
}

impl Progress {
    /// The other side has it.
    fn delivered(&self, record: &Record) {
        self.lane.done(record.seq);
        self.metrics.count(EventResult::Delivered, 1);
    }

    /// The other side will never take it.
    fn rejected(&self, record: &Record, why: &str) {
        self.lane.done(record.seq);
        self.metrics.count(EventResult::Rejected, 1);
        tracing::warn!(sink = self.lane.sink(), id = record.id, kind = record.kind, "an event is refused: {why}");
    }
}

/// Asks a sink's task to end: the moment until which it may send.
type End = watch::Sender<Option<Instant>>;

/// A sink that begins.
struct Begin {
    target: Target,
    progress: Progress,
    end: watch::Receiver<Option<Instant>>,
    /// Dropped when its task has ended.
    ended: Sender<()>,
}

/// A sink at work.
struct Busy {
    plan: SinkPlan,
    end: End,
    ended: Receiver<()>,
}

/// The thread of all sinks.
pub(super) struct Senders {
    thread: Running<()>,
    /// Closed: no further sink will begin.
    begin: UnboundedSender<Begin>,
    busy: Vec<Busy>,
}

impl Senders {
    /// The thread; no sink yet.
    ///
    /// # Errors
    /// The system gives none.
    pub(super) fn start() -> anyhow::Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(BLOCKING).build()?;
        let (begin, mut begins) = unbounded_channel::<Begin>();
        let thread = Running::spawn("sinks", move || {
            let tasks = LocalSet::new();
            tasks.spawn_local(async move {
                while let Some(Begin { target, progress, end, ended }) = begins.recv().await {
                    tokio::task::spawn_local(async move {
                        let _ended = ended;
                        target.run(progress, end).await;
                    });
                }
            });
            runtime.block_on(tasks);
            // A file that hangs is not waited for.
            runtime.shutdown_background();
        })?;
        Ok(Self { thread, begin, busy: Vec::new() })
    }

    /// The sinks of these plans that are at work by the very same plan.
    pub(super) fn is_busy(&self, plan: &SinkPlan) -> bool {
        self.busy.iter().any(|busy| busy.plan == *plan)
    }

    /// Ends the sinks that are not among these plans. They may send until `deadline`; what is not through then waits.
    pub(super) fn retain(&mut self, plans: &[SinkPlan], deadline: Instant) {
        let (stay, go): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.busy).into_iter().partition(|busy| plans.contains(&busy.plan));
        self.busy = stay;
        end(go, deadline);
    }

    /// A sink begins to send.
    pub(super) fn begin(&mut self, plan: SinkPlan, target: Target, lane: Lane, metrics: SinkMetrics) {
        let progress = Progress { lane, metrics };
        let (end, ends) = watch::channel(None);
        let (alive, ended) = crossbeam_channel::bounded(0);
        // The thread ends after this alone.
        self.begin.send(Begin { target, progress, end: ends, ended: alive }).ok();
        self.busy.push(Busy { plan, end, ended });
    }

    /// Sends what can be sent until `deadline`.
    pub(super) fn stop(self, deadline: Instant) {
        drop(self.begin);
        end(self.busy, deadline);
        if self.thread.join(deadline + GRACE).is_none() {
            tracing::warn!("a sink did not end in time");
        }
    }
}

/// The tasks end by themselves.
fn end(sinks: Vec<Busy>, deadline: Instant) {
    for sink in &sinks {
        sink.end.send_replace(Some(deadline));
    }
    for sink in sinks {
        if matches!(sink.ended.recv_deadline(deadline + GRACE), Err(RecvTimeoutError::Timeout)) {
            tracing::warn!(sink = sink.plan.name, "this sink did not end in time");
        }
    }
}

/// A sink that nothing is connected to yet.
pub(super) struct Target(Kind);

enum Kind {
    Jsonl(Jsonl),
    Webhook(Box<Webhook>),
    Mqtt(Box<Mqtt>),
    Nats(Box<Nats>),
}

impl Target {
    /// # Errors
    /// The sink's certificates cannot be read.
    pub(super) fn new(plan: &SinkPlan, clock: &Clock) -> anyhow::Result<Self> {
        let kind = match &plan.target {
            SinkTarget::Jsonl(plan) => Ok(Kind::Jsonl(Jsonl::new(plan))),
            SinkTarget::Webhook(plan) => Webhook::new(plan, clock.clone()).map(|sink| Kind::Webhook(Box::new(sink))),
            SinkTarget::Mqtt(plan) => Mqtt::new(plan).map(|sink| Kind::Mqtt(Box::new(sink))),
            SinkTarget::Nats(plan) => Nats::new(plan).map(|sink| Kind::Nats(Box::new(sink))),
        };
        Ok(Self(kind.with_context(|| format!("events: sink {}", plan.name))?))
    }

    async fn run(self, progress: Progress, end: watch::Receiver<Option<Instant>>) {
        match self.0 {
            Kind::Jsonl(sink) => run(sink, progress, end).await,
            Kind::Webhook(sink) => run(*sink, progress, end).await,
            Kind::Mqtt(sink) => run(*sink, progress, end).await,
            Kind::Nats(sink) => run(*sink, progress, end).await,
        }
    }
}

/// Works until the end is asked for and nothing waits, an attempt fails then, or the deadline passes.
async fn run(mut sink: impl Sink, mut progress: Progress, mut end: watch::Receiver<Option<Instant>>) {
    let mut ends = end.clone();
    let deadline = async move {
        let asked = ends.wait_for(Option::is_some).await.map(|end| *end).ok().flatten();
        tokio::time::sleep_until(asked.unwrap_or_else(Instant::now).into()).await;
    };
    tokio::select! {
        () = deadline => {}
        () = work(&mut sink, &mut progress, &mut end) => {}
    }
}

async fn work(sink: &mut impl Sink, progress: &mut Progress, end: &mut watch::Receiver<Option<Instant>>) {
    let mut outage = Outage::default();
    loop {
        let ending = end.borrow().is_some();
        if ending && !progress.lane.is_behind() {
            return;
        }
        let result = tokio::select! {
            portion = progress.lane.next(MOST) => {
                progress.metrics.count(EventResult::Dropped, portion.lost);
                if portion.records.is_empty() {
                    continue;
                }
                sink.deliver(&portion.records, progress).await
            }
            trouble = sink.idle() => Err(trouble),
            _ = end.changed(), if !ending => continue,
        };
        match result {
            Ok(()) => outage.over(progress),
            Err(trouble) if ending => {
                outage.began(progress, &trouble);
                return;
            }
            Err(trouble) => {
                let pause = outage.began(progress, &trouble);
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    _ = end.changed() => {}
                }
            }
        }
    }
}

/// Failures in a row: the pauses between them, and one line in the log at each end.
#[derive(Default)]
struct Outage {
    backoff: Backoff,
    since: Option<Instant>,
}

impl Outage {
    /// Gives the pause before the next attempt.
    fn began(&mut self, progress: &Progress, trouble: &Trouble) -> Duration {
        let sink = progress.lane.sink();
        progress.metrics.count(EventResult::Failed, 1);
        let pause = trouble.retry_after.unwrap_or_else(|| self.backoff.next(rand::random()));
        let Trouble { cause, hint, .. } = trouble;
        if self.since.is_none() {
            self.since = Some(Instant::now());
            tracing::warn!(waiting = progress.lane.waiting(), "sink {sink}: {cause} ({hint}); it is tried again");
        } else {
            tracing::debug!(pause_s = pause.as_secs_f64(), "sink {sink}: {cause}");
        }
        pause
    }

    fn over(&mut self, progress: &Progress) {
        self.backoff.reset();
        if let Some(since) = self.since.take() {
            let (sink, waiting) = (progress.lane.sink(), progress.lane.waiting());
            tracing::info!(after_s = since.elapsed().as_secs(), waiting, "sink {sink}: takes events again");
        }
    }
}
