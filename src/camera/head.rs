//! The head of a camera's pipeline: what its URL asks for, up to the decoder.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use gst::glib;
use gst::prelude::*;

use super::decoding::Losses;
use super::intake::{Feed, Intake};
use super::rtsp::{self, Backlog};
use super::source::Outlets;
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
    // Packets come in their order: it makes times of theirs, and neither waits for any nor drops one that is late.
    let jitter = gst::ElementFactory::make("rtpjitterbuffer")
        .property("latency", 0u32)
        .property("drop-on-latency", false)
        .build()?;
    let decoder = decoder("decodebin")?;
    pipeline.add_many([entrance.upcast_ref(), &jitter, &decoder])?;
    gst::Element::link_many([entrance.upcast_ref(), &jitter, &decoder])?;
    let feed = Feed::new(entrance, outlets.watch.clone());
    let backlog = Arc::new(rtsp::Backlog::new());
    let intake = rtsp::intake(plan, &outlets.memory, &backlog);
    let losses = follow(&jitter, backlog, plan.latency, outlets);
    Ok(Head { decoder, intake: Some((intake, feed)), losses })
}

/// Follows the packets on their way to the decoder, on its thread: how long each has waited for it, beyond what reordering
/// may take, and which are missing.
fn follow(jitter: &gst::Element, backlog: Arc<Backlog>, latency: Duration, outlets: &Outlets) -> Losses {
    let seen = Arc::new(AtomicU64::new(0));
    let (lost, watch, tally) = (Arc::clone(&seen), Arc::clone(&outlets.watch), Arc::clone(&outlets.tally));
    let before = AtomicU32::new(u32::MAX);
    if let Some(pad) = jitter.static_pad("src") {
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let mut number = [0; 2];
            if info.buffer().is_some_and(|buffer| buffer.copy_to_slice(2, &mut number).is_ok()) {
                let number = u16::from_be_bytes(number);
                watch.waited(backlog.waited(number).saturating_sub(latency));
                let last = before.swap(u32::from(number), Ordering::Relaxed);
                let missing = u16::try_from(last).map_or(0, |last| number.wrapping_sub(last).wrapping_sub(1));
                if missing > 0 {
                    lost.fetch_add(u64::from(missing), Ordering::Relaxed);
                    tally.packets_lost(u64::from(missing));
                }
            }
            gst::PadProbeReturn::Ok
        });
    }
    Losses::Seen(seen)
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
