//! What is wrong with a configuration.

use std::fmt;
use std::path::{Path, PathBuf};

/// One problem, at a place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
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
        Self { line, path: path.into(), what: what.into(), hint: String::new() }
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
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}:{problem}", self.file.display())?;
        }
        Ok(())
    }
}
