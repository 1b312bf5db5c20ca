//! One look at a camera: connects once, by the same pipeline and the same client as a camera that is watched, and tells
//! what comes, or why nothing does. Nothing is analysed and nobody is shown the pictures.

mod costs;
mod pads;
mod picture;
mod report;
mod rhythm;

use std::sync::Arc;
use std::time::Duration;

use gst::prelude::*;

pub use costs::Cost;
pub use report::{Login, Packets, Pictures, Report, SessionTerms, Timing, Video};

use super::failure::Failure;
use super::intake::{self, Running};
use super::results::PROOF;
use super::rtsp::{self, Learnt};
use super::source::{self, Outlets, Source};
use super::supervisor::{FIRST_FRAME, GOODBYE, TICK};
use super::tally::{Counts, Tally};
use super::teardown::teardown;
use super::watch::Watch;
use crate::config::plan::CameraPlan;
use crate::frames::{Hub, Shown};
use crate::metrics::{DisconnectReason, Metrics, PictureLoss};
use crate::shutdown::Shutdown;
use pads::{Eyes, Seen};
use rhythm::Rhythm;

/// How long a look may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// So long pictures are looked at, from the first one on.
    pub watch: Duration,
    /// The whole of it, from the start; `None`: as patient as a camera that is watched.
    pub whole: Option<Duration>,
}

/// Looks at the camera of `plan`. Blocks; `stop` ends it early. Logs in once at most.
pub fn probe(plan: &CameraPlan, limits: Limits, stop: &Shutdown) -> Report {
    look(plan, limits, stop).0
}

/// The same, with the last picture.
pub fn look(plan: &CameraPlan, limits: Limits, stop: &Shutdown) -> (Report, Option<Shown>) {
    let mut report = Report { url: plan.url.to_string(), ..Report::default() };
    let Some(outlets) = outlets(plan) else {
        report.error = Some(Failure::new(DisconnectReason::Error, "internal error: no metrics"));
        return (report, None);
    };
    let mut source = match source::build(plan, None, &outlets) {
        Ok(source) => source,
        Err(error) => {
            report.error = Some(Failure::new(DisconnectReason::Unsupported, format!("no pipeline: {error}")));
            return (report, None);
        }
    };
    let eyes = Eyes::open(&source.pipeline);
    let mut look = Look { plan, limits, stop, outlets: &outlets, eyes: &eyes, intake: None };
    let failure = look.start(&mut source).and_then(|()| look.attend(&source.pipeline)).err();
    let (seen, counts, shown) = (eyes.seen(), outlets.tally.counts(), outlets.hub.latest());
    look.end(source);
    let learnt = rtsp::learnt(&outlets.memory);
    look.fill(&mut report, &seen, &counts, &learnt);
    report.ok = failure.is_none() && counts.decoded > 0;
    report.error = failure;
    report.costs = costs::of(&report);
    (report, shown)
}

/// Where the pictures of a look go: nowhere.
fn outlets(plan: &CameraPlan) -> Option<Outlets> {
    let metrics = Metrics::new().ok()?.camera(&plan.name);
    Some(Outlets {
        hub: Hub::new(plan, &metrics),
        watch: Arc::new(Watch::new()),
        tally: Arc::new(Tally::new(Arc::clone(&metrics))),
        memory: rtsp::Memory::default(),
        once: true,
    })
}

struct Look<'a> {
    plan: &'a CameraPlan,
    limits: Limits,
    stop: &'a Shutdown,
    outlets: &'a Outlets,
    eyes: &'a Eyes,
    intake: Option<Running>,
}

