//! One track: a face's motion, its evidence, and whether its person has been counted.

use std::time::Duration;

use super::config::{Person, TrackerConfig};
use super::motion::Motion;
use crate::face::{ClassifiedFace, Detection, FaceView, MaskState};
use crate::vote::{Evidence, Vote};

/// This many classifications are made at the rate of analysis while a state is uncertain; then at the slower rate.
const EAGER_CLASSIFICATIONS: u32 = 10;
/// Time between classifications of a face that stays uncertain.
const PATIENT_INTERVAL: Duration = Duration::from_millis(500);

/// One track.
#[derive(Clone, Debug)]
pub(super) struct Track {
    pub(super) id: u64,
    pub(super) motion: Motion,
    pub(super) confirmed: bool,
    pub(super) first_seen: Duration,
    pub(super) last_seen: Duration,
    hits: u32,
    score: f32,
    mean_score: f32,
    vote: Vote,
    /// Since when the voted state has been what it is.
    state_since: Duration,
    /// Latest classification: its time and the greatest height (normalised) classified so far.
    classified: Option<(Duration, f32)>,
    classifications: u32,
    height_px: f32,
    counted: bool,
    /// States told so far, by their numbers.
    announced: [bool; MaskState::ALL.len()],
}

impl Track {
    pub(super) fn new(id: u64, time: Duration, found: &Detection) -> Self {
        Self {
            id,
            motion: Motion::new(&found.rect),
            confirmed: false,
            first_seen: time,
            last_seen: time,
            hits: 1,
            score: found.score,
            mean_score: found.score,
            vote: Vote::default(),
            state_since: time,
            classified: None,
            classifications: 0,
            height_px: 0.0,
            counted: false,
            announced: [false; MaskState::ALL.len()],
        }
    }

    /// Takes in the detection of the frame at `time`, to which the motion has been advanced.
    pub(super) fn hit(&mut self, time: Duration, found: &Detection, config: &TrackerConfig) {
        self.motion.correct(&found.rect);
        self.last_seen = time;
        self.hits = self.hits.saturating_add(1);
        self.score = found.score;
        self.mean_score += (found.score - self.mean_score) / self.hits as f32;
        self.confirmed |= self.hits >= config.confirm_hits;
    }

    pub(super) fn wants_classification(&self, time: Duration, found: &Detection, config: &TrackerConfig) -> bool {
        let Some((latest, height)) = self.classified else { return true };
        let age = time.saturating_sub(latest);
        let uncertain = self.vote.result(&config.vote).1 < config.sure_confidence;
        let eager = self.classifications < EAGER_CLASSIFICATIONS || age >= PATIENT_INTERVAL;
        found.rect.h > height * config.bigger || age >= config.stale || (uncertain && eager)
    }

    pub(super) fn evidence(&mut self, time: Duration, face: &ClassifiedFace, height_px: f32, config: &TrackerConfig) {
        if height_px.is_finite() {
            self.height_px = self.height_px.max(height_px);
        }
        let Some(scores) = face.states else { return };
        let best = self.classified.map_or(0.0, |(_, height)| height).max(face.detection.rect.h);
        self.classified = Some((time, best));
        self.classifications = self.classifications.saturating_add(1);
        let evidence = Evidence { scores, height_px, detection_score: face.detection.score, quality: 1.0 };
        if self.vote.add(&config.vote, time, &evidence) {
            self.state_since = time;
        }
    }

    pub(super) fn view(&self, seconds: f32, config: &TrackerConfig) -> FaceView {
        let (state, confidence) = self.vote.result(&config.vote);
        FaceView { track: self.id, rect: self.motion.rect_after(seconds), score: self.score, state, confidence }
    }

    pub(super) fn person(&self, config: &TrackerConfig) -> Person {
        let (state, confidence) = self.vote.result(&config.vote);
        Person {
            track: self.id,
            state,
            confidence,
            first_seen: self.first_seen,
            last_seen: self.last_seen,
            frames: self.hits,
            face_height_px: self.height_px,
        }
    }

    /// The person, if it is to be counted now while the track goes on. Marks it as counted.
    pub(super) fn count_decided(&mut self, now: Duration, config: &TrackerConfig) -> Option<Person> {
        let person = self.person(config);
        let stands = now.saturating_sub(self.state_since) >= config.decided_for;
        let due = self.is_countable(config) && !self.counted && person.state != MaskState::Unknown && stands;
        self.counted |= due;
        due.then_some(person)
    }

    /// The person, if it is still to be counted as the track ends.
    pub(super) fn count_ended(&self, config: &TrackerConfig) -> Option<Person> {
        (self.is_countable(config) && !self.counted).then(|| self.person(config))
    }

    /// A track that is shown is not yet a person: one detection, or two in a row, may be a broken piece of another track.
    fn is_countable(&self, config: &TrackerConfig) -> bool {
        let stay = self.last_seen.saturating_sub(self.first_seen);
        let enough = self.hits >= config.confirm_hits && stay >= config.least_stay;
        self.confirmed && enough && self.mean_score >= config.mean_score
    }

    /// The person, if its state was not announced before. Marks it as announced.
    pub(super) fn announce(&mut self, config: &TrackerConfig) -> Option<Person> {
        let person = self.person(config);
        let told = &mut self.announced[person.state as usize];
        let news = self.confirmed && person.state != MaskState::Unknown && !*told;
        *told |= news;
        news.then_some(person)
    }
}
