//! One camera's pipeline: head and decoder by the URL, analysis, and the way to the hub.
//!
//! `head ! decodebin ! queue ! upright ! maskinfer ! appsink`. The decoder is GStreamer's choice by
//! rank: hardware where its plugins offer it. What the decoder gives is counted before the queue, which drops old frames
//! instead of holding the decoder up. The head (see [`super::head`]) is an `appsrc` that an intake feeds, or an element
//! of GStreamer that fetches by itself.

use std::sync::Arc;

use gst::glib;
use gst::prelude::*;

use super::INFER_ELEMENT;
use super::decoding;
use super::head;
use super::intake::{Feed, Intake};
use super::rtsp;
use super::tally::Tally;
use super::watch::Watch;
use crate::config::plan::{CameraPlan, Privacy};
use crate::frames::{Hub, Inlet};
use crate::upright;

/// Decoded frames that may wait for `maskinfer`: a decoder gives those of a group with B-frames in one burst,
/// and so does a network after a pause of half a second. They are taken up as fast as they can be worked on.
const QUEUE: u32 = 24;
/// Bytes of them: four pictures of 4K.
const QUEUE_BYTES: u32 = 48 << 20;

/// The value of `min-score` that stands for the model's own.
const MODELS_OWN: f32 = -1.0;

/// A pipeline that is built and not yet started.
pub(super) struct Source {
    pub(super) pipeline: gst::Pipeline,
    /// Of it the element that analyses.
    analysis: Option<gst::Element>,
    /// What feeds the pipeline, where none of its elements fetches by itself. To be started once the pipeline plays.
    pub(super) intake: Option<(Intake, Feed)>,
}

/// Where a pipeline's products go.
#[derive(Clone)]
pub(super) struct Outlets {
    pub(super) hub: Arc<Hub>,
    pub(super) watch: Arc<Watch>,
    pub(super) tally: Arc<Tally>,
    /// What was learnt of the camera on connections before.
    pub(super) memory: rtsp::Memory,
    /// A file is played to its end, once; else round after round.
    pub(super) once: bool,
}

/// Builds the pipeline. `engine`: name by which the engine is registered; `None`: no analysis.
pub(super) fn build(plan: &CameraPlan, engine: Option<&str>, outlets: &Outlets) -> Result<Source, glib::BoolError> {
    let pipeline = gst::Pipeline::with_name(&format!("camera-{}", plan.name));
    // People who are still followed when it stops are told on the bus: those messages must outlive the stop.
    pipeline.set_auto_flush_bus(false);
    let head = head::build(&pipeline, plan, outlets)?;
    let queue = gst::ElementFactory::make("queue")
        .property("max-size-buffers", QUEUE)
        .property("max-size-bytes", QUEUE_BYTES)
        .property("max-size-time", 0u64)
        .build()?;
    queue.set_property_from_str("leaky", "downstream");
    let upright = upright::bin()?;
    let infer = infer(plan, engine)?;
    let sink = sink(outlets.hub.open());
    pipeline.add_many([&queue, upright.upcast_ref(), &infer, sink.upcast_ref()])?;
    gst::Element::link_many([&queue, upright.upcast_ref(), &infer, sink.upcast_ref()])?;

    let entry = queue.static_pad("sink").ok_or_else(|| glib::bool_error!("queue without a sink pad"))?;
    let exit = queue.static_pad("src").ok_or_else(|| glib::bool_error!("queue without a source pad"))?;
    decoding::count_decoded(&entry, &exit, outlets);
    head.decoder.connect_pad_added(move |_, pad| {
        // One picture per camera: a second video stream stays unlinked.
        if !entry.is_linked()
            && let Err(error) = pad.link(&entry)
        {
            tracing::warn!(%error, "the decoder's output does not fit");
        }
    });
    decoding::watch(&head.decoder, head.losses, outlets);
    let analysis = engine.is_some().then_some(infer);
    Ok(Source { pipeline, analysis, intake: head.intake })
}

impl Source {
    /// Analyses by another plan and another engine from now on, as far as they differ. Nothing of it disturbs the pictures.
    pub(super) fn change(&self, (before, plan): (&CameraPlan, &CameraPlan), engine: Option<&str>) {
        let Some(analysis) = &self.analysis else { return };
        if let Some(engine) = engine {
            analysis.set_property("engine", engine);
        }
        let hides = |plan: &CameraPlan| plan.privacy == Privacy::Blur;
        if hides(before) != hides(plan) {
            analysis.set_property("hide", hides(plan));
        }
        if before.areas != plan.areas {
            analysis.set_property("areas", gstmaskwatch::areas::text(&plan.areas));
        }
        if before.analyze_fps != plan.analyze_fps {
            analysis.set_property("analyze-fps", plan.analyze_fps);
        }
        if before.weight != plan.weight {
            analysis.set_property("weight", plan.weight);
        }
        if before.min_score != plan.min_score {
            analysis.set_property("min-score", plan.min_score.unwrap_or(MODELS_OWN));
        }
    }
}

/// The analysing element, or one that does nothing where there is no engine.
fn infer(plan: &CameraPlan, engine: Option<&str>) -> Result<gst::Element, glib::BoolError> {
    let Some(engine) = engine else {
        return gst::ElementFactory::make("identity").build();
    };
    let infer = gst::ElementFactory::make(INFER_ELEMENT)
        .property("engine", engine)
        .property("camera", &plan.name)
        .property("analyze-fps", plan.analyze_fps)
        .property("weight", plan.weight)
        .property("areas", gstmaskwatch::areas::text(&plan.areas))
        .build()?;
    if let Some(score) = plan.min_score {
        infer.set_property("min-score", score);
    }
    infer.set_property("hide", plan.privacy == Privacy::Blur);
    Ok(infer)
}

/// Publishes what arrives, as it comes.
fn sink(inlet: Inlet) -> gst_app::AppSink {
    let sink = gst_app::AppSink::builder().sync(false).max_buffers(2).enable_last_sample(false).build();
    sink.set_callbacks(
        gst_app::AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                inlet.publish(sink.pull_sample().map_err(|_| gst::FlowError::Eos)?);
                Ok(gst::FlowSuccess::Ok)
            })
            .build(),
    );
    sink
}
