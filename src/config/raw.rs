//! The configuration file as it is written. Every key may be left out unless its description says otherwise; the
//! descriptions here are those of the JSON Schema.
//!
//! Value ranges are checked by `validate`, which knows what to say about them.

mod compliance;
mod events;
mod network;
mod statistics;
mod zones;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de;
use serde::{Deserialize, Deserializer};

use super::de::VALUE;
use super::secret::Secret;

pub use compliance::RawCompliance;
pub use events::{RawComplianceAlert, RawEvents, RawHistory, RawSink, RawSinkKind, RawSpool};
pub use network::RawNetwork;
pub use statistics::RawStatistics;
pub use zones::RawZone;

/// Configuration of `maskwatch run`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(
    title = "Maskwatch configuration",
    extend("patternProperties" = { "^x-": true }),
    extend("anyOf" = [
        { "required": ["cameras"], "properties": { "cameras": { "minItems": 1 } } },
        { "required": ["include"] },
    ])
)]
pub struct RawConfig {
    /// Web page, API and `/metrics`. Default address: 127.0.0.1:8080
    pub http: RawHttp,
    /// Annotated streams. Default address: 127.0.0.1:8554
    pub rtsp: RawListen,
    /// What the API may connect to
    pub network: RawNetwork,
    /// Allow servers that listen beyond this machine without a password. Default: false
    pub insecure: bool,
    /// File of users and tokens, made by `maskwatch user add`; relative to the configuration file. Default: none
    pub users_file: Option<PathBuf>,
    /// Folder for what outlives a restart: the people counted, events that wait. Relative to the configuration file; default: what
    /// systemd gives (STATE_DIRECTORY), else `state` beside the configuration file
    pub state_dir: Option<PathBuf>,
    /// Models and batching
    pub inference: RawInference,
    /// For cameras with `privacy: statistics`
    pub statistics: RawStatistics,
    /// Shares of people with a mask
    pub compliance: RawCompliance,
    /// Keys of every camera that does not set them itself: any key of a camera but `name` and `url`
    #[schemars(schema_with = "defaults_schema")]
    pub defaults: RawCamera,
    /// The cameras; needed, here or in included files
    #[schemars(schema_with = "cameras_schema")]
    pub cameras: Vec<RawCamera>,
    /// Files with further cameras, relative to this file, such as `cameras.d/*.yaml`: each holds one camera, or `cameras` with a list
    /// of them
    pub include: Option<String>,
    /// Events: what is told, and where to
    pub events: RawEvents,
}

/// The HTTP server.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Http")]
pub struct RawHttp {
    /// Address and port, such as `127.0.0.1:8080`, `[::1]:8080` or `0.0.0.0:8080`; port 0 takes a free one
    pub listen: Option<Listen>,
    /// Who may come in, as an operator; with `password` or `password_file`. Default: everybody who reaches the address
    pub username: Option<String>,
    /// Password; better as ${VARIABLE}
    pub password: Option<RawSecret>,
    /// File that holds the password, relative to the configuration file
    pub password_file: Option<PathBuf>,
    /// Names of this machine, as browsers call it; needed where there is no login, besides addresses and `localhost`
    pub hosts: Option<Vec<String>>,
    /// Certificate and key, for https. Default: nothing is encrypted
    pub tls: Option<RawTls>,
}

/// Certificate and key of a server; looked at again when the files change.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Tls")]
pub struct RawTls {
    /// PEM file with the certificate and those that lead to a known authority, relative to the configuration file. Needed
    pub cert: Option<PathBuf>,
    /// PEM file with the private key, without a password. Needed
    pub key: Option<PathBuf>,
}

/// The RTSP server.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Listen")]
pub struct RawListen {
    /// Address and port, such as `127.0.0.1:8080`, `[::1]:8080` or `0.0.0.0:8080`; port 0 takes a free one
    pub listen: Option<Listen>,
    /// Who may come in, besides the users of `users_file`; with `password` or `password_file`. Default: everybody who
    /// reaches the address, where there is no `users_file`
    pub username: Option<String>,
    /// Password; better as ${VARIABLE}
    pub password: Option<RawSecret>,
    /// File that holds the password, relative to the configuration file
    pub password_file: Option<PathBuf>,
    /// Certificate and key, for rtsps. Default: nothing is encrypted
    pub tls: Option<RawTls>,
}

/// Models and batching.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Inference")]
pub struct RawInference {
    /// Where the networks run; auto takes the best that loads. Default: auto
    pub provider: Option<RawProvider>,
    /// ONNX Runtime's library; default: found (environment variable ORT_DYLIB_PATH, what `make setup` fetched, the
    /// system's)
    pub library: Option<PathBuf>,
    /// Folder that holds the models, relative to the configuration file; default: found beside the program
    pub models_dir: Option<PathBuf>,
    /// Detector: a folder under the models' folder, or the path of a model folder or manifest
    pub detector: Option<String>,
    /// Classifier, likewise; none: the detector's own states serve
    pub classifier: Option<String>,
    /// Most frames in one run of the detector, 1 to 64. Default: 16
    pub max_batch: Option<u32>,
    /// Has no effect any more: a frame waits only while the detector is busy
    #[schemars(extend("deprecated" = true))]
    pub max_wait: Option<RawDuration>,
    /// Threads of one run on the CPU, up to 256; 0: all cores. Default: 0
    pub threads: Option<u32>,
}

