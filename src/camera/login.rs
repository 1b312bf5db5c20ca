//! Answers to a camera's demand for a password: one per challenge, never twice the same that was refused.

use http_auth::digest::Algorithm;
use http_auth::{PasswordClient, PasswordParams};

use crate::config::plan::Credentials;

/// New challenges that one request may be answered with, all of them saying that the one before was merely old.
const STALE: u32 = 3;

/// What a camera asks for; the names are those of the schemes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Scheme {
    /// No password.
    #[default]
    None,
    /// The password as it is.
    Basic,
    /// A proof of it.
    Digest,
}

impl Scheme {
    /// `none`, `basic` or `digest`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "basic",
            Self::Digest => "digest",
        }
    }
}

/// Why no password can be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// None is configured.
    Missing,
    /// The one that is configured was refused.
    Refused,
    /// The camera asks for it in a way that is not known here.
    Unknown(String),
}

/// The login on one connection.
pub(super) struct Login {
    credentials: Option<Credentials>,
    client: Option<PasswordClient>,
    scheme: Scheme,
    /// As the camera wrote it, where it is not the usual one.
    algorithm: Option<String>,
    /// Challenges in a row for one request.
    challenges: u32,
}

impl Login {
    pub(super) fn new(credentials: Option<Credentials>) -> Self {
        Self { credentials, client: None, scheme: Scheme::None, algorithm: None, challenges: 0 }
    }

    /// The header for a request, where the camera has asked for one.
    pub(super) fn authorization(&mut self, method: &str, uri: &str) -> Option<String> {
        let credentials = self.credentials.as_ref()?;
        let password = credentials.password.expose();
        // Without a body the request alone is vouched for, which every camera can check.
        let params = PasswordParams { username: &credentials.username, password, uri, method, body: None };
        let mut header = self.client.as_mut()?.respond(&params).ok()?;
        // Without `qop` the crate keeps to the oldest form, which knew no choice of an algorithm.
        if let Some(algorithm) = self.algorithm.as_ref().filter(|_| !header.contains("algorithm=")) {
            header += &format!(", algorithm={algorithm}");
        }
        Some(header)
    }

    /// The request was answered with another status than 401.
    pub(super) fn accepted(&mut self) {
        self.challenges = 0;
    }

