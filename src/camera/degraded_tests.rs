//! When a camera is degraded, by what, and what is said of it.

use proptest::prelude::*;

use super::*;

/// What one second brings.
#[derive(Clone, Copy, Debug, Default)]
struct Second {
    received: u64,
    gate: u64,
    late: u64,
    /// What a decoder keeps for good.
    swallowed: u64,
    packets_lost: u64,
}

impl Second {
    fn decoded(self) -> u64 {
        self.received - self.gate - self.late - self.swallowed
    }
}

/// A connection that is looked at after each second.
#[derive(Default)]
struct Line {
    fitness: Fitness,
    counts: Counts,
    now: u64,
    announced: Option<f64>,
}

impl Line {
    fn announcing(rate: f64) -> Self {
        Self { announced: Some(rate), ..Self::default() }
    }

    fn second(&mut self, second: Second) -> Option<Finding> {
        if self.now == 0 {
            assert_eq!(self.look(), None);
        }
        self.now += 1;
        self.counts.received += second.received;
        self.counts.decoded += second.decoded();
        self.counts.lost[PictureLoss::Gate as usize] += second.gate;
        self.counts.lost[PictureLoss::Late as usize] += second.late;
        self.counts.packets_lost += second.packets_lost;
        self.look()
    }

    fn look(&mut self) -> Option<Finding> {
        self.fitness.look(Duration::from_secs(self.now), self.counts, self.announced)
    }

    /// What comes of so many such seconds, with the second of each news.
    fn seconds(&mut self, count: u64, second: Second) -> Vec<(u64, Option<DegradedReason>)> {
        let mut news = Vec::new();
        for _ in 0..count {
            match self.second(second) {
                Some(Finding::Degraded { shortfall, news: true }) => news.push((self.now, Some(shortfall.reason))),
                Some(Finding::Restored) => news.push((self.now, None)),
                _ => {}
            }
        }
        news
    }

    /// The sentence after so many such seconds.
    fn says(mut self, count: u64, second: Second, origin: Origin) -> String {
        let last = (0..count).filter_map(|_| self.second(second)).last();
        let Some(Finding::Degraded { shortfall, .. }) = last else { panic!("not degraded: {last:?}") };
        shortfall.sentence(origin)
    }
}

const WELL: Second = Second { received: 25, gate: 0, late: 0, swallowed: 0, packets_lost: 0 };
const LOSSY: Second = Second { gate: 10, packets_lost: 4, ..WELL };
const LATE: Second = Second { late: 10, ..WELL };

#[test]
fn a_camera_is_degraded_after_ten_seconds_and_restored_after_ten_good_ones() {
    let mut line = Line::announcing(25.0);
    assert_eq!(line.seconds(30, LOSSY), [(10, Some(DegradedReason::Loss))]);
    // Nine tenths of a window: three seconds of it may still be of before.
    assert_eq!(line.seconds(30, WELL), [(38, None)]);
    assert_eq!(line.seconds(30, LATE), [(66, Some(DegradedReason::Late))]);
}

#[test]
fn between_the_two_shares_it_stays_as_it_is() {
    let mut line = Line::default();
    let fair = Second { swallowed: 4, ..WELL };
    assert_eq!(line.seconds(60, fair), [], "84 % is enough");
    assert_eq!(line.seconds(20, LOSSY).len(), 1);
    assert_eq!(line.seconds(60, fair).iter().filter(|(_, reason)| reason.is_none()).count(), 0, "but no recovery");
    assert_eq!(line.seconds(20, WELL).len(), 1);
}

#[test]
fn the_reason_is_what_most_is_missing_for() {
    let cases = [
        (LOSSY, Some(25.0), DegradedReason::Loss),
        (LATE, Some(25.0), DegradedReason::Late),
        (Second { swallowed: 10, ..WELL }, None, DegradedReason::Decoder),
        (Second { received: 12, ..WELL }, Some(25.0), DegradedReason::Rate),
        (Second { gate: 3, late: 6, packets_lost: 2, ..WELL }, None, DegradedReason::Late),
        // Whole pictures were lost, or what came of the rest was of no use.
        (Second { received: 15, packets_lost: 10, ..WELL }, Some(25.0), DegradedReason::Loss),
        (Second { swallowed: 8, packets_lost: 9, ..WELL }, None, DegradedReason::Loss),
        // It sends less than it says, but what is wrong is what becomes of that.
        (Second { received: 10, gate: 4, packets_lost: 1, ..WELL }, Some(25.0), DegradedReason::Loss),
        // A packet now and then does not explain a camera that sends half.
        (Second { received: 12, packets_lost: 1, ..WELL }, Some(25.0), DegradedReason::Rate),
    ];
    for (second, announced, reason) in cases {
        let mut line = Line { announced, ..Line::default() };
        assert_eq!(line.seconds(12, second), [(10, Some(reason))], "{second:?} {announced:?}");
    }
}

