//! Cameras over HTTP: Motion JPEG in every framing that is out there, and whatever else GStreamer can read from a web
//! server (MPEG-TS, FLV, MP4, HLS), at its own pace.

mod client;
mod words;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;

use self::client::Client;
use super::file::{missing, no_video};
use super::play::{Halt, Player};
use super::{Feed, Intake, Stopped, fit};
use crate::camera::failure::Failure;
use crate::coded::{Picture, Read, Reader, Scanner};
use crate::config::plan::CameraPlan;
use crate::metrics::DisconnectReason;

/// Seconds that GStreamer's own HTTP source may be silent.
const SILENCE_S: u32 = 10;
/// How often a reader that gives nothing is asked.
const LOOK: std::time::Duration = std::time::Duration::from_millis(100);
/// Bytes without a picture after which a stream is none of JPEGs.
const BARREN: usize = 8 << 20;
/// Bytes from a body's begin that tell what it is, where its header does not.
const SAMPLE: usize = 1024;

/// Fetches from the plan's URL.
pub(in crate::camera) fn intake(plan: &CameraPlan) -> Intake {
    let plan = plan.clone();
    Box::new(move |feed| match fetch(&plan, feed) {
        Ok(Found::Jpegs(failure)) => Err(failure),
        Ok(Found::Other) => match read(&plan, feed) {
            Halt::Stopped => Ok(Stopped),
            Halt::Failed(failure) => Err(failure),
        },
        Err(Halt::Stopped) => Ok(Stopped),
        Err(Halt::Failed(failure)) => Err(failure),
    })
}

/// What the address gives.
enum Found {
    /// JPEGs, until the stream ended for this reason.
    Jpegs(Failure),
    /// Something that GStreamer may know.
    Other,
}

/// Asks for the address, and takes what comes if that is JPEGs.
fn fetch(plan: &CameraPlan, feed: &Feed) -> Result<Found, Halt> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| words::internal(&error.to_string()))?;
    let session = async {
        let response = Client::new(plan)?.open().await?;
        feed.agreed();
        stream(response, feed).await
    };
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = session => outcome,
            () = feed.stop().wait_async() => Err(Halt::Stopped),
        }
    });
    // A name that is being looked up is not waited for.
    runtime.shutdown_background();
    outcome
}

/// What a body is, by its header or, where that says nothing, by its begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Pictures with something between them.
    Multipart,
    /// Pictures one after the other, or a single one.
    Jpeg,
    /// A page for people.
    Page,
    /// A single picture of another coding.
    Still,
    Other,
    /// The header says nothing.
    Unknown,
}

impl Kind {
    fn of(content_type: &str) -> Self {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "" | "application/octet-stream" | "binary/octet-stream" | "text/plain" => Self::Unknown,
            "image/jpeg" | "image/jpg" | "image/pjpeg" | "video/jpeg" => Self::Jpeg,
            "text/html" | "application/xhtml+xml" => Self::Page,
            other if other.starts_with("multipart/") => Self::Multipart,
            other if other.starts_with("image/") => Self::Still,
            other if other.contains("jpeg") || other.contains("mjpg") => Self::Jpeg,
            _ => Self::Other,
        }
    }

    /// By the first bytes.
    fn sniff(begin: &[u8]) -> Self {
        let text = begin.iter().position(|byte| !byte.is_ascii_whitespace()).map_or(&[][..], |at| &begin[at..]);
        if text.starts_with(&[0xff, 0xd8]) {
            return Self::Jpeg;
        }
        if text.starts_with(b"--") || text.to_ascii_lowercase().starts_with(b"content-") {
            return Self::Multipart;
        }
        let page = text.starts_with(b"<") && !text.starts_with(b"<?xml") && !text.starts_with(b"<MPD");
        if page { Self::Page } else { Self::Other }
    }
}

/// Takes a body's pictures until it ends.
async fn stream(response: Response<Incoming>, feed: &Feed) -> Result<Found, Halt> {
    let content_type = response.headers().get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let content_type = content_type.unwrap_or_default().into_owned();
    let mut kind = Kind::of(&content_type);
    let mut body = response.into_body();
    let mut pictures = Pictures::new(feed);
    let mut begin = Vec::new();
    loop {
        match kind {
            Kind::Other => return Ok(Found::Other),
            Kind::Page => return Err(words::page().into()),
            Kind::Still => return Err(words::single().into()),
            Kind::Multipart | Kind::Jpeg | Kind::Unknown => {}
        }
        let piece = match piece(&mut body).await {
            Ok(Some(piece)) => piece,
            Ok(None) => return Ok(Found::Jpegs(pictures.finish(kind, &begin)?)),
            Err(error) => {
                pictures.finish(kind, &begin)?;
                return Ok(Found::Jpegs(words::broke(&error)));
            }
        };
        if begin.len() < SAMPLE {
            begin.extend_from_slice(&piece[..piece.len().min(SAMPLE - begin.len())]);
        }
        if kind == Kind::Unknown && begin.len() >= 16 {
            kind = Kind::sniff(&begin);
        }
        pictures.take(&piece, &begin)?;
    }
}

