//! Where a face will be: a Kalman filter with constant velocity per coordinate.
//!
//! Centre and size are filtered apart, each as position and velocity. All noise is in units of the face's own size and
//! of seconds, so that one set of numbers serves near and far faces and 1 to 25 analyses per second. A new track has an
//! unknown velocity of plausible spread; two observations settle it.

use crate::geometry::Rect;

/// Standard deviation of a detector's box edges, relative to the face.
const BOX_NOISE: f32 = 0.07;
/// Spread of the velocity of a face just found, in its own widths or heights per second. A face some 0.2 m high whose
/// owner walks 1.4 m/s across the picture makes 7; most people come towards the camera and make far less.
const VELOCITY_SPREAD: f32 = 2.5;
/// The same upwards and downwards, where a face moves as its owner comes nearer.
const RISE_SPREAD: f32 = 1.0;
/// Spread of the rate at which a new face grows or shrinks, relative to its size per second.
const GROWTH_SPREAD: f32 = 0.25;
/// Random acceleration of the centre, in sizes per second to the power 1.5 (white noise acceleration).
const ACCELERATION: f32 = 0.8;
/// The same of the size.
const GROWTH_ACCELERATION: f32 = 0.15;

/// Time in which a track believes that its face is wider for its height than it was, in seconds: a box is never wider than
/// the face.
const WIDER_WITHIN: f32 = 0.3;
/// Time in which it believes that its face is narrower (turned away), in seconds. Until then something hides a side of it.
const NARROWER_WITHIN: f32 = 3.0;
/// Boxes are inexact: one narrower for its height by less than this share may show a whole face,
const MAYBE_NARROW: f32 = 0.12;
/// and one by more than this share shows a part of it for certain.
const PLAINLY_NARROW: f32 = 0.25;
/// No more than this share of a face's width is taken as hidden,
const MOST_HIDDEN: f32 = 0.5;
/// and of its height: detectors draw the box of a part lower than that of the whole.
const MOST_LOWERED: f32 = 0.3;

/// One coordinate: position, velocity and their covariance.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Axis {
    position: f32,
    velocity: f32,
    /// Var(position), Cov, Var(velocity).
    covariance: [f32; 3],
}

impl Axis {
    fn new(position: f32, noise: f32, spread: f32) -> Self {
        Self { position, velocity: 0.0, covariance: [noise * noise, 0.0, spread * spread] }
    }

    /// Moves on by `seconds`; `acceleration` is the spectral density's root (Bar-Shalom, Li and Kirubarajan, 2001,
    /// section 6.2.2).
    fn advance(&mut self, seconds: f32, acceleration: f32) {
        let [pp, pv, vv] = self.covariance;
        let q = acceleration * acceleration;
        self.position += self.velocity * seconds;
        self.covariance = [
            pp + 2.0 * seconds * pv + seconds * seconds * vv + q * seconds.powi(3) / 3.0,
            pv + seconds * vv + q * seconds.powi(2) / 2.0,
            vv + q * seconds,
        ];
    }

    /// Takes in a measurement of the position with standard deviation `noise`.
    fn correct(&mut self, measured: f32, noise: f32) {
        let [pp, pv, vv] = self.covariance;
        let total = pp + noise * noise;
        if total <= 0.0 {
            self.position = measured;
            return;
        }
        let (gain_p, gain_v) = (pp / total, pv / total);
        let error = measured - self.position;
        self.position += gain_p * error;
        self.velocity += gain_v * error;
        self.covariance = [(1.0 - gain_p) * pp, (1.0 - gain_p) * pv, vv - gain_v * pv];
    }

    /// Squared distance of a measurement in standard deviations.
    fn distance(&self, measured: f32, noise: f32) -> f32 {
        let error = measured - self.position;
        error * error / (self.covariance[0] + noise * noise).max(f32::MIN_POSITIVE)
    }
}

/// The motion of one face's box. Coordinates are normalised to the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Motion {
    x: Axis,
    y: Axis,
    w: Axis,
    h: Axis,
    /// Width to height of the whole face, both in shares of the picture's.
    aspect: f32,
    /// Time since the latest correction, in seconds.
    unseen: f32,
}

/// The whole face that a detected box may be a part of.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Whole {
    center: (f32, f32),
    size: (f32, f32),
    /// Width and height that the box lacks.
    hidden: (f32, f32),
}

