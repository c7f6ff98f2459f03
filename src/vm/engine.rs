//! Engine and module: what instances share.

use super::config::{AddressSpace, Config, Strategy};
use super::elf::{self, Elf, SymbolEntry};
use super::error::{Error, ErrorKind, Result, no_room};
use super::load::{self, Layout, STACK_SIZE};
use super::snapshot::Snapshot;
use super::store::Epochs;
use crate::isa::Isa;
use crate::mem::{Image, Memory, Mode};
use crate::runtime::{EngineKind, Options, SharedCode};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// A configuration that has been checked; cheap to clone, for use by any thread.
///
/// The first instance of a process installs handlers for SIGSEGV, SIGBUS and SIGFPE, because faults
/// of the guest are found by the host's own page protection. Faults that are not a guest's go to
/// the handlers that stood there before. `docs/process.md` says what else the library does to its
/// process, and what it takes of it.
#[derive(Clone, Debug)]
pub struct Engine(Arc<Settings>);

#[derive(Debug)]
struct Settings {
    options: Options,
    stack_size: u64,
    max_depth: u32,
    epochs: Epochs,
}

/// Calls inside each other, unless the configuration says otherwise: a thread of Rust, with 2 MiB
/// of stack, has 32 KiB for each.
const MAX_DEPTH: u32 = 64;
/// Segments that a program may have. Linkers make four or five; each is a mapping of its own.
const MAX_SEGMENTS: usize = 64;

impl Engine {
    /// Makes an engine.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if the configuration contradicts itself.
    pub fn new(config: &Config) -> Result<Self> {
        let (mode, address_bits) = match config.address_space {
            AddressSpace::Sandbox => (Mode::Sandbox, 32),
            AddressSpace::Flat { bits } if (20..=47).contains(&bits) => {
                (Mode::Identity, u32::from(bits))
            }
            AddressSpace::Flat { bits } => {
                let m = format!("address space of {bits} bits: 20 to 47 are supported");
                return Err(Error::of(ErrorKind::Config, m));
            }
        };
        let engine = match (config.strategy, config.cross_check) {
            (Strategy::Interpreter, true) => {
                let m = "nothing to cross-check: the strategy is the interpreter";
                return Err(Error::of(ErrorKind::Config, m));
            }
            (Strategy::Interpreter, false) => EngineKind::Interpreter,
            (Strategy::Auto | Strategy::Baseline, true) => EngineKind::Verify,
            (Strategy::Auto, false) => EngineKind::default(),
            (Strategy::Baseline, false) => EngineKind::Baseline,
        };
        if config.fuel && config.cross_check {
            let m = "fuel is not counted where strategies are compared";
            return Err(Error::of(ErrorKind::Config, m));
        }
        let defaults = Options::default();
        let arena_size = config.code_size.unwrap_or(defaults.arena_size);
        if !(2 << 20..=128 << 20).contains(&arena_size) {
            let m = format!("{arena_size} bytes of code: 2 to 128 MiB are supported");
            return Err(Error::of(ErrorKind::Config, m));
        }
        let options = Options {
            engine,
            isa: config.isa,
            mode,
            address_bits,
            foreign_handlers: true,
            fp_traps: false,
            serve_calls: true,
            meter: config.fuel,
            arena_size: arena_size.next_multiple_of(1 << 20),
            ..defaults
        };
        let stack_size = config.stack_size.unwrap_or(STACK_SIZE);
        let max_depth = config.max_depth.unwrap_or(MAX_DEPTH);
        Ok(Self(Arc::new(Settings { options, stack_size, max_depth, epochs: Epochs::default() })))
    }

    /// Begins the next epoch, from any thread: the guests of all stores whose deadline it is stop
    /// ([`Store::set_epoch_deadline`](super::Store::set_epoch_deadline)). A thread of the host that
    /// does so every few milliseconds bounds the time of all calls, at no cost in guests. It takes
    /// a lock: a signal handler must not call it.
    pub fn increment_epoch(&self) {
        self.0.epochs.increment();
    }

    /// Epochs, and who waits for them.
    #[inline]
    pub(super) fn epochs(&self) -> &Epochs {
        &self.0.epochs
    }

    /// Instructions that guests may use.
    #[must_use]
    pub fn isa(&self) -> &Isa {
        &self.0.options.isa
    }

    /// Set-up of the runtime's machines.
    pub(crate) fn options(&self) -> &Options {
        &self.0.options
    }

