//! A camera's decoded pictures handed on: to encoders, to the mosaic, to snapshots.
//!
//! The camera's streaming thread calls [`Inlet::publish`] once per frame. Without a privacy mode that costs a reference
//! count per subscriber; no pixel is copied or converted, and nothing blocks: subscribers drop what they cannot take.
//! Subscribers are called with no lock held, and each on its own: one that panics costs the others nothing.
//!
//! This is the one place through which pictures leave a camera, and where its privacy mode is kept: with `blur` pictures
//! wait until their faces are known, and are handed on with faces hidden; with `statistics` none is handed on or kept.
//! What comes out is a [`Shown`], which nothing else can make.

mod audience;
mod shown;
mod veil;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use maskwatch_vision::privacy::{Cover, Suspects};

use crate::config::plan::{CameraPlan, Privacy};
use crate::metrics::{CameraMetrics, FrameDrop};
use audience::Audience;
pub use audience::Subscriber;
use shown::Raw;
pub use shown::Shown;
use tracing_mutex::parking_lot::Mutex;
use veil::Veil;

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

impl Shape {
    /// What caps tell: the width is that of the picture once its pixels are square.
    pub fn of(info: &gst_video::VideoInfo) -> Self {
        let pixel = info.par();
        let told = pixel.numer() > 0 && pixel.denom() > 0;
        let factor = if told { f64::from(pixel.numer()) / f64::from(pixel.denom()) } else { 1.0 };
        let width = (f64::from(info.width()) * factor).round() as u32;
        let fps = Some(info.fps()).filter(|fps| fps.numer() > 0 && fps.denom() > 0);
        Self { width: width.max(1), height: info.height().max(1), fps }
    }
}

/// The latest picture.
#[derive(Clone)]
enum Latest {
    Shown(Shown),
    /// Nobody watched when it was due: it is hidden when somebody asks.
    Hideable(Raw, Cover),
}

/// What may leave. Each change makes a new one: a picture that came under another is not shown under this.
struct Mode {
    privacy: Privacy,
    since: SystemTime,
    /// With [`Privacy::Blur`].
    veil: Option<Veil>,
}

impl Mode {
    fn of(plan: &CameraPlan) -> Arc<Self> {
        let veil = (plan.privacy == Privacy::Blur).then(|| Veil::new(plan.analyze_fps));
        Arc::new(Self { privacy: plan.privacy, since: SystemTime::now(), veil })
    }
}

/// What is known of the pictures, under one lock: who sees a part of it sees what belongs to it.
struct Present {
    mode: Arc<Mode>,
    /// Number of the connection whose pictures are wanted.
    connection: u64,
    /// This connection has given the shape,
    shaped: bool,
    /// and a picture of it has come out, or was to.
    came_out: bool,
    latest: Option<Latest>,
    caps: Option<gst::Caps>,
    shape: Option<Shape>,
}

/// The meeting point of one camera's pictures and those who want them.
pub struct Hub {
    camera: String,
    metrics: Arc<CameraMetrics>,
    present: Mutex<Present>,
    caption: Mutex<Arc<str>>,
    audience: Audience,
    published: AtomicU64,
}

/// Where one connection's pictures go in. Once the hub has been cleared it leads nowhere: a pipeline that is stuck in its
/// end cannot mix its pictures with those of its successor.
pub struct Inlet {
    hub: Arc<Hub>,
    connection: u64,
}

impl Inlet {
    /// Hands a decoded frame, with its segment, to all subscribers, and keeps it as the latest: all as far as the
    /// camera's privacy mode allows.
    pub fn publish(&self, sample: gst::Sample) {
        self.hub.publish(self.connection, sample);
    }
}

impl Hub {
    /// A hub without pictures and subscribers.
    pub fn new(plan: &CameraPlan, metrics: &Arc<CameraMetrics>) -> Arc<Self> {
        Arc::new(Self {
            camera: plan.name.clone(),
            metrics: Arc::clone(metrics),
            present: Mutex::new(Present {
                mode: Mode::of(plan),
                connection: 0,
                shaped: false,
                came_out: false,
                latest: None,
                caps: None,
                shape: None,
            }),
            caption: Mutex::new(Arc::from("")),
            audience: Audience::default(),
            published: AtomicU64::new(0),
        })
    }

