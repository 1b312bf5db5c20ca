//! How well tracks follow people: CLEAR MOT (Bernardin and Stiefelhagen, 2008) and IDF1 (Ristani et al., 2016), as the
//! Python package `motmetrics` computes them.

use std::collections::BTreeMap;

use crate::geometry::Rect;
use crate::track::assign;

/// Overlap (IoU) from which a box is on a face.
const MIN_IOU: f32 = 0.5;
/// Price of leaving a box alone: above any sum of overlaps in a frame, so that the number of matches comes first.
const ALONE: f32 = 1e3;

/// One box of one frame, with its number: a person's in the truth, a track's in the answer.
pub type Numbered = (u64, Rect);

/// Adds frames up.
#[derive(Clone, Debug, Default)]
pub struct TrackingEvaluation {
    /// Latest track on each person.
    latest: BTreeMap<u64, u64>,
    /// Frames that a person and a track have in common, by (person, track).
    shared: BTreeMap<(u64, u64), u32>,
    /// Frames of each person, and of each track.
    lengths: [BTreeMap<u64, u32>; 2],
    score: TrackingScore,
}

/// The figures.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TrackingScore {
    /// Boxes of the truth.
    pub truth: u64,
    /// Of these, without a track's box on them.
    pub misses: u64,
    /// Tracks' boxes on nobody.
    pub false_positives: u64,
    /// Times that a person was followed by another track than before.
    pub switches: u64,
    /// Boxes that the best pairing of whole tracks with persons gets right.
    pub identified: u64,
    /// Boxes of all tracks.
    pub answered: u64,
}

impl TrackingScore {
    /// Multiple object tracking accuracy, 1 at best; `None` without truth.
    pub fn mota(&self) -> Option<f64> {
        let faults = self.misses + self.false_positives + self.switches;
        (self.truth > 0).then(|| 1.0 - faults as f64 / self.truth as f64)
    }

    /// F1 of identities, 1 at best; `None` where there is nobody and no track.
    pub fn idf1(&self) -> Option<f64> {
        let all = self.truth + self.answered;
        (all > 0).then(|| 2.0 * self.identified as f64 / all as f64)
    }
}

impl std::ops::AddAssign for TrackingScore {
    fn add_assign(&mut self, other: Self) {
        self.truth += other.truth;
        self.misses += other.misses;
        self.false_positives += other.false_positives;
        self.switches += other.switches;
        self.identified += other.identified;
        self.answered += other.answered;
    }
}

impl TrackingEvaluation {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One frame. A number is there at most once in each list.
    pub fn add(&mut self, truth: &[Numbered], answer: &[Numbered]) {
        let mut pairs = self.kept(truth, answer);
        let free = |side: usize, index: usize, pairs: &[(usize, usize)]| {
            !pairs.iter().any(|&(person, track)| [person, track][side] == index)
        };
        let people: Vec<usize> = (0..truth.len()).filter(|&index| free(0, index, &pairs)).collect();
        let tracks: Vec<usize> = (0..answer.len()).filter(|&index| free(1, index, &pairs)).collect();
        let cost = |person: usize, track: usize| {
            let iou = truth[person].1.iou(&answer[track].1);
            if iou >= MIN_IOU { 1.0 - iou } else { assign::FORBIDDEN }
        };
        let costs: Vec<f32> =
            people.iter().flat_map(|&person| tracks.iter().map(move |&track| cost(person, track))).collect();
        let found = assign::assign(&costs, people.len(), tracks.len(), ALONE);
        pairs.extend(people.iter().zip(found).filter_map(|(&person, column)| Some((person, tracks[column?]))));
        for &(person, track) in &pairs {
            let (person, track) = (truth[person].0, answer[track].0);
            self.score.switches += u64::from(self.latest.insert(person, track).is_some_and(|before| before != track));
        }
        self.count(truth, answer, pairs.len());
    }

