//! What is told: one JSON object per event, the same for every sink.
//!
//! The form is versioned by `schema`. Keys may be added within a version; a key that changes its meaning or goes makes a
//! new one. There is never a picture in an event.

use std::collections::BTreeMap;
use std::time::SystemTime;

use maskwatch_vision::compliance::Counts;
use maskwatch_vision::face::MaskState;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Version of the events' form.
pub const SCHEMA: u32 = 1;

/// An event of Maskwatch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Maskwatch event")]
pub struct Event {
    /// Version of this form: 1
    #[schemars(extend("const" = SCHEMA))]
    pub schema: u32,
    /// A UUID of version 7: unique, rising with time, and the same when the event is delivered again
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub id: Uuid,
    /// When it happened: RFC 3339 in UTC, milliseconds
    #[serde(with = "rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub time: SystemTime,
    /// Name of the camera
    pub camera: String,
    /// The camera's labels, as configured
    pub labels: BTreeMap<String, String>,
    /// What happened.
    #[serde(flatten)]
    pub body: Body,
}

/// What happened, by `type`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Body {
    /// Somebody without a mask
    #[serde(rename = "person.no_mask")]
    NoMask(PersonFacts),
    /// Somebody whose mask leaves nose or mouth free
    #[serde(rename = "person.incorrect")]
    Incorrect(PersonFacts),
    /// The share of people with a mask has been under the target for the configured time
    #[serde(rename = "compliance.low")]
    ComplianceLow(ComplianceFacts),
    /// It has reached the target again for that time
    #[serde(rename = "compliance.recovered")]
    ComplianceRecovered(ComplianceFacts),
    /// Pictures come
    #[serde(rename = "camera.up")]
    CameraUp,
    /// The connection ended, or none comes about
    #[serde(rename = "camera.down")]
    CameraDown(FailureFacts),
    /// The camera is connected and sends no pictures
    #[serde(rename = "camera.frozen")]
    CameraFrozen(FailureFacts),
    /// Too little of what the camera sends, or says that it sends, comes out decoded
    #[serde(rename = "camera.degraded")]
    CameraDegraded(DegradedFacts),
    /// Enough does again
    #[serde(rename = "camera.restored")]
    CameraRestored,
    /// The pictures show nothing: the lens is covered, dazzled or painted, or there is no light
    #[serde(rename = "camera.blinded")]
    CameraBlinded(SightFacts),
    /// The pictures show something again
    #[serde(rename = "camera.cleared")]
    CameraCleared,
}

impl Body {
    /// All values of `type`.
    pub const KINDS: [&str; 11] = [
        "person.no_mask",
        "person.incorrect",
        "compliance.low",
        "compliance.recovered",
        "camera.up",
        "camera.down",
        "camera.frozen",
        "camera.degraded",
        "camera.restored",
        "camera.blinded",
        "camera.cleared",
    ];

    /// The value of `type`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NoMask(_) => "person.no_mask",
            Self::Incorrect(_) => "person.incorrect",
            Self::ComplianceLow(_) => "compliance.low",
            Self::ComplianceRecovered(_) => "compliance.recovered",
            Self::CameraUp => "camera.up",
            Self::CameraDown(_) => "camera.down",
            Self::CameraFrozen(_) => "camera.frozen",
            Self::CameraDegraded(_) => "camera.degraded",
            Self::CameraRestored => "camera.restored",
            Self::CameraBlinded(_) => "camera.blinded",
            Self::CameraCleared => "camera.cleared",
        }
    }
}

/// A decided person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PersonFacts {
    /// The person's state, a vote over several frames
    #[schemars(schema_with = "state_schema")]
    pub state: MaskState,
    /// Confidence of the state, 0 to 1
    #[schemars(range(min = 0.0, max = 1.0))]
    pub confidence: f32,
    /// Names of the zones that the person is in; empty outside of all
    pub zones: Vec<String>,
    /// Number of the track on its camera. No identity: whoever leaves and comes back has another, and numbers begin
    /// anew with each connection
    pub track: u64,
    /// Greatest height of the face so far, in pixels of the camera's picture
    pub face_height_px: f32,
    /// People of this type in these zones since the last event of them, not told because of `person_every`
    pub suppressed: u64,
}

/// The figure behind a compliance event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComplianceFacts {
    /// Name of the zone whose people these are; empty: those of the whole picture
    #[serde(default)]
    pub zone: String,
    /// People with a mask among those with a known state, in the sliding window
    pub ratio: f64,
    /// The configured target
    pub target: f64,
    /// Seconds that the ratio has been on this side of the target
    pub for_s: u64,
    /// People in the window by state
    #[schemars(schema_with = "counts_schema")]
    pub people: Counts,
}

/// Why a camera gives no pictures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailureFacts {
    /// The label of `maskwatch_camera_disconnects_total`
    pub reason: String,
    /// What happened, without credentials
    pub cause: String,
    /// What to look at
    pub hint: String,
}

