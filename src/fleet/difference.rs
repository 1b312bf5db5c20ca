//! What must be done so that one plan becomes another. Pure.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use crate::config::Plan;
use crate::config::plan::CameraPlan;

/// A camera that goes on by another plan.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraChange {
    /// The plan from then on.
    pub plan: CameraPlan,
    /// Keys of the configuration whose values differ.
    pub keys: Vec<&'static str>,
    /// Its pictures come another way: it is connected to anew.
    pub reconnects: bool,
}

/// A part of the plan besides the cameras, named as in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Address of the web server.
    HttpListen,
    /// Its login.
    HttpLogin,
    /// Its certificate.
    HttpTls,
    /// Address of the streams' server.
    RtspListen,
    /// Its login.
    RtspLogin,
    /// Its certificate.
    RtspTls,
    /// Users, tokens, and names under which the server may be asked for.
    Access,
    /// What the API may connect to.
    Network,
    /// Folder of what outlives a restart.
    StateDir,
    /// Models and batching.
    Inference,
    /// Windows over which shares are told.
    Compliance,
    /// Sinks, and what is told to them.
    Events,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::HttpListen,
        Self::HttpLogin,
        Self::HttpTls,
        Self::RtspListen,
        Self::RtspLogin,
        Self::RtspTls,
        Self::Access,
        Self::Network,
        Self::StateDir,
        Self::Inference,
        Self::Compliance,
        Self::Events,
    ];

    /// The key of the configuration.
    pub fn key(self) -> &'static str {
        match self {
            Self::HttpListen => "http.listen",
            Self::HttpLogin => "http.username, http.password",
            Self::HttpTls => "http.tls",
            Self::RtspListen => "rtsp.listen",
            Self::RtspLogin => "rtsp.username, rtsp.password",
            Self::RtspTls => "rtsp.tls",
            Self::Access => "users_file, http.hosts",
            Self::Network => "network",
            Self::StateDir => "state_dir",
            Self::Inference => "inference",
            Self::Compliance => "compliance",
            Self::Events => "events",
        }
    }

    /// Whether it can be changed while the service runs, among others that change at the same time. Who may come in was
    /// judged for the addresses wanted, and all three ways in together (users come in at both servers): nothing is taken
    /// away from an address that stays open to others.
    fn is_live(self, parts: &[Self]) -> bool {
        let stays = |address: Self| !parts.contains(&address);
        match self {
            Self::HttpListen | Self::HttpTls | Self::RtspListen | Self::RtspTls | Self::StateDir => false,
            Self::HttpLogin | Self::RtspLogin | Self::Access => stays(Self::HttpListen) && stays(Self::RtspListen),
            Self::Network | Self::Inference | Self::Compliance | Self::Events => true,
        }
    }

    /// Takes this part over from one plan into another.
    /// Whether it says who may come in.
    pub(super) fn is_entry(self) -> bool {
        matches!(self, Self::HttpLogin | Self::RtspLogin | Self::Access)
    }

    pub(super) fn copy(self, from: &Plan, into: &mut Plan) {
        match self {
            Self::HttpListen => into.http.listen = from.http.listen,
            Self::HttpLogin => into.http.auth.clone_from(&from.http.auth),
            Self::HttpTls => into.http.tls.clone_from(&from.http.tls),
            Self::RtspListen => into.rtsp.listen = from.rtsp.listen,
            Self::RtspLogin => into.rtsp.auth.clone_from(&from.rtsp.auth),
            Self::RtspTls => into.rtsp.tls.clone_from(&from.rtsp.tls),
            Self::Access => into.access.clone_from(&from.access),
            Self::Network => into.network.clone_from(&from.network),
            Self::StateDir => into.state_dir.clone_from(&from.state_dir),
            Self::Inference => into.inference.clone_from(&from.inference),
            Self::Compliance => into.compliance = from.compliance,
            Self::Events => into.events.clone_from(&from.events),
        }
    }

    fn differs(self, one: &Plan, other: &Plan) -> bool {
        match self {
            Self::HttpListen => one.http.listen != other.http.listen,
            Self::HttpLogin => one.http.auth != other.http.auth,
            Self::HttpTls => one.http.tls != other.http.tls,
            Self::RtspListen => one.rtsp.listen != other.rtsp.listen,
            Self::RtspLogin => one.rtsp.auth != other.rtsp.auth,
            Self::RtspTls => one.rtsp.tls != other.rtsp.tls,
            Self::Access => one.access != other.access,
            Self::Network => one.network != other.network,
            Self::StateDir => one.state_dir != other.state_dir,
            Self::Inference => one.inference != other.inference,
            Self::Compliance => one.compliance != other.compliance,
            Self::Events => one.events != other.events,
        }
    }
}

