//! What of a text may be repeated in a message.

/// Whether text carries what cameras use to pass a password outside of the user part.
pub(super) fn looks_secret(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["password", "passwd", "pwd=", "pass=", "token", "secret"].iter().any(|word| text.contains(word))
        // Who wrote `rtsp://ops/1:pw@10.0.0.21` meant no path.
        || text.split_once(':').is_some_and(|(_, rest)| rest.contains('@'))
}

/// Whether a value may be repeated in a message about it: it is no address, and so holds no login.
pub(in crate::config) fn repeatable(value: &str) -> bool {
    !value.contains("://") && !value.contains('@')
}

/// Hides credentials in text that others wrote (messages of GStreamer, of a camera): `scheme://user:secret@host`
/// becomes `scheme://***@host`, the query of a URL becomes `?***`, and a path that looks like it carries a password
/// `/***`.
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
        let (path, query) = shown.split_once('?').map_or((shown, ""), |(path, _)| (path, "?***"));
        match path.split_once('/') {
            Some((host, path)) if looks_secret(path) => {
                out.push_str(host);
                out.push_str("/***");
            }
            _ => out.push_str(path),
        }
        out.push_str(query);
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_redacted() {
        assert_eq!(redact("open rtsp://u:p@h/1 failed"), "open rtsp://***@h/1 failed");
        assert_eq!(redact("a 'http://h/x?pw=1' b rtsp://u:p@@h/"), "a 'http://h/x?***' b rtsp://***@h/");
        assert_eq!(redact("rtsp://h:554/user=a_password=b_channel=1 failed"), "rtsp://h:554/*** failed");
        assert_eq!(redact("nothing here"), "nothing here");
    }
}
