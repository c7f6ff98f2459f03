//! Set-user-ID and set-group-ID bits of a program's file (execve(2); kernel: `bprm_fill_uid` in
//! `fs/exec.c`). The host's kernel looks at those of our executable; the guest's are honoured as
//! far as the user who runs us may change ids.

use crate::linux::host::{HostArg, host_call};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

/// Makes the owners of a program's file the calling thread's effective and saved ids, where its
/// mode asks for that and nothing forbids it.
pub(crate) fn apply(file: &File) {
    let Ok(meta) = file.metadata() else { return };
    let set_user = meta.mode() & libc::S_ISUID != 0;
    let group_bits = libc::S_ISGID | libc::S_IXGRP;
    let set_group = meta.mode() & group_bits == group_bits;
    if !(set_user || set_group) || forbidden(file) {
        return;
    }
    let same = HostArg::int(-1);
    let change = |number, id: u32| host_call(number, &[same, id.into(), id.into()]);
    // Who may not, starts it as it is.
    if set_group {
        let _ = change(libc::SYS_setresgid, meta.gid());
    }
    if set_user {
        let _ = change(libc::SYS_setresuid, meta.uid());
    }
}

/// True if the bits of the file mean nothing: on such a mount, or for a process that is to get no
/// privileges.
fn forbidden(file: &File) -> bool {
    /// `ST_NOSUID`, and the word of `struct statfs` that holds the flags of the mount.
    const NOSUID: u64 = 2;
    const FLAGS: usize = 10;
    let asked = [HostArg::int(libc::PR_GET_NO_NEW_PRIVS), 0.into(), 0.into(), 0.into(), 0.into()];
    let mut statfs = [0_u64; 15];
    let args = [file.as_raw_fd().into(), HostArg::of_mut(&mut statfs)];
    host_call(libc::SYS_prctl, &asked) == Ok(1)
        || (host_call(libc::SYS_fstatfs, &args).is_ok() && statfs[FLAGS] & NOSUID != 0)
}

/// What `AT_SECURE` says: whether the program has rights that its caller may not have had.
pub(crate) fn is_secure([user, effective_user, group, effective_group]: [u32; 4]) -> bool {
    user != effective_user || group != effective_group
}
