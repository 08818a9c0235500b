//! Starting programs: the request, what a program name means, the child.

use std::sync::Arc;

use super::args::Strings;
use super::run::launch;
use super::state::State;
use super::{Proc, Stop};
use crate::engine::{Bound, Engine, Loaded};
use crate::errno::Errno;
use crate::fd::{Description, FdTable, INHERITED_BASE, Kind, ROOT_FD};
use crate::process::group::Group;
use crate::program::{ModuleSource, Program, ProgramError};
use crate::vfs::{Actor, Base, Cwd, OpenOptions, Opened};

/// Longest request: arguments, environment and start-up blob together.
pub(crate) const MAX_REQUEST: u32 = 64 << 20;
/// Longest arguments and environment.
const MAX_STRINGS: usize = 4 << 20;
/// Interpreters of interpreters.
const MAX_INTERPRETERS: u32 = 4;
/// Largest module in a mounted folder that may be run.
const MAX_MODULE: u64 = 256 << 20;

/// What a spawner asks for.
pub(crate) struct Request<'a> {
    pub(crate) by_name_only: bool,
    pub(crate) program: &'a [u8],
    pub(crate) argv: Strings,
    pub(crate) env: Strings,
    pub(crate) cwd: &'a [u8],
    /// The child's number as its user knows it, and the parent's.
    pub(crate) fds: Vec<(u32, u32)>,
    pub(crate) blob: &'a [u8],
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], Errno> {
        let (head, tail) = self.0.split_at_checked(n).ok_or(Errno::INVAL)?;
        self.0 = tail;
        Ok(head)
    }

    fn word(&mut self) -> Result<u32, Errno> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes(
            bytes.try_into().map_err(|_| Errno::INVAL)?,
        ))
    }

    fn text(&mut self) -> Result<&'a [u8], Errno> {
        let len = usize::try_from(self.word()?).map_err(|_| Errno::INVAL)?;
        self.take(len)
    }

    fn strings(&mut self) -> Result<Strings, Errno> {
        let mut strings = Strings::new();
        for _ in 0..self.word()? {
            if !strings.push(self.text()?) {
                return Err(Errno::INVAL);
            }
            if strings.bytes().len() > MAX_STRINGS {
                return Err(Errno::TOOBIG);
            }
        }
        Ok(strings)
    }
}

impl<'a> Request<'a> {
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Request<'a>, Errno> {
        let mut r = Reader(bytes);
        if r.word()? != 1 {
            return Err(Errno::INVAL);
        }
        let flags = r.word()?;
        if flags & !1 != 0 {
            return Err(Errno::INVAL);
        }
        let program = r.text()?;
        let argv = r.strings()?;
        let env = r.strings()?;
        let cwd = r.text()?;
        let count = r.word()?;
        let table = r.take(
            usize::try_from(count)
                .ok()
                .and_then(|n| n.checked_mul(8))
                .ok_or(Errno::INVAL)?,
        )?;
        let mut pairs = Reader(table);
        let mut fds = Vec::new();
        for _ in 0..count {
            fds.push((pairs.word()?, pairs.word()?));
        }
        let blob = r.text()?;
        if !r.0.is_empty() || program.contains(&0) || cwd.contains(&0) || argv.count() == 0 {
            return Err(Errno::INVAL);
        }
        Ok(Request {
            by_name_only: flags & 1 != 0,
            program,
            argv,
            env,
            cwd,
            fds,
            blob,
        })
    }
}

/// A program and what interpreters made of its arguments.
pub(crate) struct Resolved {
    pub(crate) program: Arc<Program>,
    /// None: as given.
    pub(crate) argv: Option<Strings>,
}

