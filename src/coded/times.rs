//! When pictures of a file are due: by their own times, round after round without a seam. Pure.
//!
//! Pictures come in the order in which they are decoded. Their times may begin anywhere, may be those of showing only
//! (Matroska), those of decoding only (AVI, raw streams) or none (raw Motion JPEG), and may jump.

use std::collections::VecDeque;
use std::time::Duration;

/// Interval of pictures where nothing tells it.
pub(crate) const USUAL: Duration = Duration::from_millis(40);
/// A longer pause in a file is a jump of its clock, or was cut out.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A step back by more is a jump, too.
const LONGEST_BACK: Duration = Duration::from_secs(1);
/// Pictures that are looked ahead to order times of showing: H.264 and H.265 let a picture wait for 16 others.
pub(crate) const REORDER: usize = 17;

/// A picture's times as the file has them, in nanoseconds of the file's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) shown: Option<u64>,
    pub(crate) decoded: Option<u64>,
    /// How long it is shown.
    pub(crate) lasts: Option<u64>,
}

/// When a picture is handed on, since the first picture of the first round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// The moment; never less than that of the picture before.
    pub(crate) at: Duration,
    /// When it is shown; `None` where only the decoder knows.
    pub(crate) shown: Option<Duration>,
}

/// Orders one camera's pictures in time.
#[derive(Debug)]
pub(crate) struct Times<T> {
    /// How many pictures are looked ahead where the order of decoding has no times.
    window: usize,
    waiting: VecDeque<(Stamp, T)>,
    /// Times of showing that wait for a picture to be due, ascending.
    unused: VecDeque<u64>,
    /// Where the file's clock `.0` stands at our time `.1`; `None` before a round's first picture.
    anchor: Option<(u64, Duration)>,
    last: Option<Duration>,
    /// From one picture to the next, where the file does not tell.
    interval: Duration,
    /// By how much times of showing lie behind the order of decoding.
    shift: u64,
}

impl<T> Times<T> {
    /// `window`: how many pictures may be looked ahead; 0 where what comes is live.
    pub(crate) fn new(window: usize) -> Self {
        Self {
            window,
            waiting: VecDeque::new(),
            unused: VecDeque::new(),
            anchor: None,
            last: None,
            interval: USUAL,
            shift: 0,
        }
    }

    /// What the stream says of its rate.
    pub(crate) fn set_interval(&mut self, interval: Duration) {
        if !interval.is_zero() && interval <= LONGEST_PAUSE {
            self.interval = interval;
        }
    }

    /// The next picture in the order of decoding.
    pub(crate) fn push(&mut self, stamp: Stamp, picture: T) {
        if let (None, Some(shown)) = (stamp.decoded, stamp.shown) {
            let place = self.unused.partition_point(|&other| other <= shown);
            self.unused.insert(place, shown);
        }
        self.waiting.push_back((stamp, picture));
    }

    /// The next picture whose turn is known. `last`: no more is pushed in this round.
    pub(crate) fn pop(&mut self, last: bool) -> Option<(Due, T)> {
        let (stamp, _) = self.waiting.front()?;
        let by_showing = stamp.decoded.is_none() && stamp.shown.is_some();
        if by_showing && !last && self.waiting.len() <= self.window {
            return None;
        }
        if by_showing && self.anchor.is_none() {
            self.shift = self.shift.max(self.behind());
        }
        let (stamp, picture) = self.waiting.pop_front()?;
        let clock = if by_showing { self.unused.pop_front() } else { stamp.decoded };
        let at = self.due(clock);
        let shown = stamp.shown.map(|shown| {
            let shown = shown.saturating_add(if by_showing { self.shift } else { 0 });
            let time = since(self.anchor.unwrap_or((shown, at)), shown);
            Duration::from_nanos(u64::try_from(time.max(0)).unwrap_or(u64::MAX))
        });
        if let Some(lasts) = stamp.lasts {
            self.set_interval(Duration::from_nanos(lasts));
        }
        self.last = Some(at);
        Some((Due { at, shown }, picture))
    }

    /// The round is over: the next picture is the first of another, due when the last one's time is up.
    pub(crate) fn seam(&mut self) {
        self.anchor = None;
        self.waiting.clear();
        self.unused.clear();
    }

    /// Our time for a moment of the file's clock.
    fn due(&mut self, clock: Option<u64>) -> Duration {
        let next = self.last.map_or(Duration::ZERO, |last| last + self.interval);
        let Some(clock) = clock else { return next };
        if let Some(anchor) = self.anchor {
            let last = self.last.unwrap_or(anchor.1);
            let step = since(anchor, clock) - nanoseconds(last);
            if step <= nanoseconds(LONGEST_PAUSE) && step >= -nanoseconds(LONGEST_BACK) {
                return last + Duration::from_nanos(u64::try_from(step).unwrap_or(0));
            }
        }
        self.anchor = Some((clock, next));
        next
    }

    /// The most by which a waiting picture is shown before its turn in decoding comes.
    fn behind(&self) -> u64 {
        let stamps =
            self.waiting.iter().filter(|(stamp, _)| stamp.decoded.is_none()).filter_map(|(stamp, _)| stamp.shown);
        stamps.zip(&self.unused).map(|(shown, &turn)| turn.saturating_sub(shown)).max().unwrap_or(0)
    }
}

