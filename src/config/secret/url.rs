//! Addresses of cameras.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv4Addr;

use super::redact::looks_secret;

/// Why a text is no camera URL. Never quotes the text: it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlProblem {
    /// Not a URL at all.
    #[error("not a URL: {0} (expected for example rtsp://10.0.0.21:554/stream1)")]
    Malformed(String),
    /// The path of a file or a device.
    #[error(
        "not a URL: a path alone (a file is written as file:///srv/clips/gate.mp4, a device as v4l2:///dev/video0)"
    )]
    Path,
    /// A scheme that no source serves.
    #[error("scheme `{0}` is not supported (use rtsp, rtsps, http, https, file or v4l2)")]
    Scheme(String),
    /// A scheme of GStreamer that tells the transport.
    #[error("scheme `{0}` is not supported (write rtsp:// and `transport: {1}`)")]
    Transport(String, &'static str),
    /// `user:password@` before the host.
    #[error("user name or password inside the URL (move them to `username` and `password` or `password_file`)")]
    Credentials,
    /// The same with percent signs.
    #[error(
        "user name or password inside the URL (move them to `username` and `password` or `password_file`; there, write \
         the characters themselves, such as `@` for %40)"
    )]
    EncodedCredentials,
    /// `name:1/2@x`: a login, or a port and a path.
    #[error(
        "an `@` that may end a login (move user name and password to `username` and `password`; write an `@` of the \
         path as %40)"
    )]
    Ambiguous,
    /// A network scheme without a host.
    #[error("no host (expected for example rtsp://10.0.0.21:554/stream1)")]
    NoHost,
    /// `10.0.0.300`.
    #[error(
        "the host is no IP address: four numbers from 0 to 255 (expected for example rtsp://10.0.0.21:554/stream1)"
    )]
    Address,
    /// `rtsp://fe80::1/x`.
    #[error(
        "more than one `:` behind the scheme (an IPv6 address stands in brackets, such as rtsp://[fd00::21]:554/stream1)"
    )]
    Brackets,
    /// `[fe80::1%]`, or with an odd name.
    #[error(
        "the zone behind the IPv6 address names no network device (expected for example rtsp://[fe80::1%eth0]:554/x)"
    )]
    Zone,
    /// `file:` or `v4l2:` without an absolute path.
    #[error("no absolute path (expected for example file:///srv/clips/gate.mp4 or v4l2:///dev/video0)")]
    NoPath,
    /// Letters, or a number above 65535.
    #[error("no port behind the host's `:` (a number up to 65535; user name and password go into keys of their own)")]
    Port,
    /// Port 0 cannot be connected to.
    #[error("port 0 cannot be connected to (RTSP cameras use 554 unless they say otherwise)")]
    PortZero,
}

impl UrlProblem {
    /// What is wrong, and what to write instead.
    pub(in crate::config) fn said(&self) -> (String, String) {
        let text = self.to_string();
        let (what, hint) = text.split_once(" (").unwrap_or((&text, ""));
        (what.to_owned(), hint.strip_suffix(')').unwrap_or(hint).to_owned())
    }
}

/// Where a camera's pictures come from: rtsp, rtsps, http, https, file or v4l2; checked, without user name and password.
///
/// Some cameras take their password in the path or the query. So `Debug` and `Display` hide the query and any path
/// segment that looks like it carries one.
#[derive(Clone, PartialEq, Eq)]
pub struct CameraUrl {
    /// Without the zone, which the URL standard of browsers does not know.
    url: url::Url,
    /// As sources want it: the zone is in it, as RFC 6874 writes it.
    text: String,
    /// For the network schemes; an IPv6 address in brackets, with its zone.
    host: Option<String>,
}

impl CameraUrl {
    /// Checks a URL.
    ///
    /// # Errors
    /// [`UrlProblem`], which says what to write instead and never repeats the text.
    pub fn parse(text: &str) -> Result<Self, UrlProblem> {
        let text = text.trim();
        let Some((scheme, rest)) = text.split_once("://") else { return Self::without_slashes(text) };
        match scheme.to_ascii_lowercase().as_str() {
            "rtsp" | "rtsps" | "http" | "https" => Self::network(scheme, rest),
            "file" | "v4l2" => Self::local(text),
            other @ "rtspt" => Err(UrlProblem::Transport(other.to_owned(), "tcp")),
            other @ "rtspu" => Err(UrlProblem::Transport(other.to_owned(), "udp")),
            other => Err(unsupported(other)),
        }
    }

