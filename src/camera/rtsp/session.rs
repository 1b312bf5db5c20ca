//! One session with a camera: from the first request to the agreement, and the stream from there to its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{Instant as Moment, sleep_until};
use url::Url;

use super::account::Account;
use super::backlog::Backlog;
use super::connection::{self, Connection, Trouble};
use super::keepalive::{KeepAlive, Sign, USUAL_TIMEOUT};
use super::offer::{Offer, Unfit};
use super::packets::{Packets, Seen};
use super::reorder::Reorder;
use super::transport::{self, Way};
use super::udp::Sockets;
use super::wire::{Answer, Item};
use super::{Memory, remembered};
use crate::camera::intake::{Feed, Stopped};
use crate::config::plan::CameraPlan;

/// Times that a camera may send elsewhere.
const REDIRECTS: u32 = 5;
/// Time between two reports to the camera; its own sessions may hang on them.
const REPORT: Duration = Duration::from_secs(5);
/// UDP without a packet for so long after PLAY: nothing comes through.
const UDP_SILENCE: Duration = Duration::from_secs(2);
/// How long a camera has to answer the good-bye.
const GOODBYE: Duration = Duration::from_millis(300);

/// Why there is no session, or no longer.
#[derive(Debug)]
pub(super) enum Ending {
    /// It was asked to.
    Stopped,
    /// The connection, or what the camera said on it.
    Trouble(Trouble),
    /// What the camera offers is of no use.
    Unfit(Unfit),
    /// It does not send this way. `udp`: by UDP.
    NoWay { udp: bool },
    /// UDP was agreed on, and nothing came.
    UdpSilent,
    /// It sends to other addresses in a circle.
    Circle,
    /// No socket on this machine.
    Local(std::io::Error),
}

impl From<Trouble> for Ending {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

/// A session that was agreed on and has not begun.
pub(super) struct Session {
    connection: Connection,
    pub(super) offer: Offer,
    way: Way,
    sockets: Option<Sockets>,
    name: String,
    /// The camera's word; `None`: it has none.
    pub(super) timeout: Option<Duration>,
    public: Option<String>,
    /// How the camera calls itself.
    pub(super) server: Option<String>,
    /// From the question for the stream to the answer.
    pub(super) thought: Duration,
}

impl Session {
    /// Connects, logs in, and agrees on the stream of the plan. `udp`: how it is to travel.
    ///
    /// # Errors
    /// Every [`Ending`] but [`Ending::Stopped`] and [`Ending::UdpSilent`].
    pub(super) async fn agree(plan: &CameraPlan, udp: bool) -> Result<Self, Ending> {
        let mut url = plan.url.parsed().clone();
        for _ in 0..=REDIRECTS {
            match Self::agree_at(&url, plan, udp).await? {
                Step::Agreed(session) => return Ok(*session),
                Step::Elsewhere(next) => url = next,
            }
        }
        Err(Ending::Circle)
    }

    async fn agree_at(url: &Url, plan: &CameraPlan, udp: bool) -> Result<Step, Ending> {
        let mut connection = Connection::open(url, plan).await?;
        let public = Self::options(&mut connection, url).await?;
        let begin = Instant::now();
        let described = connection.ask("DESCRIBE", url.as_str(), &[("Accept", "application/sdp")]).await;
        let described = match described {
            Err(Trouble::Status { answer, .. }) if (300..400).contains(&answer.status) => {
                return elsewhere(url, &answer).map(Step::Elsewhere);
            }
            other => other?,
        };
        let thought = begin.elapsed();
        let offer = Offer::read(url, &described.headers, &described.body).map_err(Ending::Unfit)?;
        let server = described.headers.get("server").map(str::to_owned);
        let sockets = match udp {
            true => Some(Sockets::bind(connection.peer()).await.map_err(Ending::Local)?),
            false => None,
        };
        let ports = sockets.as_ref().map(Sockets::ports).transpose().map_err(Ending::Local)?;
        let asked = transport::ask(ports);
        let set_up = connection.ask("SETUP", offer.control.as_str(), &[("Transport", &asked)]).await;
        let set_up = match set_up {
            Err(Trouble::Status { answer, .. }) if answer.status == 461 => return Err(Ending::NoWay { udp }),
            other => other?,
        };
        let way = transport::agreed(set_up.headers.get("transport"), udp);
        let (name, timeout) = connection::session(&set_up.headers).unwrap_or_default();
        let session = Self { connection, offer, way, sockets, name, timeout, public, server, thought };
        Ok(Step::Agreed(Box::new(session)))
    }

