//! hardshell's `sh`: bash's language on the sandbox's kernel. `docs/shell.md` says how it works
//! and where it differs from bash.

pub mod access;
pub mod ast;
pub mod builtins;
pub mod exec;
pub mod expand;
pub mod fds;
pub mod invoke;
pub mod opts;
pub mod os;
pub mod parse;
pub mod print;
pub mod prompt;
pub mod shell;
pub mod strs;
pub mod vars;

/// What `$BASH_VERSION` says: the version whose language this is.
pub const VERSION: &str = "5.2.15(1)-release";

/// `$PATH` when there is none.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
