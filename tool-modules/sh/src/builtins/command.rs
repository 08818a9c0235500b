//! `command`, `builtin`, `type`, `hash`, `enable`, `exec`, `eval`, `source`.

use super::KEYWORDS;
use crate::opts;
use crate::os;
use crate::shell::{Ex, Shell, Unwind};
use std::rc::Rc;

pub(super) fn eval(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let skip = if args.get(1).is_some_and(|a| a == b"--") {
        2
    } else {
        1
    };
    if let Some([b'-', l, ..]) = args.get(1).map(Vec::as_slice)
        && skip == 1
    {
        return Ok(sh.bad_option(*l, b'-'));
    }
    let text = args.get(skip..).unwrap_or_default().join(&b' ');
    if text.is_empty() {
        return Ok(0);
    }
    sh.trace_level += 1;
    let line = sh.line;
    let r = sh.eval_text(&text, Some("eval"));
    sh.line = line;
    sh.trace_level -= 1;
    r
}

pub(super) fn source(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let mut at = 1;
    if args.get(1).is_some_and(|a| a == b"--") {
        at = 2;
    } else if let Some([b'-', l, ..]) = args.get(1).map(Vec::as_slice) {
        return Ok(sh.bad_option(*l, b'-'));
    }
    let Some(name) = args.get(at).cloned() else {
        sh.berr("filename argument required");
        return Ok(sh.usage_error());
    };
    let mut path = name.clone();
    if !name.contains(&b'/') && sh.shopt(opts::SOURCEPATH) {
        let dirs = sh.get_or_empty(b"PATH");
        for dir in dirs.split(|b| *b == b':') {
            let full = [if dir.is_empty() { b"." } else { dir }, b"/", &name].concat();
            if os::stat(&full).is_ok_and(|s| s.is_file()) {
                path = full;
                break;
            }
        }
    }
    let st = os::stat(&path);
    if st.as_ref().is_ok_and(|s| s.is_dir()) {
        sh.berr([name.as_slice(), b": is a directory"].concat());
        return Ok(1);
    }
    let text = match own_file(sh, &path) {
        Ok(t) => t,
        Err(e) => {
            if sh.opt(opts::POSIX) {
                sh.berr([name.as_slice(), b": file not found"].concat());
                sh.st.status = 1;
                return Err(Unwind::Exit);
            }
            sh.error([name.as_slice(), b": ", e.text().as_bytes()].concat());
            return Ok(1);
        }
    };
    let extra = args
        .get(at + 1..)
        .filter(|a| !a.is_empty())
        .map(<[Vec<u8>]>::to_vec);
    sh.source(&path, &text, extra)
}

/// A file; `/dev/fd/N` and `/dev/stdin` are the shell's own descriptors.
fn own_file(sh: &mut Shell, path: &[u8]) -> os::Res<Vec<u8>> {
    if path.starts_with(b"/dev/")
        && let Some(t) = sh.open_path(
            path,
            os::OpenHow {
                read: true,
                ..os::OpenHow::default()
            },
            false,
        )
        && let crate::fds::Target::Kernel(k) = &t
    {
        let c = Shell::capture();
        crate::exec::spawn::read_all(k.0, &c);
        return Ok(std::mem::take(&mut *c.data.borrow_mut()));
    }
    crate::invoke::read_file(path)
}

pub(super) fn builtin(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let skip = if args.get(1).is_some_and(|a| a == b"--") {
        2
    } else {
        1
    };
    let Some(name) = args.get(skip) else {
        return Ok(0);
    };
    match sh.builtin(name) {
        Some(b) => {
            shift_arrays(sh, skip);
            sh.run_builtin(b, args.get(skip..).unwrap_or_default())
        }
        None => {
            sh.berr([name.as_slice(), b": not a shell builtin"].concat());
            Ok(1)
        }
    }
}

/// `command declare a=( … )`: the positions count from the inner name.
fn shift_arrays(sh: &mut Shell, by: usize) {
    for (at, _) in &mut sh.array_args {
        *at = at.saturating_sub(by);
    }
}

