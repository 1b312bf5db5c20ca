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
        }
    }

    pub(super) fn advance(&mut self, seconds: f32) {
        let (w, h) = (self.w.position.max(LEAST_SIZE), self.h.position.max(LEAST_SIZE));
        self.x.advance(seconds, ACCELERATION * w);
        self.y.advance(seconds, ACCELERATION * h);
        self.w.advance(seconds, GROWTH_ACCELERATION * w);
        self.h.advance(seconds, GROWTH_ACCELERATION * h);
        // A shrinking face does not vanish while nobody looks.
        self.w.position = self.w.position.max(w / 2.0).max(LEAST_SIZE);
        self.h.position = self.h.position.max(h / 2.0).max(LEAST_SIZE);
    }

    pub(super) fn correct(&mut self, rect: &Rect) {
        let ((cx, cy), (w, h)) = (rect.center(), size(rect));
        self.x.correct(cx, BOX_NOISE * w);
        self.y.correct(cy, BOX_NOISE * h);
        self.w.correct(w, BOX_NOISE * w);
        self.h.correct(h, BOX_NOISE * h);
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

    /// Squared Mahalanobis distance of a detection, over centre (two degrees of freedom) and size (one, the mean of
    /// width and height, which are nearly one quantity in a face).
    pub(super) fn distance(&self, rect: &Rect) -> f32 {
        let ((cx, cy), (w, h)) = (rect.center(), size(rect));
        let (own_w, own_h) = (self.w.position.max(LEAST_SIZE), self.h.position.max(LEAST_SIZE));
        let center = self.x.distance(cx, BOX_NOISE * own_w) + self.y.distance(cy, BOX_NOISE * own_h);
        let extent = self.w.distance(w, BOX_NOISE * own_w) + self.h.distance(h, BOX_NOISE * own_h);
        center + extent / 2.0
    }

    /// How little the centre is known: log determinant of its covariance, 0 for one as sharp as a detection. Together
    /// with the squared distance it makes a log likelihood, so that a track lost long ago, to which everything is near,
    /// does not take a detection from one that knows where it is.
    pub(super) fn vagueness(&self) -> f32 {
        let spread = |axis: &Axis, size: f32| {
            let noise = BOX_NOISE * size.max(LEAST_SIZE);
            (axis.covariance[0] / (noise * noise)).max(0.0).ln_1p()
        };
        spread(&self.x, self.w.position) + spread(&self.y, self.h.position)
    }
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

    proptest! {
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
