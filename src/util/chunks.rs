//! A list that grows at its end without being moved: nothing is copied, and no page of memory is
//! touched twice, however long it becomes.

use std::ops::{Index, IndexMut};

/// Items in a chunk.
const CHUNK: usize = 1 << 12;

/// The list.
#[derive(Debug)]
pub struct Chunks<T> {
    chunks: Vec<Vec<T>>,
    len: usize,
}

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }
}

impl<T> Chunks<T> {
    /// Adds an item.
    #[inline]
    pub fn push(&mut self, item: T) {
        if self.len.is_multiple_of(CHUNK) {
            self.add_chunk();
        }
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.push(item);
            self.len += 1;
        }
    }

    #[cold]
    fn add_chunk(&mut self) {
        // One may be left by `clear`.
        if self.chunks.len() * CHUNK <= self.len {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
    }

    /// Removes all items, and keeps the memory of the first ones.
    pub fn clear(&mut self) {
        self.chunks.truncate(1);
        self.chunks.iter_mut().for_each(Vec::clear);
        self.len = 0;
    }

    /// Number of items.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// True if there is no item.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Item `n`, if there are so many.
    #[must_use]
    pub fn get(&self, n: usize) -> Option<&T> {
        self.chunks.get(n / CHUNK)?.get(n % CHUNK)
    }

    /// The number of items at the front for which `pred` is true; it must be false for all behind
    /// them.
    pub fn partition_point(&self, pred: impl Fn(&T) -> bool) -> usize {
        let full = self.chunks.partition_point(|chunk| chunk.last().is_some_and(&pred));
        match self.chunks.get(full) {
            Some(chunk) => full * CHUNK + chunk.partition_point(pred),
            None => self.len,
        }
    }

    /// All items.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }
}

impl<T> Index<usize> for Chunks<T> {
    type Output = T;

    #[inline]
    fn index(&self, n: usize) -> &T {
        &self.chunks[n / CHUNK][n % CHUNK]
    }
}

impl<T> IndexMut<usize> for Chunks<T> {
    #[inline]
    fn index_mut(&mut self, n: usize) -> &mut T {
        &mut self.chunks[n / CHUNK][n % CHUNK]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_stay_in_order() {
        let mut list = Chunks::default();
        assert!(list.is_empty() && list.get(0).is_none());
        for n in 0..3 * CHUNK {
            assert_eq!(list.len(), n);
            list.push(n);
            assert_eq!(list.partition_point(|item| *item < n), n);
            assert_eq!(list.partition_point(|item| *item <= n), n + 1);
            assert_eq!((list[n], list.get(n + 1)), (n, None));
        }
        for n in [0, 1, CHUNK - 1, CHUNK, 2 * CHUNK + 5, 3 * CHUNK] {
            assert_eq!(list.partition_point(|item| *item < n), n);
        }
        list[CHUNK] = 7;
        let expected = (0..3 * CHUNK).map(|n| if n == CHUNK { 7 } else { n });
        assert!(list.iter().copied().eq(expected));
    }
}
