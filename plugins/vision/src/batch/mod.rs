//! Which waiting frames form the next batch, and when.
//!
//! A pure state machine: cameras register, say that a frame has arrived, and the owner of the executor asks
//! [`BatchPolicy::next`]. The policy holds no frames, only camera numbers and times, so a caller keeps one slot per
//! camera beside it.
//!
//! The rules:
//! * A free executor and a waiting frame: run at once. Frames wait only while the executor is busy, and so batches form
//!   by themselves as load rises.
//! * One slot per camera, the newest frame wins. No camera is in a batch twice.
//! * A batch is *full* when every active camera is in it. A silent camera stops being active after a few of its own
//!   frame intervals and is active again with its next frame; it never delays anybody.
//! * When more wait than fit, those past their deadline go first, and weights decide within a rank.

use std::collections::BTreeMap;
use std::time::Duration;

/// How batches are formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchConfig {
    /// Most frames in one batch, at least 1.
    pub max_batch: usize,
    /// A frame that has waited this long is overdue: it goes before those that are not.
    pub max_wait: Duration,
    /// A camera is active for this many of its own frame intervals after its latest frame.
    pub active_intervals: u32,
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self { max_batch: 16, max_wait: Duration::from_millis(20), active_intervals: 3 }
    }
}

/// Why a batch was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BatchReason {
    /// Every active camera is in it, or it has the greatest size.
    Full,
    /// Its oldest frame was overdue.
    Deadline,
    /// The executor was free.
    Idle,
    /// [`BatchPolicy::flush`] was called.
    Flush,
}

impl BatchReason {
    /// All reasons, in the order in which they are exported.
    pub const ALL: [Self; 4] = [Self::Full, Self::Deadline, Self::Idle, Self::Flush];

    /// The name used in metrics: `full`, `deadline`, `idle`, `flush`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Deadline => "deadline",
            Self::Idle => "idle",
            Self::Flush => "flush",
        }
    }
}

/// What became of an arriving frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It waits.
    Queued,
    /// It waits in place of an older frame of the same camera, which is superseded.
    Replaced,
    /// The camera is not registered (any more): the frame does not wait.
    Unregistered,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Run the waiting frames of these cameras; they no longer wait.
    Run {
        /// Each camera at most once.
        cameras: Vec<u64>,
        /// Why now.
        reason: BatchReason,
    },
    /// Nothing to run. Look again when a frame arrives, when the executor becomes free, or at this time.
    Wait(Option<Duration>),
}

/// A camera that has shown one frame only, and so no interval, is active for this long.
const UNKNOWN_INTERVAL_ACTIVE: Duration = Duration::from_secs(1);

/// Weight of the newest interval in a camera's measured frame interval (an exponential moving average).
const INTERVAL_GAIN: f64 = 0.25;

/// The credit that one frame costs. Large, so that rounding down a share does not matter.
const FRAME_CREDIT: i64 = 1 << 24;

/// What the policy knows of one camera.
#[derive(Clone, Debug)]
struct Slot {
    /// Share of a contested executor, relative to the other cameras. At least 1.
    weight: u64,
    /// Since when a frame has waited, without a break: a newer frame in the same slot does not set it back.
    waiting_since: Option<Duration>,
    /// When the latest frame arrived.
    last_arrival: Option<Duration>,
    /// Measured time between frames.
    interval: Option<Duration>,
    /// Share of the executor still owed to it (negative: had in advance), in parts of [`FRAME_CREDIT`].
    credit: i64,
    /// The waiting frame is to leave under [`BatchReason::Flush`].
    flush: bool,
}

impl Slot {
    /// Until when the camera counts as active.
    fn active_until(&self, intervals: u32) -> Option<Duration> {
        let active = self.interval.map_or(UNKNOWN_INTERVAL_ACTIVE, |i| i.saturating_mul(intervals.max(1)));
        self.last_arrival.map(|last| last.saturating_add(active))
    }

