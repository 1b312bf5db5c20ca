//! What of a camera will cost something, in one sentence each. Pure.

use schemars::JsonSchema;
use serde::Serialize;

use super::report::{Report, Video};

/// Seconds between keyframes that nobody minds.
const KEYFRAMES_S: f64 = 4.0;
/// How far the rate may be from the announced one, as a share.
const RATE: f64 = 0.2;
/// How far pixels may be from square, as a share: less is a rounding of the size.
const SQUARE: f64 = 0.01;
/// Pixels of a picture that costs no more than others: 1920x1088.
const PIXELS: u64 = 1920 * 1088;
/// Milliseconds to an answer, and to a first picture, that nobody minds.
const ANSWER_MS: u64 = 2000;
const FIRST_PICTURE_MS: u64 = 5000;
/// Seconds that a look must have lasted for figures per second to mean something.
const LOOK_S: f64 = 2.0;

/// One thing that costs something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ProbeCost")]
pub struct Cost {
    /// A word for programs, always the same for the same thing.
    pub kind: &'static str,
    /// A sentence for people.
    pub text: String,
}

/// All that costs something, the dearest first.
pub(super) fn of(report: &Report) -> Vec<Cost> {
    let mut costs = Vec::new();
    let mut add = |kind, text: Option<String>| costs.extend(text.map(|text| Cost { kind, text }));
    add("packets_lost", packets_lost(report));
    add("not_decoded", not_decoded(report));
    if let Some(video) = &report.video {
        add("b_frames", b_frames(video));
        add("keyframes", keyframes(video, report.timing.watched_s));
        add("rate", rate(video, report.timing.watched_s));
        add("clock", clock(video));
        add("codec", codec(video));
        add("size", size(video));
        add("chroma", chroma(video));
        add("interlaced", interlaced(video));
        add("pixel_aspect", pixel_aspect(video));
        add(
            "rotation",
            (video.rotation > 0).then(|| format!("turned by {}°: it is set upright first", video.rotation)),
        );
        add("changes", changes(video));
    }
    add("numbering", numbering(report));
    add("udp", udp(report));
    add("slow", slow(report));
    add("session_timeout", session_timeout(report));
    add("login", login(report));
    costs
}

fn packets_lost(report: &Report) -> Option<String> {
    let packets = report.packets.as_ref().filter(|packets| packets.lost > 0)?;
    let share = packets.lost as f64 * 100.0 / (packets.lost + packets.received) as f64;
    let why = match report.transport {
        Some("udp") => "the network loses them: try transport: tcp",
        _ => "over TCP none gets lost on the way: the camera leaves them out, it or its network is overloaded",
    };
    let lost = if packets.lost == 1 { "1 packet".to_owned() } else { format!("{} packets", packets.lost) };
    Some(format!("{lost} lost ({share:.2} %): {why}"))
}

fn not_decoded(report: &Report) -> Option<String> {
    // Before the first keyframe pictures are kept from the decoder on every connection.
    let lost: u64 =
        report.pictures.dropped.iter().filter(|(reason, _)| **reason != "gate").map(|(_, count)| count).sum();
    let all = report.pictures.received;
    (lost > 0).then(|| format!("{lost} of {all} pictures could not be decoded"))
}

fn b_frames(video: &Video) -> Option<String> {
    let delay = video.reordered as f64 * 1000.0 / video.rate?;
    let others = if video.reordered == 1 { "one other" } else { &format!("up to {} others", video.reordered) };
    (video.reordered > 0)
        .then(|| format!("B-frames: each picture waits for {others}: +{delay:.0} ms; many cameras can send without"))
}

fn keyframes(video: &Video, watched: f64) -> Option<String> {
    let meaning = "a newcomer waits up to so long, and a loss costs all pictures until the next";
    match video.keyframe_distance_s {
        Some(seconds) if seconds > KEYFRAMES_S => Some(format!("keyframes {seconds:.1} s apart: {meaning}")),
        Some(_) => None,
        None if video.keyframes == 0 && watched > LOOK_S => {
            Some("no keyframe at all: joining takes 6 s, and a loss shows for a while; have it send some".to_owned())
        }
        None if watched > KEYFRAMES_S => Some(format!("keyframes more than {watched:.0} s apart: {meaning}")),
        None => None,
    }
}

fn rate(video: &Video, watched: f64) -> Option<String> {
    let (announced, rate) = video.announced_rate.zip(video.rate)?;
    let off = watched >= LOOK_S && (rate - announced).abs() > announced * RATE;
    off.then(|| format!("announced {announced:.0}/s, sends {rate:.1}/s"))
}

fn clock(video: &Video) -> Option<String> {
    let (clock, rate) = video.wrong_clock.zip(video.rate)?;
    Some(format!("its clock is wrong: by its timestamps {clock:.1} pictures/s, {rate:.1} come"))
}

