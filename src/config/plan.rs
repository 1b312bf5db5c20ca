//! The resolved configuration: no option is missing, every value is checked. Code below `config` sees only this.

mod events;
mod network;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use maskwatch_engine::{EngineOptions, Provider};
use maskwatch_vision::statistics::StatisticsConfig;
use maskwatch_vision::zone::Areas;

pub use events::{
    ComplianceAlert, EventsPlan, HistoryPlan, JsonlPlan, MqttPlan, NatsPlan, Remote, SinkPlan, SinkTarget, SinkUrl,
    WebhookPlan,
};
pub use network::{NetworkPlan, Searched};

use super::secret::{CameraUrl, Secret};
use crate::reach::Reach;

/// Everything that `maskwatch run` needs to know.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Console, API and metrics.
    pub http: ListenPlan,
    /// Annotated streams.
    pub rtsp: ListenPlan,
    /// Users, tokens and names of this machine.
    pub access: AccessPlan,
    /// What the API may connect to.
    pub network: NetworkPlan,
    /// Folder for what outlives a restart; `None`: nothing is written to disk.
    pub state_dir: Option<PathBuf>,
    /// Models and batching.
    pub inference: InferencePlan,
    /// How people add up to shares.
    pub compliance: CompliancePlan,
    /// In the order of the file; names are unique.
    pub cameras: Vec<CameraPlan>,
    /// What is told to whom.
    pub events: EventsPlan,
    /// Which text this is: the first twelve digits of the SHA-256 of all files; empty for a plan that was not read from
    /// files.
    pub version: String,
    /// The pattern of included files.
    pub include: Option<String>,
    /// The included file that each camera of such a file is from.
    pub included: BTreeMap<String, PathBuf>,
}

/// One server.
#[derive(Clone, Debug, PartialEq)]
pub struct ListenPlan {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Who may come in; `None`: everybody that reaches the address.
    pub auth: Option<Credentials>,
    /// What is shown to clients; `None`: nothing is encrypted.
    pub tls: Option<TlsPlan>,
}

impl ListenPlan {
    /// Without TLS.
    pub fn plain(listen: SocketAddr, auth: Option<Credentials>) -> Self {
        Self { listen, auth, tls: None }
    }
}

/// A server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsPlan {
    /// PEM: the certificate, then those that lead to a known authority.
    pub cert: PathBuf,
    /// PEM: its private key.
    pub key: PathBuf,
}

/// Who may come in besides the logins of the servers themselves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AccessPlan {
    /// File of users and tokens; `None`: there are none.
    pub users_file: Option<PathBuf>,
    /// Names, in lower case, under which the HTTP server may be asked for where it has no login.
    pub hosts: Vec<String>,
}

/// A user name and a password.
#[derive(Clone, Debug, PartialEq)]
pub struct Credentials {
    /// Not secret.
    pub username: String,
    /// Never printed.
    pub password: Secret,
}

/// Models, provider and batching policy.
#[derive(Clone, Debug, PartialEq)]
pub struct InferencePlan {
    /// Execution provider asked for.
    pub provider: Provider,
    /// ONNX Runtime's library; `None`: searched for (see `maskwatch_engine::library`).
    pub library: Option<PathBuf>,
    /// Folder that holds the models.
    pub models_dir: PathBuf,
    /// Folder name of the detector.
    pub detector: String,
    /// Folder name of the classifier; `None`: the detector's own states serve.
    pub classifier: Option<String>,
    /// Most frames in one run of the detector.
    pub max_batch: usize,
    /// Threads of one run; 0: all cores.
    pub threads: usize,
}

impl Default for InferencePlan {
    /// What runs where nothing is configured.
    fn default() -> Self {
        let EngineOptions { provider, library, detector, classifier, max_batch, threads, .. } =
            EngineOptions::default();
        Self { provider, library, models_dir: find_models_dir(), detector, classifier, max_batch, threads }
    }
}

/// Windows over which shares of people are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompliancePlan {
    /// Length of the sliding window.
    pub window: Duration,
    /// Steps in which it moves on; whole seconds, no longer than the window.
    pub bucket: Duration,
    /// People with a known state below which no share is told.
    pub min_people: u64,
    /// How long people by hour are kept.
    pub history: Duration,
}

impl Default for CompliancePlan {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { window: seconds(3600), bucket: seconds(60), min_people: 20, history: seconds(14 * 24 * 3600) }
    }
}

