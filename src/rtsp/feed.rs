//! From a camera's hub into one output pipeline: live pictures, or slates while there are none.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use maskwatch_vision::geometry::Rect;
use maskwatch_vision::zone::Areas;
use tracing_mutex::parking_lot::{Mutex, MutexGuard};

use super::slate::{Easel, Ticker, Watched, message};
use crate::camera::CameraStatus;
use crate::frames::{Hub, Shape, Shown, Subscription};
use crate::metrics::{CameraMetrics, FrameDrop};

/// A camera silent for so long is stood in for.
const SILENCE: Duration = Duration::from_secs(1);
/// Pictures that may wait for the encoder; more push the oldest out.
pub(super) const BACKLOG: u64 = 2;
/// Shape of the stream of a camera that never gave a picture.
const UNKNOWN: Shape = Shape { width: 1280, height: 720, fps: None };
/// Announced where the camera announces nothing.
const USUAL_RATE: (i32, i32) = (25, 1);

/// The camera behind an output.
#[derive(Clone)]
pub(super) struct Filmed {
    pub(super) hub: Arc<Hub>,
    pub(super) status: Arc<CameraStatus>,
    pub(super) metrics: Arc<CameraMetrics>,
    /// Zones and lines to draw.
    pub(super) areas: Arc<Areas>,
}

impl Filmed {
    /// The zones and lines in a picture of `size`, in which the camera's has bars where the shapes differ.
    pub(super) fn areas_within(&self, size: (u32, u32)) -> Areas {
        self.within(&self.areas, size)
    }

    fn within(&self, areas: &Areas, size: (u32, u32)) -> Areas {
        let shape = self.hub.shape().unwrap_or(UNKNOWN);
        areas.within(&letterbox((shape.width, shape.height), size))
    }

    /// Size (even, square pixels) and rate that a stream of this camera has.
    pub(super) fn shape(&self) -> ((u32, u32), gst::Fraction) {
        let shape = self.hub.shape().unwrap_or(UNKNOWN);
        let even = |n: u32| (n & !1).max(2);
        let usual = gst::Fraction::new(USUAL_RATE.0, USUAL_RATE.1);
        ((even(shape.width), even(shape.height)), shape.fps.unwrap_or(usual))
    }
}

/// What changes from picture to picture.
struct State {
    /// The pipeline has asked for its first picture.
    begun: bool,
    /// When the last live picture came.
    live: Option<Instant>,
    slating: bool,
    /// The camera's caps and what is made of them.
    caps: Option<(gst::Caps, gst::Caps)>,
    easel: Easel,
}

/// What the overlay has been told.
struct Told {
    enabled: bool,
    caption: Option<Arc<str>>,
}

/// One camera's way into one pipeline.
pub(super) struct Feed {
    camera: Filmed,
    source: gst_app::AppSrc,
    overlay: Option<gst::Element>,
    /// Of the output's pictures of this camera.
    size: (u32, u32),
    rate: gst::Fraction,
    state: Mutex<State>,
    /// Taken before `state` where both are.
    told: Mutex<Told>,
}

/// A feed at work. Dropping it ends the subscription.
pub(super) struct Running {
    _subscription: Subscription,
    _feed: Arc<Feed>,
}

impl Feed {
    /// Feeds `source` from now on. Its first picture is the latest one, or a slate, as soon as it asks. `overlay` draws the boxes
    /// behind it; `size` is that of slates.
    pub(super) fn start(
        camera: &Filmed,
        source: gst_app::AppSrc,
        overlay: Option<gst::Element>,
        size: (u32, u32),
        rate: gst::Fraction,
        ticker: &Ticker,
    ) -> Result<Running, glib::BoolError> {
        let easel = Easel::new(size.0, size.1)?;
        let state = Mutex::new(State { begun: false, live: None, slating: false, caps: None, easel });
        let told = Mutex::new(Told { enabled: true, caption: None });
        let feed = Arc::new(Self { camera: camera.clone(), source, overlay, size, rate, state, told });
        let hungry = Arc::downgrade(&feed);
        let callbacks = gst_app::AppSrcCallbacks::builder().need_data(move |_, _| {
            if let Some(feed) = hungry.upgrade() {
                feed.first();
            }
        });
        feed.source.set_callbacks(callbacks.build());
        let target = Arc::clone(&feed);
        let subscription = feed.camera.hub.subscribe(Arc::new(move |shown| target.live(shown)));
        ticker.add(Arc::<Self>::downgrade(&feed));
        Ok(Running { _subscription: subscription, _feed: feed })
    }

    /// The pipeline has begun and has nothing: viewers wait for a picture, whatever the camera's rate. Once.
    fn first(&self) {
        if std::mem::replace(&mut self.lock().begun, true) {
            return;
        }
        match self.camera.hub.latest() {
            Some(shown) if shown.age() < SILENCE => self.live(&shown),
            _ => self.slate(),
        }
    }

    /// A picture of the camera. Called on its streaming thread or its supervisor's.
    fn live(&self, shown: &Shown) {
        let sample = shown.sample();
        let (Some(buffer), Some(caps)) = (sample.buffer(), sample.caps_owned()) else { return };
        let caps = {
            let mut state = self.lock();
            state.live = Some(Instant::now());
            state.slating = false;
            let known = state.caps.as_ref().filter(|(from, _)| *from == caps).map(|(_, to)| to.clone());
            known.unwrap_or_else(|| {
                let to = with_rate(&caps, self.rate);
                state.caps = Some((caps, to.clone()));
                to
            })
        };
        self.tell_overlay();
        if self.source.current_level_buffers() >= BACKLOG {
            self.camera.metrics.frame_dropped(FrameDrop::Output);
        }
        self.push(buffer, &caps);
    }

