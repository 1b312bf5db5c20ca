//! Face crops in class folders.

use std::path::{Path, PathBuf};

use maskwatch_vision::face::MaskState;

use super::names;
use crate::cmd::Usage;

/// Names of files that are pictures; others in a class folder (notes, `Thumbs.db`) are not looked at.
const PICTURES: [&str; 5] = ["jpg", "jpeg", "png", "webp", "bmp"];

/// The pictures of all class folders of `root`, by class and name.
pub(super) fn load(root: &Path, mapping: &[(String, MaskState)]) -> Result<Vec<(PathBuf, MaskState)>, Usage> {
    let unreadable =
        |path: &Path, error: &std::io::Error| Usage(format!("{}: cannot be read: {error}", path.display()));
    let entries = |folder: &Path| -> Result<Vec<PathBuf>, Usage> {
        let list = std::fs::read_dir(folder).and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<Vec<_>>>()
        });
        let mut list = list.map_err(|error| unreadable(folder, &error))?;
        list.sort();
        Ok(list)
    };
    let mut found = Vec::new();
    for folder in entries(root)?.into_iter().filter(|path| path.is_dir() && !is_hidden(path)) {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(state) = names::state(&name, mapping) else {
            let text = format!("{}: folder {name:?} is no state ({})", root.display(), names::hint(&name));
            return Err(Usage(text));
        };
        found.extend(entries(&folder)?.into_iter().filter(|path| is_picture(path)).map(|path| (path, state)));
    }
    if found.is_empty() {
        let text = format!("{}: no pictures in folders named mask, incorrect or no_mask", root.display());
        return Err(Usage(text));
    }
    Ok(found)
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

fn is_picture(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    extension.is_some_and(|extension| PICTURES.contains(&extension.as_str())) && path.is_file() && !is_hidden(path)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn pictures_come_by_folder_and_name_and_the_rest_is_left() {
        let root = tempfile::tempdir().unwrap();
        for (folder, files) in [("with_mask", &["b.JPG", "a.png", "Thumbs.db", ".c.jpg"][..]), ("no_mask", &["d.bmp"])]
        {
            fs::create_dir(root.path().join(folder)).unwrap();
            for file in files {
                fs::write(root.path().join(folder).join(file), "").unwrap();
            }
        }
        fs::create_dir(root.path().join(".git")).unwrap();
        let error = load(root.path(), &[]).unwrap_err().to_string();
        assert!(error.contains("--map with_mask=STATE"), "{error}");
        let found = load(root.path(), &[("with_mask".to_owned(), MaskState::Mask)]).unwrap();
        let told: Vec<_> =
            found.iter().map(|(path, state)| (path.file_name().unwrap().to_str().unwrap(), *state)).collect();
        assert_eq!(told, [("d.bmp", MaskState::NoMask), ("a.png", MaskState::Mask), ("b.JPG", MaskState::Mask)]);
    }

    #[test]
    fn an_empty_or_missing_folder_is_refused() {
        let root = tempfile::tempdir().unwrap();
        assert!(load(root.path(), &[]).unwrap_err().to_string().contains("no pictures"));
        assert!(load(&root.path().join("absent"), &[]).unwrap_err().to_string().contains("cannot be read"));
    }
}