    /// Takes the arrival at `now` into the measured interval. A silence counts as the longest gap in which the camera
    /// would still have been active, so that one outage does not make a slow camera of it, and a real change of rate
    /// is followed within a few frames.
    fn measure(&mut self, now: Duration, intervals: u32) {
        if let Some(gap) = self.last_arrival.and_then(|last| now.checked_sub(last)) {
            self.interval = Some(match self.interval {
                None => gap.min(UNKNOWN_INTERVAL_ACTIVE),
                Some(mean) => {
                    let gap = gap.min(mean.saturating_mul(intervals.max(2)).max(Duration::from_millis(1)));
                    mean.mul_f64(1.0 - INTERVAL_GAIN).saturating_add(gap.mul_f64(INTERVAL_GAIN))
                }
            });
        }
        self.last_arrival = Some(now);
    }
}

/// The batching policy of one executor.
#[derive(Clone, Debug)]
pub struct BatchPolicy {
    config: BatchConfig,
    slots: BTreeMap<u64, Slot>,
}

impl BatchPolicy {
    /// A policy without cameras.
    pub fn new(config: BatchConfig) -> Self {
        let config = BatchConfig { max_batch: config.max_batch.max(1), ..config };
        Self { config, slots: BTreeMap::new() }
    }

    /// Adds a camera, or changes the weight of one that is there. A weight of 0 counts as 1.
    pub fn register(&mut self, camera: u64, weight: u32) {
        let weight = u64::from(weight.max(1));
        self.slots.entry(camera).and_modify(|slot| slot.weight = weight).or_insert(Slot {
            weight,
            waiting_since: None,
            last_arrival: None,
            interval: None,
            credit: 0,
            flush: false,
        });
    }

    /// Removes a camera. True when a frame of it waited; that frame will be in no batch.
    pub fn unregister(&mut self, camera: u64) -> bool {
        self.slots.remove(&camera).is_some_and(|slot| slot.waiting_since.is_some())
    }

    /// Takes back a camera's waiting frame. True when one waited. The camera stays registered.
    pub fn withdraw(&mut self, camera: u64) -> bool {
        let Some(slot) = self.slots.get_mut(&camera) else { return false };
        slot.flush = false;
        slot.waiting_since.take().is_some()
    }

    /// A frame of `camera` arrives at `now`.
    pub fn arrive(&mut self, camera: u64, now: Duration) -> Arrival {
        let intervals = self.config.active_intervals;
        let Some(slot) = self.slots.get_mut(&camera) else { return Arrival::Unregistered };
        slot.measure(now, intervals);
        if slot.waiting_since.is_some() {
            return Arrival::Replaced;
        }
        slot.waiting_since = Some(now);
        Arrival::Queued
    }

    /// What to do at `now`.
    ///
    /// With a free executor and a waiting frame the answer is always [`Decision::Run`]. With a busy one it is
    /// [`Decision::Wait`], until the oldest frame becomes overdue if that is still to come.
    pub fn next(&mut self, now: Duration, executor_free: bool) -> Decision {
        let Some(oldest) = self.slots.values().filter_map(|slot| slot.waiting_since).min() else {
            return Decision::Wait(None);
        };
        let due = oldest.saturating_add(self.config.max_wait);
        if !executor_free {
            return Decision::Wait((due > now).then_some(due));
        }
        let cameras = self.choose(now);
        let reason = self.reason(&cameras, now, due <= now);
        for camera in &cameras {
            if let Some(slot) = self.slots.get_mut(camera) {
                slot.waiting_since = None;
                slot.flush = false;
            }
        }
        Decision::Run { cameras, reason }
    }

    /// What waits now will be run under [`BatchReason::Flush`], before later frames of other cameras, in batches of at
    /// most the greatest size.
    pub fn flush(&mut self) {
        for slot in self.slots.values_mut() {
            slot.flush = slot.waiting_since.is_some();
        }
    }

    /// Number of frames that wait.
    pub fn waiting(&self) -> usize {
        self.slots.values().filter(|slot| slot.waiting_since.is_some()).count()
    }

