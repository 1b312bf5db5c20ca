//! The YAML text as nodes that know their lines, with environment variables put into values.
//!
//! A parser with marks serves here because a problem found long after parsing (two cameras of one name) must still name
//! its line, and because a key written twice must be a problem rather than "the last one wins".

mod anchors;
mod complaint;
mod merge;
mod parse;
mod said;
mod variables;

use std::fmt;

pub(super) use parse::parse;

/// One value of the document.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    /// Line of its begin, from 1.
    pub line: usize,
    pub kind: Kind,
    /// Taken out after a problem was found in it: treated as if it were not written.
    pub dead: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scalar {
    /// Variables put in.
    pub text: String,
    /// As written in the file: for messages, so that a variable's value is never shown.
    pub shown: String,
    /// Not quoted: may be a number, a truth value or null.
    pub plain: bool,
    /// May be the rest of an unquoted secret that a comma has cut off: never shown.
    pub suspect: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub key: String,
    /// Line of the key.
    pub line: usize,
    pub value: Node,
    /// As of a [`Scalar`].
    pub suspect: bool,
}

/// One step down from a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    /// Index among the live items of a list.
    Item(usize),
}

impl From<&str> for Step {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Self {
        Self::Item(index)
    }
}

/// Where something is: for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// `cameras[2].url`, with the indices of the file.
    pub path: String,
    pub line: usize,
    /// Whether the place itself is written in the file, dead or alive; else `line` is its nearest parent's.
    pub written: bool,
}

impl Node {
    /// Whether the document is a mapping with this key.
    pub(super) fn has_key(&self, key: &str) -> bool {
        matches!(&self.kind, Kind::Map(entries) if entries.iter().any(|entry| entry.key == key))
    }

    /// Finds a place. What is not written has its parent's line.
    pub(super) fn place(&self, steps: &[Step]) -> Place {
        let mut place = Place { path: String::new(), line: self.line, written: true };
        let mut node = Some(self);
        for step in steps {
            let found = node.and_then(|node| node.child(step));
            place.path = match (step, &found) {
                (Step::Key(key), _) => said::join(&place.path, key),
                (Step::Item(_), Some((index, ..))) => format!("{}[{index}]", place.path),
                (Step::Item(index), None) => format!("{}[{index}]", place.path),
            };
            match found {
                Some((_, line, child)) => {
                    place.line = line;
                    node = Some(child);
                }
                None => {
                    place.written = false;
                    node = None;
                }
            }
        }
        place
    }

    /// The value at a place as messages name it: as it is written, in backticks, where it may be repeated.
    pub(super) fn said(&self, steps: &[Step]) -> String {
        self.at(steps).map_or_else(|| "the value".to_owned(), ToString::to_string)
    }

    /// Whether a value must not be shown as it is: it has variables in it, or may be a piece of a secret.
    pub(super) fn is_hidden(&self, steps: &[Step]) -> bool {
        self.at(steps).is_some_and(|node| match &node.kind {
            Kind::Scalar(scalar) => scalar.suspect || !variables::named_in(&scalar.shown).is_empty(),
            _ => false,
        })
    }

    /// The value at a place, dead or alive.
    fn at(&self, steps: &[Step]) -> Option<&Self> {
        steps.iter().try_fold(self, |node, step| node.child(step).map(|(_, _, child)| child))
    }

    /// Whether a list is written at a place, without any item.
    pub(super) fn is_empty_list(&self, steps: &[Step]) -> bool {
        self.at(steps).is_some_and(|node| !node.dead && matches!(&node.kind, Kind::List(items) if items.is_empty()))
    }

    /// Whether the key at a place may be a piece of a secret.
    pub(super) fn is_suspect(&self, steps: &[Step]) -> bool {
        let Some((Step::Key(key), parents)) = steps.split_last() else { return false };
        match self.at(parents).map(|parent| &parent.kind) {
            Some(Kind::Map(entries)) => entries.iter().any(|entry| entry.key == *key && entry.suspect),
            _ => false,
        }
    }

