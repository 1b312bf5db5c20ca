//! What goes wrong with cameras over HTTP, in words for operators. No address is repeated: it may hold a password.

use std::error::Error;
use std::io::ErrorKind;

use hyper::StatusCode;

use crate::camera::failure::Failure;
use crate::metrics::DisconnectReason as Reason;
use crate::reach::Barred;

/// What a stream is expected to be.
const A_STREAM: &str = "take the address of its MJPEG or RTSP stream, as its manual or its web page names it";

/// This program cannot do what it always can.
pub(super) fn internal(error: &str) -> Failure {
    Failure::hinted(Reason::Error, format!("no HTTP client: {error}"), "it is tried again")
}

/// The address may not be connected to.
pub(super) fn barred(why: &str) -> Failure {
    Failure::hinted(Reason::Unreachable, why, "network.cameras in the configuration says what may be reached")
}

pub(super) fn page() -> Failure {
    Failure::hinted(Reason::Unsupported, "the address gives a web page (text/html), not a stream", A_STREAM)
}

pub(super) fn single() -> Failure {
    Failure::hinted(Reason::Unsupported, "the address gives a single picture, not a stream", A_STREAM)
}

/// The camera closed the connection in an orderly way.
pub(super) fn ended(pictures: u64) -> Failure {
    let cause = format!("the camera ended the stream after {pictures} pictures");
    Failure::hinted(Reason::Eos, cause, "does it allow so many viewers, and for so long? it is tried again")
}

/// The connection ended in the middle of something.
pub(super) fn broke(error: &hyper::Error) -> Failure {
    let cause = format!("the connection broke: {}", innermost(error));
    Failure::hinted(Reason::Eos, cause, "does the network hold? it is tried again")
}

/// There are bytes, and no picture in them.
pub(super) fn barren(begin: &[u8]) -> Failure {
    let cause = match part_type(begin) {
        _ if begin.is_empty() => "the answer is empty".to_owned(),
        Some(kind) if kind != "image/jpeg" => format!("the stream holds {kind}, not JPEG pictures"),
        _ => "there is no JPEG picture in the stream".to_owned(),
    };
    Failure::hinted(Reason::Unsupported, cause, A_STREAM)
}

/// The type that the first part of a multipart stream says it has.
fn part_type(begin: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(begin);
    let value = text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.trim().eq_ignore_ascii_case("content-type").then_some(value)
    })?;
    let essence = value.split(';').next()?.trim().to_ascii_lowercase();
    let plain = essence.chars().all(|c| c.is_ascii_alphanumeric() || "/.+-".contains(c));
    (plain && !essence.is_empty() && essence.len() < 64).then_some(essence)
}

/// An answer that is none to what was asked for.
pub(super) fn status(status: StatusCode) -> Failure {
    let said = match status.canonical_reason() {
        Some(reason) => format!("HTTP {} {reason}", status.as_u16()),
        None => format!("HTTP {}", status.as_u16()),
    };
    let camera = |reason, hint| Failure::hinted(reason, format!("the camera answers {said}"), hint);
    match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            let cause = format!("the camera has no such stream ({said})");
            Failure::hinted(Reason::NotFound, cause, "check the path of the url")
        }
        StatusCode::FORBIDDEN => camera(Reason::Auth, "may this user see the stream? check username and password"),
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => camera(Reason::Auth, "a proxy stands before the camera"),
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
            camera(Reason::Error, "it is busy: how many viewers does it allow?")
        }
        _ if status.is_server_error() => camera(Reason::Error, "something is wrong inside the camera; restart it"),
        _ if status.is_client_error() => camera(Reason::Unsupported, "check the path of the url"),
        _ => camera(Reason::Unsupported, A_STREAM),
    }
}

pub(super) fn no_password() -> Failure {
    Failure::hinted(Reason::Auth, "the camera asks for a password", "set username and password")
}

pub(super) fn wrong_password() -> Failure {
    Failure::hinted(Reason::Auth, "the camera refuses the password", "check username and password")
}

/// A camera that sent the request on to another one.
pub(super) fn foreign_password(host: &str) -> Failure {
    let cause = format!("the camera sends the request on to {host}, which asks for a password");
    Failure::hinted(Reason::Auth, cause, "the password is not given to others: put that address into the url")
}

pub(super) fn unknown_login(schemes: &str) -> Failure {
    let cause = format!("the camera asks for the password in a way that is not known here ({schemes})");
    Failure::hinted(Reason::Auth, cause, "set its HTTP authentication to Basic or Digest")
}

pub(super) fn redirects() -> Failure {
    let hint = "put the final address into the url";
    Failure::hinted(Reason::Error, "the camera sends the request on and on", hint)
}

pub(super) fn redirected_nowhere() -> Failure {
    let cause = "the camera sends the request on to an address that is none for HTTP";
    Failure::hinted(Reason::Unsupported, cause, "put the final address into the url")
}

