//! Starts, flushes and ends of `maskinfer`.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod support;

use std::thread;

use gst::prelude::*;
use gst_video::VideoFormat;
use gstmaskwatch::report::Report;
use maskwatch_vision::face::MaskState;
use support::*;

/// Plays four frames of a masked face; the last one's result is still out.
fn four_frames(rig: &mut Rig, pedal: &Pedal) {
    let info = info(VideoFormat::I420, 64, 48);
    rig.harness.set_src_caps(info.to_caps().unwrap());
    for turn in 0..4 {
        rig.harness.push_and_pull(halves(&info, BRIGHT, DARK, turn * 200)).unwrap();
        pedal.began.recv_timeout(SOON).unwrap();
        if turn < 3 {
            pedal.go.send(()).unwrap();
            while !matches!(rig.report(), Report::Frame(_)) {}
        }
    }
}

#[test]
fn end_of_stream_finishes_people_before_it_passes() {
    init();
    let (brake, pedal) = brake();
    let _engine = engine_with("end", brake);
    let mut rig = rig("end", |element| element.set_property("analyze-fps", 0.0));
    four_frames(&mut rig, &pedal);
    let late = thread::spawn(move || pedal.go.send(()).unwrap());
    assert!(rig.harness.push_event(gst::event::Eos::new()));
    late.join().unwrap();
    let reports = rig.reports();
    let last = reports.iter().rposition(|report| matches!(report, Report::Frame(_))).unwrap();
    let people: Vec<_> = reports
        .iter()
        .enumerate()
        .filter_map(|(index, report)| if let Report::Person(person) = report { Some((index, person)) } else { None })
        .collect();
    assert_eq!(people.len(), 1, "{reports:?}");
    assert!(people[0].0 > last);
    assert_eq!(people[0].1.person.state, MaskState::Mask);
    assert_eq!(people[0].1.person.frames, 4);
    assert_eq!(people[0].1.camera, "gate");
    let mut seen_end = false;
    while let Some(event) = rig.harness.try_pull_event() {
        seen_end |= event.type_() == gst::EventType::Eos;
    }
    assert!(seen_end);
}

#[test]
fn flush_ends_tracks_and_makes_results_stale() {
    init();
    let (brake, pedal) = brake();
    let _engine = engine_with("flush", brake);
    let mut rig = rig("flush", |element| element.set_property("analyze-fps", 0.0));
    four_frames(&mut rig, &pedal);
    assert!(rig.harness.push_event(gst::event::FlushStart::new()));
    assert!(rig.harness.push_event(gst::event::FlushStop::new(true)));
    pedal.go.send(()).unwrap();
    let (mut person, mut flushed) = (false, false);
    while !(person && flushed) {
        match rig.report() {
            Report::Person(report) => person = report.person.frames == 3,
            Report::Drop(report) => flushed = report.reason == "flushed",
            Report::Frame(frame) => panic!("stale: {frame:?}"),
            Report::Visit(_) | Report::Verdict(_) | Report::Hidden(_) => {}
        }
    }
    // A new life after the flush.
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    assert!(rig.harness.push_event(gst::event::Segment::new(&segment)));
    let info = info(VideoFormat::I420, 64, 48);
    let out = rig.harness.push_and_pull(halves(&info, DARK, BRIGHT, 0)).unwrap();
    assert!(faces(&out).is_empty());
    drop(pedal);
    assert!(rig.harness.push_event(gst::event::Eos::new()));
    assert!(matches!(rig.report(), Report::Frame(frame) if frame.raw.len() == 1));
}

#[test]
fn flush_frees_a_frame_that_waits_in_sync_mode() {
    init();
    let (brake, pedal) = brake();
    let _engine = engine_with("unlock", brake);
    let rig = rig("unlock", exact);
    let Rig { mut harness, element, bus } = rig;
    let info = info(VideoFormat::I420, 64, 48);
    harness.set_src_caps(info.to_caps().unwrap());
    let sink = element.static_pad("sink").unwrap();
    let flusher = thread::spawn(move || {
        pedal.began.recv_timeout(SOON).unwrap();
        sink.send_event(gst::event::FlushStart::new());
        pedal
    });
    assert_eq!(harness.push(halves(&info, BRIGHT, DARK, 0)), Err(gst::FlowError::Flushing));
    drop(flusher.join().unwrap());
    drop(bus);
}

#[test]
fn stopping_frees_a_frame_that_waits_in_sync_mode() {
    init();
    let (brake, pedal) = brake();
    let _engine = engine_with("stop", brake);
    let pipeline = gst::parse::launch(
        "videotestsrc ! video/x-raw,format=I420 ! maskinfer engine=stop sync=true analyze-fps=0 ! fakesink",
    )
    .unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    pedal.began.recv_timeout(SOON).unwrap();
    // The engine stands still; were the frame to keep waiting, this would hang.
    pipeline.set_state(gst::State::Null).unwrap();
    drop(pedal);
}

#[test]
fn an_engine_that_does_not_start_is_an_error_with_a_hint() {
    init();
    let pipeline = gst::parse::launch(
        "videotestsrc ! video/x-raw,format=I420 ! maskinfer engine=none camera=north models-dir=nowhere ! fakesink",
    )
    .unwrap();
    let bus = pipeline.bus().unwrap();
    assert!(pipeline.set_state(gst::State::Playing).is_err());
    let message = bus.timed_pop_filtered(gst::ClockTime::try_from(SOON).unwrap(), &[gst::MessageType::Error]).unwrap();
    let gst::MessageView::Error(error) = message.view() else { unreachable!() };
    let text = error.error().to_string();
    assert!(text.contains("camera north") && text.contains("nowhere") && text.contains("hint"), "{text}");
    pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn a_wrong_provider_is_an_error_that_names_the_right_ones() {
    init();
    let element = gst::ElementFactory::make("maskinfer")
        .property("engine", "odd")
        .property("provider", "abacus")
        .build()
        .unwrap();
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    assert!(element.set_state(gst::State::Paused).is_err());
    element.set_state(gst::State::Null).unwrap();
    let told = |message: gst::Message| match message.view() {
        gst::MessageView::Error(error) => Some(error.error().to_string()),
        _ => None,
    };
    let text = bus.iter().find_map(told).unwrap();
    assert!(text.contains("abacus") && text.contains("openvino"), "{text}");
}

#[test]
fn one_pipeline_of_two_cameras_shares_an_engine_started_by_name() {
    init();
    let models = models();
    let branch = |camera: &str| {
        format!(
            "videotestsrc num-buffers=20 pattern=white ! video/x-raw,format=I420,width=64,height=48 \
             ! maskinfer engine=common camera={camera} models-dir={} detector=sides classifier=\"\" provider=cpu sync=true \
             analyze-fps=0 ! fakesink ",
            models.display()
        )
    };
    let pipeline = gst::parse::launch(&(branch("a") + &branch("b"))).unwrap();
    let bus = pipeline.bus().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut frames = [0, 0];
    loop {
        let message = bus.timed_pop(gst::ClockTime::try_from(SOON).unwrap()).unwrap();
        match message.view() {
            gst::MessageView::Eos(_) => break,
            gst::MessageView::Error(error) => panic!("{error:?}"),
            _ => (),
        }
        if let Some(Report::Frame(frame)) = gstmaskwatch::report::from_message(&message) {
            frames[usize::from(frame.camera == "b")] += 1;
            assert_eq!(frame.raw.len(), 2);
        }
    }
    assert_eq!(frames, [20, 20]);
    pipeline.set_state(gst::State::Null).unwrap();
}
