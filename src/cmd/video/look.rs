//! A look into a file before the work: whether there is a video in it that can be decoded here.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use gst::prelude::*;
use tracing_mutex::parking_lot::Mutex;

/// A file that tells nothing for so long is left to the work itself.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(10);
/// The message by which the decoder's thread tells that there is video.
const FOUND: &str = "maskwatch-found";

/// Plays the beginning of the file into nothing.
///
/// # Errors
/// No video in it, or none that can be decoded, in words for the user.
pub(super) fn for_video(path: &Path, cut_off: bool) -> anyhow::Result<()> {
    let pipeline = gst::Pipeline::with_name("look");
    let file = gst::ElementFactory::make("filesrc").property("location", path).build()?;
    let decode = gst::ElementFactory::make("decodebin")
        .property("caps", gst::Caps::builder("video/x-raw").any_features().build())
        .property("expose-all-streams", false)
        .build()?;
    pipeline.add_many([&file, &decode])?;
    file.link(&decode)?;
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let list = Arc::clone(&seen);
    // Everything that is not yet raw passes here: containers, and the streams in them.
    decode.connect("autoplug-continue", false, move |values| {
        if let Some(name) = values.get(2).and_then(|value| value.get::<gst::Caps>().ok()).as_ref().and_then(stream) {
            list.lock().insert(name);
        }
        Some(true.to_value())
    });
    decode.connect_pad_added(|decode, _| {
        let found = gst::message::Application::builder(gst::Structure::new_empty(FOUND)).build();
        // A look that is over needs no answer.
        decode.post_message(found).ok();
    });
    pipeline.set_state(gst::State::Paused).ok();
    let wanted = [gst::MessageType::Application, gst::MessageType::Error, gst::MessageType::Eos];
    let answer = pipeline.bus().and_then(|bus| bus.timed_pop_filtered(PATIENCE, &wanted));
    pipeline.set_state(gst::State::Null).ok();
    let said = match answer.as_ref().map(|message| message.view()) {
        None | Some(gst::MessageView::Application(_)) => return Ok(()),
        Some(gst::MessageView::Error(error)) => error.error().to_string(),
        Some(_) => "it ends without a picture".to_owned(),
    };
    let seen = seen.lock().clone();
    Err(anyhow::Error::msg(reason(&seen, &crate::config::secret::redact(&said), cut_off)))
}

/// The name of a stream's format; `None` for a container, in which streams are, and for what is decoded.
fn stream(caps: &gst::Caps) -> Option<String> {
    let demuxers = gst::ElementFactory::factories_with_type(gst::ElementFactoryType::DEMUXER, gst::Rank::MARGINAL);
    let container = demuxers.iter().any(|factory| factory.can_sink_any_caps(caps));
    let name = caps.structure(0)?.name().to_string();
    (!container && !name.ends_with("/x-raw")).then_some(name)
}

/// Why there is nothing to analyse. `seen`: formats of the streams; `said`: GStreamer's own words.
fn reason(seen: &BTreeSet<String>, said: &str, cut_off: bool) -> String {
    let pictures = |name: &&String| name.starts_with("video/") || name.starts_with("image/");
    let list = |names: Vec<&String>| names.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let videos: Vec<_> = seen.iter().filter(pictures).collect();
    if !videos.is_empty() {
        let videos = list(videos);
        return format!("its video cannot be decoded here: {said} ({videos}; is a GStreamer plugin missing?)");
    }
    if !seen.is_empty() {
        return format!("there is no video in it, only {}", list(seen.iter().collect()));
    }
    if cut_off {
        return format!("it is cut off before its index: nothing in it can be played ({said})");
    }
    format!("there is no video in it that can be read: {said}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_say_what_is_in_the_file() {
        let seen = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let audio = reason(&seen(&["audio/mpeg"]), "missing", false);
        assert_eq!(audio, "there is no video in it, only audio/mpeg");
        assert!(reason(&seen(&["audio/mpeg", "video/x-h265"]), "missing", false).contains("video/x-h265"));
        assert!(reason(&seen(&[]), "no streams", true).contains("cut off"));
        assert!(reason(&seen(&[]), "no streams", false).contains("no video in it"));
    }
}
