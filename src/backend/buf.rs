//! Host code of one block while it is being made: hot and cold bytes, and what belongs to them.

use super::code::Code;
use super::faults::FaultPoints;
use crate::util::CodePtr;

/// A jump that can be redirected by one 4-byte store within a cache line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkSite {
    /// Where the 4 bytes are.
    pub site: CodePtr,
    /// Guest address it should lead to.
    pub target: u64,
    /// Where it leads as long as that is not translated.
    pub stub: CodePtr,
    /// Whether it is a call, where that is another instruction.
    pub call: bool,
    /// It leads into the middle of its own block, where more holds than the contract, and to its
    /// stub once the block is not valid any more; to other code never.
    pub inner: bool,
    /// The word without a target, if it is a conditional branch. Such a one may not be changed
    /// while it might be executed, and may reach less far than others: to its stub in any case.
    pub conditional: Option<u32>,
}

/// What a counter counts; see [`CountPoint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// The guest code from this address on, up to the next such point.
    Guest(u64),
    /// That the instructions behind the branch at this address are skipped, which are among those
    /// that [`Self::Guest`] counts.
    Skipped(u64),
    /// So many iterations at once of a loop, which are the guest code between two addresses.
    Group {
        /// Address of its first instruction.
        from: u64,
        /// Address behind its last.
        to: u64,
        /// Their number.
        iterations: u32,
    },
    /// A cold path.
    Cold,
    /// A return that came to where it was predicted to come.
    Return,
}

impl Counted {
    /// Whether it tells of guest code that is executed, other than by more about it.
    #[must_use]
    pub const fn is_guest_code(self) -> bool {
        matches!(self, Self::Guest(_) | Self::Group { .. })
    }
}

/// Code that increments a counter, and so tells how often the code behind it is executed: up to the
/// next such code, or to the end of its part of the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountPoint {
    /// Where the code that counts begins.
    pub start: CodePtr,
    /// Where it ends.
    pub end: CodePtr,
    /// What is counted.
    pub counted: Counted,
}

/// A word of code that depends on where its block lies, other than those of [`LinkSite`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reloc {
    /// Where it is.
    pub site: CodePtr,
    /// How it depends on places.
    pub kind: RelocKind,
}

/// How a word of code depends on places; see [`Reloc`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelocKind {
    /// It holds the distance to a stub of the arena.
    Stub,
    /// It holds the distance to a place in the other part of its block.
    Other,
    /// It holds the place in the arena of code of the same part.
    Place,
    /// It is, or begins, what loads the id of the block's link of this number, counted from its
    /// first ([`CodeBuf::first_link`]).
    Link(u32),
}

/// A buffer that an emitter writes one block into.
#[derive(Debug, Default)]
pub struct CodeBuf {
    /// Code on the likely path.
    pub hot: Code,
    /// Exits and slow paths.
    pub cold: Code,
    /// Arena offset of `hot[0]`.
    pub hot_base: u32,
    /// Arena offset of `cold[0]`; the cold part of an arena lies above its hot part.
    pub cold_base: u32,
    /// Id of `links[0]`.
    pub first_link: u32,
    /// Redirectable jumps.
    pub links: Vec<LinkSite>,
    /// Where hot code may fault.
    pub hot_faults: FaultPoints,
    /// Where cold code may.
    pub cold_faults: FaultPoints,
    /// Guest addresses at which this code may be entered, with their places.
    pub entries: Vec<(u64, CodePtr)>,
    /// Where executions are counted, if [`super::EmitContext::counters`] asks for it; counter `n`
    /// belongs to `points[n]`.
    pub points: Vec<CountPoint>,
    /// The block is to be kept for other places: what depends on its own is noted in `relocs`, and
    /// nothing else of its code does, but that no word of `links` crosses a cache line.
    pub relocatable: bool,
    /// What depends on where the block lies, if that is asked for.
    pub relocs: Vec<Reloc>,
    /// Doublewords of the guest's memory that the code was made for, by their addresses, if that is
    /// asked for: it is right wherever they are others, and slower.
    pub peeked: Vec<(u64, u64)>,
}

