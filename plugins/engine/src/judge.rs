//! From a classifier's raw output to a face's state. Pure.

use maskwatch_vision::{
    detect::Activation,
    face::{ClassifiedFace, Detection, MaskState, StateScores},
};

use crate::manifest::ClassificationSpec;

/// A face that was not classified in this frame, on purpose.
pub(crate) fn unclassified(detection: Detection) -> ClassifiedFace {
    ClassifiedFace { detection, states: None, state: MaskState::Unknown }
}

/// A face judged by the detector alone.
pub(crate) fn by_detector(detection: Detection) -> ClassifiedFace {
    match detection.states {
        Some(states) => ClassifiedFace { detection, states: Some(states), state: states.best().0 },
        None => unclassified(detection),
    }
}

/// A face judged by one row of the classifier's output, `raw` (one value per label), and by the detector's own states
/// where the manifest gives them weight. Values that are not finite make the face unclassified.
///
/// A label `unknown` takes its share from the evidence: that share is spread evenly over the three states, so that a
/// frame of which the network says nothing weighs nothing in a vote. The state is unknown where that label leads, or
/// where the best fused state is under `unknown_below`.
pub(crate) fn by_classifier(spec: &ClassificationSpec, raw: &[f32], detection: Detection) -> ClassifiedFace {
    let Some(probabilities) = probabilities(spec, raw) else { return unclassified(detection) };
    let of = |state| {
        let pairs = spec.labels.iter().zip(&probabilities);
        pairs.filter(|(label, _)| **label == state).map(|(_, probability)| *probability).sum::<f32>()
    };
    let unknown = of(MaskState::Unknown);
    let third = unknown / 3.0;
    let seen = [of(MaskState::Mask), of(MaskState::Incorrect), of(MaskState::NoMask)];
    let unknown_leads = unknown > seen[0].max(seen[1]).max(seen[2]);
    let mut states = StateScores::normalized(seen[0] + third, seen[1] + third, seen[2] + third);
    if let Some(own) = detection.states {
        states = states.fuse(&own, spec.detector_weight);
    }
    let (best, score) = states.best();
    let state = if unknown_leads || score < spec.unknown_below { MaskState::Unknown } else { best };
    ClassifiedFace { detection, states: Some(states), state }
}

/// The labels' probabilities, tempered: `softmax(logit / T)` (Guo et al., On Calibration of Modern Neural Networks, 2017,
/// section 4.2). Outputs that are probabilities already are tempered as `p^(1/T)`, normalised, which is the same with
/// `logit = ln p`. `None` where a value is not finite or all are 0.
fn probabilities(spec: &ClassificationSpec, raw: &[f32]) -> Option<Vec<f32>> {
    if raw.len() != spec.labels.len() || raw.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let largest = raw.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weigh = |value: &f32| match spec.activation {
        // The largest is taken off first, so that no exponent overflows.
        Activation::Softmax => ((value - largest) / spec.temperature).exp(),
        _ => value.max(0.0).powf(1.0 / spec.temperature),
    };
    let weights: Vec<f32> = raw.iter().map(weigh).collect();
    let sum: f32 = weights.iter().sum();
    (sum.is_finite() && sum > 0.0).then(|| weights.iter().map(|weight| weight / sum).collect())
}

#[cfg(test)]
mod tests {
    use maskwatch_vision::geometry::Rect;

    use super::*;

    fn spec(labels: &[MaskState], activation: Activation) -> ClassificationSpec {
        ClassificationSpec {
            output: "scores".into(),
            labels: labels.to_vec(),
            activation,
            temperature: 1.0,
            margin: 0.0,
            square: false,
            unknown_below: 0.6,
            min_face_px: 0.0,
            detector_weight: 0.0,
        }
    }

    fn face(states: Option<StateScores>) -> Detection {
        Detection { rect: Rect::FULL, score: 0.9, states }
    }

    fn close(a: f32, b: f32) -> bool {
        (a - b).abs() < 1e-5
    }

