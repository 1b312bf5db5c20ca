//! Slates: what viewers see of a camera that gives no pictures, and the one thread that makes them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use gst::glib;
use gstmaskwatch::overlay::{Painter, Slate, clock_now};
use maskwatch_vision::zone::Areas;
use tracing_mutex::parking_lot::Mutex;

use crate::camera::{CameraState, StatusView};
use crate::config::plan::Privacy;
use crate::metrics::DisconnectReason;

/// Time between two slates of one stream.
const INTERVAL: Duration = Duration::from_millis(200);

/// A stream that is watched.
pub(super) trait Watched: Send + Sync {
    /// Looks whether the camera is silent, and stands in for it.
    fn tick(&self);

    /// Draws these zones and lines from now on, where it shows this camera.
    fn draw(&self, camera: &str, areas: &Areas);
}

/// The thread that looks after silent streams. It sleeps while nobody watches anything. Ends when dropped.
pub(super) struct Ticker {
    feeds: Arc<Mutex<Vec<Weak<dyn Watched>>>>,
    wake: Sender<()>,
}

impl Ticker {
    /// Starts the thread.
    pub(super) fn start() -> std::io::Result<Self> {
        let feeds: Arc<Mutex<Vec<Weak<dyn Watched>>>> = Arc::default();
        let (wake, woken) = crossbeam_channel::bounded(1);
        let list = Arc::clone(&feeds);
        std::thread::Builder::new().name("slates".to_owned()).spawn(move || tick(&list, &woken))?;
        Ok(Self { feeds, wake })
    }

    /// Looks after `feed` from now on, until it is dropped.
    pub(super) fn add(&self, feed: Weak<dyn Watched>) {
        self.feeds.lock().push(feed);
        self.wake.try_send(()).ok();
    }

    /// Does something with each stream that is watched.
    pub(super) fn for_each(&self, act: impl Fn(&dyn Watched)) {
        let feeds: Vec<_> = {
            let feeds = self.feeds.lock();
            feeds.iter().filter_map(Weak::upgrade).collect()
        };
        feeds.iter().for_each(|feed| act(feed.as_ref()));
    }
}

fn tick(list: &Mutex<Vec<Weak<dyn Watched>>>, woken: &Receiver<()>) {
    loop {
        let feeds: Vec<Arc<dyn Watched>> = {
            let mut list = list.lock();
            list.retain(|feed| feed.strong_count() > 0);
            list.iter().filter_map(Weak::upgrade).collect()
        };
        for feed in &feeds {
            // A defect of one stream must not take the slates from all others.
            if catch_unwind(AssertUnwindSafe(|| feed.tick())).is_err() {
                tracing::error!("a stream got no slate; the log says why");
            }
        }
        let idle = feeds.is_empty();
        drop(feeds);
        let ended = if idle {
            woken.recv().is_err()
        } else {
            matches!(woken.recv_timeout(INTERVAL), Err(RecvTimeoutError::Disconnected))
        };
        if ended {
            return;
        }
    }
}

/// Draws slates of one size, each second anew.
pub(super) struct Easel {
    painter: Painter,
    info: gst_video::VideoInfo,
    drawn: Option<(String, gst::Buffer)>,
}

impl Easel {
    /// For pictures of this size; both numbers even.
    pub(super) fn new(width: u32, height: u32) -> Result<Self, glib::BoolError> {
        let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, width, height).build()?;
        Ok(Self { painter: Painter::new(), info, drawn: None })
    }

    /// Caps of its pictures, but for the frame rate.
    pub(super) fn caps(&self) -> Option<gst::Caps> {
        self.info.to_caps().ok()
    }

    /// The slate of this moment.
    pub(super) fn draw(&mut self, camera: &str, message: &str) -> Option<gst::Buffer> {
        let clock = clock_now();
        let key = format!("{message} {clock}");
        if let Some((drawn, buffer)) = &self.drawn
            && *drawn == key
        {
            return Some(buffer.clone());
        }
        let mut buffer = gst::Buffer::with_size(self.info.size()).ok()?;
        {
            let target = buffer.get_mut()?;
            let mut frame = gst_video::VideoFrameRef::from_buffer_ref_writable(target, &self.info).ok()?;
            let slate = Slate { camera, message, clock: &clock };
            if let Err(error) = self.painter.slate(&mut frame, &slate) {
                tracing::warn!(camera, %error, "no slate");
                return None;
            }
        }
        self.drawn = Some((key, buffer.clone()));
        Some(buffer)
    }
}

/// What a slate says of a camera.
pub(super) fn message(view: &StatusView, privacy: Privacy) -> String {
    let since = view.last_frame.map(|time| format!(" since {}", time_of_day(time)));
    match (view.state, view.reason()) {
        (CameraState::Connecting, _) => "connecting".to_owned(),
        (CameraState::Up, _) if privacy == Privacy::Statistics => "statistics only: no picture".to_owned(),
        (CameraState::Up, _) => format!("no signal{}", since.unwrap_or_default()),
        (CameraState::Down | CameraState::Refused, reason) => {
            let why = reason.map(|reason| format!(" - {}", words(reason))).unwrap_or_default();
            format!("no signal{}{why}", since.unwrap_or_default())
        }
    }
}

fn words(reason: DisconnectReason) -> &'static str {
    match reason {
        DisconnectReason::Refused => "connection refused",
        DisconnectReason::Unreachable => "unreachable",
        DisconnectReason::Auth => "password refused",
        DisconnectReason::NotFound => "no such stream",
        DisconnectReason::Timeout => "frozen",
        DisconnectReason::Eos => "stream ended",
        DisconnectReason::Decode => "undecodable",
        DisconnectReason::Unsupported => "unsupported",
        DisconnectReason::Error => "error",
    }
}

fn time_of_day(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
    glib::DateTime::from_unix_local(i64::try_from(seconds).unwrap_or(0))
        .and_then(|time| time.format("%T"))
        .map(Into::into)
        .unwrap_or_default()
}
