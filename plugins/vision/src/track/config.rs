//! The knobs of a tracker, and what it hands out.

use std::time::Duration;

use crate::face::MaskState;
use crate::vote::VoteConfig;

/// How tracks are made, kept and counted. Distances are relative to the face's size, times are seconds, never frames:
/// one set of values serves 1 to 25 analyses per second. Below that a step counts as 1.25 s.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackerConfig {
    /// Detections of at least this score are matched first.
    pub high_score: f32,
    /// Detections under this score are ignored. Those between only prolong tracks.
    pub low_score: f32,
    /// A detection of at least this score that matches nothing begins a track.
    pub new_score: f32,
    /// Detections of a track before it is shown and counted.
    pub confirm_hits: u32,
    /// Mean score of the detections of whoever is counted. Unlike the greatest it does not rise with the number of frames
    /// looked at.
    pub mean_score: f32,
    /// Time from the first to the latest detection of whoever is counted: a glimpse is nobody yet.
    pub least_stay: Duration,
    /// In the first frame of a stream, and where analyses are `slow_interval` or more apart, one detection of at least
    /// this score is enough to be shown.
    pub sure_score: f32,
    /// See `sure_score`.
    pub slow_interval: Duration,
    /// Squared Mahalanobis distance up to which a detection can belong to a track (three degrees of freedom).
    pub gate: f32,
    /// Overlap (IoU with the predicted box) from which it can belong to it whatever the distance says.
    pub min_iou: f32,
    /// Greatest plausible speed relative to the prediction, in face sizes per second.
    pub max_speed: f32,
    /// Greatest distance from the prediction in face sizes, however long the track was not seen.
    pub max_reach: f32,
    /// A track not seen for this long ends (or for two and a half analysis intervals, if that is longer).
    pub memory: Duration,
    /// A box is shown for this long after the face was last seen (or for one and a half analysis intervals).
    pub show: Duration,
    /// A gap in time longer than this, or a step back, ends all tracks. Where analyses are far apart, so are those that
    /// belong together: then it is three of the intervals seen (the middle one of the latest three) or asked for, if that
    /// is longer, and two minutes at most.
    pub max_gap: Duration,
    /// Time between two analyses as asked for; zero: not known.
    pub interval: Duration,
    /// A person whose state has stood for this long is counted without waiting for the end.
    pub decided_for: Duration,
    /// A face this much bigger than at its best classification is classified again.
    pub bigger: f32,
    /// A classification older than this is repeated.
    pub stale: Duration,
    /// A state less confident than this is uncertain: the face is classified again.
    pub sure_confidence: f32,
    /// Evidence into state.
    pub vote: VoteConfig,
}

impl Default for TrackerConfig {
    fn default() -> Self {
        Self {
            high_score: 0.6,
            low_score: 0.2,
            new_score: 0.65,
            confirm_hits: 2,
            mean_score: 0.6,
            least_stay: Duration::from_millis(400),
            sure_score: 0.75,
            slow_interval: Duration::from_millis(500),
            gate: 12.0,
            min_iou: 0.3,
            max_speed: 7.0,
            max_reach: 7.0,
            memory: Duration::from_secs(2),
            show: Duration::from_millis(600),
            max_gap: Duration::from_secs(5),
            interval: Duration::ZERO,
            decided_for: Duration::from_millis(1500),
            bigger: 1.3,
            stale: Duration::from_secs(2),
            sure_confidence: 0.9,
            vote: VoteConfig::default(),
        }
    }
}

/// What a detection was matched to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The track, from 1 on; `None` for a detection too weak to be a track of its own.
    pub track: Option<u64>,
    /// Whether a classification of this face is worth its price: the track is new, uncertain, bigger than before or
    /// was last classified long ago.
    pub classify: bool,
}

/// The outcome of [`super::Tracker::associate`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Association {
    /// One per detection, in the order given.
    pub links: Vec<Link>,
    /// Confirmed tracks that were not found in this frame and are kept for a while, in rising order.
    pub lost: Vec<u64>,
    /// Confirmed tracks that ended with this frame, in rising order.
    pub ended: Vec<u64>,
    /// Whether time jumped, so that all earlier tracks ended.
    pub jumped: bool,
}

/// One person on one camera, counted once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Person {
    /// The track.
    pub track: u64,
    /// The vote's outcome.
    pub state: MaskState,
    /// Confidence of `state`, `0..=1`; 0 for unknown.
    pub confidence: f32,
    /// Time of the first detection.
    pub first_seen: Duration,
    /// Time of the latest detection so far.
    pub last_seen: Duration,
    /// Analysed frames in which the face was found.
    pub frames: u32,
    /// Greatest face height in pixels of the camera's picture; 0 where none was told.
    pub face_height_px: f32,
}