pub(super) fn command(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let p = match super::options(sh, args, "pVv", false) {
        Ok(p) => p,
        Err(s) => return Ok(s),
    };
    let mode = p
        .opts
        .iter()
        .rev()
        .find(|(l, ..)| *l != b'p')
        .map(|(l, ..)| *l);
    if let Some(mode) = mode {
        let mut status = 1;
        for name in args.iter().skip(p.rest) {
            if describe(
                sh,
                name,
                if mode == b'v' { How::Short } else { How::Long },
                false,
                false,
            ) {
                status = 0;
            } else if mode == b'V' {
                sh.berr([name.as_slice(), b": not found"].concat());
            }
        }
        return Ok(status);
    }
    let rest = args.get(p.rest..).unwrap_or_default();
    let Some(name) = rest.first() else {
        return Ok(0);
    };
    if let Some(b) = sh.builtin(name) {
        shift_arrays(sh, p.rest);
        return sh.run_builtin(b, rest);
    }
    let default_path = p.opts.iter().any(|(l, ..)| *l == b'p');
    let path = if name.contains(&b'/') {
        Some(name.clone())
    } else if default_path {
        let old = sh.raw_var(b"PATH").cloned();
        sh.put(
            b"PATH",
            crate::vars::Var::text(crate::DEFAULT_PATH.as_bytes().to_vec()),
        );
        let found = sh.search_path(name, true).into_iter().next();
        match old {
            Some(v) => sh.put(b"PATH", v),
            None => sh.unset(b"PATH"),
        }
        found
    } else {
        sh.find_program(name)
    };
    match path {
        Some(path) => {
            let env = sh.environment();
            sh.run_external(&path, rest, &env)
        }
        None => {
            sh.error([name.as_slice(), b": command not found"].concat());
            Ok(127)
        }
    }
}

/// How `type` and `command` tell what a name is.
#[derive(Clone, Copy, PartialEq)]
enum How {
    /// `type`, `command -V`
    Long,
    /// `command -v`
    Short,
    /// `type -t`
    Kind,
    /// `type -p`
    Path,
    /// `type -P`
    ForcePath,
}

fn describe(sh: &mut Shell, name: &[u8], how: How, all: bool, skip_functions: bool) -> bool {
    let mut found = false;
    let text = |t: &[u8]| [t, b"\n"].concat();
    if how != How::ForcePath {
        if let Some(value) = sh.st.aliases.get(name).cloned() {
            found = true;
            match how {
                How::Long => sh.say([name, b" is aliased to `", &value, b"'\n"].concat()),
                How::Short => sh.say(
                    [
                        b"alias ",
                        name,
                        b"=",
                        &crate::strs::single_quote(&value),
                        b"\n",
                    ]
                    .concat(),
                ),
                How::Kind => sh.say("alias\n"),
                _ => {}
            }
            if !all {
                return true;
            }
        }
        if KEYWORDS.iter().any(|k| k.as_bytes() == name) {
            found = true;
            match how {
                How::Long => sh.say([name, b" is a shell keyword\n"].concat()),
                How::Short => sh.say(text(name)),
                How::Kind => sh.say("keyword\n"),
                _ => {}
            }
            if !all {
                return true;
            }
        }
        if !skip_functions && let Some((def, _)) = sh.st.funcs.get(name) {
            let def = def.clone();
            found = true;
            match how {
                How::Long => {
                    let body = crate::print::function(&def);
                    sh.say([name, b" is a function\n", &body, b"\n"].concat());
                }
                How::Short => sh.say(text(name)),
                How::Kind => sh.say("function\n"),
                _ => {}
            }
            if !all {
                return true;
            }
        }
        if let Some(b) = sh.builtin(name) {
            found = true;
            match how {
                How::Long if b.special && sh.opt(opts::POSIX) => {
                    sh.say([name, b" is a special shell builtin\n"].concat())
                }
                How::Long => sh.say([name, b" is a shell builtin\n"].concat()),
                How::Short => sh.say(text(name)),
                How::Kind => sh.say("builtin\n"),
                _ => {}
            }
            if !all {
                return true;
            }
        }
    }
    let hashed = sh
        .st
        .hash
        .get(name)
        .map(|(p, _)| p.clone())
        .filter(|_| !all);
    let paths = if name.contains(&b'/') {
        if os::stat(name).is_ok_and(|s| !s.is_dir() && os::access(&s, 1)) {
            vec![name.to_vec()]
        } else {
            Vec::new()
        }
    } else if let Some(p) = &hashed {
        vec![p.clone()]
    } else {
        let mut found = sh.search_path(name, !all);
        found.retain(|p| os::stat(p).is_ok_and(|s| os::access(&s, 1)));
        found
    };
    for p in paths {
        found = true;
        match how {
            How::Long if hashed.is_some() => sh.say([name, b" is hashed (", &p, b")\n"].concat()),
            How::Long => sh.say([name, b" is ", &p, b"\n"].concat()),
            How::Kind => sh.say("file\n"),
            _ => sh.say(text(&p)),
        }
        if !all {
            break;
        }
    }
    found
}

