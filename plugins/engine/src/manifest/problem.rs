//! Problems of a manifest, said with file, line, field and hint.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// One thing wrong in a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line in the file, from 1, where known.
    pub line: Option<usize>,
    /// Path of the field in the document, such as `detection.nms_iou`; empty for the document itself.
    pub field: String,
    /// What is wrong.
    pub cause: String,
    /// What to do.
    pub hint: String,
}

/// Why a model's manifest or file cannot be used. Displayed as one line for each problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError {
    /// The manifest.
    pub file: PathBuf,
    /// At least one.
    pub problems: Vec<Problem>,
}

impl ManifestError {
    /// An error of one problem with no known line.
    pub(crate) fn one(file: &Path, field: &str, cause: impl Into<String>, hint: impl Into<String>) -> Self {
        let problem = Problem { line: None, field: field.into(), cause: cause.into(), hint: hint.into() };
        Self { file: file.into(), problems: vec![problem] }
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}", self.file.display())?;
            if let Some(line) = problem.line {
                write!(f, ":{line}")?;
            }
            if !problem.field.is_empty() {
                write!(f, ": {}", problem.field)?;
            }
            write!(f, ": {}; hint: {}", problem.cause, problem.hint)?;
        }
        Ok(())
    }
}

impl std::error::Error for ManifestError {}

/// Line (from 1) of the field `path` (`a.b.c`) in a YAML text: the first `c:` after the first `b:` after the first `a:`.
/// Numbers in the path (list places) are skipped. Good enough to point a person; `None` where it is not found.
pub(crate) fn line_of(text: &str, path: &str) -> Option<usize> {
    let lines: Vec<&str> = text.lines().collect();
    let mut at = 0;
    let mut found = None;
    for key in path.split('.').filter(|key| !key.is_empty() && !key.bytes().all(|byte| byte.is_ascii_digit())) {
        let offset = lines.get(at..)?.iter().position(|line| has_key(line, key))?;
        found = Some(at + offset + 1);
        // The next key may stand on the same line: `input: { name: x }`.
        at += offset;
    }
    found
}

/// Whether the line holds `key:` as a key, in block or in flow style, outside of a comment.
fn has_key(line: &str, key: &str) -> bool {
    let code = line.split('#').next().unwrap_or_default();
    code.match_indices(key).any(|(start, _)| {
        let before = code[..start].trim_end();
        let after = code[start + key.len()..].trim_start();
        (before.is_empty() || before.ends_with(['{', ',', '-'])) && after.starts_with(':')
    })
}

#[cfg(test)]
mod tests {
    use super::line_of;

    #[test]
    fn finds_block_and_flow_keys_and_skips_comments() {
        let text =
            "name: x # input: no\ninput: { name: y, width: 3 }\nclassification:\n  # crop:\n  crop:\n    margin: 1\n";
        assert_eq!(line_of(text, "name"), Some(1));
        assert_eq!(line_of(text, "input.width"), Some(2));
        assert_eq!(line_of(text, "classification.crop.margin"), Some(6));
        assert_eq!(line_of(text, "classification.labels"), None);
    }
}
