//! `maskwatch video`: a file, exactly. Every frame is analysed and carries its own boxes; people are counted over all.

mod pipeline;
mod report;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use gstmaskwatch::report::Report;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use maskwatch_vision::privacy::Unknown;

use super::window::CLOSE;
use crate::cli::VideoArgs;
use crate::metrics::Metrics;
use crate::service;
use crate::shutdown::Shutdown;
use pipeline::Video;
use report::{Lines, Tally};

/// The engine's name for `maskinfer`.
const ENGINE: &str = "video";
/// How often signals and the progress bar are looked at.
const TICK: gst::ClockTime = gst::ClockTime::from_mseconds(100);
/// Time to finish the output after Ctrl-C.
const LAST_FRAMES: Duration = Duration::from_secs(20);

/// Analyses the file. Ctrl-C ends it early, with a whole output file and a summary of what was seen.
pub(super) fn run(args: &VideoArgs) -> anyhow::Result<ExitCode> {
    let path = &args.path;
    std::fs::File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    if let Some(out) = &args.out {
        refuse_to_overwrite_input(path, out)?;
    }
    service::start_media()?;
    let lines = args.json.as_deref().map(Lines::create).transpose()?;
    let metrics = Metrics::new().context("metrics")?;
    let engine = service::start_engine(&super::inference(&args.models), &metrics)?;
    gstmaskwatch::engines::register(ENGINE, engine);
    let shutdown = Shutdown::on_signals().context("signals")?;
    let outcome = play(args, lines, &shutdown);
    gstmaskwatch::engines::unregister(ENGINE);
    let tally = outcome?;
    if args.json.as_deref() != Some(std::path::Path::new("-")) {
        super::print(&tally.text(path))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn refuse_to_overwrite_input(input: &std::path::Path, out: &std::path::Path) -> anyhow::Result<()> {
    let same = std::fs::canonicalize(out).ok().zip(std::fs::canonicalize(input).ok()).is_some_and(|(a, b)| a == b);
    if same {
        let text = format!("--out {} is the video itself (choose another name)", out.display());
        return Err(super::Usage(text).into());
    }
    Ok(())
}

fn play(args: &VideoArgs, lines: Option<Lines>, shutdown: &Shutdown) -> anyhow::Result<Tally> {
    let video = Video::build(args, ENGINE)?;
    let bus = video.bus()?;
    video.start().with_context(|| format!("{} cannot be played", args.path.display()))?;
    let mut show =
        Show { video: &video, lines, tally: Tally::default(), bar: None, ending: None, hidden: BTreeMap::new() };
    loop {
        if shutdown.is_set() {
            show.end_early();
        }
        if show.ending.is_some_and(|since| since.elapsed() > LAST_FRAMES) {
            anyhow::bail!("the output could not be finished in time; it may be cut off");
        }
        if let Some(message) = bus.timed_pop(TICK)
            && show.heard(&message)?
        {
            break;
        }
    }
    video.stop();
    // What stopping still told.
    while let Some(message) = bus.pop() {
        show.heard(&message)?;
    }
    show.finish()
}

/// One run over the file.
struct Show<'a> {
    video: &'a Video,
    lines: Option<Lines>,
    tally: Tally,
    bar: Option<ProgressBar>,
    /// Since when the end is asked for.
    ending: Option<Instant>,
    /// Pictures hidden as a whole.
    hidden: BTreeMap<Unknown, u64>,
}

impl Show<'_> {
    /// Takes a message in; true at the end.
    fn heard(&mut self, message: &gst::Message) -> anyhow::Result<bool> {
        match message.view() {
            gst::MessageView::Error(error) if !self.closed_by_its_frame(&error.error()) => {
                anyhow::bail!("{}", crate::config::secret::redact(&error.error().to_string()))
            }
            gst::MessageView::Eos(_) => return Ok(true),
            gst::MessageView::Error(_) => self.end_early(),
            gst::MessageView::Application(message) if message.structure().is_some_and(|s| s.name() == CLOSE) => {
                self.end_early();
            }
            gst::MessageView::Element(_) => match gstmaskwatch::report::from_message(message) {
                Some(Report::Frame(report)) => {
                    if let Some(lines) = &mut self.lines {
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

    fn finish(mut self) -> anyhow::Result<Tally> {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        for (reason, pictures) in &self.hidden {
            super::tell(&format!("{pictures} pictures are hidden as a whole: {}", reason.words()));
        }
        anyhow::ensure!(self.tally.frames > 0, "no picture in the file (is it a video?)");
        if let Some(mut lines) = self.lines.take() {
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
