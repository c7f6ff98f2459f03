//! The jumps between blocks, by the guest address that they lead to.
//!
//! There are two or three for each block, so they are small, and the index is a table of their
//! numbers alone.

use crate::backend::LinkSite;
use crate::util::{Chunks, CodePtr};

/// All links of a cache, by number.
#[derive(Default)]
pub(super) struct Links {
    all: Chunks<Link>,
    /// Hash table of target addresses, by the low bits of their hashes.
    latest: Vec<Latest>,
    /// Entries of `latest` in use.
    targets: usize,
}

struct Link {
    target: u64,
    site: CodePtr,
    stub: CodePtr,
    /// [`LinkSite::conditional`], or 0.
    conditional: u32,
    /// The number of the link before it to the same target and one, or 0; and [`CALL`], [`INNER`].
    before: u32,
}

/// The latest link to a target.
#[derive(Clone, Copy, Default)]
struct Latest {
    /// Its number and one; 0 if there is none.
    link: u32,
    /// The hash of the target.
    hash: u32,
}

const CALL: u32 = 1 << 31;
const INNER: u32 = 1 << 30;

impl Link {
    fn site(&self) -> LinkSite {
        LinkSite {
            site: self.site,
            target: self.target,
            stub: self.stub,
            call: self.before & CALL != 0,
            inner: self.before & INNER != 0,
            conditional: (self.conditional != 0).then_some(self.conditional),
        }
    }
}

impl Links {
    /// Number of links.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Adds one; its number is how many there were.
    pub(super) fn push(&mut self, link: &LinkSite) {
        if 3 * self.latest.len() <= 4 * self.targets {
            self.grow();
        }
        let hash = hash(link.target);
        let slot = self.slot(hash, link.target);
        let latest = &mut self.latest[slot];
        if latest.link == 0 {
            self.targets += 1;
        }
        let flags = if link.call { CALL } else { 0 } | if link.inner { INNER } else { 0 };
        self.all.push(Link {
            target: link.target,
            site: link.site,
            stub: link.stub,
            conditional: link.conditional.unwrap_or(0),
            before: latest.link | flags,
        });
        *latest = Latest { link: self.all.len() as u32, hash };
    }

    /// Where link `n` leads.
    pub(super) fn target(&self, n: u64) -> u64 {
        self.all[n as usize].target
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = LinkSite> {
        self.all.iter().map(Link::site)
    }

    /// Those that lead to `target`.
    pub(super) fn to(&self, target: u64) -> impl Iterator<Item = LinkSite> {
        let slot = (!self.latest.is_empty()).then(|| self.slot(hash(target), target));
        let mut next = slot.map_or(0, |slot| self.latest[slot].link);
        std::iter::from_fn(move || {
            let link = &self.all[next.checked_sub(1)? as usize];
            next = link.before & !(CALL | INNER);
            Some(link.site())
        })
    }

    /// Where in `latest` the entry of `target` is, or would be.
    fn slot(&self, hash: u32, target: u64) -> usize {
        let mask = self.latest.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let latest = self.latest[slot];
            let same = || self.all[latest.link as usize - 1].target == target;
            if latest.link == 0 || latest.hash == hash && same() {
                return slot;
            }
            slot = (slot + 1) & mask;
        }
    }

    #[cold]
    fn grow(&mut self) {
        let len = (2 * self.latest.len()).max(1024);
        let old = std::mem::replace(&mut self.latest, vec![Latest::default(); len]);
        for latest in old.into_iter().filter(|latest| latest.link != 0) {
            let mut slot = latest.hash as usize & (len - 1);
            while self.latest[slot].link != 0 {
                slot = (slot + 1) & (len - 1);
            }
            self.latest[slot] = latest;
        }
    }
}

/// A hash whose low bits hang on all bits of `target`.
fn hash(target: u64) -> u32 {
    (target.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_by_their_targets() {
        let mut links = Links::default();
        assert_eq!(links.to(2).count(), 0);
        let link = |n: u32| LinkSite {
            site: CodePtr(n),
            target: u64::from(n % 1000) * 2,
            stub: CodePtr(n + 1),
            call: n.is_multiple_of(2),
            inner: n.is_multiple_of(3),
            conditional: n.is_multiple_of(5).then_some(n + 7),
        };
        (0..5000).for_each(|n| links.push(&link(n)));
        assert_eq!((links.len(), links.target(4999)), (5000, 999 * 2));
        assert!(links.iter().eq((0..5000).map(link)));
        for target in 0..1000 {
            let expected = (0..5).rev().map(|n| link(n * 1000 + target));
            assert!(links.to(u64::from(target) * 2).eq(expected), "{target}");
        }
        assert_eq!(links.to(2000).count(), 0);
    }
}
