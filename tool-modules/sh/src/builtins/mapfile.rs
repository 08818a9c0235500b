//! `mapfile`, `readarray`.

use crate::os;
use crate::shell::{Ex, Shell};
use crate::strs::{is_name, parse_int};
use crate::vars::{Val, Var};
use std::rc::Rc;

pub(super) fn mapfile(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let p = match super::options(sh, args, "d:n:O:s:tu:C:c:", false) {
        Ok(p) => p,
        Err(s) => return Ok(s),
    };
    let (mut delim, mut count, mut origin, mut skip, mut strip, mut n) =
        (b'\n', 0usize, None, 0usize, false, 0u32);
    let (mut callback, mut quantum) = (None, 5000usize);
    for (l, _, arg) in &p.opts {
        let arg = arg.clone().unwrap_or_default();
        let number = parse_int(&arg).and_then(|n| usize::try_from(n).ok());
        let what = match l {
            b'd' => {
                delim = arg.first().copied().unwrap_or(0);
                continue;
            }
            b't' => {
                strip = true;
                continue;
            }
            b'C' => {
                callback = Some(arg);
                continue;
            }
            b'n' => "line count",
            b'O' => "array origin",
            b's' => "line count",
            b'c' => "callback quantum",
            _ => "file descriptor specification",
        };
        let Some(v) = number else {
            sh.berr([arg.as_slice(), b": invalid ", what.as_bytes()].concat());
            return Ok(1);
        };
        match l {
            b'n' => count = v,
            b'O' => origin = Some(v),
            b's' => skip = v,
            b'c' => quantum = v.max(1),
            _ => n = v as u32,
        }
    }
    let name = args
        .get(p.rest)
        .cloned()
        .unwrap_or_else(|| b"MAPFILE".to_vec());
    if !is_name(&name) {
        sh.berr([b"`", name.as_slice(), b"': not a valid identifier"].concat());
        return Ok(1);
    }
    let Some(fd) = sh.kernel_fd(n) else {
        sh.berr(format!("{n}: invalid file descriptor: Bad file descriptor"));
        return Ok(1);
    };
    let name = sh.resolve(&name).unwrap_or(name);
    if sh.check_writable(&name).is_err() {
        return Ok(1);
    }
    if sh.array_kind(&name) == crate::access::Kind::Assoc {
        sh.berr([name.as_slice(), b": not an indexed array"].concat());
        return Ok(1);
    }
    let attrs = sh.raw_var(&name).map_or(0, |v| v.attrs);
    let mut map = match (origin, sh.raw_var(&name).map(|v| &v.val)) {
        (Some(_), Some(Val::Arr(a))) => (**a).clone(),
        (Some(_), Some(Val::Str(s))) => [(0, s.clone())].into_iter().collect(),
        _ => Default::default(),
    };
    let mut index = origin.unwrap_or(0) as u64;
    let seekable = os::seek_by(fd, 0).is_ok();
    let whole = count == 0 || seekable;
    let mut buf = Vec::new();
    let mut at = 0;
    let mut ended = false;
    let mut stored = 0usize;
    let mut skipped = 0;
    loop {
        if count > 0 && stored == count {
            break;
        }
        // The next line, reading as far as is needed.
        let line = loop {
            let rest = buf.get(at..).unwrap_or_default();
            if let Some(i) = rest.iter().position(|b: &u8| *b == delim) {
                let line = rest.get(..=i).unwrap_or_default().to_vec();
                at += i + 1;
                break Some(line);
            }
            if ended {
                let line = rest.to_vec();
                at = buf.len();
                break if line.is_empty() { None } else { Some(line) };
            }
            let len = buf.len();
            buf.resize(len + if whole { 64 * 1024 } else { 1 }, 0);
            match os::read(fd, buf.get_mut(len..).unwrap_or_default()) {
                Ok(0) | Err(_) => {
                    buf.truncate(len);
                    ended = true;
                }
                Ok(n) => buf.truncate(len + n),
            }
        };
        let Some(mut line) = line else { break };
        if skipped < skip {
            skipped += 1;
            continue;
        }
        if strip && line.last() == Some(&delim) || delim == 0 && line.last() == Some(&0) {
            line.pop();
        }
        stored += 1;
        if let Some(c) = &callback
            && stored.is_multiple_of(quantum)
        {
            let call = [
                c.as_slice(),
                format!(" {index} ").as_bytes(),
                &crate::strs::single_quote(&line),
            ]
            .concat();
            sh.put(
                &name,
                Var {
                    val: Val::Arr(Rc::new(map.clone())),
                    attrs,
                    bare: false,
                },
            );
            sh.eval_text(&call, None)?;
        }
        map.insert(index, Rc::new(line));
        index += 1;
    }
    if seekable && at < buf.len() {
        let _ = os::seek_by(fd, -((buf.len() - at) as i64));
    }
    sh.put(
        &name,
        Var {
            val: Val::Arr(Rc::new(map)),
            attrs,
            bare: false,
        },
    );
    Ok(0)
}
