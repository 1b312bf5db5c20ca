//! The pipeline of `video`: decode, analyse each frame, draw, write and show.

use std::path::{Path, PathBuf};

use anyhow::Context;
use gst::glib;
use gst::prelude::*;

use super::super::window::listen_to_keys;
use crate::cli::{FilePrivacy, VideoArgs};

/// Encoders for the file, best first, with what makes them good for one.
const ENCODERS: [(&str, &str); 2] = [
    ("x264enc", "x264enc pass=qual quantizer=23 speed-preset=veryfast key-int-max=100"),
    ("openh264enc", "openh264enc rate-control=quality bitrate=4000000 gop-size=100"),
];

/// A file on its way through.
pub(super) struct Video {
    pipeline: gst::Pipeline,
    shows: bool,
    /// The output and the name it has until it is whole.
    out: Option<(PathBuf, PathBuf)>,
}

impl Video {
    /// Builds everything that the arguments ask for.
    pub(super) fn build(args: &VideoArgs, engine: &str) -> anyhow::Result<Self> {
        let pipeline = gst::Pipeline::with_name("video");
        pipeline.set_auto_flush_bus(false);
        let file = gst::ElementFactory::make("filesrc").property("location", args.path.as_path()).build()?;
        let decode = gst::ElementFactory::make("decodebin")
            .property("caps", gst::Caps::builder("video/x-raw").any_features().build())
            .property("expose-all-streams", false)
            .build()?;
        let rest = gst::parse::bin_from_description(&description(args)?, true)?;
        pipeline.add_many([&file, &decode, rest.upcast_ref()])?;
        file.link(&decode)?;
        let infer = rest.by_name("infer").context("no maskinfer")?;
        infer.set_property("engine", engine);
        infer.set_property("camera", "video");
        infer.set_property("hide", args.privacy == FilePrivacy::Blur);
        if let Some(score) = args.min_score {
            infer.set_property("min-score", score);
        }
        let out = args.out.as_deref().map(|out| (out.to_owned(), unfinished(out)));
        if let (Some((_, part)), Some(sink)) = (&out, rest.by_name("file")) {
            sink.set_property("location", part.as_path());
        }
        if let Some(window) = rest.by_name("window") {
            listen_to_keys(&window, &pipeline)?;
        }
        let entry = rest.static_pad("sink").context("a bin without an entry")?;
        decode.connect_pad_added(move |_, pad| {
            if !entry.is_linked()
                && let Err(error) = pad.link(&entry)
            {
                tracing::warn!(%error, "the decoder's output does not fit");
            }
        });
        Ok(Self { pipeline, shows: args.show, out })
    }

    pub(super) fn bus(&self) -> anyhow::Result<gst::Bus> {
        self.pipeline.bus().context("a pipeline without a bus")
    }

    /// Whether there is a window.
    pub(super) fn shows(&self) -> bool {
        self.shows
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

    /// No further frame is read; what was read goes its way to the end.
    pub(super) fn end_early(&self) {
        self.pipeline.send_event(gst::event::Eos::new());
    }

    /// Ends it. The output gets its name when it is whole.
    pub(super) fn stop(&self) {
        if let Err(error) = self.pipeline.set_state(gst::State::Null) {
            tracing::warn!(%error, "the pipeline does not end cleanly");
        }
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

/// From decoded pictures to what the arguments ask for. Pictures of an odd size lose nothing in the analysis; the file
/// has even sizes, as H.264 wants them.
fn description(args: &VideoArgs) -> anyhow::Result<String> {
    let head = "queue max-size-buffers=4 max-size-bytes=0 max-size-time=0 ! videoflip video-direction=auto ! videoconvert ! \
                video/x-raw,format={I420,NV12} ! maskinfer name=infer sync=true analyze-fps=0";
    let encode = || -> anyhow::Result<String> {
        let known = ENCODERS.into_iter().find(|(name, _)| gst::ElementFactory::find(name).is_some());
        let (_, encoder) =
            known.context("no H.264 encoder (install gstreamer1.0-plugins-ugly, or run `make setup`)")?;
        Ok(format!(
            "queue ! videoconvertscale ! video/x-raw,format=I420,width=[2,32766,2],height=[2,32766,2] ! {encoder} ! \
             h264parse ! mp4mux ! filesink name=file"
        ))
    };
    let window = "queue ! videoconvertscale name=window ! autovideosink sync=true";
    let draw = match args.privacy {
        FilePrivacy::Off => "maskoverlay clock=false",
        FilePrivacy::Blur => "maskhide ! maskoverlay clock=false",
    };
    Ok(match (&args.out, args.show) {
        (None, false) => format!("{head} ! fakesink sync=false"),
        (Some(_), false) => format!("{head} ! {draw} ! {}", encode()?),
        (None, true) => format!("{head} ! {draw} ! {window}"),
        (Some(_), true) => format!("{head} ! {draw} ! tee name=t ! {} t. ! {window}", encode()?),
    })
}
