//! From a detector's output to what is hidden: every box that may be a face is, or the whole picture.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use maskwatch_vision::detect::{Activation, BoxFormat, ClassName, DecodeSpec, Found, Voting};
use maskwatch_vision::geometry::Rect;
use maskwatch_vision::preprocess::Fit;
use maskwatch_vision::privacy::{Cover, Film, Gate, Looks, MOST_SUSPECTS, PrivacyConfig, Suspects, Unknown};
use proptest::collection::vec;
use proptest::prelude::*;

const FACE: f32 = 0.5;
const HIDE: f32 = 0.15;
const VOTING: Voting = Voting { floor: 0.05, inside: 0.9, iou: 0.25 };

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn spec(voting: Option<Voting>, max_faces: usize) -> DecodeSpec {
    DecodeSpec {
        classes: vec![ClassName::Face],
        activation: Activation::None,
        calibration: None,
        boxes: BoxFormat::Corners,
        score_threshold: FACE,
        nms_iou: 0.45,
        voting,
        max_faces,
    }
}

fn decode(spec: &DecodeSpec, hide: Option<f32>, found: &[(Rect, f32)]) -> Found {
    let scores: Vec<f32> = found.iter().map(|(_, score)| *score).collect();
    let boxes: Vec<f32> = found.iter().flat_map(|(rect, _)| [rect.x, rect.y, rect.right(), rect.bottom()]).collect();
    spec.decode_hiding(FACE, hide, &scores, &boxes, &Fit::identity(640, 480)).unwrap()
}

/// So many faces side by side, from the best to the worst.
fn grandstand(count: usize, best: f32, worst: f32) -> Vec<(Rect, f32)> {
    let place = |n: usize| Rect::new((n % 50) as f32 / 50.0, (n / 50) as f32 / 50.0, 0.012, 0.015);
    (0..count).map(|n| (place(n), best + (worst - best) * n as f32 / count as f32)).collect()
}

/// Clusters of boxes around some faces, as anchors give them, and boxes anywhere.
fn outputs() -> impl Strategy<Value = Vec<(Rect, f32)>> {
    let rect = (-0.2f32..1.0, -0.2f32..1.0, 0.01f32..0.6, 0.01f32..0.6).prop_map(|(x, y, w, h)| Rect::new(x, y, w, h));
    let shift = (-0.6f32..0.6, -0.6f32..0.6, 0.4f32..2.5, 0.4f32..2.5);
    let near = |rect: Rect, (x, y, w, h): (f32, f32, f32, f32)| {
        Rect::new(rect.x + x * rect.w, rect.y + y * rect.h, w * rect.w, h * rect.h)
    };
    let cluster = (rect, vec((shift, 0.0f32..1.0), 1..12)).prop_map(move |(rect, all)| {
        all.into_iter().map(move |(shift, score)| (near(rect, shift), score)).collect::<Vec<_>>()
    });
    vec(cluster, 0..6).prop_map(|all| all.into_iter().flatten().collect())
}

