//! Logins that were right a moment ago: who logs in at each request (Basic) costs argon2 only now and then.
//!
//! What is kept is a hash with a key of this process: nothing that could be used elsewhere, or guessed without the key.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use hmac::{Hmac, Mac};
use rand::RngCore;
use sha2::Sha256;

use super::token::Fingerprint;

/// A right login is taken without a look at the password's hash for so long.
const KEPT: Duration = Duration::from_secs(5 * 60);
/// Most of them.
const MOST: usize = 256;

/// Right logins, by a keyed hash of all that made them right.
pub(crate) struct Proven {
    key: [u8; 32],
    until: HashMap<[u8; 32], Instant>,
}

impl Default for Proven {
    fn default() -> Self {
        let mut key = [0; 32];
        rand::rng().fill_bytes(&mut key);
        Self { key, until: HashMap::new() }
    }
}

impl Proven {
    /// `user`: the fingerprint of the user as they stand in the file.
    pub(crate) fn holds(&self, now: Instant, user: Fingerprint, password: &str) -> bool {
        self.mac(user, password).is_some_and(|mac| self.until.get(&mac).is_some_and(|until| now < *until))
    }

    /// The password was that of the user.
    pub(crate) fn add(&mut self, now: Instant, user: Fingerprint, password: &str) {
        let Some(mac) = self.mac(user, password) else { return };
        if self.until.len() >= MOST {
            self.until.retain(|_, until| now < *until);
        }
        if self.until.len() >= MOST
            && let Some(first) = self.until.iter().min_by_key(|(_, until)| **until).map(|(mac, _)| *mac)
        {
            self.until.remove(&first);
        }
        self.until.insert(mac, now + KEPT);
    }

    fn mac(&self, user: Fingerprint, password: &str) -> Option<[u8; 32]> {
        // HMAC takes keys of every length: there is always one.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        mac.update(&user);
        mac.update(password.as_bytes());
        Some(mac.finalize().into_bytes().into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::token::fingerprint;
    use super::*;

    #[test]
    fn a_right_login_is_known_for_a_while_and_for_that_user_only() {
        let (begin, mut proven) = (Instant::now(), Proven::default());
        let (anna, bert) = (fingerprint("anna"), fingerprint("bert"));
        assert!(!proven.holds(begin, anna, "correct horse"));
        proven.add(begin, anna, "correct horse");
        assert!(proven.holds(begin, anna, "correct horse"));
        assert!(!proven.holds(begin, anna, "correct hors") && !proven.holds(begin, bert, "correct horse"));
        assert!(!proven.holds(begin + KEPT, anna, "correct horse"));
        for n in 0..1000 {
            proven.add(begin, anna, &n.to_string());
        }
        assert_eq!(proven.until.len(), MOST);
    }
}
