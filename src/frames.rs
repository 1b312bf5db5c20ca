//! A camera's decoded pictures handed on: to encoders, to the mosaic, to snapshots.
//!
//! The camera's streaming thread calls [`Hub::publish`] once per frame. That costs a reference count per subscriber;
//! no pixel is copied or converted, and nothing blocks: subscribers drop what they cannot take. Subscribers are called
//! with no lock held.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Instant, SystemTime};

/// Called with every frame, on the camera's streaming thread. Must not block.
pub type Subscriber = Arc<dyn Fn(&gst::Sample) + Send + Sync>;

/// Width and height of a picture as it is shown (square pixels), and frames per second as announced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames per second; `None`: not announced.
    pub fps: Option<gst::Fraction>,
}

/// One decoded frame with its faces (`FaceMeta`), and when it came.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Buffer and caps (`video/x-raw`, I420 or NV12).
    pub sample: gst::Sample,
    /// When it was published.
    pub at: Instant,
    /// The same on the wall.
    pub wall: SystemTime,
}

/// The meeting point of one camera's frames and those who want them.
pub struct Hub {
    camera: String,
    latest: Mutex<Option<Frame>>,
    shape: Mutex<Option<Shape>>,
    caption: Mutex<Arc<str>>,
    subscribers: Mutex<Arc<Vec<(u64, Subscriber)>>>,
    next_id: AtomicU64,
    published: AtomicU64,
}

impl Hub {
    /// A hub without frames and subscribers.
    pub fn new(camera: &str) -> Arc<Self> {
        Arc::new(Self {
            camera: camera.to_owned(),
            latest: Mutex::default(),
            shape: Mutex::default(),
            caption: Mutex::new(Arc::from("")),
            subscribers: Mutex::default(),
            next_id: AtomicU64::new(0),
            published: AtomicU64::new(0),
        })
    }

    /// The camera's name.
    pub fn camera(&self) -> &str {
        &self.camera
    }

    /// Hands a frame to all subscribers and keeps it as the latest.
    pub fn publish(&self, sample: gst::Sample) {
        let frame = Frame { sample: sample.clone(), at: Instant::now(), wall: SystemTime::now() };
        let before = lock(&self.latest).replace(frame);
        // The caps object is the same from frame to frame: the comparison is one of pointers, nearly always.
        if before.is_none_or(|before| before.sample.caps() != sample.caps())
            && let Some(shape) = shape_of(&sample)
        {
            *lock(&self.shape) = Some(shape);
        }
        self.published.fetch_add(1, Ordering::Relaxed);
        let subscribers = Arc::clone(&lock(&self.subscribers));
        for (_, subscriber) in subscribers.iter() {
            subscriber(&sample);
        }
    }

    /// The latest frame of the running connection.
    pub fn latest(&self) -> Option<Frame> {
        lock(&self.latest).clone()
    }

    /// Shape of the latest frame, also of a connection that has ended.
    pub fn shape(&self) -> Option<Shape> {
        *lock(&self.shape)
    }

    /// The connection ended: its last frame is no picture of now, and its memory goes back.
    pub fn clear(&self) {
        let frame = lock(&self.latest).take();
        drop(frame);
    }

    /// Frames published so far.
    pub fn published(&self) -> u64 {
        self.published.load(Ordering::Relaxed)
    }

    /// A line of text for the overlay, such as the compliance so far.
    pub fn set_caption(&self, text: &str) {
        let mut caption = lock(&self.caption);
        if **caption != *text {
            *caption = Arc::from(text);
        }
    }

    /// The overlay's line of text; the same pointer while it has not changed.
    pub fn caption(&self) -> Arc<str> {
        Arc::clone(&lock(&self.caption))
    }

    /// Calls `subscriber` with every frame until the returned value is dropped; one call that already runs may still
    /// end after that.
    pub fn subscribe(self: &Arc<Self>, subscriber: Subscriber) -> Subscription {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let mut subscribers = lock(&self.subscribers);
        let mut list = subscribers.as_ref().clone();
        list.push((id, subscriber));
        *subscribers = Arc::new(list);
        Subscription { hub: Arc::downgrade(self), id }
    }