    /// Number of cameras that count for a full batch at `now`.
    pub fn active(&self, now: Duration) -> usize {
        self.slots.values().filter(|slot| self.is_active(slot, now)).count()
    }

    fn is_active(&self, slot: &Slot, now: Duration) -> bool {
        slot.active_until(self.config.active_intervals).is_some_and(|until| now <= until)
    }

    fn reason(&self, cameras: &[u64], now: Duration, overdue: bool) -> BatchReason {
        if cameras.iter().any(|camera| self.slots.get(camera).is_some_and(|slot| slot.flush)) {
            return BatchReason::Flush;
        }
        let missing = self.slots.iter().any(|(id, slot)| self.is_active(slot, now) && !cameras.contains(id));
        match (cameras.len() >= self.config.max_batch || !missing, overdue) {
            (true, _) => BatchReason::Full,
            (false, true) => BatchReason::Deadline,
            (false, false) => BatchReason::Idle,
        }
    }

    /// The cameras of the next batch: flushed ones first, then overdue ones, then the rest. Where a rank does not fit
    /// whole, the room is shared by weight.
    fn choose(&mut self, now: Duration) -> Vec<u64> {
        let mut ranks: [Vec<u64>; 3] = Default::default();
        for (&camera, slot) in &self.slots {
            let Some(since) = slot.waiting_since else { continue };
            let overdue = since.saturating_add(self.config.max_wait) <= now;
            let rank = if slot.flush { 0 } else { usize::from(!overdue) + 1 };
            ranks[rank].push(camera);
        }
        let mut chosen = Vec::new();
        for rank in ranks {
            let room = self.config.max_batch - chosen.len();
            if rank.len() <= room {
                chosen.extend(rank);
            } else {
                self.share(rank, room, &mut chosen);
            }
        }
        chosen
    }

    /// Fills `room` from `waiting`, which are more, in proportion to their weights.
    ///
    /// Each batch a camera earns its share of the room, and being served costs one frame; those with most credit are
    /// served. Earnings and costs of a batch are equal, so credit neither grows nor falls over time, shares follow the
    /// weights and nobody waits for ever. This is deficit round robin (Shreedhar and Varghese, 1995) for batches: there,
    /// a queue may be served several times in a row, here a camera has one frame, and rounds that end within a batch
    /// would cost heavy cameras a part of their share. A camera whose share is a whole frame is always served.
    fn share(&mut self, mut waiting: Vec<u64>, mut room: usize, chosen: &mut Vec<u64>) {
        let weight = |camera: &u64| self.slots.get(camera).map_or(1, |slot| slot.weight);
        waiting.sort_by_key(|camera| std::cmp::Reverse(weight(camera)));
        let mut total: u64 = waiting.iter().map(weight).sum();
        let sure = waiting
            .iter()
            .take_while(|camera| {
                let weight = weight(camera);
                let sure = room > 0 && weight.saturating_mul(room as u64) >= total;
                if sure {
                    room -= 1;
                    total -= weight;
                }
                sure
            })
            .count();
        let mut contested = waiting.split_off(sure);
        chosen.extend(waiting);
        for camera in &contested {
            if let Some(slot) = self.slots.get_mut(camera) {
                let share =
                    (u128::from(slot.weight) * room as u128 * FRAME_CREDIT as u128 / u128::from(total.max(1))) as i64;
                slot.credit = (slot.credit + share).clamp(-2 * FRAME_CREDIT, 2 * FRAME_CREDIT);
            }
        }
        let rank = |camera: &u64| self.slots.get(camera).map(|s| (std::cmp::Reverse(s.credit), s.waiting_since));
        contested.sort_by_key(|camera| (rank(camera), *camera));
        for camera in contested.into_iter().take(room) {
            if let Some(slot) = self.slots.get_mut(&camera) {
                slot.credit -= FRAME_CREDIT;
            }
            chosen.push(camera);
        }
    }
}
