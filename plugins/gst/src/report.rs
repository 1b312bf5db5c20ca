//! What the elements tell the application, as messages on the bus.
//!
//! `maskinfer` posts element messages whose structure is named `maskwatch-frame`, `maskwatch-person` or
//! `maskwatch-drop`. [`from_message`] turns one back into values.

use std::time::Duration;

use gst::{glib, prelude::*};
use maskwatch_vision::{
    face::{ClassifiedFace, FaceView},
    geometry::Rect,
    quality::{Exposure, FaceQuality},
    track::Person,
};

/// Name of the structure of an analysed frame.
pub const FRAME: &str = "maskwatch-frame";
/// Name of the structure of a person.
pub const PERSON: &str = "maskwatch-person";
/// Name of the structure of a frame that was due for analysis and was not analysed.
pub const DROP: &str = "maskwatch-drop";

/// One analysed frame.
#[derive(Clone, Debug, PartialEq, glib::Boxed)]
#[boxed_type(name = "MaskwatchFrameReport")]
pub struct FrameReport {
    /// The element's `camera`.
    pub camera: String,
    /// Running time of the frame.
    pub running_time: Option<gst::ClockTime>,
    /// Time stamp of the frame.
    pub pts: Option<gst::ClockTime>,
    /// Width of the picture in pixels.
    pub width: u32,
    /// Height of the picture in pixels.
    pub height: u32,
    /// From the frame's arrival at the element to its result.
    pub latency: Duration,
    /// The faces: tracks with their voted states, or with `track=false` the raw faces under track 0.
    pub faces: Vec<FaceView>,
    /// The faces of this frame alone, as found.
    pub raw: Vec<ClassifiedFace>,
    /// Boxes of everything that may be a face, to be hidden: those of at least `hide-score`. `None`: not asked for.
    pub hide: Option<Vec<Rect>>,
    /// The picture's light.
    pub exposure: Exposure,
    /// Size, light and sharpness of the faces, best detections first, at most sixteen.
    pub quality: Vec<FaceQuality>,
}

/// One person, told once.
#[derive(Clone, Debug, PartialEq, glib::Boxed)]
#[boxed_type(name = "MaskwatchPersonReport")]
pub struct PersonReport {
    /// The element's `camera`.
    pub camera: String,
    /// Who; times are running times of the frames.
    pub person: Person,
}

/// A frame that was due and was not analysed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropReport {
    /// The element's `camera`.
    pub camera: String,
    /// `superseded`, `flushed`, `stopped`, `failed` or `overload`.
    pub reason: String,
    /// What went wrong, with `failed`.
    pub error: Option<String>,
}

/// A decoded message.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// A frame was analysed.
    Frame(FrameReport),
    /// A person is decided.
    Person(PersonReport),
    /// A frame was not analysed.
    Drop(DropReport),
}

/// The report in a message; `None` for every other message.
pub fn from_message(message: &gst::MessageRef) -> Option<Report> {
    let gst::MessageView::Element(element) = message.view() else { return None };
    let structure = element.structure()?;
    match structure.name().as_str() {
        FRAME => structure.get("report").ok().map(Report::Frame),
        PERSON => structure.get("report").ok().map(Report::Person),
        DROP => Some(Report::Drop(DropReport {
            camera: structure.get("camera").ok()?,
            reason: structure.get("reason").ok()?,
            error: structure.get("error").ok(),
        })),
        _ => None,
    }
}

/// The message that carries `report`, from `source`.
pub(crate) fn to_message(source: &impl IsA<gst::Object>, report: Report) -> gst::Message {
    let structure = match report {
        Report::Frame(report) => gst::Structure::builder(FRAME).field("report", report).build(),
        Report::Person(report) => gst::Structure::builder(PERSON).field("report", report).build(),
        Report::Drop(DropReport { camera, reason, error }) => gst::Structure::builder(DROP)
            .field("camera", camera)
            .field("reason", reason)
            .field_if_some("error", error)
            .build(),
    };
    gst::message::Element::builder(structure).src(source).build()
}

#[cfg(test)]
mod tests {
    use maskwatch_vision::face::MaskState;

    use super::*;

    fn back_and_forth(report: Report) {
        gst::init().unwrap();
        let source = gst::Bin::new();
        let message = to_message(&source, report.clone());
        assert_eq!(message.src(), Some(source.upcast_ref()));
        assert_eq!(from_message(&message), Some(report));
    }

    #[test]
    fn reports_survive_the_bus() {
        back_and_forth(Report::Frame(FrameReport {
            camera: "gate".into(),
            running_time: Some(gst::ClockTime::from_seconds(2)),
            pts: None,
            width: 640,
            height: 480,
            latency: Duration::from_millis(31),
            faces: Vec::new(),
            raw: Vec::new(),
            hide: Some(vec![Rect::FULL]),
            exposure: Exposure { luma: 0.5, clipped: 0.1 },
            quality: vec![FaceQuality::default()],
        }));
        back_and_forth(Report::Person(PersonReport {
            camera: "gate".into(),
            person: Person {
                track: 4,
                state: MaskState::NoMask,
                confidence: 0.9,
                first_seen: Duration::from_secs(1),
                last_seen: Duration::from_secs(3),
                frames: 11,
                face_height_px: 80.0,
            },
        }));
        for error in [None, Some("no memory".to_owned())] {
            back_and_forth(Report::Drop(DropReport { camera: "gate".into(), reason: "failed".into(), error }));
        }
    }

    #[test]
    fn other_messages_are_not_reports() {
        gst::init().unwrap();
        assert_eq!(from_message(&gst::message::Eos::new()), None);
        let other = gst::message::Element::new(gst::Structure::new_empty("level"));
        assert_eq!(from_message(&other), None);
    }
}
