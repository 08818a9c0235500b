//! `:`, `true`, `false`, `break`, `continue`, `return`, `exit`, `logout`.

use crate::opts;
use crate::shell::{Ex, Shell, Unwind};
use crate::strs::parse_int;

pub(super) fn yes(_: &mut Shell, _: &[Vec<u8>]) -> Ex {
    Ok(0)
}

pub(super) fn no(_: &mut Shell, _: &[Vec<u8>]) -> Ex {
    Ok(1)
}

/// The count of `break` and `continue`.
fn count(sh: &mut Shell, args: &[Vec<u8>]) -> Result<u32, Ex> {
    if sh.st.loops == 0 {
        sh.berr("only meaningful in a `for', `while', or `until' loop");
        return Err(Ok(0));
    }
    let args: Vec<&Vec<u8>> = args.iter().skip(1).filter(|a| *a != b"--").collect();
    let Some(arg) = args.first() else {
        return Ok(1);
    };
    match parse_int(arg) {
        None => {
            sh.berr([arg.as_slice(), b": numeric argument required"].concat());
            sh.st.status = 128;
            Err(Err(Unwind::Exit))
        }
        Some(n) if n < 1 => {
            sh.berr([arg.as_slice(), b": loop count out of range"].concat());
            sh.st.status = 1;
            Err(Err(Unwind::Break(sh.st.loops)))
        }
        Some(_) if args.len() > 1 => {
            sh.berr("too many arguments");
            Err(Err(sh.abort(1)))
        }
        Some(n) => Ok(u32::try_from(n).unwrap_or(u32::MAX).min(sh.st.loops)),
    }
}

pub(super) fn brk(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    match count(sh, args) {
        Ok(n) => {
            sh.st.status = 0;
            Err(Unwind::Break(n))
        }
        Err(r) => r,
    }
}

pub(super) fn cont(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    match count(sh, args) {
        Ok(n) => {
            sh.st.status = 0;
            Err(Unwind::Continue(n))
        }
        Err(r) => r,
    }
}

/// The status argument of `return` and `exit`.
fn status(sh: &mut Shell, args: &[Vec<u8>]) -> Result<i32, i32> {
    let args: Vec<&Vec<u8>> = args.iter().skip(1).filter(|a| *a != b"--").collect();
    match args.first() {
        None => Ok(sh.st.status & 0xff),
        Some(a) => match parse_int(a) {
            Some(n) if args.len() == 1 => Ok((n & 0xff) as i32),
            Some(_) => {
                sh.berr("too many arguments");
                Err(1)
            }
            None => {
                sh.berr([a.as_slice(), b": numeric argument required"].concat());
                Err(2)
            }
        },
    }
}

pub(super) fn ret(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let n = match status(sh, args) {
        Ok(n) => n,
        Err(1) => return Ok(1),
        Err(n) => n,
    };
    if sh.st.frames.is_empty() {
        sh.berr("can only `return' from a function or sourced script");
        return Ok(2);
    }
    sh.st.status = n;
    Err(Unwind::Return)
}

pub(super) fn exit(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    match status(sh, args) {
        Ok(n) => sh.st.status = n,
        Err(1) => return Ok(1),
        Err(n) => sh.st.status = n,
    }
    Err(Unwind::Exit)
}

pub(super) fn logout(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    if !sh.shopt(opts::LOGIN_SHELL) {
        sh.berr("not login shell: use `exit'");
        return Ok(1);
    }
    exit(sh, args)
}
