//! The head of a camera's pipeline: what its URL asks for, up to the decoder.

use std::sync::Arc;
use std::time::Duration;

use gst::glib;
use gst::prelude::*;

use super::decoding::Losses;
use super::intake::{Feed, Intake};
use super::rtsp::{self, Backlog};
use super::source::Outlets;
use super::watch::Watch;
use crate::config::plan::CameraPlan;

/// Seconds that an HTTP server may be silent.
const HTTP_TIMEOUT_S: u32 = 10;

/// What stands before the queue.
pub(super) struct Head {
    /// `decodebin` or `uridecodebin`: gives raw video on pads that come.
    pub(super) decoder: gst::Element,
    /// What fetches, where no element does.
    pub(super) intake: Option<(Intake, Feed)>,
    /// Who knows whether a gap in the data is a loss.
    pub(super) losses: Losses,
}

/// Builds it into `pipeline`.
pub(super) fn build(pipeline: &gst::Pipeline, plan: &CameraPlan, outlets: &Outlets) -> Result<Head, glib::BoolError> {
    match plan.url.scheme() {
        "rtsp" | "rtsps" => rtp(pipeline, plan, outlets),
        _ => fetched(pipeline, plan),
    }
}

/// `appsrc ! rtpjitterbuffer ! decodebin`, fed by [`rtsp`].
fn rtp(pipeline: &gst::Pipeline, plan: &CameraPlan, outlets: &Outlets) -> Result<Head, glib::BoolError> {
    let entrance = entrance();
    // It waits so long for a packet that is missing, and drops none that is there, however late.
    let jitter = gst::ElementFactory::make("rtpjitterbuffer")
        .property("latency", u32::try_from(plan.latency.as_millis()).unwrap_or(u32::MAX))
        .property("drop-on-latency", false)
        .property("do-lost", true)
        .build()?;
    let decoder = decoder("decodebin")?;
    pipeline.add_many([entrance.upcast_ref(), &jitter, &decoder])?;
    gst::Element::link_many([entrance.upcast_ref(), &jitter, &decoder])?;
    let feed = Feed::new(entrance, outlets.watch.clone());
    let backlog = Arc::new(rtsp::Backlog::new());
    let intake = rtsp::intake(plan, &outlets.memory, &backlog);
    time_the_wait(&jitter, backlog, plan.latency, Arc::clone(&outlets.watch));
    Ok(Head { decoder, intake: Some((intake, feed)), losses: Losses::Counted(jitter) })
}

/// Notes how long each packet has waited for the decoder, beyond what the jitter buffer may hold it back.
fn time_the_wait(jitter: &gst::Element, backlog: Arc<Backlog>, latency: Duration, watch: Arc<Watch>) {
    let Some(pad) = jitter.static_pad("src") else { return };
    pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST, move |_, info| {
        let first = match &info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => Some(buffer.as_ref()),
            Some(gst::PadProbeData::BufferList(list)) => list.get(0),
            _ => None,
        };
        let mut number = [0; 2];
        if first.is_some_and(|buffer| buffer.copy_to_slice(2, &mut number).is_ok()) {
            watch.waited(backlog.waited(u16::from_be_bytes(number)).saturating_sub(latency));
        }
        gst::PadProbeReturn::Ok
    });
}

/// GStreamer fetches by itself.
fn fetched(pipeline: &gst::Pipeline, plan: &CameraPlan) -> Result<Head, glib::BoolError> {
    let decoder = decoder("uridecodebin")?;
    decoder.set_property("uri", plan.url.expose());
    pipeline.add(&decoder)?;
    let settings = plan.clone();
    decoder.connect("source-setup", false, move |values| {
        if let Some(source) = values.get(1).and_then(|value| value.get::<gst::Element>().ok()) {
            configure(&source, &settings);
        }
        None
    });
    Ok(Head { decoder, intake: None, losses: Losses::None })
}

fn decoder(factory: &str) -> Result<gst::Element, glib::BoolError> {
    gst::ElementFactory::make(factory)
        .property("caps", gst::Caps::builder("video/x-raw").any_features().build())
        .property("expose-all-streams", false)
        .build()
}

/// Where an intake puts its buffers. What it holds is bounded behind it, where pictures are counted.
fn entrance() -> gst_app::AppSrc {
    gst_app::AppSrc::builder()
        .is_live(true)
        .format(gst::Format::Time)
        .do_timestamp(true)
        .max_bytes(0)
        .block(false)
        .build()
}

/// Credentials and patience of the source that the URL chose.
fn configure(source: &gst::Element, plan: &CameraPlan) {
    let kind = source.factory().map(|factory| factory.name().to_string()).unwrap_or_default();
    if kind == "souphttpsrc" {
        source.set_property("timeout", HTTP_TIMEOUT_S);
        source.set_property("do-timestamp", true);
        source.set_property("user-agent", concat!("maskwatch/", env!("CARGO_PKG_VERSION")));
        source.set_property("ssl-strict", !plan.insecure_tls);
        if let Some(credentials) = &plan.credentials {
            source.set_property("user-id", &credentials.username);
            source.set_property("user-pw", credentials.password.expose());
        }
    }
}
