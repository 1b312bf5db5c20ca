//! Photos and footage that are no part of the repository: tests that want them run where they lie and say so where
//! they don't.

use std::path::PathBuf;

/// Folder of the shared data: `MASKWATCH_DATA`, else beside the checkout.
pub fn folder() -> Option<PathBuf> {
    let beside: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "shared", "data"].iter().collect();
    let folder = std::env::var_os("MASKWATCH_DATA").map_or(beside, PathBuf::from);
    folder.is_dir().then_some(folder)
}

/// A file or folder of the shared data; prints why the test is skipped when it isn't there.
pub fn find(path: &str) -> Option<PathBuf> {
    let found = folder().map(|folder| folder.join(path)).filter(|path| path.exists());
    if found.is_none() {
        eprintln!("skipped: no {path} in the shared data; set MASKWATCH_DATA to its folder");
    }
    found
}
