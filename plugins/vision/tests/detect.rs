//! Decoding, suppression and overlap: cases and properties.

use maskwatch_vision::detect::{Activation, AnchorLevel, BoxFormat, Calibration, ClassName, DecodeError, DecodeSpec};
use maskwatch_vision::detect::{anchors, suppress};
use maskwatch_vision::face::Detection;
use maskwatch_vision::geometry::Rect;
use maskwatch_vision::preprocess::Fit;
use proptest::collection::vec;
use proptest::prelude::*;

use ClassName::{Background, Face, Incorrect, Mask, NoMask};

const VARIANCES: [f32; 2] = [0.1, 0.2];

fn spec(classes: &[ClassName], activation: Activation) -> DecodeSpec {
    DecodeSpec {
        classes: classes.to_vec(),
        activation,
        boxes: BoxFormat::Corners,
        score_threshold: 0.5,
        nms_iou: 0.4,
        voting: None,
        calibration: None,
        max_faces: 200,
    }
}

fn place() -> Fit {
    Fit::identity(640, 480)
}

fn rects() -> impl Strategy<Value = Rect> {
    (-0.2f32..1.0, -0.2f32..1.0, 0.001f32..0.7, 0.001f32..0.7).prop_map(|(x, y, w, h)| Rect::new(x, y, w, h))
}

fn faces() -> impl Strategy<Value = Vec<Detection>> {
    let score = (0u8..20).prop_map(|s| f32::from(s) / 20.0);
    vec((rects(), score).prop_map(|(rect, score)| Detection { rect, score, states: None }), 0..40)
}

fn activations() -> impl Strategy<Value = Activation> {
    prop_oneof![Just(Activation::None), Just(Activation::Softmax), Just(Activation::Sigmoid)]
}

fn calibrations() -> impl Strategy<Value = Option<Calibration>> {
    proptest::option::of((0.3f32..3.0, -4.0f32..4.0).prop_map(|(scale, shift)| Calibration { scale, shift }))
}

/// Class lists of all kinds, some of them odd.
fn class_lists() -> impl Strategy<Value = Vec<ClassName>> {
    prop_oneof![
        Just(vec![Background, Face]),
        Just(vec![Face]),
        Just(vec![Mask, NoMask]),
        Just(vec![Background, Mask, Incorrect, NoMask]),
        Just(vec![NoMask, Background, Face]),
        Just(vec![Background]),
        Just(vec![Background, Background, Face, Face]),
    ]
}

