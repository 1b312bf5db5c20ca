//! A file's encoded pictures in memory.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gst::ClockTime;
use gst::prelude::*;

/// Longest time that reading a clip may go without a new picture.
const STALL: ClockTime = ClockTime::from_seconds(20);
/// Assumed length of the last picture where the file does not tell the rate.
const DEFAULT_INTERVAL: Duration = Duration::from_millis(40);

/// Why a file makes no camera.
#[derive(Debug, thiserror::Error)]
pub enum ClipError {
    /// It is not there.
    #[error("{0}: no such file")]
    Missing(PathBuf),
    /// It cannot be read as video.
    #[error("{path}: {reason}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// GStreamer's words.
        reason: String,
    },
}

/// How a clip is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    H264,
    H265,
    Jpeg,
}

impl Codec {
    fn of(caps: &gst::CapsRef) -> Option<Self> {
        match caps.structure(0)?.name().as_str() {
            "video/x-h264" => Some(Self::H264),
            "video/x-h265" => Some(Self::H265),
            // RTP's JPEG holds sizes in units of eight pixels, up to 2040.
            "image/jpeg" => {
                let s = caps.structure(0)?;
                let fits = |n: i32| n > 0 && n % 8 == 0 && n <= 2040;
                (fits(s.get("width").ok()?) && fits(s.get("height").ok()?)).then_some(Self::Jpeg)
            }
            _ => None,
        }
    }

    /// Elements that bring this codec into the form that is kept.
    fn parser(self) -> &'static str {
        match self {
            Self::H264 => "h264parse config-interval=-1 ! video/x-h264,stream-format=byte-stream,alignment=au",
            Self::H265 => "h265parse config-interval=-1 ! video/x-h265,stream-format=byte-stream,alignment=au",
            Self::Jpeg => "jpegparse",
        }
    }

    /// Elements that pack this codec for RTP; the last one is named `pay0`.
    pub(super) fn payloader(self) -> &'static str {
        match self {
            Self::H264 => "h264parse config-interval=-1 ! rtph264pay name=pay0 pt=96 aggregate-mode=zero-latency",
            Self::H265 => "h265parse config-interval=-1 ! rtph265pay name=pay0 pt=96 aggregate-mode=zero-latency",
            Self::Jpeg => "rtpjpegpay name=pay0 pt=26",
        }
    }
}

/// One encoded picture.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    pub(super) data: gst::Buffer,
    /// When it is sent, from the clip's start.
    pub(super) decode_at: Duration,
    /// When it is shown, from the clip's start.
    pub(super) show_at: Duration,
    pub(super) keyframe: bool,
}

/// An encoded clip, ready to be served.
#[derive(Debug)]
pub struct Clip {
    pub(super) caps: gst::Caps,
    pub(super) codec: Codec,
    pub(super) units: Vec<Unit>,
    pub(super) length: Duration,
}

impl Clip {
    /// Reads all of a file. What is not H.264, H.265 or JPEG is encoded anew as H.264, once.
    ///
    /// # Errors
    /// The file is absent, is not video, or no decoder is there for it.
    pub fn load(path: &Path) -> Result<Arc<Self>, ClipError> {
        if !path.is_file() {
            return Err(ClipError::Missing(path.to_owned()));
        }
        let unreadable = |reason: String| ClipError::Unreadable { path: path.to_owned(), reason };
        let codec = Self::probe(path).map_err(unreadable)?;
        let text = match codec {
            Some(codec) => format!("filesrc name=file ! parsebin ! {} ! appsink name=out sync=false", codec.parser()),
            None => format!(
                "filesrc name=file ! decodebin ! videoconvert ! videoscale ! video/x-raw,format=I420 ! \
                 x264enc tune=zerolatency speed-preset=veryfast key-int-max=25 ! {} ! appsink name=out sync=false",
                Codec::H264.parser()
            ),
        };
        let (caps, samples) = read(path, &text).map_err(unreadable)?;
        let codec = codec.unwrap_or(Codec::H264);
        let (units, length) = timed(&samples);
        if units.is_empty() {
            return Err(unreadable("no picture in it".to_owned()));
        }
        Ok(Arc::new(Self { caps, codec, units, length }))
    }

    /// How the file's video is coded; `None` where RTP has no use for it.
    fn probe(path: &Path) -> Result<Option<Codec>, String> {
        let found: Arc<Mutex<Option<gst::Caps>>> = Arc::default();
        let pipeline = launch("filesrc name=file ! parsebin name=parse", path)?;
        let parse = pipeline.by_name("parse").ok_or("no parsebin")?;
        let seen = Arc::clone(&found);
        let bin = pipeline.downgrade();
        parse.connect_pad_added(move |_, pad| {
            let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
            let name = caps.structure(0).map(|s| s.name().to_string()).unwrap_or_default();
            if name.starts_with("video/") || name.starts_with("image/") {
                seen.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(caps);
            }
            // Everything is drained: an unlinked pad would stop the file.
            if let Some(bin) = bin.upgrade()
                && let Ok(sink) = gst::ElementFactory::make("fakesink").build()
                && bin.add(&sink).is_ok()
                && sink.sync_state_with_parent().is_ok()
                && let Some(target) = sink.static_pad("sink")
            {
                pad.link(&target).ok();
            }
        });
        let outcome = preroll(&pipeline);
        pipeline.set_state(gst::State::Null).ok();
        outcome?;
        let caps = found.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(Codec::of(caps.ok_or("no video in it")?.as_ref()))
    }

