//! `maskwatch diff`: what a reload would do.

use anyhow::Context;
use serde_json::json;

use crate::cli::DiffArgs;
use crate::config;
use crate::fleet::Difference;
use crate::shutdown::ExitStatus;

/// A line a thing; exit 0 where nothing differs, 1 where something does.
pub(super) fn run(args: &DiffArgs) -> anyhow::Result<ExitStatus> {
    let present = config::load(&args.against)?;
    let wanted = config::load(&args.config)?;
    let difference = Difference::between(&present, &wanted);
    let steps = difference.steps();
    if args.json {
        let value = json!({ "changes": steps, "restart_needed": difference.restart() });
        super::print(&(serde_json::to_string_pretty(&value).context("JSON")? + "\n"))?;
    } else {
        let lines: String = steps.iter().map(|step| format!("{step}\n")).collect();
        super::print(&lines)?;
    }
    Ok(if steps.is_empty() { ExitStatus::SUCCESS } else { ExitStatus::DIFFERENT })
}
