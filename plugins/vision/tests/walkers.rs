//! A scripted crowd with a known truth walks past a camera; the tracker's counts are held against it.
//!
//! Detections are spoiled as a detector spoils them: one in five is missed, boxes jitter by a twentieth of their size,
//! scores vary down to the weak ones, faces behind nearer faces vanish, and false faces come up anywhere. Seeds are
//! fixed, so a figure that moves has been moved by a change of the tracker.

// The figures are the point of this test: `--nocapture` shows them.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::time::Duration;

use maskwatch_vision::face::{ClassifiedFace, Detection, MaskState, StateScores};
use maskwatch_vision::geometry::Rect;
use maskwatch_vision::track::{Person, Tracker};

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32
    }

    fn within(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.next()
    }

    fn chance(&mut self, probability: f32) -> bool {
        self.next() < probability
    }

    /// Roughly normal: sum of four uniform numbers.
    fn normal(&mut self, sigma: f32) -> f32 {
        let sum: f32 = (0..4).map(|_| self.next() - 0.5).sum();
        sum * sigma * 1.732
    }
}

/// One person of the script: a straight way, and a growing face.
#[derive(Clone, Debug)]
struct Walker {
    from: f32,
    until: f32,
    start: [f32; 2],
    speed: [f32; 2],
    /// Face height at the start, and its growth per second.
    height: f32,
    growth: f32,
    state: MaskState,
    /// Hidden from the camera between these times.
    hidden: Option<(f32, f32)>,
}

impl Walker {
    fn rect(&self, t: f32) -> Option<Rect> {
        if t < self.from || t > self.until {
            return None;
        }
        let age = t - self.from;
        let height = self.height * (1.0 + self.growth * age);
        let (cx, cy) = (self.start[0] + self.speed[0] * age, self.start[1] + self.speed[1] * age);
        let width = height * 0.45;
        (0.0..=1.0).contains(&cx).then(|| Rect::new(cx - width / 2.0, cy - height / 2.0, width, height))
    }
}

/// What spoils the detections.
#[derive(Clone, Copy)]
struct Faults {
    miss: f32,
    jitter: f32,
    false_faces: f32,
    misread: f32,
}

const CLEAN: Faults = Faults { miss: 0.0, jitter: 0.0, false_faces: 0.0, misread: 0.0 };
const REAL: Faults = Faults { miss: 0.2, jitter: 0.05, false_faces: 0.03, misread: 0.1 };

/// Height of the simulated camera's picture.
const PICTURE_HEIGHT: f32 = 720.0;

#[derive(Debug, Default)]
struct Outcome {
    people: Vec<Person>,
    switches: usize,
    /// Faces found and linked.
    faces: usize,
    truth: BTreeMap<MaskState, usize>,
    classifications: usize,
}

impl Outcome {
    fn count(&self, state: MaskState) -> usize {
        self.people.iter().filter(|person| person.state == state).count()
    }
}

/// The detections of one frame, each with the walker it is of.
fn detect(walkers: &[Walker], t: f32, faults: Faults, random: &mut Random) -> Vec<(Detection, Option<usize>)> {
    let visible: Vec<(usize, Rect)> = walkers.iter().enumerate().filter_map(|(n, w)| Some((n, w.rect(t)?))).collect();
    let mut found = Vec::new();
    for (n, rect) in &visible {
        let behind =
            visible.iter().any(|(m, other)| m != n && other.h > rect.h && rect.intersection(other) > 0.5 * rect.area());
        let hidden = walkers[*n].hidden.is_some_and(|(from, until)| (from..until).contains(&t));
        if behind || hidden || random.chance(faults.miss) {
            continue;
        }
        let jitter = faults.jitter;
        let (w, h) = (rect.w * (1.0 + random.normal(jitter)), rect.h * (1.0 + random.normal(jitter)));
        let (x, y) = (rect.x + random.normal(jitter) * rect.w, rect.y + random.normal(jitter) * rect.h);
        let score = if random.chance(0.15 * f32::from(faults.miss > 0.0)) {
            random.within(0.3, 0.6)
        } else {
            random.within(0.8, 1.0)
        };
        found.push((Detection { rect: Rect::new(x, y, w, h), score, states: None }, Some(*n)));
    }
    if random.chance(faults.false_faces) {
        let h = random.within(0.04, 0.12);
        let rect = Rect::new(random.next(), random.next(), h * 0.5, h);
        found.push((Detection { rect, score: random.within(0.4, 0.8), states: None }, None));
    }
    found
}

