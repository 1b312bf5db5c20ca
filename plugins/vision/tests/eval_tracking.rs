//! Tracking figures against motmetrics' own, on 140 frames of a clip with pillars: faces found, missed, split and made up.
//!
//! The files are in the format of the MOT challenge; `tests/counting/motmetrics_check.py` gave the values.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::collections::BTreeMap;

use maskwatch_vision::eval::tracking::{Numbered, TrackingEvaluation};
use maskwatch_vision::geometry::Rect;

/// Frames of a file: number, left, top, width and height of each box.
fn frames(text: &str) -> BTreeMap<u32, Vec<Numbered>> {
    let mut frames: BTreeMap<u32, Vec<Numbered>> = BTreeMap::new();
    for line in text.lines() {
        let fields: Vec<f32> = line.split(',').map(|field| field.parse().unwrap()).collect();
        let rect = Rect::new(fields[2], fields[3], fields[4], fields[5]);
        frames.entry(fields[0] as u32).or_default().push((fields[1] as u64, rect));
    }
    frames
}

#[test]
fn the_figures_are_those_of_motmetrics() {
    let truth = frames(include_str!("data/mot/truth.txt"));
    let tracks = frames(include_str!("data/mot/tracks.txt"));
    let mut evaluation = TrackingEvaluation::new();
    let none = Vec::new();
    for frame in 1..=140 {
        evaluation.add(truth.get(&frame).unwrap_or(&none), tracks.get(&frame).unwrap_or(&none));
    }
    let score = evaluation.score();
    assert_eq!((score.truth, score.answered), (175, 169));
    assert_eq!((score.misses, score.false_positives, score.switches, score.identified), (53, 47, 1, 121));
    assert!((score.mota().unwrap() - 0.422_857_142_857).abs() < 1e-9);
    assert!((score.idf1().unwrap() - 0.703_488_372_093).abs() < 1e-9);
}
