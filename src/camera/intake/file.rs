//! Files as cameras: read from begin to end, at their own pace, and opened anew at their end, for ever.
//!
//! No round differs from another, so that it does not matter whether a file can be sought in, or is whole. What was put
//! in a file's place is taken in the next round. Rounds that are very short are kept in memory while the file stays as it
//! is: a single picture is not read 25 times a second.

use std::fs::{File, Metadata};
use std::io::{BufReader, ErrorKind, Read as _};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gst::glib;
use image::AnimationDecoder as _;
use image::codecs::gif::GifDecoder;

use super::play::{Halt, Player};
use super::{Feed, Intake, Stopped, fit};
use crate::camera::failure::Failure;
use crate::coded::{Coded, REORDER, Read, Reader, Scanner, Stamp};
use crate::metrics::DisconnectReason;

/// How often a reader that gives nothing is asked.
const LOOK: Duration = Duration::from_millis(100);
/// How long the first picture of a round may take. Less than a camera has for its first.
const FIRST: Duration = Duration::from_secs(8);
/// A round with so few pictures and bytes is kept.
const KEPT_PICTURES: usize = 64;
const KEPT_BYTES: usize = 8 << 20;
/// Players take a GIF's delays under the first for the second: many were made for browsers that did.
const LEAST_DELAY: Duration = Duration::from_millis(20);
const USUAL_DELAY: Duration = Duration::from_millis(100);
/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

/// Plays a file for ever, or `once`.
pub(in crate::camera) fn intake(path: PathBuf, once: bool) -> Intake {
    Box::new(move |feed| {
        feed.agreed();
        match Rounds::new(&path, feed).play(once) {
            Halt::Stopped => Ok(Stopped),
            Halt::Failed(failure) => Err(failure),
        }
    })
}

/// Why a file was not read to its end, if so.
type Early = Result<Option<String>, Halt>;

/// What tells one state of a file from another.
type State = (u64, u64, u64, i64, i64);

struct Rounds<'a> {
    path: &'a Path,
    feed: &'a Feed,
    player: Player<'a>,
    /// Pictures of the last round, if they are few.
    kept: Option<Kept>,
    /// It was said that the file ends early.
    warned: bool,
}

/// A whole round in memory.
struct Kept {
    state: State,
    pictures: Vec<Coded>,
}

impl<'a> Rounds<'a> {
    fn new(path: &'a Path, feed: &'a Feed) -> Self {
        Self { path, feed, player: Player::new(feed, REORDER), kept: None, warned: false }
    }

    fn play(mut self, once: bool) -> Halt {
        loop {
            if let Err(halt) = self.round() {
                return halt;
            }
            if once {
                self.feed.end();
                self.feed.stop().wait();
                return Halt::Stopped;
            }
        }
    }

    fn round(&mut self) -> Result<(), Halt> {
        let metadata = look(self.path)?;
        let state = (metadata.dev(), metadata.ino(), metadata.size(), metadata.mtime(), metadata.mtime_nsec());
        if let Some(kept) = self.kept.take().filter(|kept| kept.state == state) {
            for coded in &kept.pictures {
                self.player.picture(coded.clone())?;
            }
            self.kept = Some(kept);
            return self.player.seam();
        }
        let mut album = Album { player: &mut self.player, pictures: 0, bytes: 0, kept: Vec::new() };
        let early = match begin(self.path)? {
            [0xff, 0xd8, 0xff, _] => jpegs(self.path, self.feed, &mut album)?,
            [b'G', b'I', b'F', b'8'] => gif(self.path, &mut album)?,
            _ => container(self.path, self.feed, &mut album)?,
        };
        let (pictures, kept) = (album.pictures, album.kept);
        if let Some(early) = early.filter(|_| !self.warned) {
            self.warned = true;
            tracing::warn!(pictures, "the file cannot be read to its end, only what is before is played: {early}");
        }
        if pictures == 0 {
            let hint = "is it cut off, or still being written? ffprobe tells more";
            return Err(Failure::hinted(DisconnectReason::Decode, "there is no picture in the file", hint).into());
        }
        if kept.len() == pictures {
            self.kept = Some(Kept { state, pictures: kept });
        }
        self.player.seam()
    }
}

