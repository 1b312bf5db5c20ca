//! `maskoverlay` by GStreamer's check harness, and the drawing it does.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod support;

use gst::prelude::*;
use gst_check::Harness;
use gst_video::{VideoFormat, VideoFrame, VideoFrameRef, VideoInfo, prelude::*};
use gstmaskwatch::{
    meta::FaceMeta,
    overlay::{self, Caption, PaintError, Painter, Slate},
};
use maskwatch_vision::{
    face::{FaceView, MaskState},
    geometry::Rect,
    label,
};
use support::*;

const FORMATS: [VideoFormat; 4] = [VideoFormat::I420, VideoFormat::Nv12, VideoFormat::Rgb, VideoFormat::Bgrx];

fn face(state: MaskState, rect: Rect) -> FaceView {
    FaceView { track: 1, rect, score: 0.9, state, confidence: 0.97 }
}

fn grey(info: &VideoInfo) -> gst::Buffer {
    let mut buffer = gst::Buffer::with_size(info.size()).unwrap();
    buffer.get_mut().unwrap().map_writable().unwrap().fill(128);
    buffer
}

/// R, G, B of every pixel, by GStreamer's own conversion.
fn rgb(buffer: &gst::Buffer, info: &VideoInfo) -> Vec<[u8; 3]> {
    let caps = gst_video::VideoCapsBuilder::new().format(VideoFormat::Rgb).build();
    let sample = gst::Sample::builder().buffer(buffer).caps(&info.to_caps().unwrap()).build();
    let converted = gst_video::convert_sample(&sample, &caps, gst::ClockTime::try_from(SOON).ok()).unwrap();
    let to = VideoInfo::from_caps(converted.caps().unwrap()).unwrap();
    let frame = VideoFrame::from_buffer_readable(converted.buffer_owned().unwrap(), &to).unwrap();
    let stride = frame.plane_stride()[0] as usize;
    let bytes = frame.plane_data(0).unwrap();
    let (width, height) = (to.width() as usize, to.height() as usize);
    let pixel = |at: usize| [bytes[at], bytes[at + 1], bytes[at + 2]];
    (0..height).flat_map(|y| (0..width).map(move |x| y * stride + x * 3)).map(pixel).collect()
}

fn near(got: [u8; 3], want: [u8; 3], tolerance: u8) -> bool {
    got.iter().zip(want).all(|(got, want)| got.abs_diff(want) <= tolerance)
}

fn paint(info: &VideoInfo, faces: &[FaceView], caption: &Caption<'_>) -> gst::Buffer {
    let mut buffer = grey(info);
    let mut frame = VideoFrameRef::from_buffer_ref_writable(buffer.get_mut().unwrap(), info).unwrap();
    overlay::paint(&mut frame, faces, caption).unwrap();
    drop(frame);
    buffer
}

#[test]
fn every_format_gets_the_same_box_in_the_colour_of_the_state() {
    init();
    for state in MaskState::ALL {
        for format in FORMATS {
            let info = info(format, 320, 240);
            let rect = Rect::new(0.25, 0.5, 0.25, 0.25);
            let pixels = rgb(&paint(&info, &[face(state, rect)], &Caption::default()), &info);
            // On the left edge, between the corners: x 80, y 150. The face itself and what is far stay grey.
            let (edge, inside, far) = (pixels[150 * 320 + 80], pixels[150 * 320 + 100], pixels[230 * 320 + 300]);
            // A quarter of the chroma comes from the neighbours when it is brought to full size.
            assert!(near(edge, label::color(state), 60), "{format:?} {state:?}: {edge:?}");
            let before = rgb(&grey(&info), &info)[0];
            assert_eq!((inside, far), (before, before), "{format:?}");
        }
    }
}

#[test]
fn zones_are_drawn_by_the_element_and_taken_away_again() {
    init();
    let areas = r#"{"zones": [{"name": "hall", "polygon": [[0.5, 0.25], [0.9, 0.25], [0.9, 0.9], [0.5, 0.9]]}],
        "lines": [{"name": "door", "line": [[0.1, 0.5], [0.4, 0.5]]}],
        "ignore": [[[0.1, 0.7], [0.3, 0.7], [0.3, 0.9], [0.1, 0.9]]]}"#;
    for format in FORMATS {
        let info = info(format, 320, 240);
        let element = gst::ElementFactory::make("maskoverlay").property("clock", false).build().unwrap();
        let mut harness = Harness::with_element(&element, Some("sink"), Some("src"));
        harness.set_src_caps(info.to_caps().unwrap());
        assert_eq!(harness.push_and_pull(grey(&info)).unwrap(), grey(&info), "{format:?}: no zones, nothing drawn");
        element.set_property("areas", areas);
        let pixels = rgb(&harness.push_and_pull(grey(&info)).unwrap(), &info);
        let before = rgb(&grey(&info), &info)[0];
        let changed = |x: usize, y: usize| !near(pixels[y * 320 + x], before, 12);
        // The zone's upper edge, the line, the mask's left edge; and the inside of the zone.
        assert!(changed(250, 60) && changed(100, 120) && changed(32, 190), "{format:?}");
        assert!(!changed(250, 150) && !changed(10, 10), "{format:?}");
        // The arrow of a line that goes to the right points down.
        let stem = |rows: std::ops::Range<usize>| rows.filter(|y| changed(80, *y)).count();
        assert!(stem(124..136) > 8 && stem(100..116) == 0, "{format:?}");
        element.set_property("areas", None::<String>);
        assert_eq!(harness.push_and_pull(grey(&info)).unwrap(), grey(&info), "{format:?}");
    }
}

