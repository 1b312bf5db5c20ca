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
