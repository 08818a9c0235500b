//! `printf`.

use super::echo::escaped;
use crate::parse::{ansi_c, digits};
use crate::shell::{Ex, Shell};
use crate::strs::{backslash_quote, push_char};

struct State<'a> {
    args: &'a [Vec<u8>],
    at: usize,
    status: i32,
    stop: bool,
}

#[derive(Default, Clone)]
struct Spec {
    minus: bool,
    plus: bool,
    space: bool,
    alt: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

pub(super) fn printf(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let mut at = 1;
    let mut var = None;
    while let Some(a) = args.get(at) {
        if a == b"--" {
            at += 1;
            break;
        }
        if let Some(v) = a.strip_prefix(b"-v") {
            at += 1;
            let name = if v.is_empty() {
                match args.get(at) {
                    Some(n) => {
                        at += 1;
                        n.clone()
                    }
                    None => {
                        sh.berr("-v: option requires an argument");
                        return Ok(sh.usage_error());
                    }
                }
            } else {
                v.to_vec()
            };
            let base = crate::access::split_subscript(&name).map_or(name.as_slice(), |(n, _)| n);
            if !crate::strs::is_name(base) {
                sh.berr([b"`", name.as_slice(), b"': not a valid identifier"].concat());
                return Ok(2);
            }
            var = Some(name);
            continue;
        }
        if a.len() > 1 && a.first() == Some(&b'-') {
            let l = a.get(1).copied().unwrap_or(b'-');
            if a == b"--help" {
                return Ok(super::help::help_for(sh));
            }
            return Ok(sh.bad_option(l, b'-'));
        }
        break;
    }
    let Some(format) = args.get(at).cloned() else {
        return Ok(sh.usage_error());
    };
    let mut st = State {
        args: args.get(at + 1..).unwrap_or_default(),
        at: 0,
        status: 0,
        stop: false,
    };
    let mut out = Vec::new();
    loop {
        let before = st.at;
        if !once(sh, &format, &mut st, &mut out) {
            st.status = 1;
            break;
        }
        // Again while there are arguments, if the format takes any.
        if st.stop || st.at >= st.args.len() || st.at == before {
            break;
        }
    }
    match var {
        None => {
            sh.say(out);
            Ok(st.status)
        }
        Some(name) => {
            let done = match crate::access::split_subscript(&name) {
                Some((n, s)) => {
                    let (n, s) = (n.to_vec(), s.to_vec());
                    sh.assign_elem(&n, &s, out, false)
                }
                None => sh.set(&name, out),
            };
            Ok(if done.is_err() { 1 } else { st.status })
        }
    }
}

impl State<'_> {
    fn next(&mut self) -> Option<Vec<u8>> {
        let a = self.args.get(self.at).cloned();
        self.at += 1;
        a
    }
}

/// The format once. `false`: an error in it.
fn once(sh: &mut Shell, f: &[u8], st: &mut State<'_>, out: &mut Vec<u8>) -> bool {
    let mut i = 0;
    while let Some(&b) = f.get(i) {
        i += 1;
        match b {
            b'\\' => {
                i += format_escape(f, i, out);
            }
            b'%' => {
                if f.get(i) == Some(&b'%') {
                    out.push(b'%');
                    i += 1;
                    continue;
                }
                let start = i - 1;
                let mut s = Spec::default();
                while let Some(&c) = f.get(i) {
                    match c {
                        b'-' => s.minus = true,
                        b'+' => s.plus = true,
                        b' ' => s.space = true,
                        b'#' => s.alt = true,
                        b'0' => s.zero = true,
                        b'\'' => {}
                        _ => break,
                    }
                    i += 1;
                }
                if f.get(i) == Some(&b'*') {
                    i += 1;
                    let w = integer(sh, st);
                    if w < 0 {
                        s.minus = true;
                    }
                    s.width = Some(w.unsigned_abs().min(1 << 24) as usize);
                } else {
                    let (w, len) = digits(f, i, 10, 9);
                    if len > 0 {
                        s.width = Some((w as usize).min(1 << 24));
                        i += len;
                    }
                }
                if f.get(i) == Some(&b'.') {
                    i += 1;
                    if f.get(i) == Some(&b'*') {
                        i += 1;
                        let p = integer(sh, st);
                        s.precision = usize::try_from(p).ok().map(|p| p.min(1 << 24));
                    } else {
                        let (p, len) = digits(f, i, 10, 9);
                        i += len;
                        s.precision = Some((p as usize).min(1 << 24));
                    }
                }
                while f.get(i).is_some_and(|c| {
                    matches!(c, b'l' | b'h' | b'j' | b'z' | b't' | b'L' | b'q') && (*c != b'q')
                }) {
                    i += 1;
                }
                let Some(&conv) = f.get(i) else {
                    sh.berr(
                        [
                            b"`",
                            f.get(start..).unwrap_or_default(),
                            b"': missing format character",
                        ]
                        .concat(),
                    );
                    return false;
                };
                i += 1;
                if conv == b'(' {
                    let rest = f.get(i..).unwrap_or_default();
                    let Some(end) = rest.windows(2).position(|w| w == b")T") else {
                        sh.berr("`(': invalid format character");
                        return false;
                    };
                    let format = rest.get(..end).unwrap_or_default();
                    i += end + 2;
                    let when = match st.next() {
                        None => -1,
                        Some(a) => number(sh, &a, st) as i64,
                    };
                    let seconds = match when {
                        -1 => (crate::os::now_ns() / 1_000_000_000) as i64,
                        -2 => (sh.started_ns / 1_000_000_000) as i64,
                        n => n,
                    };
                    let format: &[u8] = if format.is_empty() { b"%X" } else { format };
                    let text = super::strftime::format(format, seconds);
                    string(out, &text, &s);
                    continue;
                }
                if !convert(sh, conv, &s, st, out) {
                    return false;
                }
                if st.stop {
                    return true;
                }
            }
            _ => out.push(b),
        }
    }
    true
}

