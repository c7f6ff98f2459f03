//! Users, groups and capabilities: the host's, or, with a fake root, what the guest believes
//! (credentials(7); kernel: `kernel/sys.c`, `kernel/groups.c`).

use crate::linux::abi::{Errno, GuestPtr, SysResult};
use crate::linux::args::Arg::{R, RE, V, W, WE};
use crate::linux::lock::lock;
use crate::linux::process::Thread;
use crate::linux::task::credentials::{ALL_CAPABILITIES, Credentials, Ids};

/// Most supplementary groups (`NGROUPS_MAX`).
const MAX_GROUPS: usize = 65536;

impl Thread {
    /// Serves a call by the guest's believed credentials, or by the host if it has the host's.
    fn believed(
        &mut self,
        generic: u16,
        spec: &[crate::linux::args::Arg],
        serve: impl FnOnce(&mut Credentials, bool) -> SysResult,
    ) -> SysResult {
        let process = std::sync::Arc::clone(&self.process);
        let mut held = lock(&process.credentials);
        match &mut *held {
            Some(c) => {
                let root = c.is_root();
                serve(c, root)
            }
            None => {
                drop(held);
                self.pass(generic, spec)
            }
        }
    }
}

/// Calls that set ids of one kind and answer 0.
macro_rules! setters {
    ($($name:ident $number:literal $kind:ident $set:ident ($($arg:ident $spec:expr),*);)*) => {$(
        pub(crate) fn $name(t: &mut Thread $(, $arg: u32)*) -> SysResult {
            t.believed($number, &[$($spec),*], |c, root| c.$kind.$set($($arg,)* root).map(|()| 0))
        }
    )*};
}

setters! {
    sys_setregid 143 group set_two(real V, effective V);
    sys_setgid 144 group set(id V);
    sys_setreuid 145 user set_two(real V, effective V);
    sys_setuid 146 user set(id V);
}

pub(crate) fn sys_setresuid(t: &mut Thread, r: u32, e: u32, s: u32) -> SysResult {
    t.believed(147, &[V, V, V], |c, root| c.user.set_all([r, e, s], root).map(|()| 0))
}

pub(crate) fn sys_setresgid(t: &mut Thread, r: u32, e: u32, s: u32) -> SysResult {
    t.believed(149, &[V, V, V], |c, root| c.group.set_all([r, e, s], root).map(|()| 0))
}

pub(crate) fn sys_setfsuid(t: &mut Thread, id: u32) -> SysResult {
    t.believed(151, &[V], |c, root| Ok(u64::from(c.user.set_file(id, root))))
}

pub(crate) fn sys_setfsgid(t: &mut Thread, id: u32) -> SysResult {
    t.believed(152, &[V], |c, root| Ok(u64::from(c.group.set_file(id, root))))
}

/// Calls that answer an id.
macro_rules! getters {
    ($($name:ident $number:literal $kind:ident $field:ident;)*) => {$(
        pub(crate) fn $name(t: &mut Thread) -> SysResult {
            t.believed($number, &[], |c, _| Ok(u64::from(c.$kind.$field)))
        }
    )*};
}

getters! {
    sys_getuid 174 user real;
    sys_geteuid 175 user effective;
    sys_getgid 176 group real;
    sys_getegid 177 group effective;
}

/// Serves `getresuid` and `getresgid`.
fn get_three(
    t: &mut Thread,
    generic: u16,
    to: [GuestPtr<u32>; 3],
    ids: fn(&Credentials) -> &Ids,
) -> SysResult {
    let mut found = None;
    let result = t.believed(generic, &[W(4), W(4), W(4)], |c, _| {
        let i = ids(c);
        found = Some([i.real, i.effective, i.saved]);
        Ok(0)
    });
    for (at, id) in to.into_iter().zip(found.into_iter().flatten()) {
        at.write(t.memory(), &id)?;
    }
    result
}

pub(crate) fn sys_getresuid(
    t: &mut Thread,
    real: GuestPtr<u32>,
    effective: GuestPtr<u32>,
    saved: GuestPtr<u32>,
) -> SysResult {
    get_three(t, 148, [real, effective, saved], |c| &c.user)
}

pub(crate) fn sys_getresgid(
    t: &mut Thread,
    real: GuestPtr<u32>,
    effective: GuestPtr<u32>,
    saved: GuestPtr<u32>,
) -> SysResult {
    get_three(t, 150, [real, effective, saved], |c| &c.group)
}

pub(crate) fn sys_getgroups(t: &mut Thread, room: i32, list: GuestPtr<u32>) -> SysResult {
    let mut groups = Vec::new();
    let result = t.believed(158, &[V, WE(0, 4)], |c, _| {
        if room != 0 && usize::try_from(room).map_or(true, |n| n < c.groups.len()) {
            return Err(Errno::EINVAL);
        }
        groups.clone_from(&c.groups);
        Ok(groups.len() as u64)
    })?;
    if room != 0 {
        for (i, group) in groups.iter().enumerate() {
            list.add(i as u64).write(t.memory(), group)?;
        }
    }
    Ok(result)
}

pub(crate) fn sys_setgroups(t: &mut Thread, count: i32, list: GuestPtr<u32>) -> SysResult {
    if lock(&t.process.credentials).is_none() {
        return t.pass(159, &[V, RE(0, 4)]);
    }
    let count = usize::try_from(count).map_err(|_| Errno::EINVAL)?;
    if count > MAX_GROUPS {
        return Err(Errno::EINVAL);
    }
    let new = list.read_array(t.memory(), count)?;
    t.believed(159, &[], |c, root| {
        if !root {
            return Err(Errno::EPERM);
        }
        c.groups = new;
        Ok(0)
    })
}

/// The host tells the versions that there are, and checks addresses.
pub(crate) fn sys_capget(t: &mut Thread, header: GuestPtr<u32>, data: GuestPtr<u32>) -> SysResult {
    let result = t.pass(90, &[W(8), W(24)])?;
    let root = lock(&t.process.credentials).as_ref().map(Credentials::is_root);
    if let (Some(root), false) = (root, data.is_null()) {
        let all = if root { ALL_CAPABILITIES } else { 0 };
        /// `_LINUX_CAPABILITY_VERSION_1`, which has but one set of 32 bits.
        const VERSION_1: u32 = 0x1998_0330;
        let sets = if header.read(t.memory())? == VERSION_1 { 1 } else { 2 };
        for i in 0..sets {
            let part = (all >> (32 * i)) as u32;
            // Effective, permitted, inheritable.
            for (field, value) in [part, part, 0].into_iter().enumerate() {
                data.add(3 * i + field as u64).write(t.memory(), &value)?;
            }
        }
    }
    Ok(result)
}

pub(crate) fn sys_capset(t: &mut Thread) -> SysResult {
    let mut root = None;
    if let Some(c) = &*lock(&t.process.credentials) {
        root = Some(c.is_root());
    }
    match root {
        // What is given up is not remembered.
        Some(true) => Ok(0),
        _ => t.pass(91, &[W(8), R(24)]),
    }
}