#[test]
fn only_what_is_drawn_changes() {
    init();
    for format in FORMATS {
        for (width, height) in [(320, 240), (321, 241), (64, 48), (7, 5), (1, 1)] {
            let info = info(format, width, height);
            assert_eq!(paint(&info, &[], &Caption::default()), grey(&info), "{format:?} {width}x{height}");
        }
    }
}

#[test]
fn boxes_at_and_beyond_the_edges_are_cut() {
    init();
    let odd = [
        Rect::new(-0.5, -0.5, 0.7, 0.7),
        Rect::new(0.9, 0.9, 0.5, 0.5),
        Rect::new(2.0, 2.0, 1.0, 1.0),
        Rect::new(-3.0, 0.0, 9.0, 1.0),
        Rect::new(0.5, 0.5, 0.0, 0.0),
        Rect::new(f32::NAN, 0.5, 0.1, 0.1),
        Rect::new(0.5, 0.5, f32::INFINITY, 0.1),
        Rect::FULL,
    ];
    let faces: Vec<FaceView> = odd.iter().map(|rect| face(MaskState::Mask, *rect)).collect();
    let caption = Caption { camera: "north-gate", clock: "2026-11-24 12:00:00", status: "Compliance 87%" };
    for format in FORMATS {
        for (width, height) in [(320, 240), (33, 17), (3, 3), (1, 1)] {
            paint(&info(format, width, height), &faces, &caption);
        }
    }
}

#[test]
fn many_faces_do_not_hurt() {
    init();
    let info = info(VideoFormat::I420, 640, 360);
    let at = |i: usize| Rect::new((i % 20) as f32 / 20.0, (i / 20) as f32 / 10.0, 0.04, 0.08);
    let faces: Vec<FaceView> = (0..200).map(|i| face(MaskState::NoMask, at(i))).collect();
    let buffer = paint(&info, &faces, &Caption::default());
    assert_ne!(buffer, grey(&info));
}

#[test]
fn caption_stands_in_the_left_top_corner() {
    init();
    let info = info(VideoFormat::Rgb, 640, 360);
    let caption = Caption { camera: "north-gate", clock: "", status: "" };
    let (before, pixels) = (rgb(&grey(&info), &info), rgb(&paint(&info, &[], &caption), &info));
    let changed: Vec<usize> = (0..pixels.len()).filter(|at| pixels[*at] != before[*at]).collect();
    assert!(changed.len() > 500);
    assert!(changed.iter().all(|at| at % 640 < 200 && at / 640 < 60));
    assert!(changed.iter().any(|at| near(pixels[*at], [255; 3], 4)), "white letters");
}

#[test]
fn rgb_pictures_can_be_painted_without_gstreamer() {
    let mut pixels = vec![128; 320 * 240 * 3];
    let faces = [face(MaskState::Mask, Rect::new(0.25, 0.5, 0.25, 0.25))];
    overlay::paint_rgb([320, 240], &mut pixels, &faces, &Caption::default()).unwrap();
    let at = (150 * 320 + 80) * 3;
    assert_eq!(pixels[at..at + 3], label::color(MaskState::Mask));
    let error = overlay::paint_rgb([320, 240], &mut pixels[1..], &faces, &Caption::default()).unwrap_err();
    assert_eq!(error, PaintError::Size { width: 320, height: 240, want: 230_400, got: 230_399 });
}

#[test]
fn formats_that_cannot_be_drawn_on_are_an_error() {
    init();
    let info = info(VideoFormat::Yuy2, 32, 32);
    let mut buffer = grey(&info);
    let mut frame = VideoFrameRef::from_buffer_ref_writable(buffer.get_mut().unwrap(), &info).unwrap();
    let error = overlay::paint(&mut frame, &[], &Caption::default()).unwrap_err();
    assert!(error.to_string().contains("YUY2") && error.to_string().contains("I420"), "{error}");
}

