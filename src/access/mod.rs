//! Who may come in, what they may do, and on which cameras.
//!
//! People have passwords (argon2id) and machines have tokens (SHA-256 of 256 random bits). Both are in one file, which
//! `maskwatch user` and `maskwatch token` write ([`store`]), and a service where an operator asks it to (`desk`). A service
//! looks at the file once a second (`watch`) rather than at logins: who is taken out is to lose sessions and streams that
//! are open, too.
//!
//! Failed logins slow down further ones (`throttle`), before anything about them is looked at. argon2 is worked out for
//! one login at a time, so that nobody can take the machine's memory or cores by it.

mod admission;
pub mod audit;
pub mod book;
mod caller;
mod desk;
pub mod digest;
pub mod edit;
pub mod grant;
pub mod password;
mod proven;
mod rules;
mod sessions;
pub mod store;
mod streams;
mod throttle;
pub mod token;
pub(crate) mod used;
mod watch;

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use subtle::ConstantTimeEq;
use tokio::sync::watch as tell;

pub use admission::Admission;
pub use audit::{Audit, Deed};
pub use book::{Book, Token, User};
pub use caller::{Caller, Refusal};
pub use desk::Asked;
pub use digest::DigestForm;
pub use grant::{Grant, Role, Scope};
pub use store::UsersError;
pub use streams::{Shown, StreamLogin};

use crate::config::plan::{AccessPlan, Credentials};
use crate::metrics::{AccessMetrics, LoginResult, Metrics};
use crate::shutdown::Shutdown;
use crate::state_file::{Folder, StoreHealth};
use caller::Kind;
use proven::Proven;
use rules::Rules;
use sessions::{Owner, Sessions};
use throttle::Throttle;
use token::{Ticket, fingerprint};
use tracing_mutex::parking_lot::{Mutex, MutexGuard, RwLock};
use used::Used;

