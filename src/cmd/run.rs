//! `maskwatch run`: the service.

use std::process::ExitCode;

use crate::cli::RunArgs;
use crate::config;
use crate::service::Service;
use crate::shutdown::Shutdown;

/// Runs until a signal.
pub(super) fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let shutdown = Shutdown::on_signals_of_service()?;
    let plan = config::load(&args.config)?;
    let service = Service::start(plan)?;
    super::greet(format!("{}Stop      Ctrl-C\n", service.directions()));
    shutdown.wait();
    service.stop();
    Ok(ExitCode::SUCCESS)
}
