//! Who may look: Basic and Digest as cameras ask for them, in RTSP and HTTP alike.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use gst::glib::{self, ChecksumType};

use super::head::{Head, parameters};
use super::journal::Journal;

/// What a camera asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    Basic,
    /// RFC 2069: no `qop`.
    #[default]
    Digest,
    BasicThenDigest,
    DigestThenBasic,
    /// Both in one header, with a comma between.
    OneHeader,
    /// `qop="auth"` is offered; answers without it pass too.
    Qop,
    /// `qop="auth"`, and answers without `nc` and `cnonce` are refused.
    QopInsisted,
    /// `qop="auth,auth-int"`, answers without are refused.
    QopChoice,
    Sha256,
    /// SHA-256 first, MD5 as the second choice.
    Sha256ThenMd5,
    /// `algorithm=MD5` without quotes, names without spaces after the commas.
    Terse,
}

/// User, password and habits.
#[derive(Clone, Debug)]
pub struct Login {
    pub user: &'static str,
    pub password: &'static str,
    pub scheme: Scheme,
    pub realm: &'static str,
    /// Each number is good for one request.
    pub stale: bool,
    /// `OPTIONS` needs it as well.
    pub options_too: bool,
    /// After so many wrong logins nobody gets in.
    pub lock_after: Option<u64>,
}

impl Default for Login {
    fn default() -> Self {
        Self {
            user: "ops",
            password: "secret",
            scheme: Scheme::Digest,
            realm: "IP Camera(12345)",
            stale: false,
            options_too: false,
            lock_after: None,
        }
    }
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Welcome,
    Challenge {
        stale: bool,
    },
    /// Too many wrong logins.
    Locked,
}

/// Has to come back as it was sent.
const OPAQUE: &str = "5ccc069c";

/// Keeps one camera's numbers.
pub struct Guard {
    login: Login,
    issued: Mutex<Vec<String>>,
    counter: AtomicU64,
    highest: Mutex<(String, u64)>,
}

impl Guard {
    pub fn new(login: Login) -> Self {
        Self { login, issued: Mutex::default(), counter: AtomicU64::new(0), highest: Mutex::default() }
    }

    pub fn login(&self) -> &Login {
        &self.login
    }

    /// Looks at a request's credentials. Wrong ones are counted.
    pub fn look(&self, head: &Head, journal: &Journal) -> Verdict {
        let given = head.get("authorization");
        if self.login.lock_after.is_some_and(|most| journal.refused() >= most) {
            if given.is_some() {
                journal.refuse();
            }
            return Verdict::Locked;
        }
        let Some(text) = given else { return Verdict::Challenge { stale: false } };
        let scheme = text.split(' ').next().unwrap_or_default().to_ascii_lowercase();
        let verdict = match scheme.as_str() {
            "basic" => self.basic(text),
            "digest" => self.digest(&text[6..], head),
            _ => Verdict::Challenge { stale: false },
        };
        if verdict == (Verdict::Challenge { stale: false }) {
            journal.note(format!("refused a login by {scheme} for {} {}", head.method, head.url));
            journal.refuse();
        }
        verdict
    }

    fn basic(&self, text: &str) -> Verdict {
        let allowed = matches!(
            self.login.scheme,
            Scheme::Basic | Scheme::BasicThenDigest | Scheme::DigestThenBasic | Scheme::OneHeader
        );
        let wanted = format!("{}:{}", self.login.user, self.login.password);
        let right = BASE64.decode(text[5..].trim()).is_ok_and(|given| given == wanted.as_bytes());
        if allowed && right { Verdict::Welcome } else { Verdict::Challenge { stale: false } }
    }