    /// Treats a place as not written from now on. False where it is not there.
    pub(super) fn kill(&mut self, steps: &[Step]) -> bool {
        let Some((first, rest)) = steps.split_first() else { return false };
        let child = match (&mut self.kind, first) {
            (Kind::Map(entries), Step::Key(key)) => {
                entries.iter_mut().find(|entry| !entry.value.dead && entry.key == *key).map(|entry| &mut entry.value)
            }
            (Kind::List(items), Step::Item(index)) => items.iter_mut().filter(|item| !item.dead).nth(*index),
            _ => None,
        };
        match child {
            Some(child) if rest.is_empty() => {
                child.dead = true;
                true
            }
            Some(child) => child.kill(rest),
            None => false,
        }
    }

    /// A child with its index in the file (0 for a map) and its line; live children first, then dead ones of that key.
    fn child(&self, step: &Step) -> Option<(usize, usize, &Self)> {
        match (&self.kind, step) {
            (Kind::Map(entries), Step::Key(key)) => {
                let mut found = entries.iter().filter(|entry| entry.key == *key);
                let entry = found.clone().find(|entry| !entry.value.dead).or_else(|| found.next())?;
                Some((0, entry.line, &entry.value))
            }
            (Kind::List(items), Step::Item(index)) => {
                let (index, item) = items.iter().enumerate().filter(|(_, item)| !item.dead).nth(*index)?;
                Some((index, item.line, item))
            }
            _ => None,
        }
    }

    /// Whether it is nothing: `~`, `null`, or no text at all, however it came to be empty.
    pub(super) fn is_blank(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(scalar) if scalar.is_blank())
    }

    /// Whether it looks like the end of a text that was quoted wrongly: nothing, or a stray quote.
    fn is_odd(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(scalar) if scalar.is_blank() || scalar.shown.contains(['"', '\'']))
    }

    /// What to do about a value that [`Node::is_blank`].
    pub(super) fn blank_hint(&self) -> String {
        let Kind::Scalar(scalar) = &self.kind else { return String::new() };
        match &variables::named_in(&scalar.shown)[..] {
            [] if scalar.is_null_word() => "quote it where the word itself is meant".to_owned(),
            [] => "write a value, in quotes where it begins with `#`; or take the key out".to_owned(),
            [name] => format!("environment variable {name} is empty: set it, or take the key out"),
            names => format!("environment variables {} are empty: set them, or take the key out", names.join(", ")),
        }
    }
}

impl Scalar {
    fn is_blank(&self) -> bool {
        self.text.trim().is_empty() || self.is_null_word()
    }

    /// Written so; a variable's value is text.
    fn is_null_word(&self) -> bool {
        self.plain && self.text == self.shown && matches!(self.shown.as_str(), "~" | "null" | "Null" | "NULL")
    }
}

/// For messages: "a list", "`abc`".
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::List(_) => f.write_str("a list"),
            Kind::Map(_) => f.write_str("a mapping"),
            Kind::Scalar(scalar) => f.write_str(&said::said_value(scalar)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(text: &str) -> Node {
        let mut problems = Vec::new();
        let node = parse(text, &|_| None, &mut problems).unwrap();
        assert_eq!(problems, []);
        node
    }

    #[test]
    fn places_have_lines() {
        let tree = good("a:\n  - b: 1\n  - b: 2\n    c: 3\n");
        let place = tree.place(&["a".into(), 1.into(), "c".into()]);
        assert_eq!(place, Place { path: "a[1].c".into(), line: 4, written: true });
        let absent = tree.place(&["a".into(), 1.into(), "d".into()]);
        assert_eq!(absent, Place { path: "a[1].d".into(), line: 3, written: false });
    }

    #[test]
    fn the_dead_keep_the_places_of_the_living() {
        let mut tree = good("a:\n- 1\n- 2\n- 3\n");
        assert!(tree.kill(&["a".into(), 0.into()]));
        assert!(!tree.kill(&["a".into(), 2.into()]));
        let place = tree.place(&["a".into(), 1.into()]);
        assert_eq!((place.path.as_str(), place.line), ("a[2]", 4));
    }
}