    /// # Errors
    /// [`ErrorKind::Config`] if `other` is neither this engine nor a clone of it.
    pub(super) fn expect(&self, other: &Self) -> Result<()> {
        if Arc::ptr_eq(&self.0, &other.0) {
            return Ok(());
        }
        let m = "linker, store and module are of different engines";
        Err(Error::of(ErrorKind::Config, m))
    }

    /// Calls of guests inside each other.
    #[inline]
    pub(super) fn max_depth(&self) -> u32 {
        self.0.max_depth
    }

    /// Guests have a budget of instructions.
    #[inline]
    pub(super) fn consumes_fuel(&self) -> bool {
        self.0.options.meter
    }

    /// Bytes of stack of an instance.
    pub(super) fn stack_size(&self) -> u64 {
        self.0.stack_size
    }
}

impl Default for Engine {
    /// An engine with all defaults.
    fn default() -> Self {
        let Ok(engine) = Self::new(&Config::new()) else { unreachable!("the defaults are valid") };
        engine
    }
}

/// A program that has been read and checked; cheap to clone, for use by any thread.
#[derive(Clone)]
pub struct Module(Arc<Inner>);

struct Inner {
    engine: Engine,
    bytes: Vec<u8>,
    elf: Elf,
    symbols: OnceLock<Symbols>,
    /// What instances begin with.
    initial: OnceLock<(Arc<Image>, Layout)>,
    /// Translations, for all instances; `None` if these can write to their code.
    code: Option<SharedCode>,
}

/// The symbols of a module.
struct Symbols {
    /// Lowest address first.
    entries: Vec<SymbolEntry>,
    /// Their numbers in the order of names, and of addresses for the same name.
    by_name: Vec<u32>,
    /// Numbers of those that are stubs of imported functions.
    imports: Vec<u32>,
}

/// What a stub of an imported function begins with: `ecall`, and `slti zero, zero, 0x5e4`, a hint
/// of those that the unprivileged manual leaves for custom use.
const IMPORT: [u8; 8] = [0x73, 0, 0, 0, 0x13, 0x20, 0x40, 0x5e];

impl Symbols {
    fn of(elf: &Elf, bytes: &[u8]) -> Self {
        let entries = elf::symbols(bytes);
        let code = |addr: u64| {
            let holds = |s: &&elf::Segment| s.prot.executable() && s.range().contains(&addr);
            let segment = elf.segments.iter().find(holds)?;
            let part = bytes.get(segment.file.start as usize..segment.file.end as usize)?;
            part.get(usize::try_from(addr - segment.addr).ok()?..)
        };
        let is_stub = |s: &SymbolEntry| code(s.addr).is_some_and(|c| c.starts_with(&IMPORT));
        let imports = (0..).zip(&entries).filter(|(_, s)| is_stub(s)).map(|(n, _)| n).collect();
        let mut by_name: Vec<u32> = (0..entries.len() as u32).collect();
        by_name.sort_by(|&a, &b| entries[a as usize].name.cmp(&entries[b as usize].name));
        Self { entries, by_name, imports }
    }

    fn find(&self, name: &str) -> Option<&SymbolEntry> {
        let entry = |n: &u32| &self.entries[*n as usize];
        let at = self.by_name.partition_point(|n| entry(n).name.as_str() < name);
        self.by_name.get(at).map(entry).filter(|s| s.name == name)
    }
}

/// A symbol of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol<'a> {
    /// Name of the symbol.
    pub name: &'a str,
    /// Address of the symbol.
    pub addr: u64,
    /// Bytes; 0 if the file does not say.
    pub size: u64,
}

impl Module {
    /// Reads a program: an RV64 ELF file, statically linked, with fixed addresses.
    ///
    /// # Errors
    /// [`ErrorKind::Load`] with an [`ElfError`](elf::ElfError) if the file is damaged or for
    /// something else, [`ErrorKind::Unsupported`] if it needs a dynamic linker, is
    /// position-independent, has more than 64 segments, or segments that are the same parts of the
    /// file again and again.
    pub fn new(engine: &Engine, elf: impl AsRef<[u8]>) -> Result<Self> {
        let bytes = elf.as_ref().to_vec();
        let elf = Elf::parse(&bytes, bytes.len() as u64)?;
        let loaded = elf.segments.iter().map(|s| s.file.end - s.file.start);
        let loaded = loaded.fold(0, u64::saturating_add);
        let refusal = if elf.segments.len() > MAX_SEGMENTS {
            Some("the program has too many segments: 64 are supported")
        } else if loaded / 2 > bytes.len() as u64 {
            Some("the program's segments overlap in the file")
        } else if elf.interpreter.is_some() {
            Some("the program is dynamically linked: link it with -static")
        } else if elf.relocatable {
            Some("the program is position-independent: link it with -static -no-pie")
        } else {
            None
        };
        match refusal {
            Some(m) => Err(Error::of(ErrorKind::Unsupported, m)),
            None => Ok(Self(Arc::new(Inner {
                engine: engine.clone(),
                bytes,
                code: elf.has_constant_code().then(SharedCode::default),
                elf,
                symbols: OnceLock::new(),
                initial: OnceLock::new(),
            }))),
        }
    }

