//! The MCP server as its clients meet it: over a pair of streams, over HTTP, and from
//! behind an attacker's keyboard.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
#![allow(missing_docs)]

mod attacks;
mod authors;
mod background;
mod bash;
mod cancel;
mod client;
#[cfg(feature = "conformance-fixtures")]
mod conformance;
mod files;
mod listing;
mod resources;
mod web;
mod world;