fn classify(state: MaskState, faults: Faults, random: &mut Random) -> StateScores {
    let states = [MaskState::Mask, MaskState::Incorrect, MaskState::NoMask];
    let shown = if random.chance(faults.misread) { states[(random.next() * 2.99) as usize] } else { state };
    let sure = random.within(0.6, 0.98);
    let score = |s: MaskState| if s == shown { sure } else { (1.0 - sure) / 2.0 };
    StateScores::normalized(score(states[0]), score(states[1]), score(states[2]))
}

fn simulate(walkers: &[Walker], fps: f32, faults: Faults, seed: u64) -> Outcome {
    let mut random = Random(seed);
    let mut tracker = Tracker::default();
    let mut outcome = Outcome::default();
    let mut of_walker: BTreeMap<usize, u64> = BTreeMap::new();
    for walker in walkers {
        *outcome.truth.entry(walker.state).or_default() += 1;
    }
    let end = walkers.iter().map(|w| w.until).fold(0.0, f32::max) + 3.0;
    for n in 0..(end * fps) as u32 {
        let t = n as f32 / fps;
        let time = Duration::from_secs_f32(t);
        let found = detect(walkers, t, faults, &mut random);
        let detections: Vec<Detection> = found.iter().map(|(d, _)| *d).collect();
        let association = tracker.associate(time, &detections);
        assert_eq!(association.links.len(), found.len());
        for ((detection, walker), link) in found.iter().zip(&association.links) {
            let Some(track) = link.track else { continue };
            if let Some(walker) = walker {
                outcome.faces += 1;
                let before = of_walker.insert(*walker, track);
                outcome.switches += usize::from(before.is_some_and(|before| before != track));
            }
            outcome.classifications += usize::from(link.classify);
            let truth = walker.map_or(MaskState::NoMask, |n| walkers[n].state);
            let states = link.classify.then(|| classify(truth, faults, &mut random));
            let state = states.map_or(MaskState::Unknown, |s| s.best().0);
            let face = ClassifiedFace { detection: *detection, states, state };
            tracker.evidence(time, track, &face, detection.rect.h * PICTURE_HEIGHT);
        }
        outcome.people.extend(tracker.take_decided());
    }
    tracker.end_all();
    outcome.people.extend(tracker.take_decided());
    outcome
}

fn state_of(n: usize) -> MaskState {
    [MaskState::Mask, MaskState::NoMask, MaskState::Mask, MaskState::Incorrect][n % 4]
}

/// People come towards the camera through a corridor, side by side and one after the other.
fn corridor(count: usize, seed: u64) -> Vec<Walker> {
    let mut random = Random(seed);
    (0..count)
        .map(|n| {
            let from = n as f32 * 1.2 + random.within(0.0, 0.8);
            Walker {
                from,
                until: from + random.within(4.5, 6.0),
                start: [random.within(0.25, 0.75), random.within(0.25, 0.4)],
                speed: [random.within(-0.03, 0.03), random.within(0.03, 0.06)],
                height: random.within(0.05, 0.07),
                growth: random.within(0.15, 0.3),
                state: state_of(n),
                hidden: None,
            }
        })
        .collect()
}

/// People cross the picture in both directions, on three lanes of different depth, and hide each other as they meet.
fn crossing(count: usize, seed: u64) -> Vec<Walker> {
    let mut random = Random(seed);
    (0..count)
        .map(|n| {
            let lane = n % 3;
            let height = [0.09, 0.12, 0.16][lane] * random.within(0.95, 1.05);
            let right = random.chance(0.5);
            let speed = random.within(0.8, 1.5) * height;
            let from = n as f32 * 1.5 + random.within(0.0, 1.0);
            Walker {
                from,
                until: from + 1.0 / speed,
                start: [if right { 0.0 } else { 1.0 }, 0.3 + 0.06 * lane as f32],
                speed: [if right { speed } else { -speed }, 0.0],
                height,
                growth: 0.0,
                state: state_of(n),
                hidden: None,
            }
        })
        .collect()
}

/// As [`corridor`], each hidden once for up to a second.
fn occluded(count: usize, seed: u64) -> Vec<Walker> {
    let mut random = Random(seed ^ 77);
    let mut walkers = corridor(count, seed);
    for walker in &mut walkers {
        let at = walker.from + random.within(1.5, 2.5);
        walker.hidden = Some((at, at + random.within(0.3, 1.0)));
    }
    walkers
}