    fn digest(&self, text: &str, head: &Head) -> Verdict {
        let refused = Verdict::Challenge { stale: false };
        let given = parameters(text);
        let get = |name: &str| given.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
        let kind = match (self.login.scheme, get("algorithm").to_ascii_uppercase().as_str()) {
            (Scheme::Basic, _) => return refused,
            (Scheme::Sha256, "SHA-256") | (Scheme::Sha256ThenMd5, "SHA-256") => ChecksumType::Sha256,
            (Scheme::Sha256, _) | (_, "SHA-256") => return refused,
            _ => ChecksumType::Md5,
        };
        let nonce = get("nonce");
        if !self.is_current(nonce) {
            return Verdict::Challenge { stale: true };
        }
        let Login { user, password, realm, .. } = &self.login;
        let first = hash(kind, &format!("{user}:{realm}:{password}"));
        let second = hash(kind, &format!("{}:{}", head.method, get("uri")));
        let counted = !get("nc").is_empty();
        let insists = matches!(self.login.scheme, Scheme::QopInsisted | Scheme::QopChoice);
        if insists && !(counted && get("qop") == "auth" && self.counts_up(nonce, get("nc"))) {
            return refused;
        }
        let response = if counted {
            hash(kind, &format!("{first}:{nonce}:{}:{}:{}:{second}", get("nc"), get("cnonce"), get("qop")))
        } else {
            hash(kind, &format!("{first}:{nonce}:{second}"))
        };
        // The URI must be that of the request, and the realm the one that was told.
        let opaque = if self.login.scheme == Scheme::QopChoice { OPAQUE } else { "" };
        let fits =
            get("uri") == head.url && get("realm") == *realm && get("username") == *user && get("opaque") == opaque;
        if fits && get("response") == response { self.used(nonce) } else { refused }
    }

    fn is_current(&self, nonce: &str) -> bool {
        self.issued.lock().unwrap().iter().any(|issued| issued == nonce)
    }

    /// `nc` of one number never repeats.
    fn counts_up(&self, nonce: &str, nc: &str) -> bool {
        let count = u64::from_str_radix(nc, 16).unwrap_or(0);
        let mut highest = self.highest.lock().unwrap();
        let above = highest.0 != nonce || count > highest.1;
        *highest = (nonce.to_owned(), count);
        above && nc.len() == 8
    }

    fn used(&self, nonce: &str) -> Verdict {
        if self.login.stale {
            self.issued.lock().unwrap().retain(|issued| issued != nonce);
        }
        Verdict::Welcome
    }

    fn number(&self) -> String {
        let nonce = format!("{:08x}a9", self.counter.fetch_add(1, Ordering::Relaxed) + 0x5eed);
        self.issued.lock().unwrap().push(nonce.clone());
        nonce
    }

    /// The headers that ask for a login.
    pub fn challenges(&self, stale: bool) -> Vec<String> {
        let (realm, nonce) = (self.login.realm.replace('"', "\\\""), self.number());
        let stale = if stale { ", stale=\"TRUE\"" } else { "" };
        let basic = format!("Basic realm=\"{realm}\"");
        let digest = format!("Digest realm=\"{realm}\", nonce=\"{nonce}\"");
        let md5 = format!("{digest}{stale}");
        let values = match self.login.scheme {
            Scheme::Basic => vec![basic],
            Scheme::Digest => vec![md5],
            Scheme::BasicThenDigest => vec![basic, md5],
            Scheme::DigestThenBasic => vec![md5, basic],
            Scheme::OneHeader => vec![format!("{basic}, {md5}")],
            Scheme::Qop | Scheme::QopInsisted => vec![format!("{digest}, qop=\"auth\", algorithm=MD5{stale}")],
            Scheme::QopChoice => vec![format!("{digest}, qop=\"auth,auth-int\", opaque=\"{OPAQUE}\"{stale}")],
            Scheme::Sha256 => vec![format!("{digest}, algorithm=\"SHA-256\", stale=\"FALSE\"")],
            Scheme::Sha256ThenMd5 => {
                vec![
                    format!("{digest}, algorithm=SHA-256, qop=\"auth\""),
                    format!("{digest}, algorithm=MD5, qop=\"auth\""),
                ]
            }
            Scheme::Terse => vec![format!("Digest realm=\"{realm}\",nonce=\"{nonce}\",algorithm=MD5,stale=false")],
        };
        values.into_iter().map(|value| format!("WWW-Authenticate: {value}")).collect()
    }
}

fn hash(kind: ChecksumType, text: &str) -> String {
    glib::compute_checksum_for_string(kind, text).unwrap().to_string()
}
