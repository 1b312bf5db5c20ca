//! `maskwatch video`: a file, exactly. Every frame is analysed and carries its own boxes; people are counted over all.

mod input;
mod look;
mod pipeline;
mod report;
mod stamps;
mod whole;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use gstmaskwatch::report::Report;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use maskwatch_vision::privacy::Unknown;

use super::window::CLOSE;
use crate::cli::VideoArgs;
use crate::encoder::{self, Kind, Task};
use crate::metrics::Metrics;
use crate::service;
use crate::shutdown::{ExitStatus, Shutdown};
use input::Input;
use pipeline::Video;
use report::{Lines, Tally};

/// The engine's name for `maskinfer`.
const ENGINE: &str = "video";
/// How often signals and the progress bar are looked at.
const TICK: gst::ClockTime = gst::ClockTime::from_mseconds(100);
/// Time to finish the output after Ctrl-C.
const LAST_FRAMES: Duration = Duration::from_secs(20);

/// Analyses the file. Ctrl-C ends it early, with a whole output file and a summary of what was seen.
pub(super) fn run(args: &VideoArgs) -> anyhow::Result<ExitStatus> {
    let path = &args.path;
    if let Some(out) = &args.out {
        refuse_to_overwrite_input(path, out)?;
    }
    service::start_media()?;
    let mut input = Input::open(path)?;
    let kinds = if args.out.is_some() { encoder::usable(Task::File) } else { Vec::new() };
    if args.out.is_some() && kinds.is_empty() {
        anyhow::bail!("no H.264 encoder (install gstreamer1.0-plugins-ugly, or run `make setup`)");
    }
    let mut lines = args.json.as_deref().map(Lines::create).transpose()?;
    let metrics = Metrics::new().context("metrics")?;
    let engine = service::start_engine(&super::inference(&args.models), &metrics)?;
    gstmaskwatch::engines::register(ENGINE, engine);
    let shutdown = Shutdown::on_signals().context("signals")?;
    let outcome = play_through(args, &mut input, kinds, &mut lines, &shutdown);
    gstmaskwatch::engines::unregister(ENGINE);
    let tally = outcome?;
    if args.json.as_deref() != Some(Path::new("-")) {
        super::print(&tally.text(path))?;
    }
    Ok(ExitStatus::SUCCESS)
}

fn refuse_to_overwrite_input(input: &std::path::Path, out: &std::path::Path) -> anyhow::Result<()> {
    let same = std::fs::canonicalize(out).ok().zip(std::fs::canonicalize(input).ok()).is_some_and(|(a, b)| a == b);
    if same {
        let text = format!("--out {} is the video itself (choose another name)", out.display());
        return Err(super::Usage(text).into());
    }
    Ok(())
}

/// Plays with the first encoder, and from the beginning with the next where one fails in the middle: a file has one set
/// of parameters. Lines that were written stay.
fn play_through(
    args: &VideoArgs,
    input: &mut Input,
    mut kinds: Vec<Kind>,
    lines: &mut Option<Lines>,
    shutdown: &Shutdown,
) -> anyhow::Result<Tally> {
    loop {
        match play(args, input, &kinds, lines, shutdown)? {
            Played::Whole(tally) => return Ok(tally),
            Played::EncoderFailed { rest, error } if !rest.is_empty() && input.is_repeatable() => {
                tracing::warn!(next = rest[0].element(), "{error}; once more from the beginning");
                kinds = rest;
            }
            Played::EncoderFailed { error, .. } => anyhow::bail!("the output could not be written: {error}"),
        }
    }
}

/// How one run over the file ended.
enum Played {
    /// With all that was asked for.
    Whole(Tally),
    /// The output's encoder failed; the others are left.
    EncoderFailed { rest: Vec<Kind>, error: String },
}

