//! `timeout` and `time`.

use std::time::{Duration, Instant};

use hardshell_cli::process::{Child, Spawn, failure_status};
use hardshell_cli::{Arg, Item, Opt, Parser, complain, errno_text};

const TIMEOUT: &[Opt] = &[
    Opt::new('k', "kill-after", Arg::Yes),
    Opt::new('s', "signal", Arg::Yes),
    Opt::new('v', "verbose", Arg::No),
    Opt::long('\u{1}', "preserve-status", Arg::No),
    Opt::long('\u{2}', "foreground", Arg::No),
    Opt::long('\u{3}', "help", Arg::No),
    Opt::long('\u{4}', "version", Arg::No),
];

const HELP: &str = "\
Usage: timeout [OPTION] DURATION COMMAND [ARG]...
Start COMMAND, and kill it if still running after DURATION.

      --preserve-status  exit with the same status as COMMAND, even when it times out
      --foreground       accepted, without effect
  -k, --kill-after=DURATION  also send a KILL signal if COMMAND is still running
                         this long after the initial signal was sent
  -s, --signal=SIGNAL    specify the signal to be sent on timeout
  -v, --verbose          diagnose to stderr any signal sent upon timeout

DURATION is a number with an optional suffix: s (the default), m, h or d.
If the command times out, and --preserve-status is not set, exit with status 124.
";

/// `1.5m` and the like.
pub fn duration(text: &[u8]) -> Option<Duration> {
    let text = std::str::from_utf8(text).ok()?;
    let (number, factor) = match text.as_bytes().last()? {
        b's' => (&text[..text.len() - 1], 1.0),
        b'm' => (&text[..text.len() - 1], 60.0),
        b'h' => (&text[..text.len() - 1], 3600.0),
        b'd' => (&text[..text.len() - 1], 86_400.0),
        _ => (text, 1.0),
    };
    if number == "inf" || number == "infinity" {
        return Some(Duration::from_secs(u64::from(u32::MAX)));
    }
    let seconds: f64 = number.parse().ok()?;
    if !seconds.is_finite() || seconds < 0.0 {
        return None;
    }
    Some(Duration::from_secs_f64((seconds * factor).min(4e9)))
}

pub fn timeout(name: &str, args: Vec<Vec<u8>>) -> i32 {
    let mut parser = Parser::new("timeout", TIMEOUT, args).stop_at_operand();
    let (mut preserve, mut verbose) = (false, false);
    let mut signal = hardshell_sys::Signal::TERM;
    let mut kill_after = None;
    let mut words = Vec::new();
    loop {
        match parser.next() {
            Ok(Some(Item::Operand(word))) => words.push(word),
            Ok(Some(Item::Opt(id, value))) => {
                let value = value.unwrap_or_default();
                match id {
                    'k' => match duration(&value) {
                        Some(d) => kill_after = Some(d),
                        None => return invalid(&value),
                    },
                    's' => match crate::processes::signal(&value) {
                        Some(s) => signal = s,
                        None => {
                            complain(
                                name,
                                format!("'{}': invalid signal", String::from_utf8_lossy(&value)),
                            );
                            return 125;
                        }
                    },
                    'v' => verbose = true,
                    '\u{1}' => preserve = true,
                    '\u{3}' => {
                        print!("{HELP}");
                        return 0;
                    }
                    '\u{4}' => {
                        println!("timeout (hardshell) 0.1");
                        return 0;
                    }
                    _ => {}
                }
            }
            Ok(None) => break,
            Err(()) => return 125,
        }
    }
    if words.len() < 2 {
        complain(name, "missing operand");
        hardshell_cli::try_help(name);
        return 125;
    }
    let text = words.remove(0);
    let Some(limit) = duration(&text) else {
        return invalid(&text);
    };
    let spawn = Spawn::new(words);
    let child = match spawn.start() {
        Ok(child) => child,
        Err(error) => {
            let mut message = b"failed to run command ".to_vec();
            message.extend_from_slice(&hardshell_cli::quote(&spawn.argv[0]));
            message.extend_from_slice(b": ");
            message.extend_from_slice(errno_text(&error).as_bytes());
            complain(name, message);
            return i32::from(failure_status(&error));
        }
    };
    let limit = if limit.is_zero() {
        Duration::from_secs(u64::from(u32::MAX))
    } else {
        limit
    };
    if let Some(status) = wait_for(&child, limit) {
        return status;
    }
    if verbose {
        let shown = String::from_utf8_lossy(&spawn.argv[0]).into_owned();
        complain(
            name,
            format!(
                "sending signal {} to command '{shown}'",
                signal.name().unwrap_or("TERM")
            ),
        );
    }
    let _ = hardshell_sys::kill(child.pid, signal);
    let mut killed = signal == hardshell_sys::Signal::KILL;
    let mut status = match kill_after {
        Some(after) => wait_for(&child, after),
        None => wait_for(&child, Duration::from_secs(u64::from(u32::MAX))),
    };
    if status.is_none() {
        let _ = hardshell_sys::kill(child.pid, hardshell_sys::Signal::KILL);
        killed = true;
        status = wait_for(&child, Duration::from_secs(u64::from(u32::MAX)));
    }
    if preserve {
        return status.unwrap_or(124);
    }
    if killed { 137 } else { 124 }
}

fn invalid(text: &[u8]) -> i32 {
    complain(
        "timeout",
        format!("invalid time interval '{}'", String::from_utf8_lossy(text)),
    );
    hardshell_cli::try_help("timeout");
    125
}

/// Waits for a child at most this long. The kernel has no timed wait, so the
/// pauses begin short and grow to a few milliseconds.
fn wait_for(child: &Child, limit: Duration) -> Option<i32> {
    let start = Instant::now();
    let mut pause = Duration::from_micros(200);
    loop {
        match hardshell_sys::try_wait(child.pid) {
            Ok(Some(exit)) => return Some(i32::from(exit.status)),
            Ok(None) => {}
            Err(_) => return Some(125),
        }
        let left = limit.checked_sub(start.elapsed())?;
        if left.is_zero() {
            return None;
        }
        std::thread::sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(5));
    }
}

pub fn time(name: &str, args: Vec<Vec<u8>>) -> i32 {
    let mut words: Vec<Vec<u8>> = args.into_iter().skip(1).collect();
    let mut portable = false;
    while let Some(word) = words.first() {
        match word.as_slice() {
            b"-p" => portable = true,
            b"--help" => {
                println!(
                    "Usage: time [-p] COMMAND [ARG]...\nRun COMMAND and print how long it took."
                );
                return 0;
            }
            w if w.len() > 1 && w.starts_with(b"-") => {}
            _ => break,
        }
        words.remove(0);
    }
    if words.is_empty() {
        complain(name, "missing command");
        return 125;
    }
    let start = Instant::now();
    let status = crate::env::run_command(name, &Spawn::new(words));
    let real = start.elapsed().as_secs_f64();
    let usage = hardshell_sys::rusage(true).ok();
    let seconds = |us: u64| us as f64 / 1e6;
    let (user, system) = usage.map_or((0.0, 0.0), |u| (seconds(u.user_us), seconds(u.sys_us)));
    if portable {
        eprintln!("real {real:.2}\nuser {user:.2}\nsys {system:.2}");
    } else {
        let cpu = if real > 0.0 {
            ((user + system) / real * 100.0).round()
        } else {
            0.0
        };
        eprintln!("{user:.2}user {system:.2}system 0:{real:05.2}elapsed {cpu}%CPU");
    }
    status
}
