//! The batching policy: cases, and properties under random traffic.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use maskwatch_vision::batch::{Arrival, BatchConfig, BatchPolicy, BatchReason, Decision};
use proptest::prelude::*;
use proptest::test_runner::Config;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn policy(max_batch: usize, cameras: u64) -> BatchPolicy {
    let mut policy = BatchPolicy::new(BatchConfig { max_batch, ..BatchConfig::default() });
    (0..cameras).for_each(|camera| policy.register(camera, 1));
    policy
}

fn run(policy: &mut BatchPolicy, now: Duration) -> (Vec<u64>, BatchReason) {
    match policy.next(now, true) {
        Decision::Run { cameras, reason } => (cameras, reason),
        Decision::Wait(until) => panic!("waits until {until:?}"),
    }
}

#[test]
fn a_free_executor_takes_what_waits_at_once() {
    let mut p = policy(4, 3);
    assert_eq!(p.next(ms(0), true), Decision::Wait(None));
    // All three are known to be active.
    (0..3).for_each(|camera| assert_eq!(p.arrive(camera, ms(0)), Arrival::Queued));
    assert_eq!(run(&mut p, ms(0)), (vec![0, 1, 2], BatchReason::Full));
    assert_eq!(p.arrive(1, ms(40)), Arrival::Queued);
    assert_eq!(run(&mut p, ms(40)), (vec![1], BatchReason::Idle));
    assert_eq!(p.next(ms(41), true), Decision::Wait(None));
}

#[test]
fn a_busy_executor_lets_a_batch_form() {
    let mut p = policy(8, 3);
    p.arrive(0, ms(0));
    assert_eq!(p.next(ms(5), false), Decision::Wait(Some(ms(20))));
    p.arrive(1, ms(6));
    assert_eq!(p.arrive(0, ms(7)), Arrival::Replaced);
    assert_eq!(p.next(ms(30), false), Decision::Wait(None), "nothing changes by waiting for a time");
    p.arrive(2, ms(100));
    assert_eq!(run(&mut p, ms(100)), (vec![0, 1, 2], BatchReason::Full));
}

#[test]
fn an_overdue_frame_is_the_reason() {
    let mut p = policy(8, 2);
    (0..2).for_each(|camera| _ = p.arrive(camera, ms(0)));
    run(&mut p, ms(0));
    p.arrive(0, ms(40));
    assert_eq!(run(&mut p, ms(60)), (vec![0], BatchReason::Deadline));
}

#[test]
fn a_silent_camera_leaves_full_within_three_of_its_own_intervals() {
    // Camera 0 gives 25 frames a second, camera 1 gives 5 and then freezes.
    let mut p = policy(16, 2);
    let mut last_of_frozen = ms(0);
    let mut reasons = BTreeMap::new();
    for n in 0..250u64 {
        let now = ms(n * 40);
        p.arrive(0, now);
        if n % 5 == 0 && n < 100 {
            p.arrive(1, now);
            last_of_frozen = now;
        }
        reasons.insert(now, run(&mut p, now));
    }
    for (now, (cameras, reason)) in reasons {
        let frozen = now > last_of_frozen + ms(3 * 200);
        let want = if cameras.len() == 2 || frozen { BatchReason::Full } else { BatchReason::Idle };
        assert_eq!(reason, want, "at {now:?}");
    }
}

#[test]
fn a_camera_of_one_frame_is_active_for_a_second_and_returns_with_its_next_frame() {
    let mut p = policy(16, 2);
    p.arrive(0, ms(0));
    run(&mut p, ms(0));
    assert_eq!((p.active(ms(1000)), p.active(ms(1001))), (1, 0));
    p.arrive(0, ms(10_000));
    assert_eq!(p.active(ms(10_000)), 1);
}

#[test]
fn an_outage_does_not_make_a_camera_slow() {
    let mut p = policy(16, 1);
    for n in 0..50 {
        p.arrive(0, ms(n * 40));
        run(&mut p, ms(n * 40));
    }
    p.arrive(0, ms(600_000));
    assert_eq!(p.active(ms(600_000 + 200)), 0, "one gap raises 40 ms to 60 ms at most");
}

