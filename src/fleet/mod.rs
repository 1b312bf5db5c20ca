//! The cameras that run, and the one way to change them.
//!
//! Start, a signal, a changed file and the API all end in [`Fleet::apply`]: it is given the plan wanted, computes the
//! [`Difference`] to the plan in force, and does what differs. A camera that is the same in both is not touched: it keeps
//! its connection, its viewers, its tracks and its counts.
//!
//! [`Standing`] says at any time which configuration is in force, and what became of the last attempt to change it.

mod config_file;
mod difference;
mod files;
mod standing;
mod wish;
mod written;

use std::sync::Arc;
use std::time::{Duration, Instant};

use maskwatch_engine::Engine;
use maskwatch_vision::zone::Areas;
use tokio::sync::watch;

pub use config_file::ConfigFile;
pub use difference::{Action, CameraChange, Difference, Part, Step};
pub use files::Files;
pub use standing::{Attempt, Cause, Outcome, Stand, Standing};
pub use wish::{Answer, CameraWish, Deed, Wish, Wishes};
pub use written::{Objection, Written};

use crate::access::Access;
use crate::camera::{CameraContext, CameraHandle, Listener, Supervisor};
use crate::config::Plan;
use crate::config::plan::{CameraPlan, InferencePlan, NetworkPlan, Privacy};
use crate::events::Events;
use crate::frames::Hub;
use crate::metrics::Metrics;
use crate::people::People;
use crate::privacy;
use crate::roster::{Entry, Roster};
use crate::rtsp::{RtspServer, Stream};

/// The engine's name for `maskinfer`.
const ENGINE: &str = "service";

/// What all cameras have in common.
pub struct Shared {
    /// All counts.
    pub metrics: Arc<Metrics>,
    /// Where others look cameras up.
    pub roster: Arc<Roster>,
    /// The annotated streams.
    pub rtsp: RtspServer,
    /// Who was counted.
    pub people: Arc<People>,
    /// What is told.
    pub events: Events,
    /// Who may come in.
    pub access: Arc<Access>,
    /// What the API may connect to.
    pub network: Arc<watch::Sender<NetworkPlan>>,
    /// Hears all results.
    pub listener: Arc<dyn Listener>,
}

/// The cameras that run, by a plan.
pub struct Fleet {
    shared: Shared,
    cameras: Vec<CameraHandle>,
    plan: Plan,
    has_engine: bool,
}

impl Fleet {
    /// No camera yet. `plan`: what is in force besides the cameras.
    pub fn new(shared: Shared, plan: &Plan) -> Self {
        Self { shared, cameras: Vec::new(), plan: Plan { cameras: Vec::new(), ..plan.clone() }, has_engine: false }
    }

    /// The plan in force.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What the cameras have in common.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The cameras, in the order in which they were started.
    pub fn cameras(&self) -> &[CameraHandle] {
        &self.cameras
    }

    /// All cameras are analysed by this engine from now on; those that wait for one begin. Pictures that another one has
    /// already are finished there.
    pub fn use_engine(&mut self, engine: Arc<Engine>) {
        self.shared.metrics.models_loaded(engine.models());
        gstmaskwatch::engines::register(ENGINE, engine);
        self.has_engine = true;
        self.cameras.iter().for_each(|camera| camera.ask_engine(ENGINE));
    }

    /// Models of the plan in force do not load: these go on, and the next plan that names others tries again.
    pub fn keep_models(&mut self, running: InferencePlan) {
        self.plan.inference = running;
    }

    /// Brings the plan wanted into force, but for what needs a restart; models are the caller's. Cameras that go have
    /// `patience` to end. Gives what was done, and in words what could not be: a camera that cannot be started, and a part
    /// that cannot be changed, is not in force, and the next plan that names it tries again.
    pub fn apply(&mut self, wanted: &Plan, patience: Duration) -> (Difference, Vec<String>) {
        let mut difference = Difference::between(&self.plan, wanted);
        let mut in_force = difference.in_force(&self.plan);
        let mut problems = Vec::new();
        // Privacy waits for nothing.
        for change in &difference.changed {
            self.change(&change.plan, &in_force.version);
        }
        for parts in difference.together() {
            if let Err(error) = self.shared.take(&parts, wanted) {
                for part in parts {
                    problems.push(format!("{} stays as it was: {error:#}", part.key()));
                    part.copy(&self.plan, &mut in_force);
                    difference.parts.retain(|other| *other != part);
                }
            }
        }
        self.remove(&difference.removed, Instant::now() + patience);
        for camera in &difference.added {
            if let Err(error) = self.add(camera.clone(), &in_force.version) {
                problems.push(format!("camera {} does not start: {error}", camera.name));
                in_force.cameras.retain(|other| other.name != camera.name);
            }
        }
        self.shared.roster.configure(in_force.cameras.iter().map(|camera| camera.name.clone()).collect());
        self.plan = in_force;
        (difference, problems)
    }

