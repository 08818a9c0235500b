//! What the commands share: GNU option parsing, arguments as bytes, error
//! messages in the GNU form, buffered output.
//!
//! Arguments and file names are bytes from end to end: a name that is not
//! UTF-8 must survive every command.

mod getopt;
pub mod glob;
mod input;
pub mod mode;
mod output;
pub mod process;
mod size;
pub mod stat;
pub mod time;

pub use getopt::{Arg, Item, Opt, Parser};
pub use input::{Input, open_input};
pub use output::Out;
pub use size::{human, parse_size};

use std::ffi::{OsStr, OsString};
use std::io::Write;
#[cfg(unix)]
use std::os::unix::ffi::{OsStrExt, OsStringExt};
#[cfg(target_os = "wasi")]
use std::os::wasi::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// All arguments including `argv[0]`, as bytes.
pub fn args() -> Vec<Vec<u8>> {
    std::env::args_os().map(OsStringExt::into_vec).collect()
}

/// The command's name: the base name of `argv[0]`.
pub fn command_name(args: &[Vec<u8>], default: &str) -> String {
    let first = args.first().map_or(default.as_bytes(), Vec::as_slice);
    let base = first.rsplit(|b| *b == b'/').next().unwrap_or_default();
    let base = base.strip_suffix(b".wasm").unwrap_or(base);
    if base.is_empty() {
        return default.to_owned();
    }
    String::from_utf8_lossy(base).into_owned()
}

/// A path over bytes, without a copy.
pub fn path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// An `OsStr` over bytes, without a copy.
pub fn os(bytes: &[u8]) -> &OsStr {
    OsStr::from_bytes(bytes)
}

/// The bytes of an `OsStr`.
pub fn bytes(text: &OsStr) -> &[u8] {
    text.as_bytes()
}

/// An `OsString` into its bytes.
pub fn into_bytes(text: OsString) -> Vec<u8> {
    text.into_vec()
}

/// The text of an I/O error as libc's `strerror` has it, without Rust's
/// suffix.
pub fn errno_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

/// Writes `COMMAND: MESSAGE` to standard error.
pub fn complain(command: &str, message: impl AsRef<[u8]>) {
    let mut line = Vec::with_capacity(128);
    line.extend_from_slice(command.as_bytes());
    line.extend_from_slice(b": ");
    line.extend_from_slice(message.as_ref());
    line.push(b'\n');
    let _ = std::io::stderr().write_all(&line);
}

/// Complains about a file: `COMMAND: FILE: REASON`.
pub fn complain_file(command: &str, file: &[u8], error: &std::io::Error) {
    let mut message = file.to_vec();
    message.extend_from_slice(b": ");
    message.extend_from_slice(errno_text(error).as_bytes());
    complain(command, message);
}

/// The pointer to the help that GNU commands print after a usage error.
pub fn try_help(command: &str) {
    let _ = writeln!(
        std::io::stderr(),
        "Try '{command} --help' for more information."
    );
}

/// Whether text is UTF-8: yes, unless the environment asks for the C locale.
pub fn utf8_locale() -> bool {
    for name in ["LC_ALL", "LC_CTYPE", "LANG"] {
        if let Some(value) = std::env::var_os(name)
            && !value.is_empty()
        {
            let upper = value.to_string_lossy().to_ascii_uppercase();
            return !(upper == "C" || upper == "POSIX");
        }
    }
    true
}

/// What tells a file from all others: device and inode. Links are followed.
pub fn file_id(name: &[u8]) -> Option<(u64, u64)> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let meta = std::fs::metadata(path(name)).ok()?;
        Some((meta.dev(), meta.ino()))
    }
    #[cfg(not(unix))]
    {
        let stat = hardshell_sys::stat(path(name)).ok()?;
        Some((stat.dev, stat.ino))
    }
}

/// Gives a file the permission bits of another, as far as that is possible.
pub fn copy_mode(from: &[u8], to: &[u8]) {
    #[cfg(unix)]
    if let Ok(meta) = std::fs::metadata(path(from)) {
        let _ = std::fs::set_permissions(path(to), meta.permissions());
    }
    #[cfg(not(unix))]
    if let Ok(stat) = hardshell_sys::stat(path(from)) {
        let _ = hardshell_sys::chmod(path(to), stat.permissions());
    }
}

/// A name in quotes for a message, as GNU tools do: curly ones where the
/// environment says UTF-8.
pub fn quote(name: &[u8]) -> Vec<u8> {
    let explicit = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .filter_map(|v| std::env::var(v).ok())
        .find(|v| !v.is_empty())
        .is_some_and(|v| v.to_ascii_uppercase().replace('-', "").contains("UTF8"));
    let (open, close) = if explicit {
        ("\u{2018}", "\u{2019}")
    } else {
        ("'", "'")
    };
    let mut out = open.as_bytes().to_vec();
    out.extend_from_slice(name);
    out.extend_from_slice(close.as_bytes());
    out
}

/// Joins a folder and a name.
pub fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(folder.len() + name.len() + 1);
    out.extend_from_slice(folder);
    if !folder.is_empty() && folder.last() != Some(&b'/') {
        out.push(b'/');
    }
    out.extend_from_slice(name);
    out
}

/// The last component of a path, without slashes at its end.
pub fn base_name(name: &[u8]) -> &[u8] {
    let mut end = name.len();
    while end > 1 && name[end - 1] == b'/' {
        end -= 1;
    }
    let name = &name[..end];
    match name.iter().rposition(|b| *b == b'/') {
        Some(at) if at + 1 < name.len() => &name[at + 1..],
        _ => name,
    }
}

/// Makes a symbolic link.
pub fn symlink(target: &[u8], file: &[u8]) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(path(target), path(file))
    }
    #[cfg(not(unix))]
    {
        unsafe extern "C" {
            fn symlink(target: *const std::ffi::c_char, file: *const std::ffi::c_char) -> i32;
        }
        let target = std::ffi::CString::new(target)?;
        let file = std::ffi::CString::new(file)?;
        // SAFETY: both are strings that end with a NUL and live for the call.
        if unsafe { symlink(target.as_ptr(), file.as_ptr()) } == 0 {
            Ok(())
        } else {
            Err(std::io::Error::last_os_error())
        }
    }
}
