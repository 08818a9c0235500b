//! `trap`.

use super::jobs::{SIGNALS, signal};
use crate::shell::{Ex, Shell, TRAP_DEBUG, TRAP_ERR, TRAP_EXIT, TRAP_RETURN};
use crate::strs::single_quote;

fn number(spec: &[u8]) -> Option<u32> {
    let upper = spec.to_ascii_uppercase();
    match upper.strip_prefix(b"SIG").unwrap_or(&upper) {
        b"EXIT" | b"0" => Some(TRAP_EXIT),
        b"DEBUG" => Some(TRAP_DEBUG),
        b"ERR" => Some(TRAP_ERR),
        b"RETURN" => Some(TRAP_RETURN),
        _ => signal(spec).filter(|n| *n <= 64),
    }
}

fn name(n: u32) -> String {
    match n {
        TRAP_EXIT => "EXIT".into(),
        TRAP_DEBUG => "DEBUG".into(),
        TRAP_ERR => "ERR".into(),
        TRAP_RETURN => "RETURN".into(),
        _ => SIGNALS
            .get(n as usize - 1)
            .map_or_else(|| n.to_string(), |s| format!("SIG{s}")),
    }
}

fn show(sh: &mut Shell, n: u32) {
    let table = sh
        .st
        .old_traps
        .clone()
        .unwrap_or_else(|| sh.st.traps.clone());
    if let Some(action) = table.get(&n) {
        let line = [
            b"trap -- ",
            &single_quote(action)[..],
            b" ",
            name(n).as_bytes(),
            b"\n",
        ]
        .concat();
        sh.say(line);
    }
}

pub(super) fn trap(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let first = args.get(1).map(Vec::as_slice);
    let (mut at, mut print) = (1, false);
    match first {
        Some(b"--") => at = 2,
        Some(b"-p") => {
            at = 2;
            print = true;
        }
        Some(b"-l") => {
            let mut out = String::new();
            for (i, s) in SIGNALS.iter().enumerate() {
                out.push_str(&format!(
                    "{:2}) SIG{s}{}",
                    i + 1,
                    if i % 5 == 4 { '\n' } else { '\t' }
                ));
            }
            out.push('\n');
            sh.say(out);
            return Ok(0);
        }
        Some([b'-', l, ..]) if *l != b'-' && first != Some(b"-") && parse_all_digits(first) => {
            return Ok(sh.bad_option(*l, b'-'));
        }
        _ => {}
    }
    let rest = args.get(at..).unwrap_or_default();
    if print || rest.is_empty() {
        if rest.is_empty() {
            let table = sh
                .st
                .old_traps
                .clone()
                .unwrap_or_else(|| sh.st.traps.clone());
            for n in table.keys() {
                show(sh, *n);
            }
            return Ok(0);
        }
        let mut status = 0;
        for s in rest {
            match number(s) {
                Some(n) => show(sh, n),
                None => {
                    sh.berr([s.as_slice(), b": invalid signal specification"].concat());
                    status = 1;
                }
            }
        }
        return Ok(status);
    }
    // A lone signal, or a number first, means: back to the default.
    let (action, specs) = match rest {
        [only] => {
            if number(only).is_none() {
                return Ok(sh.usage_error());
            }
            (None, rest)
        }
        [first, more @ ..] => {
            if first == b"-" {
                (None, more)
            } else if crate::strs::parse_int(first).is_some() && number(first).is_some() {
                (None, rest)
            } else {
                (Some(first.clone()), more)
            }
        }
        [] => return Ok(0),
    };
    let mut status = 0;
    for s in specs {
        match number(s) {
            Some(n) => sh.set_trap(n, action.clone()),
            None => {
                sh.berr([s.as_slice(), b": invalid signal specification"].concat());
                status = 1;
            }
        }
    }
    Ok(status)
}

fn parse_all_digits(arg: Option<&[u8]>) -> bool {
    arg.and_then(|a| a.get(1..))
        .is_some_and(|a| !a.is_empty() && a.iter().all(u8::is_ascii_alphabetic))
}
