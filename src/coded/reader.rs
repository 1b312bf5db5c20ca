//! The coded pictures of a container, read by a small pipeline of its own: `source ! parsebin ! … ! appsink`.
//!
//! It is read from its begin to its end and never sought in, so that every container that GStreamer knows will do.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use tracing_mutex::parking_lot::Mutex;

use super::{Coded, Stamp};

/// Coded pictures that are read ahead.
const AHEAD: u32 = 8;
/// How long after an error pictures may still come.
const GRACE: Duration = Duration::from_millis(300);

/// What a reader gives.
pub(crate) enum Read {
    Picture(Coded),
    /// Nothing for now.
    Nothing,
    /// The container is at its end.
    End,
    /// It holds streams, and none of pictures.
    NoVideo,
    /// It can't be read, or not any further.
    Failed(glib::Error),
}

/// A container that is being read.
pub(crate) struct Reader {
    pipeline: gst::Pipeline,
    sink: gst_app::AppSink,
    bus: gst::Bus,
    tags: Arc<Mutex<Option<gst::TagList>>>,
    besides: Arc<Mutex<BTreeSet<String>>>,
    no_video: Arc<AtomicBool>,
    failed: Option<glib::Error>,
}

impl Reader {
    /// Starts to read what `source` gives.
    ///
    /// # Errors
    /// An element is missing.
    pub(crate) fn open(source: &gst::Element) -> Result<Self, glib::BoolError> {
        Self::open_through(source, &gst::ElementFactory::make("identity").build()?)
    }

    /// The same; the pictures go through `shape` before they are given.
    ///
    /// # Errors
    /// An element is missing.
    pub(crate) fn open_through(source: &gst::Element, shape: &gst::Element) -> Result<Self, glib::BoolError> {
        let pipeline = gst::Pipeline::new();
        let parse = gst::ElementFactory::make("parsebin").build()?;
        let sink = gst_app::AppSink::builder().sync(false).max_buffers(AHEAD).enable_last_sample(false).build();
        sink.set_property("async", false);
        pipeline.add_many([source, &parse, shape, sink.upcast_ref()])?;
        source.link(&parse)?;
        shape.link(&sink)?;
        let entry = shape.static_pad("sink").ok_or_else(|| glib::bool_error!("no way in"))?;
        let tags = gather_tags(&entry);
        let no_video = Arc::new(AtomicBool::new(false));
        let besides = Arc::<Mutex<BTreeSet<String>>>::default();
        parse.connect_pad_added({
            let (bin, besides, no_video) = (pipeline.downgrade(), Arc::clone(&besides), Arc::clone(&no_video));
            move |_, pad| {
                if !take(pad, &entry) {
                    besides.lock().insert(kind(pad));
                    drain(pad, &entry, bin.upgrade().as_ref(), &no_video);
                }
            }
        });
        let bus = pipeline.bus().ok_or_else(|| glib::bool_error!("pipeline without a bus"))?;
        // An error of the state change comes on the bus, with its cause.
        pipeline.set_state(gst::State::Playing).ok();
        Ok(Self { pipeline, sink, bus, tags, besides, no_video, failed: None })
    }

    /// The next picture; waits so long at most.
    pub(crate) fn read(&mut self, patience: Duration) -> Read {
        // An error comes before pictures that were read well, and are on their way.
        let patience = if self.failed.is_some() { GRACE } else { patience };
        let sample = self.sink.try_pull_sample(gst::ClockTime::try_from(patience).unwrap_or_default());
        if let Some(coded) = sample.and_then(|sample| self.coded(&sample)) {
            return Read::Picture(coded);
        }
        if let Some(error) = self.failed.take() {
            return Read::Failed(error);
        }
        let told = self.bus.pop_filtered(&[gst::MessageType::Error, gst::MessageType::StreamCollection]);
        match told.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Error(error)) => {
                self.failed = Some(error.error());
                return Read::Nothing;
            }
            Some(gst::MessageView::StreamCollection(told)) if without_video(&told.stream_collection()) => {
                return Read::NoVideo;
            }
            _ => {}
        }
        if self.no_video.load(Ordering::Acquire) {
            return Read::NoVideo;
        }
        if self.sink.is_eos() { Read::End } else { Read::Nothing }
    }

    /// What the container holds beside pictures, as far as it is known: `audio`, `text`, …
    pub(crate) fn besides(&self) -> BTreeSet<String> {
        self.besides.lock().clone()
    }

    fn coded(&self, sample: &gst::Sample) -> Option<Coded> {
        let (caps, buffer) = (sample.caps_owned()?, sample.buffer_owned()?);
        let tags = self.tags.lock().clone();
        let stamp = Stamp {
            shown: buffer.pts().map(gst::ClockTime::nseconds),
            decoded: buffer.dts().map(gst::ClockTime::nseconds),
            lasts: buffer.duration().map(gst::ClockTime::nseconds),
        };
        Some(Coded { caps, tags, stamp, buffer })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.pipeline.set_state(gst::State::Null).ok();
    }
}

/// Whether a container says that it holds streams, and none of pictures.
fn without_video(collection: &gst::StreamCollection) -> bool {
    !collection.is_empty()
        && !collection
            .iter()
            .any(|stream| stream.stream_type().intersects(gst::StreamType::VIDEO | gst::StreamType::UNKNOWN))
}

/// What a stream is: `video`, `audio`, `text`, …
fn kind(pad: &gst::Pad) -> String {
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    let name = caps.structure(0).map(|structure| structure.name().to_string()).unwrap_or_default();
    name.split('/').next().unwrap_or_default().to_owned()
}

/// Reads a stream, if it is the first of pictures.
fn take(pad: &gst::Pad, entry: &gst::Pad) -> bool {
    let taken = !entry.is_linked() && matches!(kind(pad).as_str(), "video" | "image");
    if taken && let Err(error) = pad.link(entry) {
        tracing::warn!(%error, "the stream's pictures cannot be taken");
    }
    taken
}

/// Lets a stream run dry, because a pad that nobody takes from stops them all. One that ends while there is no stream of
/// pictures tells that there is none.
fn drain(pad: &gst::Pad, entry: &gst::Pad, pipeline: Option<&gst::Pipeline>, no_video: &Arc<AtomicBool>) {
    let Some(pipeline) = pipeline else { return };
    let (no_video, entry) = (Arc::clone(no_video), entry.clone());
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if info.event().is_some_and(|event| event.type_() == gst::EventType::Eos) && !entry.is_linked() {
            no_video.store(true, Ordering::Release);
        }
        gst::PadProbeReturn::Ok
    });
    let drain = gst::ElementFactory::make("fakesink").property("async", false).property("sync", false).build();
    if let Ok(drain) = drain
        && pipeline.add(&drain).is_ok()
        && drain.sync_state_with_parent().is_ok()
        && let Some(target) = drain.static_pad("sink")
    {
        pad.link(&target).ok();
    }
}

/// What is said of the stream so far, as its orientation.
fn gather_tags(entry: &gst::Pad) -> Arc<Mutex<Option<gst::TagList>>> {
    let tags = Arc::<Mutex<Option<gst::TagList>>>::default();
    let gathered = Arc::clone(&tags);
    entry.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if let Some(gst::EventView::Tag(event)) = info.event().map(|event| event.view()) {
            let mut tags = gathered.lock();
            let all = match tags.take() {
                Some(before) => before.merge(event.tag(), gst::TagMergeMode::Replace),
                None => event.tag_owned(),
            };
            *tags = Some(all);
        }
        gst::PadProbeReturn::Ok
    });
    tags
}
