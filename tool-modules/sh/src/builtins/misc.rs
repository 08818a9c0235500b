//! `let`, `shift`, `umask`, `ulimit`, `times`, `caller`, `history`, `fc`, `bind`.

use crate::opts;
use crate::os;
use crate::shell::{Ex, Shell};
use crate::strs::parse_int;
use std::rc::Rc;

pub(super) fn let_(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let skip = if args.get(1).is_some_and(|a| a == b"--") {
        2
    } else {
        1
    };
    if args.len() <= skip {
        sh.berr("expression expected");
        return Ok(1);
    }
    let mut value = 0;
    for a in args.iter().skip(skip) {
        match sh.arith_str(a, "let: ") {
            Ok(n) => value = n,
            Err(()) => {
                return match sh.arith_unwind.take() {
                    Some(u) => Err(u),
                    None => Ok(1),
                };
            }
        }
    }
    Ok(i32::from(value == 0))
}

pub(super) fn shift(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let skip = if args.get(1).is_some_and(|a| a == b"--") {
        2
    } else {
        1
    };
    let n = match args.get(skip) {
        None => 1,
        Some(a) => match parse_int(a) {
            Some(n) => n,
            None => {
                sh.berr([a.as_slice(), b": numeric argument required"].concat());
                return Ok(1);
            }
        },
    };
    if args.len() > skip + 1 {
        sh.berr("too many arguments");
        return Ok(1);
    }
    let Some(n) = usize::try_from(n).ok() else {
        let a = args.get(skip).cloned().unwrap_or_default();
        sh.berr([a.as_slice(), b": shift count out of range"].concat());
        return Ok(1);
    };
    if n > sh.st.args.len() {
        if sh.shopt(opts::SHIFT_VERBOSE) {
            sh.berr(format!("{n}: shift count out of range"));
        }
        return Ok(1);
    }
    Rc::make_mut(&mut sh.st.args).drain(..n);
    Ok(0)
}

pub(super) fn umask(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let p = match super::options(sh, args, "pS", false) {
        Ok(p) => p,
        Err(s) => return Ok(s),
    };
    let has = |l: u8| p.opts.iter().any(|(o, ..)| *o == l);
    let symbolic = |m: u32| {
        let part = |bits: u32| {
            let allowed = !bits & 7;
            let mut s = String::new();
            for (bit, c) in [(4, 'r'), (2, 'w'), (1, 'x')] {
                if allowed & bit != 0 {
                    s.push(c);
                }
            }
            s
        };
        format!("u={},g={},o={}", part(m >> 6), part(m >> 3), part(m))
    };
    let now = os::umask(None);
    let Some(arg) = args.get(p.rest) else {
        let text = if has(b'S') {
            symbolic(now)
        } else {
            format!("{now:04o}")
        };
        let lead = match (has(b'p'), has(b'S')) {
            (true, true) => "umask -S ",
            (true, false) => "umask ",
            _ => "",
        };
        sh.say(format!("{lead}{text}\n"));
        return Ok(0);
    };
    let new = if arg.first().is_some_and(u8::is_ascii_digit) {
        match std::str::from_utf8(arg)
            .ok()
            .and_then(|s| u32::from_str_radix(s, 8).ok())
            .filter(|m| *m <= 0o777)
        {
            Some(m) => m,
            None => {
                sh.berr([arg.as_slice(), b": octal number out of range"].concat());
                return Ok(1);
            }
        }
    } else {
        match symbolic_mask(arg, now) {
            Ok(m) => m,
            Err(c) => {
                sh.berr(format!("`{}': invalid symbolic mode operator", c as char));
                return Ok(1);
            }
        }
    };
    if sh.mask_changed.is_none() {
        sh.mask_changed = Some(now);
    }
    os::umask(Some(new));
    if has(b'S') {
        sh.say(format!("{}\n", symbolic(new)));
    }
    Ok(0)
}

fn symbolic_mask(text: &[u8], now: u32) -> Result<u32, u8> {
    let mut allowed = !now & 0o777;
    for clause in text.split(|b| *b == b',') {
        let mut who = 0;
        let mut i = 0;
        while let Some(c) = clause.get(i) {
            who |= match c {
                b'u' => 0o700,
                b'g' => 0o070,
                b'o' => 0o007,
                b'a' => 0o777,
                _ => break,
            };
            i += 1;
        }
        if who == 0 {
            who = 0o777;
        }
        while let Some(op) = clause.get(i) {
            if !matches!(op, b'+' | b'-' | b'=') {
                return Err(*op);
            }
            i += 1;
            let mut bits = 0;
            while let Some(c) = clause.get(i) {
                bits |= match c {
                    b'r' => 0o444,
                    b'w' => 0o222,
                    b'x' | b'X' => 0o111,
                    _ => break,
                };
                i += 1;
            }
            match op {
                b'+' => allowed |= bits & who,
                b'-' => allowed &= !(bits & who),
                _ => allowed = (allowed & !who) | (bits & who),
            }
        }
    }
    Ok(!allowed & 0o777)
}

