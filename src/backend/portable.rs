//! A block that can be put at any place of any arena with the same stubs: its bytes, and what is
//! to be changed in them.
//!
//! The bytes are those of a block whose parts lie at the places (modulo a cache line) that the
//! entry names, with unlinked jumps. So they follow from the guest's code and what else decides
//! about a translation alone, and not from what was translated before.

use super::{Backend, CodeBuf, LinkSite, RelocKind};
use crate::util::CodePtr;

/// What was made of a block, besides its code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// Address of the block.
    pub pc: u64,
    /// Its instructions.
    pub insns: u32,
    /// Guest code that it was made from.
    pub ranges: Vec<(u64, u32)>,
    /// Doublewords of guest memory that were looked at: it is as good as another only where they
    /// are the same.
    pub peeked: Vec<(u64, u64)>,
}

/// Bytes of a cache line, across whose borders no word of a link may lie.
pub const LINE: u32 = 64;
/// Numbers at the head of an entry.
const HEAD: usize = 11;
/// Marks an offset as one in the cold part.
const COLD: u32 = 1 << 31;
/// Bytes of a part at most, and links: what fits beside a kind in 32 bits.
const MAX_PART: usize = 1 << 18;
const MAX_LINKS: u32 = 1 << 10;

const CALL: u32 = 1;
const INNER: u32 = 2;

/// Appends the entry of the block in `buf`, whose guest code is `code`, to `out`. False, and
/// nothing is appended, if it has none: it is larger than entries are, or reaches too far.
pub fn encode<B: Backend>(buf: &CodeBuf, made: &Made, code: &[u8], out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let done = try_encode::<B>(buf, made, code, out).is_some();
    if !done {
        out.truncate(start);
    }
    done
}

fn try_encode<B: Backend>(
    buf: &CodeBuf,
    made: &Made,
    code: &[u8],
    out: &mut Vec<u8>,
) -> Option<()> {
    if buf.hot.len().max(buf.cold.len()) >= MAX_PART || buf.links.len() as u32 >= MAX_LINKS {
        return None;
    }
    let (hot_faults, cold_faults) = (buf.hot_faults.packed(), buf.cold_faults.packed());
    let offsets = [buf.hot_base % LINE, buf.cold_base % LINE];
    let number = |n: usize| n as u32;
    let head: [u32; HEAD] = [
        number(buf.hot.len()) | offsets[0] << 24,
        number(buf.cold.len()) | offsets[1] << 24,
        number(buf.relocs.len()),
        number(buf.links.len()),
        number(buf.entries.len()),
        number(made.ranges.len()),
        number(made.peeked.len()),
        number(hot_faults.len()),
        number(cold_faults.len()),
        made.insns,
        number(code.len()),
    ];
    let mut put = |n: u32| out.extend_from_slice(&n.to_le_bytes());
    head.into_iter().for_each(&mut put);
    let near = |to: u64| Some(i32::try_from(to.wrapping_sub(made.pc) as i64).ok()? as u32);
    let place = |at: CodePtr| match at.0.checked_sub(buf.cold_base) {
        Some(offset) => offset | COLD,
        None => at.0 - buf.hot_base,
    };
    for reloc in &buf.relocs {
        let kind = match reloc.kind {
            RelocKind::Stub => 0,
            RelocKind::Other => 1,
            RelocKind::Place => 2,
            RelocKind::Link(n) => 3 + n,
        };
        put(place(reloc.site) | kind << 18);
    }
    for link in &buf.links {
        let flags = if link.call { CALL } else { 0 } | if link.inner { INNER } else { 0 };
        put(place(link.site));
        put(place(link.stub) | flags << 18);
        put(near(link.target)?);
        put(link.conditional.unwrap_or(0));
    }
    for &(pc, at) in &buf.entries {
        put(near(pc)?);
        put(place(at));
    }
    for &(start, len) in &made.ranges {
        put(near(start)?);
        put(len);
    }
    for (addr, value) in &made.peeked {
        out.extend_from_slice(&addr.to_le_bytes());
        out.extend_from_slice(&value.to_le_bytes());
    }
    out.extend_from_slice(code);
    out.extend_from_slice(hot_faults);
    out.extend_from_slice(cold_faults);
    let hot = out.len();
    out.extend_from_slice(&buf.hot);
    let cold = out.len();
    out.extend_from_slice(&buf.cold);
    let (hot, cold) = out[hot..].split_at_mut(cold - hot);
    let (from, to) = ([buf.hot_base, buf.cold_base], bases(offsets));
    let split = |at: CodePtr| match at.0.checked_sub(from[1]) {
        Some(offset) => (1, offset),
        None => (0, at.0 - from[0]),
    };
    let mut parts = [hot, cold];
    let relocs = buf.relocs.iter().map(|reloc| (split(reloc.site), reloc.kind));
    relocate::<B>(&mut parts, relocs, (from, to), 0)?;
    for link in buf.links.iter().filter(|link| !link.inner) {
        let at = |at| {
            let (part, offset) = split(at);
            CodePtr(to[part] + offset)
        };
        let there = LinkSite { site: at(link.site), stub: at(link.stub), ..*link };
        let word = B::link_word(&there, there.stub)?;
        *word_at(&mut parts, split(link.site))? = word.to_le_bytes();
    }
    Some(())
}

