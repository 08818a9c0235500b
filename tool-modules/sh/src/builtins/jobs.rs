//! `jobs`, `wait`, `kill`, `disown`, and the job control that there is none of.

use crate::os;
use crate::shell::{Ex, Shell};
use crate::strs::parse_int;
use std::rc::Rc;

/// Names of signals 1 to 31 without `SIG`.
pub(crate) const SIGNALS: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// Real-time signals, which have names but no use here.
fn name_of(n: u32) -> Option<String> {
    match n {
        1..=31 => SIGNALS.get(n as usize - 1).map(|s| (*s).to_string()),
        34 => Some("RTMIN".into()),
        64 => Some("RTMAX".into()),
        35..=49 => Some(format!("RTMIN+{}", n - 34)),
        50..=63 => Some(format!("RTMAX-{}", 64 - n)),
        _ => None,
    }
}

/// A signal by number or name.
pub(crate) fn signal(text: &[u8]) -> Option<u32> {
    if let Some(n) = parse_int(text) {
        return u32::try_from(n).ok().filter(|n| *n <= 64);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix(b"SIG").unwrap_or(&upper);
    (1..=64).find(|n| name_of(*n).is_some_and(|s| s.as_bytes() == name))
}

fn status_text(sh: &Shell, at: usize) -> (String, bool) {
    let Some(j) = sh.st.jobs.get(at) else {
        return (String::new(), true);
    };
    match j.status() {
        None => ("Running".into(), false),
        Some(0) => ("Done".into(), true),
        Some(s) if s > 128 && s < 160 && j.ended.len() == j.pids.len() => {
            let text = match s - 128 {
                1 => "Hangup".to_string(),
                2 => "Interrupt".to_string(),
                3 => "Quit".to_string(),
                6 => "Aborted".to_string(),
                9 => "Killed".to_string(),
                10 => "User defined signal 1".to_string(),
                11 => "Segmentation fault".to_string(),
                12 => "User defined signal 2".to_string(),
                13 => "Broken pipe".to_string(),
                14 => "Alarm clock".to_string(),
                15 => "Terminated".to_string(),
                _ => format!("Exit {s}"),
            };
            (text, true)
        }
        Some(s) => (format!("Exit {s}"), true),
    }
}

pub(super) fn jobs(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let p = match super::options(sh, args, "lnprsx", false) {
        Ok(p) => p,
        Err(s) => return Ok(s),
    };
    let has = |l: u8| p.opts.iter().any(|(o, ..)| *o == l);
    if has(b'x') {
        let rest = args.get(p.rest..).unwrap_or_default().to_vec();
        let Some(name) = rest.first().cloned() else {
            return Ok(0);
        };
        let Some(path) = sh.find_program(&name) else {
            return Ok(127);
        };
        let env = sh.environment();
        return sh.run_external(&path, &rest, &env);
    }
    sh.poll_jobs();
    if !sh.opt(crate::opts::INTERACTIVE) && !sh.opt(crate::opts::MONITOR) && !sh.st.foreign_jobs {
        // A script is not told of jobs that are over; their statuses stay for `wait`.
        let done: Vec<(u32, i32)> = sh
            .st
            .jobs
            .iter()
            .filter_map(|j| Some((*j.pids.last()?, j.status()?)))
            .collect();
        sh.reaped.extend(done);
        Rc::make_mut(&mut sh.st.jobs).retain(|j| j.status().is_none());
    }
    let mut chosen: Vec<usize> = (0..sh.st.jobs.len()).collect();
    let mut status = 0;
    let specs = args.get(p.rest..).unwrap_or_default();
    if !specs.is_empty() {
        chosen.clear();
        for s in specs {
            match find(sh, s) {
                Some(i) => chosen.push(i),
                None => {
                    sh.berr([s.as_slice(), b": no such job"].concat());
                    status = 1;
                }
            }
        }
    }
    let count = sh.st.jobs.len();
    let mut gone = Vec::new();
    for i in chosen {
        let (text, done) = status_text(sh, i);
        let Some(j) = sh.st.jobs.get(i).cloned() else {
            continue;
        };
        if done {
            gone.push(i);
        }
        if has(b'r') && done || has(b's') {
            continue;
        }
        if has(b'p') {
            if let Some(pid) = j.pids.first() {
                sh.say(format!("{pid}\n"));
            }
            continue;
        }
        let mark = if i + 1 == count {
            '+'
        } else if i + 2 == count {
            '-'
        } else {
            ' '
        };
        let amp: &[u8] = if done { b"" } else { b" &" };
        let pid = if has(b'l') {
            j.pids.first().map(|p| format!("{p} ")).unwrap_or_default()
        } else {
            " ".to_string()
        };
        sh.say(format!("[{}]{mark} {pid}{text:<24}", j.id));
        sh.say([j.text.as_slice(), amp, b"\n"].concat());
    }
    for i in gone.into_iter().rev() {
        sh.remove_job(i);
    }
    Ok(status)
}

fn find(sh: &Shell, spec: &[u8]) -> Option<usize> {
    if spec.starts_with(b"%") {
        return sh.find_job(spec);
    }
    let pid = parse_int(spec)?;
    sh.st
        .jobs
        .iter()
        .position(|j| j.pids.iter().any(|p| i64::from(*p) == pid))
}

pub(super) fn wait(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let p = match super::options(sh, args, "fnp:", false) {
        Ok(p) => p,
        Err(s) => return Ok(s),
    };
    let next = p.opts.iter().any(|(o, ..)| *o == b'n');
    let var = p
        .opts
        .iter()
        .find_map(|(o, _, a)| if *o == b'p' { a.clone() } else { None });
    if let Some(v) = &var {
        if !crate::strs::is_name(v) {
            sh.berr([b"`", v.as_slice(), b"': not a valid identifier"].concat());
            return Ok(1);
        }
        sh.unset(v);
    }
    if std::mem::take(&mut sh.st.foreign_jobs) {
        sh.st.jobs = Rc::default();
    }
    let ids = args.get(p.rest..).unwrap_or_default();
    if next {
        return wait_next(sh, ids, var);
    }
    let note = |sh: &mut Shell, pid: u32| {
        if let Some(v) = &var {
            let _ = sh.set(v, pid.to_string().into_bytes());
        }
    };
    if ids.is_empty() {
        let pids: Vec<u32> = sh.st.jobs.iter().flat_map(|j| j.pids.clone()).collect();
        for pid in pids {
            if let Err(sig) = sh.wait_job_pid(pid) {
                sh.run_pending_traps()?;
                return Ok(128 + sig as i32);
            }
        }
        sh.st.jobs = Rc::default();
        let strays = std::mem::take(&mut sh.strays);
        for pid in strays {
            sh.wait_pid(pid);
        }
        return Ok(0);
    }
    let mut status = 0;
    for id in ids {
        if id.starts_with(b"%") {
            let Some(at) = sh.find_job(id) else {
                sh.berr([id.as_slice(), b": no such job"].concat());
                status = 127;
                continue;
            };
            let pids = sh
                .st
                .jobs
                .get(at)
                .map(|j| j.pids.clone())
                .unwrap_or_default();
            for pid in &pids {
                match sh.wait_job_pid(*pid) {
                    Ok(s) => status = s,
                    Err(sig) => {
                        sh.run_pending_traps()?;
                        return Ok(128 + sig as i32);
                    }
                }
            }
            if let Some(pid) = pids.last() {
                note(sh, *pid);
            }
            sh.remove_job(at);
            continue;
        }
        let Some(pid) = parse_int(id).and_then(|n| u32::try_from(n).ok()) else {
            sh.berr([b"`", id.as_slice(), b"': not a pid or valid job spec"].concat());
            status = 1;
            continue;
        };
        let at = sh.st.jobs.iter().position(|j| j.pids.contains(&pid));
        let known = at.is_some() || sh.strays.contains(&pid) || sh.reaped.contains_key(&pid);
        if !known {
            sh.berr([b"pid ", id.as_slice(), b" is not a child of this shell"].concat());
            status = 127;
            continue;
        }
        match sh.wait_job_pid(pid) {
            Ok(s) => status = s,
            Err(sig) => {
                sh.run_pending_traps()?;
                return Ok(128 + sig as i32);
            }
        }
        sh.strays.retain(|p| *p != pid);
        note(sh, pid);
        if let Some(at) = at
            && sh.st.jobs.get(at).is_some_and(|j| j.status().is_some())
        {
            sh.reaped.insert(pid, status);
            sh.remove_job(at);
        }
    }
    Ok(status)
}

/// `wait -n`: whichever ends first.
fn wait_next(sh: &mut Shell, ids: &[Vec<u8>], var: Option<Vec<u8>>) -> Ex {
    loop {
        let candidates: Vec<usize> = if ids.is_empty() {
            (0..sh.st.jobs.len()).collect()
        } else {
            ids.iter().filter_map(|i| find(sh, i)).collect()
        };
        if candidates.is_empty() {
            return Ok(127);
        }
        sh.poll_jobs();
        for at in &candidates {
            if let Some(j) = sh.st.jobs.get(*at)
                && let Some(s) = j.status()
            {
                let pid = j.pids.last().copied().unwrap_or(0);
                if let Some(v) = &var {
                    let _ = sh.set(v, pid.to_string().into_bytes());
                }
                sh.remove_job(*at);
                return Ok(s);
            }
        }
        sh.drain_capture();
        match os::wait(None, true) {
            Ok(Some(e)) => sh.note_end(e),
            Ok(None) => {}
            Err(os::Errno::INTR) => {
                sh.collect_signals();
                if let Some(sig) = sh.trapped_pending() {
                    sh.run_pending_traps()?;
                    return Ok(128 + sig as i32);
                }
            }
            Err(_) => return Ok(127),
        }
    }
}

pub(super) fn kill(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let mut at = 1;
    let mut sig = 15;
    let bad = |sh: &mut Shell, name: &[u8]| {
        sh.berr([name, b": invalid signal specification"].concat());
        Ok(1)
    };
    match args.get(1).map(Vec::as_slice) {
        None => return Ok(sh.usage_error()),
        Some(b"-l" | b"-L") => return list(sh, args.get(2..).unwrap_or_default()),
        Some(b"-s" | b"-n") => {
            let Some(name) = args.get(2) else {
                sh.berr(
                    [
                        args.get(1).cloned().unwrap_or_default().as_slice(),
                        b": option requires an argument",
                    ]
                    .concat(),
                );
                return Ok(1);
            };
            match signal(name) {
                Some(n) => sig = n,
                None => return bad(sh, name),
            }
            at = 3;
        }
        Some(b"--") => at = 2,
        Some(a) if a.starts_with(b"-") && a.len() > 1 => {
            let name = a.get(1..).unwrap_or_default();
            match signal(name) {
                Some(n) => sig = n,
                None => return bad(sh, name),
            }
            at = 2;
        }
        _ => {}
    }
    if args.get(at).is_some_and(|a| a == b"--") {
        at += 1;
    }
    let targets = args.get(at..).unwrap_or_default();
    if targets.is_empty() {
        return Ok(sh.usage_error());
    }
    let mut status = 1;
    let mut any_failed = false;
    for t in targets {
        let pids: Vec<u32> = if t.starts_with(b"%") {
            match sh.find_job(t).and_then(|i| sh.st.jobs.get(i)) {
                Some(j) => j
                    .pids
                    .iter()
                    .filter(|p| !j.ended.contains_key(p))
                    .copied()
                    .collect(),
                None => {
                    sh.berr([t.as_slice(), b": no such job"].concat());
                    any_failed = true;
                    continue;
                }
            }
        } else {
            match parse_int(t) {
                Some(n) => vec![n.unsigned_abs() as u32],
                None => {
                    sh.berr([t.as_slice(), b": arguments must be process or job IDs"].concat());
                    any_failed = true;
                    continue;
                }
            }
        };
        for pid in pids {
            match send(sh, pid, sig) {
                Ok(None) => status = 0,
                Ok(Some(u)) => return Err(u),
                Err(e) => {
                    sh.berr([b"(", t.as_slice(), b") - ", e.text().as_bytes()].concat());
                    any_failed = true;
                }
            }
        }
    }
    let _ = any_failed;
    if sh.catching {
        sh.flush()?;
        sh.run_pending_traps()?;
    }
    Ok(if any_failed { 1 } else { status.min(0) })
}

/// Sends a signal. To a subshell that runs in this process it is played out here.
fn send(sh: &mut Shell, pid: u32, sig: u32) -> Result<Option<crate::shell::Unwind>, os::Errno> {
    if sh.st.fake_pid == Some(pid) {
        if sig == 0 || sh.ignores(sig) {
            return Ok(None);
        }
        if sh.st.traps.get(&sig).is_some() {
            sh.pending.push(sig);
            sh.catching = true;
            return Ok(None);
        }
        if matches!(sig, 17 | 18 | 23 | 28) {
            return Ok(None);
        }
        Rc::make_mut(&mut sh.st.traps).remove(&0);
        sh.st.status = 128 + sig as i32;
        return Ok(Some(crate::shell::Unwind::Exit));
    }
    os::kill(pid, sig)?;
    Ok(None)
}

fn list(sh: &mut Shell, names: &[Vec<u8>]) -> Ex {
    if names.is_empty() {
        let all: Vec<u32> = (1..=31).chain(34..=64).collect();
        let mut out = String::new();
        for (i, n) in all.iter().enumerate() {
            let name = name_of(*n).unwrap_or_default();
            let last = i + 1 == all.len();
            out.push_str(&format!("{n:2}) SIG{name}"));
            out.push(if i % 5 == 4 || last { '\n' } else { '\t' });
        }
        sh.say(out);
        return Ok(0);
    }
    let mut status = 0;
    for n in names {
        let shown = match parse_int(n) {
            Some(v) => {
                let v = if v > 128 { v - 128 } else { v };
                u32::try_from(v).ok().and_then(|v| {
                    if v == 0 {
                        Some("EXIT".to_string())
                    } else {
                        name_of(v)
                    }
                })
            }
            None if n.eq_ignore_ascii_case(b"EXIT") => Some("0".to_string()),
            None => signal(n).map(|v| v.to_string()),
        };
        match shown {
            Some(t) => sh.say(format!("{t}\n")),
            None => {
                sh.berr([n.as_slice(), b": invalid signal specification"].concat());
                status = 1;
            }
        }
    }
    Ok(status)
}

pub(super) fn disown(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let p = match super::options(sh, args, "har", false) {
        Ok(p) => p,
        Err(s) => return Ok(s),
    };
    let has = |l: u8| p.opts.iter().any(|(o, ..)| *o == l);
    let specs = args.get(p.rest..).unwrap_or_default();
    if specs.is_empty() && (has(b'a') || has(b'r')) {
        sh.poll_jobs();
        if !has(b'h') {
            Rc::make_mut(&mut sh.st.jobs).retain(|j| has(b'r') && j.status().is_some());
        }
        return Ok(0);
    }
    let specs = if specs.is_empty() {
        vec![b"%+".to_vec()]
    } else {
        specs.to_vec()
    };
    let mut status = 0;
    for s in specs {
        match find(sh, &s) {
            Some(i) if !has(b'h') => sh.remove_job(i),
            Some(_) => {}
            None => {
                let shown: &[u8] = if s == b"%+" { b"current" } else { &s };
                sh.berr([shown, b": no such job"].concat());
                status = 1;
            }
        }
    }
    Ok(status)
}

pub(super) fn fg(sh: &mut Shell, _args: &[Vec<u8>]) -> Ex {
    if !sh.opt(crate::opts::MONITOR) {
        sh.berr("no job control");
        return Ok(1);
    }
    let spec = _args.get(1).cloned().unwrap_or_else(|| b"%+".to_vec());
    let Some(at) = find(sh, &spec) else {
        let shown: &[u8] = if spec == b"%+" { b"current" } else { &spec };
        sh.berr([shown, b": no such job"].concat());
        return Ok(1);
    };
    let Some(j) = sh.st.jobs.get(at).cloned() else {
        return Ok(1);
    };
    sh.say([j.text.as_slice(), b"\n"].concat());
    sh.flush()?;
    let mut status = 0;
    for pid in j.pids {
        status = sh.wait_job_pid(pid).unwrap_or(127);
    }
    if let Some(at) = find(sh, &spec) {
        sh.remove_job(at);
    }
    Ok(status)
}

pub(super) fn bg(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    if !sh.opt(crate::opts::MONITOR) {
        sh.berr("no job control");
        return Ok(1);
    }
    let spec = args.get(1).cloned().unwrap_or_else(|| b"%+".to_vec());
    match find(sh, &spec)
        .and_then(|i| sh.st.jobs.get(i))
        .map(|j| j.id)
    {
        Some(id) => {
            sh.berr(format!("job {id} already in background"));
            Ok(0)
        }
        None => {
            let shown: &[u8] = if spec == b"%+" { b"current" } else { &spec };
            sh.berr([shown, b": no such job"].concat());
            Ok(1)
        }
    }
}

pub(super) fn suspend(sh: &mut Shell, _: &[Vec<u8>]) -> Ex {
    sh.berr("cannot suspend: no job control");
    Ok(1)
}
