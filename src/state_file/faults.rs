//! A disk that fills up at the n-th write, or gives nothing, and is well again later.

use std::io::{Error, ErrorKind};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

const NEVER: u64 = u64::MAX;

/// When the disk fails; shared by its files.
#[derive(Clone, Debug)]
pub(crate) struct Faults {
    steps: Arc<AtomicU64>,
    unreadable: Arc<AtomicBool>,
}

impl Default for Faults {
    fn default() -> Self {
        Self { steps: Arc::new(AtomicU64::new(NEVER)), unreadable: Arc::default() }
    }
}

impl Faults {
    /// So many more writes, changes of length and syncs succeed, and then none.
    pub(crate) fn after(&self, steps: u64) {
        self.steps.store(steps, Ordering::SeqCst);
    }

    /// Nothing can be read any more.
    pub(crate) fn give_nothing(&self) {
        self.unreadable.store(true, Ordering::SeqCst);
    }

    /// All is well again.
    pub(crate) fn heal(&self) {
        self.steps.store(NEVER, Ordering::SeqCst);
        self.unreadable.store(false, Ordering::SeqCst);
    }

    fn step(&self) -> Result<(), Error> {
        let left = |left: u64| if left == NEVER { None } else { Some(left.saturating_sub(1)) };
        match self.steps.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left) {
            Ok(0) => Err(ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }
}

/// A file of this disk.
#[derive(Debug)]
pub(super) struct Faulty {
    inner: FileBackend,
    faults: Faults,
}

impl Faulty {
    pub(super) fn new(inner: FileBackend, faults: Faults) -> Self {
        Self { inner, faults }
    }
}

impl StorageBackend for Faulty {
    fn len(&self) -> Result<u64, Error> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        if self.faults.unreadable.load(Ordering::SeqCst) {
            return Err(Error::other("input/output error"));
        }
        self.inner.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), Error> {
        self.faults.step()?;
        self.inner.set_len(len)
    }

    fn sync_data(&self) -> Result<(), Error> {
        self.faults.step()?;
        self.inner.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        if let Err(error) = self.faults.step() {
            // A part of it finds room.
            self.inner.write(offset, &data[..data.len() / 2])?;
            return Err(error);
        }
        self.inner.write(offset, data)
    }

    fn close(&self) -> Result<(), Error> {
        self.inner.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.query_lock_range(start, end)
    }
}