proptest! {
    #[test]
    fn overlap_is_a_share(a in rects(), b in rects()) {
        prop_assert_eq!(a.iou(&b), b.iou(&a));
        prop_assert!((0.0..=1.0).contains(&a.iou(&b)));
        prop_assert!((a.iou(&a) - 1.0).abs() < 1e-3);
        let apart = Rect::new(a.right() + 0.01, b.y, b.w, b.h);
        prop_assert_eq!(a.iou(&apart), 0.0);
        prop_assert_eq!(a.iou(&Rect::default()), 0.0);
    }

    #[test]
    fn clipping_stays_inside(a in rects()) {
        let clipped = a.clip();
        prop_assert!(clipped.x >= 0.0 && clipped.y >= 0.0);
        prop_assert!(clipped.right() <= 1.0 + 1e-6 && clipped.bottom() <= 1.0 + 1e-6);
        prop_assert!(clipped.area() <= a.area() + 1e-6);
    }

    #[test]
    fn suppression_holds(found in faces(), iou in 0.0f32..1.0, limit in 1usize..50) {
        let kept = suppress(found.clone(), iou, limit);
        prop_assert_eq!(&suppress(kept.clone(), iou, limit), &kept, "twice is once");
        prop_assert!(kept.len() <= limit);
        prop_assert!(kept.is_sorted_by(|a, b| a.score >= b.score));
        for (i, a) in kept.iter().enumerate() {
            prop_assert!(found.contains(a));
            prop_assert!(kept[..i].iter().all(|b| a.rect.iou(&b.rect) <= iou));
        }
        let best = found.iter().map(|f| f.score).fold(f32::NEG_INFINITY, f32::max);
        prop_assert_eq!(kept.first().map(|f| f.score), (!found.is_empty()).then_some(best));
        if kept.len() < limit {
            for lost in found.iter().filter(|f| !kept.contains(f)) {
                let better = |k: &&Detection| k.score >= lost.score && k.rect.iou(&lost.rect) > iou;
                prop_assert!(kept.iter().any(|k| better(&k)), "dropped without a reason");
            }
        }
    }

    #[test]
    fn any_numbers_are_survived(
        classes in class_lists(), activation in activations(), calibration in calibrations(), threshold in any::<f32>(),
        scores in vec(any::<f32>(), 0..60), boxes in vec(any::<f32>(), 0..80), ssd in any::<bool>(), fit in any::<bool>(),
    ) {
        let mut spec = DecodeSpec { calibration, ..spec(&classes, activation) };
        let rows = if fit { scores.len() / classes.len() } else { boxes.len() / 4 };
        let (scores, boxes) = match fit {
            true => (&scores[..rows.min(boxes.len() / 4) * classes.len()], &boxes[..rows.min(boxes.len() / 4) * 4]),
            false => (&scores[..], &boxes[..]),
        };
        if ssd {
            let anchor = [0.5, 0.5, 0.2, 0.2];
            spec.boxes = BoxFormat::Ssd { variances: VARIANCES, anchors: vec![anchor; boxes.len() / 4] };
        }
        match spec.decode_above(threshold, scores, boxes, &place()) {
            Ok(found) => {
                for face in found {
                    prop_assert!((0.0..=1.0).contains(&face.score) && face.score >= threshold);
                    let Rect { x, y, w, h } = face.rect;
                    prop_assert!([x, y, w, h].iter().all(|v| v.is_finite()));
                    if let Some(states) = face.states {
                        prop_assert!((states.mask + states.incorrect + states.no_mask - 1.0).abs() < 1e-4);
                    }
                }
            }
            Err(_) => prop_assert!(!fit),
        }
    }

    /// The quick look at raw scores loses no face and lets none in.
    #[test]
    fn the_gate_changes_nothing(
        classes in class_lists(), activation in activations(), calibration in calibrations(), threshold in -0.1f32..1.1,
        raw in vec(-8.0f32..8.0, 4..80),
    ) {
        // Near 0 and 1 the rounding of f32 moves log-odds, and so what a calibration makes of them.
        let (share, tolerance) = if calibration.is_some() { (0.5, 1e-4) } else { (1.0, 1e-5) };
        let raw: Vec<f32> = raw.iter().map(|raw| raw * share).collect();
        let raw = &raw[..raw.len() / classes.len() * classes.len()];
        let rows = raw.len() / classes.len();
        // Boxes apart from each other, so that nothing is suppressed.
        let boxes: Vec<f32> = (0..rows).flat_map(|i| [i as f32 * 0.01, 0.0, i as f32 * 0.01 + 0.005, 0.1]).collect();
        let spec = DecodeSpec { calibration, ..spec(&classes, activation) };
        let scores = raw.chunks_exact(classes.len()).map(|row| face_score(&classes, activation, row));
        let mut want: Vec<f32> = scores.map(|score| calibrated(calibration, score)).collect();
        // Scores at the very threshold may fall either way by rounding.
        prop_assume!(want.iter().all(|score| (score - threshold).abs() > tolerance));
        want.retain(|score| *score > threshold);
        want.sort_by(|a, b| b.total_cmp(a));
        let got = spec.decode_above(threshold, raw, &boxes, &place()).unwrap();
        prop_assert_eq!(got.len(), want.len());
        for (got, want) in got.iter().zip(want) {
            prop_assert!((got.score - want).abs() < tolerance);
        }
    }

    #[test]
    fn an_encoded_box_comes_back(
        cx in 0.2f32..0.8, cy in 0.2f32..0.8, w in 0.02f32..0.3, h in 0.02f32..0.3, index in 0usize..300,
    ) {
        let all = anchors(160, 120, &[AnchorLevel { stride: 8, boxes: vec![[12.0, 16.0]] }]);
        let [ax, ay, aw, ah] = all[index];
        let t = [
            (cx - ax) / (VARIANCES[0] * aw),
            (cy - ay) / (VARIANCES[0] * ah),
            (w / aw).ln() / VARIANCES[1],
            (h / ah).ln() / VARIANCES[1],
        ];
        let mut scores = vec![0.1; all.len()];
        let mut boxes = vec![0.0; all.len() * 4];
        scores[index] = 0.9;
        boxes[index * 4..][..4].copy_from_slice(&t);
        let mut spec = spec(&[Face], Activation::None);
        spec.boxes = BoxFormat::Ssd { variances: VARIANCES, anchors: all };
        let found = spec.decode(&scores, &boxes, &place()).unwrap();
        prop_assert_eq!(found.len(), 1);
        let rect = found[0].rect;
        let (x, y) = rect.center();
        prop_assert!([x - cx, y - cy, rect.w - w, rect.h - h].iter().all(|d| d.abs() < 1e-4), "{:?}", rect);
    }
}

/// The definition in models/README.md, without shortcuts.
fn face_score(classes: &[ClassName], activation: Activation, row: &[f32]) -> f32 {
    let sum: f32 = row.iter().map(|raw| raw.exp()).sum();
    let faces = row.iter().zip(classes).filter(|(_, class)| **class != Background).map(|(raw, _)| match activation {
        Activation::None => raw.clamp(0.0, 1.0),
        Activation::Sigmoid => 1.0 / (1.0 + (-raw).exp()),
        Activation::Softmax => raw.exp() / sum,
    });
    match activation {
        Activation::Softmax => faces.sum(),
        _ => faces.fold(f32::NEG_INFINITY, f32::max),
    }
}

