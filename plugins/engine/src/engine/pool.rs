//! Tensors that are used again.

use tracing_mutex::parking_lot::Mutex;

/// Free input tensors of one length. Taking never waits: with none free, one is made. At most `keep` free ones are held;
/// those in use are bounded by their users (one waiting and one being written per camera, and one batch).
#[derive(Debug)]
pub(super) struct Pool {
    len: usize,
    keep: usize,
    free: Mutex<Vec<Vec<f32>>>,
}

impl Pool {
    pub(super) fn new(len: usize, keep: usize) -> Self {
        Self { len, keep, free: Mutex::new(Vec::with_capacity(keep)) }
    }

    /// A tensor with whatever values its last user left.
    pub(super) fn take(&self) -> Vec<f32> {
        let free = self.free.lock().pop();
        free.unwrap_or_else(|| vec![0.0; self.len])
    }

    pub(super) fn put(&self, tensor: Vec<f32>) {
        let mut free = self.free.lock();
        if free.len() < self.keep {
            free.push(tensor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pool;

    #[test]
    fn keeps_no_more_than_it_may() {
        let pool = Pool::new(4, 2);
        let taken: Vec<_> = (0..5).map(|_| pool.take()).collect();
        assert!(taken.iter().all(|tensor| tensor.len() == 4));
        taken.into_iter().for_each(|tensor| pool.put(tensor));
        assert_eq!(pool.free.lock().len(), 2);
    }
}
