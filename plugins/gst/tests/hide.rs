//! `maskhide` by GStreamer's check harness.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod support;

use gst::prelude::*;
use gst_check::Harness;
use gst_video::{VideoFormat, VideoInfo};
use gstmaskwatch::{
    meta::FaceMeta,
    report::{self, Report},
};
use maskwatch_vision::geometry::Rect;
use maskwatch_vision::privacy::{Suspects, Unknown};
use support::{info, init};

const FACE: Rect = Rect { x: 0.4, y: 0.4, w: 0.1, h: 0.2 };
const FRAME: u64 = 40;

/// A picture of fine stripes; `hide`: the boxes that it names.
fn striped(info: &VideoInfo, frame: u64, hide: Option<&[Rect]>) -> gst::Buffer {
    striped_as(info, frame, hide.map(|boxes| Suspects::Within(boxes.to_vec())))
}

fn striped_as(info: &VideoInfo, frame: u64, hide: Option<Suspects>) -> gst::Buffer {
    let mut buffer = gst::Buffer::with_size(info.size()).unwrap();
    let writable = buffer.get_mut().unwrap();
    writable.set_pts(gst::ClockTime::from_mseconds(frame * FRAME));
    FaceMeta::add(writable, Vec::new(), true);
    if let Some(suspects) = hide {
        FaceMeta::set_hide(writable, suspects);
    }
    let mut map = writable.map_writable().unwrap();
    map.iter_mut().enumerate().for_each(|(index, sample)| *sample = if index % 2 == 0 { 60 } else { 180 });
    drop(map);
    buffer
}

/// Whether the point `x`, `y` (in `0..1`) of a picture is sharp.
fn sharp(buffer: &gst::Buffer, info: &VideoInfo, x: f32, y: f32) -> bool {
    let map = buffer.map_readable().unwrap();
    let at = (y * info.height() as f32) as usize * info.stride()[0] as usize + (x * info.width() as f32) as usize;
    map[at].abs_diff(map[at + 1]) > 60
}

/// What comes out, in the order of its pictures: its time, and whether the face's middle and a corner are sharp.
fn play(format: VideoFormat, frames: &[Option<&[Rect]>]) -> Vec<(u64, bool, bool)> {
    init();
    let info = info(format, 160, 96);
    let mut harness = Harness::new("maskhide");
    harness.set_src_caps(info.to_caps().unwrap());
    for (frame, hide) in frames.iter().enumerate() {
        harness.push(striped(&info, frame as u64, *hide)).unwrap();
    }
    assert!(harness.push_event(gst::event::Eos::new()));
    let look = |buffer: gst::Buffer| {
        let time = buffer.pts().unwrap().mseconds() / FRAME;
        (time, sharp(&buffer, &info, 0.45, 0.5), sharp(&buffer, &info, 0.05, 0.9))
    };
    std::iter::from_fn(|| harness.try_pull()).map(look).collect()
}

#[test]
fn faces_are_hidden_from_shortly_before_they_are_found() {
    for format in [VideoFormat::I420, VideoFormat::Nv12] {
        let frames: Vec<Option<&[Rect]>> =
            (0..16).map(|frame| Some(if frame == 10 { &[FACE][..] } else { &[] })).collect();
        let out = play(format, &frames);
        assert!(out.iter().map(|(frame, ..)| *frame).eq(0..16), "{out:?}");
        for (frame, face, corner) in out {
            assert_eq!((face, corner), (frame < 5, true), "picture {frame}");
        }
    }
}

#[test]
fn what_is_not_known_is_hidden_as_a_whole() {
    let out = play(VideoFormat::I420, &[None; 70]);
    assert_eq!(out.len(), 70);
    assert!(out.iter().all(|(_, face, corner)| !face && !corner));
    let some: [Option<&[Rect]>; 4] = [Some(&[]), None, Some(&[]), None];
    let out: Vec<bool> = play(VideoFormat::I420, &some).iter().map(|(_, _, corner)| *corner).collect();
    assert_eq!(out, [true, true, true, false], "between two analyses it is known");
}

#[test]
fn a_crowd_beyond_counting_is_hidden_as_a_whole_and_told() {
    init();
    let info = info(VideoFormat::I420, 160, 96);
    let mut harness = Harness::new("maskhide");
    let bus = gst::Bus::new();
    harness.element().unwrap().set_bus(Some(&bus));
    harness.set_src_caps(info.to_caps().unwrap());
    for frame in 0..40 {
        let crowd = frame == 5;
        let suspects = if crowd { Suspects::Anywhere(Unknown::Crowd) } else { Suspects::NONE };
        harness.push(striped_as(&info, frame, Some(suspects))).unwrap();
    }
    assert!(harness.push_event(gst::event::Eos::new()));
    let out: Vec<_> = std::iter::from_fn(|| harness.try_pull()).collect();
    let hidden: Vec<usize> = (0..out.len()).filter(|n| !sharp(&out[*n], &info, 0.05, 0.9)).collect();
    // As a single face would be: from 0.2 s before to a second after.
    assert_eq!(hidden, (0..31).collect::<Vec<_>>());
    let told = bus.iter().filter_map(|message| report::from_message(&message));
    assert_eq!(told.collect::<Vec<_>>(), vec![Report::Hidden(Unknown::Crowd); 31]);
}

#[test]
fn the_original_is_untouched_and_tags_end_here() {
    init();
    let info = info(VideoFormat::I420, 160, 96);
    let mut harness = Harness::new("maskhide");
    harness.set_src_caps(info.to_caps().unwrap());
    let mut tags = gst::TagList::new();
    tags.get_mut().unwrap().add::<gst::tags::Title>(&"at home", gst::TagMergeMode::Append);
    assert!(harness.push_event(gst::event::Tag::new(tags)));
    let original = striped(&info, 0, Some(&[FACE]));
    harness.push(original.clone()).unwrap();
    assert!(harness.push_event(gst::event::Eos::new()));
    let out = harness.pull().unwrap();
    assert!(sharp(&original, &info, 0.45, 0.5) && !sharp(&out, &info, 0.45, 0.5));
    let events: Vec<_> = std::iter::from_fn(|| harness.try_pull_event()).map(|event| event.type_()).collect();
    assert!(events.contains(&gst::EventType::Eos) && !events.contains(&gst::EventType::Tag), "{events:?}");
}

#[test]
fn a_flush_and_new_caps_lose_and_show_nothing_of_what_waits() {
    init();
    let (small, large) = (info(VideoFormat::I420, 160, 96), info(VideoFormat::I420, 320, 192));
    let mut harness = Harness::new("maskhide");
    harness.set_src_caps(small.to_caps().unwrap());
    harness.push(striped(&small, 0, Some(&[FACE]))).unwrap();
    assert!(harness.try_pull().is_none(), "it waits for what is found next");
    harness.set_src_caps(large.to_caps().unwrap());
    let out = harness.pull().unwrap();
    assert!(!sharp(&out, &small, 0.45, 0.5));
    harness.push(striped(&large, 1, Some(&[]))).unwrap();
    assert!(harness.push_event(gst::event::FlushStart::new()));
    assert!(harness.push_event(gst::event::FlushStop::new(true)));
    assert!(harness.try_pull().is_none());
}