const PEOPLE: usize = 60;

/// The three scenes, each in two castings.
fn scenes() -> Vec<(&'static str, Vec<Walker>)> {
    [1, 2]
        .into_iter()
        .flat_map(|seed| {
            [
                ("corridor", corridor(PEOPLE, seed)),
                ("crossing", crossing(PEOPLE, seed + 10)),
                ("occluded", occluded(PEOPLE, seed + 20)),
            ]
        })
        .collect()
}

/// Runs all scenes at a rate, prints what came out, and returns the greatest error of the count (in people) and of the
/// compliance ratio (of all scenes together), and identity switches per person.
fn errors(fps: f32, faults: Faults) -> (usize, f64, f64) {
    let (mut worst, mut switches) = (0, 0);
    let (mut found, mut truth) = ([0usize; 2], [0usize; 2]);
    for (scene, walkers) in scenes() {
        let outcome = simulate(&walkers, fps, faults, 11);
        println!(
            "{scene:9} {fps:4} fps: {} people of {PEOPLE}, {} unknown, {} switches, {} of {} faces classified",
            outcome.people.len(),
            outcome.count(MaskState::Unknown),
            outcome.switches,
            outcome.classifications,
            outcome.faces,
        );
        worst = worst.max(outcome.people.len().abs_diff(PEOPLE));
        switches += outcome.switches;
        found[0] += outcome.count(MaskState::Mask);
        found[1] += outcome.people.len() - outcome.count(MaskState::Unknown);
        truth[0] += outcome.truth[&MaskState::Mask];
        truth[1] += PEOPLE;
    }
    let ratio = |[mask, known]: [usize; 2]| mask as f64 / known as f64;
    let (error, switches) = ((ratio(found) - ratio(truth)).abs(), switches as f64 / truth[1] as f64);
    println!("all       {fps:4} fps: ratio off by {error:.4}, {switches:.3} switches per person");
    (worst, error, switches)
}

#[test]
fn with_a_perfect_detector_counts_are_within_five_percent_from_two_frames_per_second() {
    for fps in [2.0, 5.0, 10.0, 25.0] {
        let (people, ratio, switches) = errors(fps, CLEAN);
        assert!(people <= 3, "{people}");
        assert!(ratio <= 0.01, "{ratio}");
        assert!(switches <= 0.1, "{switches}");
    }
}

#[test]
fn with_a_real_detector_counts_are_within_five_percent_from_five_frames_per_second() {
    for fps in [5.0, 10.0, 25.0] {
        let (people, ratio, switches) = errors(fps, REAL);
        assert!(people <= 3, "{people}");
        assert!(ratio <= 0.02, "{ratio}");
        assert!(switches <= 0.4, "{switches}");
    }
}

/// A frame a second, with every fifth face missed, is too little to follow people who cross in front of each other:
/// some are counted twice, and some, seen once in a corridor, not at all. The ratio holds better than the number.
#[test]
fn at_one_or_two_frames_per_second_the_error_is_bounded() {
    for (fps, most_people, most_ratio) in [(2.0, 9, 0.03), (1.0, 16, 0.06)] {
        let (people, ratio, _) = errors(fps, REAL);
        assert!(people <= most_people, "{people}");
        assert!(ratio <= most_ratio, "{ratio}");
    }
}

#[test]
fn a_face_is_classified_when_it_pays_and_not_in_every_frame() {
    for (_, walkers) in scenes() {
        let outcome = simulate(&walkers, 25.0, CLEAN, 11);
        assert!(outcome.classifications * 10 < outcome.faces, "{} of {}", outcome.classifications, outcome.faces);
    }
}

#[test]
fn a_crowd_of_false_faces_is_nobody() {
    let nobody = Walker { from: 0.0, until: 120.0, start: [9.0, 9.0], ..corridor(1, 1).remove(0) };
    for fps in [1.0, 5.0, 25.0] {
        let outcome = simulate(std::slice::from_ref(&nobody), fps, Faults { false_faces: 0.1, ..CLEAN }, 5);
        // Two in neighbouring frames may come up at one place by chance.
        assert!(outcome.people.len() <= 2, "{} people at {fps} fps", outcome.people.len());
    }
}

#[test]
fn the_same_frames_give_the_same_people() {
    let walkers = crossing(20, 4);
    assert_eq!(simulate(&walkers, 5.0, REAL, 3).people, simulate(&walkers, 5.0, REAL, 3).people);
}
