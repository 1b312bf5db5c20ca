//! The queue in which pictures wait until their faces are known.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Cover, Looks, PrivacyConfig, Suspects, Unknown};

/// How long the longest wait of late sets the pace.
const PACE: Duration = Duration::from_secs(3);

struct Waiting<T> {
    time: Duration,
    arrived: Duration,
    /// When its faces became known.
    ready: Option<Duration>,
    picture: T,
}

/// Pictures of one camera in, the same pictures with what must be hidden out: in order, each once, none before its faces
/// are known or [`PrivacyConfig::max_wait`] has passed.
///
/// Analyses come in steps and would let pictures out in bursts; so each picture waits as long as the slowest of the
/// last seconds had to. Who calls [`Gate::take`] with every new picture gets about one old one each time.
///
/// Two times: `time` is the picture's own (running time); `now` is when the call is made, by any clock that only rises.
pub struct Gate<T> {
    config: PrivacyConfig,
    looks: Looks,
    waiting: VecDeque<Waiting<T>>,
    last: Option<Duration>,
    /// Longest waits of this stretch and the one before, and when this one began.
    pace: [Duration; 2],
    stretch: Duration,
    /// Pictures of an earlier stream: to be hidden as a whole.
    cut: usize,
}

impl<T> Gate<T> {
    /// An empty queue.
    pub fn new(config: PrivacyConfig) -> Self {
        Self {
            config,
            looks: Looks::new(config),
            waiting: VecDeque::new(),
            last: None,
            pace: [Duration::ZERO; 2],
            stretch: Duration::ZERO,
            cut: 0,
        }
    }

    /// Hides and waits by other values from now on. What waits and what is known stays.
    pub fn set_config(&mut self, config: PrivacyConfig) {
        self.config = config;
        self.looks.set_config(config);
    }

    /// A picture. A step back in time begins a new stream: analyses so far say nothing about it.
    pub fn push(&mut self, now: Duration, time: Duration, picture: T) {
        if self.last.is_some_and(|last| time < last) {
            self.cut();
        }
        self.last = Some(time);
        self.waiting.push_back(Waiting { time, arrived: now, ready: None, picture });
        self.settle(now);
    }

    /// The analysis of the picture at `time` says where faces may be: at a score far lower than that of a face that
    /// counts.
    pub fn look(&mut self, now: Duration, time: Duration, suspects: &Suspects) {
        self.looks.add(time, suspects);
        self.settle(now);
    }

    /// The stream is another from here on (size, camera): what waits is hidden as a whole, and nothing is known.
    pub fn cut(&mut self) {
        self.cut = self.waiting.len();
        self.last = None;
        self.looks.clear();
    }

    /// Nothing waits and nothing is known any more; gives how many pictures were dropped by that.
    pub fn clear(&mut self) -> usize {
        self.cut = 0;
        self.last = None;
        self.looks.clear();
        std::mem::take(&mut self.waiting).len()
    }

    /// How many pictures wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The next picture that may go, with what must be hidden in it; `None`: none yet. Call it until then.
    pub fn take(&mut self, now: Duration) -> Option<(T, Cover)> {
        let front = self.waiting.front()?;
        let waited = now.saturating_sub(front.arrived);
        let crowded = self.waiting.len() > self.config.max_frames;
        let cover = if self.cut > 0 {
            Cover::Whole(Unknown::First)
        } else {
            match self.looks.cover(front.time) {
                Some(cover) if crowded || waited >= self.delay() => cover,
                None if crowded || waited >= self.config.max_wait => Cover::Whole(self.why(front.time)),
                _ => return None,
            }
        };
        let front = self.waiting.pop_front()?;
        if self.cut > 0 {
            self.cut -= 1;
        } else {
            self.looks.forget_before(front.time);
        }
        Some((front.picture, cover))
    }

    /// How long pictures wait at present.
    pub fn delay(&self) -> Duration {
        self.pace[0].max(self.pace[1]).min(self.config.max_wait)
    }

    fn why(&self, time: Duration) -> Unknown {
        if self.looks.any_before(time) { Unknown::Late } else { Unknown::First }
    }

    /// Notes whose faces have become known, and how long that took.
    fn settle(&mut self, now: Duration) {
        if now.saturating_sub(self.stretch) >= PACE {
            self.pace = [Duration::ZERO, self.pace[0]];
            self.stretch = now;
        }
        for picture in self.waiting.iter_mut().skip(self.cut).filter(|picture| picture.ready.is_none()) {
            if self.looks.reaches(picture.time) {
                picture.ready = Some(now);
                self.pace[0] = self.pace[0].max(now.saturating_sub(picture.arrived));
            }
        }
    }
}
