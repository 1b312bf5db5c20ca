//! What the disk said first: redb tells it once, and afterwards only that there was an error before.

use std::io::Error;
use std::ops::Bound;
use std::sync::Arc;

use redb::{BackendError, StorageBackend};
use tracing_mutex::parking_lot::{Mutex, MutexGuard};

use super::error::is_content;

/// The first error of a file's disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble(Arc<Mutex<Option<Error>>>);

impl Trouble {
    pub(super) fn clear(&self) {
        *self.lock() = None;
    }

    pub(super) fn take(&self) -> Option<Error> {
        self.lock().take()
    }

    /// Keeps a copy of the error, unless it speaks of the content.
    fn note<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        result.inspect_err(|error| {
            if !is_content(error) {
                let copy = error.raw_os_error().map_or_else(|| Error::from(error.kind()), Error::from_raw_os_error);
                self.lock().get_or_insert(copy);
            }
        })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Error>> {
        self.0.lock()
    }
}

/// A file whose errors are known.
#[derive(Debug)]
pub(super) struct Watched {
    inner: Box<dyn StorageBackend>,
    trouble: Trouble,
}

impl Watched {
    pub(super) fn new(inner: Box<dyn StorageBackend>, trouble: &Trouble) -> Self {
        Self { inner, trouble: trouble.clone() }
    }
}

impl StorageBackend for Watched {
    fn len(&self) -> Result<u64, Error> {
        self.trouble.note(self.inner.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        self.trouble.note(self.inner.read(offset, out))
    }

    fn set_len(&self, len: u64) -> Result<(), Error> {
        self.trouble.note(self.inner.set_len(len))
    }

    fn sync_data(&self) -> Result<(), Error> {
        self.trouble.note(self.inner.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        self.trouble.note(self.inner.write(offset, data))
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
