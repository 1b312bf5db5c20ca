//! `maskwatch check`: every problem of a configuration at once.

use std::process::ExitCode;

use crate::cli::CheckArgs;
use crate::config;

/// Reads and checks; says how many cameras the file names.
pub(super) fn run(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let plan = config::load(&args.config)?;
    let cameras = if plan.cameras.len() == 1 { "1 camera" } else { &format!("{} cameras", plan.cameras.len()) };
    super::print(&format!("{}: good, {cameras}\n", args.config.display()))?;
    Ok(ExitCode::SUCCESS)
}
