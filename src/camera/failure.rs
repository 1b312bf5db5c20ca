//! From a GStreamer error to a cause and a hint that an operator can use. No credentials, no element names.

use std::fmt;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use gst::glib;

use crate::config::plan::CameraPlan;
use crate::config::secret::redact;
use crate::metrics::DisconnectReason;

/// How long a connection attempt may take when a failed connection is looked into.
const KNOCK: Duration = Duration::from_secs(2);

/// Why a camera is down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// One of a bounded set, for metrics.
    pub reason: DisconnectReason,
    /// What happened.
    pub cause: String,
    /// What to look at.
    pub hint: &'static str,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.cause, self.hint)
    }
}

impl Failure {
    /// With the hint that goes with `reason`.
    pub(super) fn new(reason: DisconnectReason, cause: impl Into<String>) -> Self {
        Self { reason, cause: cause.into(), hint: hint(reason) }
    }

    /// With a hint of its own.
    pub(super) fn hinted(reason: DisconnectReason, cause: impl Into<String>, hint: &'static str) -> Self {
        Self { reason, cause: cause.into(), hint }
    }

    /// No decoded frame for `silence`. `data`: encoded data kept coming. `first`: there never was a frame.
    pub(super) fn silent(silence: Duration, data: bool, first: bool) -> Self {
        let seconds = silence.as_secs_f64();
        if data {
            let cause = format!("data comes, but no picture could be decoded for {seconds:.1} s");
            return Self::new(DisconnectReason::Decode, cause);
        }
        let cause =
            if first { format!("no picture within {seconds:.1} s") } else { format!("no picture for {seconds:.1} s") };
        Self::new(DisconnectReason::Timeout, cause)
    }

    /// What a message of GStreamer means. A connection that failed without a cause is looked into: that opens and
    /// closes one TCP connection and may take [`KNOCK`] and a name's resolution.
    pub(super) fn of(error: &glib::Error, plan: &CameraPlan) -> Self {
        // By HTTP, "internal data stream error" is also what comes of a connection that was never made.
        let unclear = error.matches(gst::StreamError::Failed) && plan.url.scheme().starts_with("http");
        if unclear && let Some(failure) = knock(plan) {
            return failure;
        }
        let reason = classify(error);
        let cause = match reason {
            DisconnectReason::Unreachable => return knock(plan).unwrap_or_else(|| unclear_open(reason, error, plan)),
            DisconnectReason::Auth if plan.credentials.is_none() => "the camera asks for a password".to_owned(),
            DisconnectReason::Auth => "the camera refuses the password".to_owned(),
            DisconnectReason::NotFound if plan.url.local_path().is_none() => "the camera has no such stream".to_owned(),
            DisconnectReason::NotFound => "there is no such file or device".to_owned(),
            _ => return said(reason, error),
        };
        Self::new(reason, cause)
    }
}

/// The port answers, and still nothing could be opened: over TLS that is the certificate, nearly always.
fn unclear_open(reason: DisconnectReason, error: &glib::Error, plan: &CameraPlan) -> Failure {
    let encrypted = matches!(plan.url.scheme(), "rtsps" | "https");
    if !encrypted || plan.insecure_tls {
        return said(reason, error);
    }
    Failure {
        reason: DisconnectReason::Error,
        cause: "no encrypted connection: the camera's certificate does not verify, or it speaks no TLS".to_owned(),
        hint: "if the camera signs its own certificate: insecure_tls: true",
    }
}

/// GStreamer's own words.
fn said(reason: DisconnectReason, error: &glib::Error) -> Failure {
    Failure::new(reason, redact(error.message()).trim_end_matches('.').to_lowercase())
}

fn hint(reason: DisconnectReason) -> &'static str {
    match reason {
        DisconnectReason::Refused => "is the camera on and the port right?",
        DisconnectReason::Unreachable => "is the address right and the network up?",
        DisconnectReason::Auth => "check username and password",
        DisconnectReason::NotFound => "check the path of the url",
        DisconnectReason::Timeout => "is the camera sending, and does the network hold?",
        DisconnectReason::Eos => "the camera ended the stream; it is tried again",
        DisconnectReason::Decode => "is the network losing packets? try transport: tcp",
        DisconnectReason::Unsupported => "H.264, H.265 and MJPEG are; is a GStreamer plugin missing?",
        DisconnectReason::Error => "it is tried again",
    }
}

