//! The camera: it listens, and answers one connection per thread.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::carrier::{Carrier, Wire};
use super::options::{Announced, Options, Reply, TransportAnswer};
use super::packets::SOURCE;
use super::sdp;
use super::sender::Sender;
use super::session::Session;
use crate::support::free_udp_pair;
use crate::zoo::auth::{Guard, Verdict};
use crate::zoo::coded::Coded;
use crate::zoo::head::Head;
use crate::zoo::journal::Journal;
use crate::zoo::net::{Host, Inbox, pause};

const METHODS: [&str; 7] = ["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "GET_PARAMETER", "SET_PARAMETER", "TEARDOWN"];
/// Timeout that is told where the session has none.
const USUAL_TIMEOUT: Duration = Duration::from_secs(60);

/// A fake RTSP camera on loopback. Dropping it closes its connections.
pub struct Camera {
    front: Host,
    /// Where a redirected client goes.
    _moved: Option<Host>,
    journal: Arc<Journal>,
}

/// What all connections share.
struct Shared {
    options: Arc<Options>,
    guard: Option<Guard>,
    journal: Arc<Journal>,
    sessions: AtomicU64,
    /// Where `DESCRIBE` is sent.
    moved_to: Option<(u16, SocketAddr)>,
}

impl Camera {
    pub fn start(options: Options) -> Self {
        // The clip is there before the first question.
        Coded::of(options.recipe);
        if let Some((_, recipe)) = options.flow.then {
            Coded::of(recipe);
        }
        let (options, journal) = (Arc::new(options), Arc::new(Journal::default()));
        let host = |moved_to| {
            let shared = Arc::new(Shared {
                guard: options.login.clone().map(Guard::new),
                options: Arc::clone(&options),
                journal: Arc::clone(&journal),
                sessions: AtomicU64::new(0x1_0000),
                moved_to,
            });
            Host::start(move |stream| Connection::serve(&shared, stream))
        };
        let moved = options.answers.redirect.map(|_| host(None));
        let front = host(options.answers.redirect.zip(moved.as_ref().map(Host::address)));
        Self { front, _moved: moved, journal }
    }

    /// What to put into the config. `path`: from the slash on.
    pub fn url(&self, path: &str) -> String {
        format!("rtsp://{}{path}", self.front.address())
    }

    pub fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }
}

struct Connection {
    shared: Arc<Shared>,
    wire: Arc<Wire>,
    peer: SocketAddr,
    tracks: BTreeMap<u8, Carrier>,
    session: Option<Arc<Session>>,
    playing: bool,
}

impl Connection {
    fn serve(shared: &Arc<Shared>, stream: TcpStream) {
        let (Ok(peer), Ok(writing)) = (stream.peer_addr(), stream.try_clone()) else { return };
        let mut connection = Self {
            shared: Arc::clone(shared),
            wire: Arc::new(Wire::new(writing)),
            peer,
            tracks: BTreeMap::new(),
            session: None,
            playing: false,
        };
        let mut inbox = Inbox::new(stream);
        while connection.next(&mut inbox).is_some() {}
        connection.wire.close();
        if let Some(session) = connection.session {
            session.end();
        }
    }

    /// Reads and answers; `None`: the connection ends.
    fn next(&mut self, inbox: &mut Inbox<TcpStream>) -> Option<()> {
        if inbox.seen().is_empty() && !inbox.more() {
            return None;
        }
        if inbox.seen()[0] == b'$' {
            let head = inbox.take(4)?;
            inbox.take(usize::from(u16::from_be_bytes([head[2], head[3]])))?;
            return Some(());
        }
        let text = inbox.take_head()?;
        if text.starts_with("RTSP/") {
            if let Some(session) = &self.session {
                session.open_question.store(false, Ordering::Release);
            }
            return Some(());
        }
        let head = Head::parse(&text)?;
        inbox.take(head.body())?;
        self.shared.journal.request(&head);
        match self.answer(&head) {
            ControlFlow::Continue(()) => Some(()),
            ControlFlow::Break(()) => None,
        }
    }