/// The way from one plan to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Names of cameras that go.
    pub removed: Vec<String>,
    /// Cameras that come.
    pub added: Vec<CameraPlan>,
    /// Cameras that go on by another plan.
    pub changed: Vec<CameraChange>,
    /// Parts besides the cameras that differ.
    pub parts: Vec<Part>,
    /// Whether the cameras stand in another order, those that go and come left aside.
    pub reordered: bool,
    wanted: Plan,
}

impl Difference {
    /// What makes `wanted` of `present`.
    pub fn between(present: &Plan, wanted: &Plan) -> Self {
        let find = |plan: &Plan, name: &str| plan.cameras.iter().find(|camera| camera.name == name).cloned();
        let names = |plan: &Plan| plan.cameras.iter().map(|camera| camera.name.clone()).collect::<Vec<_>>();
        let staying: BTreeSet<String> =
            names(present).into_iter().filter(|name| find(wanted, name).is_some()).collect();
        let order = |plan| names(plan).into_iter().filter(|name| staying.contains(name)).collect::<Vec<_>>();
        let changed = |camera: &CameraPlan| {
            let before = find(present, &camera.name).filter(|before| before != camera)?;
            let (keys, reconnects) = (keys(&before, camera), !before.same_source(camera));
            Some(CameraChange { plan: camera.clone(), keys, reconnects })
        };
        Self {
            removed: names(present).into_iter().filter(|name| !staying.contains(name)).collect(),
            added: wanted.cameras.iter().filter(|camera| !staying.contains(&camera.name)).cloned().collect(),
            changed: wanted.cameras.iter().filter_map(changed).collect(),
            parts: Part::ALL.into_iter().filter(|part| part.differs(present, wanted)).collect(),
            reordered: order(present) != order(wanted),
            wanted: wanted.clone(),
        }
    }

    /// Whether nothing differs that anybody would notice.
    pub fn is_empty(&self) -> bool {
        self.removed.is_empty()
            && self.added.is_empty()
            && self.changed.is_empty()
            && self.parts.is_empty()
            && !self.reordered
    }

    /// The plan wanted.
    pub fn wanted(&self) -> &Plan {
        &self.wanted
    }

    /// The plan in force after all was done that can be done while the service runs: of `present` stays what cannot.
    pub fn in_force(&self, present: &Plan) -> Plan {
        let mut plan = self.wanted.clone();
        self.parts.iter().filter(|part| !self.is_live(**part)).for_each(|part| part.copy(present, &mut plan));
        plan
    }

