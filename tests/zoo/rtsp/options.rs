//! The switches. Every default is a camera without quirks.

use std::time::Duration;

use crate::zoo::auth::Login;
use crate::zoo::coded::Recipe;

/// A camera.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub recipe: Recipe,
    pub login: Option<Login>,
    pub answers: Answers,
    pub session: SessionOptions,
    pub sdp: Sdp,
    pub packets: Packets,
    pub flow: Flow,
}

/// How it speaks.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// Lines end in LF alone.
    pub lf: bool,
    /// Names of headers in lower case.
    pub lower_case: bool,
    /// Each answer comes in many small segments.
    pub dribble: bool,
    /// It thinks so long before it answers a method.
    pub slow: Option<(Method, Duration)>,
    /// It answers a method so, and does nothing.
    pub status: Option<(Method, u16)>,
    /// It reads requests and says nothing, ever.
    pub mute: bool,
    /// It is a web server.
    pub http: bool,
    /// The first picture comes before the answer to `PLAY`.
    pub early: bool,
    /// `DESCRIBE` is sent to another port.
    pub redirect: Option<u16>,
    /// `DESCRIBE` only for URLs that hold this text.
    pub needs_in_url: Option<&'static str>,
    /// `DESCRIBE` only with `Accept: application/sdp`.
    pub needs_accept: bool,
    /// It asks its client, each so many pictures, and hangs up when the last question has no answer.
    pub asks: Option<(Question, u64)>,
}

/// A request's method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Options,
    Describe,
    Setup,
    Play,
}

impl Method {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Options => "OPTIONS",
            Self::Describe => "DESCRIBE",
            Self::Setup => "SETUP",
            Self::Play => "PLAY",
        }
    }
}

/// What a server may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    Options,
    Announce,
}

/// How long it goes on, and over what it sends.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// The session ends when nothing has kept it alive for so long.
    pub timeout: Option<Duration>,
    pub announced: Announced,
    /// What its answers to `OPTIONS` leave out.
    pub unlisted: &'static [&'static str],
    pub get_parameter: Reply,
    pub set_parameter: Reply,
    pub options: Reply,
    pub teardown: Reply,
    /// Only a request with the session's number keeps it alive.
    pub needs_number: bool,
    /// How the answer to `SETUP` tells of the transport.
    pub transport: TransportAnswer,
    /// Answered with 461.
    pub no_tcp: bool,
    /// Answered with 461.
    pub no_udp: bool,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            timeout: None,
            announced: Announced::Usual,
            unlisted: &[],
            get_parameter: Reply::Fine,
            set_parameter: Reply::Fine,
            options: Reply::Fine,
            teardown: Reply::Fine,
            needs_number: false,
            transport: TransportAnswer::AsAsked,
            no_tcp: false,
            no_udp: false,
        }
    }
}

/// How the session's timeout is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announced {
    /// `Session: N;timeout=3`
    Usual,
    /// `Session: N ; Timeout = 3`
    Spaced,
    /// Not in the answer to `SETUP`, but in that to `PLAY`.
    AtPlay,
    Never,
}

/// What a request while it plays gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    Fine,
    /// Refused so; it keeps nothing alive.
    Status(u16),
    /// Nothing; it keeps nothing alive.
    Silence,
    /// The connection closes.
    Close,
}

/// The transport in the answer to `SETUP`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportAnswer {
    AsAsked,
    /// The server chooses channels 4 and 5.
    OtherChannels,
    /// No `interleaved=`.
    NoChannels,
    /// `interleaved=0` without the second.
    OneChannel,
    /// No `Transport` at all.
    Nothing,
    /// Upper case, other order, spaces.
    Shouted,
    /// UDP: no `server_port`.
    NoServerPort,
    /// UDP: `source=` names an address of an inner network.
    WrongSource,
}

/// What the description says.
#[derive(Clone, Debug, Default)]
pub struct Sdp {
    pub base: Base,
    pub control: Control,
    pub sets: Sets,
    /// Other media before the video.
    pub before: &'static [Other],
    /// Other media after the video.
    pub after: &'static [Other],
    /// No video at all.
    pub no_video: bool,
    /// A codec that nobody knows.
    pub unknown_codec: bool,
    /// Sizes and rates that aren't true.
    pub lies: bool,
    /// Lines end in LF alone.
    pub lf: bool,
}

