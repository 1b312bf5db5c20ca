//! One camera's pipeline: source and decoder by the URL, analysis, and the way to the hub.
//!
//! `uridecodebin ! queue ! videoconvert ! I420/NV12 ! maskinfer ! appsink`. The decoder is GStreamer's choice by rank:
//! hardware where its plugins offer it. The queue drops old frames instead of holding the decoder up.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use gst::glib;
use gst::prelude::*;

use super::INFER_ELEMENT;
use super::keyframe::KeyframeGate;
use super::watch::Watch;
use crate::config::plan::{CameraPlan, Privacy, Transport};
use crate::frames::{Hub, Inlet};
use crate::metrics::{CameraMetrics, FrameDrop};

/// Decoded frames that may wait for `maskinfer`.
const QUEUE: u32 = 3;
/// Microseconds until UDP without data falls back to TCP, where both are allowed.
const UDP_TIMEOUT_US: u64 = 2_000_000;
/// Microseconds that an RTSP request may take.
const TCP_TIMEOUT_US: u64 = 5_000_000;
/// Seconds that an HTTP server may be silent.
const HTTP_TIMEOUT_S: u32 = 10;
/// Threads of a software decoder. More of them hold more frames, and there are more cameras than cores.
const DECODER_THREADS: i32 = 2;

/// A pipeline that is built and not yet started.
pub(super) struct Source {
    pub(super) pipeline: gst::Pipeline,
    /// A file: starts again at its end.
    pub(super) endless: bool,
}

/// Where a pipeline's products go.
#[derive(Clone)]
pub(super) struct Outlets {
    pub(super) hub: Arc<Hub>,
    pub(super) watch: Arc<Watch>,
    pub(super) metrics: Arc<CameraMetrics>,
}

/// Builds the pipeline. `engine`: name by which the engine is registered; `None`: no analysis.
pub(super) fn build(plan: &CameraPlan, engine: Option<&str>, outlets: &Outlets) -> Result<Source, glib::BoolError> {
    let endless = plan.url.scheme() == "file";
    let pipeline = gst::Pipeline::with_name(&format!("camera-{}", plan.name));
    // People who are still followed when it stops are told on the bus: those messages must outlive the stop.
    pipeline.set_auto_flush_bus(false);
    let uri = gst::ElementFactory::make("uridecodebin")
        .property("uri", plan.url.expose())
        .property("caps", gst::Caps::builder("video/x-raw").any_features().build())
        .property("expose-all-streams", false)
        .build()?;
    let queue = gst::ElementFactory::make("queue")
        .property("max-size-buffers", QUEUE)
        .property("max-size-bytes", 0u32)
        .property("max-size-time", 0u64)
        .build()?;
    if !endless {
        queue.set_property_from_str("leaky", "downstream");
    }
    let convert = gst::ElementFactory::make("videoconvert").build()?;
    let formats = gst::Caps::builder("video/x-raw").field("format", gst::List::new(["I420", "NV12"])).build();
    let filter = gst::ElementFactory::make("capsfilter").property("caps", formats).build()?;
    let infer = infer(plan, engine)?;
    let sink = sink(endless, outlets.hub.open());
    pipeline.add_many([&uri, &queue, &convert, &filter, &infer, sink.upcast_ref()])?;
    gst::Element::link_many([&queue, &convert, &filter, &infer, sink.upcast_ref()])?;

    count_overruns(&queue, &outlets.metrics);
    count_frames(&filter, outlets);
    let entry = queue.static_pad("sink").ok_or_else(|| glib::bool_error!("queue without a sink pad"))?;
    uri.connect_pad_added(move |_, pad| {
        // One picture per camera: a second video stream stays unlinked.
        if !entry.is_linked()
            && let Err(error) = pad.link(&entry)
        {
            tracing::warn!(%error, "the decoder's output does not fit");
        }
    });
    let settings = plan.clone();
    uri.connect("source-setup", false, move |values| {
        if let Some(source) = values.get(1).and_then(|value| value.get::<gst::Element>().ok()) {
            configure(&source, &settings);
        }
        None
    });
    watch_inside(&uri, &outlets.watch);
    Ok(Source { pipeline, endless })
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

/// Publishes what arrives. Files are played by the clock; live pictures are passed on as they come.
fn sink(endless: bool, inlet: Inlet) -> gst_app::AppSink {
    let sink = gst_app::AppSink::builder().sync(endless).max_buffers(2).enable_last_sample(false).build();
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

/// A frame that the queue drops is counted.
fn count_overruns(queue: &gst::Element, metrics: &Arc<CameraMetrics>) {
    let metrics = Arc::clone(metrics);
    queue.connect("overrun", false, move |_| {
        metrics.frame_dropped(FrameDrop::Overload);
        None
    });
}

/// Counts decoded frames where they leave for the analysis, and gives those a time that have none.
fn count_frames(filter: &gst::Element, outlets: &Outlets) {
    let Some(pad) = filter.static_pad("src") else { return };
    let (watch, metrics) = (Arc::clone(&outlets.watch), Arc::clone(&outlets.metrics));
    let element = filter.downgrade();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        watch.frame();
        metrics.frame_decoded();
        if let Some(buffer) = info.buffer_mut()
            && buffer.pts().is_none()
            && let Some(now) = element.upgrade().and_then(|element| element.current_running_time())
        {
            buffer.make_mut().set_pts(now);
        }
        gst::PadProbeReturn::Ok
    });
}