/// An escape of the format after its backslash; how many bytes.
fn format_escape(f: &[u8], i: usize, out: &mut Vec<u8>) -> usize {
    let Some(&e) = f.get(i) else {
        out.push(b'\\');
        return 0;
    };
    match e {
        b'0'..=b'7' => {
            let (v, len) = digits(f, i, 8, 3);
            out.push(v as u8);
            return len;
        }
        b'x' => {
            let (v, len) = digits(f, i + 1, 16, 2);
            if len == 0 {
                out.extend_from_slice(b"\\x");
            } else {
                out.push(v as u8);
            }
            return len + 1;
        }
        b'u' | b'U' => {
            let (v, len) = digits(f, i + 1, 16, if e == b'u' { 4 } else { 8 });
            if len == 0 {
                out.extend_from_slice(&[b'\\', e]);
            } else {
                push_char(out, v);
            }
            return len + 1;
        }
        b'?' => out.push(b'?'),
        b'"' | b'\'' | b'\\' | b'a' | b'b' | b'e' | b'E' | b'f' | b'n' | b'r' | b't' | b'v' => {
            out.extend_from_slice(&ansi_c(&[b'\\', e]));
        }
        _ => out.extend_from_slice(&[b'\\', e]),
    }
    1
}

fn pad(out: &mut Vec<u8>, text: &[u8], s: &Spec) {
    let width = s.width.unwrap_or(0);
    let fill = width.saturating_sub(text.len());
    if !s.minus {
        out.extend(std::iter::repeat_n(b' ', fill));
    }
    out.extend_from_slice(text);
    if s.minus {
        out.extend(std::iter::repeat_n(b' ', fill));
    }
}

fn string(out: &mut Vec<u8>, text: &[u8], s: &Spec) {
    let cut = match s.precision {
        Some(p) => text.get(..p.min(text.len())).unwrap_or_default(),
        None => text,
    };
    pad(out, cut, s);
}