/// The bounded reason of an error. [`DisconnectReason::Unreachable`] also stands for "could not connect, cause unknown".
fn classify(error: &glib::Error) -> DisconnectReason {
    use gst::{CoreError, ResourceError, StreamError};
    if let Some(kind) = error.kind::<ResourceError>() {
        return match kind {
            ResourceError::NotAuthorized => DisconnectReason::Auth,
            ResourceError::NotFound => not_found_or_unreachable(error),
            ResourceError::OpenRead | ResourceError::OpenReadWrite | ResourceError::OpenWrite => {
                DisconnectReason::Unreachable
            }
            ResourceError::Read | ResourceError::Write | ResourceError::Close => DisconnectReason::Eos,
            ResourceError::Settings => DisconnectReason::Unsupported,
            _ => DisconnectReason::Error,
        };
    }
    if let Some(kind) = error.kind::<StreamError>() {
        return match kind {
            StreamError::CodecNotFound | StreamError::NotImplemented | StreamError::WrongType => {
                DisconnectReason::Unsupported
            }
            StreamError::TypeNotFound => DisconnectReason::Unsupported,
            StreamError::Decode | StreamError::Demux | StreamError::Format | StreamError::Failed => {
                DisconnectReason::Decode
            }
            _ => DisconnectReason::Error,
        };
    }
    match error.kind::<CoreError>() {
        Some(CoreError::MissingPlugin | CoreError::Negotiation) => DisconnectReason::Unsupported,
        _ => DisconnectReason::Error,
    }
}

/// `souphttpsrc` says "not found" for a name that does not resolve, too.
fn not_found_or_unreachable(error: &glib::Error) -> DisconnectReason {
    if error.message().contains("resolve") { DisconnectReason::Unreachable } else { DisconnectReason::NotFound }
}

/// Finds out why a connection failed; `None` where the port answers, or the URL has none.
fn knock(plan: &CameraPlan) -> Option<Failure> {
    if let Some(path) = plan.url.local_path() {
        let failure = match std::fs::File::open(&path) {
            Ok(_) => return None,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Failure::new(DisconnectReason::NotFound, "there is no such file or device")
            }
            Err(error) => Failure::new(DisconnectReason::Error, format!("it cannot be opened: {error}")),
        };
        return Some(failure);
    }
    let host = plan.url.host()?;
    let port = plan.url.port()?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address = match (bare, port).to_socket_addrs() {
        Ok(mut addresses) => addresses.next()?,
        Err(_) => return Some(Failure::new(DisconnectReason::Unreachable, format!("the name {host} is unknown"))),
    };
    match TcpStream::connect_timeout(&address, KNOCK) {
        Ok(_) => None,
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            Some(Failure::new(DisconnectReason::Refused, format!("connection refused by {host}:{port}")))
        }
        Err(_) => Some(Failure::new(DisconnectReason::Unreachable, format!("{host}:{port} does not answer"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason<T: gst::MessageErrorDomain>(kind: T) -> DisconnectReason {
        classify(&glib::Error::new(kind, "x"))
    }

    #[test]
    fn errors_have_a_bounded_reason() {
        gst::init().unwrap();
        assert_eq!(reason(gst::ResourceError::NotAuthorized), DisconnectReason::Auth);
        assert_eq!(reason(gst::ResourceError::NotFound), DisconnectReason::NotFound);
        assert_eq!(reason(gst::ResourceError::OpenReadWrite), DisconnectReason::Unreachable);
        assert_eq!(reason(gst::ResourceError::Read), DisconnectReason::Eos);
        assert_eq!(reason(gst::StreamError::CodecNotFound), DisconnectReason::Unsupported);
        assert_eq!(reason(gst::StreamError::Decode), DisconnectReason::Decode);
        assert_eq!(reason(gst::CoreError::MissingPlugin), DisconnectReason::Unsupported);
        assert_eq!(reason(gst::LibraryError::Failed), DisconnectReason::Error);
    }

    #[test]
    fn words_of_others_are_redacted() {
        gst::init().unwrap();
        let error = glib::Error::new(gst::ResourceError::Busy, "Cannot open rtsp://u:pw@cam/1?token=2.");
        let text = said(classify(&error), &error).to_string();
        assert!(!text.contains("pw") && !text.contains("token"), "{text}");
    }
}