pub(super) fn ulimit(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let p = match super::options(sh, args, "SHabcdefiklmnpqrstuvxPRT", false) {
        Ok(p) => p,
        Err(s) => return Ok(s),
    };
    let [memory, cpu, files, size, pipe, processes] = os::limits();
    let unlimited = u64::MAX;
    let kib = |n: u64| if n == unlimited { n } else { n / 1024 };
    let table: [(u8, &str, &str, u64); 17] = [
        (
            b'R',
            "real-time non-blocking time",
            "(microseconds, -R)",
            unlimited,
        ),
        (b'c', "core file size", "(blocks, -c)", 0),
        (b'd', "data seg size", "(kbytes, -d)", kib(memory)),
        (b'e', "scheduling priority", "(-e)", 0),
        (b'f', "file size", "(blocks, -f)", kib(size)),
        (b'i', "pending signals", "(-i)", unlimited),
        (b'l', "max locked memory", "(kbytes, -l)", 0),
        (b'm', "max memory size", "(kbytes, -m)", kib(memory)),
        (b'n', "open files", "(-n)", files),
        (
            b'p',
            "pipe size",
            "(512 bytes, -p)",
            if pipe == unlimited { 8 } else { pipe / 512 },
        ),
        (b'q', "POSIX message queues", "(bytes, -q)", 0),
        (b'r', "real-time priority", "(-r)", 0),
        (b's', "stack size", "(kbytes, -s)", 8192),
        (
            b't',
            "cpu time",
            "(seconds, -t)",
            if cpu == unlimited {
                cpu
            } else {
                cpu / 1_000_000_000
            },
        ),
        (b'u', "max user processes", "(-u)", processes),
        (b'v', "virtual memory", "(kbytes, -v)", kib(memory)),
        (b'x', "file locks", "(-x)", unlimited),
    ];
    let show = |n: u64| {
        if n == unlimited {
            "unlimited".to_string()
        } else {
            n.to_string()
        }
    };
    let letters: Vec<u8> = p
        .opts
        .iter()
        .map(|(l, ..)| *l)
        .filter(|l| !matches!(l, b'S' | b'H'))
        .collect();
    if letters.contains(&b'a') {
        for (_, name, unit, value) in table {
            sh.say(format!("{name:<24}{unit:>20} {}\n", show(value)));
        }
        return Ok(0);
    }
    let letter = letters.last().copied().unwrap_or(b'f');
    let Some((_, name, unit, value)) = table.iter().find(|(l, ..)| *l == letter) else {
        sh.berr([&[b'-', letter][..], b": not a limit of the sandbox"].concat());
        return Ok(1);
    };
    let Some(arg) = args.get(p.rest) else {
        if letters.len() > 1 {
            for l in &letters {
                if let Some((_, name, unit, value)) = table.iter().find(|(t, ..)| t == l) {
                    sh.say(format!("{name:<24}{unit:>20} {}\n", show(*value)));
                }
            }
        } else {
            sh.say(format!("{}\n", show(*value)));
        }
        return Ok(0);
    };
    // The sandbox sets the limits; asking for what is in force changes nothing.
    let same = arg == b"hard" || arg == b"soft" || show(*value).as_bytes() == arg.as_slice();
    if same {
        return Ok(0);
    }
    if arg != b"unlimited" && parse_int(arg).is_none() {
        sh.berr([arg.as_slice(), b": invalid number"].concat());
        return Ok(1);
    }
    let _ = unit;
    sh.berr(format!(
        "{name}: cannot modify limit: the sandbox sets the limits"
    ));
    Ok(1)
}

pub(super) fn times(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    if let Some(a) = args.get(1)
        && let Some(l) = a.strip_prefix(b"-").and_then(|l| l.first())
        && *l != b'-'
    {
        return Ok(sh.bad_option(*l, b'-'));
    }
    let (own, kids) = os::cpu();
    let t = |us: u64| {
        format!(
            "{}m{}.{:03}s",
            us / 60_000_000,
            us / 1_000_000 % 60,
            us / 1000 % 1000
        )
    };
    sh.say(format!(
        "{} {}\n{} {}\n",
        t(own.0),
        t(own.1),
        t(kids.0),
        t(kids.1)
    ));
    Ok(0)
}