fn play(
    args: &VideoArgs,
    input: &mut Input,
    kinds: &[Kind],
    lines: &mut Option<Lines>,
    shutdown: &Shutdown,
) -> anyhow::Result<Played> {
    let video = Video::build(args, input, kinds, ENGINE)?;
    let bus = video.bus()?;
    video.start().with_context(|| format!("{} cannot be played", args.path.display()))?;
    let tally = Tally::of_file(input.is_cut_off());
    let mut show = Show { video: &video, lines, tally, bar: None, ending: None, hidden: BTreeMap::new() };
    let watched = show.watch(&bus, shutdown);
    video.stop();
    if let Some(rest) = video.other_encoders() {
        let error = watched.err().map_or_else(|| "the encoder lost pictures".to_owned(), |error| format!("{error:#}"));
        return Ok(Played::EncoderFailed { rest, error });
    }
    watched?;
    // What stopping still told.
    while let Some(message) = bus.pop() {
        show.heard(&message)?;
    }
    let tally = show.finish(&args.path)?;
    video.keep();
    Ok(Played::Whole(tally))
}

/// One run over the file.
struct Show<'a> {
    video: &'a Video,
    lines: &'a mut Option<Lines>,
    tally: Tally,
    bar: Option<ProgressBar>,
    /// Since when the end is asked for.
    ending: Option<Instant>,
    /// Pictures hidden as a whole.
    hidden: BTreeMap<Unknown, u64>,
}

impl Show<'_> {
    /// Listens until the end.
    fn watch(&mut self, bus: &gst::Bus, shutdown: &Shutdown) -> anyhow::Result<()> {
        loop {
            if shutdown.is_set() {
                self.end_early();
            }
            if self.ending.is_some_and(|since| since.elapsed() > LAST_FRAMES) {
                anyhow::bail!("the output could not be finished in time; it may be cut off");
            }
            if let Some(message) = bus.timed_pop(TICK)
                && self.heard(&message)?
            {
                return Ok(());
            }
        }
    }

    /// Takes a message in; true at the end.
    fn heard(&mut self, message: &gst::Message) -> anyhow::Result<bool> {
        match message.view() {
            gst::MessageView::Error(error) if self.video.is_of_reading(message) => {
                self.breaks_off(&error.error())?;
            }
            gst::MessageView::Error(error) if !self.closed_by_its_frame(&error.error()) => {
                anyhow::bail!("{}", crate::config::secret::redact(&error.error().to_string()))
            }
            gst::MessageView::Eos(_) => return Ok(true),
            gst::MessageView::Error(_) => self.end_early(),
            gst::MessageView::Warning(warning) if self.video.is_of_reading(message) => {
                tracing::warn!("{}", crate::config::secret::redact(&warning.error().to_string()));
                self.tally.truncated = true;
            }
            gst::MessageView::Application(message) if message.structure().is_some_and(|s| s.name() == CLOSE) => {
                self.end_early();
            }
            gst::MessageView::Element(_) => match gstmaskwatch::report::from_message(message) {
                Some(Report::Frame(report)) => {
                    if let Some(lines) = self.lines {
                        lines.frame(self.tally.frames, &report)?;
                    }
                    self.tally.frames += 1;
                    self.progress(report.pts);
                }
                Some(Report::Person(report)) => self.tally.person(report.person.state),
                Some(Report::Hidden(reason)) => *self.hidden.entry(reason).or_default() += 1,
                Some(Report::Drop(report)) if report.reason == "failed" => {
                    anyhow::bail!("a frame could not be analysed: {}", report.error.unwrap_or_default())
                }
                _ => {}
            },
            _ => {}
        }
        Ok(false)
    }

    /// The file cannot be read any further. What was read before counts; without a picture there is nothing.
    fn breaks_off(&mut self, error: &gst::glib::Error) -> anyhow::Result<()> {
        let error = crate::config::secret::redact(&error.to_string());
        anyhow::ensure!(self.tally.frames > 0, "{error}");
        tracing::warn!("the file cannot be read to its end: {error}");
        self.tally.truncated = true;
        self.end_early();
        Ok(())
    }

    /// Closing a window by its frame is an error of its sink.
    fn closed_by_its_frame(&self, error: &gst::glib::Error) -> bool {
        self.video.shows() && error.matches(gst::ResourceError::NotFound) && self.tally.frames > 0
    }

    fn end_early(&mut self) {
        if self.ending.is_none() {
            self.ending = Some(Instant::now());
            self.video.end_early();
        }
    }

    /// The bar appears with the first frame: then the length is known. It is drawn on terminals only.
    fn progress(&mut self, pts: Option<gst::ClockTime>) {
        let frames = self.tally.frames;
        let bar = self.bar.get_or_insert_with(|| bar(self.video.duration()));
        bar.set_message(format!("{frames} frames"));
        if let Some(pts) = pts {
            bar.set_position(pts.mseconds());
        }
    }

    fn finish(mut self, path: &Path) -> anyhow::Result<Tally> {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        for (reason, pictures) in &self.hidden {
            super::tell(&format!("{pictures} pictures are hidden as a whole: {}", reason.words()));
        }
        let stopped = self.ending.is_some() && !self.tally.truncated;
        anyhow::ensure!(self.tally.frames > 0 || !stopped, "stopped before the first picture");
        anyhow::ensure!(self.tally.frames > 0, "no picture in {}", path.display());
        if self.tally.truncated {
            super::tell(&format!("{} is cut off or damaged: {} frames are there", path.display(), self.tally.frames));
        }
        if let Some(lines) = self.lines {
            lines.summary(&self.tally)?;
        }
        Ok(self.tally)
    }
}

