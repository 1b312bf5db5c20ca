//! The values that bounded labels take. Anything else would be a new series for every fault of the world.

/// Why a camera's connection ended or did not come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DisconnectReason {
    /// The host answers, the port does not.
    Refused,
    /// No route, no such host, no answer.
    Unreachable,
    /// Credentials are missing or wrong.
    Auth,
    /// The server has no such stream; the file or the device is not there.
    NotFound,
    /// Connected, but no decoded frame for too long.
    Timeout,
    /// The camera ended the stream.
    Eos,
    /// What it sends cannot be decoded.
    Decode,
    /// No decoder or no protocol for it.
    Unsupported,
    /// Anything else.
    Error,
}

impl DisconnectReason {
    /// All of them: exported at 0 from the start.
    pub const ALL: [Self; 9] = [
        Self::Refused,
        Self::Unreachable,
        Self::Auth,
        Self::NotFound,
        Self::Timeout,
        Self::Eos,
        Self::Decode,
        Self::Unsupported,
        Self::Error,
    ];

    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Auth => "auth",
            Self::NotFound => "not_found",
            Self::Timeout => "timeout",
            Self::Eos => "eos",
            Self::Decode => "decode",
            Self::Unsupported => "unsupported",
            Self::Error => "error",
        }
    }
}

/// Why a coded picture was not decoded. `received = decoded + these + in flight`, at every moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PictureLoss {
    /// It needs pictures that are missing, or is incomplete itself: after a loss, or before the first keyframe.
    Gate,
    /// The decoder could not keep up.
    Late,
    /// The decoder made nothing of it.
    Decoder,
    /// The connection ended while it was in the decoder.
    Ended,
    /// The source sent so little of it that nothing can be shown.
    Broken,
}

impl PictureLoss {
    /// All of them: exported at 0 from the start.
    pub const ALL: [Self; 5] = [Self::Gate, Self::Late, Self::Decoder, Self::Ended, Self::Broken];

    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::Late => "late",
            Self::Decoder => "decoder",
            Self::Ended => "ended",
            Self::Broken => "broken",
        }
    }
}

/// Why too little of what a camera sends, or says that it sends, comes out decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DegradedReason {
    /// Packets do not arrive: their pictures, and those that build upon them, are missing.
    Loss,
    /// This machine's decoder cannot keep up.
    Late,
    /// The decoder makes nothing of them.
    Decoder,
    /// The camera sends less than it announces.
    Rate,
}

impl DegradedReason {
    /// All of them: exported at 0 from the start.
    pub const ALL: [Self; 4] = [Self::Loss, Self::Late, Self::Decoder, Self::Rate];

    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Late => "late",
            Self::Decoder => "decoder",
            Self::Rate => "rate",
        }
    }
}

/// Why a decoded frame did not get as far as it should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FrameDrop {
    /// A newer frame took its place before it was analysed.
    Superseded,
    /// The camera was flushed.
    Flushed,
    /// The camera or the engine stopped.
    Stopped,
    /// The analysis failed.
    Failed,
    /// The element had no room for another frame under analysis.
    Overload,
    /// A viewer's or an encoder's queue was full.
    Output,
    /// What analyses the camera's frames was busy with others.
    Queue,
}

impl FrameDrop {
    /// All of them: exported at 0 from the start.
    pub const ALL: [Self; 7] =
        [Self::Superseded, Self::Flushed, Self::Stopped, Self::Failed, Self::Overload, Self::Output, Self::Queue];

    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Superseded => "superseded",
            Self::Flushed => "flushed",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Overload => "overload",
            Self::Output => "output",
            Self::Queue => "queue",
        }
    }

    /// The reason that `maskinfer` names in its messages; an unknown one counts as failed.
    pub fn from_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name).unwrap_or(Self::Failed)
    }
}
