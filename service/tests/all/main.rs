//! The service on real parts: the real agent, a scripted model, and, for the second
//! stack, PostgreSQL, Redis and an S3 server of their own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs,
    unreachable_pub
)]

mod bad;
mod chaos;
mod child;
mod harness;
mod inner;
mod replicas;
mod servers;
mod stacks;
mod turns;