    fn answer(&mut self, head: &Head) -> ControlFlow<()> {
        let shared = Arc::clone(&self.shared);
        let answers = &shared.options.answers;
        if answers.mute {
            return ControlFlow::Continue(());
        }
        if answers.http {
            self.wire.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").ok();
            return ControlFlow::Break(());
        }
        if let Some((_, time)) = answers.slow.filter(|(method, _)| method.as_str() == head.method) {
            pause(time);
        }
        if let Some((_, code)) = answers.status.filter(|(method, _)| method.as_str() == head.method) {
            return self.reply(head, code, &[], "");
        }
        if let Some(guard) = shared.guard.as_ref().filter(|g| head.method != "OPTIONS" || g.login().options_too) {
            match guard.look(head, &shared.journal) {
                Verdict::Welcome => {}
                Verdict::Challenge { stale } => return self.reply(head, 401, &guard.challenges(stale), ""),
                Verdict::Locked => return self.reply(head, 403, &[], ""),
            }
        }
        match head.method.as_str() {
            "OPTIONS" => self.options(head),
            "DESCRIBE" => self.describe(head),
            "SETUP" => self.setup(head),
            "PLAY" => self.play(head),
            "GET_PARAMETER" => self.keep(head, shared.options.session.get_parameter),
            "SET_PARAMETER" => self.keep(head, shared.options.session.set_parameter),
            "TEARDOWN" => self.teardown(head),
            _ => self.reply(head, 501, &[], ""),
        }
    }

    fn options(&self, head: &Head) -> ControlFlow<()> {
        let unlisted = self.shared.options.session.unlisted;
        let methods: Vec<&str> = METHODS.into_iter().filter(|method| !unlisted.contains(method)).collect();
        let public = format!("Public: {}", methods.join(", "));
        if self.playing {
            return self.keep_with(head, self.shared.options.session.options, &[public]);
        }
        self.reply(head, 200, &[public], "")
    }

    fn describe(&self, head: &Head) -> ControlFlow<()> {
        let options = &self.shared.options;
        if let Some((code, address)) = self.shared.moved_to {
            return self.reply(head, code, &[format!("Location: rtsp://{address}/moved")], "");
        }
        if options.answers.needs_in_url.is_some_and(|text| !head.url.contains(text)) {
            return self.reply(head, 404, &[], "");
        }
        if options.answers.needs_accept && head.get("accept") != Some("application/sdp") {
            return self.reply(head, 406, &[], "");
        }
        let mut headers = sdp::base(options, &head.url);
        headers.push("Content-Type: application/sdp".into());
        let body = sdp::describe(options, &Coded::of(options.recipe), &head.url);
        self.reply(head, 200, &headers, &body)
    }

    fn setup(&mut self, head: &Head) -> ControlFlow<()> {
        let shared = Arc::clone(&self.shared);
        let session_options = &shared.options.session;
        let named = head.url.split("trackID=").nth(1).and_then(|rest| rest.get(..1)?.parse().ok());
        let video = sdp::video_track(&shared.options);
        let alone = shared.options.sdp.control == super::options::Control::Absent;
        let Some(track) = named.or(alone.then_some(video)) else { return self.reply(head, 404, &[], "") };
        if track != video {
            shared.journal.note(format!("SETUP of track {track}, which is not the video"));
        }
        let asked = head.get("transport").unwrap_or_default();
        let tcp = asked.contains("TCP");
        if if tcp { session_options.no_tcp } else { session_options.no_udp } {
            return self.reply(head, 461, &[], "");
        }
        let found = if tcp { Some(self.over_tcp(asked)) } else { self.over_udp(asked) };
        let Some((carrier, transport)) = found else { return self.reply(head, 461, &[], "") };
        self.tracks.insert(track, carrier);
        let session = self.session.get_or_insert_with(|| {
            let number = format!("{:08X}", shared.sessions.fetch_add(0x9E37, Ordering::Relaxed));
            Arc::new(Session::new(number, session_options.timeout))
        });
        let session = Arc::clone(session);
        session.sign();
        let told = session_options.announced != Announced::AtPlay;
        let number = format!("Session: {}{}", session.number, if told { self.timeout() } else { String::new() });
        let transport = transport.map(|text| format!("Transport: {text}"));
        let headers: Vec<String> = transport.into_iter().chain([number]).collect();
        self.reply(head, 200, &headers, "")
    }

