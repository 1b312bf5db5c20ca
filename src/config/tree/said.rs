//! What of a file may be repeated in a message: never a password, nor a piece of one that slipped to another place.

use crate::config::secret::repeatable;

use super::Scalar;
use super::variables::named_in;

/// Keys whose values are secrets, or may hold one.
pub(super) fn is_secret(key: &str) -> bool {
    matches!(key, "password" | "secret" | "url")
}

/// A place one step down.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { said_key(key) } else { format!("{path}.{}", said_key(key)) }
}

/// A key as messages name it. `password:pa55` without its space and `{password=pa55}` are keys for YAML.
fn said_key(key: &str) -> String {
    if !repeatable(key) {
        return "…".to_owned();
    }
    let word = key.find(char::is_whitespace).map_or(key, |at| &key[..at]).to_ascii_lowercase();
    let of_secret = ["pass", "pw", "secret", "token", "url", "login"].iter().any(|begin| word.starts_with(begin));
    let ends = |c: char| matches!(c, ':' | '=') || (of_secret && !(c.is_ascii_lowercase() || c == '_'));
    match key.char_indices().skip(1).find(|(_, c)| ends(*c)) {
        Some((end, _)) => format!("{}…", &key[..end]),
        None => shorten(key),
    }
}

/// Whether a value seems to stick to its key.
pub(super) fn is_glued(key: &str) -> bool {
    said_key(key) != key
}

/// Whether a key has what no key has.
pub(super) fn is_odd(key: &str) -> bool {
    !key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '<'))
}

/// A value as messages name it, in quotes where it is quoted.
pub(super) fn said_value(scalar: &Scalar) -> String {
    if scalar.is_blank() {
        "nothing".to_owned()
    } else if scalar.suspect {
        "text".to_owned()
    } else if repeatable(&scalar.shown) {
        format!("`{}`", shorten(&scalar.shown))
    } else {
        "an address".to_owned()
    }
}

/// Whether a value without quotes may be a secret, or hold one, that a comma has cut off.
pub(super) fn may_be_cut(key: &str, value: &str) -> bool {
    if key != "url" {
        let variable = matches!(&named_in(value)[..], [name] if value.len() == name.len() + "${}".len());
        return is_secret(key) && !variable;
    }
    let (scheme, behind) = value.split_once("://").unwrap_or(("", value));
    let authority = behind.split('/').next().unwrap_or_default();
    let port_is_odd = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_err());
    // A webhook's path is its key.
    scheme.starts_with("http") || port_is_odd || behind.contains(['?', '@', '='])
}

fn shorten(text: &str) -> String {
    const MOST: usize = 40;
    if text.chars().count() <= MOST { text.to_owned() } else { text.chars().take(MOST).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_named_without_what_is_glued_to_them() {
        for (key, said) in [
            ("password", "password"),
            ("password_file", "password_file"),
            ("analize_fps", "analize_fps"),
            ("site name", "site name"),
            ("1st", "1st"),
            ("password:pa55", "password…"),
            ("password=pa55", "password…"),
            ("password pa55", "password…"),
            ("passwordPa55", "password…"),
            ("Password: pa55", "Password…"),
            ("pw pa55", "pw…"),
            ("x=pa55", "x…"),
            ("rtsp://ops:pa55@h/1", "…"),
            ("pa55@h", "…"),
        ] {
            assert_eq!(join("", key), said);
            assert_eq!(join("cameras[0]", key), format!("cameras[0].{said}"));
        }
    }
}