#[test]
fn leaving_and_withdrawing_cameras_take_their_frames_along() {
    let mut p = policy(16, 3);
    (0..3).for_each(|camera| _ = p.arrive(camera, ms(0)));
    assert!(p.unregister(0) && !p.unregister(0) && p.withdraw(1) && !p.withdraw(1));
    assert_eq!(p.arrive(0, ms(1)), Arrival::Unregistered);
    assert_eq!(p.waiting(), 1);
    assert_eq!(run(&mut p, ms(1)).0, [2]);
}

#[test]
fn flush_runs_what_waits_in_pieces_under_its_own_reason() {
    let mut p = policy(2, 5);
    (0..3).for_each(|camera| _ = p.arrive(camera, ms(0)));
    p.flush();
    p.arrive(3, ms(1));
    let mut flushed = Vec::new();
    for _ in 0..2 {
        let (cameras, reason) = run(&mut p, ms(1));
        assert_eq!(reason, BatchReason::Flush);
        flushed.extend(cameras);
    }
    assert_eq!(flushed.iter().copied().collect::<BTreeSet<_>>(), BTreeSet::from([0, 1, 2, 3]));
    p.arrive(0, ms(2));
    assert_ne!(run(&mut p, ms(2)).1, BatchReason::Flush);
}

/// Frames served per camera when all cameras always have one waiting.
fn shares(weights: &[u32], max_batch: usize, batches: usize) -> Vec<usize> {
    let mut p = BatchPolicy::new(BatchConfig { max_batch, ..BatchConfig::default() });
    (0u64..).zip(weights).for_each(|(camera, &weight)| p.register(camera, weight));
    let mut served = vec![0; weights.len()];
    for n in 0..batches as u64 {
        (0..weights.len() as u64).for_each(|camera| _ = p.arrive(camera, ms(n * 50)));
        for camera in run(&mut p, ms(n * 50 + 45)).0 {
            served[camera as usize] += 1;
        }
    }
    served
}

#[test]
fn an_overloaded_executor_is_shared_by_weight() {
    let served = shares(&[1, 1, 2, 4], 1, 8000);
    for (served, want) in served.iter().zip([1000, 1000, 2000, 4000]) {
        assert!(served.abs_diff(want) <= 8, "{served} instead of {want}");
    }
}

/// What happens to the policy.
#[derive(Clone, Debug)]
enum Happening {
    Arrive(u64),
    Register(u64, u32),
    Unregister(u64),
    Withdraw(u64),
    Flush,
    Next(bool),
    /// Time moves; back, too.
    Time(i64),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        8 => (0u64..8).prop_map(Happening::Arrive),
        2 => (0u64..8, 0u32..5).prop_map(|(camera, weight)| Happening::Register(camera, weight)),
        1 => (0u64..8).prop_map(Happening::Unregister),
        1 => (0u64..8).prop_map(Happening::Withdraw),
        1 => Just(Happening::Flush),
        6 => any::<bool>().prop_map(Happening::Next),
        6 => (-20i64..100).prop_map(Happening::Time),
    ]
}

