//! What the elements tell the application, as messages on the bus.
//!
//! `maskinfer` posts element messages whose structure is named `maskwatch-frame`, `maskwatch-person`,
//! `maskwatch-visit`, `maskwatch-verdict` or `maskwatch-drop`; `maskhide` those named `maskwatch-hidden`.
//! [`from_message`] turns one back into values.

use std::time::Duration;

use gst::{glib, prelude::*};
use maskwatch_vision::{
    face::{ClassifiedFace, FaceView, MaskState},
    privacy::{Suspects, Unknown},
    quality::FaceQuality,
    sight::Luma,
    track::Person,
    zone::{Areas, Direction, Place},
};

/// Name of the structure of an analysed frame.
pub const FRAME: &str = "maskwatch-frame";
/// Name of the structure of a person.
pub const PERSON: &str = "maskwatch-person";
/// Name of the structure of a further place of a person told earlier.
pub const VISIT: &str = "maskwatch-visit";
/// Name of the structure of a state known while the person is still in view.
pub const VERDICT: &str = "maskwatch-verdict";
/// Name of the structure of a picture that was hidden as a whole.
pub const HIDDEN: &str = "maskwatch-hidden";
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
    /// How bright the picture is; `None` where it could not be read.
    pub luma: Option<Luma>,
    /// The faces: tracks with their voted states, or with `track=false` the raw faces under track 0.
    pub faces: Vec<FaceView>,
    /// The faces of this frame alone, as found.
    pub raw: Vec<ClassifiedFace>,
    /// Where faces may be, to be hidden: boxes of at least `hide-score`. `None`: `hide` is not set.
    pub hide: Option<Suspects>,
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
    /// Names of the zones visited so far, each once.
    pub zones: Vec<String>,
    /// Lines crossed so far, each once per direction.
    pub crossings: Vec<LineCrossing>,
}

/// A way over a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineCrossing {
    /// The line's name.
    pub line: String,
    /// Which way.
    pub direction: Direction,
}

impl LineCrossing {
    /// [`Direction::over`] the line.
    pub fn label(&self) -> String {
        self.direction.over(&self.line)
    }
}

/// Where somebody was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visited {
    /// In the zone of this name.
    Zone(String),
    /// Over a line.
    Line(LineCrossing),
}

impl Visited {
    /// The zone's name, or [`LineCrossing::label`].
    pub fn label(&self) -> String {
        match self {
            Self::Zone(name) => name.clone(),
            Self::Line(crossing) => crossing.label(),
        }
    }

    /// A place of `areas` by name.
    pub fn of(areas: &Areas, place: Place) -> Self {
        let name = areas.name(place).to_owned();
        match place {
            Place::Zone(_) => Self::Zone(name),
            Place::Line(_, direction) => Self::Line(LineCrossing { line: name, direction }),
        }
    }
}

/// Somebody who was told as a person before is now counted in a further zone, or over a line. Told once per place.
#[derive(Clone, Debug, PartialEq, Eq, glib::Boxed)]
#[boxed_type(name = "MaskwatchVisitReport")]
pub struct VisitReport {
    /// The element's `camera`.
    pub camera: String,
    /// The track.
    pub track: u64,
    /// The state that the person was counted with.
    pub state: MaskState,
    /// Where.
    pub visited: Visited,
}

/// Somebody's state is known while they are still in view. Told at most once per track and state; for alerts: counts are
/// made of [`PersonReport`].
#[derive(Clone, Debug, PartialEq, glib::Boxed)]
#[boxed_type(name = "MaskwatchVerdictReport")]
pub struct VerdictReport {
    /// The element's `camera`.
    pub camera: String,
    /// Who, so far; times are running times of the frames.
    pub verdict: Person,
    /// Names of the zones that the face is in now.
    pub zones: Vec<String>,
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
    /// A person told before is counted at a further place.
    Visit(VisitReport),
    /// A state is known.
    Verdict(VerdictReport),
    /// A frame was not analysed.
    Drop(DropReport),
    /// A picture was hidden as a whole, for this reason.
    Hidden(Unknown),
}

