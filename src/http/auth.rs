//! Basic authentication (RFC 7617) for one user.

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::config::plan::Credentials;

/// Knows the right login, as a hash: comparing hashes takes the same time for every wrong login, whatever its length.
pub(super) struct Guard {
    login: [u8; 32],
}

impl Guard {
    pub(super) fn new(login: &Credentials) -> Self {
        Self { login: hash(format!("{}:{}", login.username, login.password.expose()).as_bytes()) }
    }

    /// Whether the request carries the right login.
    pub(super) fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(given) = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()) else {
            return false;
        };
        let Some((scheme, encoded)) = given.split_once(' ') else { return false };
        if !scheme.eq_ignore_ascii_case("basic") {
            return false;
        }
        BASE64_STANDARD.decode(encoded.trim()).is_ok_and(|login| hash(&login).ct_eq(&self.login).into())
    }
}

fn hash(text: &[u8]) -> [u8; 32] {
    Sha256::digest(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::secret::Secret;

    #[test]
    fn the_right_login_alone_is_admitted() {
        let guard = Guard::new(&Credentials { username: "ops".into(), password: Secret::new("a:ß") });
        let with = |value: String| HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
        let basic = |login: &str| with(format!("Basic {}", BASE64_STANDARD.encode(login)));
        assert!(guard.admits(&basic("ops:a:ß")));
        assert!(guard.admits(&with(format!("basic {}", BASE64_STANDARD.encode("ops:a:ß")))));
        for wrong in ["ops:", "ops:a", ":", "", "ops:a:ßß"] {
            assert!(!guard.admits(&basic(wrong)), "{wrong}");
        }
        assert!(!guard.admits(&with("Basic !".into())));
        assert!(!guard.admits(&with("Bearer x".into())));
        assert!(!guard.admits(&HeaderMap::new()));
    }
}
