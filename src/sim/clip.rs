//! A file's encoded pictures in memory.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gst::prelude::*;

use crate::coded::{Coded, REORDER, Read, Reader, Times, USUAL, interval};

/// Longest time that reading a clip may go without a new picture.
const STALL: Duration = Duration::from_secs(20);
/// How often a reader that gives nothing is asked.
const LOOK: Duration = Duration::from_millis(100);
/// What is said of a file that holds a stream without pictures.
const EMPTY: &str = "no picture in it";

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

    /// How a file's video is coded; `None` where RTP has no use for it.
    fn in_file(path: &Path) -> Result<Option<Self>, String> {
        let shape = gst::ElementFactory::make("identity").build().map_err(|error| error.to_string())?;
        let mut caps = None;
        read(path, &shape, |coded| {
            caps = Some(coded.caps);
            ControlFlow::Break(())
        })?;
        Ok(Self::of(caps.ok_or(EMPTY)?.as_ref()))
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
        let codec = Codec::in_file(path).map_err(unreadable)?;
        let shape = match codec {
            Some(codec) => codec.parser().to_owned(),
            None => format!(
                "decodebin ! videoconvert ! videoscale ! video/x-raw,format=I420 ! \
                 x264enc tune=zerolatency speed-preset=veryfast key-int-max=25 ! {}",
                Codec::H264.parser()
            ),
        };
        let shape = in_a_bin(&shape).map_err(|error| unreadable(error.to_string()))?;
        let mut pictures = Vec::new();
        let whole = read(path, shape.upcast_ref(), |coded| {
            pictures.push(coded);
            ControlFlow::Continue(())
        });
        if let Err(reason) = whole {
            if pictures.is_empty() {
                return Err(unreadable(reason));
            }
            tracing::warn!(file = %path.display(), "the clip ends early: {reason}");
        }
        let caps = pictures.first().map(|coded| coded.caps.clone()).ok_or_else(|| unreadable(EMPTY.to_owned()))?;
        let codec = codec.unwrap_or(Codec::H264);
        let (units, length) = timed(pictures);
        Ok(Arc::new(Self { caps, codec, units, length }))
    }

    /// Index of the last keyframe that is sent at or before `at`; the first unit where there is none.
    pub(super) fn keyframe_before(&self, at: Duration) -> usize {
        let until = self.units.partition_point(|unit| unit.decode_at <= at);
        (0..until).rev().find(|&index| self.units[index].keyframe).unwrap_or(0)
    }
}

/// Elements in a bin with one way in and one way out. Not left to the parser: it would take for a way in what is to be
/// linked inside once a decoder is there.
fn in_a_bin(elements: &str) -> Result<gst::Bin, gst::glib::Error> {
    let bin = gst::parse::bin_from_description(&format!("identity name=in ! {elements} ! identity name=out"), false)?;
    for (name, pad) in [("in", "sink"), ("out", "src")] {
        let target = bin.by_name(name).and_then(|element| element.static_pad(pad));
        if let Some(ghost) = target.and_then(|target| gst::GhostPad::with_target(&target).ok()) {
            bin.add_pad(&ghost).ok();
        }
    }
    Ok(bin)
}

/// Reads a file's pictures through `shape` until `take` has enough of them.
fn read(path: &Path, shape: &gst::Element, mut take: impl FnMut(Coded) -> ControlFlow<()>) -> Result<(), String> {
    let source = gst::ElementFactory::make("filesrc").property("location", path).build();
    let reader = source.and_then(|source| Reader::open_through(&source, shape));
    let mut reader = reader.map_err(|error| error.to_string())?;
    let mut heard = Instant::now();
    loop {
        match reader.read(LOOK) {
            Read::Picture(coded) => {
                heard = Instant::now();
                if take(coded).is_break() {
                    return Ok(());
                }
            }
            Read::Nothing if heard.elapsed() > STALL => return Err("reading it came to a stop".to_owned()),
            Read::Nothing => {}
            Read::End => return Ok(()),
            Read::NoVideo => return Err("no video in it".to_owned()),
            Read::Failed(error) => return Err(error.message().to_owned()),
        }
    }
}

/// Times counted from the first picture, and the length of one round.
fn timed(pictures: Vec<Coded>) -> (Vec<Unit>, Duration) {
    let mut times = Times::new(REORDER);
    let nominal = pictures.first().and_then(|coded| interval(&coded.caps)).unwrap_or(USUAL);
    times.set_interval(nominal);
    let last = pictures.last().and_then(|coded| coded.stamp.lasts).filter(|&lasts| lasts > 0);
    for coded in pictures {
        times.push(coded.stamp, coded);
    }
    let mut units = Vec::new();
    while let Some((due, coded)) = times.pop(true) {
        let mut data = coded.buffer;
        let keyframe = !data.flags().contains(gst::BufferFlags::DELTA_UNIT);
        let envelope = data.make_mut();
        envelope.set_pts(None);
        envelope.set_dts(None);
        units.push(Unit { data, decode_at: due.at, show_at: due.shown.unwrap_or(due.at).max(due.at), keyframe });
    }
    let last = last.map_or(nominal, Duration::from_nanos);
    let length = units.last().map_or(Duration::ZERO, |unit: &Unit| unit.decode_at + last);
    (units, length)
}
