//! Cameras in files of their own: `include: cameras.d/*.yaml`.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::raw::RawCamera;
use super::tree::{Node, Step};
use super::{Problem, Surroundings, read, text, tree};

/// First line of a file that the API wrote.
pub(crate) const OURS: &str = "# Written by Maskwatch's API, which will write it again: changes by hand are lost.\n";

/// Cameras of one file.
pub(super) struct Included {
    pub(super) file: PathBuf,
    pub(super) tree: Node,
    /// Each with its place in the tree.
    pub(super) cameras: Vec<(Vec<Step>, RawCamera)>,
    /// Its text, for the version.
    pub(super) text: String,
}

impl Included {
    /// Whether the API wrote it.
    pub(super) fn is_ours(&self) -> bool {
        self.text.starts_with(OURS)
    }
}

/// A file with several cameras.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawCameras {
    cameras: Vec<RawCamera>,
}

/// Reads the files that a pattern names, in the order of their names.
///
/// # Errors
/// What is wrong with the pattern, and what to do about it.
pub(super) fn read(
    pattern: &str,
    surroundings: &Surroundings,
    problems: &mut Vec<Problem>,
) -> Result<Vec<Included>, (String, &'static str)> {
    let mut files = files(pattern, &surroundings.folder)?;
    if let Some((file, text)) = &surroundings.instead {
        files.retain(|other| other != file);
        files.extend(text.is_some().then(|| file.clone()));
        files.sort();
    }
    let folder = surroundings.folder.join(pattern);
    surroundings.note(folder.parent().unwrap_or(Path::new("")));
    Ok(files.into_iter().filter_map(|file| read_one(file, surroundings, problems)).collect())
}

fn files(pattern: &str, folder: &Path) -> Result<Vec<PathBuf>, (String, &'static str)> {
    const EXAMPLE: &str = "such as cameras.d/*.yaml";
    let whole = Path::new(&glob::Pattern::escape(&folder.to_string_lossy())).join(pattern);
    // Files that editors and the API put beside others for a moment begin with a dot.
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::default() };
    let found = glob::glob_with(&whole.to_string_lossy(), options);
    let found = found.map_err(|error| (format!("not a pattern: {error}"), EXAMPLE))?;
    let mut files = Vec::new();
    for file in found {
        files.push(file.map_err(|error| (format!("cannot be looked through: {error}"), "check the folder's mode"))?);
    }
    files.retain(|file| !file.is_dir());
    if files.is_empty() && !pattern.contains(['*', '?', '[']) {
        return Err(("there is no such file".to_owned(), EXAMPLE));
    }
    files.sort();
    Ok(files)
}

fn read_one(file: PathBuf, surroundings: &Surroundings, problems: &mut Vec<Problem>) -> Option<Included> {
    surroundings.note(&file);
    let mut own = Vec::new();
    let read = parse(&file, surroundings, &mut own);
    problems.extend(own.into_iter().map(|problem| problem.within(&file)));
    let (tree, cameras, text) = read?;
    Some(Included { file, tree, cameras, text })
}

type Parsed = (Node, Vec<(Vec<Step>, RawCamera)>, String);

fn parse(file: &Path, surroundings: &Surroundings, problems: &mut Vec<Problem>) -> Option<Parsed> {
    let instead = surroundings.instead.as_ref().filter(|(other, _)| other == file).and_then(|(_, text)| text.clone());
    let bytes = match instead.map_or_else(|| std::fs::read(file), |text| Ok(text.into_bytes())) {
        Ok(bytes) => bytes,
        Err(error) => {
            problems.push(Problem::new(1, "", format!("cannot be read: {error}")));
            return None;
        }
    };
    let text = match text::decode(&bytes) {
        Ok(text) => text.into_owned(),
        Err(text::NoText { line }) => {
            problems.push(Problem::new(line, "", "not text in UTF-8").hint("save the file as UTF-8"));
            return None;
        }
    };
    // An empty file is one that somebody is about to write, or has emptied to take its cameras out.
    if text.trim().is_empty() {
        return None;
    }
    let mut tree = tree::parse(&text, surroundings.env, problems)?;
    let cameras = if tree.has_key("cameras") {
        let RawCameras { cameras } = read::typed(&mut tree, problems)?;
        cameras.into_iter().enumerate().map(|(index, camera)| (vec!["cameras".into(), index.into()], camera)).collect()
    } else {
        vec![(Vec::new(), read::typed::<RawCamera>(&mut tree, problems)?)]
    };
    Some((tree, cameras, text))
}
