//! Zones, lines and ignore masks of `maskinfer`, by GStreamer's check harness.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod support;

use gst::prelude::*;
use gst_video::VideoFormat;
use gstmaskwatch::{
    meta::FaceMeta,
    report::{LineCrossing, Report},
};
use maskwatch_vision::{face::MaskState, zone::Direction};
use support::*;

/// The test model sees a masked face in a bright left half, and one without in a bright right half.
const AREAS: &str = r#"{
    "zones": [{"name": "left", "polygon": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]},
              {"name": "right", "polygon": [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]}],
    "lines": [{"name": "middle", "line": [[0.5, 1], [0.5, 0]]}]
}"#;

fn exact(element: &gst::Element, areas: &str) {
    element.set_property("sync", true);
    element.set_property("analyze-fps", 0.0);
    element.set_property("areas", areas);
}

/// Pushes halves, `step` milliseconds apart, and gives the reports of the whole stream.
fn play(rig: &mut Rig, step: u64, turns: &[(u8, u8)]) -> Vec<Report> {
    let info = info(VideoFormat::I420, 640, 480);
    rig.harness.set_src_caps(info.to_caps().unwrap());
    for (turn, (left, right)) in turns.iter().enumerate() {
        rig.harness.push_and_pull(halves(&info, *left, *right, turn as u64 * step)).unwrap();
    }
    assert!(rig.harness.push_event(gst::event::Eos::new()));
    rig.reports()
}

#[test]
fn people_and_verdicts_carry_their_zones() {
    init();
    let _engine = engine("zones");
    let mut rig = rig("zones", |element| exact(element, AREAS));
    let reports = play(&mut rig, 200, &[(BRIGHT, BRIGHT); 12]);
    let people = reports.iter().filter_map(|report| match report {
        Report::Person(person) => Some((person.zones.concat(), person.person.state, person.crossings.len())),
        _ => None,
    });
    let mut people: Vec<_> = people.collect();
    people.sort();
    assert_eq!(people, [("left".to_owned(), MaskState::Mask, 0), ("right".to_owned(), MaskState::NoMask, 0)]);
    let verdicts = reports.iter().enumerate().filter_map(|(index, report)| match report {
        Report::Verdict(verdict) => Some((index, verdict.zones.concat(), verdict.verdict.state)),
        _ => None,
    });
    let mut verdicts: Vec<_> = verdicts.collect();
    verdicts.sort_by_key(|(_, zone, _)| zone.clone());
    let told: Vec<_> = verdicts.iter().map(|(_, zone, state)| (zone.as_str(), *state)).collect();
    assert_eq!(told, [("left", MaskState::Mask), ("right", MaskState::NoMask)], "each once");
    let first_person = reports.iter().position(|report| matches!(report, Report::Person(_))).unwrap();
    assert!(verdicts.iter().all(|(index, ..)| *index < first_person), "known before they are counted");
}

#[test]
fn people_carry_the_lines_that_they_crossed() {
    init();
    let _engine = engine("lines");
    let mut rig = rig("lines", |element| exact(element, AREAS));
    // Somebody in a hurry: once in the left half, once in the right one, and away.
    let reports = play(&mut rig, 700, &[(BRIGHT, DARK), (DARK, BRIGHT)]);
    let people: Vec<_> =
        reports.iter().filter_map(|r| if let Report::Person(person) = r { Some(person) } else { None }).collect();
    assert_eq!(people.len(), 1, "{reports:?}");
    let crossing = LineCrossing { line: "middle".into(), direction: Direction::Forward };
    assert_eq!((people[0].zones.join("+").as_str(), &people[0].crossings[..]), ("left+right", &[crossing][..]));
    assert!(!reports.iter().any(|report| matches!(report, Report::Visit(_))), "nothing is told twice");
}

#[test]
fn ignored_and_small_faces_are_neither_shown_nor_told() {
    init();
    let _engine = engine("ignore");
    let poster = r#"{"ignore": [[[0.5, 0], [1, 0], [1, 1], [0.5, 1]]]}"#;
    for (areas, track, expected) in
        [(poster, true, 1), (poster, false, 1), (r#"{"min_face_height_px": 600}"#, true, 0), ("", true, 2)]
    {
        let mut rig = rig("ignore", |element| {
            exact(element, areas);
            element.set_property("track", track);
        });
        let info = info(VideoFormat::Nv12, 640, 480);
        rig.harness.set_src_caps(info.to_caps().unwrap());
        for turn in 0..4 {
            let out = rig.harness.push_and_pull(halves(&info, BRIGHT, BRIGHT, turn * 200)).unwrap();
            assert_eq!(FaceMeta::get(&out).unwrap().faces().len(), expected, "{areas}, track {track}");
        }
        assert!(rig.harness.push_event(gst::event::Eos::new()));
        let (mut people, mut raw) = (0, 0);
        for report in rig.reports() {
            match report {
                Report::Person(_) => people += 1,
                Report::Frame(frame) => raw += frame.raw.len(),
                _ => {}
            }
        }
        assert_eq!((people, raw), (if track { expected } else { 0 }, expected * 4), "{areas}, track {track}");
    }
}

#[test]
fn areas_that_cannot_be_read_are_an_error_of_the_start() {
    init();
    let _engine = engine("wrong");
    let element = gst::ElementFactory::make("maskinfer").property("engine", "wrong").property("camera", "gate");
    let element = element.property("areas", r#"{"zones": [{"name": "hall", "polygon": [[0, 0], [2, 0]]}]}"#).build();
    let element = element.unwrap();
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    assert!(element.set_state(gst::State::Paused).is_err());
    let message = bus.timed_pop_filtered(gst::ClockTime::try_from(SOON).unwrap(), &[gst::MessageType::Error]).unwrap();
    let gst::MessageView::Error(error) = message.view() else { panic!("{message:?}") };
    let text = error.error().to_string();
    assert!(text.contains("camera gate") && text.contains("areas") && text.contains("corners"), "{text}");
    element.set_state(gst::State::Null).unwrap();
}