/// What a program name means in a sandbox.
pub(crate) fn resolve(
    group: &Group,
    actor: &Actor,
    cwd: &Cwd,
    name: &[u8],
    by_name_only: bool,
    argv: &Strings,
) -> Result<Resolved, Errno> {
    if by_name_only || !name.contains(&b'/') {
        let program = group.command(name).ok_or(Errno::NOENT)?;
        return Ok(Resolved {
            program,
            argv: None,
        });
    }
    let mut name = name.to_vec();
    let mut words: Option<Strings> = None;
    for _ in 0..MAX_INTERPRETERS {
        let options = OpenOptions {
            read: true,
            ..OpenOptions::default()
        };
        let file = match group.vfs.open(actor, Base::Cwd(cwd), &name, options)? {
            Opened::Command(command) => {
                let program = group.command(command.as_bytes()).ok_or(Errno::NOENT)?;
                return Ok(Resolved {
                    program,
                    argv: words,
                });
            }
            Opened::File(file) => file,
            Opened::Dir(_) | Opened::Device(_) => return Err(Errno::ACCES),
        };
        if file.stat()?.mode & 0o111 == 0 {
            return Err(Errno::ACCES);
        }
        let mut head = [0u8; 256];
        let n = file.read_at(&mut [std::io::IoSliceMut::new(&mut head)], 0)?;
        let head = head.get(..n).unwrap_or_default();
        if head.starts_with(b"\0asm") {
            if !group.sandbox.modules_in_files {
                return Err(Errno::NOEXEC);
            }
            let size = file.len()?;
            if size > MAX_MODULE {
                return Err(Errno::NOEXEC);
            }
            let mut bytes = vec![0u8; usize::try_from(size).map_err(|_| Errno::NOEXEC)?];
            let mut done = 0usize;
            while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
                match file.read_at(&mut [std::io::IoSliceMut::new(rest)], done as u64)? {
                    0 => break,
                    n => done += n,
                }
            }
            bytes.truncate(done);
            let digest = *blake3::hash(&bytes).as_bytes();
            let label = String::from_utf8_lossy(&name).into_owned();
            let source = ModuleSource::Bytes(bytes);
            let program = Program::new(vec![label], String::new(), digest, source);
            return Ok(Resolved {
                program,
                argv: words,
            });
        }
        let line = head.strip_prefix(b"#!").ok_or(Errno::NOEXEC)?;
        let (interpreter, argument) = interpreter_line(line).ok_or(Errno::NOEXEC)?;
        let old = words.as_ref().unwrap_or(argv);
        let mut new = Strings::new();
        let mut all = vec![interpreter];
        all.extend(argument);
        all.push(&name);
        all.extend(old.iter().skip(1));
        for word in all {
            if !new.push(word) {
                return Err(Errno::NOEXEC);
            }
        }
        words = Some(new);
        let base = interpreter
            .rsplit(|b| *b == b'/')
            .next()
            .unwrap_or(interpreter);
        if let Some(program) = group.command(base) {
            return Ok(Resolved {
                program,
                argv: words,
            });
        }
        if !interpreter.contains(&b'/') {
            return Err(Errno::NOENT);
        }
        name = interpreter.to_vec();
    }
    Err(Errno::LOOP)
}

/// The interpreter and its one argument, as Linux splits the line.
fn interpreter_line(line: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let end = line.iter().position(|b| *b == b'\n').unwrap_or(line.len());
    let line = line.get(..end)?.trim_ascii();
    let cut = line
        .iter()
        .position(u8::is_ascii_whitespace)
        .unwrap_or(line.len());
    let (interpreter, rest) = line.split_at_checked(cut)?;
    let rest = rest.trim_ascii();
    if interpreter.is_empty() {
        return None;
    }
    Some((interpreter, (!rest.is_empty()).then_some(rest)))
}

/// A module that is ready to run.
pub(crate) async fn loaded(
    engine: &Engine,
    program: &Arc<Program>,
    bound: Bound,
) -> Result<Arc<Loaded>, ProgramError> {
    if let Some(loaded) = program.ready(bound) {
        return Ok(Arc::clone(loaded));
    }
    let Some(io) = engine.io() else {
        return Err(ProgramError::Source(
            "the engine is shutting down".to_owned(),
        ));
    };
    let (work_engine, work_program) = (engine.clone(), Arc::clone(program));
    io.spawn_blocking(move || work_program.load(&work_engine, bound))
        .await
        .unwrap_or_else(|e| Err(ProgramError::Compile(format!("the compiler failed: {e}"))))
}

