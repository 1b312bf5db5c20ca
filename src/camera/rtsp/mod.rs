//! RTSP: the program's own client, made for what cameras do.
//!
//! Why not `rtspsrc`: in GStreamer 1.22 it sends no sign of life over TCP while packets come, gives up after five seconds
//! whatever is configured, knows neither `qop` nor SHA-256, asks for a wrong password twice per attempt, loses a fifth
//! of a stream with B-frames where it may drop late packets, and cannot be told what it should learn from a camera. Why not
//! the crate `retina`, made for cameras too: no TLS, no reordering of UDP, and it refuses what it finds malformed (a SETUP
//! answered without channels, for example). So the exchange is ours, on parsers and crates that are well kept: `http-auth`
//! for logins, GStreamer's SDP for descriptions, `rtp-types` and `rtcp-types` for packets, its jitter buffer (for times) and
//! depacketisers for all that follows.
//!
//! * [`wire`], [`super::login`], [`offer`], [`transport`], [`keepalive`], [`packets`], [`reorder`]: pure, what is said and what it means.
//! * [`connection`], [`udp`], [`session`]: sockets and time, on one thread per camera.

mod account;
mod backlog;
mod connection;
mod keepalive;
mod offer;
mod packets;
mod reorder;
mod session;
mod told;
mod transport;
mod udp;
mod wire;

use std::sync::Arc;

pub(super) use account::Account;
pub(super) use backlog::Backlog;

use super::failure::Failure;
use super::intake::{Feed, Intake, Stopped};
use crate::config::plan::{CameraPlan, Transport};
use session::Ending;
use tracing_mutex::parking_lot::{Mutex, MutexGuard};

/// What was learnt of a camera, from connection to connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Learnt {
    habits: keepalive::Habits,
    /// Where both ways are allowed: UDP was tried in vain.
    pub(super) tcp: bool,
    /// What the camera said of itself when it last agreed to send.
    pub(super) account: Option<Account>,
}

/// The cell of it.
pub(super) type Memory = Arc<Mutex<Learnt>>;

/// A copy of it.
pub(super) fn learnt(memory: &Memory) -> Learnt {
    remembered(memory).clone()
}

fn remembered(memory: &Memory) -> MutexGuard<'_, Learnt> {
    memory.lock()
}

/// What fetches the stream of a plan.
pub(super) fn intake(plan: &CameraPlan, memory: &Memory, backlog: &Arc<Backlog>) -> Intake {
    let (plan, memory, backlog) = (plan.clone(), Arc::clone(memory), Arc::clone(backlog));
    Box::new(move |feed| fetch(&plan, feed, &memory, &backlog))
}

fn fetch(plan: &CameraPlan, feed: &Feed, memory: &Memory, backlog: &Arc<Backlog>) -> Result<Stopped, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| told::local(&error))?;
    let udp = match plan.transport {
        Transport::Tcp => false,
        Transport::Udp => true,
        Transport::Auto => !remembered(memory).tcp,
    };
    let mut ending = runtime.block_on(session::run(plan, feed, memory, backlog, udp));
    let in_vain = matches!(ending, Ending::UdpSilent | Ending::NoWay { udp: true });
    if in_vain && plan.transport == Transport::Auto {
        tracing::info!("nothing comes by UDP; trying TCP");
        remembered(memory).tcp = true;
        ending = runtime.block_on(session::run(plan, feed, memory, backlog, false));
    }
    // A look-up of a name that hangs is left to itself.
    runtime.shutdown_background();
    match ending {
        Ending::Stopped => Ok(Stopped),
        other => Err(told::failure(&other, plan)),
    }
}
