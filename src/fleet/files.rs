//! Tells when the files of a configuration have changed.
//!
//! The system wakes it (inotify); what counts is what the files look like: editors that write a new file and rename it,
//! `git pull`, and a ConfigMap, whose link `..data` is swapped, all end in another look. It also looks by itself now and
//! then, for file systems that wake nobody. Several changes within a moment are one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, Sender, bounded};
use notify::Watcher;
use tracing_mutex::parking_lot::Mutex;

/// Files have to look the same for so long before they are read.
const QUIET: Duration = Duration::from_millis(250);
/// After so long they are read although they go on changing.
const RESTLESS: Duration = Duration::from_secs(2);
/// How often they are looked at without having been woken.
const LOOK: Duration = Duration::from_secs(5);

/// What a path looks like from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Look {
    /// Where links lead to.
    target: Option<PathBuf>,
    changed: Option<SystemTime>,
    length: u64,
    /// A folder's names.
    names: BTreeSet<std::ffi::OsString>,
}

impl Look {
    fn at(path: &Path) -> Self {
        let data = std::fs::metadata(path).ok();
        let names = data.as_ref().filter(|data| data.is_dir()).and_then(|_| std::fs::read_dir(path).ok());
        Self {
            target: path.canonicalize().ok(),
            changed: data.as_ref().filter(|data| data.is_file()).and_then(|data| data.modified().ok()),
            length: data.map_or(0, |data| if data.is_file() { data.len() } else { 0 }),
            names: names.into_iter().flatten().flatten().map(|entry| entry.file_name()).collect(),
        }
    }
}

/// What paths look like.
type Looks = BTreeMap<PathBuf, Look>;

fn look(paths: &BTreeSet<PathBuf>) -> Looks {
    paths.iter().map(|path| (path.clone(), Look::at(path))).collect()
}

/// What files looked like at a moment.
pub struct Seen(Looks);

/// A thread that watches files. Dropping it ends the thread.
pub struct Files {
    paths: Mutex<BTreeSet<PathBuf>>,
    known: Option<Sender<Looks>>,
    thread: Option<JoinHandle<()>>,
}

