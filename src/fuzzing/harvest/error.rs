//! What can be wrong with the files that code is to be taken from.

use crate::vm::elf::ElfError;
use std::io;
use std::path::{Path, PathBuf};

/// A file or directory from which no code can be taken.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct Error {
    path: PathBuf,
    #[source]
    problem: Problem,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Elf(#[from] ElfError),
    #[error("no executable code in it")]
    NoCode,
    #[error("its code spans more than 1 GiB")]
    TooLarge,
    #[error("a directory without RISC-V ELF files")]
    NoFiles,
    #[error("neither a file nor a directory")]
    NoFile,
    #[error("no code at {0:#x}")]
    NoPlace(u64),
}

impl Error {
    pub(super) fn new(path: &Path, problem: Problem) -> Self {
        Self { path: path.to_owned(), problem }
    }

    /// Which file or directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the host said, if it did.
    #[must_use]
    pub fn host(&self) -> Option<&io::Error> {
        match &self.problem {
            Problem::Io(e) => Some(e),
            _ => None,
        }
    }
}
