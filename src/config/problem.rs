//! What is wrong with a configuration.

use std::fmt;
use std::path::{Path, PathBuf};

/// One problem, at a place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file, where it is not the one that was named: an included one.
    pub file: Option<PathBuf>,
    /// Line in the file, from 1.
    pub line: usize,
    /// Path in the document, such as `cameras[2].url`; empty for the document itself.
    pub path: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it; may be empty.
    pub hint: String,
}

impl Problem {
    /// A problem without a hint.
    pub fn new(line: usize, path: impl Into<String>, what: impl Into<String>) -> Self {
        Self { file: None, line, path: path.into(), what: what.into(), hint: String::new() }
    }

    /// The same in an included file.
    pub fn within(self, file: &Path) -> Self {
        Self { file: Some(file.to_path_buf()), ..self }
    }

    /// The problem with its file; `main`: the one that was named.
    pub fn line_of(&self, main: &Path) -> String {
        format!("{}:{self}", self.file.as_deref().unwrap_or(main).display())
    }

    /// The same with a hint.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.line)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.what)?;
        if self.hint.is_empty() { Ok(()) } else { write!(f, " ({})", self.hint) }
    }
}

/// A configuration that cannot be used: every problem found, by line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    file: PathBuf,
    problems: Vec<Problem>,
    unreadable: Option<String>,
}

impl ConfigError {
    pub(super) fn new(file: PathBuf, mut problems: Vec<Problem>) -> Self {
        problems.sort();
        problems.dedup();
        Self { file, problems, unreadable: None }
    }

    pub(super) fn unreadable(file: &Path, error: &std::io::Error) -> Self {
        Self { file: file.to_path_buf(), problems: Vec::new(), unreadable: Some(error.to_string()) }
    }

    /// What is wrong, a line a problem, each with its file.
    pub fn lines(&self) -> Vec<String> {
        if self.unreadable.is_some() {
            return vec![self.to_string()];
        }
        self.problems.iter().map(|problem| problem.line_of(&self.file)).collect()
    }

    /// The problems; empty where the file could not be read.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(error) = &self.unreadable {
            return write!(
                f,
                "{}: cannot be read: {error} (name the file with `-c FILE`; `maskwatch demo` needs none)",
                self.file.display()
            );
        }
        let lines: Vec<String> = self.problems.iter().map(|problem| problem.line_of(&self.file)).collect();
        f.write_str(&lines.join("\n"))
    }
}
