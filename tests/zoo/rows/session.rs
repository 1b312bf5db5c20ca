//! Keeping a session alive, its transport, and its end.

use std::time::Duration;

use maskwatch::config::plan::{CameraPlan, Transport};
use maskwatch::metrics::DisconnectReason;

use crate::zoo::journal::Journal;
use crate::zoo::rtsp::options::{Announced, Flow, Options, Reply, SessionOptions, TransportAnswer};
use crate::zoo::table::{Row, rtsp};

/// Three timeouts long.
const PICTURES: u64 = 90;
const TIMEOUT: Duration = Duration::from_secs(3);
const GET: &[&str] = &["GET_PARAMETER"];
const BOTH: &[&str] = &["GET_PARAMETER", "SET_PARAMETER"];

/// A camera that keeps to its timeout.
fn strict(session: SessionOptions) -> Options {
    let session = SessionOptions { timeout: Some(TIMEOUT), ..session };
    Options { session, flow: Flow { pictures: PICTURES, ..Flow::default() }, ..Options::default() }
}

fn plain(session: SessionOptions) -> Options {
    Options { session, ..Options::default() }
}

fn over(transport: TransportAnswer) -> Options {
    plain(SessionOptions { transport, ..SessionOptions::default() })
}

fn udp(plan: CameraPlan) -> CameraPlan {
    CameraPlan { transport: Transport::Udp, ..plan }
}

fn auto(plan: CameraPlan) -> CameraPlan {
    CameraPlan { transport: Transport::Auto, ..plan }
}

pub fn rows() -> Vec<Row> {
    keep_alive().into_iter().chain(transports()).chain(ends()).collect()
}

fn keep_alive() -> Vec<Row> {
    let refused = |get_parameter, unlisted| {
        strict(SessionOptions {
            get_parameter,
            unlisted,
            set_parameter: Reply::Status(501),
            ..SessionOptions::default()
        })
    };
    let told = |announced| strict(SessionOptions { announced, ..SessionOptions::default() });
    vec![
        rtsp("a session of 3 s", strict(SessionOptions::default())),
        rtsp("a session of 3 s, UDP", strict(SessionOptions::default())).plan(udp),
        rtsp("a session of 3 s, told with spaces", told(Announced::Spaced)),
        rtsp("a session of 3 s, told at PLAY", told(Announced::AtPlay)),
        rtsp(
            "a session of 60 s that is not told",
            plain(SessionOptions { announced: Announced::Never, ..SessionOptions::default() }),
        ),
        rtsp(
            "only requests with the session's number keep it",
            strict(SessionOptions { needs_number: true, ..SessionOptions::default() }),
        ),
        rtsp("GET_PARAMETER unlisted, refused with 405", refused(Reply::Status(405), BOTH)),
        rtsp("GET_PARAMETER unlisted, refused with 501", refused(Reply::Status(501), BOTH)),
        rtsp("GET_PARAMETER unlisted, hangs up at it", refused(Reply::Close, BOTH)),
        rtsp("GET_PARAMETER unlisted, silent at it", refused(Reply::Silence, BOTH)),
        rtsp("GET_PARAMETER listed, refused with 405", refused(Reply::Status(405), &[])),
        rtsp("GET_PARAMETER listed, refused with 400", refused(Reply::Status(400), &[])),
        rtsp("GET_PARAMETER listed, silent at it", refused(Reply::Silence, &[])).settles(1),
        rtsp("GET_PARAMETER listed, hangs up at it", refused(Reply::Close, &[])).settles(1),
        rtsp(
            "OPTIONS keeps nothing alive while it plays, SET_PARAMETER does",
            strict(SessionOptions {
                get_parameter: Reply::Status(501),
                options: Reply::Status(455),
                unlisted: GET,
                ..SessionOptions::default()
            }),
        ),
    ]
}

fn transports() -> Vec<Row> {
    let only = |no_tcp, no_udp| plain(SessionOptions { no_tcp, no_udp, ..SessionOptions::default() });
    vec![
        rtsp("SETUP answered without interleaved=", over(TransportAnswer::NoChannels)),
        rtsp("SETUP answered with one channel", over(TransportAnswer::OneChannel)),
        rtsp("SETUP answered with other channels", over(TransportAnswer::OtherChannels)),
        rtsp("SETUP answered without Transport", over(TransportAnswer::Nothing)),
        rtsp("SETUP answered in capitals", over(TransportAnswer::Shouted)),
        rtsp("SETUP answered in capitals, UDP", over(TransportAnswer::Shouted)).plan(udp),
        rtsp("SETUP answered without server_port, UDP", over(TransportAnswer::NoServerPort)).plan(udp),
        rtsp("SETUP answered without Transport, UDP", over(TransportAnswer::Nothing)).plan(udp),
        rtsp("source= of an inner network, UDP", over(TransportAnswer::WrongSource)).plan(udp),
        rtsp("461 for TCP, transport: auto", only(true, false)).plan(auto),
        rtsp("461 for UDP, transport: auto", only(false, true)).plan(auto),
        rtsp("461 for TCP", only(true, false)).fails(DisconnectReason::Unsupported, "transport: udp"),
        rtsp("461 for UDP, transport: udp", only(false, true))
            .plan(udp)
            .fails(DisconnectReason::Unsupported, "transport: tcp"),
    ]
}

/// Who stops says so, once.
fn said_goodbye(journal: &Journal) -> Result<(), String> {
    match journal.count("TEARDOWN") {
        1 => Ok(()),
        count => Err(format!("{count} times TEARDOWN")),
    }
}

fn ends() -> Vec<Row> {
    let closing = |pictures| Options { flow: Flow { pictures, closes: true, ..Flow::default() }, ..Options::default() };
    let short = Flow { pictures: 15, ..Flow::default() };
    let silent = SessionOptions { teardown: Reply::Silence, ..SessionOptions::default() };
    vec![
        rtsp("a session that is stopped", Options::default()).also(said_goodbye),
        rtsp("a session that is stopped, UDP", Options::default()).plan(udp).also(said_goodbye),
        rtsp("TEARDOWN is never answered", Options { session: silent, ..Options::default() }).also(said_goodbye),
        rtsp(
            "TEARDOWN closes the connection",
            plain(SessionOptions { teardown: Reply::Close, ..SessionOptions::default() }),
        ),
        rtsp("closes after 2 s", closing(20)).returns(DisconnectReason::Eos),
        rtsp("freezes after 1.5 s", Options { flow: short, ..Options::default() })
            .plan(|plan| CameraPlan { timeout: Duration::from_millis(1500), ..plan })
            .returns(DisconnectReason::Timeout),
    ]
}
