use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::config::secret::Secret;

const GUARD: &str = "correct horse";

fn user(name: &str, password: &str, role: Role) -> User {
    let (labels, password) = (Scope::default(), password::hash(password).unwrap());
    User { name: name.to_owned(), role, labels, password, rtsp_digest: None, changed: SystemTime::now() }
}

fn write(path: &Path, change: impl FnOnce(&mut Book)) {
    store::change(path, |book| {
        change(book);
        Ok::<_, UsersError>(())
    })
    .unwrap();
}

/// A users file with an operator named anna and a token; its access, and the token.
fn access(folder: &Path, login: Option<&Credentials>) -> (Arc<Access>, Ticket) {
    let path = folder.join("users.json");
    let ticket = Ticket::token();
    write(&path, |book| {
        book.users.push(user("anna", GUARD, Role::Operator));
        book.tokens.push(Token {
            name: "prometheus".to_owned(),
            role: Role::Metrics,
            labels: Scope::default(),
            sha256: token::hex(&ticket.fingerprint()),
            created: SystemTime::now(),
            expires: None,
        });
    });
    let plan = AccessPlan { users_file: Some(path), hosts: Vec::new() };
    (Access::start(&plan, login, Some(folder), &Metrics::new().unwrap()).unwrap(), ticket)
}

fn from(n: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, n])
}

#[test]
fn users_tokens_and_the_configured_login_come_in() {
    let folder = tempfile::tempdir().unwrap();
    let login = Credentials { username: "ops".into(), password: Secret::new("a:ß") };
    let (access, ticket) = access(folder.path(), Some(&login));
    let anna = access.login(from(1), "anna", GUARD).unwrap();
    assert_eq!((anna.name(), anna.grant().role), (Some("anna"), Role::Operator));
    assert_eq!(access.quick(from(1), "anna", GUARD), Ok(Some(anna)), "without hashing");
    assert_eq!(access.login(from(1), "ops", "a:ß").unwrap().grant(), &Grant::whole(Role::Operator));
    assert_eq!(access.token(from(1), ticket.expose()).unwrap().name(), Some("token:prometheus"));
    for (n, (name, password)) in
        [("anna", ""), ("anna", "correct hors"), ("nobody", GUARD), ("ops", "a"), ("", "")].into_iter().enumerate()
    {
        assert_eq!(access.login(from(10 + n as u8), name, password), Err(Refusal::Wrong), "{name}");
    }
    assert_eq!(access.token(from(2), "mwt_"), Err(Refusal::Wrong));
    access.used.write();
    assert_eq!(used::read(folder.path()).len(), 1);
}

#[test]
fn a_changed_file_is_taken_up_and_a_bad_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (access, ticket) = access(folder.path(), None);
    let path = folder.path().join("users.json");
    let anna = access.login(from(1), "anna", GUARD).unwrap();
    let machine = access.token(from(1), ticket.expose()).unwrap();
    let (session, _) = access.begin_session(&anna, from(1)).unwrap();
    let known = access.session(session.expose()).unwrap();
    assert_eq!((known.name(), known.grant(), known.owner()), (anna.name(), anna.grant(), anna.owner()));
    assert!(access.begin_session(&machine, from(1)).is_none());

    // Others may read it, it is damaged, it is gone: nothing changes, and the log says why.
    let good = std::fs::read(&path).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    access.look();
    assert!(access.stands(&anna) && access.session(session.expose()).is_some());
    std::fs::write(&path, "{}").unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    access.look();
    std::fs::remove_file(&path).unwrap();
    access.look();
    assert!(access.stands(&anna) && access.stands(&machine));

    // Another password: the session ends, and so does what was proven.
    store::write(&path, folder.path(), &good).unwrap();
    write(&path, |book| book.users[0].password = password::hash("battery staple").unwrap());
    access.look();
    assert!(!access.stands(&anna) && access.stands(&machine));
    assert_eq!(access.session(session.expose()), None);
    assert_eq!(access.quick(from(1), "anna", GUARD), Ok(None));
    assert_eq!(access.login(from(1), "anna", GUARD), Err(Refusal::Wrong));
    assert!(access.login(from(1), "anna", "battery staple").is_ok());

    write(&path, |book| book.tokens.clear());
    access.look();
    assert!(!access.stands(&machine));
    assert_eq!(access.token(from(1), ticket.expose()), Err(Refusal::Wrong));
    let deeds = access.audit().latest(100);
    let seen: Vec<_> = deeds.iter().rev().map(|deed| (&*deed.what, deed.who.as_deref())).collect();
    for deed in [
        ("login.ok", Some("anna")),
        ("session.begun", Some("anna")),
        ("user.changed", Some("anna")),
        ("login.failed", Some("anna")),
        ("token.removed", Some("token:prometheus")),
    ] {
        assert!(seen.contains(&deed), "{deed:?} in {seen:?}");
    }
}

#[test]
fn guessing_is_slowed_before_anything_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let (access, ticket) = access(folder.path(), None);
    assert!(access.login(from(1), "anna", GUARD).is_ok());
    let answers: Vec<_> = (0..40).map(|n| access.login(from(66), "anna", &format!("guess {n}"))).collect();
    let looked_at = answers.iter().filter(|answer| **answer == Err(Refusal::Wrong)).count();
    assert!((4..12).contains(&looked_at), "{looked_at} of 40");
    // Even the right password, though it is in memory: or guesses would be free.
    assert!(matches!(access.quick(from(66), "anna", GUARD), Err(Refusal::Slowed(_))));
    assert!(access.token(from(66), ticket.expose()).is_ok(), "a token is not guessed");
    assert!(access.quick(from(1), "anna", GUARD).unwrap().is_some(), "who was there before is not slowed");
    let slowed = access.audit().latest(100).iter().filter(|deed| deed.what == "login.slowed").count();
    assert!((1..12).contains(&slowed), "told once a pause: {slowed}");
}

#[test]
fn what_was_typed_into_the_wrong_field_is_not_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let (access, _) = access(folder.path(), None);
    assert_eq!(access.login(from(1), "my secret passphrase", ""), Err(Refusal::Wrong));
    let deed = &access.audit().latest(1)[0];
    assert_eq!((&*deed.what, deed.who.as_deref(), deed.detail.as_str()), ("login.failed", None, "an unknown user"));
}

#[test]
fn without_a_login_nobody_is_kept_out() {
    let plan = AccessPlan::default();
    let access = Access::start(&plan, None, None, &Metrics::new().unwrap()).unwrap();
    assert!(!access.guarded() && access.stands(&Caller::anybody()));
}
