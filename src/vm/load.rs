//! Loading a program into an empty memory, and making an instance of one that has been loaded.

use super::engine::Module;
use super::error::{Error, ErrorKind, Result, no_room};
use super::linker::{Handlers, Reg};
use super::memory::map_error;
use super::store::InstanceState;
use crate::cpu::Hart;
use crate::mem::{Memory, Prot};
use crate::runtime::{Cpu, Machine};
use crate::util::{PAGE_SIZE, page_down, page_up};
use std::ops::Range;
use std::sync::Arc;

/// Bytes of stack for calls from the host, unless the configuration says otherwise.
pub(super) const STACK_SIZE: u64 = 1 << 20;
/// Bytes below the stack that stay unmapped.
const STACK_GUARD: u64 = 64 << 10;
/// `ebreak`.
pub(super) const EBREAK: u32 = 0x0010_0073;

/// Where the host's own things are in a guest's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Address of an `ebreak`, alone in its page, to which calls from the host return.
    pub return_pad: u64,
    /// One past the highest address of the stack.
    pub stack_top: u64,
    /// Addresses below the stack that are kept free.
    pub stack_guard: Range<u64>,
}

/// Loads a program into an empty memory, and gives it a stack.
pub(super) fn load(memory: &Memory, module: &Module) -> Result<Layout> {
    load_segments(memory, module)?;
    let (guard, stack) = map_stack(memory, module.engine().stack_size())?;
    let pad = memory.find_free_down(PAGE_SIZE, PAGE_SIZE, PAGE_SIZE..memory.size());
    let pad = pad.ok_or_else(|| Error::of(ErrorKind::Load, "no free page for the host"))?;
    memory.map_zero(pad, PAGE_SIZE, Prot::RW).map_err(map_error)?;
    memory.write_u32(pad, EBREAK).map_err(|f| Error::of(ErrorKind::Memory, f))?;
    memory.protect(pad, PAGE_SIZE, Prot::RX).map_err(map_error)?;
    Ok(Layout { return_pad: pad, stack_top: stack.end, stack_guard: guard })
}

/// The registers with which a program begins.
pub(super) fn first_hart(module: &Module, layout: &Layout) -> Hart {
    let mut hart = Hart::with_isa(module.engine().isa());
    hart.pc = module.entry();
    hart.x[usize::from(Reg::SP.0)] = layout.stack_top;
    hart.x[usize::from(Reg::RA.0)] = layout.return_pad;
    // The program's own start-up code sets gp (psABI, "Global-pointer relaxation"); functions may
    // be called without it.
    hart.x[usize::from(Reg::GP.0)] = module.find("__global_pointer$").unwrap_or(0);
    hart
}

/// A machine for instances of `module`; with `shares`, one that has the module's code and no other.
pub(super) fn machine(module: &Module, shares: bool) -> Result<Arc<Machine>> {
    let options = module.engine().options();
    let machine = match module.code().filter(|_| shares) {
        Some(code) => Machine::sharing(options, code),
        None => Machine::new(options),
    };
    machine.map_err(no_room)
}

/// The instance that `machine`, whose memory has been filled, makes.
pub(super) fn instance<T>(
    machine: Arc<Machine>,
    module: &Module,
    layout: Layout,
    hart: Hart,
    handlers: &Arc<Handlers<T>>,
) -> Result<InstanceState<T>> {
    let memory = machine.memory();
    // For ever: what calls return to is known without a look at it.
    memory.seal(layout.return_pad, PAGE_SIZE).map_err(map_error)?;
    if machine.shares_code() {
        // There may be translations of it already.
        for (range, _) in memory.mappings().iter().filter(|(_, m)| m.prot.executable()) {
            let _ = memory.watch_code(range.clone());
        }
    }
    let mut cpu = Cpu::new(machine).map_err(no_room)?;
    cpu.set_call_return(layout.return_pad);
    *cpu.hart_mut() = hart;
    Ok(InstanceState {
        cpu,
        module: module.clone(),
        handlers: Arc::clone(handlers),
        layout,
        depth: 0,
    })
}

/// An instance that shares no memory with others of its module.
pub(super) fn load_apart<T>(
    module: &Module,
    handlers: &Arc<Handlers<T>>,
) -> Result<InstanceState<T>> {
    let machine = machine(module, true)?;
    let layout = load(machine.memory(), module)?;
    let hart = first_hart(module, &layout);
    instance(machine, module, layout, hart, handlers)
}

/// Copies the segments of a program with fixed addresses into memory.
fn load_segments(memory: &Memory, module: &Module) -> Result<()> {
    let span = module.elf().span();
    if span.end > memory.size() || page_down(span.start) == 0 {
        let m = format!("the program's addresses {span:#x?} do not fit into the address space");
        return Err(Error::of(ErrorKind::Load, m));
    }
    let pages = |s: &super::elf::Segment| {
        let end = page_up(s.addr + s.size).unwrap_or(u64::MAX);
        page_down(s.addr)..end
    };
    for s in &module.elf().segments {
        let range = pages(s);
        let part = &module.bytes()[s.file.start as usize..s.file.end as usize];
        // Two segments may share a page; what the first has put there must stay.
        let first = if memory.is_free(range.start..range.start + PAGE_SIZE) {
            range.start
        } else {
            range.start + PAGE_SIZE
        };
        if first < range.end {
            memory.map_zero(first, range.end - first, Prot::RW).map_err(map_error)?;
        }
        memory.write_bytes(s.addr, part).map_err(|f| Error::of(ErrorKind::Load, f))?;
    }
    for s in &module.elf().segments {
        let range = pages(s);
        // A shared page may be used as either segment says.
        let shared = memory.mapping(range.start).map_or(Prot::NONE, |(_, m)| m.prot);
        memory.protect(range.start, range.end - range.start, s.prot).map_err(map_error)?;
        let both = Prot::from_linux(shared.linux() | s.prot.linux());
        let before = module.elf().segments.iter().any(|o| {
            o.addr < s.addr && page_up(o.addr + o.size).is_some_and(|end| end > range.start)
        });
        if before {
            memory.protect(range.start, PAGE_SIZE, both).map_err(map_error)?;
        }
    }
    Ok(())
}

/// Maps a stack of `size` bytes as high as possible; returns the guard below it and the stack.
fn map_stack(memory: &Memory, size: u64) -> Result<(std::ops::Range<u64>, std::ops::Range<u64>)> {
    let no_place = || Error::of(ErrorKind::Load, format!("no room for a stack of {size} bytes"));
    let size = page_up(size.max(PAGE_SIZE)).ok_or_else(no_place)?;
    let whole =
        size.checked_add(STACK_GUARD).filter(|w| *w < memory.size()).ok_or_else(no_place)?;
    let start = memory.find_free_down(whole, PAGE_SIZE, PAGE_SIZE..memory.size());
    let guard = start.map(|s| s..s + STACK_GUARD).ok_or_else(no_place)?;
    let stack = guard.end..guard.end + size;
    memory.map_zero(stack.start, size, Prot::RW).map_err(map_error)?;
    Ok((guard, stack))
}
