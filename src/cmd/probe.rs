//! `maskwatch probe`: one look at a camera.

mod table;

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};

use super::Usage;
use crate::camera::probe::{Limits, Report, probe};
use crate::cli::{ProbeArgs, ProbeTransport};
use crate::config::plan::{CameraPlan, Credentials, Transport};
use crate::config::secret::{CameraUrl, Secret, UrlProblem};
use crate::service;
use crate::shutdown::{ExitStatus, Shutdown};

/// The camera's name, where it needs one.
const NAME: &str = "probe";
/// How often the sign that something happens moves.
const TICK: Duration = Duration::from_millis(120);

/// Looks and tells. Failure where no picture comes, with the words of `run`'s log.
pub(super) fn run(args: &ProbeArgs) -> anyhow::Result<ExitStatus> {
    let plan = plan(args)?;
    service::start_media()?;
    let shutdown = Shutdown::on_signals().context("signals")?;
    let limits = Limits { watch: Duration::from_secs(args.seconds), whole: None };
    let sign = sign(&plan, args.seconds);
    let report = probe(&plan, limits, &shutdown);
    sign.finish_and_clear();
    super::print(&if args.json { json(&report)? } else { table::text(&report) })?;
    if let Some(failure) = &report.error {
        super::tell(&format!("{}: {failure}", report.url));
    } else if !report.ok {
        super::tell(&format!("{}: stopped before a picture came", report.url));
    }
    Ok(if report.ok { ExitStatus::SUCCESS } else { ExitStatus::FAILED })
}

fn json(report: &Report) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(report).context("JSON")? + "\n")
}

/// Shows on terminals that something happens.
fn sign(plan: &CameraPlan, seconds: u64) -> ProgressBar {
    let sign = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}  {elapsed}") {
        sign.set_style(style);
    }
    sign.set_message(format!("{}: looking at its pictures for {seconds} s", plan.url));
    sign.enable_steady_tick(TICK);
    sign
}

fn plan(args: &ProbeArgs) -> anyhow::Result<CameraPlan> {
    let url = url(&args.url).map_err(|problem| Usage(told(&problem)))?;
    Ok(CameraPlan {
        credentials: credentials(args)?,
        transport: match args.transport {
            ProbeTransport::Tcp => Transport::Tcp,
            ProbeTransport::Udp => Transport::Udp,
            ProbeTransport::Auto => Transport::Auto,
        },
        insecure_tls: args.insecure_tls,
        ..CameraPlan::new(NAME, url)
    })
}

/// A URL as the configuration takes it; or the path of a file that is there.
fn url(text: &str) -> Result<CameraUrl, UrlProblem> {
    let local = (!text.contains("://")).then(|| Path::new(text).canonicalize().ok()).flatten();
    match local.and_then(|path| url::Url::from_file_path(path).ok()) {
        Some(mut url) => {
            if url.path().starts_with("/dev/video") {
                url = url::Url::parse(&format!("v4l2://{}", url.path())).unwrap_or(url);
            }
            CameraUrl::parse(url.as_str())
        }
        None => CameraUrl::parse(text),
    }
}

/// The problem, with the hint that fits a command line. Never quotes the URL.
fn told(problem: &UrlProblem) -> String {
    match problem {
        UrlProblem::Credentials => "user name or password inside the URL (others can read command lines: give \
                                    --username U, and the password by --password-file F or when asked)"
            .to_owned(),
        other => other.to_string(),
    }
}

fn credentials(args: &ProbeArgs) -> anyhow::Result<Option<Credentials>> {
    let Some(username) = &args.username else { return Ok(None) };
    if username.is_empty() || username.contains(':') {
        return Err(Usage("--username: it must not be empty or hold a `:`".to_owned()).into());
    }
    let text = match &args.password_file {
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| Usage(format!("--password-file: {} cannot be read: {error}", file.display())))?,
        None => super::password::asked(&format!("Password of {username}: "))?,
    };
    let password = text.trim_end_matches(['\n', '\r']);
    if password.trim().is_empty() {
        return Err(Usage("the password is empty (leave --username out where the camera asks for none)".into()).into());
    }
    Ok(Some(Credentials { username: username.clone(), password: Secret::new(password) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_urls_are_refused_and_not_repeated() {
        let problem = url("rtsp://ops:hunter2@10.0.0.9/1").unwrap_err();
        assert!(told(&problem).contains("--password-file") && !told(&problem).contains("hunter2"));
        assert!(told(&url("ftp://cam/1").unwrap_err()).contains("rtsp, rtsps"));
    }

    #[test]
    fn a_file_may_be_given_by_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a b.mp4");
        std::fs::write(&file, "x").unwrap();
        let found = url(file.to_str().unwrap()).unwrap();
        assert_eq!(found.local_path(), Some(file.canonicalize().unwrap()));
        assert!(url("no-such-file.mp4").is_err());
    }
}
