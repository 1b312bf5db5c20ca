//! HTTP: the page, the API, `/metrics`, `/livez`, `/readyz`.
//!
//! One thread with a current-thread tokio runtime; nothing of the media path waits for it. Bounds: so many connections,
//! so long for a request's head, so long for a connection. A client that reads slowly costs a connection, and no more.

mod api;
mod config;
mod events;
mod guard;
mod host;
mod people;
mod routes;
mod serve;
mod session;
mod snapshot;
mod table;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::Semaphore;

use crate::access::Access;
use crate::events::{Events, Feed};
use crate::fleet::{Standing, Wishes};
use crate::metrics::Metrics;
use crate::people::People;
use crate::roster::Roster;
use crate::shutdown::Shutdown;
use crate::state_file::StoreHealth;

/// Snapshots in the making at a time: each is a full picture's conversion and JPEG.
const SNAPSHOTS: usize = 2;
/// Threads for logins: one hashes, one may wait for it.
const HASHES: usize = 2;
/// Listeners to events at a time: each holds a connection.
const LISTENERS: usize = 32;

/// What the pages show.
pub struct State {
    metrics: Arc<Metrics>,
    roster: Arc<Roster>,
    people: Arc<People>,
    rtsp_port: u16,
    access: Arc<Access>,
    /// Names under which this server may be asked for without a login.
    hosts: Vec<String>,
    /// Whether cookies are for TLS only.
    secure: bool,
    logins: Arc<Semaphore>,
    snapshots: Arc<Semaphore>,
    feed: Arc<Feed>,
    listeners: Arc<Semaphore>,
    stores: Vec<Arc<StoreHealth>>,
    standing: Arc<Standing>,
    wishes: Wishes,
}

impl State {
    /// `events`: gives the latest events. `hosts`: names under which the server may be asked for without a login.
    pub fn new(
        (metrics, roster, people): (Arc<Metrics>, Arc<Roster>, Arc<People>),
        events: &Events,
        (standing, wishes): (Arc<Standing>, Wishes),
        rtsp_port: u16,
        access: Arc<Access>,
        hosts: &[String],
    ) -> Arc<Self> {
        let stores = people.store().into_iter().chain(events.store()).cloned().collect();
        let feed = Arc::clone(events.feed());
        let (hosts, secure, logins) = (hosts.to_vec(), false, Arc::new(Semaphore::new(guard::LOGINS)));
        let (snapshots, listeners) = (Arc::new(Semaphore::new(SNAPSHOTS)), Arc::new(Semaphore::new(LISTENERS)));
        Arc::new(Self {
            metrics,
            roster,
            people,
            rtsp_port,
            access,
            hosts,
            secure,
            logins,
            snapshots,
            feed,
            listeners,
            stores,
            standing,
            wishes,
        })
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

    /// Serves it from now on.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn serve(self, state: Arc<State>) -> std::io::Result<HttpServer> {
        let stop = Shutdown::new();
        let address = self.address;
        let app = routes::router(state);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(SNAPSHOTS + HASHES)
            .build()?;
        let token = stop.clone();
        let thread = std::thread::Builder::new().name("http".into()).spawn(move || {
            if let Err(error) = runtime.block_on(serve::serve(self.listener, app, token)) {
                tracing::error!(%error, "the HTTP server ended");
            }
            // A snapshot in the making is not waited for.
            runtime.shutdown_background();
        })?;
        tracing::info!(%address, "HTTP server listens");
        Ok(HttpServer { address, stop, thread: Some(thread) })
    }
}

/// A running server. Dropping it ends it.
pub struct HttpServer {
    address: SocketAddr,
    stop: Shutdown,
    thread: Option<JoinHandle<()>>,
}

impl HttpServer {
    /// Where it listens; the port is the real one.
    pub fn address(&self) -> SocketAddr {
        self.address
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
