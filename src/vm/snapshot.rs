//! The state of an instance, kept: to go back to, to make copies from, and as bytes.

use super::engine::Module;
use super::error::{Error, ErrorKind, Result, no_room};
use super::instance::Instance;
use super::load::{EBREAK, Layout};
use super::memory::map_error;
use super::store::{AsContext, AsContextMut, InstanceState};
use crate::cpu::Hart;
use crate::mem::{Image, Part, Prot};
use crate::util::PAGE_SIZE;
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// Memory and registers of an [`Instance`], as they were when [`Instance::snapshot`] was called.
/// Cheap to clone, for use by any thread.
///
/// ```
/// use rvnative::vm::{Engine, Linker, Module, Snapshot, Store};
/// let engine = Engine::default();
/// let module = Module::new(&engine, include_bytes!("../../examples/guest/plugin.elf"))?;
/// let mut linker = Linker::<()>::new(&engine);
/// linker.ecall(1, |_| Ok(()));
/// let mut store = Store::new(&engine, ());
/// let instance = linker.instantiate(&mut store, &module)?;
/// let on_event = instance.get_typed_func::<(u64, u64), u64>(&store, "on_event")?;
/// let events = instance.symbol(&store, "events").map(rvnative::vm::GuestPtr::<u64>::new).unwrap();
/// on_event.call(&mut store, (1, 2))?;
/// let bytes = instance.snapshot(&store)?.to_bytes();
///
/// // In another process, perhaps: an instance that goes on from there.
/// let snapshot = Snapshot::from_bytes(&module, &bytes)?;
/// let copy = linker.instantiate_snapshot(&snapshot)?.instantiate(&mut store)?;
/// assert_eq!(copy.memory().read(&store, events)?, 1);
///
/// // And back, in the same instance.
/// on_event.call(&mut store, (1, 2))?;
/// instance.restore(&mut store, &snapshot)?;
/// assert_eq!(instance.memory().read(&store, events)?, 1);
/// # Ok::<(), rvnative::vm::Error>(())
/// ```
#[derive(Clone)]
pub struct Snapshot(Arc<Inner>);

struct Inner {
    module: Module,
    image: Arc<Image>,
    layout: Layout,
    hart: Hart,
    /// Its code is the module's.
    shares: bool,
}

impl Snapshot {
    pub(super) fn new(
        module: Module,
        image: Arc<Image>,
        layout: Layout,
        hart: Hart,
        shares: bool,
    ) -> Self {
        Self(Arc::new(Inner { module, image, layout, hart, shares }))
    }

    /// The program that it is of.
    #[must_use]
    pub fn module(&self) -> &Module {
        &self.0.module
    }

    pub(super) fn image(&self) -> &Image {
        &self.0.image
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.0.layout
    }

    pub(super) fn hart(&self) -> &Hart {
        &self.0.hart
    }

    pub(super) fn shares_code(&self) -> bool {
        self.0.shares
    }

