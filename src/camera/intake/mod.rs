//! The way of coded pictures into a camera's pipeline: a thread fetches them and hands them to a [`Feed`].
//!
//! One intake per kind of source. An intake knows its protocol and nothing of decoders; the pipeline behind the feed
//! (see [`super::source`]) knows decoders and nothing of protocols. What an intake meets it tells once, as the
//! [`Failure`] it returns, in words that fit its source.

pub(super) mod file;
pub(super) mod http;
mod play;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gst::prelude::*;

use super::failure::Failure;
use super::tally::Tally;
use super::watch::Watch;
use crate::coded::Picture;
use crate::metrics::{DisconnectReason, PictureLoss};
use crate::shutdown::Shutdown;

/// Fetches until it is stopped or fails. Runs on a thread of its own.
pub(super) type Intake = Box<dyn FnOnce(&Feed) -> Result<Stopped, Failure> + Send>;

/// The intake was asked to stop, by the supervisor or by the pipeline's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stopped;

/// The entrance of one camera's pipeline, for the thread that fetches.
pub(super) struct Feed {
    source: gst_app::AppSrc,
    watch: Arc<Watch>,
    tally: Arc<Tally>,
    stop: Shutdown,
}

impl Feed {
    pub(super) fn new(source: gst_app::AppSrc, watch: Arc<Watch>, tally: Arc<Tally>) -> Self {
        Self { source, watch, tally, stop: Shutdown::new() }
    }

    /// What the next buffers are.
    pub(super) fn caps(&self, caps: &gst::Caps) {
        self.source.set_caps(Some(caps));
    }

    /// What is said of the next pictures, as their orientation.
    pub(super) fn tags(&self, tags: &gst::TagList) {
        self.source.send_event(gst::event::Tag::new(tags.clone()));
    }

    /// The pipeline's time now; `None`: it does not run yet.
    pub(super) fn running_time(&self) -> Option<gst::ClockTime> {
        self.source.current_running_time()
    }

    /// The source holds a stream of another kind beside the pictures, as `audio`. Told on the pipeline's bus.
    pub(super) fn beside(&self, kind: &str) {
        let told = gst::Structure::builder(BESIDE).field("kind", kind).build();
        self.source.post_message(gst::message::Element::builder(told).src(&self.source).build()).ok();
    }

    /// So many pictures came of which nothing can be shown.
    pub(super) fn broken(&self, count: u64) {
        (0..count).for_each(|_| self.tally.refused(PictureLoss::Broken));
    }

    /// Hands a buffer on; one without a time gets that of now. Does not wait.
    ///
    /// # Errors
    /// The pipeline ends.
    pub(super) fn push(&self, buffer: gst::Buffer) -> Result<(), Stopped> {
        self.source.push_buffer(buffer).map(drop).map_err(|_| Stopped)
    }

    /// No more comes: the decoder gives what it holds, and the pipeline tells of its end.
    pub(super) fn end(&self) {
        self.source.end_of_stream().ok();
    }

    /// The source has agreed to send: from now on the absence of pictures counts.
    pub(super) fn agreed(&self) {
        self.watch.agreed();
    }

    /// What the camera's description says: pictures a second, and whether its packets come by UDP.
    pub(super) fn described(&self, rate: Option<f64>, datagrams: bool) {
        self.watch.offered_rate(rate);
        if datagrams {
            self.watch.datagrams();
        }
    }

    /// The token that ends the intake.
    pub(super) fn stop(&self) -> &Shutdown {
        &self.stop
    }
}

/// Name of the message of [`Feed::beside`].
const BESIDE: &str = "maskwatch-beside";

/// What a message of [`Feed::beside`] tells; `None`: it is another.
pub(super) fn beside(message: &gst::Message) -> Option<String> {
    let told = message.structure().filter(|told| told.name() == BESIDE)?;
    told.get("kind").ok()
}

/// What GStreamer's decoders make nothing, or something false, of.
fn fit(picture: &Picture) -> Result<(), Failure> {
    if picture.colours() == Some(4) {
        return Err(Failure::hinted(
            DisconnectReason::Unsupported,
            "the pictures are JPEGs in four colours, as for print (CMYK)",
            "save or send them as ordinary JPEG: in YCbCr or grey",
        ));
    }
    Ok(())
}

/// An intake that runs.
pub(super) struct Running {
    stop: Shutdown,
    outcome: crossbeam_channel::Receiver<Result<Stopped, Failure>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Starts it on a thread named after the camera.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(intake: Intake, feed: Feed, camera: &str) -> std::io::Result<Self> {
        let (tell, outcome) = crossbeam_channel::bounded(1);
        let stop = feed.stop.clone();
        let span = tracing::Span::current();
        let thread = std::thread::Builder::new().name(format!("in-{camera}")).spawn(move || {
            let _entered = span.entered();
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| intake(&feed)));
            let internal = |_| Err(Failure::new(DisconnectReason::Error, "internal error, see the log"));
            tell.send(caught.unwrap_or_else(internal)).ok();
        })?;
        Ok(Self { stop, outcome, thread: Some(thread) })
    }

    /// Why it has failed, once it has.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.outcome.try_recv().ok().and_then(Result::err)
    }

    /// Asks it to end.
    pub(super) fn ask_to_stop(&self) {
        self.stop.set();
    }

    /// Ends it and waits so long at most; a thread that hangs is left behind with a word.
    pub(super) fn stop(mut self, patience: Duration) {
        self.stop.set();
        let deadline = Instant::now() + patience;
        // The thread lets go of the channel's other end last.
        while !matches!(
            self.outcome.recv_deadline(deadline),
            Err(crossbeam_channel::RecvTimeoutError::Disconnected | crossbeam_channel::RecvTimeoutError::Timeout)
        ) {}
        let Some(thread) = self.thread.take() else { return };
        if thread.is_finished() || Instant::now() < deadline {
            thread.join().ok();
        } else {
            tracing::warn!("the thread that fetches pictures hangs; it is left to itself");
        }
    }
}
