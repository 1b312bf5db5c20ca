//! The launch lines of the elements' documentation run as they stand there.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod support;

use gst::prelude::*;
use support::*;

/// The line without the program's name and line breaks, as `gst-launch-1.0` sees it.
fn description(documented: &str) -> String {
    documented.trim().trim_start_matches("gst-launch-1.0").replace("\\\n", " ")
}

fn run(documented: &str) {
    init();
    // The lines name the folder `models` of the repository.
    std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).unwrap();
    let pipeline = gst::parse::launch(&description(documented)).unwrap();
    let bus = pipeline.bus().unwrap();
    let started = pipeline.set_state(gst::State::Playing);
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    let message = bus.timed_pop_filtered(gst::ClockTime::from_seconds(120), &ends).unwrap();
    assert!(message.type_() == gst::MessageType::Eos, "{message:?}");
    started.unwrap();
    pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn maskinfer() {
    run(include_str!("../src/infer/launch.txt"));
}

#[test]
fn maskhide() {
    run(include_str!("../src/hide/launch.txt"));
}

#[test]
fn maskoverlay() {
    run(include_str!("../src/overlay/launch.txt"));
}
