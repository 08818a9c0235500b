//! `alias`, `unalias`.

use crate::shell::{Ex, Shell};
use crate::strs::single_quote;
use std::rc::Rc;

fn show(sh: &mut Shell, name: &[u8]) -> bool {
    let Some(value) = sh.st.aliases.get(name).cloned() else {
        return false;
    };
    let line = [b"alias ", name, b"=", &single_quote(&value), b"\n"].concat();
    sh.say(line);
    true
}

pub(super) fn alias(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let p = match super::options(sh, args, "p", false) {
        Ok(p) => p,
        Err(s) => return Ok(s),
    };
    if args.len() == p.rest || !p.opts.is_empty() {
        let mut names: Vec<Vec<u8>> = sh.st.aliases.keys().cloned().collect();
        names.sort_unstable();
        for n in names {
            show(sh, &n);
        }
    }
    let mut status = 0;
    for a in args.iter().skip(p.rest) {
        match a.iter().position(|b| *b == b'=').filter(|i| *i > 0) {
            Some(i) => {
                let name = a.get(..i).unwrap_or_default().to_vec();
                let value = a.get(i + 1..).unwrap_or_default().to_vec();
                if name.iter().any(|b| {
                    matches!(
                        b,
                        b'/' | b'$'
                            | b'`'
                            | b'\''
                            | b'"'
                            | b'\\'
                            | b' '
                            | b'\t'
                            | b'\n'
                            | b'|'
                            | b'&'
                            | b';'
                            | b'('
                            | b')'
                            | b'<'
                            | b'>'
                    )
                }) {
                    sh.berr([b"`", name.as_slice(), b"': invalid alias name"].concat());
                    status = 1;
                    continue;
                }
                Rc::make_mut(&mut sh.st.aliases).insert(name, value);
            }
            None => {
                if !show(sh, a) {
                    sh.berr([a.as_slice(), b": not found"].concat());
                    status = 1;
                }
            }
        }
    }
    Ok(status)
}

pub(super) fn unalias(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let p = match super::options(sh, args, "a", false) {
        Ok(p) => p,
        Err(s) => return Ok(s),
    };
    if !p.opts.is_empty() {
        sh.st.aliases = Rc::default();
        return Ok(0);
    }
    if args.len() == p.rest {
        return Ok(sh.usage_error());
    }
    let mut status = 0;
    for a in args.iter().skip(p.rest) {
        if Rc::make_mut(&mut sh.st.aliases).remove(a).is_none() {
            sh.berr([a.as_slice(), b": not found"].concat());
            status = 1;
        }
    }
    Ok(status)
}
