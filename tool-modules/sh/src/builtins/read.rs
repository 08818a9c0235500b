//! `read`.

use crate::os::{self, Errno};
use crate::shell::{Ex, Shell};
use crate::strs::is_name;
use crate::vars::{Val, Var};
use std::rc::Rc;

/// How input is taken from a descriptor without taking more than was asked for.
struct Input {
    fd: u32,
    /// It can seek: read blocks, and give back what is left.
    seekable: bool,
    buf: Vec<u8>,
    at: usize,
    deadline: Option<u64>,
}

enum Byte {
    Got(u8),
    End,
    Timeout,
    Signal,
    Error(Errno),
}

impl Input {
    fn next(&mut self, sh: &mut Shell) -> Byte {
        if let Some(b) = self.buf.get(self.at) {
            self.at += 1;
            return Byte::Got(*b);
        }
        loop {
            if let Some(d) = self.deadline {
                let now = os::monotonic_ns();
                match os::wait_readable(self.fd, Some(d.saturating_sub(now))) {
                    Ok(true) => {}
                    Ok(false) => return Byte::Timeout,
                    Err(Errno::INTR) => {
                        sh.collect_signals();
                        if sh.trapped_pending().is_some() {
                            return Byte::Signal;
                        }
                        continue;
                    }
                    Err(_) => {}
                }
            }
            self.buf.resize(if self.seekable { 4096 } else { 1 }, 0);
            self.at = 0;
            match os::read(self.fd, &mut self.buf) {
                Ok(0) => {
                    self.buf.clear();
                    return Byte::End;
                }
                Ok(n) => {
                    self.buf.truncate(n);
                    self.at = 1;
                    return self.buf.first().map_or(Byte::End, |b| Byte::Got(*b));
                }
                Err(Errno::INTR) => {
                    sh.collect_signals();
                    if sh.trapped_pending().is_some() {
                        self.buf.clear();
                        return Byte::Signal;
                    }
                }
                Err(e) => {
                    self.buf.clear();
                    return Byte::Error(e);
                }
            }
        }
    }

    fn give_back(&mut self) {
        let left = self.buf.len().saturating_sub(self.at);
        if self.seekable && left > 0 {
            let _ = os::seek_by(self.fd, -(left as i64));
        }
    }
}

pub(super) fn read(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let p = match super::options(sh, args, "ersa:d:i:n:N:p:t:u:", false) {
        Ok(p) => p,
        Err(s) => return Ok(s),
    };
    let (mut raw, mut array, mut delim, mut count, mut exact) = (false, None, b'\n', None, false);
    let (mut prompt, mut timeout, mut n) = (None, None, 0u32);
    for (l, _, arg) in &p.opts {
        let arg = arg.clone().unwrap_or_default();
        match l {
            b'r' => raw = true,
            b'a' => array = Some(arg),
            b'd' => delim = arg.first().copied().unwrap_or(0),
            b'n' | b'N' => {
                exact = *l == b'N';
                match crate::strs::parse_int(&arg).and_then(|n| usize::try_from(n).ok()) {
                    Some(v) => count = Some(v),
                    None => {
                        sh.berr([arg.as_slice(), b": invalid number"].concat());
                        return Ok(1);
                    }
                }
            }
            b'p' => prompt = Some(arg),
            b't' => match std::str::from_utf8(&arg)
                .ok()
                .and_then(|s| s.parse::<f64>().ok())
                .filter(|t| *t >= 0.0)
            {
                Some(t) => timeout = Some((t * 1e9) as u64),
                None => {
                    sh.berr([arg.as_slice(), b": invalid timeout specification"].concat());
                    return Ok(1);
                }
            },
            b'u' => match crate::strs::parse_int(&arg).and_then(|n| u32::try_from(n).ok()) {
                Some(v) => n = v,
                None => {
                    sh.berr([arg.as_slice(), b": invalid file descriptor specification"].concat());
                    return Ok(1);
                }
            },
            _ => {}
        }
    }
    let names = args.get(p.rest..).unwrap_or_default();
    if let Some(name) = array.as_ref().filter(|n| !is_name(n)) {
        sh.berr([b"`", name.as_slice(), b"': not a valid identifier"].concat());
        return Ok(1);
    }
    let Some(fd) = sh.kernel_fd(n) else {
        sh.berr(format!("{n}: invalid file descriptor: Bad file descriptor"));
        return Ok(1);
    };
    if let Some(text) = prompt
        && os::isatty(fd)
    {
        sh.write_err(&text);
    }
    if timeout == Some(0) {
        return Ok(i32::from(!matches!(
            os::wait_readable(fd, Some(0)),
            Ok(true)
        )));
    }
    let seekable = os::seek_by(fd, 0).is_ok();
    let deadline = timeout.map(|t| os::monotonic_ns() + t);
    let mut input = Input {
        fd,
        seekable,
        buf: Vec::new(),
        at: 0,
        deadline,
    };
    let (text, escaped, status) = collect(sh, &mut input, raw, delim, count, exact);
    input.give_back();
    if status == 1000 {
        return Ok(1);
    }
    let r = store(sh, names, array, text, &escaped, exact);
    match r {
        Ok(0) => Ok(status),
        other => other,
    }
}

