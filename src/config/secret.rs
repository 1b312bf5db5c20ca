//! Values that must not be printed: passwords, and what a camera's URL may carry.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// A password. `Debug` and `Display` print `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `value`.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself: for the protocol that needs it, never for a log or an error.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The key of a webhook's signature: the Base64 after `whsec_`, as the Standard Webhooks have it, or the bytes of any
/// other text. `None` where it is empty or no Base64.
pub fn signing_key(secret: &str) -> Option<Vec<u8>> {
    let key = match secret.strip_prefix("whsec_") {
        Some(encoded) => BASE64_STANDARD.decode(encoded).ok()?,
        None => secret.as_bytes().to_vec(),
    };
    (!key.is_empty()).then_some(key)
}

/// Why a text is no camera URL. Never quotes the text: it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlProblem {
    /// Not a URL at all.
    #[error("not a URL: {0} (expected for example rtsp://10.0.0.21:554/stream1)")]
    Malformed(String),
    /// A scheme that no source serves.
    #[error("scheme `{0}` is not supported (use rtsp, rtsps, http, https, file or v4l2)")]
    Scheme(String),
    /// `user:password@` before the host.
    #[error("user name or password inside the URL (move them to `username` and `password` or `password_file`)")]
    Credentials,
    /// A network scheme without a host.
    #[error("no host (expected for example rtsp://10.0.0.21:554/stream1)")]
    NoHost,
    /// `file:` or `v4l2:` without an absolute path.
    #[error("no absolute path (expected for example file:///srv/clips/gate.mp4 or v4l2:///dev/video0)")]
    NoPath,
    /// Port 0 cannot be connected to.
    #[error("port 0 cannot be connected to (RTSP cameras use 554 unless they say otherwise)")]
    PortZero,
}

/// Where a camera's pictures come from: rtsp, rtsps, http, https, file or v4l2; checked, without user name and password.
///
/// Some cameras take their password in the path or the query. So `Debug` and `Display` hide the query and any path
/// segment that looks like it carries one.
#[derive(Clone, PartialEq, Eq)]
pub struct CameraUrl(url::Url);

impl CameraUrl {
    /// Checks a URL.
    ///
    /// # Errors
    /// [`UrlProblem`], which says what to write instead and never repeats the text.
    pub fn parse(text: &str) -> Result<Self, UrlProblem> {
        let url = url::Url::parse(text.trim()).map_err(|error| UrlProblem::Malformed(error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlProblem::Credentials);
        }
        match url.scheme() {
            "rtsp" | "rtsps" | "http" | "https" => {
                if url.host_str().is_none_or(str::is_empty) {
                    return Err(UrlProblem::NoHost);
                }
                // A second `@` hides a password from the parser: rtsp://user:pa/ss@host.
                if url.path().contains('@') && !text.contains("%40") && !url.path().starts_with("/@") {
                    return Err(UrlProblem::Credentials);
                }
                if url.port() == Some(0) {
                    return Err(UrlProblem::PortZero);
                }
            }
            "file" | "v4l2" => {
                if url.host_str().is_some_and(|host| !host.is_empty()) || url.path().len() < 2 {
                    return Err(UrlProblem::NoPath);
                }
            }
            other => return Err(UrlProblem::Scheme(other.to_owned())),
        }
        Ok(Self(url))
    }

    /// The whole URL: for the source element, never for a log or an error.
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }

    /// `rtsp`, `rtsps`, `http`, `https`, `file` or `v4l2`.
    pub fn scheme(&self) -> &str {
        self.0.scheme()
    }

    /// Host, for the network schemes.
    pub fn host(&self) -> Option<&str> {
        self.0.host_str().filter(|host| !host.is_empty())
    }

    /// Port, given or usual: 554 for rtsp, 322 for rtsps.
    pub fn port(&self) -> Option<u16> {
        self.0.port_or_known_default().or(match self.scheme() {
            "rtsp" => Some(554),
            "rtsps" => Some(322),
            _ => None,
        })
    }

    /// The path of a file or a device, percent signs decoded; `None` for the network schemes.
    pub fn local_path(&self) -> Option<std::path::PathBuf> {
        match self.scheme() {
            "file" => self.0.to_file_path().ok(),
            "v4l2" => Some(std::path::PathBuf::from(self.0.path())),
            _ => None,
        }
    }
}