/// Takes a round's pictures, and remembers them while they are few.
struct Album<'p, 'a> {
    player: &'p mut Player<'a>,
    pictures: usize,
    bytes: usize,
    kept: Vec<Coded>,
}

impl Album<'_, '_> {
    fn take(&mut self, coded: Coded) -> Result<(), Halt> {
        self.pictures += 1;
        self.bytes += coded.buffer.size();
        if self.pictures > KEPT_PICTURES || self.bytes > KEPT_BYTES {
            self.kept = Vec::new();
        } else {
            self.kept.push(coded.clone());
        }
        self.player.picture(coded)
    }
}

/// What can be said of a file before it is read.
fn look(path: &Path) -> Result<Metadata, Failure> {
    let metadata = path.metadata().map_err(|error| unopened(&error))?;
    let kind = metadata.file_type();
    let unfit = |cause, hint| Err(Failure::hinted(DisconnectReason::Unsupported, cause, hint));
    if kind.is_dir() {
        return unfit("it is a folder, not a file", "name one file of it");
    }
    if kind.is_char_device() || kind.is_block_device() {
        return unfit("it is a device, not a file", "a camera of this machine is v4l2:///dev/video0");
    }
    if kind.is_fifo() || kind.is_socket() {
        return unfit("it is a pipe, not a file", "serve what comes through it by RTSP or HTTP");
    }
    if metadata.len() == 0 {
        return unfit("the file is empty", "is it still being written?");
    }
    Ok(metadata)
}

fn unopened(error: &std::io::Error) -> Failure {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            Failure::hinted(DisconnectReason::NotFound, "there is no such file", "check the path of the url")
        }
        ErrorKind::PermissionDenied => Failure::hinted(
            DisconnectReason::Error,
            "the file may not be read",
            "give the user that maskwatch runs as the right to read it and its folders",
        ),
        _ => Failure::hinted(
            DisconnectReason::Error,
            format!("the file cannot be read: {error}"),
            "is the disk or the network share it is on well?",
        ),
    }
}

/// The bytes that tell what a file is.
fn begin(path: &Path) -> Result<[u8; 4], Failure> {
    let mut file = File::open(path).map_err(|error| unopened(&error))?;
    let mut begin = [0; 4];
    match file.read_exact(&mut begin) {
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => Err(unopened(&error)),
        _ => Ok(begin),
    }
}

/// JPEGs one after the other: they have no times.
fn jpegs(path: &Path, feed: &Feed, album: &mut Album<'_, '_>) -> Early {
    let mut file = File::open(path).map_err(|error| unopened(&error))?;
    let caps = gst::Caps::new_empty_simple("image/jpeg");
    let mut scanner = Scanner::new();
    let mut piece = vec![0; PIECE];
    loop {
        let length = file.read(&mut piece).map_err(|error| unopened(&error))?;
        scanner.push(&piece[..length]);
        while let Some(picture) = if length == 0 { scanner.finish() } else { scanner.next() } {
            fit(&picture)?;
            let buffer = gst::Buffer::from_slice(picture.data);
            album.take(Coded { caps: caps.clone(), tags: None, stamp: Stamp::default(), buffer })?;
        }
        if length == 0 {
            feed.broken(scanner.broken());
            return Ok(None);
        }
    }
}

