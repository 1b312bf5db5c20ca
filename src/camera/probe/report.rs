//! What a look at a camera found, in the form in which it is told: the fields' names are those of the JSON.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::costs::Cost;
use crate::camera::failure::Failure;

/// All of it. What is not known is `null`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "ProbeReport")]
pub struct Report {
    /// Without what may be secret in it.
    pub url: String,
    /// Pictures came and could be decoded, to the end of the look.
    pub ok: bool,
    /// Why not: the same as `run` logs of that camera.
    #[serde(serialize_with = "error")]
    #[schemars(with = "Option<Told>")]
    pub error: Option<Failure>,
    /// `tcp` or `udp`, with RTSP.
    pub transport: Option<&'static str>,
    /// UDP was tried first, and nothing came by it.
    pub udp_in_vain: bool,
    /// How the camera calls itself.
    pub server: Option<String>,
    /// How it asks for a password, with RTSP.
    pub login: Option<Login>,
    /// The session, with RTSP.
    pub session: Option<SessionTerms>,
    /// Name of the coding that it offers, as RTSP has it: `H264`.
    pub offered: Option<String>,
    /// The stream of pictures; `None`: none came.
    pub video: Option<Video>,
    /// What else is there: `audio`, `application` (metadata), `video` (another one), `text`.
    pub besides: Vec<String>,
    /// Coded pictures.
    pub pictures: Pictures,
    /// RTP packets, with RTSP.
    pub packets: Option<Packets>,
    /// How long things took.
    pub timing: Timing,
    /// What of it will cost something.
    pub costs: Vec<Cost>,
}

/// How a camera asks for a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ProbeLogin")]
pub struct Login {
    /// `none`, `basic` or `digest`.
    pub kind: &'static str,
    /// With `digest`: `MD5`, `SHA-256` or `SHA-512-256`.
    pub algorithm: Option<&'static str>,
    /// The connection is encrypted.
    pub encrypted: bool,
}

/// An RTSP session.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "ProbeSession")]
pub struct SessionTerms {
    /// Seconds after which the camera forgets a client that is silent; `None`: it names none.
    pub timeout_s: Option<f64>,
    /// The request that keeps it alive.
    pub keep_alive: &'static str,
}

/// A stream of pictures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "ProbeVideo")]
pub struct Video {
    /// `h264`, `h265`, `mjpeg`, `mpeg4`, `mpeg2`, `vp8`, `vp9`, `av1`, `raw` or another coding's name.
    pub codec: String,
    /// Such as `high` or `main-10`.
    pub profile: Option<String>,
    /// Such as `4.1`.
    pub level: Option<String>,
    /// Pixels.
    pub width: Option<u32>,
    /// Pixels.
    pub height: Option<u32>,
    /// Width of a pixel by its height, such as `16:11`.
    pub pixel_aspect: Option<String>,
    /// Size as it is to be shown.
    pub shown: Option<[u32; 2]>,
    /// Degrees by which it has to be turned clockwise to stand upright.
    pub rotation: u32,
    /// Each picture has two halves of different times.
    pub interlaced: Option<bool>,
    /// `4:2:0`, `4:2:2`, `4:4:4` or `4:0:0`.
    pub chroma: Option<String>,
    /// Bits of a sample.
    pub bit_depth: Option<u32>,
    /// `full` or `limited`.
    pub range: Option<&'static str>,
    /// `bt601`, `bt709` or `bt2020`.
    pub matrix: Option<&'static str>,
    /// Times that size or coding changed.
    pub changes: u32,
    /// Pictures per second, as announced.
    pub announced_rate: Option<f64>,
    /// Pictures per second that came.
    pub rate: Option<f64>,
    /// Pictures per second by the camera's clock, where that goes wrong.
    pub wrong_clock: Option<f64>,
    /// Thousand bits per second.
    pub bitrate_kbps: Option<f64>,
    /// Pictures that need no other.
    pub keyframes: u64,
    /// Seconds from one to the next, the longest; `None`: no second one came.
    pub keyframe_distance_s: Option<f64>,
    /// The same in pictures.
    pub keyframe_distance_pictures: Option<u64>,
    /// Pictures that each one is sent after and shown before, at most; more than 0: the camera sends B-frames.
    pub reordered: usize,
}

/// Counts of coded pictures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ProbePictures")]
pub struct Pictures {
    /// Came.
    pub received: u64,
    /// Were decoded.
    pub decoded: u64,
    /// Were not, by reason, as in `maskwatch_frames_dropped_total`. What is left is in the decoder.
    pub dropped: BTreeMap<&'static str, u64>,
}

/// Counts of RTP packets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ProbePackets")]
pub struct Packets {
    /// Came.
    pub received: u64,
    /// Are missing, by their numbers.
    pub lost: u64,
    /// Came again.
    pub repeated: u64,
    /// Belong to nothing that was asked for.
    pub foreign: u64,
    /// Times that the count began anew.
    pub restarts: u64,
}

/// How long things took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "ProbeTiming")]
pub struct Timing {
    /// From the question for the stream to the answer, with RTSP.
    pub describe_ms: Option<u64>,
    /// From the start to the first data.
    pub first_packet_ms: Option<u64>,
    /// From the start to the first decoded picture.
    pub first_picture_ms: Option<u64>,
    /// Seconds that pictures were looked at.
    pub watched_s: f64,
}

fn error<S: Serializer>(failure: &Option<Failure>, serializer: S) -> Result<S::Ok, S::Error> {
    let told = failure.as_ref().map(|failure| Told {
        reason: failure.reason.as_str(),
        cause: failure.cause.clone(),
        hint: failure.hint.to_string(),
    });
    told.serialize(serializer)
}

/// Why no picture comes
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ProbeError")]
struct Told {
    /// The label of maskwatch_camera_disconnects_total
    reason: &'static str,
    /// What happened
    cause: String,
    /// What to look at
    hint: String,
}