impl fmt::Display for CameraUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.0.scheme())?;
        if let Some(host) = self.host() {
            f.write_str(host)?;
        }
        if let Some(port) = self.0.port() {
            write!(f, ":{port}")?;
        }
        let path = self.0.path();
        f.write_str(if looks_secret(path) { "/***" } else { path })?;
        if self.0.query().is_some() {
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

/// Whether text carries what cameras use to pass a password outside of the user part.
fn looks_secret(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["password", "passwd", "pwd=", "pass=", "token", "secret"].iter().any(|word| text.contains(word))
}

/// Hides credentials in text that others wrote (messages of GStreamer, of a camera): `scheme://user:secret@host`
/// becomes `scheme://***@host`, the query of a URL becomes `?***`.
pub fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end =
            after.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '`')).unwrap_or(after.len());
        let (url, tail) = after.split_at(end);
        let shown = url.rfind('@').map_or(url, |at| {
            out.push_str("***");
            &url[at..]
        });
        match shown.split_once('?') {
            Some((path, _)) => {
                out.push_str(path);
                out.push_str("?***");
            }
            None => out.push_str(shown),
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_print() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn signing_keys_are_text_or_base64() {
        assert_eq!(signing_key("any text"), Some(b"any text".to_vec()));
        assert_eq!(signing_key("whsec_AQID"), Some(vec![1, 2, 3]));
        for bad in ["", "whsec_", "whsec_!"] {
            assert_eq!(signing_key(bad), None, "{bad}");
        }
    }

    #[test]
    fn urls_are_checked() {
        for good in [
            "rtsp://10.0.0.21:554/stream1",
            "rtsp://[fe80::1]:8554/a",
            "rtsps://cam.example/x",
            "http://cam/video.mjpg?fps=5",
            "https://cam/",
            "file:///srv/a%20b.mp4",
            "v4l2:///dev/video0",
        ] {
            assert!(CameraUrl::parse(good).is_ok(), "{good}");
        }
        for (bad, problem) in [
            ("rtsp://user:pw@cam/1", UrlProblem::Credentials),
            ("rtsp://user@cam/1", UrlProblem::Credentials),
            ("ftp://cam/1", UrlProblem::Scheme("ftp".into())),
            ("rtsp:///1", UrlProblem::NoHost),
            ("file:///", UrlProblem::NoPath),
            ("rtsp://cam:0/1", UrlProblem::PortZero),
        ] {
            assert_eq!(CameraUrl::parse(bad), Err(problem), "{bad}");
        }
        assert!(matches!(CameraUrl::parse("north gate"), Err(UrlProblem::Malformed(_))));
    }

    #[test]
    fn a_slash_in_a_password_does_not_hide_it() {
        let problem = CameraUrl::parse("rtsp://user:1/2@cam/1").unwrap_err();
        assert!(!problem.to_string().contains("1/2"), "{problem}");
    }

    #[test]
    fn urls_print_without_what_may_be_secret() {
        let url = CameraUrl::parse("http://cam:81/cgi?user=a&password=b").unwrap();
        assert_eq!(url.to_string(), "http://cam:81/cgi?***");
        let url = CameraUrl::parse("rtsp://cam/user=admin_password=tlJwpbo6_channel=1").unwrap();
        assert_eq!(url.to_string(), "rtsp://cam/***");
        assert!(url.expose().contains("tlJwpbo6"));
        assert_eq!(url.port(), Some(554));
    }

    #[test]
    fn foreign_text_is_redacted() {
        assert_eq!(redact("open rtsp://u:p@h/1 failed"), "open rtsp://***@h/1 failed");
        assert_eq!(redact("a 'http://h/x?pw=1' b rtsp://u:p@@h/"), "a 'http://h/x?***' b rtsp://***@h/");
        assert_eq!(redact("nothing here"), "nothing here");
    }
}
