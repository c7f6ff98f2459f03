//! What tests of checkers share.

use crate::backend::{CodeBuf, EmitContext};

/// The context of a block in which nothing is special.
pub(crate) fn context(stubs: crate::backend::Stubs) -> EmitContext<'static> {
    EmitContext {
        mode: crate::mem::Mode::Identity,
        stubs,
        exact_flags: false,
        lookup: &|_| None,
        conditional_links: true,
        peek: &|_| None,
        handler_room: false,
        meter: None,
        countdown: None,
        serves: false,
        counters: None,
        edges: None,
        marks: false,
    }
}

/// A buffer for the block at 0x1000.
pub(crate) fn buffer() -> CodeBuf {
    let mut buf = CodeBuf::default();
    buf.start(0x1000, [0x1000, 0x10_0000], 0);
    buf
}

/// What `check` says, nothing if all is right.
pub(crate) fn said_by(check: impl FnOnce()) -> String {
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check));
    result.err().map_or_else(String::new, |said| match said.downcast::<String>() {
        Ok(text) => text.lines().last().unwrap_or_default().to_owned(),
        Err(_) => "a panic of another kind".to_owned(),
    })
}
