//! The users file's content: users, tokens, and how they stand in the file. Pure.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::digest::DigestForm;
use super::grant::{Grant, Role, Scope};
use super::password;
use super::token::{self, Fingerprint};

/// Version of the file's form.
pub(crate) const FORMAT: u64 = 1;
/// Longest name of a user or a token, in characters.
const LONGEST_NAME: usize = 64;
/// Most users, and most tokens.
pub(super) const MOST: usize = 1000;

/// Everybody who may come in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Book {
    format: u64,
    /// People, by name.
    pub users: Vec<User>,
    /// Machines, by name.
    pub tokens: Vec<Token>,
}

/// Somebody with a password.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// Unique.
    pub name: String,
    /// What may be done.
    pub role: Role,
    /// On which cameras.
    #[serde(default, skip_serializing_if = "Scope::is_whole")]
    pub labels: Scope,
    /// A PHC string of argon2id.
    pub password: String,
    /// For Digest at the streams, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtsp_digest: Option<DigestForm>,
    /// When the password was set.
    #[serde(with = "stamp")]
    pub changed: SystemTime,
}

/// A machine's token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Unique among tokens.
    pub name: String,
    /// What may be done.
    pub role: Role,
    /// On which cameras.
    #[serde(default, skip_serializing_if = "Scope::is_whole")]
    pub labels: Scope,
    /// SHA-256 of the token, in hexadecimal digits.
    pub sha256: String,
    /// When it was made.
    #[serde(with = "stamp")]
    pub created: SystemTime,
    /// When it ends; `None`: never.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "stamp::optional")]
    pub expires: Option<SystemTime>,
}

impl User {
    /// Role and cameras.
    pub fn grant(&self) -> Grant {
        Grant { role: self.role, scope: self.labels.clone() }
    }

    /// Another one as soon as anything about the user changes: what was proven before is void then.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        let digest = self.rtsp_digest.as_ref().map_or("", DigestForm::expose);
        of_fields(&["user", &self.name, self.role.as_str(), &self.labels.to_string(), &self.password, digest])
    }
}

impl Token {
    /// Role and cameras.
    pub fn grant(&self) -> Grant {
        Grant { role: self.role, scope: self.labels.clone() }
    }

    /// Whether it has ended by then.
    pub fn expired(&self, now: SystemTime) -> bool {
        self.expires.is_some_and(|end| end <= now)
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        of_fields(&["token", &self.name, self.role.as_str(), &self.labels.to_string(), &self.sha256])
    }
}

fn of_fields(fields: &[&str]) -> Fingerprint {
    let mut hash = Sha256::new();
    for field in fields {
        hash.update(field.len().to_le_bytes());
        hash.update(field.as_bytes());
    }
    hash.finalize().into()
}

/// Why a text is no users file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BookProblem {
    /// Written by a version that knows more.
    #[error("is of format {0}, of a later version of Maskwatch; this one knows format {FORMAT}")]
    Later(u64),
    /// Not what this program wrote. Never quotes the content.
    #[error("is damaged: {0}")]
    Damaged(String),
}

impl Book {
    /// Nobody.
    pub fn new() -> Self {
        Self { format: FORMAT, ..Self::default() }
    }

    /// Reads and checks the file's text.
    ///
    /// # Errors
    /// It is damaged, or of a later version.
    pub fn read(text: &[u8]) -> Result<Self, BookProblem> {
        #[derive(Deserialize)]
        struct Head {
            format: u64,
        }
        // Of serde's messages only the place: they may quote a hash.
        let place = |error: &serde_json::Error| {
            BookProblem::Damaged(format!("line {}, column {}", error.line(), error.column()))
        };
        let head: Head = serde_json::from_slice(text).map_err(|error| place(&error))?;
        if head.format > FORMAT {
            return Err(BookProblem::Later(head.format));
        }
        let book: Self = serde_json::from_slice(text).map_err(|error| place(&error))?;
        book.check().map_err(BookProblem::Damaged)?;
        Ok(book)
    }

    /// The file's text.
    ///
    /// # Errors
    /// Where JSON cannot be written: never in practice.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    fn check(&self) -> Result<(), String> {
        if self.users.len() > MOST || self.tokens.len() > MOST {
            return Err(format!("more than {MOST} users or tokens"));
        }
        let mut names: Vec<_> = self.users.iter().map(|user| ("user", user.name.as_str())).collect();
        names.extend(self.tokens.iter().map(|token| ("token", token.name.as_str())));
        for (kind, name) in &names {
            check_name(name).map_err(|problem| format!("a {kind}: {problem}"))?;
        }
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        if names.len() < count {
            return Err("a name is there twice".to_owned());
        }
        for user in &self.users {
            let digest_fits = user.rtsp_digest.as_ref().is_none_or(DigestForm::is_whole);
            if !password::is_hash(&user.password) || !digest_fits || user.role == Role::Metrics {
                return Err(format!("user {}", user.name));
            }
            user.grant().check().map_err(|problem| format!("user {}: {problem}", user.name))?;
        }
        for token in &self.tokens {
            if token::unhex(&token.sha256).is_none() {
                return Err(format!("token {}", token.name));
            }
            token.grant().check().map_err(|problem| format!("token {}: {problem}", token.name))?;
        }
        Ok(())
    }

    /// The user of that name.
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|user| user.name == name)
    }

    /// The token that this text is.
    pub(crate) fn token_of(&self, text: &str) -> Option<&Token> {
        let sha256 = token::hex(&token::fingerprint(text));
        self.tokens.iter().find(|token| token.sha256 == sha256)
    }
}

/// Whether a user or a token may be called so.
///
/// # Errors
/// What a name may be.
pub fn check_name(name: &str) -> Result<(), String> {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | '+');
    let begins = name.chars().next().is_some_and(char::is_alphanumeric);
    if begins && name.chars().all(fits) && name.chars().count() <= LONGEST_NAME {
        return Ok(());
    }
    Err(format!("a name is 1 to {LONGEST_NAME} letters, digits and `. _ - @ +`, beginning with a letter or a digit"))
}

/// Times in the file: RFC 3339, UTC, seconds.
mod stamp {
    use std::time::SystemTime;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_rfc3339_seconds(*time))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SystemTime, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_rfc3339(&text).map_err(de::Error::custom)
    }

    pub(super) mod optional {
        use super::{Deserializer, SystemTime};

        pub(in super::super) fn serialize<S: serde::Serializer>(
            time: &Option<SystemTime>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            match time {
                Some(time) => super::serialize(time, serializer),
                None => serializer.serialize_none(),
            }
        }

        pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<SystemTime>, D::Error> {
            super::deserialize(deserializer).map(Some)
        }
    }
}

#[cfg(test)]
#[path = "book_tests.rs"]
pub(super) mod tests;