#[test]
fn slate_fills_the_picture_and_its_clock_moves() {
    init();
    let mut painter = Painter::new();
    for format in FORMATS {
        for (width, height) in [(640, 360), (1920, 1080), (321, 241), (90, 160), (2, 2), (1, 1)] {
            let info = info(format, width, height);
            let mut draw = |clock| {
                let mut buffer = grey(&info);
                let mut frame = VideoFrameRef::from_buffer_ref_writable(buffer.get_mut().unwrap(), &info).unwrap();
                let slate = Slate { camera: "north-gate", message: "no signal since 12:03:10", clock };
                painter.slate(&mut frame, &slate).unwrap();
                drop(frame);
                buffer
            };
            let (first, again, later) = (draw("12:03:11"), draw("12:03:11"), draw("12:03:12"));
            assert_eq!(first, again);
            if height >= 240 {
                assert_ne!(first, later);
                let pixels = rgb(&first, &info);
                // Dark all over, but for letters and the sign.
                let dark = pixels.iter().filter(|pixel| pixel.iter().all(|value| *value < 60)).count();
                assert!(dark * 10 > pixels.len() * 8, "{format:?} {width}x{height}");
                assert!(pixels.iter().any(|pixel| near(*pixel, [255; 3], 12)));
            }
        }
    }
}

#[test]
fn element_draws_the_faces_that_a_buffer_carries() {
    init();
    for format in FORMATS {
        let info = info(format, 320, 240);
        let mut harness = Harness::new("maskoverlay");
        harness.element().unwrap().set_property("clock", false);
        harness.set_src_caps(info.to_caps().unwrap());
        let untouched = harness.push_and_pull(grey(&info)).unwrap();
        assert_eq!(untouched, grey(&info));
        let mut carrying = grey(&info);
        FaceMeta::add(
            carrying.get_mut().unwrap(),
            vec![face(MaskState::NoMask, Rect::new(0.25, 0.5, 0.25, 0.25))],
            true,
        );
        let shared = carrying.clone();
        let out = harness.push_and_pull(carrying).unwrap();
        let edge = rgb(&out, &info)[150 * 320 + 80];
        assert!(near(edge, label::color(MaskState::NoMask), 60), "{format:?}: {edge:?}");
        // Whoever else holds the picture keeps it as it was.
        assert_eq!(rgb(&shared, &info), rgb(&grey(&info), &info));
        assert_eq!(FaceMeta::get(&out).unwrap().faces().len(), 1);
    }
}

#[test]
fn properties_change_while_playing_and_disabled_is_passthrough() {
    init();
    let info = info(VideoFormat::I420, 320, 240);
    let mut harness = Harness::new("maskoverlay");
    let element = harness.element().unwrap();
    element.set_property("clock", false);
    harness.set_src_caps(info.to_caps().unwrap());
    assert_eq!(harness.push_and_pull(grey(&info)).unwrap(), grey(&info));
    element.set_property("camera", "gate");
    element.set_property("status", "Compliance 87%");
    assert_ne!(harness.push_and_pull(grey(&info)).unwrap(), grey(&info));
    element.set_property("enabled", false);
    let input = grey(&info);
    let memory = input.peek_memory(0).as_ptr();
    let held = input.clone();
    let out = harness.push_and_pull(input).unwrap();
    assert_eq!(out.peek_memory(0).as_ptr(), memory);
    assert_eq!(out, held);
    assert_eq!(element.property::<String>("status"), "Compliance 87%");
    element.set_property("status", None::<String>);
    assert_eq!(element.property::<String>("status"), "");
}

#[test]
fn faces_stay_in_place_when_the_picture_is_scaled() {
    init();
    // Twice as wide as high into a square. With square pixels the picture fills the middle half, with borders above and
    // below; without a word on the pixels' shape they become twice as wide, and there are no borders.
    let cases = [
        ("width=160,height=160,pixel-aspect-ratio=1/1", Rect::new(0.5, 0.5, 0.25, 0.25)),
        ("width=160,height=160", Rect::new(0.5, 0.5, 0.25, 0.5)),
        ("width=160,height=80", Rect::new(0.5, 0.5, 0.25, 0.5)),
    ];
    for (caps, want) in cases {
        let scale = format!("videoconvertscale ! capsfilter caps=video/x-raw,format=NV12,{caps}");
        let mut harness = Harness::new_parse(&scale);
        let info = info(VideoFormat::I420, 320, 160);
        harness.set_src_caps(info.to_caps().unwrap());
        let mut buffer = grey(&info);
        FaceMeta::add(buffer.get_mut().unwrap(), vec![face(MaskState::Mask, Rect::new(0.5, 0.5, 0.25, 0.5))], true);
        let out = harness.push_and_pull(buffer).unwrap();
        let rect = FaceMeta::get(&out).unwrap().faces()[0].rect;
        assert!(rect.iou(&want) > 0.99, "{caps}: {rect:?}");
    }
}

#[test]
fn faces_are_dropped_where_the_geometry_is_lost() {
    init();
    let mut harness = Harness::new_parse("videocrop left=40");
    let info = info(VideoFormat::I420, 320, 160);
    harness.set_src_caps(info.to_caps().unwrap());
    let mut buffer = grey(&info);
    FaceMeta::add(buffer.get_mut().unwrap(), vec![face(MaskState::Mask, Rect::FULL)], true);
    let out = harness.push_and_pull(buffer).unwrap();
    assert!(FaceMeta::get(&out).is_none());
}
