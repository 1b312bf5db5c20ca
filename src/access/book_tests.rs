use std::time::Duration;

use proptest::prelude::*;

use super::super::token::Ticket;
use super::*;

pub(crate) const HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5LW5vYm9keQ$pDSOTwQk0hO1rTVSj1jKkZrhSrWZkNRX2ZuDbOKMkVE";

fn user(name: &str, role: Role, labels: &[(&str, &str)]) -> User {
    User {
        name: name.to_owned(),
        role,
        labels: Scope::of(labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))),
        password: HASH.to_owned(),
        rtsp_digest: None,
        changed: SystemTime::UNIX_EPOCH + Duration::from_secs(1_763_971_200),
    }
}

fn token(name: &str, ticket: &Ticket) -> Token {
    Token {
        name: name.to_owned(),
        role: Role::Metrics,
        labels: Scope::default(),
        sha256: token::hex(&ticket.fingerprint()),
        created: SystemTime::UNIX_EPOCH,
        expires: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(100)),
    }
}

fn book() -> Book {
    let mut book = Book::new();
    book.users.push(user("anna", Role::Operator, &[]));
    book.users.push(user("guard", Role::Viewer, &[("site", "mall-a")]));
    book.tokens.push(token("prometheus", &Ticket::token()));
    book
}

#[test]
fn a_token_is_found_by_its_text_and_ends() {
    let ticket = Ticket::token();
    let mut book = book();
    book.tokens.push(token("backup", &ticket));
    let found = book.token_of(ticket.expose()).unwrap();
    assert_eq!(found.name, "backup");
    assert!(!found.expired(SystemTime::UNIX_EPOCH + Duration::from_secs(99)));
    assert!(found.expired(SystemTime::UNIX_EPOCH + Duration::from_secs(100)));
    assert!(book.token_of(&found.sha256.clone()).is_none() && book.token_of("").is_none());
}

#[test]
fn a_later_file_and_a_damaged_one_are_told_apart() {
    let text = book().text().unwrap();
    assert_eq!(Book::read(text.replace("\"format\": 1", "\"format\": 2").as_bytes()), Err(BookProblem::Later(2)));
    let wrong = [
        ("\"anna\"", "\"guard\"", "twice"),
        ("\"anna\"", "\"an:na\"", "a user: a name is"),
        ("\"operator\"", "\"metrics\"", "user anna"),
        ("$argon2id$", "$argon2i$", "user anna"),
        ("\"changed\"", "\"chnged\"", "line"),
        ("\"sha256\": \"", "\"sha256\": \"0", "token prometheus"),
        ("\"viewer\"", "\"operator\"", "labels limit viewers"),
    ];
    for (from, to, said) in wrong {
        let broken = text.replacen(from, to, 1);
        assert_ne!(broken, text, "{from}");
        let problem = Book::read(broken.as_bytes()).unwrap_err().to_string();
        assert!(problem.starts_with("is damaged: ") && problem.contains(said), "{problem}");
        assert!(!problem.contains("argon2"), "{problem}");
    }
}

#[test]
fn what_is_proven_is_void_when_the_user_changes() {
    let before = user("guard", Role::Viewer, &[("site", "mall-a")]);
    let changes: [fn(&mut User); 4] = [
        |user| user.role = Role::Operator,
        |user| user.labels = Scope::default(),
        |user| user.password = HASH.replace("pDSO", "pDSP"),
        |user| user.name = "guard2".to_owned(),
    ];
    for change in changes {
        let mut after = before.clone();
        change(&mut after);
        assert_ne!(before.fingerprint(), after.fingerprint(), "{after:?}");
    }
}

proptest! {
    #[test]
    fn a_book_is_read_as_it_was_written(names in proptest::collection::btree_set("[a-zß0-9][a-z.@+_-]{0,9}", 0..5)) {
        let mut book = Book::new();
        for name in &names {
            book.users.push(user(name, Role::Viewer, &[("site", name)]));
            book.tokens.push(token(name, &Ticket::token()));
        }
        let text = book.text().unwrap();
        prop_assert_eq!(Book::read(text.as_bytes()), Ok(book));
    }

    /// No text makes it panic, and of half a file nothing is taken.
    #[test]
    fn half_a_file_is_none(cut in 0.0f64..1.0) {
        let text = book().text().unwrap();
        let end = (text.trim_end().len() as f64 * cut) as usize;
        prop_assert!(matches!(Book::read(&text.as_bytes()[..end]), Err(BookProblem::Damaged(_))));
    }
}
