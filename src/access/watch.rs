//! Takes up a changed users file while the service runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tracing_mutex::parking_lot::Mutex;

use super::Access;
use super::audit::Deed;
use super::book::Book;
use super::store::{self, Mark, UsersError};
use super::token::Fingerprint;

/// How often the file is looked at: a removed user is out within this time.
pub(super) const LOOK: Duration = Duration::from_secs(1);
/// Looks between two times that the last use of tokens is written.
const LOOKS_PER_WRITE: u32 = 60;

/// The file, and how it was when it was read.
pub(super) struct UsersFile {
    path: PathBuf,
    mark: Mutex<Option<Mark>>,
    /// It was said that the disk does not give it.
    told: AtomicBool,
}

impl UsersFile {
    pub(super) fn open(path: &Path) -> Result<(Self, Book), UsersError> {
        // Before it is read: a change in between is seen at the next look.
        let mark = Mutex::new(Mark::now(path));
        let book = store::read(path)?;
        Ok((Self { path: path.to_owned(), mark, told: AtomicBool::new(false) }, book))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What the file holds now, where it is not what was read last.
    fn changed(&self) -> Option<Result<Book, UsersError>> {
        let now = Mark::now(&self.path);
        let mut mark = self.mark.lock();
        if now == *mark {
            return None;
        }
        let read = store::read(&self.path);
        // What the disk does not give now is asked for again, and told of once.
        let refused = matches!(read, Err(UsersError::Disk { .. }));
        if !refused {
            *mark = now;
        }
        let told = self.told.swap(refused, Ordering::AcqRel);
        (!(told && refused)).then_some(read)
    }
}

/// Looks until the last holder of `access` is gone.
pub(super) fn start(access: &Arc<Access>) -> std::io::Result<()> {
    let (access, stop) = (Arc::downgrade(access), access.stop.clone());
    std::thread::Builder::new().name("access".into()).spawn(move || {
        for look in 1u32.. {
            if stop.wait_timeout(LOOK) {
                return;
            }
            let Some(access) = access.upgrade() else { return };
            access.look();
            access.audit.keep(false);
            if look.is_multiple_of(LOOKS_PER_WRITE) {
                access.used.write();
            }
        }
    })?;
    Ok(())
}

impl Access {
    /// Takes up the users file if it has changed. What cannot be used changes nothing.
    pub(super) fn look(&self) {
        let _turn = self.desk.lock();
        self.look_in_turn(None);
    }

    /// The same for who has the turn. `told`: of whom the audit hears otherwise.
    pub(super) fn look_in_turn(&self, told: Option<&str>) {
        let Some(read) = self.rules().users.as_ref().and_then(UsersFile::changed) else { return };
        match read {
            Ok(book) => {
                self.metrics.users_file_ok(true);
                self.take_up(book, told);
            }
            Err(error) => {
                self.metrics.users_file_ok(false);
                tracing::error!("users_file: {error}; users and tokens stay as they were");
            }
        }
    }

    pub(super) fn take_up(&self, book: Book, told: Option<&str>) {
        let book = Arc::new(book);
        let before = std::mem::replace(&mut *self.book.write(), Arc::clone(&book));
        let deeds = deeds(&before, &book);
        if before == book {
            return;
        }
        self.weed_out();
        let deeds = deeds.into_iter().filter(|deed| told.is_none() || deed.who.as_deref() != told);
        deeds.for_each(|deed| self.audit.note(deed));
    }

    /// Sessions and streams end of all who are not who they were.
    pub(super) fn weed_out(&self) {
        self.attempts().sessions.retain(|owner| self.owner(owner).is_some());
        self.changes.send_replace(());
    }
}

/// What happened between two books.
fn deeds(before: &Book, after: &Book) -> Vec<Deed> {
    let of = |book: &Book| -> BTreeMap<String, (Fingerprint, String)> {
        let users = book.users.iter().map(|user| (user.name.clone(), (user.fingerprint(), user.role.to_string())));
        let tokens = book.tokens.iter();
        let tokens =
            tokens.map(|token| (format!("token:{}", token.name), (token.fingerprint(), token.role.to_string())));
        users.chain(tokens).collect()
    };
    let (before, after) = (of(before), of(after));
    let mut deeds = Vec::new();
    for (name, (fingerprint, role)) in &after {
        let (token, detail) = (name.starts_with("token:"), format!("{role}, seen in the users file"));
        match before.get(name) {
            None => deeds.push(Deed::new(if token { "token.added" } else { "user.added" }, Some(name), None, &detail)),
            Some((old, _)) if old != fingerprint => {
                let what = if token { "token.changed" } else { "user.changed" };
                deeds.push(Deed::new(what, Some(name), None, &detail));
            }
            Some(_) => {}
        }
    }
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        let what = if name.starts_with("token:") { "token.removed" } else { "user.removed" };
        deeds.push(Deed::new(what, Some(name), None, "seen in the users file"));
    }
    deeds
}
