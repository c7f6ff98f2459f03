//! A map from disjoint half-open ranges of `u64` to values.

use std::collections::BTreeMap;
use std::ops::Range;

/// A value that can be cut: `advance(n)` is the value that holds from `n` into its range.
pub trait Split: Clone {
    /// The value of the part that begins `n` units after the start of the range.
    #[must_use]
    fn advance(&self, n: u64) -> Self;

    /// True if a range with `next` that begins `len` units after the start of this one can be
    /// joined with it.
    fn joins(&self, len: u64, next: &Self) -> bool;
}

/// Disjoint ranges with a value each. Ranges that touch and whose values join are kept as one.
#[derive(Clone, Debug)]
pub struct RangeMap<V> {
    /// Keyed by start; the first field of the value is the end.
    map: BTreeMap<u64, (u64, V)>,
}

impl<V> Default for RangeMap<V> {
    fn default() -> Self {
        Self { map: BTreeMap::new() }
    }
}

impl<V: Split> RangeMap<V> {
    /// Sets `range` to `value`, replacing whatever was there.
    pub fn insert(&mut self, range: Range<u64>, value: V) {
        if range.is_empty() {
            return;
        }
        self.remove(range.clone());
        let (mut start, mut end, mut value) = (range.start, range.end, value);
        if let Some((&s, (e, v))) = self.map.range(..start).next_back()
            && *e == start
            && v.joins(start - s, &value)
        {
            value = v.clone();
            start = s;
        }
        if let Some((e, v)) = self.map.get(&end)
            && value.joins(end - start, v)
        {
            let e = *e;
            self.map.remove(&end);
            end = e;
        }
        self.map.insert(start, (end, value));
    }

    /// Empties `range`.
    pub fn remove(&mut self, range: Range<u64>) {
        self.split_at(range.start);
        self.split_at(range.end);
        let keys: Vec<u64> = self.map.range(range).map(|(k, _)| *k).collect();
        for k in keys {
            self.map.remove(&k);
        }
    }

    /// Changes the value of every part of `range` that has one.
    pub fn update(&mut self, range: Range<u64>, mut change: impl FnMut(&mut V)) {
        let parts: Vec<(Range<u64>, V)> =
            self.overlapping(range.clone()).map(|(r, v)| (r, v.clone())).collect();
        for (r, v) in parts {
            let cut = r.start.max(range.start)..r.end.min(range.end);
            let mut v = v.advance(cut.start - r.start);
            change(&mut v);
            self.insert(cut, v);
        }
    }

    fn split_at(&mut self, at: u64) {
        if let Some((&start, (end, value))) = self.map.range_mut(..at).next_back()
            && *end > at
        {
            let rest = (*end, value.advance(at - start));
            *end = at;
            self.map.insert(at, rest);
        }
    }
}

impl<V> RangeMap<V> {
    /// The range and value that hold at `at`.
    pub fn get(&self, at: u64) -> Option<(Range<u64>, &V)> {
        let (&start, (end, value)) = self.map.range(..=at).next_back()?;
        (at < *end).then_some((start..*end, value))
    }

    /// Number of entries.
    pub fn count(&self) -> usize {
        self.map.len()
    }

    /// All entries, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = (Range<u64>, &V)> {
        self.map.iter().map(|(&s, (e, v))| (s..*e, v))
    }

    /// The entries that share at least one point with `range`, whole, lowest first.
    pub fn overlapping(&self, range: Range<u64>) -> impl Iterator<Item = (Range<u64>, &V)> {
        let first = match self.map.range(..range.start).next_back() {
            Some((&s, (e, _))) if *e > range.start => s,
            _ => range.start,
        };
        self.map.range(first..range.end.max(first)).map(|(&s, (e, v))| (s..*e, v))
    }

    /// The highest start of a free range of `len` within `within`, aligned to `align` (a power of
    /// two).
    pub fn find_free_down(&self, len: u64, align: u64, within: Range<u64>) -> Option<u64> {
        let mut top = within.end;
        for (&s, (e, _)) in self.map.range(..within.end).rev() {
            if *e <= top
                && let Some(start) = fit_down(*e.max(&within.start), top, len, align)
            {
                return Some(start);
            }
            top = top.min(s);
            if top <= within.start {
                return None;
            }
        }
        fit_down(within.start, top, len, align)
    }

    /// The lowest start of a free range of `len` within `within`, aligned to `align`.
    pub fn find_free_up(&self, len: u64, align: u64, within: Range<u64>) -> Option<u64> {
        let mut at = within.start.checked_next_multiple_of(align)?;
        for (r, _) in self.overlapping(within.clone()) {
            if r.start >= at && r.start - at >= len {
                break;
            }
            at = at.max(r.end).checked_next_multiple_of(align)?;
        }
        (at.checked_add(len)? <= within.end).then_some(at)
    }
}

fn fit_down(low: u64, high: u64, len: u64, align: u64) -> Option<u64> {
    let start = high.checked_sub(len)? & !(align - 1);
    (start >= low).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Split for u64 {
        fn advance(&self, n: u64) -> Self {
            self + n
        }
        fn joins(&self, len: u64, next: &Self) -> bool {
            self + len == *next
        }
    }

    fn list(m: &RangeMap<u64>) -> Vec<(u64, u64, u64)> {
        m.iter().map(|(r, v)| (r.start, r.end, *v)).collect()
    }

    #[test]
    fn insert_splits_what_it_overlaps() {
        let mut m = RangeMap::default();
        m.insert(0..100, 1000);
        m.insert(40..60, 5);
        assert_eq!(list(&m), [(0, 40, 1000), (40, 60, 5), (60, 100, 1060)]);
        m.remove(50..70);
        assert_eq!(list(&m), [(0, 40, 1000), (40, 50, 5), (70, 100, 1070)]);
    }

    #[test]
    fn neighbours_that_continue_each_other_are_one() {
        let mut m = RangeMap::default();
        m.insert(0..10, 0);
        m.insert(20..30, 20);
        m.insert(10..20, 10);
        assert_eq!(list(&m), [(0, 30, 0)]);
    }

    #[test]
    fn free_space_is_found_from_both_ends() {
        let mut m = RangeMap::default();
        m.insert(10..20, 0);
        m.insert(40..50, 7);
        assert_eq!(m.find_free_up(10, 1, 0..100), Some(0));
        assert_eq!(m.find_free_up(15, 1, 0..100), Some(20));
        assert_eq!(m.find_free_up(60, 1, 0..100), None);
        assert_eq!(m.find_free_down(10, 1, 0..100), Some(90));
        assert_eq!(m.find_free_down(10, 1, 0..45), Some(30));
        assert_eq!(m.find_free_down(51, 1, 0..100), None);
        assert_eq!(m.find_free_down(20, 16, 0..40), None);
    }
}