fn convert(sh: &mut Shell, conv: u8, s: &Spec, st: &mut State<'_>, out: &mut Vec<u8>) -> bool {
    match conv {
        b's' => {
            let a = st.next().unwrap_or_default();
            string(out, &a, s);
        }
        b'b' => {
            let a = st.next().unwrap_or_default();
            let mut text = Vec::new();
            st.stop = escaped(&a, &mut text, false);
            string(out, &text, s);
        }
        b'q' | b'Q' => {
            let mut a = st.next().unwrap_or_default();
            if conv == b'Q'
                && let Some(p) = s.precision
            {
                a.truncate(p);
            }
            let text = backslash_quote(&a);
            let s = if conv == b'Q' {
                Spec {
                    precision: None,
                    ..s.clone()
                }
            } else {
                s.clone()
            };
            string(out, &text, &s);
        }
        b'c' => {
            let a = st.next().unwrap_or_default();
            let text = a.get(..1).unwrap_or_default().to_vec();
            pad(out, &text, s);
        }
        b'd' | b'i' => {
            let v = integer(sh, st);
            let sign = if v < 0 {
                "-"
            } else if s.plus {
                "+"
            } else if s.space {
                " "
            } else {
                ""
            };
            numeric(out, sign, "", &v.unsigned_abs().to_string(), s);
        }
        b'u' | b'o' | b'x' | b'X' => {
            let v = integer(sh, st) as u64;
            let (prefix, text) = match conv {
                b'o' => ("", format!("{v:o}")),
                b'x' => (if s.alt && v != 0 { "0x" } else { "" }, format!("{v:x}")),
                b'X' => (if s.alt && v != 0 { "0X" } else { "" }, format!("{v:X}")),
                _ => ("", v.to_string()),
            };
            let text = if conv == b'o' && s.alt && !text.starts_with('0') {
                format!("0{text}")
            } else {
                text
            };
            if conv == b'o' && s.alt && v == 0 {
                numeric(
                    out,
                    "",
                    "0",
                    "",
                    &Spec {
                        precision: None,
                        ..s.clone()
                    },
                );
                return true;
            }
            numeric(out, "", prefix, &text, s);
        }
        b'e' | b'E' | b'f' | b'F' | b'g' | b'G' | b'a' | b'A' => {
            let v = match st.next() {
                None => 0.0,
                Some(a) => float(sh, &a, st),
            };
            let text = format_float(conv, v.abs(), s);
            let sign = if v.is_sign_negative() {
                "-"
            } else if s.plus {
                "+"
            } else if s.space {
                " "
            } else {
                ""
            };
            let zero = s.zero && v.is_finite();
            let s = Spec {
                precision: None,
                zero,
                ..s.clone()
            };
            numeric(out, sign, "", &text, &s);
        }
        b'n' => {
            let a = st.next().unwrap_or_default();
            let _ = sh.set(&a, out.len().to_string().into_bytes());
        }
        _ => {
            sh.berr([b"`", &[conv][..], b"': invalid format character"].concat());
            return false;
        }
    }
    true
}

/// Digits with sign, prefix, precision and padding.
fn numeric(out: &mut Vec<u8>, sign: &str, prefix: &str, digits: &str, s: &Spec) {
    let mut body = String::new();
    if let Some(p) = s.precision {
        if p == 0 && digits == "0" {
            // No digits at all.
        } else {
            for _ in digits.len()..p {
                body.push('0');
            }
            body.push_str(digits);
        }
    } else {
        body.push_str(digits);
    }
    let width = s.width.unwrap_or(0);
    let used = sign.len() + prefix.len() + body.len();
    let fill = width.saturating_sub(used);
    let zeros = s.zero && !s.minus && s.precision.is_none();
    if !s.minus && !zeros {
        out.extend(std::iter::repeat_n(b' ', fill));
    }
    out.extend_from_slice(sign.as_bytes());
    out.extend_from_slice(prefix.as_bytes());
    if zeros {
        out.extend(std::iter::repeat_n(b'0', fill));
    }
    out.extend_from_slice(body.as_bytes());
    if s.minus {
        out.extend(std::iter::repeat_n(b' ', fill));
    }
}

fn integer(sh: &mut Shell, st: &mut State<'_>) -> i64 {
    match st.next() {
        None => 0,
        Some(a) => {
            let n = number(sh, &a, st);
            // Unsigned values past the signed range keep their bits.
            if n > i128::from(i64::MAX) {
                n as u64 as i64
            } else {
                n as i64
            }
        }
    }
}

/// An argument as C's `strtol` reads it, or the code of a character after a quote.
fn number(sh: &mut Shell, a: &[u8], st: &mut State<'_>) -> i128 {
    if let Some((b'\'' | b'"', rest)) = a.split_first() {
        let len = crate::strs::char_len(rest, 0);
        let c = rest.get(..len).unwrap_or_default();
        return match crate::strs::decode(c) {
            Some(ch) => i128::from(ch as u32),
            None => i128::from(c.first().copied().unwrap_or(0)),
        };
    }
    let t = a.trim_ascii_start();
    let (neg, t) = match t.split_first() {
        Some((b'-', r)) => (true, r),
        Some((b'+', r)) => (false, r),
        _ => (false, t),
    };
    let (base, body) = if let Some(r) = t.strip_prefix(b"0x").or_else(|| t.strip_prefix(b"0X")) {
        (16, r)
    } else if t.first() == Some(&b'0') && t.len() > 1 {
        (8, t)
    } else {
        (10, t)
    };
    let mut v: i128 = 0;
    let mut len = 0;
    let mut over = false;
    while let Some(d) = body.get(len).and_then(|b| (*b as char).to_digit(base)) {
        v = v * i128::from(base) + i128::from(d);
        if v > i128::from(u64::MAX) {
            over = true;
            v = i128::from(u64::MAX);
        }
        len += 1;
    }
    if len == 0 && !a.is_empty() || body.get(len).is_some() {
        sh.berr(
            [
                a,
                b": invalid ",
                if base == 16 {
                    b"hex" as &[u8]
                } else if base == 8 {
                    b"octal"
                } else {
                    b""
                },
                if base == 10 {
                    b"number" as &[u8]
                } else {
                    b" number"
                },
            ]
            .concat(),
        );
        st.status = 1;
    }
    if neg {
        v = -v;
    }
    if over || v < i128::from(i64::MIN) {
        sh.berr([a, b": Numerical result out of range"].concat());
        st.status = 1;
        return if neg {
            i128::from(i64::MIN)
        } else {
            i128::from(i64::MAX)
        };
    }
    v
}

