//! Atomics: Zalrsc, Zaamo, Zabha and Zacas (unprivileged manual, chapters "A", "Zabha",
//! "Zacas"). All are sequentially consistent here, which is what any `aq` and `rl` ask for at
//! most. Every one must be naturally aligned.

use super::{Access, Data, Hart, Insn, Step, Stop, misaligned, next, x};
use crate::cpu::Reservation;
use crate::mem::Fault;

/// The address in `rs1`, if it is a multiple of `size`.
#[inline]
fn aligned(h: &Hart, i: &Insn, size: u64, access: Access) -> Result<u64, Stop> {
    let addr = x(h, i.rs1);
    if addr.is_multiple_of(size) { Ok(addr) } else { Err(misaligned(addr, access)) }
}

macro_rules! load_reserved {
    ($($name:ident $read:ident $signed:ty;)*) => {$(
        pub(super) fn $name(h: &mut Hart, m: &impl Data, i: &Insn, pc: u64) -> Step {
            let size = size_of::<$signed>() as u64;
            let addr = aligned(h, i, size, Access::Read)?;
            let value = m.$read(addr)? as $signed as u64;
            h.reservation = Reservation { addr, value, size };
            h.set_x(i.rd, value);
            next(i, pc)
        }
    )*};
}

load_reserved! {
    lr_w read_u32 i32;
    lr_d read_u64 i64;
}

macro_rules! store_conditional {
    ($($name:ident $cas:ident $ty:ty;)*) => {$(
        /// Succeeds (`rd` = 0) if address and size are those of the reservation and memory still
        /// holds what was read. Without a reservation memory is not accessed.
        pub(super) fn $name(h: &mut Hart, m: &impl Data, i: &Insn, pc: u64) -> Step {
            let size = size_of::<$ty>() as u64;
            let addr = aligned(h, i, size, Access::Write)?;
            let Reservation { addr: reserved, value, size: reserved_size } = h.reservation;
            let success = reserved == addr && reserved_size == size && {
                let expected = value as $ty;
                m.$cas(addr, expected, x(h, i.rs2) as $ty)? == expected
            };
            h.clear_reservation();
            h.set_x(i.rd, u64::from(!success));
            next(i, pc)
        }
    )*};
}

store_conditional! {
    sc_w cas_u32 u32;
    sc_d cas_u64 u64;
}

/// Replaces what is in memory by `f` of it and returns what was there. It begins with a guess
/// instead of a load, so that a fault is always that of a store.
fn read_modify_write<T: Copy + Default + PartialEq>(
    cas: impl Fn(T, T) -> Result<T, Fault>,
    f: impl Fn(T) -> T,
) -> Result<T, Fault> {
    let mut expected = T::default();
    loop {
        let found = cas(expected, f(expected))?;
        if found == expected {
            return Ok(found);
        }
        expected = found;
    }
}

macro_rules! amo {
    ($cas:ident $unsigned:ty, $signed:ty;
     $($name:ident |$old:ident, $b:ident| $new:expr;)*) => {$(
        pub(super) fn $name(h: &mut Hart, m: &impl Data, i: &Insn, pc: u64) -> Step {
            let addr = aligned(h, i, size_of::<$unsigned>() as u64, Access::Write)?;
            let $b = x(h, i.rs2) as $unsigned;
            let old = read_modify_write(
                |expected, new| m.$cas(addr, expected, new),
                |$old: $unsigned| $new,
            )?;
            h.set_x(i.rd, old as $signed as u64);
            next(i, pc)
        }
    )*};
}

macro_rules! amos {
    ($cas:ident $unsigned:ty, $signed:ty; $swap:ident $add:ident $xor:ident $and:ident $or:ident
     $min:ident $max:ident $minu:ident $maxu:ident) => {
        amo! { $cas $unsigned, $signed;
            $swap |_old, b| b;
            $add |old, b| old.wrapping_add(b);
            $xor |old, b| old ^ b;
            $and |old, b| old & b;
            $or |old, b| old | b;
            $min |old, b| (old as $signed).min(b as $signed) as $unsigned;
            $max |old, b| (old as $signed).max(b as $signed) as $unsigned;
            $minu |old, b| old.min(b);
            $maxu |old, b| old.max(b);
        }
    };
}

