//! Figures of faces with states against pycocotools and scikit-learn (tests/data/make_eval_states.py made the cases and the
//! expected values), and by hand.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::path::Path;

use maskwatch_vision::eval::answers::{Answer, AnswersReport, Grain};
use maskwatch_vision::eval::classification::Figures;
use maskwatch_vision::eval::detection::PixelBox;
use maskwatch_vision::eval::faces::{FacesOfPicture, FacesReport, FoundFace, LabelledFace, STATES};
use maskwatch_vision::face::{MaskState, StateScores};
use serde_json::Value;

/// Far below the three digits asked for.
const CLOSE: f64 = 1e-9;

fn cases(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(file);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn state(value: &Value) -> MaskState {
    serde_json::from_value(value.clone()).unwrap()
}

fn scores(value: &Value) -> StateScores {
    let [mask, incorrect, no_mask]: [f32; 3] = serde_json::from_value(value.clone()).unwrap();
    StateScores { mask, incorrect, no_mask }
}

fn bbox(value: &Value) -> PixelBox {
    serde_json::from_value(value["bbox"].clone()).unwrap()
}

fn picture(value: &Value) -> FacesOfPicture {
    let label = |item: &Value| LabelledFace {
        bbox: bbox(item),
        state: state(&item["state"]),
        crowd: item["crowd"].as_bool().unwrap(),
    };
    let found = |item: &Value| {
        let states = Some(&item["states"]).filter(|states| !states.is_null()).map(scores);
        let state = states.map_or(MaskState::Unknown, |states| states.best().0);
        FoundFace { bbox: bbox(item), score: item["score"].as_f64().unwrap(), states, state }
    };
    FacesOfPicture {
        labelled: value["truths"].as_array().unwrap().iter().map(label).collect(),
        found: value["found"].as_array().unwrap().iter().map(found).collect(),
    }
}

#[test]
fn average_precision_of_faces_and_states_is_pycocotools() {
    for case in cases("eval_states.json") {
        let pictures: Vec<_> = case["pictures"].as_array().unwrap().iter().map(picture).collect();
        let report = FacesReport::of(&pictures, 0.5);
        let same = |got: Option<f64>, want: &Value, what: &str| {
            let (got, want) = (got.unwrap(), want.as_f64().unwrap());
            assert!((got - want).abs() < CLOSE, "{}: {what}: {got}, {want}", case["name"]);
            want
        };
        same(report.faces.average_precision, &case["face"], "face");
        let mut sum = 0.0;
        for (state, finding) in STATES.iter().zip(report.states.unwrap()) {
            sum += same(finding.average_precision, &case["states"][state.as_str()], state.as_str());
        }
        assert!((report.mean(&STATES).unwrap() - sum / 3.0).abs() < CLOSE);
    }
}

#[test]
fn figures_of_answers_are_scikit_learns() {
    let same = |got: Figures, want: &Value| {
        let got = [got.precision, got.recall, got.f1, got.support as f64];
        got.iter().enumerate().all(|(index, value)| (value - want[index].as_f64().unwrap()).abs() < CLOSE)
    };
    for case in cases("eval_answers.json") {
        let truths = case["truth"].as_array().unwrap().iter().map(state);
        let answers: Vec<_> = truths
            .zip(case["scores"].as_array().unwrap())
            .map(|(truth, given)| Answer { truth, scores: scores(given), state: scores(given).best().0 })
            .collect();
        let report = AnswersReport::of(&answers, Grain::of(answers.iter().map(|answer| answer.truth)));
        let (name, expected) = (&case["name"], &case["expected"]);
        let classes = report.grain.classes();
        let rows: Vec<_> = (0..classes.len()).map(|row| report.confusion.row(row)).collect();
        assert_eq!(serde_json::json!(rows), expected["confusion"], "{name}");
        assert!((report.confusion.accuracy() - expected["accuracy"].as_f64().unwrap()).abs() < CLOSE, "{name}");
        assert!((report.three_state_accuracy - expected["three_state_accuracy"].as_f64().unwrap()).abs() < CLOSE);
        for (class, figures) in report.classes() {
            assert!(same(figures, &expected["classes"][class.as_str()]), "{name}: {class:?}: {figures:?}");
        }
        assert_eq!(report.classes().len(), expected["classes"].as_object().unwrap().len(), "{name}");
        assert!(same(report.confusion.macro_average(), &expected["macro"]), "{name}");
        assert!(same(report.confusion.weighted_average(), &expected["weighted"]), "{name}");
        assert_eq!((report.unknown_share, report.accuracy_of_known), (0.0, Some(report.confusion.accuracy())));
    }
}

fn label(x: f64, height: f64, state: MaskState) -> LabelledFace {
    LabelledFace { bbox: [x, 0.0, 10.0, height], state, crowd: false }
}

fn found(x: f64, height: f64, score: f64, states: Option<StateScores>, state: MaskState) -> FoundFace {
    FoundFace { bbox: [x, 0.0, 10.0, height], score, states, state }
}

#[test]
fn recall_by_height_and_answers_by_hand() {
    let sure = Some(StateScores { mask: 0.9, incorrect: 0.1, no_mask: 0.0 });
    let picture = FacesOfPicture {
        labelled: vec![
            label(0.0, 10.0, MaskState::Mask),
            label(100.0, 20.0, MaskState::NoMask),
            label(200.0, 20.0, MaskState::Mask),
            label(300.0, 80.0, MaskState::Mask),
        ],
        found: vec![
            found(100.0, 20.0, 0.9, sure, MaskState::Mask),
            found(200.0, 20.0, 0.3, sure, MaskState::Mask),
            found(300.0, 80.0, 0.8, sure, MaskState::Unknown),
            found(400.0, 80.0, 0.7, sure, MaskState::Mask),
        ],
    };
    let report = FacesReport::of(&[picture], 0.5);
    let heights: Vec<_> = report.heights.iter().map(|(_, figures)| (figures.support, figures.recall)).collect();
    assert_eq!(heights, [(1, 0.0), (2, 0.5), (0, 0.0), (1, 1.0)]);
    // Rows and columns: mask, incorrect, no_mask, unknown.
    assert_eq!(report.answers.row(0), [0, 0, 0, 1]);
    assert_eq!(report.answers.row(2), [1, 0, 0, 0]);
    let faces = report.faces.at_score;
    assert_eq!((faces.precision, faces.recall, faces.support), (2.0 / 3.0, 0.5, 4));
    // Of the two answers `mask` from 0.5 on, none lies on a face labelled so.
    let mask = report.states.unwrap()[0].at_score;
    assert_eq!((mask.precision, mask.recall, mask.support), (0.0, 0.0, 3));
    assert_eq!(report.mean(&STATES), None, "no label is `incorrect`");
}

#[test]
fn without_state_scores_there_are_no_figures_of_states() {
    let picture = FacesOfPicture {
        labelled: vec![label(0.0, 20.0, MaskState::Mask)],
        found: vec![found(0.0, 20.0, 0.9, None, MaskState::Unknown)],
    };
    let report = FacesReport::of(&[picture], 0.5);
    assert_eq!((report.faces.average_precision, report.states, report.mean(&[])), (Some(1.0), None, None));
}

#[test]
fn a_badly_worn_mask_is_a_mask_only_where_the_labels_tell_two_states() {
    let scores = StateScores { mask: 0.3, incorrect: 0.3, no_mask: 0.4 };
    let answer = |truth| Answer { truth, scores, state: MaskState::Unknown };
    let answers = [answer(MaskState::Mask), answer(MaskState::NoMask)];
    let two = AnswersReport::of(&answers, Grain::of([MaskState::Mask, MaskState::NoMask]));
    assert_eq!((two.grain, two.confusion.row(0), two.confusion.row(1)), (Grain::Two, &[1, 0][..], &[1, 0][..]));
    assert_eq!((two.three_state_accuracy, two.unknown_share, two.accuracy_of_known), (0.5, 1.0, None));
    let three = AnswersReport::of(&answers, Grain::of([MaskState::Mask, MaskState::Incorrect]));
    assert_eq!((three.grain, three.confusion.row(0)), (Grain::Three, &[0, 0, 1][..]));
    let none = AnswersReport::of(&[], Grain::Three);
    assert_eq!((none.calibration_error, none.unknown_share), (None, 0.0));
}
