//! Which addresses may be connected to at somebody's word.
//!
//! A name is looked up once and connected to by the addresses found, each of which was checked: no other answer of the
//! name's server can come between.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::Name;
use ipnet::IpNet;
use tower_service::Service;

/// What may be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Everything: what the configuration names.
    #[default]
    Anywhere,
    /// What the API names.
    Bounded {
        /// Networks; `None`: all but link-local ones.
        networks: Option<Arc<[IpNet]>>,
        /// Ports of this program on this machine: never.
        own_ports: Arc<[u16]>,
    },
}

/// An address that may not be connected to.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Barred {
    /// It is outside of the networks.
    #[error("{0} is in none of the networks under network.cameras")]
    Elsewhere(IpAddr),
    /// It is link-local: clouds have their metadata there.
    #[error("{0} is a link-local address; it can be named under network.cameras")]
    LinkLocal(IpAddr),
    /// This program itself.
    #[error("port {0} of this machine is one of our own")]
    Own(u16),
    /// No single host.
    #[error("{0} is not the address of a host")]
    NoHost(IpAddr),
}

impl Reach {
    /// Whether an address may be connected to.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, address: SocketAddr) -> Result<(), Barred> {
        self.judge(address, || is_own(address.ip()))
    }

    /// The same; `own`: whether the address is one of this machine.
    fn judge(&self, address: SocketAddr, own: impl FnOnce() -> bool) -> Result<(), Barred> {
        let Self::Bounded { networks, own_ports } = self else { return Ok(()) };
        let ip = plain(address.ip());
        if ip.is_unspecified() || ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST) {
            return Err(Barred::NoHost(ip));
        }
        if own_ports.contains(&address.port()) && own() {
            return Err(Barred::Own(address.port()));
        }
        match networks {
            Some(networks) if networks.iter().any(|network| network.contains(&ip)) => Ok(()),
            Some(_) => Err(Barred::Elsewhere(ip)),
            None if is_link_local(ip) => Err(Barred::LinkLocal(ip)),
            None => Ok(()),
        }
    }

    /// Looks a host up; gives the addresses that may be connected to.
    ///
    /// # Errors
    /// The name is unknown, or ([`io::ErrorKind::PermissionDenied`], with a [`Barred`] in it) it has no such address.
    pub async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        self.fit(tokio::net::lookup_host((host, port)).await?)
    }

    /// Those that may be connected to.
    ///
    /// # Errors
    /// As of [`Self::resolve`].
    pub fn fit(&self, found: impl Iterator<Item = SocketAddr>) -> io::Result<Vec<SocketAddr>> {
        let mut barred = None;
        let fit = |address: &SocketAddr| self.check(*address).map_err(|why| barred = Some(why)).is_ok();
        let addresses: Vec<SocketAddr> = found.filter(fit).collect();
        match barred {
            Some(why) if addresses.is_empty() => Err(io::Error::new(io::ErrorKind::PermissionDenied, why)),
            _ => Ok(addresses),
        }
    }
}

/// An IPv4 address that is written as an IPv6 one (mapped, or for NAT64) as what it is.
fn plain(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) if v6.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0] => {
            let [.., a, b, c, d] = v6.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        other => other,
    }
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// Whether packets to this address stay on this machine: then they are sent from it. Nothing is sent to find that out.
fn is_own(ip: IpAddr) -> bool {
    if ip.is_loopback() || plain(ip).is_loopback() {
        return true;
    }
    let any: IpAddr = if ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let from = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((ip, 9))?;
        socket.local_addr()
    });
    from.is_ok_and(|from| from.ip() == ip)
}

/// Looks names up for an HTTP client that sends one request after the other.
#[derive(Clone, Debug)]
pub struct Resolver {
    reach: Reach,
    /// The client asks for names without the port that it means.
    port: Arc<AtomicU16>,
}

impl Resolver {
    /// Within these bounds.
    pub fn new(reach: Reach) -> Self {
        Self { reach, port: Arc::default() }
    }

    /// The next request goes to this port.
    pub fn aim(&self, port: u16) {
        self.port.store(port, Ordering::Release);
    }
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, io::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (reach, port) = (self.reach.clone(), self.port.load(Ordering::Acquire));
        Box::pin(async move { reach.resolve(name.as_str(), port).await.map(Vec::into_iter) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bounded(networks: Option<&[&str]>) -> Reach {
        let networks = networks.map(|networks| networks.iter().map(|text| text.parse().unwrap()).collect());
        Reach::Bounded { networks, own_ports: [8080, 8554].into() }
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn link_local_addresses_and_our_own_ports_are_barred_unless_said_otherwise() {
        let usual = bounded(None);
        for fit in ["10.0.0.9:554", "192.0.2.1:80", "[fd00::9]:554", "127.0.0.1:554"] {
            assert_eq!(usual.check(address(fit)), Ok(()), "{fit}");
        }
        for barred in [
            "169.254.169.254:80",
            "[fe80::1]:554",
            "[::ffff:169.254.169.254]:80",
            "[64:ff9b::a9fe:a9fe]:80",
            "127.0.0.1:8080",
            "127.1.2.3:8554",
            "[::1]:8080",
            "[::ffff:127.0.0.1]:8080",
            "0.0.0.0:80",
            "[::]:80",
            "224.0.0.1:80",
            "255.255.255.255:80",
        ] {
            assert!(usual.check(address(barred)).is_err(), "{barred}");
        }
        let named = bounded(Some(&["10.1.0.0/16", "169.254.7.0/24"]));
        assert_eq!(named.check(address("10.1.9.9:554")), Ok(()));
        assert_eq!(named.check(address("169.254.7.1:554")), Ok(()));
        assert_eq!(named.check(address("10.2.0.1:554")), Err(Barred::Elsewhere("10.2.0.1".parse().unwrap())));
        assert_eq!(bounded(Some(&["127.0.0.0/8"])).check(address("127.0.0.1:8080")), Err(Barred::Own(8080)));
        assert_eq!(Reach::Anywhere.check(address("169.254.169.254:80")), Ok(()));
    }

    #[test]
    fn a_name_with_no_fit_address_is_barred() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let bar = bounded(Some(&["10.0.0.0/8"]));
        let error = runtime.block_on(bar.resolve("localhost", 554)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert!(error.to_string().contains("network.cameras"), "{error}");
        assert!(!runtime.block_on(Reach::Anywhere.resolve("localhost", 554)).unwrap().is_empty());
    }

    #[test]
    fn a_name_is_bounded_by_the_port_that_is_meant() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut resolver = Resolver::new(bounded(None));
        for (port, fit) in [(8080, false), (80, true), (8554, false)] {
            resolver.aim(port);
            let found = runtime.block_on(resolver.call("localhost".parse().unwrap()));
            assert_eq!(found.is_ok(), fit, "{port}");
        }
    }

    proptest! {
        #[test]
        fn mapping_an_address_does_not_open_a_way(bits: u32, port: u16) {
            let v4 = Ipv4Addr::from_bits(bits);
            let usual = bounded(None);
            let judge = |ip: IpAddr| usual.judge(SocketAddr::new(ip, port), || false);
            prop_assert_eq!(judge(v4.into()), judge(v4.to_ipv6_mapped().into()));
        }
    }
}
