//! Events without cameras, and sinks to send them to. A file sink beside the others is the truth: it has every event once.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use maskwatch::camera::{Failure, Listener};
use maskwatch::clock::Clock;
use maskwatch::config::plan::{
    CameraPlan, EventsPlan, JsonlPlan, MqttPlan, NatsPlan, Remote, SinkPlan, SinkTarget, SinkUrl, WebhookPlan,
};
use maskwatch::config::secret::{CameraUrl, Secret};
use maskwatch::events::Events;
use maskwatch::metrics::{DisconnectReason, Metrics};
use maskwatch_vision::compliance::Counts;

use super::inbox::Received;
use crate::support::{Scrape, soon, wait_until};

/// Events of a camera that goes up and down, without cameras.
pub struct Source {
    events: Events,
    listener: Arc<dyn Listener>,
    metrics: Arc<Metrics>,
    truth: PathBuf,
    /// Events so far.
    pub told: usize,
}

impl Source {
    /// `sinks` beside the file that has the truth.
    pub fn start(folder: &Path, sinks: Vec<SinkPlan>) -> Self {
        let truth = folder.join("truth.jsonl");
        let file = JsonlPlan { path: truth.clone(), rotate_bytes: 1 << 30, keep: 1 };
        let file = SinkPlan { name: "truth".into(), target: SinkTarget::Jsonl(file) };
        let plan = EventsPlan { sinks: [vec![file], sinks].concat(), ..EventsPlan::default() };
        let metrics = Metrics::new().unwrap();
        let (clock, state) = (Clock::system(metrics.clock_suspect()), folder.join("state"));
        let events = Events::start(&plan, Some(&state), &metrics, clock, |_, _| Counts::default()).unwrap();
        let mut camera = CameraPlan::new("gate", CameraUrl::parse("rtsp://127.0.0.1:9/x").unwrap());
        camera.labels.insert("site".into(), "mall-a".into());
        events.watch(&camera);
        Self { listener: events.listener(), events, metrics, truth, told: 0 }
    }

    /// So many more events.
    pub fn tell(&mut self, count: usize) {
        for _ in 0..count {
            if self.told.is_multiple_of(2) {
                self.listener.up("gate");
            } else {
                let (reason, cause) = (DisconnectReason::Refused, "nobody listens".to_owned());
                self.listener.down("gate", &Failure { reason, cause, hint: "is it on?" });
            }
            self.told += 1;
        }
    }

    /// The ids of all events, in order, once they are in the file.
    #[track_caller]
    pub fn truth(&self) -> Vec<String> {
        wait_until("all events are in the file", soon(), || lines(&self.truth).len() >= self.told);
        let ids: Vec<String> = lines(&self.truth).iter().map(|event| event["id"].as_str().unwrap().into()).collect();
        assert_eq!(ids.len(), self.told, "each once");
        assert!(ids.is_sorted(), "ids rise with time");
        ids
    }

    pub fn scrape(&self) -> Scrape {
        Scrape::parse(&self.metrics.render().unwrap())
    }

    pub fn count(&self, sink: &str, result: &str) -> usize {
        self.scrape().get("events_total", &[("sink", sink), ("result", result)]) as usize
    }

    pub fn stop(self) {
        self.events.stop(Instant::now() + Duration::from_secs(4));
    }
}

pub fn lines(file: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

pub fn remote(url: &str, timeout: Duration) -> Remote {
    Remote { url: SinkUrl::new(url.parse().unwrap()), credentials: None, timeout, ca_file: None }
}

pub fn mqtt(port: u16) -> SinkPlan {
    let remote = remote(&format!("mqtt://127.0.0.1:{port}"), Duration::from_secs(2));
    let target = SinkTarget::Mqtt(MqttPlan { remote, topic: "maskwatch/{camera}/{type}".into() });
    SinkPlan { name: "bus".into(), target }
}

pub fn nats(port: u16) -> SinkPlan {
    let remote = remote(&format!("nats://127.0.0.1:{port}"), Duration::from_secs(2));
    let (stream, subject) = ("MASKWATCH".into(), "maskwatch.{camera}.{type}".into());
    SinkPlan { name: "nats".into(), target: SinkTarget::Nats(NatsPlan { remote, stream, subject }) }
}

pub fn hook(port: u16, timeout: Duration) -> SinkPlan {
    let remote = remote(&format!("http://127.0.0.1:{port}/hook"), timeout);
    let target = SinkTarget::Webhook(WebhookPlan { remote, secret: Some(Secret::new("whsec_AQIDBAUGBwg=")) });
    SinkPlan { name: "hook".into(), target }
}

/// All of them came, in the order of the truth where repetitions are left out. Gives the number of repetitions.
#[track_caller]
pub fn assert_complete(received: &[Received], truth: &[String]) -> usize {
    let mut seen = HashSet::new();
    let first: Vec<String> = received.iter().map(Received::id).filter(|id| seen.insert(id.clone())).collect();
    assert_eq!(first, truth);
    received.len() - first.len()
}
