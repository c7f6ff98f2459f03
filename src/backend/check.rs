//! A checker beside the allocator, in debug builds.
//!
//! An emitter believes things about each guest register: where its home is, what is pending, what
//! is narrow. Behind each operation that it has emitted, the belief is compared with a model: some
//! harts with random registers on which [`ir::eval`] executes the operation, and as many simulated
//! hosts ([`Host`]) that execute the host code just emitted. A belief is wrong if its value on the
//! simulated host is not the guest's. The same is done at exits, where the contract must hold, and
//! for what fault points say.
//!
//! What a simulated host does not know (arithmetic of floating point, atomics) writes random
//! values; what the operation defines is then taken from the belief, and everything else is checked
//! as before.

mod bank;
mod belief;
mod float;
mod guest;
#[cfg(test)]
mod rig;

pub(crate) use bank::has_bank;
pub use bank::{Bank, Place};
pub use belief::Belief;
pub use float::Floats;
pub use guest::{Guest, Random};
#[cfg(test)]
pub(crate) use rig::{buffer, context, said_by};

use super::faults::{RestoreOp, points};
use super::{CodeBuf, EmitContext, LinkSite, MAX_COUNTERS, RegMap};
use crate::ir::{self, Flow, Node, Op, Registers};
use crate::opt::RegSet;
use crate::util::CodePtr;
use belief::value;
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::fmt::Write as _;
use std::ops::DerefMut;
use std::rc::Rc;

/// Harts that execute each block.
const STATES: u64 = 2;

/// Host instructions that an operation may take: more only if a loop does not end.
const PATIENCE: usize = 5000;

/// What an instruction did.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Execution goes on behind it.
    Next,
    /// It goes on elsewhere.
    Jump {
        /// Where.
        to: CodePtr,
    },
    /// It does so on a condition.
    Branch {
        /// Where.
        to: CodePtr,
        /// Whether the condition holds.
        taken: bool,
    },
    /// It goes on elsewhere, and comes back.
    Call {
        /// Where.
        to: CodePtr,
    },
    /// It leaves the block for a guest address that is in registers.
    Indirect {
        /// Which.
        target: u64,
        /// Whether it comes back.
        call: bool,
    },
}

/// A simulated host: what all have, and flags.
pub trait Host: Clone + DerefMut<Target = Bank> {
    /// A decoded instruction.
    type Insn: Copy;

    /// One with random contents.
    fn new(random: &mut Random) -> Self;

    /// Gives random values to all that belongs to no guest register.
    fn scramble(&mut self);

    /// The instruction at the start of `code`, which lies at `at`, and its length.
    fn decode(code: &[u8], at: CodePtr) -> (Self::Insn, u32);

    /// Where linking would change the instruction between two places, if it is a jump.
    fn link_site(at: CodePtr, next: CodePtr) -> CodePtr;

    /// Executes an instruction that lies at `at`.
    fn step(&mut self, insn: &Self::Insn, at: CodePtr, guest: &mut Guest<'_>) -> Step;

    /// Host code as text.
    fn listing(code: &[u8], at: CodePtr) -> String;
}

/// Which way conditional jumps go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ways {
    /// As flags say.
    Flags,
    /// Not where they would leave hot code for good; else as flags say.
    Stay,
    /// Never to where they jump.
    Never,
    /// The first that may leave the block goes where it jumps, others as flags say.
    Leave,
}

/// How the code of an operation ended.
#[derive(Clone, Copy, Debug)]
enum End {
    /// Behind itself.
    Behind,
    /// The block is left for a guest address.
    Exit(u64),
    /// The same, by a call that comes back to a place.
    Call(u64, CodePtr),
    /// By a branch that will be linked to the guest address it is for.
    Linked,
    /// By way of a stub.
    Stub(CodePtr),
    /// At earlier code of the block: the head of a loop.
    Back,
    /// At a block of the region, by the guest address.
    Inside(u64),
    /// By a branch, at this place, to what will be emitted behind the block.
    Later(CodePtr),
    /// A loop that did not end.
    Lost,
}

/// A hart and a host.
#[derive(Clone)]
struct State<'c, H> {
    host: H,
    registers: Registers,
    /// What they were before the instructions that are executed now.
    before: Rc<Vec<(u64, Registers)>>,
    /// A conditional branch has been executed.
    branched: bool,
    /// Branches were not executed as flags said: what they look for is taken to be otherwise.
    forced: bool,
    guest: Guest<'c>,
}

