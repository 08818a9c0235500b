//! `cat`. Ours because the core utilities' own refuses what is neither a file, a folder nor a
//! link, and on WASI that is every device: `cat /dev/null` would fail.

use hardshell_cli::{Arg, Item, Opt, Out, Parser, complain, complain_file, file_id, open_input};
use std::io::Read;

const USAGE: &str = "\
Usage: cat [OPTION]... [FILE]...
Concatenate FILE(s) to standard output.

With no FILE, or when FILE is -, read standard input.

  -A, --show-all           equivalent to -vET
  -b, --number-nonblank    number nonempty output lines, overrides -n
  -e                       equivalent to -vE
  -E, --show-ends          display $ at end of each line
  -n, --number             number all output lines
  -s, --squeeze-blank      suppress repeated empty output lines
  -t                       equivalent to -vT
  -T, --show-tabs          display TAB characters as ^I
  -u                       (ignored)
  -v, --show-nonprinting   use ^ and M- notation, except for LFD and TAB
      --help        display this help and exit
      --version     output version information and exit";

const OPTIONS: &[Opt] = &[
    Opt::new('A', "show-all", Arg::No),
    Opt::new('b', "number-nonblank", Arg::No),
    Opt::new('e', "", Arg::No),
    Opt::new('E', "show-ends", Arg::No),
    Opt::new('n', "number", Arg::No),
    Opt::new('s', "squeeze-blank", Arg::No),
    Opt::new('t', "", Arg::No),
    Opt::new('T', "show-tabs", Arg::No),
    Opt::new('u', "", Arg::No),
    Opt::new('v', "show-nonprinting", Arg::No),
];

/// Bytes read at once: two pipes' worth.
const CHUNK: usize = 128 * 1024;

#[derive(Clone, Copy, Default)]
struct Show {
    number: bool,
    number_nonblank: bool,
    ends: bool,
    squeeze: bool,
    tabs: bool,
    nonprinting: bool,
}

impl Show {
    fn plain(self) -> bool {
        !(self.number
            || self.number_nonblank
            || self.ends
            || self.squeeze
            || self.tabs
            || self.nonprinting)
    }
}

/// What carries over from one file to the next: the line number and where in a line we are.
struct Lines {
    show: Show,
    line: u64,
    at_start: bool,
    blank_lines: u32,
    /// A carriage return at the end of a chunk, which `-E` shows as `^M` before a newline.
    pending_cr: bool,
}

impl Lines {
    fn put(&mut self, chunk: &[u8], out: &mut Out) {
        for &byte in chunk {
            if self.pending_cr {
                self.pending_cr = false;
                out.put(if byte == b'\n' { b"^M" } else { b"\r" });
            }
            if byte == b'\n' {
                self.newline(out);
                continue;
            }
            if self.at_start {
                self.at_start = false;
                self.blank_lines = 0;
                if self.show.number || self.show.number_nonblank {
                    self.put_number(out);
                }
            }
            if byte == b'\r' && self.show.ends && !self.show.nonprinting {
                self.pending_cr = true;
            } else {
                self.visible(byte, out);
            }
        }
    }

    fn newline(&mut self, out: &mut Out) {
        if self.at_start {
            self.blank_lines = self.blank_lines.saturating_add(1);
            if self.show.squeeze && self.blank_lines > 1 {
                return;
            }
            if self.show.number && !self.show.number_nonblank {
                self.put_number(out);
            }
        }
        if self.show.ends {
            out.byte(b'$');
        }
        out.byte(b'\n');
        self.at_start = true;
    }

    fn put_number(&mut self, out: &mut Out) {
        self.line += 1;
        out.put(format!("{:>6}\t", self.line).as_bytes());
    }

    fn visible(&self, byte: u8, out: &mut Out) {
        if byte == b'\t' {
            out.put(if self.show.tabs { b"^I" } else { b"\t" });
        } else if !self.show.nonprinting {
            out.byte(byte);
        } else {
            let low = if byte >= 128 {
                out.put(b"M-");
                byte - 128
            } else {
                byte
            };
            match low {
                0..32 => out.put(&[b'^', low + 64]),
                127 => out.put(b"^?"),
                _ => out.byte(low),
            }
        }
    }

    fn finish_file(&mut self, out: &mut Out) {
        if std::mem::take(&mut self.pending_cr) {
            out.byte(b'\r');
        }
    }
}

pub fn run(_: &str, args: Vec<Vec<u8>>) -> i32 {
    let mut show = Show::default();
    let mut files: Vec<Vec<u8>> = Vec::new();
    let mut parser = Parser::new("cat", OPTIONS, args).usage(USAGE);
    loop {
        match parser.next() {
            Ok(Some(Item::Opt(id, _))) => match id {
                'b' => show.number_nonblank = true,
                'n' => show.number = true,
                's' => show.squeeze = true,
                'u' => {}
                _ => {
                    show.nonprinting |= matches!(id, 'A' | 'e' | 't' | 'v');
                    show.ends |= matches!(id, 'A' | 'e' | 'E');
                    show.tabs |= matches!(id, 'A' | 't' | 'T');
                }
            },
            Ok(Some(Item::Operand(file))) => files.push(file),
            Ok(None) => break,
            Err(()) => return 1,
        }
    }
    if files.is_empty() {
        files.push(b"-".to_vec());
    }
    let output = regular_output();
    let mut out = Out::stdout();
    let mut lines = Lines {
        show,
        line: 0,
        at_start: true,
        blank_lines: 0,
        pending_cr: false,
    };
    let mut status = 0;
    let mut chunk = vec![0u8; CHUNK];
    for file in &files {
        // A file appended to itself would never end.
        if output.is_some() && file != b"-" && file_id(file) == output {
            let name = String::from_utf8_lossy(file).into_owned();
            complain("cat", format!("{name}: input file is output file"));
            status = 1;
            continue;
        }
        if let Err(error) = copy(file, &mut chunk, &mut lines, &mut out) {
            complain_file("cat", file, &error);
            status = 1;
        }
        if out.failed() {
            break;
        }
    }
    if let Err(error) = out.finish() {
        complain(
            "cat",
            format!("write error: {}", hardshell_cli::errno_text(&error)),
        );
        status = 1;
    }
    status
}

fn copy(file: &[u8], chunk: &mut [u8], lines: &mut Lines, out: &mut Out) -> std::io::Result<()> {
    let mut input = open_input(file)?;
    loop {
        let read = match input.read(chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let read = chunk.get(..read).unwrap_or_default();
        if lines.show.plain() {
            out.put(read);
        } else {
            lines.put(read, out);
        }
        // Whoever reads us may wait for just this.
        out.flush();
        if out.failed() {
            return Ok(());
        }
    }
    lines.finish_file(out);
    Ok(())
}

/// Which file standard output is, if it is a regular one.
fn regular_output() -> Option<(u64, u64)> {
    let stat = hardshell_sys::fstat(1).ok()?;
    (stat.kind() == hardshell_sys::DirEntryKind::File).then_some((stat.dev, stat.ino))
}
