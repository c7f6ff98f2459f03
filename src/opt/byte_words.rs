//! Words that are put together from bytes: one load for all of them.
//!
//! Guest code that must not access words at any address, or wants them in the other byte order,
//! loads byte by byte, shifts and combines: 22 instructions for a doubleword. Of these, the first
//! load becomes one of the whole word ([`Op::LoadWord`]), and the others become what they leave in
//! registers, as bytes of that word ([`Op::Bytes`]). Nearly all of that is overwritten before
//! anybody sees it.
//!
//! - Every byte is read by the guest's code too, between the two places that the load and the last
//!   of the bytes have, with neither a store nor a way out between them. So the order of accesses
//!   is one that the memory model allows (but where another load between them reads one of these
//!   bytes and another hart writes it meanwhile), and the word's load faults only if one of the
//!   bytes' does. The guest's state is then that before the first, and the interpreter finds out
//!   which faults.
//! - The word is in the home of the first load's destination, which therefore nothing else may
//!   write, nor may anything else read a register that is made of the word: see [`Op::Bytes`].
//!   Where that does not hold for the first load, the word is loaded by the second, and so on.

use crate::ir::{
    BinOp, Builder, Bytes, LoadKind, MemSize, Node, Op, OpClass, Reg, Src, UnOp, Width,
};

/// Most nodes of a block that is looked at: sets of them are `u128`.
const MOST_NODES: usize = 128;
/// Fewest operations that are worth replacing.
const FEWEST: u32 = 4;

/// A set of nodes.
type Nodes = u128;

/// The value of a register that is made of bytes of memory.
#[derive(Clone, Copy)]
struct Value {
    /// Where each of its bytes was loaded from, as a distance from the base; `None` of zeros.
    bytes: [Option<i32>; 8],
    /// The low half is sign-extended.
    signed: bool,
    /// What the addresses are relative to: a register, and how often it had been written.
    base: (Reg, u32),
    /// How many stores there were before the loads.
    epoch: u32,
    /// The operations that it is made by.
    nodes: Nodes,
}

/// A word that is complete.
struct Word {
    /// The value of the last operation.
    value: Value,
    /// Which that is.
    root: usize,
    /// Where the word begins, as a distance from the base.
    off: i32,
    size: MemSize,
    reverse: bool,
}

/// Replaces what puts words together from bytes.
pub fn merge_bytes(b: &mut Builder) {
    // A word of two bytes has two loads.
    if b.block().byte_loads() < 2 || b.block().nodes.len() > MOST_NODES {
        return;
    }
    let (values, mut words) = find(&b.block().nodes);
    words.sort_by_key(|word| std::cmp::Reverse(word.size.bytes()));
    let mut taken: Nodes = 0;
    for word in &words {
        if word.value.nodes & taken == 0 && replace(b, word, &values) {
            taken |= word.value.nodes;
        }
    }
}

/// The values that are made of bytes, by node, and the words among them.
fn find(nodes: &[Node]) -> (Vec<Option<Value>>, Vec<Word>) {
    let mut now: [Option<Value>; 32] = [None; 32];
    let mut written = [0; 32];
    let mut epoch = 0;
    let (mut values, mut words) = (Vec::with_capacity(nodes.len()), Vec::new());
    for (n, node) in nodes.iter().enumerate() {
        let value = step(&node.op, n, &now, &written, epoch);
        for r in (0..32).filter(|r| node.writes() & 1 << r != 0) {
            written[r] += 1;
            now[r] = value;
        }
        match node.class() {
            class if class.is_plain() => {}
            OpClass::Memory if !matches!(node.op, Op::Store { .. } | Op::FStore { .. }) => {}
            OpClass::Memory => epoch += 1,
            _ => {
                epoch += 1;
                now = [None; 32];
            }
        }
        if let Some(value) = value {
            words.extend(complete(value, n));
        }
        values.push(value);
    }
    (values, words)
}

