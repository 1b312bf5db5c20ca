//! `maskwatch check`: every problem of a configuration at once.

use crate::cli::CheckArgs;
use crate::config;
use crate::shutdown::ExitStatus;
use crate::tls::server::Loaded;

/// Reads and checks; says how many cameras the file names.
pub(super) fn run(args: &CheckArgs) -> anyhow::Result<ExitStatus> {
    let plan = config::load(&args.config)?;
    for (server, tls) in [("http", &plan.http.tls), ("rtsp", &plan.rtsp.tls)] {
        if let Some(tls) = tls
            && Loaded::read(tls).is_ok_and(|loaded| loaded.expired())
        {
            let (file, cert) = (args.config.display(), tls.cert.display());
            super::tell(&format!("{file}: warning: {server}.tls.cert: {cert} has expired"));
        }
    }
    let cameras = if plan.cameras.len() == 1 { "1 camera" } else { &format!("{} cameras", plan.cameras.len()) };
    super::print(&format!("{}: good, {cameras}\n", args.config.display()))?;
    Ok(ExitStatus::SUCCESS)
}
