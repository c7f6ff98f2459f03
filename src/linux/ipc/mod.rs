//! Queues of messages, semaphores and shared memory (kernel: `ipc/`).

pub(crate) mod calls;
pub(crate) mod shm;
