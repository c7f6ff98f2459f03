//! All integration tests, as one program: linking once is faster than linking many times.

mod tidy;
