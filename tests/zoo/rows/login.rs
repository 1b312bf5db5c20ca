//! Logins: what is asked for, and what a wrong password costs.

use maskwatch::config::plan::{CameraPlan, Credentials};
use maskwatch::config::secret::Secret;
use maskwatch::metrics::DisconnectReason;

use crate::zoo::auth::{Login, Scheme};
use crate::zoo::rtsp::options::Options;
use crate::zoo::table::{Row, rtsp};

fn camera(login: Login) -> Options {
    Options { login: Some(login), ..Options::default() }
}

fn by(scheme: Scheme) -> Login {
    Login { scheme, ..Login::default() }
}

/// Locks the address out after three: what some do for half an hour.
fn strict(scheme: Scheme) -> Options {
    camera(Login { lock_after: Some(3), ..by(scheme) })
}

fn wrong(plan: CameraPlan) -> CameraPlan {
    CameraPlan { credentials: Some(Credentials { username: "ops".into(), password: Secret::new("wr0ng") }), ..plan }
}

pub fn rows() -> Vec<Row> {
    vec![
        rtsp("wrong password, Digest", strict(Scheme::Digest)).plan(wrong).refused_after(1),
        rtsp("wrong password, Basic", strict(Scheme::Basic)).plan(wrong).refused_after(1),
        rtsp("wrong password, Basic or Digest", strict(Scheme::BasicThenDigest)).plan(wrong).refused_after(1),
        rtsp("wrong password, qop insisted on", strict(Scheme::QopInsisted)).plan(wrong).refused_after(1),
        rtsp("wrong password, SHA-256 or MD5", strict(Scheme::Sha256ThenMd5)).plan(wrong).refused_after(1),
        rtsp("a login is asked for and none is there", camera(Login::default()))
            .plan(|plan| CameraPlan { credentials: None, ..plan })
            .fails(DisconnectReason::Auth, "asks for a password"),
        rtsp("a login that nobody asks for", Options::default()).plan(wrong),
        rtsp("Basic", camera(by(Scheme::Basic))),
        rtsp("Digest", camera(by(Scheme::Digest))),
        rtsp("Digest, written tersely", camera(by(Scheme::Terse))),
        rtsp("Basic, then Digest", camera(by(Scheme::BasicThenDigest))),
        rtsp("Digest, then Basic", camera(by(Scheme::DigestThenBasic))),
        rtsp("Basic and Digest in one header", camera(by(Scheme::OneHeader))),
        rtsp("Digest with qop offered", camera(by(Scheme::Qop))),
        rtsp("Digest with qop insisted on", camera(by(Scheme::QopInsisted))),
        rtsp("Digest with qop auth,auth-int and opaque", camera(by(Scheme::QopChoice))),
        rtsp("Digest by SHA-256 only", camera(by(Scheme::Sha256))),
        rtsp("Digest by SHA-256, or MD5", camera(by(Scheme::Sha256ThenMd5))),
        rtsp("a new nonce for each request", camera(Login { stale: true, ..Login::default() })),
        rtsp("a new nonce for each request, qop", camera(Login { stale: true, ..by(Scheme::QopInsisted) })),
        rtsp("OPTIONS needs the login too", camera(Login { options_too: true, ..Login::default() })),
        rtsp("an empty realm", camera(Login { realm: "", ..Login::default() })),
        rtsp("a realm with a comma and quotes", camera(Login { realm: "Camera \"gate\", front", ..Login::default() })),
        rtsp("a password of odd letters, Digest", camera(Login { password: "p:@/ #?%ä\"", ..Login::default() })),
        rtsp("a password of odd letters, Basic", camera(Login { password: "p:@/ #?%ä\"", ..by(Scheme::Basic) })),
    ]
}
