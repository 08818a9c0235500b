//! `unset`.

use crate::access::{self, Kind};
use crate::shell::{Ex, Shell};
use crate::strs::is_name;
use crate::vars::{NAMEREF, READONLY, Val, Var};
use std::rc::Rc;

pub(super) fn unset(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let p = match super::options(sh, args, "fvn", false) {
        Ok(p) => p,
        Err(s) => return Ok(s),
    };
    let has = |l: u8| p.opts.iter().any(|(o, ..)| *o == l);
    if has(b'f') && has(b'v') {
        sh.berr("cannot simultaneously unset a function and a variable");
        return Ok(1);
    }
    let mut status = 0;
    for arg in args.iter().skip(p.rest) {
        if has(b'f') {
            status |= function(sh, arg);
            continue;
        }
        let (name, sub) = match access::split_subscript(arg) {
            Some((n, s)) => (n.to_vec(), Some(s.to_vec())),
            None => (arg.clone(), None),
        };
        if !is_name(&name) {
            if has(b'v') || sh.st.funcs.get(arg.as_slice()).is_none() {
                sh.berr([b"`", arg.as_slice(), b"': not a valid identifier"].concat());
                status = 1;
            } else {
                status |= function(sh, arg);
            }
            continue;
        }
        if has(b'n') && !sh.raw_var(&name).is_some_and(|v| v.has(NAMEREF)) {
            continue;
        }
        let mut target = name.clone();
        let mut sub = sub;
        if !has(b'n')
            && sh.raw_var(&name).is_some_and(|v| v.has(NAMEREF))
            && let Some(t) = sh.resolve(&name)
        {
            match access::split_subscript(&t) {
                Some((n, s)) if sub.is_none() => {
                    sub = Some(s.to_vec());
                    target = n.to_vec();
                }
                _ => target = t,
            }
        }
        let Some(v) = sh.raw_var(&target) else {
            if matches!(
                target.as_slice(),
                b"UID" | b"EUID" | b"PPID" | b"BASHOPTS" | b"SHELLOPTS" | b"BASH_VERSINFO"
            ) {
                sh.berr([target.as_slice(), b": cannot unset: readonly variable"].concat());
                status = 1;
            } else if sub.is_none()
                && !has(b'v')
                && !has(b'n')
                && sh.st.funcs.contains_key(target.as_slice())
            {
                status |= function(sh, &target);
            } else if sub.is_none() {
                sh.unset(&target);
            }
            continue;
        };
        if v.has(READONLY) {
            sh.berr([target.as_slice(), b": cannot unset: readonly variable"].concat());
            status = 1;
            continue;
        }
        match sub {
            None => sh.unset(&target),
            Some(s) => status |= element(sh, &target, &s),
        }
    }
    Ok(status)
}

fn function(sh: &mut Shell, name: &[u8]) -> i32 {
    if sh
        .st
        .funcs
        .get(name)
        .is_some_and(|(_, a)| a & READONLY != 0)
    {
        sh.berr([name, b": cannot unset: readonly function"].concat());
        return 1;
    }
    if Rc::make_mut(&mut sh.st.funcs).remove(name).is_some() {
        sh.env_cache = None;
    }
    0
}

fn element(sh: &mut Shell, name: &[u8], sub: &[u8]) -> i32 {
    match sh.array_kind(name) {
        Kind::Assoc => {
            let key = access::unquote_key(sub);
            let keys: Vec<Vec<u8>> = sh.items(name).into_iter().map(|(k, _)| k).collect();
            let key = if keys.contains(&sub.to_vec()) {
                sub.to_vec()
            } else {
                key
            };
            if (key == b"@" || key == b"*") && !keys.contains(&key) {
                if let Some(Var {
                    val: Val::Assoc(a), ..
                }) = sh.vars_mut().get_mut(name)
                {
                    *a = Rc::default();
                }
                return 0;
            }
            if let Some(Var {
                val: Val::Assoc(a), ..
            }) = sh.vars_mut().get_mut(name)
            {
                Rc::make_mut(a).remove(&key);
            }
            0
        }
        Kind::Indexed => {
            if sub == b"@" || sub == b"*" {
                if let Some(Var {
                    val: Val::Arr(a), ..
                }) = sh.vars_mut().get_mut(name)
                {
                    *a = Rc::default();
                }
                return 0;
            }
            let Ok(mut i) = sh.arith_value(sub) else {
                return 1;
            };
            if let Some(Var {
                val: Val::Arr(a), ..
            }) = sh.vars_mut().get_mut(name)
            {
                if i < 0 {
                    i += a.keys().next_back().map_or(0, |k| *k as i64 + 1);
                }
                if i < 0 {
                    sh.berr([b"[", sub, b"]: bad array subscript"].concat());
                    return 1;
                }
                Rc::make_mut(a).remove(&(i as u64));
            }
            0
        }
        Kind::Scalar => {
            if sub == b"0" || sub == b"@" || sub == b"*" {
                sh.unset(name);
                return 0;
            }
            sh.berr([name, b": not an array variable"].concat());
            1
        }
        Kind::None => 0,
    }
}
