//! Somebody who came in.

use std::time::Duration;

use super::book::{Token, User};
use super::grant::{Grant, Role};
use super::sessions::Owner;
use super::token::Fingerprint;

/// How somebody is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Not at all: nobody is kept out.
    Anybody,
    /// Not at all, and has no rights.
    Stranger,
    /// By the configuration's own login.
    Configured,
    User,
    Token,
}

/// Somebody who came in: who, and what they may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub(super) kind: Kind,
    name: Option<String>,
    grant: Grant,
    pub(super) fingerprint: Fingerprint,
    /// Of the session that they came in by.
    pub(super) session: Option<Fingerprint>,
}

impl Caller {
    /// Whoever reaches a server without a login.
    pub fn anybody() -> Self {
        Self {
            kind: Kind::Anybody,
            name: None,
            grant: Grant::whole(Role::Operator),
            fingerprint: [0; 32],
            session: None,
        }
    }

    /// Somebody who has shown nothing, where nothing is asked for.
    pub fn stranger() -> Self {
        Self {
            kind: Kind::Stranger,
            name: None,
            grant: Grant::whole(Role::Metrics),
            fingerprint: [0; 32],
            session: None,
        }
    }

    pub(super) fn configured(name: &str, fingerprint: Fingerprint) -> Self {
        let grant = Grant::whole(Role::Operator);
        Self { kind: Kind::Configured, name: Some(name.to_owned()), grant, fingerprint, session: None }
    }

    pub(super) fn user(user: &User) -> Self {
        let (name, fingerprint) = (Some(user.name.clone()), user.fingerprint());
        Self { kind: Kind::User, name, grant: user.grant(), fingerprint, session: None }
    }

    pub(super) fn token(token: &Token) -> Self {
        Self {
            kind: Kind::Token,
            name: Some(format!("token:{}", token.name)),
            grant: token.grant(),
            fingerprint: token.fingerprint(),
            session: None,
        }
    }

    /// The same by a session.
    pub(super) fn by(self, session: Fingerprint) -> Self {
        Self { session: Some(session), ..self }
    }

    /// A user's name, or a token's as `token:NAME`; `None` where nobody is asked who they are.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What they may do, and on which cameras.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// Whose a session would be.
    pub(super) fn owner(&self) -> Option<Owner> {
        let name = self.name.clone().filter(|_| matches!(self.kind, Kind::User | Kind::Configured))?;
        Some(Owner { name, fingerprint: self.fingerprint })
    }
}

/// Why somebody does not come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The name, the password or the token is wrong.
    Wrong,
    /// The token was right once.
    Expired,
    /// Too many failed before: nothing is looked at for so long.
    Slowed(Duration),
}
