//! Configuration: from the YAML file to a checked [`Plan`].
//!
//! The way of a file: `tree` parses the text into nodes that know their lines and puts environment variables into
//! values; `read` gives them their types ([`raw`]); `validate` checks everything else and fills in the defaults.
//! Each step collects all problems that it can find, so that one run of `maskwatch check` names them all. Nothing here
//! opens a socket or a camera.

mod de;
pub mod plan;
pub mod problem;
pub mod raw;
mod read;
pub mod schema;
pub mod secret;
mod text;
mod tree;
mod validate;

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

pub use plan::Plan;
pub use problem::{ConfigError, Problem};

/// What a configuration is read with, apart from its text.
pub struct Surroundings<'a> {
    /// The file's name, for messages.
    pub file: PathBuf,
    /// Folder that relative paths in the file start from.
    pub folder: PathBuf,
    /// Environment variables.
    pub env: &'a dyn Fn(&str) -> Option<String>,
}

/// Reads and checks a file, with the process's environment.
///
/// # Errors
/// All problems found, each with file, line, path and hint.
pub fn load(file: &Path) -> Result<Plan, ConfigError> {
    let bytes = std::fs::read(file).map_err(|error| ConfigError::unreadable(file, &error))?;
    let text = text::decode(&bytes).map_err(|text::NoText { line }| {
        let problem = Problem::new(line, "", "not text in UTF-8").hint("save the file as UTF-8");
        ConfigError::new(file.to_path_buf(), vec![problem])
    })?;
    let folder = file.parent().map(Path::to_path_buf).unwrap_or_default();
    let env = |name: &str| std::env::var(name).ok();
    parse(&text, &Surroundings { file: file.to_path_buf(), folder, env: &env })
}

/// The same for the same text, and for no other.
fn version(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// Checks a text.
///
/// # Errors
/// All problems found, each with file, line, path and hint.
pub fn parse(text: &str, surroundings: &Surroundings) -> Result<Plan, ConfigError> {
    let mut problems = Vec::new();
    let plan = tree::parse(text, surroundings.env, &mut problems).and_then(|mut tree| {
        let raw = read::typed(&mut tree, &mut problems)?;
        Some(validate::plan(&raw, &tree, surroundings, &mut problems))
    });
    match plan {
        Some(plan) if problems.is_empty() => Ok(Plan { version: version(text), ..plan }),
        _ => Err(ConfigError::new(surroundings.file.clone(), problems)),
    }
}
