//! The kernel from outside: real sandboxes, real processes.
//!
//! Guests come from `target/modules/test` (`cargo xtask modules` builds them) or are small
//! modules in text form that call one import and exit with what it said.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod support;

mod attacks;
mod cache;
mod cancellation;
mod component;
mod containment;
mod dev;
mod fairness;
mod files;
mod journal;
mod limits;
mod pipe;
mod process;
mod quota;
mod readonly;
mod residue;
mod wasi;
