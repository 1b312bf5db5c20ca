//! Configuration: from the YAML file to a checked [`Plan`].
//!
//! The way of a file: `tree` parses the text into nodes that know their lines and puts environment variables into
//! values; `read` gives them their types ([`raw`]); `validate` checks everything else and fills in the defaults.
//! Cameras may be in files of their own, which `include` reads the same way. Each step collects all problems that it can
//! find, so that one run of `maskwatch check` names them all. Nothing here opens a socket or a camera.

mod de;
mod include;
pub mod plan;
pub mod problem;
pub mod raw;
mod read;
pub mod schema;
pub mod secret;
mod text;
mod tree;
mod validate;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use include::Included;
pub(crate) use include::OURS;
pub use plan::Plan;
pub use problem::{ConfigError, Problem};
pub(crate) use validate::is_name;

/// What a configuration is read with, apart from its text.
pub struct Surroundings<'a> {
    /// The file's name, for messages.
    file: PathBuf,
    /// Folder that relative paths in the file start from.
    folder: PathBuf,
    /// Environment variables.
    env: &'a dyn Fn(&str) -> Option<String>,
    /// Files and folders that were looked at.
    looked_at: RefCell<BTreeSet<PathBuf>>,
    /// What was found that refuses nothing.
    warnings: RefCell<Vec<Problem>>,
    /// An included file as it would be; `None`: taken away.
    instead: Option<(PathBuf, Option<String>)>,
}

impl<'a> Surroundings<'a> {
    /// `file`: its name, for messages; `folder`: where relative paths in it start; `env`: gives environment variables.
    pub fn new(file: impl Into<PathBuf>, folder: impl Into<PathBuf>, env: &'a dyn Fn(&str) -> Option<String>) -> Self {
        let (looked_at, warnings) = (RefCell::default(), RefCell::default());
        Self { file: file.into(), folder: folder.into(), env, looked_at, warnings, instead: None }
    }

    fn note(&self, path: &Path) {
        self.looked_at.borrow_mut().insert(path.to_path_buf());
    }
}

/// A configuration as it was read.
pub struct Loaded {
    /// The plan, or what is wrong.
    pub plan: Result<Plan, ConfigError>,
    /// Files and folders that it depends on: the file itself, those included with their folder, and those with passwords.
    pub depends_on: BTreeSet<PathBuf>,
    /// What its author should know, though it refuses nothing: a key that has no effect any more.
    pub warnings: Vec<Problem>,
}

/// Reads and checks a file, with the process's environment.
///
/// # Errors
/// All problems found, each with file, line, path and hint.
pub fn load(file: &Path) -> Result<Plan, ConfigError> {
    load_all(file).plan
}

/// The same, and what it depends on. Warnings go to the log, too.
pub fn load_all(file: &Path) -> Loaded {
    let loaded = load_instead(file, None);
    for warning in &loaded.warnings {
        tracing::warn!("{}", warning.line_of(file));
    }
    loaded
}

/// The same as if an included file had another text, or (`None`) were not there.
pub fn load_instead(file: &Path, instead: Option<(PathBuf, Option<String>)>) -> Loaded {
    let env = |name: &str| std::env::var(name).ok();
    let folder = file.parent().map(Path::to_path_buf).unwrap_or_default();
    let surroundings = Surroundings { instead, ..Surroundings::new(file, folder, &env) };
    surroundings.note(file);
    let plan = read_text(file).and_then(|text| parse(&text, &surroundings));
    let (looked_at, warnings) = (surroundings.looked_at, surroundings.warnings);
    Loaded { plan, depends_on: looked_at.into_inner(), warnings: warnings.into_inner() }
}

fn read_text(file: &Path) -> Result<String, ConfigError> {
    let bytes = std::fs::read(file).map_err(|error| ConfigError::unreadable(file, &error))?;
    let text = text::decode(&bytes).map_err(|text::NoText { line }| {
        let problem = Problem::new(line, "", "not text in UTF-8").hint("save the file as UTF-8");
        ConfigError::new(file.to_path_buf(), vec![problem])
    })?;
    Ok(text.into_owned())
}

/// Where users and tokens are, as a file says it that need not be good otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct UsersPlace {
    /// The users file, which need not be there.
    pub users_file: Option<PathBuf>,
    /// The state folder.
    pub state_dir: PathBuf,
}

/// Reads of a file only where users and tokens are: so that the first user can be added before there is a users file.
///
/// # Errors
/// The file cannot be read, or is no YAML.
pub fn users_place(file: &Path) -> Result<UsersPlace, ConfigError> {
    let text = read_text(file)?;
    let env = |name: &str| std::env::var(name).ok();
    let folder = file.parent().map(Path::to_path_buf).unwrap_or_default();
    let surroundings = Surroundings::new(file, folder, &env);
    let mut problems = Vec::new();
    let place = tree::parse(&text, &env, &mut problems).and_then(|mut tree| {
        let raw: raw::RawConfig = read::typed(&mut tree, &mut problems)?;
        Some(validate::users_place(&raw, &tree, &surroundings))
    });
    place.ok_or_else(|| ConfigError::new(file.to_path_buf(), problems))
}

/// The same for the same texts, and for no others.
fn version<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut digest = Sha256::new();
    for (index, text) in texts.into_iter().enumerate() {
        if index > 0 {
            digest.update([0]); // a character of no text
        }
        digest.update(text.as_bytes());
    }
    digest.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// Checks a text, and the files that it includes.
///
/// # Errors
/// All problems found, each with file, line, path and hint.
pub fn parse(text: &str, surroundings: &Surroundings) -> Result<Plan, ConfigError> {
    let mut problems = Vec::new();
    let plan = tree::parse(text, surroundings.env, &mut problems).and_then(|mut tree| {
        let raw: raw::RawConfig = read::typed(&mut tree, &mut problems)?;
        let included = included(&raw, &tree, surroundings, &mut problems);
        let version = version(std::iter::once(text).chain(included.iter().map(|included| included.text.as_str())));
        let plan = validate::plan(&raw, &tree, &included, surroundings, &mut problems);
        Some(Plan { version, include: raw.include.clone(), ..plan })
    });
    match plan {
        Some(plan) if problems.is_empty() => Ok(plan),
        _ => Err(ConfigError::new(surroundings.file.clone(), problems)),
    }
}

fn included(
    raw: &raw::RawConfig,
    tree: &tree::Node,
    surroundings: &Surroundings,
    problems: &mut Vec<Problem>,
) -> Vec<Included> {
    let Some(pattern) = &raw.include else { return Vec::new() };
    include::read(pattern, surroundings, problems).unwrap_or_else(|(what, hint)| {
        let place = tree.place(&["include".into()]);
        problems.push(Problem::new(place.line, place.path, what).hint(hint));
        Vec::new()
    })
}
