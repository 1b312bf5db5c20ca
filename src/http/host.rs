//! Names under which this server may be asked for, and requests that a foreign page makes. Pure.
//!
//! A page of the internet can let its name point to 127.0.0.1 and read what answers there, and it can send forms anywhere.
//! The browser tells both: by `Host`, and by `Origin` and `Sec-Fetch-Site`, none of which a page can change.

use std::net::IpAddr;

use axum::http::{HeaderMap, Uri, header};

/// The name or address that a request is for; `None` where it says none, several, or none that can be read.
pub(super) fn asked_for<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    let mut given = headers.get_all(header::HOST).iter();
    let (one, more) = (given.next()?.to_str().ok()?, given.next());
    // A whole address in the request line has the last word (RFC 9112); browsers send none.
    let fits = uri.authority().is_none_or(|authority| authority.as_str().eq_ignore_ascii_case(one));
    (more.is_none() && fits).then_some(one)
}

/// Without its port.
fn name(host: &str) -> &str {
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, _)) => v6,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

/// Whether no foreign page can have this host: an address, `localhost`, or a name that the configuration has.
pub(super) fn is_ours(host: &str, names: &[String]) -> bool {
    let name = name(host);
    let lower = name.trim_end_matches('.').to_ascii_lowercase();
    name.parse::<IpAddr>().is_ok() || lower == "localhost" || names.contains(&lower)
}

/// Who makes a browser send a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    /// A page of this server, or the person in front of it.
    Ours,
    /// A page of another one.
    Foreign,
    /// No browser, or one that does not say.
    Unknown,
}

/// Who sent a request for `host`.
pub(super) fn sender(headers: &HeaderMap, host: Option<&str>) -> Sender {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    // Other headers of one name are not sent by browsers.
    match (text("sec-fetch-site"), text("origin")) {
        (Some("same-origin" | "none"), _) => Sender::Ours,
        (Some(_), _) => Sender::Foreign,
        (None, None) => Sender::Unknown,
        (None, Some(origin)) => {
            let from = origin.split_once("://").map(|(_, host)| host);
            let same = from.zip(host).is_some_and(|(from, host)| from.eq_ignore_ascii_case(host));
            if same { Sender::Ours } else { Sender::Foreign }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn headers(list: &[(&str, &str)]) -> HeaderMap {
        let pair =
            |(name, value): &(&str, &str)| -> (HeaderName, _) { (name.parse().unwrap(), value.parse().unwrap()) };
        let mut map = HeaderMap::new();
        for (name, value) in list.iter().map(pair) {
            map.append(name, value);
        }
        map
    }

    #[test]
    fn addresses_localhost_and_named_hosts_are_ours() {
        let names = ["cameras.example.org".to_owned()];
        for host in [
            "127.0.0.1",
            "127.0.0.1:8080",
            "10.0.0.5:80",
            "[::1]:8080",
            "[::1]",
            "localhost",
            "LOCALHOST:8080",
            "localhost.:1",
            "cameras.example.org",
            "Cameras.Example.ORG:8080",
        ] {
            assert!(is_ours(host, &names), "{host}");
        }
        for host in [
            "",
            ":8080",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.1",
            "0x7f000001",
            "cameras.example.org.evil",
            "[evil]",
            "evil.example:127.0.0.1",
            "localhost@evil",
        ] {
            assert!(!is_ours(host, &names), "{host}");
        }
    }

    #[test]
    fn what_a_request_is_for_is_said_once() {
        let uri = |text: &str| text.parse::<Uri>().unwrap();
        assert_eq!(asked_for(&headers(&[("host", "a:1")]), &uri("/x")), Some("a:1"));
        assert_eq!(asked_for(&headers(&[("host", "a:1")]), &uri("http://A:1/x")), Some("a:1"));
        assert_eq!(asked_for(&headers(&[("host", "localhost")]), &uri("http://evil.example/x")), None);
        assert_eq!(asked_for(&headers(&[("host", "localhost"), ("host", "evil.example")]), &uri("/x")), None);
        assert_eq!(asked_for(&headers(&[]), &uri("/x")), None);
    }

    #[test]
    fn foreign_pages_are_known() {
        let sent = |list: &[(&str, &str)]| sender(&headers(list), Some("cam.example:8080"));
        assert_eq!(sent(&[]), Sender::Unknown);
        assert_eq!(sent(&[("sec-fetch-site", "same-origin"), ("origin", "http://cam.example:8080")]), Sender::Ours);
        assert_eq!(sent(&[("origin", "http://CAM.example:8080")]), Sender::Ours);
        for foreign in [
            [("sec-fetch-site", "cross-site"), ("x", "")],
            [("sec-fetch-site", "same-site"), ("origin", "http://cam.example:8080")],
            [("origin", "http://cam.example"), ("x", "")],
            [("origin", "http://evil.example"), ("x", "")],
            [("origin", "null"), ("x", "")],
        ] {
            assert_eq!(sent(&foreign), Sender::Foreign, "{foreign:?}");
        }
    }
}
