//! Who is asked: the networks of the configuration against those that this machine is in. Pure.

use std::fmt;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::config::plan::Searched;

/// Hosts of a network that are asked one by one, at most.
const MOST_HOSTS: usize = 256;

/// An address of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Local {
    pub(super) interface: String,
    pub(super) address: Ipv4Addr,
    pub(super) network: Ipv4Net,
}

/// A way to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// All at once, from this address of ours; answers count from this network.
    All { from: Ipv4Addr, network: Ipv4Net },
    /// Each by itself: the network is another one, behind a router.
    Each { network: Ipv4Net },
}

impl Way {
    /// Whether an answer from there is one to this question.
    pub(super) fn expects(&self, from: Ipv4Addr) -> bool {
        let (Self::All { network, .. } | Self::Each { network }) = self;
        network.contains(&from)
    }

    /// Who is asked, one by one.
    pub(super) fn hosts(&self) -> Vec<Ipv4Addr> {
        match self {
            Self::All { .. } => Vec::new(),
            Self::Each { network } => network.hosts().take(MOST_HOSTS).collect(),
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::All { network, .. } | Self::Each { network }) = self;
        network.fmt(f)
    }
}

/// The ways to search.
///
/// # Errors
/// Why there is none.
pub(super) fn ways(searched: &Searched, locals: &[Local]) -> Result<Vec<Way>, String> {
    match searched {
        Searched::Interface(name) => {
            let own: Vec<Way> = locals
                .iter()
                .filter(|local| local.interface == *name)
                .map(|local| Way::All { from: local.address, network: local.network })
                .collect();
            if own.is_empty() { Err(format!("{name}: no such network device with an IPv4 address")) } else { Ok(own) }
        }
        Searched::Network(network) => {
            let inside = |local: &&Local| network.contains(&local.address) && !local.address.is_loopback();
            let own: Vec<Way> =
                locals.iter().filter(inside).map(|local| Way::All { from: local.address, network: *network }).collect();
            if !own.is_empty() {
                return Ok(own);
            }
            if network.hosts().take(MOST_HOSTS + 1).count() > MOST_HOSTS {
                return Err(format!(
                    "{network}: this machine is not in it, and it has more than {MOST_HOSTS} addresses to ask each"
                ));
            }
            Ok(vec![Way::Each { network: *network }])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(interface: &str, address: &str) -> Local {
        let network: Ipv4Net = address.parse().unwrap();
        Local { interface: interface.into(), address: network.addr(), network: network.trunc() }
    }

    #[test]
    fn a_network_of_ours_is_asked_at_once_and_a_foreign_one_host_by_host() {
        let locals = [local("lo", "127.0.0.1/8"), local("eth0", "10.0.0.2/24"), local("eth1", "10.1.0.2/16")];
        let of = |text: &str| ways(&Searched::Network(text.parse().unwrap()), &locals);
        let from = |address: &str, network: &str| {
            vec![Way::All { from: address.parse().unwrap(), network: network.parse().unwrap() }]
        };
        assert_eq!(of("10.0.0.0/24").unwrap(), from("10.0.0.2", "10.0.0.0/24"));
        assert_eq!(of("10.0.0.0/8").unwrap().len(), 2);
        let each = of("10.9.0.0/24").unwrap();
        assert_eq!((each[0].hosts().len(), each[0].expects("10.9.0.7".parse().unwrap())), (254, true));
        assert!(!each[0].expects("10.9.1.7".parse().unwrap()), "who answers from elsewhere was not asked");
        assert_eq!(of("127.0.0.9/32").unwrap()[0].hosts(), [Ipv4Addr::new(127, 0, 0, 9)]);
        assert!(of("172.16.0.0/12").unwrap_err().contains("more than 256"));
        let device = |name: &str| ways(&Searched::Interface(name.into()), &locals);
        assert_eq!(device("eth1").unwrap(), from("10.1.0.2", "10.1.0.0/16"));
        assert!(device("eth7").unwrap_err().contains("no such"));
    }
}
