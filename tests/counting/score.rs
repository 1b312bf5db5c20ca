//! Answers against the truth.

use std::fmt::Write;

use maskwatch_vision::compliance::Counts;
use maskwatch_vision::eval::tracking::{TrackingEvaluation, TrackingScore};

use super::replay::{Answer, Seen};
use super::stage::{Clip, SIZE, TrueFace};

/// From this overlap on a box is on a face of which nothing is asked.
const NOT_ASKED_IOU: f32 = 0.3;

/// The figures of a clip at a rate, or of several.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// People to be counted.
    pub truth: Counts,
    /// People counted.
    pub counted: Counts,
    /// Boxes by the state that each frame alone gives them: what counting frames counts.
    pub boxes: Counts,
    pub tracking: TrackingScore,
}

impl Score {
    /// How far the number of people is off, in shares of the truth.
    pub fn count_error(&self) -> f64 {
        self.counted.total() as f64 / self.truth.total() as f64 - 1.0
    }

    /// How far the compliance ratio is off, in points; nothing where nobody's state is known.
    pub fn ratio_error(&self) -> Option<f64> {
        Some((self.counted.ratio(1)? - self.truth.ratio(1)?) * 100.0)
    }

    /// The same of frames: the share of boxes.
    pub fn boxes_ratio_error(&self) -> Option<f64> {
        Some((self.boxes.ratio(1)? - self.truth.ratio(1)?) * 100.0)
    }
}

impl std::ops::AddAssign for Score {
    fn add_assign(&mut self, other: Self) {
        self.truth += other.truth;
        self.counted += other.counted;
        self.boxes += other.boxes;
        self.tracking += other.tracking;
    }
}

/// The frames of a clip as both sides of a tracking evaluation: the faces that are asked for, and the tracks' boxes but
/// those on faces of which nothing is asked.
fn sides(clip: &Clip, fps: u32, answer: &Answer) -> Vec<(Vec<TrueFace>, Vec<Seen>)> {
    let frame = |(time, seen): (f32, &Vec<Seen>)| {
        let (asked, rest): (Vec<_>, Vec<_>) = clip.faces(time).into_iter().partition(TrueFace::is_asked);
        let counts = |seen: &&Seen| {
            let on = |faces: &[TrueFace], least: f32| faces.iter().any(|face| face.rect.iou(&seen.rect) >= least);
            !on(&rest, NOT_ASKED_IOU) || on(&asked, 0.5)
        };
        let tracks = seen.iter().filter(|seen| seen.track != 0).filter(counts).copied().collect();
        (asked, tracks)
    };
    clip.times(fps).zip(&answer.frames).map(frame).collect()
}

/// The figures of one answer.
pub fn score(clip: &Clip, fps: u32, answer: &Answer) -> Score {
    let mut score = Score::default();
    clip.people().iter().for_each(|person| score.truth.add(person.state));
    answer.people.iter().for_each(|person| score.counted.add(person.state));
    answer.frames.iter().flatten().for_each(|seen| score.boxes.add(seen.single));
    let mut evaluation = TrackingEvaluation::new();
    for (truth, seen) in sides(clip, fps, answer) {
        let truth: Vec<_> = truth.iter().map(|face| (face.person, face.rect)).collect();
        let seen: Vec<_> = seen.iter().map(|seen| (seen.track, seen.rect)).collect();
        evaluation.add(&truth, &seen);
    }
    score.tracking = evaluation.score();
    score
}

/// Truth and answer in the format of the MOT challenge (frame, number, left, top, width, height, confidence, -1, -1, -1),
/// for motmetrics.
pub fn mot(clip: &Clip, fps: u32, answer: &Answer) -> [String; 2] {
    let mut texts = [String::new(), String::new()];
    for (index, (truth, seen)) in sides(clip, fps, answer).into_iter().enumerate() {
        let mut line = |side: usize, number: u64, rect: &maskwatch_vision::geometry::Rect| {
            let [x, y, w, h] = rect.to_pixels(SIZE[0], SIZE[1]);
            writeln!(texts[side], "{},{number},{x:.2},{y:.2},{w:.2},{h:.2},1,-1,-1,-1", index + 1).unwrap();
        };
        truth.iter().for_each(|face| line(0, face.person, &face.rect));
        seen.iter().for_each(|seen| line(1, seen.track, &seen.rect));
    }
    texts
}
