//! Something for each page of guest memory that there is anything about.

use super::PAGE_SIZE;
use rustc_hash::FxHashMap;

/// A map by page number.
///
/// Who looks for one page mostly looks for it, or one nearby, again: where some were found lately
/// is kept beside the map.
#[derive(Debug)]
pub struct PageMap<T> {
    items: Vec<T>,
    /// Index in `items` by page number.
    index: FxHashMap<u64, u32>,
    /// The same of pages that were asked for lately, by the low bits of their numbers.
    recent: [(u64, u32); RECENT],
}

const RECENT: usize = 16;

/// A number that no page has.
const NONE: u64 = u64::MAX;

impl<T> Default for PageMap<T> {
    fn default() -> Self {
        Self { items: Vec::new(), index: FxHashMap::default(), recent: [(NONE, 0); RECENT] }
    }
}

impl<T: Default> PageMap<T> {
    /// The item of the page of `addr`, if there is one.
    #[inline]
    pub fn get(&self, addr: u64) -> Option<&T> {
        let page = addr / PAGE_SIZE;
        let n = match self.recent[page as usize % RECENT] {
            (recent, n) if recent == page => n,
            _ => *self.index.get(&page)?,
        };
        self.items.get(n as usize)
    }

    /// The item of the page of `addr`, which is made if there is none.
    #[inline]
    pub fn entry(&mut self, addr: u64) -> &mut T {
        let page = addr / PAGE_SIZE;
        let n = match self.recent[page as usize % RECENT] {
            (recent, n) if recent == page => n,
            _ => self.find(page),
        };
        &mut self.items[n as usize]
    }

    #[cold]
    fn find(&mut self, page: u64) -> u32 {
        let n = *self.index.entry(page).or_insert_with(|| {
            self.items.push(T::default());
            self.items.len() as u32 - 1
        });
        self.recent[page as usize % RECENT] = (page, n);
        n
    }

    /// Addresses of pages with their items, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.index.iter().map(|(page, n)| (page * PAGE_SIZE, &self.items[*n as usize]))
    }

    /// Removes all items.
    pub fn clear(&mut self) {
        self.items.clear();
        self.index.clear();
        self.recent = [(NONE, 0); RECENT];
    }

    /// Number of items.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// True if there is no item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_found_however_many_there_are() {
        let mut map = PageMap::<u64>::default();
        assert!(map.is_empty() && map.get(0).is_none());
        let pages: Vec<u64> = (0..100).map(|n| n * n * PAGE_SIZE).chain([u64::MAX]).collect();
        for _ in 0..3 {
            pages.iter().for_each(|&addr| *map.entry(addr) += addr / PAGE_SIZE);
        }
        assert_eq!(map.len(), pages.len());
        for &addr in &pages {
            assert_eq!(map.get(addr), Some(&(addr / PAGE_SIZE * 3)));
            assert!(map.iter().any(|(page, _)| page == addr / PAGE_SIZE * PAGE_SIZE));
        }
        assert_eq!(map.get(2 * PAGE_SIZE), None);
    }
}
