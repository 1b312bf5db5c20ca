//! How failed logins slow down further ones. Pure: times come in.
//!
//! Failures count against the address that they come from and against the user that they name; after a few of them each
//! further one doubles the pause until the next attempt is looked at, up to a cap. The pause of a user is short, so
//! that whoever guesses cannot lock a person out; and where a person has logged in from an address before, only the
//! failures of that person at that address count for the two of them. An attempt within a pause is not looked at and
//! costs nothing.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use super::token::{Fingerprint, fingerprint};

/// Failures that cost no pause: fingers slip.
const FREE: u32 = 3;
/// The first pause.
const FIRST: Duration = Duration::from_secs(1);
/// Longest pause of an address.
const CAP_ADDRESS: Duration = Duration::from_secs(60);
/// Longest pause of a user, and of a user at a known address.
const CAP_USER: Duration = Duration::from_secs(10);
/// Failures are forgotten when there was none for so long.
const FORGET: Duration = Duration::from_secs(15 * 60);
/// Most addresses and users that are remembered for failures; then the one that failed longest ago is forgotten.
const MOST: usize = 4096;
/// Most pairs of user and address that are remembered for a login.
const MOST_KNOWN: usize = 1024;

/// What failures count against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Address(IpAddr),
    User(Fingerprint),
    Pair(Fingerprint, IpAddr),
}

impl Key {
    fn cap(self) -> Duration {
        if matches!(self, Self::Address(_)) { CAP_ADDRESS } else { CAP_USER }
    }
}

struct Entry {
    failures: u32,
    last: Instant,
    /// Whether somebody was told of this pause.
    told: bool,
}

impl Entry {
    fn end(&self, key: Key) -> Instant {
        self.last + pause(self.failures, key.cap())
    }
}

/// How long after the last of so many failures nothing is looked at.
fn pause(failures: u32, cap: Duration) -> Duration {
    match failures.checked_sub(FREE + 1) {
        None => Duration::ZERO,
        Some(doublings) => FIRST.saturating_mul(2u32.saturating_pow(doublings)).min(cap),
    }
}

/// A pause that is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pause {
    /// So long it is still.
    pub(crate) left: Duration,
    /// Whether this is the first attempt in it: worth a line in the log.
    pub(crate) first: bool,
}

/// Remembers failures, and who has logged in from where.
#[derive(Default)]
pub(crate) struct Throttle {
    failed: HashMap<Key, Entry>,
    known: HashMap<(Fingerprint, IpAddr), Instant>,
}

impl Throttle {
    /// Whether an attempt has to wait. `user`: the name that it gives; `None` for tokens.
    pub(crate) fn pause(&mut self, now: Instant, from: IpAddr, user: Option<&str>) -> Option<Pause> {
        let mut longest: Option<Pause> = None;
        for key in self.keys(from, user) {
            let Some(entry) = self.failed.get_mut(&key) else { continue };
            let left = entry.end(key).saturating_duration_since(now);
            if !left.is_zero() && longest.is_none_or(|pause| left > pause.left) {
                longest = Some(Pause { left, first: !std::mem::replace(&mut entry.told, true) });
            }
        }
        longest
    }

    /// An attempt was looked at, and was wrong.
    pub(crate) fn failed(&mut self, now: Instant, from: IpAddr, user: Option<&str>) {
        for key in self.keys(from, user) {
            self.make_room(now);
            let entry = self.failed.entry(key).or_insert(Entry { failures: 0, last: now, told: false });
            if now.saturating_duration_since(entry.last) > FORGET {
                entry.failures = 0;
            }
            *entry = Entry { failures: entry.failures.saturating_add(1), last: now, told: false };
        }
    }

    /// It was right. Gives whether this user is new at this address. The address's own failures stay: else whoever has
    /// one login could clear them for guessing others.
    pub(crate) fn succeeded(&mut self, now: Instant, from: IpAddr, user: &str) -> bool {
        let (user, from) = (fingerprint(user), network(from));
        self.failed.remove(&Key::User(user));
        self.failed.remove(&Key::Pair(user, from));
        if self.known.len() >= MOST_KNOWN
            && !self.known.contains_key(&(user, from))
            && let Some(oldest) = self.known.iter().min_by_key(|(_, last)| **last).map(|(key, _)| *key)
        {
            self.known.remove(&oldest);
        }
        self.known.insert((user, from), now).is_none()
    }

    fn keys(&self, from: IpAddr, user: Option<&str>) -> Vec<Key> {
        let from = network(from);
        let Some(user) = user.map(fingerprint) else { return vec![Key::Address(from)] };
        if self.known.contains_key(&(user, from)) {
            return vec![Key::Pair(user, from)];
        }
        vec![Key::Address(from), Key::User(user)]
    }

