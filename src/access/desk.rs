//! Users and tokens changed by request, while the service runs: the file is written, and taken up at once.

use std::net::IpAddr;
use std::time::SystemTime;

use super::audit::Deed;
use super::book::{Book, Token};
use super::caller::{Caller, Kind};
use super::edit::Objection;
use super::password::{self, PasswordProblem};
use super::store;
use super::{Access, Refusal};

/// A change that somebody asks for.
pub struct Asked<'a> {
    /// Who asks.
    pub by: &'a Caller,
    /// From where.
    pub from: IpAddr,
    /// What for the audit: `user.added`.
    pub what: &'static str,
    /// Who is changed: a user's name, or a token's as `token:NAME`.
    pub whom: String,
}

impl Access {
    /// Changes the users file by `change`, which also says what it did, for the audit. It is in force when this returns. Takes
    /// some milliseconds for the disk.
    ///
    /// # Errors
    /// There is no users file, it cannot be used or written, `change` objects, or nobody would be left who may change things.
    pub fn edit<T>(
        &self,
        asked: &Asked<'_>,
        change: impl FnOnce(&mut Book) -> Result<(T, String), Objection>,
    ) -> Result<T, Objection> {
        let _turn = self.desk.lock();
        let rules = self.rules();
        let users = rules.users.as_ref().ok_or(Objection::NoFile)?;
        // What others wrote before is told as theirs; a file that is gone is not made anew without them.
        self.look_in_turn(None);
        if !self.stands(asked.by) {
            return Err(Objection::Revoked);
        }
        store::read(users.path())?;
        let (made, detail) = store::change(users.path(), |book| {
            let had_operator = book.has_operator();
            let made = change(book)?;
            if had_operator && !book.has_operator() && rules.configured.is_none() {
                return Err(Objection::LastOperator(asked.whom.clone()));
            }
            Ok::<_, Objection>(made)
        })?;
        self.look_in_turn(Some(&asked.whom));
        self.audit.note(Deed::new(asked.what, asked.by.name(), Some(asked.from), &detail));
        Ok(made)
    }

    /// The hash of a new password. One is worked out at a time.
    ///
    /// # Errors
    /// It may be nobody's password.
    pub fn hashed(&self, password: &str) -> Result<String, PasswordProblem> {
        password::check(password)?;
        let _turn = self.hashing.lock();
        password::hash(password)
    }

    /// Whether users can be changed here at all.
    ///
    /// # Errors
    /// No users file is named.
    pub fn keeps_users(&self) -> Result<(), Objection> {
        self.rules().users.as_ref().map(|_| ()).ok_or(Objection::NoFile)
    }

    /// Whether that is the caller's own entry in the users file.
    pub fn is_oneself(&self, caller: &Caller, user: &str) -> bool {
        caller.kind == Kind::User && caller.name() == Some(user)
    }

    /// A user as they may come in now: for who has just changed their own password.
    ///
    /// # Errors
    /// There is nobody of that name any more.
    pub fn again(&self, user: &str) -> Result<Caller, Refusal> {
        self.book().user(user).map(Caller::user).ok_or(Refusal::Wrong)
    }

    /// When a token was used last, as far as is known.
    pub fn last_used(&self, token: &Token) -> Option<SystemTime> {
        self.used.last(&token.sha256)
    }
}
