//! `set -x`, and the report of `time`.

use crate::ast::{Assign, AssignValue, Word};
use crate::opts;
use crate::shell::{Shell, Unwind};
use crate::strs::{parse_int, quote_if_needed};

impl Shell {
    /// Writes a line of `set -x`.
    pub(crate) fn trace_text(&mut self, text: &[u8]) -> Result<(), Unwind> {
        let ps4 = self
            .get(b"PS4")
            .map_or_else(|| b"+ ".to_vec(), |t| t.to_vec());
        let old = (self.st.opts, self.st.status, self.subst_status);
        self.st.opts &= !opts::XTRACE;
        let prompt = self.prompt_text(&ps4);
        (self.st.opts, self.st.status, self.subst_status) = old;
        let mut out = Vec::new();
        // The first character tells how deep substitutions nest.
        let first = crate::strs::char_len(&prompt, 0);
        for _ in 0..=self.trace_depth() {
            out.extend_from_slice(prompt.get(..first).unwrap_or_default());
        }
        out.extend_from_slice(prompt.get(first..).unwrap_or_default());
        out.extend_from_slice(text);
        out.push(b'\n');
        let fd = self
            .get(b"BASH_XTRACEFD")
            .and_then(|t| parse_int(&t))
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(2);
        let fd = if self.st.fds.get(fd).is_some() { fd } else { 2 };
        let _ = self.write_fd(fd, &out);
        Ok(())
    }

    fn trace_depth(&self) -> u32 {
        self.trace_level
    }

    pub(crate) fn trace_command(
        &mut self,
        assigns: &[Assign],
        args: &[Vec<u8>],
    ) -> Result<(), Unwind> {
        for a in assigns {
            if let AssignValue::Word(w) = &a.value {
                let value = self.expand_single(w)?;
                self.trace_assign(a, None, &value)?;
            }
        }
        let mut text = Vec::new();
        let mut arrays = self.array_args.clone().into_iter().peekable();
        for (i, a) in args.iter().enumerate() {
            if i > 0 {
                text.push(b' ');
            }
            if arrays.peek().is_some_and(|(n, _)| *n == i)
                && let Some((_, a)) = arrays.next()
            {
                text.extend_from_slice(&crate::print::assign(&a));
                continue;
            }
            text.extend_from_slice(&quote_if_needed(a));
        }
        self.trace_text(&text)
    }

    pub(crate) fn trace_assign(
        &mut self,
        a: &Assign,
        sub: Option<&[u8]>,
        value: &[u8],
    ) -> Result<(), Unwind> {
        let mut text = a.name.to_vec();
        if let Some(s) = sub {
            text.push(b'[');
            text.extend_from_slice(s);
            text.push(b']');
        }
        text.extend_from_slice(if a.append { b"+=" } else { b"=" });
        if !value.is_empty() {
            text.extend_from_slice(&quote_if_needed(value));
        }
        self.trace_text(&text)
    }

    pub(crate) fn trace_array(&mut self, a: &Assign) -> Result<(), Unwind> {
        let text = crate::print::assign(a);
        self.trace_text(&text)
    }

    pub(crate) fn trace_arith(&mut self, w: &Word) -> Result<(), Unwind> {
        if !self.opt(opts::XTRACE) {
            return Ok(());
        }
        let text = self.expand_quoted(w)?;
        self.trace_text(&[b"(( ", text.trim_ascii(), b" ))"].concat())
    }

    pub(crate) fn trace_case(&mut self, w: &Word) -> Result<(), Unwind> {
        if !self.opt(opts::XTRACE) {
            return Ok(());
        }
        let text = crate::print::word(w);
        self.trace_text(&[b"case ", text.as_slice(), b" in"].concat())
    }

    pub(crate) fn trace_cond(
        &mut self,
        op: &[u8],
        left: &[u8],
        right: &[u8],
    ) -> Result<(), Unwind> {
        let quote = |t: &[u8]| {
            if t.is_empty() {
                b"''".to_vec()
            } else {
                t.to_vec()
            }
        };
        let right = if matches!(op, b"==" | b"=" | b"!=" | b"=~") {
            quote(right)
        } else {
            quote_if_needed(right)
        };
        self.trace_text(
            &[
                b"[[ ",
                &quote_if_needed(left)[..],
                b" ",
                op,
                b" ",
                &right[..],
                b" ]]",
            ]
            .concat(),
        )
    }

    /// Before each round of a `for`: the trace line and the DEBUG trap.
    pub(crate) fn before_for(
        &mut self,
        f: &crate::ast::For,
        cmd: &crate::ast::Command,
    ) -> Result<(), Unwind> {
        if self.opt(opts::XTRACE) {
            let mut text = b"for ".to_vec();
            text.extend_from_slice(&f.var);
            if let Some(words) = &f.words {
                text.extend_from_slice(b" in");
                for w in words {
                    text.push(b' ');
                    text.extend_from_slice(&crate::print::word(w));
                }
            } else {
                text.extend_from_slice(b" in \"$@\"");
            }
            self.trace_text(&text)?;
        }
        if self.wants_debug() {
            self.debug_trap(cmd)?;
        }
        Ok(())
    }
}

/// What `time` prints. Times in microseconds.
pub(crate) fn time_report(
    format: Option<&[u8]>,
    posix: bool,
    real: u64,
    user: u64,
    sys: u64,
) -> Vec<u8> {
    let format: &[u8] = match format {
        _ if posix => b"real %2R\nuser %2U\nsys %2S",
        Some(f) => f,
        None => b"\nreal\t%3lR\nuser\t%3lU\nsys\t%3lS",
    };
    if format.is_empty() {
        return Vec::new();
    }
    let mut out = Vec::new();
    let mut it = format.iter().copied().peekable();
    while let Some(b) = it.next() {
        if b != b'%' {
            out.push(b);
            continue;
        }
        let mut digits = 3usize;
        let mut long = false;
        if let Some(d) = it.peek().filter(|d| d.is_ascii_digit()) {
            digits = usize::from(*d - b'0').min(6);
            it.next();
        }
        if it.peek() == Some(&b'l') {
            long = true;
            it.next();
        }
        let value = match it.next() {
            Some(b'R') => real,
            Some(b'U') => user,
            Some(b'S') => sys,
            Some(b'P') => {
                let percent = if real == 0 {
                    0.0
                } else {
                    (user + sys) as f64 * 100.0 / real as f64
                };
                out.extend_from_slice(format!("{percent:.2}").as_bytes());
                continue;
            }
            Some(b'%') => {
                out.push(b'%');
                continue;
            }
            _ => continue,
        };
        let (mut secs, micros) = (value / 1_000_000, value % 1_000_000);
        if long {
            out.extend_from_slice(format!("{}m", secs / 60).as_bytes());
            secs %= 60;
        }
        out.extend_from_slice(secs.to_string().as_bytes());
        if digits > 0 {
            let frac = format!("{micros:06}");
            out.push(b'.');
            out.extend_from_slice(frac.get(..digits).unwrap_or(&frac).as_bytes());
        }
        if long {
            out.push(b's');
        }
    }
    out.push(b'\n');
    out
}