fn codec(video: &Video) -> Option<String> {
    match video.codec.as_str() {
        "h265" => Some("H.265: decoding it costs about twice the CPU of H.264, where no hardware does it".to_owned()),
        "mjpeg" => {
            let sent = video.bitrate_kbps.map(|kbps| format!(" ({:.1} Mbit/s)", kbps / 1000.0)).unwrap_or_default();
            Some(format!("Motion JPEG: each picture is whole{sent}; H.264 needs a small part of that"))
        }
        "raw" => Some("uncoded pictures: the whole of each goes over the bus".to_owned()),
        _ => None,
    }
}

fn size(video: &Video) -> Option<String> {
    let (width, height) = video.width.zip(video.height)?;
    let pixels = u64::from(width) * u64::from(height);
    (pixels > PIXELS).then(|| {
        let times = pixels as f64 / (1920.0 * 1080.0);
        format!("{width}x{height}: {times:.1} times the decoding of 1920x1080; has it a smaller stream, too?")
    })
}

fn chroma(video: &Video) -> Option<String> {
    let chroma = video.chroma.as_deref().filter(|chroma| matches!(*chroma, "4:2:2" | "4:4:4" | "4:1:1"));
    // Cheap cameras send JPEG so; it is converted either way.
    let deep = video.bit_depth.filter(|depth| *depth > 8);
    let what = match (chroma, deep) {
        (None, None) => return None,
        (Some(chroma), None) => chroma.to_owned(),
        (None, Some(depth)) => format!("{depth} bit"),
        (Some(chroma), Some(depth)) => format!("{chroma} and {depth} bit"),
    };
    Some(format!("{what}: decoded in software, and each picture is converted"))
}

fn interlaced(video: &Video) -> Option<String> {
    video.interlaced?.then(|| "interlaced: moving faces are combed; a progressive stream is better".to_owned())
}

fn pixel_aspect(video: &Video) -> Option<String> {
    let aspect = video.pixel_aspect.as_deref().filter(|aspect| *aspect != "1:1")?;
    let [width, height] = video.shown?;
    let (sent, shown) = (video.width?, if video.rotation % 180 == 90 { height } else { width });
    if f64::from(sent.abs_diff(shown)) <= f64::from(sent) * SQUARE {
        return None;
    }
    Some(format!("pixels are not square ({aspect}): shown as {width}x{height}, each picture is scaled"))
}

fn changes(video: &Video) -> Option<String> {
    (video.changes > 0).then(|| {
        format!("the picture's form changed in mid-stream ({} times): the output begins anew each time", video.changes)
    })
}

fn numbering(report: &Report) -> Option<String> {
    let packets = report.packets.as_ref()?;
    let told = [
        (packets.repeated, "came again"),
        (packets.foreign, "belong to nothing that was asked for"),
        (packets.restarts, "begin a new count"),
    ];
    let told: Vec<_> =
        told.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    (!told.is_empty())
        .then(|| format!("its packets are numbered carelessly: {}; they are put in order", told.join(", ")))
}

fn udp(report: &Report) -> Option<String> {
    report
        .udp_in_vain
        .then(|| "nothing comes by UDP: each new connection tries it first; write transport: tcp".to_owned())
}

fn slow(report: &Report) -> Option<String> {
    let timing = &report.timing;
    if let Some(ms) = timing.describe_ms.filter(|ms| *ms > ANSWER_MS) {
        return Some(format!("it thinks for {:.1} s before it answers, on each connection", ms as f64 / 1000.0));
    }
    let ms = timing.first_picture_ms.filter(|ms| *ms > FIRST_PICTURE_MS)?;
    Some(format!("the first picture comes after {:.1} s, on each connection", ms as f64 / 1000.0))
}

fn session_timeout(report: &Report) -> Option<String> {
    let silent = report.session.as_ref()?.timeout_s.is_none();
    silent.then(|| "no session timeout told: 60 s are supposed; one that is shorter ends the stream".to_owned())
}