    /// How many want frames now.
    pub fn subscribers(&self) -> usize {
        lock(&self.subscribers).len()
    }
}

/// The end of a subscription is its drop.
pub struct Subscription {
    hub: Weak<Hub>,
    id: u64,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let Some(hub) = self.hub.upgrade() else { return };
        let before = {
            let mut subscribers = lock(&hub.subscribers);
            let list = subscribers.iter().filter(|(id, _)| *id != self.id).cloned().collect();
            std::mem::replace(&mut *subscribers, Arc::new(list))
        };
        // The subscriber may own much: it ends here, with no lock held.
        drop(before);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The shape that a sample's caps tell, pixels made square.
fn shape_of(sample: &gst::Sample) -> Option<Shape> {
    let info = gst_video::VideoInfo::from_caps(sample.caps()?).ok()?;
    let par = info.par();
    let square = par.numer() > 0 && par.denom() > 0;
    let factor = if square { f64::from(par.numer()) / f64::from(par.denom()) } else { 1.0 };
    let width = (f64::from(info.width()) * factor).round() as u32;
    let fps = Some(info.fps()).filter(|fps| fps.numer() > 0 && fps.denom() > 0);
    Some(Shape { width: width.max(1), height: info.height().max(1), fps })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    fn sample(width: i32, par: (i32, i32)) -> gst::Sample {
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
        let hub = Hub::new("a");
        let counts: [Arc<AtomicUsize>; 2] = Default::default();
        let subscribe = |index: usize| {
            let count = Arc::clone(&counts[index]);
            hub.subscribe(Arc::new(move |_| {
                count.fetch_add(1, Ordering::Relaxed);
            }))
        };
        let first = subscribe(0);
        hub.publish(sample(64, (1, 1)));
        let second = subscribe(1);
        hub.publish(sample(64, (1, 1)));
        drop(first);
        hub.publish(sample(64, (1, 1)));
        assert_eq!(counts.each_ref().map(|c| c.load(Ordering::Relaxed)), [2, 2]);
        assert_eq!((hub.subscribers(), hub.published()), (1, 3));
        drop(second);
        assert_eq!(hub.subscribers(), 0);
    }

    #[test]
    fn a_subscriber_may_drop_its_own_subscription() {
        let hub = Hub::new("a");
        let slot: Arc<Mutex<Option<Subscription>>> = Arc::default();
        let inside = Arc::clone(&slot);
        let subscription = hub.subscribe(Arc::new(move |_| drop(lock(&inside).take())));
        *lock(&slot) = Some(subscription);
        hub.publish(sample(64, (1, 1)));
        assert_eq!(hub.subscribers(), 0);
    }

    #[test]
    fn the_shape_outlives_the_frame() {
        let hub = Hub::new("a");
        assert!(hub.latest().is_none() && hub.shape().is_none());
        hub.publish(sample(64, (2, 1)));
        hub.clear();
        assert!(hub.latest().is_none());
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
        let hub = Hub::new("a");
        let alive = Arc::new([0; 64]);
        let other = sample(64, (1, 1));
        let buffer = gst::Buffer::from_slice(Pixels(Arc::clone(&alive)));
        hub.publish(gst::Sample::builder().buffer(&buffer).caps(&other.caps_owned().unwrap()).build());
        drop(buffer);
        assert_eq!(Arc::strong_count(&alive), 2);
        hub.publish(other);
        assert_eq!(Arc::strong_count(&alive), 1);
    }

    #[test]
    fn a_caption_changes_its_pointer_only_with_its_text() {
        let hub = Hub::new("a");
        hub.set_caption("Mask 80 %");
        let first = hub.caption();
        hub.set_caption("Mask 80 %");
        assert!(Arc::ptr_eq(&first, &hub.caption()));
        hub.set_caption("Mask 81 %");
        assert_eq!(&*hub.caption(), "Mask 81 %");
    }
}
