//! What the analyses saw, and what follows for the pictures between them.

use std::collections::VecDeque;
use std::time::Duration;

use super::suspects::{grown, hull};
use super::{Cover, MOST_SUSPECTS, PrivacyConfig, Suspects, Unknown};
use crate::geometry::Rect;

/// Boxes whose heights differ by more than this factor are not of one face.
const SIZE_RATIO: f32 = 2.0;
/// Looks that are kept at most, beyond what time allows: a bound for nonsense times.
const MOST: usize = 256;
/// No box that begins or ends farther outside is told from one at the edge: sums of what grows must stay numbers.
const OUTSIDE: Rect = Rect { x: -10.0, y: -10.0, w: 21.0, h: 21.0 };

/// One analysis.
#[derive(Clone, Debug)]
struct Look {
    time: Duration,
    faces: Vec<Rect>,
    /// Faces of earlier looks that have not been found again since, and when they were seen last.
    lost: Vec<(Rect, Duration)>,
    /// This look, or one before it, could not say where faces are: which, and why. What it saw is not known to be found
    /// again, so everything stays hidden as long as a lost face.
    anywhere: Option<(Duration, Unknown)>,
}

impl Look {
    fn new(time: Duration, suspects: &Suspects) -> Self {
        let blind = |why| Self { time, faces: Vec::new(), lost: Vec::new(), anywhere: Some((time, why)) };
        let boxes = match suspects {
            Suspects::Within(boxes) if boxes.len() > MOST_SUSPECTS => return blind(Unknown::Crowd),
            Suspects::Within(boxes) => boxes,
            Suspects::Anywhere(why) => return blind(*why),
        };
        let sound = |r: &Rect| [r.x, r.y, r.w, r.h].iter().all(|value| value.is_finite());
        if !boxes.iter().all(sound) {
            return blind(Unknown::Unreadable);
        }
        Self { time, faces: boxes.iter().map(bounded).collect(), lost: Vec::new(), anywhere: None }
    }

    /// A second analysis of the same moment: what either found counts.
    fn join(&mut self, other: Self) {
        self.anywhere = self.own_anywhere().or(other.anywhere);
        for face in other.faces {
            if !self.faces.contains(&face) {
                self.faces.push(face);
            }
        }
    }

    /// That of this very look.
    fn own_anywhere(&self) -> Option<(Duration, Unknown)> {
        self.anywhere.filter(|(seen, _)| *seen == self.time)
    }
}

/// The part of a box within [`OUTSIDE`].
fn bounded(face: &Rect) -> Rect {
    let (x, y) = (face.x.clamp(OUTSIDE.x, OUTSIDE.right()), face.y.clamp(OUTSIDE.y, OUTSIDE.bottom()));
    if (x, y) == (face.x, face.y) && face.right() <= OUTSIDE.right() && face.bottom() <= OUTSIDE.bottom() {
        return *face;
    }
    Rect::from_corners(x, y, face.right().clamp(x, OUTSIDE.right()), face.bottom().clamp(y, OUTSIDE.bottom()))
}

/// The latest analyses of one camera, in the order of their pictures.
#[derive(Clone, Debug)]
pub struct Looks {
    config: PrivacyConfig,
    looks: VecDeque<Look>,
}

impl Looks {
    /// Nothing seen yet.
    pub fn new(config: PrivacyConfig) -> Self {
        Self { config, looks: VecDeque::new() }
    }

    /// Hides by other values from now on.
    pub fn set_config(&mut self, config: PrivacyConfig) {
        self.config = config;
    }

    /// The analysis of the picture at `time` says where faces may be. Analyses may come out of order; of two of the same
    /// moment both count. Boxes that are not finite, and more than [`MOST_SUSPECTS`], hide everything.
    pub fn add(&mut self, time: Duration, suspects: &Suspects) {
        let place = self.looks.partition_point(|look| look.time < time);
        let look = Look::new(time, suspects);
        match self.looks.get_mut(place).filter(|there| there.time == time) {
            Some(there) => there.join(look),
            None => self.looks.insert(place, look),
        }
        for index in place..self.looks.len() {
            self.remember(index);
        }
        while self.looks.len() > MOST {
            self.looks.pop_front();
        }
    }