    /// How long the session lasts, as it is told.
    fn timeout(&self) -> String {
        let options = &self.shared.options.session;
        let seconds = options.timeout.unwrap_or(USUAL_TIMEOUT).as_secs();
        match options.announced {
            Announced::Usual | Announced::AtPlay => format!(";timeout={seconds}"),
            Announced::Spaced => format!(" ; Timeout = {seconds}"),
            Announced::Never => String::new(),
        }
    }

    fn over_tcp(&self, asked: &str) -> (Carrier, Option<String>) {
        let answer = self.shared.options.session.transport;
        let wanted = asked.split("interleaved=").nth(1).and_then(|rest| rest.split(['-', ';']).next()?.parse().ok());
        let channel: u8 = if answer == TransportAnswer::OtherChannels { 4 } else { wanted.unwrap_or(0) };
        let next = channel + 1;
        let text = match answer {
            TransportAnswer::NoChannels => Some("RTP/AVP/TCP;unicast".to_owned()),
            TransportAnswer::OneChannel => Some(format!("RTP/AVP/TCP;unicast;interleaved={channel}")),
            TransportAnswer::Nothing => None,
            TransportAnswer::Shouted => {
                Some(format!("rtp/avp/tcp; INTERLEAVED={channel}-{next}; UNICAST; MODE=\"PLAY\"; SSRC={SOURCE:08X}"))
            }
            _ => Some(format!("RTP/AVP/TCP;unicast;interleaved={channel}-{next};ssrc={SOURCE:08X}")),
        };
        (Carrier::Tcp { wire: Arc::clone(&self.wire), channel }, text)
    }

