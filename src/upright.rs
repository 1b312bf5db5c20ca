//! What a picture is before it is analysed, whatever a decoder gives: as a player shows it.
//!
//! Progressive, upright, of square pixels, 8 bits, I420 or NV12, with its colours told by its caps. Boxes, zones, crops
//! and snapshots are then all in shown coordinates, and nobody behind it has to know how the camera coded the picture.
//!
//! A picture that is so already passes untouched: each element hands it on (measured: under a microsecond in all).

use gst::glib;
use gst::prelude::*;
use tracing_mutex::parking_lot::Mutex;

/// The layouts that analysis, drawing and hiding read.
pub(crate) const FORMATS: [&str; 2] = ["I420", "NV12"];
/// Pixels as wide as they are high.
const SQUARE: gst::Fraction = gst::Fraction::new_raw(1, 1);
/// Pixels this near to square are square: 640:639 is what is left of a size that was rounded, and no face is squeezed.
const NEARLY: f64 = 0.02;
/// Pixels longer than this, either way, are a broken header and no picture: the longest in use are 2:1.
const LONGEST_PIXEL: f64 = 4.0;
/// Rows above which a picture that says nothing of its colours is said to have those of BT.709, as players take it: some
/// versions of GStreamer (not 1.22) take 2160 rows and more for BT.2020.
const HD_ROWS: u32 = 1080;
/// Most rows of a picture of standard definition, which has the colours of BT.601.
const SD_ROWS: u32 = 576;

/// A bin with a `sink` for raw pictures of any kind and a `src` of upright ones.
///
/// * Formats: 4:2:2, 4:4:4, 10 bits and more, grey and RGB become I420 or NV12 (on one thread: there are more cameras
///   than cores); the range and the matrix stay as they are and are told by the caps. Alpha is left out.
/// * Interlaced pictures (`interlace-mode` `interleaved`, or `mixed` where the picture is): the upper field, its missing
///   rows interpolated; one picture stays one picture.
/// * Orientation: the `image-orientation` tag of phones, quarter turns and mirror images.
/// * Pixel aspect: the width is scaled until pixels are square, as `ffmpeg -vf scale=iw*sar:ih`.
///
/// In this order: fields are rows of the picture as it was coded, so they come before turning and scaling.
pub(crate) fn bin() -> Result<gst::Bin, glib::BoolError> {
    let bin = gst::Bin::builder().name("upright").build();
    let convert = gst::ElementFactory::make("videoconvert").property("n-threads", 1u32).build()?;
    let formats = gst::Caps::builder("video/x-raw").field("format", gst::List::new(FORMATS)).build();
    let format = gst::ElementFactory::make("capsfilter").property("caps", formats).build()?;
    let fields = gst::ElementFactory::make("deinterlace")
        .property_from_str("method", "linear")
        .property_from_str("fields", "top")
        .build()?;
    let scale = gst::ElementFactory::make("videoscale").property("n-threads", 1u32).build()?;
    let square = gst::Caps::builder("video/x-raw").field("pixel-aspect-ratio", SQUARE).build();
    let square = gst::ElementFactory::make("capsfilter").property("caps", square).build()?;
    let chain = [&convert, &format, &fields, &scale, &square];
    bin.add_many(chain)?;
    gst::Element::link_many(chain)?;
    let without = |name| glib::bool_error!("an element without {name}");
    let entry = convert.static_pad("sink").ok_or_else(|| without("a sink"))?;
    let exit = square.static_pad("src").ok_or_else(|| without("a source"))?;
    let turn = Turn::new(&bin, &fields, &scale);
    entry.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        let better = info.event().and_then(|event| match event.view() {
            gst::EventView::Caps(event) => corrected(event),
            gst::EventView::Tag(event) => turn.obeyed(event),
            _ => None,
        });
        if let Some(event) = better {
            info.data = Some(gst::PadProbeData::Event(event));
        }
        gst::PadProbeReturn::Ok
    });
    bin.add_pad(&gst::GhostPad::with_target(&entry)?)?;
    bin.add_pad(&gst::GhostPad::with_target(&exit)?)?;
    Ok(bin)
}

/// What turns pictures as their tag says. It is put between two elements when the first such tag comes: GStreamer's
/// `videoflip` copies pictures that it does not turn.
struct Turn {
    bin: glib::WeakRef<gst::Bin>,
    before: glib::WeakRef<gst::Element>,
    after: glib::WeakRef<gst::Element>,
    flip: Mutex<Option<gst::Element>>,
}

impl Turn {
    fn new(bin: &gst::Bin, before: &gst::Element, after: &gst::Element) -> Self {
        Self { bin: bin.downgrade(), before: before.downgrade(), after: after.downgrade(), flip: Mutex::default() }
    }

