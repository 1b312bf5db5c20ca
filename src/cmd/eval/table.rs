//! Figures for people.

use std::fmt::Write;

use maskwatch_vision::eval::answers::{AnswersReport, Grain};
use maskwatch_vision::eval::classification::{Confusion, Figures};
use maskwatch_vision::eval::faces::{FacesReport, Finding, STATES};
use maskwatch_vision::face::MaskState;

/// Average precisions, figures at one score, recall by height and answers.
pub(super) fn faces(report: &FacesReport, score: f32) -> String {
    let mut text = format!("{:28} precision  recall      F1  faces   (at score {score:.2})\n", "AP@0.5");
    let mut line = |name: &str, finding: &Finding| {
        let Figures { precision, recall, f1, support } = finding.at_score;
        let ap = share(finding.average_precision);
        let _ = writeln!(text, "{name:20} {ap:>7}  {precision:>8.4}  {recall:>6.4}  {f1:>6.4}  {support:>5}");
    };
    line("face", &report.faces);
    for (state, finding) in STATES.iter().zip(report.states.iter().flatten()) {
        line(state.as_str(), finding);
    }
    if report.states.is_some() {
        let two = share(report.mean(&[MaskState::Mask, MaskState::NoMask]));
        let three = share(report.mean(&STATES));
        let _ = writeln!(text, "{:20} {two:>7}\n{:20} {three:>7}", "mean mask, no_mask", "mean of three states");
    }
    text += "\nRecall of faces by height in pixels\n";
    for (range, figures) in &report.heights {
        let name = if range.end.is_finite() {
            format!("{} to {}", range.start, range.end)
        } else {
            format!("from {}", range.start)
        };
        let _ = writeln!(text, "{name:20} {:>7.4}  of {} faces", figures.recall, figures.support);
    }
    if report.states.is_some() {
        text += "\nAnswers for the faces found (rows: labels)\n";
        matrix(&mut text, &report.answers, &MaskState::ALL, &MaskState::ALL[..3]);
    }
    text
}

/// Figures of each class, averages, confusion, calibration.
pub(super) fn answers(report: &AnswersReport) -> String {
    let mut text = format!("{:20} precision  recall      F1  support\n", "");
    let mut line = |name: &str, figures: Figures| {
        let Figures { precision, recall, f1, support } = figures;
        let _ = writeln!(text, "{name:20} {precision:>9.4}  {recall:>6.4}  {f1:>6.4}  {support:>7}");
    };
    for (state, figures) in report.classes() {
        line(state.as_str(), figures);
    }
    line("macro average", report.confusion.macro_average());
    line("weighted average", report.confusion.weighted_average());
    let _ = writeln!(text, "\n{:20} {:>9.4}", "accuracy", report.confusion.accuracy());
    if report.grain == Grain::Two {
        let _ = writeln!(text, "{:20} {:>9.4}", "of three states", report.three_state_accuracy);
    }
    let _ = writeln!(text, "{:20} {:>9}", "calibration error", share(report.calibration_error));
    let _ = writeln!(text, "{:20} {:>9.4}", "share of unknown", report.unknown_share);
    let _ = writeln!(text, "{:20} {:>9}", "accuracy of the rest", share(report.accuracy_of_known));
    text += "\nConfusion (rows: labels, columns: answers)\n";
    let classes = report.grain.classes();
    matrix(&mut text, &report.confusion, classes, classes);
    if report.grain == Grain::Two {
        text += "\nThe labels tell two states: `mask` means here that a mask is there, worn well or badly.\n";
    }
    text
}

/// A confusion matrix: all columns, the first rows.
fn matrix(text: &mut String, confusion: &Confusion, columns: &[MaskState], rows: &[MaskState]) {
    let _ = write!(text, "{:12}", "");
    for state in columns {
        let _ = write!(text, "{:>10}", state.as_str());
    }
    text.push('\n');
    for (index, state) in rows.iter().enumerate() {
        let _ = write!(text, "{:12}", state.as_str());
        for count in confusion.row(index) {
            let _ = write!(text, "{count:>10}");
        }
        text.push('\n');
    }
}

fn share(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"))
}
