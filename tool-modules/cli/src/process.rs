//! Starting other commands: through the kernel's spawn in the sandbox, through
//! the standard library in native tests.

use std::fs::File;
use std::io;

/// What a child's standard input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdin {
    /// This process's own.
    Inherit,
    /// Empty.
    Null,
}

/// A command to start.
#[derive(Clone, Debug)]
pub struct Spawn {
    /// Program and arguments.
    pub argv: Vec<Vec<u8>>,
    /// Its input.
    pub stdin: Stdin,
    /// Working directory, empty for this process's own.
    pub cwd: Vec<u8>,
    /// Its whole environment if given, else this process's.
    pub env: Option<Vec<(Vec<u8>, Vec<u8>)>>,
}

impl Spawn {
    /// A command with this process's input, folder and environment.
    pub fn new(argv: Vec<Vec<u8>>) -> Self {
        Self {
            argv,
            stdin: Stdin::Inherit,
            cwd: Vec::new(),
            env: None,
        }
    }

    /// `sh -c COMMAND`.
    pub fn shell(command: &[u8]) -> Self {
        Self::new(vec![b"sh".to_vec(), b"-c".to_vec(), command.to_vec()])
    }

    /// Starts it with standard output and error of this process.
    pub fn start(&self) -> io::Result<Child> {
        imp::start(self)
    }

    /// Starts it and waits. The status is shell-like.
    pub fn run(&self) -> io::Result<u8> {
        self.start()?.wait()
    }

    /// Starts it with its output in a pipe to us.
    pub fn read_from(&self) -> io::Result<(File, Child)> {
        imp::read_from(self)
    }

    /// Starts it with its input in a pipe from us.
    pub fn write_to(&self) -> io::Result<(File, Child)> {
        imp::write_to(self)
    }
}

/// The status that a failure to start becomes: 127 when there is no such
/// command, 126 otherwise.
pub fn failure_status(error: &io::Error) -> u8 {
    if error.kind() == io::ErrorKind::NotFound {
        127
    } else {
        126
    }
}

pub use imp::{Child, wait_any};

#[cfg(target_os = "wasi")]
mod imp {
    use super::{Spawn, Stdin};
    use std::fs::File;
    use std::io;
    use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd};

    /// A started command.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Child {
        /// Its process number.
        pub pid: u32,
    }

    impl Child {
        /// Waits for its end.
        pub fn wait(self) -> io::Result<u8> {
            Ok(hardshell_sys::wait(self.pid)?.status)
        }
    }

    /// Waits for any of the started commands: process number and status.
    pub fn wait_any(_running: &mut Vec<Child>) -> io::Result<(u32, u8)> {
        let exit = hardshell_sys::wait_any()?;
        Ok((exit.pid, exit.status))
    }

    fn command(spawn: &Spawn) -> hardshell_sys::Command {
        let program = spawn.argv.first().map(Vec::as_slice).unwrap_or_default();
        let mut command = hardshell_sys::Command::new(crate::os(program));
        command.args(spawn.argv.iter().skip(1).map(|a| crate::os(a)));
        match &spawn.env {
            Some(env) => {
                for (key, value) in env {
                    command.env(crate::os(key), crate::os(value));
                }
            }
            None => {
                command.inherit_env();
            }
        }
        if !spawn.cwd.is_empty() {
            command.current_dir(crate::path(&spawn.cwd));
        }
        if spawn.stdin == Stdin::Inherit {
            command.descriptor(0, 0);
        }
        command.descriptor(1, 1);
        command.descriptor(2, 2);
        command
    }

    pub fn start(spawn: &Spawn) -> io::Result<Child> {
        Ok(Child {
            pid: command(spawn).spawn()?,
        })
    }

    pub fn read_from(spawn: &Spawn) -> io::Result<(File, Child)> {
        let (read, write) = hardshell_sys::pipe()?;
        let pid = command(spawn).descriptor(1, number(&write)).spawn()?;
        drop(write);
        Ok((file(read), Child { pid }))
    }

    pub fn write_to(spawn: &Spawn) -> io::Result<(File, Child)> {
        let (read, write) = hardshell_sys::pipe()?;
        let pid = command(spawn).descriptor(0, number(&read)).spawn()?;
        drop(read);
        Ok((file(write), Child { pid }))
    }

    fn number(fd: &impl AsRawFd) -> u32 {
        u32::try_from(fd.as_raw_fd()).unwrap_or(0)
    }

    fn file(fd: impl IntoRawFd) -> File {
        // SAFETY: the descriptor was just made by the kernel and ownership
        // moves from one wrapper to the other.
        unsafe { File::from_raw_fd(fd.into_raw_fd()) }
    }
}

#[cfg(not(target_os = "wasi"))]
mod imp {
    use super::{Spawn, Stdin};
    use std::fs::File;
    use std::io;
    use std::os::fd::OwnedFd;
    use std::process::{Command, Stdio};

    /// A started command.
    #[derive(Debug)]
    pub struct Child {
        /// Its process number.
        pub pid: u32,
        child: std::process::Child,
    }

    impl Child {
        /// Waits for its end.
        pub fn wait(mut self) -> io::Result<u8> {
            status(self.child.wait()?)
        }
    }

    fn status(status: std::process::ExitStatus) -> io::Result<u8> {
        use std::os::unix::process::ExitStatusExt;
        let code = status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        Ok(u8::try_from(code & 0xff).unwrap_or(255))
    }

    /// Waits for one of the started commands: process number and status.
    pub fn wait_any(running: &mut Vec<Child>) -> io::Result<(u32, u8)> {
        if running.is_empty() {
            return Err(io::Error::other("No child processes"));
        }
        let child = running.remove(0);
        let pid = child.pid;
        Ok((pid, child.wait()?))
    }

    fn command(spawn: &Spawn) -> Command {
        let program = spawn.argv.first().map(Vec::as_slice).unwrap_or_default();
        let mut command = Command::new(crate::os(program));
        command.args(spawn.argv.iter().skip(1).map(|a| crate::os(a)));
        if let Some(env) = &spawn.env {
            command.env_clear();
            command.envs(env.iter().map(|(k, v)| (crate::os(k), crate::os(v))));
        }
        if !spawn.cwd.is_empty() {
            command.current_dir(crate::path(&spawn.cwd));
        }
        if spawn.stdin == Stdin::Null {
            command.stdin(Stdio::null());
        }
        command
    }

    fn child(child: std::process::Child) -> Child {
        Child {
            pid: child.id(),
            child,
        }
    }

    pub fn start(spawn: &Spawn) -> io::Result<Child> {
        Ok(child(command(spawn).spawn()?))
    }

    pub fn read_from(spawn: &Spawn) -> io::Result<(File, Child)> {
        let mut started = command(spawn).stdout(Stdio::piped()).spawn()?;
        let out = started
            .stdout
            .take()
            .ok_or_else(|| io::Error::other("no pipe"))?;
        Ok((File::from(OwnedFd::from(out)), child(started)))
    }

    pub fn write_to(spawn: &Spawn) -> io::Result<(File, Child)> {
        let mut started = command(spawn).stdin(Stdio::piped()).spawn()?;
        let input = started
            .stdin
            .take()
            .ok_or_else(|| io::Error::other("no pipe"))?;
        Ok((File::from(OwnedFd::from(input)), child(started)))
    }
}