fn float(sh: &mut Shell, a: &[u8], st: &mut State<'_>) -> f64 {
    if matches!(a.first(), Some(b'\'' | b'"')) {
        return number(sh, a, st) as f64;
    }
    let t = String::from_utf8_lossy(a.trim_ascii_start()).into_owned();
    if t.is_empty() {
        return 0.0;
    }
    let body = t.trim_start_matches(['+', '-']);
    if body.starts_with("0x") || body.starts_with("0X") {
        let v = number(sh, a, st);
        return v as f64;
    }
    // The longest prefix that is a number.
    let mut end = t.len();
    loop {
        if let Some(prefix) = t.get(..end)
            && let Ok(v) = prefix.parse::<f64>()
        {
            if end < t.len() {
                sh.berr([a, b": invalid number"].concat());
                st.status = 1;
            }
            return v;
        }
        if end == 0 {
            sh.berr([a, b": invalid number"].concat());
            st.status = 1;
            return 0.0;
        }
        end -= 1;
    }
}

fn format_float(conv: u8, v: f64, s: &Spec) -> String {
    let upper = conv.is_ascii_uppercase();
    if !v.is_finite() {
        let t = if v.is_nan() { "nan" } else { "inf" };
        return if upper {
            t.to_uppercase()
        } else {
            t.to_string()
        };
    }
    let p = s.precision.unwrap_or(6);
    let text = match conv.to_ascii_lowercase() {
        b'f' => {
            let t = format!("{v:.p$}");
            if s.alt && p == 0 { format!("{t}.") } else { t }
        }
        b'e' => {
            let t = exponent(v, p);
            if s.alt && p == 0 {
                t.replacen('e', ".e", 1)
            } else {
                t
            }
        }
        b'a' => hex_float(v),
        _ => {
            let p = p.max(1);
            let e = exponent(v, p - 1);
            let x: i32 = e
                .rsplit('e')
                .next()
                .and_then(|x| x.parse().ok())
                .unwrap_or(0);

            if x < -4 || x >= p as i32 {
                let (m, ex) = e.split_once('e').unwrap_or((&e, "+00"));
                if s.alt {
                    e.clone()
                } else {
                    format!("{}e{ex}", strip_zeros(m))
                }
            } else {
                let t = format!("{v:.*}", (p as i32 - 1 - x).max(0) as usize);
                if s.alt {
                    t
                } else {
                    strip_zeros(&t).to_string()
                }
            }
        }
    };
    if upper { text.to_uppercase() } else { text }
}

fn strip_zeros(t: &str) -> &str {
    if t.contains('.') {
        t.trim_end_matches('0').trim_end_matches('.')
    } else {
        t
    }
}

fn exponent(v: f64, p: usize) -> String {
    let t = format!("{v:.p$e}");
    let (m, e) = t.split_once('e').unwrap_or((&t, "0"));
    let n: i32 = e.parse().unwrap_or(0);
    format!("{m}e{}{:02}", if n < 0 { '-' } else { '+' }, n.abs())
}

fn hex_float(v: f64) -> String {
    if v == 0.0 {
        return "0x0p+0".to_string();
    }
    let bits = v.to_bits();
    let mut exp = ((bits >> 52) & 0x7ff) as i64 - 1023;
    let frac = bits & 0x000f_ffff_ffff_ffff;
    let lead = if exp == -1023 {
        exp = -1022;
        0
    } else {
        1
    };
    let hex = format!("{frac:013x}");
    let hex = hex.trim_end_matches('0');
    let dot = if hex.is_empty() { "" } else { "." };
    format!("0x{lead}{dot}{hex}p{exp:+}")
}
