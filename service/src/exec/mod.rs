//! Executions: from admission to the final event.

pub(crate) mod admit;
mod agent;
pub(crate) mod files;
mod finish;
pub(crate) mod recorder;
mod runner;
pub(crate) mod stream;
pub(crate) mod sweeper;

pub(crate) use self::recorder::Live;
