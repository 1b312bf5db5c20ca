//! What is said where YAML breaks. The text itself is never repeated: it may be a password.

use crate::config::Problem;

use super::said::is_secret;

/// The key whose value is being read.
#[derive(Clone)]
pub(super) struct Reading {
    pub line: usize,
    pub path: String,
    /// What is read belongs to a secret, or to a URL, which may hold one.
    pub secret: bool,
    /// No URL.
    pub whole: bool,
}

/// A complaint of the parser about a line of the text.
pub(super) fn of(info: &str, line: usize, reading: Option<&Reading>, text: &str) -> Problem {
    const QUOTE: &str = "quote the value: '…', and write a ' in it twice";
    // The parser names the character, which may be the first one of a password.
    let info = if info.starts_with("unexpected character") { "an unquoted value cannot begin so" } else { info };
    let hint = if info.contains("tab ") || info.contains("tabs ") {
        "indent with blanks; YAML takes no tabs there".to_owned()
    } else if info.contains("escape") {
        r"between double quotes, `\` begins an escape: use single quotes".to_owned()
    } else if info.contains("unknown anchor") {
        "`*` stands for what an `&` has named before; quote the value where the `*` belongs to it".to_owned()
    } else if reading.is_some() {
        QUOTE.to_owned()
    } else {
        let usual = "look at indentation, colons and quotes in this line and the one before";
        match secret_in(line, text) {
            Some(key) => format!(
                "{usual}; `{key}` needs a blank behind its colon, and quotes around a value with odd characters"
            ),
            None => usual.to_owned(),
        }
    };
    let (line, path) = match reading {
        // The end of what a secret seemed to begin may be far away.
        Some(reading) if reading.secret => (reading.line, reading.path.as_str()),
        Some(reading) => (line, reading.path.as_str()),
        None => (line, ""),
    };
    Problem::new(line, path, format!("not YAML: {info}")).hint(hint)
}

/// A key of a secret in this line or the one before.
fn secret_in(line: usize, text: &str) -> Option<&str> {
    let near = text.lines().skip(line.saturating_sub(2)).take(2);
    let mut words = near.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'));
    words.find(|word| is_secret(word) && *word != "url")
}

/// A tag, which is never repeated: `!pa55` may be a password.
pub(super) fn of_tag(line: usize, path: &str) -> Problem {
    let hint = "quote the value where the `!` belongs to it; a secret is named as ${VARIABLE} or in a file";
    Problem::new(line, path, "`!` begins a tag, and tags are not supported").hint(hint)
}

/// An anchor where the `&` is more likely part of a value.
pub(super) fn of_bare_anchor(line: usize, path: &str) -> Problem {
    let hint = "quote the value where the `&` belongs to it";
    Problem::new(line, path, "`&` begins an anchor, a name for later").hint(hint)
}

/// A comment that may be the end of a password.
pub(super) fn of_comment(line: usize, path: &str) -> Problem {
    let hint = "quote the value where the `#` belongs to it; begin a comment with `# `";
    Problem::new(line, path, "`#` after a blank ends the value and begins a comment").hint(hint)
}
