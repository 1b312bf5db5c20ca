//! Nothing that may be a face is ever shown sharp: the queue in which pictures wait, and what is hidden in them.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use maskwatch_vision::geometry::Rect;
use maskwatch_vision::privacy::{Cover, Film, Gate, Looks, PrivacyConfig, Suspects, Unknown};
use proptest::prelude::*;

const FRAME: u64 = 40;
/// Every fifth picture is analysed: five per second.
const EVERY: u64 = 5;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn within(boxes: &[Rect]) -> Suspects {
    Suspects::Within(boxes.to_vec())
}

fn face(x: f32, y: f32) -> Rect {
    Rect::new(x, y, 0.05, 0.1)
}

fn faces() -> impl Strategy<Value = Vec<Rect>> {
    let one = (-0.1..1.0f32, -0.1..1.0f32, 0.01..0.4f32, 0.01..0.4f32);
    prop::collection::vec(one.prop_map(|(x, y, w, h)| Rect::new(x, y, w, h)), 0..6)
}

/// An analysis that came through: of which picture, after what time, and what it found.
#[derive(Clone, Debug)]
struct Analysis {
    frame: u64,
    latency: u64,
    faces: Vec<Rect>,
}

/// Some analyses are dropped, some are slow, some overtake others.
fn analyses() -> impl Strategy<Value = Vec<Analysis>> {
    let one = (prop::option::weighted(0.8, 5..900u64), faces());
    prop::collection::vec(one, 1..30).prop_map(|all| {
        let each = all.into_iter().enumerate();
        each.filter_map(|(index, (latency, faces))| {
            Some(Analysis { frame: index as u64 * EVERY, latency: latency?, faces })
        })
        .collect()
    })
}

/// Plays it all; gives for each picture when it went, and its cover.
fn play(frames: u64, analyses: &[Analysis], config: PrivacyConfig) -> Vec<(u64, Duration, Cover)> {
    let mut gate = Gate::new(config);
    let mut out = Vec::new();
    for tick in 0..frames + 60 {
        let now = ms(tick * FRAME);
        for analysis in analyses {
            let due = (analysis.frame * FRAME + analysis.latency).div_ceil(FRAME);
            if due == tick {
                gate.look(now, ms(analysis.frame * FRAME), &within(&analysis.faces));
            }
        }
        if tick < frames {
            gate.push(now, ms(tick * FRAME), tick);
        }
        while let Some((frame, cover)) = gate.take(now) {
            out.push((frame, now, cover));
        }
    }
    assert!(gate.is_empty());
    out
}