pub(super) fn caller(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let skip = if args.get(1).is_some_and(|a| a == b"--") {
        2
    } else {
        1
    };
    let n = match args.get(skip) {
        None => None,
        Some(a) => match parse_int(a) {
            Some(n) => Some(n),
            None => {
                if let Some([b'-', l, ..]) = Some(a.as_slice()) {
                    return Ok(sh.bad_option(*l, b'-'));
                }
                sh.berr([a.as_slice(), b": invalid number"].concat());
                return Ok(sh.usage_error());
            }
        },
    };
    let frames = &sh.st.frames;
    let depth = frames.len();
    let i = n.unwrap_or(0);
    let Some(at) = usize::try_from(i)
        .ok()
        .and_then(|i| depth.checked_sub(i + 1))
    else {
        return Ok(1);
    };
    let Some(frame) = frames.get(at) else {
        return Ok(1);
    };
    let line = frame.line;
    let (source, name) = match at.checked_sub(1).and_then(|i| frames.get(i)) {
        Some(outer) => (outer.source.to_vec(), outer.name.to_vec()),
        None => match sh.mode {
            crate::shell::Mode::Script => (sh.st.arg0.to_vec(), b"main".to_vec()),
            crate::shell::Mode::Stdin | crate::shell::Mode::Command => {
                if n.is_some() {
                    return Ok(1);
                }
                (b"NULL".to_vec(), b"main".to_vec())
            }
        },
    };
    match n {
        None => sh.say([format!("{line} ").as_bytes(), &source, b"\n"].concat()),
        Some(_) => sh.say([format!("{line} ").as_bytes(), &name, b" ", &source, b"\n"].concat()),
    }
    Ok(0)
}

pub(super) fn history(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let p = match super::options(sh, args, "cd:anrwps", false) {
        Ok(p) => p,
        Err(s) => return Ok(s),
    };
    let has = |l: u8| p.opts.iter().any(|(o, ..)| *o == l);
    let rest = args.get(p.rest..).unwrap_or_default();
    if has(b'c') {
        sh.st.history = Rc::default();
        return Ok(0);
    }
    if let Some((_, _, Some(off))) = p.opts.iter().find(|(o, ..)| *o == b'd') {
        let len = sh.st.history.len() as i64;
        let n = parse_int(off).map(|n| if n < 0 { len + n + 1 } else { n });
        match n.filter(|n| (1..=len).contains(n)) {
            Some(n) => {
                Rc::make_mut(&mut sh.st.history).remove(n as usize - 1);
            }
            None => {
                sh.berr([off.as_slice(), b": history position out of range"].concat());
                return Ok(1);
            }
        }
        return Ok(0);
    }
    if has(b's') {
        let line = rest.join(&b' ');
        Rc::make_mut(&mut sh.st.history).push(line);
        return Ok(0);
    }
    if has(b'p') {
        for r in rest {
            sh.say([r.as_slice(), b"\n"].concat());
        }
        return Ok(0);
    }
    if has(b'a') || has(b'n') || has(b'r') || has(b'w') {
        return history_file(sh, &p.opts, rest);
    }
    let total = sh.st.history.len();
    let show = match rest.first() {
        None => total,
        Some(a) => match parse_int(a).and_then(|n| usize::try_from(n).ok()) {
            Some(n) => n.min(total),
            None => {
                sh.berr([a.as_slice(), b": numeric argument required"].concat());
                return Ok(1);
            }
        },
    };
    let list = sh.st.history.clone();
    for (i, line) in list.iter().enumerate().skip(total - show) {
        sh.say([format!("{:5}  ", i + 1).as_bytes(), line, b"\n"].concat());
    }
    Ok(0)
}

