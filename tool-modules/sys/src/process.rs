//! Starting programs and waiting for them.

use crate::system::{path_bytes, read_growing};
use crate::{Signal, check, errno, raw};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::PathBuf;

/// An inherited descriptor `n` of 3 or more is number `n + INHERITED_BASE` in the child:
/// libc looks for preopened folders from 3 upwards, so the low numbers cannot carry files.
pub const INHERITED_BASE: u32 = 16;

/// The number under which this process holds descriptor `n` of its spawner's map.
pub fn inherited_descriptor(n: u32) -> u32 {
    if n < 3 { n } else { n + INHERITED_BASE }
}

/// A program to be started. Starts with nothing: no environment, no descriptors.
#[derive(Debug, Clone)]
pub struct Command {
    program: OsString,
    args: Vec<OsString>,
    env: Vec<OsString>,
    cwd: PathBuf,
    descriptors: Vec<(u32, u32)>,
    blob: Vec<u8>,
    by_name_only: bool,
}

impl Command {
    /// A program by command name or, if it holds a slash, by path. `argv[0]` is the same.
    pub fn new(program: impl AsRef<OsStr>) -> Command {
        let program = program.as_ref().to_os_string();
        Command {
            args: vec![program.clone()],
            program,
            env: Vec::new(),
            cwd: PathBuf::new(),
            descriptors: Vec::new(),
            blob: Vec::new(),
            by_name_only: false,
        }
    }

    /// Replaces `argv[0]`.
    pub fn arg0(&mut self, arg0: impl AsRef<OsStr>) -> &mut Command {
        if let Some(first) = self.args.first_mut() {
            *first = arg0.as_ref().to_os_string();
        }
        self
    }

    /// Adds an argument.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Command {
        self.args.push(arg.as_ref().to_os_string());
        self
    }

    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(&mut self, args: impl IntoIterator<Item = S>) -> &mut Command {
        for arg in args {
            self.arg(arg);
        }
        self
    }

    /// Adds a variable.
    pub fn env(&mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Command {
        let mut pair = key.as_ref().to_os_string();
        pair.push("=");
        pair.push(value);
        self.env.push(pair);
        self
    }

    /// Adds all variables of this process.
    pub fn inherit_env(&mut self) -> &mut Command {
        for (key, value) in std::env::vars_os() {
            self.env(key, value);
        }
        self
    }

    /// Gives the child descriptors 0, 1 and 2 of this process.
    pub fn inherit_stdio(&mut self) -> &mut Command {
        for fd in 0..3 {
            self.descriptor(fd, fd);
        }
        self
    }

    /// The child's working directory; else it is this process's.
    pub fn current_dir(&mut self, dir: impl Into<PathBuf>) -> &mut Command {
        self.cwd = dir.into();
        self
    }

    /// The child's descriptor `child` is this process's `parent`. The last word on a number counts.
    pub fn descriptor(&mut self, child: u32, parent: u32) -> &mut Command {
        self.descriptors.retain(|(known, _)| *known != child);
        self.descriptors.push((child, parent));
        self
    }

    /// Bytes that the child reads with [`blob`].
    pub fn blob(&mut self, blob: Vec<u8>) -> &mut Command {
        self.blob = blob;
        self
    }

    /// Looks the program up as a command only, never as a file.
    pub fn by_name_only(&mut self) -> &mut Command {
        self.by_name_only = true;
        self
    }

    /// The request as the kernel reads it (`docs/abi.md`).
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256 + self.blob.len());
        put(&mut out, 1);
        put(&mut out, u32::from(self.by_name_only));
        put_str(&mut out, self.program.as_encoded_bytes());
        for list in [&self.args, &self.env] {
            put(&mut out, list.len() as u32);
            for item in list {
                put_str(&mut out, item.as_encoded_bytes());
            }
        }
        put_str(&mut out, path_bytes(&self.cwd));
        put(&mut out, self.descriptors.len() as u32);
        for (child, parent) in &self.descriptors {
            put(&mut out, *child);
            put(&mut out, *parent);
        }
        put_str(&mut out, &self.blob);
        out
    }

    /// Starts it and returns its process number.
    pub fn spawn(&self) -> io::Result<u32> {
        let request = self.encode();
        let mut pid = 0u32;
        // SAFETY: pointer and length come from one vector; one u32 out.
        check(unsafe { raw::spawn(request.as_ptr(), request.len() as u32, &mut pid) })?;
        Ok(pid)
    }

    /// Starts it and waits for its end.
    pub fn status(&self) -> io::Result<Exit> {
        let pid = self.spawn()?;
        wait(pid)
    }
}

/// Starts what a request says that the caller encoded itself (a shell does, thousands of times).
pub fn spawn_encoded(request: &[u8]) -> io::Result<u32> {
    let mut pid = 0u32;
    // SAFETY: pointer and length come from one slice; one u32 out.
    check(unsafe { raw::spawn(request.as_ptr(), request.len() as u32, &mut pid) })?;
    Ok(pid)
}

