//! The vote: one person's state out of many frames.
//!
//! Each classified frame adds log probabilities, weighted by what the frame is worth. Frames of one face resemble each
//! other, so their sum is discounted like a clustered sample (Kish's design effect) before it becomes a probability: a
//! person seen for a minute is more certain than one seen twice, but never by sixty times. The total is bounded, so that
//! a person who takes the mask off is followed within seconds, and a threshold to enter that is higher than the one to
//! leave keeps the state from flickering.

use std::time::Duration;

use crate::face::{MaskState, StateScores};

/// How evidence becomes a state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VoteConfig {
    /// Faces lower than this many pixels say nothing.
    pub min_height_px: f32,
    /// Faces of at least this height count in full; between the two the weight rises evenly.
    pub full_height_px: f32,
    /// Detection scores up to this say nothing about the mask.
    pub min_score: f32,
    /// Detection scores of at least this count in full.
    pub full_score: f32,
    /// Fewest frames with a weight before there is a state: a single frame never decides.
    pub min_frames: u32,
    /// Least sum of weights before there is a state.
    pub min_weight: f32,
    /// Confidence at which a state is taken, or replaces another.
    pub enter: f32,
    /// Confidence below which a state falls back to unknown. Less than `enter`.
    pub leave: f32,
    /// Greatest remembered sum of weights: the more, the slower a change is followed.
    pub memory: f32,
    /// Correlation between two frames of one face, `0..=1`. The vote is never worth more than `1 / correlation`
    /// independent frames.
    pub correlation: f32,
    /// Frames nearer in time than this count for less: they show nearly the same picture.
    pub spacing: Duration,
}

impl Default for VoteConfig {
    fn default() -> Self {
        Self {
            min_height_px: 12.0,
            full_height_px: 40.0,
            min_score: 0.3,
            full_score: 0.8,
            min_frames: 2,
            min_weight: 0.7,
            enter: 0.75,
            leave: 0.5,
            memory: 6.0,
            correlation: 0.35,
            spacing: Duration::from_millis(200),
        }
    }
}

/// What one frame says of a face.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// Calibrated probabilities of the states.
    pub scores: StateScores,
    /// Height of the face in pixels of the camera's picture.
    pub height_px: f32,
    /// Probability that it is a face at all.
    pub detection_score: f32,
    /// Any further measure of the picture's worth (sharpness, exposure), `0..=1`; 1 where nothing is known.
    pub quality: f32,
}

/// Probabilities are taken as no less than this, so that one wrong frame cannot rule a state out for good.
const FLOOR: f32 = 0.02;

/// Least worth of a frame that follows another at once, as a share of its full weight.
const CLOSE_WORTH: f32 = 0.4;

/// The states that can be voted for, in the order of [`Vote::posterior`]. On a tie the later one wins: never flatter.
const STATES: [MaskState; 3] = [MaskState::Mask, MaskState::Incorrect, MaskState::NoMask];

/// One person's vote.
#[derive(Clone, Debug, PartialEq)]
pub struct Vote {
    /// Weighted sums of log probabilities, by [`STATES`].
    sums: [f32; 3],
    /// Sum of the weights in `sums`.
    weight: f32,
    /// Frames with a weight above 0.
    frames: u32,
    /// Time of the latest of them.
    latest: Option<Duration>,
    /// The state after hysteresis.
    state: MaskState,
}

impl Default for Vote {
    fn default() -> Self {
        Self { sums: [0.0; 3], weight: 0.0, frames: 0, latest: None, state: MaskState::Unknown }
    }
}

impl VoteConfig {
    /// What a frame is worth by itself, `0..=1`.
    pub fn worth(&self, evidence: &Evidence) -> f32 {
        let ramp = |value: f32, low: f32, high: f32| {
            if !value.is_finite() || value < low {
                0.0
            } else if high > low {
                ((value - low) / (high - low)).min(1.0)
            } else {
                1.0
            }
        };
        let quality = if evidence.quality.is_finite() { evidence.quality.clamp(0.0, 1.0) } else { 0.0 };
        ramp(evidence.height_px, self.min_height_px, self.full_height_px)
            * ramp(evidence.detection_score, self.min_score, self.full_score)
            * quality
    }
}

impl Vote {
    /// Adds a frame's evidence, and returns whether the state has changed by it. Evidence without worth (too small, not
    /// finite) changes nothing.
    pub fn add(&mut self, config: &VoteConfig, time: Duration, evidence: &Evidence) -> bool {
        let scores = [evidence.scores.mask, evidence.scores.incorrect, evidence.scores.no_mask];
        let worth = config.worth(evidence);
        if worth <= 0.0 || scores.iter().any(|p| !p.is_finite()) {
            return false;
        }
        let weight = worth * self.newness(config, time);
        for (sum, p) in self.sums.iter_mut().zip(scores) {
            *sum += weight * p.clamp(FLOOR, 1.0).ln();
        }
        self.weight += weight;
        if self.weight > config.memory {
            let keep = config.memory / self.weight;
            self.sums.iter_mut().for_each(|sum| *sum *= keep);
            self.weight = config.memory;
        }
        self.frames = self.frames.saturating_add(1);
        self.latest = Some(time);
        let before = self.state;
        self.settle(config);
        self.state != before
    }

    /// The state and its confidence; unknown, with confidence 0, while evidence is thin.
    pub fn result(&self, config: &VoteConfig) -> (MaskState, f32) {
        let posterior = self.posterior(config);
        match STATES.iter().position(|&state| state == self.state) {
            Some(index) => (self.state, posterior[index]),
            None => (MaskState::Unknown, 0.0),
        }
    }

    /// Probabilities of mask, incorrect and no mask, whether or not they suffice for a state. One third each at first.
    pub fn posterior(&self, config: &VoteConfig) -> [f32; 3] {
        // Kish: n frames with correlation r are worth n / (1 + (n - 1) r) independent ones.
        let effect = 1.0 + (self.weight - 1.0).max(0.0) * config.correlation.clamp(0.0, 1.0);
        let logs = self.sums.map(|sum| sum / effect);
        let top = logs.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let exps = logs.map(|log| (log - top).exp());
        let total: f32 = exps.iter().sum();
        exps.map(|e| e / total)
    }

    /// Frames that counted.
    pub fn frames(&self) -> u32 {
        self.frames
    }

    /// How much of a frame's worth is new, given the time since the latest one.
    fn newness(&self, config: &VoteConfig, time: Duration) -> f32 {
        let spacing = config.spacing.as_secs_f32();
        match self.latest {
            Some(latest) if spacing > 0.0 => {
                let apart = time.abs_diff(latest).as_secs_f32() / spacing;
                apart.clamp(CLOSE_WORTH, 1.0)
            }
            _ => 1.0,
        }
    }

    /// Hysteresis: the state moves only on enough confidence.
    fn settle(&mut self, config: &VoteConfig) {
        if self.frames < config.min_frames || self.weight < config.min_weight {
            return;
        }
        let posterior = self.posterior(config);
        let mut best = 0;
        for index in 1..STATES.len() {
            if posterior[index] >= posterior[best] {
                best = index;
            }
        }
        let own = STATES.iter().position(|&state| state == self.state).map(|index| posterior[index]);
        if posterior[best] >= config.enter {
            self.state = STATES[best];
        } else if own.is_some_and(|own| own < config.leave) {
            self.state = MaskState::Unknown;
        }
    }
}
