//! What passes must keep: evaluation of operations as they were and as they have become, from
//! random states.

use super::{REWRITES, RegSet};
use crate::ir::{self, Block, Builder, Flow, Memory, Node, Op, Reg, Registers};

/// Name of a rewrite, and what it makes of an operation that is about to be added.
pub(super) type Rewrite = (&'static str, fn(&mut Builder, Op) -> Option<Op>);

/// Values at which operations change their ways.
pub(super) const VALUES: [u64; 12] = [
    0,
    1,
    0x7f,
    0x80,
    0x8000,
    0xffff_ffff,
    0x7fff_ffff,
    0x8000_0000,
    1 << 63,
    (1 << 63) - 1,
    u64::MAX,
    56,
];

/// `splitmix64`.
#[derive(Default)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

/// Something that others may see: an operation with an effect, or that may fault or leave, with
/// the state before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// The operation.
    pub(super) op: Op,
    /// Address of its instruction.
    pc: u64,
    x: [u64; 32],
    f: [u64; 32],
    fflags: u8,
}

/// A state of the guest. What is loaded depends on the address and the number of stores before it.
#[derive(Clone, Default)]
pub(super) struct State {
    pub(super) registers: Registers,
    stores: u64,
}

impl Memory for State {
    fn load(&mut self, addr: u64, bytes: u32) -> u64 {
        Random(addr ^ self.stores).next() & (u64::MAX >> (64 - 8 * bytes))
    }

    fn store(&mut self, addr: u64, bytes: u32, value: u64) {
        self.stores = Random(self.stores ^ addr ^ u64::from(bytes) ^ value).next();
    }
}

impl State {
    /// A state in which half of the registers are special values, also of floats.
    pub(super) fn random(random: &mut Random) -> Self {
        let mut state = Self::default();
        for r in 0..32 {
            let special = random.pick(&VALUES);
            state.registers.x[r] = if random.below(2) == 0 { special } else { random.next() };
            state.registers.f[r] = random.pick(&[0, 1 << 63, 0x7ff8 << 48, 0x7ff4 << 48]);
            if random.below(2) == 0 {
                state.registers.f[r] = random.next();
            }
        }
        state.registers.x[0] = 0;
        state.registers.fflags = random.below(32) as u8;
        state
    }

    /// Executes `nodes` until they are left, and says how.
    pub(super) fn run(&mut self, nodes: &[Node]) -> (Vec<Event>, Flow) {
        let mut events = Vec::new();
        for node in nodes {
            if !is_quiet(&node.op) {
                let Registers { x, f, fflags, .. } = self.registers;
                events.push(Event { op: node.op, pc: node.pc, x, f, fflags });
            }
            let mut registers = self.registers;
            let flow = ir::eval(&node.op, &mut registers, self);
            self.registers = registers;
            match flow {
                Flow::Next => {}
                Flow::Unknown => panic!("{}: not evaluated", node.op),
                flow => return (events, flow),
            }
        }
        (events, Flow::Next)
    }
}

/// True if nobody can see an operation but by what it writes.
const fn is_quiet(op: &Op) -> bool {
    matches!(
        op,
        Op::Const { .. }
            | Op::Bin { .. }
            | Op::Un { .. }
            | Op::Select { .. }
            | Op::ReadFlags { .. }
            | Op::SwapFlags { .. }
            | Op::FCmp { .. }
    )
}

/// The builder of a block of these operations as they are, each an instruction of its own.
pub(super) fn build(lines: &[&str]) -> Builder {
    through(&[], &parse(lines))
}

fn parse(lines: &[&str]) -> Vec<Op> {
    lines.iter().map(|text| text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))).collect()
}

/// The builder of a block of `ops`, each of which has gone through `rewrites`.
fn through(rewrites: &[Rewrite], ops: &[Op]) -> Builder {
    let mut b = Builder::default();
    b.start(0x1000);
    for (n, op) in ops.iter().enumerate() {
        b.at(0x1000 + 4 * n as u64);
        let rewritten = rewrites.iter().try_fold(*op, |op, (_, rewrite)| rewrite(&mut b, op));
        if let Some(op) = rewritten {
            b.push(op);
        }
    }
    b
}

/// The operations of a block, as text.
pub(super) fn text(b: &Builder) -> Vec<String> {
    b.block().nodes.iter().map(|n| n.op.to_string()).collect()
}

/// What becomes of operations that are added, as text.
pub(super) fn added(lines: &[&str]) -> Vec<String> {
    let mut b = Builder::default();
    b.start(0x1000);
    for (n, op) in parse(lines).into_iter().enumerate() {
        b.at(0x1000 + 4 * n as u64);
        super::add(&mut b, op);
    }
    let all = text(&b);
    assert_eq!(all, text(&through(REWRITES, &parse(lines))), "the list is what is added by");
    all
}

/// What `rd` holds behind `ops`, where `reg` has this value and all others are 0.
pub(super) fn result(ops: &[Op], rd: Reg, (reg, value): (Reg, u64)) -> u64 {
    let mut state = State::default();
    state.registers.x[usize::from(reg.0)] = value;
    let nodes: Vec<Node> = ops.iter().map(|op| Node::new(*op, 0)).collect();
    state.run(&nodes);
    state.registers.x[usize::from(rd.0)]
}

