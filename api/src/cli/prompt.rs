//! The interactive prompt: line editing and history before `sh -i` in the sandbox.
//!
//! The shell prints its prompts on stderr. It is given prompts that are marks: when a mark
//! comes by, the shell waits for a line, and the line editor gets the terminal. Between marks
//! the terminal belongs to the program that runs, and what is typed goes to it.

use std::io::{IsTerminal as _, Write as _};
use std::sync::mpsc as blocking;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use hardshell_host::{CallController, CallSpec, Input, Output, Sandbox};
use rustyline::error::ReadlineError;
use tokio::sync::mpsc;

use super::history::History;
use super::report::Target;
use super::streams;
use crate::exit::{Failed, Outcome};

/// Begins and ends a mark; neither appears in honest output.
const BEGIN: u8 = 0x01;
const END: u8 = 0x02;
/// Longer than any mark: a path is at most 4,096 bytes.
const MARK_MAX: usize = 4200;

/// The shell waits for a line.
#[derive(Debug, PartialEq, Eq)]
struct Mark {
    /// A new command, or the rest of one?
    first: bool,
    /// The shell's working directory.
    cwd: String,
}

/// Runs the prompt until the shell ends.
pub(crate) fn run(sandbox: &Sandbox, argv: Vec<String>, target: Target<'_>) -> Outcome {
    if !std::io::stdin().is_terminal() {
        // Asked for by -i, but nobody types: the shell's own prompts do.
        return streams::on_own_streams(sandbox, CallSpec::new(argv), target);
    }
    let runtime = super::kernel::runtime().map_err(Failed::host)?;
    let report = runtime.block_on(async {
        let (lines, input) = mpsc::channel::<Bytes>(16);
        let (output, mut stderr) = mpsc::channel::<Bytes>(64);
        let (marks, waits) = blocking::channel::<Mark>();
        let spec = CallSpec::new(argv)
            .env("PS1", "\u{1}1$PWD\u{2}")
            .env("PS2", "\u{1}2\u{2}")
            .stdin(Input::Stream(input))
            .stdout(Output::Fd(streams::stdout()?))
            .stderr(Output::Stream(output));
        let handle = sandbox.start(spec)?;
        let control = handle.controller();
        let editor = std::thread::Builder::new()
            .name("prompt".to_owned())
            .spawn(move || edit(&waits, &lines, &control))
            .context("cannot start the prompt")?;
        let printer = tokio::spawn(async move {
            let mut scanner = Scanner::default();
            while let Some(chunk) = stderr.recv().await {
                let (plain, found) = scanner.push(&chunk);
                let mut err = std::io::stderr().lock();
                let _ = err.write_all(&plain).and_then(|()| err.flush());
                for mark in found {
                    let _ = marks.send(mark);
                }
            }
        });
        let report = wait(handle).await?;
        let _ = printer.await;
        drop(editor);
        anyhow::Ok(report)
    });
    runtime.shutdown_background();
    streams::finish(&report.map_err(Failed::host)?, target)
}

/// Ctrl-C goes to the programs of the call; the shell itself goes on.
async fn wait(handle: hardshell_host::CallHandle) -> anyhow::Result<hardshell_host::Report> {
    use tokio::signal::unix::{SignalKind, signal};
    let control = handle.controller();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let done = handle.wait();
    tokio::pin!(done);
    loop {
        tokio::select! {
            report = &mut done => return Ok(report),
            _ = interrupt.recv() => control.signal(2),
            _ = terminate.recv() => control.cancel(),
            _ = hangup.recv() => control.cancel(),
        }
    }
}

/// The thread of the line editor.
fn edit(waits: &blocking::Receiver<Mark>, lines: &mpsc::Sender<Bytes>, control: &CallController) {
    let history = History::of_user();
    let mut editor = match rustyline::DefaultEditor::new() {
        Ok(editor) => editor,
        Err(error) => {
            anstream::eprintln!("hardshell: no line editing here: {error}");
            return;
        }
    };
    for line in history.load() {
        let _ = editor.add_history_entry(line);
    }
    while let Some(mark) = next_mark(waits, lines) {
        let prompt = if mark.first {
            prompt_text(&mark.cwd)
        } else {
            "> ".to_owned()
        };
        loop {
            match editor.readline(&prompt) {
                Ok(line) => {
                    if !line.trim().is_empty() {
                        let _ = editor.add_history_entry(line.as_str());
                        history.add(&line);
                    }
                    if lines
                        .blocking_send(Bytes::from(format!("{line}\n")))
                        .is_err()
                    {
                        return;
                    }
                    break;
                }
                Err(ReadlineError::Interrupted) if mark.first => {}
                Err(ReadlineError::Interrupted) => {
                    control.signal(2);
                    break;
                }
                Err(_) => {
                    anstream::eprintln!("exit");
                    return;
                }
            }
        }
    }
}