    /// `file:/srv/a.mp4` is a URL, too.
    fn without_slashes(text: &str) -> Result<Self, UrlProblem> {
        match url::Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "file" | "v4l2") => Self::local(text),
            _ if text.starts_with('/') => Err(UrlProblem::Path),
            _ if text.contains('@') => Err(UrlProblem::Credentials),
            Ok(_) => Err(UrlProblem::Malformed("`://` is missing".to_owned())),
            Err(error) => Err(UrlProblem::Malformed(error.to_string())),
        }
    }

    fn local(text: &str) -> Result<Self, UrlProblem> {
        let url = url::Url::parse(text).map_err(|error| UrlProblem::Malformed(error.to_string()))?;
        if url.host_str().is_some_and(|host| !host.is_empty()) || url.path().len() < 2 || !url.path().starts_with('/') {
            return Err(UrlProblem::NoPath);
        }
        // GStreamer wants the slashes.
        let text = if url.has_authority() { url.to_string() } else { format!("{}://{}", url.scheme(), url.path()) };
        Ok(Self { url, text, host: None })
    }

    fn network(scheme: &str, rest: &str) -> Result<Self, UrlProblem> {
        let (authority, behind) = split_authority(rest);
        if let Some(problem) = login(authority, behind) {
            return Err(problem);
        }
        // Of `http:///name` browsers make the host `name`.
        if authority.is_empty() {
            return Err(UrlProblem::NoHost);
        }
        let (bare, zone) = without_zone(authority)?;
        check_host_and_port(&bare)?;
        let url = url::Url::parse(&format!("{scheme}://{bare}{behind}")).map_err(|error| match error {
            url::ParseError::InvalidPort => UrlProblem::Port,
            url::ParseError::EmptyHost => UrlProblem::NoHost,
            error => UrlProblem::Malformed(error.to_string()),
        })?;
        let Some(host) = url.host_str().filter(|host| !host.is_empty()) else { return Err(UrlProblem::NoHost) };
        if url.port() == Some(0) {
            return Err(UrlProblem::PortZero);
        }
        let (text, host) = match zone {
            None => (url.to_string(), host.to_owned()),
            Some(zone) => {
                (url.as_str().replacen(']', &format!("%25{zone}]"), 1), host.replacen(']', &format!("%{zone}]"), 1))
            }
        };
        Ok(Self { url, text, host: Some(host) })
    }

    /// The whole URL: for the source element, never for a log or an error. The zone of an IPv6 address is in it as
    /// `%25eth0`.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The same for protocols that name the camera by its URL: without a zone, which means nothing to the camera.
    pub fn parsed(&self) -> &url::Url {
        &self.url
    }

    /// `rtsp`, `rtsps`, `http`, `https`, `file` or `v4l2`.
    pub fn scheme(&self) -> &str {
        self.url.scheme()
    }

    /// Whether path or query look like they carry a password.
    pub(crate) fn has_secret_looks(&self) -> bool {
        looks_secret(self.url.path()) || self.url.query().is_some_and(looks_secret)
    }

    /// Host, for the network schemes. An IPv6 address is in brackets, with its zone: `[fe80::1%eth0]`.
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// Port, given or usual: 554 for rtsp, 322 for rtsps.
    pub fn port(&self) -> Option<u16> {
        self.url.port_or_known_default().or(match self.scheme() {
            "rtsp" => Some(554),
            "rtsps" => Some(322),
            _ => None,
        })
    }

    /// The path of a file or a device, percent signs decoded; `None` for the network schemes.
    pub fn local_path(&self) -> Option<std::path::PathBuf> {
        match self.scheme() {
            "file" => self.url.to_file_path().ok(),
            "v4l2" => Some(std::path::PathBuf::from(self.url.path())),
            _ => None,
        }
    }
}

