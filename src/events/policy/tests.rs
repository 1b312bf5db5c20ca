use super::*;

fn moment(second: u64) -> Moment {
    let steady = Duration::from_secs(second);
    Moment { wall: SystemTime::UNIX_EPOCH + steady, steady }
}

fn person(state: MaskState) -> Person {
    let (first_seen, last_seen) = (Duration::ZERO, Duration::ZERO);
    Person { track: 3, state, confidence: 0.9, first_seen, last_seen, frames: 2, face_height_px: 44.0 }
}

fn failure() -> FailureFacts {
    FailureFacts { reason: String::new(), cause: String::new(), hint: String::new() }
}

fn policy(people: bool) -> Policy {
    let alert = ComplianceAlert { target: 0.9, hold: Duration::from_secs(60), minimum: 10 };
    let mut policy = Policy::new(Duration::from_secs(30), Some(alert));
    let labels = BTreeMap::from([("site".into(), "a".into())]);
    policy.watch("gate", Watched { labels, people, zones: vec!["door".into()] });
    policy
}

fn kind(draft: Option<Draft>) -> Option<&'static str> {
    draft.map(|draft| draft.body.kind())
}

#[test]
fn people_without_a_good_mask_are_told_of_each_kind_by_itself() {
    let mut policy = policy(true);
    let mut verdict = |second, state| kind(policy.verdict(moment(second), "gate", &person(state), &[]));
    assert_eq!(verdict(0, MaskState::Mask), None);
    assert_eq!(verdict(0, MaskState::Unknown), None);
    assert_eq!(verdict(0, MaskState::Incorrect), Some("person.incorrect"));
    assert_eq!(verdict(1, MaskState::NoMask), Some("person.no_mask"));
    assert_eq!(verdict(2, MaskState::NoMask), None);
    assert_eq!(verdict(31, MaskState::NoMask), Some("person.no_mask"));
    assert_eq!(kind(policy.verdict(moment(40), "yard", &person(MaskState::NoMask), &[])), None, "not a camera of ours");
}

#[test]
fn the_next_event_tells_of_those_that_were_suppressed() {
    let mut policy = policy(true);
    let zones = vec!["door".to_owned()];
    let mut verdict = |second| policy.verdict(moment(second), "gate", &person(MaskState::NoMask), &zones);
    assert!(verdict(0).is_some() && verdict(1).is_none() && verdict(2).is_none());
    let Some(Draft { body: Body::NoMask(facts), at, camera }) = verdict(40) else { panic!("no event") };
    assert_eq!((facts.suppressed, facts.zones, at, camera.as_str()), (2, zones.clone(), moment(40), "gate"));
}

#[test]
fn a_camera_of_statistics_gives_no_events_about_people() {
    let mut policy = policy(false);
    assert_eq!(policy.verdict(moment(0), "gate", &person(MaskState::NoMask), &[]), None);
    let people = Counts { no_mask: 100, ..Counts::default() };
    assert!((0..100).all(|second| policy.figure(moment(second), "gate", "", people).is_none()));
    assert!(policy.places().is_empty());
    assert_eq!(kind(policy.up(moment(0), "gate")), Some("camera.up"), "but of its health");
}

#[test]
fn compliance_low_and_recovered() {
    let mut policy = policy(true);
    let mut told = Vec::new();
    for second in (0..400).step_by(5) {
        let no_mask = if second < 200 { 5 } else { 1 };
        let people = Counts { mask: 15, no_mask, ..Counts::default() };
        told.extend(kind(policy.figure(moment(second), "gate", "", people)).map(|kind| (second, kind)));
    }
    assert_eq!(told, [(60, "compliance.low"), (260, "compliance.recovered")]);
}

#[test]
fn each_zone_has_its_own_compliance() {
    let mut policy = policy(true);
    let places: Vec<_> = policy.places().into_iter().map(|(_, zone)| zone).collect();
    assert_eq!(places, ["", "door"]);
    let mut look = |seconds: std::ops::Range<u64>| {
        let mut told = Vec::new();
        for second in seconds.step_by(5) {
            // Without a mask at the door, with one everywhere else: 95 % of all.
            for (zone, mask, no_mask) in [("", 190, 10), ("door", 10, 10), ("roof", 0, 50)] {
                let people = Counts { mask, no_mask, ..Counts::default() };
                let draft = policy.figure(moment(second), "gate", zone, people);
                told.extend(draft.map(|draft| (second, draft.body)));
            }
        }
        // The configuration was read anew.
        policy.watch("gate", Watched { people: true, zones: vec!["door".into(), "hall".into()], ..Watched::default() });
        told
    };
    let told = look(0..100);
    let [(60, Body::ComplianceLow(facts))] = &told[..] else { panic!("{told:?}") };
    assert_eq!((facts.zone.as_str(), facts.ratio), ("door", 0.5));
    assert!(look(100..300).is_empty(), "it is told already");
    policy.watch("gate", Watched { people: true, ..Watched::default() });
    assert_eq!(policy.places().len(), 1, "a zone that is gone is not looked at");
}

