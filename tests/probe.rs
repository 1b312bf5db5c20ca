//! `maskwatch probe`: what it tells of cameras whose making is known, and why nothing comes of others.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use gst_rtsp_server::prelude::*;
use maskwatch::camera::probe::Limits;
use maskwatch::camera::{CameraContext, Supervisor};
use maskwatch::config::plan::CameraPlan;
use maskwatch::config::secret::CameraUrl;
use maskwatch::metrics::{DisconnectReason, Metrics};
use maskwatch::shutdown::Shutdown;
use maskwatch::sim;
use serde_json::Value;

mod support;

use support::clip::{Clip, Codec};
use support::{maskwatch, peer, process, soon, temp_dir};

/// Runs `maskwatch probe` to its end.
fn probe(args: &[&str]) -> Output {
    process::run(Command::new(maskwatch()).arg("probe").args(args), Duration::from_secs(60))
}

/// What it says of a camera that is well.
#[track_caller]
fn good(url: &str, args: &[&str]) -> Value {
    let output = probe(&[&["--json", url], args].concat());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{error}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["ok"], &report["error"]), (&Value::Bool(true), &Value::Null), "{report:#}");
    report
}

/// Why it says that nothing comes: the reason, and the sentence on the standard error.
#[track_caller]
fn bad(url: &str, args: &[&str]) -> (String, String) {
    let output = probe(&[&["--json", url], args].concat());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{error}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["ok"], false);
    let told = &report["error"];
    let sentence = format!("{} ({})", told["cause"].as_str().unwrap(), told["hint"].as_str().unwrap());
    assert!(error.contains(&sentence), "{error}: {sentence}");
    (told["reason"].as_str().unwrap().to_owned(), error)
}

fn kinds(report: &Value) -> Vec<&str> {
    report["costs"].as_array().unwrap().iter().map(|cost| cost["kind"].as_str().unwrap()).collect()
}

#[track_caller]
fn near(value: &Value, wanted: f64, share: f64) {
    let found = value.as_f64().unwrap_or_else(|| panic!("{value} is no number"));
    assert!((found - wanted).abs() <= wanted * share, "{found} is not about {wanted}");
}

/// A clip made by ffmpeg with further options of its encoder.
fn encoded(folder: &Path, name: &str, options: &str) -> PathBuf {
    let path = folder.join(name);
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25"]);
    process::run_well(command.args(options.split(' ')).args(["-t", "8"]).arg(&path), soon());
    path
}

/// A clip with B-frames through gst-rtsp-server, which ends with the test process.
fn b_frame_camera(clip: &Path) -> String {
    gst::init().unwrap();
    let server = gst_rtsp_server::RTSPServer::new();
    server.set_address("127.0.0.1");
    server.set_service("0");
    let factory = gst_rtsp_server::RTSPMediaFactory::new();
    factory.set_launch(&format!(
        "( filesrc location={} ! matroskademux ! queue ! h264parse config-interval=-1 ! rtph264pay name=pay0 pt=96 )",
        clip.display()
    ));
    server.mount_points().unwrap().add_factory("/cam", factory);
    let context = gst::glib::MainContext::new();
    server.attach(Some(&context)).unwrap();
    let port = server.bound_port();
    std::thread::spawn(move || {
        let main_loop = gst::glib::MainLoop::new(Some(&context), false);
        context.with_thread_default(|| main_loop.run()).unwrap();
    });
    format!("rtsp://127.0.0.1:{port}/cam")
}

#[test]
fn a_plain_camera_by_tcp_and_udp() {
    let folder = temp_dir();
    gst::init().unwrap();
    let clip = Clip::default().write(folder.path(), "clip");
    let server = sim::Server::start_files(&sim::Options::local(), &[clip]).unwrap();
    for way in ["tcp", "udp"] {
        let report = good(&server.url(0), &["--seconds", "3", "--transport", way]);
        let video = &report["video"];
        assert_eq!((&video["codec"], &video["width"], &video["height"]), (&"h264".into(), &640.into(), &360.into()));
        assert_eq!((&video["pixel_aspect"], &video["interlaced"]), (&"1:1".into(), &false.into()));
        assert_eq!(
            (&video["chroma"], &video["bit_depth"], &video["reordered"]),
            (&"4:2:0".into(), &8.into(), &0.into())
        );
        near(&video["rate"], 25.0, 0.1);
        assert_eq!(video["keyframe_distance_pictures"], 25);
        near(&video["keyframe_distance_s"], 1.0, 0.1);
        assert!(video["bitrate_kbps"].as_f64().unwrap() > 50.0, "{video:#}");
        assert_eq!((&report["transport"], &report["login"]["kind"]), (&way.into(), &"none".into()));
        assert!(report["packets"]["received"].as_u64().unwrap() > 50 && report["packets"]["lost"] == 0, "{report:#}");
        assert!(report["server"].as_str().unwrap().contains("GStreamer"), "{report:#}");
        assert!(report["session"]["keep_alive"].is_string() && report["timing"]["describe_ms"].is_u64());
        assert!(report["timing"]["first_picture_ms"].as_u64() >= report["timing"]["first_packet_ms"].as_u64());
        assert!(kinds(&report).iter().all(|kind| !["b_frames", "keyframes", "chroma", "rate"].contains(kind)));
    }
}