/// How CPU is bounded in a call.
pub(crate) fn bound(group: &Group) -> Bound {
    if group.limits.fuel.is_some() {
        Bound::Fuel
    } else {
        Bound::Epoch
    }
}

/// Everything that a child gets from its parent.
pub(crate) struct Child {
    pub(crate) argv: Strings,
    pub(crate) env: Strings,
    pub(crate) cwd: Cwd,
    pub(crate) actor: Actor,
    /// By the child's kernel number.
    pub(crate) fds: Vec<(u32, Arc<Description>)>,
    pub(crate) blob: Vec<u8>,
}

/// Why a child did not start.
pub(crate) enum Failed {
    /// The spawner is told.
    Errno(Errno),
    /// The spawner ends.
    Stop(Stop),
}

/// Starts a process.
pub(crate) fn start(
    group: &Arc<Group>,
    parent: Option<&Arc<Proc>>,
    loaded: Arc<Loaded>,
    child: Child,
) -> Result<u32, Failed> {
    let vfs = &group.vfs;
    let mut fds = FdTable::new(group.limits.descriptors.max(8));
    for (fd, desc) in child.fds {
        fds.set(fd, desc).map_err(Failed::Errno)?;
    }
    if fds.get(0).is_err() {
        let null = Description::new(Kind::Null, true, false, 0);
        fds.set(0, null).map_err(Failed::Errno)?;
    }
    fds.set(ROOT_FD, Description::root(vfs.root_dir()))
        .map_err(Failed::Errno)?;
    if !group.engine.take_place() {
        return Err(Failed::Errno(Errno::AGAIN));
    }
    let host_bytes = child.argv.size() + child.env.size() + child.blob.len() as u64;
    let admitted = group.admit(parent, Arc::new(child.argv));
    let proc = match admitted {
        Ok(proc) => proc,
        Err(stop) => {
            group.engine.return_place();
            return Err(Failed::Stop(stop));
        }
    };
    let pid = proc.pid;
    if parent.is_none() {
        group.set_final_cwd(child.cwd.path());
    }
    let mut state = State::new(
        Arc::clone(&proc),
        Arc::clone(vfs),
        fds,
        child.cwd,
        child.actor,
        Arc::new(child.env),
        child.blob,
    );
    if let Err(stop) = state.charge(host_bytes) {
        drop(state);
        group.engine.return_place();
        group.ended(&proc, &stop);
        return Err(Failed::Stop(stop));
    }
    launch(loaded, state);
    Ok(pid)
}

/// The child's kernel number for a user's number.
pub(crate) fn kernel_number(fd: u32) -> Result<u32, Errno> {
    if fd < ROOT_FD {
        Ok(fd)
    } else {
        fd.checked_add(INHERITED_BASE).ok_or(Errno::BADF)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpreter_lines() {
        for (line, expected) in [
            (&b"/bin/sh\necho"[..], Some((&b"/bin/sh"[..], None))),
            (
                b" /usr/bin/env  python3 -u \nx",
                Some((b"/usr/bin/env", Some(&b"python3 -u"[..]))),
            ),
            (b"\n", None),
        ] {
            assert_eq!(interpreter_line(line), expected);
        }
    }

    #[test]
    fn damaged_requests_are_refused() {
        let mut good = Vec::new();
        for word in [1u32, 0, 1] {
            good.extend_from_slice(&word.to_le_bytes());
        }
        good.push(b'x');
        for word in [1u32, 0, 0, 0, 0, 0] {
            good.extend_from_slice(&word.to_le_bytes());
        }
        assert!(Request::decode(&good).is_ok());
        for cut in 0..good.len() {
            let part = good.get(..cut).unwrap_or_default();
            assert_eq!(Request::decode(part).err(), Some(Errno::INVAL), "{cut}");
        }
        for at in [4, 13, 17, 25] {
            let mut bad = good.clone();
            bad.splice(at..at + 4, u32::MAX.to_le_bytes());
            assert!(Request::decode(&bad).is_err(), "{at}");
        }
    }
}
