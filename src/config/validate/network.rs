//! The section `network`.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use super::Check;
use crate::config::plan::{NetworkPlan, Searched};
use crate::config::raw::RawNetwork;
use crate::config::tree::Step;

const MOST_NETWORKS: usize = 64;
const MOST_SEARCHED: usize = 16;
/// Longest name of a network device, by Linux.
const LONGEST_DEVICE: usize = 15;

pub(super) fn plan(check: &mut Check, raw: &RawNetwork) -> NetworkPlan {
    let cameras = raw.cameras.as_deref().map(|networks| {
        let found = each(check, "cameras", networks, MOST_NETWORKS, "such as 10.0.0.0/8 or 10.0.0.21", network);
        found.into()
    });
    let discover = raw.discover.as_deref().unwrap_or_default();
    let hint = "an IPv4 network such as 10.0.0.0/24, or a network device such as eth0";
    NetworkPlan { cameras, discover: each(check, "discover", discover, MOST_SEARCHED, hint, searched) }
}

fn each<T>(
    check: &mut Check,
    key: &str,
    texts: &[String],
    most: usize,
    hint: &str,
    read: fn(&str) -> Option<T>,
) -> Vec<T> {
    let at = [Step::from("network"), Step::from(key)];
    if texts.len() > most {
        check.problem(&at, format!("{} entries", texts.len()), format!("at most {most}"));
    }
    let mut found = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        match read(text) {
            Some(value) => found.push(value),
            None => {
                let at = [at[0].clone(), at[1].clone(), Step::from(index)];
                let said = check.tree.said(&at);
                check.problem(&at, format!("{said} names no network"), hint);
            }
        }
    }
    found
}

fn network(text: &str) -> Option<IpNet> {
    let single = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse::<IpNet>().ok().or_else(single).map(|network| network.trunc())
}

fn searched(text: &str) -> Option<Searched> {
    if let Some(network) = network(text) {
        return match network {
            IpNet::V4(v4) => Some(Searched::Network(Ipv4Net::trunc(&v4))),
            IpNet::V6(_) => None,
        };
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '@');
    let device = (1..=LONGEST_DEVICE).contains(&text.len()) && text.chars().all(fits);
    let begins = text.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
    (device && begins).then(|| Searched::Interface(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_addresses_and_devices_are_told_apart() {
        for (text, wanted) in [("10.0.0.7/8", "10.0.0.0/8"), ("10.0.0.21", "10.0.0.21/32"), ("fd00::1/64", "fd00::/64")]
        {
            assert_eq!(network(text).unwrap().to_string(), wanted);
        }
        for text in ["eth0", "10.0.0.0/33", "10.0.0", "", "any"] {
            assert_eq!(network(text), None, "{text}");
        }
        assert_eq!(searched("eth0.7"), Some(Searched::Interface("eth0.7".into())));
        assert_eq!(searched("10.0.0.9/24"), Some(Searched::Network("10.0.0.0/24".parse().unwrap())));
        for text in ["fd00::/64", "10.0.0.0/33", "eth0 eth1", "", "a-name-that-is-too-long"] {
            assert_eq!(searched(text), None, "{text}");
        }
    }
}
