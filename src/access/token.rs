//! Tokens of machines: 256 random bits, of which only the SHA-256 is kept. So much chance needs no slow hash.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rand::RngCore;
use sha2::{Digest, Sha256};

/// What tokens begin with, so that people and secret scanners know one when they see it.
const PREFIX: &str = "mwt_";

/// SHA-256.
pub(crate) type Fingerprint = [u8; 32];

/// 256 random bits as text. `Debug` prints `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket(String);

impl Ticket {
    /// A new one, beginning with `prefix`.
    fn with(prefix: &str) -> Self {
        let mut bytes = [0; 32];
        rand::rng().fill_bytes(&mut bytes);
        Self(format!("{prefix}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// A new token of a machine.
    pub fn token() -> Self {
        Self::with(PREFIX)
    }

    /// A new id of a session.
    pub(crate) fn session() -> Self {
        Self::with("")
    }

    /// The text itself: shown once, or sent as a cookie; never to be logged.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        fingerprint(&self.0)
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What is kept of a text.
pub(crate) fn fingerprint(text: &str) -> Fingerprint {
    Sha256::digest(text.as_bytes()).into()
}

/// What the users file keeps of a token.
pub fn hash_of(ticket: &Ticket) -> String {
    hex(&ticket.fingerprint())
}

/// As hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The fingerprint that 64 hexadecimal digits write.
pub(crate) fn unhex(text: &str) -> Option<Fingerprint> {
    let mut out = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[index * 2..index * 2 + 2], 16).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_different_and_do_not_print() {
        let (one, other) = (Ticket::token(), Ticket::token());
        assert_ne!(one, other);
        assert_eq!(one.expose().len(), PREFIX.len() + 43);
        assert_eq!(format!("{one:?}"), "***");
        assert_eq!(unhex(&hex(&one.fingerprint())), Some(fingerprint(one.expose())));
        for bad in ["", "0", &"g".repeat(64), &"0".repeat(66), &"ß".repeat(32)] {
            assert_eq!(unhex(bad), None, "{bad}");
        }
    }
}
