//! GObject glue of `maskhide`.

use std::{sync::LazyLock, time::Duration};

use gst::{glib, prelude::*, subclass::prelude::*};
use gst_base::subclass::{base_transform::GenerateOutputSuccess, prelude::*};
use gst_video::VideoFormat;
use maskwatch_vision::privacy::{Cover, Film, PrivacyConfig};
use tracing_mutex::parking_lot::{Mutex, MutexGuard};

use super::pixels;
use crate::{
    meta::FaceMeta,
    report::{self, Report},
};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("maskhide", gst::DebugColorFlags::empty(), Some("Maskwatch: hides faces"))
});

/// What is known of the stream.
struct State {
    film: Film<gst::Buffer>,
    info: Option<gst_video::VideoInfo>,
    segment: Option<gst::FormattedSegment<gst::ClockTime>>,
}

impl Default for State {
    fn default() -> Self {
        Self { film: Film::new(PrivacyConfig::for_file()), info: None, segment: None }
    }
}

/// The element's own part.
#[derive(Default)]
pub struct MaskHide {
    state: Mutex<State>,
}

#[glib::object_subclass]
impl ObjectSubclass for MaskHide {
    const NAME: &'static str = "MaskwatchHide";
    type Type = super::MaskHide;
    type ParentType = gst_base::BaseTransform;
}

impl ObjectImpl for MaskHide {}

impl GstObjectImpl for MaskHide {}

impl ElementImpl for MaskHide {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Face hiding",
                "Filter/Effect/Video",
                "Makes the faces that maskinfer found unrecognisable",
                "Maskwatch",
            )
        });
        Some(&*METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let formats = [VideoFormat::I420, VideoFormat::Nv12, VideoFormat::Rgb, VideoFormat::Bgrx];
            let caps = gst_video::VideoCapsBuilder::new().format_list(formats).build();
            let template = |name, direction| gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps);
            [template("sink", gst::PadDirection::Sink), template("src", gst::PadDirection::Src)]
                .into_iter()
                .filter_map(Result::ok)
                .collect()
        });
        TEMPLATES.as_ref()
    }
}

impl BaseTransformImpl for MaskHide {
    const MODE: gst_base::subclass::BaseTransformMode = gst_base::subclass::BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        let state = std::mem::take(&mut *self.lock());
        drop(state);
        Ok(())
    }

    fn set_caps(&self, incaps: &gst::Caps, _outcaps: &gst::Caps) -> Result<(), gst::LoggableError> {
        let info = gst_video::VideoInfo::from_caps(incaps)
            .map_err(|error| gst::loggable_error!(CAT, "caps {incaps} are no video: {error}"))?;
        self.lock().info = Some(info);
        Ok(())
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        match event.view() {
            gst::EventView::Caps(_) | gst::EventView::Eos(_) => self.drain(),
            gst::EventView::Segment(segment) => {
                self.drain();
                self.lock().segment = segment.segment().downcast_ref::<gst::ClockTime>().cloned();
            }
            gst::EventView::FlushStop(_) => {
                let film = std::mem::replace(&mut self.lock().film, Film::new(PrivacyConfig::for_file()));
                drop(film);
            }
            gst::EventView::Tag(_) => return true,
            _ => (),
        }
        self.parent_sink_event(event)
    }

    fn submit_input_buffer(&self, _discont: bool, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let mut state = self.lock();
        let running = |segment: &gst::FormattedSegment<gst::ClockTime>| segment.to_running_time(buffer.pts());
        let time = state.segment.as_ref().and_then(running).map(Duration::from);
        let suspects = FaceMeta::get(&buffer).and_then(|meta| meta.hide().cloned());
        state.film.push(time, buffer, suspects.as_ref());
        Ok(gst::FlowSuccess::Ok)
    }

    /// Called after each picture until nothing more may go.
    fn generate_output(&self) -> Result<GenerateOutputSuccess, gst::FlowError> {
        Ok(self.next()?.map_or(GenerateOutputSuccess::NoOutput, GenerateOutputSuccess::Buffer))
    }
}

impl MaskHide {
    /// A value whose holder panicked is still whole: every writer leaves it so at each step.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// The next picture that may go, its faces hidden.
    fn next(&self) -> Result<Option<gst::Buffer>, gst::FlowError> {
        let mut state = self.lock();
        let Some((buffer, cover)) = state.film.take() else { return Ok(None) };
        let info = state.info.clone();
        drop(state);
        if cover == Cover::Parts(Vec::new()) {
            return Ok(Some(buffer));
        }
        if let Cover::Whole(reason) = cover {
            let _no_bus = self.obj().post_message(report::to_message(&*self.obj(), Report::Hidden(reason)));
        }
        let info = info.ok_or(gst::FlowError::NotNegotiated)?;
        let hidden = pixels::buffer(&buffer, &info, &cover).map_err(|error| {
            gst::element_imp_error!(self, gst::StreamError::Format, ("a picture is not shown: {error}"));
            gst::FlowError::Error
        })?;
        Ok(Some(hidden))
    }

    /// Passes on all that waits.
    fn drain(&self) {
        self.lock().film.end();
        let Some(pad) = self.obj().static_pad("src") else { return };
        while let Ok(Some(buffer)) = self.next() {
            if let Err(error) = pad.push(buffer) {
                gst::debug!(CAT, imp = self, "the last pictures are not wanted: {error}");
                return;
            }
        }
    }
}
