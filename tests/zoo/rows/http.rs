//! HTTP cameras.

use maskwatch::config::plan::{CameraPlan, Credentials};
use maskwatch::config::secret::Secret;
use maskwatch::metrics::DisconnectReason;

use crate::zoo::auth::{Login, Scheme};
use crate::zoo::http::jpeg::Kind;
use crate::zoo::http::options::{Body, Boundary, Length, Options, Part};
use crate::zoo::table::{Row, http};

fn body(body: Body) -> Options {
    Options { body, ..Options::default() }
}

fn boundary(boundary: Boundary) -> Options {
    Options { boundary, ..Options::default() }
}

fn part(part: Part) -> Options {
    Options { part, ..Options::default() }
}

fn length(length: Length) -> Options {
    part(Part { length, ..Part::default() })
}

fn kind(kind: Kind) -> Options {
    Options { kind, ..Options::default() }
}

fn login(scheme: Scheme) -> Options {
    Options { login: Some(Login { scheme, ..Login::default() }), ..Options::default() }
}

fn wrong(plan: CameraPlan) -> CameraPlan {
    CameraPlan { credentials: Some(Credentials { username: "ops".into(), password: Secret::new("wr0ng") }), ..plan }
}

pub fn rows() -> Vec<Row> {
    logins().into_iter().chain(answers()).chain(bodies()).chain(parts()).chain(pictures()).collect()
}

fn logins() -> Vec<Row> {
    let strict = |scheme| Options {
        login: Some(Login { scheme, lock_after: Some(3), ..Login::default() }),
        ..Options::default()
    };
    vec![
        http("wrong password, Basic", strict(Scheme::Basic)).plan(wrong).refused_after(1),
        http("wrong password, Digest", strict(Scheme::QopInsisted)).plan(wrong).refused_after(1),
        http("a login is asked for and none is there", login(Scheme::Basic))
            .plan(|plan| CameraPlan { credentials: None, ..plan })
            .fails(DisconnectReason::Auth, "asks for a password"),
        http("Basic", login(Scheme::Basic)),
        http("Digest", login(Scheme::Digest)),
        http("Digest with qop insisted on", login(Scheme::QopInsisted)),
        http("Digest by SHA-256 only", login(Scheme::Sha256)),
        http("Basic, then Digest", login(Scheme::BasicThenDigest)),
    ]
}

fn answers() -> Vec<Row> {
    let status = |code| Options { status: Some(code), ..Options::default() };
    vec![
        http("mute", Options { mute: true, ..Options::default() }).fails(DisconnectReason::Timeout, "answer"),
        http("redirect 302 to another port", Options { redirect: Some(302), ..Options::default() }),
        http("503", status(503)).fails_saying("503"),
        http("404", status(404)).fails(DisconnectReason::NotFound, "stream"),
        http("403", status(403)).fails(DisconnectReason::Auth, "403"),
        http("HTTP/1.0", Options { http10: true, ..Options::default() }),
        http("a header of 60 kB", Options { huge_header: true, ..Options::default() }),
        http("chunked", Options { chunked: true, ..Options::default() }),
        http("in many small segments", Options { dribble: true, fps: 3, pictures: 15, ..Options::default() }),
        http(
            "chunked, in many small segments",
            Options { chunked: true, dribble: true, fps: 3, pictures: 15, ..Options::default() },
        ),
        http("closes after 2 s", Options { closes: true, pictures: 20, ..Options::default() })
            .returns(DisconnectReason::Eos),
    ]
}

fn bodies() -> Vec<Row> {
    vec![
        http("multipart/x-mixed-replace", Options::default()),
        http("multipart/mixed", body(Body::Mixed)),
        http("Multipart/X-Mixed-Replace", body(Body::UpperCase)),
        http("pictures one after the other, image/jpeg", body(Body::Raw)),
        http("video/x-motion-jpeg", body(Body::MotionJpeg)),
        http("video/mjpeg", body(Body::Mjpeg)),
        http("a single picture", body(Body::Single)).fails_saying("single picture"),
        http("a page", body(Body::Page)).fails(DisconnectReason::Unsupported, "text/html"),
        http("boundary told with dashes", boundary(Boundary::DashesTold)),
        http("boundary without dashes", boundary(Boundary::NoDashes)),
        http("boundary quoted", boundary(Boundary::Quoted)),
        http("boundary quoted, spaced, with a charset", boundary(Boundary::Spaced)),
        http("boundary not told", boundary(Boundary::Untold)),
        http("boundary not told, no lengths", {
            let mut options = boundary(Boundary::Untold);
            options.part.length = Length::Absent;
            options
        }),
        http("another boundary is told", boundary(Boundary::Wrong)),
        // Picture by picture as little computers' servers (ESP32, Tasmota) write it.
        http("no boundary before the first part", boundary(Boundary::NotFirst)),
        http("no boundary before the first part, no lengths", {
            let mut options = boundary(Boundary::NotFirst);
            options.part.length = Length::Absent;
            options
        }),
        http("a text before the first boundary", boundary(Boundary::Preamble)),
    ]
}

fn parts() -> Vec<Row> {
    vec![
        http("parts without lengths", length(Length::Absent)),
        http("parts with lengths 100 too long", length(Length::TooLong)),
        http("parts with lengths 100 too short", length(Length::TooShort)),
        http("parts with lengths of 0", length(Length::Zero)),
        http("no line end before the boundary", part(Part { line_end: false, ..Part::default() })),
        http(
            "no line end before the boundary, no lengths",
            part(Part { line_end: false, length: Length::Absent, ..Part::default() }),
        ),
        http("parts in LF", part(Part { lf: true, ..Part::default() })),
        http("parts' headers in lower case", part(Part { lower_case: true, ..Part::default() })),
        http("parts with a header of 6 kB", part(Part { huge: true, ..Part::default() })),
        http("parts without headers", part(Part { bare: true, ..Part::default() })),
    ]
}

fn pictures() -> Vec<Row> {
    let sized = |width, height| Options { width, height, ..Options::default() };
    vec![
        http("progressive JPEG", kind(Kind::Progressive)),
        http("grey JPEG", kind(Kind::Grey)),
        http("JPEG with restart markers", kind(Kind::Restarts)),
        http("JPEG 4:2:2", kind(Kind::Chroma422)),
        http("JPEG 4:2:0", kind(Kind::Chroma420)),
        http("JPEG with Adobe's marker and 60 kB of comment", kind(Kind::Markers)),
        http("JPEG with a thumbnail in it", kind(Kind::Thumbnail)),
        http("JPEG with a thumbnail in it, no lengths", Options { kind: Kind::Thumbnail, ..length(Length::Absent) }),
        http("JPEG with a thumbnail in it, raw", Options { kind: Kind::Thumbnail, ..body(Body::Raw) }),
        http("JPEG without an end marker", kind(Kind::NoEnd)),
        http("zeros after each JPEG", kind(Kind::Trailing)),
        http("each third JPEG is cut off", kind(Kind::ThirdsCut)),
        http("odd size", sized(161, 121)).shows(161, 121),
        http("odd size 4:2:0", Options { kind: Kind::Chroma420, ..sized(161, 121) }).shows(161, 121),
        http("another size in mid-stream", Options { then: Some((20, 320, 240)), ..Options::default() })
            .shows(320, 240),
        http("2 a second", Options { fps: 2, pictures: 10, ..Options::default() }),
    ]
}
