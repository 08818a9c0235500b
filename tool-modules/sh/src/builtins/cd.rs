//! `cd`, `pwd`, and the directory stack.

use crate::opts;
use crate::os;
use crate::shell::{Ex, Shell};
use crate::strs::parse_int;
use crate::vars::{Val, Var};
use std::rc::Rc;

/// `base/path` with `.` and `..` taken out by text, as `cd -L` does.
pub(crate) fn logical(base: &[u8], path: &[u8]) -> Vec<u8> {
    let full = if path.first() == Some(&b'/') {
        path.to_vec()
    } else {
        [base, b"/", path].concat()
    };
    let mut parts: Vec<&[u8]> = Vec::new();
    for p in full.split(|b| *b == b'/') {
        match p {
            b"" | b"." => {}
            b".." => {
                parts.pop();
            }
            p => parts.push(p),
        }
    }
    let mut out = Vec::new();
    for p in parts {
        out.push(b'/');
        out.extend_from_slice(p);
    }
    if out.is_empty() {
        out.push(b'/');
    }
    out
}

impl Shell {
    /// The logical working directory.
    pub(crate) fn pwd(&mut self) -> Vec<u8> {
        if let Some(p) = &self.st.cwd {
            return p.to_vec();
        }
        let cwd = match self.get(b"PWD") {
            Some(p) if p.first() == Some(&b'/') => p.to_vec(),
            _ => os::getcwd().unwrap_or_else(|_| b"/".to_vec()),
        };
        self.st.cwd = Some(Rc::new(cwd.clone()));
        cwd
    }

    /// Goes there; sets `PWD` and `OLDPWD`.
    pub(crate) fn change_dir(&mut self, path: &[u8], physical: bool) -> Result<Vec<u8>, os::Errno> {
        let old = self.pwd();
        let mut target = if physical {
            path.to_vec()
        } else {
            logical(&old, path)
        };
        let r = os::chdir(&target);
        if r.is_err() && !physical && !path.is_empty() {
            // The logical place may be gone while the physical one is not.
            os::chdir(path)?;
            target = os::getcwd()?;
        } else {
            r?;
        }
        let now = if physical { os::getcwd()? } else { target };
        self.moves += 1;
        self.st.cwd = Some(Rc::new(now.clone()));
        self.set_dir(b"OLDPWD", old);
        self.set_dir(b"PWD", now.clone());
        Ok(now)
    }

    fn set_dir(&mut self, name: &[u8], value: Vec<u8>) {
        let attrs = self.raw_var(name).map_or(0, |v| v.attrs);
        self.put(
            name,
            Var {
                val: Val::Str(Rc::new(value)),
                attrs,
                bare: false,
            },
        );
    }
}

pub(super) fn cd(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let p = match super::options(sh, args, "LPe@", false) {
        Ok(p) => p,
        Err(s) => return Ok(s),
    };
    let physical = p
        .opts
        .iter()
        .rev()
        .find(|(l, ..)| matches!(l, b'L' | b'P'))
        .map_or(sh.opt(opts::PHYSICAL), |(l, ..)| *l == b'P');
    if args.len() > p.rest + 1 {
        sh.berr("too many arguments");
        return Ok(1);
    }
    let mut print = false;
    let dir = match args.get(p.rest) {
        None => match sh.get(b"HOME") {
            Some(h) => h.to_vec(),
            None => {
                sh.berr("HOME not set");
                return Ok(1);
            }
        },
        Some(d) if d == b"-" => match sh.get(b"OLDPWD") {
            Some(o) => {
                print = true;
                o.to_vec()
            }
            None => {
                sh.berr("OLDPWD not set");
                return Ok(1);
            }
        },
        Some(d) => d.clone(),
    };
    if dir.is_empty() {
        return Ok(0);
    }
    // $CDPATH, for names that do not say where they begin.
    if dir.first() != Some(&b'/')
        && !matches!(dir.as_slice(), b"." | b"..")
        && !dir.starts_with(b"./")
        && !dir.starts_with(b"../")
        && let Some(path) = sh.get(b"CDPATH")
    {
        for prefix in path.split(|b| *b == b':') {
            let full = if prefix.is_empty() {
                dir.clone()
            } else {
                [prefix, b"/", &dir].concat()
            };
            if os::stat(&full).is_ok_and(|s| s.is_dir())
                && let Ok(now) = sh.change_dir(&full, physical)
            {
                if !prefix.is_empty() || print {
                    sh.say([now.as_slice(), b"\n"].concat());
                }
                return Ok(0);
            }
        }
    }
    match sh.change_dir(&dir, physical) {
        Ok(now) => {
            if print {
                sh.say([now.as_slice(), b"\n"].concat());
            }
            Ok(0)
        }
        Err(e) => {
            if sh.shopt(opts::CDABLE_VARS)
                && let Some(v) = sh.get(&dir)
                && let Ok(now) = sh.change_dir(&v, physical)
            {
                sh.say([now.as_slice(), b"\n"].concat());
                return Ok(0);
            }
            sh.berr([dir.as_slice(), b": ", e.text().as_bytes()].concat());
            Ok(1)
        }
    }
}