fn put(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put_str(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u32);
    out.extend_from_slice(bytes);
}

/// Why a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Termination {
    /// By itself.
    Exited,
    /// It wrote to a pipe that nobody reads.
    BrokenPipe,
    /// Out of fuel.
    Fuel,
    /// Out of CPU time.
    CpuTime,
    /// Out of wall time.
    Deadline,
    /// Out of memory.
    Memory,
    /// Too many processes.
    Processes,
    /// Too much output.
    Output,
    /// A disk quota.
    Quota,
    /// The caller gave up.
    Cancelled,
    /// A signal.
    Signal,
    /// A WebAssembly trap.
    Trap,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// Which process.
    pub pid: u32,
    /// Shell-like status, 0 to 255.
    pub status: u8,
    /// Why.
    pub termination: Termination,
}

fn wait_with(pid: u32, flags: u32) -> io::Result<Option<Exit>> {
    let mut out = [0u32; 4];
    // SAFETY: 16 bytes out.
    check(unsafe { raw::wait(pid, flags, out.as_mut_ptr().cast()) })?;
    let [pid, status, termination, _] = out;
    if pid == 0 {
        return Ok(None);
    }
    let termination = match termination {
        0 => Termination::Exited,
        1 => Termination::BrokenPipe,
        2 => Termination::Fuel,
        3 => Termination::CpuTime,
        4 => Termination::Deadline,
        5 => Termination::Memory,
        6 => Termination::Processes,
        7 => Termination::Output,
        8 => Termination::Quota,
        9 => Termination::Cancelled,
        10 => Termination::Signal,
        _ => Termination::Trap,
    };
    Ok(Some(Exit {
        pid,
        status: (status & 0xff) as u8,
        termination,
    }))
}

fn some(exit: Option<Exit>) -> io::Result<Exit> {
    exit.ok_or_else(|| io::Error::from_raw_os_error(errno::CHILD))
}

/// Waits for one child. `EINTR` when a caught signal waits.
pub fn wait(pid: u32) -> io::Result<Exit> {
    some(wait_with(pid, 0)?)
}

/// Waits for any child; `ECHILD` when there is none.
pub fn wait_any() -> io::Result<Exit> {
    some(wait_with(0, 0)?)
}

/// Asks whether a child has ended.
pub fn try_wait(pid: u32) -> io::Result<Option<Exit>> {
    wait_with(pid, 1)
}

/// Asks whether any child has ended.
pub fn try_wait_any() -> io::Result<Option<Exit>> {
    wait_with(0, 1)
}

/// Sends a signal to a process of this call; number 0 only asks whether it is there.
pub fn kill(pid: u32, signal: Signal) -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { raw::kill(pid, signal.0) })
}

/// This process's number.
pub fn getpid() -> u32 {
    // SAFETY: no pointers.
    unsafe { raw::getpid() }
}

/// Its parent's number; 0 for the first process of a call.
pub fn getppid() -> u32 {
    // SAFETY: no pointers.
    unsafe { raw::getppid() }
}

/// What the spawner gave along; empty if nothing.
pub fn blob() -> io::Result<Vec<u8>> {
    if cfg!(not(target_os = "wasi")) {
        return Ok(Vec::new());
    }
    // SAFETY: no pointers.
    let len = unsafe { raw::blob_len() };
    let mut out = vec![0u8; len as usize];
    // SAFETY: pointer and length come from one vector.
    check(unsafe { raw::blob_read(out.as_mut_ptr(), len) })?;
    Ok(out)
}

/// The processes of this call, a line each (`docs/abi.md` has the fields).
pub fn ps() -> io::Result<Vec<u8>> {
    read_growing(4096, |buf, out| {
        // SAFETY: the buffer is valid for its length and `out` for one u32.
        unsafe { raw::ps(buf.as_mut_ptr(), buf.len() as u32, out) }
    })
}

/// The status that a shell gives to a failure to start a program: 127 not found, 126 else.
pub fn exit_status(error: &io::Error) -> u8 {
    match error.raw_os_error() {
        Some(errno::NOENT) => 127,
        _ => 126,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_holds_what_was_said() {
        let mut command = Command::new("sort");
        command
            .arg("-r")
            .env("LANG", "C")
            .descriptor(1, 7)
            .descriptor(1, 8);
        let bytes = command.encode();
        let expected: Vec<u8> = [
            &[1u8, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0][..],
            b"sort",
            &[2, 0, 0, 0, 4, 0, 0, 0],
            b"sort",
            &[2, 0, 0, 0],
            b"-r",
            &[1, 0, 0, 0, 6, 0, 0, 0],
            b"LANG=C",
            &[0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0],
        ]
        .concat();
        assert_eq!(bytes, expected);
    }
}
