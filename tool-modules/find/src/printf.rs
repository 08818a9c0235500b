//! `-printf`.

use std::fs;

use hardshell_cli::stat::{Stat, group_name, user_name};
use hardshell_cli::time::{Zone, strftime};
use hardshell_cli::{Out, path};

use crate::expr::Entry;

/// A format, split into its parts.
pub struct Format {
    parts: Vec<Part>,
    flush: bool,
}

enum Part {
    Text(Vec<u8>),
    /// Flags and width as written, the letter, and for times their format.
    Field {
        left: bool,
        zero: bool,
        width: usize,
        precision: Option<usize>,
        letter: u8,
        time: u8,
    },
}

impl Format {
    pub fn parse(text: &[u8]) -> Self {
        let mut parts = Vec::new();
        let mut plain = Vec::new();
        let mut flush = false;
        let mut at = 0;
        while let Some(byte) = text.get(at).copied() {
            at += 1;
            match byte {
                b'\\' => {
                    let Some(letter) = text.get(at).copied() else {
                        plain.push(b'\\');
                        break;
                    };
                    at += 1;
                    match letter {
                        b'n' => plain.push(b'\n'),
                        b't' => plain.push(b'\t'),
                        b'r' => plain.push(b'\r'),
                        b'a' => plain.push(7),
                        b'b' => plain.push(8),
                        b'f' => plain.push(12),
                        b'v' => plain.push(11),
                        b'\\' => plain.push(b'\\'),
                        b'c' => {
                            flush = true;
                            break;
                        }
                        b'0'..=b'7' => {
                            let mut value = u32::from(letter - b'0');
                            for _ in 0..2 {
                                if let Some(digit @ b'0'..=b'7') = text.get(at) {
                                    value = value * 8 + u32::from(digit - b'0');
                                    at += 1;
                                }
                            }
                            plain.push((value & 0xff) as u8);
                        }
                        other => plain.extend_from_slice(&[b'\\', other]),
                    }
                }
                b'%' => {
                    let (mut left, mut zero) = (false, false);
                    while let Some(flag @ (b'-' | b'0' | b'#' | b'+' | b' ')) = text.get(at) {
                        left |= *flag == b'-';
                        zero |= *flag == b'0';
                        at += 1;
                    }
                    let mut width = 0usize;
                    while let Some(digit @ b'0'..=b'9') = text.get(at) {
                        width = (width * 10 + usize::from(digit - b'0')).min(10_000);
                        at += 1;
                    }
                    let mut precision = None;
                    if text.get(at) == Some(&b'.') {
                        at += 1;
                        let mut value = 0usize;
                        while let Some(digit @ b'0'..=b'9') = text.get(at) {
                            value = (value * 10 + usize::from(digit - b'0')).min(10_000);
                            at += 1;
                        }
                        precision = Some(value);
                    }
                    let Some(letter) = text.get(at).copied() else {
                        plain.push(b'%');
                        break;
                    };
                    at += 1;
                    if letter == b'%' {
                        plain.push(b'%');
                        continue;
                    }
                    let mut time = 0;
                    if matches!(letter, b'A' | b'B' | b'C' | b'T') {
                        time = text.get(at).copied().unwrap_or(b'c');
                        at += 1;
                    }
                    if !plain.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut plain)));
                    }
                    parts.push(Part::Field {
                        left,
                        zero,
                        width,
                        precision,
                        letter,
                        time,
                    });
                }
                other => plain.push(other),
            }
        }
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Self { parts, flush }
    }

    /// Prints it for a file.
    pub fn print(&self, entry: &Entry, out: &mut Out) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.put(text),
                Part::Field {
                    left,
                    zero,
                    width,
                    precision,
                    letter,
                    time,
                } => {
                    let mut text = value(entry, *letter, *time);
                    if let Some(precision) = precision {
                        text.truncate(*precision);
                    }
                    let shown = text.iter().filter(|b| **b & 0xc0 != 0x80).count();
                    let fill = width.saturating_sub(shown);
                    let pad = if *zero && !*left { b'0' } else { b' ' };
                    if !*left {
                        out.put(&vec![pad; fill]);
                    }
                    out.put(&text);
                    if *left {
                        out.put(&vec![b' '; fill]);
                    }
                }
            }
        }
        if self.flush {
            out.flush();
        }
    }
}

