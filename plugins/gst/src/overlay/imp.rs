//! GObject glue of `maskoverlay`.

use std::sync::LazyLock;

use gst::{glib, prelude::*, subclass::prelude::*};
use gst_base::{prelude::*, subclass::prelude::*};
use gst_video::{VideoFormat, prelude::*, subclass::prelude::*};
use tracing_mutex::parking_lot::Mutex;

use super::painter::{Caption, Painter, clock_now};
use crate::{areas, meta::FaceMeta};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("maskoverlay", gst::DebugColorFlags::empty(), Some("Maskwatch: draws faces"))
});

/// What the user sets.
#[derive(Clone, Debug)]
struct Settings {
    camera: String,
    status: String,
    areas: String,
    clock: bool,
    enabled: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { camera: String::new(), status: String::new(), areas: String::new(), clock: true, enabled: true }
    }
}

/// The element's own part.
#[derive(Debug, Default)]
pub struct MaskOverlay {
    settings: Mutex<Settings>,
    painter: Mutex<Painter>,
}

#[glib::object_subclass]
impl ObjectSubclass for MaskOverlay {
    const NAME: &'static str = "MaskwatchOverlay";
    type Type = super::MaskOverlay;
    type ParentType = gst_video::VideoFilter;
}

impl ObjectImpl for MaskOverlay {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let default = Settings::default();
            vec![
                glib::ParamSpecString::builder("camera")
                    .nick("Camera")
                    .blurb("Name in the caption; empty: none")
                    .default_value(Some(default.camera.as_str()))
                    .mutable_playing()
                    .build(),
                glib::ParamSpecString::builder("status")
                    .nick("Status")
                    .blurb("Second line of the caption; empty: none")
                    .default_value(Some(default.status.as_str()))
                    .mutable_playing()
                    .build(),
                glib::ParamSpecString::builder("areas")
                    .nick("Areas")
                    .blurb("Zones, lines and ignore masks to draw, as JSON; empty: none")
                    .default_value(Some(default.areas.as_str()))
                    .mutable_playing()
                    .build(),
                glib::ParamSpecBoolean::builder("clock")
                    .nick("Clock")
                    .blurb("Show the time of day in the caption")
                    .default_value(default.clock)
                    .mutable_playing()
                    .build(),
                glib::ParamSpecBoolean::builder("enabled")
                    .nick("Enabled")
                    .blurb("Draw; if not, frames pass untouched")
                    .default_value(default.enabled)
                    .mutable_playing()
                    .build(),
            ]
        });
        PROPERTIES.as_ref()
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        let mut settings = self.settings.lock();
        match pspec.name() {
            "camera" => settings.camera = value.get::<Option<String>>().ok().flatten().unwrap_or_default(),
            "status" => settings.status = value.get::<Option<String>>().ok().flatten().unwrap_or_default(),
            "areas" => {
                settings.areas = value.get::<Option<String>>().ok().flatten().unwrap_or_default();
                let parsed = areas::parse(&settings.areas);
                drop(settings);
                match parsed {
                    Ok(areas) => self.painter.lock().set_areas(areas),
                    Err(error) => gst::error!(CAT, imp = self, "{error}"),
                }
            }
            "clock" => settings.clock = value.get().unwrap_or(settings.clock),
            "enabled" => {
                settings.enabled = value.get().unwrap_or(settings.enabled);
                let enabled = settings.enabled;
                drop(settings);
                self.obj().set_passthrough(!enabled);
            }
            other => gst::error!(CAT, imp = self, "no property {other}"),
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        let settings = self.settings.lock();
        match pspec.name() {
            "camera" => settings.camera.to_value(),
            "status" => settings.status.to_value(),
            "areas" => settings.areas.to_value(),
            "clock" => settings.clock.to_value(),
            _ => settings.enabled.to_value(),
        }
    }
}

impl GstObjectImpl for MaskOverlay {}

impl ElementImpl for MaskOverlay {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Face mask overlay",
                "Filter/Effect/Video",
                "Draws boxes and labels of the faces that maskinfer found, and a caption",
                "Maskwatch",
            )
        });
        Some(&*METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let caps = gst_video::VideoCapsBuilder::new()
                .format_list([VideoFormat::I420, VideoFormat::Nv12, VideoFormat::Rgb, VideoFormat::Bgrx])
                .build();
            let template = |name, direction| gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps);
            [template("sink", gst::PadDirection::Sink), template("src", gst::PadDirection::Src)]
                .into_iter()
                .filter_map(Result::ok)
                .collect()
        });
        TEMPLATES.as_ref()
    }
}

impl BaseTransformImpl for MaskOverlay {
    const MODE: gst_base::subclass::BaseTransformMode = gst_base::subclass::BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;
}

impl VideoFilterImpl for MaskOverlay {
    fn transform_frame_ip(
        &self,
        frame: &mut gst_video::VideoFrameRef<&mut gst::BufferRef>,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let settings = self.settings.lock().clone();
        let faces = FaceMeta::get(frame.buffer()).map(|meta| meta.faces().to_vec()).unwrap_or_default();
        let clock = if settings.clock { clock_now() } else { String::new() };
        let caption = Caption { camera: &settings.camera, clock: &clock, status: &settings.status };
        let painted = self.painter.lock().paint(frame, &faces, &caption);
        painted.map_err(|error| {
            gst::element_imp_error!(self, gst::StreamError::Format, ("{error}"));
            gst::FlowError::NotNegotiated
        })?;
        Ok(gst::FlowSuccess::Ok)
    }
}