    fn over_udp(&self, asked: &str) -> Option<(Carrier, Option<String>)> {
        let mut wanted = asked.split("client_port=").nth(1)?.split(['-', ';']);
        let first: u16 = wanted.next()?.parse().ok()?;
        let second = wanted.next().and_then(|port| port.parse().ok()).unwrap_or(first + 1);
        let port = free_udp_pair();
        let socket = |port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).ok();
        let to = [first, second].map(|port| SocketAddr::new(self.peer.ip(), port));
        let carrier = Carrier::Udp { media: socket(port)?, reports: socket(port + 1)?, to };
        let plain = format!("RTP/AVP;unicast;client_port={first}-{second}");
        let ports = format!("server_port={port}-{}", port + 1);
        let text = match self.shared.options.session.transport {
            TransportAnswer::Nothing => None,
            TransportAnswer::NoServerPort => Some(plain),
            TransportAnswer::WrongSource => Some(format!("{plain};source=192.168.1.108;{ports}")),
            TransportAnswer::Shouted => Some(format!("rtp/avp/udp; UNICAST; {ports}; client_port={first}-{second}")),
            _ => Some(format!("{plain};{ports};ssrc={SOURCE:08X}")),
        };
        Some((carrier, text))
    }

    fn play(&mut self, head: &Head) -> ControlFlow<()> {
        let shared = Arc::clone(&self.shared);
        let video = sdp::video_track(&shared.options);
        let Some(session) = self.session.clone().filter(|session| carries(head, session)) else {
            return self.reply(head, 454, &[], "");
        };
        let Some(carrier) = self.tracks.remove(&video) else { return self.reply(head, 455, &[], "") };
        session.sign();
        self.playing = true;
        let options = Arc::clone(&shared.options);
        let sender =
            Sender { options, journal: Arc::clone(&shared.journal), session, wire: Arc::clone(&self.wire), carrier };
        let start = move || std::thread::spawn(move || sender.run());
        if shared.options.answers.early {
            start();
            pause(Duration::from_millis(60));
            return self.reply(head, 200, &self.playing_headers(head), "");
        }
        let replied = self.reply(head, 200, &self.playing_headers(head), "");
        start();
        replied
    }

    fn playing_headers(&self, head: &Head) -> Vec<String> {
        let options = &self.shared.options;
        let told = options.session.announced == Announced::AtPlay;
        let number = self.session.as_ref().map_or("", |session| &session.number);
        let session = format!("Session: {number}{}", if told { self.timeout() } else { String::new() });
        let mut headers = vec![session, "Range: npt=now-".to_owned()];
        let packets = &options.packets;
        let shown = Coded::of(options.recipe).units[options.flow.joins_at].shown_at as u32;
        let time = if packets.zero_in_play { 0 } else { packets.first_time.wrapping_add(shown) };
        if !packets.no_info {
            let (url, track) = (head.url.trim_end_matches('/'), sdp::video_track(options));
            let sequence = packets.first_sequence;
            headers.push(format!("RTP-Info: url={url}/trackID={track};seq={sequence};rtptime={time}"));
        }
        headers
    }

    fn teardown(&self, head: &Head) -> ControlFlow<()> {
        if let Some(session) = &self.session {
            session.end();
        }
        self.keep(head, self.shared.options.session.teardown)
    }

    fn keep(&self, head: &Head, reply: Reply) -> ControlFlow<()> {
        self.keep_with(head, reply, &[])
    }

    /// Answers a request that may be there to keep the session alive.
    fn keep_with(&self, head: &Head, reply: Reply, headers: &[String]) -> ControlFlow<()> {
        match reply {
            Reply::Silence => ControlFlow::Continue(()),
            Reply::Close => ControlFlow::Break(()),
            Reply::Status(code) => self.reply(head, code, headers, ""),
            Reply::Fine => {
                if let Some(session) = &self.session
                    && (carries(head, session) || !self.shared.options.session.needs_number)
                {
                    session.sign();
                }
                self.reply(head, 200, headers, "")
            }
        }
    }

    fn reply(&self, head: &Head, code: u16, headers: &[String], body: &str) -> ControlFlow<()> {
        let answers = &self.shared.options.answers;
        let cseq = format!("CSeq: {}", head.get("cseq").unwrap_or("0"));
        let length = (!body.is_empty()).then(|| format!("Content-Length: {}", body.len()));
        let lines = [cseq].into_iter().chain(headers.iter().cloned()).chain(length);
        let end = if answers.lf { "\n" } else { "\r\n" };
        let mut text = format!("RTSP/1.0 {code} {}{end}", phrase(code));
        for line in lines {
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            let name = if answers.lower_case { name.to_ascii_lowercase() } else { name.to_owned() };
            text.push_str(&format!("{name}:{value}{end}"));
        }
        text.push_str(end);
        text.push_str(body);
        let sent = if answers.dribble { self.wire.dribble(text.as_bytes()) } else { self.wire.write(text.as_bytes()) };
        if sent.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

/// Whether a request names the session.
fn carries(head: &Head, session: &Session) -> bool {
    head.get("session").is_some_and(|value| value.split(';').next().is_some_and(|n| n.trim() == session.number))
}

fn phrase(code: u16) -> &'static str {
    match code {
        200 => "OK",
        301 | 302 => "Moved",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        453 => "Not Enough Bandwidth",
        454 => "Session Not Found",
        455 => "Method Not Valid in This State",
        461 => "Unsupported Transport",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        _ => "Other",
    }
}
