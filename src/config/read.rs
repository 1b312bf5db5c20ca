//! From nodes to typed values, collecting every problem on the way.
//!
//! Serde stops at the first problem. So what it complains about is noted and taken out of the tree, and the rest is read
//! again, until nothing is left to complain about. One set of types thus serves reading, the schema and the messages.

use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use super::Problem;
use super::de::{De, DeError, UNKNOWN_KEY, VALUE};
use super::tree::{Node, Step};

/// So many problems are named at most: the file is no configuration then.
const MOST: usize = 200;

/// The typed values of what can be used. `None` where not even that exists: the document is no mapping.
pub(super) fn typed<T: DeserializeOwned>(tree: &mut Node, problems: &mut Vec<Problem>) -> Option<T> {
    for _ in 0..MOST {
        let error = match serde_path_to_error::deserialize::<_, T>(De(tree)) {
            Ok(raw) => return Some(raw),
            Err(error) => error,
        };
        let steps = steps(error.path());
        problems.push(problem(tree, &steps, error.into_inner()));
        if !tree.kill(&steps) {
            return None;
        }
    }
    None
}

fn problem(tree: &Node, steps: &[Step], error: DeError) -> Problem {
    let place = tree.place(steps);
    if error.what == UNKNOWN_KEY && tree.is_suspect(steps) {
        let parent = tree.place(&steps[..steps.len().saturating_sub(1)]);
        let what = "an unknown key behind a value without quotes: the rest of that value?";
        let meant = Some(error.hint).filter(|hint| hint.starts_with("did you mean"));
        let hint = meant.unwrap_or_else(|| "quote a value with a comma in it: '…'".to_owned());
        return Problem::new(place.line, parent.path, what).hint(hint);
    }
    let what = error.what.replace(VALUE, &tree.said(steps));
    Problem::new(place.line, place.path, what).hint(error.hint)
}

fn steps(path: &serde_path_to_error::Path) -> Vec<Step> {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Map { key } => Some(Step::Key(key.clone())),
            Segment::Seq { index } => Some(Step::Item(*index)),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}