/// Smallest size taken into account, relative to the picture: keeps all noise above 0 for empty boxes.
const LEAST_SIZE: f32 = 1e-4;

impl Motion {
    pub(super) fn new(rect: &Rect) -> Self {
        let ((cx, cy), (w, h)) = (rect.center(), size(rect));
        Self {
            x: Axis::new(cx, BOX_NOISE * w, VELOCITY_SPREAD * w),
            y: Axis::new(cy, BOX_NOISE * h, RISE_SPREAD * h),
            w: Axis::new(w, BOX_NOISE * w, GROWTH_SPREAD * w),
            h: Axis::new(h, BOX_NOISE * h, GROWTH_SPREAD * h),
            aspect: w / h,
            unseen: 0.0,
        }
    }

    pub(super) fn advance(&mut self, seconds: f32) {
        let (w, h) = (self.w.position.max(LEAST_SIZE), self.h.position.max(LEAST_SIZE));
        self.x.advance(seconds, ACCELERATION * w);
        self.y.advance(seconds, ACCELERATION * h);
        self.w.advance(seconds, GROWTH_ACCELERATION * w);
        self.h.advance(seconds, GROWTH_ACCELERATION * h);
        self.unseen += seconds;
        // A shrinking face does not vanish while nobody looks.
        self.w.position = self.w.position.max(w / 2.0).max(LEAST_SIZE);
        self.h.position = self.h.position.max(h / 2.0).max(LEAST_SIZE);
    }

    /// Takes in a detection, see [`Self::seen_as`].
    pub(super) fn correct(&mut self, rect: &Rect) {
        let Whole { center: (cx, cy), size: (w, h), hidden } = self.seen_as(rect);
        let ratio = size(rect).0 / h.max(self.h.position);
        let within = if ratio > self.aspect { WIDER_WITHIN } else { NARROWER_WITHIN };
        self.aspect += (ratio - self.aspect) * (1.0 - (-self.unseen / within).exp());
        self.unseen = 0.0;
        self.x.correct(cx, deviation(w, hidden.0));
        self.y.correct(cy, deviation(h, hidden.1));
        self.w.correct(w, deviation(w, hidden.0));
        self.h.correct(h, deviation(h, hidden.1));
    }

    /// The face that a detection shows, if it is this track's.
    ///
    /// Behind something that hides a side of it a face's box gets narrower, and a little lower with it, and its centre slows
    /// down, while the face does none of that. So the width is taken from the height, and the height from the prediction
    /// where the box is plainly too narrow for it; and of the places where such a face would contain the box the nearest to
    /// the prediction: the edge that still moves moves it.
    fn seen_as(&self, rect: &Rect) -> Whole {
        let ((cx, cy), (w, h)) = (rect.center(), size(rect));
        let narrow = 1.0 - w / h / self.aspect;
        let narrowed = ((narrow - MAYBE_NARROW) / (PLAINLY_NARROW - MAYBE_NARROW)).clamp(0.0, 1.0);
        let lower = (self.h.position.min(h / (1.0 - MOST_LOWERED)) - h).max(0.0) * narrowed;
        let usual = (self.aspect * (h + lower)).min(self.w.position);
        let hidden = (usual.min(w / (1.0 - MOST_HIDDEN)) - w).max(0.0);
        let near =
            |expected: f32, center: f32, hidden: f32| expected.clamp(center - hidden / 2.0, center + hidden / 2.0);
        let center = (near(self.x.position, cx, hidden), near(self.y.position, cy, lower));
        Whole { center, size: (w + hidden, h + lower), hidden: (hidden, lower) }
    }

    /// The whole face that a detection shows, see [`Self::seen_as`].
    pub(super) fn whole(&self, rect: &Rect) -> Rect {
        let Whole { center: (cx, cy), size: (w, h), .. } = self.seen_as(rect);
        Rect::new(cx - w / 2.0, cy - h / 2.0, w, h)
    }

    /// The box now.
    pub(super) fn rect(&self) -> Rect {
        let (w, h) = (self.w.position.max(LEAST_SIZE), self.h.position.max(LEAST_SIZE));
        Rect::new(self.x.position - w / 2.0, self.y.position - h / 2.0, w, h)
    }

