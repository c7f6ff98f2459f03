//! What holds at the head of the loop that is being emitted.

use crate::opt::FloatFacts;
use crate::util::CodePtr;

/// The head of a loop, where more holds than the contract.
#[derive(Clone)]
pub(crate) struct LoopHead {
    /// Guest address.
    pub(crate) pc: u64,
    /// Where the code is.
    pub(crate) at: CodePtr,
    /// What holds there.
    pub(crate) facts: FloatFacts,
}

impl LoopHead {
    /// True if a place where `fp` holds may lead to the head once some of what is pending has been
    /// brought home. What is pending at the head must be pending there: the value might be a NaN
    /// that came from memory as it is.
    pub(crate) fn fits(&self, fp: &FloatFacts) -> bool {
        let missing = |head: u32, here: u32| head & !here != 0;
        let s = &self.facts;
        !missing(s.boxed, fp.boxed)
            && !missing(s.canon_d, fp.canon_d)
            && !missing(s.canon_s, fp.canon_s)
            && (s.frm.is_none() || s.frm == fp.frm)
    }
}
