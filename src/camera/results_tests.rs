//! Who is told what of a camera, and in which order.

use super::*;
use crate::camera::CameraState;

/// Writes down what it hears.
#[derive(Default)]
struct Ear(tracing_mutex::parking_lot::Mutex<Vec<String>>);

impl Listener for Ear {
    fn frame(&self, _: &str, _: &FrameReport) {
        self.0.lock().push("frame".into());
    }

    fn person(&self, _: &str, _: &PersonReport) {
        self.0.lock().push("person".into());
    }

    fn totals(&self, camera: &str, totals: &Totals) {
        self.0.lock().push(format!("{camera} {:?}", totals.people));
    }
}

fn person(state: MaskState) -> Report {
    let (first_seen, last_seen) = (Duration::ZERO, Duration::ZERO);
    let person = maskwatch_vision::track::Person {
        track: 1,
        state,
        confidence: 1.0,
        first_seen,
        last_seen,
        frames: 3,
        face_height_px: 40.0,
    };
    Report::Person(PersonReport { camera: "gate".into(), person, zones: vec!["hall".into()], crossings: Vec::new() })
}

#[test]
fn with_statistics_only_totals_of_enough_people_leave() {
    let url = crate::config::secret::CameraUrl::parse("rtsp://127.0.0.1/a").unwrap();
    let statistics = maskwatch_vision::statistics::StatisticsConfig { window: Duration::ZERO, minimum: 3 };
    let plan = CameraPlan { privacy: Privacy::Statistics, statistics, ..CameraPlan::new("gate", url) };
    let all = crate::metrics::Metrics::new().unwrap();
    let metrics = all.camera("gate");
    all.withhold("gate", true);
    let hub = Hub::new(&plan, &metrics);
    let ear = Arc::new(Ear::default());
    let status = Arc::new(CameraStatus::new());
    let mut results =
        Results::new(&plan, status, metrics, Arc::clone(&hub), Some(Arc::clone(&ear) as Arc<dyn Listener>));
    for _ in 0..2 {
        results.take(person(MaskState::NoMask));
    }
    for _ in 0..4 {
        results.take(person(MaskState::Mask));
    }
    let count = |text: &str| all.render().unwrap().contains(text);
    assert!(count("people_total{camera=\"gate\",state=\"mask\",zone=\"\"} 0"), "nothing moves before the end");
    results.tick();
    assert!(count("people_total{camera=\"gate\",state=\"mask\",zone=\"\"} 4"));
    assert!(count("people_total{camera=\"gate\",state=\"no_mask\",zone=\"\"} 0"));
    assert_eq!(*ear.0.lock(), ["gate [Some(4), None, None, None]"]);
    assert!(!count("people_visible{camera=\"gate\"") && !count("face_height_pixels_count{camera=\"gate\""));
    assert_eq!(&*hub.caption(), "");
}

/// The camera's thread finds its new plan a moment after the mode is in force.
#[test]
fn nobody_is_told_of_between_the_mode_and_the_plan() {
    let url = crate::config::secret::CameraUrl::parse("rtsp://127.0.0.1/a").unwrap();
    let open = CameraPlan::new("gate", url);
    let statistics = StatisticsConfig { window: Duration::ZERO, minimum: 3 };
    let strict = CameraPlan { privacy: Privacy::Statistics, statistics, ..open.clone() };
    let metrics = crate::metrics::Metrics::new().unwrap().camera("gate");
    let hub = Hub::new(&open, &metrics);
    let ear = Arc::new(Ear::default());
    let listener = Arc::clone(&ear) as Arc<dyn Listener>;
    let mut results = Results::new(&open, Arc::new(CameraStatus::new()), metrics, Arc::clone(&hub), Some(listener));
    results.take(person(MaskState::Mask));
    assert!(hub.change(&strict));
    (0..3).for_each(|_| results.take(person(MaskState::Mask)));
    results.change(&strict);
    results.tick();
    assert_eq!(*ear.0.lock(), ["person", "gate [Some(3), None, None, None]"], "and nobody is lost");
}

/// Asks, whenever it is told of the camera's state, what everybody else could read at that moment.
struct Witness {
    all: Arc<crate::metrics::Metrics>,
    status: Arc<CameraStatus>,
    hub: Arc<Hub>,
    told: tracing_mutex::parking_lot::Mutex<Vec<String>>,
}

