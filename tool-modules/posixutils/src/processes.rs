//! `ps`, `kill`, `pkill`, `pgrep`: the processes of this call.

use hardshell_cli::{complain, errno_text};
use hardshell_sys::Signal;

/// A process as the kernel lists it.
struct Process {
    pid: u32,
    ppid: u32,
    state: String,
    cpu_us: u64,
    memory: u64,
    argv: Vec<String>,
}

fn list() -> std::io::Result<Vec<Process>> {
    let text = String::from_utf8_lossy(&hardshell_sys::ps()?).into_owned();
    Ok(text
        .lines()
        .filter_map(|line| {
            let mut parts = line.splitn(6, '\t');
            Some(Process {
                pid: parts.next()?.parse().ok()?,
                ppid: parts.next()?.parse().ok()?,
                state: parts.next()?.to_owned(),
                cpu_us: parts.next()?.parse().ok()?,
                memory: parts.next()?.parse().ok()?,
                argv: parts
                    .next()
                    .unwrap_or("")
                    .split('\x1f')
                    .map(str::to_owned)
                    .collect(),
            })
        })
        .collect())
}

pub fn ps(_: &str, args: Vec<Vec<u8>>) -> i32 {
    let words: Vec<String> = args
        .iter()
        .skip(1)
        .map(|w| String::from_utf8_lossy(w).into_owned())
        .collect();
    if words.iter().any(|w| w == "--help") {
        println!("Usage: ps [aux] [-ef] [-o FORMAT] [-p PID]\nShow the processes of this call.");
        return 0;
    }
    let processes = match list() {
        Ok(all) => all,
        Err(error) => {
            complain("ps", errno_text(&error));
            return 1;
        }
    };
    let mut columns: Option<Vec<(String, Option<String>)>> = None;
    let mut only: Option<Vec<u32>> = None;
    let (mut user, mut full) = (false, false);
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-o" | "-O" | "--format" => {
                let list = words.next().unwrap_or_default();
                columns = Some(
                    columns
                        .take()
                        .unwrap_or_default()
                        .into_iter()
                        .chain(list.split([',', ' ']).map(|c| match c.split_once('=') {
                            Some((name, title)) => (name.to_owned(), Some(title.to_owned())),
                            None => (c.to_owned(), None),
                        }))
                        .collect(),
                );
            }
            "-p" | "--pid" => {
                let list = words.next().unwrap_or_default();
                only = Some(
                    list.split([',', ' '])
                        .filter_map(|p| p.parse().ok())
                        .collect(),
                );
            }
            w if w.starts_with("-o") => {
                columns = Some(
                    w[2..]
                        .split(',')
                        .map(|c| {
                            (
                                c.trim_end_matches('=').to_owned(),
                                c.ends_with('=').then(String::new),
                            )
                        })
                        .collect(),
                )
            }
            w if w.starts_with("-p") => {
                only = Some(w[2..].split(',').filter_map(|p| p.parse().ok()).collect())
            }
            w => {
                let letters = w.trim_start_matches('-');
                user |= !w.starts_with('-') && letters.contains('u');
                full |= w.starts_with('-') && letters.contains('f');
            }
        }
    }
    let shown: Vec<&Process> = processes
        .iter()
        .filter(|p| only.as_ref().is_none_or(|o| o.contains(&p.pid)))
        .collect();
    let time = |us: u64| {
        format!(
            "{:02}:{:02}:{:02}",
            us / 3_600_000_000,
            us / 60_000_000 % 60,
            us / 1_000_000 % 60
        )
    };
    let command = |p: &Process| p.argv.join(" ");
    let base = |p: &Process| {
        p.argv
            .first()
            .map(|a| a.rsplit('/').next().unwrap_or("").to_owned())
            .unwrap_or_default()
    };
    if let Some(columns) = columns {
        let value = |p: &Process, column: &str| match column {
            "pid" => p.pid.to_string(),
            "ppid" => p.ppid.to_string(),
            "stat" | "s" | "state" => p.state.clone(),
            "time" | "cputime" => time(p.cpu_us),
            "rss" | "vsz" => (p.memory / 1024).to_string(),
            "comm" | "ucomm" => base(p),
            "args" | "cmd" | "command" => command(p),
            "user" => "agent".to_owned(),
            "%cpu" | "pcpu" | "%mem" | "pmem" => "0.0".to_owned(),
            "tty" | "tt" => "?".to_owned(),
            _ => "-".to_owned(),
        };
        let titles: Vec<String> = columns
            .iter()
            .map(|(c, title)| title.clone().unwrap_or_else(|| c.to_uppercase()))
            .collect();
        let widths: Vec<usize> = columns
            .iter()
            .zip(&titles)
            .map(|((c, _), title)| {
                shown
                    .iter()
                    .map(|p| value(p, c).len())
                    .chain([title.len()])
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let line = |cells: Vec<String>| {
            let mut out = String::new();
            for (i, cell) in cells.iter().enumerate() {
                let number = matches!(
                    columns[i].0.as_str(),
                    "pid" | "ppid" | "rss" | "vsz" | "%cpu" | "%mem"
                );
                let w = widths[i];
                let last = i + 1 == cells.len();
                out.push_str(&if number {
                    format!("{cell:>w$}")
                } else if last {
                    cell.clone()
                } else {
                    format!("{cell:<w$}")
                });
                if !last {
                    out.push(' ');
                }
            }
            out
        };
        if titles.iter().any(|t| !t.is_empty()) {
            println!("{}", line(titles));
        }
        for p in &shown {
            println!(
                "{}",
                line(columns.iter().map(|(c, _)| value(p, c)).collect())
            );
        }
    } else if user {
        println!("USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND");
        for p in &shown {
            let kib = p.memory / 1024;
            println!(
                "agent    {:>7}  0.0  0.0 {kib:>6} {kib:>5} ?        {:<4} -     {} {}",
                p.pid,
                p.state,
                &time(p.cpu_us)[3..],
                command(p)
            );
        }
    } else if full {
        println!("UID          PID    PPID  C STIME TTY          TIME CMD");
        for p in &shown {
            println!(
                "agent    {:>7} {:>7}  0 -     ?        {} {}",
                p.pid,
                p.ppid,
                time(p.cpu_us),
                command(p)
            );
        }
    } else {
        println!("    PID TTY          TIME CMD");
        for p in &shown {
            println!("{:>7} ?        {} {}", p.pid, time(p.cpu_us), base(p));
        }
    }
    i32::from(shown.is_empty())
}

/// `TERM`, `SIGTERM`, `15`, and a status of 128 and more as `kill -l` takes it.
pub fn signal(text: &[u8]) -> Option<Signal> {
    let text = String::from_utf8_lossy(text).to_ascii_uppercase();
    if let Ok(number) = text.parse::<u32>() {
        let number = if number > 128 { number - 128 } else { number };
        return (number <= 31).then_some(Signal(number));
    }
    let name = text.strip_prefix("SIG").unwrap_or(&text);
    (1..=31).map(Signal).find(|s| s.name() == Some(name))
}

pub fn kill(_: &str, args: Vec<Vec<u8>>) -> i32 {
    let mut words = args.into_iter().skip(1).peekable();
    let mut chosen = Signal::TERM;
    match words.peek().map(Vec::as_slice) {
        Some(b"--help") => {
            println!(
                "Usage: kill [-s SIGNAL | -SIGNAL] PID...\n  or:  kill -l [SIGNAL]...\nSend signals to processes of this call, or list signals."
            );
            return 0;
        }
        Some(b"-l" | b"-L" | b"--list" | b"--table") => {
            words.next();
            let wanted: Vec<Vec<u8>> = words.collect();
            if wanted.is_empty() {
                for number in 1..=31 {
                    println!("{}", Signal(number).name().unwrap_or(""));
                }
                return 0;
            }
            for word in wanted {
                let Some(found) = signal(&word) else {
                    complain(
                        "kill",
                        format!("'{}': invalid signal", String::from_utf8_lossy(&word)),
                    );
                    return 1;
                };
                if word.iter().all(u8::is_ascii_digit) {
                    println!("{}", found.name().unwrap_or("EXIT"));
                } else {
                    println!("{}", found.0);
                }
            }
            return 0;
        }
        Some(b"-s" | b"--signal" | b"-n") => {
            words.next();
            let name = words.next().unwrap_or_default();
            match signal(&name) {
                Some(found) => chosen = found,
                None => {
                    complain(
                        "kill",
                        format!("'{}': invalid signal", String::from_utf8_lossy(&name)),
                    );
                    return 1;
                }
            }
        }
        Some(b"--") => {
            words.next();
        }
        Some(word) if word.len() > 1 && word[0] == b'-' => {
            let word = words.next().unwrap_or_default();
            match signal(&word[1..]) {
                Some(found) => chosen = found,
                None => {
                    complain(
                        "kill",
                        format!("'{}': invalid signal", String::from_utf8_lossy(&word[1..])),
                    );
                    return 1;
                }
            }
        }
        _ => {}
    }
    let mut status = 0;
    let mut any = false;
    for word in words {
        any = true;
        let shown = String::from_utf8_lossy(&word).into_owned();
        let Ok(pid) = shown.trim_start_matches('-').parse::<u32>() else {
            complain("kill", format!("'{shown}': invalid process id"));
            status = 1;
            continue;
        };
        if let Err(error) = hardshell_sys::kill(pid, chosen) {
            complain(
                "kill",
                format!("sending signal to {shown} failed: {}", errno_text(&error)),
            );
            status = 1;
        }
    }
    if !any {
        complain("kill", "no process ID specified");
        return 1;
    }
    status
}

pub fn pkill(name: &str, args: Vec<Vec<u8>>) -> i32 {
    let (mut full, mut exact, mut long, mut count) = (false, false, false, false);
    let mut chosen = Signal::TERM;
    let mut pattern = String::new();
    for word in args.iter().skip(1) {
        let text = String::from_utf8_lossy(word).into_owned();
        match text.as_str() {
            "--help" => {
                println!(
                    "Usage: {name} [-f] [-x] [-SIGNAL] PATTERN\nFind processes of this call by name{}.",
                    if name == "pkill" {
                        " and signal them"
                    } else {
                        ""
                    }
                );
                return 0;
            }
            "-f" => full = true,
            "-x" => exact = true,
            "-l" | "-a" => long = true,
            "-c" => count = true,
            w if w.starts_with('-') => match signal(&w.as_bytes()[1..]) {
                Some(found) => chosen = found,
                None => {
                    complain(name, format!("invalid option '{w}'"));
                    return 2;
                }
            },
            w => pattern = w.to_owned(),
        }
    }
    let own = hardshell_sys::getpid();
    let found: Vec<Process> = list()
        .unwrap_or_default()
        .into_iter()
        .filter(|p| {
            let base = p
                .argv
                .first()
                .map(|a| a.rsplit('/').next().unwrap_or("").to_owned())
                .unwrap_or_default();
            let text = if full { p.argv.join(" ") } else { base };
            p.pid != own
                && if exact {
                    text == pattern
                } else {
                    text.contains(&pattern)
                }
        })
        .collect();
    if count {
        println!("{}", found.len());
    }
    for p in &found {
        if name == "pkill" {
            let _ = hardshell_sys::kill(p.pid, chosen);
        } else if long {
            println!("{} {}", p.pid, p.argv.join(" "));
        } else if !count {
            println!("{}", p.pid);
        }
    }
    i32::from(found.is_empty())
}
