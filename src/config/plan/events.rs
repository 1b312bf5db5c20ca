//! The resolved section `events`.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::plan::Credentials;
use crate::config::secret::Secret;

/// What is told, and where to.
#[derive(Clone, Debug, PartialEq)]
pub struct EventsPlan {
    /// Least time between two events about people of one kind, per camera and zone.
    pub person_every: Duration,
    /// When compliance counts as low; `None`: no events about it.
    pub compliance: Option<ComplianceAlert>,
    /// In the order of the file; names are unique.
    pub sinks: Vec<SinkPlan>,
    /// Most bytes of undelivered events.
    pub spool_bytes: u64,
    /// Past events.
    pub history: HistoryPlan,
}

impl Default for EventsPlan {
    /// No sinks.
    fn default() -> Self {
        Self {
            person_every: Duration::from_secs(30),
            compliance: None,
            sinks: Vec::new(),
            spool_bytes: 64 << 20,
            history: HistoryPlan::default(),
        }
    }
}

/// Past events that are kept for who asks later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryPlan {
    /// So long.
    pub keep: Duration,
    /// So many at most.
    pub most: usize,
}

impl Default for HistoryPlan {
    fn default() -> Self {
        Self { keep: Duration::from_secs(14 * 24 * 3600), most: 100_000 }
    }
}

/// When compliance counts as low.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ComplianceAlert {
    /// Share to be reached.
    pub target: f64,
    /// The share has to stay on one side of the target for so long.
    pub hold: Duration,
    /// Fewest people with a known state.
    pub minimum: u64,
}

/// One place that events go to.
#[derive(Clone, Debug, PartialEq)]
pub struct SinkPlan {
    /// `[a-z0-9-]+`; the label of metrics.
    pub name: String,
    /// Where, and how.
    pub target: SinkTarget,
}

/// Where a sink's events go.
#[derive(Clone, Debug, PartialEq)]
pub enum SinkTarget {
    /// A file, one JSON object per line.
    Jsonl(JsonlPlan),
    /// HTTP POST.
    Webhook(WebhookPlan),
    /// An MQTT broker.
    Mqtt(MqttPlan),
    /// A stream of NATS JetStream.
    Nats(NatsPlan),
}

/// A file.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonlPlan {
    /// The file now written.
    pub path: PathBuf,
    /// Size at which it is renamed.
    pub rotate_bytes: u64,
    /// Renamed files that are kept.
    pub keep: u32,
}

/// An HTTP endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct WebhookPlan {
    /// Where to.
    pub remote: Remote,
    /// Key of the signature.
    pub secret: Option<Secret>,
}

/// A broker's topic.
#[derive(Clone, Debug, PartialEq)]
pub struct MqttPlan {
    /// Where to.
    pub remote: Remote,
    /// With `{camera}` and `{type}`.
    pub topic: String,
}

/// A stream's subject.
#[derive(Clone, Debug, PartialEq)]
pub struct NatsPlan {
    /// Where to.
    pub remote: Remote,
    /// Name of the stream.
    pub stream: String,
    /// With `{camera}` and `{type}`.
    pub subject: String,
}

/// What the network sinks have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct Remote {
    /// The address.
    pub url: SinkUrl,
    /// Login.
    pub credentials: Option<Credentials>,
    /// Longest wait for an answer.
    pub timeout: Duration,
    /// Certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
}

/// A sink's address, checked, without user name and password. Webhooks carry their secret in the path: `Debug` and
/// `Display` print scheme, host and port alone.
#[derive(Clone, PartialEq, Eq)]
pub struct SinkUrl(url::Url);

impl SinkUrl {
    /// Wraps a URL that has a host.
    pub fn new(url: url::Url) -> Self {
        Self(url)
    }

    /// The whole URL: for the protocol, never for a log or an error.
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }

    /// Host, an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
    }

    /// The port given, else `usual`.
    pub fn port_or(&self, usual: u16) -> u16 {
        self.0.port_or_known_default().unwrap_or(usual)
    }

    /// As `https`.
    pub fn scheme(&self) -> &str {
        self.0.scheme()
    }
}

impl fmt::Display for SinkUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.0.host_str().unwrap_or_default())?;
        if let Some(port) = self.0.port() {
            write!(f, ":{port}")?;
        }
        if self.0.path().len() > 1 { f.write_str("/…") } else { Ok(()) }
    }
}

impl fmt::Debug for SinkUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SinkUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sinks_address_prints_without_its_path() {
        let url = SinkUrl::new(url::Url::parse("https://hooks.example:444/T0/s3cret?key=x").unwrap());
        assert_eq!(format!("{url} {url:?}"), "https://hooks.example:444/… SinkUrl(https://hooks.example:444/…)");
        let url = SinkUrl::new(url::Url::parse("mqtt://[::1]").unwrap());
        assert_eq!((url.to_string().as_str(), url.host(), url.port_or(1883)), ("mqtt://[::1]", "::1", 1883));
    }
}
