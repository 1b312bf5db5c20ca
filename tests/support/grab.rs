//! What comes out of a stream or a file, read by ffprobe and ffmpeg.

use std::process::Command;
use std::time::Duration;

use image::RgbImage;

use super::process::{run, run_well};

/// The video stream as ffprobe sees it.
#[derive(Clone, Debug)]
pub struct Probe {
    /// As ffprobe names it: `h264`, `hevc`, `mjpeg`.
    pub codec: String,
    pub width: u32,
    pub height: u32,
    /// Average frame rate; 0 when not known.
    pub fps: f64,
}

/// One packet.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    /// Seconds.
    pub pts: f64,
    pub key: bool,
}

/// What ffprobe says of the first video stream of a file or an RTSP URL (`transport`: `tcp` or `udp`).
#[track_caller]
pub fn probe(url: &str, transport: &str, limit: Duration) -> Probe {
    let mut command = ffprobe(url, transport);
    command.args(["-show_entries", "stream=codec_name,width,height,avg_frame_rate", url]);
    let answer: serde_json::Value = serde_json::from_slice(&run_well(&mut command, limit)).unwrap();
    let stream = &answer["streams"][0];
    assert!(stream.is_object(), "no video stream in {url}: {answer}");
    let rate = stream["avg_frame_rate"].as_str().unwrap_or("0/0").split_once('/').unwrap();
    let (above, below): (f64, f64) = (rate.0.parse().unwrap(), rate.1.parse().unwrap());
    Probe {
        codec: stream["codec_name"].as_str().unwrap_or_default().into(),
        width: stream["width"].as_u64().unwrap_or_default() as u32,
        height: stream["height"].as_u64().unwrap_or_default() as u32,
        fps: if below > 0.0 { above / below } else { 0.0 },
    }
}

/// The first `count` packets of the video stream, in the order in which they come, less those without a time (ffmpeg
/// knows none before the first RTCP report).
#[track_caller]
pub fn packets(url: &str, transport: &str, count: u32, limit: Duration) -> Vec<Packet> {
    let mut command = ffprobe(url, transport);
    command.args(["-show_entries", "packet=pts_time,flags", "-read_intervals", &format!("%+#{count}"), url]);
    let answer: serde_json::Value = serde_json::from_slice(&run_well(&mut command, limit)).unwrap();
    let packets = answer["packets"].as_array().cloned().unwrap_or_default();
    let packet = |value: &serde_json::Value| {
        let pts = value["pts_time"].as_str().and_then(|text| text.parse().ok());
        Some(Packet { pts: pts?, key: value["flags"].as_str().is_some_and(|flags| flags.starts_with('K')) })
    };
    packets.iter().filter_map(packet).collect()
}

/// Whether a keyframe is among the first `count` packets that a new client gets.
#[track_caller]
pub fn key_within(url: &str, transport: &str, count: u32, limit: Duration) -> bool {
    let mut command = ffprobe(url, transport);
    command.args(["-show_entries", "packet=flags", "-read_intervals", &format!("%+#{count}"), url]);
    let answer: serde_json::Value = serde_json::from_slice(&run_well(&mut command, limit)).unwrap();
    let key = |packet: &serde_json::Value| packet["flags"].as_str().is_some_and(|flags| flags.starts_with('K'));
    answer["packets"].as_array().is_some_and(|packets| packets.iter().any(key))
}

/// The first `count` pictures of a file or an RTSP URL.
#[track_caller]
pub fn pictures(url: &str, transport: &str, count: u32, limit: Duration) -> Vec<RgbImage> {
    let folder = super::temp_dir();
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error"]);
    if url.starts_with("rtsp") {
        command.args(["-rtsp_transport", transport]);
    }
    command.args(["-i", url, "-an", "-fps_mode", "passthrough", "-frames:v", &count.to_string()]);
    run_well(command.arg(folder.path().join("%05d.png")), limit);
    let mut files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| image::open(file).unwrap().into_rgb8()).collect()
}

/// Whether ffprobe finds a video stream there at all.
pub fn readable(url: &str, transport: &str, limit: Duration) -> bool {
    let mut command = ffprobe(url, transport);
    command.args(["-show_entries", "stream=codec_name", url]);
    let output = run(&mut command, limit);
    output.status.success() && String::from_utf8_lossy(&output.stdout).contains("codec_name")
}

fn ffprobe(url: &str, transport: &str) -> Command {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-of", "json", "-select_streams", "v:0"]);
    if url.starts_with("rtsp") {
        command.args(["-rtsp_transport", transport]);
    }
    command
}