pub(super) fn unusable_url() -> Failure {
    Failure::hinted(Reason::Unsupported, "the url cannot be used for HTTP", "check the url")
}

/// The connection stands, and nothing is answered.
pub(super) fn mute(host: &str, seconds: f64) -> Failure {
    let cause = format!("{host} takes the connection and answers nothing for {seconds:.0} s");
    Failure::hinted(Reason::Timeout, cause, "is that port the camera's HTTP port? restart the camera if so")
}

/// Nobody takes the connection in time.
pub(super) fn absent(host: &str) -> Failure {
    Failure::hinted(Reason::Unreachable, format!("{host} does not answer"), "is the address right and the network up?")
}

/// A request that did not get an answer. `host`: with the port. `encrypted`: over TLS.
pub(super) fn unanswered(error: &hyper_util::client::legacy::Error, host: &str, encrypted: bool) -> Failure {
    let io = chain(error).find_map(|cause| cause.downcast_ref::<std::io::Error>()).map(std::io::Error::kind);
    if !error.is_connect() {
        let closed = chain(error).filter_map(|cause| cause.downcast_ref::<hyper::Error>());
        let closed = closed.last().is_some_and(|cause| cause.is_incomplete_message() || cause.is_canceled());
        return if closed || io == Some(ErrorKind::ConnectionReset) {
            let hint = "is that port the camera's HTTP port? with TLS the url begins with https";
            Failure::hinted(Reason::Eos, format!("{host} closes the connection without an answer"), hint)
        } else {
            let cause = format!("{host} does not answer in HTTP: {}", innermost(error));
            Failure::hinted(Reason::Unsupported, cause, "is that port the camera's HTTP port?")
        };
    }
    if let Some(tls) = chain(error).find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
        return untrusted(tls);
    }
    match io {
        Some(ErrorKind::ConnectionRefused) => {
            let cause = format!("connection refused by {host}");
            Failure::hinted(Reason::Refused, cause, "is the camera on and the port right?")
        }
        Some(ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof) if encrypted => speaks_no_tls(),
        Some(ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable) => absent(host),
        Some(ErrorKind::PermissionDenied) if barred_name(error).is_some() => {
            barred(&barred_name(error).unwrap_or_default())
        }
        _ if chain(error).any(|cause| cause.to_string().starts_with("dns error")) => {
            let cause = format!("the name of {host} is unknown");
            Failure::hinted(Reason::Unreachable, cause, "is the address right and the network up?")
        }
        _ => {
            let cause = format!("no connection to {host}: {}", innermost(error));
            Failure::hinted(Reason::Unreachable, cause, "is the address right and the network up?")
        }
    }
}

/// Why none of a name's addresses may be connected to.
fn barred_name(error: &hyper_util::client::legacy::Error) -> Option<String> {
    chain(error).find_map(|cause| cause.downcast_ref::<Barred>()).map(ToString::to_string)
}

fn untrusted(error: &rustls::Error) -> Failure {
    match error {
        rustls::Error::InvalidCertificate(_) => Failure::hinted(
            Reason::Error,
            format!("the camera's certificate does not verify: {error}"),
            "if the camera signs its own certificate: insecure_tls: true",
        ),
        rustls::Error::InvalidMessage(_) => speaks_no_tls(),
        _ => {
            let cause = format!("no encrypted connection: {error}");
            Failure::hinted(Reason::Error, cause, "does the camera know TLS 1.2? else the url begins with http")
        }
    }
}

fn speaks_no_tls() -> Failure {
    Failure::hinted(
        Reason::Error,
        "the camera speaks no TLS on this port",
        "check the port, or begin the url with http",
    )
}

/// An error and its causes, outermost first. What I/O errors carry is among them.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<std::io::Error>() {
        Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => error.source(),
    })
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    crate::config::secret::redact(&chain(error).last().map(ToString::to_string).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_something_else_are_named() {
        let of = |begin: &str| barren(begin.as_bytes()).cause;
        assert_eq!(
            of("--b\r\nContent-Type: audio/basic; x=1\r\n\r\n"),
            "the stream holds audio/basic, not JPEG pictures"
        );
        assert_eq!(of("--b\r\ncontent-type: image/jpeg\r\n\r\n"), "there is no JPEG picture in the stream");
        assert_eq!(of("--b\r\ncontent-type: <b>\u{7}\r\n\r\n"), "there is no JPEG picture in the stream");
        assert_eq!(of(""), "the answer is empty");
    }

    #[test]
    fn answers_have_a_reason_and_a_hint() {
        for (code, reason) in [
            (404, Reason::NotFound),
            (403, Reason::Auth),
            (503, Reason::Error),
            (500, Reason::Error),
            (405, Reason::Unsupported),
            (204, Reason::Unsupported),
        ] {
            let failure = status(StatusCode::from_u16(code).unwrap());
            assert_eq!(failure.reason, reason, "{failure}");
            assert!(failure.cause.contains(&code.to_string()), "{failure}");
        }
    }
}
