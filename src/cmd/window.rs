//! A window with a still picture; `q`, Escape or closing it ends it.

use std::sync::Arc;

use anyhow::Context;
use gst::prelude::*;
use gst_video::NavigationEvent;
use image::RgbImage;

/// A window that shows one picture.
pub(super) struct Window {
    pipeline: gst::Pipeline,
}

/// The message by which the window's thread tells that it shall close.
pub(super) const CLOSE: &str = "maskwatch-close";

impl Window {
    /// Opens it.
    pub(super) fn of_picture(title: &str, picture: &Arc<RgbImage>) -> anyhow::Result<Self> {
        let (width, height) = picture.dimensions();
        let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::Rgb, width, height).build()?;
        let source = gst_app::AppSrc::builder().caps(&info.to_caps()?).format(gst::Format::Time).build();
        let freeze = gst::ElementFactory::make("imagefreeze").build()?;
        let convert = gst::ElementFactory::make("videoconvert").build()?;
        let scale = gst::ElementFactory::make("videoscale").build()?;
        let sink = gst::ElementFactory::make("autovideosink").build().context("no element shows pictures here")?;
        let pipeline = gst::Pipeline::with_name(title);
        let elements = [source.upcast_ref(), &freeze, &convert, &scale, &sink];
        pipeline.add_many(elements)?;
        gst::Element::link_many(elements)?;
        // Behind `imagefreeze`, which lets no key pass.
        listen_to_keys(&scale, &pipeline)?;
        pipeline.set_state(gst::State::Playing).context("no window can be opened (is there a display?)")?;
        source.push_buffer(packed(picture, &info)?)?;
        source.end_of_stream()?;
        Ok(Self { pipeline })
    }

    /// Waits until somebody closes it.
    pub(super) fn until_closed(self) -> anyhow::Result<()> {
        let bus = self.pipeline.bus().context("a pipeline without a bus")?;
        for message in bus.iter_timed(gst::ClockTime::NONE) {
            match message.view() {
                gst::MessageView::Application(message) if message.structure().is_some_and(|s| s.name() == CLOSE) => {
                    break;
                }
                gst::MessageView::Error(error) => {
                    // Closing the window by its frame is told as an error of the sink.
                    if error.error().matches(gst::ResourceError::NotFound) {
                        break;
                    }
                    anyhow::bail!("the window: {} (is there a display?)", error.error());
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let _ended = self.pipeline.set_state(gst::State::Null);
    }
}

/// Keys travel upstream as navigation events; `element` is one whose output pad they come to.
pub(super) fn listen_to_keys(element: &impl IsA<gst::Element>, pipeline: &gst::Pipeline) -> anyhow::Result<()> {
    let pad = element.static_pad("src").context("a source without a pad")?;
    let pipeline = pipeline.downgrade();
    pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
        if let Some(gst::EventView::Navigation(event)) = info.event().map(|event| event.view())
            && let Ok(NavigationEvent::KeyPress { key, .. }) = NavigationEvent::parse(event)
            && matches!(key.as_str(), "q" | "Q" | "Escape")
            && let Some(pipeline) = pipeline.upgrade()
        {
            let close = gst::message::Application::builder(gst::Structure::new_empty(CLOSE)).build();
            // The pipeline ends: nobody needs to be told any more.
            let _posted = pipeline.post_message(close);
        }
        gst::PadProbeReturn::Ok
    });
    Ok(())
}

/// The picture with rows as GStreamer wants them.
fn packed(picture: &RgbImage, info: &gst_video::VideoInfo) -> anyhow::Result<gst::Buffer> {
    let mut buffer = gst::Buffer::with_size(info.size())?;
    let stride = usize::try_from(info.stride()[0])?;
    let row_bytes = picture.width() as usize * 3;
    {
        let mut map = buffer.get_mut().context("the buffer is shared")?.map_writable()?;
        for (target, row) in map.chunks_mut(stride).zip(picture.as_raw().chunks(row_bytes)) {
            target[..row_bytes].copy_from_slice(row);
        }
    }
    Ok(buffer)
}
