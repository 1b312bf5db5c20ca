//! Faults of the first order, each beside healthy cameras that must not notice: absent, refused, killed and back, frozen
//! without closing, another size in mid-stream, nonsense. Peers are real RTSP servers on loopback.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use maskwatch::camera::CameraState;
use maskwatch::config::plan::{CameraPlan, Transport};
use maskwatch::metrics::DisconnectReason;
use maskwatch::sim;

mod rig;
mod support;

use rig::{Rig, plan, simulate};
use support::clip::{Clip, Codec};
use support::{free_port, peer, soon, temp_dir, wait_until};

/// Frames of a healthy camera that have to pass while another one is in trouble: about three seconds.
const MEANWHILE: u64 = 75;

fn clip(folder: &Path, name: &str, width: u32, height: u32) -> PathBuf {
    Clip { width, height, ..Clip::default() }.write(folder, name)
}

/// A healthy camera, watched: it must stay connected, and its frames must keep coming at their rate.
struct Witness {
    rig: Rig,
    frames: u64,
    since: Instant,
}

impl Witness {
    fn start(url: &str) -> Self {
        let rig = Rig::start(plan("witness", url));
        rig.wait_up();
        let frames = rig.hub.published();
        Self { rig, frames, since: Instant::now() }
    }

    /// Waits for its next frames and checks that it never fell and lost nothing worth the name.
    #[track_caller]
    fn saw_nothing(self) {
        let first = self.frames;
        wait_until("the witness goes on", soon(), || self.rig.hub.published() >= first + MEANWHILE);
        let (frames, took) = (self.rig.hub.published() - first, self.since.elapsed());
        // 25 per second, less a second for the start and end of the measure.
        let least = 25.0 * (took.as_secs_f64() - 1.0);
        assert!(frames as f64 >= least, "{frames} frames in {took:?}");
        let view = self.rig.camera.status().view();
        assert_eq!((view.connects, view.disconnects), (1, 0), "{view:?}");
        self.rig.stop();
    }
}