    /// Keys that are taken over by a restart only.
    pub fn restart(&self) -> Vec<&'static str> {
        self.parts.iter().filter(|part| !self.is_live(**part)).map(|part| part.key()).collect()
    }

    /// Parts that are taken over now.
    fn live(&self) -> impl Iterator<Item = Part> + '_ {
        self.parts.iter().copied().filter(|part| self.is_live(*part))
    }

    /// The same in groups that are taken over together: who may come in, and then each by itself.
    pub fn together(&self) -> Vec<Vec<Part>> {
        let (entry, rest): (Vec<_>, Vec<_>) = self.live().partition(|part| part.is_entry());
        let entry = Some(entry).filter(|entry| !entry.is_empty());
        entry.into_iter().chain(rest.into_iter().map(|part| vec![part])).collect()
    }

    fn is_live(&self, part: Part) -> bool {
        part.is_live(&self.parts)
    }

    /// A line a thing, in the order in which they are done.
    pub fn steps(&self) -> Vec<Step> {
        let step = |action, name: Option<&str>, keys: &[&str]| Step {
            action,
            camera: name.map(str::to_owned),
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        };
        let changed = self.changed.iter().map(|change| {
            let action = if change.reconnects { Action::Reconnect } else { Action::Change };
            step(action, Some(&change.plan.name), &change.keys)
        });
        let parts = self
            .parts
            .iter()
            .map(|part| step(if self.is_live(*part) { Action::Change } else { Action::Restart }, None, &[part.key()]));
        changed
            .chain(self.removed.iter().map(|name| step(Action::Remove, Some(name), &[])))
            .chain(self.added.iter().map(|camera| step(Action::Add, Some(&camera.name), &[])))
            .chain(self.reordered.then(|| step(Action::Reorder, None, &["cameras"])))
            .chain(parts)
            .collect()
    }
}

/// What is done with a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// A camera comes.
    Add,
    /// A camera goes.
    Remove,
    /// A camera is connected to anew.
    Reconnect,
    /// Changed while it runs, without disturbing it.
    Change,
    /// The cameras stand in another order.
    Reorder,
    /// Stays as it is until the service is restarted.
    Restart,
}

/// One thing that a reload does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// With this camera; `None`: with a part besides the cameras.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera: Option<String>,
    /// Keys of the configuration that differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.keys.join(", ");
        match (&self.camera, self.action) {
            (Some(camera), Action::Add) => write!(f, "camera {camera}: added"),
            (Some(camera), Action::Remove) => write!(f, "camera {camera}: removed"),
            (Some(camera), Action::Reconnect) => write!(f, "camera {camera}: connected to anew ({keys})"),
            (Some(camera), _) => write!(f, "camera {camera}: changed ({keys})"),
            (None, Action::Restart) => write!(f, "restart needed: {keys}"),
            (None, Action::Reorder) => f.write_str("cameras: in another order"),
            (None, _) => write!(f, "changed: {keys}"),
        }
    }
}

/// The keys of a camera whose values differ.
fn keys(one: &CameraPlan, other: &CameraPlan) -> Vec<&'static str> {
    let (a, b) = (one, other);
    let places = |plan: &CameraPlan| maskwatch_vision::zone::Areas { min_face_height_px: 0.0, ..plan.areas.clone() };
    let username = |plan: &CameraPlan| plan.credentials.as_ref().map(|login| login.username.clone());
    let password = |plan: &CameraPlan| plan.credentials.as_ref().map(|login| login.password.clone());
    [
        ("url", a.url != b.url),
        ("username", username(a) != username(b)),
        ("password", password(a) != password(b)),
        ("transport", a.transport != b.transport),
        ("latency", a.latency != b.latency),
        ("timeout", a.timeout != b.timeout),
        ("insecure_tls", a.insecure_tls != b.insecure_tls),
        ("network.cameras", a.reach != b.reach),
        ("analyze_fps", a.analyze_fps != b.analyze_fps),
        ("weight", a.weight != b.weight),
        ("min_score", a.min_score != b.min_score),
        ("min_face_px", a.areas.min_face_height_px != b.areas.min_face_height_px),
        ("privacy", a.privacy != b.privacy),
        ("statistics", a.statistics != b.statistics),
        ("labels", a.labels != b.labels),
        ("zones", places(a) != places(b)),
        ("output", a.output != b.output),
    ]
    .into_iter()
    .filter_map(|(key, differs)| differs.then_some(key))
    .collect()
}

#[cfg(test)]
#[path = "difference_tests.rs"]
mod tests;