    /// Persons whose latest track is still on them.
    fn kept(&self, truth: &[Numbered], answer: &[Numbered]) -> Vec<(usize, usize)> {
        let of = |(index, (person, rect)): (usize, &Numbered)| {
            let track = self.latest.get(person)?;
            let place = answer.iter().position(|(number, _)| number == track)?;
            (rect.iou(&answer[place].1) >= MIN_IOU).then_some((index, place))
        };
        let mut pairs: Vec<(usize, usize)> = truth.iter().enumerate().filter_map(of).collect();
        // A track that was on two persons in turn stays on one.
        let mut taken = std::collections::BTreeSet::new();
        pairs.retain(|(_, track)| taken.insert(*track));
        pairs
    }

    fn count(&mut self, truth: &[Numbered], answer: &[Numbered], matched: usize) {
        self.score.truth += truth.len() as u64;
        self.score.answered += answer.len() as u64;
        self.score.misses += (truth.len() - matched) as u64;
        self.score.false_positives += (answer.len() - matched) as u64;
        for (side, list) in [truth, answer].into_iter().enumerate() {
            list.iter().for_each(|(number, _)| *self.lengths[side].entry(*number).or_default() += 1);
        }
        for (person, rect) in truth {
            for (track, _) in answer.iter().filter(|(_, other)| rect.iou(other) >= MIN_IOU) {
                *self.shared.entry((*person, *track)).or_default() += 1;
            }
        }
    }

    /// The figures of all frames so far.
    pub fn score(&self) -> TrackingScore {
        let people: Vec<u64> = self.lengths[0].keys().copied().collect();
        let tracks: Vec<u64> = self.lengths[1].keys().copied().collect();
        let shared = |person: u64, track: u64| self.shared.get(&(person, track)).copied().unwrap_or_default() as f32;
        let most = self.shared.values().copied().max().unwrap_or_default() as f32;
        // The sum of shared frames is greatest where the sum of what is missing to the greatest is least.
        let costs: Vec<f32> =
            people.iter().flat_map(|&person| tracks.iter().map(move |&track| most - shared(person, track))).collect();
        let best = assign::assign(&costs, people.len(), tracks.len(), most);
        let identified =
            people.iter().zip(best).filter_map(|(&person, column)| Some(shared(person, tracks[column?]) as u64));
        TrackingScore { identified: identified.sum(), ..self.score }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(number: u64, x: f32) -> Numbered {
        (number, Rect::new(x, 0.4, 0.1, 0.1))
    }

    #[test]
    fn a_perfect_answer() {
        let mut evaluation = TrackingEvaluation::new();
        for step in 0..10 {
            let x = step as f32 * 0.05;
            evaluation.add(&[at(1, x), at(2, 0.9 - x)], &[at(8, x), at(9, 0.9 - x)]);
        }
        let score = evaluation.score();
        assert_eq!((score.mota(), score.idf1(), score.switches), (Some(1.0), Some(1.0), 0));
    }

    #[test]
    fn faults_by_hand() {
        let mut evaluation = TrackingEvaluation::new();
        evaluation.add(&[at(1, 0.1), at(2, 0.5)], &[at(7, 0.1), at(8, 0.5)]);
        evaluation.add(&[at(1, 0.1), at(2, 0.5)], &[at(7, 0.1)]);
        // Person 2 comes back as track 9, and there is a box on nobody.
        evaluation.add(&[at(1, 0.1), at(2, 0.5)], &[at(7, 0.11), at(9, 0.5), at(10, 0.8)]);
        let score = evaluation.score();
        let TrackingScore { truth, misses, false_positives, switches, identified, answered } = score;
        assert_eq!((truth, misses, false_positives, switches, identified, answered), (6, 1, 1, 1, 4, 6));
        assert_eq!(score.mota(), Some(0.5));
        assert_eq!(score.idf1(), Some(8.0 / 12.0));
    }

    #[test]
    fn a_track_stays_on_its_person_while_it_overlaps() {
        let mut evaluation = TrackingEvaluation::new();
        evaluation.add(&[at(1, 0.10)], &[at(7, 0.10)]);
        // Track 8 lies better, but 7 is still on the person.
        evaluation.add(&[at(1, 0.10)], &[at(7, 0.13), at(8, 0.10)]);
        let score = evaluation.score();
        assert_eq!((score.switches, score.false_positives), (0, 1));
        assert_eq!(TrackingEvaluation::new().score().mota(), None);
    }
}
