//! `compgen`, `complete`, `compopt`.

use super::{KEYWORDS, TABLE};
use crate::expand::pattern::Pattern;
use crate::os;
use crate::shell::{Ex, Shell};
use crate::strs::single_quote;
use std::rc::Rc;

const SPEC: &str = "abcdefgjksuvo:A:G:W:F:C:X:P:S:";

pub(super) fn compgen(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let p = match super::options(sh, args, SPEC, false) {
        Ok(p) => p,
        Err(s) => return Ok(s),
    };
    let word = args.get(p.rest).cloned().unwrap_or_default();
    let mut out: Vec<Vec<u8>> = Vec::new();
    let (mut prefix, mut suffix, mut filter) = (Vec::new(), Vec::new(), None);
    let mut extra: Vec<Vec<u8>> = Vec::new();
    for (l, _, arg) in &p.opts {
        let arg = arg.clone().unwrap_or_default();
        match l {
            b'P' => prefix = arg,
            b'S' => suffix = arg,
            b'X' => filter = Some(arg),
            b'o' => match arg.as_slice() {
                b"bashdefault" | b"default" | b"dirnames" | b"filenames" | b"noquote"
                | b"nosort" | b"nospace" | b"plusdirs" => {
                    extra.push(arg);
                }
                _ => {
                    sh.berr([arg.as_slice(), b": invalid option name"].concat());
                    return Ok(2);
                }
            },
            b'W' => {
                let mut parser = sh.parser(&arg, sh.line.max(1));
                let text = match parser.quoted_word() {
                    Ok(w) => sh.expand_quoted(&w)?,
                    Err(_) => arg,
                };
                let ifs = sh.ifs();
                out.extend(
                    text.split(|b| ifs.kind(*b) != 0)
                        .filter(|w| !w.is_empty() && w.starts_with(&word))
                        .map(<[u8]>::to_vec),
                );
            }
            b'F' | b'C' => {
                if *l == b'C' {
                    let capture = Shell::capture();
                    let target = crate::fds::Target::Capture(capture.clone());
                    sh.in_subshell(|sh| {
                        sh.st.fds.set(1, Some(target));
                        sh.eval_text(&arg, None)
                    });
                    let text = capture.data.borrow().clone();
                    out.extend(
                        text.split(|b| *b == b'\n')
                            .filter(|w| !w.is_empty())
                            .map(<[u8]>::to_vec),
                    );
                } else if let Some((def, _)) = sh.st.funcs.get(arg.as_slice()).cloned() {
                    sh.unset(b"COMPREPLY");
                    sh.berr("warning: -F option may not work as you expect");
                    sh.set(b"COMP_KEY", b"0".to_vec())?;
                    sh.set(b"COMP_TYPE", b"0".to_vec())?;
                    let call = vec![arg.clone(), b"compgen".to_vec(), word.clone(), Vec::new()];
                    sh.call_function(&def, &call)?;
                    out.extend(sh.elements(b"COMPREPLY").into_iter().map(|t| t.to_vec()));
                }
            }
            b'G' => out.extend(sh.glob(&arg)),
            b'A' => {
                let name = String::from_utf8_lossy(&arg).into_owned();
                match action(sh, &name, &word) {
                    Some(list) => out.extend(list),
                    None => {
                        sh.berr([arg.as_slice(), b": invalid action name"].concat());
                        return Ok(2);
                    }
                }
            }
            _ => {
                let name = match l {
                    b'a' => "alias",
                    b'b' => "builtin",
                    b'c' => "command",
                    b'd' => "directory",
                    b'e' => "export",
                    b'f' => "file",
                    b'g' => "group",
                    b'j' => "job",
                    b'k' => "keyword",
                    b's' => "service",
                    b'u' => "user",
                    _ => "variable",
                };
                if let Some(list) = action(sh, name, &word) {
                    out.extend(list);
                }
            }
        }
    }
    if let Some(f) = filter {
        let (keep, f) = match f
            .strip_prefix(b"!")
            .filter(|f| !(f.starts_with(b"(") && sh.shopt(crate::opts::EXTGLOB)))
        {
            Some(f) => (true, f.to_vec()),
            None => (false, f),
        };
        let mut text = Vec::new();
        for (i, b) in f.iter().enumerate() {
            if *b == b'&' && (i == 0 || f.get(i - 1) != Some(&b'\\')) {
                text.extend_from_slice(&word)
            } else {
                text.push(*b)
            }
        }
        let pat = Pattern::new(&text, true, false);
        out.retain(|w| pat.matches(w) == keep);
    }
    let has = |n: &[u8]| extra.iter().any(|e| e == n);
    let mut any = !out.is_empty();
    for w in out {
        sh.say([prefix.as_slice(), &w, &suffix, b"\n"].concat());
    }
    let more = if has(b"plusdirs") || (!any && has(b"dirnames")) {
        files(&word, true)
    } else if !any && (has(b"default") || has(b"bashdefault")) {
        files(&word, false)
    } else {
        Vec::new()
    };
    any |= !more.is_empty();
    for w in more {
        sh.say([w.as_slice(), b"\n"].concat());
    }
    Ok(i32::from(!any))
}

