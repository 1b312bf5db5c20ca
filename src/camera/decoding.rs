//! What goes into a camera's decoder and what comes out: counted, and kept from it where it could only make broken
//! pictures.
//!
//! A picture's number travels through the decoder as a metadata of its buffer, which GStreamer's decoders hand on from
//! the coded to the decoded picture: so each decoded picture is known to be of that coded one, in whatever order they
//! come out.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use tracing_mutex::parking_lot::Mutex;

use super::keyframe::{KeyframeGate, Picture};
use super::references::{References, Unit, Verdict};
use super::source::Outlets;
use crate::metrics::PictureLoss;

/// Threads of a software decoder. More of them hold more frames, and there are more cameras than cores.
const DECODER_THREADS: i32 = 2;
/// What the metadata of a picture's number refers to.
static NUMBERED: LazyLock<gst::Caps> = LazyLock::new(|| gst::Caps::new_empty_simple("timestamp/x-maskwatch-picture"));

/// How a gap in the data of a source is known for a loss.
#[derive(Clone)]
pub(super) enum Losses {
    /// Packets that are missing, counted by who sees them pass on the decoder's thread, before what follows on them.
    Seen(Arc<AtomicU64>),
    /// Nothing gets lost on the way: a mark of discontinuity is a new beginning.
    None,
}

impl Losses {
    /// Packets that are missing before the data that is marked now.
    fn take(&self) -> u64 {
        match self {
            Self::Seen(seen) => seen.swap(0, Ordering::Relaxed),
            Self::None => 0,
        }
    }
}

/// Counts what enters and leaves the queue behind the decoder, and gives those a time that have none.
pub(super) fn count_decoded(entry: &gst::Pad, exit: &gst::Pad, outlets: &Outlets) {
    let (watch, tally) = (Arc::clone(&outlets.watch), Arc::clone(&outlets.tally));
    let element = entry.parent_element().map(|element| element.downgrade());
    entry.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        watch.frame();
        if let Some(buffer) = info.buffer_mut() {
            match number(buffer) {
                Number::Kept(number) => tally.decoded(Some(number)),
                Number::Absent if watch.decodes() => tally.decoded(None),
                Number::Absent => tally.raw(),
            }
            let buffer = buffer.make_mut();
            buffer.set_offset(tally.queued());
            let now = || element.as_ref()?.upgrade()?.current_running_time();
            if buffer.pts().is_none()
                && let Some(now) = now()
            {
                buffer.set_pts(now);
            }
        }
        gst::PadProbeReturn::Ok
    });
    let watch = Arc::clone(&outlets.watch);
    note_rate(entry, move |rate| {
        // Decoders make one up where the data has none.
        if !watch.decodes() {
            watch.coded_rate(rate);
        }
    });
    let tally = Arc::clone(&outlets.tally);
    exit.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(buffer) = info.buffer() {
            tally.left(buffer.offset());
        }
        gst::PadProbeReturn::Ok
    });
}

/// Tells the rate that the caps of a pad say, whenever they are set; `None` for one that varies or is not known.
fn note_rate(pad: &gst::Pad, tell: impl Fn(Option<f64>) + Send + Sync + 'static) {
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if let Some(gst::EventView::Caps(caps)) = info.event().map(|event| event.view()) {
            let rate = caps.caps().structure(0).and_then(|caps| caps.get::<gst::Fraction>("framerate").ok());
            let rate = rate.filter(|rate| rate.numer() > 0 && rate.denom() > 0);
            tell(rate.map(|rate| f64::from(rate.numer()) / f64::from(rate.denom())));
        }
        gst::PadProbeReturn::Ok
    });
}

enum Number {
    Kept(u64),
    Absent,
}

fn number(buffer: &gst::BufferRef) -> Number {
    let mut numbers = buffer.iter_meta::<gst::ReferenceTimestampMeta>();
    let ours = numbers.find(|meta| meta.reference() == NUMBERED.as_ref());
    ours.map_or(Number::Absent, |meta| Number::Kept(meta.timestamp().nseconds()))
}

