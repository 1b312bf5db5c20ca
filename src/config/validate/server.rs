//! The servers: addresses, logins, and whether they may be open.

use std::net::SocketAddr;

use super::{Check, Login};
use crate::config::plan::{ListenPlan, TlsPlan};
use crate::config::raw::{Listen, RawHttp, RawListen, RawTls};
use crate::tls::server::{Loaded, Part};

/// What was written of one server.
pub(super) struct Written<'a> {
    name: &'static str,
    listen: Option<Listen>,
    usual: SocketAddr,
    login: Login<'a>,
    tls: Option<&'a RawTls>,
}

impl<'a> Written<'a> {
    pub(super) fn http(raw: &'a RawHttp) -> Self {
        let (username, password) = (raw.username.as_ref(), raw.password.as_ref());
        let login = Login { username, password, password_file: raw.password_file.as_ref() };
        Self {
            name: "http",
            listen: raw.listen,
            usual: SocketAddr::from(([127, 0, 0, 1], 8080)),
            login,
            tls: raw.tls.as_ref(),
        }
    }

    pub(super) fn rtsp(raw: &'a RawListen) -> Self {
        let (username, password) = (raw.username.as_ref(), raw.password.as_ref());
        let login = Login { username, password, password_file: raw.password_file.as_ref() };
        let usual = SocketAddr::from(([127, 0, 0, 1], 8554));
        Self { name: "rtsp", listen: raw.listen, usual, login, tls: raw.tls.as_ref() }
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
    ListenPlan { listen, auth, tls: written.tls.and_then(|raw| tls(check, name, raw)) }
}

/// The certificate, which has to be there and to fit its key.
fn tls(check: &mut Check, name: &str, raw: &RawTls) -> Option<TlsPlan> {
    let at = |key: &str| [name.into(), "tls".into(), key.into()];
    let [cert, key] = [("cert", &raw.cert), ("key", &raw.key)].map(|(key, path)| {
        if path.is_none() && !check.place(&at(key)).written {
            check.problem(&[name.into(), "tls".into()], format!("`{key}` is missing"), "name a PEM file");
        }
        path.as_ref().map(|path| check.path(path))
    });
    let plan = TlsPlan { cert: cert?, key: key? };
    if let Err(problem) = Loaded::read(&plan) {
        let key = if problem.part == Part::Cert { "cert" } else { "key" };
        check.problem(&at(key), problem.to_string(), "");
    }
    Some(plan)
}

/// Two servers cannot share a port.
pub(super) fn apart(check: &mut Check, http: SocketAddr, rtsp: SocketAddr) {
    let everywhere = http.ip().is_unspecified() || rtsp.ip().is_unspecified();
    if http.port() != 0 && http.port() == rtsp.port() && (http.ip() == rtsp.ip() || everywhere) {
        let what = format!("port {} is taken by `http.listen` already", rtsp.port());
        check.problem(&["rtsp".into(), "listen".into()], what, "give the two servers different ports");
    }
}
