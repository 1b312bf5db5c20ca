//! What a loss costs: for each coded picture, whether all is there that it needs and that later ones need of it.
//!
//! Pure. Decoders do not tell: after a loss `avdec_h264` and `avdec_h265` of GStreamer 1.22 (FFmpeg 5.1) give all
//! pictures, patched up, and flag none as corrupt, whatever `output-corrupt` says. At joining they do flag them;
//! but `output-corrupt=false` withholds every picture of a stream that is refreshed in stripes and does not say where
//! (0 of 95; 52 of 95 where it says), so it stays as it is. So it is read from the numbers that the pictures carry:
//! H.264 counts its reference pictures, H.265 lists for each picture those it needs. A number is believed only after a
//! loss; encoders that count wrongly play as well as ever while nothing is lost.
//!
//! How GStreamer's depayloaders show a loss: what is left of a NAL unit is dropped whole, and the marked picture is the
//! one that lost a part, or, where a picture was lost with all of its packets, the one after it (the one before, of
//! cameras that do not mark a picture's last packet).

mod h264;
mod h265;
mod parts;
#[cfg(test)]
mod tests;

use h264::H264;
use h265::H265;
use parts::{Framing, SliceStarts, Span};

/// What is to become of a coded picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing that it or a later picture needs is missing.
    Intact,
    /// It can only come out broken, and no other picture that can be shown is built upon it.
    Damaged,
    /// References are missing: what follows is broken until a keyframe.
    Broken,
}

/// One coded picture as it stands before the decoder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unit<'a> {
    /// Its bytes.
    pub(super) data: &'a [u8],
    /// Packets that were lost since the picture before.
    pub(super) lost: u64,
    /// Decoding can begin with it, as far as the parser says.
    pub(super) keyframe: bool,
}

/// The pictures of one connection, seen in the order of their coding.
#[derive(Default)]
pub(super) struct References {
    stream: Stream,
    layout: SliceStarts,
    span: Span,
    /// Packets lost that no picture answers for yet.
    lost: u64,
    /// Packets lost at the picture before: of some cameras it is the one after the mark that lacks something.
    lost_before: u64,
    /// Something was lost since the last new beginning: numbers tell what.
    doubtful: bool,
    /// A keyframe has to come before pictures are whole again, as in the beginning.
    broken: Broken,
}

struct Broken(bool);

impl Default for Broken {
    fn default() -> Self {
        Self(true)
    }
}

/// How the pictures are coded.
#[derive(Default)]
enum Stream {
    /// Nothing is known of it: each loss is one of references.
    #[default]
    Unknown,
    /// Each picture stands alone.
    Alone {
        jpeg: bool,
    },
    H264(Framing, Box<H264>),
    H265(Framing, Box<H265>),
}

/// What the slices of a picture tell.
#[derive(Debug, Default, PartialEq)]
struct Coded {
    /// Numbering starts again with it.
    entry: bool,
    /// Later pictures may be built upon it.
    reference: bool,
    /// Where in the picture each of its slices begins.
    starts: Vec<u32>,
    /// After so many pictures the numbers are the same again.
    modulus: u64,
}

/// What a unit holds.
enum Content {
    /// No slice.
    NoPicture,
    /// Its parameter sets are not known, or not understood.
    Unreadable,
    Picture(Coded),
}

/// References that a picture should have and that did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lack {
    Nothing,
    /// This picture is broken; of others nothing is known yet.
    Own,
    /// What follows is broken.
    Shared,
}

impl References {
    /// The decoder is told what comes: `caps` of its sink pad. What is known of the pictures before stays.
    pub(super) fn announce(&mut self, caps: &gst::CapsRef) {
        let Some(structure) = caps.structure(0) else { return };
        let data = structure.get::<gst::Buffer>("codec_data").ok();
        let data = data.as_ref().and_then(|buffer| buffer.map_readable().ok());
        let bytes = data.as_ref().map(|map| map.as_slice());
        let lengths = structure.get::<&str>("stream-format").is_ok_and(|format| format != "byte-stream");
        self.describe(structure.name(), lengths, bytes);
    }

