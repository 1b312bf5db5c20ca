//! Faces become tracks, tracks become people: one tracker per camera.
//!
//! After ByteTrack (Zhang et al., 2022): strong detections are matched to all tracks first, weak ones then prolong
//! tracks that found nothing, and only strong ones begin tracks. Unlike there, matching is by Mahalanobis distance to a
//! prediction whose uncertainty grows in seconds, with overlap as a second way in: at one analysis per second a walking
//! face does not overlap its last box. The assignment is optimal in sum, so neighbours do not steal from each other.
//!
//! Same input, same output: there is no randomness and no dependence on the order of a hash map.

pub(crate) mod assign;
mod config;
mod entry;
mod motion;
mod pace;

use std::time::Duration;

pub use self::config::{Association, Link, Person, TrackerConfig};
use self::entry::Track;
use self::pace::Pace;
use crate::face::{ClassifiedFace, Detection, FaceView};
use crate::geometry::Rect;

/// Price of a track that stays alone, at one analysis per second. A match must be likelier than that one face has gone
/// and another has come: with a face in five leaving per second, and one in 250 places of a face's size taken anew, twice
/// the logarithm of the ratio of likelihoods is 21.
const ALONE: f32 = 21.0;
/// Added to it per e-fold of the rate of analysis: coming and going in one interval each become rarer in proportion.
const ALONE_PER_RATE: f32 = 4.0;
/// A match may change the face's height by this factor against the prediction.
const SIZE_RATIO: f32 = 1.5;
/// Share of the gate that is open to weak detections.
const WEAK_GATE: f32 = 0.5;
/// A strong detection that overlaps a matched one this much is the same face found twice,
const SAME_FACE_IOU: f32 = 0.6;
/// and so is one of two detections of which this share of the smaller lies in the other,
const SAME_FACE_INSIDE: f32 = 0.8;
/// unless its height is less than this share of the other's: then one of them may be no face.
const SAME_FACE_HEIGHT: f32 = 0.5;
/// Most detections that are looked at in one frame, best scores first.
const MAX_FACES: usize = 256;
/// A longer step between two analyses counts as so long, a little more than the slowest rate that motion is tuned for.
///
/// Who is still in view after a longer one has not walked on all the while, but stood, sat or queued: nearly all who walk
/// have left. Uncertainty that went on growing would make every place as likely as every other, and the same face at the
/// same place somebody else. A queue that moves on between analyses is followed: its speed is measured in the same steps.
const LONGEST_STEP: f32 = 1.25;
/// Boxes are predicted no further than this from the latest analysis, in seconds.
const MAX_PREDICTION: f32 = 1.2;

/// The tracks of one camera.
#[derive(Clone, Debug)]
pub struct Tracker {
    config: TrackerConfig,
    /// In the order of their numbers.
    tracks: Vec<Track>,
    next_id: u64,
    /// Time of the latest analysed frame.
    now: Option<Duration>,
    /// Mean time between analyses.
    interval: Option<Duration>,
    pace: Pace,
    /// People of ended tracks, not yet taken.
    finished: Vec<Person>,
}

impl Default for Tracker {
    fn default() -> Self {
        Self::new(TrackerConfig::default())
    }
}

impl Tracker {
    /// A tracker without tracks.
    pub fn new(config: TrackerConfig) -> Self {
        let (tracks, finished) = (Vec::new(), Vec::new());
        Self { config, tracks, next_id: 1, now: None, interval: None, pace: Pace::default(), finished }
    }

    /// Analyses are asked for so far apart from now on; zero: not known. Tracks go on.
    pub fn set_interval(&mut self, interval: Duration) {
        self.config.interval = interval;
    }

    /// Matches the detections of the frame at `time` to the tracks, begins new tracks, and ends old ones.
    ///
    /// A step back in time, or too long a gap ([`TrackerConfig::max_gap`]), ends all tracks first. Boxes that are not
    /// finite are linked to nothing.
    pub fn associate(&mut self, time: Duration, found: &[Detection]) -> Association {
        let mut answer =
            Association { links: vec![Link { track: None, classify: false }; found.len()], ..Default::default() };
        if self.jumps_to(time) {
            answer.ended = self.tracks.iter().filter(|track| track.confirmed).map(|track| track.id).collect();
            answer.jumped = true;
            self.end_all();
        }
        let first = self.now.is_none();
        self.step(time);

        let (strong, weak) = self.split(found);
        let mut owner = vec![None; self.tracks.len()];
        self.match_round(time, found, &strong, self.config.gate, &mut owner);
        // A weak detection prolongs what is known to be a face; it does not confirm what may be none.
        self.match_round(time, found, &weak, self.config.gate * WEAK_GATE, &mut owner);
        for (track, index) in owner.iter().enumerate().filter_map(|(track, index)| index.map(|index| (track, index))) {
            let track = &mut self.tracks[track];
            track.hit(time, &found[index], &self.config);
            let classify = track.wants_classification(time, &found[index], &self.config);
            answer.links[index] = Link { track: Some(track.id), classify };
        }
        let matched: Vec<usize> = owner.into_iter().flatten().collect();
        self.begin(time, first, found, &strong, &matched, &mut answer);
        self.prune(time, &mut answer);
        answer
    }

