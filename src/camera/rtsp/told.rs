//! What an end of a session means to an operator.

use std::io::ErrorKind;

use super::connection::Trouble;
use super::session::Ending;
use super::wire::Answer;
use crate::camera::failure::Failure;
use crate::camera::login::Denied;
use crate::config::plan::CameraPlan;
use crate::metrics::DisconnectReason;

/// This machine gave no runtime or socket.
pub(super) fn local(error: &std::io::Error) -> Failure {
    Failure::hinted(
        DisconnectReason::Error,
        format!("this machine gives no socket: {error}"),
        "are there too many open files?",
    )
}

/// In words, with the hint that fits.
pub(super) fn failure(ending: &Ending, plan: &CameraPlan) -> Failure {
    match ending {
        Ending::Stopped => Failure::new(DisconnectReason::Eos, "it was stopped"),
        Ending::Trouble(trouble) => troubled(trouble, plan),
        Ending::Unfit(unfit) => {
            let hint = "is this the address of a camera's video stream?";
            Failure::hinted(DisconnectReason::Unsupported, unfit.to_string(), hint)
        }
        Ending::NoWay { udp: true } => {
            Failure::hinted(DisconnectReason::Unsupported, "the camera does not send by UDP", "try transport: tcp")
        }
        Ending::NoWay { udp: false } => {
            Failure::hinted(DisconnectReason::Unsupported, "the camera does not send over TCP", "try transport: udp")
        }
        Ending::UdpSilent => Failure::hinted(
            DisconnectReason::Timeout,
            "the camera agreed to send by UDP, and nothing arrives",
            "does a firewall stand between? try transport: tcp",
        ),
        Ending::Circle => Failure::hinted(
            DisconnectReason::NotFound,
            "the camera sends to another address, and from there to another",
            "ask the camera's own page for the address of its stream",
        ),
        Ending::Local(error) => local(error),
    }
}

fn troubled(trouble: &Trouble, plan: &CameraPlan) -> Failure {
    match trouble {
        Trouble::Connect(error) => unconnected(error, plan),
        Trouble::Tls(error) => encrypted(error, plan),
        Trouble::Closed { after: "PLAY" } => Failure::new(DisconnectReason::Eos, "the camera ended the stream"),
        Trouble::Closed { after: "OPTIONS" | "DESCRIBE" } => Failure::hinted(
            DisconnectReason::Eos,
            "the camera closes the connection before it says anything",
            "is this port its RTSP port? does it take more viewers?",
        ),
        Trouble::Closed { after } => {
            Failure::new(DisconnectReason::Eos, format!("the camera closed the connection at {after}"))
        }
        Trouble::Mute { after } => Failure::hinted(
            DisconnectReason::Timeout,
            format!("the connection stands, but the camera does not answer {after}"),
            "is this port its RTSP port? does the camera hang?",
        ),
        Trouble::Denied(denied) => denied_login(denied),
        Trouble::Status { method, answer } => refused(method, answer),
        Trouble::Nonsense => Failure::hinted(
            DisconnectReason::Unsupported,
            "what answers at this port does not speak RTSP",
            "check the port of the url: 554 is usual",
        ),
    }
}

fn unconnected(error: &std::io::Error, plan: &CameraPlan) -> Failure {
    let place = format!("{}:{}", plan.url.host().unwrap_or("?"), plan.url.port().unwrap_or_default());
    match error.kind() {
        ErrorKind::ConnectionRefused => {
            Failure::new(DisconnectReason::Refused, format!("connection refused by {place}"))
        }
        ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            Failure::new(DisconnectReason::Unreachable, format!("{place} does not answer"))
        }
        ErrorKind::ConnectionReset => {
            Failure::new(DisconnectReason::Refused, format!("{place} breaks the connection off"))
        }
        ErrorKind::PermissionDenied => {
            let hint = "network.cameras in the configuration says what may be reached";
            Failure::hinted(DisconnectReason::Unreachable, error.to_string(), hint)
        }
        // What is left is the look-up of the name.
        _ => {
            let host = plan.url.host().unwrap_or("?");
            Failure::new(DisconnectReason::Unreachable, format!("the name {host} is unknown"))
        }
    }
}

fn encrypted(error: &std::io::Error, plan: &CameraPlan) -> Failure {
    let certificate = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match certificate {
        Some(rustls::Error::InvalidCertificate(_)) if !plan.insecure_tls => Failure::hinted(
            DisconnectReason::Error,
            "no encrypted connection: the camera's certificate does not verify",
            "if the camera signs its own certificate: insecure_tls: true",
        ),
        _ => Failure::hinted(
            DisconnectReason::Error,
            "no encrypted connection: what answers speaks no TLS, or only versions before 1.2",
            "is this the port for rtsps? 322 is usual; else use rtsp",
        ),
    }
}

