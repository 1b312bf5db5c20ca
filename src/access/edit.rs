//! Changes of users and tokens that somebody asks for, by command or by request. Pure.

use std::time::{Duration, SystemTime};

use super::book::{Book, MOST, Token, User, check_name};
use super::digest::DigestForm;
use super::grant::{Grant, Role};
use super::store::UsersError;
use super::token::{Ticket, hash_of};

/// Longest time that a token holds which ends at all: beyond, a date has more than four digits.
const LONGEST_EXPIRY: Duration = Duration::from_secs(100 * 366 * 24 * 3600);
/// Most labels of a user or a token; a camera has no more.
const MOST_LABELS: usize = 64;

/// Why a change is not made.
#[derive(Debug, thiserror::Error)]
pub enum Objection {
    /// There is no users file to change.
    #[error("no users are kept here (in the configuration: users_file: users.json; made by maskwatch user add)")]
    NoFile,
    /// The file cannot be used or written.
    #[error("users_file: {0}")]
    File(#[from] UsersError),
    /// What is asked for cannot be.
    #[error("{0}")]
    Unfit(String),
    /// A user of that name is there.
    #[error("there is a user {0} already")]
    UserThere(String),
    /// A token of that name is there.
    #[error("there is a token {0} already")]
    TokenThere(String),
    /// There is none.
    #[error("there is no user {0}")]
    NoUser(String),
    /// There is none.
    #[error("there is no token {0}")]
    NoToken(String),
    /// No place is left.
    #[error("there are {MOST} already, and no more can be")]
    Full,
    /// It is another than whoever changes it has seen.
    #[error("it has been changed meanwhile")]
    Changed,
    /// Whoever asks has lost the right to, meanwhile.
    #[error("the login holds no longer")]
    Revoked,
    /// Nobody could change anything any more.
    #[error("{0} is the last operator: make somebody else one first (or name a login under http.username)")]
    LastOperator(String),
    /// Nobody takes their own rights away by a slip of the hand.
    #[error("{0} is yourself: another operator can do this, or `maskwatch user`")]
    Oneself(String),
}

/// How long a token holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// From now on.
    After(Duration),
    /// For ever.
    Never,
}

impl Expiry {
    /// Of a token that nothing is said about.
    pub const USUAL: &str = "365d";

    /// As people write it.
    ///
    /// # Errors
    /// How it is written.
    pub fn read(text: &str) -> Result<Self, String> {
        if text == "never" {
            return Ok(Self::Never);
        }
        let duration = humantime::parse_duration(text).ok().filter(|duration| !duration.is_zero());
        let duration = duration.filter(|duration| *duration < LONGEST_EXPIRY);
        duration
            .map(Self::After)
            .ok_or_else(|| "write a number with its unit, such as 90d or 12h, or `never`".to_owned())
    }
}

/// A password that somebody is given.
pub struct NewPassword {
    /// Of [`super::password::hash`].
    pub hash: String,
    /// For Digest, where that is wanted.
    pub form: DigestForm,
}

/// What of a user is to be another from now on; what is `None` stays.
#[derive(Default)]
pub struct UserChange {
    /// Role and cameras.
    pub grant: Option<Grant>,
    /// Another one.
    pub password: Option<NewPassword>,
    /// Whether the form for Digest is kept, too. It can be made of a password alone.
    pub rtsp_digest: Option<bool>,
}

/// Whether somebody may be given this.
///
/// # Errors
/// What does not fit.
pub fn check_grant(grant: &Grant) -> Result<(), Objection> {
    grant.check().map_err(|problem| Objection::Unfit(problem.to_owned()))?;
    let labels = grant.scope.labels();
    if labels.len() > MOST_LABELS {
        return Err(Objection::Unfit(format!("{} labels are too many (at most {MOST_LABELS})", labels.len())));
    }
    let text = |text: &String| !text.is_empty() && !text.chars().any(char::is_control);
    if labels.iter().all(|(key, value)| text(key) && text(value)) {
        return Ok(());
    }
    Err(Objection::Unfit("labels: a label has a name and a value, such as site: mall-a".to_owned()))
}

/// Whether a user may be called so and be given this.
///
/// # Errors
/// What does not fit.
pub fn check_user(name: &str, grant: &Grant) -> Result<(), Objection> {
    check_name(name).map_err(Objection::Unfit)?;
    if grant.role == Role::Metrics {
        return Err(Objection::Unfit("role: users are viewer or operator; metrics is for tokens".to_owned()));
    }
    check_grant(grant)
}

