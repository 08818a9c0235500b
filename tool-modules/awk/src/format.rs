//! `printf`.

use crate::value::Value;

/// One conversion of a format.
#[derive(Default)]
struct Spec {
    minus: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
}

/// Formats values; `text` turns a value into bytes. Fails with the offset of the
/// conversion that has no value.
pub fn format(
    out: &mut Vec<u8>,
    format: &[u8],
    args: &[Value],
    utf8: bool,
    text: &dyn Fn(&Value, &mut Vec<u8>),
) -> Result<(), usize> {
    let mut next = 0usize;
    let mut at = 0;
    let none = Value::Uninit;
    while at < format.len() {
        let rest = &format[at..];
        let Some(percent) = memchr::memchr(b'%', rest) else {
            out.extend_from_slice(rest);
            return Ok(());
        };
        out.extend_from_slice(&rest[..percent]);
        let start = at + percent;
        at = start + 1;
        let mut spec = Spec::default();
        // `%2$s` takes the second value.
        let digits = format[at..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count();
        let mut position = None;
        if digits > 0 && format.get(at + digits) == Some(&b'$') {
            position = std::str::from_utf8(&format[at..at + digits])
                .ok()
                .and_then(|t| t.parse::<usize>().ok());
            at += digits + 1;
        }
        loop {
            match format.get(at) {
                Some(b'-') => spec.minus = true,
                Some(b'+') => spec.plus = true,
                Some(b' ') => spec.space = true,
                Some(b'#') => spec.alternate = true,
                Some(b'0') => spec.zero = true,
                Some(b'\'') => {}
                _ => break,
            }
            at += 1;
        }
        let take = |next: &mut usize| -> &Value {
            let value = args.get(*next).unwrap_or(&none);
            *next += 1;
            value
        };
        if format.get(at) == Some(&b'*') {
            at += 1;
            let width = take(&mut next).num();
            spec.minus |= width < 0.0;
            spec.width = width.abs().min(1e6) as usize;
        } else {
            while let Some(digit @ b'0'..=b'9') = format.get(at) {
                spec.width = (spec.width * 10 + usize::from(digit - b'0')).min(1_000_000);
                at += 1;
            }
        }
        if format.get(at) == Some(&b'.') {
            at += 1;
            let mut precision = 0usize;
            if format.get(at) == Some(&b'*') {
                at += 1;
                let wanted = take(&mut next).num();
                spec.precision = (wanted >= 0.0).then(|| wanted.min(1e6) as usize);
            } else {
                while let Some(digit @ b'0'..=b'9') = format.get(at) {
                    precision = (precision * 10 + usize::from(digit - b'0')).min(1_000_000);
                    at += 1;
                }
                spec.precision = Some(precision);
            }
        }
        while matches!(
            format.get(at),
            Some(b'h' | b'l' | b'L' | b'q' | b'j' | b'z' | b't')
        ) {
            at += 1;
        }
        let Some(letter) = format.get(at).copied() else {
            out.extend_from_slice(&format[start..]);
            return Ok(());
        };
        at += 1;
        if letter == b'%' {
            out.push(b'%');
            continue;
        }
        if !matches!(
            letter,
            b'd' | b'i'
                | b'o'
                | b'x'
                | b'X'
                | b'u'
                | b'c'
                | b's'
                | b'e'
                | b'E'
                | b'f'
                | b'F'
                | b'g'
                | b'G'
                | b'a'
                | b'A'
        ) {
            out.extend_from_slice(&format[start..at]);
            continue;
        }
        let value = match position {
            Some(n) => args.get(n.saturating_sub(1)).unwrap_or(&none),
            None if next >= args.len() => return Err(at - 1),
            None => take(&mut next),
        };
        match letter {
            b's' => {
                let mut bytes = Vec::new();
                text(value, &mut bytes);
                string(out, &spec, &bytes, utf8);
            }
            b'c' => {
                let mut bytes = Vec::new();
                match value.numeric() {
                    Some(n) if !matches!(value, Value::Uninit) => {
                        let code = n as u32;
                        match char::from_u32(code) {
                            Some(c) if utf8 && code >= 0x80 => {
                                bytes.extend_from_slice(c.to_string().as_bytes())
                            }
                            _ => bytes.push((code & 0xff) as u8),
                        }
                    }
                    _ => {
                        text(value, &mut bytes);
                        let keep = if utf8 {
                            first_char(&bytes)
                        } else {
                            bytes.len().min(1)
                        };
                        bytes.truncate(keep);
                    }
                }
                spec.precision = None;
                string(out, &spec, &bytes, utf8);
            }
            b'd' | b'i' => {
                let n = value.num();
                if !n.is_finite() {
                    special(out, &mut spec, n);
                } else {
                    let n = n.trunc();
                    let digits = if n.abs() < 1e18 {
                        (n.abs() as u64).to_string()
                    } else {
                        format!("{:.0}", n.abs())
                    };
                    integer(out, &spec, n < 0.0, "", digits, true);
                }
            }
            b'o' | b'x' | b'X' | b'u' => {
                let n = value.num();
                if !n.is_finite() {
                    special(out, &mut spec, n);
                    continue;
                }
                let n = n.trunc();
                if n < 0.0 {
                    // Negative values come out as signed, as in gawk.
                    integer(out, &spec, true, "", format!("{:.0}", n.abs()), true);
                    continue;
                }
                let u = if n < 1.8e19 { n as u64 } else { u64::MAX };
                let (digits, prefix) = match letter {
                    b'o' => (format!("{u:o}"), "0"),
                    b'x' => (format!("{u:x}"), "0x"),
                    b'X' => (format!("{u:X}"), "0X"),
                    _ => (u.to_string(), ""),
                };
                let prefix = if spec.alternate && u != 0 { prefix } else { "" };
                integer(out, &spec, false, prefix, digits, false);
            }
            _ => float(out, &mut spec, letter, value.num()),
        }
    }
    Ok(())
}

fn first_char(bytes: &[u8]) -> usize {
    match bytes.first() {
        None => 0,
        Some(_) => {
            1 + bytes
                .iter()
                .skip(1)
                .take(3)
                .take_while(|b| **b & 0xc0 == 0x80)
                .count()
        }
    }
}

/// Number of characters.
pub fn count_chars(bytes: &[u8], utf8: bool) -> usize {
    if utf8 {
        bytes.iter().filter(|b| **b & 0xc0 != 0x80).count()
    } else {
        bytes.len()
    }
}

fn pad(out: &mut Vec<u8>, byte: u8, count: usize) {
    out.resize(out.len() + count, byte);
}

fn string(out: &mut Vec<u8>, spec: &Spec, bytes: &[u8], utf8: bool) {
    let mut bytes = bytes;
    if let Some(precision) = spec.precision {
        let mut end = 0;
        if utf8 {
            let mut seen = 0;
            while end < bytes.len() && seen < precision {
                end += first_char(&bytes[end..]);
                seen += 1;
            }
        } else {
            end = precision.min(bytes.len());
        }
        bytes = &bytes[..end.min(bytes.len())];
    }
    let fill = spec.width.saturating_sub(count_chars(bytes, utf8));
    if !spec.minus {
        pad(out, b' ', fill);
    }
    out.extend_from_slice(bytes);
    if spec.minus {
        pad(out, b' ', fill);
    }
}

fn integer(
    out: &mut Vec<u8>,
    spec: &Spec,
    negative: bool,
    prefix: &str,
    digits: String,
    signed: bool,
) {
    let sign = if negative {
        "-"
    } else if signed && spec.plus {
        "+"
    } else if signed && spec.space {
        " "
    } else {
        ""
    };
    let mut digits = digits;
    if let Some(precision) = spec.precision {
        if digits == "0" && precision == 0 {
            digits.clear();
        }
        if digits.len() < precision {
            digits.insert_str(0, &"0".repeat(precision - digits.len()));
        }
    }
    let length = sign.len() + prefix.len() + digits.len();
    let fill = spec.width.saturating_sub(length);
    let zeros = spec.zero && !spec.minus && spec.precision.is_none();
    if !spec.minus && !zeros {
        pad(out, b' ', fill);
    }
    out.extend_from_slice(sign.as_bytes());
    out.extend_from_slice(prefix.as_bytes());
    if zeros {
        pad(out, b'0', fill);
    }
    out.extend_from_slice(digits.as_bytes());
    if spec.minus {
        pad(out, b' ', fill);
    }
}

fn special(out: &mut Vec<u8>, spec: &mut Spec, n: f64) {
    let text = if n.is_nan() {
        if n.is_sign_negative() { "-nan" } else { "+nan" }
    } else if n < 0.0 {
        "-inf"
    } else {
        "+inf"
    };
    spec.precision = None;
    string(out, spec, text.as_bytes(), false);
}

fn float(out: &mut Vec<u8>, spec: &mut Spec, letter: u8, n: f64) {
    if !n.is_finite() {
        return special(out, spec, n);
    }
    let mut body = Vec::with_capacity(24);
    let precision = spec.precision.unwrap_or(6);
    let magnitude = n.abs();
    match letter {
        b'f' | b'F' => {
            use std::io::Write;
            let _ = write!(body, "{magnitude:.precision$}");
            if precision == 0 && spec.alternate {
                body.push(b'.');
            }
        }
        b'e' | b'E' => append_e(&mut body, magnitude, precision, letter == b'E'),
        _ => append_g(
            &mut body,
            magnitude,
            precision,
            letter == b'G',
            spec.alternate,
        ),
    }
    let sign: &[u8] = if n.is_sign_negative() {
        b"-"
    } else if spec.plus {
        b"+"
    } else if spec.space {
        b" "
    } else {
        b""
    };
    let fill = spec.width.saturating_sub(sign.len() + body.len());
    if !spec.minus && !spec.zero {
        pad(out, b' ', fill);
    }
    out.extend_from_slice(sign);
    if !spec.minus && spec.zero {
        pad(out, b'0', fill);
    }
    out.extend_from_slice(&body);
    if spec.minus {
        pad(out, b' ', fill);
    }
}

/// `%e`
fn append_e(out: &mut Vec<u8>, n: f64, precision: usize, upper: bool) {
    let text = format!("{n:.precision$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    out.extend_from_slice(mantissa.as_bytes());
    out.push(if upper { b'E' } else { b'e' });
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => (b'-', digits),
        None => (b'+', exponent),
    };
    out.push(sign);
    if digits.len() < 2 {
        out.push(b'0');
    }
    out.extend_from_slice(digits.as_bytes());
}

/// `%g`
pub fn append_g(out: &mut Vec<u8>, n: f64, precision: usize, upper: bool, alternate: bool) {
    let precision = precision.max(1);
    if n == 0.0 {
        out.extend_from_slice(if n.is_sign_negative() { b"-0" } else { b"0" });
        return;
    }
    // The exponent after rounding to the precision decides the form.
    let text = format!("{:.*e}", precision - 1, n);
    let exponent: i32 = text
        .split_once('e')
        .and_then(|(_, e)| e.parse().ok())
        .unwrap_or(0);
    let start = out.len();
    if exponent < -4 || exponent >= precision as i32 {
        let (mantissa, _) = text.split_once('e').unwrap_or((&text, "0"));
        out.extend_from_slice(mantissa.as_bytes());
        if !alternate {
            trim_zeros(out, start);
        }
        out.push(if upper { b'E' } else { b'e' });
        out.push(if exponent < 0 { b'-' } else { b'+' });
        out.extend_from_slice(format!("{:02}", exponent.abs()).as_bytes());
        return;
    }
    let decimals = usize::try_from(precision as i32 - 1 - exponent).unwrap_or(0);
    use std::io::Write;
    let _ = write!(out, "{n:.decimals$}");
    if !alternate {
        trim_zeros(out, start);
    }
}

fn trim_zeros(out: &mut Vec<u8>, start: usize) {
    if out[start..].contains(&b'.') {
        while out.last() == Some(&b'0') {
            out.pop();
        }
        if out.last() == Some(&b'.') {
            out.pop();
        }
    }
}

/// A number in a format such as CONVFMT.
pub fn append_float(out: &mut Vec<u8>, spec: &[u8], n: f64) {
    let _ = format(out, spec, &[Value::Num(n)], false, &|_, _| {});
}