    /// The request was answered with 401 and these headers `WWW-Authenticate`.
    ///
    /// # Errors
    /// It is of no use to ask again.
    pub(super) fn challenged<'a>(&mut self, challenges: impl Iterator<Item = &'a str>) -> Result<(), Denied> {
        if self.credentials.is_none() {
            return Err(Denied::Missing);
        }
        let answered = self.client.is_some();
        let (client, stale) = Self::read(challenges)?;
        // A camera that forgets its own nonce after each request does not always say so: what worked once may be
        // tried once more.
        let renewed = self.challenges < STALE && stale;
        if answered && !renewed {
            return Err(Denied::Refused);
        }
        self.challenges += 1;
        self.scheme = if matches!(client, PasswordClient::Basic(_)) { Scheme::Basic } else { Scheme::Digest };
        self.algorithm = match &client {
            PasswordClient::Digest(digest) if digest.algorithm() == Algorithm::Sha256 => Some("SHA-256".to_owned()),
            _ => None,
        };
        self.client = Some(client);
        Ok(())
    }

    /// How the camera asks.
    pub(super) fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The digest that the camera asks for.
    pub(super) fn algorithm(&self) -> Option<&'static str> {
        use http_auth::digest::Algorithm;
        let Some(PasswordClient::Digest(client)) = &self.client else { return None };
        Some(match client.algorithm() {
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Sha512Trunc256 => "SHA-512-256",
            _ => "MD5",
        })
    }

    /// The strongest challenge that can be answered, and whether the camera says that the last answer was old.
    fn read<'a>(challenges: impl Iterator<Item = &'a str>) -> Result<(PasswordClient, bool), Denied> {
        let mut builder = PasswordClient::builder();
        let mut stale = false;
        let mut seen = Vec::new();
        for value in challenges {
            for challenge in http_auth::ChallengeParser::new(value).map_while(Result::ok) {
                seen.push(challenge.scheme.to_owned());
                let says = |name: &str, wanted: &str| {
                    let mut params = challenge.params.iter();
                    params.any(|(key, value)| {
                        key.eq_ignore_ascii_case(name) && value.to_unescaped().eq_ignore_ascii_case(wanted)
                    })
                };
                stale |= says("stale", "true");
                builder = builder.challenge(&challenge);
            }
        }
        match builder.build() {
            Ok(client) => Ok((client, stale)),
            Err(_) => Err(Denied::Unknown(seen.join(", "))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::secret::Secret;

    fn login() -> Login {
        Login::new(Some(Credentials { username: "ops".into(), password: Secret::new("s3cret") }))
    }

    const DIGEST: &str = r#"Digest realm="IP Camera(12345)", nonce="abc""#;

    #[test]
    fn a_challenge_is_answered_once() {
        let mut login = login();
        assert_eq!(login.authorization("DESCRIBE", "rtsp://cam/1"), None, "nobody has asked");
        login.challenged([DIGEST].into_iter()).unwrap();
        let answer = login.authorization("DESCRIBE", "rtsp://cam/1").unwrap();
        assert!(answer.starts_with("Digest ") && !answer.contains("s3cret"), "{answer}");
        assert_eq!((login.scheme().as_str(), login.algorithm()), ("digest", Some("MD5")));
        assert_eq!(login.challenged([DIGEST].into_iter()), Err(Denied::Refused));
    }

    #[test]
    fn old_nonces_are_renewed_but_not_for_ever() {
        let mut login = login();
        let stale = format!(r#"{DIGEST}, stale="TRUE""#);
        login.challenged([DIGEST].into_iter()).unwrap();
        for _ in 0..10 {
            login.challenged([stale.as_str()].into_iter()).unwrap();
            login.accepted();
        }
        while login.challenged([stale.as_str()].into_iter()).is_ok() {}
        assert_eq!(login.challenged([stale.as_str()].into_iter()), Err(Denied::Refused));
    }

    #[test]
    fn digest_is_preferred_and_every_form_is_known() {
        for challenges in [
            vec![r#"Basic realm="x""#, DIGEST],
            vec![DIGEST, r#"Basic realm="x""#],
            vec![r#"Digest realm="x", nonce="abc", algorithm="SHA-256", stale="FALSE""#],
            vec![r#"Digest realm="x", nonce="abc", qop="auth", algorithm=MD5"#],
            vec![r#"Basic realm="x", Digest realm="x", nonce="abc""#],
        ] {
            let mut login = login();
            login.challenged(challenges.iter().copied()).unwrap();
            assert_eq!(login.scheme(), Scheme::Digest, "{challenges:?}");
            assert!(login.authorization("DESCRIBE", "rtsp://cam/1").is_some(), "{challenges:?}");
        }
        let mut login = login();
        login.challenged([r#"Digest realm="x", nonce="abc", algorithm="SHA-256""#].into_iter()).unwrap();
        let answer = login.authorization("DESCRIBE", "rtsp://cam/1").unwrap();
        assert!(answer.ends_with("algorithm=SHA-256"), "{answer}");
        let mut login = self::login();
        login.challenged([r#"Digest realm="x", nonce="abc", qop="auth,auth-int""#].into_iter()).unwrap();
        assert!(login.authorization("DESCRIBE", "/").unwrap().contains("qop=auth,"));
        let mut login = self::login();
        login.challenged([r#"Basic realm="""#].into_iter()).unwrap();
        assert_eq!(login.authorization("DESCRIBE", "/").as_deref(), Some("Basic b3BzOnMzY3JldA=="));
    }

    #[test]
    fn what_cannot_be_answered_is_told() {
        assert_eq!(Login::new(None).challenged([DIGEST].into_iter()), Err(Denied::Missing));
        let denied = login().challenged(["Negotiate"].into_iter()).unwrap_err();
        assert_eq!(denied, Denied::Unknown("Negotiate".into()));
        assert!(matches!(login().challenged(std::iter::empty()), Err(Denied::Unknown(_))));
    }
}
