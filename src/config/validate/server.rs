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
    let some_login = raw.username.is_some() || raw.password.is_some() || raw.password_file.is_some();
    if !listen.ip().is_loopback() && !some_login && !insecure {
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
