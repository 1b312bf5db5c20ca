//! The book of who is connected, who they are, and what they watch.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use gst::glib;
use gst::prelude::*;
use gst_rtsp_server::{RTSPContext, RTSPSession};
use rand::RngCore;
use tokio::sync::oneshot;
use tracing_mutex::parking_lot::{Mutex, MutexGuard};

use crate::access::Caller;

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

/// A connection that has just come in.
pub(super) struct Arrival {
    /// From where.
    pub(super) from: IpAddr,
    /// What the relay does about it, where it goes through there.
    pub(super) line: Option<Line>,
}

/// A connection's way through the relay.
pub(super) struct Line {
    /// Cuts it at once, with all that is on its way.
    pub(super) cut: oneshot::Sender<()>,
    /// What is known of the client.
    pub(super) heard: Arc<Heard>,
}

/// What the relay has heard of a client, and what it hears of it.
#[derive(Default)]
pub(super) struct Heard {
    /// The last `Authorization` that the client has sent.
    authorization: Mutex<Option<String>>,
    /// It has come in.
    known: AtomicBool,
}

impl Heard {
    /// It has said this.
    pub(super) fn note(&self, authorization: String) {
        *self.authorization.lock() = Some(authorization);
    }

    /// It is known who it is.
    pub(super) fn now_known(&self) {
        self.known.store(true, Ordering::Release);
    }

    /// Whether it is.
    pub(super) fn is_known(&self) -> bool {
        self.known.load(Ordering::Acquire)
    }
}

/// One client's dealings, by mount.
#[derive(Default)]
struct Visit {
    /// Mounts that it asked for in any way.
    touched: BTreeSet<String>,
    /// Mounts that it plays.
    playing: BTreeSet<String>,
    /// When and whence it came.
    came: Option<(Instant, IpAddr)>,
    /// What an answer by Digest has to be for, on this connection alone.
    nonce: String,
    /// Who it has turned out to be.
    caller: Option<Caller>,
    sessions: Vec<glib::WeakRef<RTSPSession>>,
    line: Option<Line>,
}

/// A client, as it is known before it is asked who it is.
pub(super) struct Stranger {
    pub(super) from: IpAddr,
    pub(super) nonce: String,
}

/// A client, as it stands.
pub(super) struct Standing {
    pub(super) came: Option<Instant>,
    pub(super) caller: Option<Caller>,
    pub(super) mounts: BTreeSet<String>,
}

/// Who is connected, and to what.
pub(super) struct Book {
    visits: Mutex<BTreeMap<usize, Visit>>,
    /// The connection that GStreamer is about to make a client of.
    arriving: Mutex<Option<Arrival>>,
    /// Held while a count is taken and told: the count that is told last is the latest.
    telling: Mutex<()>,
    visitors: Arc<dyn Visitors>,
}