/// Where the parts of the block of an entry lie that names these offsets in a cache line: as in an
/// arena, the cold part is behind the hot one.
fn bases([hot, cold]: [u32; 2]) -> [u32; 2] {
    [hot, (4 << 20) + cold]
}

/// A place in one of the parts of a block.
type Spot = (usize, u32);

/// The four bytes at a place.
fn word_at<'a>(parts: &'a mut [&mut [u8]; 2], (part, offset): Spot) -> Option<&'a mut [u8; 4]> {
    parts[part].get_mut(offset as usize..)?.first_chunk_mut()
}

/// Makes the code of a block that lies at one place that of the same block at another, where its
/// first link has the id `first_link`. `None` if a place is not in it.
fn relocate<B: Backend>(
    parts: &mut [&mut [u8]; 2],
    relocs: impl Iterator<Item = (Spot, RelocKind)>,
    (from, to): ([u32; 2], [u32; 2]),
    first_link: u32,
) -> Option<()> {
    let moved = [0, 1].map(|part| to[part].wrapping_sub(from[part]));
    for (spot, kind) in relocs {
        let part = spot.0;
        if let RelocKind::Link(n) = kind {
            let code = parts[part].get_mut(spot.1 as usize..)?;
            B::set_link_id(code, first_link.wrapping_add(n))?;
            continue;
        }
        let bytes = word_at(parts, spot)?;
        let word = u32::from_le_bytes(*bytes);
        let word = match kind {
            RelocKind::Stub => B::farther(word, moved[part].wrapping_neg()),
            RelocKind::Other => B::farther(word, moved[1 - part].wrapping_sub(moved[part])),
            RelocKind::Place | RelocKind::Link(_) => word.wrapping_add(moved[part]),
        };
        *bytes = word.to_le_bytes();
    }
    Some(())
}

/// An entry, as it is in a file.
pub struct Entry<'a> {
    pc: u64,
    /// Where in a cache line either part begins.
    offsets: [u32; 2],
    insns: u32,
    relocs: &'a [[u8; 4]],
    links: &'a [[u8; 16]],
    entries: &'a [[u8; 8]],
    ranges: &'a [[u8; 8]],
    peeked: &'a [[u8; 16]],
    code: &'a [u8],
    faults: [&'a [u8]; 2],
    parts: [&'a [u8]; 2],
}

/// Where a block is to be put, and what its jumps can be linked to.
pub struct Room<'a> {
    /// The first free byte for each of its parts.
    pub free: [u32; 2],
    /// Id of its first link.
    pub first_link: u32,
    /// Code for a guest address.
    pub lookup: &'a dyn Fn(u64) -> Option<CodePtr>,
    /// Conditional branches may be linked.
    pub conditional_links: bool,
}

impl<'a> Entry<'a> {
    /// The entry of the block at `pc` that `bytes` are. `None` if they are none.
    pub fn parse(pc: u64, bytes: &'a [u8]) -> Option<Self> {
        let (head, mut rest) = bytes.split_at_checked(4 * HEAD)?;
        let head = head.as_chunks::<4>().0;
        let number = |n: usize| u32::from_le_bytes(head[n]);
        let mut take = |n: usize, size: usize| {
            let (first, behind) = rest.split_at_checked(n.checked_mul(size)?)?;
            rest = behind;
            Some(first)
        };
        let mut some = |n: usize, size| take(number(n) as usize, size);
        let entry = Self {
            pc,
            offsets: [number(0) >> 24, number(1) >> 24],
            insns: number(9),
            relocs: some(2, 4)?.as_chunks().0,
            links: some(3, 16)?.as_chunks().0,
            entries: some(4, 8)?.as_chunks().0,
            ranges: some(5, 8)?.as_chunks().0,
            peeked: some(6, 16)?.as_chunks().0,
            code: some(10, 1)?,
            faults: [some(7, 1)?, some(8, 1)?],
            parts: [
                take(number(0) as usize & 0xff_ffff, 1)?,
                take(number(1) as usize & 0xff_ffff, 1)?,
            ],
        };
        let whole = rest.is_empty() && !entry.ranges.is_empty() && !entry.entries.is_empty();
        (whole && entry.offsets.into_iter().all(|at| at < LINE)).then_some(entry)
    }