    const TWO: [MaskState; 2] = [MaskState::Mask, MaskState::NoMask];

    #[test]
    fn labels_keep_the_tensors_order_and_missing_states_are_zero() {
        let judged =
            by_classifier(&spec(&[MaskState::NoMask, MaskState::Mask], Activation::None), &[0.9, 0.1], face(None));
        assert_eq!(judged.state, MaskState::NoMask);
        let states = judged.states.unwrap();
        assert!(close(states.no_mask, 0.9) && close(states.mask, 0.1) && close(states.incorrect, 0.0));
    }

    #[test]
    fn a_weak_best_is_unknown_but_remains_evidence() {
        let judged = by_classifier(&spec(&TWO, Activation::None), &[0.55, 0.45], face(None));
        assert_eq!(judged.state, MaskState::Unknown);
        assert!(close(judged.states.unwrap().mask, 0.55));
    }

    #[test]
    fn temperature_softens_logits_and_probabilities_alike() {
        let logits = [2.0, -1.0];
        let plain = spec(&TWO, Activation::Softmax);
        let mut soft = plain.clone();
        soft.temperature = 2.0;
        let p = probabilities(&plain, &logits).unwrap();
        let softened = probabilities(&soft, &logits).unwrap();
        assert!(softened[0] < p[0] && softened[0] > 0.5);
        soft.activation = Activation::None;
        assert!(close(probabilities(&soft, &p).unwrap()[0], softened[0]));
    }

    #[test]
    fn huge_logits_do_not_overflow() {
        let judged = by_classifier(&spec(&TWO, Activation::Softmax), &[1e30, -1e30], face(None));
        assert_eq!(judged.state, MaskState::Mask);
    }

    #[test]
    fn an_unknown_label_that_leads_is_unknown_and_spreads_its_share() {
        let labels = [MaskState::Mask, MaskState::NoMask, MaskState::Unknown];
        let mut lax = spec(&labels, Activation::None);
        lax.unknown_below = 0.0;
        let judged = by_classifier(&lax, &[0.1, 0.3, 0.6], face(None));
        assert_eq!(judged.state, MaskState::Unknown);
        let states = judged.states.unwrap();
        assert!(close(states.mask, 0.3) && close(states.no_mask, 0.5) && close(states.incorrect, 0.2));
        assert_eq!(by_classifier(&lax, &[0.1, 0.6, 0.3], face(None)).state, MaskState::NoMask);
    }

    #[test]
    fn the_detectors_states_count_by_their_weight() {
        let own = StateScores::normalized(0.0, 1.0, 0.0);
        let mut fused = spec(&TWO, Activation::None);
        assert_eq!(by_classifier(&fused, &[0.9, 0.1], face(Some(own))).state, MaskState::Mask);
        fused.detector_weight = 0.75;
        let judged = by_classifier(&fused, &[0.9, 0.1], face(Some(own)));
        assert_eq!(judged.state, MaskState::Incorrect);
        assert!(close(judged.states.unwrap().incorrect, 0.75));
        // A detector without states leaves the classifier alone.
        assert_eq!(by_classifier(&fused, &[0.9, 0.1], face(None)).state, MaskState::Mask);
    }

    #[test]
    fn values_that_are_no_numbers_are_no_evidence() {
        for raw in [[f32::NAN, 0.5], [f32::INFINITY, 0.5], [0.0, 0.0]] {
            let judged = by_classifier(&spec(&TWO, Activation::None), &raw, face(None));
            assert_eq!((judged.state, judged.states), (MaskState::Unknown, None), "{raw:?}");
        }
    }

    #[test]
    fn alone_the_detector_decides_where_it_names_states() {
        let own = StateScores::normalized(0.2, 0.7, 0.1);
        assert_eq!(by_detector(face(Some(own))).state, MaskState::Incorrect);
        assert_eq!(by_detector(face(None)).state, MaskState::Unknown);
    }
}