    /// Pictures before `time` are through: looks that only they need go.
    pub fn forget_before(&mut self, time: Duration) {
        while self.looks.get(1).is_some_and(|second| second.time <= time) {
            self.looks.pop_front();
        }
    }

    /// Nothing that was seen counts any more.
    pub fn clear(&mut self) {
        self.looks.clear();
    }

    /// What is to be hidden of the picture at `time`. `None`: the analysis after it is not known yet.
    pub fn cover(&self, time: Duration) -> Option<Cover> {
        let after = self.looks.partition_point(|look| look.time < time);
        let next = self.looks.get(after)?;
        if next.time == time {
            return Some(self.parts(next, after, time));
        }
        let Some(before) = after.checked_sub(1).and_then(|index| self.looks.get(index)) else {
            return Some(Cover::Whole(Unknown::First));
        };
        if next.time - before.time > self.config.max_gap {
            return Some(Cover::Whole(Unknown::Gap));
        }
        Some(self.parts(before, after, time))
    }

    /// Whether a picture at or after `time` was analysed.
    pub fn reaches(&self, time: Duration) -> bool {
        self.looks.back().is_some_and(|look| look.time >= time)
    }

    /// Whether any picture was analysed at or before `time`.
    pub fn any_before(&self, time: Duration) -> bool {
        self.looks.front().is_some_and(|look| look.time <= time)
    }

    /// Takes over what the look before knew and this one did not find again. More of it than can be told apart is a
    /// look that does not know where faces are.
    fn remember(&mut self, index: usize) {
        let own = self.looks[index].own_anywhere();
        let Some(before) = index.checked_sub(1).and_then(|index| self.looks.get(index)) else {
            let look = &mut self.looks[index];
            look.lost.clear();
            look.anywhere = own;
            return;
        };
        let (time, hold) = (self.looks[index].time, self.config.hold);
        let earlier = before.anywhere.filter(|(seen, _)| time.saturating_sub(*seen) <= hold);
        let seen = before.faces.iter().map(|face| (*face, before.time)).chain(before.lost.iter().copied());
        let known: Vec<(Rect, Duration)> = seen.collect();
        let look = &self.looks[index];
        let mut lost = others(known, &look.faces, self.reach(look.time - before.time));
        lost.retain(|(_, seen)| time.saturating_sub(*seen) <= hold);
        let crowd = look.faces.len() + lost.len() > MOST_SUSPECTS;
        let look = &mut self.looks[index];
        look.anywhere = own.or(crowd.then_some((time, Unknown::Crowd))).or(earlier);
        // What is hidden as a whole, and stays so, needs no boxes.
        look.lost = if crowd { Vec::new() } else { lost };
    }

    /// Why everything is hidden between the look `before` and the one at `after`, or at both.
    fn anywhere(&self, before: &Look, after: usize, time: Duration) -> Option<Unknown> {
        let coming = self.looks.range(after..).take_while(|look| look.time <= time + self.config.lead);
        let own = coming.chain(self.looks.get(after)).find_map(Look::own_anywhere);
        before.anywhere.or(own).map(|(_, why)| why)
    }

    /// Faces that are found only after the look at `index`, up to `lead` after `time`, and when they are found first.
    fn coming(&self, index: usize, time: Duration) -> Vec<(Rect, Duration)> {
        let until = time + self.config.lead;
        let end = self.looks.partition_point(|look| look.time <= until);
        let mut coming = Vec::new();
        for later in (index + 1..end).rev() {
            let (before, look) = (&self.looks[later - 1], &self.looks[later]);
            coming.extend(look.faces.iter().map(|face| (*face, look.time)));
            coming = others(coming, &before.faces, self.reach(look.time - before.time));
        }
        coming
    }

