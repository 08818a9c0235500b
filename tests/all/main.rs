//! The tests that drive the binary from outside, one module per concept.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code says what it expects by failing"
)]

mod attacks;
mod bad_input;
mod exec;
mod fuzz;
mod mcp;
mod run;
mod secrets;
mod shell;