/// A fault point to be checked: the guest's pc and what is pending.
type Point = (u64, Vec<RestoreOp>);

/// The model of one run of nodes.
pub struct Check<'n, 'c, H: Host> {
    nodes: &'n [Node],
    /// Where execution goes on behind them.
    after: u64,
    ctx: &'c EmitContext<'c>,
    map: RegMap,
    random: Random,
    states: Vec<State<'c, H>>,
    /// What nobody sees behind each node.
    unseen: Vec<RegSet>,
    /// Floating-point registers have to do with the nodes: else they are not looked at.
    floating: bool,
    /// What was believed of them when code was last checked.
    floats: Floats,
    /// Nodes that have been checked.
    done: usize,
    /// Code that has been checked ends here.
    at: CodePtr,
    /// Fault points that have been read: bytes of hot and cold ones, place and pc of the last.
    read: [(usize, u32, u64); 2],
    points: FxHashMap<u32, Point>,
    later: Vec<Later<'c, H>>,
    /// The instructions of the current operation that have been decoded, with what follows each.
    decoded: RefCell<Vec<(CodePtr, H::Insn, CodePtr)>>,
}

/// Registers of which nothing is known, as an operation defines them in its own way.
#[derive(Clone, Copy, Default)]
struct Adopted {
    x: RegSet,
    f: u32,
}

impl Adopted {
    /// Those that `node` writes are.
    fn add(&mut self, node: &Node) {
        self.x |= node.writes();
        self.f |= match node.op {
            Op::Helper { .. } => !0,
            _ => node.op.float_writes(),
        };
    }
}

/// A branch that has been taken to what will be emitted behind the block.
struct Later<'c, H> {
    site: CodePtr,
    state: State<'c, H>,
    /// Which nodes it belongs to.
    nodes: std::ops::Range<usize>,
    adopted: Adopted,
    target: Flow,
}

/// What is checked now.
struct Now<'a, 'e> {
    belief: &'a Belief<'e>,
    nodes: &'a [Node],
    from: CodePtr,
    /// Guest address of what comes behind them.
    next: u64,
    adopted: Adopted,
    /// The first operation that defines registers in its own way.
    inexact: Option<&'a Node>,
}

impl Now<'_, '_> {
    /// True if a conditional branch may leave the block.
    fn branches(&self) -> bool {
        self.nodes.last().is_some_and(|n| matches!(n.op, Op::Branch { .. }))
    }

    /// How the operation ends that jumps to `to`, if that is code of an earlier one.
    fn earlier(&self, to: CodePtr) -> Option<End> {
        let buf = self.belief.buf;
        let hot = code_at(buf, to).is_some_and(|to| !to.1);
        let entry = buf.entries.iter().find(|entry| entry.1 == to);
        let end = entry.map_or(End::Back, |entry| End::Exit(entry.0));
        (hot && to.0 < self.from.0).then_some(end)
    }

    /// How the operation ends that jumps to `to` by a jump that is linked.
    fn linked(&self, link: &LinkSite, to: CodePtr) -> End {
        let head = self.belief.head.is_some_and(|head| head.0 == to);
        if head { End::Back } else { End::Exit(link.target) }
    }

    /// True of an address behind the first of the nodes and not behind the last.
    fn between(&self, pc: u64) -> bool {
        matches!(self.nodes, [first, .., last] if first.pc < pc && pc <= last.pc)
    }
}

