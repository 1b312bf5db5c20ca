//! `maskwatch schema`: the configuration's JSON Schema.

use std::process::ExitCode;

use crate::config::schema;

/// Prints it.
pub(super) fn run() -> anyhow::Result<ExitCode> {
    super::print(&schema::json()?)?;
    Ok(ExitCode::SUCCESS)
}
