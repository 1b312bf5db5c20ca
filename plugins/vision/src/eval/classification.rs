//! Precision, recall, F1, averages, confusion matrix and calibration error of a classifier.

/// How often each class was taken for each class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    /// Row by row: the row is the truth, the column what was said.
    counts: Vec<u64>,
}

/// Figures of one class, or an average of them. Where a division has nothing to divide by, the figure is 0, as with
/// scikit-learn's `zero_division=0`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Share of those said to be of the class that are.
    pub precision: f64,
    /// Share of those of the class that were said to be.
    pub recall: f64,
    /// Harmonic mean of both.
    pub f1: f64,
    /// How many there are of the class.
    pub support: u64,
}

impl Figures {
    /// From how many were right, how many were said to be, how many are.
    pub fn of(right: u64, said: u64, truth: u64) -> Self {
        let share = |of: u64| if of == 0 { 0.0 } else { right as f64 / of as f64 };
        let (precision, recall) = (share(said), share(truth));
        // 2 P R / (P + R), by the counts: no division of two rounded numbers.
        let f1 = if said + truth == 0 { 0.0 } else { 2.0 * right as f64 / (said + truth) as f64 };
        Self { precision, recall, f1, support: truth }
    }
}

impl Confusion {
    /// Nothing counted yet, for classes `0..classes`.
    pub fn new(classes: usize) -> Self {
        Self { classes, counts: vec![0; classes * classes] }
    }

    /// One more of class `truth` was taken for class `said`. Classes that do not exist are not counted.
    pub fn add(&mut self, truth: usize, said: usize) {
        if truth < self.classes && said < self.classes {
            self.counts[truth * self.classes + said] += 1;
        }
    }

    /// How many of class `truth` were taken for `said`.
    pub fn count(&self, truth: usize, said: usize) -> u64 {
        if truth < self.classes && said < self.classes { self.counts[truth * self.classes + said] } else { 0 }
    }

    /// The row of a class: what its members were taken for.
    pub fn row(&self, truth: usize) -> &[u64] {
        self.counts.chunks(self.classes.max(1)).nth(truth).unwrap_or_default()
    }

    /// All that were counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Share of right answers; 0 where nothing was counted.
    pub fn accuracy(&self) -> f64 {
        let right: u64 = (0..self.classes).map(|class| self.count(class, class)).sum();
        if self.total() == 0 { 0.0 } else { right as f64 / self.total() as f64 }
    }

    /// Figures of one class.
    pub fn class(&self, class: usize) -> Figures {
        let said = (0..self.classes).map(|truth| self.count(truth, class)).sum();
        Figures::of(self.count(class, class), said, self.row(class).iter().sum())
    }

    /// The classes that occur in the truth. Averages are taken over them: a class that the data does not have cannot be
    /// recalled, and would only dilute the mean.
    pub fn present(&self) -> Vec<usize> {
        (0..self.classes).filter(|&class| self.row(class).iter().any(|&count| count > 0)).collect()
    }

    /// Mean over the classes that are present, each with the same weight.
    pub fn macro_average(&self) -> Figures {
        self.average(|_| 1.0)
    }

    /// Mean over the classes that are present, each with its support as weight.
    pub fn weighted_average(&self) -> Figures {
        self.average(|figures| figures.support as f64)
    }

    fn average(&self, weight: impl Fn(&Figures) -> f64) -> Figures {
        let all: Vec<Figures> = self.present().into_iter().map(|class| self.class(class)).collect();
        let sum: f64 = all.iter().map(&weight).sum();
        if sum <= 0.0 {
            return Figures::default();
        }
        let mean =
            |value: fn(&Figures) -> f64| all.iter().map(|figures| weight(figures) * value(figures)).sum::<f64>() / sum;
        Figures {
            precision: mean(|figures| figures.precision),
            recall: mean(|figures| figures.recall),
            f1: mean(|figures| figures.f1),
            support: all.iter().map(|figures| figures.support).sum(),
        }
    }
}

/// Expected calibration error: the mean gap between confidence and share of right answers over `bins` equal ranges of
/// confidence, each weighted by its share of answers (Guo et al., On Calibration of Modern Neural Networks, 2017,
/// formula 3). `answers`: confidence in `0..=1`, and whether the answer was right. `None` where there are no answers.
pub fn calibration_error(answers: &[(f64, bool)], bins: usize) -> Option<f64> {
    let bins = bins.max(1);
    let mut sums = vec![(0_u64, 0.0, 0_u64); bins];
    for &(confidence, right) in answers {
        // A bin is open below and closed above, as in the paper: confidence 1 is in the last one.
        let bin = (confidence * bins as f64).ceil().clamp(1.0, bins as f64) as usize - 1;
        let (count, confidences, hits) = &mut sums[bin];
        *count += 1;
        *confidences += confidence;
        *hits += u64::from(right);
    }
    let gaps = sums.iter().map(|(_, confidences, hits)| (confidences - *hits as f64).abs()).sum::<f64>();
    (!answers.is_empty()).then(|| gaps / answers.len() as f64)
}
