//! From a camera's hub into one output pipeline: live pictures, or slates while there are none.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use maskwatch_vision::geometry::Rect;
use maskwatch_vision::zone::Areas;

use super::slate::{Easel, Ticker, message};
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
pub(super) struct Camera {
    pub(super) hub: Arc<Hub>,
    pub(super) status: Arc<CameraStatus>,
    pub(super) metrics: Arc<CameraMetrics>,
    /// Zones and lines to draw.
    pub(super) areas: Arc<Areas>,
}

impl Camera {
    /// The zones and lines in a picture of `size`, in which the camera's has bars where the shapes differ.
    pub(super) fn areas_within(&self, size: (u32, u32)) -> Areas {
        let shape = self.hub.shape().unwrap_or(UNKNOWN);
        self.areas.within(&letterbox((shape.width, shape.height), size))
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
    caption: Option<Arc<str>>,
    easel: Easel,
}

/// One camera's way into one pipeline.
pub(super) struct Feed {
    camera: Camera,
    source: gst_app::AppSrc,
    overlay: Option<gst::Element>,
    rate: gst::Fraction,
    state: Mutex<State>,
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
        camera: &Camera,
        source: gst_app::AppSrc,
        overlay: Option<gst::Element>,
        size: (u32, u32),
        rate: gst::Fraction,
        ticker: &Ticker,
    ) -> Result<Running, glib::BoolError> {
        let easel = Easel::new(size.0, size.1)?;
        let state = Mutex::new(State { begun: false, live: None, slating: false, caps: None, caption: None, easel });
        let feed = Arc::new(Self { camera: camera.clone(), source, overlay, rate, state });
        let hungry = Arc::downgrade(&feed);
        let callbacks = gst_app::AppSrcCallbacks::builder().need_data(move |_, _| {
            if let Some(feed) = hungry.upgrade() {
                feed.first();
            }
        });
        feed.source.set_callbacks(callbacks.build());
        let target = Arc::clone(&feed);
        let subscription = feed.camera.hub.subscribe(Arc::new(move |shown| target.live(shown)));
        ticker.add(&feed);
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
        let caption = self.camera.hub.caption();
        let (caps, resumed, new_caption) = {
            let mut state = self.lock();
            state.live = Some(Instant::now());
            let resumed = std::mem::take(&mut state.slating);
            let changed = !state.caption.as_ref().is_some_and(|shown| Arc::ptr_eq(shown, &caption));
            if changed {
                state.caption = Some(Arc::clone(&caption));
            }
            let known = state.caps.as_ref().filter(|(from, _)| *from == caps).map(|(_, to)| to.clone());
            let made = known.unwrap_or_else(|| {
                let to = with_rate(&caps, self.rate);
                state.caps = Some((caps, to.clone()));
                to
            });
            (made, resumed, changed)
        };
        if let Some(overlay) = &self.overlay {
            if new_caption {
                overlay.set_property("status", &*caption);
            }
            if resumed {
                overlay.set_property("enabled", true);
            }
        }
        if self.source.current_level_buffers() >= BACKLOG {
            self.camera.metrics.frame_dropped(FrameDrop::Output);
        }
        self.push(buffer, &caps);
    }

    /// Looks whether the camera is silent, and stands in for it.
    pub(super) fn tick(&self) {
        let silent = {
            let state = self.lock();
            state.begun && state.live.is_none_or(|live| live.elapsed() >= SILENCE)
        };
        if silent {
            self.slate();
        }
    }

    fn slate(&self) {
        let text = message(&self.camera.status.view(), self.camera.hub.privacy());
        let (drawn, begun) = {
            let mut state = self.lock();
            let begun = !std::mem::replace(&mut state.slating, true);
            let buffer = state.easel.draw(self.camera.hub.camera(), &text);
            (buffer.zip(state.easel.caps()), begun)
        };
        // The slate says it all: no caption over it.
        if begun && let Some(overlay) = &self.overlay {
            overlay.set_property("enabled", false);
        }
        if let Some((buffer, caps)) = drawn {
            self.push(&buffer, &with_rate(&caps, self.rate));
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
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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

    #[test]
    fn bars_are_where_the_scaler_puts_them() {
        assert_eq!(letterbox((1280, 720), (640, 360)), Rect::FULL);
        assert_eq!(letterbox((1279, 720), (640, 360)), Rect::FULL);
        assert_eq!(letterbox((640, 480), (1280, 720)), Rect::new(0.125, 0.0, 0.75, 1.0));
        assert_eq!(letterbox((1280, 640), (640, 640)), Rect::new(0.0, 0.25, 1.0, 0.5));
    }
}