    fn add(&mut self, plan: CameraPlan, version: &str) -> std::io::Result<()> {
        let shared = &self.shared;
        shared.events.watch(&plan);
        let metrics = shared.metrics.camera_with_zones(&plan.name, &places(&plan));
        let hub = Hub::new(&plan, &metrics);
        privacy::record(&plan, &hub, &metrics, version);
        shared.metrics.withhold(&plan.name, plan.privacy == Privacy::Statistics);
        let context = CameraContext {
            metrics,
            hub: Arc::clone(&hub),
            engine: self.has_engine.then(|| ENGINE.to_owned()),
            listener: Some(Arc::clone(&shared.listener)),
        };
        shared.people.caption(&hub);
        let spawn = if self.has_engine { Supervisor::spawn } else { Supervisor::spawn_held };
        let camera = spawn(plan, context)?;
        let (entry, stream) = (shared.entry(&camera), shared.stream(&camera));
        shared.roster.put(entry);
        shared.rtsp.add(stream);
        self.cameras.push(camera);
        Ok(())
    }

    /// The privacy mode first: whatever follows finds it in force.
    fn change(&mut self, plan: &CameraPlan, version: &str) {
        let Some(camera) = self.cameras.iter_mut().find(|camera| camera.name() == plan.name) else { return };
        let before = camera.plan().clone();
        camera.change(plan.clone());
        let shared = &self.shared;
        let metrics = shared.metrics.camera(&plan.name);
        shared.metrics.withhold(&plan.name, plan.privacy == Privacy::Statistics);
        if before.privacy < plan.privacy {
            shared.rtsp.cut(&plan.name);
        }
        if (before.privacy, before.statistics) != (plan.privacy, plan.statistics) {
            privacy::record(plan, camera.hub(), &metrics, version);
        }
        metrics.set_zones(&places(plan));
        shared.events.watch(plan);
        let (entry, stream) = (shared.entry(camera), shared.stream(camera));
        shared.roster.put(entry);
        if (&before.output, &before.areas, &before.labels) != (&plan.output, &plan.areas, &plan.labels) {
            shared.rtsp.change(stream);
        }
    }

    fn remove(&mut self, names: &[String], deadline: Instant) {
        let (going, staying): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.cameras).into_iter().partition(|camera| names.iter().any(|n| n == camera.name()));
        self.cameras = staying;
        end(going, deadline);
        for name in names {
            self.shared.roster.remove(name);
            self.shared.rtsp.remove(name);
            self.shared.people.forget(name);
            self.shared.events.forget(name);
            self.shared.metrics.remove_camera(name);
        }
    }

    /// Ends all cameras, until `deadline` at the latest, and gives what they had in common. People in the pictures are
    /// counted.
    pub fn stop(self, deadline: Instant) -> Shared {
        end(self.cameras, deadline);
        self.shared
    }
}

impl Shared {
    /// Takes parts over from another plan that go together: all of them, or none.
    fn take(&mut self, parts: &[Part], wanted: &Plan) -> anyhow::Result<()> {
        if parts.iter().any(|part| part.is_entry()) {
            self.access.change(&wanted.access, wanted.http.auth.as_ref())?;
            self.rtsp.set_login(wanted.rtsp.auth.as_ref());
        }
        for part in parts {
            match part {
                Part::HttpLogin | Part::Access | Part::RtspLogin => {}
                Part::Network => drop(self.network.send_replace(wanted.network.clone())),
                Part::Compliance => self.people.set_plan(wanted.compliance),
                Part::Events => self.events.change(&wanted.events)?,
                // Loaded beside those that run.
                Part::Inference => {}
                Part::HttpListen | Part::HttpTls | Part::RtspListen | Part::RtspTls | Part::StateDir => {}
            }
        }
        Ok(())
    }

    fn entry(&self, camera: &CameraHandle) -> Entry {
        Entry::of(camera, self.metrics.camera(camera.name()))
    }

    fn stream(&self, camera: &CameraHandle) -> Stream {
        let plan = camera.plan();
        Stream {
            hub: Arc::clone(camera.hub()),
            status: Arc::clone(camera.status()),
            metrics: self.metrics.camera(camera.name()),
            output: plan.output,
            areas: Arc::new(if plan.output.zones { plan.areas.clone() } else { Areas::default() }),
            labels: plan.labels.clone(),
        }
    }
}

/// Lets the engine go. Cameras that still run keep theirs.
pub fn forget_engine() {
    gstmaskwatch::engines::unregister(ENGINE);
}

/// The places that people are counted at. With `statistics` none: who is in one zone and not in another could be had by
/// subtraction.
fn places(plan: &CameraPlan) -> Vec<String> {
    if plan.privacy == Privacy::Statistics { Vec::new() } else { plan.places() }
}

/// All at once.
fn end(cameras: Vec<CameraHandle>, deadline: Instant) {
    cameras.iter().for_each(CameraHandle::ask_to_stop);
    for camera in cameras {
        let name = camera.name().to_owned();
        if !camera.stop(deadline) {
            tracing::warn!("camera {name}: did not end in time and is left behind");
        }
    }
}
