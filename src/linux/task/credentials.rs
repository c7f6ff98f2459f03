//! What a guest with a fake root believes to be: its users and groups (credentials(7); kernel:
//! `kernel/sys.c`).

use crate::linux::abi::Errno;

/// The capabilities that a root has (`CAP_LAST_CAP` is 40).
pub(super) const ALL_CAPABILITIES: u64 = (1 << 41) - 1;

/// Keeps an id as it is.
const SAME: u32 = u32::MAX;

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
    pub(super) fn set_all(
        &mut self,
        [real, effective, saved]: [u32; 3],
        root: bool,
    ) -> Result<(), Errno> {
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
    pub(super) fn set(&mut self, id: u32, root: bool) -> Result<(), Errno> {
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
    pub(super) fn set_two(&mut self, real: u32, effective: u32, root: bool) -> Result<(), Errno> {
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
    pub(super) fn set_file(&mut self, id: u32, root: bool) -> u32 {
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
    /// Those of a user.
    pub(crate) fn of(user: u32, group: u32, groups: Vec<u32>) -> Self {
        let all = |id| Ids { real: id, effective: id, saved: id, file: id };
        Self { user: all(user), group: all(group), groups }
    }

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