proptest! {
    // An integration test has no place for regression files: a failing case is printed, to be made a test of its own.
    #![proptest_config(Config { failure_persistence: None, ..Config::default() })]

    #[test]
    fn every_frame_is_in_one_batch_or_accounted_for(
        happenings in prop::collection::vec(happening(), 0..400),
        max_batch in 1usize..6,
    ) {
        let mut p = BatchPolicy::new(BatchConfig { max_batch, ..BatchConfig::default() });
        let (mut registered, mut waiting) = (BTreeSet::new(), BTreeSet::new());
        let mut now = 1000i64;
        for happening in happenings {
            match happening {
                Happening::Time(by) => now = (now + by).max(0),
                Happening::Register(camera, weight) => {
                    p.register(camera, weight);
                    registered.insert(camera);
                }
                Happening::Unregister(camera) => {
                    prop_assert_eq!(p.unregister(camera), waiting.remove(&camera));
                    registered.remove(&camera);
                }
                Happening::Withdraw(camera) => prop_assert_eq!(p.withdraw(camera), waiting.remove(&camera)),
                Happening::Flush => p.flush(),
                Happening::Arrive(camera) => {
                    let want = match (registered.contains(&camera), waiting.contains(&camera)) {
                        (false, _) => Arrival::Unregistered,
                        (true, true) => Arrival::Replaced,
                        (true, false) => Arrival::Queued,
                    };
                    prop_assert_eq!(p.arrive(camera, ms(now as u64)), want);
                    if want == Arrival::Queued {
                        waiting.insert(camera);
                    }
                }
                Happening::Next(free) => match p.next(ms(now as u64), free) {
                    Decision::Run { cameras, reason } => {
                        prop_assert!(free && !cameras.is_empty() && cameras.len() <= max_batch);
                        // All were waiting, and so none is there twice.
                        prop_assert!(cameras.iter().all(|camera| waiting.remove(camera)));
                        // Work conserving: room is left only when nobody waits.
                        prop_assert!(cameras.len() == max_batch || waiting.is_empty());
                        prop_assert!(cameras.len() < max_batch || matches!(reason, BatchReason::Full | BatchReason::Flush));
                    }
                    Decision::Wait(until) => {
                        prop_assert!(!free || waiting.is_empty());
                        prop_assert!(until.is_none_or(|until| until > ms(now as u64)), "would spin");
                    }
                },
            }
            prop_assert_eq!(p.waiting(), waiting.len());
        }
    }

    #[test]
    fn shares_follow_the_weights(weights in prop::collection::vec(1u32..6, 2..8), room in 1usize..7) {
        let room = room.min(weights.len() - 1);
        let batches = 600;
        let served = shares(&weights, room, batches);
        prop_assert_eq!(served.iter().sum::<usize>(), room * batches);
        for (a, wa) in served.iter().zip(&weights) {
            for (b, wb) in served.iter().zip(&weights) {
                // No camera can be served more than once per batch; below that, shares are as the weights.
                if *a + 2 < batches && *b + 2 < batches {
                    let (per_a, per_b) = (*a as f64 / f64::from(*wa), *b as f64 / f64::from(*wb));
                    prop_assert!((per_a - per_b).abs() <= 0.1 * per_a.max(per_b) + 4.0, "{:?} {:?}", weights, served);
                }
            }
        }
    }

    #[test]
    fn nobody_starves(weights in prop::collection::vec(1u32..9, 2..12), room in 1usize..5, seed in any::<u64>()) {
        let mut p = BatchPolicy::new(BatchConfig { max_batch: room, ..BatchConfig::default() });
        let cameras = weights.len();
        (0u64..).zip(&weights).for_each(|(camera, &weight)| p.register(camera, weight));
        // Batches without it while a frame of it waited; `None`: no frame waits.
        let mut waited = vec![None; cameras];
        for n in 0..500u64 {
            for camera in 0..cameras as u64 {
                // Some pause at random; those that wait go on waiting.
                if (seed.rotate_left((n * 7 + camera) as u32)) & 3 != 0 {
                    p.arrive(camera, ms(n * 30));
                    waited[camera as usize].get_or_insert(0usize);
                }
            }
            let Decision::Run { cameras: served, .. } = p.next(ms(n * 30 + 1), true) else { continue };
            for (camera, waited) in waited.iter_mut().enumerate() {
                if served.contains(&(camera as u64)) {
                    *waited = None;
                }
                let Some(waited) = waited else { continue };
                *waited += 1;
                // In `due` batches a camera earns a frame; its credit and that of the others differ by four at most.
                let due = weights.iter().sum::<u32>() as usize / (weights[camera] as usize * room) + 1;
                prop_assert!(*waited <= 4 * due, "camera {camera} waited {waited} batches");
            }
        }
    }
}
