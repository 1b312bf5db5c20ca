//! From text to nodes.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::anchors::Anchors;
use super::complaint::{self, Reading};
use super::said::{is_glued, is_odd, is_secret, join, may_be_cut};
use super::variables::{Veil, named_in, substitute};
use super::{Entry, Kind, Node, Scalar, merge};
use crate::config::Problem;

/// Nodes of one file at most; an alias counts as all nodes that it stands for.
const MAX_NODES: usize = 100_000;
/// Deepest nesting.
const MAX_DEPTH: usize = 32;
/// What a mapping's keys begin with that hold anchors and nothing else.
const EXTENSION: &str = "x-";

/// Parses a document and puts variables into its values. `None` where it is no YAML at all.
pub(in crate::config) fn parse(
    text: &str,
    env: &dyn Fn(&str) -> Option<String>,
    problems: &mut Vec<Problem>,
) -> Option<Node> {
    let (veil, veiled) = Veil::over(text.trim_start_matches('\u{feff}'));
    let mut builder = Builder {
        parser: Parser::new_from_str(&veiled),
        text: &veiled,
        characters: veiled.chars().collect(),
        veil,
        anchors: Anchors::default(),
        env,
        problems,
        nodes: 0,
        value: None,
        last: None,
        flow: 0,
        cut: false,
        quoted: false,
    };
    match builder.document() {
        Ok(root) => Some(without_extensions(root)),
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

/// Keys `x-…` of the document itself are a place for anchors, as in Compose files.
fn without_extensions(mut root: Node) -> Node {
    if let Kind::Map(entries) = &mut root.kind {
        entries.retain(|entry| !entry.key.starts_with(EXTENSION));
    }
    root
}

struct Builder<'a, 'p> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    text: &'a str,
    characters: Vec<char>,
    veil: Veil,
    anchors: Anchors,
    env: &'p dyn Fn(&str) -> Option<String>,
    problems: &'p mut Vec<Problem>,
    nodes: usize,
    /// The key whose value is being read, where a complaint can only be about that.
    value: Option<Reading>,
    /// The last key that had a value.
    last: Option<Reading>,
    /// How deep in `[…]` and `{…}`.
    flow: usize,
    /// An unquoted secret was read since these began: what follows may be a piece of it.
    cut: bool,
    /// A quoted one was, whose end may not be where its writer meant it: `"pa"55"`.
    quoted: bool,
}

impl<'a> Builder<'a, '_> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Problem> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let line = error.marker().line().max(1);
                // `pa55: x` breaks after what was read as the value.
                let just_read = self.last.as_ref().filter(|last| last.line == line && self.flow == 0);
                Err(complaint::of(error.info(), line, self.value.as_ref().or(just_read), self.text))
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn document(&mut self) -> Result<Node, Problem> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
                Event::StreamEnd => {
                    return Ok(Node { line: 1, kind: Kind::Map(Vec::new()), dead: false });
                }
                event => {
                    let root = self.node(event, span, String::new(), 0)?;
                    self.only_one()?;
                    self.problems.extend(self.anchors.unused_secrets());
                    return Ok(root);
                }
            }
        }
    }

    /// Whatever follows the first document must be its end.
    fn only_one(&mut self) -> Result<(), Problem> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(()),
                Event::DocumentEnd | Event::Nothing => {}
                _ => {
                    return Err(Problem::new(span.start.line(), "", "a second document begins")
                        .hint("one file holds one configuration: remove `---`"));
                }
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, path: String, depth: usize) -> Result<Node, Problem> {
        let line = span.start.line().max(1);
        self.nodes += 1;
        if depth > MAX_DEPTH || self.nodes > MAX_NODES {
            return Err(Problem::new(line, path, "the document is too deep or too big"));
        }
        let mut dead = false;
        let (mut kind, anchor, tag) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let mut scalar = self.scalar(&text, style);
                self.check_comment(&scalar, span, &path);
                dead = !self.fill(&mut scalar, line, &path);
                (Kind::Scalar(scalar), anchor, tag)
            }
            Event::SequenceStart(anchor, tag) => (self.collection(span, |own| own.list(&path, depth))?, anchor, tag),
            Event::MappingStart(anchor, tag) => (self.collection(span, |own| own.map(&path, depth))?, anchor, tag),
            Event::Alias(anchor) => return self.alias(anchor, line, path),
            _ => return Err(Problem::new(line, path, "not YAML: the document ends too early")),
        };
        if let Some(tag) = tag {
            match &mut kind {
                Kind::Scalar(scalar) if tag.handle == "tag:yaml.org,2002:" && tag.suffix == "str" => {
                    scalar.plain = false
                }
                _ => {
                    self.problems.push(complaint::of_tag(line, &path));
                    dead |= matches!(kind, Kind::Scalar(_));
                }
            }
        }
        let mut node = Node { line, kind, dead };
        if anchor > 0 {
            if node.is_blank() && !node.dead {
                self.problems.push(complaint::of_bare_anchor(line, &path));
                node.dead = true;
            }
            let secret = self.in_secret() && matches!(node.kind, Kind::Scalar(_));
            self.anchors.add(anchor, &node, secret.then_some(path));
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, line: usize, path: String) -> Result<Node, Problem> {
        let Some(mut node) = self.anchors.get(anchor) else {
            return Err(Problem::new(line, path, "the alias stands for nothing that was written before it"));
        };
        node.line = line;
        self.nodes += count(&node);
        if self.nodes > MAX_NODES {
            return Err(Problem::new(line, path, "the document is too deep or too big"));
        }
        Ok(node)
    }

    /// Reads a list or a mapping, and knows meanwhile whether it is one of brackets.
    fn collection(
        &mut self,
        span: Span,
        read: impl FnOnce(&mut Self) -> Result<Kind, Problem>,
    ) -> Result<Kind, Problem> {
        let flow = self.flow > 0 || matches!(self.characters.get(span.start.index()), Some('[' | '{'));
        self.flow += usize::from(flow);
        let kind = read(self);
        self.flow -= usize::from(flow);
        self.cut &= self.flow > 0;
        self.quoted &= self.flow > 0;
        kind
    }

    fn list(&mut self, path: &str, depth: usize) -> Result<Kind, Problem> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(Kind::List(items));
            }
            let path = self.below(path, || format!("{path}[{}]", items.len()));
            items.push(self.node(event, span, path, depth + 1)?);
        }
    }

    fn map(&mut self, path: &str, depth: usize) -> Result<Kind, Problem> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged = None;
        loop {
            let (event, span) = self.next()?;
            let line = span.start.line().max(1);
            let (key, plain) = match event {
                Event::MappingEnd => break,
                Event::Scalar(key, style, ..) => (self.veil.lift(&key), matches!(style, ScalarStyle::Plain)),
                _ => {
                    return Err(Problem::new(line, path, "a key must be one word")
                        .hint("write `key: value`, with a space after the colon"));
                }
            };
            let quoted = self.quoted;
            let hidden = self.cut || (quoted && is_odd(&key));
            let path = self.below(path, || if hidden { path.to_owned() } else { join(path, &key) });
            let value = self.value_of(&key, line, &path, depth)?;
            let suspect = hidden || (quoted && value.is_odd());
            let first = entries.iter().find(|entry| entry.key == key).map(|entry| entry.line);
            if let Some(first) = first {
                let hint = format!("first in line {first}; keep one");
                let path = if suspect { String::new() } else { path };
                self.problems.push(Problem::new(line, path, "the key is written twice").hint(hint));
            } else if plain && key == merge::KEY {
                if merged.replace((value, path)).is_some() {
                    let hint = "name all mappings in one list, such as <<: [*base, *more]";
                    self.problems.push(Problem::new(line, "", "`<<` is written twice in a mapping").hint(hint));
                }
            } else {
                entries.push(Entry { key, line, value, suspect });
            }
        }
        if let Some((named, path)) = merged {
            merge::merge(&mut entries, named, &path, self.problems);
        }
        Ok(Kind::Map(entries))
    }

    fn value_of(&mut self, key: &str, line: usize, path: &str, depth: usize) -> Result<Node, Problem> {
        let outer = self.value.take();
        let below_secret = outer.as_ref().filter(|value| value.secret).cloned();
        let own = Reading { line, path: path.to_owned(), secret: is_secret(key), whole: key != "url" };
        let reading = below_secret.clone().unwrap_or(own);
        self.value = Some(reading.clone());
        let (event, span) = self.next()?;
        if !reading.secret {
            self.value = below_secret;
        }
        self.last = matches!(event, Event::Scalar(..)).then_some(reading);
        if self.flow > 0
            && let Event::Scalar(text, style, ..) = &event
        {
            let plain = matches!(style, ScalarStyle::Plain);
            self.cut |= plain && (is_glued(key) || may_be_cut(key, &self.veil.lift(text)));
            self.quoted |= !plain && is_secret(key);
        }
        let node = self.node(event, span, path.to_owned(), depth + 1);
        self.value = outer;
        node
    }

    fn in_secret(&self) -> bool {
        self.value.as_ref().is_some_and(|value| value.secret)
    }

    /// A path one step down; below a secret there is none.
    fn below(&self, path: &str, step: impl FnOnce() -> String) -> String {
        if self.in_secret() { path.to_owned() } else { step() }
    }

    fn scalar(&self, text: &str, style: ScalarStyle) -> Scalar {
        let shown = self.veil.lift(text);
        Scalar { text: shown.clone(), shown, plain: matches!(style, ScalarStyle::Plain), suspect: self.cut }
    }

    /// A comment begins with `# `: `pa55 #x` is more likely a password that has lost its end.
    fn check_comment(&mut self, scalar: &Scalar, span: Span, path: &str) {
        let literal = scalar.plain && !scalar.is_blank() && named_in(&scalar.shown).is_empty();
        if !literal || !self.value.as_ref().is_some_and(|value| value.secret && value.whole) {
            return;
        }
        let mut behind = self.characters.iter().skip(span.end.index()).skip_while(|c| matches!(c, ' ' | '\t'));
        if behind.next() == Some(&'#') && behind.next().is_some_and(|c| !c.is_whitespace()) {
            self.problems.push(complaint::of_comment(span.start.line().max(1), path));
        }
    }

    /// Puts variables in. False after a problem.
    fn fill(&mut self, scalar: &mut Scalar, line: usize, path: &str) -> bool {
        match substitute(&scalar.shown, self.env) {
            Ok(text) => {
                scalar.text = text;
                true
            }
            Err(unfit) => {
                let whole = if self.cut { "" } else { &scalar.shown };
                let (what, hint) = unfit.said(whole, self.cut || self.in_secret());
                self.problems.push(Problem::new(line, path, what).hint(hint));
                false
            }
        }
    }
}

fn count(node: &Node) -> usize {
    1 + match &node.kind {
        Kind::Scalar(_) => 0,
        Kind::List(items) => items.iter().map(count).sum(),
        Kind::Map(entries) => entries.iter().map(|entry| count(&entry.value)).sum(),
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
