use std::path::Path;
use std::sync::Arc;

use super::super::{AccessPlan, Book, Grant, Metrics, Role, Scope, Ticket, Token, User, UsersError};
use super::super::{password, store, token};
use super::*;
use crate::config::secret::Secret;

const PASSWORD: &str = "correct horse";

fn write(path: &Path, change: impl FnOnce(&mut Book)) {
    store::change(path, |book| {
        change(book);
        Ok::<_, UsersError>(())
    })
    .unwrap();
}

/// anna with the digest form, bert without, and a viewer's token.
fn access(folder: &Path) -> (Arc<Access>, Ticket) {
    let (path, ticket, hash) = (folder.join("users.json"), Ticket::token(), password::hash(PASSWORD).unwrap());
    write(&path, |book| {
        for (name, rtsp_digest) in [("anna", Some(DigestForm::of("anna", PASSWORD))), ("bert", None)] {
            let (role, labels, changed) = (Role::Viewer, Scope::default(), SystemTime::now());
            book.users.push(User { name: name.to_owned(), role, labels, password: hash.clone(), rtsp_digest, changed });
        }
        let sha256 = token::hex(&ticket.fingerprint());
        let (name, role, labels) = ("wall".to_owned(), Role::Viewer, Scope::default());
        book.tokens.push(Token { name, role, labels, sha256, created: SystemTime::now(), expires: None });
    });
    let plan = AccessPlan { users_file: Some(path), hosts: Vec::new() };
    // The login of HTTP: it is none of the streams'.
    let http = Credentials { username: "web".into(), password: Secret::new("web-pa55") };
    (Access::start(&plan, Some(&http), None, &Metrics::new().unwrap()).unwrap(), ticket)
}

fn own() -> StreamLogin {
    StreamLogin::of(&Credentials { username: "ops".into(), password: Secret::new("ops-pa55") })
}

fn shown<'a>(name: &'a str, password: &'a str) -> Shown<'a> {
    Shown::Password { name, password }
}

/// From a machine for itself: failures do not slow down others.
fn from(n: usize) -> IpAddr {
    IpAddr::from([10, 0, (n / 256) as u8, (n % 256) as u8])
}

#[test]
fn users_tokens_and_the_streams_own_login_come_in() {
    let folder = tempfile::tempdir().unwrap();
    let ((access, ticket), own) = (access(folder.path()), own());
    let name = |n, shown| access.viewer(from(n), Some(&own), &shown).map(|caller| caller.name().map(str::to_owned));
    assert_eq!(name(1, shown("anna", PASSWORD)), Ok(Some("anna".to_owned())));
    assert_eq!(name(1, shown("ops", "ops-pa55")), Ok(Some("ops".to_owned())));
    assert_eq!(name(1, shown("token", ticket.expose())), Ok(Some("token:wall".to_owned())));
    for (n, (user, password)) in [
        ("anna", "ops-pa55"),
        ("ops", PASSWORD),
        ("web", "web-pa55"),
        ("nobody", PASSWORD),
        ("token", "mwt_"),
        ("anna", ticket.expose()),
        ("", ""),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(name(10 + n, shown(user, password)), Err(Refusal::Wrong), "{user}");
    }
    // Without a login of their own it is none.
    assert_eq!(access.viewer(from(30), None, &shown("ops", "ops-pa55")), Err(Refusal::Wrong));
}

#[test]
fn digest_needs_the_digest_form() {
    let folder = tempfile::tempdir().unwrap();
    let ((access, _), own) = (access(folder.path()), own());
    let look = |n, name: &str, password: &str| {
        let form = DigestForm::of(name, password);
        access.viewer(from(n), Some(&own), &Shown::Digest { name, fits: &|known| *known == form })
    };
    assert_eq!(look(1, "anna", PASSWORD).unwrap().name(), Some("anna"));
    assert_eq!(look(1, "ops", "ops-pa55").unwrap().grant(), &Grant::whole(Role::Operator));
    for (n, (name, password)) in
        [("anna", "other"), ("bert", PASSWORD), ("ops", "other"), ("nobody", "")].iter().enumerate()
    {
        assert_eq!(look(10 + n, name, password), Err(Refusal::Wrong), "{name}");
    }
}

#[test]
fn wrong_logins_slow_down_whatever_they_show() {
    let folder = tempfile::tempdir().unwrap();
    let ((access, _), own) = (access(folder.path()), own());
    for _ in 0..2 {
        access.viewer(from(1), Some(&own), &Shown::Digest { name: "ops", fits: &|_| false }).unwrap_err();
        access.viewer(from(1), Some(&own), &shown("ops", "other")).unwrap_err();
    }
    let refused = access.viewer(from(1), Some(&own), &shown("ops", "ops-pa55")).unwrap_err();
    assert!(matches!(refused, Refusal::Slowed(_)), "{refused:?}");
    assert!(access.viewer(from(2), Some(&own), &shown("anna", PASSWORD)).is_ok(), "others elsewhere are not");
}

#[test]
fn who_is_changed_or_gone_stands_no_longer() {
    let folder = tempfile::tempdir().unwrap();
    let ((access, ticket), own) = (access(folder.path()), own());
    let came = |shown: Shown<'_>| access.viewer(from(1), Some(&own), &shown).unwrap();
    let anna = came(shown("anna", PASSWORD));
    let (bert, ops) = (came(shown("bert", PASSWORD)), came(shown("ops", "ops-pa55")));
    let wall = came(shown("token", ticket.expose()));
    let stand = |own: Option<&StreamLogin>| [&anna, &bert, &ops, &wall].map(|caller| access.still_views(caller, own));
    assert_eq!(stand(Some(&own)), [true; 4]);
    assert_eq!(stand(None), [true, true, false, true], "the streams' own login is another");
    assert!(!access.still_views(&Caller::anybody(), None) && !access.still_views(&Caller::stranger(), Some(&own)));
    write(&folder.path().join("users.json"), |book| {
        book.users.retain(|user| user.name != "bert");
        book.users[0].rtsp_digest = None;
        book.tokens.clear();
    });
    access.look();
    assert_eq!(stand(Some(&own)), [false, false, true, false]);
}

#[test]
fn nobody_is_kept_out_where_nobody_is_named() {
    let access = Access::start(&AccessPlan::default(), None, None, &Metrics::new().unwrap()).unwrap();
    assert!(access.still_views(&Caller::anybody(), None) && !access.still_views(&Caller::anybody(), Some(&own())));
}