fn value(entry: &Entry, letter: u8, time: u8) -> Vec<u8> {
    let empty = Stat::default();
    let meta = || entry.stat().unwrap_or(&empty);
    match letter {
        b'p' => entry.path.clone(),
        b'f' => entry.name().to_vec(),
        b'h' if entry.path == b"/" => Vec::new(),
        b'h' => {
            let trimmed = entry.path.strip_suffix(b"/").unwrap_or(&entry.path);
            match trimmed.iter().rposition(|b| *b == b'/') {
                Some(0) => b"/".to_vec(),
                Some(at) => trimmed[..at].to_vec(),
                None => b".".to_vec(),
            }
        }
        b'P' => {
            let rest = entry.path.get(entry.start_length..).unwrap_or_default();
            rest.strip_prefix(b"/").unwrap_or(rest).to_vec()
        }
        b'H' => entry.path[..entry.start_length.min(entry.path.len())].to_vec(),
        b'd' => entry.depth.to_string().into_bytes(),
        b's' => meta().size.to_string().into_bytes(),
        b'b' => meta().blocks.to_string().into_bytes(),
        b'k' => meta().blocks.div_ceil(2).to_string().into_bytes(),
        b'm' => format!("{:o}", meta().mode & 0o7777).into_bytes(),
        b'M' => meta().mode_text().into_bytes(),
        b'u' => user_name(meta().uid).into_bytes(),
        b'g' => group_name(meta().gid).into_bytes(),
        b'U' => meta().uid.to_string().into_bytes(),
        b'G' => meta().gid.to_string().into_bytes(),
        b'i' => meta().ino.to_string().into_bytes(),
        b'n' => meta().nlink.to_string().into_bytes(),
        b'D' => meta().dev.to_string().into_bytes(),
        b'F' => b"hardshell".to_vec(),
        b'S' => b"1".to_vec(),
        b'Z' => Vec::new(),
        b'y' => vec![entry.kind()],
        b'Y' => match hardshell_cli::stat::stat(&entry.path) {
            Ok(meta) => vec![meta.kind()],
            Err(_) => b"N".to_vec(),
        },
        b'l' => match fs::read_link(path(&entry.path)) {
            Ok(target) => hardshell_cli::into_bytes(target.into_os_string()),
            Err(_) => Vec::new(),
        },
        b't' => moment(meta().mtime, b'?'),
        b'a' => moment(meta().atime, b'?'),
        b'c' => moment(meta().ctime, b'?'),
        b'T' => moment(meta().mtime, time),
        b'A' => moment(meta().atime, time),
        b'C' => moment(meta().ctime, time),
        other => vec![b'%', other],
    }
}

fn moment(time: i128, letter: u8) -> Vec<u8> {
    let seconds = i64::try_from(time.div_euclid(1_000_000_000)).unwrap_or(0);
    let fraction = format!("{:09}0", time.rem_euclid(1_000_000_000));
    let zone = Zone::local();
    let format: Vec<u8> = match letter {
        b'@' => return format!("{seconds}.{fraction}").into_bytes(),
        b'?' => format!("%a %b %e %H:%M:%S.{fraction} %Y").into_bytes(),
        b'+' => format!("%Y-%m-%d+%H:%M:%S.{fraction}").into_bytes(),
        b'T' => format!("%H:%M:%S.{fraction}").into_bytes(),
        b'S' => format!("%S.{fraction}").into_bytes(),
        other => vec![b'%', other],
    };
    strftime(&format, seconds, &zone, false)
}
