//! A look at a camera, for people. Pure.

use std::fmt::Write;

use crate::camera::probe::{Report, Video};

/// Width of the column of names.
const NAMES: usize = 11;
/// Width of a line of the text beside it.
const LINE: usize = 96;

/// The table and, below it, what costs something.
pub(super) fn text(report: &Report) -> String {
    let mut text = format!("{}\n", report.url);
    let mut row = |name: &str, cell: Option<String>| {
        if let Some(cell) = cell.filter(|cell| !cell.is_empty()) {
            let _ = writeln!(text, "  {name:NAMES$} {}", wrap(&cell, NAMES + 3));
        }
    };
    if let Some(video) = &report.video {
        row("picture", Some(picture(video)));
        row("rate", rate(video));
        row("keyframes", Some(keyframes(video)));
        row("B-frames", Some(b_frames(video)));
    } else {
        row("offered", report.offered.clone());
    }
    row("camera", report.server.clone());
    row("login", login(report));
    row("session", session(report));
    row("transport", report.transport.map(str::to_uppercase));
    row("latency", latency(report));
    row("also there", Some(report.besides.join(", ")));
    row("watched", watched(report));
    if !report.costs.is_empty() {
        text += "\nWhat will cost something\n";
        for cost in &report.costs {
            let _ = writeln!(text, "  - {}", wrap(&cost.text, 4));
        }
    } else if report.ok {
        text += "\nNothing about it costs more than it must.\n";
    }
    text
}

/// The text with its further lines indented.
fn wrap(text: &str, indent: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().filter(|line| line.is_empty() || line.chars().count() + word.len() < LINE);
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines.join(&format!("\n{:indent$}", ""))
}

fn picture(video: &Video) -> String {
    let mut parts = vec![coding(video)];
    if let Some((width, height)) = video.width.zip(video.height) {
        parts.push(format!("{width}x{height}"));
        if let Some([w, h]) = video.shown.filter(|shown| *shown != [width, height]) {
            let aspect = video.pixel_aspect.as_deref().unwrap_or("1:1");
            parts.push(format!("shown as {w}x{h} (pixels {aspect})"));
        }
    }
    if let Some(interlaced) = video.interlaced {
        parts.push(if interlaced { "interlaced" } else { "progressive" }.to_owned());
    }
    let depth = video.bit_depth.map(|depth| format!("{depth} bit"));
    parts.extend([video.chroma.clone(), depth].into_iter().flatten());
    parts.extend(video.range.map(|range| format!("{range} range")));
    parts.extend(video.matrix.map(|matrix| matrix.replace("bt", "BT.")));
    if video.rotation > 0 {
        parts.push(format!("turned by {}°", video.rotation));
    }
    parts.join(", ")
}