impl CodeBuf {
    /// Empties the buffer and says where the next block, the one at `pc`, will lie.
    pub fn start(&mut self, pc: u64, [hot_base, cold_base]: [u32; 2], first_link: u32) {
        self.hot.truncate(0);
        self.cold.truncate(0);
        self.links.clear();
        self.hot_faults.start(hot_base, pc);
        self.cold_faults.start(cold_base, pc);
        self.entries.clear();
        self.points.clear();
        self.relocs.clear();
        self.peeked.clear();
        (self.hot_base, self.cold_base, self.first_link) = (hot_base, cold_base, first_link);
    }

    /// Place of the next hot byte.
    #[must_use]
    pub fn hot_pos(&self) -> CodePtr {
        CodePtr(self.hot_base + self.hot.len() as u32)
    }

    /// Place of the next cold byte.
    #[must_use]
    pub fn cold_pos(&self) -> CodePtr {
        CodePtr(self.cold_base + self.cold.len() as u32)
    }

    /// Says that the word at `site` holds the distance to `target`, which is no other block.
    #[inline]
    pub fn note_distance(&mut self, site: CodePtr, target: CodePtr) {
        if self.relocatable {
            let part = |at: CodePtr| at.0 >= self.cold_base;
            if target.0 < self.hot_base {
                self.note(site, RelocKind::Stub);
            } else if part(site) != part(target) {
                self.note(site, RelocKind::Other);
            }
        }
    }

    /// Says how the word at `site` depends on places.
    #[inline]
    pub fn note(&mut self, site: CodePtr, kind: RelocKind) {
        if self.relocatable {
            self.relocs.push(Reloc { site, kind });
        }
    }

    /// Overwrites four bytes that were emitted before.
    ///
    /// # Panics
    /// If the place is not in this buffer: a bug of the emitter.
    pub fn patch(&mut self, at: CodePtr, word: u32) {
        let bytes = if at.0 >= self.cold_base {
            &mut self.cold[(at.0 - self.cold_base) as usize..]
        } else {
            &mut self.hot[(at.0 - self.hot_base) as usize..]
        };
        bytes[..4].copy_from_slice(&word.to_le_bytes());
    }
}

/// Where the next instruction goes.
#[derive(Debug)]
pub struct Out<'b> {
    /// The block that is being made.
    pub buf: &'b mut CodeBuf,
    /// It goes to the cold part.
    pub cold: bool,
}

impl<'b> Out<'b> {
    /// The hot part of `buf`.
    pub fn new(buf: &'b mut CodeBuf) -> Self {
        Self { buf, cold: false }
    }

    /// Its place.
    #[inline]
    #[must_use]
    pub fn pos(&self) -> CodePtr {
        if self.cold { self.buf.cold_pos() } else { self.buf.hot_pos() }
    }

    /// The part that it goes to.
    #[inline]
    pub fn code(&mut self) -> &mut Code {
        if self.cold { &mut self.buf.cold } else { &mut self.buf.hot }
    }

    /// The fault points of that part.
    #[inline]
    pub fn faults(&mut self) -> &mut FaultPoints {
        if self.cold { &mut self.buf.cold_faults } else { &mut self.buf.hot_faults }
    }
}

/// Lets an assembler be used as the [`Out`] in its field `out`.
macro_rules! writes_to_out {
    ($asm:ident) => {
        impl<'b> std::ops::Deref for $asm<'b> {
            type Target = $crate::backend::Out<'b>;

            fn deref(&self) -> &Self::Target {
                &self.out
            }
        }

        impl std::ops::DerefMut for $asm<'_> {
            fn deref_mut(&mut self) -> &mut Self::Target {
                &mut self.out
            }
        }
    };
}
pub(crate) use writes_to_out;
