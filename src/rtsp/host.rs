//! An RTSP server with a GLib main loop thread of its own. The annotated streams and the simulated cameras sit on it.
//!
//! It keeps a book of who watches what: a client counts as a viewer of a mount from its PLAY until it tears down, closes
//! or times out. Callbacks run on the server's threads, those about one server's viewers one at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use gst_rtsp_server::prelude::*;
use gst_rtsp_server::{RTSPAuth, RTSPClient, RTSPContext, RTSPFilterResult, RTSPMediaFactory, RTSPToken};

/// The role that a client has once its password was right.
const ROLE: &str = "viewer";
/// How often sessions are looked through for clients that went away without a word.
const SESSION_SWEEP: Duration = Duration::from_secs(2);
/// Threads that serve connections. A client that reads slowly holds up those that share its thread, at most.
const CLIENT_THREADS: i32 = 8;

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Somebody else listens there.
    #[error("rtsp: {0} is in use (is another maskwatch running? choose another port under rtsp.listen)")]
    InUse(SocketAddr),
    /// The system refuses the address.
    #[error("rtsp: cannot listen on {0}: {1} (an address of this machine, and a port that this user may open?)")]
    Listen(SocketAddr, std::io::Error),
    /// GStreamer or the thread failed.
    #[error("rtsp: the server does not start: {0}")]
    Start(String),
}

/// What happens at the server. All methods may be called from several threads, and must not ask the server for viewers.
pub trait Visitors: Send + Sync {
    /// `mount` (without the slash) has so many viewers now.
    fn viewers(&self, mount: &str, count: usize);
    /// A client of `mount` begins to play; it needs a keyframe.
    fn joined(&self, mount: &str);
}

/// Cares for nothing.
pub struct NoVisitors;

impl Visitors for NoVisitors {
    fn viewers(&self, _mount: &str, _count: usize) {}
    fn joined(&self, _mount: &str) {}
}

/// One client's dealings, by mount.
#[derive(Default)]
struct Visit {
    /// Mounts that it asked for in any way.
    touched: BTreeSet<String>,
    /// Mounts that it plays.
    playing: BTreeSet<String>,
}

/// Who is connected, and to what.
struct Book {
    visits: Mutex<BTreeMap<usize, Visit>>,
    /// Held while a count is taken and told: the count that is told last is the latest.
    telling: Mutex<()>,
    visitors: Arc<dyn Visitors>,
}

impl Book {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Visit>> {
        self.visits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn touch(&self, client: usize, mount: &str) {
        self.lock().entry(client).or_default().touched.insert(mount.to_owned());
    }

    fn play(&self, client: usize, mount: &str) {
        self.lock().entry(client).or_default().playing.insert(mount.to_owned());
        self.tell(mount);
        self.visitors.joined(mount);
    }

    /// Tells how many play `mount` now.
    fn tell(&self, mount: &str) {
        let _turn = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        let count = viewers_of(&self.lock(), mount);
        self.visitors.viewers(mount, count);
    }

    fn leave(&self, client: usize, mount: &str) {
        let left = self.lock().get_mut(&client).is_some_and(|visit| visit.playing.remove(mount));
        if left {
            self.tell(mount);
        }
    }

    fn close(&self, client: usize) {
        let visit = self.lock().remove(&client).unwrap_or_default();
        visit.playing.iter().for_each(|mount| self.tell(mount));
    }