#[test]
fn the_reason_changes_only_for_a_much_stronger_one() {
    let mut line = Line::default();
    assert_eq!(line.seconds(12, LOSSY), [(10, Some(DegradedReason::Loss))]);
    let both = |gate, late| Second { gate, late, packets_lost: 4, ..WELL };
    assert_eq!(line.seconds(40, both(6, 8)), [], "they are alike");
    let [(_, Some(DegradedReason::Late))] = line.seconds(40, both(1, 12))[..] else { panic!("it stays") };
}

#[test]
fn slow_cameras_are_judged_by_pictures_that_are_really_missing() {
    for announced in [None, Some(0.5)] {
        let mut line = Line { announced, ..Line::default() };
        let picture = Second { received: 1, ..Second::default() };
        let every_two = |line: &mut Line, picture: Second| {
            (0..40)
                .flat_map(|_| [line.seconds(1, picture), line.seconds(1, Second::default())].concat())
                .collect::<Vec<_>>()
        };
        assert_eq!(every_two(&mut line, picture), []);
        // One in the decoder more than before.
        line.counts.received += 1;
        assert_eq!(every_two(&mut line, picture), []);
        let swallowed = Second { swallowed: 1, ..picture };
        let [(_, Some(DegradedReason::Decoder))] = every_two(&mut line, swallowed)[..] else { panic!("{announced:?}") };
    }
}

#[test]
fn silence_is_judged_only_where_something_was_announced() {
    let mut line = Line::default();
    assert_eq!(line.seconds(12, WELL), []);
    assert_eq!(line.seconds(30, Second::default()), [], "another matter: it freezes");
    let mut line = Line::default();
    assert_eq!(line.seconds(12, LOSSY).len(), 1);
    let after = line.seconds(30, Second::default());
    assert!(after.is_empty(), "nothing came that would show it to be well: {after:?}");
    let mut line = Line::announcing(25.0);
    assert_eq!(line.seconds(12, WELL), []);
    assert_eq!(line.seconds(30, Second::default()), [(15, Some(DegradedReason::Rate))]);
}

#[test]
fn a_rate_that_changes_is_judged_once_it_has_held_for_a_window() {
    let mut line = Line::announcing(12.5);
    let slow = Second { received: 12, ..WELL };
    assert_eq!(line.seconds(20, slow), []);
    line.announced = Some(25.0);
    assert_eq!(line.seconds(20, slow), [(31, Some(DegradedReason::Rate))]);
    line.announced = None;
    assert_eq!(line.seconds(1, slow), [(41, None)], "it says so no longer");
}

#[test]
fn counts_that_begin_anew_are_of_another_connection() {
    let mut line = Line::default();
    assert_eq!(line.seconds(12, LOSSY).len(), 1);
    line.counts = Counts::default();
    assert_eq!(line.look(), Some(Finding::Restored));
    assert_eq!(line.seconds(9, LOSSY), [], "younger than a window");
    assert_eq!(line.seconds(3, LOSSY), [(22, Some(DegradedReason::Loss))]);
}

#[test]
fn looks_in_between_cost_nothing() {
    let mut fitness = Fitness::default();
    let mut counts = Counts::default();
    for tenth in 0..3000u64 {
        counts.received += 2;
        counts.decoded += tenth % 2;
        fitness.look(Duration::from_millis(tenth * 100), counts, None);
        assert!(fitness.looks.len() <= 12);
    }
    assert!(fitness.told.is_some());
}

