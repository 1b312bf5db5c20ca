//! The ledger of one connection's pictures: each that is received is decoded, dropped for a reason, or on its way.
//!
//! Pure: `received = decoded + dropped + in flight` after every call, whatever the order of calls.

use std::collections::VecDeque;

use crate::metrics::PictureLoss;

/// Pictures after which one that has not come out of a decoder never will. H.264 and H.265 let a picture wait for at
/// most 16 others; decoders with threads hold some more, all of them in order.
const REORDER: u64 = 48;

/// What is to be added to the counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// Pictures that came out of the decoder.
    pub(super) decoded: u64,
    /// Pictures that are given up, all for one reason.
    pub(super) lost: Option<(PictureLoss, u64)>,
}

/// The pictures of one connection by number, in the order in which they arrive.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    next: u64,
    /// Numbers that are in the decoder, ascending.
    inside: VecDeque<u64>,
}

impl Ledger {
    /// A picture goes to the decoder; its number.
    pub(super) fn admitted(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        self.inside.push_back(number);
        number
    }

    /// A decoder gave a picture. `number`: of which it is made, where the decoder kept that; else it is the oldest.
    pub(super) fn decoded(&mut self, number: Option<u64>) -> Entry {
        let place = match number {
            Some(number) => self.inside.binary_search(&number).ok(),
            None => (!self.inside.is_empty()).then_some(0),
        };
        let Some(newest) = place.and_then(|place| self.inside.remove(place)) else {
            // A second picture of the same data, or one that was given up: it was accounted for.
            return Entry::default();
        };
        let before = self.inside.len();
        while self.inside.front().is_some_and(|&number| number + REORDER < newest) {
            self.inside.pop_front();
        }
        let lost = (before - self.inside.len()) as u64;
        Entry { decoded: 1, lost: (lost > 0).then_some((PictureLoss::Decoder, lost)) }
    }

    /// The connection ended: nothing more comes out.
    pub(super) fn ended(&mut self) -> Entry {
        let lost = std::mem::take(&mut self.inside).len() as u64;
        Entry { decoded: 0, lost: (lost > 0).then_some((PictureLoss::Ended, lost)) }
    }

    /// Pictures in the decoder now.
    pub(super) fn in_flight(&self) -> u64 {
        self.inside.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pictures_come_out_in_another_order_and_none_is_lost() {
        let mut ledger = Ledger::default();
        let numbers: Vec<_> = (0..8).map(|_| ledger.admitted()).collect();
        for place in [0, 3, 1, 2, 7, 5, 4, 6] {
            assert_eq!(ledger.decoded(Some(numbers[place])), Entry { decoded: 1, lost: None });
        }
        assert_eq!((ledger.in_flight(), ledger.ended()), (0, Entry::default()));
    }

    #[test]
    fn what_the_decoder_swallows_is_given_up_after_a_while() {
        let mut ledger = Ledger::default();
        let swallowed = ledger.admitted();
        let mut lost = 0;
        for _ in 0..=REORDER {
            let number = ledger.admitted();
            lost += ledger.decoded(Some(number)).lost.map_or(0, |(reason, count)| {
                assert_eq!(reason, PictureLoss::Decoder);
                count
            });
        }
        assert_eq!((lost, ledger.in_flight()), (1, 0));
        assert_eq!(ledger.decoded(Some(swallowed)), Entry::default(), "too late to count it twice");
    }

    #[test]
    fn decoders_that_keep_no_number_are_counted_in_order() {
        let mut ledger = Ledger::default();
        ledger.admitted();
        ledger.admitted();
        assert_eq!(ledger.decoded(None).decoded, 1);
        assert_eq!(ledger.ended(), Entry { decoded: 0, lost: Some((PictureLoss::Ended, 1)) });
        assert_eq!(ledger.decoded(None), Entry::default());
    }

    #[derive(Clone, Debug)]
    enum Step {
        Admit,
        Decode(u64),
        DecodeUnnumbered,
        End,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => Just(Step::Admit),
            4 => (0u64..400).prop_map(Step::Decode),
            2 => Just(Step::DecodeUnnumbered),
            1 => Just(Step::End),
        ]
    }

    proptest! {
        #[test]
        fn every_picture_is_accounted_for(steps in prop::collection::vec(step(), 0..400)) {
            let mut ledger = Ledger::default();
            let (mut received, mut decoded, mut dropped) = (0, 0, 0);
            for step in steps {
                let entry = match step {
                    Step::Admit => {
                        ledger.admitted();
                        received += 1;
                        Entry::default()
                    }
                    Step::Decode(number) => ledger.decoded(Some(number)),
                    Step::DecodeUnnumbered => ledger.decoded(None),
                    Step::End => ledger.ended(),
                };
                decoded += entry.decoded;
                dropped += entry.lost.map_or(0, |(_, count)| count);
                prop_assert_eq!(received, decoded + dropped + ledger.in_flight());
                prop_assert!(ledger.in_flight() <= received);
            }
        }
    }
}