    /// What is hidden at `time`, which lies between the looks `before` and `after` or at both.
    fn parts(&self, before: &Look, after: usize, time: Duration) -> Cover {
        if let Some(why) = self.anywhere(before, after, time) {
            return Cover::Whole(why);
        }
        let PrivacyConfig { margin, stray, .. } = self.config;
        let mut parts = self.between(before, &self.looks[after], time);
        let coming = self.coming(after, time).into_iter();
        parts.extend(coming.map(|(face, found)| grown(&face, margin + stray * (found - time).as_secs_f32())));
        Cover::Parts(parts.into_iter().map(|part| part.clip()).filter(|part| part.area() > 0.0).collect())
    }

    /// Greatest distance of two boxes of one face, in sizes, seen so far apart in time.
    fn reach(&self, apart: Duration) -> f32 {
        self.config.margin + self.config.speed * apart.as_secs_f32()
    }

    /// Everything that may be a face at `time`, which lies between two looks or at both.
    fn between(&self, before: &Look, after: &Look, time: Duration) -> Vec<Rect> {
        let PrivacyConfig { margin, speed, stray, .. } = self.config;
        let [since, until] = [time.saturating_sub(before.time), after.time.saturating_sub(time)];
        let [since, until] = [since, until].map(|span| span.as_secs_f32());
        let mut parts = Vec::new();
        let found = pairs(&before.faces, &after.faces, self.reach(after.time - before.time));
        let mut taken = vec![false; after.faces.len()];
        for (face, found) in before.faces.iter().zip(&found) {
            match found {
                Some(index) => {
                    taken[*index] = true;
                    let both = hull(face, &after.faces[*index]);
                    parts.push(grown(&both, margin + stray * since.min(until)));
                }
                None => parts.push(grown(face, margin + speed * since)),
            }
        }
        let new = after.faces.iter().zip(&taken).filter(|(_, taken)| !**taken);
        parts.extend(new.map(|(face, _)| grown(face, margin + speed * until)));
        let age = |seen: Duration| time.saturating_sub(seen).as_secs_f32();
        parts.extend(before.lost.iter().map(|(face, seen)| grown(face, margin + stray * age(*seen))));
        parts
    }
}

/// Those of the boxes `known` that are of no face of `faces`.
fn others(known: Vec<(Rect, Duration)>, faces: &[Rect], reach: f32) -> Vec<(Rect, Duration)> {
    let boxes: Vec<Rect> = known.iter().map(|(face, _)| *face).collect();
    let found = pairs(&boxes, faces, reach);
    known.into_iter().zip(found).filter(|(_, found)| found.is_none()).map(|(known, _)| known).collect()
}

/// For each of `from` the box of `to` that is the same face, nearest first, each used once. `reach`: greatest distance
/// of the centres in sizes of the first.
fn pairs(from: &[Rect], to: &[Rect], reach: f32) -> Vec<Option<usize>> {
    let mut candidates = Vec::new();
    for (i, a) in from.iter().enumerate() {
        for (j, b) in to.iter().enumerate() {
            let distance = apart(a, b);
            let ratio = a.h / b.h.max(f32::MIN_POSITIVE);
            if distance <= reach && (1.0 / SIZE_RATIO..=SIZE_RATIO).contains(&ratio) {
                candidates.push((distance, i, j));
            }
        }
    }
    candidates.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
    let mut answer = vec![None; from.len()];
    let mut used = vec![false; to.len()];
    for (_, i, j) in candidates {
        if answer[i].is_none() && !used[j] {
            (answer[i], used[j]) = (Some(j), true);
        }
    }
    answer
}

/// Distance of two boxes' centres in sizes of the first box.
fn apart(a: &Rect, b: &Rect) -> f32 {
    let ((ax, ay), (bx, by)) = (a.center(), b.center());
    ((bx - ax) / a.w.max(f32::MIN_POSITIVE)).hypot((by - ay) / a.h.max(f32::MIN_POSITIVE))
}
