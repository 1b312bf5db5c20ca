//! What a decoder is given: after a lost packet, and when joining a stream, nothing before a keyframe.
//!
//! Decoders make grey or smeared pictures out of pictures whose references are missing; faces would be looked for in
//! them. A stream may have no keyframes at all, though (it is refreshed in stripes), or rare ones: the wait is bounded.

use std::time::Duration;

/// Longest wait when joining. Less than a camera has for its first picture.
const JOINING: Duration = Duration::from_secs(6);
/// Longest wait after a loss. Less than a camera may usually be silent.
const LOSS: Duration = Duration::from_secs(2);

/// Decides for each encoded picture of one connection whether the decoder gets it.
#[derive(Debug)]
pub(super) struct KeyframeGate {
    /// Since when a keyframe is waited for, and how long at most.
    waiting: Option<(Duration, Duration)>,
    joined: bool,
}

impl KeyframeGate {
    pub(super) fn new() -> Self {
        Self { waiting: None, joined: false }
    }

    /// `lost`: pictures before this one are missing. `keyframe`: it needs no other. `now`: since any fixed moment.
    pub(super) fn admits(&mut self, lost: bool, keyframe: bool, now: Duration) -> bool {
        if !self.joined {
            self.joined = true;
            self.waiting = Some((now, JOINING));
        } else if lost && self.waiting.is_none() {
            self.waiting = Some((now, LOSS));
        }
        if keyframe || self.waiting.is_some_and(|(since, most)| now.saturating_sub(since) >= most) {
            self.waiting = None;
        }
        self.waiting.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn joining_waits_for_a_keyframe() {
        let mut gate = KeyframeGate::new();
        assert!(!gate.admits(true, false, ms(0)));
        assert!(!gate.admits(false, false, ms(40)));
        assert!(gate.admits(false, true, ms(80)));
        assert!(gate.admits(false, false, ms(120)));
    }

    #[test]
    fn a_loss_shuts_it_until_the_next_keyframe() {
        let mut gate = KeyframeGate::new();
        assert!(gate.admits(true, true, ms(0)), "the first buffer of a stream is always marked");
        assert!(!gate.admits(true, false, ms(40)));
        assert!(!gate.admits(true, false, ms(80)), "a further loss does not begin the wait anew");
        assert!(gate.admits(true, true, ms(120)), "a keyframe needs nothing of what was lost");
    }

    #[test]
    fn streams_without_keyframes_pass_after_a_while() {
        let mut gate = KeyframeGate::new();
        assert!((0..150).all(|n| !gate.admits(n == 0, false, ms(n * 40))));
        assert!(gate.admits(false, false, ms(6000)));
        assert!(!gate.admits(true, false, ms(6040)));
        assert!(gate.admits(false, false, ms(8040)));
    }
}
