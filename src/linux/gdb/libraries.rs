//! The shared libraries of a guest, from its dynamic linker's list (`struct r_debug` and `struct
//! link_map` of `link.h`), in gdb's form.

use crate::linux::process::Process;
use crate::mem::Memory;

/// Libraries that are listed at most: the list is in the guest's memory, and may be a ring.
const MOST: usize = 4096;

fn word(mem: &Memory, at: u64) -> Option<u64> {
    mem.read_u64(at).ok()
}

/// A value of the auxiliary vector.
fn auxv(process: &Process, wanted: u64) -> Option<u64> {
    let word = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_le_bytes);
    let mut pairs = process.auxv.chunks_exact(16);
    pairs.find(|pair| word(&pair[..8]) == wanted).map(|pair| word(&pair[8..]))
}

/// Address of the program's `struct r_debug`; none in a static program, or before the linker has
/// run.
fn r_debug(process: &Process) -> Option<u64> {
    const PT_DYNAMIC: u32 = 2;
    const PT_PHDR: u32 = 6;
    const DT_DEBUG: u64 = 21;
    let mem = process.memory();
    let (phdr, count) = (auxv(process, libc::AT_PHDR)?, auxv(process, libc::AT_PHNUM)?);
    let headers = (0..count.min(64)).map(|n| phdr + 56 * n);
    let (mut base, mut dynamic) = (0, None);
    for at in headers {
        let addr = word(mem, at.wrapping_add(16))?;
        match mem.read_u32(at).ok()? {
            PT_PHDR => base = phdr.wrapping_sub(addr),
            PT_DYNAMIC => dynamic = Some(addr),
            _ => {}
        }
    }
    let dynamic = dynamic?.wrapping_add(base);
    let entries = (0..MOST as u64).map(|n| dynamic.wrapping_add(16 * n));
    for at in entries {
        match word(mem, at)? {
            0 => return None,
            DT_DEBUG => return word(mem, at.wrapping_add(8)).filter(|&a| a != 0),
            _ => {}
        }
    }
    None
}

/// Where a thread whose `tp` is that has the thread-local variable at `offset` of the module at
/// `module`: the program's lie at `tp` (psABI, variant I). Those of libraries are where the
/// thread's vector says (`dtv` of glibc's sysdeps/generic/dl-dtv.h, to which the doubleword 16
/// bytes below `tp` points), if the thread has any yet: by the module's number, which is in its
/// `link_map`, where the description at `number_at` says.
pub(super) fn thread_local(
    process: &Process,
    tp: u64,
    offset: u64,
    (module, number_at): (u64, Option<u64>),
) -> Option<u64> {
    /// What the vector has for a module whose variables the thread has not touched.
    const NOT_YET: u64 = u64::MAX;
    let mem = process.memory();
    let main = r_debug(process).and_then(|r| word(mem, r.wrapping_add(8)));
    if module == 0 || main.is_none() || main == Some(module) {
        return Some(tp.wrapping_add(offset));
    }
    let [bits, count] = word(mem, number_at?).map(|w| [w as u32, (w >> 32) as u32])?;
    let place = mem.read_u32(number_at?.wrapping_add(8)).ok()?;
    if (bits, count) != (64, 1) {
        return None;
    }
    let number = word(mem, module.wrapping_add(place.into()))?;
    let vector = word(mem, tp.wrapping_sub(16))?;
    let modules = word(mem, vector.wrapping_sub(16))?;
    if number == 0 || number > modules {
        return None;
    }
    let block = word(mem, vector.wrapping_add(number.wrapping_mul(16)))?;
    (block != NOT_YET).then(|| block.wrapping_add(offset))
}

/// `library-list-svr4`.
pub(super) fn list(process: &Process) -> String {
    let mem = process.memory();
    let mut xml = String::from("<library-list-svr4 version=\"1.0\"");
    let mut at = r_debug(process).and_then(|r| word(mem, r.wrapping_add(8))).unwrap_or(0);
    // The first is the program itself.
    if at != 0 {
        xml += &format!(" main-lm=\"{at:#x}\"");
        at = word(mem, at.wrapping_add(24)).unwrap_or(0);
    }
    xml.push('>');
    for _ in 0..MOST {
        let fields = (
            word(mem, at),
            word(mem, at.wrapping_add(8)),
            word(mem, at.wrapping_add(16)),
            word(mem, at.wrapping_add(24)),
        );
        let (true, (Some(base), Some(name), Some(dynamic), Some(next))) = (at != 0, fields) else {
            break;
        };
        let name = mem.read_c_string(name, 4096).ok().flatten().unwrap_or_default();
        if !name.is_empty() {
            let name = crate::gdb::escape(&String::from_utf8_lossy(&name));
            xml += &format!(
                "<library name=\"{name}\" lm=\"{at:#x}\" l_addr=\"{base:#x}\" l_ld=\"{dynamic:#x}\" lmid=\"0x0\"/>"
            );
        }
        at = next;
    }
    xml + "</library-list-svr4>"
}
