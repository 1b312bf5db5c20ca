//! One module per subcommand.

use std::process::ExitCode;

use crate::cli::Cli;

/// Runs the command.
pub fn main(cli: Cli) -> ExitCode {
    let _ = cli;
    ExitCode::SUCCESS
}
