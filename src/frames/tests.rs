//! What comes out of a hub, by privacy mode.

use std::sync::atomic::AtomicUsize;

use gstmaskwatch::meta::FaceMeta;
use maskwatch_vision::geometry::Rect;
use maskwatch_vision::privacy::Unknown;

use super::*;
use crate::config::secret::CameraUrl;
use crate::metrics::Metrics;

fn hub(privacy: Privacy) -> (Arc<Hub>, Inlet) {
    let url = CameraUrl::parse("rtsp://127.0.0.1/a").unwrap();
    let plan = CameraPlan { privacy, ..CameraPlan::new("a", url) };
    let hub = Hub::new(&plan, &Metrics::new().unwrap().camera("a"));
    let inlet = hub.open();
    (hub, inlet)
}

pub(super) fn sample(width: i32, par: (i32, i32)) -> gst::Sample {
    gst::init().unwrap();
    let caps = gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("width", width)
        .field("height", 48)
        .field("framerate", gst::Fraction::new(25, 1))
        .field("pixel-aspect-ratio", gst::Fraction::new(par.0, par.1))
        .build();
    gst::Sample::builder().buffer(&gst::Buffer::with_size(64).unwrap()).caps(&caps).build()
}

#[test]
fn subscribers_come_and_go() {
    let (hub, inlet) = hub(Privacy::Off);
    let counts: [Arc<AtomicUsize>; 2] = Default::default();
    let subscribe = |index: usize| {
        let count = Arc::clone(&counts[index]);
        hub.subscribe(Arc::new(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        }))
    };
    let first = subscribe(0);
    inlet.publish(sample(64, (1, 1)));
    let second = subscribe(1);
    inlet.publish(sample(64, (1, 1)));
    drop(first);
    inlet.publish(sample(64, (1, 1)));
    assert_eq!(counts.each_ref().map(|c| c.load(Ordering::Relaxed)), [2, 2]);
    assert_eq!((hub.subscribers(), hub.published()), (1, 3));
    drop(second);
    assert_eq!(hub.subscribers(), 0);
}

#[test]
fn a_subscriber_may_drop_its_own_subscription() {
    let (hub, inlet) = hub(Privacy::Off);
    let slot: Arc<Mutex<Option<Subscription>>> = Arc::default();
    let inside = Arc::clone(&slot);
    let subscription = hub.subscribe(Arc::new(move |_| drop(inside.lock().take())));
    *slot.lock() = Some(subscription);
    inlet.publish(sample(64, (1, 1)));
    assert_eq!(hub.subscribers(), 0);
}

#[test]
fn the_shape_outlives_the_frame() {
    let (hub, inlet) = hub(Privacy::Off);
    assert!(hub.latest().is_none() && hub.shape().is_none());
    inlet.publish(sample(64, (2, 1)));
    hub.clear();
    assert!(hub.latest().is_none());
    inlet.publish(sample(64, (1, 1)));
    assert!(hub.latest().is_none(), "the inlet of a connection that has ended is dead");
    let shape = hub.shape().unwrap();
    assert_eq!((shape.width, shape.height, shape.fps), (128, 48, Some(gst::Fraction::new(25, 1))));
}

#[test]
fn buffers_are_not_kept() {
    /// Memory of a buffer that tells whether it still lives.
    struct Pixels(Arc<[u8; 64]>);
    impl AsRef<[u8]> for Pixels {
        fn as_ref(&self) -> &[u8] {
            self.0.as_slice()
        }
    }
    let (_hub, inlet) = hub(Privacy::Off);
    let alive = Arc::new([0; 64]);
    let other = sample(64, (1, 1));
    let buffer = gst::Buffer::from_slice(Pixels(Arc::clone(&alive)));
    inlet.publish(gst::Sample::builder().buffer(&buffer).caps(&other.caps_owned().unwrap()).build());
    drop(buffer);
    assert_eq!(Arc::strong_count(&alive), 2);
    inlet.publish(other);
    assert_eq!(Arc::strong_count(&alive), 1);
}

#[test]
fn a_caption_changes_its_pointer_only_with_its_text() {
    let (hub, _) = hub(Privacy::Off);
    hub.set_caption("Mask 80 %");
    let first = hub.caption();
    hub.set_caption("Mask 80 %");
    assert!(Arc::ptr_eq(&first, &hub.caption()));
    hub.set_caption("Mask 81 %");
    assert_eq!(&*hub.caption(), "Mask 81 %");
}

const SIZE: (u32, u32) = (160, 96);

/// A picture of fine stripes at `ms`: whatever is sharp has steps from sample to sample.
pub(super) fn striped(ms: u64) -> gst::Sample {
    gst::init().unwrap();
    let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, SIZE.0, SIZE.1).build().unwrap();
    let mut buffer = gst::Buffer::with_size(info.size()).unwrap();
    {
        let buffer = buffer.get_mut().unwrap();
        buffer.set_pts(gst::ClockTime::from_mseconds(ms));
        FaceMeta::add(buffer, Vec::new(), true);
        let mut map = buffer.map_writable().unwrap();
        map.iter_mut().enumerate().for_each(|(index, sample)| *sample = if index % 2 == 0 { 60 } else { 180 });
    }
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    gst::Sample::builder().buffer(&buffer).caps(&info.to_caps().unwrap()).segment(&segment).build()
}

