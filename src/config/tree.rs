//! The YAML text as nodes that know their lines, with environment variables put into values.
//!
//! A parser with marks serves here because a problem found long after parsing (two cameras of one name) must still name
//! its line, and because a key written twice must be a problem rather than "the last one wins".

mod parse;

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
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub key: String,
    /// Line of the key.
    pub line: usize,
    pub value: Node,
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
    /// Finds a place. What is not written has its parent's line.
    pub(super) fn place(&self, steps: &[Step]) -> Place {
        let mut place = Place { path: String::new(), line: self.line, written: true };
        let mut node = Some(self);
        for step in steps {
            let found = node.and_then(|node| node.child(step));
            place.path = match (step, &found) {
                (Step::Key(key), _) if place.path.is_empty() => key.clone(),
                (Step::Key(key), _) => format!("{}.{key}", place.path),
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

    /// The scalar at a place as it is written.
    pub(super) fn written(&self, steps: &[Step]) -> Option<&str> {
        let mut node = self;
        for step in steps {
            node = node.child(step)?.2;
        }
        match &node.kind {
            Kind::Scalar(scalar) => Some(&scalar.shown),
            _ => None,
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

    /// Whether it is written as nothing: `~`, `null` or left out.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(scalar) if scalar.plain && matches!(scalar.text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }
}

/// For messages: "a list", "text `abc`".
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::List(_) => f.write_str("a list"),
            Kind::Map(_) => f.write_str("a mapping"),
            Kind::Scalar(_) if self.is_null() => f.write_str("nothing"),
            Kind::Scalar(scalar) => write!(f, "`{}`", shorten(&scalar.shown)),
        }
    }
}

fn shorten(text: &str) -> String {
    const MOST: usize = 40;
    if text.chars().count() <= MOST { text.to_owned() } else { text.chars().take(MOST).chain(['…']).collect() }
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