/// `Content-Base` of the answer to `DESCRIBE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Base {
    #[default]
    Slash,
    NoSlash,
    Absent,
    Relative,
    /// An address of the camera's own network.
    WrongHost,
    Empty,
    /// `Content-Location` in its stead.
    Location,
}

/// How `a=control` is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Control {
    /// `trackID=1`, with `*` for the session.
    #[default]
    Relative,
    Absolute,
    Absent,
    /// No line for the session.
    NoSession,
    /// Absolute, with the query of the URL at its end.
    WithQuery,
    /// `/stream/trackID=1`
    RootedPath,
}

/// Where parameter sets are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sets {
    /// In the description, and before every keyframe.
    #[default]
    Both,
    InBand,
    InDescription,
    /// In the description they are cut off; in band they are right.
    HalfInDescription,
    /// `sprop-parameter-sets=` of nothing; in band they are right.
    EmptyInDescription,
    /// Those of another stream; in band they are right.
    WrongInDescription,
}

/// Another medium in the description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    Audio,
    Metadata,
    /// Sound to the camera.
    BackChannel,
    Video,
}

/// How pictures become packets.
#[derive(Clone, Debug)]
pub struct Packets {
    /// Longest payload.
    pub most: usize,
    /// Parameter sets and a small first slice in one packet.
    pub aggregate: bool,
    pub padding: bool,
    pub extension: bool,
    pub contributors: bool,
    /// Whether the last packet of a picture says so.
    pub marker: bool,
    pub first_sequence: u16,
    pub first_time: u32,
    pub times: Times,
    /// After so many pictures another SSRC and other sequence numbers.
    pub new_source_after: Option<u64>,
    /// Each packet so often.
    pub copies: u32,
    /// `RTP-Info` tells of time 0, whatever comes.
    pub zero_in_play: bool,
    /// No `RTP-Info`.
    pub no_info: bool,
    pub reports: Reports,
}

impl Default for Packets {
    fn default() -> Self {
        Self {
            most: 1400,
            aggregate: false,
            padding: false,
            extension: false,
            contributors: false,
            marker: true,
            first_sequence: 100,
            first_time: 1000,
            times: Times::Steady,
            new_source_after: None,
            copies: 1,
            zero_in_play: false,
            no_info: false,
            reports: Reports::Right,
        }
    }
}

/// Timestamps; numbers are pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    Steady,
    Constant,
    /// Begins again at 0.
    ResetAfter(u64),
    /// An hour on.
    JumpAfter(u64),
    /// Ten seconds back.
    BackAfter(u64),
    /// Faster than the clock by a tenth.
    Fast,
}

/// Sender reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reports {
    Right,
    Absent,
    /// The camera thinks it is 1900.
    Of1900,
    /// A year to and fro.
    Jumping,
    /// Timestamps that are none of its own.
    Random,
}

/// What is sent when, and what gets lost.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Pictures of one connection; after them it is silent and stays.
    pub pictures: u64,
    /// Hangs up after them instead.
    pub closes: bool,
    /// The first picture is so many after a keyframe.
    pub joins_at: usize,
    /// Each picture when it is shown, as servers do that keep to presentation times: B-frames come late, in bursts.
    pub when_shown: bool,
    /// So many pictures at once in the beginning.
    pub head_start: u64,
    /// Each so many pictures it sends nothing for a time, then all that was due.
    pub stalls: Option<(u64, Duration)>,
    /// Each so-many-th packet is not sent.
    pub lose_each: Option<u32>,
    /// Packets of a picture swap places in pairs.
    pub shuffle: bool,
    /// Bytes that belong to nobody between packets, each so many pictures.
    pub noise_each: Option<u64>,
    /// Packets on a channel that nobody asked for.
    pub foreign_channel: bool,
    /// After so many pictures another stream, parameter sets in band.
    pub then: Option<(u64, Recipe)>,
}

impl Default for Flow {
    fn default() -> Self {
        Self {
            pictures: 40,
            closes: false,
            joins_at: 0,
            when_shown: false,
            head_start: 0,
            stalls: None,
            lose_each: None,
            shuffle: false,
            noise_each: None,
            foreign_channel: false,
            then: None,
        }
    }
}