proptest! {
    #[test]
    fn no_face_known_before_or_after_is_shown(analyses in analyses()) {
        let config = PrivacyConfig::for_rate(5.0);
        let frames = 30 * EVERY;
        let out = play(frames, &analyses, config);
        prop_assert!(out.iter().map(|(frame, ..)| *frame).eq(0..frames), "in order, each once");
        for (frame, at, cover) in out {
            let time = ms(frame * FRAME);
            let waited = at - time;
            prop_assert!(waited <= config.max_wait + ms(FRAME), "{frame} waited {waited:?}");
            let Cover::Parts(_) = &cover else { continue };
            let known = |a: &&Analysis| ms(a.frame * FRAME + a.latency) <= at;
            let mut before = analyses.iter().filter(known).filter(|a| a.frame <= frame);
            let before = before.next_back();
            let after = analyses.iter().filter(known).find(|a| a.frame >= frame);
            let (Some(before), Some(after)) = (before, after) else {
                return Err(TestCaseError::fail(format!("{frame} is shown without both analyses")));
            };
            prop_assert!(ms((after.frame - before.frame) * FRAME) <= config.max_gap);
            for face in before.faces.iter().chain(&after.faces) {
                let (dx, dy) = (face.w * 0.34, face.h * 0.34);
                let with_margin = Rect::new(face.x - dx, face.y - dy, face.w + 2.0 * dx, face.h + 2.0 * dy);
                prop_assert!(!cover.shows(&with_margin), "{frame} shows {face:?}: {cover:?}");
            }
        }
    }

    #[test]
    fn a_face_on_its_way_is_never_shown(
        from in (0.0..0.9f32, 0.0..0.9f32), to in (0.0..0.9f32, 0.0..0.9f32), gap in 50..400u64, at in 0.0..1.0f64,
    ) {
        // At most as fast as somebody whom the gate expects to be able to follow.
        let config = PrivacyConfig::for_rate(5.0);
        let most = config.speed * gap as f32 / 1000.0;
        let step = |a: f32, b: f32, size: f32| a + (b - a).clamp(-most * size * 0.7, most * size * 0.7);
        let to = (step(from.0, to.0, 0.05), step(from.1, to.1, 0.1));
        let mut looks = Looks::new(config);
        looks.add(ms(1000), &within(&[face(from.0, from.1)]));
        looks.add(ms(1000 + gap), &within(&[face(to.0, to.1)]));
        let along = |a: f32, b: f32| a + (b - a) * at as f32;
        let now = face(along(from.0, to.0), along(from.1, to.1));
        let cover = looks.cover(ms(1000) + ms(gap).mul_f64(at)).unwrap();
        prop_assert!(!cover.shows(&now), "{now:?} {cover:?}");
        // Seen by one of the two only.
        for seen in [0, 1] {
            let mut looks = Looks::new(config);
            let there = [face(from.0, from.1), face(to.0, to.1)];
            looks.add(ms(1000), &within(if seen == 0 { &there[..1] } else { &[] }));
            looks.add(ms(1000 + gap), &within(if seen == 1 { &there[1..] } else { &[] }));
            let cover = looks.cover(ms(1000) + ms(gap).mul_f64(at)).unwrap();
            prop_assert!(!cover.shows(&now), "seen {seen}: {now:?} {cover:?}");
        }
    }

    #[test]
    fn in_a_file_no_face_is_shown_shortly_before_and_after_it_is_found(
        found in prop::collection::vec(prop::option::weighted(0.9, faces()), 1..60),
    ) {
        let config = PrivacyConfig::for_file();
        let mut film = Film::new(config);
        for (frame, faces) in found.iter().enumerate() {
            film.push(Some(ms(frame as u64 * FRAME)), frame, faces.as_deref().map(within).as_ref());
        }
        film.end();
        let out: Vec<(usize, Cover)> = std::iter::from_fn(|| film.take()).collect();
        prop_assert!(out.iter().map(|(frame, _)| *frame).eq(0..found.len()), "in order, each once");
        let own = |frame: usize| found[frame].iter().flatten();
        for (frame, cover) in &out {
            if found[*frame].is_none() {
                continue;
            }
            for face in own(*frame) {
                prop_assert!(!cover.shows(face), "{frame} shows its own {face:?}");
            }
            // Found in one later picture and in none before it since: it is somebody who came, or was missed.
            let Some(next) = found.get(frame + 1) else { continue };
            if own(*frame).next().is_none() {
                for face in next.iter().flatten() {
                    prop_assert!(!cover.shows(face), "{frame} shows {face:?} of the next");
                }
            }
        }
    }

    #[test]
    fn nonsense_hides_everything(value in prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY])) {
        let mut looks = Looks::new(PrivacyConfig::default());
        looks.add(ms(0), &within(&[Rect { x: value, ..face(0.5, 0.5) }]));
        prop_assert!(!looks.cover(ms(0)).unwrap().shows(&Rect::FULL));
    }
}

#[test]
fn a_face_that_is_not_found_again_stays_hidden_for_a_while() {
    let mut looks = Looks::new(PrivacyConfig::for_rate(5.0));
    let missed = face(0.4, 0.4);
    looks.add(ms(0), &within(&[missed, face(0.1, 0.1)]));
    for step in 1..=10 {
        looks.add(ms(step * 200), &within(&[face(0.1, 0.1)]));
    }
    for time in (0..1000).step_by(40) {
        assert!(!looks.cover(ms(time)).unwrap().shows(&missed), "at {time} ms");
    }
    assert!(looks.cover(ms(1500)).unwrap().shows(&missed), "it has gone");
    assert!(!looks.cover(ms(1500)).unwrap().shows(&face(0.1, 0.1)));
}

#[test]
fn a_neighbour_does_not_stand_in_for_a_missed_face() {
    let mut looks = Looks::new(PrivacyConfig::for_rate(5.0));
    let pair = [face(0.4, 0.4), face(0.43, 0.4)];
    looks.add(ms(0), &within(&pair));
    looks.add(ms(200), &within(&pair[1..]));
    looks.add(ms(400), &within(&pair[1..]));
    assert!(!looks.cover(ms(300)).unwrap().shows(&pair[0]));
}

#[test]
fn a_stalled_engine_hides_the_whole_picture() {
    let config = PrivacyConfig::for_rate(5.0);
    let out = play(100, &[], config);
    assert!(out.iter().all(|(_, _, cover)| *cover == Cover::Whole(Unknown::First)));
    let first = Analysis { frame: 0, latency: 30, faces: vec![face(0.1, 0.1)] };
    let out = play(100, &[first], config);
    assert!(matches!(out[0].2, Cover::Parts(_)), "the analysed picture itself is known");
    assert!(out[1..].iter().all(|(_, _, cover)| *cover == Cover::Whole(Unknown::Late)));
}

#[test]
fn analyses_far_apart_hide_the_whole_picture() {
    let mut looks = Looks::new(PrivacyConfig::for_rate(5.0));
    looks.add(ms(0), &within(&[]));
    looks.add(ms(700), &within(&[]));
    assert_eq!(looks.cover(ms(300)), Some(Cover::Whole(Unknown::Gap)));
    looks.add(ms(400), &within(&[]));
    assert_eq!(looks.cover(ms(300)), Some(Cover::Parts(Vec::new())), "one that came late closes the gap");
    assert_eq!(looks.cover(ms(800)), None);
}

