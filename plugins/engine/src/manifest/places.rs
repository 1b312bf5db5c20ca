//! Where the fields of a manifest are, by the marks of a parser. The values themselves are read by `serde_yaml`, whose
//! values know no lines.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, StrInput};

/// The line of each field that is written.
#[derive(Debug, Default)]
pub(super) struct Places(BTreeMap<String, usize>);

impl Places {
    /// Of a text that `serde_yaml` has taken: so it is no deeper than that allows.
    pub(super) fn of(text: &str) -> Self {
        let mut reader = Reader { parser: Parser::new_from_str(text), places: Self::default() };
        // Where this parser does not go on, what it has read until then is known.
        let _ = reader.document();
        reader.places
    }

    /// Line, from 1, of a field such as `detection.classes[1]`; of what should hold it where it is not written. `None`
    /// where nothing is written at all.
    pub(super) fn line(&self, field: &str) -> Option<usize> {
        let parents = std::iter::successors(Some(field), |field| match field.rfind(['.', '[']) {
            Some(end) => Some(&field[..end]),
            None => (!field.is_empty()).then_some(""),
        });
        parents.into_iter().find_map(|field| self.0.get(field)).copied()
    }
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    places: Places,
}

impl<'a> Reader<'a> {
    /// The next event with its line; `None` at the end, and where the text is no YAML.
    fn next(&mut self) -> Option<(Event<'a>, usize)> {
        let (event, span) = self.parser.next_event()?.ok()?;
        Some((event, span.start.line()))
    }

    fn document(&mut self) -> Option<()> {
        loop {
            match self.next()? {
                (Event::StreamStart | Event::DocumentStart(_) | Event::Nothing, _) => {}
                (Event::StreamEnd, _) => return None,
                (event, line) => return self.node(event, line, String::new()),
            }
        }
    }

    /// Notes a node, and reads to its end. What an alias stands for is where it is written, and the alias where it is.
    fn node(&mut self, event: Event<'a>, line: usize, path: String) -> Option<()> {
        match event {
            Event::MappingStart(..) => self.mapping(&path)?,
            Event::SequenceStart(..) => self.list(&path)?,
            _ => {}
        }
        // A key has been noted before its value.
        self.places.0.entry(path).or_insert(line);
        Some(())
    }

    fn mapping(&mut self, path: &str) -> Option<()> {
        loop {
            let (event, line) = self.next()?;
            let key = match event {
                Event::MappingEnd => return Some(()),
                Event::Scalar(key, ..) => key.into_owned(),
                event => {
                    self.node(event, line, "?".to_owned())?;
                    "?".to_owned()
                }
            };
            let path = if path.is_empty() { key } else { format!("{path}.{key}") };
            self.places.0.entry(path.clone()).or_insert(line);
            let (event, line) = self.next()?;
            self.node(event, line, path)?;
        }
    }

    fn list(&mut self, path: &str) -> Option<()> {
        for index in 0.. {
            let (event, line) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                break;
            }
            self.node(event, line, format!("{path}[{index}]"))?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::Places;

    #[test]
    fn fields_have_the_lines_of_their_keys() {
        let text = "# name: no\nname: x # input: no\ndescription: |\n  input: no\n  name: no\ninput: { name: y, width: 3 }\n\
                    \"classification\":\n  # crop:\n  crop:\n    margin:\n      1\n  labels:\n  - a\n  - { b: 1,\n      c: 2 }\n";
        let places = Places::of(text);
        for (field, line) in [
            ("name", 2),
            ("description", 3),
            ("input.name", 6),
            ("input.width", 6),
            ("classification.crop.margin", 10),
            ("classification.labels[0]", 13),
            ("classification.labels[1].b", 14),
            ("classification.labels[1].c", 15),
            // Not written: where it belongs.
            ("classification.temperature", 7),
            ("classification.crop.margin.x", 10),
            ("classification.labels[7].b", 12),
            ("task", 2),
        ] {
            assert_eq!(places.line(field), Some(line), "{field}");
        }
    }

    #[test]
    fn aliases_nothing_and_what_is_no_yaml() {
        let places = Places::of("a: &one { b: 1 }\nc: *one\n? [d]\n: e\nf: 1\n");
        assert_eq!((places.line("a.b"), places.line("c.b"), places.line("f")), (Some(1), Some(2), Some(5)));
        assert_eq!(Places::of("").line("a"), None);
        assert_eq!(Places::of("a: 1\nb: [\n").line("a"), Some(1));
    }
}
