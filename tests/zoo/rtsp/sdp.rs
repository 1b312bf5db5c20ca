//! The description of a stream.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::options::{Base, Control, Options, Other, Sets};
use super::packets::VIDEO;
use crate::zoo::coded::{Codec, Coded};

/// Parameter sets of a stream that is not sent.
const WRONG_SETS: &str = "Z0IAH5WoPASaEAAAcIAAFfkIQA==,aM48gA==";

/// Number of the video among the tracks, from 1.
pub fn video_track(options: &Options) -> u8 {
    options.sdp.before.len() as u8 + 1
}

/// `Content-Base` or what stands for it, as header lines.
pub fn base(options: &Options, url: &str) -> Vec<String> {
    let bare = url.trim_end_matches('/');
    match options.sdp.base {
        Base::Slash => vec![format!("Content-Base: {bare}/")],
        Base::NoSlash => vec![format!("Content-Base: {bare}")],
        Base::Absent => Vec::new(),
        Base::Relative => vec!["Content-Base: /stream/".into()],
        Base::WrongHost => vec!["Content-Base: rtsp://192.168.1.108:554/stream/".into()],
        Base::Empty => vec!["Content-Base: ".into()],
        Base::Location => vec![format!("Content-Location: {bare}/")],
    }
}

/// The whole text. `url`: as it was asked for.
pub fn describe(options: &Options, coded: &Coded, url: &str) -> String {
    let bare = url.trim_end_matches('/');
    let mut lines: Vec<String> =
        ["v=0", "o=- 1109162014219182 0 IN IP4 0.0.0.0", "s=Fake camera", "e=NONE", "c=IN IP4 0.0.0.0", "t=0 0"]
            .map(str::to_owned)
            .into();
    match options.sdp.control {
        Control::Relative => lines.push("a=control:*".into()),
        Control::Absolute => lines.push(format!("a=control:{bare}/")),
        Control::Absent | Control::NoSession | Control::WithQuery | Control::RootedPath => {}
    }
    lines.push("a=range:npt=now-".into());
    let mut track = 0;
    let mut next = || {
        track += 1;
        control(options, bare, track)
    };
    for kind in options.sdp.before {
        lines.extend(other(*kind, coded, next()));
    }
    if !options.sdp.no_video {
        lines.extend(video(options, coded, VIDEO, next()));
    }
    for kind in options.sdp.after {
        lines.extend(other(*kind, coded, next()));
    }
    lines.push("a=appversion:1.0".into());
    let end = if options.sdp.lf { "\n" } else { "\r\n" };
    lines.retain(|line| !line.is_empty());
    lines.iter().map(|line| format!("{line}{end}")).collect()
}

fn control(options: &Options, url: &str, track: u8) -> String {
    match options.sdp.control {
        Control::Relative | Control::NoSession => format!("a=control:trackID={track}"),
        Control::Absolute => format!("a=control:{url}/trackID={track}"),
        Control::Absent => String::new(),
        Control::WithQuery => {
            let (path, query) = url.split_once('?').unwrap_or((url, ""));
            format!("a=control:{path}/trackID={track}?{query}")
        }
        Control::RootedPath => format!("a=control:/stream/trackID={track}"),
    }
}

fn video(options: &Options, coded: &Coded, kind: u8, control: String) -> Vec<String> {
    let mut lines = vec![format!("m=video 0 RTP/AVP {kind}"), "b=AS:2048".into()];
    let sets: Vec<String> = coded.sets.iter().map(|set| BASE64.encode(set)).collect();
    if options.sdp.unknown_codec {
        lines.extend([format!("a=rtpmap:{kind} X-ACME-ZIP/90000"), control]);
        return lines;
    }
    match coded.recipe.codec {
        Codec::H264 => {
            let sprop = match options.sdp.sets {
                Sets::Both | Sets::InDescription => format!(";sprop-parameter-sets={},{}", sets[0], sets[1]),
                Sets::InBand => String::new(),
                Sets::HalfInDescription => format!(";sprop-parameter-sets={},", sets[0]),
                Sets::EmptyInDescription => ";sprop-parameter-sets=".into(),
                Sets::WrongInDescription => format!(";sprop-parameter-sets={WRONG_SETS}"),
            };
            lines.push(format!("a=rtpmap:{kind} H264/90000"));
            let profile: String = coded.sets[0][1..4].iter().map(|byte| format!("{byte:02X}")).collect();
            lines.push(format!("a=fmtp:{kind} profile-level-id={profile};packetization-mode=1{sprop}"));
        }
        Codec::Hevc => {
            lines.push(format!("a=rtpmap:{kind} H265/90000"));
            match options.sdp.sets {
                Sets::InBand => {}
                Sets::EmptyInDescription => lines.push(format!("a=fmtp:{kind} sprop-vps=; sprop-sps=; sprop-pps=")),
                _ => lines
                    .push(format!("a=fmtp:{kind} sprop-vps={}; sprop-sps={}; sprop-pps={}", sets[0], sets[1], sets[2])),
            }
        }
    }
    if options.sdp.lies {
        lines.extend(["a=x-dimensions:3840,2160", "a=framesize:96 3840-2160", "a=framerate:60.0"].map(str::to_owned));
    }
    lines.extend([control, "a=recvonly".into()]);
    lines
}

fn other(kind: Other, coded: &Coded, control: String) -> Vec<String> {
    let lines: &[&str] = match kind {
        Other::Video => return video(&Options::default(), coded, VIDEO + 1, control),
        Other::Audio => &["m=audio 0 RTP/AVP 8", "a=rtpmap:8 PCMA/8000", "a=recvonly"],
        Other::BackChannel => &["m=audio 0 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "a=sendonly"],
        Other::Metadata => &[
            "m=application 0 RTP/AVP 107",
            "a=rtpmap:107 vnd.onvif.metadata/90000",
            "a=fmtp:107 DecoderTag=h3c-v3 RTCP=0",
            "a=recvonly",
        ],
    };
    lines.iter().map(|line| (*line).to_owned()).chain([control]).collect()
}
