//! `maskwatch schema`: JSON Schemas of the configuration and of events.

use std::process::ExitCode;

use crate::cli::SchemaArgs;
use crate::config::schema;
use crate::events::event;

/// Prints one of them.
pub(super) fn run(args: &SchemaArgs) -> anyhow::Result<ExitCode> {
    let text = if args.events { event::schema()? } else { schema::json()? };
    super::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