impl<'n, 'c, H: Host> Check<'n, 'c, H> {
    /// A model of `nodes`, behind which is `after`, and of their code, before which `belief` holds.
    pub fn new(
        (nodes, after): (&'n [Node], u64),
        (ctx, map): (&'c EmitContext<'c>, RegMap),
        belief: &Belief<'_>,
    ) -> Self {
        let buf = belief.buf;
        let seed = nodes.first().map_or(0, |n| n.pc);
        let mut unseen = vec![0; nodes.len()];
        for i in (1..nodes.len()).rev() {
            let n = &nodes[i];
            if n.class().is_plain() {
                unseen[i - 1] = (unseen[i] | n.writes()) & !n.reads();
            }
        }
        let [hot, cold] = [&buf.hot_faults, &buf.cold_faults].map(|faults| {
            let (len, (host, pc)) = faults.mark();
            (len, host, pc)
        });
        let mut check = Self {
            nodes,
            after,
            ctx,
            map,
            random: Random::new(seed),
            states: Vec::new(),
            unseen,
            floating: nodes.iter().any(|node| float::concerns(&node.op)),
            floats: belief.floats,
            done: 0,
            at: belief.at,
            read: [hot, cold],
            points: FxHashMap::default(),
            later: Vec::new(),
            decoded: RefCell::default(),
        };
        check.refresh();
        check
    }

    /// Forgets everything: the contract holds, and nothing else is known but of floating-point
    /// registers.
    fn refresh(&mut self) {
        self.states.clear();
        for n in 0..STATES {
            let mut host = H::new(&mut self.random);
            host.set_map(self.map);
            let guest = Guest {
                key: self.random.next_u64(),
                mode: self.ctx.mode,
                counters: self.ctx.counters.map_or(0..0, |at| at..at + 8 * MAX_COUNTERS as u64),
                peek: (n == 0).then_some(self.ctx.peek),
                peeked: FxHashMap::default(),
                stores: Vec::new(),
                touched: Vec::new(),
                unknown: false,
            };
            let registers = Registers::default();
            let before = Rc::default();
            let mut state =
                State { host, registers, before, branched: false, forced: false, guest };
            self.fill(&mut state, &self.floats.clone());
            self.states.push(state);
        }
    }

    /// Gives all guest registers new values, at home but for what `floats` says.
    fn fill(&mut self, state: &mut State<'c, H>, floats: &Floats) {
        for r in 1..32 {
            let value = self.random.value();
            state.registers.x[usize::from(r)] = value;
            state.host.set_home(r, value);
        }
        if self.floating {
            for r in 0..32 {
                state.host.set_float_home(r, float::any_value(&mut self.random));
            }
            (0..32).for_each(|r| adopt_float(state, floats, r));
        }
    }

    /// The code from `start` on has moved by `n` bytes: prefixes were put before an instruction,
    /// which may have been checked already.
    pub fn moved(&mut self, start: CodePtr, n: u32) {
        if start < self.at {
            self.at.0 += n;
        }
    }

    /// Checks what has been emitted for the nodes before `done` that has not been checked.
    ///
    /// # Panics
    /// What the emitter believes is wrong: its bug.
    pub fn emitted(&mut self, done: usize, belief: &Belief<'_>) {
        self.read_points(belief.buf);
        self.decoded.borrow_mut().clear();
        let nodes = &self.nodes[std::mem::replace(&mut self.done, done)..done];
        let from = std::mem::replace(&mut self.at, belief.at);
        let next = self.nodes.get(done).map_or(self.after, |n| n.pc);
        let mut now = Now { belief, nodes, from, next, adopted: Adopted::default(), inexact: None };
        let mut goes_on = true;
        for mut state in std::mem::take(&mut self.states) {
            goes_on &= self.execute(&mut state, &mut now);
            self.states.push(state);
        }
        if nodes.last().is_some_and(|n| n.op.ends_block()) {
            return;
        }
        let floats = std::mem::replace(&mut self.floats, belief.floats);
        if !goes_on {
            self.refresh();
        } else if self.floating {
            self.adopt_floats(&now, &floats);
        }
        let unseen = if done == 0 { 0 } else { self.unseen[done - 1] };
        for state in &mut self.states {
            for r in (1..32).filter(|r| unseen & 1 << r == 0) {
                if goes_on && now.adopted.x & 1 << r != 0 {
                    state.registers.x[usize::from(r)] = belief.adopt(&mut state.host, r);
                }
            }
        }
        let special = belief.special();
        for state in &self.states {
            for r in (1..32).filter(|r| unseen & 1 << r == 0) {
                let value = state.registers.x[usize::from(r)];
                if special & 1 << r == 0 && state.host.home(r) == value {
                    continue;
                }
                if let Some(why) = belief.wrong(&state.host, r, value) {
                    self.fail(&now, &format!("x{r} {why}, not {value:#x}: {}", belief.text(r)));
                }
            }
            if self.floating {
                self.check_floats(state, &now, &belief.floats, 0, "");
            }
        }
    }

    /// Takes from the belief what the operation has given to floating-point registers.
    fn adopt_floats(&mut self, now: &Now<'_, '_>, before: &Floats) {
        let floats = &now.belief.floats;
        for state in &mut self.states {
            for r in 0..32 {
                let value = state.registers.f[usize::from(r)];
                let checked = now.inexact.is_some() && floats.has_been_checked(before, r, value);
                let home = state.host.float_home(r);
                let forced = state.forced && floats.wrong(r, home, value).is_some();
                if checked || forced || now.adopted.f & 1 << r != 0 {
                    adopt_float(state, floats, r);
                }
            }
        }
    }

    /// Checks what is believed of floating-point registers, but for those in `but`.
    fn check_floats(
        &self,
        state: &State<'c, H>,
        now: &Now<'_, '_>,
        floats: &Floats,
        but: u32,
        place: &str,
    ) {
        // What a jump asked for that was not executed as flags said may be their values.
        for r in (0..32).filter(|r| !state.forced && but & 1 << r == 0) {
            let value = state.registers.f[usize::from(r)];
            if let Some(why) = floats.wrong(r, state.host.float_home(r), value) {
                self.fail(now, &format!("f{r} {why}{place}, not {value:#x}"));
            }
        }
    }

    /// Checks what was emitted behind the last node, to go on elsewhere.
    ///
    /// # Panics
    /// As [`Self::emitted`].
    pub fn ended(&mut self, belief: &Belief<'_>) {
        self.read_points(belief.buf);
        self.decoded.borrow_mut().clear();
        let (from, next) = (self.at, self.after);
        let adopted = Adopted::default();
        let now = Now { belief, nodes: &[], from, next, adopted, inexact: None };
        for mut state in std::mem::take(&mut self.states) {
            let end = match self.run(&mut state, &now, Ways::Flags, now.from) {
                End::Behind if belief.following == Some(now.next) => End::Inside(now.next),
                end => end,
            };
            self.leaves(&state, &now, end, Flow::Goto(now.next));
        }
    }

    /// Checks what was emitted behind the block for branches that are taken.
    ///
    /// # Panics
    /// As [`Self::emitted`].
    pub fn taken(&mut self, belief: &Belief<'_>) {
        self.read_points(belief.buf);
        self.decoded.borrow_mut().clear();
        for Later { site, mut state, nodes, adopted, target } in std::mem::take(&mut self.later) {
            self.done = nodes.end;
            let nodes = &self.nodes[nodes];
            let link = belief.buf.links.iter().find(|link| link.site == site);
            let Some((insn, _)) = self.insn(belief.buf, site) else { continue };
            let from = match (link, state.host.clone().step(&insn, site, &mut state.guest)) {
                (Some(link), _) => link.stub,
                (None, Step::Branch { to, .. }) => to,
                (None, _) => continue,
            };
            let now = Now { belief, nodes, from, next: self.after, adopted, inexact: None };
            if link.is_some() {
                self.leaves(&state, &now, End::Linked, target);
            }
            let end = self.run(&mut state, &now, Ways::Flags, from);
            self.leaves(&state, &now, end, target);
        }
    }

    /// Executes the nodes and their code; whether execution goes on behind them.
    fn execute(&mut self, state: &mut State<'c, H>, now: &mut Now<'_, '_>) -> bool {
        state.guest.begin();
        state.forced = false;
        let mut parts = Vec::with_capacity(now.nodes.len());
        let mut expected = Vec::new();
        let mut flow = Flow::Next;
        for node in now.nodes {
            if parts.last().is_none_or(|(pc, _)| *pc != node.pc) {
                parts.push((node.pc, state.registers));
            }
            let accessed = address(&node.op, &state.registers.x);
            // Simulated hosts do not compute with floats.
            flow = if float::is_arithmetic(&node.op) {
                Flow::Unknown
            } else {
                ir::eval(&node.op, &mut state.registers, &mut state.guest)
            };
            if flow == Flow::Unknown {
                now.inexact = now.inexact.or(Some(node));
                now.adopted.add(node);
                expected.extend(accessed.map(|addr| state.guest.reduced(addr)));
                // The host knows the comparisons that are made of operands, and nothing else.
                state.guest.unknown |= float::concerns(&node.op);
            }
        }
        state.before = Rc::new(parts);
        let stores = std::mem::take(&mut state.guest.stores);
        let goes_on = match now.nodes.last().map(|n| n.op) {
            Some(Op::Branch { target, .. }) => self.both_ways(state, now, flow, Flow::Goto(target)),
            _ if now.inexact.is_some() => self.both_ways(state, now, flow, Flow::Unknown),
            _ => {
                let end = self.run(state, now, Ways::Flags, now.from);
                self.end(state, now, end, flow)
            }
        };
        let found = &state.guest;
        if found.unknown {
            // Made by instructions that the host does not know.
            now.nodes.iter().for_each(|node| now.adopted.add(node));
        }
        if !found.unknown && now.inexact.is_none() && !same(&stores, &found.stores) {
            self.fail(
                now,
                &format!("stores {:x?} (address, bytes, value), not {stores:x?}", found.stores),
            );
        }
        for addr in expected {
            let stored = found.stores.iter().map(|store| store.0);
            let mut all = found.touched.iter().copied().chain(stored);
            if all.clone().count() != 0 && !all.any(|at| at == addr) {
                self.fail(now, &format!("accesses {:x?}, not {addr:#x}", found.touched));
            }
        }
        goes_on
    }

    /// A branch, or what may take a way round: both ways are gone, whichever is the guest's.
    fn both_ways(
        &mut self,
        state: &mut State<'c, H>,
        now: &Now<'_, '_>,
        flow: Flow,
        way_out: Flow,
    ) -> bool {
        let mut other = state.clone();
        let end = self.run(&mut other, now, Ways::Flags, now.from);
        let left = !matches!(end, End::Behind);
        if !other.guest.unknown && left != matches!(flow, Flow::Goto(_)) {
            self.fail(now, &format!("goes by {end:x?}, not {flow:x?}"));
        }
        if left {
            self.left(other, now, end, way_out);
            let before = state.clone();
            if matches!(self.run(state, now, Ways::Stay, now.from), End::Behind) {
                return true;
            }
            *state = before;
            state.forced = true;
            return matches!(self.run(state, now, Ways::Never, now.from), End::Behind);
        }
        let behind = other;
        if behind.branched {
            let mut other = state.clone();
            let end = self.run(&mut other, now, Ways::Leave, now.from);
            if !matches!(end, End::Behind) {
                self.left(other, now, end, way_out);
            }
        }
        *state = behind;
        true
    }

    /// Checks that the block may be left as it is, now or when it is known how.
    fn left(&mut self, state: State<'c, H>, now: &Now<'_, '_>, end: End, target: Flow) {
        let End::Later(site) = end else { return self.leaves(&state, now, end, target) };
        let nodes = self.done - now.nodes.len()..self.done;
        self.later.push(Later { site, state, nodes, adopted: now.adopted, target });
    }

    /// Checks how code has ended; whether execution goes on behind it.
    fn end(&mut self, state: &mut State<'c, H>, now: &Now<'_, '_>, end: End, flow: Flow) -> bool {
        match end {
            End::Behind => {
                matches!(flow, Flow::Next | Flow::Unknown)
                    || self.fail(now, &format!("ends by {end:x?}"))
            }
            End::Lost => self.fail(now, "does not end"),
            End::Call(_, back) => {
                self.leaves(state, now, end, flow);
                self.fill(state, &Floats::default());
                state.host.scramble();
                let x = &mut state.registers.x;
                if let Some(Op::Call { link, ret, .. } | Op::CallIndirect { link, ret, .. }) =
                    now.nodes.last().map(|n| n.op)
                {
                    x[usize::from(link.0)] = ret;
                    state.host.set_home(link.0, ret);
                }
                let end = self.run(state, now, Ways::Flags, back);
                matches!(end, End::Behind) || self.fail(now, &format!("ends by {end:x?}"))
            }
            _ => {
                self.leaves(state, now, end, flow);
                false
            }
        }
    }

    /// Checks that the block may be left as it is.
    fn leaves(&self, state: &State<'c, H>, now: &Now<'_, '_>, end: End, flow: Flow) {
        let stubs = &self.ctx.stubs;
        match (end, flow) {
            (End::Exit(to) | End::Inside(to), Flow::Goto(target))
            | (End::Exit(to) | End::Call(to, _), Flow::Call(target))
                if to & !1 == target => {}
            // The interpreter has executed it on the way.
            (End::Exit(_) | End::Inside(_), Flow::Unknown) => {}
            (End::Exit(to) | End::Inside(to), _) if state.guest.unknown && now.between(to) => {}
            (End::Back | End::Linked, Flow::Goto(_)) => {}
            (End::Stub(at), Flow::Leave(_)) if [stubs.exit, stubs.serve].contains(&at) => {}
            (End::Stub(at), _) if at == stubs.link => {}
            _ => self.fail(now, &format!("leaves by {end:x?}, not {flow:x?}")),
        }
        let part = |to| state.before.iter().skip(1).find(|(pc, _)| *pc == to);
        let registers = match end {
            End::Exit(to) | End::Inside(to) => {
                part(to).map_or(&state.registers, |(_, registers)| registers)
            }
            _ => &state.registers,
        };
        for r in (1..32).filter(|r| now.adopted.x & 1 << r == 0) {
            let home = match end {
                End::Inside(_) => state.host.home(r),
                _ => state.host.contract_home(r),
            };
            let value = registers.x[usize::from(r)];
            if home != value {
                self.fail(now, &format!("x{r} is {home:#x} at {end:x?}, not {value:#x}"));
            }
        }
        if self.floating {
            let head = now.belief.head.filter(|_| matches!(end, End::Back));
            let floats = head.map_or_else(Floats::default, |head| head.1);
            let left = State { registers: *registers, ..state.clone() };
            self.check_floats(&left, now, &floats, now.adopted.f, &format!(" at {end:x?}"));
        }
    }

    /// The instruction at `at`, and where it ends.
    fn insn(&self, buf: &CodeBuf, at: CodePtr) -> Option<(H::Insn, CodePtr)> {
        let mut decoded = self.decoded.borrow_mut();
        if let Some((_, insn, next)) = decoded.iter().find(|insn| insn.0 == at) {
            return Some((*insn, *next));
        }
        let (insn, len) = H::decode(code_at(buf, at)?.0, at);
        let next = CodePtr(at.0 + len);
        decoded.push((at, insn, next));
        Some((insn, next))
    }

    /// Executes code from `at` on to the end of what has been emitted.
    fn run(&self, state: &mut State<'c, H>, now: &Now<'_, '_>, ways: Ways, mut at: CodePtr) -> End {
        let buf = now.belief.buf;
        let mut may_leave = ways == Ways::Leave;
        state.branched = false;
        for _ in 0..PATIENCE {
            if at == now.belief.at {
                return End::Behind;
            }
            let Some((insn, next)) = self.insn(buf, at) else { return End::Stub(at) };
            if let Some(point) = self.points.get(&at.0) {
                self.fault(state, now, point);
            }
            let step = state.host.step(&insn, at, &mut state.guest);
            if matches!(step, Step::Next) {
                at = next;
                continue;
            }
            let cold = at.0 >= buf.cold_base;
            let site = H::link_site(at, next);
            let link = buf.links.iter().find(|link| link.site == site);
            let inside = now.belief.inside.iter().find(|jump| jump.0 == site);
            let unbound = |to: CodePtr| to == at;
            let to_cold = |to: CodePtr| code_at(buf, to).is_some_and(|to| to.1 && !cold);
            let leaves =
                |to: CodePtr| link.is_some() || inside.is_some() || unbound(to) || to_cold(to);
            if let (Step::Jump { .. }, Some(jump)) = (step, inside) {
                return End::Inside(jump.1);
            }
            at = match step {
                Step::Next => next,
                Step::Branch { to, taken } => {
                    state.branched = true;
                    let known = now.belief.unbound.iter().find(|branch| branch.0 == at);
                    let to = known.map_or(to, |branch| branch.1);
                    let goes = match ways {
                        Ways::Never => false,
                        Ways::Stay if leaves(to) && !to_cold(to) => false,
                        Ways::Leave if may_leave && leaves(to) => {
                            may_leave = false;
                            state.forced |= !taken;
                            true
                        }
                        Ways::Flags | Ways::Stay | Ways::Leave => taken,
                    };
                    if let (true, Some(jump)) = (goes, inside) {
                        return End::Inside(jump.1);
                    }
                    match (link, now.earlier(to)) {
                        _ if !goes => next,
                        (Some(link), _) => return now.linked(link, to),
                        (None, _) if unbound(to) && now.branches() => return End::Later(at),
                        (None, _) if unbound(to) => next,
                        (None, Some(end)) => return end,
                        (None, None) => to,
                    }
                }
                Step::Jump { to } => match (link, now.earlier(to)) {
                    (Some(link), _) => return now.linked(link, to),
                    (None, Some(end)) => return end,
                    (None, None) => to,
                },
                Step::Call { to } => match link {
                    Some(link) => return End::Call(link.target, next),
                    None if to == self.ctx.stubs.helper => {
                        self.interpreted(state, now);
                        state.host.scramble();
                        let floats = now.nodes.last().is_some_and(|n| float::concerns(&n.op));
                        state.guest.unknown |= floats || now.inexact.is_some();
                        next
                    }
                    None if to == self.ctx.stubs.counter => {
                        state.host.scramble();
                        next
                    }
                    None => return End::Stub(to),
                },
                Step::Indirect { target, call: true } => return End::Call(target, next),
                Step::Indirect { target, call: false } => return End::Exit(target),
            };
        }
        End::Lost
    }

    /// The interpreter is called for the operation: it takes registers from their homes.
    fn interpreted(&self, state: &mut State<'c, H>, now: &Now<'_, '_>) {
        let Some(node) = now.inexact.or(now.nodes.last()) else { return };
        let before = &state.before[0].1;
        for r in (1..32).filter(|r| node.reads() & !now.adopted.x & 1 << r != 0) {
            let (home, value) = (state.host.contract_home(r), before.x[usize::from(r)]);
            if home != value {
                self.fail(now, &format!("x{r} is {home:#x} for the interpreter, not {value:#x}"));
            }
        }
        for r in (1..32).filter(|r| node.writes() & 1 << r != 0) {
            let known = now.adopted.x & 1 << r == 0;
            let random = guest::mix(state.guest.key ^ state.host.contract_home(r));
            state.host.set_contract_home(
                r,
                if known { state.registers.x[usize::from(r)] } else { random },
            );
        }
        if self.floating {
            self.interpreted_floats(state, now, node);
        }
    }

    /// What that does to floating-point registers, of which it may look at any for
    /// [`Op::Helper`], and does for other operations at their operands.
    fn interpreted_floats(&self, state: &mut State<'c, H>, now: &Now<'_, '_>, node: &Node) {
        let any = matches!(node.op, Op::Helper { .. });
        let before = state.before[0].1;
        let reads = if any { !0 } else { node.op.float_reads() };
        for r in (0..32).filter(|r| reads & 1 << r != 0) {
            let (home, value) = (state.host.float_home(r), before.f[usize::from(r)]);
            if !state.forced && home != value && (any || !float::same_number(home, value)) {
                self.fail(now, &format!("f{r} is {home:#x} for the interpreter, not {value:#x}"));
            }
        }
        let writes = if any { !0 } else { node.op.float_writes() };
        for r in (0..32).filter(|r| writes & 1 << r != 0) {
            let known = now.adopted.f & 1 << r == 0;
            let random = guest::mix(state.guest.key ^ state.host.float_home(r));
            let value = match known {
                true => state.registers.f[usize::from(r)],
                false => float::result(&node.op, &before.f, random),
            };
            state.host.set_float_home(r, value);
        }
    }

    /// Reads the fault points that have been added.
    fn read_points(&mut self, buf: &CodeBuf) {
        for (read, faults) in self.read.iter_mut().zip([&buf.hot_faults, &buf.cold_faults]) {
            let (start, host, pc) = *read;
            for (place, pc, restore_ops) in points(&faults.packed()[start..], (host, pc)) {
                self.points.insert(place.0, (pc, restore_ops));
            }
            let (len, (host, pc)) = faults.mark();
            *read = (len, host, pc);
        }
    }

    /// Checks that a fault now would show the guest its registers before the operation.
    fn fault(&self, state: &State<'c, H>, now: &Now<'_, '_>, (pc, restore_ops): &Point) {
        let mut homes: [u64; 32] = std::array::from_fn(|r| match r as u8 {
            0 => 0,
            r => state.host.home(r),
        });
        for restore_op in restore_ops {
            if let RestoreOp::Held(r, h) = *restore_op {
                homes[usize::from(r)] = state.host.register(h);
            }
        }
        let mut x = homes;
        let mut floats = Floats::default();
        for restore_op in restore_ops {
            match *restore_op {
                RestoreOp::Int(r, val) => {
                    x[usize::from(r)] = value(val, r, |r| homes[usize::from(r)]);
                }
                RestoreOp::Sext(r) => x[usize::from(r)] = homes[usize::from(r)] as i32 as u64,
                RestoreOp::CanonD(f) => floats.canon_d |= 1 << f,
                RestoreOp::CanonS(f) => floats.canon_s |= 1 << f,
                RestoreOp::Box(f) => floats.loose |= 1 << f,
                RestoreOp::Held(..) => {}
            }
        }
        let jumped =
            matches!(now.nodes, [.., Node { op: Op::Jump { target }, .. }] if target == pc);
        let before = state.before.iter().find(|(at, _)| at == pc).map(|(_, before)| before);
        let Some(before) = before.or(jumped.then_some(&state.registers)) else {
            self.fail(now, &format!("a fault point is for {pc:#x}"))
        };
        // The operation may have begun to define its own.
        for r in (1..32u8).filter(|r| now.adopted.x & 1 << r == 0) {
            let (found, value) = (x[usize::from(r)], before.x[usize::from(r)]);
            if found != value {
                self.fail(
                    now,
                    &format!("x{r} is {found:#x} at a fault, not {value:#x}: {restore_ops:?}"),
                );
            }
        }
        if self.floating {
            let then = State { registers: *before, ..state.clone() };
            self.check_floats(&then, now, &floats, now.adopted.f, " at a fault");
        }
    }

    /// Reports a wrong belief.
    fn fail(&self, now: &Now<'_, '_>, what: &str) -> ! {
        let mut out = String::from("a wrong belief of the emitter\n");
        let _ = writeln!(out, "nodes:");
        for (i, node) in self.nodes.iter().enumerate() {
            let here = i < self.done && i + now.nodes.len() >= self.done;
            let _ = writeln!(out, "{} {node}", if here { ">" } else { " " });
        }
        let buf = now.belief.buf;
        let until = now.belief.at.0.saturating_sub(now.from.0) as usize;
        if let Some((code, _)) = code_at(buf, now.from) {
            let code = &code[..until.min(code.len())];
            let _ = writeln!(out, "code:\n{}", H::listing(code, now.from));
        }
        panic!("{out}{what}");
    }
}

/// Gives `r` a value that `floats` allows.
fn adopt_float<H: Host>(state: &mut State<'_, H>, floats: &Floats, r: u8) {
    let home = floats.adopt(r, state.host.float_home(r));
    state.host.set_float_home(r, home);
    state.registers.f[usize::from(r)] = floats.value(r, home);
}

/// Whether stores are the same; those of one operation that stands for several may be in any order.
fn same(one: &[(u64, u32, u64)], other: &[(u64, u32, u64)]) -> bool {
    let sorted = |stores: &[(u64, u32, u64)]| {
        let mut stores = stores.to_vec();
        stores.sort_by_key(|store| store.0);
        stores
    };
    one == other || sorted(one) == sorted(other)
}

/// The address that an operation accesses.
fn address(op: &Op, x: &[u64; 32]) -> Option<u64> {
    let base = match *op {
        Op::Amo { base, .. }
        | Op::LoadReserved { base, .. }
        | Op::StoreConditional { base, .. }
        | Op::Cas { base, .. } => base,
        _ => return None,
    };
    Some(x[usize::from(base.0)])
}

/// The code from `at` on, and whether it is cold.
fn code_at(buf: &CodeBuf, at: CodePtr) -> Option<(&[u8], bool)> {
    let part = |code: &'_ super::Code, base: u32| {
        let from = at.0.checked_sub(base)? as usize;
        (from < code.len()).then_some(from)
    };
    if let Some(from) = part(&buf.hot, buf.hot_base) {
        return Some((&buf.hot[from..], false));
    }
    part(&buf.cold, buf.cold_base).map(|from| (&buf.cold[from..], true))
}