/// From one picture to the next, as the stream says.
pub(crate) fn interval(caps: &gst::Caps) -> Option<Duration> {
    let rate = caps.structure(0)?.get::<gst::Fraction>("framerate").ok()?;
    (rate.numer() > 0 && rate.denom() > 0)
        .then(|| Duration::from_secs_f64(f64::from(rate.denom()) / f64::from(rate.numer())))
}

/// Our time for a moment of the file's clock, in nanoseconds; less than none before the first round's begin.
fn since((from, to): (u64, Duration), moment: u64) -> i128 {
    nanoseconds(to) + i128::from(moment) - i128::from(from)
}

fn nanoseconds(time: Duration) -> i128 {
    i128::try_from(time.as_nanos()).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: u64 = 1_000_000;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn stamp(shown: Option<u64>, decoded: Option<u64>) -> Stamp {
        Stamp { shown: shown.map(|n| n * MS), decoded: decoded.map(|n| n * MS), lasts: None }
    }

    /// Plays rounds of the same pictures.
    fn play(times: &mut Times<usize>, stamps: &[Stamp], rounds: usize) -> Vec<Due> {
        let mut dues = Vec::new();
        for _ in 0..rounds {
            let mut order = Vec::new();
            for (index, &stamp) in stamps.iter().enumerate() {
                times.push(stamp, index);
                while let Some((due, index)) = times.pop(false) {
                    dues.push(due);
                    order.push(index);
                }
            }
            while let Some((due, index)) = times.pop(true) {
                dues.push(due);
                order.push(index);
            }
            assert_eq!(order, (0..stamps.len()).collect::<Vec<_>>(), "in the order in which they came");
            times.seam();
        }
        dues
    }

    fn at(dues: &[Due]) -> Vec<u64> {
        dues.iter().map(|due| due.at.as_millis() as u64).collect()
    }

    fn shown(dues: &[Due]) -> Vec<u64> {
        dues.iter().filter_map(|due| Some(due.shown?.as_millis() as u64)).collect()
    }

    #[test]
    fn both_times_go_on_over_the_seam() {
        let stamps = [(780, 700), (900, 740), (820, 780), (860, 820)].map(|(s, d)| stamp(Some(s), Some(d)));
        let dues = play(&mut Times::new(REORDER), &stamps, 2);
        assert_eq!(at(&dues), [0, 40, 80, 120, 160, 200, 240, 280]);
        assert_eq!(shown(&dues), [80, 200, 120, 160, 240, 360, 280, 320]);
    }

    #[test]
    fn times_of_showing_alone_are_put_in_order() {
        let stamps = [23, 143, 63, 103, 263, 183, 223].map(|shown| stamp(Some(shown), None));
        let dues = play(&mut Times::new(REORDER), &stamps, 2);
        assert_eq!(at(&dues), (0..14).map(|n| n * 40).collect::<Vec<_>>());
        assert!(dues.iter().all(|due| due.shown >= Some(due.at)));
        assert_eq!(shown(&dues)[..7], [40, 160, 80, 120, 280, 200, 240]);
        assert_eq!(shown(&dues)[7], 320);
    }

    #[test]
    fn times_of_decoding_alone_leave_the_showing_to_the_decoder() {
        let stamps = [0, 40, 80].map(|decoded| stamp(None, Some(decoded)));
        let dues = play(&mut Times::new(REORDER), &stamps, 2);
        assert_eq!((at(&dues), shown(&dues)), (vec![0, 40, 80, 120, 160, 200], vec![]));
    }

    #[test]
    fn without_times_the_rate_counts() {
        let mut times = Times::new(REORDER);
        times.set_interval(ms(100));
        assert_eq!(at(&play(&mut times, &[Stamp::default(); 2], 2)), [0, 100, 200, 300]);
        let one = Stamp { shown: Some(5), decoded: Some(5), lasts: Some(500 * MS) };
        assert_eq!(at(&play(&mut Times::new(REORDER), &[one], 3)), [0, 500, 1000], "one picture, as long as it lasts");
        assert_eq!(at(&play(&mut Times::new(REORDER), &[Stamp::default()], 3)), [0, 40, 80]);
    }

    #[test]
    fn jumps_of_the_clock_are_closed() {
        let stamps = [0, 40, 3_600_000, 3_600_040, 10, 50].map(|n| stamp(Some(n), Some(n)));
        assert_eq!(at(&play(&mut Times::new(REORDER), &stamps, 1)), [0, 40, 80, 120, 160, 200]);
        let slow = [0, 5000, 10_000].map(|n| stamp(Some(n), Some(n)));
        assert_eq!(at(&play(&mut Times::new(REORDER), &slow, 1)), [0, 5000, 10_000], "a slow file is no jump");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_time_never_goes_back(
            stamps in prop::collection::vec((prop::option::of(0u64..u64::MAX), prop::option::of(0u64..100_000_000_000),
                prop::option::of(0u64..u64::MAX)), 1..60),
            window in 0usize..20,
            rounds in 1usize..4,
        ) {
            let stamps: Vec<_> = stamps.into_iter().map(|(shown, decoded, lasts)| Stamp { shown, decoded, lasts }).collect();
            let dues = play(&mut Times::new(window), &stamps, rounds);
            prop_assert_eq!(dues.len(), stamps.len() * rounds);
            prop_assert!(dues.windows(2).all(|pair| pair[0].at <= pair[1].at && pair[1].at - pair[0].at <= LONGEST_PAUSE));
        }
    }
}
