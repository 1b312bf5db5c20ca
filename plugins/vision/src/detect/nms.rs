//! Greedy non-maximum suppression, with or without a vote of the suppressed boxes.

use crate::face::Detection;
use crate::geometry::Rect;

/// Keeps the best faces, drops those that overlap a better one by more than `iou`, keeps at most `limit`.
///
/// All faces compete, whatever their states. The result is sorted by falling score; equal scores keep their order.
/// Doing it twice changes nothing.
pub fn suppress(found: Vec<Detection>, iou: f32, limit: usize) -> Vec<Detection> {
    Groups::new(found, iou, None, limit).kept().copied().collect()
}

/// As [`suppress`], but each kept box becomes the mean of itself and of all that it suppressed, weighted by score; its
/// score and states stay those of the best.
pub fn suppress_and_vote(found: Vec<Detection>, iou: f32, limit: usize, voting: &Voting) -> Vec<Detection> {
    Groups::new(found, iou, Some(voting), limit).voted()
}

/// How the boxes that a better one suppresses still move it (box voting; Gidaris and Komodakis, ICCV 2015).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Voting {
    /// Boxes of at least this score vote, also where faces need a higher one.
    pub floor: f32,
    /// A box of which this share lies within a better one, or the other way round, is taken for the same face, …
    pub inside: f32,
    /// … if they overlap (IoU) by at least this. One network may know two ways to draw a face's box.
    pub iou: f32,
}

impl Voting {
    fn same(&self, a: &Rect, b: &Rect) -> bool {
        let smaller = a.area().min(b.area());
        a.intersection(b) > self.inside * smaller && a.iou(b) > self.iou
    }
}

/// Boxes by falling score, each with the better one that it is taken for.
pub(super) struct Groups {
    found: Vec<Detection>,
    /// Indices into `found`.
    kept: Vec<usize>,
    /// For each of `found` an index into `kept`; `None` where that was full.
    owners: Vec<Option<usize>>,
}

impl Groups {
    /// Of two boxes that overlap by more than `iou`, or that are the same by `voting`, the better one is kept; of the kept
    /// at most `limit`.
    pub(super) fn new(mut found: Vec<Detection>, iou: f32, voting: Option<&Voting>, limit: usize) -> Self {
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        let (mut kept, mut owners): (Vec<usize>, Vec<Option<usize>>) = (Vec::new(), Vec::with_capacity(found.len()));
        for (index, face) in found.iter().enumerate() {
            let same = |better: &Rect| {
                better.iou(&face.rect) > iou || voting.is_some_and(|voting| voting.same(better, &face.rect))
            };
            let mut owner = kept.iter().position(|better| same(&found[*better].rect));
            if owner.is_none() && kept.len() < limit {
                owner = Some(kept.len());
                kept.push(index);
            }
            owners.push(owner);
        }
        Self { found, kept, owners }
    }

    /// The kept boxes as they were found, best first.
    pub(super) fn kept(&self) -> impl Iterator<Item = &Detection> {
        self.kept.iter().map(|index| &self.found[*index])
    }

    /// The kept boxes, each moved by all that it suppressed.
    pub(super) fn voted(&self) -> Vec<Detection> {
        let mut ballots: Vec<Ballot> = self.kept.iter().map(|_| Ballot::default()).collect();
        for (face, owner) in self.members() {
            if let Some(owner) = owner {
                ballots[owner].add(face);
            }
        }
        let moved =
            |(face, ballot): (&Detection, Ballot)| Detection { rect: ballot.mean().unwrap_or(face.rect), ..*face };
        self.kept().zip(ballots).map(moved).collect()
    }

    /// All boxes, best first, each with the index of the kept one that it is taken for; `None`: there were too many.
    pub(super) fn members(&self) -> impl Iterator<Item = (&Detection, Option<usize>)> {
        self.found.iter().zip(self.owners.iter().copied())
    }
}

/// Weighted sums of corners.
#[derive(Clone, Copy, Default)]
struct Ballot {
    corners: [f32; 4],
    weight: f32,
}

impl Ballot {
    fn add(&mut self, face: &Detection) {
        let rect = &face.rect;
        for (sum, corner) in self.corners.iter_mut().zip([rect.x, rect.y, rect.right(), rect.bottom()]) {
            *sum += face.score * corner;
        }
        self.weight += face.score;
    }

    fn mean(&self) -> Option<Rect> {
        let [x1, y1, x2, y2] = self.corners.map(|sum| sum / self.weight);
        (self.weight > 0.0).then(|| Rect::from_corners(x1, y1, x2, y2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VOTING: Voting = Voting { floor: 0.02, inside: 0.9, iou: 0.25 };

    fn face(x: f32, score: f32) -> Detection {
        Detection { rect: Rect::new(x, 0.0, 0.4, 0.4), score, states: None }
    }

    #[test]
    fn drops_the_worse_of_two_that_overlap() {
        let kept = suppress(vec![face(0.0, 0.5), face(0.05, 0.9), face(0.5, 0.6)], 0.4, 10);
        assert_eq!(kept, [face(0.05, 0.9), face(0.5, 0.6)]);
    }

    /// A box that only overlaps a dropped box stays.
    #[test]
    fn a_dropped_face_drops_nothing() {
        let kept = suppress(vec![face(0.0, 0.9), face(0.15, 0.8), face(0.3, 0.7)], 0.4, 10);
        assert_eq!(kept, [face(0.0, 0.9), face(0.3, 0.7)]);
    }

    #[test]
    fn equal_scores_keep_their_order() {
        let kept = suppress(vec![face(0.5, 0.5), face(0.0, 0.5)], 0.4, 10);
        assert_eq!(kept, [face(0.5, 0.5), face(0.0, 0.5)]);
    }

    #[test]
    fn stops_at_the_limit() {
        assert_eq!(suppress(vec![face(0.0, 0.5), face(0.5, 0.6)], 0.4, 1), [face(0.5, 0.6)]);
        assert_eq!(suppress(vec![face(0.0, 0.5)], 0.4, 0), []);
    }

    #[test]
    fn what_is_suppressed_votes_by_its_score() {
        let kept = suppress_and_vote(vec![face(0.0, 0.6), face(0.1, 0.2), face(0.5, 0.3)], 0.4, 10, &VOTING);
        assert_eq!(kept.len(), 2);
        assert!((kept[0].rect.x - 0.025).abs() < 1e-6 && (kept[0].rect.w - 0.4).abs() < 1e-6, "{kept:?}");
        assert_eq!((kept[0].score, kept[1].score), (0.6, 0.3));
    }

    #[test]
    fn a_box_within_a_box_is_the_same_face() {
        let outer = face(0.0, 0.8);
        let inner = Detection { rect: Rect::new(0.1, 0.1, 0.26, 0.26), score: 0.7, states: None };
        assert_eq!(suppress(vec![outer, inner], 0.45, 10).len(), 2);
        assert_eq!(suppress_and_vote(vec![outer, inner], 0.45, 10, &VOTING).len(), 1);
        // A far smaller one is another person's, farther away.
        let small = Detection { rect: Rect::new(0.1, 0.1, 0.1, 0.1), score: 0.7, states: None };
        assert_eq!(suppress_and_vote(vec![outer, small], 0.45, 10, &VOTING).len(), 2);
    }
}