    /// Does what the tag says, and gives the event without it: nobody turns the picture once more. Called on the thread
    /// that pictures come on.
    fn obeyed(&self, event: &gst::event::Tag<gst::EventRef>) -> Option<gst::Event> {
        let tag = event.tag().get::<gst::tags::ImageOrientation>()?.get().to_owned();
        if let Err(error) = self.turn(direction(&tag)) {
            tracing::warn!(%error, tag, "the picture cannot be turned");
        }
        let mut tags = event.tag_owned();
        tags.make_mut().remove::<gst::tags::ImageOrientation>();
        Some(gst::event::Tag::builder(tags).seqnum(event.seqnum()).build())
    }

    fn turn(&self, direction: &str) -> Result<(), glib::BoolError> {
        let mut flip = self.flip.lock();
        if let Some(flip) = &*flip {
            flip.set_property_from_str("video-direction", direction);
            return Ok(());
        }
        let parts = self.bin.upgrade().zip(self.before.upgrade()).zip(self.after.upgrade());
        let (Some(((bin, before), after)), false) = (parts, direction == "identity") else { return Ok(()) };
        let made = gst::ElementFactory::make("videoflip").property_from_str("video-direction", direction).build()?;
        bin.add(&made)?;
        before.unlink(&after);
        gst::Element::link_many([&before, &made, &after])?;
        made.sync_state_with_parent()?;
        *flip = Some(made);
        Ok(())
    }
}

/// What `videoflip` calls an orientation.
fn direction(tag: &str) -> &'static str {
    match tag {
        "rotate-90" => "90r",
        "rotate-180" => "180",
        "rotate-270" => "90l",
        "flip-rotate-0" => "horiz",
        "flip-rotate-90" => "ul-lr",
        "flip-rotate-180" => "vert",
        "flip-rotate-270" => "ur-ll",
        _ => "identity",
    }
}

/// The event with better caps; `None` for one that is good as it is.
fn corrected(event: &gst::event::Caps<gst::EventRef>) -> Option<gst::Event> {
    let caps = plausible(event.caps())?;
    Some(gst::event::Caps::builder(&caps).seqnum(event.seqnum()).build())
}

/// Caps without what is nonsense or a rounding in them; `None` where nothing is.
fn plausible(caps: &gst::CapsRef) -> Option<gst::Caps> {
    let given = caps.structure(0)?;
    let colours = colours(given, &gst_video::VideoInfo::from_caps(caps).ok()?);
    let pixel = given.get::<gst::Fraction>("pixel-aspect-ratio").unwrap_or(SQUARE);
    let rounded = pixel != SQUARE && !is_long(pixel);
    if colours.is_none() && !rounded {
        return None;
    }
    let mut better = caps.to_owned();
    let structure = better.make_mut().structure_mut(0)?;
    if let Some(colours) = colours {
        structure.set("colorimetry", colours.to_string());
    }
    if rounded {
        structure.set("pixel-aspect-ratio", SQUARE);
    }
    Some(better)
}

/// What Y'CbCr means where the caps do not say it all: as players take it. `None` where they do, or where GStreamer takes
/// it so itself. (Where only the matrix is left out, GStreamer 1.22 forgets the range as well.)
fn colours(given: &gst::StructureRef, info: &gst_video::VideoInfo) -> Option<gst_video::VideoColorimetry> {
    use gst_video::{VideoColorMatrix, VideoColorPrimaries, VideoColorRange, VideoColorimetry, VideoTransferFunction};
    let told: Option<VideoColorimetry> = given.get::<&str>("colorimetry").ok().and_then(|told| told.parse().ok());
    let partly = told.as_ref().is_some_and(|told| told.matrix() == VideoColorMatrix::Unknown);
    if !info.is_yuv() || !(partly || told.is_none() && info.height() > HD_ROWS) {
        return None;
    }
    let (matrix, primaries) = if info.height() > SD_ROWS {
        (VideoColorMatrix::Bt709, VideoColorPrimaries::Bt709)
    } else {
        (VideoColorMatrix::Bt601, VideoColorPrimaries::Smpte170m)
    };
    let range = told.as_ref().map(VideoColorimetry::range).filter(|it| *it != VideoColorRange::Unknown);
    let transfer = told.as_ref().map(VideoColorimetry::transfer).filter(|it| *it != VideoTransferFunction::Unknown);
    let primary = told.as_ref().map(VideoColorimetry::primaries).filter(|it| *it != VideoColorPrimaries::Unknown);
    Some(VideoColorimetry::new(
        range.unwrap_or(VideoColorRange::Range16_235),
        matrix,
        transfer.unwrap_or(VideoTransferFunction::Bt709),
        primary.unwrap_or(primaries),
    ))
}

/// Whether pixels of this shape show a picture that has to be scaled.
fn is_long(pixel: gst::Fraction) -> bool {
    let (width, height) = (f64::from(pixel.numer()), f64::from(pixel.denom()));
    if width <= 0.0 || height <= 0.0 {
        return false;
    }
    let ratio = width / height;
    (ratio - 1.0).abs() > NEARLY && (LONGEST_PIXEL.recip()..=LONGEST_PIXEL).contains(&ratio)
}

#[cfg(test)]
mod tests;
