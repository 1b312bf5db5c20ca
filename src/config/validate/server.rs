//! The servers: addresses, logins, and whether they may be open.

use std::net::SocketAddr;

use super::{Check, Login};
use crate::config::plan::ListenPlan;
use crate::config::raw::{Listen, RawHttp, RawListen};

/// What was written of one server.
pub(super) struct Written<'a> {
    name: &'static str,
    listen: Option<Listen>,
    usual: SocketAddr,
    login: Login<'a>,
}

impl<'a> Written<'a> {
    pub(super) fn http(raw: &'a RawHttp) -> Self {
        let (username, password) = (raw.username.as_ref(), raw.password.as_ref());
        let login = Login { username, password, password_file: raw.password_file.as_ref() };
        Self { name: "http", listen: raw.listen, usual: SocketAddr::from(([127, 0, 0, 1], 8080)), login }
    }

    pub(super) fn rtsp(raw: &'a RawListen) -> Self {
        let (username, password) = (raw.username.as_ref(), raw.password.as_ref());
        let login = Login { username, password, password_file: raw.password_file.as_ref() };
        Self { name: "rtsp", listen: raw.listen, usual: SocketAddr::from(([127, 0, 0, 1], 8554)), login }
    }
}

/// One server. `open`: it may listen beyond this machine without a login of its own.
pub(super) fn listen(check: &mut Check, written: &Written, open: bool) -> ListenPlan {
    let Written { name, usual, ref login, .. } = *written;
    let auth = check.login(&[name.into()], login);
    let listen = written.listen.map_or(usual, |listen| listen.0);
    // Who wrote a login that is none has been told so by now.
    let keys = ["username", "password", "password_file"].map(|key| check.place(&[name.into(), key.into()]).written);
    let told = keys.contains(&true) && !check.problems.is_empty();
    if !listen.ip().is_loopback() && auth.is_none() && !open && !told {
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
