//! The jumps between blocks, by the guest address that they lead to.
//!
//! There are two or three for each block, so they are small. Those that lead to the same few bytes
//! of guest code are chained, and where the chains begin is kept by the line of guest code: what a
//! block jumps to is mostly near, so little memory is looked at. Links of blocks that are no more
//! are marked, and taken out of their chain by whoever walks it next, so that each costs one step.

use crate::backend::LinkSite;
use crate::util::{Chunks, CodePtr, PAGE_SIZE, PageMap};

/// All links of a cache, by number.
#[derive(Default)]
pub(super) struct Links {
    all: Chunks<Link>,
    /// By line, of which [`place`] makes pages.
    latest: PageMap<Line>,
}

struct Link {
    target: u64,
    site: CodePtr,
    stub: CodePtr,
    /// [`LinkSite::conditional`], or 0.
    conditional: u32,
    /// The number of the link before it in its chain and one, or 0; and [`FLAGS`].
    before: u32,
}

/// For each part of a line of guest code the number of the latest link to it and one, or 0. A line
/// is small, as a hostile guest may jump once to each.
#[derive(Default)]
struct Line([u32; PARTS]);

/// Parts of a line.
const PARTS: usize = 16;
/// Bytes of a part: what few blocks begin in.
const PART: u64 = 16;

const CALL: u32 = 1 << 31;
const INNER: u32 = 1 << 30;
/// The link's block has been invalidated.
const DEAD: u32 = 1 << 29;
const FLAGS: u32 = CALL | INNER | DEAD;

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
        let latest = &mut self.latest.entry(place(link.target)).0[part(link.target)];
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

    /// Guest address to which link `n` leads.
    pub(super) fn target(&self, n: u64) -> u64 {
        self.all[n as usize].target
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = LinkSite> {
        self.all.iter().map(Link::site)
    }

    /// PageScan link `n`, which is then none of those that lead anywhere, and returns it.
    pub(super) fn bury(&mut self, n: usize) -> LinkSite {
        self.all[n].before |= DEAD;
        self.all[n].site()
    }

    /// Calls `f` for each that leads to `target`, the latest first.
    pub(super) fn each_to(&mut self, target: u64, mut f: impl FnMut(LinkSite)) {
        if self.latest.get(place(target)).is_none() {
            return;
        }
        let first = &mut self.latest.entry(place(target)).0[part(target)];
        let mut next = *first;
        let mut kept: Option<usize> = None;
        while let Some(n) = next.checked_sub(1).map(|n| n as usize) {
            let link = &self.all[n];
            next = link.before & !FLAGS;
            if link.before & DEAD == 0 {
                if link.target == target {
                    f(link.site());
                }
                kept = Some(n);
            } else if let Some(after) = kept {
                let after = &mut self.all[after].before;
                *after = *after & FLAGS | next;
            } else {
                *first = next;
            }
        }
    }
}

/// An address in the page that stands for the line of `target`.
const fn place(target: u64) -> u64 {
    (target / (PART * PARTS as u64)).wrapping_mul(PAGE_SIZE)
}

/// The part of its line that `target` is in.
const fn part(target: u64) -> usize {
    (target / PART) as usize % PARTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_by_their_targets() {
        let mut links = Links::default();
        let to = |links: &mut Links, target| {
            let mut found = Vec::new();
            links.each_to(target, |link| found.push(link));
            found
        };
        assert!(to(&mut links, 2).is_empty());
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
            let expected: Vec<_> = (0..5).rev().map(|n| link(n * 1000 + target)).collect();
            assert_eq!(to(&mut links, u64::from(target) * 2), expected, "{target}");
        }
        assert!(to(&mut links, 2000).is_empty());
        // The first, the last and one in the middle of each chain, in this order.
        for part in [4, 0, 2] {
            (0..1000).for_each(|n| {
                assert_eq!(links.bury(part * 1000 + n), link((part * 1000 + n) as u32))
            });
            for target in 0..1000 {
                let left = to(&mut links, target * 2);
                assert!(left.iter().all(|link| link.site.0 as usize / 1000 != part));
            }
        }
        for target in 0..1000 {
            let expected = [link(3000 + target), link(1000 + target)];
            assert_eq!(to(&mut links, u64::from(target) * 2), expected, "{target}");
        }
        assert_eq!(links.target(4999), 999 * 2);
    }
}