    /// The camera's name.
    pub fn camera(&self) -> &str {
        &self.camera
    }

    /// What may leave of the camera's pictures.
    pub fn privacy(&self) -> Privacy {
        self.mode().privacy
    }

    /// Since when that is so.
    pub fn since(&self) -> SystemTime {
        self.mode().since
    }

    fn mode(&self) -> Arc<Mode> {
        Arc::clone(&self.present.lock().mode)
    }

    /// The plan's privacy mode is in force from now on: no picture that came before is handed out or kept. Returns whether
    /// the mode is another than before.
    pub fn change(&self, plan: &CameraPlan) -> bool {
        let mut present = self.present.lock();
        if present.mode.privacy == plan.privacy {
            let mode = Arc::clone(&present.mode);
            drop(present);
            if let Some(veil) = &mode.veil {
                veil.set_rate(plan.analyze_fps);
            }
            return false;
        }
        let mode = Mode::of(plan);
        if let Some(veil) = &mode.veil {
            veil.restart(present.connection);
        }
        let before = (std::mem::replace(&mut present.mode, mode), present.latest.take());
        drop(present);
        drop(before);
        true
    }

    /// A new connection begins; inlets of earlier ones are dead.
    pub fn open(self: &Arc<Self>) -> Inlet {
        Inlet { hub: Arc::clone(self), connection: self.next_connection() }
    }

    fn publish(&self, connection: u64, sample: gst::Sample) {
        let Some(mode) = self.note_shape(connection, &sample) else { return };
        self.published.fetch_add(1, Ordering::Relaxed);
        match (mode.privacy, &mode.veil) {
            (Privacy::Off, _) => self.hand_out(connection, &mode, Shown::plain(sample)),
            (Privacy::Blur, Some(veil)) => {
                veil.push(Raw::new(connection, sample));
                self.let_out(&mode);
            }
            (Privacy::Blur, None) | (Privacy::Statistics, _) => {}
        }
    }

    /// The picture at running time `time` has been analysed: there may be faces.
    pub fn analyzed(&self, time: Duration, suspects: &Suspects) {
        if let Some(veil) = &self.mode().veil {
            veil.look(time, suspects);
        }
    }

    /// Lets out what has waited long enough; for cameras whose next picture is far.
    pub fn tick(&self) {
        self.let_out(&self.mode());
    }

    fn let_out(&self, mode: &Arc<Mode>) {
        if let Some(veil) = &mode.veil {
            veil.let_out(|raw, cover| self.show(mode, raw, cover));
        }
    }

    /// A picture of a camera with hidden faces is due. While nobody watches, no pixel is touched.
    fn show(&self, mode: &Arc<Mode>, raw: Raw, cover: Cover) {
        if let Cover::Whole(reason) = cover {
            self.metrics.frame_hidden(reason);
        }
        if self.subscribers() == 0 {
            self.keep(raw.connection, mode, Some(Latest::Hideable(raw, cover)));
            return;
        }
        match self.hide(&raw, &cover) {
            Some(shown) => self.hand_out(raw.connection, mode, shown),
            None => _ = self.keep(raw.connection, mode, None),
        }
    }

    /// `None`, with a word in the log, where that fails: then the picture is not shown.
    fn hide(&self, raw: &Raw, cover: &Cover) -> Option<Shown> {
        let failed = match catch_unwind(AssertUnwindSafe(|| Shown::hidden(raw, cover))) {
            Ok(Ok(shown)) => return Some(shown),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "an internal error, see the log".to_owned(),
        };
        self.metrics.frame_dropped(FrameDrop::Failed);
        tracing::error!(camera = self.camera, error = failed, "a picture is not shown");
        None
    }

    fn hand_out(&self, connection: u64, mode: &Arc<Mode>, shown: Shown) {
        if self.keep(connection, mode, Some(Latest::Shown(shown.clone()))) {
            self.audience.show(&self.camera, &shown, || self.metrics.frame_dropped(FrameDrop::Failed));
        }
    }

