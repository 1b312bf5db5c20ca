//! Average precision of a detector by COCO's rules, at one IoU threshold.
//!
//! Found boxes are matched picture by picture, best score first, each to the free true box that it overlaps most, by at
//! least the threshold. Over all pictures, precision as a function of recall, made monotone from the right, is read at
//! 101 recalls 0, 0.01, … 1 and averaged (Lin et al., Microsoft COCO, arXiv 1405.0312; the rules in detail are those of
//! pycocotools' `COCOeval`, ties included).
//!
//! True boxes may be ignored: a found box that matches one counts neither for nor against the detector. So the figure of
//! a size range is computed: truths outside of it are ignored, and so are found boxes outside of it that match nothing.

use std::ops::Range;

use super::classification::Figures;

/// Most found boxes of a picture that count: enough for crowds, where COCO's own 100 would cut real faces off.
pub const MAX_FOUND: usize = 300;

/// Recalls at which precision is read.
const RECALLS: usize = 101;

/// A box `[x, y, w, h]` in pixels.
pub type PixelBox = [f64; 4];

/// A true box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Truth {
    /// Where.
    pub bbox: PixelBox,
    /// Marks a group that was not labelled one by one (`iscrowd`): ignored, and any number of found boxes may match it.
    pub crowd: bool,
    /// Counts neither for nor against.
    pub ignored: bool,
}

/// A found box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// Where.
    pub bbox: PixelBox,
    /// How sure the detector is.
    pub score: f64,
}

/// Truth and findings of one picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// In the order of the labels.
    pub truths: Vec<Truth>,
    /// In any order.
    pub found: Vec<Found>,
}

/// How boxes are matched.
#[derive(Clone, Debug, PartialEq)]
pub struct Protocol {
    /// Least overlap of a match, intersection over union.
    pub iou: f64,
    /// Only so many found boxes of a picture count, the best.
    pub max_found: usize,
    /// Heights in pixels that are looked at; `None`: all.
    pub heights: Option<Range<f64>>,
}

impl Default for Protocol {
    fn default() -> Self {
        Self { iou: 0.5, max_found: MAX_FOUND, heights: None }
    }
}

/// What became of a found box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// Its index in [`Picture::found`].
    pub found: usize,
    /// Index in [`Picture::truths`] of what it matches; `None`: nothing.
    pub truth: Option<usize>,
    /// It counts neither for nor against.
    pub ignored: bool,
}

impl Protocol {
    fn leaves_out(&self, bbox: &PixelBox) -> bool {
        self.heights.as_ref().is_some_and(|heights| !heights.contains(&bbox[3]))
    }

    fn ignores(&self, truth: &Truth) -> bool {
        truth.ignored || truth.crowd || self.leaves_out(&truth.bbox)
    }
}

/// Matches one picture's boxes. The verdicts are by falling score; found boxes beyond `max_found` have none.
pub fn match_boxes(picture: &Picture, protocol: &Protocol) -> Vec<Verdict> {
    let mut order: Vec<usize> = (0..picture.found.len()).collect();
    order.sort_by(|&a, &b| picture.found[b].score.total_cmp(&picture.found[a].score));
    order.truncate(protocol.max_found);
    // Truths that count go first: a match with one is never given up for an ignored one.
    let mut truths: Vec<(usize, bool)> =
        picture.truths.iter().enumerate().map(|(index, truth)| (index, protocol.ignores(truth))).collect();
    truths.sort_by_key(|(_, ignored)| *ignored);
    let mut taken = vec![false; picture.truths.len()];
    order
        .into_iter()
        .map(|found| {
            let bbox = &picture.found[found].bbox;
            let best = best_truth(bbox, picture, &truths, &taken, protocol.iou);
            if let Some((truth, _)) = best {
                taken[truth] = true;
            }
            let ignored = best.map_or_else(|| protocol.leaves_out(bbox), |(_, ignored)| ignored);
            Verdict { found, truth: best.map(|(truth, _)| truth), ignored }
        })
        .collect()
}

