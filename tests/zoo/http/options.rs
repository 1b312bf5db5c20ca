//! The switches. Every default is a camera without quirks.

use super::jpeg::Kind;
use crate::zoo::auth::Login;

/// A camera.
#[derive(Clone, Debug)]
pub struct Options {
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    /// Pictures of one connection; after them it is silent and stays.
    pub pictures: u64,
    /// Hangs up after them instead.
    pub closes: bool,
    pub kind: Kind,
    pub login: Option<Login>,
    pub body: Body,
    pub boundary: Boundary,
    pub part: Part,
    /// Answers so, and nothing else.
    pub status: Option<u16>,
    /// Sent to another port first.
    pub redirect: Option<u16>,
    /// Answers as HTTP/1.0.
    pub http10: bool,
    /// A header of 60 kB.
    pub huge_header: bool,
    pub chunked: bool,
    /// Everything in many small segments.
    pub dribble: bool,
    /// After so many pictures another size.
    pub then: Option<(u64, u32, u32)>,
    /// It reads the request and says nothing.
    pub mute: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            width: 160,
            height: 120,
            fps: 10,
            pictures: 40,
            closes: false,
            kind: Kind::Baseline,
            login: None,
            body: Body::Multipart,
            boundary: Boundary::Usual,
            part: Part::default(),
            status: None,
            redirect: None,
            http10: false,
            huge_header: false,
            chunked: false,
            dribble: false,
            then: None,
            mute: false,
        }
    }
}

/// What the answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// `multipart/x-mixed-replace`
    Multipart,
    /// `multipart/mixed`
    Mixed,
    /// `Multipart/X-Mixed-Replace`
    UpperCase,
    /// Pictures one after the other, `image/jpeg`.
    Raw,
    /// The same, `video/x-motion-jpeg`.
    MotionJpeg,
    /// The same, `video/mjpeg`.
    Mjpeg,
    /// One picture.
    Single,
    /// A page: `text/html`.
    Page,
}

/// Where the boundary is, and how it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boundary {
    /// `boundary=foo`, `--foo` before each part.
    Usual,
    /// `boundary=--foo`, `--foo` before each part.
    DashesTold,
    /// `boundary=foo`, `foo` before each part.
    NoDashes,
    /// `boundary="foo"`
    Quoted,
    /// `; boundary = "foo"; charset=utf-8`
    Spaced,
    /// Not told.
    Untold,
    /// Another one is told.
    Wrong,
    /// None before the first part.
    NotFirst,
    /// A text before the first.
    Preamble,
}

/// How a part looks.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    pub length: Length,
    /// A line end between the picture and the next boundary.
    pub line_end: bool,
    /// Lines end in LF alone.
    pub lf: bool,
    pub lower_case: bool,
    /// A header of 6 kB.
    pub huge: bool,
    /// No headers at all.
    pub bare: bool,
}

impl Default for Part {
    fn default() -> Self {
        Self { length: Length::Right, line_end: true, lf: false, lower_case: false, huge: false, bare: false }
    }
}

/// `Content-Length` of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    Right,
    Absent,
    /// A hundred bytes too many.
    TooLong,
    /// A hundred bytes too few.
    TooShort,
    Zero,
}