    /// A picture has come out, or none could be made of it. False where its connection has ended meanwhile, or another
    /// mode is in force: then it is no picture of now.
    fn keep(&self, connection: u64, mode: &Arc<Mode>, latest: Option<Latest>) -> bool {
        let mut present = self.present.lock();
        if present.connection != connection || !Arc::ptr_eq(&present.mode, mode) {
            return false;
        }
        present.came_out = true;
        let before = match latest {
            Some(latest) => present.latest.replace(latest),
            None => None,
        };
        drop(present);
        drop(before);
        true
    }

    /// The caps object is the same from frame to frame: the comparison is one of pointers, nearly always. Gives the
    /// mode in force; `None` where the connection has ended.
    fn note_shape(&self, connection: u64, sample: &gst::Sample) -> Option<Arc<Mode>> {
        let mut present = self.present.lock();
        if present.connection != connection {
            return None;
        }
        let caps = sample.caps_owned();
        if caps.is_some() && (!present.shaped || present.caps != caps) {
            present.caps = caps;
            if let Some(shape) = shape_of(sample) {
                present.shape = Some(shape);
                present.shaped = true;
            }
        }
        Some(Arc::clone(&present.mode))
    }

    /// Whether the running connection has given what can be had of this camera: the shape of its pictures, and as far as
    /// its privacy mode lets any out, a picture.
    pub fn is_ready(&self) -> bool {
        let present = self.present.lock();
        present.shaped && (present.came_out || present.mode.privacy == Privacy::Statistics)
    }

    /// The latest picture of the running connection. With [`Privacy::Blur`] that may be the moment in which faces are
    /// hidden: some milliseconds, not for a thread that serves many.
    pub fn latest(&self) -> Option<Shown> {
        let latest = self.present.lock().latest.clone()?;
        match latest {
            Latest::Shown(shown) => Some(shown),
            Latest::Hideable(raw, cover) => self.hide(&raw, &cover),
        }
    }

    /// Shape of the latest frame, also of a connection that has ended.
    pub fn shape(&self) -> Option<Shape> {
        self.present.lock().shape
    }

    /// The connection ended: its last frame is no picture of now, and its memory goes back.
    /// What waits is not shown any more, and what still comes from it is not taken.
    pub fn clear(&self) {
        self.next_connection();
    }

    fn next_connection(&self) -> u64 {
        let (connection, mode, latest) = {
            let mut present = self.present.lock();
            present.connection += 1;
            (present.shaped, present.came_out) = (false, false);
            (present.connection, Arc::clone(&present.mode), present.latest.take())
        };
        drop(latest);
        if let Some(veil) = &mode.veil {
            veil.restart(connection);
        }
        connection
    }

    /// Frames published so far, whatever was shown of them.
    pub fn published(&self) -> u64 {
        self.published.load(Ordering::Relaxed)
    }

    /// A line of text for the overlay, such as the compliance so far.
    pub fn set_caption(&self, text: &str) {
        let mut caption = self.caption.lock();
        if **caption != *text {
            *caption = Arc::from(text);
        }
    }

    /// The overlay's line of text; the same pointer while it has not changed.
    pub fn caption(&self) -> Arc<str> {
        Arc::clone(&self.caption.lock())
    }

    /// Calls `subscriber` with every frame until the returned value is dropped; one call that already runs may still
    /// end after that.
    pub fn subscribe(self: &Arc<Self>, subscriber: Subscriber) -> Subscription {
        Subscription { hub: Arc::downgrade(self), id: self.audience.add(subscriber) }
    }

    /// How many want frames now.
    pub fn subscribers(&self) -> usize {
        self.audience.len()
    }
}

/// The end of a subscription is its drop.
pub struct Subscription {
    hub: Weak<Hub>,
    id: u64,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(hub) = self.hub.upgrade() {
            hub.audience.remove(self.id);
        }
    }
}

/// The shape that a sample's caps tell.
fn shape_of(sample: &gst::Sample) -> Option<Shape> {
    Some(Shape::of(&gst_video::VideoInfo::from_caps(sample.caps()?).ok()?))
}

#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod tests;
