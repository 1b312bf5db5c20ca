//! `maskwatch check`: every problem of a configuration at once.

use crate::cli::CheckArgs;
use crate::config;
use crate::shutdown::ExitStatus;
use crate::tls::server::Loaded;

/// Reads and checks; says how many cameras the file names.
pub(super) fn run(args: &CheckArgs) -> anyhow::Result<ExitStatus> {
    let plan = config::load(&args.config)?;
    if let Some(tls) = &plan.http.tls
        && Loaded::read(tls).is_ok_and(|loaded| loaded.expired())
    {
        super::tell(&format!("{}: warning: http.tls.cert: {} has expired", args.config.display(), tls.cert.display()));
    }
    let cameras = if plan.cameras.len() == 1 { "1 camera" } else { &format!("{} cameras", plan.cameras.len()) };
    super::print(&format!("{}: good, {cameras}\n", args.config.display()))?;
    Ok(ExitStatus::SUCCESS)
}