/// A camera.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Camera")]
pub struct RawCamera {
    /// Unique; lower-case letters, digits and `-`. The path of the annotated stream and the label of the metrics. Needed
    #[schemars(regex(pattern = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"))]
    pub name: Option<String>,
    /// rtsp://, rtsps://, http:// or https:// (MJPEG), file:/// (endless) or v4l2:///dev/video0, without user name and
    /// password. Needed
    #[schemars(regex(pattern = r"^(rtsp|rtsps|http|https|file|v4l2)://"))]
    pub url: Option<String>,
    /// For the camera's login
    pub username: Option<String>,
    /// For the camera's login; better as ${VARIABLE}
    pub password: Option<RawSecret>,
    /// File that holds the password, relative to the configuration file
    pub password_file: Option<PathBuf>,
    /// How RTSP media travels; auto: UDP, then TCP where nothing arrives. Default: tcp
    pub transport: Option<RawTransport>,
    /// By UDP: how long a missing packet is waited for, up to 10s. Default: 200ms
    pub latency: Option<RawDuration>,
    /// No decoded frame for so long: the camera counts as down and is connected to again; 500ms to 10m. Default: 2500ms
    pub timeout: Option<RawDuration>,
    /// Accept a server certificate that does not verify (rtsps, https). Default: false
    pub insecure_tls: Option<bool>,
    /// Frames analysed per second at most, up to 120; 0: every frame. Default: 5
    pub analyze_fps: Option<f64>,
    /// Share of the detector, relative to other cameras, when it is short; 1 to 100. Default: 1
    pub weight: Option<u32>,
    /// Faces under this score are left out, 0 to 1. Default: the model's own threshold
    pub min_score: Option<f64>,
    /// Faces lower than so many pixels are not looked at, 0 to 1000. Default: 0
    pub min_face_px: Option<u32>,
    /// What of its pictures may be seen: off (all), blur (no face) or statistics (no picture, only totals). Default: off
    pub privacy: Option<RawPrivacy>,
    /// Free labels, at most 16, for the API and events
    pub labels: BTreeMap<String, String>,
    /// Zones in which people are counted, lines that they cross, and zones to be ignored; at most 32
    pub zones: Option<Vec<RawZone>>,
    /// The annotated stream
    pub output: RawOutput,
}

/// The annotated stream of one camera.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Output")]
pub struct RawOutput {
    /// Target bit rate, 50 to 100000. Default: 2000
    pub bitrate_kbps: Option<u32>,
    /// Frames per second at most, 1 to 120. Default: as the camera sends
    pub max_fps: Option<u32>,
    /// Draw the camera's zones and lines, here and on snapshots. Default: false
    pub zones: Option<bool>,
}

/// Execution provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Provider")]
#[allow(missing_docs)]
pub enum RawProvider {
    Auto,
    Cpu,
    Openvino,
    Cuda,
    Tensorrt,
}

/// How RTSP media travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Transport")]
#[allow(missing_docs)]
pub enum RawTransport {
    Tcp,
    Udp,
    Auto,
}

/// What may be seen of faces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Privacy")]
#[allow(missing_docs)]
pub enum RawPrivacy {
    Off,
    Blur,
    Statistics,
}

/// A password or a key; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawSecret(pub Secret);

impl<'de> Deserialize<'de> for RawSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename = "Secret")]
        struct Text(String);

        let Text(text) = Text::deserialize(deserializer)?;
        Secret::read(&text).map(Self).map_err(|problem| de::Error::custom(format_args!("{problem} (write one line)")))
    }
}

impl JsonSchema for RawSecret {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1 })
    }
}

/// A duration with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawDuration(pub Duration);

impl<'de> Deserialize<'de> for RawDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text).map(Self).map_err(|_| {
            de::Error::custom(format_args!(
                "{VALUE} is no duration (write a number with its unit, such as 20ms, 2s or 5m)"
            ))
        })
    }
}

impl JsonSchema for RawDuration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A duration: a number with its unit, such as 20ms, 2s or 5m",
            "pattern": "^[0-9]+ ?[a-z]+( ?[0-9]+ ?[a-z]+)*$",
        })
    }
}

/// An address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen(pub SocketAddr);

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let named = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
        named.as_ref().unwrap_or(&text).parse().map(Self).map_err(|_| {
            de::Error::custom(format_args!(
                "{VALUE} is no address and port (write for example 127.0.0.1:8080, or 0.0.0.0:8080 for every network)"
            ))
        })
    }
}

impl JsonSchema for Listen {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Address".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "IP address and port, such as 127.0.0.1:8080, [::1]:8080 or 0.0.0.0:8080",
            "pattern": "^.+:[0-9]{1,5}$",
        })
    }
}

fn cameras_schema(generator: &mut SchemaGenerator) -> Schema {
    let camera = generator.subschema_for::<RawCamera>();
    json_schema!({ "type": "array", "items": { "allOf": [camera], "required": ["name", "url"] } })
}

fn defaults_schema(generator: &mut SchemaGenerator) -> Schema {
    let camera = generator.subschema_for::<RawCamera>();
    json_schema!({ "allOf": [camera], "properties": { "name": false, "url": false } })
}