#[test]
fn b_frames_and_rare_keyframes_cost_something() {
    let folder = temp_dir();
    let options = "-c:v libx264 -preset veryfast -pix_fmt yuv420p -g 150 -keyint_min 150 -sc_threshold 0 -bf 3 \
                   -b_strategy 0 -x264-params b-pyramid=none";
    let clip = encoded(folder.path(), "b.mkv", options);
    let report = good(&b_frame_camera(&clip), &["--seconds", "5"]);
    assert_eq!(report["video"]["reordered"], 1, "no pyramid: a picture waits for the one after it alone\n{report:#}");
    assert!(kinds(&report).contains(&"b_frames") && kinds(&report).contains(&"keyframes"), "{report:#}");
}

#[test]
fn a_file_is_told_as_it_was_made() {
    let folder = temp_dir();
    let options = "-f lavfi -i sine -c:v libx264 -preset veryfast -pix_fmt yuv422p -aspect 16:9 -g 50 \
                   -keyint_min 50 -sc_threshold 0 -bf 2 -b_strategy 0 -x264-params b-pyramid=none:colormatrix=bt709";
    let clip = encoded(folder.path(), "with space.mkv", options);
    // To its end: shorter than the look.
    let report = good(clip.to_str().unwrap(), &["--seconds", "20"]);
    let video = &report["video"];
    assert_eq!(
        (&video["chroma"], &video["pixel_aspect"], &video["reordered"]),
        (&"4:2:2".into(), &"4:3".into(), &1.into())
    );
    assert_eq!((&video["shown"], &video["matrix"]), (&serde_json::json!([427, 240]), &"bt709".into()));
    assert_eq!((&video["keyframe_distance_pictures"], &report["besides"]), (&50.into(), &serde_json::json!(["audio"])));
    near(&video["rate"], 25.0, 0.02);
    assert_eq!(report["pictures"]["received"], 200, "all of it");
    let costs = kinds(&report);
    assert!(["b_frames", "chroma", "pixel_aspect"].iter().all(|kind| costs.contains(kind)), "{report:#}");
    assert_eq!(
        (&report["transport"], &report["session"], &report["packets"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
}

#[test]
fn motion_jpeg_by_http() {
    let folder = temp_dir();
    let camera = peer::Camera::ffmpeg_mjpeg(&Clip { fps: 10, ..Clip::default() }.write(folder.path(), "clip"));
    // It serves one client, so a look that came too early cannot be repeated: what counts is that it listens.
    support::wait_until("ffmpeg listens", soon(), || listens(&camera.url));
    let report = good(&camera.url, &["--seconds", "3"]);
    let video = &report["video"];
    assert_eq!((&video["codec"], &video["range"]), (&"mjpeg".into(), &"full".into()), "{report:#}");
    assert_eq!((&video["keyframe_distance_pictures"], &video["reordered"]), (&1.into(), &0.into()));
    near(&video["rate"], 10.0, 0.15);
    assert!(kinds(&report).contains(&"codec"), "{report:#}");
}

/// Whether somebody listens at the port of a URL on this machine, without connecting.
fn listens(url: &str) -> bool {
    let port: u16 = url.rsplit(':').next().unwrap().split('/').next().unwrap().parse().unwrap();
    let listening = format!("0100007F:{port:04X} 00000000:0000 0A");
    std::fs::read_to_string("/proc/net/tcp").unwrap().contains(&listening)
}

/// A camera that asks for a digest of a password which nobody has; counts the logins.
fn locked_camera() -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("rtsp://{}/1", listener.local_addr().unwrap());
    let logins = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&logins);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut text) = (stream.unwrap(), String::new());
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                text += &String::from_utf8_lossy(&buffer[..count]);
                while let Some((request, rest)) = text.split_once("\r\n\r\n") {
                    counted.fetch_add(u32::from(request.contains("\r\nAuthorization:")), Ordering::Relaxed);
                    let cseq = request.lines().find(|line| line.starts_with("CSeq")).unwrap();
                    let answer = format!(
                        "RTSP/1.0 401 Unauthorized\r\n{cseq}\r\n\
                         WWW-Authenticate: Digest realm=\"cam\", nonce=\"a1\"\r\n\r\n"
                    );
                    stream.write_all(answer.as_bytes()).ok();
                    text = rest.to_owned();
                }
            }
        }
    });
    (url, logins)
}

#[test]
fn a_wrong_password_is_tried_once() {
    let (url, logins) = locked_camera();
    let folder = temp_dir();
    let file = folder.path().join("password");
    std::fs::write(&file, "wr0ng\n").unwrap();
    let (reason, text) = bad(&url, &["--username", "ops", "--password-file", file.to_str().unwrap()]);
    assert!(reason == "auth" && text.contains("refuses the password") && !text.contains("wr0ng"), "{text}");
    assert_eq!(logins.load(Ordering::Relaxed), 1);
    let (reason, text) = bad(&url, &[]);
    assert!(reason == "auth" && text.contains("asks for a password"), "{text}");
    assert_eq!(logins.load(Ordering::Relaxed), 1, "nothing to log in with");
}

