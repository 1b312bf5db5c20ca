//! The head of a camera's pipeline: what its URL asks for, up to the decoder.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use gst::glib;
use gst::prelude::*;

use super::decoding::Losses;
use super::intake::{Feed, Intake, file, http};
use super::rtsp::{self, Backlog};
use super::source::Outlets;
use crate::config::plan::CameraPlan;

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
    match (plan.url.scheme(), plan.url.local_path()) {
        ("rtsp" | "rtsps", _) => rtp(pipeline, plan, outlets),
        ("http" | "https", _) => pictures(pipeline, http::intake(plan), outlets),
        ("file", Some(path)) => pictures(pipeline, file::intake(path, outlets.once), outlets),
        _ => device(pipeline, plan),
    }
}

/// `appsrc ! decodebin`, fed with coded pictures.
fn pictures(pipeline: &gst::Pipeline, intake: Intake, outlets: &Outlets) -> Result<Head, glib::BoolError> {
    let entrance = entrance();
    let decoder = decoder("decodebin")?;
    pipeline.add_many([entrance.upcast_ref(), &decoder])?;
    entrance.link(&decoder)?;
    let feed = Feed::new(entrance, Arc::clone(&outlets.watch), Arc::clone(&outlets.tally));
    Ok(Head { decoder, intake: Some((intake, feed)), losses: Losses::None })
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
    let feed = Feed::new(entrance, Arc::clone(&outlets.watch), Arc::clone(&outlets.tally));
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

/// A device of this machine: GStreamer fetches by itself.
fn device(pipeline: &gst::Pipeline, plan: &CameraPlan) -> Result<Head, glib::BoolError> {
    let decoder = decoder("uridecodebin")?;
    decoder.set_property("uri", plan.url.expose());
    pipeline.add(&decoder)?;
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