impl Book {
    pub(super) fn new(visitors: Arc<dyn Visitors>) -> Self {
        Self { visits: Mutex::default(), arriving: Mutex::default(), telling: Mutex::default(), visitors }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Visit>> {
        self.visits.lock()
    }

    /// The next client is of this connection; `None`: that is over.
    pub(super) fn expect(&self, arrival: Option<Arrival>) {
        *self.arriving.lock() = arrival;
    }

    /// A client was made of the connection that was expected.
    pub(super) fn arrive(&self, client: usize) {
        let arrival = self.arriving.lock().take();
        let mut nonce = [0; 16];
        rand::rng().fill_bytes(&mut nonce);
        let came = arrival.as_ref().map(|arrival| (Instant::now(), arrival.from));
        let nonce = nonce.iter().map(|byte| format!("{byte:02x}")).collect();
        let line = arrival.and_then(|arrival| arrival.line);
        self.lock().insert(client, Visit { came, nonce, line, ..Visit::default() });
    }

    /// Whom to ask who they are.
    pub(super) fn stranger(&self, client: usize) -> Option<Stranger> {
        let visits = self.lock();
        let visit = visits.get(&client)?;
        Some(Stranger { from: visit.came?.1, nonce: visit.nonce.clone() })
    }

    /// The last `Authorization` of a client, as far as the relay hears it.
    pub(super) fn heard(&self, client: usize) -> Option<String> {
        let heard = Arc::clone(&self.lock().get(&client)?.line.as_ref()?.heard);
        let heard = heard.authorization.lock();
        heard.clone()
    }

    /// The client is this caller. False: it was another before; a connection is one caller's.
    pub(super) fn identify(&self, client: usize, caller: Caller) -> bool {
        let mut visits = self.lock();
        let visit = visits.entry(client).or_default();
        visit.line.iter().for_each(|line| line.heard.now_known());
        *visit.caller.get_or_insert_with(|| caller.clone()) == caller
    }

    /// Whether a session was begun by this client.
    pub(super) fn owns(&self, client: usize, session: &RTSPSession) -> bool {
        let visits = self.lock();
        let own = visits.get(&client).map(|visit| &visit.sessions);
        own.is_some_and(|own| own.iter().filter_map(glib::WeakRef::upgrade).any(|known| known == *session))
    }

    /// How a client stands.
    pub(super) fn standing(&self, client: usize) -> Option<Standing> {
        let visits = self.lock();
        let visit = visits.get(&client)?;
        let mounts = visit.playing.union(&visit.touched).cloned().collect();
        Some(Standing { came: visit.came.map(|(when, _)| when), caller: visit.caller.clone(), mounts })
    }

    /// A client has a session.
    pub(super) fn begin(&self, client: usize, session: &RTSPSession) {
        self.lock().entry(client).or_default().sessions.push(session.downgrade());
    }

    pub(super) fn touch(&self, client: usize, mount: &str) {
        self.lock().entry(client).or_default().touched.insert(mount.to_owned());
    }

    pub(super) fn play(&self, client: usize, mount: &str) {
        self.lock().entry(client).or_default().playing.insert(mount.to_owned());
        self.tell(mount);
        self.visitors.joined(mount);
    }

    /// Tells how many play `mount` now.
    fn tell(&self, mount: &str) {
        let _turn = self.telling.lock();
        let count = self.viewers(mount);
        self.visitors.viewers(mount, count);
    }

    pub(super) fn leave(&self, client: usize, mount: &str) {
        let left = self.lock().get_mut(&client).is_some_and(|visit| visit.playing.remove(mount));
        if left {
            self.tell(mount);
        }
    }

    /// A client is gone. Gives the sessions that it leaves behind.
    pub(super) fn close(&self, client: usize) -> Vec<RTSPSession> {
        let visit = self.lock().remove(&client).unwrap_or_default();
        visit.playing.iter().for_each(|mount| self.tell(mount));
        if let Some(line) = visit.line {
            // It may have ended by itself.
            line.cut.send(()).ok();
        }
        visit.sessions.iter().filter_map(glib::WeakRef::upgrade).collect()
    }

    pub(super) fn touches(&self, client: usize, mount: &str) -> bool {
        self.lock().get(&client).is_some_and(|visit| visit.touched.contains(mount))
    }

    /// How many play `mount` now.
    pub(super) fn viewers(&self, mount: &str) -> usize {
        self.lock().values().filter(|visit| visit.playing.contains(mount)).count()
    }
}

/// First part of the path that a request names.
pub(super) fn mount_of(context: &RTSPContext) -> Option<String> {
    let parts = context.uri()?.decode_path_components();
    // What was decoded may be no UTF-8.
    let part = parts.iter().map(|part| part.as_bytes()).find(|part| !part.is_empty())?;
    Some(String::from_utf8_lossy(part).into_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;
    use std::sync::atomic::AtomicUsize;
    use std::thread::JoinHandle;

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
                let book = self.book.lock().upgrade().unwrap();
                let watched = Arc::clone(&book);
                *self.second.lock() = Some(std::thread::spawn(move || book.play(2, "gate")));
                // It is in the book now; what it tells must come after this.
                while watched.viewers("gate") < 2 {
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
        let book = Arc::new(Book::new(Arc::clone(&gauge) as Arc<dyn Visitors>));
        *gauge.book.lock() = Arc::downgrade(&book);
        book.play(1, "gate");
        gauge.second.lock().take().unwrap().join().unwrap();
        assert_eq!((gauge.last.load(Ordering::SeqCst), gauge.calls.load(Ordering::SeqCst)), (2, 2));
        book.leave(1, "gate");
        book.leave(1, "gate");
        book.close(2);
        assert_eq!((gauge.last.load(Ordering::SeqCst), gauge.calls.load(Ordering::SeqCst)), (0, 4));
    }

    #[test]
    fn a_connection_is_one_callers_and_has_a_nonce_of_its_own() {
        let book = Book::new(Arc::new(Gauge::default()));
        let from = IpAddr::from([10, 0, 0, 9]);
        for client in [1, 2] {
            book.expect(Some(Arrival { from, line: None }));
            book.arrive(client);
        }
        let nonce = |client| book.stranger(client).map(|stranger| (stranger.from, stranger.nonce)).unwrap();
        assert_eq!((nonce(1).0, nonce(1).1.len()), (from, 32));
        assert_ne!(nonce(1), nonce(2));
        assert!(book.stranger(3).is_none());
        book.arrive(4);
        assert!(book.stranger(4).is_none(), "nobody knows where it is from");
        assert!(book.identify(1, Caller::anybody()) && book.identify(1, Caller::anybody()));
        assert!(!book.identify(1, Caller::stranger()));
        assert_eq!(book.standing(1).unwrap().caller, Some(Caller::anybody()));
    }
}
