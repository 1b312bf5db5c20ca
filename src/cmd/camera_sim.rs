//! `maskwatch camera-sim`: files as endless RTSP cameras.

use crate::cli::CameraSimArgs;
use crate::service;
use crate::shutdown::{ExitStatus, Shutdown};
use crate::sim::{Options, Server};

/// Serves until a signal.
pub(super) fn run(args: &CameraSimArgs) -> anyhow::Result<ExitStatus> {
    service::start_media()?;
    let shutdown =
        Shutdown::on_signals_of_service(|| tracing::warn!("SIGHUP: simulated cameras have no configuration file"))?;
    let server = Server::start_files(&Options { listen: args.listen, auth: None }, &args.files)?;
    let mut text = String::new();
    for (index, file) in args.files.iter().enumerate() {
        text += &format!("{}  {}\n", server.url(index), file.display());
    }
    super::greet(format!("{text}Stop  Ctrl-C\n"));
    shutdown.wait();
    drop(server);
    Ok(ExitStatus::SUCCESS)
}