fn denied_login(denied: &Denied) -> Failure {
    let cause = match denied {
        Denied::Missing => "the camera asks for a password".to_owned(),
        Denied::Refused => "the camera refuses the password".to_owned(),
        Denied::Unknown(schemes) if schemes.is_empty() => {
            "the camera refuses access and does not say how to log in".to_owned()
        }
        Denied::Unknown(schemes) => format!("the camera asks for a login of a kind that is not known here ({schemes})"),
    };
    Failure::new(DisconnectReason::Auth, cause)
}

fn refused(method: &str, answer: &Answer) -> Failure {
    let said = format!("{} {}", answer.status, answer.reason);
    let said = crate::config::secret::redact(said.trim());
    match answer.status {
        403 => Failure::hinted(
            DisconnectReason::Auth,
            format!("the camera refuses access to this stream ({said})"),
            "may this user see it? is RTSP allowed in the camera's settings?",
        ),
        404 | 410 => Failure::new(DisconnectReason::NotFound, format!("the camera has no such stream ({said})")),
        453 | 503 => Failure::hinted(
            DisconnectReason::Refused,
            format!("the camera takes no further viewer ({said})"),
            "close other viewers, or allow more in its settings",
        ),
        454 => Failure::new(DisconnectReason::Eos, format!("the camera has forgotten the session ({said})")),
        500.. => Failure::hinted(
            DisconnectReason::Error,
            format!("the camera fails at {method} ({said})"),
            "does the path of the url exist? some cameras answer so if not; else restart the camera",
        ),
        _ => Failure::hinted(
            DisconnectReason::Error,
            format!("the camera refuses {method} ({said})"),
            "check the path of the url",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::secret::CameraUrl;

    fn plan() -> CameraPlan {
        CameraPlan::new("gate", CameraUrl::parse("rtsp://10.0.0.9:8554/a?token=s3cret").unwrap())
    }

    fn told(trouble: Trouble) -> (DisconnectReason, String) {
        let failure = failure(&Ending::Trouble(trouble), &plan());
        (failure.reason, failure.to_string())
    }

    fn status(status: u16) -> Trouble {
        let reason = "see rtsp://ops:s3cret@cam/".into();
        Trouble::Status { method: "DESCRIBE", answer: Answer { status, reason, ..Answer::default() } }
    }

    #[test]
    fn each_end_has_its_own_words() {
        let io = |kind: ErrorKind| Trouble::Connect(kind.into());
        let cases = [
            (io(ErrorKind::ConnectionRefused), DisconnectReason::Refused, "10.0.0.9:8554"),
            (io(ErrorKind::TimedOut), DisconnectReason::Unreachable, "does not answer"),
            (io(ErrorKind::Other), DisconnectReason::Unreachable, "the name 10.0.0.9"),
            (Trouble::Mute { after: "OPTIONS" }, DisconnectReason::Timeout, "RTSP port"),
            (Trouble::Closed { after: "PLAY" }, DisconnectReason::Eos, "ended the stream"),
            (Trouble::Closed { after: "DESCRIBE" }, DisconnectReason::Eos, "before it says anything"),
            (Trouble::Denied(Denied::Missing), DisconnectReason::Auth, "asks for a password"),
            (Trouble::Denied(Denied::Refused), DisconnectReason::Auth, "refuses the password"),
            (Trouble::Denied(Denied::Unknown("NTLM".into())), DisconnectReason::Auth, "NTLM"),
            (status(404), DisconnectReason::NotFound, "no such stream"),
            (status(453), DisconnectReason::Refused, "viewer"),
            (status(500), DisconnectReason::Error, "DESCRIBE"),
            (status(400), DisconnectReason::Error, "refuses DESCRIBE"),
            (Trouble::Nonsense, DisconnectReason::Unsupported, "does not speak RTSP"),
        ];
        for (trouble, reason, words) in cases {
            let shown = format!("{trouble:?}");
            let (found, text) = told(trouble);
            assert_eq!(found, reason, "{shown}");
            assert!(text.contains(words) && text.contains('(') && !text.contains("s3cret"), "{shown}: {text}");
        }
    }

    #[test]
    fn the_other_way_is_hinted_at() {
        assert!(failure(&Ending::NoWay { udp: true }, &plan()).to_string().contains("transport: tcp"));
        assert!(failure(&Ending::NoWay { udp: false }, &plan()).to_string().contains("transport: udp"));
    }
}
