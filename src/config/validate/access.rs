//! The users file, and the names of this machine.

use std::path::PathBuf;

use super::Check;
use crate::access::store;
use crate::config::plan::AccessPlan;
use crate::config::raw::RawConfig;

/// Most names of `http.hosts`.
const MOST_HOSTS: usize = 64;
/// Longest name of a host.
const LONGEST_HOST: usize = 253;

pub(super) fn plan(check: &mut Check, raw: &RawConfig) -> AccessPlan {
    AccessPlan { users_file: users_file(check, raw), hosts: hosts(check, raw) }
}

fn users_file(check: &mut Check, raw: &RawConfig) -> Option<PathBuf> {
    let path = check.path(raw.users_file.as_ref()?);
    if let Err(error) = store::read(&path) {
        check.problem(&["users_file".into()], error.to_string(), "");
    }
    Some(path)
}

fn hosts(check: &mut Check, raw: &RawConfig) -> Vec<String> {
    let written = raw.http.hosts.as_deref().unwrap_or_default();
    let at = |index: usize| ["http".into(), "hosts".into(), index.into()];
    if written.len() > MOST_HOSTS {
        check.problem(&["http".into(), "hosts".into()], format!("more than {MOST_HOSTS} names"), "name fewer");
    }
    for (index, host) in written.iter().enumerate() {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if host.is_empty() || host.len() > LONGEST_HOST || !host.chars().all(fits) {
            let said = check.tree.said(&at(index));
            let hint = "as a browser shows it, without scheme and port: cameras.example.org";
            check.problem(&at(index), format!("{said} is no name of a machine"), hint);
        }
    }
    written.iter().map(|host| host.trim_end_matches('.').to_ascii_lowercase()).collect()
}