#[test]
fn sentences_fit_the_way_of_the_pictures() {
    let lossy = Second { gate: 9, packets_lost: 4, ..WELL };
    assert_eq!(
        Line::default().says(10, lossy, Origin::Udp),
        "64 % of the pictures that arrive are decoded: the network lost 40 packets in 10 s (try transport: tcp, or look \
         at cable and switch)"
    );
    assert_eq!(
        Line::default().says(10, lossy, Origin::Tcp),
        "64 % of the pictures that arrive are decoded: the camera left out 40 packets in 10 s (is its network too slow? \
         lower its bitrate)"
    );
    let missing = Second { received: 15, packets_lost: 20, ..WELL };
    let text = Line::announcing(25.0).says(10, missing, Origin::Udp);
    assert!(text.starts_with("of the 25 pictures a second that the camera announces 15 arrive: the network"), "{text}");
    assert_eq!(
        Line::default().says(10, LATE, Origin::File),
        "40 % of the pictures come too late for this machine's decoder (fewer cameras, a smaller stream)"
    );
    let slow = Line::announcing(29.97).says(10, Second { received: 12, ..WELL }, Origin::Udp);
    assert!(
        slow.starts_with("the camera announces 30 pictures a second and sends 12 (long exposure at night?"),
        "{slow}"
    );
    let swallowed = Second { swallowed: 10, ..WELL };
    for origin in [Origin::Tcp, Origin::Udp, Origin::Http, Origin::File, Origin::Device] {
        let sentences = [
            Line::default().says(10, lossy, origin),
            Line::default().says(10, Second { packets_lost: 0, ..lossy }, origin),
            Line::default().says(10, LATE, origin),
            Line::default().says(10, swallowed, origin),
            Line::announcing(25.0).says(10, Second { received: 12, ..WELL }, origin),
        ];
        for text in sentences {
            assert_eq!(text.matches(['(', ')']).count(), 2, "no hint: {text}");
            assert!(origin == Origin::Udp || !text.contains("transport: tcp"), "{origin:?}: {text}");
            assert!(!text.contains(" 0 %") && !text.contains(" 0 packets"), "{text}");
        }
        assert!(!Line::default().says(10, swallowed, origin).contains("network"), "no packet is missing");
    }
}

/// Seconds of which at least, or less than, four fifths are decoded.
fn second(enough: bool) -> impl Strategy<Value = Second> {
    (5u64..60, 0.0..1.0f64, 0u64..3, 0u64..20).prop_map(move |(received, share, kind, packets_lost)| {
        let most = received / 5; // may be missing
        let missing = match enough {
            true => (most as f64 * share) as u64,
            false => most + 1 + ((received - most - 1) as f64 * share) as u64,
        };
        let part = |which| if kind == which { missing } else { 0 };
        Second { received, gate: part(0), late: part(1), swallowed: part(2), packets_lost }
    })
}

proptest! {
    /// The rates announced are ones that the decoded pictures reach to four fifths, or none.
    #[test]
    fn never_degraded_where_enough_of_both_is_decoded(
        seconds in prop::collection::vec(second(true), 1..60),
        announces in any::<bool>(),
    ) {
        let least = seconds.iter().map(|second| second.decoded()).min().unwrap_or_default();
        let mut line = Line { announced: announces.then(|| least as f64 / 0.8), ..Line::default() };
        for second in seconds {
            prop_assert_eq!(line.second(second), None);
        }
    }

    #[test]
    fn always_degraded_after_ten_seconds_below(seconds in prop::collection::vec(second(false), 10..60)) {
        let mut line = Line::default();
        for (index, second) in seconds.into_iter().enumerate() {
            let degraded = matches!(line.second(second), Some(Finding::Degraded { .. }));
            prop_assert_eq!(degraded, index >= 9, "second {}", index + 1);
        }
    }

    /// The same of the announced rate.
    #[test]
    fn always_degraded_after_ten_seconds_below_the_announced_rate(
        rates in prop::collection::vec(0u64..16, 10..40),
        packets_lost in 0u64..40,
    ) {
        let mut line = Line::announcing(20.0);
        for (index, received) in rates.into_iter().enumerate() {
            let found = line.second(Second { received, packets_lost, ..Second::default() });
            let by = match found {
                Some(Finding::Degraded { shortfall, .. }) => Some(shortfall.reason),
                _ => None,
            };
            prop_assert_eq!(by.is_some(), index >= 9);
            prop_assert!(by.is_none_or(|by| matches!(by, DegradedReason::Loss | DegradedReason::Rate)));
        }
    }

    /// News alternate with recoveries, or are of another reason and ten seconds apart; a shortfall has a sane sentence.
    #[test]
    fn whatever_comes_it_is_told_once(
        seconds in prop::collection::vec(prop_oneof![second(true), second(false), Just(Second::default())], 1..120),
        announced in prop::option::of(1.0..40.0f64),
    ) {
        let mut line = Line { announced, ..Line::default() };
        let mut told: Option<DegradedReason> = None;
        for second in seconds {
            match line.second(second) {
                Some(Finding::Degraded { shortfall, news }) => {
                    prop_assert_eq!(news, told != Some(shortfall.reason));
                    told = Some(shortfall.reason);
                    prop_assert!(shortfall.missing > 0 && (0.0..=1.0).contains(&shortfall.ratio()));
                    prop_assert!(!shortfall.sentence(Origin::Udp).contains("NaN"));
                }
                Some(Finding::Restored) => prop_assert!(told.take().is_some()),
                None => {}
            }
        }
    }
}