#[test]
fn pictures_go_at_an_even_pace_and_soon() {
    let steady: Vec<_> =
        (0..60).map(|n| Analysis { frame: n * EVERY, latency: 50, faces: vec![face(0.2, 0.2)] }).collect();
    let out = play(60 * EVERY, &steady, PrivacyConfig::for_rate(5.0));
    let settled: Vec<u64> = out[50..250].iter().map(|(frame, at, _)| at.as_millis() as u64 - frame * FRAME).collect();
    assert!(settled.iter().all(|wait| (200..=320).contains(wait)), "{settled:?}");
    let even = settled.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert!(even >= settled.len() - 3, "{settled:?}");
    assert!(out[..295].iter().all(|(_, _, cover)| matches!(cover, Cover::Parts(_))));
}

#[test]
fn a_step_back_and_a_cut_begin_anew() {
    let mut gate = Gate::new(PrivacyConfig::for_rate(5.0));
    gate.look(ms(0), ms(10_000), &within(&[]));
    gate.push(ms(0), ms(10_000), 'a');
    gate.push(ms(40), ms(10_040), 'b');
    gate.push(ms(80), ms(0), 'c');
    assert_eq!(gate.take(ms(80)), Some(('a', Cover::Whole(Unknown::First))));
    assert_eq!(gate.take(ms(80)), Some(('b', Cover::Whole(Unknown::First))));
    assert_eq!(gate.take(ms(80)), None, "the new stream's first picture is not known");
    gate.look(ms(90), ms(0), &within(&[face(0.1, 0.1)]));
    gate.push(ms(120), ms(40), 'd');
    gate.cut();
    gate.look(ms(130), ms(40), &within(&[]));
    let out: Vec<_> = std::iter::from_fn(|| gate.take(ms(130))).collect();
    assert_eq!(out, [('c', Cover::Whole(Unknown::First)), ('d', Cover::Whole(Unknown::First))]);
    assert_eq!(gate.clear(), 0);
}

#[test]
fn in_a_file_a_face_is_hidden_before_it_is_found_and_when_it_is_missed() {
    let mut film = Film::new(PrivacyConfig::for_file());
    let comer = face(0.4, 0.4);
    // Found in pictures 10 to 19, but for 13 to 15.
    let found = |frame: u64| (10..20).contains(&frame) && !(13..16).contains(&frame);
    for frame in 0..80 {
        let faces = if found(frame) { vec![comer] } else { Vec::new() };
        film.push(Some(ms(frame * FRAME)), frame, Some(&within(&faces)));
    }
    film.end();
    let shown: Vec<u64> =
        std::iter::from_fn(|| film.take()).filter_map(|(frame, cover)| cover.shows(&comer).then_some(frame)).collect();
    let expected: Vec<u64> = (0..5).chain(45..80).collect();
    assert_eq!(shown, expected, "hidden from 0.2 s before to a second after");
}

#[test]
fn in_a_file_what_is_not_known_is_hidden_as_a_whole() {
    let mut film = Film::new(PrivacyConfig { max_frames: 4, ..PrivacyConfig::for_file() });
    let take = |film: &mut Film<u64>| std::iter::from_fn(|| film.take()).collect::<Vec<_>>();
    for frame in 0..6 {
        film.push(Some(ms(frame * FRAME)), frame, None);
    }
    let first = Cover::Whole(Unknown::First);
    assert_eq!(take(&mut film), [(0, first.clone()), (1, first.clone())], "no more than four wait");
    film.push(None, 6, None);
    film.push(None, 7, Some(&Suspects::NONE));
    assert_eq!(take(&mut film).last(), Some(&(7, Cover::Parts(Vec::new()))), "one without a time stands alone");
    film.push(Some(ms(1000)), 8, Some(&Suspects::NONE));
    film.push(Some(ms(1040)), 9, None);
    film.push(Some(ms(0)), 10, Some(&within(&[face(0.5, 0.5)])));
    film.end();
    let covers = take(&mut film);
    assert_eq!(covers[..2], [(8, Cover::Parts(Vec::new())), (9, Cover::Whole(Unknown::Late))]);
    assert!(!covers[2].1.shows(&face(0.5, 0.5)));
}

#[test]
fn the_queue_is_bounded() {
    let config = PrivacyConfig { max_frames: 8, ..PrivacyConfig::for_rate(1.0) };
    let mut gate = Gate::new(config);
    for frame in 0..100 {
        gate.push(ms(frame), ms(frame), frame);
        while gate.take(ms(frame)).is_some() {}
        assert!(gate.len() <= 8);
    }
}