/// Waits for the shell's next prompt; until then, typed lines belong to the running program.
fn next_mark(waits: &blocking::Receiver<Mark>, lines: &mpsc::Sender<Bytes>) -> Option<Mark> {
    let mut typed = [0u8; 4096];
    loop {
        match waits.recv_timeout(Duration::from_millis(20)) {
            Ok(mark) => return Some(mark),
            Err(blocking::RecvTimeoutError::Disconnected) => return None,
            Err(blocking::RecvTimeoutError::Timeout) => {}
        }
        let stdin = std::io::stdin();
        let mut poll = [rustix::event::PollFd::new(
            &stdin,
            rustix::event::PollFlags::IN,
        )];
        let now = rustix::event::Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        if rustix::event::poll(&mut poll, Some(&now)).is_ok_and(|n| n > 0) {
            match rustix::io::read(&stdin, &mut typed) {
                Ok(n) if n > 0 => {
                    let chunk = typed.get(..n).map(Bytes::copy_from_slice)?;
                    lines.blocking_send(chunk).ok()?;
                }
                _ => return None,
            }
        }
    }
}

fn prompt_text(cwd: &str) -> String {
    let short = cwd
        .strip_prefix("/workspace")
        .map_or(cwd.to_owned(), |rest| format!("~{rest}"));
    format!("hardshell:{short}$ ")
}

/// Takes the marks out of a stream.
#[derive(Default)]
struct Scanner {
    held: Vec<u8>,
}

impl Scanner {
    /// What to print of this chunk, and the marks in it.
    fn push(&mut self, chunk: &[u8]) -> (Vec<u8>, Vec<Mark>) {
        let mut plain = Vec::with_capacity(chunk.len());
        let mut marks = Vec::new();
        for &byte in chunk {
            if self.held.is_empty() {
                if byte == BEGIN {
                    self.held.push(byte);
                } else {
                    plain.push(byte);
                }
                continue;
            }
            self.held.push(byte);
            if byte == END {
                match parse(&self.held) {
                    Some(mark) => marks.push(mark),
                    None => plain.extend_from_slice(&self.held),
                }
                self.held.clear();
            } else if self.held.len() > MARK_MAX || byte == b'\n' {
                plain.append(&mut self.held);
            }
        }
        (plain, marks)
    }
}

fn parse(held: &[u8]) -> Option<Mark> {
    let inner = held.strip_prefix(&[BEGIN])?.strip_suffix(&[END])?;
    let (kind, cwd) = inner.split_first()?;
    let first = match kind {
        b'1' => true,
        b'2' => false,
        _ => return None,
    };
    let cwd = String::from_utf8_lossy(cwd);
    Some(Mark {
        first,
        cwd: cwd.chars().filter(|c| !c.is_control()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_across_chunks() {
        let mut scanner = Scanner::default();
        assert_eq!(
            scanner.push(b"warn\n\x011/work"),
            (b"warn\n".to_vec(), vec![])
        );
        let (plain, marks) = scanner.push(b"space/a\x02\x012\x02more");
        assert_eq!(plain, b"more");
        assert_eq!(
            marks,
            [
                Mark {
                    first: true,
                    cwd: "/workspace/a".to_owned()
                },
                Mark {
                    first: false,
                    cwd: String::new()
                }
            ]
        );
        // What is no mark is printed as it is.
        assert_eq!(scanner.push(b"\x01x\x02").0, b"\x01x\x02");
        assert_eq!(scanner.push(b"\x01no\nyes").0, b"\x01no\nyes");
        assert_eq!(prompt_text("/workspace/a"), "hardshell:~/a$ ");
        assert_eq!(prompt_text("/tmp"), "hardshell:/tmp$ ");
    }
}
