//! The program: parses the command line, dispatches, reports the error.

use std::process::ExitCode;

use clap::Parser;
use maskwatch::{cli::Cli, cmd};

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => cmd::main(cli),
        Err(error) => cmd::usage(&error),
    }
}
