//! An RTSP server with a GLib main loop thread of its own. The annotated streams and the simulated cameras sit on it.
//!
//! It keeps a book of who watches what: a client counts as a viewer of a mount from its PLAY until it tears down, closes
//! or times out. Callbacks run on the server's threads, those about one server's viewers one at a time.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use gst_rtsp_server::prelude::*;
use gst_rtsp_server::{RTSPAuth, RTSPClient, RTSPContext, RTSPFilterResult, RTSPMediaFactory, RTSPToken};

use super::doors::Doors;
use super::porter::Porter;
use super::reception::Reception;
use super::relay::Relay;
use super::visits::{Book, mount_of};
pub use super::visits::{NoVisitors, Visitors};
use crate::tls::server::Certificate;

/// The role that a client has once its password was right.
const ROLE: &str = "viewer";
/// Longest body of a request; the parameters that clients send are shorter.
const LONGEST_BODY: u32 = 64 * 1024;
/// How often sessions are looked through for clients that went away without a word.
const SESSION_SWEEP: Duration = Duration::from_secs(2);
/// Threads that serve connections. A client that reads slowly holds up those that share its thread, at most.
const CLIENT_THREADS: i32 = 8;
/// How often it is looked whether clients are still let in.
const LOOK: Duration = Duration::from_millis(500);
/// A client that has not come in by then is sent away.
const STRANGER: Duration = Duration::from_secs(30);

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

/// Who is let in.
pub(super) enum Entrance {
    /// Who knows the name and the password, by GStreamer's own ways; without them everybody.
    Simple(Option<(String, String)>),
    /// Whom the doors let in.
    Doors(Arc<Doors>),
}

/// A running server. Dropping it closes every connection and gives the port back.
pub struct Host {
    server: gst_rtsp_server::RTSPServer,
    main_loop: glib::MainLoop,
    listener: Option<glib::Source>,
    thread: Option<JoinHandle<()>>,
    address: SocketAddr,
    book: Arc<Book>,
    /// Whether GStreamer's own authentication asks what a client may.
    simple: bool,
    encrypted: bool,
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
        let login = auth.map(|(user, password)| (user.to_owned(), password.to_owned()));
        Self::open(listen, Entrance::Simple(login), None, visitors)
    }

    /// The same, by TLS where there is a certificate.
    pub(super) fn open(
        listen: SocketAddr,
        entrance: Entrance,
        certificate: Option<&Arc<Certificate>>,
        visitors: Arc<dyn Visitors>,
    ) -> Result<Self, HostError> {
        let refused = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::AddrInUse => HostError::InUse(listen),
            _ => HostError::Listen(listen, error),
        };
        let bound = TcpListener::bind(listen).map_err(refused)?;
        bound.set_nonblocking(true).map_err(refused)?;
        let address = bound.local_addr().map_err(refused)?;
        let server = gst_rtsp_server::RTSPServer::new();
        // A body is read before it is asked who sends it.
        server.set_content_length_limit(LONGEST_BODY);
        if let Some(pool) = server.thread_pool() {
            pool.set_max_threads(CLIENT_THREADS);
        }
        let book = Arc::new(Book::new(visitors));
        watch_clients(&server, &book);
        let simple = matches!(entrance, Entrance::Simple(Some(_)));
        let context = glib::MainContext::new();
        let reception = Reception::new(&server, &book);
        let relay = match entrance {
            Entrance::Simple(None) => None,
            Entrance::Simple(Some((user, password))) => {
                server.set_auth(Some(&guard(&user, &password)));
                None
            }
            Entrance::Doors(doors) => {
                server.set_auth(Some(&Porter::new(Arc::clone(&doors), Arc::clone(&book))));
                let relay = relay(certificate, &doors, &context, &reception);
                let (watched, book) = (server.downgrade(), Arc::clone(&book));
                every(&context, LOOK, "rtsp-callers", move || {
                    watched.upgrade().iter().for_each(|server| send_away(server, &book, &doors));
                });
                Some(relay.map_err(|error| HostError::Start(format!("{error:#}")))?)
            }
        };
        let listener =
            reception.receive(bound, relay, &context).map_err(|error| HostError::Start(error.to_string()))?;
        if let Some(pool) = server.session_pool() {
            every(&context, SESSION_SWEEP, "rtsp-sessions", move || {
                pool.cleanup();
            });
        }
        let main_loop = glib::MainLoop::new(Some(&context), false);
        let thread = run(context, main_loop.clone()).map_err(|error| HostError::Start(error.to_string()))?;
        let (listener, thread, encrypted) = (Some(listener), Some(thread), certificate.is_some());
        Ok(Self { server, main_loop, listener, thread, address, book, simple, encrypted })
    }

    /// Where it listens; the port is the real one.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Offers `factory` at `/mount`.
    pub fn mount(&self, mount: &str, factory: RTSPMediaFactory) {
        if self.encrypted {
            // By UDP pictures would leave in the clear.
            factory.set_protocols(gst_rtsp::RTSPLowerTrans::TCP);
        }
        if self.simple {
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
        self.book.viewers(mount)
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
    server.connect_client_connected(move |server, client| {
        book.arrive(key(client));
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
        let begun = Arc::clone(&book);
        client.connect_new_session(move |client, session| begun.begin(key(client), session));
        let (book, pool) = (Arc::clone(&book), server.session_pool());
        client.connect_closed(move |client| {
            // Else they would go on by UDP until they time out, whoever had them.
            for session in book.close(key(client)) {
                pool.iter().for_each(|pool| drop(pool.remove(&session)));
            }
        });
    });
}

/// A client's identity while it lives.
fn key(client: &RTSPClient) -> usize {
    client.as_ptr() as usize
}

/// Sends those away who are not let in any more, who see no longer what they watch, and who never said who they are.
fn send_away(server: &gst_rtsp_server::RTSPServer, book: &Book, doors: &Doors) {
    server.client_filter(Some(&mut |_, client| {
        let Some(standing) = book.standing(key(client)) else { return RTSPFilterResult::Keep };
        let stays = match &standing.caller {
            Some(caller) => doors.stands(caller) && standing.mounts.iter().all(|mount| doors.sees(caller, mount)),
            None => standing.came.is_none_or(|came| came.elapsed() < STRANGER),
        };
        if stays { RTSPFilterResult::Keep } else { RTSPFilterResult::Remove }
    }));
}

/// What leads to the server of `context` through TLS, or past an ear for Digest.
fn relay(
    certificate: Option<&Arc<Certificate>>,
    doors: &Arc<Doors>,
    context: &glib::MainContext,
    reception: &Reception,
) -> anyhow::Result<Relay> {
    let (context, reception) = (context.clone(), reception.clone());
    Relay::start(certificate, Arc::clone(doors), move |(socket, peer, line)| {
        let reception = reception.clone();
        let introduce = move || reception.introduce(socket, peer, Some(line));
        context.invoke_with_priority(glib::Priority::DEFAULT, introduce);
    })
}

/// Does something again and again on the server's thread.
fn every(context: &glib::MainContext, pause: Duration, name: &str, act: impl Fn() + Send + 'static) {
    let source = glib::timeout_source_new(pause, Some(name), glib::Priority::DEFAULT, move || {
        act();
        glib::ControlFlow::Continue
    });
    source.attach(Some(context));
}

fn run(context: glib::MainContext, main_loop: glib::MainLoop) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("rtsp".to_owned()).spawn(move || {
        if context.with_thread_default(|| main_loop.run()).is_err() {
            tracing::error!("the RTSP server's thread could not take its main context");
        }
    })
}