    /// The snapshot as bytes, which [`Self::from_bytes`] of the same version of the library takes.
    /// They hold what the guest's memory holds, pages of zeros apart.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // A `Vec` takes everything, and the image is a file in memory.
        let _ = self.write_to(&mut out);
        out
    }

    /// Writes the bytes of [`Self::to_bytes`].
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_to(&self, mut out: impl Write) -> io::Result<()> {
        let Inner { module, image, layout, hart, .. } = &*self.0;
        out.write_all(MAGIC)?;
        let isa = module.engine().isa().to_string();
        let mut word = |value: u64| out.write_all(&value.to_le_bytes());
        word(isa.len() as u64)?;
        word(module.fingerprint())?;
        let Layout { return_pad, stack_top, stack_guard } = layout;
        let layout = [*return_pad, *stack_top, stack_guard.start, stack_guard.end];
        layout.iter().try_for_each(|&at| word(at))?;
        hart.x.iter().chain(&hart.f).try_for_each(|&r| word(r))?;
        word(hart.pc)?;
        word(u64::from(hart.fcsr()))?;
        word(u64::from(hart.vector.is_some()))?;
        word(image.parts().len() as u64)?;
        for part in image.parts() {
            word(part.range.start)?;
            word(part.range.end)?;
            word(u64::from(part.prot.linux()))?;
        }
        out.write_all(isa.as_bytes())?;
        if let Some(v) = &hart.vector {
            let csrs = [v.vtype_csr(), u64::from(v.vl), u64::from(v.vstart), u64::from(v.vcsr)];
            csrs.iter().try_for_each(|csr| out.write_all(&csr.to_le_bytes()))?;
            out.write_all(&v.bytes)?;
        }
        image.pages(|addr, page| {
            out.write_all(&addr.to_le_bytes())?;
            out.write_all(page)
        })
    }

    /// Reads what [`Self::to_bytes`] made of an instance of the same program, with an engine of the
    /// same instructions and addresses. Bytes from anywhere do no more harm than a program from
    /// there.
    ///
    /// # Errors
    /// [`ErrorKind::Load`] if that is not what they are, [`ErrorKind::Config`] if they are of
    /// another program or of other instructions, [`ErrorKind::Io`] if the host has no memory.
    pub fn from_bytes(module: &Module, bytes: &[u8]) -> Result<Self> {
        let (image, layout, hart) = Reader(bytes).snapshot(module)?;
        let shares = has_code_of(&image, &layout, module);
        Ok(Self::new(module.clone(), Arc::new(image), layout, hart, shares))
    }

    /// Reads a snapshot from a file, as [`Self::from_bytes`].
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the file cannot be read, and as there.
    pub fn from_file(module: &Module, path: impl AsRef<Path>) -> Result<Self> {
        Self::from_bytes(module, &std::fs::read(path)?)
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Snapshot(pc {:#x}, {} mappings)", self.0.hart.pc, self.0.image.parts().len())
    }
}

/// What the bytes of a snapshot begin with; the last one is the version.
const MAGIC: &[u8; 8] = b"rvnsnap\x01";
/// Mappings that an instance may have, at most, to be read.
const MAX_PARTS: u64 = 1 << 16;

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, n: usize) -> Result<&'a [u8]> {
        let (first, rest) = self.0.split_at_checked(n).ok_or_else(damaged)?;
        self.0 = rest;
        Ok(first)
    }

    fn word(&mut self) -> Result<u64> {
        let mut word = [0; 8];
        word.copy_from_slice(self.bytes(8)?);
        Ok(u64::from_le_bytes(word))
    }
}

fn damaged() -> Error {
    Error::of(ErrorKind::Load, "these bytes are no snapshot, or of another version")
}

/// An error of an image: what it was told was wrong, or the host has no memory.
fn image_error(e: io::Error) -> Error {
    if e.kind() == io::ErrorKind::InvalidInput { damaged() } else { no_room(e) }
}

impl Reader<'_> {
    fn snapshot(&mut self, module: &Module) -> Result<(Image, Layout, Hart)> {
        if self.bytes(MAGIC.len())? != MAGIC {
            return Err(damaged());
        }
        let isa = usize::try_from(self.word()?).map_err(|_| damaged())?;
        if self.word()? != module.fingerprint() {
            return Err(Error::of(ErrorKind::Config, "the snapshot is of another program"));
        }
        let (return_pad, stack_top) = (self.word()?, self.word()?);
        let stack_guard = self.word()?..self.word()?;
        let layout = Layout { return_pad, stack_top, stack_guard };
        let mut hart = Hart::with_isa(module.engine().isa());
        for r in hart.x.iter_mut().chain(&mut hart.f) {
            *r = self.word()?;
        }
        hart.x[0] = 0;
        hart.pc = self.word()?;
        hart.set_fcsr(self.word()? as u32);
        let has_vector = self.word()? != 0;
        let mut mappings: Vec<(Range<u64>, Prot)> = Vec::new();
        for n in 0..self.word()? {
            if n == MAX_PARTS {
                return Err(damaged());
            }
            let range = self.word()?..self.word()?;
            mappings.push((range, Prot::from_linux(self.word()? as u32)));
        }
        if self.bytes(isa)? != module.engine().isa().to_string().as_bytes() {
            return Err(Error::of(ErrorKind::Config, "the snapshot is of other instructions"));
        }
        if has_vector {
            self.vector(&mut hart)?;
        }
        let mut image = Image::zero(mappings).map_err(image_error)?;
        while !self.0.is_empty() {
            let addr = self.word()?;
            let page = self.bytes(PAGE_SIZE as usize)?;
            if !addr.is_multiple_of(PAGE_SIZE) {
                return Err(damaged());
            }
            image.set_page(addr, page).map_err(image_error)?;
        }
        let pad = return_pad..return_pad.wrapping_add(PAGE_SIZE);
        let holds = |part: &&Part| part.range.start <= pad.start && pad.end <= part.range.end;
        let mut code = [0; 4];
        let is_pad = return_pad.is_multiple_of(PAGE_SIZE)
            && image.parts().iter().find(holds).is_some_and(|part| part.prot == Prot::RX)
            && image.read(return_pad, &mut code).is_ok();
        if !is_pad || u32::from_le_bytes(code) != EBREAK {
            return Err(damaged());
        }
        Ok((image, layout, hart))
    }

    fn vector(&mut self, hart: &mut Hart) -> Result<()> {
        let vlenb = hart.vector_unit.vlenb;
        let [vtype, vl, vstart, vcsr] = [self.word()?, self.word()?, self.word()?, self.word()?];
        let v = hart.vector_mut().ok_or_else(damaged)?;
        let len = v.bytes.len();
        v.bytes.copy_from_slice(self.bytes(len)?);
        v.vstart = vstart as u16;
        v.vcsr = vcsr as u8 & 7;
        v.set_config(vtype, vl, vlenb);
        Ok(())
    }
}

