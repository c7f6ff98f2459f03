//! Users, groups and capabilities: the host's, or, with a fake root, what the guest believes
//! (credentials(7); kernel: `kernel/sys.c`, `kernel/groups.c`).

use crate::linux::abi::{Errno, GuestPtr, SysResult};
use crate::linux::args::Arg::{R, RE, V, W, WE};
use crate::linux::lock::lock;
use crate::linux::process::Thread;

/// Keeps an id as it is.
const SAME: u32 = u32::MAX;
/// Most supplementary groups (`NGROUPS_MAX`).
const MAX_GROUPS: usize = 65536;

/// The four ids of one kind that a process has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ids {
    pub real: u32,
    pub effective: u32,
    pub saved: u32,
    /// For access to files.
    pub file: u32,
}

impl Ids {
    fn has(&self, id: u32) -> bool {
        [self.real, self.effective, self.saved].contains(&id)
    }

    /// Sets real, effective and saved id.
    fn set_all(&mut self, [real, effective, saved]: [u32; 3], root: bool) -> Result<(), Errno> {
        if !root && [real, effective, saved].iter().any(|&id| id != SAME && !self.has(id)) {
            return Err(Errno::EPERM);
        }
        let change = |old: &mut u32, new| {
            if new != SAME {
                *old = new;
            }
        };
        change(&mut self.real, real);
        change(&mut self.effective, effective);
        change(&mut self.saved, saved);
        self.file = self.effective;
        Ok(())
    }

    /// As setuid(2).
    fn set(&mut self, id: u32, root: bool) -> Result<(), Errno> {
        if id == SAME {
            return Err(Errno::EINVAL);
        }
        let others = if root { id } else { SAME };
        if !root && id != self.real && id != self.saved {
            return Err(Errno::EPERM);
        }
        self.set_all([others, id, others], true)
    }

    /// As setreuid(2).
    fn set_two(&mut self, real: u32, effective: u32, root: bool) -> Result<(), Errno> {
        let denied = (real != SAME && real != self.real && real != self.effective)
            || (effective != SAME && !self.has(effective));
        if !root && denied {
            return Err(Errno::EPERM);
        }
        let before = self.real;
        self.set_all([real, effective, SAME], true)?;
        if real != SAME || (effective != SAME && effective != before) {
            self.saved = self.effective;
        }
        Ok(())
    }

    /// As setfsuid(2): the id that was, whether or not it changes.
    fn set_file(&mut self, id: u32, root: bool) -> u32 {
        let before = self.file;
        if id != SAME && (root || self.has(id) || id == self.file) {
            self.file = id;
        }
        before
    }
}

/// Who a guest believes to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub user: Ids,
    pub group: Ids,
    pub groups: Vec<u32>,
}

impl Credentials {
    /// True for what the kernel asks a capability for.
    pub(crate) fn is_root(&self) -> bool {
        self.user.effective == 0
    }

    /// True if files of this group are the process's group's.
    pub(crate) fn is_member(&self, group: u32) -> bool {
        self.group.file == group || self.groups.contains(&group)
    }

    /// What execve(2) makes of it, for a program with these owners and this mode.
    pub(crate) fn for_program(&self, user: u32, group: u32, mode: u32) -> Self {
        let mut new = self.clone();
        if mode & libc::S_ISUID != 0 {
            new.user.effective = user;
        }
        if mode & (libc::S_ISGID | libc::S_IXGRP) == libc::S_ISGID | libc::S_IXGRP {
            new.group.effective = group;
        }
        for ids in [&mut new.user, &mut new.group] {
            ids.saved = ids.effective;
            ids.file = ids.effective;
        }
        new
    }

    /// Real and effective user, real and effective group.
    pub(crate) fn ids(&self) -> [u32; 4] {
        [self.user.real, self.user.effective, self.group.real, self.group.effective]
    }

    /// The lines of `/proc/PID/status` that tell about it, by their names.
    pub(crate) fn status(&self, name: &str) -> Option<String> {
        let tabs =
            |i: &Ids| [i.real, i.effective, i.saved, i.file].map(|n| n.to_string()).join("\t");
        let all = if self.is_root() { ALL_CAPABILITIES } else { 0 };
        Some(match name {
            "Uid" => tabs(&self.user),
            "Gid" => tabs(&self.group),
            "Groups" => self.groups.iter().map(|g| format!("{g} ")).collect(),
            "CapPrm" | "CapEff" => format!("{all:016x}"),
            "CapBnd" => format!("{ALL_CAPABILITIES:016x}"),
            _ => return None,
        })
    }

    /// As text, for the command line of the next program.
    pub(crate) fn to_text(&self) -> String {
        let four = |i: &Ids| [i.real, i.effective, i.saved, i.file];
        let all = four(&self.user).into_iter().chain(four(&self.group));
        let all = all.chain(self.groups.iter().copied());
        all.map(|id| id.to_string()).collect::<Vec<_>>().join(",")
    }

    /// The inverse of [`Self::to_text`].
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let all: Vec<u32> = text.split(',').map(|n| n.parse().ok()).collect::<Option<_>>()?;
        let four = |at: usize| {
            let [real, effective, saved, file] = *all.get(at..at + 4)? else { return None };
            Some(Ids { real, effective, saved, file })
        };
        Some(Self { user: four(0)?, group: four(4)?, groups: all.get(8..)?.to_vec() })
    }
}

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

/// The capabilities that a root has (`CAP_LAST_CAP` is 40).
const ALL_CAPABILITIES: u64 = (1 << 41) - 1;

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

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: u32) -> Ids {
        Ids { real: id, effective: id, saved: id, file: id }
    }

    #[test]
    fn a_root_becomes_anyone_and_does_not_come_back() {
        let mut ids = user(0);
        ids.set(42, true).unwrap();
        assert_eq!(ids, user(42));
        assert_eq!(ids.set(0, false), Err(Errno::EPERM));
        assert_eq!(ids.set_all([SAME, 0, SAME], false), Err(Errno::EPERM));
        assert_eq!(ids.set(SAME, false), Err(Errno::EINVAL));
    }

    #[test]
    fn the_saved_id_leads_back() {
        let mut ids = user(0);
        ids.set_all([SAME, 42, SAME], true).unwrap();
        assert_eq!((ids.real, ids.effective, ids.saved, ids.file), (0, 42, 0, 42));
        ids.set(0, false).unwrap();
        assert_eq!(ids, user(0));
        ids.set_two(7, 8, true).unwrap();
        assert_eq!((ids.real, ids.effective, ids.saved), (7, 8, 8));
        assert_eq!(ids.set_file(0, false), 8);
        assert_eq!(ids.set_file(7, false), 8);
        assert_eq!(ids.set_file(SAME, false), 7);
    }

    #[test]
    fn credentials_survive_an_exec() {
        let c = Credentials { user: user(3), group: user(4), groups: vec![5, 6] };
        assert_eq!(Credentials::from_text(&c.to_text()), Some(c.clone()));
        let root = c.for_program(0, 0, 0o4755);
        assert_eq!((root.ids(), root.user.saved), ([3, 0, 4, 4], 0));
        assert_eq!(Credentials::from_text("1,2"), None);
    }
}
