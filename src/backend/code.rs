//! Bytes of host code that grow at the end, an instruction at a time.

use std::ops::{Deref, DerefMut};

/// Code of one part of a block while it is being made.
///
/// Behind its end there is nearly always room for an instruction already, so that one is appended
/// by one or two stores of eight bytes each, whatever its length.
#[derive(Debug, Default)]
pub struct Code {
    /// The code, and behind it room that has been used before or is zero.
    bytes: Vec<u8>,
    len: usize,
}

impl Code {
    /// Appends the low `n` bytes of `head`, at most 7, and the low `m` bytes of `tail`, at most 8.
    #[inline]
    pub fn put(&mut self, (head, n): (u64, u32), (tail, m): (u64, u32)) {
        debug_assert!(n < 8 && m <= 8, "an instruction is not that long");
        let Some(room) = self.room::<16>() else { return self.put_later((head, n), (tail, m)) };
        let n = n as usize & 7;
        room[..8].copy_from_slice(&head.to_le_bytes());
        room[n..n + 8].copy_from_slice(&tail.to_le_bytes());
        self.len += n + m as usize;
    }

    /// Appends the low `n` bytes of `word`, at most 8.
    #[inline]
    pub fn put_word(&mut self, word: u64, n: u32) {
        debug_assert!(n <= 8, "a word is not that long");
        let Some(room) = self.room() else { return self.put_word_later(word, n) };
        *room = word.to_le_bytes();
        self.len += n as usize;
    }

    /// Appends one byte.
    #[inline]
    pub fn push(&mut self, byte: u8) {
        self.append([byte]);
    }

    /// Appends a few bytes.
    #[inline]
    pub fn append<const N: usize>(&mut self, bytes: [u8; N]) {
        let Some(room) = self.room() else { return self.append_later(bytes) };
        *room = bytes;
        self.len += N;
    }

    /// Appends any number of bytes.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        if self.bytes.len() < end {
            self.bytes.resize((2 * self.bytes.len()).max(end), 0);
        }
        self.bytes[self.len..end].copy_from_slice(bytes);
        self.len = end;
    }

    /// Number of bytes.
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// True if there is no byte.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes back all but the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// The next `N` bytes behind the end, if there is room.
    #[inline(always)]
    fn room<const N: usize>(&mut self) -> Option<&mut [u8; N]> {
        self.bytes.get_mut(self.len..)?.first_chunk_mut()
    }

    fn grow(&mut self) {
        let len = (2 * self.bytes.len()).max(1024);
        self.bytes.resize(len, 0);
    }

    // What is done where there is no room are functions of their own, so that where there is some
    // no registers need be saved for them.

    #[cold]
    #[inline(never)]
    fn put_later(&mut self, head: (u64, u32), tail: (u64, u32)) {
        self.grow();
        self.put(head, tail);
    }

    #[cold]
    #[inline(never)]
    fn put_word_later(&mut self, word: u64, n: u32) {
        self.grow();
        self.put_word(word, n);
    }

    #[cold]
    #[inline(never)]
    fn append_later<const N: usize>(&mut self, bytes: [u8; N]) {
        self.grow();
        self.append(bytes);
    }
}

impl Deref for Code {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl DerefMut for Code {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_appended_in_order_and_taken_back() {
        let mut code = Code::default();
        let mut expected = Vec::new();
        for i in 0..2000u32 {
            let (n, m) = (i % 8, i / 8 % 9);
            let (head, tail) =
                (u64::from(i).wrapping_mul(0x9123_4567_89ab_cdef), !u64::from(i * 77));
            code.put((head, n), (tail, m));
            expected.extend_from_slice(&head.to_le_bytes()[..n as usize]);
            expected.extend_from_slice(&tail.to_le_bytes()[..m as usize]);
            code.put_word(u64::from(i) << 7, m);
            expected.extend_from_slice(&(u64::from(i) << 7).to_le_bytes()[..m as usize]);
            code.push(i as u8);
            code.append((i as u16).to_le_bytes());
            code.extend_from_slice(&[i as u8; 3]);
            expected.push(i as u8);
            expected.extend_from_slice(&(i as u16).to_le_bytes());
            expected.extend_from_slice(&[i as u8; 3]);
        }
        assert_eq!(*code, *expected);
        code.truncate(7);
        code.push(1);
        assert_eq!(code[..7], expected[..7]);
        assert_eq!((code.len(), code[7]), (8, 1));
    }
}
