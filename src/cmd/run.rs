//! `maskwatch run`: the service.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use sd_notify::NotifyState;

use crate::cli::RunArgs;
use crate::config::{self, Loaded, Plan};
use crate::fleet::{Cause, ConfigFile, Wish};
use crate::service::{self, Beat, Service};
use crate::shutdown::{ExitStatus, Shutdown};

/// How often it is looked whether the models are there, or the end is asked for.
const LOOK: Duration = Duration::from_millis(50);

/// Runs until a signal. SIGHUP while models load waits for its turn.
pub(super) fn run(args: &RunArgs) -> anyhow::Result<ExitStatus> {
    // One that waits stands for all: the reload reads what the file says then.
    let (hangup, hung_up) = crossbeam_channel::bounded(1);
    let shutdown = Shutdown::on_signals_of_service(move || _ = hangup.try_send(()))?;
    let Loaded { plan, depends_on, .. } = config::load_all(&args.config);
    let plan = plan?;
    let mut service = Service::open(&plan)?;
    let wishes = service.wishes().clone();
    // Before the models, which take their time: what changes meanwhile is not missed.
    let config = ConfigFile::watched(args.config.clone(), depends_on.clone(), &wishes)
        .context("no thread to watch the files")?;
    tidy(&config, &plan, &depends_on);
    super::greet(format!("{}Stop      Ctrl-C\n", service.directions()));
    if !models(&mut service, &plan, &shutdown)? {
        service.stop();
        return Ok(ExitStatus::SUCCESS);
    }
    std::thread::Builder::new().name("hangups".into()).spawn({
        let wishes = wishes.clone();
        move || hung_up.iter().for_each(|()| wishes.put(Wish::Reload(Cause::Signal, None)))
    })?;
    std::thread::Builder::new().name("end".into()).spawn({
        let shutdown = shutdown.clone();
        move || {
            shutdown.wait();
            wishes.put(Wish::End);
        }
    })?;
    tell(&[NotifyState::Ready]);
    service.attend(&config, |beat| match beat {
        Beat::Alive => tell(&[NotifyState::Watchdog]),
        Beat::Reloading => {
            let now = NotifyState::monotonic_usec_now();
            tell(&[Some(NotifyState::Reloading), now.ok()].into_iter().flatten().collect::<Vec<_>>());
        }
        Beat::Ready => tell(&[NotifyState::Ready]),
    });
    tell(&[NotifyState::Stopping]);
    drop(config);
    service.stop();
    Ok(ExitStatus::SUCCESS)
}

/// Takes away what changes by the API have left over that were cut short.
fn tidy(config: &ConfigFile, plan: &Plan, used: &BTreeSet<PathBuf>) {
    match config.written(plan).map(|written| written.tidy(used)) {
        Some(Ok(names)) => {
            names.iter().for_each(|name| tracing::warn!("{name}: left over by a change that was cut short; removed"));
        }
        Some(Err(error)) => tracing::warn!(%error, "what a change that was cut short left over cannot be removed"),
        None => {}
    }
}

/// Loads the models while HTTP answers already; false where the end is asked for meanwhile.
fn models(service: &mut Service, plan: &Plan, shutdown: &Shutdown) -> anyhow::Result<bool> {
    let (done, loaded) = crossbeam_channel::bounded(1);
    let (inference, metrics) = (plan.inference.clone(), Arc::clone(service.metrics()));
    std::thread::Builder::new()
        .name("models".into())
        .spawn(move || drop(done.send(service::start_engine(&inference, &metrics))))?;
    loop {
        match loaded.recv_timeout(LOOK) {
            Ok(engine) => {
                service.use_models(engine?);
                return Ok(true);
            }
            Err(crossbeam_channel::RecvTimeoutError::Disconnected) => anyhow::bail!("the models: an internal error"),
            Err(crossbeam_channel::RecvTimeoutError::Timeout) if shutdown.is_set() => return Ok(false),
            Err(crossbeam_channel::RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Tells systemd, where it is there.
fn tell(states: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(false, states) {
        tracing::debug!(%error, "systemd is not told");
    }
}
