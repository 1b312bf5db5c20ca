//! When a compliance ratio is worth an event: under the target for a while, with enough people; and back again.

use std::time::Duration;

use maskwatch_vision::compliance::Counts;

use crate::config::plan::ComplianceAlert;

/// The ratio has changed sides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct News {
    /// It is under the target now.
    pub(super) low: bool,
    /// What it is.
    pub(super) ratio: f64,
}

/// Watches the ratio of one camera or zone.
#[derive(Clone, Debug)]
pub(super) struct Watchdog {
    alert: ComplianceAlert,
    low: bool,
    /// Since when the ratio has been on the other side.
    since: Option<Duration>,
}

impl Watchdog {
    pub(super) fn new(alert: ComplianceAlert) -> Self {
        Self { alert, low: false, since: None }
    }

    /// Watches by another rule: the wait begins anew.
    pub(super) fn set_alert(&mut self, alert: ComplianceAlert) {
        (self.alert, self.since) = (alert, None);
    }

    /// Takes in the people of the window at `now`. With too few of them nothing is known: nothing changes, and the wait
    /// begins anew.
    pub(super) fn look(&mut self, now: Duration, people: &Counts) -> Option<News> {
        let ratio = people.ratio(self.alert.minimum);
        let Some(ratio) = ratio.filter(|ratio| (*ratio < self.alert.target) != self.low) else {
            self.since = None;
            return None;
        };
        let since = *self.since.get_or_insert(now);
        if now.saturating_sub(since) < self.alert.hold {
            return None;
        }
        self.low = !self.low;
        self.since = None;
        Some(News { low: self.low, ratio })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALERT: ComplianceAlert = ComplianceAlert { target: 0.9, hold: Duration::from_secs(300), minimum: 20 };

    fn people(mask: u64, no_mask: u64) -> Counts {
        Counts { mask, no_mask, ..Counts::default() }
    }

    /// Looks every five seconds from `from` to `to`; gives the seconds of news.
    fn span(watchdog: &mut Watchdog, from: u64, to: u64, people: &Counts) -> Vec<(u64, bool)> {
        let look = |second| Some((second, watchdog.look(Duration::from_secs(second), people)?.low));
        (from..to).step_by(5).filter_map(look).collect()
    }

    #[test]
    fn low_and_recovered_after_their_time() {
        let mut watchdog = Watchdog::new(ALERT);
        assert_eq!(span(&mut watchdog, 0, 1000, &people(95, 5)), []);
        assert_eq!(span(&mut watchdog, 1000, 1295, &people(80, 20)), []);
        assert_eq!(
            span(&mut watchdog, 1295, 1300, &people(95, 5)),
            [],
            "a moment over the target begins the wait anew"
        );
        assert_eq!(span(&mut watchdog, 1300, 3000, &people(80, 20)), [(1600, true)]);
        assert_eq!(span(&mut watchdog, 3000, 4000, &people(90, 10)), [(3300, false)], "the target itself is reached");
    }

    #[test]
    fn too_few_people_say_nothing() {
        let mut watchdog = Watchdog::new(ALERT);
        assert_eq!(span(&mut watchdog, 0, 1000, &people(0, 19)), []);
        assert_eq!(span(&mut watchdog, 1000, 2000, &people(0, 20)), [(1300, true)]);
        assert_eq!(span(&mut watchdog, 2000, 9000, &people(19, 0)), [], "nobody knows whether it has recovered");
        assert_eq!(span(&mut watchdog, 9000, 9400, &people(20, 0)), [(9300, false)]);
    }

    proptest! {
        #[test]
        fn news_alternate_and_are_true(looks in prop::collection::vec((0u64..200, 0u64..60, 0u64..10), 0..200)) {
            let (mut watchdog, mut now, mut last) = (Watchdog::new(ALERT), Duration::ZERO, false);
            for (step, mask, no_mask) in looks {
                now += Duration::from_secs(step);
                let people = people(mask, no_mask);
                if let Some(news) = watchdog.look(now, &people) {
                    prop_assert_ne!(news.low, last);
                    prop_assert_eq!(news.low, news.ratio < ALERT.target);
                    prop_assert_eq!(people.ratio(ALERT.minimum), Some(news.ratio));
                    last = news.low;
                }
            }
        }
    }
}