#[test]
fn a_password_by_the_standard_input_lets_in() {
    gst::init().unwrap();
    let folder = temp_dir();
    let options = sim::Options { auth: Some(("ops".into(), "s3cret".into())), ..sim::Options::local() };
    let server = sim::Server::start_files(&options, &[Clip::default().write(folder.path(), "clip")]).unwrap();
    let mut command = Command::new(maskwatch());
    command.args(["probe", &server.url(0), "--username", "ops", "--seconds", "1", "--json"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"s3cret\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(matches!(report["login"]["kind"].as_str(), Some("basic" | "digest")), "{report:#}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("s3cret"));
}

#[test]
fn failures_have_the_words_of_run() {
    let folder = temp_dir();
    gst::init().unwrap();
    let clip = Clip { codec: Codec::Mjpeg, ..Clip::default() }.write(folder.path(), "clip");
    let server = sim::Server::start_files(&sim::Options::local(), &[clip]).unwrap();
    let nobody = format!("rtsp://127.0.0.1:{}/1", support::free_port());
    let wrong = server.url(0).replace("/cam0", "/cam7");
    let absent = format!("file://{}/absent.mp4", folder.path().display());
    std::fs::write(folder.path().join("text.mp4"), "no video\n".repeat(2000)).unwrap();
    let text = format!("file://{}/text.mp4", folder.path().display());
    for (url, reason) in [(nobody, "refused"), (wrong, "not_found"), (absent, "not_found"), (text, "unsupported")] {
        let (told, sentence) = bad(&url, &["--seconds", "1"]);
        assert_eq!(told, reason, "{sentence}");
        assert!(sentence.contains(&url), "{sentence}");
        assert_eq!(as_run_says(&url), sentence.split_once(&format!("{url}: ")).unwrap().1.trim(), "one code path");
    }
}

/// What the log of `run` says of that camera.
fn as_run_says(url: &str) -> String {
    let plan = CameraPlan::new("gate", CameraUrl::parse(url).unwrap());
    let all = Metrics::new().unwrap();
    let metrics = all.camera("gate");
    let hub = maskwatch::frames::Hub::new(&plan, &metrics);
    let context = CameraContext { metrics, hub, engine: None, listener: None };
    let camera = Supervisor::spawn(plan, context).unwrap();
    support::wait_until("the camera is down", soon(), || camera.status().state().is_down());
    let failure = camera.status().view().failure.unwrap().to_string();
    camera.stop(Instant::now() + Duration::from_secs(10));
    failure
}

#[test]
fn a_look_within_a_time_ends_in_time() {
    gst::init().unwrap();
    // It takes the connection and says nothing.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("rtsp://{}/1", mute.local_addr().unwrap());
    let plan = CameraPlan::new("gate", CameraUrl::parse(&url).unwrap());
    let limits = Limits { watch: Duration::from_secs(1), whole: Some(Duration::from_secs(2)) };
    let begin = Instant::now();
    let report = maskwatch::camera::probe::probe(&plan, limits, &Shutdown::new());
    // As long as it is patient on its own account it would take 20 s.
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
    let failure = report.error.unwrap();
    assert_eq!(failure.reason, DisconnectReason::Timeout);
    assert!(failure.to_string().contains("has not agreed to send within 2 s"), "{failure}");
}

#[test]
fn bad_usage_is_2() {
    let folder = temp_dir();
    let empty = folder.path().join("empty");
    std::fs::write(&empty, " \n").unwrap();
    let empty = empty.to_str().unwrap();
    for args in [
        &["rtsp://ops:hunter2@127.0.0.1/1"][..],
        &["ftp://127.0.0.1/1"],
        &["no-such-file.mp4"],
        &[],
        &["rtsp://127.0.0.1/1", "--seconds", "0"],
        &["rtsp://127.0.0.1/1", "--password-file", empty],
        &["rtsp://127.0.0.1/1", "--username", "ops", "--password-file", empty],
        &["rtsp://127.0.0.1/1", "--username", "ops", "--password-file", "/no/such/file"],
        &["rtsp://127.0.0.1/1", "--username", "ops"],
    ] {
        let output = probe(args);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && output.stdout.is_empty(), "{args:?}: {error}");
        assert!(!error.is_empty() && !error.contains("hunter2"), "{args:?}: {error}");
    }
}

#[test]
fn the_table_is_for_people() {
    let folder = temp_dir();
    let clip = Clip { seconds: 2, ..Clip::default() }.write(folder.path(), "clip");
    let output = probe(&[clip.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    for line in ["  picture     H.264 ", "  rate        25.0/s (announced 25.0)", "  B-frames    none"] {
        assert!(text.contains(line), "{text}");
    }
}
