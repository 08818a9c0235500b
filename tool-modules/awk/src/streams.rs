//! Files and pipes that the program reads and writes.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;

use hardshell_cli::process::{Child, Spawn};
use hardshell_cli::{Input, Out, path};

use crate::reader::Reader;

/// An open output.
pub struct Writer {
    pub out: Out,
    child: Option<Child>,
}

/// An open input.
pub struct Source {
    pub reader: Reader,
    child: Option<Child>,
}

#[derive(Default)]
pub struct Streams {
    writers: HashMap<Vec<u8>, Writer>,
    sources: HashMap<Vec<u8>, Source>,
}

/// What to do with an output's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Truncate,
    Append,
    Pipe,
}

impl Streams {
    /// The output of that name, opened at first use.
    pub fn writer(&mut self, name: &[u8], mode: Mode, before: &mut Out) -> io::Result<&mut Out> {
        if !self.writers.contains_key(name) {
            let writer = match mode {
                Mode::Pipe => {
                    // What was printed so far comes first.
                    before.flush();
                    let (pipe, child) = Spawn::shell(name).write_to()?;
                    Writer {
                        out: Out::file(pipe),
                        child: Some(child),
                    }
                }
                _ if name == b"/dev/stderr" => {
                    let mut out = Out::stderr();
                    out.line_buffered = true;
                    Writer { out, child: None }
                }
                Mode::Truncate => Writer {
                    out: Out::file(File::create(path(name))?),
                    child: None,
                },
                Mode::Append => {
                    let file = OpenOptions::new()
                        .append(true)
                        .create(true)
                        .open(path(name))?;
                    Writer {
                        out: Out::file(file),
                        child: None,
                    }
                }
            };
            self.writers.insert(name.to_vec(), writer);
        }
        match self.writers.get_mut(name) {
            Some(writer) => Ok(&mut writer.out),
            None => Err(io::Error::other("no such stream")),
        }
    }

    /// The input of that name.
    pub fn source(
        &mut self,
        name: &[u8],
        command: bool,
        stdout: &mut Out,
    ) -> io::Result<&mut Reader> {
        let key = key(name, command);
        if !self.sources.contains_key(&key) {
            let source = if command {
                stdout.flush();
                self.flush_all();
                let (pipe, child) = Spawn::shell(name).read_from()?;
                Source {
                    reader: Reader::new(Box::new(pipe)),
                    child: Some(child),
                }
            } else {
                let input = if name == b"-" || name == b"/dev/stdin" {
                    Input::stdin()
                } else {
                    hardshell_cli::open_input(name)?
                };
                Source {
                    reader: Reader::new(Box::new(input)),
                    child: None,
                }
            };
            self.sources.insert(key.clone(), source);
        }
        match self.sources.get_mut(&key) {
            Some(source) => Ok(&mut source.reader),
            None => Err(io::Error::other("no such stream")),
        }
    }

    /// Closes what has that name; None if nothing has.
    pub fn close(&mut self, name: &[u8]) -> Option<i32> {
        let mut status = None;
        if let Some(writer) = self.writers.remove(name) {
            status = Some(end(writer));
        }
        for command in [false, true] {
            if let Some(source) = self.sources.remove(&key(name, command)) {
                drop(source.reader);
                status = Some(
                    source
                        .child
                        .map_or(0, |child| child.wait().map_or(-1, i32::from)),
                );
            }
        }
        status
    }

    pub fn flush(&mut self, name: &[u8]) -> bool {
        match self.writers.get_mut(name) {
            Some(writer) => {
                writer.out.flush();
                true
            }
            None => false,
        }
    }

    pub fn flush_all(&mut self) {
        for writer in self.writers.values_mut() {
            writer.out.flush();
        }
    }

    pub fn close_all(&mut self) {
        for (_, writer) in self.writers.drain() {
            end(writer);
        }
        for (_, source) in self.sources.drain() {
            drop(source.reader);
            if let Some(child) = source.child {
                let _ = child.wait();
            }
        }
    }
}

fn key(name: &[u8], command: bool) -> Vec<u8> {
    let mut key = vec![u8::from(command)];
    key.extend_from_slice(name);
    key
}

fn end(writer: Writer) -> i32 {
    let Writer { mut out, child } = writer;
    let failed = out.finish().is_err();
    drop(out);
    match child {
        Some(child) => child.wait().map_or(-1, i32::from),
        None => -i32::from(failed),
    }
}
