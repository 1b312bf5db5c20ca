//! What stands between some clients and GStreamer's server: TLS, and an ear for Digest.
//!
//! GStreamer has a TLS of its own, but does not tell whence its connections come: logins could not be slowed down by
//! address. So they are decrypted here, by the library, the certificate and the protocols of HTTP, and handed over as
//! connections of this machine. What a viewer does not read stays unread here, too: the server notices as it does
//! without.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_rustls::TlsAcceptor;
use tracing_mutex::parking_lot::Mutex;

use super::doors::Doors;
use super::ear::Ear;
use super::visits::{Heard, Line};
use crate::tls::server::Certificate;

/// Connections at a time; more are closed as they come.
const CONNECTIONS: usize = 512;
/// The same of one address; of IPv6, of one network of 64 bits.
const OF_ONE_ADDRESS: usize = 64;
/// What somebody may say before they have said who they are.
const INTRODUCTION: usize = 64 * 1024;
/// A viewer who takes nothing for so long is gone.
const STALLED: Duration = Duration::from_secs(60);
/// What a client takes at a time.
const PIECE: usize = 8 * 1024;
/// Time for TLS to be agreed on, as for HTTP.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Time for a good bye.
const FAREWELL: Duration = Duration::from_secs(1);
/// Bytes that may wait between the relay and the server: what is old there is late at the viewer.
const WAITING: usize = 128 * 1024;

/// The server's end of a connection, whence it comes, and what the relay does about it.
pub(super) type Relayed = (OwnedFd, SocketAddr, Line);

/// The relay's thread. It ends, and all its connections with it, when this is dropped.
pub(super) struct Relay {
    encrypts: bool,
    doors: Arc<Doors>,
    incoming: Option<mpsc::UnboundedSender<(TcpStream, SocketAddr)>>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// `deliver` takes what comes through; it is called on the relay's thread and must not wait.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(
        certificate: Option<&Arc<Certificate>>,
        doors: Arc<Doors>,
        deliver: impl Fn(Relayed) + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let acceptor = certificate.map(Certificate::stream_config).transpose()?.map(TlsAcceptor::from);
        let encrypts = acceptor.is_some();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (incoming, coming) = mpsc::unbounded_channel();
        let thread = std::thread::Builder::new().name("rtsp-relay".into()).spawn(move || {
            runtime.block_on(serve(coming, acceptor, Arc::new(deliver)));
            runtime.shutdown_background();
        })?;
        Ok(Self { encrypts, doors, incoming: Some(incoming), thread: Some(thread) })
    }

    /// Whether connections from there have to go through here.
    pub(super) fn wants(&self, from: IpAddr) -> bool {
        self.encrypts || self.doors.ask_for_digest(from)
    }

    /// A connection has come in.
    pub(super) fn take(&self, stream: TcpStream, peer: SocketAddr) {
        if let Some(incoming) = &self.incoming {
            // The thread ends with this only.
            incoming.send((stream, peer)).ok();
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.incoming = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the RTSP relay panicked");
        }
    }
}

async fn serve(
    mut coming: mpsc::UnboundedReceiver<(TcpStream, SocketAddr)>,
    acceptor: Option<TlsAcceptor>,
    deliver: Arc<impl Fn(Relayed) + Send + Sync + 'static>,
) {
    let (places, crowd) = (Arc::new(Semaphore::new(CONNECTIONS)), Arc::new(Crowd::default()));
    while let Some((stream, peer)) = coming.recv().await {
        let place = Arc::clone(&places).try_acquire_owned().ok().zip(Crowd::enter(&crowd, peer.ip()));
        let Some(place) = place else {
            let (most, each) = (CONNECTIONS, OF_ONE_ADDRESS);
            tracing::warn!(%peer, most, each, "rtsp: too many connections, of all or of one address; this one is closed");
            continue;
        };
        let (acceptor, deliver) = (acceptor.clone(), Arc::clone(&deliver));
        tokio::spawn(async move {
            // Who speaks no TLS, or too slowly, or goes away, is none of our trouble.
            if let Err(error) = receive(acceptor, stream, peer, &*deliver).await {
                tracing::trace!(%peer, %error, "a relayed RTSP connection ended");
            }
            drop(place);
        });
    }
}

async fn receive(
    acceptor: Option<TlsAcceptor>,
    stream: TcpStream,
    peer: SocketAddr,
    deliver: &(impl Fn(Relayed) + Send + Sync),
) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    // Pictures come in pieces that are sent as they are.
    stream.set_nodelay(true)?;
    let stream = tokio::net::TcpStream::from_std(stream)?;
    match acceptor {
        None => relay(stream, peer, deliver).await,
        Some(acceptor) => {
            let stream = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await??;
            relay(stream, peer, deliver).await
        }
    }
}

async fn relay(
    client: impl AsyncRead + AsyncWrite,
    peer: SocketAddr,
    deliver: &(impl Fn(Relayed) + Send + Sync),
) -> io::Result<()> {
    let (server, theirs) = pair(peer.ip().to_canonical())?;
    let (cut, mut cutting) = oneshot::channel();
    let heard = Arc::new(Heard::default());
    deliver((OwnedFd::from(theirs), peer, Line { cut, heard: Arc::clone(&heard) }));
    let (mut from_client, mut to_client) = split(client);
    let (mut from_server, mut to_server) = server.into_split();
    let down = async {
        let sent = pass_on(&mut from_server, &mut to_client).await;
        // Whoever does not read has no use for it.
        tokio::time::timeout(FAREWELL, to_client.shutdown()).await.ok();
        sent
    };
    // RTSP has no half-open connections: the first end is that of all.
    tokio::select! {
        ended = listen(&mut from_client, &mut to_server, &heard) => ended,
        ended = down => ended,
        // Nothing more is sent, not even what the server has written already.
        Ok(()) = &mut cutting => Ok(()),
    }
}