    /// What the camera can do; a refusal is no fault, but a wrong password is.
    async fn options(connection: &mut Connection, url: &Url) -> Result<Option<String>, Ending> {
        match connection.ask("OPTIONS", url.as_str(), &[]).await {
            Ok(answer) => Ok(answer.headers.get("public").map(str::to_owned)),
            Err(Trouble::Status { .. }) => Ok(None),
            Err(trouble) => Err(trouble.into()),
        }
    }

    /// What the camera has said of itself.
    fn account(&self, keep_alive: Sign) -> Account {
        let login = self.connection.login();
        Account {
            server: self.server.clone(),
            login: login.scheme(),
            algorithm: login.algorithm(),
            thought: self.thought,
            timeout: self.timeout,
            keep_alive: keep_alive.method(),
            udp: matches!(self.way, Way::Udp { .. }),
            coding: self.offer.coding(),
            rate: self.offer.rate,
            besides: self.offer.besides.clone(),
            seen: Seen::default(),
        }
    }

    /// Plays until the end, into `feed`.
    pub(super) async fn play(mut self, feed: &Feed, memory: &Memory, backlog: &Backlog, latency: Duration) -> Ending {
        let url = self.offer.session.to_string();
        let play = self.ask_to_play(&url);
        let played = tokio::select! {
            played = play => played,
            () = feed.stop().wait_async() => return Ending::Stopped,
        };
        match played {
            // Some tell the timeout only now.
            Ok(answer) => {
                self.timeout = connection::session(&answer.headers).and_then(|(_, timeout)| timeout).or(self.timeout)
            }
            Err(trouble) => return trouble.into(),
        }
        feed.caps(&self.offer.caps);
        feed.agreed();
        feed.described(self.offer.rate, matches!(self.way, Way::Udp { .. }));
        let origin = Instant::now();
        let keep = KeepAlive::new(
            self.timeout.unwrap_or(USUAL_TIMEOUT),
            self.public.as_deref(),
            remembered(memory).habits,
            Duration::ZERO,
        );
        remembered(memory).account = Some(self.account(keep.sign()));
        let ordered = matches!(self.way, Way::Interleaved { .. });
        let packets = Packets::new(self.offer.payload, self.offer.clock_rate, ordered);
        let reorder = (!ordered).then(|| Reorder::new(latency));
        let mut stream = Stream { session: self, feed, backlog, packets, keep, origin, url, reorder };
        let ending = stream.run().await;
        let late = stream.reorder.as_ref().map_or(0, Reorder::late);
        tracing::debug!(seen = ?stream.packets.seen(), late, skipped = stream.session.connection.skipped(), "the stream ended");
        let mut learnt = remembered(memory);
        learnt.habits = stream.keep.ended(origin.elapsed());
        if let Some(account) = &mut learnt.account {
            account.seen = stream.packets.seen();
        }
        drop(learnt);
        ending
    }