impl Look<'_> {
    fn start(&mut self, source: &mut Source) -> Result<(), Failure> {
        // An error of the state change comes on the bus, with its cause.
        source.pipeline.set_state(gst::State::Playing).ok();
        if let Some((intake, feed)) = source.intake.take() {
            let running = Running::start(intake, feed, &self.plan.name);
            self.intake = Some(running.map_err(|error| Failure::new(DisconnectReason::Error, error.to_string()))?);
        }
        Ok(())
    }

    /// Follows the connection to the end of the look, by the rules of a camera that is watched.
    fn attend(&self, pipeline: &gst::Pipeline) -> Result<(), Failure> {
        let no_bus = || Failure::new(DisconnectReason::Error, "the pipeline has no bus");
        let bus = pipeline.bus().ok_or_else(no_bus)?;
        while !self.stop.is_set() {
            // Who fetches knows more of a failure than the pipeline that it feeds.
            if let Some(failure) = self.intake.as_ref().and_then(Running::failure) {
                return Err(failure);
            }
            if let Some(message) = bus.timed_pop(TICK)
                && self.heard(pipeline, &message)?
            {
                return Ok(());
            }
            if self.enough()? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// What a message means; true: the end.
    fn heard(&self, pipeline: &gst::Pipeline, message: &gst::Message) -> Result<bool, Failure> {
        match message.view() {
            gst::MessageView::Error(error) => Err(Failure::of(&error.error(), self.plan)),
            // A file was played to its end.
            gst::MessageView::Eos(_) if self.outlets.watch.frames() > 0 => Ok(true),
            gst::MessageView::Eos(_) => Err(Failure::new(DisconnectReason::Eos, "the stream ended")),
            gst::MessageView::Element(_) => {
                if let Some(kind) = intake::beside(message) {
                    self.eyes.beside(kind);
                }
                Ok(false)
            }
            gst::MessageView::Latency(_) => {
                pipeline.recalculate_latency().ok();
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    /// Whether enough was seen.
    ///
    /// # Errors
    /// Nothing came for too long.
    fn enough(&self) -> Result<bool, Failure> {
        let watch = &self.outlets.watch;
        let (frames, now) = (watch.frames(), self.eyes.now());
        let watched = self.eyes.first_picture().map(|first| now.saturating_sub(first));
        if frames >= PROOF && watched.is_some_and(|watched| watched >= self.limits.watch) {
            return Ok(true);
        }
        let asked = self.intake.is_none() || watch.has_agreed();
        if self.limits.whole.is_some_and(|whole| now >= whole) {
            return match (frames >= PROOF, asked) {
                (true, _) => Ok(true),
                (false, true) => Err(self.silent(Duration::from_secs(2))),
                (false, false) => Err(Failure::hinted(
                    DisconnectReason::Timeout,
                    format!("the camera has not agreed to send within {:.0} s", now.as_secs_f64()),
                    "does it hang, or take long to wake up?",
                )),
            };
        }
        // Until the source has agreed to send, who fetches has the say.
        let limit = if frames < PROOF { FIRST_FRAME.max(self.plan.timeout) } else { watch.patience(self.plan.timeout) };
        if asked && watch.silence() > limit { Err(self.silent(limit / 2)) } else { Ok(false) }
    }

    fn silent(&self, lately: Duration) -> Failure {
        let watch = &self.outlets.watch;
        Failure::silent(watch.silence(), watch.data_within(lately), watch.frames() == 0, self.plan)
    }

    fn end(&mut self, source: Source) {
        if let Some(intake) = &self.intake {
            intake.ask_to_stop();
        }
        teardown(source.pipeline, &self.plan.name);
        if let Some(intake) = self.intake.take() {
            intake.stop(GOODBYE);
        }
        self.outlets.tally.close();
    }

    fn fill(&self, report: &mut Report, seen: &Seen, counts: &Counts, learnt: &Learnt) {
        let millis = |moment: Option<Duration>| moment.map(|moment| moment.as_millis() as u64);
        let watched = seen.first_picture.zip(seen.last_picture).map(|(first, last)| last - first);
        report.timing = Timing {
            describe_ms: None,
            first_packet_ms: millis(seen.first_packet),
            first_picture_ms: millis(seen.first_picture),
            watched_s: watched.unwrap_or_default().as_secs_f64(),
        };
        let dropped = PictureLoss::ALL.into_iter().map(|loss| (loss.as_str(), counts.lost[loss as usize]));
        report.pictures = Pictures {
            received: counts.received,
            decoded: counts.decoded,
            dropped: dropped.filter(|(_, count)| *count > 0).collect(),
        };
        report.besides = seen.besides.iter().cloned().collect();
        report.video = self.video(seen);
        if let Some(account) = &learnt.account {
            told(report, account, counts, self.plan);
            report.udp_in_vain = learnt.tcp;
        }
    }

    fn video(&self, seen: &Seen) -> Option<Video> {
        seen.coded_caps.as_ref().or(seen.decoded_caps.as_ref())?;
        let rhythm = Rhythm::of(&seen.coded, true);
        let rounded = |value: f64| (value * 100.0).round() / 100.0;
        Some(Video {
            changes: seen.changes,
            rate: rhythm.rate.map(rounded),
            wrong_clock: rhythm.wrong_clock.map(rounded),
            bitrate_kbps: rhythm.bitrate_kbps.map(f64::round),
            keyframes: rhythm.keyframes,
            keyframe_distance_s: rhythm.distance.map(|(seconds, _)| rounded(seconds)),
            keyframe_distance_pictures: rhythm.distance.map(|(_, pictures)| pictures),
            reordered: rhythm.reordered,
            ..picture::video(seen.coded_caps.as_ref(), seen.decoded_caps.as_ref(), seen.turn.as_deref())
        })
    }
}

/// What an RTSP camera said of itself.
fn told(report: &mut Report, account: &rtsp::Account, counts: &Counts, plan: &CameraPlan) {
    report.transport = Some(if account.udp { "udp" } else { "tcp" });
    report.server = account.server.clone();
    report.login = Some(Login {
        kind: account.login.as_str(),
        algorithm: account.algorithm,
        encrypted: plan.url.scheme() == "rtsps",
    });
    report.session = Some(SessionTerms {
        timeout_s: account.timeout.map(|timeout| timeout.as_secs_f64()),
        keep_alive: account.keep_alive,
    });
    report.timing.describe_ms = Some(account.thought.as_millis() as u64);
    report.offered = Some(account.coding.clone()).filter(|coding| !coding.is_empty());
    report.besides = account.besides.clone();
    let seen = account.seen;
    report.packets = Some(Packets {
        received: seen.packets,
        // Each restart of the count leaves one number out.
        lost: counts.packets_lost.saturating_sub(seen.restarts),
        repeated: seen.repeated,
        foreign: seen.foreign,
        restarts: seen.restarts,
    });
    if let Some(video) = &mut report.video {
        // The SDP's word before the coded stream's: it is the camera's own.
        video.announced_rate = account.rate.or(video.announced_rate);
    }
}
