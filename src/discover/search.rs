//! The question on the network, and the answers to it.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use ipnet::Ipv4Net;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use uuid::Uuid;

use super::message::{self, Told};
use super::ways::{self, Local, Way};
use crate::config::plan::Searched;

/// Where devices listen.
const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);
const PORT: u16 = 3702;
/// A datagram may be lost: the question is sent again after so long.
const AGAIN: Duration = Duration::from_millis(400);
/// Devices that are taken notice of.
const MOST: usize = 512;
/// Longest answer.
const DATAGRAM: usize = 64 * 1024;

/// A device that answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) from: IpAddr,
    pub(super) told: Told,
}

/// Asks on these networks for so long. Gives those that answered, each once, and what could not be searched.
pub(super) async fn search(networks: &[Searched], wait: Duration) -> (Vec<Answer>, Vec<String>) {
    let (mut ways, mut problems) = (Vec::new(), Vec::new());
    match locals() {
        Ok(locals) => {
            for network in networks {
                match ways::ways(network, &locals) {
                    Ok(found) => ways.extend(found),
                    Err(problem) => problems.push(problem),
                }
            }
        }
        Err(error) => problems.push(format!("this machine's addresses are not known: {error}")),
    }
    let asked = futures_util::future::join_all(ways.iter().map(|way| ask(way, wait))).await;
    let mut found = BTreeMap::new();
    for (way, answers) in ways.iter().zip(asked) {
        match answers {
            Ok(answers) => found.extend(answers),
            Err(error) => problems.push(format!("{way}: {error}")),
        }
    }
    let answers = found.into_iter().map(|((from, _), told)| Answer { from, told });
    (answers.take(MOST).collect(), problems)
}

/// The IPv4 addresses of this machine.
fn locals() -> io::Result<Vec<Local>> {
    let of = |interface: if_addrs::Interface| match interface.addr {
        if_addrs::IfAddr::V4(v4) => {
            let network = Ipv4Net::with_netmask(v4.ip, v4.netmask).ok()?.trunc();
            Some(Local { interface: interface.name, address: v4.ip, network })
        }
        if_addrs::IfAddr::V6(_) => None,
    };
    Ok(if_addrs::get_if_addrs()?.into_iter().filter_map(of).collect())
}

type Answers = BTreeMap<(IpAddr, String), Told>;

async fn ask(way: &Way, wait: Duration) -> io::Result<Answers> {
    let id = Uuid::now_v7();
    let (socket, question) = (socket(way)?, message::question(id));
    let mut found = Answers::new();
    let listening = async {
        send(&socket, way, &question).await?;
        let begun = tokio::time::Instant::now();
        hear(&socket, way, id, &mut found, begun + AGAIN).await?;
        send(&socket, way, &question).await?;
        hear(&socket, way, id, &mut found, begun + wait).await
    };
    listening.await.map(|()| found)
}

fn socket(way: &Way) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    let from = match way {
        Way::All { from, .. } => {
            socket.set_multicast_if_v4(from)?;
            socket.set_multicast_ttl_v4(1)?;
            *from
        }
        Way::Each { .. } => Ipv4Addr::UNSPECIFIED,
    };
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket.into())
}

async fn send(socket: &UdpSocket, way: &Way, question: &str) -> io::Result<()> {
    match way {
        Way::All { .. } => socket.send_to(question.as_bytes(), SocketAddrV4::new(GROUP, PORT)).await.map(drop),
        Way::Each { .. } => {
            for host in way.hosts() {
                // One that cannot be reached does not keep the others from being asked.
                socket.send_to(question.as_bytes(), SocketAddrV4::new(host, PORT)).await.ok();
            }
            Ok(())
        }
    }
}

async fn hear(
    socket: &UdpSocket,
    way: &Way,
    id: Uuid,
    found: &mut Answers,
    until: tokio::time::Instant,
) -> io::Result<()> {
    let mut bytes = vec![0; DATAGRAM];
    loop {
        let Ok(received) = tokio::time::timeout_at(until, socket.recv_from(&mut bytes)).await else { return Ok(()) };
        let (length, from) = match received {
            Ok(received) => received,
            // Of a host that is there and does not listen.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
            Err(error) => return Err(error),
        };
        let IpAddr::V4(v4) = from.ip() else { continue };
        if way.expects(v4) && found.len() < MOST {
            let text = String::from_utf8_lossy(&bytes[..length]);
            let told = message::told(&text, id).into_iter();
            found.extend(told.map(|told| ((from.ip(), told.endpoint.clone()), told)));
        }
    }
}
