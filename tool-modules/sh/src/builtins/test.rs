//! `test` and `[`.

use crate::exec::cond::{compare, test_files};
use crate::shell::{Ex, Shell};
use crate::strs::parse_int;

pub(super) fn test(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let mut list: Vec<&[u8]> = args.iter().skip(1).map(Vec::as_slice).collect();
    if args.first().is_some_and(|a| a == b"[") && list.pop() != Some(b"]") {
        sh.berr("missing `]'");
        return Ok(2);
    }
    match evaluate(sh, &list) {
        Ok(yes) => Ok(i32::from(!yes)),
        Err(message) => {
            if !message.is_empty() {
                sh.berr(message);
            }
            Ok(2)
        }
    }
}

type Test = Result<bool, Vec<u8>>;

fn is_unary(op: &[u8]) -> bool {
    matches!(op, [b'-', l] if b"abcdefghknoprstuvwxzGLNORS".contains(l))
}

fn is_binary(op: &[u8]) -> bool {
    matches!(
        op,
        b"=" | b"=="
            | b"!="
            | b"<"
            | b">"
            | b"-eq"
            | b"-ne"
            | b"-lt"
            | b"-le"
            | b"-gt"
            | b"-ge"
            | b"-nt"
            | b"-ot"
            | b"-ef"
    )
}

/// The rules of POSIX by number of arguments; beyond four, a grammar.
fn evaluate(sh: &mut Shell, a: &[&[u8]]) -> Test {
    match a {
        [] => Ok(false),
        [x] => Ok(!x.is_empty()),
        [b"!", x] => Ok(x.is_empty()),
        [op, x] if is_unary(op) => unary(sh, op, x),
        [op, _] => Err([*op, b": unary operator expected"].concat()),
        [x, op, y] if is_binary(op) => binary(sh, x, op, y),
        [x, b"-a", y] => Ok(!x.is_empty() && !y.is_empty()),
        [x, b"-o", y] => Ok(!x.is_empty() || !y.is_empty()),
        [b"!", rest @ ..] if rest.len() <= 3 => evaluate(sh, rest).map(|b| !b),
        [b"(", x, b")"] => Ok(!x.is_empty()),
        [_, op, _] => Err([*op, b": binary operator expected"].concat()),
        [b"(", x, y, b")"] => evaluate(sh, &[x, y]),
        _ => {
            let mut at = 0;
            let r = or(sh, a, &mut at, 0)?;
            match a.get(at) {
                None => Ok(r),
                Some(_) => Err(b"too many arguments".to_vec()),
            }
        }
    }
}

fn or(sh: &mut Shell, a: &[&[u8]], at: &mut usize, depth: u32) -> Test {
    let mut r = and(sh, a, at, depth)?;
    while a.get(*at) == Some(&&b"-o"[..]) {
        *at += 1;
        r |= and(sh, a, at, depth)?;
    }
    Ok(r)
}

fn and(sh: &mut Shell, a: &[&[u8]], at: &mut usize, depth: u32) -> Test {
    let mut r = term(sh, a, at, depth)?;
    while a.get(*at) == Some(&&b"-a"[..]) {
        *at += 1;
        r &= term(sh, a, at, depth)?;
    }
    Ok(r)
}

fn term(sh: &mut Shell, a: &[&[u8]], at: &mut usize, depth: u32) -> Test {
    if depth > 100 {
        return Err(b"too many arguments".to_vec());
    }
    let Some(&x) = a.get(*at) else {
        return Err(b"argument expected".to_vec());
    };
    if x == b"!" {
        *at += 1;
        return term(sh, a, at, depth + 1).map(|b| !b);
    }
    if let Some(&op) = a.get(*at + 1)
        && is_binary(op)
        && let Some(&y) = a.get(*at + 2)
    {
        *at += 3;
        return binary(sh, x, op, y);
    }
    if x == b"(" {
        *at += 1;
        let r = or(sh, a, at, depth + 1)?;
        if a.get(*at) != Some(&&b")"[..]) {
            return Err(b"`)' expected".to_vec());
        }
        *at += 1;
        return Ok(r);
    }
    if is_unary(x)
        && let Some(&y) = a.get(*at + 1)
    {
        *at += 2;
        return unary(sh, x, y);
    }
    *at += 1;
    Ok(!x.is_empty())
}

fn unary(sh: &mut Shell, op: &[u8], x: &[u8]) -> Test {
    let letter = op.get(1).copied().unwrap_or(0);
    if letter == b't' && parse_int(x).is_none() {
        return Err([x, b": integer expression expected"].concat());
    }
    Ok(sh.test_unary(letter, x))
}

fn binary(_sh: &mut Shell, x: &[u8], op: &[u8], y: &[u8]) -> Test {
    Ok(match op {
        b"=" | b"==" => x == y,
        b"!=" => x != y,
        b"<" => x < y,
        b">" => x > y,
        b"-nt" | b"-ot" | b"-ef" => test_files(op, x, y),
        _ => {
            let number = |t: &[u8]| {
                parse_int(t).ok_or_else(|| [t, b": integer expression expected"].concat())
            };
            compare(op, number(x)?, number(y)?)
        }
    })
}
