//! The smallest commands.

use std::io::Read;

use hardshell_cli::process::Spawn;
use hardshell_cli::{Input, Out, complain, complain_file, errno_text, open_input};

pub fn rev(_: &str, args: Vec<Vec<u8>>) -> i32 {
    let mut files: Vec<Vec<u8>> = args.into_iter().skip(1).collect();
    if files.first().is_some_and(|w| w == b"--help") {
        println!("Usage: rev [FILE]...\nReverse the characters of each line.");
        return 0;
    }
    if files.is_empty() {
        files.push(b"-".to_vec());
    }
    let mut out = Out::stdout();
    let mut status = 0;
    for file in &files {
        match open_input(file).and_then(|mut i| i.read_all()) {
            Ok(data) => {
                for line in data.split_inclusive(|b| *b == b'\n') {
                    let (body, end) = match line.strip_suffix(b"\n") {
                        Some(body) => (body, true),
                        None => (line, false),
                    };
                    match std::str::from_utf8(body) {
                        Ok(text) => out.put(text.chars().rev().collect::<String>().as_bytes()),
                        Err(_) => body.iter().rev().for_each(|b| out.byte(*b)),
                    }
                    if end {
                        out.byte(b'\n');
                    }
                }
            }
            Err(error) => {
                status = 1;
                let mut message = b"cannot open ".to_vec();
                message.extend_from_slice(file);
                message.extend_from_slice(b": ");
                message.extend_from_slice(errno_text(&error).as_bytes());
                complain("rev", message);
            }
        }
    }
    i32::from(out.finish().is_err()).max(status)
}

pub fn uuidgen(_: &str, args: Vec<Vec<u8>>) -> i32 {
    if args.get(1).is_some_and(|w| w == b"--help") {
        println!("Usage: uuidgen\nPrint a random UUID.");
        return 0;
    }
    let mut bytes = [0u8; 16];
    let read = std::fs::File::open("/dev/urandom").and_then(|mut f| f.read_exact(&mut bytes));
    if let Err(error) = read {
        complain("uuidgen", errno_text(&error));
        return 1;
    }
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    println!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    );
    0
}

pub fn envsubst(_: &str, args: Vec<Vec<u8>>) -> i32 {
    if args.get(1).is_some_and(|w| w == b"--help") {
        println!(
            "Usage: envsubst [SHELL-FORMAT]\nSubstitute the values of environment variables in standard input."
        );
        return 0;
    }
    let format = args.get(1).cloned();
    let only = format.map(|f| names(&f));
    let mut data = Vec::new();
    if let Err(error) = Input::stdin().read_to_end(&mut data) {
        complain_file("envsubst", b"standard input", &error);
        return 1;
    }
    let mut out = Out::stdout();
    let mut at = 0;
    while at < data.len() {
        let Some(found) = memchr::memchr(b'$', &data[at..]) else {
            out.put(&data[at..]);
            break;
        };
        out.put(&data[at..at + found]);
        at += found;
        match variable(&data[at..]) {
            Some((name, length)) if only.as_ref().is_none_or(|o| o.contains(&name)) => {
                if let Some(value) = std::env::var_os(&name) {
                    out.put(hardshell_cli::bytes(&value));
                }
                at += length;
            }
            _ => {
                out.byte(b'$');
                at += 1;
            }
        }
    }
    i32::from(out.finish().is_err())
}

/// The variable that `$NAME` or `${NAME}` at the start stands for.
fn variable(text: &[u8]) -> Option<(String, usize)> {
    let braced = text.get(1) == Some(&b'{');
    let start = if braced { 2 } else { 1 };
    let length = text
        .get(start..)?
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric() || **b == b'_')
        .count();
    let name = text.get(start..start + length)?;
    if name.is_empty()
        || name[0].is_ascii_digit()
        || (braced && text.get(start + length) != Some(&b'}'))
    {
        return None;
    }
    Some((
        String::from_utf8_lossy(name).into_owned(),
        start + length + usize::from(braced),
    ))
}

fn names(format: &[u8]) -> Vec<String> {
    (0..format.len())
        .filter(|at| format[*at] == b'$')
        .filter_map(|at| variable(&format[at..]))
        .map(|(name, _)| name)
        .collect()
}