#[test]
fn a_camera_that_is_absent_at_start_is_found_when_it_comes() {
    let folder = temp_dir();
    let file = clip(folder.path(), "clip", 320, 240);
    let healthy = simulate(&[&file]);
    let witness = Witness::start(&healthy.url(0));
    let listen = std::net::SocketAddr::from(([127, 0, 0, 1], free_port()));
    let rig = Rig::on(&format!("rtsp://{listen}/cam0"));
    let (reason, message) = rig.wait_down();
    assert_eq!(reason, DisconnectReason::Refused, "{message}");
    assert!(message.contains(&listen.port().to_string()) && message.contains("is the camera on"), "{message}");
    // It tries again and again.
    wait_until("a second attempt", soon(), || rig.camera.status().view().disconnects >= 2);
    let late = sim::Server::start_files(&sim::Options { listen, auth: None }, &[file]).unwrap();
    rig.wait_up();
    assert!(rig.all.render().unwrap().contains(r#"maskwatch_camera_up{camera="gate"} 1"#));
    rig.stop();
    drop(late);
    witness.saw_nothing();
}

#[test]
fn a_camera_that_is_killed_is_down_and_comes_back() {
    let folder = temp_dir();
    let file = clip(folder.path(), "clip", 320, 240);
    let server = simulate(&[&file, &file]);
    let witness = Witness::start(&server.url(0));
    let rig = Rig::on(&server.url(1));
    rig.wait_up();
    server.cameras()[1].kill();
    let (reason, message) = rig.wait_down();
    assert!(matches!(reason, DisconnectReason::Eos | DisconnectReason::Error), "{reason:?} {message}");
    assert!(rig.all.render().unwrap().contains(r#"maskwatch_camera_up{camera="gate"} 0"#));
    wait_until("the path is not found", soon(), || {
        rig.camera.status().view().reason() == Some(DisconnectReason::NotFound)
    });
    server.cameras()[1].revive();
    rig.wait_up();
    assert_eq!(rig.camera.status().view().connects, 2);
    rig.stop();
    witness.saw_nothing();
}

#[test]
fn a_frozen_camera_is_told_from_a_living_one() {
    let folder = temp_dir();
    let file = clip(folder.path(), "clip", 320, 240);
    let server = simulate(&[&file, &file]);
    let witness = Witness::start(&server.url(0));
    let rig = Rig::on(&server.url(1));
    rig.wait_up();
    server.cameras()[1].freeze(true);
    let before = Instant::now();
    let (reason, _) = rig.wait_down();
    assert_eq!(reason, DisconnectReason::Timeout);
    assert!(rig.hub.latest().is_none(), "no stale picture passes for a live one");
    assert!(before.elapsed() >= Duration::from_secs(1), "a pause of a moment is no fault");
    server.cameras()[1].freeze(false);
    rig.wait_up();
    rig.stop();
    witness.saw_nothing();
}

#[test]
fn a_stopped_vlc_freezes_and_a_continued_one_comes_back() {
    let folder = temp_dir();
    let file = clip(folder.path(), "clip", 320, 240);
    let camera = peer::Camera::vlc(&file);
    let rig = Rig::start(CameraPlan { transport: Transport::Udp, ..plan("gate", &camera.url) });
    rig.wait_up();
    camera.process.signal("STOP");
    let (reason, _) = rig.wait_down();
    assert_eq!(reason, DisconnectReason::Timeout);
    camera.process.signal("CONT");
    rig.wait_up();
    rig.stop();
}

#[test]
fn a_new_size_in_mid_stream_is_shown_and_breaks_nothing() {
    let folder = temp_dir();
    let (small, large) = (clip(folder.path(), "small", 320, 240), clip(folder.path(), "large", 640, 480));
    let server = simulate(&[&small, &small]);
    let witness = Witness::start(&server.url(0));
    let rig = Rig::on(&server.url(1));
    rig.wait_up();
    assert_eq!(rig.size(), Some((320, 240)));
    server.cameras()[1].switch(sim::Clip::load(&large).unwrap());
    wait_until("the new size", soon(), || rig.size() == Some((640, 480)));
    let view = rig.camera.status().view();
    assert_eq!((view.connects, view.disconnects), (1, 0), "{view:?}");
    rig.stop();
    witness.saw_nothing();
}

#[test]
fn nonsense_hurts_nobody_else_and_good_pictures_are_taken_up_again() {
    let folder = temp_dir();
    let file = clip(folder.path(), "clip", 320, 240);
    let server = simulate(&[&file, &file]);
    let witness = Witness::start(&server.url(0));
    let rig = Rig::on(&server.url(1));
    rig.wait_up();
    server.cameras()[1].garbage(true);
    let first = witness.rig.hub.published();
    wait_until("the witness goes on", soon(), || witness.rig.hub.published() >= first + MEANWHILE);
    server.cameras()[1].garbage(false);
    wait_until("good pictures", soon(), || rig.camera.status().state() == CameraState::Up);
    rig.wait_up();
    rig.stop();
    witness.saw_nothing();
}

#[test]
fn after_a_lost_packet_no_broken_picture_is_shown() {
    let folder = temp_dir();
    for codec in [Codec::H264, Codec::Hevc] {
        let file = Clip { width: 320, height: 240, codec, ..Clip::default() }.write(folder.path(), "lossy");
        let originals = brightness(&file);
        let server = simulate(&[&file]);
        let rig = Rig::on(&server.url(0));
        rig.wait_up();
        let seen: Arc<Mutex<Vec<gst::Sample>>> = Arc::default();
        let keep = Arc::clone(&seen);
        let watching = rig.hub.subscribe(Arc::new(move |shown| keep.lock().unwrap().push(shown.sample().clone())));
        server.cameras()[0].lose_one_of(17);
        // Many losses, and in each second a keyframe that makes it whole again.
        wait_until("pictures in between", soon(), || seen.lock().unwrap().len() >= 60);
        drop(watching);
        for sample in seen.lock().unwrap().iter() {
            let picture = luma(sample);
            let off = |original: &Vec<u8>| mean_difference(original, &picture);
            let least = originals.iter().map(off).fold(f64::INFINITY, f64::min);
            // The simulator's pictures are those of the file, bit for bit.
            assert!(least < 1.0, "{codec:?}: a picture is {least:.1} off every one of the file's");
        }
        assert_eq!(rig.camera.status().view().disconnects, 0, "{codec:?}");
        rig.stop();
    }
}

/// Brightness of every pixel of every picture of a file.
fn brightness(file: &Path) -> Vec<Vec<u8>> {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-i"]).arg(file).args(["-f", "rawvideo", "-pix_fmt", "yuv420p", "-"]);
    let bytes = support::process::run_well(&mut command, soon());
    bytes.chunks_exact(320 * 240 * 3 / 2).map(|picture| picture[..320 * 240].to_vec()).collect()
}

fn luma(sample: &gst::Sample) -> Vec<u8> {
    let info = gst_video::VideoInfo::from_caps(sample.caps().unwrap()).unwrap();
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(sample.buffer().unwrap(), &info).unwrap();
    let (stride, rows) = (info.stride()[0] as usize, frame.plane_data(0).unwrap());
    rows.chunks(stride).take(240).flat_map(|row| row[..320].to_vec()).collect()
}

fn mean_difference(a: &[u8], b: &[u8]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.len() as f64
}

#[test]
fn wrong_targets_are_named() {
    let folder = temp_dir();
    let file = clip(folder.path(), "clip", 320, 240);
    let server = simulate(&[&file]);
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "no video in here\n".repeat(400)).unwrap();
    let cases = [
        (format!("{}x", server.url(0)), DisconnectReason::NotFound),
        ("file:///nowhere/clip.mp4".to_owned(), DisconnectReason::NotFound),
        (format!("file://{}", text.display()), DisconnectReason::Unsupported),
        ("v4l2:///dev/video77".to_owned(), DisconnectReason::NotFound),
        (format!("http://127.0.0.1:{}/a", free_port()), DisconnectReason::Refused),
        ("rtsp://no-such-host.invalid/a".to_owned(), DisconnectReason::Unreachable),
    ];
    for (url, wanted) in cases {
        let rig = Rig::on(&url);
        let (reason, message) = rig.wait_down();
        assert_eq!(reason, wanted, "{url}: {message}");
        assert!(message.contains('('), "no hint for {url}: {message}");
        rig.stop();
    }
}

#[test]
fn many_starts_and_stops_leave_nothing_behind() {
    let folder = temp_dir();
    let file = clip(folder.path(), "clip", 160, 120);
    let server = simulate(&[&file]);
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let round = || {
        let rig = Rig::on(&server.url(0));
        rig.wait_up();
        let hub = Arc::downgrade(&rig.hub);
        rig.stop();
        wait_until("the hub is freed", soon(), || hub.strong_count() == 0);
    };
    for _ in 0..5 {
        round();
    }
    let before = (descriptors(), threads());
    for _ in 0..20 {
        round();
    }
    wait_until("no client stays behind", soon(), || server.cameras()[0].viewers() == 0);
    let slack = 24;
    wait_until("descriptors and threads are given back", soon(), || {
        descriptors() <= before.0 + slack && threads() <= before.1 + slack
    });
}
