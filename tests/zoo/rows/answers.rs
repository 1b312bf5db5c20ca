//! How cameras speak.

use std::time::Duration;

use maskwatch::config::plan::{CameraPlan, Transport};
use maskwatch::metrics::DisconnectReason;

use crate::zoo::journal::Journal;
use crate::zoo::rtsp::options::{Answers, Method, Options, Question, Sdp};
use crate::zoo::table::{Row, rtsp};

fn camera(answers: Answers) -> Options {
    Options { answers, ..Options::default() }
}

fn slow(method: Method, seconds: f64) -> Options {
    camera(Answers { slow: Some((method, Duration::from_secs_f64(seconds))), ..Answers::default() })
}

fn status(method: Method, code: u16) -> Options {
    camera(Answers { status: Some((method, code)), ..Answers::default() })
}

/// Nobody is pestered: a connection, an end, and little in between.
fn asked_little(journal: &Journal) -> Result<(), String> {
    let asked: Vec<String> = journal.asked().into_iter().map(|asked| asked.head.method).collect();
    if asked.len() <= 8 { Ok(()) } else { Err(format!("asked too much: {asked:?}")) }
}

pub fn rows() -> Vec<Row> {
    let asks = |question| camera(Answers { asks: Some((question, 10)), ..Answers::default() });
    let redirect = |code| camera(Answers { redirect: Some(code), ..Answers::default() });
    vec![
        rtsp("mute: takes requests and says nothing", camera(Answers { mute: true, ..Answers::default() }))
            .fails(DisconnectReason::Timeout, "answer"),
        rtsp("DESCRIBE takes 12 s, timeout: 20s", slow(Method::Describe, 12.0))
            .plan(|plan| CameraPlan { timeout: Duration::from_secs(20), ..plan }),
        rtsp("DESCRIBE takes 8 s", slow(Method::Describe, 8.0))
            .plan(|plan| CameraPlan { timeout: Duration::from_millis(2500), ..plan }),
        rtsp("SETUP takes 7 s", slow(Method::Setup, 7.0)),
        rtsp("PLAY takes 7 s", slow(Method::Play, 7.0)),
        rtsp("OPTIONS takes 6 s", slow(Method::Options, 6.0)),
        rtsp("a camera without quirks", Options::default()).also(asked_little),
        rtsp("a camera without quirks, UDP", Options::default())
            .plan(|plan| CameraPlan { transport: Transport::Udp, ..plan }),
        rtsp("a camera without quirks, auto", Options::default())
            .plan(|plan| CameraPlan { transport: Transport::Auto, ..plan }),
        rtsp("a web server", camera(Answers { http: true, ..Answers::default() })).fails_saying("rtsp"),
        rtsp("no such stream: 404", status(Method::Describe, 404)).fails(DisconnectReason::NotFound, "stream"),
        rtsp("forbidden: 403", status(Method::Describe, 403)).fails_saying("403"),
        rtsp("OPTIONS refused with 501", status(Method::Options, 501)),
        rtsp("all places taken: 453", status(Method::Setup, 453)).fails_saying("453"),
        rtsp("overloaded: 503", status(Method::Describe, 503)).fails_saying("503"),
        rtsp("PLAY refused with 454", status(Method::Play, 454)).fails_saying("454"),
        rtsp("answers end lines in LF", camera(Answers { lf: true, ..Answers::default() })),
        rtsp("headers in lower case", camera(Answers { lower_case: true, ..Answers::default() })),
        rtsp("answers in many small segments", camera(Answers { dribble: true, ..Answers::default() })),
        rtsp("data before the answer to PLAY", camera(Answers { early: true, ..Answers::default() })),
        rtsp("redirect 302 to another port", redirect(302)),
        rtsp("redirect 301 to another port", redirect(301)),
        rtsp(
            "the query belongs to the stream",
            camera(Answers { needs_in_url: Some("?channel=1&subtype=0"), ..Answers::default() }),
        )
        .path("/cam/realmonitor?channel=1&subtype=0"),
        rtsp("DESCRIBE only with Accept", camera(Answers { needs_accept: true, ..Answers::default() })),
        rtsp("asks its client OPTIONS", asks(Question::Options)),
        rtsp("tells its client ANNOUNCE", asks(Question::Announce)),
        rtsp("a description in LF", Options { sdp: Sdp { lf: true, ..Sdp::default() }, ..Options::default() }),
    ]
}