    async fn ask_to_play(&mut self, url: &str) -> Result<Answer, Trouble> {
        let mut headers = vec![("Range", "npt=0.000-")];
        if !self.name.is_empty() {
            headers.push(("Session", self.name.as_str()));
        }
        match self.connection.ask("PLAY", url, &headers).await {
            // A camera that has no range may refuse one.
            Err(Trouble::Status { answer, .. }) if matches!(answer.status, 400 | 456 | 457) => {
                self.connection.ask("PLAY", url, &headers[1..]).await
            }
            other => other,
        }
    }
}

enum Step {
    Agreed(Box<Session>),
    Elsewhere(Url),
}

/// Where the camera sends to.
fn elsewhere(url: &Url, answer: &Answer) -> Result<Url, Ending> {
    let next = answer.headers.get("location").and_then(|location| url.join(location).ok());
    next.filter(|next| matches!(next.scheme(), "rtsp" | "rtsps") && next.has_host()).ok_or(Ending::Circle)
}

/// A stream that plays.
struct Stream<'a> {
    session: Session,
    feed: &'a Feed,
    backlog: &'a Backlog,
    packets: Packets,
    keep: KeepAlive,
    origin: Instant,
    url: String,
    /// By UDP.
    reorder: Option<Reorder>,
}

impl Stream<'_> {
    async fn run(&mut self) -> Ending {
        for (channel, data) in self.session.connection.take_early() {
            if self.interleaved(channel, data).is_err() {
                return self.goodbye().await;
            }
        }
        let mut report_at = self.origin;
        loop {
            let now = Instant::now();
            if now >= report_at {
                self.report().await;
                report_at = now + REPORT;
            }
            if let Err(ending) = self.sign_of_life().await {
                return ending;
            }
            let wake = Instant::min(self.origin + self.keep.wake(), report_at);
            let silent = self.udp_deadline();
            let held = self.reorder.as_ref().and_then(Reorder::wake).map(|wake| self.origin + wake);
            let wake = [silent, held].into_iter().flatten().fold(wake, Instant::min);
            let Session { connection, sockets, .. } = &mut self.session;
            let heard = tokio::select! {
                biased;
                () = self.feed.stop().wait_async() => return self.goodbye().await,
                item = connection.read("PLAY") => Heard::Item(item),
                data = receive(sockets) => Heard::Datagram(data),
                () = sleep_until(Moment::from_std(wake)) => Heard::Nothing,
            };
            let taken = self.take(heard).await;
            match taken.and_then(|()| self.let_go()) {
                Ok(()) => {}
                Err(Ending::Stopped) => return self.goodbye().await,
                Err(ending) => return ending,
            }
            if silent.is_some_and(|silent| Instant::now() >= silent) && self.packets.seen().packets == 0 {
                self.goodbye().await;
                return Ending::UdpSilent;
            }
        }
    }

    /// When UDP counts as shut, while nothing has come by it.
    fn udp_deadline(&self) -> Option<Instant> {
        let udp = matches!(self.session.way, Way::Udp { .. });
        (udp && self.packets.seen().packets == 0).then(|| self.origin + UDP_SILENCE)
    }

    async fn take(&mut self, heard: Heard) -> Result<(), Ending> {
        match heard {
            Heard::Item(Ok(Item::Packet { channel, data })) => self.interleaved(channel, data)?,
            Heard::Item(Ok(Item::Answer(answer))) => self.keep.answered(answer.status, self.origin.elapsed()),
            Heard::Item(Ok(Item::Request(request))) => {
                let replied = self.session.connection.reply(&request).await;
                replied.map_err(|_| Trouble::Closed { after: "PLAY" })?;
            }
            Heard::Item(Err(trouble)) => return Err(trouble.into()),
            Heard::Datagram(Ok(data)) => {
                self.packet(data)?;
                // All that has arrived, before anything is given up for lost.
                while let Some(data) = self.session.sockets.as_mut().and_then(Sockets::try_packet) {
                    self.packet(data)?;
                }
                while let Some(report) = self.session.sockets.as_ref().and_then(Sockets::try_control) {
                    self.packets.control(&report, self.origin.elapsed().as_secs_f64());
                }
            }
            Heard::Datagram(Err(error)) => return Err(Ending::Local(error)),
            Heard::Nothing => {}
        }
        Ok(())
    }

    fn interleaved(&mut self, channel: u8, data: Vec<u8>) -> Result<(), Ending> {
        // Some cameras send on other channels than they said: the payload type tells what belongs to the stream.
        match self.session.way {
            Way::Interleaved { rtcp, .. } if rtcp == channel => {
                self.packets.control(&data, self.origin.elapsed().as_secs_f64());
                Ok(())
            }
            _ => self.packet(data),
        }
    }

    fn packet(&mut self, mut data: Vec<u8>) -> Result<(), Ending> {
        let Some(number) = self.packets.take(&mut data, self.origin.elapsed().as_secs_f64()) else { return Ok(()) };
        self.backlog.came(number);
        match &mut self.reorder {
            Some(reorder) => {
                reorder.push(number, data, self.origin.elapsed());
                Ok(())
            }
            None => self.hand_on(data),
        }
    }

    fn hand_on(&self, data: Vec<u8>) -> Result<(), Ending> {
        self.feed.push(gst::Buffer::from_mut_slice(data)).map_err(|Stopped| Ending::Stopped)
    }

    /// Hands on what came by UDP and is in its order.
    fn let_go(&mut self) -> Result<(), Ending> {
        let now = self.origin.elapsed();
        while let Some(data) = self.reorder.as_mut().and_then(|reorder| reorder.pop(now)) {
            self.hand_on(data)?;
        }
        Ok(())
    }

    async fn report(&mut self) {
        let Some(report) = self.packets.report(self.origin.elapsed().as_secs_f64()) else { return };
        match (self.session.way, &self.session.sockets) {
            (Way::Interleaved { rtcp, .. }, _) => {
                // A connection that broke is met when it is read.
                self.session.connection.packet(rtcp, &report).await.ok();
            }
            (Way::Udp { rtp, rtcp }, Some(sockets)) if self.packets.seen().packets == 0 => {
                sockets.open(rtp, rtcp, &report).await;
            }
            (Way::Udp { rtcp, .. }, Some(sockets)) => sockets.report(rtcp, &report).await,
            (Way::Udp { .. }, None) => {}
        }
    }

    async fn sign_of_life(&mut self) -> Result<(), Ending> {
        let Some(sign) = self.keep.due(self.origin.elapsed()) else { return Ok(()) };
        let session = [("Session", self.session.name.as_str())];
        let headers = if self.session.name.is_empty() { &[][..] } else { &session[..] };
        let sent = self.session.connection.send(sign.method(), &self.url, headers).await;
        sent.map(drop).map_err(|_| Trouble::Closed { after: sign.method() }.into())
    }

    /// Tells the camera that nobody listens any more: it may have room for few.
    async fn goodbye(&mut self) -> Ending {
        let session = [("Session", self.session.name.as_str())];
        let headers = if self.session.name.is_empty() { &[][..] } else { &session[..] };
        let connection = &mut self.session.connection;
        let asked = async { connection.ask("TEARDOWN", &self.url, headers).await };
        tokio::time::timeout(GOODBYE, asked).await.ok();
        Ending::Stopped
    }
}

enum Heard {
    Item(Result<Item, Trouble>),
    Datagram(std::io::Result<Vec<u8>>),
    Nothing,
}

/// Without sockets it never comes to an end.
async fn receive(sockets: &mut Option<Sockets>) -> std::io::Result<Vec<u8>> {
    match sockets {
        Some(sockets) => sockets.receive().await,
        None => std::future::pending().await,
    }
}

/// For the intake's thread: one session after the other, where the second way of travelling is allowed.
pub(super) async fn run(plan: &CameraPlan, feed: &Feed, memory: &Memory, backlog: &Arc<Backlog>, udp: bool) -> Ending {
    let agreed = tokio::select! {
        agreed = Session::agree(plan, udp) => agreed,
        () = feed.stop().wait_async() => return Ending::Stopped,
    };
    match agreed {
        Ok(session) => session.play(feed, memory, backlog, plan.latency).await,
        Err(ending) => ending,
    }
}
