//! `maskinfer` by GStreamer's check harness.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod support;

use std::sync::Arc;

use gst::prelude::*;
use gst_video::VideoFormat;
use gstmaskwatch::{infer::MOST_IN_FLIGHT, meta::FaceMeta, report::Report};
use maskwatch_vision::privacy::Suspects;
use support::*;

#[test]
fn takes_the_three_formats_and_no_other() {
    init();
    let _engine = engine("formats");
    for format in [VideoFormat::I420, VideoFormat::Nv12, VideoFormat::Rgb] {
        let mut rig = rig("formats", exact);
        let info = info(format, 64, 48);
        rig.harness.set_src_caps(info.to_caps().unwrap());
        let out = rig.harness.push_and_pull(halves(&info, BRIGHT, DARK, 0)).unwrap();
        assert_eq!(faces(&out), [(1, "mask")], "{format:?}");
        assert_eq!(out.size(), info.size());
    }
    let mut rig = rig("formats", exact);
    let wrong = info(VideoFormat::Yuy2, 64, 48);
    rig.harness.set_src_caps(wrong.to_caps().unwrap());
    assert!(rig.harness.push(halves(&wrong, BRIGHT, DARK, 0)).is_err());
}

#[test]
fn sync_gives_each_frame_its_own_faces() {
    init();
    let _engine = engine("own");
    for track in [true, false] {
        let mut rig = rig("own", exact);
        rig.element.set_state(gst::State::Ready).unwrap();
        rig.element.set_property("track", track);
        rig.harness.play();
        let info = info(VideoFormat::I420, 640, 480);
        rig.harness.set_src_caps(info.to_caps().unwrap());
        for turn in 0..12 {
            let (left, right, expected) = match turn % 4 {
                0 => (BRIGHT, DARK, vec![1]),
                1 => (DARK, BRIGHT, vec![6]),
                2 => (BRIGHT, BRIGHT, vec![1, 6]),
                _ => (DARK, DARK, vec![]),
            };
            let out = rig.harness.push_and_pull(halves(&info, left, right, turn * 40)).unwrap();
            let mut places: Vec<i32> = faces(&out).iter().map(|(place, _)| *place).collect();
            places.sort_unstable();
            assert_eq!(places, expected, "frame {turn}, track {track}");
            assert!(FaceMeta::get(&out).unwrap().analyzed());
            for (place, state) in faces(&out) {
                assert_eq!(state, if place == 1 { "mask" } else { "no_mask" });
            }
            // The report was posted before the buffer went on.
            let frames = rig.reports().into_iter().filter_map(|report| match report {
                Report::Frame(frame) => Some(frame),
                _ => None,
            });
            let frames: Vec<_> = frames.collect();
            assert_eq!(frames.len(), 1);
            assert_eq!(frames[0].pts, out.pts());
            assert_eq!(frames[0].running_time, out.pts());
            assert_eq!(frames[0].faces.len(), expected.len());
            assert_eq!(frames[0].raw.len(), expected.len());
            assert_eq!(frames[0].camera, "gate");
            assert_eq!((frames[0].width, frames[0].height), (640, 480));
            assert_eq!(frames[0].faces.iter().any(|face| face.track != 0), track && !expected.is_empty());
        }
    }
}

#[test]
fn order_and_times_are_kept_and_every_frame_passes() {
    init();
    let _engine = engine("order");
    let mut rig = rig("order", |element| element.set_property("analyze-fps", 5.0));
    let info = info(VideoFormat::Nv12, 64, 48);
    rig.harness.set_src_caps(info.to_caps().unwrap());
    for turn in 0..50 {
        let mut buffer = halves(&info, BRIGHT, DARK, turn * 40);
        buffer.get_mut().unwrap().set_offset(turn);
        let out = rig.harness.push_and_pull(buffer).unwrap();
        assert_eq!(out.pts(), Some(gst::ClockTime::from_mseconds(turn * 40)));
        assert_eq!(out.duration(), Some(gst::ClockTime::from_mseconds(40)));
        assert_eq!(out.offset(), turn);
        assert!(FaceMeta::get(&out).is_some());
    }
    assert!(rig.harness.push_event(gst::event::Eos::new()));
    let done = rig.reports();
    let frames = done.iter().filter(|report| matches!(report, Report::Frame(_))).count();
    let drops = done.iter().filter(|report| matches!(report, Report::Drop(_))).count();
    // Two seconds at five per second; the phase may give one more.
    assert!((10..=11).contains(&(frames + drops)), "{frames} analysed, {drops} dropped");
    assert!(frames > 0);
}

