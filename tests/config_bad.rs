//! Every file under `tests/config/bad` is refused with exactly the text of the `.txt` beside it.
//!
//! After a deliberate change of a message, write the texts anew: `MASKWATCH_BLESS=1 cargo test --test config_bad`, and
//! read the difference.

// Helpers outside of test functions fail by panicking too.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use maskwatch::config::{self, Surroundings};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The problems of a file, with the folder's path taken out.
fn problems_of(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let env = |name: &str| (name == "MASKWATCH_TEST_HOST").then(|| "10.0.0.22".to_owned());
    let name = PathBuf::from(file.file_name().unwrap());
    let folder = file.parent().unwrap().to_path_buf();
    let error = config::parse(&text, &Surroundings::new(name, folder, &env)).expect_err(&text);
    // Which models are installed is not the matter here.
    let text = error.to_string().replace(&format!("{}/", root().display()), "");
    let lines = text.lines().map(|line| match line.split_once("(installed: ") {
        Some((before, _)) => format!("{before}(installed: …)"),
        None => line.to_owned(),
    });
    lines.map(|line| line + "\n").collect()
}

fn files() -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(root().join("tests/config/bad"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    assert!(files.len() > 15, "{files:?}");
    files
}

#[test]
fn every_known_bad_file_gets_its_message() {
    let bless = std::env::var_os("MASKWATCH_BLESS").is_some();
    let mut failures = Vec::new();
    for file in files() {
        let expected_file = file.with_extension("txt");
        let got = problems_of(&file);
        if bless {
            fs::write(&expected_file, &got).unwrap();
        }
        let expected = fs::read_to_string(&expected_file).unwrap_or_default();
        if got != expected {
            failures.push(format!("{}\n--- expected\n{expected}--- got\n{got}", file.display()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_problem_has_its_file_line_and_path() {
    for file in files() {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        for line in problems_of(&file).lines() {
            let rest = line.strip_prefix(&format!("{name}:")).unwrap_or_else(|| panic!("{line}"));
            let (number, _) = rest.split_once(':').unwrap_or_else(|| panic!("{line}"));
            assert!(number.parse::<usize>().is_ok_and(|number| number > 0), "{line}");
        }
    }
}

#[test]
fn passwords_are_never_repeated() {
    for file in files() {
        let got = problems_of(&file);
        for secret in ["hunter2", "ter2", "secret\n"] {
            assert!(!got.contains(secret), "{}: {got}", file.display());
        }
    }
}
