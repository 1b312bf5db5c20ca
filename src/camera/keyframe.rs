//! What a decoder is given: after a lost reference, and when joining a stream, nothing before a keyframe; nothing that
//! is broken itself; and nothing that is much too late.
//!
//! Decoders make grey or smeared pictures out of pictures whose references are missing; faces would be looked for in
//! them. A stream may have no keyframes at all, though (it is refreshed in stripes), or rare ones: the wait is bounded,
//! and once it was in vain the decoder has to make do until the next keyframe, whatever else is lost.

use std::time::Duration;

use crate::metrics::PictureLoss;

/// Longest wait when joining. Less than a camera has for its first picture.
const JOINING: Duration = Duration::from_secs(4);
/// Longest wait after a loss. Less than a camera may usually be silent.
const LOSS: Duration = Duration::from_secs(2);
/// Beyond this a decoder that cannot keep up has to leave pictures out; below [`CAUGHT_UP`] it goes on.
const LATE: Duration = Duration::from_secs(2);
/// Late by less than this, a keyframe is a new beginning.
const CAUGHT_UP: Duration = Duration::from_millis(500);

/// What is known of a coded picture.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Picture {
    /// References are missing, its own or those of later pictures.
    pub(super) lost: bool,
    /// It is broken itself, and nothing is built upon it.
    pub(super) damaged: bool,
    /// It is whole, and needs no other picture.
    pub(super) keyframe: bool,
    /// How long it has waited for the decoder since it arrived.
    pub(super) late: Duration,
}

/// Why the gate is shut.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Shut {
    since: Duration,
    most: Duration,
}

/// Decides for each coded picture of one connection whether the decoder gets it.
#[derive(Debug, Default)]
pub(super) struct KeyframeGate {
    shut: Option<Shut>,
    joined: bool,
    /// Waited for a keyframe in vain: losses are borne until one comes.
    resigned: bool,
    /// Pictures are left out until the decoder has caught up.
    behind: bool,
}

impl KeyframeGate {
    /// `now`: since any fixed moment.
    ///
    /// # Errors
    /// Why the decoder does not get it.
    pub(super) fn admits(&mut self, picture: Picture, now: Duration) -> Result<(), PictureLoss> {
        if self.is_behind(picture) {
            return Err(PictureLoss::Late);
        }
        if !self.joined {
            self.joined = true;
            self.shut = Some(Shut { since: now, most: JOINING });
        } else if picture.lost && self.shut.is_none() && !self.resigned {
            self.shut = Some(Shut { since: now, most: LOSS });
        }
        if picture.keyframe {
            self.shut = None;
            self.resigned = false;
        } else if self.shut.is_some_and(|shut| now.saturating_sub(shut.since) >= shut.most) {
            self.shut = None;
            self.resigned = true;
        }
        if self.shut.is_some() || picture.damaged { Err(PictureLoss::Gate) } else { Ok(()) }
    }

    fn is_behind(&mut self, picture: Picture) -> bool {
        self.behind = if self.behind { !(picture.keyframe && picture.late < CAUGHT_UP) } else { picture.late >= LATE };
        self.behind
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn admits(gate: &mut KeyframeGate, lost: bool, keyframe: bool, now: u64) -> bool {
        gate.admits(Picture { lost, keyframe, ..Picture::default() }, ms(now)).is_ok()
    }

    #[test]
    fn joining_waits_for_a_keyframe() {
        let mut gate = KeyframeGate::default();
        assert!(!admits(&mut gate, true, false, 0));
        assert!(!admits(&mut gate, false, false, 40));
        assert!(admits(&mut gate, false, true, 80));
        assert!(admits(&mut gate, false, false, 120));
    }

    #[test]
    fn a_loss_shuts_it_until_the_next_keyframe() {
        let mut gate = KeyframeGate::default();
        assert!(admits(&mut gate, true, true, 0), "the first buffer of a stream is always marked");
        assert!(!admits(&mut gate, true, false, 40));
        assert!(!admits(&mut gate, true, false, 80), "a further loss does not begin the wait anew");
        assert!(admits(&mut gate, true, true, 120), "a keyframe needs nothing of what was lost");
    }

    #[test]
    fn a_damaged_picture_is_left_out_alone() {
        let mut gate = KeyframeGate::default();
        assert!(admits(&mut gate, false, true, 0));
        let damaged = Picture { damaged: true, ..Picture::default() };
        assert_eq!(gate.admits(damaged, ms(40)), Err(PictureLoss::Gate));
        assert!(admits(&mut gate, false, false, 80));
    }

    #[test]
    fn streams_without_keyframes_pass_after_a_while_and_are_not_stopped_again() {
        let mut gate = KeyframeGate::default();
        assert!((0..100).all(|n| !admits(&mut gate, n == 0, false, n * 40)));
        assert!(admits(&mut gate, false, false, 4000));
        assert!(admits(&mut gate, true, false, 4040), "there is no keyframe to wait for");
        assert!(admits(&mut gate, false, true, 8000));
        assert!(!admits(&mut gate, true, false, 8040), "now there is");
        assert!(admits(&mut gate, false, false, 10_040));
    }

    #[test]
    fn a_decoder_that_cannot_keep_up_gets_whole_groups_or_nothing() {
        let mut gate = KeyframeGate::default();
        let mut take = |keyframe, late| gate.admits(Picture { keyframe, late: ms(late), ..Picture::default() }, ms(0));
        assert_eq!(take(true, 0), Ok(()));
        assert_eq!(take(false, 1999), Ok(()), "a burst is no delay");
        assert_eq!(take(false, 2000), Err(PictureLoss::Late));
        assert_eq!(take(false, 100), Err(PictureLoss::Late), "its references are missing");
        assert_eq!(take(true, 900), Err(PictureLoss::Late), "still far behind");
        assert_eq!(take(true, 400), Ok(()));
        assert_eq!(take(false, 400), Ok(()));
    }

    proptest! {
        /// Whatever is lost, the gate is never shut for longer than its bound, and never at a keyframe in time.
        #[test]
        fn the_wait_is_bounded(pictures in prop::collection::vec((any::<bool>(), 0u8..20), 1..400)) {
            let mut gate = KeyframeGate::default();
            let mut shut_since = None;
            for (index, (lost, kind)) in pictures.into_iter().enumerate() {
                let (now, keyframe) = (index as u64 * 40, kind == 0);
                let open = admits(&mut gate, lost, keyframe, now);
                prop_assert!(open || !keyframe);
                if open {
                    shut_since = None;
                } else {
                    let since = *shut_since.get_or_insert(now);
                    prop_assert!(now - since < 6000);
                }
            }
        }
    }
}
