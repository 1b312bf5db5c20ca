//! Who may come in at the streams: the users and tokens of the users file, and a login of the streams' own.

use std::net::IpAddr;
use std::time::SystemTime;

use subtle::ConstantTimeEq;

use super::caller::Kind;
use super::token::{Fingerprint, fingerprint};
use super::{Access, Caller, DigestForm, Refusal};
use crate::config::plan::Credentials;

/// The name under which a token is shown where only a name and a password can be.
const TOKEN: &str = "token";

/// The login that the configuration names for the streams.
pub struct StreamLogin {
    name: String,
    fingerprint: Fingerprint,
    digest: DigestForm,
}

impl StreamLogin {
    /// Of the configuration.
    pub fn of(login: &Credentials) -> Self {
        let (name, password) = (login.username.clone(), login.password.expose());
        // Apart from other logins of the same name and password.
        let fingerprint = fingerprint(&format!("rtsp:{name}:{password}"));
        let digest = DigestForm::of(&name, password);
        Self { name, fingerprint, digest }
    }

    fn fits(&self, name: &str, password: &str) -> bool {
        fingerprint(&format!("rtsp:{name}:{password}")).ct_eq(&self.fingerprint).into()
    }
}

/// What somebody shows to come in.
pub enum Shown<'a> {
    /// A name and a password, or `token` and a token.
    Password {
        /// The name.
        name: &'a str,
        /// The password or the token.
        password: &'a str,
    },
    /// That they know the password of a name.
    Digest {
        /// The name.
        name: &'a str,
        /// Whether that is so, by the digest form of the password.
        fits: &'a dyn Fn(&DigestForm) -> bool,
    },
}

impl Access {
    /// Whether there is a users file.
    pub fn has_users(&self) -> bool {
        self.rules().users.is_some()
    }

    /// Lets somebody in to the streams; `own`: their own login. May take some ten milliseconds, as [`Self::login`].
    ///
    /// # Errors
    /// What is shown is wrong, or comes too soon after others that were.
    pub fn viewer(&self, from: IpAddr, own: Option<&StreamLogin>, shown: &Shown<'_>) -> Result<Caller, Refusal> {
        let (Shown::Password { name, .. } | Shown::Digest { name, .. }) = *shown;
        if let Shown::Password { name: TOKEN, password } = *shown
            && self.has_users()
            && self.book().user(TOKEN).is_none()
            && own.is_none_or(|own| own.name != TOKEN)
        {
            return self.token(from, password);
        }
        self.in_time(from, Some(name))?;
        if let Some(own) = own.filter(|own| own.name == name) {
            let right = match shown {
                Shown::Password { password, .. } => own.fits(name, password),
                Shown::Digest { fits, .. } => fits(&own.digest),
            };
            if right {
                self.right(from, name);
                return Ok(Caller::configured(&own.name, own.fingerprint));
            }
        }
        let book = self.book();
        let user = match *shown {
            Shown::Password { password, .. } if self.has_users() => return self.user(from, name, password),
            Shown::Password { .. } => None,
            Shown::Digest { fits, .. } => book.user(name).filter(|user| user.rtsp_digest.as_ref().is_some_and(fits)),
        };
        match user {
            Some(user) => {
                self.right(from, name);
                Ok(Caller::user(user))
            }
            None => Err(self.wrong_viewer(from, name, own)),
        }
    }

    /// Whether somebody who came in by [`Self::viewer`], or because nobody was kept out, is still who they were.
    pub fn still_views(&self, caller: &Caller, own: Option<&StreamLogin>) -> bool {
        match caller.kind {
            Kind::Anybody => own.is_none() && !self.has_users(),
            Kind::Configured => own.is_some_and(|own| own.fingerprint == caller.fingerprint),
            Kind::Stranger => false,
            Kind::User => {
                let book = self.book();
                let user = caller.name().and_then(|name| book.user(name));
                user.is_some_and(|user| user.fingerprint() == caller.fingerprint)
            }
            Kind::Token => {
                let (book, now) = (self.book(), SystemTime::now());
                let token = book.tokens.iter().find(|token| token.fingerprint() == caller.fingerprint);
                token.is_some_and(|token| !token.expired(now))
            }
        }
    }

    fn wrong_viewer(&self, from: IpAddr, name: &str, own: Option<&StreamLogin>) -> Refusal {
        if own.is_none_or(|own| own.name != name) {
            return self.wrong(from, Some(name));
        }
        self.failed(from, Some(name), Some(name), "a wrong password");
        Refusal::Wrong
    }
}

#[cfg(test)]
#[path = "streams_tests.rs"]
mod tests;
