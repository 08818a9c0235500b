//! Starting processes, and collecting what they write for command substitutions.

use crate::fds::{Capture, Kernel, Target};
use crate::os::{self, Errno, Spawn};
use crate::shell::Shell;
use std::rc::Rc;

/// A pipe whose read end feeds a capture.
pub(crate) type Pump = (Rc<Kernel>, Rc<Capture>);

impl Shell {
    /// The descriptors for a child. Each capture becomes a pipe: (map, write ends to be
    /// closed after the start, pumps).
    fn child_fds(&self) -> Result<(Vec<(u32, u32)>, Vec<Rc<Kernel>>, Vec<Pump>), Errno> {
        let mut map = Vec::with_capacity(4);
        let mut writers: Vec<(*const Capture, Rc<Kernel>)> = Vec::new();
        let mut pumps: Vec<Pump> = Vec::new();
        for e in self.st.fds.entries() {
            match &e.to {
                Target::Kernel(k) => map.push((e.n, k.0)),
                Target::Capture(c) => {
                    let key = Rc::as_ptr(c);
                    let w = match writers.iter().find(|(k, _)| *k == key) {
                        Some((_, w)) => w.clone(),
                        None => {
                            let (r, w) = os::pipe()?;
                            let w = Rc::new(Kernel(w, true));
                            writers.push((key, w.clone()));
                            pumps.push((Rc::new(Kernel(r, true)), c.clone()));
                            w
                        }
                    };
                    map.push((e.n, w.0));
                }
            }
        }
        Ok((map, writers.into_iter().map(|(_, w)| w).collect(), pumps))
    }

    /// Starts a program with the shell's descriptors.
    pub(crate) fn start(
        &mut self,
        path: &[u8],
        args: &[Vec<u8>],
        env: &[Vec<u8>],
    ) -> Result<(u32, Vec<Pump>), Errno> {
        let (fds, writers, pumps) = self.child_fds()?;
        let mut full;
        let env = if args.first().is_some_and(|a| a.as_slice() != path) || path.contains(&b'/') {
            full = env.to_vec();
            full.push([b"_=", path].concat());
            &full
        } else {
            env
        };
        let pid = os::spawn(&Spawn {
            program: path,
            argv: args,
            env,
            fds: &fds,
            blob: b"",
        })?;
        drop(writers);
        Ok((pid, pumps))
    }

    /// Starts a shell of our own kind on a state.
    pub(crate) fn start_shell(&mut self, blob: &[u8]) -> Result<(u32, Vec<Pump>), Errno> {
        let (fds, writers, pumps) = self.child_fds()?;
        let env = self.environment();
        let argv = [self.st.arg0.to_vec()];
        let pid = os::spawn_self(&Spawn {
            program: b"sh",
            argv: &argv,
            env: &env,
            fds: &fds,
            blob,
        })?;
        drop(writers);
        Ok((pid, pumps))
    }

    /// Reads pumps until their writers are gone.
    pub(crate) fn drain(&mut self, pumps: Vec<Pump>) {
        match pumps.as_slice() {
            [] => {}
            [(fd, capture)] => read_all(fd.0, capture),
            _ => {
                // Several at once: a writer must not block on one while we wait for another.
                let mut open = pumps;
                while !open.is_empty() {
                    open.retain(
                        |(fd, capture)| match os::wait_readable(fd.0, Some(1_000_000)) {
                            Ok(false) => true,
                            _ => read_some(fd.0, capture),
                        },
                    );
                }
            }
        }
    }

    /// Waits for a child of ours; its status.
    pub(crate) fn wait_pid(&mut self, pid: u32) -> i32 {
        if let Some(status) = self.reaped.remove(&pid) {
            return status;
        }
        loop {
            match os::wait(Some(pid), true) {
                Ok(Some(e)) => {
                    if e.by_signal {
                        self.note_signal_death(pid, e.status);
                    }
                    return e.status;
                }
                Ok(None) => {}
                Err(Errno::INTR) => self.collect_signals(),
                Err(_) => return 127,
            }
        }
    }

    fn note_signal_death(&mut self, pid: u32, status: i32) {
        let what = match status - 128 {
            2 | 13 => return,
            6 => "Aborted",
            9 => "Killed",
            11 => "Segmentation fault",
            14 => "Alarm clock",
            15 => "Terminated",
            _ => return,
        };
        let _ = pid;
        self.last_death = Some(what);
    }

    /// Takes the signals that were caught.
    pub(crate) fn collect_signals(&mut self) {
        while let Some(sig) = os::sigtake() {
            self.pending.push(sig);
        }
    }

    /// Ends this shell as the program it became: passes signals on while it runs.
    pub(crate) fn wait_as(&mut self, pid: u32) -> i32 {
        for sig in [1, 2, 3, 10, 12, 14, 15] {
            if !self.ignores(sig) {
                let _ = os::sigaction(sig, 2);
            }
        }
        loop {
            match os::wait(Some(pid), true) {
                Ok(Some(e)) => return e.status,
                Ok(None) => {}
                Err(Errno::INTR) => {
                    while let Some(sig) = os::sigtake() {
                        let _ = os::kill(pid, sig);
                    }
                }
                Err(_) => return 127,
            }
        }
    }

    /// Waits for processes of process substitutions that are over.
    pub(crate) fn reap_strays(&mut self) {
        let mut left = Vec::new();
        for pid in std::mem::take(&mut self.strays) {
            if let Ok(None) = os::wait(Some(pid), false) {
                left.push(pid)
            }
        }
        self.strays = left;
    }

    /// Closes the descriptors of process substitutions made since there were `keep`.
    pub(crate) fn close_procsubs(&mut self, keep: usize) {
        while self.st.procsubs.len() > keep {
            if let Some(n) = self.st.procsubs.pop() {
                self.st.fds.set(n, None);
            }
        }
    }

    /// A file that is no program: runs it as a script.
    pub(crate) fn run_script_file(
        &mut self,
        path: &[u8],
        args: &[Vec<u8>],
        env: &[Vec<u8>],
    ) -> i32 {
        let mut argv = vec![b"bash".to_vec(), path.to_vec()];
        argv.extend(args.iter().skip(1).cloned());
        let fds = match self.child_fds() {
            Ok(f) => f,
            Err(e) => {
                self.error(format!("{e}"));
                return 126;
            }
        };
        let started = os::spawn_self(&Spawn {
            program: b"sh",
            argv: &argv,
            env,
            fds: &fds.0,
            blob: b"",
        });
        drop(fds.1);
        match started {
            Ok(pid) => {
                self.drain(fds.2);
                self.wait_pid(pid)
            }
            Err(e) => {
                self.error([path, b": ", e.text().as_bytes()].concat());
                126
            }
        }
    }
}

pub(crate) fn read_all(fd: u32, capture: &Capture) {
    while read_some(fd, capture) {}
}

/// Reads once. `false` at the end.
fn read_some(fd: u32, capture: &Capture) -> bool {
    let mut data = capture.data.borrow_mut();
    let len = data.len();
    let room = (len / 2).clamp(8 * 1024, 256 * 1024);
    data.resize(len + room, 0);
    let got = loop {
        match os::read(fd, data.get_mut(len..).unwrap_or_default()) {
            Err(Errno::INTR) => {}
            other => break other.unwrap_or(0),
        }
    };
    data.truncate(len + got);
    got > 0
}
