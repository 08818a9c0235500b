//! The agent child.

pub mod launch;