    /// Index of the last keyframe that is sent at or before `at`; the first unit where there is none.
    pub(super) fn keyframe_before(&self, at: Duration) -> usize {
        let until = self.units.partition_point(|unit| unit.decode_at <= at);
        (0..until).rev().find(|&index| self.units[index].keyframe).unwrap_or(0)
    }
}

/// Builds a pipeline and names the file apart from its text, so that no character of the path is special.
fn launch(text: &str, path: &Path) -> Result<gst::Pipeline, String> {
    let element = gst::parse::launch(text).map_err(|error| error.to_string())?;
    let pipeline = element.downcast::<gst::Pipeline>().map_err(|_| "not a pipeline".to_owned())?;
    let file = pipeline.by_name("file").ok_or("no file source")?;
    file.set_property("location", path.to_string_lossy().as_ref());
    Ok(pipeline)
}

/// Waits until the pipeline has data everywhere, or says why not.
fn preroll(pipeline: &gst::Pipeline) -> Result<(), String> {
    pipeline.set_state(gst::State::Paused).ok();
    let bus = pipeline.bus().ok_or("no bus")?;
    let wanted = [gst::MessageType::Error, gst::MessageType::AsyncDone, gst::MessageType::Eos];
    match bus.timed_pop_filtered(STALL, &wanted).as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Error(error)) => Err(error.error().to_string()),
        Some(_) => Ok(()),
        None => Err("it does not start".to_owned()),
    }
}

/// Pulls everything out of the `appsink` named `out`.
fn read(path: &Path, text: &str) -> Result<(gst::Caps, Vec<gst::Sample>), String> {
    let pipeline = launch(text, path)?;
    let out = pipeline.by_name("out").and_then(|e| e.downcast::<gst_app::AppSink>().ok()).ok_or("no sink")?;
    pipeline.set_state(gst::State::Playing).ok();
    let mut samples = Vec::new();
    while let Some(sample) = out.try_pull_sample(STALL) {
        samples.push(sample);
    }
    let complaint = pipeline.bus().and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error])).map(|message| {
        if let gst::MessageView::Error(error) = message.view() { error.error().to_string() } else { String::new() }
    });
    let finished = out.is_eos();
    pipeline.set_state(gst::State::Null).ok();
    match complaint {
        // A file that is cut off still shows what it has.
        Some(reason) if samples.is_empty() => return Err(reason),
        None if !finished => return Err("reading it came to a stop".to_owned()),
        _ => {}
    }
    let caps = samples.first().and_then(|sample| sample.caps_owned()).ok_or("no picture in it")?;
    Ok((caps, samples))
}

/// Times counted from the first picture, and the length of one round.
fn timed(samples: &[gst::Sample]) -> (Vec<Unit>, Duration) {
    let stamp = |buffer: &gst::BufferRef| buffer.dts().or(buffer.pts());
    let nominal =
        samples.first().and_then(|sample| sample.caps()?.structure(0)?.get::<gst::Fraction>("framerate").ok());
    let interval = match nominal {
        Some(rate) if rate.numer() > 0 => Duration::from_secs_f64(f64::from(rate.denom()) / f64::from(rate.numer())),
        _ => DEFAULT_INTERVAL,
    };
    let mut units: Vec<Unit> = Vec::with_capacity(samples.len());
    let mut origin = None;
    for sample in samples {
        let Some(buffer) = sample.buffer() else { continue };
        let next = units.last().map_or(Duration::ZERO, |last| last.decode_at + interval);
        let decode_at = match stamp(buffer) {
            Some(time) => Duration::from(time.saturating_sub(*origin.get_or_insert(time))),
            None => next,
        };
        // Never back: a camera's clock does not.
        let decode_at = units.last().map_or(decode_at, |last| decode_at.max(last.decode_at));
        let show_at = match (buffer.pts(), origin) {
            (Some(pts), Some(origin)) => Duration::from(pts.saturating_sub(origin)).max(decode_at),
            _ => decode_at,
        };
        let mut data = buffer.copy();
        if let Some(data) = data.get_mut() {
            data.set_pts(None);
            data.set_dts(None);
        }
        let keyframe = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        units.push(Unit { data, decode_at, show_at, keyframe });
    }
    let last = samples.last().and_then(|sample| sample.buffer()?.duration()).map_or(interval, Duration::from);
    let last = if last.is_zero() { interval } else { last };
    let length = units.last().map_or(Duration::ZERO, |unit| unit.decode_at + last);
    (units, length)
}
