//! Passwords and keys.

use std::fmt;
use std::io::Read;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::config::text;

/// Longest file that a secret is read from, in bytes: a device or a film is no password.
const LONGEST_FILE: u64 = 64 * 1024;

/// A password. `Debug` and `Display` print `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Why a text is no secret. Never quotes it.
#[derive(Debug, thiserror::Error)]
pub enum SecretProblem {
    /// Nothing, or blanks alone.
    #[error("an empty secret")]
    Empty,
    /// What no protocol can carry, or a second line.
    #[error("a secret of several lines, or with control characters")]
    Control,
    /// The file is not there, not readable, or no text.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
}

impl Secret {
    /// Hides `value`, whatever it is. What users give goes through [`Secret::read`].
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// What a user gave as a secret. Line breaks at its end are no part of it: editors, `echo` and what fills variables
    /// from files put them there.
    ///
    /// # Errors
    /// An empty secret is none, and one with control characters was not meant.
    pub fn read(given: &str) -> Result<Self, SecretProblem> {
        let value = given.trim_end_matches(['\n', '\r']);
        if value.trim().is_empty() {
            return Err(SecretProblem::Empty);
        }
        if value.chars().any(char::is_control) {
            return Err(SecretProblem::Control);
        }
        Ok(Self::new(value))
    }

    /// The secret that a file holds, and nothing else; UTF-8 or UTF-16.
    ///
    /// # Errors
    /// The file cannot be read, or [`Secret::read`] refuses what it holds.
    pub fn from_file(path: &Path) -> Result<Self, SecretProblem> {
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(LONGEST_FILE).read_to_end(&mut bytes)?;
        let text = text::decode(&bytes).map_err(|_| std::io::Error::other("it is no text"))?;
        Self::read(&text)
    }

    /// The value itself: for the protocol that needs it, never for a log or an error.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The key of a webhook's signature: the Base64 after `whsec_`, as the Standard Webhooks have it, or the bytes of any
/// other text. `None` where it is empty or no Base64.
pub fn signing_key(secret: &str) -> Option<Vec<u8>> {
    let key = match secret.strip_prefix("whsec_") {
        Some(encoded) => BASE64_STANDARD.decode(encoded).ok()?,
        None => secret.as_bytes().to_vec(),
    };
    (!key.is_empty()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_print() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn an_empty_secret_is_none() {
        for empty in ["", " ", "\n", "\r\n", " \t \n", "\u{a0}"] {
            assert!(matches!(Secret::read(empty), Err(SecretProblem::Empty)), "{empty:?}");
        }
        for bad in ["a\nb", "a\0", "\u{1b}[A"] {
            assert!(matches!(Secret::read(bad), Err(SecretProblem::Control)), "{bad:?}");
        }
        for (given, value) in [("a\n", "a"), ("a\r\n\n", "a"), (" a b ", " a b "), ("~", "~"), ("ß#", "ß#")] {
            assert_eq!(Secret::read(given).unwrap().expose(), value, "{given:?}");
        }
    }

    #[test]
    fn files_hold_secrets() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let read = |bytes: &[u8]| {
            std::fs::write(file.path(), bytes).unwrap();
            Secret::from_file(file.path()).map(|secret| secret.expose().to_owned())
        };
        assert_eq!(read(b"s3cret\n").unwrap(), "s3cret");
        assert_eq!(read(b"\xef\xbb\xbfs3cret\r\n").unwrap(), "s3cret");
        assert_eq!(read(b"\xff\xfea\0b\0\n\0").unwrap(), "ab");
        for empty in [b"".as_slice(), b"\n", b"\xef\xbb\xbf\n", b"\xff\xfe", b"  \r\n"] {
            assert!(matches!(read(empty), Err(SecretProblem::Empty)), "{empty:?}");
        }
        assert!(matches!(read(b"a\nb\n"), Err(SecretProblem::Control)));
        assert!(matches!(read(b"\xc3("), Err(SecretProblem::Unreadable(_))));
        assert!(matches!(Secret::from_file(Path::new("/dev/zero")), Err(SecretProblem::Control)));
        assert!(matches!(Secret::from_file(Path::new("/")), Err(SecretProblem::Unreadable(_))));
    }

    #[test]
    fn signing_keys_are_text_or_base64() {
        assert_eq!(signing_key("any text"), Some(b"any text".to_vec()));
        assert_eq!(signing_key("whsec_AQID"), Some(vec![1, 2, 3]));
        for bad in ["", "whsec_", "whsec_!"] {
            assert_eq!(signing_key(bad), None, "{bad}");
        }
    }
}