    /// Reads a program from a file, as [`Self::new`].
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the file cannot be read, and those of [`Self::new`].
    pub fn from_file(engine: &Engine, path: impl AsRef<Path>) -> Result<Self> {
        Self::new(engine, std::fs::read(path)?)
    }

    /// Where the program says that execution begins.
    #[must_use]
    pub fn entry(&self) -> u64 {
        self.0.elf.entry
    }

    /// The defined symbols, lowest address first; none in a stripped program.
    pub fn symbols(&self) -> impl Iterator<Item = Symbol<'_>> {
        self.entries().iter().map(|s| Symbol { name: &s.name, addr: s.addr, size: s.size })
    }

    /// Names of the functions that the program imports
    /// ([`Linker::define`](super::Linker::define)), lowest address first.
    pub fn imports(&self) -> impl Iterator<Item = &str> {
        self.import_stubs().map(|(name, _)| name)
    }

    /// Names and addresses of what stands for imported functions.
    pub(super) fn import_stubs(&self) -> impl Iterator<Item = (&str, u64)> {
        let symbols = self.named();
        let entries = symbols.imports.iter().map(|&n| &symbols.entries[n as usize]);
        entries.map(|s| (s.name.as_str(), s.addr))
    }

    fn entries(&self) -> &[SymbolEntry] {
        &self.named().entries
    }

    fn named(&self) -> &Symbols {
        self.0.symbols.get_or_init(|| Symbols::of(&self.0.elf, &self.0.bytes))
    }

    /// Address of a symbol.
    pub(super) fn find(&self, name: &str) -> Option<u64> {
        self.named().find(name).map(|s| s.addr)
    }

    /// What instances begin with.
    pub(super) fn initial(&self) -> Result<Snapshot> {
        let (image, layout) = match self.0.initial.get() {
            Some(initial) => initial,
            None => {
                let initial = self.load()?;
                self.0.initial.get_or_init(|| initial)
            }
        };
        let hart = load::first_hart(self, layout);
        Ok(Snapshot::new(self.clone(), Arc::clone(image), layout.clone(), hart, true))
    }

    fn load(&self) -> Result<(Arc<Image>, Layout)> {
        let options = self.0.engine.options();
        let size = 1 << options.address_bits;
        let memory = match Memory::new(options.mode, size) {
            Err(_) if options.mode == Mode::Identity => Memory::new(Mode::Guarded, size),
            other => other,
        };
        let memory = memory.map_err(no_room)?;
        let layout = load::load(&memory, self)?;
        let image = Image::of(&memory, |part| {
            let meets = |range: Range<u64>| range.start < part.end && part.start < range.end;
            let filled = |s: &elf::Segment| s.addr..s.addr + (s.file.end - s.file.start);
            part.contains(&layout.return_pad)
                || self.elf().segments.iter().any(|s| meets(filled(s)))
        });
        Ok((Arc::new(image.map_err(no_room)?), layout))
    }

    /// Tells programs apart: a hash of the file (FNV-1a, by words of eight bytes).
    pub(super) fn fingerprint(&self) -> u64 {
        let word = |part: &[u8]| part.iter().rfold(0, |word, &b| word << 8 | u64::from(b));
        let mix = |hash: u64, part| (hash ^ word(part)).wrapping_mul(0x0100_0000_01b3);
        self.0.bytes.chunks(8).fold(0xcbf2_9ce4_8422_2325 ^ self.0.bytes.len() as u64, mix)
    }

    /// True if `other` is this module or a clone of it.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    pub(super) fn elf(&self) -> &Elf {
        &self.0.elf
    }

    /// Translations that its instances may share.
    pub(super) fn code(&self) -> Option<&SharedCode> {
        self.0.code.as_ref()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Module(entry {:#x}, {} bytes)", self.entry(), self.0.bytes.len())
    }
}
