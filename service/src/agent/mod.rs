//! The agent child: how it is started, confined and spoken to.

pub(crate) mod child;
pub mod launch;
pub(crate) mod mapper;
pub(crate) mod protocol;
mod spawner;
pub(crate) mod turn;
pub(crate) mod version;
