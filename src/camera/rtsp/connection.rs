//! One connection to a camera: bytes out, items in; a request and the answer to it.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

use super::wire::{Answer, Headers, Item, Nonsense, Request, Wire};
use crate::camera::login::{Denied, Login};
use crate::config::plan::CameraPlan;
use crate::reach::Reach;
use crate::tls;

/// How long a connection may take to come about, per address.
const CONNECT: Duration = Duration::from_secs(8);
/// How long a camera may think about a request. Some wake up a sensor first.
const ANSWER: Duration = Duration::from_secs(20);
/// The port of RTSP where a camera sends to another host and names none.
const USUAL_PORT: u16 = 554;
/// Bytes read at once.
const CHUNK: usize = 64 * 1024;

/// Both directions of a connection, encrypted or not.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Why an exchange failed.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The connection did not come about, or broke.
    Connect(io::Error),
    /// No encrypted connection.
    Tls(io::Error),
    /// The camera closed the connection; `after`: the request that it was closed at.
    Closed { after: &'static str },
    /// No answer.
    Mute { after: &'static str },
    /// No login.
    Denied(Denied),
    /// An answer other than 200.
    Status { method: &'static str, answer: Answer },
    /// It speaks something else.
    Nonsense,
}

impl From<Nonsense> for Trouble {
    fn from(_: Nonsense) -> Self {
        Self::Nonsense
    }
}

/// A connection.
pub(super) struct Connection {
    peer: IpAddr,
    stream: Box<dyn Stream>,
    wire: Wire,
    chunk: Vec<u8>,
    cseq: u32,
    login: Login,
    /// Packets that came while an answer was waited for.
    early: Vec<(u8, Vec<u8>)>,
}

impl Connection {
    /// Connects to the host of `url`.
    ///
    /// # Errors
    /// [`Trouble::Connect`] or [`Trouble::Tls`].
    pub(super) async fn open(url: &Url, plan: &CameraPlan) -> Result<Self, Trouble> {
        // After a redirect host and port may be others. Only the configured host has a zone.
        let own = url.host_str() == plan.url.parsed().host_str();
        let named = url.host_str().unwrap_or_default();
        let host = plan.url.host().filter(|_| own).unwrap_or(named);
        let port = url.port().or(if own { plan.url.port() } else { None }).unwrap_or(USUAL_PORT);
        let tcp = connect(bare(host), port, &plan.reach).await.map_err(Trouble::Connect)?;
        tcp.set_nodelay(true).ok();
        let peer = tcp.peer_addr().map_err(Trouble::Connect)?.ip();
        // A camera's password is for the camera, not for whom it sends to.
        let credentials = plan.credentials.clone().filter(|_| own);
        let stream: Box<dyn Stream> = if url.scheme() == "rtsps" {
            Box::new(encrypt(tcp, bare(named), plan.insecure_tls).await.map_err(Trouble::Tls)?)
        } else {
            Box::new(tcp)
        };
        Ok(Self {
            peer,
            stream,
            wire: Wire::default(),
            chunk: vec![0; CHUNK],
            cseq: 0,
            login: Login::new(credentials),
            early: Vec::new(),
        })
    }

    /// Sends a request with those further headers and waits for its answer; logs in where the camera asks for it.
    ///
    /// # Errors
    /// Every [`Trouble`] but those of connecting.
    pub(super) async fn ask(
        &mut self,
        method: &'static str,
        uri: &str,
        headers: &[(&str, &str)],
    ) -> Result<Answer, Trouble> {
        loop {
            let number = self.send(method, uri, headers).await.map_err(|_| Trouble::Closed { after: method })?;
            let answer = tokio::time::timeout(ANSWER, self.answer(number, method));
            let answer = answer.await.unwrap_or(Err(Trouble::Mute { after: method }))?;
            if answer.status == 401 {
                self.login.challenged(answer.headers.all("www-authenticate")).map_err(Trouble::Denied)?;
                continue;
            }
            self.login.accepted();
            return if answer.status == 200 { Ok(answer) } else { Err(Trouble::Status { method, answer }) };
        }
    }

    /// Sends a request and does not wait; gives its number.
    pub(super) async fn send(&mut self, method: &str, uri: &str, headers: &[(&str, &str)]) -> io::Result<u32> {
        self.cseq += 1;
        let mut text = format!("{method} {uri} RTSP/1.0\r\nCSeq: {}\r\nUser-Agent: {AGENT}\r\n", self.cseq);
        if let Some(authorization) = self.login.authorization(method, uri) {
            text += &format!("Authorization: {authorization}\r\n");
        }
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += "\r\n";
        self.write(text.as_bytes()).await?;
        Ok(self.cseq)
    }

    /// Answers a request of the camera.
    pub(super) async fn reply(&mut self, request: &Request) -> io::Result<()> {
        let number = request.headers.cseq().unwrap_or_default();
        self.write(format!("RTSP/1.0 200 OK\r\nCSeq: {number}\r\n\r\n").as_bytes()).await
    }

    /// Sends a packet on a channel.
    pub(super) async fn packet(&mut self, channel: u8, data: &[u8]) -> io::Result<()> {
        let Ok(length) = u16::try_from(data.len()) else { return Ok(()) };
        let [high, low] = length.to_be_bytes();
        self.write(&[&[b'$', channel, high, low], data].concat()).await
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    async fn answer(&mut self, number: u32, method: &'static str) -> Result<Answer, Trouble> {
        loop {
            match self.read(method).await? {
                // An answer without a number is to the one request that waits.
                Item::Answer(answer) if answer.headers.cseq().is_none_or(|cseq| cseq == number) => return Ok(answer),
                Item::Answer(_) => {}
                Item::Request(request) => {
                    self.reply(&request).await.map_err(|_| Trouble::Closed { after: method })?;
                }
                Item::Packet { channel, data } => self.early.push((channel, data)),
            }
        }
    }

    /// The next thing that the camera sends. `doing`: what the connection is used for, for its end.
    ///
    /// # Errors
    /// The connection ended.
    pub(super) async fn read(&mut self, doing: &'static str) -> Result<Item, Trouble> {
        loop {
            if let Some(item) = self.wire.next()? {
                return Ok(item);
            }
            match self.stream.read(&mut self.chunk).await {
                Ok(0) | Err(_) => return Err(Trouble::Closed { after: doing }),
                Ok(count) => self.wire.feed(&self.chunk[..count]),
            }
        }
    }

    /// Packets that came before the stream was listened to.
    pub(super) fn take_early(&mut self) -> Vec<(u8, Vec<u8>)> {
        std::mem::take(&mut self.early)
    }

    /// Address of the camera.
    pub(super) fn peer(&self) -> IpAddr {
        self.peer
    }

    /// How the camera asks for a password.
    pub(super) fn login(&self) -> &Login {
        &self.login
    }

    /// Bytes that belonged to nobody.
    pub(super) fn skipped(&self) -> u64 {
        self.wire.skipped()
    }
}

/// An IPv6 address without its brackets.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// What cameras are told of us.
const AGENT: &str = concat!("maskwatch/", env!("CARGO_PKG_VERSION"));

async fn connect(host: &str, port: u16, reach: &Reach) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let looked_up = tokio::time::timeout(CONNECT, reach.resolve(host, port));
    for address in looked_up.await.unwrap_or_else(|_| Err(io::ErrorKind::NotFound.into()))? {
        match tokio::time::timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

async fn encrypt(tcp: TcpStream, host: &str, insecure: bool) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let config = if insecure { tls::unverified_client() } else { tls::client(None) };
    let config = config.map_err(io::Error::other)?;
    let name = rustls::pki_types::ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let connecting = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp);
    tokio::time::timeout(CONNECT, connecting).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// The session's name and timeout, out of the header `Session`.
pub(super) fn session(headers: &Headers) -> Option<(String, Option<Duration>)> {
    let mut fields = headers.get("session")?.split(';').map(str::trim);
    let name = fields.next().filter(|name| !name.is_empty())?.to_owned();
    let seconds = fields.find_map(|field| {
        let (key, value) = field.split_once('=')?;
        key.trim().eq_ignore_ascii_case("timeout").then(|| value.trim().parse::<u64>().ok())?
    });
    Some((name, seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs)))
}