    /// `lengths`: NAL units stand behind their lengths, not between start codes. `data`: the configuration record.
    fn describe(&mut self, media: &str, lengths: bool, data: Option<&[u8]>) {
        let stream = std::mem::take(&mut self.stream);
        let framing = |place| if lengths { Framing::of_record(data, place) } else { Framing::StartCodes };
        self.stream = match (media, stream) {
            ("video/x-h264", Stream::H264(_, old)) => Stream::H264(framing(parts::AVCC_LENGTH), old),
            ("video/x-h264", _) => Stream::H264(framing(parts::AVCC_LENGTH), Box::default()),
            ("video/x-h265", Stream::H265(_, old)) => Stream::H265(framing(parts::HVCC_LENGTH), old),
            ("video/x-h265", _) => Stream::H265(framing(parts::HVCC_LENGTH), Box::default()),
            (name, _) if name.starts_with("image/") => Stream::Alone { jpeg: name == "image/jpeg" },
            _ => Stream::Unknown,
        };
        let Some(data) = data.filter(|_| lengths) else { return };
        match &mut self.stream {
            Stream::H264(_, codec) => parts::avcc_sets(data, |nal| codec.learn(nal)),
            Stream::H265(_, codec) => parts::hvcc_sets(data, |nal| codec.learn(nal)),
            Stream::Unknown | Stream::Alone { .. } => {}
        }
    }

    /// Judges the next picture.
    pub(super) fn see(&mut self, unit: Unit<'_>) -> Verdict {
        self.lost += unit.lost;
        let content = match &mut self.stream {
            Stream::Unknown => Content::Unreadable,
            Stream::Alone { jpeg } => {
                let lost = std::mem::take(&mut self.lost) > 0;
                let whole = *jpeg && parts::is_whole_jpeg(unit.data);
                return if lost && !whole { Verdict::Damaged } else { Verdict::Intact };
            }
            Stream::H264(framing, codec) => codec.read(framing.split(unit.data)),
            Stream::H265(framing, codec) => codec.read(framing.split(unit.data)),
        };
        match content {
            Content::NoPicture => Verdict::Intact,
            Content::Unreadable => {
                let lost = std::mem::take(&mut self.lost) > 0;
                self.broken.0 = !unit.keyframe && (lost || self.broken.0);
                if lost && !unit.keyframe { Verdict::Broken } else { Verdict::Intact }
            }
            Content::Picture(coded) => self.judge(&coded, unit.keyframe),
        }
    }

    fn judge(&mut self, coded: &Coded, keyframe: bool) -> Verdict {
        let lost = std::mem::take(&mut self.lost);
        let recently = lost + std::mem::replace(&mut self.lost_before, lost);
        self.doubtful |= lost > 0;
        let whole = self.layout.is_whole(&coded.starts, lost > 0);
        let lack = if !self.doubtful || coded.entry {
            Lack::Nothing
        } else if self.span.may_be_left(recently, coded.modulus) {
            Lack::Shared
        } else {
            self.stream.lack()
        };
        self.span.count(lost, coded.entry);
        let verdict = match (whole, lack) {
            (false, _) if keyframe || coded.reference => Verdict::Broken,
            (false, _) => Verdict::Damaged,
            _ if keyframe => {
                let anew = self.broken.0 || lack != Lack::Nothing;
                self.stream.enter(anew);
                // What is marked at this picture may lie behind it.
                self.doubtful &= lost > 0 || !coded.entry && !anew;
                self.broken.0 = false;
                Verdict::Intact
            }
            _ if self.stream.leads() => Verdict::Damaged,
            (true, Lack::Shared) => Verdict::Broken,
            (true, Lack::Own) => Verdict::Damaged,
            (true, Lack::Nothing) => Verdict::Intact,
        };
        self.broken.0 |= verdict == Verdict::Broken;
        self.stream.keep(verdict);
        verdict
    }
}

impl Stream {
    /// What the picture that was read last lacks.
    fn lack(&self) -> Lack {
        match self {
            Self::H264(_, codec) => codec.lack(),
            Self::H265(_, codec) => codec.lack(),
            Self::Unknown | Self::Alone { .. } => Lack::Nothing,
        }
    }

    /// The picture that was read last is a keyframe. `anew`: nothing before it can be built upon.
    fn enter(&mut self, anew: bool) {
        match self {
            Self::H264(_, codec) => codec.enter(anew),
            Self::H265(_, codec) => codec.enter(anew),
            Self::Unknown | Self::Alone { .. } => {}
        }
    }

    /// Whether the picture that was read last is shown before the keyframe at which decoding began, and built upon what
    /// was before that.
    fn leads(&self) -> bool {
        match self {
            Self::H264(_, codec) => codec.leads(),
            Self::H265(_, codec) => codec.leads(),
            Self::Unknown | Self::Alone { .. } => false,
        }
    }

    /// Takes the picture that was read last among those that came.
    fn keep(&mut self, verdict: Verdict) {
        match self {
            Self::H264(_, codec) => codec.keep(),
            Self::H265(_, codec) => codec.keep(verdict),
            Self::Unknown | Self::Alone { .. } => {}
        }
    }
}