    fn touches(&self, client: usize, mount: &str) -> bool {
        self.lock().get(&client).is_some_and(|visit| visit.touched.contains(mount))
    }
}

fn viewers_of(visits: &BTreeMap<usize, Visit>, mount: &str) -> usize {
    visits.values().filter(|visit| visit.playing.contains(mount)).count()
}

/// A running server. Dropping it closes every connection and gives the port back.
pub struct Host {
    server: gst_rtsp_server::RTSPServer,
    main_loop: glib::MainLoop,
    listener: Option<glib::Source>,
    thread: Option<JoinHandle<()>>,
    address: SocketAddr,
    book: Arc<Book>,
    guarded: bool,
}

impl Host {
    /// Binds and serves; nothing is mounted yet. Port 0 takes a free one.
    ///
    /// # Errors
    /// The address is in use or not ours to open.
    pub fn start(
        listen: SocketAddr,
        auth: Option<(&str, &str)>,
        visitors: Arc<dyn Visitors>,
    ) -> Result<Self, HostError> {
        probe(listen)?;
        let server = gst_rtsp_server::RTSPServer::new();
        server.set_address(&listen.ip().to_string());
        server.set_service(&listen.port().to_string());
        if let Some(pool) = server.thread_pool() {
            pool.set_max_threads(CLIENT_THREADS);
        }
        if let Some((user, password)) = auth {
            server.set_auth(Some(&guard(user, password)));
        }
        let book = Arc::new(Book { visits: Mutex::default(), telling: Mutex::default(), visitors });
        watch_clients(&server, &book);

        let context = glib::MainContext::new();
        let id = server.attach(Some(&context)).map_err(|error| HostError::Start(error.to_string()))?;
        let listener = context.find_source_by_id(&id);
        let port = u16::try_from(server.bound_port()).map_err(|_| HostError::Start("no port".to_owned()))?;
        if let Some(pool) = server.session_pool() {
            let sweep =
                glib::timeout_source_new(SESSION_SWEEP, Some("rtsp-sessions"), glib::Priority::DEFAULT, move || {
                    pool.cleanup();
                    glib::ControlFlow::Continue
                });
            sweep.attach(Some(&context));
        }
        let main_loop = glib::MainLoop::new(Some(&context), false);
        let thread = run(context, main_loop.clone()).map_err(|error| HostError::Start(error.to_string()))?;
        Ok(Self {
            server,
            main_loop,
            listener,
            thread: Some(thread),
            address: SocketAddr::new(listen.ip(), port),
            book,
            guarded: auth.is_some(),
        })
    }

    /// Where it listens; the port is the real one.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Offers `factory` at `/mount`.
    pub fn mount(&self, mount: &str, factory: RTSPMediaFactory) {
        if self.guarded {
            let role = gst::Structure::builder(ROLE)
                .field("media.factory.access", true)
                .field("media.factory.construct", true)
                .build();
            factory.add_role_from_structure(&role);
        }
        if let Some(mounts) = self.server.mount_points() {
            mounts.add_factory(&format!("/{mount}"), factory);
        }
    }

    /// Takes `/mount` away and closes the connections of its clients.
    pub fn unmount(&self, mount: &str) {
        if let Some(mounts) = self.server.mount_points() {
            mounts.remove_factory(&format!("/{mount}"));
        }
        self.server.client_filter(Some(&mut |_, client| {
            if self.book.touches(key(client), mount) { RTSPFilterResult::Remove } else { RTSPFilterResult::Keep }
        }));
    }

    /// How many play `mount` now.
    pub fn viewers(&self, mount: &str) -> usize {
        viewers_of(&self.book.lock(), mount)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(listener) = self.listener.take() {
            listener.destroy();
        }
        self.server.client_filter(Some(&mut |_, _| RTSPFilterResult::Remove));
        // From within the loop: `quit` before the thread has begun to `run` would be lost, and the join would never end.
        let main_loop = self.main_loop.clone();
        let quit = glib::idle_source_new(Some("rtsp-quit"), glib::Priority::HIGH, move || {
            main_loop.quit();
            glib::ControlFlow::Break
        });
        quit.attach(Some(&self.main_loop.context()));
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the RTSP server's thread panicked");
        }
    }
}

/// Tells a port in use from other trouble: GStreamer's server does not say.
fn probe(listen: SocketAddr) -> Result<(), HostError> {
    TcpListener::bind(listen).map(drop).map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => HostError::InUse(listen),
        _ => HostError::Listen(listen, error),
    })
}