    fn slate(&self) {
        let text = message(&self.camera.status.view(), self.camera.hub.privacy());
        let drawn = {
            let mut state = self.lock();
            state.slating = true;
            let buffer = state.easel.draw(self.camera.hub.camera(), &text);
            buffer.zip(state.easel.caps())
        };
        self.tell_overlay();
        if let Some((buffer, caps)) = drawn {
            self.push(&buffer, &with_rate(&caps, self.rate));
        }
    }

    /// Tells the overlay how things stand, as far as it doesn't know: the caption, and that it has nothing to draw on a
    /// slate, which says it all. A picture and a slate may come at once, from two threads: the last to get here tells
    /// what is so then, whoever changed it.
    fn tell_overlay(&self) {
        let Some(overlay) = &self.overlay else { return };
        let mut told = self.told.lock();
        let (enabled, caption) = (!self.lock().slating, self.camera.hub.caption());
        if !told.caption.as_ref().is_some_and(|told| Arc::ptr_eq(told, &caption)) {
            overlay.set_property("status", &*caption);
            told.caption = Some(caption);
        }
        if told.enabled != enabled {
            overlay.set_property("enabled", enabled);
            told.enabled = enabled;
        }
    }

    /// Hands a picture over without its times: the pipeline's clock stamps it.
    fn push(&self, buffer: &gst::BufferRef, caps: &gst::Caps) {
        let mut buffer = buffer.copy();
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(None);
            buffer.set_dts(None);
            buffer.set_duration(None);
        }
        // A pipeline that ends refuses it; it will be gone in a moment.
        self.source.push_sample(&gst::Sample::builder().buffer(&buffer).caps(caps).build()).ok();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl Watched for Feed {
    fn tick(&self) {
        let silent = {
            let state = self.lock();
            state.begun && state.live.is_none_or(|live| live.elapsed() >= SILENCE)
        };
        if silent {
            self.slate();
        }
    }

    fn draw(&self, camera: &str, areas: &Areas) {
        if let Some(overlay) = self.overlay.as_ref().filter(|_| self.camera.hub.camera() == camera) {
            overlay.set_property("areas", gstmaskwatch::areas::text(&self.camera.within(areas, self.size)));
        }
    }
}

/// The part of a picture of size `to` that one of size `from` fills, bars left free.
fn letterbox(from: (u32, u32), to: (u32, u32)) -> Rect {
    let aspect = |(width, height): (u32, u32)| width.max(1) as f32 / height.max(1) as f32;
    let ratio = aspect(from) / aspect(to);
    // Less than one in a hundred is the rounding to even sizes, not a bar.
    if (ratio - 1.0).abs() < 0.01 {
        Rect::FULL
    } else if ratio > 1.0 {
        Rect::new(0.0, 0.5 - 0.5 / ratio, 1.0, 1.0 / ratio)
    } else {
        Rect::new(0.5 - 0.5 * ratio, 0.0, ratio, 1.0)
    }
}

/// The same caps at the stream's announced rate: slates and live pictures must not renegotiate the encoder.
fn with_rate(caps: &gst::Caps, rate: gst::Fraction) -> gst::Caps {
    let mut caps = caps.clone();
    caps.make_mut().set("framerate", rate);
    caps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::plan::CameraPlan;
    use crate::config::secret::CameraUrl;
    use crate::metrics::Metrics;

    /// A slate and a picture at once: the slate's thread has noted that it begins, the picture's that it is over, and then the
    /// slate's tells the overlay.
    #[test]
    fn the_overlay_draws_again_whoever_told_it_last() {
        crate::service::start_media().unwrap();
        let plan = CameraPlan::new("gate", CameraUrl::parse("rtsp://127.0.0.1/a").unwrap());
        let metrics = Metrics::new().unwrap().camera("gate");
        let (hub, status) = (Hub::new(&plan, &metrics), Arc::new(CameraStatus::new()));
        let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, 64, 48).build().unwrap();
        let buffer = gst::Buffer::with_size(info.size()).unwrap();
        hub.open().publish(gst::Sample::builder().buffer(&buffer).caps(&info.to_caps().unwrap()).build());
        let shown = hub.latest().unwrap();
        let overlay = gst::ElementFactory::make(super::super::OVERLAY_ELEMENT).build().unwrap();
        let feed = Feed {
            camera: Filmed { hub, status, metrics, areas: Arc::default() },
            source: gst_app::AppSrc::builder().build(),
            overlay: Some(overlay.clone()),
            size: (64, 48),
            rate: gst::Fraction::new(25, 1),
            state: Mutex::new(State {
                begun: true,
                live: None,
                slating: false,
                caps: None,
                easel: Easel::new(64, 48).unwrap(),
            }),
            told: Mutex::new(Told { enabled: true, caption: None }),
        };
        let enabled = || overlay.property::<bool>("enabled");
        feed.slate();
        assert!(!enabled());
        feed.lock().slating = false;
        feed.live(&shown);
        assert!(enabled());
        feed.slate();
        feed.camera.hub.set_caption("Mask 80 %");
        feed.live(&shown);
        assert_eq!((enabled(), overlay.property::<String>("status").as_str()), (true, "Mask 80 %"));
    }

    #[test]
    fn bars_are_where_the_scaler_puts_them() {
        assert_eq!(letterbox((1280, 720), (640, 360)), Rect::FULL);
        assert_eq!(letterbox((1279, 720), (640, 360)), Rect::FULL);
        assert_eq!(letterbox((640, 480), (1280, 720)), Rect::new(0.125, 0.0, 0.75, 1.0));
        assert_eq!(letterbox((1280, 640), (640, 640)), Rect::new(0.0, 0.25, 1.0, 0.5));
    }
}
