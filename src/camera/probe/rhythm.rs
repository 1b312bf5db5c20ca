//! What the times, sizes and kinds of a stream's coded pictures say of it. Pure.

use std::time::Duration;

/// The most pictures that any coding lets one wait for.
const MOST_REORDERED: usize = 16;
/// Timestamps further apart than this are a leap of the clock, not another order.
const LEAP: Duration = Duration::from_secs(2);
/// How far the camera's clock may be from ours before it is not believed: a burst at the start is no wrong clock.
const BELIEVED: std::ops::Range<f64> = 0.67..1.5;
/// Time over which two clocks can be compared.
const COMPARABLE: f64 = 1.5;

/// A coded picture, in the order of decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sighting {
    /// When it came, since any fixed moment.
    pub(super) at: Duration,
    /// When it is to be shown, by the source's clock.
    pub(super) pts: Option<Duration>,
    /// Its size.
    pub(super) bytes: usize,
    /// It needs no other picture.
    pub(super) keyframe: bool,
}

/// What follows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rhythm {
    /// Pictures per second.
    pub(super) rate: Option<f64>,
    /// Pictures per second by the camera's clock, where that is not to be believed.
    pub(super) wrong_clock: Option<f64>,
    /// Thousand bits per second.
    pub(super) bitrate_kbps: Option<f64>,
    /// Pictures that need no other.
    pub(super) keyframes: u64,
    /// The longest way from one of them to the next: seconds and pictures.
    pub(super) distance: Option<(f64, u64)>,
    /// Time since the last of them.
    pub(super) since_keyframe_s: Option<f64>,
    /// The most pictures that one is sent after and shown before.
    pub(super) reordered: usize,
}

impl Rhythm {
    /// `live`: they came as they were made; else as fast as they were asked for.
    pub(super) fn of(pictures: &[Sighting], live: bool) -> Self {
        let shown: Vec<Duration> = pictures.iter().filter_map(|picture| picture.pts).collect();
        let whole = shown.len() == pictures.len();
        let came = pictures.first().zip(pictures.last()).map(|(first, last)| last.at - first.at);
        let came = came.map_or(0.0, |span| span.as_secs_f64());
        let own = shown.iter().max().zip(shown.iter().min()).map(|(last, first)| *last - *first);
        let own = own.map(|span| span.as_secs_f64()).filter(|span| whole && *span > 0.0);
        let comparable = live && came >= COMPARABLE;
        let believed = own.filter(|own| !comparable || BELIEVED.contains(&(own / came)));
        let span = believed.unwrap_or(came);
        let steps = pictures.len().saturating_sub(1) as f64;
        let per_second = |span: f64| (span > 0.0 && steps > 0.0).then(|| steps / span);
        let rate = per_second(span);
        let bytes: usize = pictures.iter().skip(1).map(|picture| picture.bytes).sum();
        let keys: Vec<usize> = (0..pictures.len()).filter(|&index| pictures[index].keyframe).collect();
        let longest = keys.windows(2).map(|pair| pair[1] - pair[0]).max();
        let seconds = |pictures: usize| rate.map(|rate| pictures as f64 / rate);
        Self {
            rate,
            wrong_clock: if believed.is_none() { own.and_then(per_second) } else { None },
            bitrate_kbps: rate.map(|_| bytes as f64 * 8.0 / span / 1000.0),
            keyframes: keys.len() as u64,
            distance: longest.and_then(|pictures| Some((seconds(pictures)?, pictures as u64))),
            since_keyframe_s: keys.last().and_then(|&last| seconds(pictures.len() - 1 - last)),
            reordered: if whole { reordered(&shown) } else { 0 },
        }
    }
}

/// The most pictures before one, in the order of decoding, that are shown after it.
fn reordered(shown: &[Duration]) -> usize {
    let overtaken = |index: usize| {
        let before = &shown[index.saturating_sub(2 * MOST_REORDERED)..index];
        before.iter().filter(|other| **other > shown[index] && **other - shown[index] < LEAP).count()
    };
    (0..shown.len()).map(overtaken).max().unwrap_or(0).min(MOST_REORDERED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// Pictures 40 ms apart, shown in that order; every 25th a keyframe; 1000 bytes each.
    fn pictures(order: &[u64]) -> Vec<Sighting> {
        let picture = |(index, shown): (usize, &u64)| Sighting {
            at: ms(index as u64 * 40),
            pts: Some(ms(shown * 40)),
            bytes: 1000,
            keyframe: index % 25 == 0,
        };
        order.iter().enumerate().map(picture).collect()
    }

    fn near(found: Option<f64>, wanted: f64) -> bool {
        found.is_some_and(|found| (found / wanted - 1.0).abs() < 0.01)
    }

    #[test]
    fn a_plain_stream() {
        let found = Rhythm::of(&pictures(&(0..101).collect::<Vec<_>>()), true);
        assert!(near(found.rate, 25.0) && near(found.bitrate_kbps, 200.0), "{found:?}");
        assert_eq!((found.keyframes, found.reordered, found.wrong_clock), (5, 0, None));
        let (seconds, count) = found.distance.unwrap();
        assert!((seconds - 1.0).abs() < 0.01 && count == 25, "{found:?}");
    }

    #[test]
    fn the_order_tells_how_many_a_picture_waits_for() {
        for (order, wanted) in [
            (vec![0, 2, 1, 4, 3, 6, 5], 1),
            (vec![0, 3, 1, 2, 6, 4, 5], 1),
            (vec![0, 4, 2, 1, 3, 8, 6, 5, 7], 2),
            (vec![0, 8, 4, 2, 1, 3, 6, 5, 7], 3),
            (vec![0, 1, 2, 3, 4], 0),
        ] {
            assert_eq!(Rhythm::of(&pictures(&order), true).reordered, wanted, "{order:?}");
        }
        assert_eq!(Rhythm::of(&pictures(&[300, 301, 302, 0, 1, 2]), true).reordered, 0, "a clock that was set back");
    }

    #[test]
    fn a_wrong_clock_is_not_believed() {
        let mut fast = pictures(&(0..101).collect::<Vec<_>>());
        for picture in &mut fast {
            picture.pts = picture.pts.map(|pts| pts * 4);
        }
        let found = Rhythm::of(&fast, true);
        assert!(near(found.rate, 25.0) && near(found.wrong_clock, 6.25), "{found:?}");
        let file = Rhythm::of(&fast, false);
        assert!(
            near(file.rate, 6.25) && file.wrong_clock.is_none(),
            "a file is read as fast as it is wanted: {file:?}"
        );
    }

    #[test]
    fn the_last_keyframe_may_be_long_ago() {
        let mut sparse = pictures(&(0..101).collect::<Vec<_>>());
        for picture in &mut sparse[1..] {
            picture.keyframe = false;
        }
        let found = Rhythm::of(&sparse, true);
        assert_eq!((found.keyframes, found.distance), (1, None));
        assert!(near(found.since_keyframe_s, 4.0), "{found:?}");
    }

    #[test]
    fn little_says_little() {
        assert_eq!(Rhythm::of(&[], true), Rhythm::default());
        let one = Rhythm::of(&pictures(&[0]), true);
        assert_eq!((one.rate, one.bitrate_kbps, one.keyframes), (None, None, 1));
        let untimed: Vec<_> =
            pictures(&(0..51).collect::<Vec<_>>()).iter().map(|p| Sighting { pts: None, ..*p }).collect();
        assert!(near(Rhythm::of(&untimed, true).rate, 25.0));
    }
}