/// The report in a message; `None` for every other message.
pub fn from_message(message: &gst::MessageRef) -> Option<Report> {
    let gst::MessageView::Element(element) = message.view() else { return None };
    let structure = element.structure()?;
    match structure.name().as_str() {
        FRAME => structure.get("report").ok().map(Report::Frame),
        PERSON => structure.get("report").ok().map(Report::Person),
        VISIT => structure.get("report").ok().map(Report::Visit),
        VERDICT => structure.get("report").ok().map(Report::Verdict),
        DROP => Some(Report::Drop(DropReport {
            camera: structure.get("camera").ok()?,
            reason: structure.get("reason").ok()?,
            error: structure.get("error").ok(),
        })),
        HIDDEN => {
            let reason: String = structure.get("reason").ok()?;
            Unknown::ALL.into_iter().find(|known| known.as_str() == reason).map(Report::Hidden)
        }
        _ => None,
    }
}

/// The message that carries `report`, from `source`.
pub(crate) fn to_message(source: &impl IsA<gst::Object>, report: Report) -> gst::Message {
    let structure = match report {
        Report::Frame(report) => gst::Structure::builder(FRAME).field("report", report).build(),
        Report::Person(report) => gst::Structure::builder(PERSON).field("report", report).build(),
        Report::Visit(report) => gst::Structure::builder(VISIT).field("report", report).build(),
        Report::Verdict(report) => gst::Structure::builder(VERDICT).field("report", report).build(),
        Report::Drop(DropReport { camera, reason, error }) => gst::Structure::builder(DROP)
            .field("camera", camera)
            .field("reason", reason)
            .field_if_some("error", error)
            .build(),
        Report::Hidden(reason) => gst::Structure::builder(HIDDEN).field("reason", reason.as_str()).build(),
    };
    gst::message::Element::builder(structure).src(source).build()
}

#[cfg(test)]
mod tests {
    use maskwatch_vision::geometry::Rect;

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
            luma: Some(Luma { mean: 100.0, contrast: 40.0 }),
            faces: Vec::new(),
            raw: Vec::new(),
            hide: Some(Suspects::Within(vec![Rect::FULL])),
            quality: vec![FaceQuality::default()],
        }));
        let person = Person {
            track: 4,
            state: MaskState::NoMask,
            confidence: 0.9,
            first_seen: Duration::from_secs(1),
            last_seen: Duration::from_secs(3),
            frames: 11,
            face_height_px: 80.0,
        };
        let (camera, zones) = ("gate".to_owned(), vec!["hall".to_owned()]);
        let crossing = LineCrossing { line: "door".into(), direction: Direction::Backward };
        let crossings = vec![crossing.clone()];
        back_and_forth(Report::Person(PersonReport {
            camera: camera.clone(),
            person,
            zones: zones.clone(),
            crossings,
        }));
        let visited = Visited::Line(crossing);
        back_and_forth(Report::Visit(VisitReport { camera: camera.clone(), track: 4, state: person.state, visited }));
        back_and_forth(Report::Verdict(VerdictReport { camera, verdict: person, zones }));
        for error in [None, Some("no memory".to_owned())] {
            back_and_forth(Report::Drop(DropReport { camera: "gate".into(), reason: "failed".into(), error }));
        }
        Unknown::ALL.into_iter().for_each(|reason| back_and_forth(Report::Hidden(reason)));
    }

    #[test]
    fn other_messages_are_not_reports() {
        gst::init().unwrap();
        assert_eq!(from_message(&gst::message::Eos::new()), None);
        let other = gst::message::Element::new(gst::Structure::new_empty("level"));
        assert_eq!(from_message(&other), None);
    }
}