/// Whether the point `x`, `y` (in `0..1`) of a picture is sharp.
fn sharp(shown: &Shown, (x, y): (f32, f32)) -> bool {
    let map = shown.sample().buffer().unwrap().map_readable().unwrap();
    let at = (y * SIZE.1 as f32) as usize * SIZE.0 as usize + (x * SIZE.0 as f32) as usize;
    map[at].abs_diff(map[at + 1]) > 60
}

/// What subscribers get.
fn watch(hub: &Arc<Hub>) -> (Subscription, Arc<Mutex<Vec<Shown>>>) {
    let seen: Arc<Mutex<Vec<Shown>>> = Arc::default();
    let sink = Arc::clone(&seen);
    (hub.subscribe(Arc::new(move |shown| sink.lock().push(shown.clone()))), seen)
}

const FACE: Rect = Rect { x: 0.4, y: 0.4, w: 0.1, h: 0.2 };
fn faces() -> Suspects {
    vec![FACE].into()
}

const MIDDLE: (f32, f32) = (0.45, 0.5);
const CORNER: (f32, f32) = (0.05, 0.9);

#[test]
fn with_blur_a_picture_waits_and_its_faces_are_hidden() {
    let (hub, inlet) = hub(Privacy::Blur);
    let (_subscription, seen) = watch(&hub);
    hub.analyzed(Duration::ZERO, &faces());
    for ms in [0, 40, 80] {
        inlet.publish(striped(ms));
    }
    assert_eq!(seen.lock().len(), 1, "of the others nothing is known after them");
    hub.analyzed(Duration::from_millis(80), &faces());
    hub.tick();
    let deadline = std::time::Instant::now() + Duration::from_secs(5);
    while seen.lock().len() < 3 && std::time::Instant::now() < deadline {
        hub.tick();
    }
    let seen = seen.lock();
    assert_eq!(seen.len(), 3);
    for shown in seen.iter() {
        assert!(!sharp(shown, MIDDLE) && sharp(shown, CORNER));
        assert!(FaceMeta::get(shown.sample().buffer().unwrap()).is_some(), "boxes are drawn over it");
    }
    assert_eq!(hub.latest().map(|shown| sharp(&shown, MIDDLE)), Some(false));
}

#[test]
fn with_blur_a_snapshot_is_hidden_too_though_nobody_watches() {
    let (hub, inlet) = hub(Privacy::Blur);
    hub.analyzed(Duration::ZERO, &faces());
    inlet.publish(striped(0));
    let shown = hub.latest().unwrap();
    assert!(!sharp(&shown, MIDDLE) && sharp(&shown, CORNER));
    hub.clear();
    assert!(hub.latest().is_none());
}

#[test]
fn without_an_answer_of_the_engine_the_whole_picture_is_hidden() {
    let (hub, inlet) = hub(Privacy::Blur);
    let (_subscription, seen) = watch(&hub);
    // More than may wait: the oldest must go, and hidden.
    for frame in 0..100 {
        inlet.publish(striped(frame * 40));
    }
    let seen = seen.lock();
    assert!(!seen.is_empty());
    for shown in seen.iter() {
        for point in [MIDDLE, CORNER, (0.9, 0.1)] {
            assert!(!sharp(shown, point));
        }
    }
}

#[test]
fn with_blur_pictures_without_a_time_are_hidden() {
    let (hub, inlet) = hub(Privacy::Blur);
    let (_subscription, seen) = watch(&hub);
    hub.analyzed(Duration::ZERO, &Suspects::NONE);
    let timed = striped(40);
    let (buffer, caps) = (timed.buffer_owned().unwrap(), timed.caps_owned().unwrap());
    inlet.publish(timed);
    inlet.publish(gst::Sample::builder().buffer(&buffer).caps(&caps).build());
    inlet.publish(striped(20));
    hub.tick();
    assert!(seen.lock().iter().all(|shown| !sharp(shown, CORNER)));
}

#[test]
fn with_statistics_no_picture_comes_out() {
    let (hub, inlet) = hub(Privacy::Statistics);
    let (_subscription, seen) = watch(&hub);
    hub.analyzed(Duration::ZERO, &Suspects::NONE);
    for ms in [0, 40, 80] {
        inlet.publish(striped(ms));
        hub.tick();
    }
    assert!(seen.lock().is_empty() && hub.latest().is_none());
    assert_eq!((hub.published(), hub.shape().map(|shape| shape.width)), (3, Some(160)));
}

#[test]
fn with_blur_a_crowd_beyond_counting_hides_the_whole_picture_and_is_counted() {
    let url = CameraUrl::parse("rtsp://127.0.0.1/a").unwrap();
    let (plan, all) = (CameraPlan { privacy: Privacy::Blur, ..CameraPlan::new("a", url) }, Metrics::new().unwrap());
    let hub = Hub::new(&plan, &all.camera("a"));
    let inlet = hub.open();
    let (_subscription, seen) = watch(&hub);
    hub.analyzed(Duration::ZERO, &Suspects::Anywhere(Unknown::Crowd));
    inlet.publish(striped(0));
    hub.tick();
    let seen = seen.lock();
    assert_eq!(seen.len(), 1);
    assert!([MIDDLE, CORNER, (0.9, 0.1)].iter().all(|point| !sharp(&seen[0], *point)));
    let text = all.render().unwrap();
    assert!(text.contains("maskwatch_frames_hidden_total{camera=\"a\",reason=\"crowd\"} 1"), "{text}");
}