fn coding(video: &Video) -> String {
    let name = match video.codec.as_str() {
        "h264" => "H.264",
        "h265" => "H.265",
        "mjpeg" => "Motion JPEG",
        "raw" => "uncoded",
        other => other,
    };
    [Some(name), video.profile.as_deref(), video.level.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn rate(video: &Video) -> Option<String> {
    let mut text = format!("{:.1}/s", video.rate?);
    if let Some(announced) = video.announced_rate {
        let _ = write!(text, " (announced {announced:.1})");
    }
    if let Some(kbps) = video.bitrate_kbps {
        let _ = if kbps >= 1000.0 {
            write!(text, ", {:.1} Mbit/s", kbps / 1000.0)
        } else {
            write!(text, ", {kbps:.0} kbit/s")
        };
    }
    Some(text)
}

fn keyframes(video: &Video) -> String {
    match (video.keyframe_distance_s, video.keyframe_distance_pictures) {
        (Some(_), Some(1)) => "every picture".to_owned(),
        (Some(seconds), Some(pictures)) => format!("every {seconds:.1} s ({pictures} pictures)"),
        _ if video.keyframes == 0 => "none came".to_owned(),
        _ => "one came".to_owned(),
    }
}

fn b_frames(video: &Video) -> String {
    match video.reordered {
        0 => "none".to_owned(),
        1 => "yes: a picture waits for one other".to_owned(),
        more => format!("yes: a picture waits for up to {more} others"),
    }
}

fn login(report: &Report) -> Option<String> {
    let login = report.login.as_ref()?;
    let algorithm = login.algorithm.map(|algorithm| format!(" ({algorithm})")).unwrap_or_default();
    Some(format!("{}{algorithm}", login.kind))
}

fn session(report: &Report) -> Option<String> {
    let session = report.session.as_ref()?;
    let timeout = session.timeout_s.map_or("no timeout told".to_owned(), |seconds| format!("timeout {seconds:.0} s"));
    Some(format!("{timeout}, kept alive by {}", session.keep_alive))
}

fn latency(report: &Report) -> Option<String> {
    let timing = &report.timing;
    let parts = [
        (timing.describe_ms, "to answer DESCRIBE"),
        (timing.first_packet_ms, "to the first data"),
        (timing.first_picture_ms, "to the first picture"),
    ];
    let parts: Vec<_> = parts.iter().filter_map(|(ms, what)| Some(format!("{} ms {what}", (*ms)?))).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn watched(report: &Report) -> Option<String> {
    let pictures = &report.pictures;
    if pictures.received == 0 && report.packets.is_none() {
        return None;
    }
    let mut text = format!(
        "{:.1} s: {} pictures received, {} decoded",
        report.timing.watched_s, pictures.received, pictures.decoded
    );
    for (reason, count) in &pictures.dropped {
        let why = match *reason {
            "gate" => "before a keyframe or after a loss",
            "late" => "too late",
            "decoder" => "that the decoder gave nothing of",
            other => other,
        };
        let _ = write!(text, ", {count} {why}");
    }
    if let Some(packets) = &report.packets {
        let _ = write!(text, "; {} packets, {} lost", packets.received, packets.lost);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::probe::{Cost, Login, Packets, Pictures, SessionTerms, Timing};

    #[test]
    fn a_camera_reads_well() {
        let video = Video {
            codec: "h264".into(),
            profile: Some("high".into()),
            level: Some("4".into()),
            width: Some(720),
            height: Some(576),
            pixel_aspect: Some("16:11".into()),
            shown: Some([1047, 576]),
            interlaced: Some(false),
            chroma: Some("4:2:0".into()),
            bit_depth: Some(8),
            range: Some("limited"),
            matrix: Some("bt601"),
            announced_rate: Some(25.0),
            rate: Some(24.96),
            bitrate_kbps: Some(3210.0),
            keyframe_distance_s: Some(2.0),
            keyframe_distance_pictures: Some(50),
            reordered: 3,
            ..Video::default()
        };
        let report = Report {
            url: "rtsp://10.0.0.21/1".into(),
            ok: true,
            server: Some("GStreamer RTSP server".into()),
            transport: Some("tcp"),
            login: Some(Login { kind: "digest", algorithm: Some("MD5"), encrypted: false }),
            session: Some(SessionTerms { timeout_s: Some(60.0), keep_alive: "GET_PARAMETER" }),
            video: Some(video),
            besides: vec!["audio".into(), "application".into()],
            pictures: Pictures { received: 250, decoded: 248, dropped: [("gate", 2)].into() },
            packets: Some(Packets { received: 3012, ..Packets::default() }),
            timing: Timing {
                describe_ms: Some(12),
                first_packet_ms: Some(80),
                first_picture_ms: Some(310),
                watched_s: 10.0,
            },
            costs: vec![Cost { kind: "b_frames", text: "B-frames".into() }],
            ..Report::default()
        };
        let wanted = "\
rtsp://10.0.0.21/1
  picture     H.264 high 4, 720x576, shown as 1047x576 (pixels 16:11), progressive, 4:2:0, 8 bit, limited
              range, BT.601
  rate        25.0/s (announced 25.0), 3.2 Mbit/s
  keyframes   every 2.0 s (50 pictures)
  B-frames    yes: a picture waits for up to 3 others
  camera      GStreamer RTSP server
  login       digest (MD5)
  session     timeout 60 s, kept alive by GET_PARAMETER
  transport   TCP
  latency     12 ms to answer DESCRIBE, 80 ms to the first data, 310 ms to the first picture
  also there  audio, application
  watched     10.0 s: 250 pictures received, 248 decoded, 2 before a keyframe or after a loss; 3012 packets, 0
              lost

What will cost something
  - B-frames
";
        assert_eq!(text(&report), wanted);
    }

    #[test]
    fn what_is_not_known_has_no_row() {
        let report = Report { url: "rtsp://10.0.0.21/1".into(), ..Report::default() };
        assert_eq!(text(&report), "rtsp://10.0.0.21/1\n");
    }
}
