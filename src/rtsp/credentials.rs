//! What clients show to come in, and what they are asked for. Pure.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http_auth::parser::ChallengeParser;
use subtle::ConstantTimeEq;

use crate::access::DigestForm;
use crate::access::digest::{REALM, md5};

/// Requests of RTSP. GStreamer does not say which one is answered, so all are tried; that is no weaker, since what is
/// asked for is good for one connection.
const METHODS: [&str; 11] = [
    "DESCRIBE",
    "SETUP",
    "PLAY",
    "OPTIONS",
    "GET_PARAMETER",
    "SET_PARAMETER",
    "PAUSE",
    "TEARDOWN",
    "ANNOUNCE",
    "RECORD",
    "REDIRECT",
];

/// What a request shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// Nothing.
    Nothing,
    /// A name and a password.
    Basic(String, Password),
    /// That its sender knows a password.
    Digest(Answer),
    /// What cannot be read, or is of a kind that is not asked for.
    Odd,
}

/// Never printed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Password(pub(super) String);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(***)")
    }
}

/// The answer to a challenge by Digest (RFC 2617, without `qop`, as all players know it).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) username: String,
    /// Of the challenge.
    pub(super) nonce: String,
    uri: String,
    response: String,
}

impl Given {
    /// Of Basic: what comes after the word.
    pub(super) fn basic(text: &str) -> Self {
        let login = BASE64_STANDARD.decode(text.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let login = login.as_deref().and_then(|login| login.split_once(':'));
        login.map_or(Self::Odd, |(name, password)| Self::Basic(name.to_owned(), Password(password.to_owned())))
    }

    /// Of Digest: the header's value, with the word.
    pub(super) fn digest(text: &str) -> Self {
        let Some(Ok(header)) = ChallengeParser::new(text).next() else { return Self::Odd };
        if !header.scheme.eq_ignore_ascii_case("digest") {
            return Self::Odd;
        }
        let mut answer = Answer::default();
        for (name, value) in &header.params {
            let value = value.to_unescaped();
            let known = match name.to_ascii_lowercase().as_str() {
                "username" => &mut answer.username,
                "nonce" => &mut answer.nonce,
                "uri" => &mut answer.uri,
                "response" => &mut answer.response,
                "realm" if value != REALM => return Self::Odd,
                "algorithm" if !value.eq_ignore_ascii_case("MD5") => return Self::Odd,
                "qop" => return Self::Odd,
                _ => continue,
            };
            *known = value;
        }
        answer.response.make_ascii_lowercase();
        if answer.response.is_empty() { Self::Odd } else { Self::Digest(answer) }
    }
}

impl Answer {
    /// Whether it was made with the password of `form`.
    pub(super) fn fits(&self, form: &DigestForm) -> bool {
        METHODS.iter().any(|method| {
            let request = md5(&[method, &self.uri]);
            let right = md5(&[form.expose(), &self.nonce, &request]);
            bool::from(right.as_bytes().ct_eq(self.response.as_bytes()))
        })
    }
}

/// The ways in which a client may log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) basic: bool,
    pub(super) digest: bool,
}

impl Offer {
    /// `users`: there are some, of whom most have no digest form. `sealed`: nobody on the way can read along.
    ///
    /// Where both are offered players take Digest, and a user without the digest form would never come in; so one of the
    /// two is offered to users. A password of theirs crosses no network in the clear.
    pub(super) fn of(users: bool, sealed: bool) -> Self {
        match (users, sealed) {
            (false, _) => Self { basic: true, digest: true },
            (true, true) => Self { basic: true, digest: false },
            (true, false) => Self { basic: false, digest: true },
        }
    }

    /// Whether it may be looked at.
    pub(super) fn takes(self, given: &Given) -> bool {
        match given {
            Given::Basic(..) => self.basic,
            Given::Digest(_) => self.digest,
            Given::Nothing | Given::Odd => false,
        }
    }