pub(super) fn pwd(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let p = match super::options(sh, args, "LP", false) {
        Ok(p) => p,
        Err(s) => return Ok(s),
    };
    let physical = p
        .opts
        .last()
        .map_or(sh.opt(opts::PHYSICAL), |(l, ..)| *l == b'P');
    let dir = if physical {
        os::getcwd().unwrap_or_default()
    } else {
        sh.pwd()
    };
    sh.say([dir.as_slice(), b"\n"].concat());
    Ok(0)
}

/// All directories of the stack, the current first.
fn stack(sh: &mut Shell) -> Vec<Vec<u8>> {
    let mut all = vec![sh.pwd()];
    all.extend(sh.st.dirs.iter().cloned());
    all
}

/// `+N` or `-N` as a place in the stack.
fn place(arg: &[u8], len: usize) -> Option<Option<usize>> {
    let (sign, digits) = arg.split_first()?;
    if !matches!(sign, b'+' | b'-') || digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let n = parse_int(digits).and_then(|n| usize::try_from(n).ok())?;
    Some(if *sign == b'+' {
        Some(n).filter(|n| *n < len)
    } else {
        len.checked_sub(n + 1)
    })
}

fn shorten(sh: &mut Shell, dir: &[u8]) -> Vec<u8> {
    let home = sh.get_or_empty(b"HOME");
    if !home.is_empty()
        && home != b"/"
        && dir.starts_with(&home)
        && dir.get(home.len()).is_none_or(|b| *b == b'/')
    {
        return [b"~", dir.get(home.len()..).unwrap_or_default()].concat();
    }
    dir.to_vec()
}

pub(super) fn dirs(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let (mut long, mut per_line, mut numbered) = (false, false, false);
    let all = stack(sh);
    let mut only = None;
    for a in args.iter().skip(1) {
        if let Some(at) = place(a, all.len()) {
            match at {
                Some(i) => only = Some(i),
                None => {
                    let n = a.get(1..).unwrap_or_default();
                    sh.berr(if all.len() == 1 {
                        b"directory stack empty".to_vec()
                    } else {
                        [n, b": directory stack index out of range"].concat()
                    });
                    return Ok(1);
                }
            }
            continue;
        }
        let Some(flags) = a.strip_prefix(b"-") else {
            sh.berr([a.as_slice(), b": invalid option"].concat());
            return Ok(sh.usage_error());
        };
        for f in flags {
            match f {
                b'c' => {
                    sh.st.dirs = Rc::default();
                    return Ok(0);
                }
                b'l' => long = true,
                b'p' => per_line = true,
                b'v' => {
                    per_line = true;
                    numbered = true;
                }
                b'-' => {}
                _ => return Ok(sh.bad_option(*f, b'-')),
            }
        }
    }
    let mut out = Vec::new();
    for (i, d) in all.iter().enumerate() {
        if only.is_some_and(|o| o != i) {
            continue;
        }
        let text = if long { d.clone() } else { shorten(sh, d) };
        if numbered {
            out.extend_from_slice(format!("{i:2}  ").as_bytes());
        } else if !per_line && i > 0 && only.is_none() {
            out.push(b' ');
        }
        out.extend_from_slice(&text);
        if per_line {
            out.push(b'\n');
        }
    }
    if !per_line {
        out.push(b'\n');
    }
    sh.say(out);
    Ok(0)
}