#[test]
fn caps_may_change_in_mid_stream() {
    init();
    let _engine = engine("change");
    let mut rig = rig("change", exact);
    for (turn, (format, width, height)) in
        [(VideoFormat::I420, 640, 480), (VideoFormat::Nv12, 321, 243), (VideoFormat::Rgb, 1, 1)].into_iter().enumerate()
    {
        let info = info(format, width, height);
        rig.harness.set_src_caps(info.to_caps().unwrap());
        for frame in 0..3 {
            let pts = (turn as u64 * 3 + frame) * 40;
            let out = rig.harness.push_and_pull(halves(&info, DARK, BRIGHT, pts)).unwrap();
            assert_eq!(faces(&out).len(), if width > 1 { 1 } else { faces(&out).len() });
        }
    }
    let reports = rig.reports();
    let sizes: Vec<u32> = reports
        .iter()
        .filter_map(|report| if let Report::Frame(frame) = report { Some(frame.width) } else { None })
        .collect();
    assert_eq!(sizes, [640, 640, 640, 321, 321, 321, 1, 1, 1]);
}

#[test]
fn live_frames_do_not_wait_for_a_slow_engine() {
    init();
    let (brake, pedal) = brake();
    let _engine = engine_with("slow", brake);
    let mut rig = rig("slow", |element| element.set_property("analyze-fps", 0.0));
    let info = info(VideoFormat::I420, 64, 48);
    rig.harness.set_src_caps(info.to_caps().unwrap());
    // The engine stands still; were a frame to wait for it, this would hang.
    for turn in 0..100 {
        let out = rig.harness.push_and_pull(halves(&info, BRIGHT, DARK, turn * 40)).unwrap();
        let meta = FaceMeta::get(&out).unwrap();
        assert!(meta.faces().is_empty() && !meta.analyzed());
        if turn == 0 {
            pedal.began.recv_timeout(SOON).unwrap();
        }
    }
    let dropped = rig.reports().len();
    // One runs, one waits.
    assert_eq!(dropped, 98);
    drop(pedal);
    assert!(rig.harness.push_event(gst::event::Eos::new()));
    let analysed = rig.reports().into_iter().filter(|report| matches!(report, Report::Frame(_))).count();
    assert_eq!(analysed, 2);
    const { assert!(MOST_IN_FLIGHT >= 2) };
}

#[test]
fn results_reach_later_frames_and_grow_stale() {
    init();
    let _engine = engine("later");
    let mut rig = rig("later", |element| {
        element.set_property("analyze-fps", 0.0);
        element.set_property("track", false);
    });
    let info = info(VideoFormat::I420, 64, 48);
    rig.harness.set_src_caps(info.to_caps().unwrap());
    let first = rig.harness.push_and_pull(halves(&info, BRIGHT, DARK, 0)).unwrap();
    assert!(!FaceMeta::get(&first).unwrap().analyzed());
    assert!(matches!(rig.report(), Report::Frame(_)));
    let second = rig.harness.push_and_pull(halves(&info, BRIGHT, DARK, 40)).unwrap();
    assert_eq!(faces(&second), [(1, "mask")]);
    assert!(FaceMeta::get(&second).unwrap().analyzed());
    assert!(matches!(rig.report(), Report::Frame(_)));
    let much_later = rig.harness.push_and_pull(halves(&info, BRIGHT, DARK, 60_000)).unwrap();
    assert!(faces(&much_later).is_empty());
    assert!(!FaceMeta::get(&much_later).unwrap().analyzed());
}

#[test]
fn gaps_and_unrelated_events_pass() {
    init();
    let _engine = engine("gap");
    let mut rig = rig("gap", exact);
    let info = info(VideoFormat::I420, 64, 48);
    rig.harness.set_src_caps(info.to_caps().unwrap());
    rig.harness.push_and_pull(halves(&info, BRIGHT, DARK, 0)).unwrap();
    while rig.harness.try_pull_event().is_some() {}
    let gap = gst::event::Gap::builder(gst::ClockTime::from_mseconds(40)).duration(gst::ClockTime::SECOND).build();
    assert!(rig.harness.push_event(gap));
    assert_eq!(rig.harness.pull_event().unwrap().type_(), gst::EventType::Gap);
    let out = rig.harness.push_and_pull(halves(&info, BRIGHT, DARK, 1040)).unwrap();
    assert_eq!(faces(&out), [(1, "mask")]);
}