impl Book {
    /// Somebody comes. `rtsp_digest`: they may log in at the streams by Digest, too.
    ///
    /// # Errors
    /// The name is taken or none, the role does not fit, or there is no place.
    pub fn add_user(
        &mut self,
        name: &str,
        grant: Grant,
        new: NewPassword,
        rtsp_digest: bool,
        now: SystemTime,
    ) -> Result<(), Objection> {
        check_user(name, &grant)?;
        if self.user(name).is_some() {
            return Err(Objection::UserThere(name.to_owned()));
        }
        if self.users.len() >= MOST {
            return Err(Objection::Full);
        }
        let (name, Grant { role, scope }) = (name.to_owned(), grant);
        let rtsp_digest = rtsp_digest.then_some(new.form);
        self.users.push(User { name, role, labels: scope, password: new.hash, rtsp_digest, changed: now });
        Ok(())
    }

    /// Somebody has another role, other cameras or another password.
    ///
    /// # Errors
    /// There is nobody of that name, or the role does not fit.
    pub fn change_user(&mut self, name: &str, change: UserChange, now: SystemTime) -> Result<(), Objection> {
        let found = self.users.iter_mut().find(|user| user.name == name);
        let user = found.ok_or_else(|| Objection::NoUser(name.to_owned()))?;
        if let Some(grant) = change.grant {
            check_user(name, &grant)?;
            (user.role, user.labels) = (grant.role, grant.scope);
        }
        match (change.password, change.rtsp_digest) {
            (Some(new), wanted) => {
                let kept = wanted.unwrap_or(user.rtsp_digest.is_some());
                (user.password, user.rtsp_digest, user.changed) = (new.hash, kept.then_some(new.form), now);
            }
            (None, Some(true)) if user.rtsp_digest.is_none() => {
                let what = "rtsp_digest: the form for Digest is made of the password: give one with it";
                return Err(Objection::Unfit(what.to_owned()));
            }
            (None, Some(false)) => user.rtsp_digest = None,
            (None, _) => {}
        }
        Ok(())
    }

    /// Somebody goes.
    ///
    /// # Errors
    /// There is nobody of that name.
    pub fn remove_user(&mut self, name: &str) -> Result<(), Objection> {
        let place = self.users.iter().position(|user| user.name == name);
        self.users.remove(place.ok_or_else(|| Objection::NoUser(name.to_owned()))?);
        Ok(())
    }

    /// A machine comes: its token as it stands in the file, and the text that the machine has to show.
    ///
    /// # Errors
    /// As of [`Self::add_user`].
    pub fn add_token(
        &mut self,
        name: &str,
        grant: Grant,
        expiry: Expiry,
        now: SystemTime,
    ) -> Result<(Token, Ticket), Objection> {
        check_name(name).map_err(Objection::Unfit)?;
        check_grant(&grant)?;
        if self.tokens.iter().any(|token| token.name == name) {
            return Err(Objection::TokenThere(name.to_owned()));
        }
        if self.tokens.len() >= MOST {
            return Err(Objection::Full);
        }
        let expires = match expiry {
            Expiry::After(time) => Some(now + time),
            Expiry::Never => None,
        };
        let (ticket, Grant { role, scope }) = (Ticket::token(), grant);
        let (name, sha256) = (name.to_owned(), hash_of(&ticket));
        let token = Token { name, role, labels: scope, sha256, created: now, expires };
        self.tokens.push(token.clone());
        Ok((token, ticket))
    }

    /// A token is worth nothing any more.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn remove_token(&mut self, name: &str) -> Result<(), Objection> {
        let place = self.tokens.iter().position(|token| token.name == name);
        self.tokens.remove(place.ok_or_else(|| Objection::NoToken(name.to_owned()))?);
        Ok(())
    }

    /// Whether there is a user who may change things.
    pub fn has_operator(&self) -> bool {
        self.users.iter().any(|user| user.role == Role::Operator)
    }
}