    /// Feeds a frame's evidence on a track to its vote. Call it for every linked face, classified or not; a track that
    /// is no more is ignored.
    pub fn evidence(&mut self, time: Duration, track: u64, face: &ClassifiedFace, face_height_px: f32) {
        if let Ok(index) = self.tracks.binary_search_by_key(&track, |t| t.id) {
            self.tracks[index].evidence(time, face, face_height_px, &self.config);
        }
    }

    /// The tracks fit to show at `time`, their boxes predicted to it, in the order of their numbers.
    ///
    /// A box outlives its last detection only briefly, is predicted only a little ahead, and is gone once its centre
    /// has left the picture.
    pub fn view(&self, time: Duration) -> Vec<FaceView> {
        let Some(now) = self.now else { return Vec::new() };
        let ahead = if time >= now { (time - now).as_secs_f32() } else { -(now - time).as_secs_f32() };
        let interval = self.interval().as_secs_f32();
        let ahead = ahead.clamp(-MAX_PREDICTION, interval.clamp(0.6, MAX_PREDICTION));
        // Speeds are per step, and a long one counts as a shorter one.
        let ahead = ahead * (LONGEST_STEP / interval.max(LONGEST_STEP));
        let show = self.config.show.max(self.interval().mul_f32(1.5));
        self.tracks
            .iter()
            .filter(|track| track.confirmed && time.saturating_sub(track.last_seen) <= show)
            .map(|track| track.view(ahead, &self.config))
            .filter(|view| is_inside(&view.rect))
            .collect()
    }

    /// People to be counted since the last call. Each is returned once, ever. Call it after every frame: people of
    /// ended tracks are kept until then.
    pub fn take_decided(&mut self) -> Vec<Person> {
        let mut people = std::mem::take(&mut self.finished);
        if let Some(now) = self.now {
            people.extend(self.tracks.iter_mut().filter_map(|track| track.count_decided(now, &self.config)));
        }
        people
    }

    /// People whose voted state was reached since the last call, at once and each state once: for alerts, not for
    /// counts. Only of tracks that go on.
    pub fn take_verdicts(&mut self) -> Vec<Person> {
        self.tracks.iter_mut().filter_map(|track| track.announce(&self.config)).collect()
    }

    /// Whether a track goes on.
    pub fn is_alive(&self, track: u64) -> bool {
        self.tracks.binary_search_by_key(&track, |t| t.id).is_ok()
    }

    /// Ends all tracks: the stream is over or broken. The people are then in [`Tracker::take_decided`], and the next
    /// frame is the first of a new stream.
    pub fn end_all(&mut self) {
        for track in self.tracks.drain(..) {
            self.finished.extend(track.count_ended(&self.config));
        }
        self.now = None;
        self.interval = None;
    }

    /// Whether `time` is too far from the latest analysis to go on from it. Notes how far it is.
    fn jumps_to(&mut self, time: Duration) -> bool {
        let Some(now) = self.now else { return false };
        let Some(gap) = time.checked_sub(now) else { return true };
        let longest = self.pace.longest_gap(&self.config);
        self.pace.note(gap);
        gap > longest
    }

    /// Mean time between analyses; a fifth of a second until it is known.
    fn interval(&self) -> Duration {
        self.interval.unwrap_or(Duration::from_millis(200))
    }

    /// Brings all tracks to `time`.
    fn step(&mut self, time: Duration) {
        if let Some(now) = self.now {
            let gap = time.saturating_sub(now);
            for track in &mut self.tracks {
                track.motion.advance(gap.as_secs_f32().min(LONGEST_STEP));
            }
            self.interval = Some(self.interval.map_or(gap, |mean| (mean * 3 + gap) / 4));
        }
        self.now = Some(time);
    }

    /// The strong and the weak detections worth a look, best first.
    fn split(&self, found: &[Detection]) -> (Vec<usize>, Vec<usize>) {
        let sound = |d: &Detection| {
            [d.rect.x, d.rect.y, d.rect.w, d.rect.h].iter().all(|v| v.is_finite()) && d.score >= self.config.low_score
        };
        let mut order: Vec<usize> = (0..found.len()).filter(|&index| sound(&found[index])).collect();
        order.sort_by(|&a, &b| found[b].score.total_cmp(&found[a].score).then(a.cmp(&b)));
        order.truncate(MAX_FACES);
        order.into_iter().partition(|&index| found[index].score >= self.config.high_score)
    }