/// One random operation or a few that are often found together, on few registers so that they meet.
fn random_ops(random: &mut Random) -> Vec<Op> {
    let lines = match random.below(8) {
        // In place, or nearly so.
        0 => {
            let (a, w) = (random.pick(&["x5", "x6"]), random.pick(&["w", "d"]));
            let most = if w == "w" { [8, 16, 24, 31] } else { [24, 32, 48, 56] };
            let (right, rd) = (random.pick(&["srl", "sra"]), random.pick(&["x5", "x5", "x6"]));
            vec![
                format!("sll.{w} x5, {a}, {}", random.pick(&most)),
                format!("{right}.{w} {rd}, x5, {}", random.pick(&most)),
            ]
        }
        1 => {
            let (rd, saved) = (random.pick(&["x5", "x6", "x6"]), random.pick(&["x5", "x5", "x7"]));
            vec![
                "readflags x5".to_owned(),
                format!("{}.d {rd}, f1, f2", random.pick(&["flt", "fle"])),
                format!("swapflags x0, {saved}"),
            ]
        }
        _ => vec![random_op(random)],
    };
    lines.iter().map(|text| text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))).collect()
}

/// A random operation, as text.
fn random_op(random: &mut Random) -> String {
    let r = |random: &mut Random| random.pick(&["x0", "x5", "x5", "x6", "x7"]);
    let (rd, a, b) = (r(random), r(random), r(random));
    let n = random.pick(&[0, 1, 8, 16, 24, 31]);
    let wide = random.pick(&[0, 7, 24, 32, 48, 56, 63]);
    let imm = random.pick(&[-2048, -1, 0, 1, 255, 2047]);
    match random.below(13) {
        0 | 1 => format!("const {rd}, {:#x}", random.pick(&VALUES)),
        2 => format!("{}.d {rd}, {a}, {imm}", random.pick(&["add", "and", "or", "xor", "sltu"])),
        3 => format!("add.w {rd}, {a}, {imm}"),
        4 => format!("{}.d {rd}, {a}, {wide}", random.pick(&["sll", "slluw", "ror", "bset"])),
        5 => format!("{}.w {rd}, {a}, {n}", random.pick(&["sll", "srl", "sra"])),
        6 => {
            format!("{}.{} {rd}, {a}, {b}", random.pick(&["add", "sub"]), random.pick(&["w", "d"]))
        }
        7 => format!("{}.d {rd}, {a}, {b}", random.pick(&["adduw", "sh2add", "and", "czeroeqz"])),
        8 => format!("load.w {rd}, [{a} + {imm}]"),
        9 => format!("store.d {a}, [{b} + {imm}]"),
        10 => format!("branch.ne {a}, {b}, 0x2000"),
        11 => "readflags x5".to_owned(),
        _ => format!("{}.d {rd}, f1, f2", random.pick(&["flt", "fle"])),
    }
}

/// Registers that `nodes` write.
fn written(nodes: &[Node]) -> RegSet {
    nodes.iter().fold(0, |set, n| set | n.writes())
}

#[test]
fn each_rewrite_and_all_of_them_keep_what_can_be_seen() {
    let mut random = Random::default();
    let mut changed = vec![0; REWRITES.len() + 1];
    for _ in 0..10_000 {
        let some = 1 + random.below(6);
        let ops: Vec<Op> = (0..some).flat_map(|_| random_ops(&mut random)).collect();
        let plain = through(&[], &ops);
        let before = &plain.block().nodes;
        let start = State::random(&mut random);
        let mut expected = start.clone();
        let (events, flow) = expected.run(before);
        for (n, changed) in changed.iter_mut().enumerate() {
            let rewrites = REWRITES.get(n..=n).unwrap_or(REWRITES);
            let after = through(rewrites, &ops);
            let after = &after.block().nodes;
            *changed += u32::from(after != before);
            let context = || format!("{rewrites:?}: {before:?} became {after:?}");
            assert_eq!(written(after) & !written(before), 0, "{}", context());
            let mut actual = start.clone();
            assert_eq!(actual.run(after), (events.clone(), flow), "{}", context());
            assert_eq!(actual.registers.x, expected.registers.x, "{}", context());
            let [a, b] = [&actual, &expected].map(|s| (s.registers.fflags, s.stores));
            assert_eq!(a, b);
        }
    }
    // Each was put to the test.
    assert!(changed.iter().all(|n| *n > 100), "{changed:?}");
}

/// A block at 0x1000 of these instructions, one operation each.
pub(super) fn block(lines: &[&str]) -> Block {
    let mut text = format!("block 0x1000 insns {}\nrange 0x1000 64\n", lines.len());
    for (n, line) in lines.iter().enumerate() {
        text += &format!("{:#x} {line}\n", 0x1000 + 4 * n);
    }
    text += &format!("next {:#x}\n", 0x1000 + 4 * lines.len());
    text.parse().unwrap_or_else(|e| panic!("{e}: {text}"))
}