/// The free truth that overlaps most, and whether it is ignored. Of equals the later one, as in `COCOeval`.
fn best_truth(
    bbox: &PixelBox,
    picture: &Picture,
    truths: &[(usize, bool)],
    taken: &[bool],
    iou: f64,
) -> Option<(usize, bool)> {
    // The slack is COCOeval's own.
    let mut least = iou.min(1.0 - 1e-10);
    let mut best: Option<(usize, bool)> = None;
    for &(index, ignored) in truths {
        let truth = &picture.truths[index];
        if taken[index] && !truth.crowd {
            continue;
        }
        if ignored && best.is_some_and(|(_, ignored)| !ignored) {
            break;
        }
        let shared = overlap(bbox, truth);
        if shared >= least {
            least = shared;
            best = Some((index, ignored));
        }
    }
    best
}

/// Intersection over union; with a crowd, over the found box alone.
fn overlap(found: &PixelBox, truth: &Truth) -> f64 {
    let other = &truth.bbox;
    let w = (found[0] + found[2]).min(other[0] + other[2]) - found[0].max(other[0]);
    let h = (found[1] + found[3]).min(other[1] + other[3]) - found[1].max(other[1]);
    if w <= 0.0 || h <= 0.0 {
        return 0.0;
    }
    let own = found[2] * found[3];
    let union = if truth.crowd { own } else { own + other[2] * other[3] - w * h };
    w * h / union
}

/// The findings over all pictures, best score first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ranking {
    /// Truths that count.
    positives: u64,
    /// Score of each finding that counts, and whether it hit.
    ranked: Vec<(f64, bool)>,
}

/// Matches all pictures. Equal scores keep the order of the pictures.
pub fn rank(pictures: &[Picture], protocol: &Protocol) -> Ranking {
    let mut ranking = Ranking::default();
    for picture in pictures {
        ranking.positives += picture.truths.iter().filter(|truth| !protocol.ignores(truth)).count() as u64;
        let verdicts = match_boxes(picture, protocol);
        let counted = verdicts.iter().filter(|verdict| !verdict.ignored);
        ranking.ranked.extend(counted.map(|verdict| (picture.found[verdict.found].score, verdict.truth.is_some())));
    }
    ranking.ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    ranking
}

impl Ranking {
    /// Truths that count.
    pub fn positives(&self) -> u64 {
        self.positives
    }

    /// Average precision; `None` where there is nothing to find.
    pub fn average_precision(&self) -> Option<f64> {
        if self.positives == 0 {
            return None;
        }
        let mut hits = 0_u64;
        let mut curve: Vec<(f64, f64)> = Vec::with_capacity(self.ranked.len());
        for (index, (_, hit)) in self.ranked.iter().enumerate() {
            hits += u64::from(*hit);
            curve.push((hits as f64 / self.positives as f64, hits as f64 / (index + 1) as f64));
        }
        let mut best = 0.0_f64;
        for (_, precision) in curve.iter_mut().rev() {
            best = best.max(*precision);
            *precision = best;
        }
        let mut at = 0;
        let mut sum = 0.0;
        for step in 0..RECALLS {
            let recall = step as f64 * 0.01;
            while curve.get(at).is_some_and(|point| point.0 < recall) {
                at += 1;
            }
            sum += curve.get(at).map_or(0.0, |point| point.1);
        }
        Some(sum / RECALLS as f64)
    }

    /// Precision, recall and F1 of the findings of at least `score`.
    pub fn above(&self, score: f64) -> Figures {
        let kept = self.ranked.iter().take_while(|(own, _)| *own >= score);
        let (said, right) = kept.fold((0, 0), |(said, right), (_, hit)| (said + 1, right + u64::from(*hit)));
        Figures::of(right, said, self.positives)
    }
}
