//! What the configuration says of who may come in.

use super::book::Book;
use super::store::UsersError;
use super::token::{Fingerprint, fingerprint};
use super::watch::UsersFile;
use crate::config::plan::{AccessPlan, Credentials};

/// The login that the configuration itself names: one operator.
pub(super) struct Configured {
    pub(super) name: String,
    /// Of name and password: comparing hashes takes the same time for every wrong login.
    pub(super) fingerprint: Fingerprint,
}

/// What the configuration says of who may come in.
pub(super) struct Rules {
    pub(super) configured: Option<Configured>,
    pub(super) hosts: Vec<String>,
    pub(super) users: Option<UsersFile>,
}

impl Rules {
    /// And the users and tokens of the file that it names.
    pub(super) fn read(plan: &AccessPlan, login: Option<&Credentials>) -> Result<(Self, Book), UsersError> {
        let (users, book) = match &plan.users_file {
            Some(path) => {
                let (file, book) = UsersFile::open(path)?;
                (Some(file), book)
            }
            None => (None, Book::new()),
        };
        let configured = login.map(|login| Configured {
            name: login.username.clone(),
            fingerprint: fingerprint(&format!("{}:{}", login.username, login.password.expose())),
        });
        Ok((Self { configured, hosts: plan.hosts.clone(), users }, book))
    }
}