impl Witness {
    fn note(&self, what: &str) {
        let text = self.all.render().unwrap();
        let value = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(&format!("maskwatch_{name}{{camera=\"gate\"")));
            line.map_or("?", |line| line.rsplit(' ').next().unwrap()).to_owned()
        };
        let view = self.status.view();
        let picture = self.hub.shape().map(|shape| shape.width);
        self.told.lock().push(format!(
            "{what}: {} picture {picture:?} snapshot {} connects {} last_frame {} camera_up {} connects_total {}",
            view.state.as_str(),
            self.hub.latest().is_some(),
            view.connects,
            view.last_frame.is_some(),
            value("camera_up"),
            value("camera_connects_total"),
        ));
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.told.lock())
    }
}

impl Listener for Witness {
    fn up(&self, _: &str) {
        self.note("up");
    }

    fn down(&self, _: &str, _: &Failure) {
        self.note("down");
    }
}

/// A listener with a defect.
struct Broken;

impl Listener for Broken {
    fn up(&self, _: &str) {
        panic!("a defect of a listener");
    }

    fn down(&self, _: &str, _: &Failure) {
        panic!("a defect of a listener");
    }
}

fn rig(privacy: Privacy) -> (Results, Arc<Witness>) {
    let url = crate::config::secret::CameraUrl::parse("rtsp://127.0.0.1/a").unwrap();
    let plan = CameraPlan { privacy, ..CameraPlan::new("gate", url) };
    let all = crate::metrics::Metrics::new().unwrap();
    let metrics = all.camera("gate");
    let (hub, status) = (Hub::new(&plan, &metrics), Arc::new(CameraStatus::new()));
    let witness = Arc::new(Witness {
        all,
        status: Arc::clone(&status),
        hub: Arc::clone(&hub),
        told: tracing_mutex::parking_lot::Mutex::default(),
    });
    let listeners: Vec<Arc<dyn Listener>> = vec![Arc::new(Broken), Arc::clone(&witness) as Arc<dyn Listener>];
    let results = Results::new(&plan, status, metrics, hub, Some(Arc::new(listeners)));
    (results, witness)
}

fn sample(width: u32) -> gst::Sample {
    gst::init().unwrap();
    let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, width, 48).build().unwrap();
    let mut buffer = gst::Buffer::with_size(info.size()).unwrap();
    buffer.get_mut().unwrap().set_pts(gst::ClockTime::ZERO);
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    gst::Sample::builder().buffer(&buffer).caps(&info.to_caps().unwrap()).segment(&segment).build()
}

/// The two threads of a camera step by step in the order that hurts: frames are counted before the analysing element, and
/// the supervisor looks before the first of them has arrived at the hub.
#[test]
fn up_is_told_when_everything_that_it_promises_can_be_read() {
    for privacy in [Privacy::Off, Privacy::Blur, Privacy::Statistics] {
        let (mut results, witness) = rig(privacy);
        let snapshot = privacy != Privacy::Statistics;
        let now = Some(SystemTime::now());
        for connection in 1..3u32 {
            let width = 32 * connection;
            results.begin();
            let inlet = witness.hub.open();
            assert!(!results.rise(5, now), "{privacy:?}: nothing has arrived yet");
            assert_ne!(witness.status.state(), CameraState::Up);
            results.hub.analyzed(Duration::ZERO, &maskwatch_vision::privacy::Suspects::NONE);
            inlet.publish(sample(width));
            witness.hub.tick();
            assert!(!results.rise(1, now), "one frame proves nothing");
            assert!(results.rise(5, now) && !results.rise(6, now), "once");
            let up = format!(
                "up: up picture Some({width}) snapshot {snapshot} connects {connection} last_frame true camera_up 1 \
                 connects_total {connection}"
            );
            assert_eq!(witness.take(), [up], "{privacy:?}");
            results.fall(&Failure::new(crate::metrics::DisconnectReason::Eos, "the stream ended"));
            let down = format!(
                "down: down picture Some({width}) snapshot false connects {connection} last_frame true camera_up 0 \
                 connects_total {connection}"
            );
            assert_eq!(witness.take(), [down], "{privacy:?}");
        }
    }
}

