//! The program: parses the command line, dispatches, reports the error.

use std::panic::catch_unwind;

use clap::Parser;
use maskwatch::cli::Cli;
use maskwatch::cmd;
use maskwatch::shutdown::{self, ExitStatus};

fn main() {
    let status = catch_unwind(|| match Cli::try_parse() {
        Ok(cli) => cmd::main(cli),
        Err(error) => cmd::usage(&error),
    });
    // The panic's hook has told.
    shutdown::exit(status.unwrap_or(ExitStatus::PANIC))
}
