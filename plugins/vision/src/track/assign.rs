//! Optimal assignment of tracks to detections.

/// A pair that may not be matched.
pub(crate) const FORBIDDEN: f32 = f32::INFINITY;

/// Matches rows to columns so that the sum of costs is least, where a row may also stay alone at the price `alone`.
///
/// `costs` has `rows * columns` entries, row by row; [`FORBIDDEN`] (anything that is not finite) or a cost above
/// `alone` is never matched. Returns each row's column. Deterministic: equal sums give the same answer every time.
///
/// The algorithm is the Hungarian method by shortest augmenting paths with potentials, O(rows² · columns) (Jonker and
/// Volgenant, 1987); staying alone is a further column of each row's own.
pub(crate) fn assign(costs: &[f32], rows: usize, columns: usize, alone: f32) -> Vec<Option<usize>> {
    debug_assert_eq!(costs.len(), rows * columns);
    // Finite, so that sums and differences of potentials stay numbers; far above any sum of real costs.
    let alone = f64::from(alone);
    let barred = (alone.abs() + 1.0) * 1e3 * (rows as f64 + 1.0);
    let cost = |row: usize, column: usize| -> f64 {
        if column >= columns {
            return if column - columns == row { alone } else { barred };
        }
        let cost = f64::from(costs[row * columns + column]);
        if cost.is_finite() && cost <= alone { cost } else { barred }
    };
    let width = columns + rows;
    let mut solver = Solver::new(rows, width);
    for row in 0..rows {
        solver.augment(row, &cost);
    }
    let mut answer = vec![None; rows];
    for column in 0..columns {
        if let Some(row) = solver.row_of[column].filter(|&row| cost(row, column) < barred) {
            answer[row] = Some(column);
        }
    }
    answer
}

/// State of the shortest augmenting path method.
struct Solver {
    row_potential: Vec<f64>,
    column_potential: Vec<f64>,
    row_of: Vec<Option<usize>>,
}

impl Solver {
    fn new(rows: usize, width: usize) -> Self {
        Self { row_potential: vec![0.0; rows], column_potential: vec![0.0; width], row_of: vec![None; width] }
    }

    /// Adds `row` to the matching along the shortest path of reduced costs (Dijkstra over columns).
    fn augment(&mut self, row: usize, cost: &impl Fn(usize, usize) -> f64) {
        let width = self.row_of.len();
        let mut distance = vec![f64::INFINITY; width];
        let mut previous: Vec<Option<usize>> = vec![None; width];
        let mut done = vec![false; width];
        let (mut current_row, mut current_column, mut reached) = (row, None, 0.0);
        let end = loop {
            let mut nearest: Option<usize> = None;
            for column in 0..width {
                if done[column] {
                    continue;
                }
                let reduced =
                    cost(current_row, column) - self.row_potential[current_row] - self.column_potential[column];
                if reached + reduced < distance[column] {
                    distance[column] = reached + reduced;
                    previous[column] = current_column;
                }
                if nearest.is_none_or(|best| distance[column] < distance[best]) {
                    nearest = Some(column);
                }
            }
            // There is always a column left: each row has one of its own.
            let Some(column) = nearest else { return };
            done[column] = true;
            reached = distance[column];
            match self.row_of[column] {
                None => break column,
                Some(owner) => (current_row, current_column) = (owner, Some(column)),
            }
        };
        self.row_potential[row] += reached;
        for column in (0..width).filter(|&column| done[column]) {
            let slack = reached - distance[column];
            self.column_potential[column] -= slack;
            if let Some(owner) = self.row_of[column] {
                self.row_potential[owner] += slack;
            }
        }
        let mut column = end;
        while let Some(before) = previous[column] {
            self.row_of[column] = self.row_of[before];
            column = before;
        }
        self.row_of[column] = Some(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Least total by trying everything: each row takes a free column or stays alone.
    fn brute(costs: &[f32], rows: usize, columns: usize, alone: f32, row: usize, taken: u32) -> f64 {
        if row == rows {
            return 0.0;
        }
        let mut best = f64::from(alone) + brute(costs, rows, columns, alone, row + 1, taken);
        for column in (0..columns).filter(|column| taken & (1 << column) == 0) {
            let cost = costs[row * columns + column];
            if cost.is_finite() && cost <= alone {
                let rest = brute(costs, rows, columns, alone, row + 1, taken | (1 << column));
                best = best.min(f64::from(cost) + rest);
            }
        }
        best
    }

    fn total(costs: &[f32], columns: usize, alone: f32, answer: &[Option<usize>]) -> f64 {
        let price = |(row, column): (usize, &Option<usize>)| match column {
            Some(column) => f64::from(costs[row * columns + column]),
            None => f64::from(alone),
        };
        answer.iter().enumerate().map(price).sum()
    }

    #[test]
    fn empty_sides_match_nothing() {
        assert_eq!(assign(&[], 0, 0, 1.0), []);
        assert_eq!(assign(&[], 0, 3, 1.0), []);
        assert_eq!(assign(&[], 2, 0, 1.0), [None, None]);
    }

    #[test]
    fn the_best_pair_gives_way_to_the_best_sum() {
        // Greedy would take 1 first and be left with 9.
        assert_eq!(assign(&[1.0, 2.0, 2.0, 9.0], 2, 2, 10.0), [Some(1), Some(0)]);
    }

    #[test]
    fn forbidden_and_dear_pairs_stay_apart() {
        assert_eq!(assign(&[FORBIDDEN, 5.0, 0.5, f32::NAN], 2, 2, 4.0), [None, Some(0)]);
    }

    proptest! {
        #[test]
        fn the_sum_is_the_least_there_is(
            (rows, columns, costs) in (0usize..6, 0usize..6).prop_flat_map(|(r, c)| {
                let cost = prop_oneof![4 => 0.0f32..12.0, 1 => Just(FORBIDDEN)];
                (Just(r), Just(c), prop::collection::vec(cost, r * c))
            })
        ) {
            let answer = assign(&costs, rows, columns, 10.0);
            let mut used: Vec<usize> = answer.iter().flatten().copied().collect();
            used.sort_unstable();
            prop_assert!(used.windows(2).all(|pair| pair[0] != pair[1]));
            let least = brute(&costs, rows, columns, 10.0, 0, 0);
            prop_assert!((total(&costs, columns, 10.0, &answer) - least).abs() < 1e-6);
        }
    }
}