    fn make_room(&mut self, now: Instant) {
        if self.failed.len() < MOST {
            return;
        }
        self.failed.retain(|_, entry| now.saturating_duration_since(entry.last) <= FORGET);
        if self.failed.len() >= MOST
            && let Some(oldest) = self.failed.iter().min_by_key(|(_, entry)| entry.last).map(|(key, _)| *key)
        {
            self.failed.remove(&oldest);
        }
    }
}

/// What one party holds: of IPv6 that is a network of 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address(n: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, n])
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn pauses_grow_to_a_cap() {
        let pauses: Vec<_> = (0..13).map(|failures| pause(failures, CAP_ADDRESS).as_secs()).collect();
        assert_eq!(pauses, [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(pause(u32::MAX, CAP_USER), CAP_USER);
    }

    #[test]
    fn a_person_is_slowed_at_one_address_and_not_where_they_were_before() {
        let (begin, mut throttle) = (Instant::now(), Throttle::default());
        assert!(throttle.succeeded(begin, address(1), "anna"));
        assert!(!throttle.succeeded(begin, address(1), "anna"));
        // Somebody guesses anna's password from elsewhere, for an hour.
        for second in 0..3600 {
            if throttle.pause(begin + seconds(second), address(66), Some("anna")).is_none() {
                throttle.failed(begin + seconds(second), address(66), Some("anna"));
            }
        }
        let now = begin + seconds(3600);
        assert!(throttle.pause(now, address(66), Some("anna")).is_some());
        assert!(throttle.pause(now, address(66), Some("bert")).is_some(), "the address is slowed for all");
        assert_eq!(throttle.pause(now, address(1), Some("anna")), None, "who was there before comes in");
        let elsewhere = throttle.pause(now, address(2), Some("anna"));
        assert!(elsewhere.is_none_or(|pause| pause.left <= CAP_USER), "and elsewhere after a moment: {elsewhere:?}");
    }

    #[test]
    fn a_pause_is_told_once_and_failures_are_forgotten() {
        let (begin, mut throttle) = (Instant::now(), Throttle::default());
        for _ in 0..=FREE {
            assert_eq!(throttle.pause(begin, address(1), None), None);
            throttle.failed(begin, address(1), None);
        }
        assert_eq!(throttle.pause(begin, address(1), None), Some(Pause { left: FIRST, first: true }));
        assert_eq!(throttle.pause(begin, address(1), None), Some(Pause { left: FIRST, first: false }));
        assert_eq!(throttle.pause(begin + FIRST, address(1), None), None);
        throttle.failed(begin + FORGET + seconds(1), address(1), None);
        assert_eq!(throttle.pause(begin + FORGET + seconds(1), address(1), None), None);
    }

    #[test]
    fn memory_is_bounded_and_networks_count_as_one() {
        let (begin, mut throttle) = (Instant::now(), Throttle::default());
        for n in 0..10_000u32 {
            let from = IpAddr::from(n.to_be_bytes());
            throttle.failed(begin + Duration::from_millis(n.into()), from, Some(&format!("u{n}")));
            throttle.succeeded(begin + Duration::from_millis(n.into()), from, &format!("v{n}"));
        }
        assert!(throttle.failed.len() <= MOST && throttle.known.len() <= MOST_KNOWN);
        let v6 = |text: &str| network(text.parse().unwrap());
        assert_eq!(v6("2001:db8::1"), v6("2001:db8::ffff:1"));
        assert_ne!(v6("2001:db8::1"), v6("2001:db8:0:1::1"));
        assert_eq!(v6("::ffff:10.0.0.1"), address(1));
    }

    proptest! {
        /// Whatever anybody does, no pause is longer than the cap: nobody is locked out for good.
        #[test]
        fn nobody_is_locked_out_for_good(
            steps in proptest::collection::vec((0u64..120, 0u8..3, 0usize..3, any::<bool>()), 1..80),
        ) {
            let (mut now, mut throttle) = (Instant::now(), Throttle::default());
            for (wait, from, user, right) in steps {
                now += seconds(wait);
                let user = ["anna", "bert", "carl"][user];
                if throttle.pause(now, address(from), Some(user)).is_none() {
                    if right {
                        throttle.succeeded(now, address(from), user);
                    } else {
                        throttle.failed(now, address(from), Some(user));
                    }
                }
            }
            for user in ["anna", "bert", "dora"] {
                prop_assert_eq!(throttle.pause(now + CAP_ADDRESS, address(0), Some(user)), None);
                prop_assert!(throttle.pause(now + CAP_USER, address(99), Some(user)).is_none());
            }
        }
    }
}
