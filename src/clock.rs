//! What time it is. Whatever counts, stamps or forgets by the time of day asks a [`Clock`], not the system: the system's
//! clock may start in 1970, be set to 2099 and back, or be wrong for a day. How that is told apart: `reckoning`.

mod reckoning;

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus::IntGauge;
use rustix::time::{ClockId, clock_gettime};
use tracing_mutex::parking_lot::Mutex;

pub(crate) use self::reckoning::{Past, Reading};

use self::reckoning::{Change, Doubt, Reckoning};

/// No machine that builds this is right when it says less (2025-01-01), or decades more.
const WRITTEN: Duration = Duration::from_secs(1_735_689_600);

/// Tells the time; clones tell the same.
#[derive(Clone)]
pub struct Clock(Arc<Inner>);

struct Inner {
    hands: Hands,
    reckoning: Mutex<Reckoning>,
    /// 1: the system's clock is not believed.
    suspect: Option<IntGauge>,
}

/// Where the two clocks are.
enum Hands {
    /// The machine's; when the steady one was started.
    Machine(Duration),
    /// Moved by hand: steady, system.
    Moved(Arc<Mutex<(Duration, Duration)>>),
}

impl Clock {
    /// The machine's clock. `suspect` is 1 while it is not believed.
    pub fn system(suspect: IntGauge) -> Self {
        suspect.set(0);
        Self::new(Hands::Machine(since_boot()), built(), Some(suspect))
    }

    /// A clock that goes only as its hands are moved, from `system` on; for tests.
    pub fn by_hand(system: SystemTime) -> (Self, HandsOfClock) {
        let hands = Arc::new(Mutex::new((Duration::ZERO, since_epoch(system))));
        (Self::new(Hands::Moved(Arc::clone(&hands)), WRITTEN, None), HandsOfClock(hands))
    }

    fn new(hands: Hands, built: Duration, suspect: Option<IntGauge>) -> Self {
        Self(Arc::new(Inner { hands, reckoning: Mutex::new(Reckoning::new(built)), suspect }))
    }

    /// The time to go by.
    pub fn wall(&self) -> SystemTime {
        UNIX_EPOCH + self.now().wall
    }

    /// Time since the start, by a clock that nobody sets.
    pub fn steady(&self) -> Duration {
        self.now().steady
    }

    /// All that is known now.
    pub(crate) fn now(&self) -> Reading {
        let (steady, system) = self.0.hands.read();
        let (change, reading) = {
            let mut reckoning = self.0.reckoning.lock();
            let change = reckoning.look(steady, system);
            (change, self.show(&reckoning))
        };
        self.tell(change, system, &reading);
        reading
    }

    /// What runs before have seen; to be told once, before anything is forgotten by age.
    pub(crate) fn know(&self, past: Past) {
        let (steady, system) = self.0.hands.read();
        let (changes, reading) = {
            let mut reckoning = self.0.reckoning.lock();
            let changes = [reckoning.look(steady, system), reckoning.know(past)];
            (changes, self.show(&reckoning))
        };
        changes.into_iter().for_each(|change| self.tell(change, system, &reading));
    }

    /// What the next run is to know.
    pub(crate) fn past(&self) -> Past {
        self.0.reckoning.lock().past()
    }

    fn show(&self, reckoning: &Reckoning) -> Reading {
        let reading = reckoning.reading();
        self.0.suspect.iter().for_each(|gauge| gauge.set(reading.suspect.into()));
        reading
    }

    fn tell(&self, change: Option<Change>, system: Duration, now: &Reading) {
        let [says, wall] = [system, now.wall].map(|time| humantime::format_rfc3339_seconds(UNIX_EPOCH + time));
        match change {
            None => {}
            Some(Change::Doubted(doubt)) => tracing::warn!(
                "the system's clock is not believed: it says {says}, {}; here it is {wall}, and nothing is forgotten by age \
                 meanwhile (is the time synchronised?)",
                why(doubt)
            ),
            Some(Change::Back) => tracing::info!("the system's clock is believed again: it is {wall}"),
            Some(Change::Followed(by_s)) => tracing::info!(
                by_s,
                "the system's clock is believed: it is {wall}; people counted since it was in doubt are moved along"
            ),
        }
    }
}

impl Debug for Clock {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.0.reckoning.lock().reading()).finish()
    }
}

/// Moves a clock that was made by hand.
#[derive(Clone, Debug)]
pub struct HandsOfClock(Arc<Mutex<(Duration, Duration)>>);

impl HandsOfClock {
    /// Time passes.
    pub fn advance(&self, by: Duration) {
        let mut hands = self.0.lock();
        *hands = (hands.0 + by, hands.1 + by);
    }

    /// Somebody sets the system's clock.
    pub fn set(&self, system: SystemTime) {
        self.0.lock().1 = since_epoch(system);
    }
}

impl Hands {
    /// Steady, and since the Unix epoch.
    fn read(&self) -> (Duration, Duration) {
        match self {
            Self::Machine(start) => (since_boot().saturating_sub(*start), since_epoch(SystemTime::now())),
            Self::Moved(hands) => *hands.lock(),
        }
    }
}

fn why(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::BeforeBuild => "which is before this program was built",
        Doubt::FarAhead => "which is decades after this program was built",
        Doubt::Earlier => "which is before the latest time that was seen",
        Doubt::Set => "so it was set",
    }
}

/// As `Instant`, and it goes on while the machine sleeps.
fn since_boot() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// 0 for what is before it.
fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// When this program was built.
fn built() -> Duration {
    let said = option_env!("MASKWATCH_BUILT").and_then(|text| text.parse().ok()).map_or(WRITTEN, Duration::from_secs);
    let decades = Duration::from_secs(20 * 365 * 24 * 3600);
    if (WRITTEN..WRITTEN + decades).contains(&said) { said } else { WRITTEN }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gauge_tells_of_a_clock_that_is_not_believed() {
        let start = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        let gauge = IntGauge::new("suspect", "suspect").unwrap();
        let hands = Arc::new(Mutex::new((Duration::ZERO, since_epoch(start))));
        let clock = Clock::new(Hands::Moved(Arc::clone(&hands)), WRITTEN, Some(gauge.clone()));
        let hands = HandsOfClock(hands);
        assert_eq!((clock.wall(), gauge.get()), (start, 0));
        hands.set(UNIX_EPOCH);
        hands.advance(Duration::from_secs(30));
        assert_eq!((clock.wall(), gauge.get()), (start + Duration::from_secs(30), 1));
        hands.set(start + Duration::from_secs(40));
        hands.advance(Duration::from_secs(10));
        assert_eq!((clock.steady(), gauge.get()), (Duration::from_secs(40), 1), "ten seconds off");
        hands.set(start + Duration::from_secs(40));
        assert_eq!((clock.wall(), gauge.get()), (start + Duration::from_secs(40), 0));
    }

    #[test]
    fn the_machines_clock_is_right_here() {
        let clock = Clock::system(IntGauge::new("suspect", "suspect").unwrap());
        let (reading, system) = (clock.now(), SystemTime::now());
        assert!(!reading.suspect && reading.sure <= reading.wall);
        let away = system.duration_since(UNIX_EPOCH + reading.wall).unwrap();
        assert!(away < Duration::from_secs(2), "{away:?}");
        assert!(built() > WRITTEN, "told by build.rs");
    }
}
