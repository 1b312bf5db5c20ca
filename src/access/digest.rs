//! The form of a password that Digest (RFC 2617) is checked by: MD5 of name, realm and password.
//!
//! Who has it can log in at the streams without knowing the password, and can try passwords by the million against it: it
//! is kept only for users of whom that was asked.

use std::fmt;

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

use super::token::hex;

/// What clients are told that they log in to.
pub const REALM: &str = "maskwatch";
/// Length of a form in characters.
const LENGTH: usize = 32;

/// The form for one user's password. Never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DigestForm(String);

impl DigestForm {
    /// Of a user's name and password.
    pub fn of(name: &str, password: &str) -> Self {
        Self(md5(&[name, REALM, password]))
    }

    /// The text: as good as the password.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it is one: a file may hold anything.
    pub(crate) fn is_whole(&self) -> bool {
        self.0.len() == LENGTH && self.0.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    }
}

impl fmt::Debug for DigestForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestForm(***)")
    }
}

/// MD5 of the parts with colons between them, in hexadecimal digits.
pub(crate) fn md5(parts: &[&str]) -> String {
    hex(&Md5::digest(parts.join(":")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_those_of_the_rfc() {
        // RFC 2617, 3.5.
        assert_eq!(md5(&["Mufasa", "testrealm@host.com", "Circle Of Life"]), "939e7578ed9e3c518a452acee763bce9");
        let form = DigestForm::of("anna", "correct horse");
        assert_eq!(form.expose(), md5(&["anna", "maskwatch", "correct horse"]));
        assert!(form.is_whole() && !format!("{form:?}").contains(form.expose()));
        for other in [String::new(), "correct horse".to_owned(), "A".repeat(32), "a".repeat(33)] {
            assert!(!DigestForm(other).is_whole());
        }
    }
}