/// True if what can be executed in an image is what can be in each instance of `module`.
fn has_code_of(image: &Image, layout: &Layout, module: &Module) -> bool {
    let Ok(initial) = module.initial() else { return false };
    let code = |image: &Image| -> Vec<(Range<u64>, Prot)> {
        let parts = image.parts().iter().filter(|part| part.prot.executable());
        parts.map(|part| (part.range.clone(), part.prot)).collect()
    };
    let same = |addr: u64| -> io::Result<bool> {
        let mut pages = [[0; PAGE_SIZE as usize]; 2];
        image.read(addr, &mut pages[0])?;
        initial.image().read(addr, &mut pages[1])?;
        Ok(pages[0] == pages[1])
    };
    let parts = code(image);
    parts == code(initial.image())
        && parts.iter().all(|(range, prot)| {
            let pages = || range.clone().step_by(PAGE_SIZE as usize);
            !prot.writable() && pages().all(|addr| same(addr).unwrap_or(false))
        })
        && layout.return_pad == initial.layout().return_pad
}

impl Instance {
    /// The state of the instance, which stays as it is. What that costs follows from what is
    /// mapped.
    ///
    /// # Errors
    /// [`ErrorKind::Host`] if the instance executes, and this is a host function that it has
    /// called; [`ErrorKind::Io`] if the host has no memory.
    pub fn snapshot(&self, cx: impl AsContext) -> Result<Snapshot> {
        let state = cx.store().instance(self.0);
        if state.depth > 0 {
            return Err(Error::msg("the instance executes"));
        }
        let machine = state.cpu.machine();
        // Before anything is looked at: what changes later is not in it.
        let shares = machine.shares_code();
        let image = Arc::new(Image::of(machine.memory(), |_| true).map_err(no_room)?);
        let mut hart = state.cpu.hart().clone();
        hart.clear_reservation();
        Ok(Snapshot::new(state.module.clone(), image, state.layout.clone(), hart, shares))
    }

    /// Makes the instance what the one was that `snapshot` is of, an instance of the same module.
    /// If it was that before ([`InstancePre::instantiate`], or here), it costs what the pages cost
    /// that have been written to since.
    ///
    /// [`InstancePre::instantiate`]: super::InstancePre::instantiate
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if the snapshot is of another module, or of other addresses;
    /// [`ErrorKind::Host`] if the instance executes, and this is a host function that it has
    /// called; [`ErrorKind::Io`] if the host has no memory, and the instance cannot be used then.
    pub fn restore(&self, mut cx: impl AsContextMut, snapshot: &Snapshot) -> Result<()> {
        let state = cx.store_mut().instance_mut(self.0);
        if state.depth > 0 {
            return Err(Error::msg("the instance executes"));
        }
        if !state.module.is(snapshot.module()) || state.layout != *snapshot.layout() {
            return Err(Error::of(ErrorKind::Config, "the snapshot is of another module"));
        }
        state.reset(snapshot)
    }
}

impl<T> InstanceState<T> {
    /// As [`Instance::restore`]; the snapshot fits.
    pub(super) fn reset(&mut self, snapshot: &Snapshot) -> Result<()> {
        let machine = self.cpu.machine();
        if !snapshot.shares_code() {
            machine.leave_shared_code();
        }
        machine.memory().show(snapshot.image()).map_err(map_error)?;
        *self.cpu.hart_mut() = snapshot.hart().clone();
        Ok(())
    }
}