/// What operation `n` makes of bytes, if it does.
fn step(
    op: &Op,
    n: usize,
    now: &[Option<Value>; 32],
    written: &[u32; 32],
    epoch: u32,
) -> Option<Value> {
    let of = |r: Reg| now[usize::from(r.0)];
    let node = |value: Value| Value { nodes: value.nodes | 1 << n, ..value };
    match *op {
        Op::Load { kind: LoadKind { size, signed: false }, rd, base, off } if !rd.is_zero() => {
            let len = size.bytes();
            let mut bytes = [None; 8];
            for (i, byte) in (0..len as i32).zip(&mut bytes) {
                *byte = Some(off.checked_add(i)?);
            }
            let base = (base, written[usize::from(base.0)]);
            (len < 8).then_some(Value { bytes, signed: false, base, epoch, nodes: 1 << n })
        }
        Op::Bin { op: BinOp::Sll, w, rd, a, b: Src::Imm(by) } if by % 8 == 0 && !rd.is_zero() => {
            let value = of(a).filter(|value| !value.signed)?;
            let mut bytes = [None; 8];
            let by = by as usize / 8;
            bytes[by..].copy_from_slice(&value.bytes[..8 - by]);
            let signed = w == Width::W;
            if signed {
                bytes[4..].fill(None);
            }
            Some(node(Value { bytes, signed, ..value }))
        }
        Op::Bin { op: BinOp::Add, w: Width::D, rd, a, b: Src::Imm(0) } if !rd.is_zero() => {
            of(a).map(node)
        }
        Op::Bin { op: BinOp::And, rd, a, b: Src::Imm(255), .. } if !rd.is_zero() => {
            let value = of(a)?;
            let mut bytes = [None; 8];
            bytes[0] = value.bytes[0];
            Some(node(Value { bytes, signed: false, ..value }))
        }
        Op::Un { op: UnOp::ZextW, rd, a, .. } if !rd.is_zero() => {
            let mut value = of(a)?;
            value.bytes[4..].fill(None);
            Some(node(Value { signed: false, ..value }))
        }
        Op::Bin { op: BinOp::Or | BinOp::Add, w: Width::D, rd, a, b: Src::Reg(b) }
            if !rd.is_zero() =>
        {
            join(of(a)?, of(b)?).map(node)
        }
        _ => None,
    }
}

/// The sum of two values that have no byte in common.
fn join(x: Value, y: Value) -> Option<Value> {
    if x.base != y.base || x.epoch != y.epoch {
        return None;
    }
    let mut bytes = [None; 8];
    for (byte, pair) in bytes.iter_mut().zip(x.bytes.iter().zip(y.bytes)) {
        *byte = match pair {
            (Some(_), Some(_)) => return None,
            (one, other) => one.or(other),
        };
    }
    // The sign of one is in its fourth byte, which the other has not then, nor any above.
    let high = |value: &Value| value.bytes[4..].iter().any(Option::is_some);
    if x.signed && (y.signed || high(&y)) || y.signed && high(&x) {
        return None;
    }
    let signed = x.signed || y.signed;
    Some(Value { bytes, signed, nodes: x.nodes | y.nodes, ..x })
}

/// The word that `value`, of node `root`, is, if it is one.
fn complete(value: Value, root: usize) -> Option<Word> {
    let len = value.bytes.iter().take_while(|byte| byte.is_some()).count();
    let rest = value.bytes[len..].iter().all(Option::is_none);
    let size = match len {
        2 => MemSize::H,
        4 => MemSize::W,
        8 => MemSize::D,
        _ => return None,
    };
    let (first, last) = (value.bytes[0]?, value.bytes[len - 1]?);
    let (reverse, off) = (last < first, first.min(last));
    let word = Word { value, root, off, size, reverse };
    let all = (0..len).all(|i| value.bytes[i] == Some(word.at(i as i32)));
    (rest && all && value.nodes.count_ones() >= FEWEST && !(reverse && len == 2)).then_some(word)
}

