//! Heads and parts as the switches want them.

use super::options::{Body, Boundary, Length, Options};

/// The answer's head.
pub fn head(options: &Options) -> String {
    let version = if options.http10 { "1.0" } else { "1.1" };
    let mut head = format!("HTTP/{version} 200 OK\r\nServer: camera\r\n");
    if options.huge_header {
        head.push_str(&format!("X-Pad: {}\r\n", "y".repeat(60_000)));
    }
    let boundary = match options.boundary {
        Boundary::Untold => "",
        Boundary::DashesTold => ";boundary=--foo",
        Boundary::Quoted => ";boundary=\"foo\"",
        Boundary::Spaced => "; boundary = \"foo\"; charset=utf-8",
        Boundary::Wrong => ";boundary=bar",
        Boundary::Usual | Boundary::NoDashes | Boundary::NotFirst | Boundary::Preamble => ";boundary=foo",
    };
    let kind = match options.body {
        Body::Multipart => format!("multipart/x-mixed-replace{boundary}"),
        Body::Mixed => format!("multipart/mixed{boundary}"),
        Body::UpperCase => format!("Multipart/X-Mixed-Replace{boundary}"),
        Body::Raw | Body::Single => "image/jpeg".into(),
        Body::MotionJpeg => "video/x-motion-jpeg".into(),
        Body::Mjpeg => "video/mjpeg".into(),
        Body::Page => "text/html".into(),
    };
    head.push_str(&format!("Content-Type: {kind}\r\n"));
    if options.chunked {
        head.push_str("Transfer-Encoding: chunked\r\n");
    }
    head
}

/// What comes before the first part.
pub fn preamble(options: &Options) -> &'static str {
    if options.boundary == Boundary::Preamble { "some text that is no part\r\n" } else { "" }
}

/// One picture with what belongs to it.
pub fn part(options: &Options, number: u64, picture: &[u8]) -> Vec<u8> {
    if matches!(options.body, Body::Raw | Body::MotionJpeg | Body::Mjpeg) {
        return picture.to_vec();
    }
    let end = if options.part.lf { "\n" } else { "\r\n" };
    let line = if options.boundary == Boundary::NoDashes { "foo" } else { "--foo" };
    let before =
        if options.boundary == Boundary::NotFirst && number == 0 { String::new() } else { format!("{line}{end}") };
    let after = if options.part.line_end { end } else { "" };
    [before.as_bytes(), headers(options, picture.len(), end).as_bytes(), picture, after.as_bytes()].concat()
}

fn headers(options: &Options, length: usize, end: &str) -> String {
    let part = &options.part;
    if part.bare {
        return end.to_owned();
    }
    let mut lines = vec!["Content-Type: image/jpeg".to_owned()];
    if part.huge {
        lines.push(format!("X-Junk: {}", "z".repeat(6000)));
    }
    let told = match part.length {
        Length::Absent => None,
        Length::Right => Some(length),
        Length::TooLong => Some(length + 100),
        Length::TooShort => Some(length - 100),
        Length::Zero => Some(0),
    };
    lines.extend(told.map(|told| format!("Content-Length: {told}")));
    let text: String = lines.iter().map(|line| format!("{line}{end}")).collect();
    let text = if part.lower_case { text.to_ascii_lowercase() } else { text };
    text + end
}
