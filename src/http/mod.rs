//! HTTP: the page, the API, `/metrics`, `/livez`, `/readyz`.
//!
//! One thread with a current-thread tokio runtime; nothing of the media path waits for it. Bounds: so many connections,
//! so long for a request's head, so long for a connection. A client that reads slowly costs a connection, and no more.

mod about;
mod api;
mod ask;
mod audit;
mod cameras;
mod change;
mod config;
mod discover;
mod events;
mod guard;
mod host;
mod openapi;
mod paging;
mod people;
mod probe;
mod problem;
mod routes;
mod serve;
mod session;
mod snapshot;
mod table;
mod tags;
mod tokens;
mod totals;
mod users;

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use tags::Tags;
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::access::Access;
use crate::config::plan::NetworkPlan;
use crate::events::{Events, Feed, History};
use crate::fleet::{Standing, Wishes};
use crate::metrics::Metrics;
use crate::people::People;
use crate::reach::Reach;
use crate::roster::Roster;
use crate::shutdown::Shutdown;
use crate::state_file::StoreHealth;
use crate::tls::server::Certificate;

/// Snapshots in the making at a time: each is a full picture's conversion and JPEG.
const SNAPSHOTS: usize = 2;
/// Threads for logins: one hashes, one may wait for it.
const HASHES: usize = 2;
/// Reads of the disk at a time.
const READS: usize = 2;
/// Threads for what does not end at once, with two for the look-up of names.
const BLOCKING: usize = SNAPSHOTS + HASHES + READS + probe::PROBES + 2;
/// Listeners to events at a time: each holds a connection.
const LISTENERS: usize = 32;

/// How answers get at it.
type Shared = axum::extract::State<Arc<State>>;

/// What the pages show.
pub struct State {
    metrics: Arc<Metrics>,
    roster: Arc<Roster>,
    people: Arc<People>,
    /// Scheme and port of the streams.
    rtsp: (&'static str, u16),
    access: Arc<Access>,
    /// Whether cookies are for TLS only.
    secure: bool,
    logins: Arc<Semaphore>,
    /// Changes of the users file, which may wait for the disk.
    edits: Arc<Semaphore>,
    snapshots: Arc<Semaphore>,
    feed: Arc<Feed>,
    history: Arc<History>,
    listeners: Arc<Semaphore>,
    stores: Vec<Arc<StoreHealth>>,
    tags: Tags,
    standing: Arc<Standing>,
    wishes: Wishes,
    network: Arc<watch::Sender<NetworkPlan>>,
    probes: Arc<Semaphore>,
    searches: Arc<Semaphore>,
    /// Port that is served, once it is.
    own_port: OnceLock<u16>,
}

impl State {
    /// `events`: gives the latest events. `network`: what may be connected to. `rtsp`: scheme and port of the streams. `secure`: the server speaks TLS alone.
    pub fn new(
        (metrics, roster, people): (Arc<Metrics>, Arc<Roster>, Arc<People>),
        events: &Events,
        (standing, wishes): (Arc<Standing>, Wishes),
        network: Arc<watch::Sender<NetworkPlan>>,
        rtsp: (&'static str, u16),
        access: Arc<Access>,
        secure: bool,
    ) -> Arc<Self> {
        let stores = people.store().into_iter().chain(events.stores()).chain(access.store()).cloned().collect();
        let (feed, history) = (Arc::clone(events.feed()), Arc::clone(events.history()));
        let places = |count| Arc::new(Semaphore::new(count));
        Arc::new(Self {
            metrics,
            roster,
            people,
            rtsp,
            access,
            secure,
            logins: places(guard::LOGINS),
            edits: places(users::EDITS),
            snapshots: places(SNAPSHOTS),
            feed,
            history,
            listeners: places(LISTENERS),
            stores,
            tags: Tags::new(),
            standing,
            wishes,
            network,
            probes: places(probe::PROBES),
            searches: places(discover::SEARCHES),
            own_port: OnceLock::new(),
        })
    }
}

impl State {
    /// What of the API is switched on.
    fn features(&self) -> Vec<&'static str> {
        let login = self.access.guarded().then_some("login");
        let state = (!self.stores.is_empty()).then_some("state_dir");
        let discover = (!self.network.borrow().discover.is_empty()).then_some("discover");
        ["event-history", "probe"].into_iter().chain(discover).chain(login).chain(state).collect()
    }

    /// Where the API may connect to.
    fn reach(&self) -> Reach {
        let own_ports = self.own_port.get().copied().into_iter().chain([self.rtsp.1]).collect();
        Reach::Bounded { networks: self.network.borrow().cameras.clone(), own_ports }
    }
}

/// Why there is no HTTP server.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Somebody else listens there.
    #[error("http: {0} is in use (is another maskwatch running? choose another port under http.listen)")]
    InUse(SocketAddr),
    /// The system refuses the address.
    #[error("http: cannot listen on {0}: {1} (an address of this machine, and a port that this user may open?)")]
    Listen(SocketAddr, std::io::Error),
}

/// A port that is ours and not served yet: clients wait.
pub struct Listening {
    listener: TcpListener,
    address: SocketAddr,
}

impl Listening {
    /// Takes the port.
    ///
    /// # Errors
    /// It is in use, or the address is not ours.
    pub fn bind(address: SocketAddr) -> Result<Self, HttpError> {
        let refused = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::AddrInUse => HttpError::InUse(address),
            _ => HttpError::Listen(address, error),
        };
        let listener = TcpListener::bind(address).map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, address })
    }

    /// Serves it from now on, by TLS where there is a certificate.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn serve(self, state: Arc<State>, certificate: Option<Arc<Certificate>>) -> anyhow::Result<HttpServer> {
        let stop = Shutdown::new();
        let address = self.address;
        // It is served once.
        let _ = state.own_port.set(address.port());
        let app = routes::router(state);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(BLOCKING).build()?;
        let token = stop.clone();
        let tls = certificate.as_ref().map(Certificate::config).transpose()?.map(TlsAcceptor::from);
        let secure = tls.is_some();
        let thread = std::thread::Builder::new().name("http".into()).spawn(move || {
            if let Err(error) = runtime.block_on(serve::serve(self.listener, app, tls, token)) {
                tracing::error!(%error, "the HTTP server ended");
            }
            // A snapshot in the making is not waited for.
            runtime.shutdown_background();
        })?;
        tracing::info!(%address, tls = secure, "HTTP server listens");
        Ok(HttpServer { address, secure, stop, thread: Some(thread) })
    }
}

/// A running server. Dropping it ends it.
pub struct HttpServer {
    address: SocketAddr,
    secure: bool,
    stop: Shutdown,
    thread: Option<JoinHandle<()>>,
}

impl HttpServer {
    /// Where it listens; the port is the real one.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    /// Ends it: open connections may finish their answer, briefly.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.stop.set();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the HTTP server's thread panicked");
        }
    }
}
