//! The servers: addresses, logins, and whether they may be open.

use std::net::SocketAddr;

use super::{Check, Login};
use crate::config::plan::ListenPlan;
use crate::config::raw::RawListen;

/// One server.
pub(super) fn listen(check: &mut Check, name: &str, raw: &RawListen, usual: SocketAddr, insecure: bool) -> ListenPlan {
    let login = Login {
        username: raw.username.as_ref(),
        password: raw.password.as_ref(),
        password_file: raw.password_file.as_ref(),
    };
    let auth = check.login(&[name.into()], &login);
    let listen = raw.listen.map_or(usual, |listen| listen.0);
    // Who wrote a login that is none has been told so by now.
    let written = ["username", "password", "password_file"].map(|key| check.place(&[name.into(), key.into()]).written);
    let told = written.contains(&true) && !check.problems.is_empty();
    if !listen.ip().is_loopback() && auth.is_none() && !insecure && !told {
        let hint = "add `username` and `password`, listen on 127.0.0.1, or write `insecure: true` at the top level";
        check.problem(
            &[name.into(), "listen".into()],
            format!("{listen} is open to the network without a password"),
            hint,
        );
    }
    ListenPlan { listen, auth }
}

/// Two servers cannot share a port.
pub(super) fn apart(check: &mut Check, http: SocketAddr, rtsp: SocketAddr) {
    let everywhere = http.ip().is_unspecified() || rtsp.ip().is_unspecified();
    if http.port() != 0 && http.port() == rtsp.port() && (http.ip() == rtsp.ip() || everywhere) {
        let what = format!("port {} is taken by `http.listen` already", rtsp.port());
        check.problem(&["rtsp".into(), "listen".into()], what, "give the two servers different ports");
    }
}
