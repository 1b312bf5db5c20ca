//! No flood: at most one event about people per zone and span of time, and none forgotten.

use std::collections::BTreeMap;
use std::time::Duration;

/// People of one state on one camera. Who is in no zone counts for the rest of the picture.
#[derive(Clone, Debug, Default)]
pub(super) struct Limit {
    /// When an event last told of each zone; `""` is the rest of the picture.
    told: BTreeMap<String, Duration>,
    /// People not told of, by the zones that they were in.
    suppressed: BTreeMap<Vec<String>, u64>,
}

impl Limit {
    /// Whether somebody who is in `zones` at `now` is told of: where one of the zones has had no event for `every`. Then
    /// gives how many in any of these zones were passed over before; each of them is given once.
    pub(super) fn admit(&mut self, now: Duration, every: Duration, zones: &[String]) -> Option<u64> {
        let mut places = if zones.is_empty() { vec![String::new()] } else { zones.to_vec() };
        places.sort();
        let due = |place| self.told.get(place).is_none_or(|told| now.saturating_sub(*told) >= every);
        if !places.iter().any(due) {
            *self.suppressed.entry(places).or_default() += 1;
            return None;
        }
        let mut count = 0;
        self.suppressed.retain(|others, people| {
            let here = others.iter().any(|place| places.contains(place));
            count += if here { *people } else { 0 };
            !here
        });
        self.told.extend(places.into_iter().map(|place| (place, now)));
        Some(count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EVERY: Duration = Duration::from_secs(30);

    fn zones(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn one_event_per_zone_and_span_and_the_rest_is_told_with_the_next() {
        let mut limit = Limit::default();
        let mut admit = |second, names: &[&str]| limit.admit(Duration::from_secs(second), EVERY, &zones(names));
        assert_eq!(admit(0, &["door"]), Some(0));
        assert_eq!(admit(5, &["door"]), None);
        assert_eq!(admit(6, &[]), Some(0), "the rest of the picture is a place of its own");
        assert_eq!(admit(7, &["till", "door"]), Some(1), "the till has had no event");
        assert_eq!(admit(36, &["door"]), None, "the last event told of the door too");
        assert_eq!(admit(37, &["door"]), Some(1));
        assert_eq!(admit(70, &["door"]), Some(0), "told once");
    }

    proptest! {
        #[test]
        fn everybody_is_told_of_exactly_once_and_no_zone_is_flooded(
            people in prop::collection::vec((0u64..20, prop::collection::btree_set("[ab]", 0..3)), 0..200)
        ) {
            let mut limit = Limit::default();
            let (mut now, mut told, mut left) = (Duration::ZERO, 0, people.len() as u64);
            let mut events: Vec<(Duration, Vec<String>)> = Vec::new();
            for (step, zones) in people {
                now += Duration::from_secs(step);
                let zones: Vec<String> = zones.into_iter().collect();
                if let Some(others) = limit.admit(now, EVERY, &zones) {
                    told += 1 + others;
                    events.push((now, zones));
                }
            }
            left -= told;
            prop_assert_eq!(left, limit.suppressed.values().sum::<u64>());
            // Somebody in one zone alone is never told of within the span after another event of it.
            for (index, (later, zones)) in events.iter().enumerate().filter(|(_, (_, zones))| zones.len() == 1) {
                for (earlier, others) in &events[..index] {
                    prop_assert!(!others.contains(&zones[0]) || *later - *earlier >= EVERY);
                }
            }
        }
    }
}