/// Memory of a buffer that tells whether it is still there.
struct Pixels(Vec<u8>, #[allow(dead_code)] Arc<()>);

impl AsRef<[u8]> for Pixels {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[test]
fn no_buffer_is_kept() {
    init();
    let _engine = engine("leak");
    for sync in [true, false] {
        let mut rig = rig("leak", |element| {
            element.set_property("sync", sync);
            element.set_property("analyze-fps", 0.0);
        });
        let info = info(VideoFormat::I420, 64, 48);
        rig.harness.set_src_caps(info.to_caps().unwrap());
        let mut memories = Vec::new();
        for turn in 0..20 {
            let alive = Arc::new(());
            memories.push(Arc::downgrade(&alive));
            let pixels = halves(&info, BRIGHT, DARK, 0).map_readable().unwrap().to_vec();
            let mut buffer = gst::Buffer::from_slice(Pixels(pixels, alive));
            buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(turn * 40));
            drop(rig.harness.push_and_pull(buffer).unwrap());
        }
        assert!(rig.harness.push_event(gst::event::Eos::new()));
        assert!(memories.iter().all(|memory| memory.upgrade().is_none()), "sync {sync}");
    }
}

#[test]
fn a_shared_buffer_is_not_changed() {
    init();
    let _engine = engine("shared");
    let mut rig = rig("shared", exact);
    let info = info(VideoFormat::I420, 64, 48);
    rig.harness.set_src_caps(info.to_caps().unwrap());
    let buffer = halves(&info, BRIGHT, DARK, 0);
    let out = rig.harness.push_and_pull(buffer.clone()).unwrap();
    assert!(FaceMeta::get(&buffer).is_none());
    assert_eq!(faces(&out).len(), 1);
    // The pixels are the same memory.
    assert_eq!(out.peek_memory(0).as_ptr(), buffer.peek_memory(0).as_ptr());
}

/// The bound of faces that count is none of what is hidden.
#[test]
fn what_is_hidden_is_more_than_what_may_count() {
    init();
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (models().join("sides"), folder.path().join("sides"));
    std::fs::create_dir(&to).unwrap();
    std::fs::copy(from.join("sides.onnx"), to.join("sides.onnx")).unwrap();
    let manifest = std::fs::read_to_string(from.join("manifest.yaml")).unwrap();
    let one = manifest.replace("max_faces: 10", "max_faces: 1");
    assert_ne!(one, manifest);
    std::fs::write(to.join("manifest.yaml"), one).unwrap();
    let mut rig = rig("one-counts", |element| {
        exact(element);
        element.set_property("models-dir", folder.path().to_str().unwrap());
        element.set_property("detector", "sides");
        element.set_property("classifier", "");
        element.set_property("hide", true);
    });
    let info = info(VideoFormat::I420, 64, 48);
    rig.harness.set_src_caps(info.to_caps().unwrap());
    let out = rig.harness.push_and_pull(halves(&info, BRIGHT, BRIGHT, 0)).unwrap();
    assert_eq!(faces(&out).len(), 1);
    let hide = FaceMeta::get(&out).unwrap().hide().cloned();
    assert!(matches!(&hide, Some(Suspects::Within(boxes)) if boxes.len() == 2), "{hide:?}");
}

#[test]
fn in_sync_mode_buffers_name_what_to_hide_where_that_is_asked_for() {
    init();
    let _engine = engine("hide");
    for hide in [true, false] {
        let mut rig = rig("hide", |element| {
            exact(element);
            element.set_property("hide", hide);
        });
        let info = info(VideoFormat::I420, 64, 48);
        rig.harness.set_src_caps(info.to_caps().unwrap());
        for (turn, (left, right)) in [(BRIGHT, DARK), (DARK, DARK)].into_iter().enumerate() {
            let out = rig.harness.push_and_pull(halves(&info, left, right, turn as u64 * 40)).unwrap();
            let named = FaceMeta::get(&out).unwrap().hide().map(|suspects| match suspects {
                Suspects::Within(boxes) => boxes.len(),
                Suspects::Anywhere(why) => panic!("{why:?}"),
            });
            assert_eq!(named, hide.then_some(faces(&out).len()), "picture {turn}");
        }
    }
}
