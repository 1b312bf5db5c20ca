//! Merge keys: `<<: *base`, `<<: [*base, *more]`.

use super::{Entry, Kind, Node};
use crate::config::Problem;

/// The key, where it is not quoted.
pub(super) const KEY: &str = "<<";

/// Puts what a merge key names behind the keys of its mapping: those win, and of several mappings the first. What comes
/// from elsewhere keeps its line.
pub(super) fn merge(entries: &mut Vec<Entry>, named: Node, path: &str, problems: &mut Vec<Problem>) {
    let line = named.line;
    let sources = match named.kind {
        Kind::List(items) => items,
        kind => vec![Node { kind, ..named }],
    };
    for source in sources {
        let Kind::Map(merged) = source.kind else {
            let hint = "write an alias of one, such as <<: *base, or a list of such";
            problems.push(Problem::new(line, path, "`<<` takes mappings alone").hint(hint));
            return;
        };
        for entry in merged {
            if entries.iter().all(|own| own.key != entry.key) {
                entries.push(entry);
            }
        }
    }
}