#[test]
fn nobody_is_visible_at_a_camera_that_is_down() {
    let (mut results, witness) = rig(Privacy::Off);
    witness.hub.open().publish(sample(32));
    assert!(results.rise(2, None));
    let frame = || {
        let rect = maskwatch_vision::geometry::Rect::FULL;
        let face =
            maskwatch_vision::face::FaceView { track: 1, rect, score: 0.9, state: MaskState::Mask, confidence: 0.9 };
        Report::Frame(FrameReport {
            camera: "gate".into(),
            running_time: None,
            pts: None,
            width: 32,
            height: 48,
            latency: Duration::ZERO,
            luma: None,
            faces: vec![face],
            raw: Vec::new(),
            hide: None,
            quality: Vec::new(),
        })
    };
    let visible = |count: u32| {
        let series = format!("maskwatch_people_visible{{camera=\"gate\",state=\"mask\"}} {count}");
        witness.all.render().unwrap().contains(&series)
    };
    results.take(frame());
    assert!(visible(1));
    results.fall(&Failure::new(crate::metrics::DisconnectReason::Eos, "the stream ended"));
    // Results that were on their way are read from the bus as the pipeline ends.
    results.take(frame());
    assert!(visible(0));
}

/// Writes down what it hears of degradation.
#[derive(Default)]
struct Judge(tracing_mutex::parking_lot::Mutex<Vec<String>>);

impl Listener for Judge {
    fn degraded(&self, camera: &str, degradation: &Degradation) {
        self.0.lock().push(format!("{camera} {} {:.2}", degradation.reason.as_str(), degradation.ratio));
    }

    fn restored(&self, camera: &str) {
        self.0.lock().push(format!("{camera} restored"));
    }
}

#[test]
fn a_degraded_camera_is_so_in_metric_state_and_ear_until_it_ends() {
    let url = crate::config::secret::CameraUrl::parse("rtsp://127.0.0.1/a").unwrap();
    let plan = CameraPlan::new("gate", url);
    let all = crate::metrics::Metrics::new().unwrap();
    let metrics = all.camera("gate");
    let status = Arc::new(CameraStatus::new());
    let judge = Arc::new(Judge::default());
    let listener = Some(Arc::clone(&judge) as Arc<dyn Listener>);
    let hub = Hub::new(&plan, &metrics);
    let mut results = Results::new(&plan, Arc::clone(&status), Arc::clone(&metrics), hub, listener);
    let seconds = |results: &mut Results, lossy: u64, all: u64| {
        let (watch, tally) = (Watch::new(), tally::Tally::new(Arc::clone(&metrics)));
        for second in 0..all {
            for picture in 0..10 {
                match second < lossy && picture % 2 == 0 {
                    true => tally.refused(crate::metrics::PictureLoss::Gate),
                    false => tally.raw(),
                }
            }
            results.judge(Duration::from_secs(second), &watch, &tally);
        }
    };
    let on = || all.render().unwrap().contains("maskwatch_camera_degraded{camera=\"gate\",reason=\"loss\"} 1");
    let told = || std::mem::take(&mut *judge.0.lock());
    results.begin();
    seconds(&mut results, 15, 15);
    let degraded = status.view().degraded.unwrap();
    assert!(on() && degraded.message.starts_with("50 % of the pictures that arrive are decoded"), "{degraded:?}");
    assert_eq!(told(), ["gate loss 0.50"]);
    results.fall(&Failure::new(crate::metrics::DisconnectReason::Eos, "the stream ended"));
    assert!(!on() && status.view().degraded.is_none() && told().is_empty(), "its end says it all");
    results.begin();
    seconds(&mut results, 15, 40);
    assert!(!on() && status.view().degraded.is_none());
    assert_eq!(told(), ["gate loss 0.50", "gate restored"]);
    results.begin();
    seconds(&mut results, 15, 15);
    assert!(on());
    results.begin();
    assert!(!on() && status.view().degraded.is_none(), "another connection is not judged by the one before");
    seconds(&mut results, 9, 9);
    assert!(!on(), "and not before ten seconds");
}