proptest! {
    #[test]
    fn every_box_that_may_be_a_face_is_hidden_or_the_whole_picture(
        found in outputs(), vote in any::<bool>(), max_faces in 1usize..4,
    ) {
        let spec = spec(vote.then_some(VOTING), max_faces);
        let decoded = decode(&spec, Some(HIDE), &found);
        let cover = Cover::of_still(&decoded.suspects.clone().unwrap());
        for (rect, score) in found.iter().filter(|(_, score)| *score >= HIDE) {
            prop_assert!(!cover.shows(rect), "{rect:?} at {score}: {cover:?}");
        }
        for face in &decoded.faces {
            prop_assert!(!cover.shows(&face.rect), "{face:?}: {cover:?}");
        }
        prop_assert_eq!(decode(&spec, None, &found), Found { suspects: None, ..decoded }, "what counts stays the same");
    }

    /// Whatever a look cannot tell hides everything around it, as long as a face that is lost.
    #[test]
    fn nothing_is_shown_near_a_look_that_could_not_say(
        known in vec(prop::option::weighted(0.8, 0u64..3), 2..40), at in 0u64..40, gate in any::<bool>(),
    ) {
        let config = if gate { PrivacyConfig::for_rate(5.0) } else { PrivacyConfig::for_file() };
        let mut looks = Looks::new(config);
        for (index, boxes) in known.iter().enumerate() {
            let boxes = boxes.map(|count| (0..count).map(|n| Rect::new(0.1 * n as f32, 0.1, 0.05, 0.1)).collect());
            looks.add(ms(index as u64 * 200), &boxes.map_or(Suspects::Anywhere(Unknown::Crowd), Suspects::Within));
        }
        let time = at * 100;
        let blind = |index: usize| known.get(index).is_some_and(Option::is_none);
        let around = [time / 200, time.div_ceil(200)].map(|index| index as usize);
        let hold = (0..known.len()).filter(|index| blind(*index)).any(|index| {
            let seen = index as u64 * 200;
            seen <= time && around[0] as u64 * 200 - seen <= config.hold.as_millis() as u64
                || seen >= time && seen <= time + config.lead.as_millis() as u64
        });
        match looks.cover(ms(time)) {
            None => prop_assert!(around[1] >= known.len()),
            Some(cover) => {
                let whole = hold || around.iter().any(|index| blind(*index));
                prop_assert_eq!(cover == Cover::Whole(Unknown::Crowd), whole, "{:?}", cover);
            }
        }
    }
}

#[test]
fn in_a_crowd_the_worst_face_is_hidden_as_well_as_the_best() {
    for count in [201, 500, MOST_SUSPECTS] {
        let crowd = grandstand(count, 0.95, 0.2);
        let decoded = decode(&spec(Some(VOTING), 200), Some(HIDE), &crowd);
        let cover = Cover::of_still(decoded.suspects.as_ref().unwrap());
        assert!(matches!(&cover, Cover::Parts(parts) if parts.len() == count), "{count}");
        assert!(crowd.iter().all(|(rect, _)| !cover.shows(rect)), "{count}");
        assert!(decoded.faces.len() <= 200);
    }
}

#[test]
fn a_crowd_beyond_all_counting_hides_the_whole_picture() {
    for voting in [None, Some(VOTING)] {
        let crowd = grandstand(MOST_SUSPECTS + 1, 0.95, 0.2);
        let suspects = decode(&spec(voting, 200), Some(HIDE), &crowd).suspects.unwrap();
        assert_eq!(suspects, Suspects::Anywhere(Unknown::Crowd));
        assert_eq!(Cover::of_still(&suspects), Cover::Whole(Unknown::Crowd));
        // Those under the score are no reason.
        let crowd = grandstand(MOST_SUSPECTS + 1, 0.95, 0.1);
        assert!(matches!(decode(&spec(voting, 200), Some(HIDE), &crowd).suspects, Some(Suspects::Within(_))));
    }
    // A manifest that lets more faces count than may be hidden hides no fewer for it.
    let crowd = grandstand(MOST_SUSPECTS + 1, 0.95, 0.6);
    assert_eq!(decode(&spec(None, 5000), Some(HIDE), &crowd).suspects, Some(Suspects::Anywhere(Unknown::Crowd)));
}

