//! Environment variables in values.

/// A way to write `${NAME}` that YAML does not trip over: in `{ password: ${NAME} }` it would take the braces for its
/// own. Each of the three marks becomes one character that the text has not, so that lines and columns stay, and is put
/// back into every value.
pub(super) struct Veil {
    /// For `$`, `{` and `}`.
    marks: Option<[char; 3]>,
}

impl Veil {
    /// The text to be parsed.
    pub(super) fn over(text: &str) -> (Self, String) {
        // Of the 6400 characters for private use, a text that has them all is none of ours.
        let mut free = ('\u{e000}'..='\u{f8ff}').filter(|c| !text.contains(*c));
        let marks = free.next().zip(free.next()).zip(free.next()).map(|((a, b), c)| [a, b, c]);
        let veil = Self { marks };
        let veiled = veil.hide(text);
        (veil, veiled)
    }

    fn hide(&self, text: &str) -> String {
        let Some([dollar, open, close]) = self.marks else { return text.to_owned() };
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let (before, after) = (&rest[..at], &rest[at + 2..]);
            out.push_str(before);
            match after.split_once('}') {
                Some((name, tail)) if is_variable(name) => {
                    out.extend([dollar, open]);
                    out.push_str(name);
                    out.push(close);
                    rest = tail;
                }
                _ => {
                    out.push_str("${");
                    rest = after;
                }
            }
        }
        out.push_str(rest);
        out
    }

    /// The text as it was written.
    pub(super) fn lift(&self, veiled: &str) -> String {
        let Some([dollar, open, close]) = self.marks else { return veiled.to_owned() };
        let back = |c: char| match c {
            c if c == dollar => '$',
            c if c == open => '{',
            c if c == close => '}',
            c => c,
        };
        veiled.chars().map(back).collect()
    }
}

/// Why a variable cannot be put in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// `${` without `}`.
    Open,
    /// This names no variable.
    Name(String),
    /// This one is not set.
    Unset(String),
}

impl Unfit {
    /// What is wrong, and a hint. In a `secret`, what looks like a variable may be a piece of it.
    pub(super) fn said(&self, shown: &str, secret: bool) -> (String, String) {
        match self {
            Self::Open => ("`${` without `}`".into(), "write ${NAME}, or $${ for the characters ${".into()),
            Self::Name(name) => {
                let hint = "a name has letters, digits and `_`; write $${ for the characters ${".into();
                let what = if secret { "`${…}`".to_owned() } else { format!("`${{{name}}}`") };
                (format!("{what} names no environment variable"), hint)
            }
            Self::Unset(name) => {
                let usual = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
                if secret && shown != format!("${{{name}}}") && !name.chars().all(usual) {
                    let hint = "set it; write $${ for the characters ${".into();
                    return ("the environment variable in it is not set".into(), hint);
                }
                (format!("environment variable {name} is not set"), format!("set it: export {name}=…"))
            }
        }
    }
}

/// Puts variables in: `${NAME}`. `$${` stands for `${`. A variable's value is not looked into again. Line breaks at its
/// end are left out, as the shell does: what fills variables from files puts them there.
pub(super) fn substitute(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, Unfit> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, after) = (&rest[..at], &rest[at + 2..]);
        if let Some(before) = before.strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = after;
            continue;
        }
        out.push_str(before);
        let (name, tail) = after.split_once('}').ok_or(Unfit::Open)?;
        if !is_variable(name) {
            return Err(Unfit::Name(name.to_owned()));
        }
        let value = env(name).ok_or_else(|| Unfit::Unset(name.to_owned()))?;
        out.push_str(value.trim_end_matches(['\n', '\r']));
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

/// The variables that a value names, for messages.
pub(super) fn named_in(shown: &str) -> Vec<&str> {
    let pieces = shown.split("${").skip(1);
    pieces.filter_map(|piece| piece.split_once('}')).map(|(name, _)| name).filter(|name| is_variable(name)).collect()
}

fn is_variable(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "SET" => Some("${x}".to_owned()),
            "LINE" => Some("a\r\n".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn variables() {
        assert_eq!(substitute("a${SET}b", &env), Ok("a${x}b".into()));
        assert_eq!(substitute("$${SET}$", &env), Ok("${SET}$".into()));
        assert_eq!(substitute("${LINE}${LINE}", &env), Ok("aa".into()));
        assert_eq!(substitute("${UNSET}", &env), Err(Unfit::Unset("UNSET".into())));
        assert_eq!(substitute("${a b}", &env), Err(Unfit::Name("a b".into())));
        assert_eq!(substitute("${", &env), Err(Unfit::Open));
        assert_eq!(named_in("a${SET}b${a b}${X}"), ["SET", "X"]);
    }

    #[test]
    fn pieces_of_a_secret_are_not_named() {
        let said = |text: &str| substitute(text, &env).unwrap_err().said(text, true).0;
        assert_eq!(said("${gate_password}"), "environment variable gate_password is not set");
        assert_eq!(said("x-${GATE_1}"), "environment variable GATE_1 is not set");
        for text in ["Hun${ter22}", "Hun${ter 22}", "Hun${ter22"] {
            assert!(!said(text).contains("ter"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_veil_lifts(text in "[${}A-Z_ a\u{e000}\n]{0,40}") {
            let (veil, veiled) = Veil::over(&text);
            prop_assert_eq!(veiled.chars().count(), text.chars().count());
            prop_assert_eq!(veil.lift(&veiled), text);
        }
    }
}