pub(super) fn pushd(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let mut stay = false;
    let mut at = 1;
    while let Some(a) = args.get(at) {
        match a.as_slice() {
            b"-n" => stay = true,
            b"--" => {
                at += 1;
                break;
            }
            a if a.len() > 1 && a.first() == Some(&b'-') && place(a, 1).is_none() => {
                let l = a.get(1).copied().unwrap_or(b'-');
                return Ok(sh.bad_option(l, b'-'));
            }
            _ => break,
        }
        at += 1;
    }
    if args.len() > at + 1 {
        sh.berr("too many arguments");
        return Ok(1);
    }
    let all = stack(sh);
    match args.get(at) {
        None => {
            let Some(next) = sh.st.dirs.first().cloned() else {
                sh.berr("no other directory");
                return Ok(1);
            };
            let here = sh.pwd();
            if let Err(e) = sh.change_dir(&next, false) {
                sh.berr([next.as_slice(), b": ", e.text().as_bytes()].concat());
                return Ok(1);
            }
            if let Some(d) = Rc::make_mut(&mut sh.st.dirs).first_mut() {
                *d = here;
            }
        }
        Some(a) => match place(a, all.len()) {
            Some(None) => {
                sh.berr(if all.len() == 1 {
                    b"no other directory".to_vec()
                } else {
                    [a.as_slice(), b": directory stack index out of range"].concat()
                });
                return Ok(1);
            }
            Some(Some(i)) => {
                let mut turned = all.clone();
                turned.rotate_left(i);
                let first = turned.first().cloned().unwrap_or_default();
                if !stay && let Err(e) = sh.change_dir(&first, false) {
                    sh.berr([first.as_slice(), b": ", e.text().as_bytes()].concat());
                    return Ok(1);
                }
                turned.remove(0);
                sh.st.dirs = Rc::new(turned);
            }
            None => {
                let here = sh.pwd();
                if stay {
                    Rc::make_mut(&mut sh.st.dirs).insert(0, a.clone());
                } else {
                    let dir = if a == b"-" {
                        sh.get_or_empty(b"OLDPWD")
                    } else {
                        a.clone()
                    };
                    if let Err(e) = sh.change_dir(&dir, false) {
                        sh.berr([a.as_slice(), b": ", e.text().as_bytes()].concat());
                        return Ok(1);
                    }
                    Rc::make_mut(&mut sh.st.dirs).insert(0, here);
                }
            }
        },
    }
    dirs(sh, &[])
}

pub(super) fn popd(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let mut stay = false;
    let mut which = 0;
    let all = stack(sh);
    for a in args.iter().skip(1) {
        match place(a, all.len()) {
            Some(Some(i)) if all.len() > 1 => which = i,
            Some(_) => {
                sh.berr(if all.len() == 1 {
                    b"directory stack empty".to_vec()
                } else {
                    [a.as_slice(), b": directory stack index out of range"].concat()
                });
                return Ok(1);
            }
            None if a == b"-n" => stay = true,
            None if a == b"--" => {}
            None => {
                if let Some([b'-', l]) = a.get(..2) {
                    return Ok(sh.bad_option(*l, b'-'));
                }
                sh.berr([a.as_slice(), b": invalid argument"].concat());
                return Ok(sh.usage_error().min(1));
            }
        }
    }
    if all.len() == 1 {
        sh.berr("directory stack empty");
        return Ok(1);
    }
    if which == 0 && !stay {
        let next = sh.st.dirs.first().cloned().unwrap_or_default();
        if let Err(e) = sh.change_dir(&next, false) {
            sh.berr([next.as_slice(), b": ", e.text().as_bytes()].concat());
            return Ok(1);
        }
        Rc::make_mut(&mut sh.st.dirs).remove(0);
    } else {
        Rc::make_mut(&mut sh.st.dirs).remove(which.saturating_sub(1));
    }
    dirs(sh, &[])
}
