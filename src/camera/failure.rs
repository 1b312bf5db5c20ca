//! From a GStreamer error to a cause and a hint that an operator can use. No credentials, no element names.

use std::fmt;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use gst::glib;

use crate::config::plan::{CameraPlan, Transport};
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
    pub(super) fn silent(silence: Duration, data: bool, first: bool, plan: &CameraPlan) -> Self {
        let (seconds, origin) = (silence.as_secs_f64(), Origin::of(plan));
        if data {
            let cause = format!("data comes, but no picture could be decoded for {seconds:.1} s");
            return Self::hinted(DisconnectReason::Decode, cause, origin.hint(DisconnectReason::Decode));
        }
        let cause =
            if first { format!("no picture within {seconds:.1} s") } else { format!("no picture for {seconds:.1} s") };
        Self::hinted(DisconnectReason::Timeout, cause, origin.hint(DisconnectReason::Timeout))
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
            _ => return said(reason, error, plan),
        };
        Self::hinted(reason, cause, Origin::of(plan).hint(reason))
    }
}

/// Where a camera's pictures come from: what may be wrong there differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Tcp,
    Udp,
    Http,
    File,
    Device,
}

impl Origin {
    pub(super) fn of(plan: &CameraPlan) -> Self {
        match (plan.url.scheme(), plan.transport) {
            ("file", _) => Self::File,
            ("v4l2", _) => Self::Device,
            ("http" | "https", _) => Self::Http,
            (_, Transport::Tcp) => Self::Tcp,
            (_, Transport::Udp | Transport::Auto) => Self::Udp,
        }
    }

    /// The same, of packets that travel as was agreed on.
    pub(super) fn by(self, datagrams: bool) -> Self {
        match self {
            Self::Tcp | Self::Udp if datagrams => Self::Udp,
            Self::Tcp | Self::Udp => Self::Tcp,
            other => other,
        }
    }

    /// What to look at.
    pub(super) fn hint(self, reason: DisconnectReason) -> &'static str {
        match (reason, self) {
            (DisconnectReason::NotFound, Self::File) => "check the path; the service's user has to see the file",
            (DisconnectReason::NotFound, Self::Device) => {
                "is the camera plugged in? `v4l2-ctl --list-devices` names all"
            }
            (DisconnectReason::Timeout, Self::Udp) => "does a firewall stand between? try transport: tcp",
            (DisconnectReason::Timeout, Self::File) => "is the file whole, and its disk fast enough?",
            (DisconnectReason::Timeout, Self::Device) => "is the camera plugged in, and free?",
            (DisconnectReason::Eos, Self::File) => "the file is played again",
            (DisconnectReason::Eos, Self::Device) => "was the camera unplugged?",
            (DisconnectReason::Decode, Self::Udp) => "is the network losing packets? try transport: tcp",
            (DisconnectReason::Decode, Self::Tcp) => "`maskwatch probe` tells what the camera sends",
            (DisconnectReason::Decode, Self::Http | Self::File) => "does a player show it? is it whole?",
            (DisconnectReason::Decode, Self::Device) => "does another program show it?",
            (DisconnectReason::Unsupported, Self::Http) => {
                "Motion JPEG is played; is this the address of the stream itself?"
            }
            (DisconnectReason::Unsupported, Self::File) => "is it a video, and does a player show it?",
            (DisconnectReason::Unsupported, Self::Device) => {
                "is it a camera? some are several devices: try the next number"
            }
            (DisconnectReason::Unsupported, Self::Tcp | Self::Udp) => {
                "H.264, H.265 and MJPEG are decoded; `maskwatch probe` tells what comes"
            }
            _ => hint(reason),
        }
    }
}

/// The port answers, and still nothing could be opened: over TLS that is the certificate, nearly always.
fn unclear_open(reason: DisconnectReason, error: &glib::Error, plan: &CameraPlan) -> Failure {
    let encrypted = matches!(plan.url.scheme(), "rtsps" | "https");
    if !encrypted || plan.insecure_tls {
        return said(reason, error, plan);
    }
    Failure {
        reason: DisconnectReason::Error,
        cause: "no encrypted connection: the camera's certificate does not verify, or it speaks no TLS".to_owned(),
        hint: "if the camera signs its own certificate: insecure_tls: true",
    }
}

/// GStreamer's own words.
fn said(reason: DisconnectReason, error: &glib::Error, plan: &CameraPlan) -> Failure {
    let cause = redact(error.message()).trim_end_matches('.').to_lowercase();
    Failure::hinted(reason, cause, Origin::of(plan).hint(reason))
}

fn hint(reason: DisconnectReason) -> &'static str {
    match reason {
        DisconnectReason::Refused => "is the camera on and the port right?",
        DisconnectReason::Unreachable => "is the address right and the network up?",
        DisconnectReason::Auth => "check username and password",
        DisconnectReason::NotFound => "check the path of the url",
        DisconnectReason::Timeout => "is the camera sending, and does the network hold?",
        DisconnectReason::Eos => "it is connected to again",
        DisconnectReason::Decode => "does a player show it?",
        DisconnectReason::Unsupported => "H.264, H.265 and MJPEG are decoded",
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
        Ok(addresses) => plan.reach.fit(addresses).ok()?.into_iter().next()?,
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
        let text = said(classify(&error), &error, &plan("rtsp://cam/1", Transport::Tcp)).to_string();
        assert!(!text.contains("pw") && !text.contains("token"), "{text}");
    }

    fn plan(url: &str, transport: Transport) -> CameraPlan {
        let url = crate::config::secret::CameraUrl::parse(url).unwrap();
        CameraPlan { transport, ..CameraPlan::new("gate", url) }
    }

    #[test]
    fn hints_fit_their_source() {
        let cases = [
            ("rtsp://cam/1", Transport::Tcp),
            ("rtsp://cam/1", Transport::Udp),
            ("http://cam/1", Transport::Tcp),
            ("file:///srv/a.mp4", Transport::Udp),
            ("v4l2:///dev/video0", Transport::Udp),
        ];
        for (url, transport) in cases {
            let origin = Origin::of(&plan(url, transport));
            for reason in DisconnectReason::ALL {
                let hint = origin.hint(reason);
                let udp = url.starts_with("rtsp") && transport == Transport::Udp;
                assert!(udp || !hint.contains("transport: tcp"), "{url} {reason:?}: {hint}");
                let local = plan(url, transport).url.local_path().is_some();
                let of_files = ["network", "stream", "path of the url"].iter().any(|word| hint.contains(word));
                let may_be = !matches!(
                    reason,
                    DisconnectReason::NotFound | DisconnectReason::Decode | DisconnectReason::Timeout
                );
                assert!(!local || may_be || !of_files, "{url} {reason:?}: {hint}");
            }
        }
    }
}