impl Files {
    /// Calls `changed` on a thread of its own after each change of one of `paths`, which may be files or folders.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn watch(paths: BTreeSet<PathBuf>, changed: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let (sender, receiver) = bounded(4);
        let known = look(&paths);
        let thread = std::thread::Builder::new()
            .name("config-files".into())
            .spawn(move || Eye::new(known).run(&receiver, &changed))?;
        Ok(Self { paths: Mutex::new(paths), known: Some(sender), thread: Some(thread) })
    }

    /// What the files look like now: to be asked before they are read.
    pub fn look(&self) -> Seen {
        let paths = self.paths.lock().clone();
        Seen(look(&paths))
    }

    /// The files have been read since `seen`, and these are watched from now on. What has changed since then is a change.
    pub fn set(&self, paths: BTreeSet<PathBuf>, seen: Seen) {
        let mut known = look(&paths);
        known.extend(seen.0.into_iter().filter(|(path, _)| paths.contains(path)));
        *self.paths.lock() = paths;
        if let Some(sender) = &self.known {
            sender.send(known).ok();
        }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        drop(self.known.take());
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

struct Eye {
    known: Looks,
    woken: Receiver<()>,
    wake: Sender<()>,
    /// `None`: the system wakes nobody.
    watcher: Option<notify::RecommendedWatcher>,
}

impl Eye {
    fn new(known: Looks) -> Self {
        // One wish to be woken is as good as many.
        let (wake, woken) = bounded(1);
        let mut eye = Self { known, woken, wake, watcher: None };
        eye.renew();
        eye
    }

    /// The folders are watched, not the files: those are replaced.
    fn renew(&mut self) {
        let wake = self.wake.clone();
        let watcher = notify::recommended_watcher(move |_| _ = wake.try_send(()));
        let mut watcher = match watcher {
            Ok(watcher) => watcher,
            Err(error) => return tracing::info!("changed files are found by looking only: {error}"),
        };
        for folder in folders(self.known.keys()) {
            if let Err(error) = watcher.watch(&folder, notify::RecursiveMode::NonRecursive) {
                tracing::debug!(folder = %folder.display(), "not watched, looked at now and then: {error}");
            }
        }
        self.watcher = Some(watcher);
    }

    fn run(mut self, known: &Receiver<Looks>, changed: &dyn Fn()) {
        let mut restless: Option<(Instant, Instant, Looks)> = None;
        loop {
            let limit = if restless.is_some() { QUIET / 4 } else { LOOK };
            crossbeam_channel::select! {
                recv(known) -> known => match known {
                    Ok(known) => {
                        let others = !known.keys().eq(self.known.keys());
                        self.known = known;
                        if others {
                            self.renew();
                        }
                    }
                    Err(_) => return,
                },
                recv(self.woken) -> _ => {}
                default(limit) => {}
            }
            let now = Instant::now();
            let seen: Looks = self.known.keys().map(|path| (path.clone(), Look::at(path))).collect();
            restless = match restless.take() {
                None if seen == self.known => None,
                None => Some((now, now, seen)),
                Some((since, _, before)) if before != seen => Some((since, now, seen)),
                waiting => waiting,
            };
            if let Some((since, last, seen)) = &restless
                && (now - *last >= QUIET || now - *since >= RESTLESS)
            {
                self.known.clone_from(seen);
                restless = None;
                changed();
            }
        }
    }
}

/// The folders in which changes show, those that links lead to included.
fn folders<'a>(paths: impl Iterator<Item = &'a PathBuf> + Clone) -> BTreeSet<PathBuf> {
    let folder = |path: &Path| {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        if path.is_dir() { path.to_path_buf() } else { parent.unwrap_or(Path::new(".")).to_path_buf() }
    };
    let targets = paths.clone().filter_map(|path| path.canonicalize().ok());
    paths.cloned().chain(targets).map(|path| folder(&path)).filter(|folder| folder.is_dir()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_renames_and_swapped_links_are_one_change_each() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        // As a ConfigMap is mounted.
        for (version, text) in [("..1", "a"), ("..2", "b")] {
            std::fs::create_dir(at(version)).unwrap();
            std::fs::write(at(version).join("c.yaml"), text).unwrap();
        }
        std::os::unix::fs::symlink("..1", at("..data")).unwrap();
        std::os::unix::fs::symlink("..data/c.yaml", at("c.yaml")).unwrap();
        std::fs::write(at("d.yaml"), "1").unwrap();
        let (tell, told) = bounded(16);
        let paths = BTreeSet::from([at("c.yaml"), at("d.yaml")]);
        let files = Files::watch(paths, move || tell.send(()).unwrap()).unwrap();
        let once = |what: &str| {
            told.recv_timeout(Duration::from_secs(30)).expect(what);
            assert!(told.recv_timeout(3 * QUIET).is_err(), "{what}: once");
        };
        assert!(told.recv_timeout(2 * QUIET).is_err(), "nothing has changed");
        for round in 0..5 {
            std::fs::write(at("d.yaml"), format!("{round}{round}")).unwrap();
        }
        once("several writes");
        std::fs::write(at("d.new"), "another").unwrap();
        std::fs::rename(at("d.new"), at("d.yaml")).unwrap();
        once("written beside and renamed");
        std::os::unix::fs::symlink("..2", at("..new")).unwrap();
        std::fs::rename(at("..new"), at("..data")).unwrap();
        once("a link swapped");
        let seen = files.look();
        files.set(BTreeSet::from([at("c.yaml"), folder.path().to_path_buf()]), seen);
        assert!(told.recv_timeout(2 * QUIET).is_err(), "other paths are no change");
        std::fs::write(at("e.yaml"), "").unwrap();
        once("a file more in a folder");
        let (seen, paths) = (files.look(), BTreeSet::from([at("d.yaml")]));
        std::fs::write(at("d.yaml"), "while it was read").unwrap();
        files.set(paths, seen);
        assert!(told.recv_timeout(3 * QUIET).is_err(), "d.yaml was not watched before");
        let seen = files.look();
        std::fs::write(at("d.yaml"), "while it was read again").unwrap();
        files.set(BTreeSet::from([at("d.yaml")]), seen);
        once("changed while it was read");
    }
}