/// Notes when encoded data reaches a video decoder, holds its threads down, and tells the demultiplexer of Motion JPEG
/// that there is one stream: else its first picture waits for megabytes of others.
fn watch_inside(uri: &gst::Element, watch: &Arc<Watch>) {
    let Some(bin) = uri.downcast_ref::<gst::Bin>() else { return };
    let watch = Arc::clone(watch);
    bin.connect_deep_element_added(move |_, _, element| {
        if element.find_property("single-stream").is_some() {
            element.set_property("single-stream", true);
        }
        let class = element.metadata("klass").unwrap_or_default();
        if !(class.contains("Decoder") && class.contains("Video")) {
            return;
        }
        if element.find_property("max-threads").is_some_and(|spec| spec.value_type() == glib::Type::I32) {
            element.set_property("max-threads", DECODER_THREADS);
        }
        if let Some(pad) = element.static_pad("sink") {
            guard(&pad, Arc::clone(&watch));
        }
    });
}

/// Notes what comes to a decoder, and keeps from it what it could only make broken pictures of.
fn guard(pad: &gst::Pad, watch: Arc<Watch>) {
    let (gate, start) = (Mutex::new(KeyframeGate::new()), Instant::now());
    pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST, move |_, info| {
        watch.data();
        let Some(flags) = info.buffer().map(|buffer| buffer.flags()) else { return gst::PadProbeReturn::Ok };
        let lost = flags.contains(gst::BufferFlags::DISCONT);
        let keyframe = !flags.contains(gst::BufferFlags::DELTA_UNIT);
        let mut gate = gate.lock().unwrap_or_else(PoisonError::into_inner);
        let admitted = gate.admits(lost, keyframe, start.elapsed());
        // Handled, not Drop: the binding has freed the buffer then, and GStreamer 1.22 complains of none to free.
        if admitted { gst::PadProbeReturn::Ok } else { gst::PadProbeReturn::Handled }
    });
}

/// Transport, credentials and patience of the source that the URL chose.
fn configure(source: &gst::Element, plan: &CameraPlan) {
    let kind = source.factory().map(|factory| factory.name().to_string()).unwrap_or_default();
    match kind.as_str() {
        "rtspsrc" => configure_rtsp(source, plan),
        "souphttpsrc" => {
            source.set_property("timeout", HTTP_TIMEOUT_S);
            source.set_property("do-timestamp", true);
            source.set_property("user-agent", concat!("maskwatch/", env!("CARGO_PKG_VERSION")));
            source.set_property("ssl-strict", !plan.insecure_tls);
            if let Some(credentials) = &plan.credentials {
                source.set_property("user-id", &credentials.username);
                source.set_property("user-pw", credentials.password.expose());
            }
        }
        _ => {}
    }
}

fn configure_rtsp(source: &gst::Element, plan: &CameraPlan) {
    let protocols = match plan.transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
        Transport::Auto => "tcp+udp",
    };
    source.set_property_from_str("protocols", protocols);
    source.set_property("latency", u32::try_from(plan.latency.as_millis()).unwrap_or(u32::MAX));
    source.set_property("drop-on-latency", true);
    source.set_property("timeout", UDP_TIMEOUT_US);
    source.set_property("tcp-timeout", TCP_TIMEOUT_US);
    source.set_property("user-agent", concat!("maskwatch/", env!("CARGO_PKG_VERSION")));
    if let Some(credentials) = &plan.credentials {
        source.set_property("user-id", &credentials.username);
        source.set_property("user-pw", credentials.password.expose());
    }
    if plan.insecure_tls {
        source.set_property("tls-validation-flags", gst_rtsp_server::gio::TlsCertificateFlags::empty());
    }
    // Sound and metadata are not asked for.
    source.connect("select-stream", false, |values| {
        let caps = values.get(2).and_then(|value| value.get::<gst::Caps>().ok());
        let media = caps.as_ref().and_then(|caps| caps.structure(0)).and_then(|s| s.get::<String>("media").ok());
        Some((media.as_deref() == Some("video")).to_value())
    });
}
