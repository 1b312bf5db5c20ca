//! What a fault of one costs: nobody else, and nothing that comes after it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use maskwatch_vision::privacy::{Cover, Suspects, Unknown};

use super::tests::{sample, striped};
use super::veil::Veil;
use super::*;
use crate::config::secret::CameraUrl;
use crate::metrics::Metrics;

struct Rig {
    all: Arc<Metrics>,
    hub: Arc<Hub>,
    inlet: Inlet,
}

impl Rig {
    fn new(privacy: Privacy) -> Self {
        let plan = CameraPlan { privacy, ..CameraPlan::new("a", CameraUrl::parse("rtsp://127.0.0.1/a").unwrap()) };
        let all = Metrics::new().unwrap();
        let hub = Hub::new(&plan, &all.camera("a"));
        let inlet = hub.open();
        Self { all, hub, inlet }
    }

    /// A picture that comes out at once, whatever the mode.
    fn publish(&self, number: u64) {
        let time = Duration::from_millis(number * 40);
        self.hub.analyzed(time, &Suspects::NONE);
        self.inlet.publish(striped(number * 40));
        self.hub.tick();
    }

    fn failed(&self) -> String {
        let text = self.all.render().unwrap();
        let line = text.lines().find(|line| line.contains("frames_dropped_total{camera=\"a\",reason=\"failed\"}"));
        line.unwrap().rsplit(' ').next().unwrap().to_owned()
    }
}

/// Counts its pictures, and panics at those of which `breaks` says so, by their number from 0.
fn subscribe(
    hub: &Arc<Hub>,
    breaks: impl Fn(usize) -> bool + Send + Sync + 'static,
) -> (Subscription, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let subscription = hub.subscribe(Arc::new(move |_| {
        let number = counted.fetch_add(1, Ordering::Relaxed);
        assert!(!breaks(number), "a defect of one output");
    }));
    (subscription, count)
}

#[test]
fn a_panic_of_one_output_costs_one_picture_of_its_own() {
    for privacy in [Privacy::Off, Privacy::Blur] {
        let rig = Rig::new(privacy);
        let (_before, first) = subscribe(&rig.hub, |_| false);
        let (_broken, broken) = subscribe(&rig.hub, |number| number % 3 == 1);
        let (_after, last) = subscribe(&rig.hub, |_| false);
        (0..20).for_each(|number| rig.publish(number));
        let seen = [&first, &broken, &last].map(|count| count.load(Ordering::Relaxed));
        assert_eq!(seen, [20; 3], "{privacy:?}");
        assert_eq!((rig.failed().as_str(), rig.hub.subscribers()), ("7", 3));
        assert!(rig.hub.latest().is_some());
    }
}

#[test]
fn an_output_that_always_panics_goes() {
    for privacy in [Privacy::Off, Privacy::Blur] {
        let rig = Rig::new(privacy);
        let (broken, count) = subscribe(&rig.hub, |_| true);
        let (_other, other) = subscribe(&rig.hub, |_| false);
        (0..30).for_each(|number| rig.publish(number));
        assert_eq!([&count, &other].map(|count| count.load(Ordering::Relaxed)), [10, 30], "{privacy:?}");
        assert_eq!((rig.failed().as_str(), rig.hub.subscribers()), ("10", 1));
        drop(broken);
        assert_eq!(rig.hub.subscribers(), 1);
    }
}

#[test]
fn a_turn_that_ends_in_a_panic_is_given_back() {
    let veil = Veil::new(5.0);
    veil.restart(1);
    veil.look(Duration::ZERO, &Suspects::NONE);
    veil.look(Duration::from_millis(40), &Suspects::NONE);
    let mut out = 0;
    for ms in [0, 40] {
        veil.push(Raw::new(1, striped(ms)));
        let broken = catch_unwind(AssertUnwindSafe(|| veil.let_out(|_, _| panic!("a defect"))));
        assert!(broken.is_err());
    }
    veil.push(Raw::new(1, striped(40)));
    veil.let_out(|_, _| {
        // Whoever comes meanwhile leaves it to the one who has the turn.
        veil.let_out(|_, _| panic!("two at a time"));
        out += 1;
    });
    assert_eq!(out, 1);
    veil.push(Raw::new(1, striped(40)));
    veil.let_out(|_, _| out += 1);
    assert_eq!(out, 2, "the turn is free again");
}

/// The streaming thread of a connection is between two steps when the connection ends.
#[test]
fn a_picture_under_way_is_none_of_the_next_connection() {
    let rig = Rig::new(Privacy::Blur);
    let late = || (Raw::new(1, striped(0)), Cover::Whole(Unknown::Late));
    let (raw, cover) = late();
    rig.hub.show(&rig.hub.mode(), raw, cover);
    assert!(rig.hub.latest().is_some());
    rig.hub.clear();
    let (raw, cover) = late();
    rig.hub.show(&rig.hub.mode(), raw, cover);
    assert!(rig.hub.latest().is_none(), "nobody would take it away again");
    let (_subscription, count) = subscribe(&rig.hub, |_| false);
    let (raw, cover) = late();
    rig.hub.show(&rig.hub.mode(), raw, cover);
    rig.hub.hand_out(1, &rig.hub.mode(), Shown::plain(striped(0)));
    assert_eq!((rig.hub.latest().is_some(), count.load(Ordering::Relaxed)), (false, 0));
}

#[test]
fn a_hub_is_ready_when_what_can_be_had_can_be_had() {
    for privacy in [Privacy::Off, Privacy::Blur, Privacy::Statistics] {
        let Rig { hub, inlet, .. } = Rig::new(privacy);
        assert!(!hub.is_ready());
        inlet.publish(sample(64, (1, 1)));
        assert!(hub.shape().is_some());
        // Of a picture that waits for its analysis nothing can be seen yet.
        assert_eq!((hub.is_ready(), hub.latest().is_some()), (privacy != Privacy::Blur, privacy == Privacy::Off));
        let inlet = hub.open();
        assert!(!hub.is_ready() && hub.shape().is_some(), "the shape is that of the connection before");
        hub.analyzed(Duration::ZERO, &Suspects::NONE);
        inlet.publish(striped(0));
        hub.tick();
        assert_eq!((hub.is_ready(), hub.latest().is_some()), (true, privacy != Privacy::Statistics), "{privacy:?}");
    }
}

/// What cannot be hidden is not shown; it must not keep a camera from being up, whose counts go on.
#[test]
fn a_picture_that_cannot_be_hidden_is_counted_and_the_hub_is_ready() {
    let rig = Rig::new(Privacy::Blur);
    let (_subscription, count) = subscribe(&rig.hub, |_| false);
    rig.hub.analyzed(Duration::ZERO, &Suspects::NONE);
    // Shorter than its caps say.
    let timed = striped(0);
    let (segment, caps) = (timed.segment().unwrap(), timed.caps_owned().unwrap());
    let mut buffer = gst::Buffer::with_size(16).unwrap();
    buffer.get_mut().unwrap().set_pts(gst::ClockTime::ZERO);
    rig.inlet.publish(gst::Sample::builder().buffer(&buffer).caps(&caps).segment(segment).build());
    rig.hub.tick();
    assert_eq!((rig.failed().as_str(), count.load(Ordering::Relaxed)), ("1", 0));
    assert!(rig.hub.is_ready() && rig.hub.latest().is_none());
}