impl fmt::Display for CameraUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.url.scheme())?;
        if let Some(host) = self.host() {
            f.write_str(host)?;
        }
        if let Some(port) = self.url.port() {
            write!(f, ":{port}")?;
        }
        let path = self.url.path();
        f.write_str(if looks_secret(path) { "/***" } else { path })?;
        if self.url.query().is_some() {
            f.write_str("?***")?;
        }
        Ok(())
    }
}

impl fmt::Debug for CameraUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CameraUrl({self})")
    }
}

/// A scheme is named where it can be one: `ops:pa55://` is none.
fn unsupported(scheme: &str) -> UrlProblem {
    if !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')) {
        UrlProblem::Scheme(scheme.to_owned())
    } else {
        UrlProblem::Malformed("the scheme is none".to_owned())
    }
}

/// What is between `://` and the path, and what follows.
fn split_authority(rest: &str) -> (&str, &str) {
    rest.split_at(rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len()))
}

/// Whether a text `scheme://…` holds a login. A password with `/`, `?` or `#` in it ends the authority early and hides
/// its `@` in the path; and a path may hold an `@` without any login.
pub(in crate::config) fn login_in(text: &str) -> Option<UrlProblem> {
    let (authority, behind) = split_authority(text.split_once("://")?.1);
    login(authority, behind)
}

fn login(authority: &str, behind: &str) -> Option<UrlProblem> {
    if authority.contains('@') {
        return Some(credentials(authority));
    }
    let (_, after) = behind.split_once('@')?;
    // Without a `:` there is no password before the `@`, and an address is no user name.
    let (name, port) = authority.rsplit_once(':').filter(|_| !authority.starts_with('['))?;
    if name.parse::<Ipv4Addr>().is_ok() || name == "localhost" {
        return None;
    }
    if port.parse::<u16>().is_err() {
        return Some(credentials(behind));
    }
    (!name.contains('.') || looks_like_host(after)).then_some(UrlProblem::Ambiguous)
}

fn credentials(written: &str) -> UrlProblem {
    let encoded = written.match_indices('%').any(|(at, _)| {
        written.as_bytes().get(at + 1..at + 3).is_some_and(|code| code.iter().all(u8::is_ascii_hexdigit))
    });
    if encoded { UrlProblem::EncodedCredentials } else { UrlProblem::Credentials }
}

/// What follows an `@`: an address, a name with dots or a port, or something with a path of its own.
fn looks_like_host(after: &str) -> bool {
    let (host, behind) = split_authority(after);
    host.contains(['.', ':']) || behind.starts_with('/')
}

/// Takes the zone out of `[fe80::1%eth0]:554` and `[fe80::1%25eth0]:554`.
fn without_zone(authority: &str) -> Result<(Cow<'_, str>, Option<&str>), UrlProblem> {
    let Some((before, zone, after)) = authority
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
        .and_then(|(inside, after)| inside.split_once('%').map(|(before, zone)| (before, zone, after)))
    else {
        return Ok((authority.into(), None));
    };
    let zone = zone.strip_prefix("25").filter(|zone| !zone.is_empty()).unwrap_or(zone);
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~');
    if zone.is_empty() || !zone.chars().all(fits) {
        return Err(UrlProblem::Zone);
    }
    Ok((format!("[{before}]{after}").into(), Some(zone)))
}

/// What the URL parser would say unclearly, or not at all.
fn check_host_and_port(authority: &str) -> Result<(), UrlProblem> {
    if authority.starts_with('[') {
        return Ok(());
    }
    if authority.matches(':').count() > 1 {
        return Err(UrlProblem::Brackets);
    }
    let host = authority.split_once(':').map_or(authority, |(host, _)| host);
    let numbers = !host.is_empty() && host.chars().all(|c| c.is_ascii_digit() || c == '.');
    if numbers && host.parse::<Ipv4Addr>().is_err() {
        return Err(UrlProblem::Address);
    }
    Ok(())
}

#[cfg(test)]
#[path = "url_tests.rs"]
mod tests;
