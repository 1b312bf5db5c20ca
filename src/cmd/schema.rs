//! `maskwatch schema`: JSON Schemas of the configuration and of events.

use crate::cli::SchemaArgs;
use crate::config::schema;
use crate::events::event;
use crate::shutdown::ExitStatus;

/// Prints one of them.
pub(super) fn run(args: &SchemaArgs) -> anyhow::Result<ExitStatus> {
    let text = if args.events { event::schema()? } else { schema::json()? };
    super::print(&text)?;
    Ok(ExitStatus::SUCCESS)
}