/// The line; which of its bytes were escaped; the status.
fn collect(
    sh: &mut Shell,
    input: &mut Input,
    raw: bool,
    delim: u8,
    count: Option<usize>,
    exact: bool,
) -> (Vec<u8>, Vec<bool>, i32) {
    let mut text = Vec::new();
    let mut escaped: Vec<bool> = Vec::new();
    let mut chars = 0;
    if count == Some(0) {
        return (text, escaped, 0);
    }
    let mut status = 0;
    loop {
        let b = match input.next(sh) {
            Byte::Got(b) => b,
            Byte::End => {
                status = 1;
                break;
            }
            Byte::Timeout => {
                status = 142;
                break;
            }
            Byte::Signal => {
                status = 128 + sh.trapped_pending().unwrap_or(0) as i32;
                break;
            }
            Byte::Error(e) => {
                sh.berr(format!("read error: 0: {e}"));
                return (text, escaped, 1000);
            }
        };
        if b == delim && !exact {
            break;
        }
        if b == b'\\' && !raw {
            match input.next(sh) {
                Byte::Got(b'\n') => continue,
                Byte::Got(e) => {
                    text.push(e);
                    escaped.push(true);
                }
                _ => {
                    status = 1;
                    break;
                }
            }
        } else if b == 0 && delim != 0 {
            continue;
        } else {
            text.push(b);
            escaped.push(false);
        }
        if let Some(want) = count {
            // A character is counted when its last byte is there.
            let start = text.iter().rposition(|b| b & 0xc0 != 0x80).unwrap_or(0);
            let head = text.get(start).copied().unwrap_or(0);
            let need = match head {
                0xc2..=0xdf => 2,
                0xe0..=0xef => 3,
                0xf0..=0xf4 => 4,
                _ => 1,
            };
            if text.len() - start >= need {
                chars += 1;
                if chars >= want {
                    break;
                }
            }
        }
    }
    (text, escaped, status)
}

/// Splits at `$IFS` and assigns.
fn store(
    sh: &mut Shell,
    names: &[Vec<u8>],
    array: Option<Vec<u8>>,
    text: Vec<u8>,
    escaped: &[bool],
    exact: bool,
) -> Ex {
    let assign = |sh: &mut Shell, name: &[u8], value: Vec<u8>| -> bool {
        let base = crate::access::split_subscript(name).map_or(name, |(n, _)| n);
        if !is_name(base) {
            sh.berr([b"`", name, b"': not a valid identifier"].concat());
            return false;
        }
        match crate::access::split_subscript(name) {
            Some((n, s)) => {
                let (n, s) = (n.to_vec(), s.to_vec());
                sh.assign_elem(&n, &s, value, false).is_ok()
            }
            None => sh.set(name, value).is_ok(),
        }
    };
    if names.is_empty() && array.is_none() {
        return Ok(i32::from(!assign(sh, b"REPLY", text)));
    }
    if exact && array.is_none() {
        let mut value = Some(text);
        for n in names {
            if !assign(sh, n, value.take().unwrap_or_default()) {
                return Ok(1);
            }
        }
        return Ok(0);
    }
    let ifs = sh.ifs();
    let kind = |i: usize| {
        if escaped.get(i).copied().unwrap_or(false) {
            0
        } else {
            text.get(i).map_or(0, |b| ifs.kind(*b))
        }
    };
    let len = text.len();
    let skip_blanks = |mut i: usize| {
        while i < len && kind(i) == 1 {
            i += 1;
        }
        i
    };
    if let Some(name) = array {
        let name = sh.resolve(&name).unwrap_or(name);
        let mut items = Vec::new();
        let mut i = skip_blanks(0);
        if exact {
            items.push(text.clone());
            i = len;
        }
        while i < len {
            let start = i;
            while i < len && kind(i) == 0 {
                i += 1;
            }
            items.push(text.get(start..i).unwrap_or_default().to_vec());
            i = skip_blanks(i);
            if i < len && kind(i) == 2 && (start != i) {
                // The separator that ended this field.
                if text.get(start..i).is_some() {
                    i += 1;
                }
                i = skip_blanks(i);
            } else if i < len && kind(i) == 2 {
                i = skip_blanks(i + 1);
            }
        }
        if sh.check_writable(&name).is_err() {
            return Ok(1);
        }
        if sh.array_kind(&name) == crate::access::Kind::Assoc {
            sh.berr(
                [
                    name.as_slice(),
                    b": cannot convert associative to indexed array",
                ]
                .concat(),
            );
            return Ok(1);
        }
        let attrs = sh.raw_var(&name).map_or(0, |v| v.attrs);
        let map = items
            .into_iter()
            .enumerate()
            .map(|(i, v)| (i as u64, Rc::new(v)))
            .collect();
        let target = sh.resolve(&name).unwrap_or(name);
        sh.put(
            &target,
            Var {
                val: Val::Arr(Rc::new(map)),
                attrs,
                bare: false,
            },
        );
        return Ok(0);
    }
    let mut i = skip_blanks(0);
    for (k, name) in names.iter().enumerate() {
        let value = if k + 1 == names.len() {
            // The last name takes the rest, without blanks at its end.
            let mut end = len;
            while end > i && kind(end - 1) == 1 {
                end -= 1;
            }
            // One separator at the very end goes too, if it is the only one.
            let rest = i..end;
            let seps = rest.clone().filter(|j| kind(*j) == 2).count();
            if seps == 1 && end > i && kind(end - 1) == 2 {
                end -= 1;
                while end > i && kind(end - 1) == 1 {
                    end -= 1;
                }
            }
            text.get(i..end).unwrap_or_default().to_vec()
        } else {
            let start = i;
            while i < len && kind(i) == 0 {
                i += 1;
            }
            let v = text.get(start..i).unwrap_or_default().to_vec();
            i = skip_blanks(i);
            if i < len && kind(i) == 2 {
                i = skip_blanks(i + 1);
            }
            v
        };
        if !assign(sh, name, value) {
            return Ok(1);
        }
    }
    Ok(0)
}