/// Basic and digest authentication for one user.
fn guard(user: &str, password: &str) -> RTSPAuth {
    let auth = RTSPAuth::new();
    let token = RTSPToken::builder().field("media.factory.role", ROLE).build();
    // The C type is a set of bits (basic 1, digest 2), the binding an enum: this is "both".
    auth.set_supported_methods(gst_rtsp::RTSPAuthMethod::__Unknown(3));
    auth.add_digest(user, password, &token);
    auth.add_basic(&RTSPAuth::make_basic(user, password), &token);
    auth
}

/// Keeps the book from the clients' signals.
fn watch_clients(server: &gst_rtsp_server::RTSPServer, book: &Arc<Book>) {
    let book = Arc::clone(book);
    server.connect_client_connected(move |_, client| {
        let on = |act: fn(&Book, usize, &str)| {
            let book = Arc::clone(&book);
            move |client: &RTSPClient, context: &RTSPContext| {
                if let Some(mount) = mount_of(context) {
                    act(&book, key(client), &mount);
                }
            }
        };
        client.connect_describe_request(on(Book::touch));
        client.connect_setup_request(on(Book::touch));
        client.connect_play_request(on(Book::play));
        client.connect_pause_request(on(Book::leave));
        client.connect_teardown_request(on(Book::leave));
        let book = Arc::clone(&book);
        client.connect_closed(move |client| book.close(key(client)));
    });
}

/// A client's identity while it lives.
fn key(client: &RTSPClient) -> usize {
    client.as_ptr() as usize
}

/// First part of the path that a request names.
fn mount_of(context: &RTSPContext) -> Option<String> {
    let parts = context.uri()?.decode_path_components();
    parts.iter().find(|part| !part.is_empty()).map(ToString::to_string)
}

fn run(context: glib::MainContext, main_loop: glib::MainLoop) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("rtsp".to_owned()).spawn(move || {
        if context.with_thread_default(|| main_loop.run()).is_err() {
            tracing::error!("the RTSP server's thread could not take its main context");
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Keeps the count told last. While it is told the first one, a second client comes on another thread.
    #[derive(Default)]
    struct Gauge {
        book: Mutex<Weak<Book>>,
        calls: AtomicUsize,
        last: AtomicUsize,
        second: Mutex<Option<JoinHandle<()>>>,
    }

    impl Visitors for Gauge {
        fn viewers(&self, _mount: &str, count: usize) {
            if self.calls.fetch_add(1, Ordering::SeqCst) == 0 {
                let book = self.book.lock().unwrap().upgrade().unwrap();
                let watched = Arc::clone(&book);
                *self.second.lock().unwrap() = Some(std::thread::spawn(move || book.play(2, "gate")));
                // It is in the book now; what it tells must come after this.
                while viewers_of(&watched.lock(), "gate") < 2 {
                    std::thread::yield_now();
                }
            }
            self.last.store(count, Ordering::SeqCst);
        }

        fn joined(&self, _mount: &str) {}
    }

    #[test]
    fn the_count_told_last_is_the_latest() {
        let gauge = Arc::new(Gauge::default());
        let visitors = Arc::clone(&gauge) as Arc<dyn Visitors>;
        let book = Arc::new(Book { visits: Mutex::default(), telling: Mutex::default(), visitors });
        *gauge.book.lock().unwrap() = Arc::downgrade(&book);
        book.play(1, "gate");
        gauge.second.lock().unwrap().take().unwrap().join().unwrap();
        assert_eq!((gauge.last.load(Ordering::SeqCst), gauge.calls.load(Ordering::SeqCst)), (2, 2));
        book.leave(1, "gate");
        book.leave(1, "gate");
        book.close(2);
        assert_eq!((gauge.last.load(Ordering::SeqCst), gauge.calls.load(Ordering::SeqCst)), (0, 4));
    }
}