fn calibrated(calibration: Option<Calibration>, score: f32) -> f32 {
    let Some(Calibration { scale, shift }) = calibration else { return score };
    // Log-odds of 0 and 1 are infinite; the manifest's definition keeps off them.
    let score = f64::from(score).clamp(1e-7, 1.0 - 1e-7);
    let logit = (score / (1.0 - score)).ln() * f64::from(scale) + f64::from(shift);
    (1.0 / (1.0 + (-logit).exp())) as f32
}

/// Scores count as no nearer to 0 than 1e-7, so a calibration that lifts that much lifts all below it.
#[test]
fn a_calibration_that_lifts_everything_loses_nothing() {
    let calibration = Some(Calibration { scale: 0.3, shift: 4.0 });
    let spec = DecodeSpec { calibration, score_threshold: 0.2, ..spec(&[Background, Face], Activation::Softmax) };
    let found = spec.decode(&[30.0, 0.0], &[0.1, 0.1, 0.2, 0.3], &place()).unwrap();
    assert_eq!(found.len(), 1);
    assert!((found[0].score - calibrated(calibration, 0.0)).abs() < 1e-5);
}

#[test]
fn states_come_from_the_classes() {
    let spec = spec(&[Background, Mask, Incorrect, NoMask], Activation::Softmax);
    let scores: Vec<f32> = [0.2f32, 0.4, 0.1, 0.3].iter().map(|p| p.ln()).collect();
    let found = spec.decode(&scores, &[0.1, 0.1, 0.2, 0.3], &place()).unwrap();
    let states = found[0].states.unwrap();
    assert!((found[0].score - 0.8).abs() < 1e-5);
    assert!((states.mask - 0.5).abs() < 1e-5 && (states.incorrect - 0.125).abs() < 1e-5);

    let plain = self::spec(&[Background, Face], Activation::None);
    assert_eq!(plain.decode(&[0.1, 0.9], &[0.1, 0.1, 0.2, 0.3], &place()).unwrap()[0].states, None);
}

#[test]
fn the_letterbox_is_undone() {
    let place = Fit { left: 0, top: 60, columns: 640, rows: 360, input_width: 640, input_height: 480 };
    let spec = spec(&[Face], Activation::None);
    // The second box lies in the bar above the picture.
    let boxes = [0.25, 0.125, 0.5, 0.5, 0.2, 0.01, 0.4, 0.12];
    let found = spec.decode(&[0.9, 0.8], &boxes, &place).unwrap();
    assert_eq!(found.len(), 1);
    let Rect { x, y, w, h } = found[0].rect;
    assert!([x - 0.25, y, w - 0.25, h - 0.5].iter().all(|d| d.abs() < 1e-6), "{:?}", found[0].rect);
}

#[test]
fn thresholds() {
    let spec = spec(&[Face], Activation::None);
    let boxes = [0.1, 0.1, 0.2, 0.2, 0.5, 0.5, 0.6, 0.6];
    assert_eq!(spec.decode(&[0.5, 0.49], &boxes, &place()).unwrap().len(), 1, "the threshold itself passes");
    assert_eq!(spec.decode_above(0.3, &[0.5, 0.49], &boxes, &place()).unwrap().len(), 2);
    assert_eq!(spec.decode_above(f32::NAN, &[0.5, 0.49], &boxes, &place()).unwrap(), []);
}

#[test]
fn lengths_are_checked() {
    let mut spec = spec(&[Background, Face], Activation::None);
    let decode = |spec: &DecodeSpec, scores: usize, boxes: usize| {
        spec.decode(&vec![0.9; scores], &vec![0.1; boxes], &place()).map(|found| found.len())
    };
    assert_eq!(decode(&spec, 0, 0), Ok(0));
    assert_eq!(decode(&spec, 5, 8), Err(DecodeError::Scores { got: 5, classes: 2 }));
    assert_eq!(decode(&spec, 4, 7), Err(DecodeError::Boxes { got: 7, rows: 2 }));
    assert_eq!(decode(&spec, 4, 12), Err(DecodeError::Boxes { got: 12, rows: 2 }));
    spec.boxes = BoxFormat::Ssd { variances: VARIANCES, anchors: vec![[0.5; 4]; 3] };
    assert_eq!(decode(&spec, 4, 8), Err(DecodeError::Anchors { rows: 2, anchors: 3 }));
    spec.classes.clear();
    assert_eq!(decode(&spec, 4, 8), Err(DecodeError::NoClasses));
}
