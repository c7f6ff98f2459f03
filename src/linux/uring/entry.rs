//! One entry of a submission queue (`struct io_uring_sqe`, `linux/io_uring.h`).

/// Words of an entry.
pub(super) const WORDS: usize = 8;
/// Bytes of an entry.
pub(super) const SIZE: usize = 8 * WORDS;

/// An entry has the same layout on all hosts; what its fields mean depends on the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry(pub [u64; WORDS]);

/// `IOSQE_FIXED_FILE`: the descriptor is an index of a registered file.
pub(super) const FIXED_FILE: u8 = 1 << 0;
/// `IOSQE_IO_DRAIN`: begun when all before it are complete.
pub(super) const DRAIN: u8 = 1 << 1;
/// `IOSQE_IO_LINK`: the next one is begun when it is complete, and cancelled if it fails.
const LINK: u8 = 1 << 2;
/// `IOSQE_IO_HARDLINK`: the next one is begun when it is complete.
const HARDLINK: u8 = 1 << 3;
/// Either.
pub(super) const LINKS: u8 = LINK | HARDLINK;
/// `IOSQE_BUFFER_SELECT`: the kernel chooses the buffer.
pub(super) const BUFFER_SELECT: u8 = 1 << 5;

/// `IORING_OP_NOP`.
const NOP: u8 = 0;
/// `IORING_NOP_INJECT_RESULT`: the operation has the result that its length says (Linux 6.10).
const NOP_INJECT_RESULT: u32 = 1;
/// An operation that there is not.
const NO_OPERATION: u8 = 255;

impl Entry {
    /// Bits of a word from `shift` on.
    fn bits(&self, word: usize, shift: u32) -> u64 {
        self.0[word] >> shift
    }

    fn set(&mut self, word: usize, shift: u32, mask: u64, value: u64) {
        self.0[word] = self.0[word] & !(mask << shift) | (value & mask) << shift;
    }

    pub(super) fn operation(&self) -> u8 {
        self.bits(0, 0) as u8
    }

    /// `IOSQE_*`.
    pub(super) fn flags(&self) -> u8 {
        self.bits(0, 8) as u8
    }

    pub(super) fn has(&self, flags: u8) -> bool {
        self.flags() & flags != 0
    }

    pub(super) fn priority(&self) -> u16 {
        self.bits(0, 16) as u16
    }

    pub(super) fn fd(&self) -> i32 {
        self.bits(0, 32) as i32
    }

    pub(super) fn set_fd(&mut self, fd: i32) {
        self.set(0, 32, 0xffff_ffff, u64::from(fd as u32));
    }

    /// The offset, which some operations use as a second address.
    pub(super) fn offset(&self) -> u64 {
        self.0[1]
    }

    pub(super) fn set_offset(&mut self, value: u64) {
        self.0[1] = value;
    }

    pub(super) fn address(&self) -> u64 {
        self.0[2]
    }

    pub(super) fn set_address(&mut self, value: u64) {
        self.0[2] = value;
    }

    pub(super) fn length(&self) -> u32 {
        self.bits(3, 0) as u32
    }

    pub(super) fn set_length(&mut self, value: u32) {
        self.set(3, 0, 0xffff_ffff, u64::from(value));
    }

    /// The flags of the operation.
    pub(super) fn operation_flags(&self) -> u32 {
        self.bits(3, 32) as u32
    }

    pub(super) fn set_operation_flags(&mut self, value: u32) {
        self.set(3, 32, 0xffff_ffff, u64::from(value));
    }

    pub(super) fn buffer_index(&self) -> u16 {
        self.bits(5, 0) as u16
    }

    /// `file_index`, also `splice_fd_in`.
    pub(super) fn file_index(&self) -> u32 {
        self.bits(5, 32) as u32
    }

    /// `addr_len`, in the low half of `file_index`.
    pub(super) fn address_length(&self) -> u16 {
        self.bits(5, 32) as u16
    }

    pub(super) fn set_address_length(&mut self, value: u16) {
        self.set(5, 32, 0xffff, u64::from(value));
    }