    /// The box `seconds` later, without a change of the filter.
    pub(super) fn rect_after(&self, seconds: f32) -> Rect {
        let mut later = *self;
        later.advance(seconds);
        later.rect()
    }

    /// Squared Mahalanobis distance of a detection, or of the face that it shows a part of, over centre (two degrees of
    /// freedom) and size (one, the mean of width and height, which are nearly one quantity in a face).
    pub(super) fn distance(&self, rect: &Rect) -> f32 {
        let Whole { center: (cx, cy), size: (w, h), hidden } = self.seen_as(rect);
        let (own_w, own_h) = (self.w.position.max(LEAST_SIZE), self.h.position.max(LEAST_SIZE));
        let center = self.x.distance(cx, deviation(own_w, hidden.0)) + self.y.distance(cy, deviation(own_h, hidden.1));
        let extent = self.w.distance(w, deviation(own_w, hidden.0)) + self.h.distance(h, deviation(own_h, hidden.1));
        center + extent / 2.0
    }

    /// How little the centre is known, of the track and of the face that a detection may show a part of: log determinant
    /// of the covariance, 0 for one as sharp as a whole detection. Together with the squared distance it makes a log
    /// likelihood, so that a track lost long ago, to which everything is near, does not take a detection from one that
    /// knows where it is.
    pub(super) fn vagueness(&self, rect: &Rect) -> f32 {
        let hidden = self.seen_as(rect).hidden;
        let spread = |axis: &Axis, size: f32, hidden: f32| {
            let noise = BOX_NOISE * size.max(LEAST_SIZE);
            ((axis.covariance[0] + hidden * hidden / 12.0) / (noise * noise)).max(0.0).ln_1p()
        };
        spread(&self.x, self.w.position, hidden.0) + spread(&self.y, self.h.position, hidden.1)
    }
}

/// Standard deviation of a box's place and size along an axis on which the length `hidden` of a face may be on either side:
/// that of a uniform distribution beside the usual one.
fn deviation(size: f32, hidden: f32) -> f32 {
    (BOX_NOISE * size).hypot(hidden / 12f32.sqrt())
}

