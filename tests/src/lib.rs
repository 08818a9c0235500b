//! What tests and benches share: starting the `hardshell` binary, and talking to it.
//!
//! Nothing here links the binary: it is driven as a user drives it, over its command line, its
//! stdin and stdout, and HTTP. All of this is test code: a failure is a panic with a sentence.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code says what it expects by failing"
)]

pub mod binary;
pub mod case;
pub mod http;
pub mod mcp;
pub mod proc;
pub mod server;
pub mod sse;
