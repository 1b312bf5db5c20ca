//! Looks at what flows through a camera's pipeline, without touching it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gst::prelude::*;
use tracing_mutex::parking_lot::{Mutex, MutexGuard};

use super::rhythm::Sighting;

/// What was seen so far.
#[derive(Clone, Default)]
pub(super) struct Seen {
    /// When the first data of the source came.
    pub(super) first_packet: Option<Duration>,
    /// When the first decoded picture came, and the last one.
    pub(super) first_picture: Option<Duration>,
    pub(super) last_picture: Option<Duration>,
    /// Coded pictures.
    pub(super) coded: Vec<Sighting>,
    pub(super) coded_caps: Option<gst::Caps>,
    pub(super) decoded_caps: Option<gst::Caps>,
    /// Times that the decoded pictures' caps changed.
    pub(super) changes: u32,
    /// Value of the tag for the picture's orientation.
    pub(super) turn: Option<String>,
    /// Streams of a container that are no video.
    pub(super) besides: BTreeSet<String>,
}

/// Written by streaming threads.
pub(super) struct Eyes {
    origin: Instant,
    seen: Mutex<Seen>,
}

impl Eyes {
    /// Looks at a pipeline that has not started. Elements that come later are looked at as they come.
    pub(super) fn open(pipeline: &gst::Pipeline) -> Arc<Self> {
        let eyes = Arc::new(Self { origin: Instant::now(), seen: Mutex::default() });
        for element in pipeline.iterate_elements().into_iter().flatten() {
            eyes.attend(&element);
            // The decoding bin gives what is decoded on pads that come.
            if element.is::<gst::Bin>() {
                let weak = Arc::downgrade(&eyes);
                element.connect_pad_added(move |_, pad| {
                    if let Some(eyes) = weak.upgrade() {
                        eyes.watch_decoded(pad);
                    }
                });
            }
        }
        let weak = Arc::downgrade(&eyes);
        pipeline.connect_deep_element_added(move |_, _, element| {
            if let Some(eyes) = weak.upgrade() {
                eyes.attend(element);
            }
        });
        eyes
    }

    /// Time since the start.
    pub(super) fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    /// A copy of what was seen.
    pub(super) fn seen(&self) -> Seen {
        self.lock().clone()
    }

    /// When the first decoded picture came.
    pub(super) fn first_picture(&self) -> Option<Duration> {
        self.lock().first_picture
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock()
    }

    fn attend(self: &Arc<Self>, element: &gst::Element) {
        if element.is::<gst::Bin>() {
            return;
        }
        let class = element.metadata("klass").unwrap_or_default();
        let has = |word: &str| class.split('/').any(|part| part == word);
        if has("Source")
            && let Some(pad) = element.static_pad("src")
        {
            self.watch_source(&pad);
        } else if has("Decoder")
            && (has("Video") || has("Image"))
            && let Some(pad) = element.static_pad("sink")
        {
            self.watch_decoder(&pad);
        }
    }

    fn watch_source(self: &Arc<Self>, pad: &gst::Pad) {
        let eyes = Arc::clone(self);
        pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST, move |_, _| {
            let now = eyes.now();
            eyes.lock().first_packet.get_or_insert(now);
            gst::PadProbeReturn::Remove
        });
    }

    /// What goes to a decoder is seen where it comes from: also that which is kept from the decoder.
    fn watch_decoder(self: &Arc<Self>, sink: &gst::Pad) {
        if let Some(peer) = sink.peer() {
            return self.watch_coded(&peer);
        }
        let eyes = Arc::downgrade(self);
        sink.connect_linked(move |_, peer| {
            if let Some(eyes) = eyes.upgrade() {
                eyes.watch_coded(peer);
            }
        });
    }

    fn watch_coded(self: &Arc<Self>, pad: &gst::Pad) {
        let eyes = Arc::downgrade(self);
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            let (Some(eyes), Some(buffer)) = (eyes.upgrade(), info.buffer()) else { return gst::PadProbeReturn::Ok };
            let sighting = Sighting {
                at: eyes.now(),
                pts: buffer.pts().map(|pts| Duration::from_nanos(pts.nseconds())),
                bytes: buffer.size(),
                keyframe: !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT),
            };
            let caps = pad.current_caps();
            let mut seen = eyes.lock();
            seen.coded.push(sighting);
            seen.coded_caps = caps.or(seen.coded_caps.take());
            gst::PadProbeReturn::Ok
        });
    }

    fn watch_decoded(self: &Arc<Self>, pad: &gst::Pad) {
        let eyes = Arc::downgrade(self);
        pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM, move |pad, info| {
            let Some(eyes) = eyes.upgrade() else { return gst::PadProbeReturn::Ok };
            match &info.data {
                Some(gst::PadProbeData::Buffer(_)) => {
                    let (now, caps) = (eyes.now(), pad.current_caps());
                    let mut seen = eyes.lock();
                    seen.first_picture.get_or_insert(now);
                    seen.last_picture = Some(now);
                    if caps.is_some() && seen.decoded_caps != caps {
                        seen.changes += u32::from(seen.decoded_caps.is_some());
                        seen.decoded_caps = caps;
                    }
                }
                Some(gst::PadProbeData::Event(event)) => {
                    if let gst::EventView::Tag(tags) = event.view()
                        && let Some(turn) = tags.tag().get::<gst::tags::ImageOrientation>()
                    {
                        eyes.lock().turn = Some(turn.get().to_owned());
                    }
                }
                _ => {}
            }
            gst::PadProbeReturn::Ok
        });
    }

    /// A stream of a container that is no video.
    pub(super) fn beside(&self, kind: String) {
        self.lock().besides.insert(kind);
    }
}
