//! Bitmaps by what they show. Bounded: the least recently used half goes when it is full.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use super::Bitmap;

/// The cache of one painter.
#[derive(Debug)]
pub(crate) struct Cache<K> {
    capacity: usize,
    uses: u64,
    entries: HashMap<K, (u64, Arc<Bitmap>)>,
}

impl<K: Clone + Eq + Hash> Cache<K> {
    /// A cache of at most `capacity` bitmaps, at least 2.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(2), uses: 0, entries: HashMap::new() }
    }

    /// The bitmap of `key`, made by `make` where it is not there.
    pub(crate) fn get(&mut self, key: K, make: impl FnOnce(&K) -> Bitmap) -> Arc<Bitmap> {
        self.uses += 1;
        if let Some((used, bitmap)) = self.entries.get_mut(&key) {
            *used = self.uses;
            return bitmap.clone();
        }
        if self.entries.len() >= self.capacity {
            self.shrink();
        }
        let bitmap = Arc::new(make(&key));
        self.entries.insert(key, (self.uses, bitmap.clone()));
        bitmap
    }

    fn shrink(&mut self) {
        let mut ages: Vec<u64> = self.entries.values().map(|(used, _)| *used).collect();
        ages.sort_unstable();
        let oldest_kept = ages[ages.len() / 2];
        self.entries.retain(|_, (used, _)| *used >= oldest_kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_bounded_and_keeps_what_is_used() {
        let mut cache = Cache::new(8);
        let mut made = 0;
        for round in 0..100 {
            for key in [0, round + 1] {
                cache.get(key, |_| {
                    made += 1;
                    Bitmap::new(1, 1)
                });
            }
            assert!(cache.entries.len() <= 8);
        }
        // Key 0, used in every round, was made once; the others once each.
        assert_eq!(made, 101);
    }
}