#[test]
fn a_camera_goes_and_comes_and_each_is_told_once() {
    use DisconnectReason::{Refused, Timeout};
    let mut policy = policy(true);
    let mut down = |reason| policy.down(moment(0), "gate", reason, failure()).map(|draft| draft.body.kind());
    assert_eq!(down(Timeout), Some("camera.down"), "what never was up is not frozen");
    assert_eq!((down(Refused), down(Timeout)), (None, None));
    assert_eq!(kind(policy.up(moment(1), "gate")), Some("camera.up"));
    assert_eq!(kind(policy.up(moment(2), "gate")), None);
    let mut down = |reason| policy.down(moment(3), "gate", reason, failure()).map(|draft| draft.body.kind());
    assert_eq!(down(Timeout), Some("camera.frozen"));
    assert_eq!(down(Timeout), None);
    assert_eq!(down(Refused), Some("camera.down"));
    assert_eq!(down(Refused), None);
}

#[test]
fn a_degraded_camera_is_told_of_once_for_each_reason_and_its_end() {
    let mut policy = policy(true);
    let facts = |reason: &str| DegradedFacts { reason: reason.into(), message: String::new(), ratio: 0.5 };
    let (degraded, restored) = (Some("camera.degraded"), Some("camera.restored"));
    assert_eq!(kind(policy.restored(moment(0), "gate")), None, "nothing was amiss");
    policy.up(moment(0), "gate");
    assert_eq!(kind(policy.degraded(moment(10), "gate", facts("loss"))), degraded);
    assert_eq!(kind(policy.degraded(moment(11), "gate", facts("loss"))), None);
    assert_eq!(kind(policy.degraded(moment(30), "gate", facts("late"))), degraded);
    assert_eq!(kind(policy.restored(moment(40), "gate")), restored);
    assert_eq!(kind(policy.restored(moment(41), "gate")), None);
    // Its end takes it along.
    policy.degraded(moment(50), "gate", facts("loss"));
    let down = policy.down(moment(51), "gate", DisconnectReason::Eos, failure());
    assert_eq!(kind(down), Some("camera.down"));
    assert_eq!(kind(policy.restored(moment(52), "gate")), None);
    assert_eq!(kind(policy.up(moment(53), "gate")), Some("camera.up"));
    assert_eq!(kind(policy.degraded(moment(64), "gate", facts("loss"))), degraded, "another connection");
    // So does another connection, where the end of this one was not told.
    assert_eq!(kind(policy.up(moment(70), "gate")), restored);
    assert_eq!(kind(policy.up(moment(71), "gate")), None);
    assert_eq!(kind(policy.degraded(moment(80), "yard", facts("loss"))), None, "not a camera of ours");
}

#[test]
fn a_covered_lens_is_told_of_and_its_clearing() {
    let mut policy = policy(true);
    let mut told = Vec::new();
    for second in 0..40 {
        let luma = Luma { mean: 5.0, contrast: if (5..25).contains(&second) { 0.5 } else { 40.0 } };
        told.extend(kind(policy.picture(moment(second), "gate", &luma)).map(|kind| (second, kind)));
    }
    assert_eq!(told, [(15, "camera.blinded"), (28, "camera.cleared")]);
}

#[test]
fn a_camera_watched_anew_keeps_what_is_remembered_of_it_and_a_forgotten_one_does_not() {
    let mut policy = policy(true);
    assert!(policy.up(moment(0), "gate").is_some());
    policy.watch("gate", Watched { people: true, ..Watched::default() });
    assert!(policy.up(moment(1), "gate").is_none() && policy.labels("gate").is_empty());
    policy.forget("gate");
    assert!(policy.up(moment(2), "gate").is_none());
}