/// The next bytes of a body; `None`: it has ended.
async fn piece(body: &mut Incoming) -> Result<Option<Bytes>, hyper::Error> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// Pictures on their way from a body to the feed.
struct Pictures<'a> {
    feed: &'a Feed,
    scanner: Scanner,
    count: u64,
    broken: u64,
    /// Bytes since the last picture.
    barren: usize,
    warned: bool,
}

impl<'a> Pictures<'a> {
    fn new(feed: &'a Feed) -> Self {
        Self { feed, scanner: Scanner::new(), count: 0, broken: 0, barren: 0, warned: false }
    }

    fn take(&mut self, piece: &[u8], begin: &[u8]) -> Result<(), Halt> {
        self.barren += piece.len();
        self.scanner.push(piece);
        while let Some(picture) = self.scanner.next() {
            self.push(picture)?;
        }
        self.tell_broken();
        if self.barren > BARREN && self.count == 0 {
            return Err(words::barren(begin).into());
        }
        Ok(())
    }

    /// The stream ended: why that is a failure.
    fn finish(&mut self, kind: Kind, begin: &[u8]) -> Result<Failure, Halt> {
        while let Some(picture) = self.scanner.finish() {
            self.push(picture)?;
        }
        self.tell_broken();
        Ok(match (kind, self.count) {
            (_, 0) => words::barren(begin),
            (Kind::Multipart, _) => words::ended(self.count),
            (_, 1) => words::single(),
            (_, count) => words::ended(count),
        })
    }

    fn push(&mut self, picture: Picture) -> Result<(), Halt> {
        fit(&picture)?;
        if !picture.whole && !self.warned {
            self.warned = true;
            tracing::warn!("a picture comes without its end; such pictures are shown as far as they go");
        }
        // Not before: what turns out to be no JPEG has other caps.
        if self.count == 0 {
            self.feed.caps(&gst::Caps::new_empty_simple("image/jpeg"));
        }
        self.count += 1;
        self.barren = 0;
        Ok(self.feed.push(gst::Buffer::from_slice(picture.data))?)
    }

    fn tell_broken(&mut self) {
        let broken = self.scanner.broken();
        self.feed.broken(broken - self.broken);
        self.broken = broken;
    }
}

/// Lets GStreamer fetch and read what is no series of JPEGs.
fn read(plan: &CameraPlan, feed: &Feed) -> Halt {
    let mut reader = match source(plan).and_then(|source| Reader::open(&source)) {
        Ok(reader) => reader,
        Err(error) => return missing(&error).into(),
    };
    let mut player = Player::new(feed, 0);
    loop {
        let taken = match reader.read(LOOK) {
            Read::Picture(coded) => player.picture(coded),
            Read::Nothing if feed.stop().is_set() => Err(Halt::Stopped),
            Read::Nothing => Ok(()),
            Read::End => Err(Failure::new(DisconnectReason::Eos, "the stream ended").into()),
            Read::NoVideo => Err(no_video().into()),
            Read::Failed(error) => Err(Failure::of(&error, plan).into()),
        };
        if let Err(halt) = taken {
            return halt;
        }
    }
}

/// GStreamer's HTTP source with the plan's login and patience.
fn source(plan: &CameraPlan) -> Result<gst::Element, gst::glib::BoolError> {
    let mut source = gst::ElementFactory::make("souphttpsrc")
        .property("location", plan.url.expose())
        .property("timeout", SILENCE_S)
        .property("user-agent", client::USER_AGENT)
        .property("ssl-strict", !plan.insecure_tls);
    if let Some(credentials) = &plan.credentials {
        source = source.property("user-id", &credentials.username).property("user-pw", credentials.password.expose());
    }
    source.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_by_header_and_by_begin() {
        for (header, kind) in [
            ("multipart/x-mixed-replace;boundary=foo", Kind::Multipart),
            ("Multipart/X-Mixed-Replace; boundary=\" foo\"", Kind::Multipart),
            ("multipart/mixed", Kind::Multipart),
            ("image/jpeg", Kind::Jpeg),
            ("video/x-motion-jpeg", Kind::Jpeg),
            ("video/mjpeg", Kind::Jpeg),
            ("video/x-mjpg; x=1", Kind::Jpeg),
            ("image/png", Kind::Still),
            ("text/html; charset=utf-8", Kind::Page),
            ("video/mp2t", Kind::Other),
            ("application/vnd.apple.mpegurl", Kind::Other),
            ("", Kind::Unknown),
            ("application/octet-stream", Kind::Unknown),
        ] {
            assert_eq!(Kind::of(header), kind, "{header}");
        }
        for (begin, kind) in [
            (&b"\xff\xd8\xff\xe0"[..], Kind::Jpeg),
            (b"\r\n--foo\r\nContent-Type", Kind::Multipart),
            (b"Content-Type: image/jpeg\r\n", Kind::Multipart),
            (b"<!DOCTYPE html>", Kind::Page),
            (b"<?xml version=\"1.0\"?><MPD", Kind::Other),
            (b"\x47\x40\x00", Kind::Other),
            (b"#EXTM3U", Kind::Other),
        ] {
            assert_eq!(Kind::sniff(begin), kind, "{begin:?}");
        }
    }
}
