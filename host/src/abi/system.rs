//! What a process may know of itself and its call: usage, limits, process list, terminal.

use wasmtime::{Caller, Linker};

use super::MODULE;
use crate::errno::Errno;
use crate::fd::Kind;
use crate::process::state::State;
use crate::vfs::Base;
use crate::wasi::code;
use crate::wasi::mem::parts;

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|w| w.to_le_bytes()).collect()
}

fn nanos(d: std::time::Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}

fn usage(state: &State, who: u32) -> Result<Vec<u8>, Errno> {
    let (cpu, peak) = match who {
        0 => (
            state
                .proc
                .cpu_nanos()
                .saturating_add(crate::sched::unbooked_cpu()),
            state.proc.peak_memory(),
        ),
        1 => state.proc.children_usage(),
        _ => return Err(Errno::INVAL),
    };
    Ok(words(&[cpu / 1000, 0, peak, 0]))
}

fn limits(state: &State) -> Vec<u8> {
    let group = &state.group;
    let l = &group.limits;
    let (workspace_bytes, workspace_files) = state
        .vfs
        .statfs(Base::Root, b"/workspace")
        .map_or((0, 0), |s| (s.free_bytes, s.free_files));
    let mut all = vec![
        group.fuel_left().unwrap_or(u64::MAX),
        nanos(l.cpu),
        group.deadline_left().map_or(u64::MAX, nanos),
        l.memory_per_process,
        u64::from(l.processes),
        u64::from(l.descriptors),
        group.output_left(),
        l.file_bytes,
        workspace_bytes,
        workspace_files,
        u64::from(l.pipe_bytes),
        l.memory,
    ];
    all.resize(16, 0);
    words(&all)
}

/// One line per process.
fn list(state: &State) -> Vec<u8> {
    let mut text = Vec::new();
    for proc in state.group.processes() {
        let mark = if proc.is_sleeping() { 'S' } else { 'R' };
        let head = format!(
            "{}\t{}\t{mark}\t{}\t{}\t",
            proc.pid,
            proc.ppid,
            proc.cpu_nanos() / 1000,
            proc.memory(),
        );
        text.extend_from_slice(head.as_bytes());
        for (n, word) in proc.argv.iter().enumerate() {
            if n > 0 {
                text.push(0x1f);
            }
            // A word with a line break must not look like a process of its own.
            text.extend(word.iter().map(|b| if *b == b'\n' { b' ' } else { *b }));
        }
        text.push(b'\n');
    }
    text
}

fn terminal(state: &State, fd: u32) -> Result<(u16, u16), Errno> {
    let desc = state.fds.get(fd)?;
    let host = match &desc.kind {
        Kind::Source(source) => source.host(),
        Kind::Sink(sink) => sink.host(),
        _ => None,
    };
    host.filter(|host| host.is_terminal())
        .and_then(crate::stdio::HostFd::terminal_size)
        .ok_or(Errno::NOTTY)
}

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        MODULE,
        "rusage",
        |mut caller: Caller<'_, State>, who: u32, out: u32| -> wasmtime::Result<u32> {
            let (mut mem, state) = parts(&mut caller)?;
            Ok(code(
                usage(state, who).and_then(|bytes| mem.put(out, &bytes)),
            ))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "limits",
        |mut caller: Caller<'_, State>, out: u32| -> wasmtime::Result<u32> {
            let (mut mem, state) = parts(&mut caller)?;
            Ok(code(mem.put(out, &limits(state))))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "ps",
        |mut caller: Caller<'_, State>, buf: u32, len: u32, out: u32| -> wasmtime::Result<u32> {
            let (mut mem, state) = parts(&mut caller)?;
            let text = list(state);
            let result = mem.put_size(out, text.len()).and_then(|()| {
                if text.len() > usize::try_from(len).unwrap_or(0) {
                    return Err(Errno::RANGE);
                }
                mem.put(buf, &text)
            });
            Ok(code(result))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "isatty_size",
        |mut caller: Caller<'_, State>, fd: u32, out: u32| -> wasmtime::Result<u32> {
            let (mut mem, state) = parts(&mut caller)?;
            let result = terminal(state, fd).and_then(|(rows, columns)| {
                let bytes = [rows.to_le_bytes(), columns.to_le_bytes()].concat();
                mem.put(out, &bytes)
            });
            Ok(code(result))
        },
    )?;
    Ok(())
}