/// Names in the folder that `word` leads to.
fn files(word: &[u8], dirs_only: bool) -> Vec<Vec<u8>> {
    let at = word.iter().rposition(|b| *b == b'/').map_or(0, |i| i + 1);
    let (dir, base) = (
        word.get(..at).unwrap_or_default(),
        word.get(at..).unwrap_or_default(),
    );
    let Ok(entries) = os::read_dir(if dir.is_empty() { b"." } else { dir }) else {
        return Vec::new();
    };
    let mut out: Vec<Vec<u8>> = entries
        .into_iter()
        .filter(|e| e.name.starts_with(base))
        .map(|e| [dir, &e.name].concat())
        .filter(|p| !dirs_only || os::stat(p).is_ok_and(|s| s.is_dir()))
        .collect();
    out.sort_unstable();
    out
}

fn action(sh: &mut Shell, name: &str, word: &[u8]) -> Option<Vec<Vec<u8>>> {
    let sorted = |mut v: Vec<Vec<u8>>| {
        v.retain(|w| w.starts_with(word));
        v.sort_unstable();
        v.dedup();
        v
    };
    let builtins = || {
        TABLE
            .iter()
            .map(|b| b.name.as_bytes().to_vec())
            .collect::<Vec<_>>()
    };
    let keywords = || {
        KEYWORDS
            .iter()
            .map(|k| k.as_bytes().to_vec())
            .collect::<Vec<_>>()
    };
    let variables = |sh: &Shell| {
        sh.names_with(b"")
            .into_iter()
            .filter(|n| crate::strs::is_name(n))
            .collect::<Vec<_>>()
    };
    Some(match name {
        "alias" => sorted(sh.st.aliases.keys().cloned().collect()),
        "arrayvar" => sorted(
            variables(sh)
                .into_iter()
                .filter(|n| {
                    matches!(
                        sh.array_kind(n),
                        crate::access::Kind::Indexed | crate::access::Kind::Assoc
                    )
                })
                .collect(),
        ),
        "binding" | "group" | "service" | "user" | "hostname" => Vec::new(),
        "builtin" => sorted(builtins()),
        "enabled" => sorted(
            builtins()
                .into_iter()
                .filter(|b| !sh.st.disabled.contains(b))
                .collect(),
        ),
        "disabled" => sorted(sh.st.disabled.to_vec()),
        "command" => {
            let mut all: Vec<Vec<u8>> = sh.st.aliases.keys().cloned().collect();
            all.extend(keywords());
            all.extend(sh.st.funcs.keys().cloned());
            all.extend(builtins());
            let path = sh.get_or_empty(b"PATH");
            for dir in path.split(|b| *b == b':') {
                for e in os::read_dir(dir).unwrap_or_default() {
                    all.push(e.name);
                }
            }
            sorted(all)
        }
        "directory" => files(word, true),
        "file" => files(word, false),
        "export" => sorted(
            sh.st
                .vars
                .iter()
                .filter(|(_, v)| v.has(crate::vars::EXPORT))
                .map(|(n, _)| n.to_vec())
                .collect(),
        ),
        "function" => sorted(sh.st.funcs.keys().cloned().collect()),
        "helptopic" => sorted(builtins()),
        "job" | "running" => sorted(
            sh.st
                .jobs
                .iter()
                .map(|j| {
                    j.text
                        .split(|b| *b == b' ')
                        .next()
                        .unwrap_or_default()
                        .to_vec()
                })
                .collect(),
        ),
        "stopped" => Vec::new(),
        "keyword" => sorted(keywords()),
        "setopt" => sorted(
            crate::opts::SET
                .iter()
                .map(|(n, ..)| n.as_bytes().to_vec())
                .collect(),
        ),
        "shopt" => sorted(
            crate::opts::SHOPT
                .iter()
                .chain(crate::opts::SHOPT_MORE.iter())
                .map(|(n, _)| n.as_bytes().to_vec())
                .collect(),
        ),
        "signal" => sorted(
            super::jobs::SIGNALS
                .iter()
                .map(|s| format!("SIG{s}").into_bytes())
                .collect(),
        ),
        "variable" => sorted(variables(sh)),
        _ => return None,
    })
}