pub fn getconf(_: &str, args: Vec<Vec<u8>>) -> i32 {
    let value = match args.get(1).map(Vec::as_slice) {
        Some(b"_NPROCESSORS_ONLN" | b"_NPROCESSORS_CONF" | b"NPROCESSORS_ONLN") => "1",
        Some(b"PAGE_SIZE" | b"PAGESIZE") => "65536",
        Some(b"ARG_MAX") => "2097152",
        Some(b"LONG_BIT") => "32",
        Some(b"NAME_MAX") => "255",
        Some(b"PATH_MAX") => "4096",
        Some(b"PATH") => "/usr/bin:/bin",
        Some(b"OPEN_MAX") => "1024",
        Some(b"--help") => "Usage: getconf NAME",
        Some(other) => {
            complain(
                "getconf",
                format!("Unrecognized variable '{}'", String::from_utf8_lossy(other)),
            );
            return 2;
        }
        None => {
            complain("getconf", "missing operand");
            return 2;
        }
    };
    println!("{value}");
    0
}

/// Writes are with the kernel when they return; there is nothing to flush.
pub fn sync(_: &str, args: Vec<Vec<u8>>) -> i32 {
    if args.get(1).is_some_and(|w| w == b"--help") {
        println!(
            "Usage: sync [FILE]...\nNothing is buffered in this sandbox; this always succeeds."
        );
    }
    0
}

pub fn uptime(_: &str, _: Vec<Vec<u8>>) -> i32 {
    let zone = hardshell_cli::time::Zone::local();
    let now = hardshell_cli::time::strftime(b"%H:%M:%S", hardshell_cli::time::now(), &zone, false);
    println!(
        " {} up 0 min,  1 user,  load average: 0.00, 0.00, 0.00",
        String::from_utf8_lossy(&now)
    );
    0
}

pub fn flock(_: &str, args: Vec<Vec<u8>>) -> i32 {
    use std::os::fd::AsRawFd;
    let (mut op, mut nonblock, mut conflict) = (hardshell_sys::LOCK_EX, false, 1);
    let mut words = args.into_iter().skip(1);
    let target = loop {
        let Some(word) = words.next() else {
            complain("flock", "not enough arguments");
            return 64;
        };
        match word.as_slice() {
            b"--help" => {
                println!(
                    "Usage: flock [-s|-x|-u] [-n] [-E STATUS] FILE|NUMBER [COMMAND [ARG]... | -c COMMAND]"
                );
                return 0;
            }
            b"-s" | b"--shared" => op = hardshell_sys::LOCK_SH,
            b"-x" | b"-e" | b"--exclusive" => op = hardshell_sys::LOCK_EX,
            b"-u" | b"--unlock" => op = hardshell_sys::LOCK_UN,
            b"-n" | b"--nonblock" | b"--nb" => nonblock = true,
            b"-o" | b"--close" => {}
            b"-w" | b"--timeout" => {
                words.next();
            }
            b"-E" | b"--conflict-exit-code" => {
                conflict = words
                    .next()
                    .and_then(|w| String::from_utf8_lossy(&w).parse().ok())
                    .unwrap_or(1);
            }
            _ => break word,
        }
    };
    let op = if nonblock {
        op | hardshell_sys::LOCK_NB
    } else {
        op
    };
    let rest: Vec<Vec<u8>> = words.collect();
    let number = String::from_utf8_lossy(&target).parse::<u32>();
    if let (Ok(number), true) = (number, rest.is_empty()) {
        return match hardshell_sys::flock(hardshell_sys::inherited_descriptor(number), op) {
            Ok(()) => 0,
            Err(_) => conflict,
        };
    }
    let file = match std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(hardshell_cli::path(&target))
    {
        Ok(file) => file,
        Err(error) => {
            complain(
                "flock",
                format!(
                    "cannot open lock file {}: {}",
                    String::from_utf8_lossy(&target),
                    errno_text(&error)
                ),
            );
            return 66;
        }
    };
    let fd = u32::try_from(file.as_raw_fd()).unwrap_or(0);
    if hardshell_sys::flock(fd, op).is_err() {
        return conflict;
    }
    let spawn = match rest.first().map(Vec::as_slice) {
        Some(b"-c" | b"--command") => {
            Spawn::shell(rest.get(1).map(Vec::as_slice).unwrap_or_default())
        }
        Some(_) => Spawn::new(rest),
        None => return 0,
    };
    crate::env::run_command("flock", &spawn)
}
