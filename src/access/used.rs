//! When tokens were used last: in the state folder, since the users file may lie where the service cannot write.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use tracing_mutex::parking_lot::Mutex;

use super::store;

/// The file's name in the state folder.
const FILE: &str = "tokens-used.json";
/// Version of the file's form.
const FORMAT: u64 = 1;
/// Most tokens in the file.
const MOST: usize = 2000;

#[derive(Default, Serialize, Deserialize)]
struct Content {
    format: u64,
    /// RFC 3339 by the SHA-256 of the token.
    used: BTreeMap<String, String>,
}

#[derive(Default)]
struct Held {
    used: BTreeMap<String, SystemTime>,
    /// Since it was written last.
    changed: bool,
    /// Whether the last write failed: said once.
    failing: bool,
}

/// Last uses, in memory and now and then on the disk.
pub(crate) struct Used {
    file: Option<PathBuf>,
    held: Mutex<Held>,
}

impl Used {
    /// `None`: in memory only.
    pub(crate) fn open(state_dir: Option<&Path>) -> Self {
        let file = state_dir.map(|folder| folder.join(FILE));
        let used = state_dir.map(read).unwrap_or_default();
        Self { file, held: Mutex::new(Held { used, ..Held::default() }) }
    }

    pub(crate) fn note(&self, sha256: &str, now: SystemTime) {
        let mut held = self.held.lock();
        held.changed = true;
        match held.used.get_mut(sha256) {
            Some(last) => *last = now,
            None => {
                if held.used.len() >= MOST
                    && let Some(oldest) = held.used.iter().min_by_key(|(_, time)| **time).map(|(key, _)| key.clone())
                {
                    held.used.remove(&oldest);
                }
                held.used.insert(sha256.to_owned(), now);
            }
        }
    }

    /// When it was used last, as far as is known.
    pub(crate) fn last(&self, sha256: &str) -> Option<SystemTime> {
        self.held.lock().used.get(sha256).copied()
    }

    /// Writes what has changed. A disk that refuses costs nothing but this knowledge; it is tried again.
    pub(crate) fn write(&self) {
        let Some(file) = &self.file else { return };
        let used = {
            let mut held = self.held.lock();
            if !std::mem::take(&mut held.changed) {
                return;
            }
            held.used.clone()
        };
        let used = used.into_iter().map(|(key, time)| (key, humantime::format_rfc3339_seconds(time).to_string()));
        let written = serde_json::to_vec_pretty(&Content { format: FORMAT, used: used.collect() })
            .map_err(std::io::Error::from)
            .and_then(|text| write_in(file, &text));
        let mut held = self.held.lock();
        match written {
            Ok(()) => held.failing = false,
            Err(error) => {
                held.changed = true;
                if !std::mem::replace(&mut held.failing, true) {
                    let file = file.display();
                    tracing::warn!(%error, "{file}: the last use of tokens cannot be written; it is tried again");
                }
            }
        }
    }
}

fn write_in(file: &Path, text: &[u8]) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    store::write(file, folder, text)
}

/// Last uses by the SHA-256 of tokens, as far as they can be read: knowledge, and nothing that access depends on.
pub(crate) fn read(state_dir: &Path) -> BTreeMap<String, SystemTime> {
    let text = std::fs::read(state_dir.join(FILE)).unwrap_or_default();
    let content: Content = serde_json::from_slice(&text).unwrap_or_default();
    let known = content.used.into_iter().filter(|_| content.format == FORMAT);
    known.filter_map(|(key, time)| Some((key, humantime::parse_rfc3339(&time).ok()?))).take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn last_uses_are_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_763_971_200);
        let used = Used::open(Some(&state));
        used.write();
        assert!(!state.exists(), "nothing was used");
        used.note("ab", time);
        used.write();
        assert_eq!(read(&state), BTreeMap::from([("ab".to_owned(), time)]));
        let again = Used::open(Some(&state));
        again.note("cd", time);
        again.write();
        assert_eq!(read(&state).len(), 2);
        std::fs::write(state.join(FILE), "{").unwrap();
        assert!(read(&state).is_empty());
        for n in 0..MOST + 10 {
            again.note(&n.to_string(), time + Duration::from_secs(n as u64));
        }
        assert_eq!(again.held.lock().used.len(), MOST);
    }
}
