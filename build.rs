//! Tells the program when it was built, for no clock is right that says less, and from which commit.

#![allow(clippy::print_stdout)] // how cargo is told

use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// Names the commit where the source comes without git, as in a container: `docker build --build-arg MASKWATCH_COMMIT=…`.
const COMMIT: &str = "MASKWATCH_COMMIT";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=Cargo.lock");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    // Who builds reproducibly says when: https://reproducible-builds.org/specs/source-date-epoch/
    let said = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse().ok());
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let built: u64 = said.unwrap_or_else(now);
    println!("cargo::rustc-env=MASKWATCH_BUILT={built}");

    println!("cargo::rerun-if-env-changed={COMMIT}");
    let named = std::env::var(COMMIT).ok().filter(|name| is_commit(name));
    let commit = named.or_else(checked_out).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env={COMMIT}={commit}");
}

/// A metric's label and nothing else: hexadecimal digits, and a word such as `-dirty`.
fn is_commit(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// The commit of this folder, where it is the top of a work tree and git is there. Cargo is told which files say so:
/// nothing is built again but where another commit is checked out.
fn checked_out() -> Option<String> {
    // Beside Cargo.toml, so that the source of a package inside somebody else's repository has no commit of that.
    if !Path::new(".git").exists() {
        return None;
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"]).filter(|name| is_commit(name))?;
    // HEAD changes with a checkout, its log with a commit, too, and its branch's file where there is no log. Git knows
    // where they are: a worktree has its HEAD apart from its branches. For a file that is absent cargo would build each time.
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    let files = ["HEAD", "logs/HEAD", "packed-refs"].map(str::to_owned).into_iter().chain(branch);
    for file in files.filter_map(|name| git(&["rev-parse", "--git-path", &name])) {
        if Path::new(&file).exists() {
            println!("cargo::rerun-if-changed={file}");
        }
    }
    Some(commit)
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
