//! Scores of one detector in terms that hold for all.

/// What makes a network's face scores mean the same as another's: their logits are spread and shifted. The order of the
/// findings stays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    /// Over 0.
    pub scale: f32,
    /// Added after scaling.
    pub shift: f32,
}

impl Calibration {
    /// The calibrated score of a raw one in `0..=1`.
    pub(super) fn apply(self, score: f32) -> f32 {
        logistic(f64::from(self.scale) * logit(score) + f64::from(self.shift))
    }

    /// The raw score that is calibrated to this one.
    pub(super) fn invert(self, score: f32) -> f32 {
        logistic((logit(score) - f64::from(self.shift)) / f64::from(self.scale))
    }
}

/// Scores nearer to 0 or 1 count as so near: there log-odds are infinite, and the rounding of f32 would matter.
pub(super) const EDGE: f32 = 1e-7;

/// The log-odds of a score.
pub(super) fn logit(score: f32) -> f64 {
    let p = f64::from(score).clamp(f64::from(EDGE), 1.0 - f64::from(EDGE));
    (p / (1.0 - p)).ln()
}

fn logistic(logit: f64) -> f32 {
    (1.0 / (1.0 + (-logit).exp())) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_line_of_log_odds() {
        let calibration = Calibration { scale: 2.0, shift: 1.0 };
        // Log-odds of 0.5 are 0, so those of the result are the shift.
        assert!((calibration.apply(0.5) - 1.0 / (1.0 + (-1.0f32).exp())).abs() < 1e-6);
        // Log-odds ln(3) of 0.75 become 2 ln(3) + 1, odds 9 e.
        let odds = 9.0 * std::f32::consts::E;
        assert!((calibration.apply(0.75) - odds / (1.0 + odds)).abs() < 1e-6);
    }

    #[test]
    fn one_and_no_shift_change_nothing() {
        let none = Calibration { scale: 1.0, shift: 0.0 };
        for score in [0.001, 0.2, 0.5, 0.999] {
            assert!((none.apply(score) - score).abs() < 1e-6);
        }
    }

    #[test]
    fn ends_stay_finite_and_within() {
        let calibration = Calibration { scale: 100.0, shift: -50.0 };
        for score in [0.0, 1e-30, 0.5, 1.0] {
            assert!((0.0..=1.0).contains(&calibration.apply(score)));
            assert!((0.0..=1.0).contains(&calibration.invert(score)));
        }
    }

    #[test]
    fn inverse_brings_back_what_was_applied() {
        let calibration = Calibration { scale: 2.0, shift: 1.4 };
        for score in [0.01, 0.15, 0.5, 0.9] {
            assert!((calibration.invert(calibration.apply(score)) - score).abs() < 1e-5);
        }
    }
}
