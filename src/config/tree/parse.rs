//! From text to nodes.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::{Entry, Kind, Node, Scalar};
use crate::config::Problem;

/// Nodes of one file at most; an alias counts as all nodes that it stands for.
const MAX_NODES: usize = 100_000;
/// Deepest nesting.
const MAX_DEPTH: usize = 32;

/// Parses a document and puts variables into its values. `None` where it is no YAML at all.
pub(in crate::config) fn parse(
    text: &str,
    env: &dyn Fn(&str) -> Option<String>,
    problems: &mut Vec<Problem>,
) -> Option<Node> {
    let mut builder = Builder { parser: Parser::new_from_str(text), anchors: Vec::new(), env, problems, nodes: 0 };
    match builder.document() {
        Ok(root) => Some(root),
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

struct Builder<'a, 'p> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    /// Anchored nodes by number.
    anchors: Vec<(usize, Node)>,
    env: &'p dyn Fn(&str) -> Option<String>,
    problems: &'p mut Vec<Problem>,
    nodes: usize,
}

impl<'a> Builder<'a, '_> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Problem> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                Err(Problem::new(error.marker().line().max(1), "", format!("not YAML: {}", error.info()))
                    .hint("look at indentation, colons and quotes in this line and the one before"))
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
        let (kind, anchor, tag) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                (Kind::Scalar(self.scalar(&text, style, line, &path)), anchor, tag)
            }
            Event::SequenceStart(anchor, tag) => (self.list(&path, depth)?, anchor, tag),
            Event::MappingStart(anchor, tag) => (self.map(&path, depth)?, anchor, tag),
            Event::Alias(anchor) => return self.alias(anchor, line, path),
            _ => return Err(Problem::new(line, path, "not YAML: the document ends too early")),
        };
        if let Some(tag) = tag {
            self.problems.push(
                Problem::new(line, path, format!("tag `{}{}` is not supported", tag.handle, tag.suffix))
                    .hint("remove it"),
            );
        }
        let node = Node { line, kind, dead: false };
        if anchor > 0 {
            self.anchors.push((anchor, node.clone()));
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, line: usize, path: String) -> Result<Node, Problem> {
        let Some((_, node)) = self.anchors.iter().rev().find(|(number, _)| *number == anchor) else {
            return Err(Problem::new(line, path, "the alias stands for nothing that was written before it"));
        };
        let mut node = node.clone();
        node.line = line;
        self.nodes += count(&node);
        if self.nodes > MAX_NODES {
            return Err(Problem::new(line, path, "the document is too deep or too big"));
        }
        Ok(node)
    }

    fn list(&mut self, path: &str, depth: usize) -> Result<Kind, Problem> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(Kind::List(items));
            }
            items.push(self.node(event, span, format!("{path}[{}]", items.len()), depth + 1)?);
        }
    }

    fn map(&mut self, path: &str, depth: usize) -> Result<Kind, Problem> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let line = span.start.line().max(1);
            let key = match event {
                Event::MappingEnd => return Ok(Kind::Map(entries)),
                Event::Scalar(key, ..) => key.into_owned(),
                _ => {
                    return Err(Problem::new(line, path, "a key must be one word")
                        .hint("write `key: value`, with a space after the colon"));
                }
            };
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let (event, span) = self.next()?;
            let value = self.node(event, span, path.clone(), depth + 1)?;
            match entries.iter().find(|entry| entry.key == key) {
                Some(first) => self.problems.push(
                    Problem::new(line, path, "the key is written twice")
                        .hint(format!("first in line {}; keep one", first.line)),
                ),
                None => entries.push(Entry { key, line, value }),
            }
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, line: usize, path: &str) -> Scalar {
        let plain = matches!(style, ScalarStyle::Plain);
        let value = substitute(text, self.env).unwrap_or_else(|(what, hint)| {
            self.problems.push(Problem::new(line, path, what).hint(hint));
            text.to_owned()
        });
        Scalar { text: value, shown: text.to_owned(), plain }
    }
}

fn count(node: &Node) -> usize {
    1 + match &node.kind {
        Kind::Scalar(_) => 0,
        Kind::List(items) => items.iter().map(count).sum(),
        Kind::Map(entries) => entries.iter().map(|entry| count(&entry.value)).sum(),
    }
}

/// Puts variables in: `${NAME}`. `$${` stands for `${`. A variable's value is not looked into again.
fn substitute(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, (String, String)> {
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
        let (name, tail) = after
            .split_once('}')
            .ok_or_else(|| ("`${` without `}`".to_owned(), "write ${NAME}, or $${ for the characters ${".to_owned()))?;
        if !is_variable(name) {
            let hint = "a name has letters, digits and `_`; write $${ for the characters ${".to_owned();
            return Err((format!("`${{{name}}}` names no environment variable"), hint));
        }
        let value = env(name)
            .ok_or_else(|| (format!("environment variable {name} is not set"), format!("set it: export {name}=…")))?;
        out.push_str(&value);
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

fn is_variable(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> Option<String> {
        (name == "SET").then(|| "${x}".to_owned())
    }

    fn good(text: &str) -> Node {
        let mut problems = Vec::new();
        let node = parse(text, &env, &mut problems).unwrap();
        assert_eq!(problems, []);
        node
    }

    #[test]
    fn variables() {
        assert_eq!(substitute("a${SET}b", &env), Ok("a${x}b".into()));
        assert_eq!(substitute("$${SET}$", &env), Ok("${SET}$".into()));
        assert!(substitute("${UNSET}", &env).unwrap_err().0.contains("UNSET"));
        assert!(substitute("${a b}", &env).is_err());
        assert!(substitute("${", &env).is_err());
    }

    #[test]
    fn keys_and_comments_are_left_alone() {
        good("# ${UNSET}\n${UNSET}: 1\n");
    }

    #[test]
    fn all_double_keys_are_found() {
        let mut problems = Vec::new();
        parse("a: 1\na: 2\nb: {c: 1, c: 2}\n", &env, &mut problems).unwrap();
        assert_eq!(problems.iter().map(|problem| problem.path.as_str()).collect::<Vec<_>>(), ["a", "b.c"]);
    }

    #[test]
    fn bombs_do_not_go_off() {
        let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for n in 1..9 {
            let many = vec![format!("*a{}", n - 1); 10].join(",");
            text.push_str(&format!("a{n}: &a{n} [{many}]\n"));
        }
        let mut problems = Vec::new();
        assert!(parse(&text, &env, &mut problems).is_none());
        let deep = "[".repeat(100_000);
        assert!(parse(&deep, &env, &mut problems).is_none());
        assert!(parse("a: b: c", &env, &mut problems).is_none());
        assert!(parse("---\na: 1\n---\nb: 2\n", &env, &mut problems).is_none());
    }

    #[test]
    fn an_empty_file_is_an_empty_map() {
        assert_eq!(good("# nothing\n").kind, Kind::Map(Vec::new()));
    }
}