amos! { cas_u8 u8, i8; amoswap_b amoadd_b amoxor_b amoand_b amoor_b amomin_b amomax_b amominu_b amomaxu_b }
amos! { cas_u16 u16, i16; amoswap_h amoadd_h amoxor_h amoand_h amoor_h amomin_h amomax_h amominu_h amomaxu_h }
amos! { cas_u32 u32, i32; amoswap_w amoadd_w amoxor_w amoand_w amoor_w amomin_w amomax_w amominu_w amomaxu_w }
amos! { cas_u64 u64, i64; amoswap_d amoadd_d amoxor_d amoand_d amoor_d amomin_d amomax_d amominu_d amomaxu_d }

macro_rules! compare_and_swap {
    ($($name:ident $cas:ident $unsigned:ty, $signed:ty;)*) => {$(
        pub(super) fn $name(h: &mut Hart, m: &impl Data, i: &Insn, pc: u64) -> Step {
            let addr = aligned(h, i, size_of::<$unsigned>() as u64, Access::Write)?;
            let (expected, new) = (x(h, i.rd) as $unsigned, x(h, i.rs2) as $unsigned);
            let old = m.$cas(addr, expected, new)?;
            h.set_x(i.rd, old as $signed as u64);
            next(i, pc)
        }
    )*};
}

compare_and_swap! {
    amocas_b cas_u8 u8, i8;
    amocas_h cas_u16 u16, i16;
    amocas_w cas_u32 u32, i32;
    amocas_d cas_u64 u64, i64;
}

/// The 128-bit value of an even/odd pair, low half in the even register; the pair of `x0` is 0.
fn pair(h: &Hart, r: u8) -> u128 {
    if r == 0 { 0 } else { u128::from(x(h, r | 1)) << 64 | u128::from(x(h, r)) }
}

pub(super) fn amocas_q(h: &mut Hart, m: &impl Data, i: &Insn, pc: u64) -> Step {
    let addr = aligned(h, i, 16, Access::Write)?;
    let old = m.cas_u128(addr, pair(h, i.rd), pair(h, i.rs2))?;
    if i.rd != 0 {
        h.set_x(i.rd, old as u64);
        h.set_x(i.rd | 1, (old >> 64) as u64);
    }
    next(i, pc)
}

#[cfg(test)]
mod tests {
    use crate::cpu::{Exit, Hart};
    use crate::interp::Interp;
    use crate::isa::Isa;
    use crate::mem::{Memory, Mode, Prot};
    use std::sync::atomic::AtomicBool;

    /// Adds 1 to the word at a0 with `amoadd.w` and to the doubleword at a1 with an LR/SC loop, a2
    /// times.
    const CODE: [u32; 9] = [
        0x0010_0693, // li a3, 1
        0x00d5_202f, // 1: amoadd.w zero, a3, (a0)
        0x1005_b72f, // 2: lr.d a4, (a1)
        0x0017_0713, //    addi a4, a4, 1
        0x18e5_b7af, //    sc.d a5, a4, (a1)
        0xfe07_9ae3, //    bnez a5, 2b
        0xfff6_0613, //    addi a2, a2, -1
        0xfe06_14e3, //    bnez a2, 1b
        0x0000_0073, //    ecall
    ];

    #[test]
    fn harts_do_not_lose_updates() {
        const TIMES: u64 = 20_000;
        crate::sys::signal::install_handlers().unwrap();
        let mem = Memory::new(Mode::Guarded, 1 << 20).unwrap();
        mem.map_zero(0x10000, 0x1000, Prot::RWX).unwrap();
        mem.map_zero(0x20000, 0x1000, Prot::RW).unwrap();
        mem.write_bytes(0x10000, &CODE.map(u32::to_le_bytes).concat()).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let mut hart = Hart::new();
                    hart.pc = 0x10000;
                    (hart.x[10], hart.x[11], hart.x[12]) = (0x20000, 0x20008, TIMES);
                    let (isa, stop) = (Isa::default(), AtomicBool::new(false));
                    let exit = Interp::new().run(&mut hart, &mem, &isa, u64::MAX, &stop).0;
                    assert_eq!(exit, Exit::Ecall);
                });
            }
        });
        assert_eq!(mem.read_u32(0x20000), Ok(3 * TIMES as u32));
        assert_eq!(mem.read_u64(0x20008), Ok(3 * TIMES));
    }
}