    /// Values of `WWW-Authenticate`. `stale`: the client's answer was to another challenge.
    pub(super) fn challenges(self, nonce: &str, stale: bool) -> Vec<String> {
        let stale = if stale { ", stale=\"true\"" } else { "" };
        let basic = self.basic.then(|| format!("Basic realm=\"{REALM}\""));
        let digest = self.digest.then(|| format!("Digest realm=\"{REALM}\", nonce=\"{nonce}\"{stale}"));
        basic.into_iter().chain(digest).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(name: &str, password: &str, nonce: &str, method: &str, uri: &str) -> Given {
        let form = md5(&[name, REALM, password]);
        let response = md5(&[&form, nonce, &md5(&[method, uri])]);
        Given::digest(&format!(
            "Digest username=\"{name}\", realm=\"{REALM}\", Nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\", \
             algorithm=MD5"
        ))
    }

    #[test]
    fn users_are_offered_one_way_and_never_basic_in_the_clear() {
        assert_eq!(Offer::of(false, false), Offer { basic: true, digest: true }, "as ever for the streams' own login");
        assert_eq!(Offer::of(true, true), Offer { basic: true, digest: false });
        assert_eq!(Offer::of(true, false), Offer { basic: false, digest: true });
        for users in [false, true] {
            let clear = Offer::of(users, false);
            assert_eq!(clear.takes(&Given::basic("YTpi")), !users);
            assert!(!clear.takes(&Given::Nothing) && !clear.takes(&Given::Odd));
        }
        let challenges = Offer::of(false, true).challenges("12", true);
        let digest = "Digest realm=\"maskwatch\", nonce=\"12\", stale=\"true\"";
        assert_eq!(challenges, ["Basic realm=\"maskwatch\"", digest]);
    }

    #[test]
    fn odd_answers_are_known() {
        assert_eq!(Given::basic("YTpiOmM="), Given::Basic("a".to_owned(), Password("b:c".to_owned())));
        for text in ["", "!", "YQ==", "/////w=="] {
            assert_eq!(Given::basic(text), Given::Odd, "{text}");
        }
        let right = "Digest username=\"a\\\"b\", nonce=\"1\", uri=\"/\", response=\"FF\"";
        let Given::Digest(answer) = Given::digest(right) else { panic!("{right}") };
        assert_eq!((answer.username.as_str(), answer.response.as_str()), ("a\"b", "ff"));
        for more in ["realm=\"other\"", "algorithm=SHA-256", "qop=auth", "response=\"\""] {
            assert_eq!(Given::digest(&format!("{right}, {more}")), Given::Odd, "{more}");
        }
        for text in ["", "Digest", "Basic YTpi", "Digest username", "Digest response=\"", "digest, response=ff"] {
            assert_eq!(Given::digest(text), Given::Odd, "{text}");
        }
        let told = format!("{:?}", Given::basic("YTpjYW5hcnk="));
        assert!(!told.contains("canary"), "{told}");
    }

    proptest! {
        #[test]
        fn names_and_passwords_come_through(name in "[^:]{0,12}", password in ".{0,12}") {
            let text = BASE64_STANDARD.encode(format!("{name}:{password}"));
            prop_assert_eq!(Given::basic(&text), Given::Basic(name, Password(password)));
        }

        #[test]
        fn an_answer_fits_the_password_it_was_made_with(
            password in "[ab]{1,3}",
            other in "[ab]{1,3}",
            nonce in "[0-9a-f]{1,8}",
            method in 0..METHODS.len(),
        ) {
            let given = answer("anna", &password, &nonce, METHODS[method], "rtsp://h/gate");
            let Given::Digest(answer) = given else { panic!("{given:?}") };
            prop_assert_eq!((answer.username.as_str(), &answer.nonce), ("anna", &nonce));
            prop_assert_eq!(answer.fits(&DigestForm::of("anna", &other)), password == other);
            prop_assert!(!answer.fits(&DigestForm::of("bert", &password)));
            let later = Answer { nonce: format!("{nonce}0"), ..answer };
            prop_assert!(!later.fits(&DigestForm::of("anna", &password)), "it is for one challenge");
        }

        #[test]
        fn rubbish_is_odd_and_nothing_worse(text in ".{0,40}", names in proptest::collection::vec(".{0,8}", 0..6)) {
            let _any = Given::basic(&text);
            let _any = Given::digest(&text);
            let parameters: Vec<_> = names.iter().map(|name| format!("{name}={text}")).collect();
            let _any = Given::digest(&format!("Digest {}", parameters.join(",")));
        }
    }
}
