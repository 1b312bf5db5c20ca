//! The pipeline of `video`: decode, make upright, analyse each frame, draw, write and show.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use gst::glib;
use gst::prelude::*;

use super::super::window::listen_to_keys;
use super::input::Input;
use super::stamps::stamp_missing;
use crate::cli::{FilePrivacy, VideoArgs};
use crate::encoder::{Encoder, Kind, Task};
use crate::upright;

/// A file on its way through.
pub(super) struct Video {
    pipeline: gst::Pipeline,
    /// Where decoded pictures come in.
    entry: gst::Pad,
    /// No more of them are taken.
    closed: Arc<AtomicBool>,
    /// What reads and decodes: its errors are the file's.
    reading: Vec<gst::Element>,
    encoder: Option<Encoder>,
    shows: bool,
    /// The output and the name it has until it is whole.
    out: Option<(PathBuf, PathBuf)>,
}

impl Video {
    /// Builds everything that the arguments ask for. `kinds`: the encoders for the output.
    pub(super) fn build(args: &VideoArgs, input: &mut Input, kinds: &[Kind], engine: &str) -> anyhow::Result<Self> {
        let pipeline = gst::Pipeline::with_name("video");
        pipeline.set_auto_flush_bus(false);
        let queue = gst::ElementFactory::make("queue")
            .property("max-size-buffers", 4u32)
            .property("max-size-bytes", 0u32)
            .property("max-size-time", 0u64)
            .build()?;
        let upright = upright::bin()?;
        let rest = gst::parse::bin_from_description(&description(args), true)?;
        let chain = [&queue, upright.upcast_ref(), rest.upcast_ref::<gst::Element>()];
        pipeline.add_many(chain)?;
        gst::Element::link_many(chain)?;
        let infer = rest.by_name("infer").context("no maskinfer")?;
        infer.set_property("engine", engine);
        infer.set_property("camera", "video");
        infer.set_property("hide", args.privacy == FilePrivacy::Blur);
        if let Some(score) = args.min_score {
            infer.set_property("min-score", score);
        }
        let out = args.out.as_deref().map(|out| (out.to_owned(), unfinished(out)));
        let encoder = match &out {
            Some((_, part)) => Some(writer(&pipeline, rest.upcast_ref(), kinds, part)?),
            None => None,
        };
        if let Some(window) = rest.by_name("window") {
            listen_to_keys(&window, &pipeline)?;
        }
        let entry = queue.static_pad("sink").context("a queue without an entry")?;
        stamp_missing(&entry);
        let closed = Arc::new(AtomicBool::new(false));
        refuse_when(&entry, Arc::clone(&closed));
        let reading = input.read_into(&pipeline, &entry)?;
        Ok(Self { pipeline, entry, closed, reading, encoder, shows: args.show, out })
    }

    pub(super) fn bus(&self) -> anyhow::Result<gst::Bus> {
        self.pipeline.bus().context("a pipeline without a bus")
    }

    /// Whether there is a window.
    pub(super) fn shows(&self) -> bool {
        self.shows
    }

    /// Whether a message is of what reads or decodes the file.
    pub(super) fn is_of_reading(&self, message: &gst::MessageRef) -> bool {
        let Some(source) = message.src() else { return false };
        self.reading.iter().any(|element| source == element || source.has_as_ancestor(element))
    }

    /// The encoders that are left to try from the beginning, where the one in use has failed.
    pub(super) fn other_encoders(&self) -> Option<Vec<Kind>> {
        self.encoder.as_ref().and_then(Encoder::rest)
    }

    /// Errors of the start come on the bus, with their causes.
    pub(super) fn start(&self) -> Result<(), glib::Error> {
        if self.pipeline.set_state(gst::State::Playing).is_err() {
            let first = self.pipeline.bus().and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
            return Err(match first.as_ref().map(|message| message.view()) {
                Some(gst::MessageView::Error(error)) => error.error(),
                _ => glib::Error::new(gst::CoreError::StateChange, "the pipeline does not start"),
            });
        }
        Ok(())
    }

    /// Length of the file, where it is known.
    pub(super) fn duration(&self) -> Option<gst::ClockTime> {
        self.pipeline.query_duration()
    }

    /// No further frame is taken; those that were taken go their way to the end. Asked of the decoded pictures' entry:
    /// what reads the file need not listen. A stream that has not begun yet would begin again after its end: its pictures
    /// are refused, which ends it as well.
    pub(super) fn end_early(&self) {
        self.closed.store(true, Ordering::Release);
        self.entry.send_event(gst::event::Eos::new());
    }

    /// Ends it.
    pub(super) fn stop(&self) {
        if let Err(error) = self.pipeline.set_state(gst::State::Null) {
            tracing::warn!(%error, "the pipeline does not end cleanly");
        }
    }

    /// Gives the output its name: it is whole.
    pub(super) fn keep(&self) {
        if let Some((out, part)) = &self.out
            && let Err(error) = std::fs::rename(part, out)
        {
            tracing::error!(%error, "the output stays at {}", part.display());
        }
    }
}

impl Drop for Video {
    fn drop(&mut self) {
        let _ended = self.pipeline.set_state(gst::State::Null);
        if let Some((_, part)) = &self.out {
            // After a failure it is no video; after a success it has its name already.
            let _absent = std::fs::remove_file(part);
        }
    }
}

/// Beside the output, so that giving it its name costs nothing.
fn unfinished(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_os_string();
    name.push(".part");
    out.with_file_name(name)
}

/// Lets no picture pass once `closed` is set; what gives them is told that the end has come.
fn refuse_when(pad: &gst::Pad, closed: Arc<AtomicBool>) {
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if !closed.load(Ordering::Acquire) {
            return gst::PadProbeReturn::Ok;
        }
        info.flow_res = Err(gst::FlowError::Eos);
        gst::PadProbeReturn::Handled
    });
}

/// From what leaves `drawn` to a file.
fn writer(pipeline: &gst::Pipeline, drawn: &gst::Element, kinds: &[Kind], part: &Path) -> anyhow::Result<Encoder> {
    let encoder = Encoder::new(kinds, Task::File)?;
    let mux = gst::ElementFactory::make("mp4mux").build()?;
    let sink = gst::ElementFactory::make("filesink").property("location", part).build()?;
    let chain = [drawn, encoder.upcast_ref(), &mux, &sink];
    pipeline.add_many(&chain[1..])?;
    gst::Element::link_many(chain)?;
    Ok(encoder)
}

/// From upright pictures to what the arguments ask for. Pictures of an odd size lose nothing in the analysis; the file
/// has even sizes, as H.264 wants them. What is to be written leaves it.
fn description(args: &VideoArgs) -> String {
    let head = "maskinfer name=infer sync=true analyze-fps=0";
    let written = "queue ! videoconvertscale ! video/x-raw,format=I420,width=[2,32766,2],height=[2,32766,2] ! \
                   identity";
    let window = "queue ! videoconvertscale name=window ! autovideosink sync=true";
    let draw = match args.privacy {
        FilePrivacy::Off => "maskoverlay clock=false",
        FilePrivacy::Blur => "maskhide ! maskoverlay clock=false",
    };
    match (&args.out, args.show) {
        (None, false) => format!("{head} ! fakesink sync=false"),
        (Some(_), false) => format!("{head} ! {draw} ! {written}"),
        (None, true) => format!("{head} ! {draw} ! {window}"),
        (Some(_), true) => format!("{head} ! {draw} ! tee name=t ! {written} t. ! {window}"),
    }
}