pub(super) fn type_(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let p = match super::options(sh, args, "afptP", false) {
        Ok(p) => p,
        Err(s) => return Ok(s),
    };
    let has = |l: u8| p.opts.iter().any(|(o, ..)| *o == l);
    let how = if has(b'P') {
        How::ForcePath
    } else if has(b'p') {
        How::Path
    } else if has(b't') {
        How::Kind
    } else {
        How::Long
    };
    let (all, nofunc) = (has(b'a'), has(b'f'));
    let mut status = 0;
    for name in args.iter().skip(p.rest) {
        if !describe(sh, name, how, all, nofunc) {
            if how == How::Long {
                sh.berr([name.as_slice(), b": not found"].concat());
            }
            status = 1;
        }
    }
    Ok(status)
}

pub(super) fn hash(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let p = match super::options(sh, args, "lrp:dt", false) {
        Ok(p) => p,
        Err(s) => return Ok(s),
    };
    let has = |l: u8| p.opts.iter().any(|(o, ..)| *o == l);
    let names = args.get(p.rest..).unwrap_or_default();
    if has(b'r') {
        sh.st.hash = Rc::default();
        if names.is_empty() {
            return Ok(0);
        }
    }
    if let Some((_, _, Some(path))) = p.opts.iter().find(|(o, ..)| *o == b'p') {
        for n in names {
            Rc::make_mut(&mut sh.st.hash).insert(n.clone(), (path.clone(), 0));
        }
        return Ok(0);
    }
    if names.is_empty() {
        if has(b't') {
            sh.berr("-t: option requires an argument");
            return Ok(1);
        }
        if sh.st.hash.is_empty() {
            if !has(b'l') {
                sh.say("hash: hash table empty\n");
            }
            return Ok(0);
        }
        let table = sh.st.hash.clone();
        if !has(b'l') {
            sh.say("hits\tcommand\n");
        }
        for (n, (path, hits)) in table.iter() {
            if has(b'l') {
                sh.say([b"builtin hash -p ", path.as_slice(), b" ", n, b"\n"].concat());
            } else {
                sh.say([format!("{hits:4}\t").as_bytes(), path, b"\n"].concat());
            }
        }
        return Ok(0);
    }
    let mut status = 0;
    for n in names {
        if has(b'd') {
            if Rc::make_mut(&mut sh.st.hash).remove(n).is_none() {
                sh.berr([n.as_slice(), b": not found"].concat());
                status = 1;
            }
            continue;
        }
        if has(b't') {
            match sh.st.hash.get(n).map(|(p, _)| p.clone()) {
                Some(path) if has(b'l') => {
                    sh.say([b"builtin hash -p ", path.as_slice(), b" ", n, b"\n"].concat())
                }
                Some(path) => {
                    if names.len() > 1 {
                        sh.say([n.as_slice(), b"\t"].concat());
                    }
                    sh.say([path.as_slice(), b"\n"].concat());
                }
                None => {
                    sh.berr([n.as_slice(), b": not found"].concat());
                    status = 1;
                }
            }
            continue;
        }
        if n.contains(&b'/') || sh.builtin(n).is_some() || sh.st.funcs.contains_key(n.as_slice()) {
            continue;
        }
        Rc::make_mut(&mut sh.st.hash).remove(n);
        match sh.search_path(n, true).into_iter().next() {
            Some(path) => {
                Rc::make_mut(&mut sh.st.hash).insert(n.clone(), (path, 0));
            }
            None => {
                sh.berr([n.as_slice(), b": not found"].concat());
                status = 1;
            }
        }
    }
    Ok(status)
}

