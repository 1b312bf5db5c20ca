//! The section `events` as it is written.

use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::{RawDuration, RawSecret};

/// Events: what is told, and where to.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Events")]
pub struct RawEvents {
    /// Least time between two events about people of one kind (no mask, badly worn mask), per camera and zone; those in
    /// between are counted in the next one; up to 24h. Default: 30s
    pub person_every: Option<RawDuration>,
    /// When compliance counts as low
    pub compliance: RawComplianceAlert,
    /// Where events go, at most 16
    #[schemars(schema_with = "sinks_schema")]
    pub sinks: Vec<RawSink>,
    /// What waits for sinks that cannot be reached
    pub spool: RawSpool,
    /// Past events, for /api/v1/events with `from` and `to`
    pub history: RawHistory,
}

/// When compliance counts as low.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "ComplianceAlert")]
pub struct RawComplianceAlert {
    /// Share of people with a mask to be reached, above 0 to 1. Default: no event about compliance
    pub target: Option<f64>,
    /// The share has to stay under the target (or reach it again) for so long, up to 24h. Default: 5m
    #[serde(rename = "for")]
    pub hold: Option<RawDuration>,
    /// Fewest people with a known state in the window, 1 to 1000000. Default: 20
    pub minimum: Option<u32>,
}

/// The spool.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Spool")]
pub struct RawSpool {
    /// Most undelivered events kept, in MiB, 1 to 65536; the oldest give way. Default: 64
    pub max_mb: Option<u32>,
}

/// Past events.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "EventHistory")]
pub struct RawHistory {
    /// How long events are kept, 1h to 366d. Default: 14d
    pub keep: Option<RawDuration>,
    /// Most events kept, 100 to 10000000; the oldest give way. Default: 100000
    pub max_events: Option<u32>,
}

/// One place that events go to.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Sink")]
pub struct RawSink {
    /// Unique; lower-case letters, digits and `-`. The label of the metrics, and the mark of what is delivered already.
    /// Needed
    #[schemars(regex(pattern = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"))]
    pub name: Option<String>,
    /// jsonl (a file), webhook, mqtt or nats. Needed
    #[serde(rename = "type")]
    pub kind: Option<RawSinkKind>,
    /// jsonl: the file, relative to the configuration file. Needed there
    pub path: Option<PathBuf>,
    /// jsonl: size in MiB at which the file is renamed to `….1` and a new one begun, 1 to 65536. Default: 16
    pub rotate_mb: Option<u32>,
    /// jsonl: renamed files to keep, up to 100. Default: 5
    pub keep: Option<u32>,
    /// webhook: http:// or https://; mqtt: mqtt:// or mqtts://; nats: nats:// or tls://. Without user name and password.
    /// Needed there
    pub url: Option<String>,
    /// webhook: the key of the signature, better as ${VARIABLE}; `whsec_` and Base64, or any text. Default: no signature
    pub secret: Option<RawSecret>,
    /// webhook: file that holds the key, relative to the configuration file
    pub secret_file: Option<PathBuf>,
    /// webhook, mqtt, nats: longest wait for an answer, 100ms to 5m. Default: 5s
    pub timeout: Option<RawDuration>,
    /// webhook, mqtt, nats: file with certificates (PEM) to trust besides the system's
    pub ca_file: Option<PathBuf>,
    /// mqtt: the topic, with {camera} and {type}. Default: maskwatch/{camera}/{type}
    pub topic: Option<String>,
    /// nats: the JetStream stream; made if it is not there. Default: MASKWATCH
    pub stream: Option<String>,
    /// nats: the subject, with {camera} and {type}. Default: maskwatch.{camera}.{type}
    pub subject: Option<String>,
    /// mqtt, nats: the login; webhook: by HTTP's basic authentication
    pub username: Option<String>,
    /// mqtt, nats, webhook: better as ${VARIABLE}
    pub password: Option<RawSecret>,
    /// mqtt, nats, webhook: file that holds the password, relative to the configuration file
    pub password_file: Option<PathBuf>,
}

/// Kind of a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "SinkType")]
#[allow(missing_docs)]
pub enum RawSinkKind {
    Jsonl,
    Webhook,
    Mqtt,
    Nats,
}

fn sinks_schema(generator: &mut SchemaGenerator) -> Schema {
    let sink = generator.subschema_for::<RawSink>();
    json_schema!({ "type": "array", "maxItems": 16, "items": { "allOf": [sink], "required": ["name", "type"] } })
}