fn bar(duration: Option<gst::ClockTime>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(duration.map(gst::ClockTime::mseconds), ProgressDrawTarget::stderr());
    let template = if duration.is_some() {
        "{bar:40} {percent:>3} %  {msg}  {elapsed} of about {duration}"
    } else {
        "{spinner} {msg}  {elapsed}"
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};
    use crate::config::plan::InferencePlan;
    use crate::encoder::tests::refusing;

    /// An encoder that works for five pictures, then the machine's own, which begins again: all lines are there once.
    #[test]
    fn an_encoder_that_fails_in_the_middle_costs_no_picture_and_no_line() {
        service::start_media().unwrap();
        refusing::register();
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let mut ffmpeg = std::process::Command::new("ffmpeg");
        ffmpeg.args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=10", "-t", "3"]);
        assert!(ffmpeg.args(["-c:v", "libx264"]).arg(at("in.mp4")).status().unwrap().success());
        let words = ["maskwatch", "video", &at("in.mp4"), "--out", &at("out.mp4"), "--json", &at("out.jsonl")];
        let Command::Video(args) = Cli::try_parse_from(words).unwrap().command else { panic!("another command") };
        let engine = service::start_engine(&InferencePlan::default(), &Metrics::new().unwrap()).unwrap();
        gstmaskwatch::engines::register(ENGINE, engine);
        let mut lines = Some(Lines::create(args.json.as_deref().unwrap()).unwrap());
        let kinds = vec![Kind::Nvidia, Kind::X264];
        let mut input = Input::open(&args.path).unwrap();
        let tally = play_through(&args, &mut input, kinds, &mut lines, &Shutdown::new()).unwrap();
        gstmaskwatch::engines::unregister(ENGINE);
        drop(lines);
        assert_eq!(tally.frames, 30);
        let text = std::fs::read_to_string(at("out.jsonl")).unwrap();
        let frames: Vec<_> = text.lines().filter_map(|line| line.split_once("\"frame\":")).collect();
        assert_eq!((text.lines().count(), frames.len()), (31, 30), "{text}");
        let mut probe = std::process::Command::new("ffprobe");
        probe.args(["-v", "error", "-count_packets", "-show_entries", "stream=nb_read_packets", "-of", "csv=p=0"]);
        let probed = probe.arg(at("out.mp4")).output().unwrap().stdout;
        assert_eq!(String::from_utf8(probed).unwrap().trim(), "30");
    }
}