fn history_file(sh: &mut Shell, opts: &[(u8, bool, Option<Vec<u8>>)], rest: &[Vec<u8>]) -> Ex {
    let has = |l: u8| opts.iter().any(|(o, ..)| *o == l);
    let file = match rest.first() {
        Some(f) => f.clone(),
        None => match sh.get(b"HISTFILE") {
            Some(f) => f.to_vec(),
            None => return Ok(0),
        },
    };
    if has(b'r') || has(b'n') {
        return match crate::invoke::read_file(&file) {
            Ok(text) => {
                let list = Rc::make_mut(&mut sh.st.history);
                list.extend(
                    text.split(|b| *b == b'\n')
                        .filter(|l| !l.is_empty())
                        .map(<[u8]>::to_vec),
                );
                Ok(0)
            }
            Err(e) => {
                sh.berr([file.as_slice(), b": ", e.text().as_bytes()].concat());
                Ok(1)
            }
        };
    }
    let how = os::OpenHow {
        write: true,
        create: true,
        append: has(b'a'),
        truncate: !has(b'a'),
        ..os::OpenHow::default()
    };
    let mut text = Vec::new();
    for l in sh.st.history.iter() {
        text.extend_from_slice(l);
        text.push(b'\n');
    }
    match os::open(&file, how, 0o600) {
        Ok(fd) => {
            let _ = crate::shell::write_all(fd, &text);
            os::close(fd);
            Ok(0)
        }
        Err(e) => {
            sh.berr([file.as_slice(), b": ", e.text().as_bytes()].concat());
            Ok(1)
        }
    }
}

pub(super) fn fc(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    // Numbers such as -3 are positions, not options.
    let mut at = 1;
    let (mut list, mut plain, mut reverse, mut again) = (false, false, false, false);
    while let Some(a) = args.get(at) {
        let Some(l) = a
            .strip_prefix(b"-")
            .filter(|l| !l.is_empty() && !l.iter().all(u8::is_ascii_digit))
        else {
            break;
        };
        at += 1;
        if l == b"-" {
            break;
        }
        for c in l {
            match c {
                b'l' => list = true,
                b'n' => plain = true,
                b'r' => reverse = true,
                b's' => again = true,
                b'e' => {
                    sh.berr("there is no editor in the sandbox: use -l or -s");
                    return Ok(1);
                }
                _ => return Ok(sh.bad_option(*c, b'-')),
            }
        }
    }
    let rest = args.get(at..).unwrap_or_default().to_vec();
    let hist = sh.st.history.clone();
    let find = |spec: &[u8]| -> Option<usize> {
        if let Some(n) = parse_int(spec) {
            let i = if n <= 0 { hist.len() as i64 + n } else { n - 1 };
            return usize::try_from(i).ok().filter(|i| *i < hist.len());
        }
        hist.iter().rposition(|l| l.starts_with(spec))
    };
    if hist.is_empty() {
        sh.berr("history specification out of range");
        return Ok(1);
    }
    if again {
        let mut rest = rest.as_slice();
        let mut change = None;
        if let Some(a) = rest.first()
            && let Some(eq) = a.iter().position(|b| *b == b'=')
        {
            change = Some((
                a.get(..eq).unwrap_or_default().to_vec(),
                a.get(eq + 1..).unwrap_or_default().to_vec(),
            ));
            rest = rest.get(1..).unwrap_or_default();
        }
        let at = match rest.first() {
            Some(s) => find(s),
            None => hist.len().checked_sub(1),
        };
        let Some(mut line) = at.and_then(|i| hist.get(i).cloned()) else {
            sh.berr("no command found");
            return Ok(1);
        };
        if let Some((from, to)) = change
            && !from.is_empty()
            && let Some(i) = line.windows(from.len()).position(|w| w == from)
        {
            line.splice(i..i + from.len(), to);
        }
        sh.write_err(&[line.as_slice(), b"\n"].concat());
        return sh.eval_text(&line, Some("eval"));
    }
    if !list {
        sh.berr("there is no editor in the sandbox: use -l or -s");
        return Ok(1);
    }
    let last = hist.len() - 1;
    let first = match rest.first() {
        Some(s) => find(s),
        None => Some(last.saturating_sub(15)),
    };
    let until = match rest.get(1) {
        Some(s) => find(s),
        None => Some(last),
    };
    let (Some(a), Some(b)) = (first, until) else {
        sh.berr("history specification out of range");
        return Ok(1);
    };
    let mut lines: Vec<usize> = (a.min(b)..=a.max(b)).collect();
    if (a > b) != reverse {
        lines.reverse();
    }
    for i in lines {
        let line = hist.get(i).cloned().unwrap_or_default();
        if plain {
            sh.say([b"\t ", line.as_slice(), b"\n"].concat());
        } else {
            sh.say([format!("{}\t ", i + 1).as_bytes(), &line, b"\n"].concat());
        }
    }
    Ok(0)
}

pub(super) fn bind(sh: &mut Shell, _: &[Vec<u8>]) -> Ex {
    sh.berr("warning: line editing not enabled");
    Ok(0)
}