fn size(rect: &Rect) -> (f32, f32) {
    (rect.w.max(LEAST_SIZE), rect.h.max(LEAST_SIZE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rect(x: f32) -> Rect {
        Rect::new(x, 0.4, 0.05, 0.08)
    }

    #[test]
    fn two_observations_settle_the_velocity() {
        for step in [0.04f32, 0.2, 1.0] {
            let speed = 0.1;
            let mut motion = Motion::new(&rect(0.2));
            for n in 1..4 {
                motion.advance(step);
                motion.correct(&rect(0.2 + speed * step * n as f32));
            }
            let ahead = motion.rect_after(step).x - motion.rect().x;
            // At 25 per second three steps of 4 ms are within the boxes' noise: the direction must be right.
            let least = if step < 0.1 { 0.2 } else { 0.8 };
            assert!((least..1.1).contains(&(ahead / (speed * step))), "step {step}: {}", ahead / (speed * step));
        }
    }

    #[test]
    fn a_far_place_is_near_after_a_long_time_only() {
        let motion = Motion::new(&rect(0.2));
        let after = |seconds| {
            let mut later = motion;
            later.advance(seconds);
            later.distance(&rect(0.4))
        };
        assert!(after(0.04) > 100.0);
        assert!(after(1.0) < 9.0);
    }

    /// A face as wide as `rect(..)` that moves to the left at `speed` (its own widths per second), past a pillar that is
    /// as wide as itself: what a detector sees of it at each step, while half of it or more is to be seen.
    fn past_a_pillar(speed: f32, fps: f32, mirrored: bool) -> Vec<(Rect, Option<Rect>)> {
        let pillar = [0.45, 0.5];
        let see = |n: usize| {
            let face = rect(0.7 - 0.05 * speed * n as f32 / fps);
            let (left, right) = (face.x, face.x + face.w);
            let hidden_right = if left < pillar[0] { pillar[0] } else { right };
            let [a, b] = if left >= pillar[1] || right <= pillar[0] {
                [left, right]
            } else if left >= pillar[0] {
                [pillar[1], right]
            } else {
                [left, hidden_right]
            };
            let seen = Rect::new(a, face.y, (b - a).max(0.0), face.h);
            let turn = |r: Rect| if mirrored { Rect::new(1.0 - r.x - r.w, r.y, r.w, r.h) } else { r };
            (turn(face), (seen.w >= face.w / 2.0).then(|| turn(seen)))
        };
        (0..).map(see).take_while(|(face, _)| (0.2..0.75).contains(&face.x)).collect()
    }

    #[test]
    fn what_hides_a_side_of_a_face_neither_stops_it_nor_moves_it() {
        for (fps, mirrored) in [(5.0, false), (5.0, true), (25.0, false), (25.0, true)] {
            let steps = past_a_pillar(1.2, fps, mirrored);
            let mut motion = Motion::new(&steps[0].0);
            for (face, seen) in &steps[1..] {
                motion.advance(1.0 / fps);
                let off = (motion.rect().center().0 - face.center().0).abs() / face.w;
                assert!(off < 0.3, "{fps} per second: off by {off} widths at {face:?}");
                if let Some(seen) = seen {
                    assert!(motion.distance(seen) < 4.0, "{fps} per second: {}", motion.distance(seen));
                    motion.correct(seen);
                }
            }
        }
    }

    #[test]
    fn a_face_that_turns_away_gets_narrower_in_time() {
        let mut motion = Motion::new(&rect(0.4));
        let turned = Rect::new(0.41, 0.4, 0.03, 0.08);
        for step in 0..100 {
            motion.advance(0.2);
            motion.correct(&turned);
            if step == 1 {
                assert!(motion.whole(&turned).w > 0.045);
            }
        }
        assert!((motion.rect().w - turned.w).abs() < 0.001, "{:?}", motion.rect());
        assert!((motion.rect().center().0 - turned.center().0).abs() < 0.002);
    }

    proptest! {
        #[test]
        fn the_whole_face_contains_what_is_seen_of_it(
            before in prop::collection::vec((-0.2f32..1.0, 0.01f32..0.3, 0.01f32..0.3), 1..20),
            (x, w, h) in (-0.2f32..1.0, 0.01f32..0.3, 0.01f32..0.3),
        ) {
            let mut motion = Motion::new(&Rect::new(before[0].0, 0.3, before[0].1, before[0].2));
            for (x, w, h) in &before {
                motion.advance(0.2);
                motion.correct(&Rect::new(*x, 0.3, *w, *h));
            }
            let seen = Rect::new(x, 0.3, w, h);
            let whole = motion.whole(&seen);
            let slack = 1e-4;
            prop_assert!(whole.x <= seen.x + slack && whole.x + whole.w >= seen.x + seen.w - slack, "{whole:?}");
            prop_assert!(whole.y <= seen.y + slack && whole.y + whole.h >= seen.y + seen.h - slack, "{whole:?}");
            prop_assert!(whole.w * (1.0 - MOST_HIDDEN) <= seen.w + slack && whole.h * (1.0 - MOST_LOWERED) <= seen.h + slack);
            prop_assert!(whole.h <= seen.h.max(motion.rect().h) + slack && whole.w <= seen.w.max(motion.rect().w) + slack);
            // Nearer to where the face is expected, never farther.
            let off = |rect: &Rect| (rect.center().0 - motion.rect().center().0).abs();
            prop_assert!(off(&whole) <= off(&seen) + slack);
            prop_assert!(motion.distance(&seen).is_finite());
        }

        #[test]
        fn stays_finite_and_the_covariance_positive(
            steps in prop::collection::vec((0.0f32..2.0, -0.5f32..1.5, 0.0f32..0.5), 1..200)
        ) {
            let mut motion = Motion::new(&rect(0.2));
            for (seconds, x, w) in steps {
                motion.advance(seconds);
                motion.correct(&Rect::new(x, x / 2.0, w, w * 1.4));
                let now = motion.rect();
                prop_assert!([now.x, now.y, now.w, now.h].iter().all(|v| v.is_finite()));
                for axis in [motion.x, motion.y, motion.w, motion.h] {
                    let [pp, pv, vv] = axis.covariance;
                    prop_assert!(pp >= 0.0 && vv >= 0.0 && pv * pv <= pp * vv * 1.01 + 1e-12, "{:?}", axis);
                }
                prop_assert!(motion.distance(&now) < 0.1);
            }
        }
    }
}
