//! Small things that know nothing of RISC-V or of the host: address types, bit helpers, a map of
//! ranges, a list that grows.

mod addr;
mod chunks;
mod counter;
mod page_map;
mod range_map;

pub use addr::{CodePtr, HostAddr, PAGE_SIZE, page_down, page_up};
pub use chunks::Chunks;
pub use counter::Counter;
pub use page_map::PageMap;
pub use range_map::{RangeMap, Split};
