//! What a program inherits from the one that starts it with `execve` and that the host does not
//! keep.

use crate::linux::process::Thread;
use crate::linux::seccomp::filter::Restriction;
use crate::linux::task::limits::{self, Limits};
use crate::linux::task::personality;

/// Attributes of a process that survive `execve`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inherited {
    /// What `personality` was last told.
    pub personality: u32,
    /// Limits that are kept here.
    pub limits: Limits,
    /// Somebody traces the thread.
    pub traced: bool,
    /// Filters of system calls, as [`Restriction::to_text`] writes them.
    pub filters: String,
}

impl Inherited {
    /// For the first program: what the host says.
    pub(crate) fn from_host() -> Self {
        Self {
            personality: personality::of_host(),
            limits: Limits::take_over(),
            traced: false,
            filters: String::new(),
        }
    }

    /// For a program that `t` starts.
    pub(crate) fn of(t: &Thread) -> Self {
        Self {
            personality: t.process.personality.value(),
            limits: t.process.limits(),
            traced: t.trace.is_some(),
            filters: t.restriction.to_text(),
        }
    }

    /// The filters, for the first thread.
    pub(crate) fn restriction(&self) -> Restriction {
        Restriction::from_text(&self.filters).unwrap_or_default()
    }

    /// One word of a command line.
    pub(crate) fn to_text(&self) -> String {
        let limits = self.limits.to_words().map(|n| format!("{n:x}")).join(",");
        format!("{:x},{limits},{},{}", self.personality, u8::from(self.traced), self.filters)
    }

    /// The inverse of [`Self::to_text`]; `None` for any other text.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let mut parts = text.split(',');
        let mut number = || u64::from_str_radix(parts.next()?, 16).ok();
        let personality = u32::try_from(number()?).ok()?;
        let mut limits = [0; limits::WORDS];
        for limit in &mut limits {
            *limit = number()?;
        }
        let traced = parts.next()? == "1";
        let filters = parts.next()?.to_owned();
        Some(Self { personality, limits: Limits::from_words(limits), traced, filters })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_survive_the_command_line() {
        let limits = Limits::from_words([1, 2, 3, 4, 5, u64::MAX, 6, 7]);
        for filters in ["", "0123456789abcdef/0000000000000006"] {
            let traced = !filters.is_empty();
            let one = Inherited { personality: 0x4_0000, limits, traced, filters: filters.into() };
            assert_eq!(Inherited::from_text(&one.to_text()), Some(one));
        }
        assert_eq!(Inherited::from_text("1,2"), None);
    }
}