/// Why nobody can be let in or kept out.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The users file.
    #[error("users_file: {0}")]
    Users(#[from] UsersError),
    /// Metrics of this name are there already: a defect of this program.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
    /// The system gives no thread.
    #[error("the users file cannot be watched: {0}")]
    Thread(#[from] std::io::Error),
}

/// What changes with every attempt.
#[derive(Default)]
struct Attempts {
    throttle: Throttle,
    proven: Proven,
    sessions: Sessions,
}

/// Lets in who may.
pub struct Access {
    rules: RwLock<Arc<Rules>>,
    book: RwLock<Arc<Book>>,
    attempts: Mutex<Attempts>,
    /// Held while a password is hashed.
    hashing: Mutex<()>,
    /// Held while the users file is taken up or changed, or another one is named: what is read last is what holds.
    desk: Mutex<()>,
    audit: Audit,
    used: Used,
    metrics: AccessMetrics,
    changes: tell::Sender<()>,
    stop: Shutdown,
}

impl Access {
    /// Reads the users file, and keeps an eye on it. `login`: of the configuration itself; `state_dir`: where the last
    /// use of tokens is kept.
    ///
    /// # Errors
    /// The users file cannot be used.
    pub fn start(
        plan: &AccessPlan,
        login: Option<&Credentials>,
        state_dir: Option<&Path>,
        metrics: &Metrics,
    ) -> Result<Arc<Self>, AccessError> {
        let kept = |folder| {
            let health = StoreHealth::new(&audit::KIND, metrics.state_store(audit::KIND.store));
            Audit::kept(Folder::new(folder), Arc::new(health))
        };
        let audit = state_dir.map(kept).unwrap_or_default();
        audit.keep(false);
        let metrics = AccessMetrics::new(metrics.registry())?;
        let (rules, book) = Rules::read(plan, login)?;
        if rules.users.is_some() {
            metrics.users_file_ok(true);
        }
        let access = Arc::new(Self {
            rules: RwLock::new(Arc::new(rules)),
            book: RwLock::new(Arc::new(book)),
            attempts: Mutex::default(),
            hashing: Mutex::default(),
            desk: Mutex::default(),
            audit,
            used: Used::open(state_dir),
            metrics,
            changes: tell::Sender::new(()),
            stop: Shutdown::new(),
        });
        watch::start(&access)?;
        Ok(access)
    }

    /// Goes on by another plan. Who is not who they were by it loses sessions and streams.
    ///
    /// # Errors
    /// The users file cannot be used; nothing changes then.
    pub fn change(&self, plan: &AccessPlan, login: Option<&Credentials>) -> Result<(), AccessError> {
        let _turn = self.desk.lock();
        let (rules, book) = Rules::read(plan, login)?;
        if rules.users.is_some() {
            self.metrics.users_file_ok(true);
        }
        *self.rules.write() = Arc::new(rules);
        self.take_up(book, None);
        // Also where the book is the same.
        self.weed_out();
        Ok(())
    }

    /// Whether anybody is kept out at all.
    pub fn guarded(&self) -> bool {
        let rules = self.rules();
        rules.configured.is_some() || rules.users.is_some()
    }

    /// Names under which a server without a login may be asked for.
    pub fn hosts(&self) -> Vec<String> {
        self.rules().hosts.clone()
    }

    fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read())
    }

    /// What was done.
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// What of this outlives the process, and how that stands.
    pub(crate) fn store(&self) -> Option<&Arc<StoreHealth>> {
        self.audit.store()
    }

    /// Users and tokens as they are now.
    pub fn book(&self) -> Arc<Book> {
        Arc::clone(&self.book.read())
    }

    /// A login as far as it can be judged without hashing a password; `None`: [`Self::login`] has to.
    ///
    /// # Errors
    /// It is wrong, or comes too soon after others that were.
    pub fn quick(&self, from: IpAddr, name: &str, password: &str) -> Result<Option<Caller>, Refusal> {
        self.in_time(from, Some(name))?;
        let rules = self.rules();
        if let Some(configured) = &rules.configured {
            if bool::from(fingerprint(&format!("{name}:{password}")).ct_eq(&configured.fingerprint)) {
                let caller = Caller::configured(&configured.name, configured.fingerprint);
                self.right(from, name);
                return Ok(Some(caller));
            }
            if rules.users.is_none() {
                return Err(self.wrong(from, Some(name)));
            }
        }
        Ok(self.proven(name, password))
    }

    /// A user whose password was right a moment ago.
    fn proven(&self, name: &str, password: &str) -> Option<Caller> {
        let book = self.book();
        let user = book.user(name)?;
        let holds = self.attempts().proven.holds(Instant::now(), user.fingerprint(), password);
        holds.then(|| Caller::user(user))
    }

    /// A login by name and password. Takes some ten milliseconds, and waits for others that are looked at.
    ///
    /// # Errors
    /// As of [`Self::quick`].
    pub fn login(&self, from: IpAddr, name: &str, password: &str) -> Result<Caller, Refusal> {
        match self.quick(from, name, password)? {
            Some(caller) => Ok(caller),
            None => self.user(from, name, password),
        }
    }

    /// A user's login, by the password's hash where it was not right a moment ago.
    fn user(&self, from: IpAddr, name: &str, password: &str) -> Result<Caller, Refusal> {
        if let Some(caller) = self.proven(name, password) {
            return Ok(caller);
        }
        let _turn = self.hashing.lock();
        // What failed while this one waited counts.
        self.in_time(from, Some(name))?;
        let book = self.book();
        let found = book.user(name);
        let fits = match found {
            Some(user) => password::verify(password, &user.password),
            None => {
                password::verify_nobody(password);
                false
            }
        };
        let Some(user) = found.filter(|_| fits) else { return Err(self.wrong(from, Some(name))) };
        self.attempts().proven.add(Instant::now(), user.fingerprint(), password);
        self.right(from, name);
        Ok(Caller::user(user))
    }

    /// A token.
    ///
    /// # Errors
    /// It is none, it has ended, or too many came that were none.
    pub fn token(&self, from: IpAddr, text: &str) -> Result<Caller, Refusal> {
        let (book, now) = (self.book(), SystemTime::now());
        // Nobody guesses 256 bits: the right one is taken however many others were wrong.
        match book.token_of(text) {
            Some(token) if !token.expired(now) => {
                self.used.note(&token.sha256, now);
                Ok(Caller::token(token))
            }
            Some(token) => {
                let who = format!("token:{}", token.name);
                self.in_time(from, None)?;
                self.failed(from, None, Some(&who), "the token has expired");
                Err(Refusal::Expired)
            }
            None => {
                self.in_time(from, None)?;
                Err(self.wrong(from, None))
            }
        }
    }

    /// Begins a session for who has just logged in; `None` for tokens, which need none. The cookie's value, and how
    /// long it holds at most.
    pub fn begin_session(&self, caller: &Caller, from: IpAddr) -> Option<(Ticket, Duration)> {
        let owner = caller.owner()?;
        self.audit.note(Deed::new("session.begun", Some(&owner.name), Some(from), "logged in"));
        Some((self.attempts().sessions.begin(Instant::now(), owner), sessions::LONGEST))
    }

    /// Who has this session.
    pub fn session(&self, id: &str) -> Option<Caller> {
        let session = fingerprint(id);
        let owner = self.attempts().sessions.owner(Instant::now(), session)?;
        self.owner(&owner).map(|caller| caller.by(session))
    }

    /// Ends a session, if there is one.
    pub fn end_session(&self, id: &str, from: IpAddr) {
        let ended = self.attempts().sessions.end(fingerprint(id));
        if let Some(owner) = ended {
            self.changes.send_replace(());
            self.audit.note(Deed::new("session.ended", Some(&owner.name), Some(from), "logged out"));
        }
    }

    /// Whether somebody is still who they were when they came in.
    pub fn stands(&self, caller: &Caller) -> bool {
        if caller.session.is_some_and(|id| !self.attempts().sessions.has(Instant::now(), id)) {
            return false;
        }
        match caller.kind {
            Kind::Anybody => !self.guarded(),
            Kind::Stranger => false,
            Kind::Configured | Kind::User => caller.owner().is_some_and(|owner| self.owner(&owner).is_some()),
            Kind::Token => {
                let book = self.book();
                let token = book.tokens.iter().find(|token| token.fingerprint() == caller.fingerprint);
                token.is_some_and(|token| !token.expired(SystemTime::now()))
            }
        }
    }

    /// Waits until that is so no longer.
    pub async fn revoked(&self, caller: Caller) {
        let mut changes = self.changes.subscribe();
        while self.stands(&caller) {
            // Tokens and sessions end by themselves, too, and the clock may be set. The sender lives as long as this.
            if let Ok(Err(_)) = tokio::time::timeout(watch::LOOK, changes.changed()).await {
                return;
            }
        }
    }

    fn owner(&self, owner: &Owner) -> Option<Caller> {
        if let Some(configured) = &self.rules().configured
            && configured.fingerprint == owner.fingerprint
        {
            return Some(Caller::configured(&configured.name, configured.fingerprint));
        }
        let book = self.book();
        let user = book.user(&owner.name).filter(|user| user.fingerprint() == owner.fingerprint)?;
        Some(Caller::user(user))
    }

    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock()
    }

    /// Whether an attempt may be looked at now.
    fn in_time(&self, from: IpAddr, name: Option<&str>) -> Result<(), Refusal> {
        let Some(pause) = self.attempts().throttle.pause(Instant::now(), from, name) else { return Ok(()) };
        self.metrics.login(LoginResult::Slowed);
        if pause.first {
            let who = name.filter(|name| self.knows(name));
            let detail = format!("too many failed logins: nothing is looked at for {} s", pause.left.as_secs() + 1);
            self.audit.note(Deed::new("login.slowed", who, Some(from), &detail));
        }
        Err(Refusal::Slowed(pause.left))
    }

    fn right(&self, from: IpAddr, name: &str) {
        self.metrics.login(LoginResult::Ok);
        // Scripts log in with every request: only the first time from an address is news.
        if self.attempts().throttle.succeeded(Instant::now(), from, name) {
            self.audit.note(Deed::new("login.ok", Some(name), Some(from), "first login from this address"));
        }
    }

    fn wrong(&self, from: IpAddr, name: Option<&str>) -> Refusal {
        // A name that nobody has may be a password in the wrong field: it is not written down.
        let who = name.filter(|name| self.knows(name));
        let detail = match (name, who) {
            (None, _) => "an unknown token",
            (Some(_), None) => "an unknown user",
            (Some(_), Some(_)) => "a wrong password",
        };
        self.failed(from, name, who, detail);
        Refusal::Wrong
    }

    fn failed(&self, from: IpAddr, name: Option<&str>, who: Option<&str>, detail: &str) {
        self.metrics.login(LoginResult::Failed);
        self.attempts().throttle.failed(Instant::now(), from, name);
        self.audit.note(Deed::new("login.failed", who, Some(from), detail));
    }

    fn knows(&self, name: &str) -> bool {
        self.rules().configured.as_ref().is_some_and(|configured| configured.name == name)
            || self.book().user(name).is_some()
    }
}

impl Drop for Access {
    fn drop(&mut self) {
        self.stop.set();
        self.used.write();
        self.audit.keep(true);
    }
}

#[cfg(test)]
mod tests;
