//! Queues of requests that a program shares with the kernel (io_uring(7)): the host's, whose
//! submission queue the guest does not see.
//!
//! The guest writes entries with its own addresses into a submission queue that is ours. When it
//! enters the kernel, those it submits are copied, converted ([`convert`]) and put into the host's
//! queue, which nobody else reads or writes; what is in that queue and not being submitted is zero.
//! So it does not matter to us what the guest does to its queue meanwhile, or to the words of the
//! host's that it sees. The completion queue is the host's own, since it is filled at any time:
//! entries hold numbers only.
//!
//! The kernel reads what an entry's addresses lead to when it takes the entry
//! (`IORING_FEAT_SUBMIT_STABLE`), so that converted structures of ours are needed no longer than
//! that, and writes to addresses of the guest later. An operation is not served if its results
//! would have to be converted.
//!
//! Memory of the queues is ours (`IORING_SETUP_NO_MMAP`): the host's cannot be mapped at an address
//! of our choice. Where the guest has a ring mapped, there is first its submission queue, then the
//! host's memory of the ring, and the array of the submission queue. Rings are known by what
//! descriptors refer to, not by their numbers, in the process that has set them up and its
//! children.

mod convert;
pub(crate) mod enter;
mod entry;
pub(crate) mod map;
mod name;
pub(crate) mod register;
pub(crate) mod ring;
mod serve;
pub(crate) mod setup;
