//! The RTSP server of the simulated cameras.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use gst::glib::translate::IntoGlib;
use gst::prelude::*;
use gst_rtsp_server::RTSPMediaFactory;
use gst_rtsp_server::prelude::*;
use tracing_mutex::parking_lot::Mutex;

use super::clip::{Clip, ClipError};
use super::feeder::{Play, Scene, feed};
use crate::rtsp::host::{Host, HostError, NoVisitors};

/// Pictures that wait for a client that does not read; more are dropped, oldest first.
const CLIENT_BACKLOG: u64 = 120;

/// Why no camera is simulated.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// A file makes no camera.
    #[error(transparent)]
    Clip(#[from] ClipError),
    /// The server does not start.
    #[error(transparent)]
    Host(#[from] HostError),
}

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// User name and password that clients must know.
    pub auth: Option<(String, String)>,
}

impl Options {
    /// Loopback, a free port, no password.
    pub fn local() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 0)), auth: None }
    }
}

/// Cameras `/cam0`, `/cam1`, … on one port. Dropping it is pulling the plug: all connections close.
pub struct Server {
    host: Arc<Host>,
    cameras: Vec<SimCamera>,
}

impl Server {
    /// Serves one camera per clip.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn start(options: &Options, clips: Vec<Arc<Clip>>) -> Result<Self, SimError> {
        let auth = options.auth.as_ref().map(|(user, password)| (user.as_str(), password.as_str()));
        let host = Arc::new(Host::start(options.listen, auth, Arc::new(NoVisitors))?);
        let cameras: Vec<SimCamera> = clips
            .into_iter()
            .enumerate()
            .map(|(index, clip)| SimCamera {
                mount: format!("cam{index}"),
                scene: Arc::new(Scene::new(clip)),
                host: Arc::clone(&host),
            })
            .collect();
        for camera in &cameras {
            camera.revive();
        }
        Ok(Self { host, cameras })
    }

    /// Reads the files and serves them in their order.
    ///
    /// # Errors
    /// A file is no video, or the address cannot be listened on.
    pub fn start_files(options: &Options, files: &[PathBuf]) -> Result<Self, SimError> {
        let clips = files.iter().map(|file| Clip::load(file)).collect::<Result<Vec<_>, _>>()?;
        Self::start(options, clips)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.host.address()
    }

    /// Address of camera `index`.
    pub fn url(&self, index: usize) -> String {
        format!("rtsp://{}/cam{index}", self.address())
    }

    /// All cameras, in the order of the clips.
    pub fn cameras(&self) -> &[SimCamera] {
        &self.cameras
    }
}

/// One simulated camera and its fault switches.
pub struct SimCamera {
    mount: String,
    scene: Arc<Scene>,
    host: Arc<Host>,
}

impl SimCamera {
    /// On: connections stay and nothing is sent. Off: it goes on with the next keyframe.
    pub fn freeze(&self, on: bool) {
        self.scene.frozen.store(on, Ordering::Relaxed);
    }

    /// On: packets come at their times and hold nonsense.
    pub fn garbage(&self, on: bool) {
        self.scene.garbage.store(on, Ordering::Relaxed);
    }

    /// Of so many pieces of a client's stream (packets, or the packets of one large unit) one is lost; 0: none.
    pub fn lose_one_of(&self, count: u32) {
        self.scene.loss.store(count, Ordering::Relaxed);
    }

    /// Goes away: its connections close and its path is unknown.
    pub fn kill(&self) {
        self.host.unmount(&self.mount);
    }

    /// Is there (again).
    pub fn revive(&self) {
        self.host.mount(&self.mount, factory(&self.mount, &self.scene));
    }

    /// Sends another clip from now on, in the same connections. Its codec must be that of the first.
    pub fn switch(&self, clip: Arc<Clip>) {
        self.scene.set_clip(clip);
    }

    /// How many watch.
    pub fn viewers(&self) -> usize {
        self.host.viewers(&self.mount)
    }
}

/// Each client gets its own media and its own feeder.
fn factory(mount: &str, scene: &Arc<Scene>) -> RTSPMediaFactory {
    let factory = RTSPMediaFactory::new();
    let payloader = scene.clip().codec.payloader();
    factory.set_launch(&format!(
        "( appsrc name=source is-live=true format=time leaky-type=downstream max-bytes=0 \
         max-buffers={CLIENT_BACKLOG} ! {payloader} )"
    ));
    factory.set_shared(false);
    let (scene, mount) = (Arc::clone(scene), mount.to_owned());
    factory.connect_media_configure(move |_, media| {
        let bin = media.element().downcast::<gst::Bin>().ok();
        let source = bin.as_ref().and_then(|bin| bin.by_name("source"));
        let Some(source) = source.and_then(|source| source.downcast::<gst_app::AppSrc>().ok()) else {
            tracing::error!(camera = %mount, "the simulated camera has no source");
            return;
        };
        if let Some(pad) = bin.and_then(|bin| bin.by_name("pay0")).and_then(|payloader| payloader.static_pad("src")) {
            lose_packets(&pad, &scene);
        }
        let (play, control) = crossbeam_channel::bounded(1);
        let play = Arc::new(Mutex::new(Some(play)));
        let started = Arc::clone(&play);
        media.connect_new_state(move |_, state| {
            if state == gst::State::Playing.into_glib()
                && let Some(play) = started.lock().as_ref()
            {
                play.try_send(Play).ok();
            }
        });
        media.connect_unprepared(move |_| drop(play.lock().take()));
        let scene = Arc::clone(&scene);
        let spawned = std::thread::Builder::new().name(format!("sim-{mount}")).spawn(move || {
            feed(&scene, &source, &control);
        });
        if let Err(error) = spawned {
            tracing::error!(camera = %mount, %error, "the simulated camera has no thread");
        }
    });
    factory
}

/// Drops packets after they have their numbers, as a bad network does.
fn lose_packets(pad: &gst::Pad, scene: &Arc<Scene>) {
    let (scene, passed) = (Arc::clone(scene), AtomicU32::new(0));
    pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST, move |_, _| {
        let count = scene.loss.load(Ordering::Relaxed);
        if count > 0 && passed.fetch_add(1, Ordering::Relaxed) % count == count - 1 {
            // Not Drop: see the camera's keyframe gate.
            return gst::PadProbeReturn::Handled;
        }
        gst::PadProbeReturn::Ok
    });
}