impl Word {
    /// Where its byte `i` was loaded from.
    const fn at(&self, i: i32) -> i32 {
        if self.reverse { self.off + self.size.bytes() as i32 - 1 - i } else { self.off + i }
    }

    /// `value`, of which some bytes at least are this word's, as bytes of it. `None` if it is not
    /// some that are neighbours.
    fn bytes_of(&self, value: &Value) -> Option<Bytes> {
        let to = value.bytes.iter().position(Option::is_some)?;
        let len = value.bytes[to..].iter().take_while(|byte| byte.is_some()).count();
        if value.bytes[to + len..].iter().any(Option::is_some) {
            return None;
        }
        let from = (0..self.size.bytes() as i32).find(|i| Some(self.at(*i)) == value.bytes[to])?;
        let neighbours = (0..len).all(|i| value.bytes[to + i] == Some(self.at(from + i as i32)));
        let bytes = Bytes { from: from as u8, len: len as u8, to: to as u8, signed: value.signed };
        (neighbours && i64::from(from) + len as i64 <= i64::from(self.size.bytes()))
            .then_some(bytes)
    }
}

/// Replaces what makes `word`, from one of its loads on; false if that is not possible.
fn replace(b: &mut Builder, word: &Word, values: &[Option<Value>]) -> bool {
    let nodes = &b.block().nodes;
    let first = word.value.nodes.trailing_zeros() as usize;
    let ours = |n: usize| word.value.nodes & 1 << n != 0;
    // For each of the nodes, from the last to the first: what it becomes.
    let mut becomes = Vec::new();
    for n in (first..=word.root).rev().filter(|n| ours(*n)) {
        let Some(bytes) = values[n].as_ref().and_then(|value| word.bytes_of(value)) else { break };
        becomes.push((n, bytes));
    }
    while let Some(&(start, bytes)) = becomes.last() {
        if becomes.len() < FEWEST as usize {
            return false;
        }
        let Op::Load { rd, base, .. } = nodes[start].op else {
            becomes.pop();
            continue;
        };
        if !keeps_word(nodes, (start, word.root), rd, ours) {
            becomes.pop();
            continue;
        }
        let &Word { size, reverse, off, .. } = word;
        b.replace(start, Op::LoadWord { size, reverse, rd, bytes, base, off });
        for &(n, bytes) in &becomes[..becomes.len() - 1] {
            let written = b.block().nodes[n].writes();
            let to = Reg(written.trailing_zeros() as u8);
            b.replace(n, Op::Bytes { rd: to, bytes, word: rd });
        }
        return true;
    }
    false
}

