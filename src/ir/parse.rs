//! Blocks from text: the inverse of `print`, for tests and tools.

use std::str::FromStr;

use super::syntax::{Field, for_each_form};
use super::{Block, Node, Op};

/// Text that is not what `Display` writes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: not a line of a block: {text}")]
pub struct ParseError {
    /// Number of the line, from 1.
    pub line: usize,
    /// The line.
    pub text: String,
}

/// A field up to `end`, or up to the end of `text` if that is empty, and what comes after it.
fn field<'a, T: Field>(text: &'a str, end: &str) -> Option<(T, &'a str)> {
    let (field, rest) = if end.is_empty() { (text, "") } else { text.split_once(end)? };
    Some((T::read(field)?, rest))
}

macro_rules! parse { ($([$($shape:tt)*] $first:literal $($field:ident $text:literal)*;)*) => {
    /// One parser per form.
    const FORMS: &[fn(&str) -> Option<Op>] = &[$(|text| {
        let rest = text.strip_prefix($first)?;
        $(let ($field, rest) = field(rest, $text)?;)*
        rest.is_empty().then_some($($shape)*)
    }),*];
} }
for_each_form!(parse);

impl FromStr for Op {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let op = FORMS.iter().find_map(|form| form(text));
        op.ok_or_else(|| ParseError { line: 1, text: text.to_owned() })
    }
}

impl FromStr for Block {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut block = Self::default();
        for (n, line) in text.lines().map(str::trim).enumerate() {
            if !line.is_empty() {
                let error = || ParseError { line: n + 1, text: line.to_owned() };
                block_line(&mut block, line).ok_or_else(error)?;
            }
        }
        Ok(block)
    }
}

/// Adds what one line says. A block that does not fall through has its own address as `next`.
fn block_line(block: &mut Block, line: &str) -> Option<()> {
    let (word, rest) = line.split_once(' ')?;
    match word {
        "block" => {
            let (pc, insns) = rest.split_once(" insns ")?;
            block.pc = u64::read(pc)?;
            block.next = block.pc;
            block.insns = insns.parse().ok()?;
        }
        "range" => {
            let (addr, len) = rest.split_once(' ')?;
            block.ranges.push((u64::read(addr)?, len.parse().ok()?));
        }
        "next" => block.next = u64::read(rest)?,
        pc => block.add(Node::new(rest.parse().ok()?, u64::read(pc)?)),
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! any { ($([$($shape:tt)*] $first:literal $($field:ident $text:literal)*;)*) => {
        /// One generator per form.
        const ANY: &[fn(&mut dyn FnMut() -> u64) -> Op] = &[$(|_next| {
            $(let $field = Field::any(_next());)*
            $($shape)*
        }),*];
    } }
    for_each_form!(any);

    /// splitmix64, from a fixed seed.
    fn numbers() -> impl FnMut() -> u64 {
        let mut state = 1u64;
        move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        }
    }

    #[test]
    fn every_operation_survives_its_text() {
        let mut next = numbers();
        for any in ANY {
            for _ in 0..200 {
                let op = any(&mut next);
                assert_eq!(op.to_string().parse(), Ok(op));
            }
        }
    }

    #[test]
    fn each_text_fits_one_form() {
        let mut next = numbers();
        for any in ANY {
            for _ in 0..200 {
                let text = any(&mut next).to_string();
                let fits = FORMS.iter().filter(|form| form(&text).is_some()).count();
                assert_eq!(fits, 1, "{text}");
            }
        }
    }

    #[test]
    fn blocks_survive_their_text() {
        let mut next = numbers();
        for _ in 0..100 {
            let mut block = Block::default();
            (block.pc, block.insns) = (next(), next() as u32);
            block.next = block.pc;
            block.ranges = (0..next() % 3).map(|_| (next(), next() as u32)).collect();
            for _ in 0..next() % 20 {
                let op = ANY[(next() % ANY.len() as u64) as usize](&mut next);
                block.add(Node::new(op, next()));
            }
            if block.falls_through() {
                block.next = next();
            }
            assert_eq!(block.to_string().parse(), Ok(block));
        }
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["", "add.d x1, x2", "add.d x1, x2, x32", "jump 10", "add.q x1, x2, x3", "nop"]
        {
            assert!(text.parse::<Op>().is_err(), "{text}");
        }
        let error = "block 0x0 insns 1\n0x0 pause\n0x0 rest\n".parse::<Block>();
        assert_eq!(error, Err(ParseError { line: 3, text: "0x0 rest".to_owned() }));
    }
}
