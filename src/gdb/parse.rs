//! Numbers, thread ids, and how threads are to go on.

/// A process and a thread of it, as a client names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ThreadId {
    /// `None`: the client names none.
    pub pid: Option<Which>,
    pub tid: Which,
}

/// Which process or thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Any,
    All,
    One(i32),
}

/// A hexadecimal number, which is all of `text`.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 16 || text[0] == b'+' {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok()
}

/// Two numbers with `by` in between.
pub(super) fn pair(text: &[u8], by: u8) -> Option<(u64, u64)> {
    let (a, b) = split(text, by)?;
    Some((number(a)?, number(b)?))
}

/// What is before the first `by`, and what is behind it.
pub(super) fn split(text: &[u8], by: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|&b| b == by)?;
    Some((&text[..at], &text[at + 1..]))
}

fn which(text: &[u8]) -> Option<Which> {
    match text {
        b"-1" => Some(Which::All),
        b"0" => Some(Which::Any),
        _ => i32::try_from(number(text)?).ok().map(Which::One),
    }
}

impl ThreadId {
    /// `pPID.TID`, `pPID`, or `TID`.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let Some(both) = text.strip_prefix(b"p") else {
            return Some(Self { pid: None, tid: which(text)? });
        };
        match split(both, b'.') {
            Some((pid, tid)) => Some(Self { pid: Some(which(pid)?), tid: which(tid)? }),
            None => Some(Self { pid: Some(which(both)?), tid: Which::All }),
        }
    }

    /// True if it means that thread of that process.
    pub(super) fn means(self, pid: i32, tid: i32) -> bool {
        let fits = |which, id| !matches!(which, Which::One(n) if n != id);
        self.pid.is_none_or(|which| fits(which, pid)) && fits(self.tid, tid)
    }
}

/// How a thread goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Until something stops it.
    Continue,
    /// For one instruction.
    Step,
    /// As long as it stays within a range of addresses.
    Range(std::ops::Range<u64>),
    /// Not at all.
    Stop,
}

/// One action of `vCont`: what, with which signal, and for which threads (all others if absent).
pub(super) type Resumption = (Action, Option<u8>, Option<ThreadId>);

/// The actions of `vCont`, behind `vCont;`.
pub(super) fn resumptions(text: &[u8]) -> Option<Vec<Resumption>> {
    text.split(|&b| b == b';').map(resumption).collect()
}

fn resumption(text: &[u8]) -> Option<Resumption> {
    let (action, thread) = match split(text, b':') {
        Some((action, thread)) => (action, Some(ThreadId::parse(thread)?)),
        None => (text, None),
    };
    let signal = |digits| number(digits).and_then(|n| u8::try_from(n).ok());
    let (action, signal) = match action.split_first()? {
        (b'c', []) => (Action::Continue, None),
        (b's', []) => (Action::Step, None),
        (b't', []) => (Action::Stop, None),
        (b'C', digits) => (Action::Continue, Some(signal(digits)?)),
        (b'S', digits) => (Action::Step, Some(signal(digits)?)),
        (b'r', range) => {
            let (start, end) = pair(range, b',')?;
            (if start < end { Action::Range(start..end) } else { Action::Step }, None)
        }
        _ => return None,
    };
    Some((action, signal, thread))
}