/// Attends to every element that a decoding bin makes: holds the decoder's threads down, tells the demultiplexer of
/// Motion JPEG that there is one stream (else its first picture waits for megabytes of others), and guards the decoder.
pub(super) fn watch(decoder: &gst::Element, losses: Losses, outlets: &Outlets) {
    let Some(bin) = decoder.downcast_ref::<gst::Bin>() else { return };
    let outlets = outlets.clone();
    bin.connect_deep_element_added(move |_, _, element| {
        if element.find_property("single-stream").is_some() {
            element.set_property("single-stream", true);
        }
        let class = element.metadata("klass").unwrap_or_default();
        if !(class.contains("Decoder") && (class.contains("Video") || class.contains("Image"))) {
            return;
        }
        if element.find_property("max-threads").is_some_and(|spec| spec.value_type() == glib::Type::I32) {
            element.set_property("max-threads", DECODER_THREADS);
        }
        // Bins of decoders have the class of one; the element inside is the one to guard.
        if let Some(pad) = element.static_pad("sink").filter(|_| element.downcast_ref::<gst::Bin>().is_none()) {
            outlets.watch.decoding();
            guard(&pad, losses.clone(), &outlets);
        }
    });
}

/// What a decoder may get.
#[derive(Default)]
struct Guard {
    references: References,
    gate: KeyframeGate,
}

/// Numbers what comes to a decoder, and keeps from it what it could only make broken pictures of.
fn guard(pad: &gst::Pad, losses: Losses, outlets: &Outlets) {
    let (guard, start) = (Arc::new(Mutex::<Guard>::default()), Instant::now());
    let told = Arc::clone(&guard);
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if let Some(gst::EventView::Caps(caps)) = info.event().map(|event| event.view()) {
            told.lock().references.announce(caps.caps());
        }
        gst::PadProbeReturn::Ok
    });
    let (watch, tally) = (Arc::clone(&outlets.watch), Arc::clone(&outlets.tally));
    note_rate(pad, {
        let watch = Arc::clone(&watch);
        move |rate| watch.coded_rate(rate)
    });
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        watch.data();
        let Some(buffer) = info.buffer_mut() else { return gst::PadProbeReturn::Ok };
        let flags = buffer.flags();
        let marked = flags.contains(gst::BufferFlags::DISCONT) || flags.contains(gst::BufferFlags::CORRUPTED);
        let lost = if marked { losses.take() } else { 0 };
        let keyframe = !flags.contains(gst::BufferFlags::DELTA_UNIT);
        let verdict = guard.lock().judge(
            buffer,
            lost,
            Picture { keyframe, late: watch.late(), ..Picture::default() },
            start.elapsed(),
        );
        match verdict {
            Ok(()) => {
                let number = gst::ClockTime::from_nseconds(tally.admitted());
                gst::ReferenceTimestampMeta::add(buffer.make_mut(), &NUMBERED, number, gst::ClockTime::NONE);
                gst::PadProbeReturn::Ok
            }
            Err(reason) => {
                tally.refused(reason);
                watch.refused();
                // Handled, not Drop: the binding has freed the buffer then, and GStreamer 1.22 complains of none to free.
                gst::PadProbeReturn::Handled
            }
        }
    });
}

impl Guard {
    /// `lost`: packets that are missing before the picture, or of it.
    fn judge(&mut self, buffer: &gst::Buffer, lost: u64, picture: Picture, now: Duration) -> Result<(), PictureLoss> {
        let data = buffer.map_readable().ok();
        let data = data.as_ref().map_or(&[][..], |data| data.as_slice());
        let verdict = self.references.see(Unit { data, lost, keyframe: picture.keyframe });
        let picture = Picture {
            lost: verdict == Verdict::Broken,
            damaged: verdict == Verdict::Damaged,
            keyframe: picture.keyframe && verdict == Verdict::Intact,
            ..picture
        };
        self.gate.admits(picture, now)
    }
}
