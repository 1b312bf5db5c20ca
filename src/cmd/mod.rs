//! One module per subcommand, and what they share: how errors are told, and how the program ends.

mod camera_sim;
mod check;
mod demo;
mod diff;
mod eval;
mod image;
mod models;
mod password;
mod probe;
mod run;
mod schema;
mod token;
mod user;
mod video;
mod window;

use std::fmt;
use std::io::Write;
use std::time::Duration;

use anyhow::Context;
use maskwatch_engine::{EngineError, EngineOptions};

use crate::cli::{Cli, Command, ModelArgs};
use crate::config::ConfigError;
use crate::config::plan::InferencePlan;
use crate::logging;
use crate::shutdown::ExitStatus;

/// Time for a service's last lines to be written: nobody may read them.
const LAST_LINES: Duration = Duration::from_millis(500);

/// Bad usage that the command line's types cannot see.
#[derive(Debug)]
pub(crate) struct Usage(pub String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Runs the command. Errors go to the standard error.
pub fn main(cli: Cli) -> ExitStatus {
    let service = matches!(cli.command, Command::Run(_) | Command::Demo(_) | Command::CameraSim(_));
    // Also when a panic ends the program.
    let _last_lines = LastLines(service.then_some(LAST_LINES));
    // Before anything secret is read.
    let kept = if cli.core_dumps { Ok(()) } else { crate::limits::forbid_cores() };
    let result = logging::start(cli.log_format, cli.log.as_deref(), service)
        .map_err(|error| anyhow::Error::from(Usage(error.to_string())))
        .and_then(|()| {
            if let Err(error) = kept {
                tracing::warn!(%error, "cores of a crash cannot be forbidden: they would hold passwords");
            }
            if service && let Err(error) = crate::limits::raise_descriptors() {
                tracing::warn!(%error, "the limit of open files and connections stays as it is");
            }
            dispatch(cli.command)
        });
    result.unwrap_or_else(|error| {
        complain(&error);
        if is_usage(&error) { ExitStatus::BAD } else { ExitStatus::FAILED }
    })
}

/// Shows what the command line's parser has to say: help, the version, or what is wrong.
pub fn usage(error: &clap::Error) -> ExitStatus {
    let lost = error.print().is_err_and(|error| error.kind() != std::io::ErrorKind::BrokenPipe);
    match error.exit_code() {
        // Help that could not be shown: only that of somebody who asked for it counts.
        0 if lost => ExitStatus::FAILED,
        0 => ExitStatus::SUCCESS,
        _ => ExitStatus::BAD,
    }
}

fn dispatch(command: Command) -> anyhow::Result<ExitStatus> {
    match command {
        Command::Run(args) => run::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Image(args) => image::run(&args),
        Command::Eval(command) => eval::run(&command),
        Command::Probe(args) => probe::run(&args),
        Command::Models(args) => models::run(&args),
        Command::User(command) => user::run(&command),
        Command::Token(command) => token::run(&command),
        Command::Video(args) => video::run(&args),
        Command::CameraSim(args) => camera_sim::run(&args),
    }
}

/// Whether the user's configuration, command line or models must change before the same command can succeed.
fn is_usage(error: &anyhow::Error) -> bool {
    error.is::<Usage>()
        || error.is::<ConfigError>()
        || error.downcast_ref::<EngineError>().is_some_and(EngineError::is_config)
}

/// Writes what waits when it is dropped.
struct LastLines(Option<Duration>);

impl Drop for LastLines {
    fn drop(&mut self) {
        logging::flush(self.0);
    }
}

/// The error and what led to it, one line each; a configuration's problems as they are, so that editors find them.
fn complain(error: &anyhow::Error) {
    if error.is::<ConfigError>() { logging::say(&format!("{error}\n")) } else { tell(&format!("{error:#}")) }
}

/// Writes text to the standard output. A reader that went away is no error: `maskwatch schema | head`.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("the standard output cannot be written"),
    }
}

/// Writes what a service says of itself to the standard output. A courtesy: it goes on where nobody can read that, and
/// does not wait for a reader.
pub(crate) fn greet(text: String) {
    let written = std::thread::Builder::new().name("greeting".into()).spawn(move || {
        if let Err(error) = print(&text) {
            tracing::warn!("{error:#}");
        }
    });
    if let Err(error) = written {
        tracing::warn!(%error, "no thread for the greeting");
    }
}

/// A line on the standard error, beside the log: of one input among many, which does not end the command.
pub(crate) fn tell(text: &str) {
    logging::say(&format!("maskwatch: {text}\n"));
}

/// The engine's options for a plan of a command that runs networks without an engine.
pub(crate) fn engine_options(plan: &InferencePlan) -> EngineOptions {
    EngineOptions {
        models_dir: plan.models_dir.clone(),
        detector: plan.detector.clone(),
        classifier: plan.classifier.clone(),
        provider: plan.provider,
        library: plan.library.clone(),
        threads: plan.threads,
        ..EngineOptions::default()
    }
}

/// The models that the options of a command without a configuration name.
pub(crate) fn inference(args: &ModelArgs) -> InferencePlan {
    let usual = InferencePlan::default();
    InferencePlan {
        provider: args.provider,
        library: args.library.clone(),
        models_dir: args.models_dir.clone().unwrap_or(usual.models_dir),
        detector: args.detector.clone().unwrap_or(usual.detector),
        classifier: match args.classifier.as_deref() {
            Some("none") => None,
            Some(name) => Some(name.to_owned()),
            None => usual.classifier,
        },
        max_batch: usual.max_batch,
        threads: usual.threads,
    }
}
