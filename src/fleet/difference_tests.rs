use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::config::plan::{CompliancePlan, Credentials, EventsPlan, InferencePlan, ListenPlan, Privacy};
use crate::config::secret::{CameraUrl, Secret};

fn plan(cameras: Vec<CameraPlan>) -> Plan {
    let listen = |port| ListenPlan { listen: ([127, 0, 0, 1], port).into(), auth: None, tls: None };
    Plan {
        http: listen(8080),
        rtsp: listen(8554),
        access: Default::default(),
        network: Default::default(),
        state_dir: None,
        inference: InferencePlan::default(),
        compliance: CompliancePlan::default(),
        cameras,
        events: EventsPlan::default(),
        version: String::new(),
        include: None,
        included: Default::default(),
    }
}

fn camera(name: &str) -> CameraPlan {
    CameraPlan::new(name, CameraUrl::parse("rtsp://10.0.0.1/a").unwrap())
}

/// Applied by what a difference tells alone, without a look at the plan wanted.
fn applied(present: &Plan, difference: &Difference) -> Vec<CameraPlan> {
    let mut cameras = present.cameras.clone();
    cameras.retain(|camera| !difference.removed.contains(&camera.name));
    for change in &difference.changed {
        let camera = cameras.iter_mut().find(|camera| camera.name == change.plan.name).unwrap();
        *camera = change.plan.clone();
    }
    cameras.extend(difference.added.iter().cloned());
    cameras.sort_by(|a, b| a.name.cmp(&b.name));
    cameras
}

fn sorted(plan: &Plan) -> Vec<CameraPlan> {
    let mut cameras = plan.cameras.clone();
    cameras.sort_by(|a, b| a.name.cmp(&b.name));
    cameras
}

prop_compose! {
    fn any_camera(name: String)(
        path in 0..2u8,
        password in prop::option::of("[ab]"),
        fps in 1..3u8,
        weight in 1..3u32,
        privacy in prop::sample::select(&Privacy::ALL[..]),
        latency in 0..2u64,
        label in prop::option::of("[xy]"),
    ) -> CameraPlan {
        let url = CameraUrl::parse(&format!("rtsp://10.0.0.1/{path}")).unwrap();
        let credentials = password.map(|text| Credentials { username: "ops".into(), password: Secret::new(&text) });
        CameraPlan {
            credentials,
            analyze_fps: f64::from(fps),
            weight,
            privacy,
            latency: Duration::from_millis(latency),
            labels: label.map(|value| ("site".to_owned(), value)).into_iter().collect(),
            ..CameraPlan::new(name.as_str(), url)
        }
    }
}

fn any_plan() -> impl Strategy<Value = Plan> {
    let cameras = prop::sample::subsequence(vec!["a", "b", "c", "d", "e"], 0..=5)
        .prop_shuffle()
        .prop_flat_map(|names| names.into_iter().map(|name| any_camera(name.to_owned())).collect::<Vec<_>>());
    let server = || (0..2u16, prop::option::of(Just("x")));
    let servers = (server(), server(), prop::option::of(Just("/users")));
    (cameras, servers, any::<bool>(), 1..3usize).prop_map(|(cameras, (http, rtsp, users), state, batch)| {
        let mut plan = plan(cameras);
        let login = |text| Credentials { username: "ops".into(), password: Secret::new(text) };
        (plan.http.auth, plan.rtsp.auth) = (http.1.map(login), rtsp.1.map(login));
        plan.rtsp.listen.set_port(8554 + rtsp.0);
        let port = http.0;
        plan.access.users_file = users.map(PathBuf::from);
        plan.http.listen.set_port(8080 + port);
        plan.state_dir = state.then(|| PathBuf::from("/state"));
        plan.inference.max_batch = batch;
        plan
    })
}

proptest! {
    #[test]
    fn applied_it_gives_the_plan_wanted(present in any_plan(), wanted in any_plan()) {
        let difference = Difference::between(&present, &wanted);
        prop_assert_eq!(applied(&present, &difference), sorted(&wanted));
        let after = difference.in_force(&present);
        prop_assert_eq!(&after.cameras, &wanted.cameras);
        prop_assert_eq!(after.http.listen, present.http.listen);
        prop_assert_eq!(&after.inference, &wanted.inference);
        // What is left is what a restart alone can do.
        let left = Difference::between(&after, &wanted);
        prop_assert!(left.changed.is_empty() && left.added.is_empty() && left.removed.is_empty());
        prop_assert_eq!(left.restart(), difference.restart());
        prop_assert_eq!(left.steps().len(), left.restart().len());
        // Who may come in was judged for the address that is listened to.
        let entry = |plan: &Plan| (plan.http.auth.clone(), plan.rtsp.auth.clone(), plan.access.users_file.clone());
        let stays = (present.http.listen, present.rtsp.listen) == (wanted.http.listen, wanted.rtsp.listen);
        let judged = if stays { &wanted } else { &present };
        prop_assert_eq!(entry(&after), entry(judged));
    }

    #[test]
    fn equal_plans_need_nothing(plan in any_plan()) {
        let difference = Difference::between(&plan, &plan);
        prop_assert!(difference.is_empty() && difference.steps().is_empty());
        prop_assert_eq!(difference.in_force(&plan), plan);
    }

    #[test]
    fn every_change_names_its_keys(present in any_plan(), wanted in any_plan()) {
        let difference = Difference::between(&present, &wanted);
        prop_assert!(difference.changed.iter().all(|change| !change.keys.is_empty()));
        prop_assert_eq!(difference.is_empty(), difference.steps().is_empty());
    }
}

#[test]
fn what_a_camera_is_analysed_by_needs_no_connection() {
    let present = plan(vec![camera("gate")]);
    let change = |to: fn(&mut CameraPlan)| {
        let mut wanted = present.clone();
        to(&mut wanted.cameras[0]);
        let mut changed = Difference::between(&present, &wanted).changed;
        let change = changed.pop().unwrap();
        (change.keys, change.reconnects)
    };
    assert_eq!(change(|camera| camera.privacy = Privacy::Blur), (vec!["privacy"], false));
    assert_eq!(change(|camera| camera.analyze_fps = 2.0), (vec!["analyze_fps"], false));
    assert_eq!(change(|camera| camera.areas.min_face_height_px = 30.0), (vec!["min_face_px"], false));
    assert_eq!(change(|camera| camera.output.bitrate_kbps = 900), (vec!["output"], false));
    assert_eq!(change(|camera| camera.latency = Duration::from_secs(1)), (vec!["latency"], true));
    let login = |camera: &mut CameraPlan| {
        camera.credentials = Some(Credentials { username: "ops".into(), password: Secret::new("x") });
    };
    assert_eq!(change(login), (vec!["username", "password"], true));
}

#[test]
fn each_step_is_a_line() {
    let present = plan(vec![camera("a"), camera("b"), camera("c")]);
    let mut wanted = plan(vec![camera("c"), camera("b"), camera("d")]);
    wanted.cameras[1].weight = 7;
    wanted.cameras[0].url = CameraUrl::parse("rtsp://10.0.0.2/a").unwrap();
    wanted.rtsp.listen.set_port(9);
    wanted.inference.threads = 1;
    let lines: Vec<String> = Difference::between(&present, &wanted).steps().iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "camera c: connected to anew (url)",
            "camera b: changed (weight)",
            "camera a: removed",
            "camera d: added",
            "cameras: in another order",
            "restart needed: rtsp.listen",
            "changed: inference",
        ]
    );
}