/// The folder of models: `$MASKWATCH_MODELS`, `models` in the working folder, beside the program or up to two folders
/// above it, or `/usr/share/maskwatch/models`; where none is there, `models`.
pub fn find_models_dir() -> PathBuf {
    if let Some(named) = std::env::var_os("MASKWATCH_MODELS") {
        return PathBuf::from(named);
    }
    let program = std::env::current_exe().unwrap_or_default();
    let beside = program.ancestors().skip(1).take(4).map(|folder| folder.join("models"));
    let usual = PathBuf::from("models");
    std::iter::once(usual.clone())
        .chain(beside)
        .chain([PathBuf::from("/usr/share/maskwatch/models")])
        .find(|folder| folder.is_dir())
        .unwrap_or(usual)
}

/// One camera, defaults merged in.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraPlan {
    /// `[a-z0-9-]+`; RTSP path and metric label.
    pub name: String,
    /// Where the pictures come from, without credentials.
    pub url: CameraUrl,
    /// Sent to the camera where it asks.
    pub credentials: Option<Credentials>,
    /// Where it may be connected to, and sent on to.
    pub reach: Reach,
    /// For RTSP.
    pub transport: Transport,
    /// By UDP: how long a packet that is missing is waited for.
    pub latency: Duration,
    /// No decoded frame for so long: the camera is down and its pipeline is built anew.
    pub timeout: Duration,
    /// Whether a server certificate that does not verify is accepted (`rtsps`, `https`).
    pub insecure_tls: bool,
    /// Frames analysed per second at most; 0: every frame.
    pub analyze_fps: f64,
    /// Share of the detector relative to other cameras when it is short.
    pub weight: u32,
    /// Detections under this score are no faces; `None`: the model's own threshold.
    pub min_score: Option<f32>,
    /// What may leave the process of what this camera sees.
    pub privacy: Privacy,
    /// With [`Privacy::Statistics`]: how long and how many.
    pub statistics: StatisticsConfig,
    /// Zones, lines, ignore masks and the least face height.
    pub areas: Areas,
    /// Free labels for events and the API.
    pub labels: BTreeMap<String, String>,
    /// The annotated stream.
    pub output: OutputPlan,
}

impl CameraPlan {
    /// The labels that people are counted under besides the camera as a whole: zones by name, lines as `door:forward`
    /// and `door:backward`.
    pub fn places(&self) -> Vec<String> {
        self.areas.places().into_iter().map(|place| self.areas.label(place)).collect()
    }

    /// Whether the same pictures come by the same way: then a change of the rest needs no new connection.
    pub fn same_source(&self, other: &Self) -> bool {
        let way = |plan: &Self| (plan.transport, plan.latency, plan.timeout, plan.insecure_tls);
        let place = |plan: &Self| (plan.url.clone(), plan.credentials.clone(), plan.reach.clone());
        place(self) == place(other) && way(self) == way(other)
    }

    /// A camera with the defaults of every key.
    pub fn new(name: impl Into<String>, url: CameraUrl) -> Self {
        Self {
            name: name.into(),
            url,
            credentials: None,
            reach: Reach::Anywhere,
            transport: Transport::Tcp,
            latency: Duration::from_millis(200),
            timeout: Duration::from_millis(2500),
            insecure_tls: false,
            analyze_fps: 5.0,
            weight: 1,
            min_score: None,
            privacy: Privacy::Off,
            statistics: StatisticsConfig::default(),
            areas: Areas::default(),
            labels: BTreeMap::new(),
            output: OutputPlan { bitrate_kbps: 2000, max_fps: None, zones: false },
        }
    }
}

/// What may leave the process of what a camera sees; the stricter is the greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Privacy {
    /// Pictures as they are.
    #[default]
    Off,
    /// Pictures without a recognisable face.
    Blur,
    /// No picture and nothing about one person: totals of closed windows only.
    Statistics,
}

impl Privacy {
    /// All modes.
    pub const ALL: [Self; 3] = [Self::Off, Self::Blur, Self::Statistics];

    /// As it is written in the configuration and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Blur => "blur",
            Self::Statistics => "statistics",
        }
    }
}

/// How RTSP media travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Interleaved in the RTSP connection.
    Tcp,
    /// UDP only.
    Udp,
    /// UDP, then TCP where nothing arrives.
    Auto,
}

/// The annotated stream of one camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputPlan {
    /// Target bit rate.
    pub bitrate_kbps: u32,
    /// Frames per second at most; `None`: as the camera sends.
    pub max_fps: Option<u32>,
    /// Draw zones and lines.
    pub zones: bool,
}