    /// One round of optimal assignment between tracks without an owner entry and the given detections.
    fn match_round(
        &self,
        time: Duration,
        found: &[Detection],
        candidates: &[usize],
        gate: f32,
        owner: &mut [Option<usize>],
    ) {
        let strong = candidates.first().is_some_and(|&index| found[index].score >= self.config.high_score);
        let free: Vec<usize> = (0..self.tracks.len())
            .filter(|&track| owner[track].is_none() && (strong || self.tracks[track].confirmed))
            .collect();
        let mut costs = Vec::with_capacity(free.len() * candidates.len());
        for &track in &free {
            let predicted = self.tracks[track].motion.rect();
            costs.extend(
                candidates
                    .iter()
                    .map(|&index| self.cost(time, &self.tracks[track], &predicted, &found[index].rect, gate)),
            );
        }
        let interval = self.interval().as_secs_f32().clamp(0.01, LONGEST_STEP);
        let alone = ALONE - ALONE_PER_RATE * interval.ln();
        let answer = assign::assign(&costs, free.len(), candidates.len(), alone);
        for (&track, column) in free.iter().zip(answer) {
            owner[track] = column.map(|column| candidates[column]);
        }
    }

    /// Price of matching a detection to a track whose box is `predicted`.
    fn cost(&self, time: Duration, track: &Track, predicted: &Rect, rect: &Rect, gate: f32) -> f32 {
        let (distance, vagueness) = (track.motion.distance(rect), track.motion.vagueness(rect));
        let whole = &track.motion.whole(rect);
        let overlaps = predicted.iou(whole) >= self.config.min_iou;
        let unseen = time.saturating_sub(track.last_seen).as_secs_f32();
        let interval = self.interval().as_secs_f32();
        let reach = 1.0 + self.config.max_speed * unseen.min(interval) + 0.7 * (unseen - interval).max(0.0);
        let reach = reach.min(self.config.max_reach);
        let ratio = rect.h.max(f32::MIN_POSITIVE) / predicted.h;
        let alike = (1.0 / SIZE_RATIO..=SIZE_RATIO).contains(&ratio);
        if !overlaps && (distance > gate || !alike || sizes_apart(predicted, whole) > reach) {
            return assign::FORBIDDEN;
        }
        distance.min(gate) + vagueness
    }

    /// Begins tracks for strong detections that belong to none.
    fn begin(
        &mut self,
        time: Duration,
        first: bool,
        found: &[Detection],
        strong: &[usize],
        matched: &[usize],
        answer: &mut Association,
    ) {
        let slow = self.interval.is_some_and(|interval| interval >= self.config.slow_interval);
        let mut taken = matched.to_vec();
        for &index in strong {
            let detection = &found[index];
            let twice = taken.iter().any(|&other| is_same_face(&found[other].rect, &detection.rect));
            if taken.contains(&index) || detection.score < self.config.new_score || twice {
                continue;
            }
            let mut track = Track::new(self.next_id, time, detection);
            let at_once = (first || slow) && detection.score >= self.config.sure_score;
            track.confirmed = at_once || self.config.confirm_hits <= 1;
            answer.links[index] = Link { track: Some(track.id), classify: true };
            self.next_id += 1;
            self.tracks.push(track);
            taken.push(index);
        }
    }

    /// Ends tracks that have not been seen for too long, and says which are lost or ended.
    fn prune(&mut self, time: Duration, answer: &mut Association) {
        let interval = self.interval();
        let memory = self.config.memory.max(interval.mul_f32(2.5));
        // A tentative track survives one miss.
        let tentative = Duration::from_millis(300).min(self.config.memory).max(interval.mul_f32(1.5));
        let (finished, config) = (&mut self.finished, &self.config);
        self.tracks.retain(|track| {
            let unseen = time.saturating_sub(track.last_seen);
            let keep = unseen
                <= match (track.confirmed, is_inside(&track.motion.rect())) {
                    (true, true) => memory,
                    // Who has walked out does not come back as somebody who walks in at the same place.
                    (true, false) => interval.mul_f32(1.5),
                    (false, _) => tentative,
                };
            if !keep && track.confirmed {
                answer.ended.push(track.id);
                finished.extend(track.count_ended(config));
            } else if keep && track.confirmed && unseen > Duration::ZERO {
                answer.lost.push(track.id);
            }
            keep
        });
    }
}

/// Whether two boxes of one frame are of one face.
fn is_same_face(a: &Rect, b: &Rect) -> bool {
    let inside = a.intersection(b) >= SAME_FACE_INSIDE * a.area().min(b.area());
    let alike = a.h.min(b.h) >= SAME_FACE_HEIGHT * a.h.max(b.h);
    a.iou(b) >= SAME_FACE_IOU || (inside && alike)
}

/// Distance of two boxes' centres in units of the first box's size.
fn sizes_apart(a: &Rect, b: &Rect) -> f32 {
    let ((ax, ay), (bx, by)) = (a.center(), b.center());
    let (w, h) = (a.w.max(f32::MIN_POSITIVE), a.h.max(f32::MIN_POSITIVE));
    ((bx - ax) / w).hypot((by - ay) / h)
}

/// Whether a box's centre is in the picture.
fn is_inside(rect: &Rect) -> bool {
    let (x, y) = rect.center();
    (0.0..=1.0).contains(&x) && (0.0..=1.0).contains(&y)
}