    pub(super) fn third_address(&self) -> u64 {
        self.0[6]
    }

    pub(super) fn set_third_address(&mut self, value: u64) {
        self.0[6] = value;
    }

    /// The last word, which older kernels do not use.
    pub(super) fn last_word(&self) -> u64 {
        self.0[7]
    }

    /// An entry that the kernel refuses with `EINVAL` in this one's place, as a kernel does that
    /// has no such operation.
    pub(super) fn refused(&self) -> Self {
        let mut entry = *self;
        entry.set(0, 0, 0xff, u64::from(NO_OPERATION));
        entry
    }

    /// True for operations whose failure is none for those that are linked to them: changes of
    /// names.
    fn forgives(&self) -> bool {
        /// `IORING_OP_RENAMEAT` to `IORING_OP_LINKAT`.
        const NAMES: std::ops::RangeInclusive<u8> = 35..=39;
        NAMES.contains(&self.operation())
    }

    /// True if those that are linked to this one are cancelled if it has this result.
    pub(super) fn breaks(&self, result: i32) -> bool {
        result < 0 && self.has(LINK) && !self.has(HARDLINK) && !self.forgives()
    }

    /// An entry that has this result in this one's place, and whatever follows from it for others.
    pub(super) fn answered(&self, result: i32) -> Self {
        let mut entry = Self([0; WORDS]);
        let mut flags = self.flags() & !(FIXED_FILE | BUFFER_SELECT);
        if flags & LINK != 0 && self.forgives() {
            flags = flags & !LINK | HARDLINK;
        }
        entry.0[0] = u64::from(NOP) | u64::from(flags) << 8;
        entry.0[4] = self.0[4];
        entry.set_length(result as u32);
        entry.set_operation_flags(NOP_INJECT_RESULT);
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_where_the_kernel_has_them() {
        let bytes: [u8; SIZE] = std::array::from_fn(|i| i as u8);
        let words =
            std::array::from_fn(|i| u64::from_ne_bytes(std::array::from_fn(|n| bytes[8 * i + n])));
        let mut e = Entry(words);
        assert_eq!((e.operation(), e.flags(), e.priority()), (0, 1, 0x0302));
        assert_eq!(e.fd(), 0x0706_0504);
        assert_eq!((e.offset(), e.address()), (words[1], words[2]));
        assert_eq!((e.length(), e.operation_flags()), (0x1b1a_1918, 0x1f1e_1d1c));
        assert_eq!((e.buffer_index(), e.file_index()), (0x2928, 0x2f2e_2d2c));
        assert_eq!((e.address_length(), e.third_address()), (0x2d2c, words[6]));
        e.set_fd(-1);
        e.set_length(7);
        e.set_operation_flags(9);
        e.set_address_length(3);
        assert_eq!((e.fd(), e.length(), e.operation_flags()), (-1, 7, 9));
        assert_eq!((e.address_length(), e.file_index()), (3, 0x2f2e_0003));
        assert_eq!((e.operation(), e.flags(), e.buffer_index()), (0, 1, 0x2928));
    }

    #[test]
    fn an_answer_keeps_what_others_depend_on() {
        let mut e = Entry([0; WORDS]);
        e.0[0] = 22 | u64::from(FIXED_FILE | LINKS) << 8;
        e.0[4] = 77;
        let a = e.answered(-5);
        assert_eq!((a.operation(), a.flags(), a.0[4]), (NOP, LINKS, 77));
        assert_eq!((a.length() as i32, a.operation_flags()), (-5, NOP_INJECT_RESULT));
        assert_eq!(e.refused().flags(), e.flags());
        assert!(!e.breaks(-5), "a hard link holds");
        e.0[0] = 22 | u64::from(LINK) << 8;
        assert!(e.breaks(-5) && !e.breaks(5));
        e.0[0] = 37 | u64::from(LINK) << 8;
        assert!(!e.breaks(-5));
        assert_eq!(e.answered(-5).flags(), HARDLINK);
    }
}