fn login(report: &Report) -> Option<String> {
    let login = report.login.as_ref()?;
    (login.kind == "basic" && !login.encrypted)
        .then(|| "login basic: the password crosses the network in clear; choose digest or rtsps".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::report::{Login, Packets, Pictures, SessionTerms, Timing};
    use super::*;

    fn plain() -> Report {
        let video = Video {
            codec: "h264".into(),
            width: Some(1920),
            height: Some(1080),
            pixel_aspect: Some("1:1".into()),
            shown: Some([1920, 1080]),
            interlaced: Some(false),
            chroma: Some("4:2:0".into()),
            bit_depth: Some(8),
            announced_rate: Some(25.0),
            rate: Some(24.9),
            bitrate_kbps: Some(4000.0),
            keyframes: 5,
            keyframe_distance_s: Some(2.0),
            keyframe_distance_pictures: Some(50),
            ..Video::default()
        };
        Report {
            transport: Some("tcp"),
            login: Some(Login { kind: "digest", algorithm: Some("MD5"), encrypted: false }),
            session: Some(SessionTerms { timeout_s: Some(60.0), keep_alive: "GET_PARAMETER" }),
            video: Some(video),
            pictures: Pictures { received: 250, decoded: 248, dropped: [("gate", 2)].into() },
            packets: Some(Packets { received: 3000, ..Packets::default() }),
            timing: Timing { describe_ms: Some(10), watched_s: 10.0, ..Timing::default() },
            ..Report::default()
        }
    }

    fn video(change: impl FnOnce(&mut Video)) -> Report {
        let mut report = plain();
        change(report.video.as_mut().unwrap());
        report
    }

    fn packets(change: impl FnOnce(&mut Packets)) -> Report {
        let mut report = plain();
        change(report.packets.as_mut().unwrap());
        report
    }

    #[test]
    fn a_plain_camera_costs_nothing() {
        assert_eq!(of(&plain()), []);
        assert_eq!(of(&Report::default()), [], "nothing is known");
    }

    #[test]
    fn each_oddity_has_its_sentence_and_no_other() {
        let cases: Vec<(Report, &str, &str)> = vec![
            (video(|v| v.reordered = 3), "b_frames", "up to 3 others: +120 ms"),
            (video(|v| v.reordered = 1), "b_frames", "one other: +40 ms"),
            (video(|v| v.keyframe_distance_s = Some(40.0)), "keyframes", "keyframes 40.0 s apart"),
            (video(|v| (v.keyframes, v.keyframe_distance_s) = (1, None)), "keyframes", "more than 10 s apart"),
            (video(|v| (v.keyframes, v.keyframe_distance_s) = (0, None)), "keyframes", "no keyframe at all"),
            (video(|v| (v.announced_rate, v.rate) = (Some(60.0), Some(15.0))), "rate", "announced 60/s, sends 15.0/s"),
            (video(|v| v.wrong_clock = Some(6.2)), "clock", "6.2 pictures/s, 24.9 come"),
            (video(|v| v.codec = "h265".into()), "codec", "twice the CPU"),
            (video(|v| v.codec = "mjpeg".into()), "codec", "(4.0 Mbit/s)"),
            (video(|v| (v.width, v.height) = (Some(3840), Some(2160))), "size", "4.0 times"),
            (video(|v| v.chroma = Some("4:2:2".into())), "chroma", "4:2:2: decoded in software"),
            (video(|v| v.bit_depth = Some(10)), "chroma", "10 bit: decoded"),
            (video(|v| v.interlaced = Some(true)), "interlaced", "combed"),
            (
                video(|v| (v.pixel_aspect, v.shown) = (Some("16:11".into()), Some([2793, 1080]))),
                "pixel_aspect",
                "(16:11): shown as 2793x1080",
            ),
            (video(|v| v.rotation = 90), "rotation", "turned by 90°"),
            (video(|v| v.changes = 2), "changes", "(2 times)"),
            (packets(|p| p.lost = 30), "packets_lost", "30 packets lost (0.99 %): over TCP"),
            (packets(|p| p.repeated = 3000), "numbering", "3000 came again"),
            (Report { transport: Some("udp"), ..packets(|p| p.lost = 30) }, "packets_lost", "try transport: tcp"),
            (Report { udp_in_vain: true, ..plain() }, "udp", "transport: tcp"),
            (
                Report { session: Some(SessionTerms { timeout_s: None, keep_alive: "OPTIONS" }), ..plain() },
                "session_timeout",
                "60 s are supposed",
            ),
            (
                Report { login: Some(Login { kind: "basic", algorithm: None, encrypted: false }), ..plain() },
                "login",
                "in clear",
            ),
            (Report { timing: Timing { describe_ms: Some(8000), ..plain().timing }, ..plain() }, "slow", "8.0 s"),
            (
                Report {
                    pictures: Pictures { received: 250, decoded: 240, dropped: [("decoder", 10)].into() },
                    ..plain()
                },
                "not_decoded",
                "10 of 250",
            ),
        ];
        for (report, kind, words) in cases {
            let costs = of(&report);
            assert!(costs.len() == 1 && costs[0].kind == kind, "{kind}: {costs:?}");
            assert!(costs[0].text.contains(words), "{kind}: {costs:?}");
        }
        let encrypted = Login { kind: "basic", algorithm: None, encrypted: true };
        assert_eq!(of(&Report { login: Some(encrypted), ..plain() }), []);
    }

    #[test]
    fn a_rounding_of_the_size_is_no_other_shape() {
        let report = video(|v| (v.pixel_aspect, v.shown) = (Some("640:639".into()), Some([1923, 1080])));
        assert_eq!(of(&report), []);
    }

    #[test]
    fn a_short_look_says_nothing_of_what_takes_time() {
        let mut report = video(|v| (v.keyframes, v.keyframe_distance_s, v.rate) = (1, None, Some(15.0)));
        report.timing.watched_s = 1.0;
        assert_eq!(of(&report), []);
    }
}
