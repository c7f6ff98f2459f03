//! The jumps between blocks, by the guest address that they lead to.
//!
//! There are two or three for each block, so they are small. Those that lead to the same few bytes of
//! guest code are chained, and where the chains begin is kept by the page of guest code: what a
//! block jumps to is mostly near, so little memory is looked at.

use crate::backend::LinkSite;
use crate::util::{Chunks, CodePtr, PAGE_SIZE, PageMap};

/// All links of a cache, by number.
#[derive(Default)]
pub(super) struct Links {
    all: Chunks<Link>,
    latest: PageMap<Box<Page>>,
}

struct Link {
    target: u64,
    site: CodePtr,
    stub: CodePtr,
    /// [`LinkSite::conditional`], or 0.
    conditional: u32,
    /// The number of the link before it in its chain and one, or 0; and [`CALL`], [`INNER`].
    before: u32,
}

/// For each part of a page of guest code the number of the latest link to it and one, or 0.
struct Page([u32; PARTS]);

impl Default for Page {
    fn default() -> Self {
        Self([0; PARTS])
    }
}

/// Parts of a page.
const PARTS: usize = PAGE_SIZE as usize / PART;
/// Bytes of a part: what few blocks begin in.
const PART: usize = 16;

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

    /// Forgets them all.
    pub(super) fn clear(&mut self) {
        self.all.clear();
        self.latest.clear();
    }

    /// Adds one; its number is how many there were.
    pub(super) fn push(&mut self, link: &LinkSite) {
        let number = self.all.len() as u32 + 1;
        let latest = &mut self.latest.entry(link.target).0[part(link.target)];
        let flags = if link.call { CALL } else { 0 } | if link.inner { INNER } else { 0 };
        self.all.push(Link {
            target: link.target,
            site: link.site,
            stub: link.stub,
            conditional: link.conditional.unwrap_or(0),
            before: *latest | flags,
        });
        *latest = number;
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
        let mut next = self.latest.get(target).map_or(0, |page| page.0[part(target)]);
        let chain = std::iter::from_fn(move || {
            let link = &self.all[next.checked_sub(1)? as usize];
            next = link.before & !(CALL | INNER);
            Some(link)
        });
        chain.filter(move |link| link.target == target).map(Link::site)
    }
}

/// The part of its page that `target` is in.
const fn part(target: u64) -> usize {
    (target % PAGE_SIZE) as usize / PART
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