#[test]
fn what_cannot_be_read_may_be_a_face_anywhere() {
    let good = (Rect::new(0.1, 0.1, 0.1, 0.1), 0.9);
    let nan = |rect| decode(&spec(Some(VOTING), 200), Some(HIDE), &[good, rect]).suspects.unwrap();
    let unreadable = Suspects::Anywhere(Unknown::Unreadable);
    assert_eq!(nan((Rect { x: f32::NAN, ..good.0 }, 0.2)), unreadable);
    assert_eq!(nan((Rect { w: f32::INFINITY, ..good.0 }, 0.2)), unreadable);
    assert_eq!(nan((good.0, f32::NAN)), unreadable);
    assert_eq!(nan((good.0, f32::INFINITY)), unreadable);
    assert!(matches!(nan((Rect { x: f32::NAN, ..good.0 }, 0.1)), Suspects::Within(boxes) if boxes.len() == 1));
    assert!(matches!(nan((good.0, f32::NEG_INFINITY)), Suspects::Within(boxes) if boxes.len() == 1));
    let mut ssd = spec(None, 200);
    ssd.boxes = BoxFormat::Ssd { variances: [0.1, 0.2], anchors: vec![[0.5, 0.5, 0.1, 0.1]] };
    // Finite numbers whose box is not.
    let found = ssd.decode_hiding(FACE, Some(HIDE), &[0.3], &[0.0, 0.0, 1e4, 0.0], &Fit::identity(64, 48));
    assert_eq!(found.unwrap().suspects, Some(unreadable));
}

/// A crowd that is lost from sight is still there: as long as each of its faces would be hidden.
#[test]
fn faces_that_are_lost_count_with_those_that_are_found() {
    let mut looks = Looks::new(PrivacyConfig::for_rate(5.0));
    let half = |left: f32| -> Suspects {
        let place = |n: usize| Rect::new(left + (n % 25) as f32 / 60.0, (n / 25) as f32 / 25.0, 0.004, 0.005);
        (0..MOST_SUSPECTS / 2 + 10).map(place).collect::<Vec<_>>().into()
    };
    looks.add(ms(0), &half(0.0));
    assert!(matches!(looks.cover(ms(0)), Some(Cover::Parts(_))));
    looks.add(ms(200), &half(0.55));
    assert_eq!(looks.cover(ms(100)), Some(Cover::Whole(Unknown::Crowd)));
    for step in 2..12 {
        looks.add(ms(step * 200), &Suspects::NONE);
    }
    assert_eq!(looks.cover(ms(1100)), Some(Cover::Whole(Unknown::Crowd)));
    assert_eq!(looks.cover(ms(1500)), Some(Cover::Parts(Vec::new())));
}

/// Pictures without times of their own share one: what was found in either is hidden in both.
#[test]
fn of_two_analyses_of_one_moment_both_count() {
    let (first, second) = (Rect::new(0.1, 0.1, 0.1, 0.1), Rect::new(0.7, 0.7, 0.1, 0.1));
    let mut film = Film::new(PrivacyConfig::for_file());
    for (number, faces) in [[first], [second]].into_iter().enumerate() {
        film.push(Some(ms(40)), number, Some(&faces.to_vec().into()));
    }
    film.end();
    let out: Vec<(usize, Cover)> = std::iter::from_fn(|| film.take()).collect();
    assert_eq!(out.len(), 2);
    assert!(out.iter().all(|(_, cover)| !cover.shows(&first) && !cover.shows(&second)), "{out:?}");
    let mut gate = Gate::new(PrivacyConfig::for_rate(5.0));
    gate.push(ms(0), ms(0), 0);
    gate.look(ms(1), ms(0), &vec![first].into());
    gate.look(ms(1), ms(0), &Suspects::Anywhere(Unknown::Unreadable));
    gate.look(ms(1), ms(0), &vec![second].into());
    assert_eq!(gate.take(ms(600)), Some((0, Cover::Whole(Unknown::Unreadable))));
}

#[test]
fn boxes_far_beyond_the_picture_do_no_harm() {
    let mut looks = Looks::new(PrivacyConfig::default());
    let huge = Rect { x: -1e38, y: -1e38, w: 1e38, h: 3e38 };
    looks.add(ms(0), &vec![Rect { w: 1e38 + 0.5, ..huge }, Rect { x: 0.0, y: -1e37, w: 0.5, h: 3e38 }].into());
    looks.add(ms(200), &Suspects::NONE);
    assert!(!looks.cover(ms(100)).unwrap().shows(&Rect::new(0.0, 0.0, 0.5, 1.0)));
}
