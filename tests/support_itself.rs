//! The tests' own tools, tried without the program: peers, clips, grabs, the metrics parser.

// Helpers outside of test functions fail by panicking too.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use support::clip::{Clip, Codec};
use support::peer::{Camera, Viewer};
use support::{Scrape, complaints, grab, soon};

#[test]
fn metrics_page_is_parsed() {
    let page = "# HELP maskwatch_x text\n# TYPE maskwatch_x counter\nmaskwatch_x{camera=\"a\",url=\"q\\\"{,} \"} 2\n\
                maskwatch_x{camera=\"b\",url=\"\"} 3.5\nprocess_open_fds 7\nmaskwatch_h_bucket{le=\"1\"} 1\n\
                maskwatch_h_bucket{le=\"2\"} 9\nmaskwatch_h_bucket{le=\"+Inf\"} 10\n";
    let scrape = Scrape::parse(page);
    assert_eq!(scrape.find("x", &[("camera", "a")]), Some(2.0));
    assert_eq!(scrape.find("x", &[]), Some(5.5));
    assert_eq!(scrape.samples[0].label("url"), Some("q\"{,} "));
    assert_eq!(scrape.find("y", &[]), None);
    assert_eq!(scrape.find("process_open_fds", &[]), Some(7.0));
    assert_eq!(scrape.quantile("h", &[], 0.5), Some(2.0));
    assert_eq!(scrape.quantile("h", &[], 0.95), Some(f64::INFINITY));
}

#[test]
fn complaints_are_told_from_other_lines() {
    let line = |text: &str| format!("(maskwatch:17): GStreamer-CRITICAL **: 20:42:50.934: {text}");
    assert!(complaints::is_one(&line("gst_mini_object_unref: assertion 'mini_object != NULL' failed")));
    assert!(!complaints::is_one(&line("gst_event_set_seqnum: assertion 'seqnum != GST_SEQNUM_INVALID' failed")));
    assert!(!complaints::is_one("WARN camera gate: the camera is silent"));
}

#[test]
fn clips_have_the_size_rate_and_codec_asked_for() {
    let folder = support::temp_dir();
    for (codec, name) in [(Codec::H264, "h264"), (Codec::Hevc, "hevc"), (Codec::Mjpeg, "mjpeg")] {
        let clip = Clip { width: 322, height: 242, fps: 10, seconds: 1, codec };
        let path = clip.write(folder.path(), name);
        let probe = grab::probe(path.to_str().unwrap(), "tcp", soon());
        assert_eq!((probe.codec.as_str(), probe.width, probe.height), (name, 322, 242));
        assert_eq!(probe.fps, 10.0);
        assert_eq!(grab::pictures(path.to_str().unwrap(), "tcp", 3, soon()).len(), 3);
    }
}

#[test]
fn vlc_serves_and_a_viewer_looks() {
    let folder = support::temp_dir();
    let file = Clip { seconds: 40, ..Clip::default() }.write(folder.path(), "clip");
    let mut camera = Camera::vlc(&file);
    let packets = grab::packets(&camera.url, "udp", 60, soon());
    assert!(packets.len() >= 20, "{packets:?}");
    let viewer = Viewer::start(&camera.url, false);
    viewer.wait_for_picture(soon());
    assert!(camera.process.running());
    camera.process.kill();
    assert!(!grab::readable(&camera.url, "udp", Duration::from_secs(20)));
}

#[test]
fn ffmpeg_serves_motion_jpeg() {
    let folder = support::temp_dir();
    let file = Clip { codec: Codec::Mjpeg, ..Clip::default() }.write(folder.path(), "clip");
    let camera = Camera::ffmpeg_mjpeg(&file);
    support::wait_until("ffmpeg serves", soon(), || camera.process.id() > 0 && listening(&camera.url));
    let probe = grab::probe(&camera.url, "tcp", soon());
    assert_eq!((probe.codec.as_str(), probe.width), ("mjpeg", 640));
}

/// Whether somebody listens there, by the kernel's table: to connect would use up ffmpeg's one client.
fn listening(url: &str) -> bool {
    let port: u16 = url.split(':').nth(2).unwrap().split('/').next().unwrap().parse().unwrap();
    let wanted = format!(":{port:04X} ");
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    table.lines().any(|line| line.contains(&wanted) && line.split_whitespace().nth(3) == Some("0A"))
}