pub(super) fn complete(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let p = match super::options(sh, args, &format!("prDEI{SPEC}"), false) {
        Ok(p) => p,
        Err(s) => return Ok(s),
    };
    let has = |l: u8| p.opts.iter().any(|(o, ..)| *o == l);
    let names = args.get(p.rest..).unwrap_or_default();
    if has(b'r') {
        for (l, key) in [(b'D', b"-D"), (b'E', b"-E"), (b'I', b"-I")] {
            if has(l) {
                Rc::make_mut(&mut sh.st.completions).remove(key.as_slice());
                return Ok(0);
            }
        }
        if names.is_empty() {
            sh.st.completions = Rc::default();
            return Ok(0);
        }
        for n in names {
            Rc::make_mut(&mut sh.st.completions).remove(n);
        }
        return Ok(0);
    }
    let special: Option<&[u8]> = if has(b'D') {
        Some(b"-D")
    } else if has(b'E') {
        Some(b"-E")
    } else if has(b'I') {
        Some(b"-I")
    } else {
        None
    };
    if has(b'p') || (names.is_empty() && special.is_none()) {
        let all = sh.st.completions.clone();
        let mut status = 0;
        let show: Vec<Vec<u8>> = if names.is_empty() {
            all.keys().cloned().collect()
        } else {
            names.to_vec()
        };
        for n in show {
            match all.get(&n) {
                Some(spec) => sh.say([b"complete ", spec.as_slice(), &n, b"\n"].concat()),
                None => {
                    sh.berr([n.as_slice(), b": no completion specification"].concat());
                    status = 1;
                }
            }
        }
        return Ok(status);
    }
    // The options in the order in which bash prints them, actions by their letters.
    let mut p = p;
    for (o, _, arg) in &mut p.opts {
        let letter = match arg.as_deref() {
            Some(b"alias") => b'a',
            Some(b"builtin") => b'b',
            Some(b"command") => b'c',
            Some(b"directory") => b'd',
            Some(b"export") => b'e',
            Some(b"file") => b'f',
            Some(b"group") => b'g',
            Some(b"job") => b'j',
            Some(b"keyword") => b'k',
            Some(b"service") => b's',
            Some(b"user") => b'u',
            Some(b"variable") => b'v',
            _ => continue,
        };
        if *o == b'A' {
            *o = letter;
            *arg = None;
        }
    }
    let mut spec = Vec::new();
    for l in *b"oabcdefgjksuvAGWPSXFC" {
        for (o, _, arg) in &p.opts {
            if *o != l {
                continue;
            }
            spec.extend_from_slice(&[b'-', l, b' ']);
            if let Some(a) = arg {
                let quoted = matches!(l, b'G' | b'W' | b'P' | b'S' | b'X' | b'C');
                spec.extend_from_slice(&if quoted { single_quote(a) } else { a.clone() });
                spec.push(b' ');
            }
        }
    }
    let table = Rc::make_mut(&mut sh.st.completions);
    if let Some(s) = special {
        table.insert(s.to_vec(), spec);
        return Ok(0);
    }
    for n in names {
        table.insert(n.clone(), spec.clone());
    }
    Ok(0)
}

pub(super) fn compopt(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let p = match super::options(sh, args, "o:DEI", true) {
        Ok(p) => p,
        Err(s) => return Ok(s),
    };
    let names = args.get(p.rest..).unwrap_or_default();
    if names.is_empty() && p.opts.iter().all(|(o, ..)| *o == b'o') {
        sh.berr("not currently executing completion function");
        return Ok(1);
    }
    let mut status = 0;
    for n in names {
        let Some(spec) = Rc::make_mut(&mut sh.st.completions).get_mut(n) else {
            sh.berr([n.as_slice(), b": no completion specification"].concat());
            status = 1;
            continue;
        };
        for (_, on, arg) in &p.opts {
            let Some(a) = arg else { continue };
            let text = [b"-o ", a.as_slice(), b" "].concat();
            if *on {
                *spec = [text.as_slice(), spec].concat();
            } else if let Some(i) = spec.windows(text.len()).position(|w| w == text) {
                spec.drain(i..i + text.len());
            }
        }
    }
    Ok(status)
}