/// True if from the load of a word by `rd` at node `start` to the last node, nothing but `ours`
/// writes that register, nothing reads a register that is made of the word, and everything goes on
/// behind itself.
fn keeps_word(
    nodes: &[Node],
    (start, root): (usize, usize),
    rd: Reg,
    ours: impl Fn(usize) -> bool,
) -> bool {
    let mut made = nodes[start].writes();
    for (n, node) in nodes.iter().enumerate().take(root).skip(start + 1) {
        let (reads, writes) = (node.reads(), node.writes());
        if ours(n) {
            made |= writes;
            continue;
        }
        let class = node.class();
        // What is long may be left to the interpreter by hosts that lack it.
        let short = class.is_plain() && class != OpClass::Long;
        let goes_on = short || matches!(class, OpClass::Memory | OpClass::Word);
        // The bytes of another word read its home alone, which is not what is made of this one.
        let reads = if matches!(node.op, Op::Bytes { .. }) { 0 } else { reads };
        if !goes_on || reads & made != 0 || writes & 1 << rd.0 != 0 {
            return false;
        }
        made &= !writes;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::check::{Random, State, build};
    use super::*;
    use crate::ir::{self, Block, Memory, Registers};

    /// Memory whose bytes depend on their addresses.
    #[derive(Default)]
    struct Bytewise(Vec<(u64, u32, u64)>);

    impl Memory for Bytewise {
        fn load(&mut self, addr: u64, bytes: u32) -> u64 {
            let byte = |i: u64| u64::from(addr.wrapping_add(i).wrapping_mul(0x9e37_79b9) as u8);
            (0..u64::from(bytes)).fold(0, |value, i| value | byte(i) << (8 * i))
        }

        fn store(&mut self, addr: u64, bytes: u32, value: u64) {
            self.0.push((addr, bytes, value));
        }
    }

    /// What others see: registers at each store and at loads that are no part of a word, and in the
    /// end. What a fault of a load finds is what it finds at the first load of the word.
    fn seen(block: &Block, of: &Block, registers: Registers) -> Vec<[u64; 32]> {
        let (mut registers, mut memory) = (registers, Bytewise::default());
        let mut seen = Vec::new();
        for (node, new) in block.nodes.iter().zip(&of.nodes) {
            if !new.class().is_plain() {
                seen.push(registers.x);
            }
            // Of an atomic nothing is known, and nothing looks at its result here.
            let flow = ir::eval(&node.op, &mut registers, &mut memory);
            assert!(matches!(flow, ir::Flow::Next | ir::Flow::Unknown));
        }
        seen.push(registers.x);
        seen
    }

    /// The block of `lines` as it becomes.
    fn merged(lines: &[&str]) -> Block {
        let mut b = build(lines);
        let before = b.block().clone();
        merge_bytes(&mut b);
        let after = b.block().clone();
        let mut whole = after.clone();
        (whole.ranges, whole.next) = (vec![(0x1000, 1024)], 0x1400);
        assert_eq!(ir::verify(&whole), Ok(()));
        let mut random = Random::default();
        for _ in 0..20 {
            let state = State::random(&mut random);
            let registers = state.registers;
            assert_eq!(
                seen(&before, &after, registers),
                seen(&after, &after, registers),
                "{after}"
            );
        }
        after
    }

    /// Loads, shifts and sums that put `len` bytes at `[x10 + off]` together in x15, by way of x14.
    fn word(off: i32, len: i32, reverse: bool) -> Vec<String> {
        let mut lines = Vec::new();
        for i in 0..len {
            let at = 8 * if reverse { len - 1 - i } else { i };
            let r = if i == 0 { 15 } else { 14 };
            lines.push(format!("load.bu x{r}, [x10 + {}]", off + i));
            if at != 0 {
                lines.push(format!("sll.d x{r}, x{r}, {at}"));
            }
            if i != 0 {
                lines.push("or.d x15, x15, x14".to_owned());
            }
        }
        lines
    }

    fn lines(text: &[String]) -> Vec<&str> {
        text.iter().map(String::as_str).collect()
    }

    fn loads(block: &Block) -> Vec<String> {
        let load = |n: &&Node| matches!(n.class(), OpClass::Memory | OpClass::Word);
        block.nodes.iter().filter(load).map(|n| n.op.to_string()).collect()
    }

    #[test]
    fn words_of_bytes_are_loaded_at_once() {
        for (len, size) in [(2, "h"), (4, "w"), (8, "d")] {
            let found = loads(&merged(&lines(&word(-3, len, false))));
            assert_eq!(found, [format!("loadword.{size} x15, 0..1@0 of [x10 + -3]")]);
        }
        for (len, size) in [(4, "w"), (8, "d")] {
            let text = word(5, len, true);
            let found = loads(&merged(&lines(&text)));
            let from = len - 1;
            let expected = format!("loadreversed.{size} x15, {from}..{len}@0 of [x10 + 5]");
            assert_eq!(found, [expected]);
        }
    }

    #[test]
    fn a_signed_word_is_one_too() {
        let mut text = word(0, 3, false);
        text.extend(
            ["load.bu x14, [x10 + 3]", "sll.w x14, x14, 24", "or.d x15, x14, x15"]
                .map(String::from),
        );
        let block = merged(&lines(&text));
        assert_eq!(loads(&block), ["loadword.w x15, 0..1@0 of [x10 + 0]"]);
        let last = block.nodes.last().map(|n| n.op.to_string());
        assert_eq!(last.as_deref(), Some("bytes x15, 0..4@0s of x15"));
    }

    #[test]
    fn what_lies_between_decides() {
        let words = |at: usize, op: &str| {
            let mut text = word(0, 4, false);
            text.insert(at, op.to_owned());
            let found = loads(&merged(&lines(&text)));
            found.iter().filter(|load| load.starts_with("loadword.w")).count()
        };
        for op in ["add.d x5, x6, x7", "load.d x5, [x6 + 0]", "const x11, 0x5"] {
            assert_eq!(words(4, op), 1, "{op}");
        }
        // A store may change a byte that is loaded later. The others change the base, or may leave.
        for op in ["store.b x5, [x6 + 0]", "add.d x10, x10, 1", "amo.add.w x5, [x6], x7"] {
            assert_eq!(words(4, op), 0, "{op}");
        }
        // The first half is needed: the other is made of the word that the third load loads.
        for op in ["add.d x5, x15, 1", "load.d x5, [x15 + 0]"] {
            assert_eq!((words(4, op), words(8, op)), (1, 0), "{op}");
        }
        // Behind the last load, a store finds what has been made so far, and may be of none of it.
        assert_eq!(words(8, "store.d x7, [x6 + 0]"), 1);
        assert_eq!(words(8, "store.d x15, [x6 + 0]"), 0);
        assert_eq!(words(8, "const x15, 0x5"), 0);
        assert_eq!(words(8, "clmul.d x5, x6, x7"), 0);
    }

    #[test]
    fn the_word_is_loaded_by_the_first_load_whose_register_stays() {
        let block = merged(&[
            "load.bu x11, [x10 + 0]",
            "load.bu x12, [x10 + 1]",
            "load.bu x13, [x10 + 2]",
            "load.bu x14, [x10 + 3]",
            "sll.d x12, x12, 8",
            "or.d x12, x12, x11",
            "const x11, 0x7",
            "sll.d x13, x13, 16",
            "or.d x13, x13, x12",
            "sll.d x14, x14, 24",
            "or.d x14, x14, x13",
        ]);
        let expected = ["load.bu x11, [x10 + 0]", "loadword.w x12, 1..2@0 of [x10 + 0]"];
        assert_eq!(loads(&block), expected);
    }

    #[test]
    fn two_words_at_once() {
        let block = merged(&[
            "load.bu x11, [x10 + 0]",
            "load.bu x12, [x10 + 1]",
            "load.bu x13, [x20 + 1]",
            "load.bu x14, [x20 + 0]",
            "sll.d x12, x12, 8",
            "sll.d x13, x13, 8",
            "or.d x12, x12, x11",
            "or.d x13, x13, x14",
        ]);
        let expected =
            ["loadword.h x11, 0..1@0 of [x10 + 0]", "loadword.h x13, 1..2@0 of [x20 + 0]"];
        assert_eq!(loads(&block), expected);
    }

    #[test]
    fn bytes_that_are_no_word_stay() {
        for text in [
            // One is missing, one is twice, one is elsewhere, too few.
            vec![
                "load.bu x5, [x10 + 0]",
                "load.bu x6, [x10 + 2]",
                "sll.d x6, x6, 8",
                "or.d x5, x5, x6",
            ],
            vec![
                "load.bu x5, [x10 + 0]",
                "load.bu x6, [x10 + 0]",
                "sll.d x6, x6, 8",
                "or.d x5, x5, x6",
            ],
            vec![
                "load.bu x5, [x10 + 0]",
                "load.bu x6, [x11 + 1]",
                "sll.d x6, x6, 8",
                "or.d x5, x5, x6",
            ],
            vec!["load.bu x5, [x10 + 0]", "load.bu x6, [x10 + 1]", "or.d x5, x5, x6"],
        ] {
            assert_eq!(loads(&merged(&text)).len(), 2, "{text:?}");
        }
    }
}