pub(super) fn enable(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let p = match super::options(sh, args, "adnpsf:", false) {
        Ok(p) => p,
        Err(s) => return Ok(s),
    };
    let has = |l: u8| p.opts.iter().any(|(o, ..)| *o == l);
    if has(b'f') || has(b'd') {
        sh.berr("loading builtins from files is not supported here");
        return Ok(1);
    }
    let names = args.get(p.rest..).unwrap_or_default();
    if names.is_empty() || has(b'p') {
        for b in super::TABLE {
            let off = sh.st.disabled.iter().any(|d| d == b.name.as_bytes());
            if has(b's') && !b.special {
                continue;
            }
            if off && (has(b'a') || has(b'n')) {
                sh.say(format!("enable -n {}\n", b.name));
            } else if !off && !has(b'n') {
                sh.say(format!("enable {}\n", b.name));
            }
        }
        return Ok(0);
    }
    let mut status = 0;
    for n in names {
        if super::find(n).is_none() {
            sh.berr([n.as_slice(), b": not a shell builtin"].concat());
            status = 1;
            continue;
        }
        let list = Rc::make_mut(&mut sh.st.disabled);
        list.retain(|d| d != n);
        if has(b'n') {
            list.push(n.clone());
        }
    }
    Ok(status)
}

pub(super) fn exec(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let p = match super::options(sh, args, "cla:", false) {
        Ok(p) => p,
        Err(s) => return Ok(s),
    };
    let mut rest = args.get(p.rest..).unwrap_or_default().to_vec();
    let Some(name) = rest.first().cloned() else {
        sh.exec_redirects = true;
        return Ok(0);
    };
    let has = |l: u8| p.opts.iter().any(|(o, ..)| *o == l);
    let path = if name.contains(&b'/') {
        Some(name.clone())
    } else {
        sh.find_program(&name)
    };
    let fail = |sh: &mut Shell, status: i32| {
        sh.st.status = status;
        if sh.shopt(opts::EXECFAIL) || sh.opt(opts::INTERACTIVE) {
            Ok(status)
        } else {
            Err(Unwind::Exit)
        }
    };
    let Some(path) = path else {
        sh.berr([name.as_slice(), b": not found"].concat());
        return fail(sh, 127);
    };
    if let Some((_, _, Some(zero))) = p.opts.iter().find(|(o, ..)| *o == b'a')
        && let Some(first) = rest.first_mut()
    {
        *first = zero.clone();
    }
    if has(b'l')
        && let Some(first) = rest.first_mut()
    {
        first.insert(0, b'-');
    }
    let mut env = if has(b'c') {
        Rc::new(Vec::new())
    } else {
        sh.environment()
    };
    // The program takes this shell's place, so it is not a level deeper.
    if sh.st.level == 0
        && let Some(level) = sh.get(b"SHLVL").and_then(|t| crate::strs::parse_int(&t))
    {
        for e in Rc::make_mut(&mut env)
            .iter_mut()
            .filter(|e| e.starts_with(b"SHLVL="))
        {
            *e = format!("SHLVL={}", level - 1).into_bytes();
        }
    }
    match sh.start(&path, &rest, &env) {
        Ok((pid, pumps)) => {
            // There is no replacing a process here: the program runs, and we end with it.
            sh.drain(pumps);
            let status = if sh.st.level == 0 || sh.child && sh.st.fake_pid.is_none() {
                sh.wait_as(pid)
            } else {
                sh.wait_pid(pid)
            };
            // The program would not run our EXIT trap.
            Rc::make_mut(&mut sh.st.traps).remove(&crate::shell::TRAP_EXIT);
            sh.st.status = status;
            Err(Unwind::Exit)
        }
        Err(os::Errno::NOEXEC) => {
            let status = sh.run_script_file(&path, &rest, &env);
            sh.st.status = status;
            Err(Unwind::Exit)
        }
        Err(e) => {
            let is_dir = os::stat(&path).is_ok_and(|s| s.is_dir());
            let text = if is_dir {
                os::Errno::ISDIR.text()
            } else {
                e.text()
            };
            sh.error([name.as_slice(), b": ", text.as_bytes()].concat());
            if e != os::Errno::NOENT {
                sh.berr([name.as_slice(), b": cannot execute: ", text.as_bytes()].concat());
            }
            fail(sh, if e == os::Errno::NOENT { 127 } else { 126 })
        }
    }
}
