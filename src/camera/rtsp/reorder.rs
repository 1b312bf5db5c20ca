//! Packets by UDP back in their order: what is missing is waited for, for a bounded time since what follows it arrived.
//! Pure.
//!
//! The thread that reads the sockets does this itself, and reads all that has arrived before it gives anything up: a
//! machine that was busy for a moment loses nothing. (GStreamer's jitter buffer has a thread with timers for it, which gives
//! up packets that have arrived and were not yet handed to it.)

use std::collections::BTreeMap;
use std::time::Duration;

/// How long the first packets may overtake one another.
const BEGINNING: Duration = Duration::from_millis(50);
/// Most packets that wait.
const MOST: usize = 8192;

/// The order of one stream.
#[derive(Debug)]
pub(super) struct Reorder {
    patience: Duration,
    /// The number that is to go next, with the turns of its 16 bits; `None`: nothing has gone yet.
    next: Option<u64>,
    /// Highest number so far.
    highest: Option<u64>,
    waiting: BTreeMap<u64, Waiting>,
    late: u64,
}

#[derive(Debug)]
struct Waiting {
    since: Duration,
    data: Vec<u8>,
}

impl Reorder {
    /// `patience`: how long a packet that is missing is waited for.
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience, next: None, highest: None, waiting: BTreeMap::new(), late: 0 }
    }

    /// A packet arrived at `now` (since any fixed moment).
    pub(super) fn push(&mut self, number: u16, data: Vec<u8>, now: Duration) {
        let place = self.unwrapped(number);
        if self.next.is_some_and(|next| place < next) {
            self.late += 1;
            return;
        }
        self.highest = Some(self.highest.map_or(place, |highest| highest.max(place)));
        self.waiting.insert(place, Waiting { since: now, data });
    }

    /// The next packet that may go on.
    pub(super) fn pop(&mut self, now: Duration) -> Option<Vec<u8>> {
        let (&place, first) = self.waiting.first_key_value()?;
        let in_turn = self.next == Some(place);
        let patience = if self.next.is_none() { BEGINNING } else { self.patience };
        if !in_turn && now < first.since + patience && self.waiting.len() < MOST {
            return None;
        }
        self.next = Some(place + 1);
        self.waiting.pop_first().map(|(_, waiting)| waiting.data)
    }

    /// When [`Self::pop`] has to be asked again without a further packet.
    pub(super) fn wake(&self) -> Option<Duration> {
        let (place, first) = self.waiting.first_key_value()?;
        let patience = if self.next.is_none() { BEGINNING } else { self.patience };
        Some(if self.next == Some(*place) { first.since } else { first.since + patience })
    }

    /// Packets that came after they were given up.
    pub(super) fn late(&self) -> u64 {
        self.late
    }

    /// The place nearest to those before. The first is given room below.
    fn unwrapped(&self, number: u16) -> u64 {
        let Some(highest) = self.highest else { return (1 << 16) + u64::from(number) };
        let step = number.wrapping_sub(highest as u16) as i16;
        highest.saturating_add_signed(i64::from(step))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn all(reorder: &mut Reorder, now: u64) -> Vec<u16> {
        std::iter::from_fn(|| reorder.pop(ms(now))).map(|data| u16::from_be_bytes([data[0], data[1]])).collect()
    }

    fn push(reorder: &mut Reorder, number: u16, now: u64) {
        reorder.push(number, number.to_be_bytes().to_vec(), ms(now));
    }

    #[test]
    fn the_first_packets_may_overtake_one_another() {
        let mut reorder = Reorder::new(ms(200));
        push(&mut reorder, 0, 0);
        push(&mut reorder, 65_535, 1);
        assert_eq!((all(&mut reorder, 1), reorder.wake()), (vec![], Some(ms(51))));
        assert_eq!(all(&mut reorder, 51), [65_535, 0]);
    }

    #[test]
    fn what_is_missing_is_waited_for_and_then_given_up() {
        let mut reorder = Reorder::new(ms(200));
        push(&mut reorder, 7, 0);
        assert_eq!(all(&mut reorder, 50), [7]);
        push(&mut reorder, 9, 60);
        push(&mut reorder, 10, 100);
        assert_eq!((all(&mut reorder, 259), reorder.wake()), (vec![], Some(ms(260))));
        assert_eq!(all(&mut reorder, 260), [9, 10]);
        push(&mut reorder, 8, 261);
        assert_eq!((all(&mut reorder, 261), reorder.late()), (vec![], 1));
        push(&mut reorder, 12, 270);
        push(&mut reorder, 11, 280);
        assert_eq!(all(&mut reorder, 280), [11, 12]);
    }

    proptest! {
        /// Packets that are shuffled within the patience all go on, in their order, however late one looks.
        #[test]
        fn shuffled_packets_are_sorted(first in any::<u16>(), jumps in prop::collection::vec(0usize..6, 1..200)) {
            let mut order: Vec<u16> = (0..jumps.len() as u16).map(|index| first.wrapping_add(index)).collect();
            for (index, jump) in jumps.iter().enumerate() {
                let other = (index + jump).min(order.len() - 1);
                order.swap(index, other);
            }
            let mut reorder = Reorder::new(ms(1000));
            let mut out = Vec::new();
            for (index, number) in order.iter().enumerate() {
                push(&mut reorder, *number, index as u64);
                out.extend(all(&mut reorder, index as u64));
            }
            out.extend(all(&mut reorder, 5000));
            let sorted: Vec<u16> = (0..jumps.len() as u16).map(|index| first.wrapping_add(index)).collect();
            // The first may be given up for one that came long after it.
            let begins = sorted.iter().position(|number| Some(number) == out.first()).unwrap();
            prop_assert_eq!(&out, &sorted[begins..]);
            prop_assert_eq!(begins as u64, reorder.late());
        }

        /// Whatever is lost, numbers rise, nothing waits for ever, and all that came in time goes on.
        #[test]
        fn losses_hold_nothing_up(kept in prop::collection::vec(prop::bool::weighted(0.8), 1..200)) {
            let mut reorder = Reorder::new(ms(100));
            let mut out = Vec::new();
            let mut sent = Vec::new();
            for (index, kept) in kept.into_iter().enumerate() {
                let now = index as u64 * 10;
                if kept {
                    sent.push(index as u16);
                    push(&mut reorder, index as u16, now);
                }
                out.extend(all(&mut reorder, now));
                prop_assert!(reorder.wake().is_none_or(|wake| wake > ms(now)));
            }
            out.extend(all(&mut reorder, 1_000_000));
            prop_assert_eq!(out, sent);
        }
    }
}