    fn far(&self, delta: u32) -> u64 {
        self.pc.wrapping_add(i64::from(delta as i32) as u64)
    }

    /// Where in a cache line either part begins.
    pub fn offsets(&self) -> [u32; 2] {
        self.offsets
    }

    /// Address of the block.
    pub fn pc(&self) -> u64 {
        self.pc
    }

    /// Guest code that it was made from: addresses and lengths.
    pub fn ranges(&self) -> impl Iterator<Item = (u64, u32)> {
        self.ranges.iter().map(|pair| {
            let [start, len] = halves(pair);
            (self.far(start), len)
        })
    }

    /// Doublewords of guest memory that were looked at, by their addresses.
    pub fn peeked(&self) -> impl Iterator<Item = (u64, u64)> {
        self.peeked.iter().map(|pair| {
            let both = u128::from_le_bytes(*pair);
            (both as u64, (both >> 64) as u64)
        })
    }

    /// What was made of the block.
    pub fn made(&self) -> Made {
        let (ranges, peeked) = (self.ranges().collect(), self.peeked().collect());
        Made { pc: self.pc, insns: self.insns, ranges, peeked }
    }

    /// The guest's code that the block was made from, range after range.
    pub fn code(&self) -> &'a [u8] {
        self.code
    }

    fn relocs(&self) -> impl Iterator<Item = (Spot, RelocKind)> {
        self.relocs.iter().map(|word| {
            let word = u32::from_le_bytes(*word);
            let kind = match word >> 18 & 0x1fff {
                0 => RelocKind::Stub,
                1 => RelocKind::Other,
                2 => RelocKind::Place,
                n => RelocKind::Link(n - 3),
            };
            (spot(word), kind)
        })
    }

    /// The first place from `free` on at which no word of a link in `part` crosses a cache line.
    fn base<B: Backend>(&self, part: usize, free: u32) -> Option<u32> {
        let step = if part == 0 { 16 } else { B::CODE_ALIGN };
        let sites = || {
            let words = self.links.iter().map(|link| quarters(link)[0]);
            words.map(spot).filter(|spot| spot.0 == part).map(|spot| spot.1)
        };
        (0..LINE / step)
            .map(|n| free + n * step)
            .find(|base| sites().all(|site| base.wrapping_add(site) % LINE <= LINE - 4))
    }

    /// Puts the block into `buf`. `None` if it cannot be: it is no block.
    pub fn put<B: Backend>(&self, buf: &mut CodeBuf, room: &Room<'_>) -> Option<()> {
        let to = [self.base::<B>(0, room.free[0])?, self.base::<B>(1, room.free[1])?];
        buf.start(self.pc, to, room.first_link);
        buf.hot.extend_from_slice(self.parts[0]);
        buf.cold.extend_from_slice(self.parts[1]);
        buf.hot_faults.set_packed(self.faults[0]);
        buf.cold_faults.set_packed(self.faults[1]);
        let at = |word| {
            let (part, offset) = spot(word);
            ((offset as usize) < self.parts[part].len()).then(|| CodePtr(to[part] + offset))
        };
        let mut parts = [&mut *buf.hot, &mut *buf.cold];
        relocate::<B>(&mut parts, self.relocs(), (bases(self.offsets), to), room.first_link)?;
        for words in self.links {
            let [site, stub, target, conditional] = quarters(words);
            let flags = stub >> 18;
            let link = LinkSite {
                site: at(site)?,
                target: self.far(target),
                stub: at(stub)?,
                call: flags & CALL != 0,
                inner: flags & INNER != 0,
                conditional: (conditional != 0).then_some(conditional),
            };
            if !link.inner {
                let fixed = link.conditional.is_some() && !room.conditional_links;
                let known = (room.lookup)(link.target).filter(|_| !fixed);
                let word = known.and_then(|to| B::link_word(&link, to));
                let word = word.or_else(|| B::link_word(&link, link.stub))?;
                *word_at(&mut parts, spot(site))? = word.to_le_bytes();
            }
            buf.links.push(link);
        }
        for pair in self.entries {
            let [pc, place] = halves(pair);
            buf.entries.push((self.far(pc), at(place)?));
        }
        Some(())
    }
}

/// The place that a number names.
fn spot(word: u32) -> Spot {
    ((word >> 31) as usize, word & (MAX_PART as u32 - 1))
}

fn halves(bytes: &[u8; 8]) -> [u32; 2] {
    let word = u64::from_le_bytes(*bytes);
    [word as u32, (word >> 32) as u32]
}

fn quarters(bytes: &[u8; 16]) -> [u32; 4] {
    let word = u128::from_le_bytes(*bytes);
    [word as u32, (word >> 32) as u32, (word >> 64) as u32, (word >> 96) as u32]
}