/// The pictures of a GIF. Not by GStreamer: the demultiplexer that it takes from libav never comes to the end of one.
fn gif(path: &Path, album: &mut Album<'_, '_>) -> Early {
    let file = File::open(path).map_err(|error| unopened(&error))?;
    let damaged = |error: image::ImageError| {
        let hint = "is it cut off, or still being written?";
        Failure::hinted(DisconnectReason::Decode, format!("no picture can be read: {error}"), hint)
    };
    let decoder = GifDecoder::new(BufReader::new(file)).map_err(damaged)?;
    for frame in decoder.into_frames() {
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) if album.pictures > 0 => return Ok(Some(error.to_string())),
            Err(error) => return Err(damaged(error).into()),
        };
        let delay = Duration::from(frame.delay());
        let lasts = if delay < LEAST_DELAY { USUAL_DELAY } else { delay };
        let stamp = Stamp { lasts: u64::try_from(lasts.as_nanos()).ok(), ..Stamp::default() };
        let picture = frame.into_buffer();
        let (width, height) = picture.dimensions();
        let caps = gst_video::VideoInfo::builder(gst_video::VideoFormat::Rgba, width, height).build();
        let caps = caps.and_then(|info| info.to_caps()).map_err(|error| missing(&error))?;
        let buffer = gst::Buffer::from_slice(picture.into_raw());
        album.take(Coded { caps, tags: None, stamp, buffer })?;
    }
    Ok(None)
}

/// Anything else.
fn container(path: &Path, feed: &Feed, album: &mut Album<'_, '_>) -> Early {
    let reader = gst::ElementFactory::make("filesrc").property("location", path).build();
    let mut reader = reader.and_then(|source| Reader::open(&source)).map_err(|error| missing(&error))?;
    let begin = Instant::now();
    loop {
        match reader.read(LOOK) {
            Read::Picture(coded) => {
                if album.pictures == 0 {
                    reader.besides().iter().for_each(|kind| feed.beside(kind));
                }
                album.take(coded)?;
            }
            Read::Nothing if feed.stop().is_set() => return Err(Halt::Stopped),
            Read::Nothing if album.pictures == 0 && begin.elapsed() > FIRST => return Err(nothing().into()),
            Read::Nothing => {}
            Read::End => return Ok(None),
            Read::NoVideo => return Err(no_video().into()),
            Read::Failed(error) if album.pictures > 0 => return Ok(Some(error.to_string())),
            Read::Failed(error) => return Err(unread(&error).into()),
        }
    }
}

/// A demultiplexer that is silent. GStreamer 1.22 loses the error of one that fails while it is being chosen.
fn nothing() -> Failure {
    let cause = format!("no picture can be read within {} s", FIRST.as_secs());
    let hint = "is it cut off, or still being written? is its disk fast enough? ffprobe tells more";
    Failure::hinted(DisconnectReason::Decode, cause, hint)
}

/// A part of GStreamer is not there.
pub(super) fn missing(error: &glib::BoolError) -> Failure {
    let cause = format!("no pipeline: {error}");
    Failure::hinted(DisconnectReason::Unsupported, cause, "is GStreamer installed with its base plugins?")
}

/// Sound only, or text.
pub(super) fn no_video() -> Failure {
    Failure::hinted(DisconnectReason::Unsupported, "there is no video in it", "ffprobe tells what is in it")
}

/// Why a container's first picture cannot be had.
fn unread(error: &glib::Error) -> Failure {
    use gst::{CoreError, StreamError};
    let said = crate::config::secret::redact(error.message());
    let said = said.trim_end_matches('.');
    match (error.kind::<StreamError>(), error.kind::<CoreError>()) {
        (Some(StreamError::TypeNotFound | StreamError::WrongType), _) => {
            Failure::hinted(DisconnectReason::Unsupported, "it is no video", "ffprobe tells what it is")
        }
        (Some(StreamError::CodecNotFound), _) | (_, Some(CoreError::MissingPlugin)) => Failure::hinted(
            DisconnectReason::Unsupported,
            format!("GStreamer has no plugin for it: {said}"),
            "install gst-plugins-good, -bad and gst-libav, or convert the file to H.264 in MP4",
        ),
        _ => Failure::hinted(
            DisconnectReason::Decode,
            format!("no picture can be read: {said}"),
            "is it cut off, or still being written? ffprobe tells more",
        ),
    }
}