#[cfg(test)]
mod tests {
    use super::super::book::tests::HASH;
    use super::super::grant::Scope;
    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn viewer(labels: &[(&str, &str)]) -> Grant {
        let scope = Scope::of(labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        Grant { role: Role::Viewer, scope }
    }

    fn new(hash: &str) -> NewPassword {
        NewPassword { hash: hash.to_owned(), form: DigestForm::of("anna", hash) }
    }

    #[test]
    fn the_form_for_digest_goes_with_its_password() {
        let mut book = Book::new();
        book.add_user("anna", viewer(&[]), new(HASH), false, NOW).unwrap();
        let change = |book: &mut Book, password: Option<&str>, rtsp_digest| {
            let change = UserChange { grant: None, password: password.map(new), rtsp_digest };
            book.change_user("anna", change, NOW).map(|()| book.user("anna").unwrap().rtsp_digest.clone())
        };
        let other = HASH.replace("pDSO", "pDSP");
        let of = |hash: &str| Some(DigestForm::of("anna", hash));
        assert!(matches!(change(&mut book, None, Some(true)), Err(Objection::Unfit(_))), "of no password");
        assert_eq!(change(&mut book, Some(HASH), None).unwrap(), None);
        assert_eq!(change(&mut book, Some(HASH), Some(true)).unwrap(), of(HASH));
        assert_eq!(change(&mut book, None, Some(true)).unwrap(), of(HASH));
        assert_eq!(change(&mut book, Some(&other), None).unwrap(), of(&other), "never that of the old one");
        assert_eq!(change(&mut book, None, Some(false)).unwrap(), None);
        assert_eq!(change(&mut book, Some(HASH), Some(false)).unwrap(), None);
    }

    #[test]
    fn what_is_refused_changes_nothing() {
        let mut book = Book::new();
        book.add_user("anna", Grant::whole(Role::Operator), new(HASH), false, NOW).unwrap();
        book.add_token("backup", viewer(&[]), Expiry::Never, NOW).unwrap();
        let before = book.clone();
        let add =
            |book: &mut Book, name: &str, grant: Grant| book.add_user(name, grant, new(HASH), false, NOW).unwrap_err();
        assert!(matches!(add(&mut book, "anna", viewer(&[])), Objection::UserThere(_)));
        for (name, grant) in [
            ("an:na", viewer(&[])),
            ("bert", Grant::whole(Role::Metrics)),
            ("bert", Grant { role: Role::Operator, ..viewer(&[("site", "a")]) }),
            ("bert", viewer(&[("", "a")])),
            ("bert", viewer(&[("site", "a\nb")])),
        ] {
            assert!(matches!(add(&mut book, name, grant), Objection::Unfit(_)), "{name}");
        }
        let none = book.change_user("bert", UserChange::default(), NOW).unwrap_err();
        assert_eq!(none.to_string(), "there is no user bert");
        let role =
            UserChange { grant: Some(Grant::whole(Role::Metrics)), password: Some(new(HASH)), rtsp_digest: None };
        assert!(matches!(book.change_user("anna", role, NOW), Err(Objection::Unfit(_))));
        assert!(matches!(book.remove_user("bert"), Err(Objection::NoUser(_))));
        assert!(matches!(book.remove_token("anna"), Err(Objection::NoToken(_))));
        let again = book.add_token("backup", viewer(&[]), Expiry::Never, NOW);
        assert!(matches!(again, Err(Objection::TokenThere(_))));
        assert_eq!(book, before);
    }

    #[test]
    fn a_book_is_never_made_so_full_that_it_cannot_be_read() {
        let mut book = Book::new();
        for n in 0..MOST {
            book.add_user(&n.to_string(), viewer(&[]), new(HASH), false, NOW).unwrap();
            book.add_token(&n.to_string(), viewer(&[]), Expiry::Never, NOW).unwrap();
        }
        assert!(matches!(book.add_user("more", viewer(&[]), new(HASH), false, NOW), Err(Objection::Full)));
        assert!(matches!(book.add_token("more", viewer(&[]), Expiry::Never, NOW), Err(Objection::Full)));
        assert!(Book::read(book.text().unwrap().as_bytes()).is_ok());
    }

    #[test]
    fn people_and_tokens_come_change_and_go() {
        let mut book = Book::new();
        book.add_user("anna", Grant::whole(Role::Operator), new(HASH), false, NOW).unwrap();
        let later = NOW + Duration::from_secs(9);
        let grant = viewer(&[("site", "mall-a")]);
        book.change_user("anna", UserChange { grant: Some(grant.clone()), ..UserChange::default() }, later).unwrap();
        assert_eq!((book.user("anna").unwrap().grant(), book.user("anna").unwrap().changed), (grant, NOW));
        let other = HASH.replace("pDSO", "pDSP");
        book.change_user("anna", UserChange { password: Some(new(&other)), ..UserChange::default() }, later).unwrap();
        assert_eq!((&book.user("anna").unwrap().password, book.user("anna").unwrap().changed), (&other, later));
        assert!(!book.has_operator());
        let ten = Expiry::After(Duration::from_secs(10));
        let (token, ticket) = book.add_token("backup", viewer(&[]), ten, NOW).unwrap();
        assert_eq!(token.expires, Some(NOW + Duration::from_secs(10)));
        assert_eq!(book.token_of(ticket.expose()), Some(&token));
        book.remove_user("anna").unwrap();
        book.remove_token("backup").unwrap();
        assert_eq!(book, Book::new());
    }

    #[test]
    fn times_are_read() {
        assert_eq!(Expiry::read("never"), Ok(Expiry::Never));
        assert_eq!(Expiry::read("12h"), Ok(Expiry::After(Duration::from_secs(12 * 3600))));
        assert!(["0s", "90", "1000y", ""].iter().all(|text| Expiry::read(text).is_err()));
        assert!(Expiry::read(Expiry::USUAL).is_ok());
    }
}