/// Passes on what the server sends, to whom goes on taking it.
async fn pass_on(server: &mut (impl AsyncRead + Unpin), client: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let length = server.read(&mut piece).await?;
        let Some(sent) = piece.get(..length).filter(|sent| !sent.is_empty()) else { return Ok(()) };
        let taken = async {
            client.write_all(sent).await?;
            client.flush().await
        };
        tokio::time::timeout(STALLED, taken).await??;
    }
}

/// Passes on what the client says; what it says of itself is known before the server has it.
async fn listen(
    client: &mut (impl AsyncRead + Unpin),
    server: &mut (impl AsyncWrite + Unpin),
    heard: &Heard,
) -> io::Result<()> {
    let (mut ear, mut piece, mut total) = (Ear::default(), vec![0; PIECE], 0);
    loop {
        let length = client.read(&mut piece).await?;
        let Some(said) = piece.get(..length).filter(|said| !said.is_empty()) else { return Ok(()) };
        if total == 0 && (said.starts_with(b"GET /") || said.starts_with(b"POST /")) {
            // Its two halves are two connections here, and GStreamer knows one of them only.
            return Err(io::Error::other("a tunnel through HTTP"));
        }
        total += length;
        if total > INTRODUCTION && !heard.is_known() {
            return Err(io::Error::other("much said, and nothing of who says it"));
        }
        if let Some(value) = ear.hear(said) {
            heard.note(value);
        }
        server.write_all(said).await?;
    }
}

/// How many are there of each address.
#[derive(Default)]
struct Crowd(Mutex<HashMap<IpAddr, usize>>);

impl Crowd {
    /// `None`: too many are. Who is in leaves when that is dropped.
    fn enter(this: &Arc<Self>, from: IpAddr) -> Option<Entered> {
        let from = network(from.to_canonical());
        let mut crowd = this.0.lock();
        let count = crowd.entry(from).or_default();
        if *count >= OF_ONE_ADDRESS {
            return None;
        }
        *count += 1;
        Some(Entered { crowd: Arc::clone(this), from })
    }
}

struct Entered {
    crowd: Arc<Crowd>,
    from: IpAddr,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut crowd = self.crowd.0.lock();
        match crowd.get_mut(&self.from) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(crowd.remove(&self.from)),
        }
    }
}

/// Whose addresses are one person's.
fn network(from: IpAddr) -> IpAddr {
    match from {
        IpAddr::V4(_) => from,
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) & (u128::MAX << 64)).into(),
    }
}

/// The two ends of a connection of this machine with itself, of the family of the client's: the server sends by UDP of
/// that family.
fn pair(from: IpAddr) -> io::Result<(tokio::net::TcpStream, TcpStream)> {
    let loopback: IpAddr = if from.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
    let listener = TcpListener::bind((loopback, 0))?;
    let ours = TcpStream::connect(listener.local_addr()?)?;
    let (theirs, who) = listener.accept()?;
    if who != ours.local_addr()? {
        return Err(io::Error::other("somebody else of this machine came first"));
    }
    for end in [&ours, &theirs] {
        end.set_nodelay(true)?;
        SockRef::from(end).set_send_buffer_size(WAITING)?;
        SockRef::from(end).set_recv_buffer_size(WAITING)?;
    }
    ours.set_nonblocking(true)?;
    Ok((tokio::net::TcpStream::from_std(ours)?, theirs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_takes_its_share_and_gives_it_back() {
        let crowd = Arc::new(Crowd::default());
        let enter = |text: &str| Crowd::enter(&crowd, text.parse().unwrap());
        let mut inside: Vec<_> = (0..OF_ONE_ADDRESS).map(|n| enter(&format!("2001:db8::{n:x}")).unwrap()).collect();
        assert!(enter("2001:db8::ffff:1").is_none() && enter("2001:db8:0:1::1").is_some());
        inside.pop();
        assert!(enter("2001:db8::7").is_some());
        let four = enter("10.0.0.9");
        assert_eq!(crowd.0.lock().len(), 2);
        drop((inside, four));
        assert!(crowd.0.lock().is_empty());
    }

    #[test]
    fn strangers_are_not_listened_to_for_ever() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let said = |text: Vec<u8>, known: bool| {
            let heard = Heard::default();
            if known {
                heard.now_known();
            }
            runtime.block_on(async { listen(&mut &text[..], &mut tokio::io::sink(), &heard).await.is_ok() })
        };
        assert!(said(vec![b'x'; INTRODUCTION], false) && said(vec![b'x'; INTRODUCTION * 3], true));
        assert!(!said(vec![b'x'; INTRODUCTION + 1], false));
        assert!(!said(b"GET /gate HTTP/1.0\r\n\r\n".to_vec(), true), "no tunnels");
        assert!(said(b"GET_PARAMETER rtsp://a/gate RTSP/1.0\r\n\r\n".to_vec(), false));
    }

    #[test]
    fn who_takes_nothing_is_let_go() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (mut client, _never_read) = tokio::io::duplex(16);
            let ended = pass_on(&mut tokio::io::repeat(7), &mut client).await;
            assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::TimedOut);
        });
    }
}