/// Why a camera gives too few pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DegradedFacts {
    /// The label of `maskwatch_camera_degraded`
    pub reason: String,
    /// What is the matter, and what to do about it
    pub message: String,
    /// Decoded pictures, of those that arrived or were announced in the last ten seconds, whichever is more
    #[schemars(range(min = 0.0, max = 1.0))]
    pub ratio: f64,
}

/// What a blinded camera's pictures look like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SightFacts {
    /// dark, bright or flat
    pub picture: String,
    /// Mean brightness, 0 to 255
    pub luma: f32,
    /// Spread of brightness between parts of the picture
    pub contrast: f32,
}

fn state_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ["incorrect", "no_mask"] })
}

fn counts_schema(_: &mut SchemaGenerator) -> Schema {
    let count = serde_json::json!({ "type": "integer", "minimum": 0 });
    json_schema!({
        "type": "object",
        "properties": { "mask": count, "incorrect": count, "no_mask": count, "unknown": count },
        "required": ["mask", "incorrect", "no_mask", "unknown"],
    })
}

/// The JSON Schema of an event (draft 2020-12), as pretty JSON with a final line break.
///
/// # Errors
/// Where JSON cannot be written: never in practice.
pub fn schema() -> Result<String, serde_json::Error> {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Event>();
    Ok(serde_json::to_string_pretty(&schema)? + "\n")
}

mod rfc3339 {
    //! Times as text.

    use std::time::SystemTime;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_rfc3339_millis(*time))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SystemTime, D::Error> {
        humantime::parse_rfc3339(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// One event of each type.
    fn all() -> Vec<Event> {
        let person = |state| PersonFacts {
            state,
            confidence: 0.93,
            zones: vec!["door".into()],
            track: 7,
            face_height_px: 41.5,
            suppressed: 3,
        };
        let people = Counts { mask: 15, incorrect: 2, no_mask: 3, unknown: 4 };
        let figure = ComplianceFacts { zone: "door".into(), ratio: 0.75, target: 0.9, for_s: 300, people };
        let failure =
            FailureFacts { reason: "refused".into(), cause: "nobody listens".into(), hint: "is it on?".into() };
        let bodies = [
            Body::NoMask(person(MaskState::NoMask)),
            Body::Incorrect(person(MaskState::Incorrect)),
            Body::ComplianceLow(figure.clone()),
            Body::ComplianceRecovered(figure),
            Body::CameraUp,
            Body::CameraDown(failure.clone()),
            Body::CameraFrozen(failure),
            Body::CameraDegraded(DegradedFacts { reason: "loss".into(), message: "63 %".into(), ratio: 0.63 }),
            Body::CameraRestored,
            Body::CameraBlinded(SightFacts { picture: "dark".into(), luma: 3.0, contrast: 0.5 }),
            Body::CameraCleared,
        ];
        let event = |body| Event {
            schema: SCHEMA,
            id: Uuid::now_v7(),
            time: SystemTime::UNIX_EPOCH + Duration::from_millis(1_764_097_200_123),
            camera: "north-gate".into(),
            labels: BTreeMap::from([("site".into(), "mall-a".into())]),
            body,
        };
        bodies.into_iter().map(event).collect()
    }

    #[test]
    fn every_event_fits_the_schema_and_is_read_back() {
        let schema: serde_json::Value = serde_json::from_str(&schema().unwrap()).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        assert_eq!(all().iter().map(|event| event.body.kind()).collect::<Vec<_>>(), Body::KINDS);
        for event in all() {
            let json = serde_json::to_value(&event).unwrap();
            let errors: Vec<_> = validator.iter_errors(&json).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{json}: {errors:?}");
            assert_eq!(json["type"], event.body.kind());
            assert_eq!(serde_json::from_value::<Event>(json.clone()).unwrap(), event);
            for key in ["id", "time", "type", "camera"] {
                let mut without = json.clone();
                without.as_object_mut().unwrap().remove(key);
                assert!(!validator.is_valid(&without), "without {key}");
            }
        }
    }

    #[test]
    fn a_compliance_event_from_before_there_were_zones_is_of_the_whole_picture() {
        let mut json = serde_json::to_value(&all()[2]).unwrap();
        assert_eq!(json.as_object_mut().unwrap().remove("zone"), Some("door".into()));
        let schema: serde_json::Value = serde_json::from_str(&schema().unwrap()).unwrap();
        assert!(jsonschema::validator_for(&schema).unwrap().is_valid(&json));
        let Body::ComplianceLow(facts) = serde_json::from_value::<Event>(json).unwrap().body else { panic!() };
        assert_eq!(facts.zone, "");
    }

    #[test]
    fn the_form_is_flat_and_times_are_utc() {
        let json = serde_json::to_value(&all()[0]).unwrap();
        assert_eq!((json["schema"].as_u64(), json["time"].as_str()), (Some(1), Some("2025-11-25T19:00:00.123Z")));
        assert_eq!((json["state"].as_str(), json["suppressed"].as_u64()), (Some("no_mask"), Some(3)));
        assert_eq!(json["zones"], serde_json::json!(["door"]));
    }
}
