//! Scores as a table in Markdown.

use std::fmt::Write;

use super::score::Score;

/// The head of a table.
pub const HEAD: &str = "\
| clip | fps | people | counted | off | ratio | off by | unknown | MOTA | IDF1 | switches | boxes | boxes' ratio off by |
|---|---|---|---|---|---|---|---|---|---|---|---|---|
";

/// One line.
pub fn line(name: &str, fps: &str, score: &Score) -> String {
    let percent = |share: Option<f64>| share.map_or("–".to_owned(), |share| format!("{:.1} %", share * 100.0));
    let points = |points: Option<f64>| points.map_or("–".to_owned(), |points| format!("{points:+.1}"));
    let mut line = format!("| {name} | {fps} | {} | {} ", score.truth.total(), score.counted.total());
    write!(line, "| {:+.1} % ", score.count_error() * 100.0).unwrap();
    write!(line, "| {} | {} ", percent(score.counted.ratio(1)), points(score.ratio_error())).unwrap();
    write!(line, "| {} ", score.counted.unknown).unwrap();
    let tracking = score.tracking;
    write!(line, "| {} | {} ", percent(tracking.mota()), percent(tracking.idf1())).unwrap();
    write!(line, "| {} ", tracking.switches).unwrap();
    writeln!(line, "| {} | {} |", score.boxes.total(), points(score.boxes_ratio_error())).unwrap();
    line
}
