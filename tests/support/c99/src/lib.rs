//! The fast integer types of C99, as 64-bit Linux defines them.
#![no_std]
#![allow(non_camel_case_types, reason = "the names of C")]

pub type int_fast32_t = i64;
pub type int_fast64_t = i64;
pub type uint_fast8_t = u8;
pub type uint_fast32_t = u64;
pub type uint_fast64_t = u64;
