//! `maskwatch eval`: the models on labelled pictures, by the same code as everything else. What is computed is in
//! `maskwatch_vision::eval`; here labels and pictures are read, and figures told.

mod classification;
mod coco;
mod detection;
mod folders;
mod names;
mod progress;
mod results;
mod table;

use std::path::Path;

use anyhow::Context;
use serde_json::Value;

use crate::cli::{EvalCommand, FiguresArgs};
use crate::shutdown::ExitStatus;

/// Measures and tells. Failure where a picture could not be read: the figures are of the others then.
pub(super) fn run(command: &EvalCommand) -> anyhow::Result<ExitStatus> {
    match command {
        EvalCommand::Detection(args) => detection::run(args),
        EvalCommand::Classification(args) => classification::run(args),
    }
}

/// Writes figures where the options say: JSON, or the table on the standard output.
fn write(args: &FiguresArgs, json: &Value, table: &str) -> anyhow::Result<()> {
    let Some(path) = args.json.as_deref() else { return super::print(table) };
    let text = format!("{json:#}\n");
    if path == Path::new("-") {
        return super::print(&text);
    }
    std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

/// The status: failure where not every picture was measured.
fn status(measured: usize, unreadable: usize) -> anyhow::Result<ExitStatus> {
    anyhow::ensure!(measured > 0, "none of the pictures could be measured");
    Ok(if unreadable == 0 { ExitStatus::SUCCESS } else { ExitStatus::FAILED })
}

/// Four digits: more than any data set of this size can tell.
fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}
