//! The figures of merit against pycocotools and scikit-learn (tests/data/make_eval.py made the cases and the expected
//! values), and what must hold whatever the boxes.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::path::Path;

use maskwatch_vision::eval::classification::{Confusion, Figures, calibration_error};
use maskwatch_vision::eval::detection::{Found, Picture, PixelBox, Protocol, Truth, match_boxes, rank};
use proptest::prelude::*;
use serde_json::Value;

/// Far below the three digits asked for: both sides compute in double precision.
const CLOSE: f64 = 1e-9;

fn cases(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(file);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn bbox(value: &Value) -> PixelBox {
    std::array::from_fn(|index| value["bbox"][index].as_f64().unwrap())
}

fn picture(value: &Value) -> Picture {
    let list = |key: &str| value[key].as_array().unwrap().clone();
    let truth = |item: &Value| Truth { bbox: bbox(item), crowd: item["crowd"].as_bool().unwrap(), ignored: false };
    let found = |item: &Value| Found { bbox: bbox(item), score: item["score"].as_f64().unwrap() };
    Picture { truths: list("truths").iter().map(truth).collect(), found: list("found").iter().map(found).collect() }
}

#[test]
fn average_precision_is_pycocotools() {
    for case in cases("eval_detection.json") {
        let pictures: Vec<Picture> = case["pictures"].as_array().unwrap().iter().map(picture).collect();
        for expected in case["expected"].as_array().unwrap() {
            let heights =
                expected["heights"].as_array().map(|ends| ends[0].as_f64().unwrap()..ends[1].as_f64().unwrap());
            let max_found = expected["max_found"].as_u64().unwrap() as usize;
            let protocol = Protocol { iou: expected["iou"].as_f64().unwrap(), max_found, heights };
            let got = rank(&pictures, &protocol).average_precision().unwrap();
            let want = expected["ap"].as_f64().unwrap();
            assert!((got - want).abs() < CLOSE, "{}: {expected}: {got}", case["name"]);
        }
    }
}

#[test]
fn precision_recall_f1_and_averages_are_scikit_learns() {
    let same = |got: Figures, want: &Value| {
        let got = [got.precision, got.recall, got.f1, got.support as f64];
        got.iter().enumerate().all(|(index, value)| (value - want[index].as_f64().unwrap()).abs() < CLOSE)
    };
    for case in cases("eval_classification.json") {
        let numbers = |key: &str| -> Vec<usize> { serde_json::from_value(case[key].clone()).unwrap() };
        let mut confusion = Confusion::new(3);
        for (truth, answer) in numbers("truth").into_iter().zip(numbers("answer")) {
            confusion.add(truth, answer);
        }
        let name = &case["name"];
        let rows: Vec<&[u64]> = (0..3).map(|truth| confusion.row(truth)).collect();
        assert_eq!(serde_json::json!(rows), case["confusion"], "{name}");
        assert_eq!(confusion.present(), numbers("present"), "{name}");
        assert!((confusion.accuracy() - case["accuracy"].as_f64().unwrap()).abs() < CLOSE, "{name}");
        for (index, class) in confusion.present().into_iter().enumerate() {
            assert!(same(confusion.class(class), &case["classes"][index]), "{name}: {class}");
        }
        assert!(same(confusion.macro_average(), &case["macro"]), "{name}: {:?}", confusion.macro_average());
        assert!(same(confusion.weighted_average(), &case["weighted"]), "{name}: {:?}", confusion.weighted_average());
    }
}

#[test]
fn nothing_to_find_has_no_average_precision_and_no_division_by_zero() {
    let found = vec![Found { bbox: [0.0, 0.0, 10.0, 10.0], score: 0.9 }];
    let ranking = rank(&[Picture { truths: Vec::new(), found }], &Protocol::default());
    assert_eq!(ranking.average_precision(), None);
    assert_eq!(ranking.above(0.5), Figures::default());
    assert_eq!(Confusion::new(3).macro_average(), Figures::default());
    assert_eq!(Confusion::new(3).accuracy(), 0.0);
    assert_eq!(Confusion::new(0).row(0), &[] as &[u64]);
}

#[test]
fn calibration_error_by_hand() {
    assert_eq!(calibration_error(&[], 15), None);
    // Nine of ten right at 0.9: no gap. All wrong at 1.0: the whole gap.
    let honest: Vec<(f64, bool)> = (0..10).map(|number| (0.9, number > 0)).collect();
    assert!(calibration_error(&honest, 15).unwrap() < 1e-9);
    assert_eq!(calibration_error(&[(1.0, false), (1.0, false)], 15), Some(1.0));
    // Two bins of the same weight with gaps 0.2 and 0.4.
    assert!((calibration_error(&[(0.8, true), (0.4, false)], 10).unwrap() - 0.3).abs() < 1e-9);
}

#[test]
fn an_ignored_truth_takes_its_double_out_of_the_account() {
    let at = |x: f64| [x, 0.0, 10.0, 10.0];
    let truth = |x, ignored| Truth { bbox: at(x), crowd: false, ignored };
    let found = |x, score| Found { bbox: at(x), score };
    let picture = Picture {
        truths: vec![truth(0.0, true), truth(100.0, false)],
        found: vec![found(0.0, 0.9), found(100.0, 0.8), found(200.0, 0.7)],
    };
    let verdicts = match_boxes(&picture, &Protocol::default());
    let told: Vec<_> = verdicts.iter().map(|verdict| (verdict.truth, verdict.ignored)).collect();
    assert_eq!(told, [(Some(0), true), (Some(1), false), (None, false)]);
    let ranking = rank(&[picture], &Protocol::default());
    assert_eq!(ranking.average_precision(), Some(1.0), "the first that counts is right");
    assert_eq!(ranking.above(0.75), Figures { precision: 1.0, recall: 1.0, f1: 1.0, support: 1 });
    assert_eq!(ranking.above(0.0).precision, 0.5);
}

fn some_box() -> impl Strategy<Value = PixelBox> {
    [0.0..600.0, 0.0..440.0, 4.0..120.0, 4.0..120.0].prop_map(|values: [f64; 4]| values.map(f64::round))
}

fn some_picture() -> impl Strategy<Value = Picture> {
    let truth =
        (some_box(), prop::bool::weighted(0.1)).prop_map(|(bbox, ignored)| Truth { bbox, crowd: false, ignored });
    let found = (some_box(), 0.0..1.0).prop_map(|(bbox, score)| Found { bbox, score });
    (prop::collection::vec(truth, 0..6), prop::collection::vec(found, 0..8), any::<bool>()).prop_map(
        |(truths, mut found, copy)| {
            if copy {
                found.extend(truths.iter().map(|truth| Found { bbox: truth.bbox, score: 0.5 }));
            }
            Picture { truths, found }
        },
    )
}

proptest! {
    #[test]
    fn it_is_a_share(pictures in prop::collection::vec(some_picture(), 0..6)) {
        let ranking = rank(&pictures, &Protocol::default());
        if let Some(ap) = ranking.average_precision() {
            prop_assert!((0.0..=1.0 + CLOSE).contains(&ap));
        }
        let figures = ranking.above(0.3);
        prop_assert!(figures.precision <= 1.0 && figures.recall <= 1.0 && figures.f1 <= 1.0);
    }

    #[test]
    fn no_truth_is_matched_twice(picture in some_picture()) {
        let verdicts = match_boxes(&picture, &Protocol::default());
        prop_assert_eq!(verdicts.len(), picture.found.len());
        let mut matched: Vec<usize> = verdicts.iter().filter_map(|verdict| verdict.truth).collect();
        matched.sort_unstable();
        let count = matched.len();
        matched.dedup();
        prop_assert_eq!(matched.len(), count);
        prop_assert!(verdicts.windows(2).all(|pair| picture.found[pair[0].found].score >= picture.found[pair[1].found].score));
    }

    #[test]
    fn the_truth_itself_is_perfect(mut pictures in prop::collection::vec(some_picture(), 1..6)) {
        for picture in &mut pictures {
            // No two truths on one spot: which of them is meant would be open.
            picture.truths.dedup_by(|a, b| a.bbox == b.bbox);
            picture.found = picture.truths.iter().map(|truth| Found { bbox: truth.bbox, score: 1.0 }).collect();
        }
        if let Some(ap) = rank(&pictures, &Protocol { iou: 0.99, ..Protocol::default() }).average_precision() {
            prop_assert!((ap - 1.0).abs() < CLOSE, "{ap}");
        }
    }

    #[test]
    fn a_worst_finding_that_misses_changes_nothing_before_it(picture in some_picture()) {
        let before = rank(std::slice::from_ref(&picture), &Protocol::default());
        let mut more = picture.clone();
        more.found.push(Found { bbox: [5000.0, 5000.0, 10.0, 10.0], score: -1.0 });
        let after = rank(&[more], &Protocol::default());
        prop_assert_eq!(before.average_precision(), after.average_precision());
        prop_assert_eq!(before.above(0.0), after.above(0.0));
    }

    #[test]
    fn bands_of_height_share_the_truths_out(pictures in prop::collection::vec(some_picture(), 0..6)) {
        let count = |heights| rank(&pictures, &Protocol { heights, ..Protocol::default() }).positives();
        prop_assert_eq!(count(Some(0.0..32.0)) + count(Some(32.0..1e9)), count(None));
    }
}
