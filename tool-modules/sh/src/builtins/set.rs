//! `set`, `shopt`.

use crate::opts;
use crate::shell::{Ex, Shell};
use std::rc::Rc;

impl Shell {
    /// `set -o` (or `set +o`).
    pub(crate) fn list_options(&mut self, as_commands: bool) {
        for (name, _, bit) in opts::SET {
            let on = self.st.opts & bit != 0;
            if as_commands {
                self.say(format!("set {}o {name}\n", if on { '-' } else { '+' }));
            } else {
                self.say(format!("{name:<15}\t{}\n", if on { "on" } else { "off" }));
            }
        }
    }
}

pub(super) fn set(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    if args.len() == 1 {
        let mut names: Vec<Vec<u8>> = sh
            .st
            .vars
            .keys()
            .map(|k| k.to_vec())
            .filter(|k| crate::strs::is_name(k))
            .collect();
        names.sort_unstable();
        for n in names {
            if let Some(v) = sh.raw_var(&n).cloned()
                && let Some(line) = super::declare::assignment(&n, &v)
            {
                sh.say(line);
                sh.say("\n");
            }
        }
        if !sh.opt(opts::POSIX) {
            let mut names: Vec<Vec<u8>> = sh.st.funcs.keys().cloned().collect();
            names.sort_unstable();
            for n in names {
                if let Some((def, _)) = sh.st.funcs.get(&n).cloned() {
                    sh.say(crate::print::function(&def));
                    sh.say("\n");
                }
            }
        }
        return Ok(0);
    }
    let mut at = 1;
    while let Some(arg) = args.get(at) {
        if arg == b"--" {
            sh.st.args = Rc::new(args.get(at + 1..).unwrap_or_default().to_vec());
            return Ok(0);
        }
        if arg == b"-" {
            sh.st.opts &= !(opts::XTRACE | opts::VERBOSE);
            let rest = args.get(at + 1..).unwrap_or_default();
            if !rest.is_empty() {
                sh.st.args = Rc::new(rest.to_vec());
            }
            return Ok(0);
        }
        let (on, letters) = match arg.split_first() {
            Some((b'-', l)) if !l.is_empty() => (true, l),
            Some((b'+', l)) if !l.is_empty() => (false, l),
            _ => break,
        };
        at += 1;
        if let Some(bad) = letters
            .iter()
            .find(|l| **l != b'o' && !opts::SET.iter().any(|(_, c, _)| c == *l))
            && letters != b"-help"
        {
            return Ok(sh.bad_option(*bad, if on { b'-' } else { b'+' }));
        }
        for l in letters {
            if *l == b'o' {
                let Some(name) = args.get(at) else {
                    sh.list_options(!on);
                    continue;
                };
                at += 1;
                match opts::SET
                    .iter()
                    .find(|(n, ..)| n.as_bytes() == name.as_slice())
                {
                    Some((_, _, bit)) => put(sh, *bit, on),
                    None => {
                        sh.berr([name.as_slice(), b": invalid option name"].concat());
                        return Ok(2);
                    }
                }
                continue;
            }
            match opts::SET.iter().find(|(_, c, _)| c == l && *c != 0) {
                Some((_, _, bit)) => put(sh, *bit, on),
                None => {
                    if *l == b'-' && letters == b"-help" {
                        return Ok(super::help::help_for(sh));
                    }
                    return Ok(sh.bad_option(*l, if on { b'-' } else { b'+' }));
                }
            }
        }
    }
    let rest = args.get(at..).unwrap_or_default();
    if !rest.is_empty() {
        sh.st.args = Rc::new(rest.to_vec());
    }
    Ok(0)
}

fn put(sh: &mut Shell, bit: u64, on: bool) {
    if on {
        sh.st.opts |= bit
    } else {
        sh.st.opts &= !bit
    }
    if bit == opts::EMACS && on {
        sh.st.opts &= !opts::VI;
    }
    if bit == opts::VI && on {
        sh.st.opts &= !opts::EMACS;
    }
}

pub(super) fn shopt(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let p = match super::options(sh, args, "pqsuo", false) {
        Ok(p) => p,
        Err(s) => return Ok(s),
    };
    let has = |l: u8| p.opts.iter().any(|(o, ..)| *o == l);
    let (set, unset, quiet, print, old) = (has(b's'), has(b'u'), has(b'q'), has(b'p'), has(b'o'));
    if set && unset {
        sh.berr("cannot set and unset shell options simultaneously");
        return Ok(1);
    }
    let table: Vec<(&'static str, u64)> = if old {
        opts::SET.iter().map(|(n, _, b)| (*n, *b)).collect()
    } else {
        opts::SHOPT
            .iter()
            .chain(opts::SHOPT_MORE.iter())
            .filter_map(|(n, _)| opts::shopt_bit(n.as_bytes()).map(|b| (*n, b)))
            .collect()
    };
    let is_on = |sh: &Shell, bit: u64| {
        if old {
            sh.st.opts & bit != 0
        } else {
            sh.st.shopts & bit != 0
        }
    };
    let show = |sh: &mut Shell, name: &str, on: bool| {
        if quiet {
            return;
        }
        if print {
            if old {
                sh.say(format!("set {}o {name}\n", if on { '-' } else { '+' }));
            } else {
                sh.say(format!("shopt -{} {name}\n", if on { 's' } else { 'u' }));
            }
        } else {
            sh.say(format!("{name:<15}\t{}\n", if on { "on" } else { "off" }));
        }
    };
    let names = args.get(p.rest..).unwrap_or_default();
    if names.is_empty() {
        let mut sorted = table;
        sorted.sort_by_key(|(n, _)| *n);
        for (name, bit) in sorted {
            let on = is_on(sh, bit);
            if (set && !on) || (unset && on) {
                continue;
            }
            show(sh, name, on);
        }
        return Ok(0);
    }
    let mut status = 0;
    for n in names {
        let Some((name, bit)) = table
            .iter()
            .find(|(t, _)| t.as_bytes() == n.as_slice())
            .copied()
        else {
            if old {
                sh.berr([n.as_slice(), b": invalid option name"].concat());
            } else {
                sh.berr([n.as_slice(), b": invalid shell option name"].concat());
            }
            status = 1;
            continue;
        };
        if set || unset {
            let bits = if old {
                &mut sh.st.opts
            } else {
                &mut sh.st.shopts
            };
            if set {
                *bits |= bit
            } else {
                *bits &= !bit
            }
            if !old && bit == opts::EXTDEBUG {
                // It brings the traps into functions.
                let more = opts::FUNCTRACE | opts::ERRTRACE;
                if set {
                    sh.st.opts |= more
                } else {
                    sh.st.opts &= !more
                }
            }
        } else {
            let on = is_on(sh, bit);
            if !on {
                status = 1;
            }
            show(sh, name, on);
        }
    }
    Ok(status)
}
