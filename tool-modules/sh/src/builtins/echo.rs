//! `echo`.

use crate::opts;
use crate::parse::digits;
use crate::shell::{Ex, Shell};
use crate::strs::push_char;

pub(super) fn echo(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let mut newline = true;
    let mut escapes = sh.shopt(opts::XPG_ECHO);
    let mut at = 1;
    if !(escapes && sh.opt(opts::POSIX)) {
        while let Some(flags) = args.get(at).and_then(|a| a.strip_prefix(b"-")) {
            if flags.is_empty() || !flags.iter().all(|b| matches!(b, b'n' | b'e' | b'E')) {
                break;
            }
            for f in flags {
                match f {
                    b'n' => newline = false,
                    b'e' => escapes = true,
                    _ => escapes = false,
                }
            }
            at += 1;
        }
    }
    for (i, a) in args.iter().skip(at).enumerate() {
        if i > 0 {
            sh.out.push(b' ');
        }
        if escapes {
            if escaped(a, &mut sh.out, true) {
                return Ok(0);
            }
        } else {
            sh.out.extend_from_slice(a);
        }
    }
    if newline {
        sh.out.push(b'\n');
    }
    Ok(0)
}

/// The escapes of `echo -e` (with `zero`: octal needs a leading 0) and of `printf %b`.
/// True if `\c` asks to stop.
pub(super) fn escaped(text: &[u8], out: &mut Vec<u8>, zero: bool) -> bool {
    let mut i = 0;
    while let Some(&b) = text.get(i) {
        i += 1;
        if b != b'\\' {
            out.push(b);
            continue;
        }
        let Some(&e) = text.get(i) else {
            out.push(b'\\');
            break;
        };
        i += 1;
        match e {
            b'a' => out.push(7),
            b'b' => out.push(8),
            b'c' => return true,
            b'e' | b'E' => out.push(27),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'v' => out.push(11),
            b'\\' => out.push(b'\\'),
            b'0' => {
                let (v, len) = digits(text, i, 8, 3);
                out.push(v as u8);
                i += len;
            }
            b'1'..=b'7' if !zero => {
                let (v, len) = digits(text, i - 1, 8, 3);
                out.push(v as u8);
                i += len - 1;
            }
            b'x' => {
                let (v, len) = digits(text, i, 16, 2);
                if len == 0 {
                    out.extend_from_slice(b"\\x");
                } else {
                    out.push(v as u8);
                    i += len;
                }
            }
            b'u' | b'U' => {
                let (v, len) = digits(text, i, 16, if e == b'u' { 4 } else { 8 });
                if len == 0 {
                    out.extend_from_slice(&[b'\\', e]);
                } else {
                    push_char(out, v);
                    i += len;
                }
            }
            b'\'' if !zero => out.push(e),
            _ => out.extend_from_slice(&[b'\\', e]),
        }
    }
    false
}
