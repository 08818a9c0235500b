//! `[[ … ]]`, and the tests it shares with `test`.

use crate::ast::CondExpr;
use crate::expand::pattern::Pattern;
use crate::opts;
use crate::os;
use crate::shell::{Shell, Unwind};
use crate::vars::{Val, Var};
use std::rc::Rc;

impl Shell {
    /// 0 true, 1 false, 2 an error that was reported.
    pub(super) fn run_cond(&mut self, e: &CondExpr) -> Result<i32, Unwind> {
        match e {
            CondExpr::Or(a, b) => match self.run_cond(a)? {
                1 => self.run_cond(b),
                other => Ok(other),
            },
            CondExpr::And(a, b) => match self.run_cond(a)? {
                0 => self.run_cond(b),
                other => Ok(other),
            },
            CondExpr::Not(a) => Ok(match self.run_cond(a)? {
                0 => 1,
                1 => 0,
                other => other,
            }),
            CondExpr::Paren(a) => self.run_cond(a),
            CondExpr::Word(w) => {
                let text = self.expand_single(w)?;
                if self.opt(opts::XTRACE) {
                    self.trace_text(
                        &[b"[[ -n ", &crate::strs::quote_if_needed(&text)[..], b" ]]"].concat(),
                    )?;
                }
                Ok(i32::from(text.is_empty()))
            }
            CondExpr::Unary(op, w) => {
                if *op == b'v' || *op == b'R' {
                    let text = self.expand_single(w)?;
                    return Ok(i32::from(!self.test_unary(*op, &text)));
                }
                let text = self.expand_single(w)?;
                if self.opt(opts::XTRACE) {
                    self.trace_text(
                        &[
                            b"[[ -",
                            &[*op][..],
                            b" ",
                            &crate::strs::quote_if_needed(&text)[..],
                            b" ]]",
                        ]
                        .concat(),
                    )?;
                }
                Ok(i32::from(!self.test_unary(*op, &text)))
            }
            CondExpr::Binary(op, a, b) => {
                let left = self.expand_single(a)?;
                match &**op {
                    b"==" | b"=" | b"!=" => {
                        let pat = self.expand_pattern(b)?;
                        if self.opt(opts::XTRACE) {
                            self.trace_cond(op, &left, &pat)?;
                        }
                        let yes =
                            Pattern::new(&pat, true, self.shopt(opts::NOCASEMATCH)).matches(&left);
                        Ok(i32::from(yes == (**op == *b"!=")))
                    }
                    b"=~" => {
                        let re = self.expand_regex(b)?;
                        if self.opt(opts::XTRACE) {
                            self.trace_cond(op, &left, &re)?;
                        }
                        self.regex_match(&left, &re)
                    }
                    b"<" | b">" => {
                        let right = self.expand_single(b)?;
                        if self.opt(opts::XTRACE) {
                            self.trace_cond(op, &left, &right)?;
                        }
                        Ok(i32::from(if **op == *b"<" {
                            left >= right
                        } else {
                            left <= right
                        }))
                    }
                    b"-eq" | b"-ne" | b"-lt" | b"-le" | b"-gt" | b"-ge" => {
                        let right = self.expand_single(b)?;
                        if self.opt(opts::XTRACE) {
                            self.trace_cond(op, &left, &right)?;
                        }
                        let mut number = |t: &[u8]| self.arith_str(t, "[[: ");
                        let (Ok(x), Ok(y)) = (number(&left), number(&right)) else {
                            return match self.arith_unwind.take() {
                                Some(u) => Err(u),
                                None => Ok(1),
                            };
                        };
                        Ok(i32::from(!compare(op, x, y)))
                    }
                    _ => {
                        let right = self.expand_single(b)?;
                        if self.opt(opts::XTRACE) {
                            self.trace_cond(op, &left, &right)?;
                        }
                        Ok(i32::from(!test_files(op, &left, &right)))
                    }
                }
            }
        }
    }

    /// `=~`, which also fills `BASH_REMATCH`.
    fn regex_match(&mut self, text: &[u8], re: &[u8]) -> Result<i32, Unwind> {
        let nocase = self.shopt(opts::NOCASEMATCH);
        let mut key = re.to_vec();
        key.push(u8::from(nocase));
        let compiled = match self.regexes.get(&key) {
            Some(r) => r.clone(),
            None => {
                let made = crate::expand::regex::translate(re)
                    .map_err(str::to_string)
                    .and_then(|pattern| {
                        regex::bytes::RegexBuilder::new(&pattern)
                            .case_insensitive(nocase)
                            .size_limit(4 << 20)
                            .build()
                            .map_err(|_| "invalid regular expression".to_string())
                    });
                match made {
                    Ok(r) => {
                        let r = Rc::new(r);
                        if self.regexes.len() > 128 {
                            self.regexes.clear();
                        }
                        self.regexes.insert(key, r.clone());
                        r
                    }
                    Err(e) => {
                        if e.contains("not supported") {
                            self.error(format!("[[: {e}"));
                        }
                        self.put(
                            b"BASH_REMATCH",
                            Var {
                                val: Val::Arr(Rc::default()),
                                attrs: 0,
                                bare: false,
                            },
                        );
                        return Ok(2);
                    }
                }
            }
        };
        let found = compiled.captures(text);
        let groups = match &found {
            Some(c) => c
                .iter()
                .enumerate()
                .map(|(i, m)| {
                    (
                        i as u64,
                        Rc::new(m.map(|m| m.as_bytes().to_vec()).unwrap_or_default()),
                    )
                })
                .collect(),
            None => std::collections::BTreeMap::new(),
        };
        self.put(
            b"BASH_REMATCH",
            Var {
                val: Val::Arr(Rc::new(groups)),
                attrs: 0,
                bare: false,
            },
        );
        Ok(i32::from(found.is_none()))
    }

    /// A test with one operand.
    pub(crate) fn test_unary(&mut self, op: u8, arg: &[u8]) -> bool {
        match op {
            b'n' => !arg.is_empty(),
            b'z' => arg.is_empty(),
            b'v' => self.test_set(arg),
            b'R' => self
                .raw_var(arg)
                .is_some_and(|v| v.has(crate::vars::NAMEREF) && v.scalar().is_some()),
            b'o' => opts::SET
                .iter()
                .any(|(n, _, bit)| n.as_bytes() == arg && self.opt(*bit)),
            b't' => {
                let n = crate::strs::parse_int(arg).and_then(|n| u32::try_from(n).ok());
                n.and_then(|n| self.kernel_fd(n)).is_some_and(os::isatty)
            }
            b'h' | b'L' => os::lstat(arg).is_ok_and(|s| s.is_link()),
            _ => {
                // The shell's own descriptors are asked for under their numbers.
                let st = match arg
                    .strip_prefix(b"/dev/fd/")
                    .and_then(crate::strs::parse_int)
                {
                    Some(n) => match u32::try_from(n).ok().and_then(|n| self.kernel_fd(n)) {
                        Some(fd) => os::fstat(fd),
                        None => Err(os::Errno::NOENT),
                    },
                    None => os::stat(arg),
                };
                let Ok(st) = st else { return false };
                match op {
                    b'a' | b'e' => true,
                    b'f' => st.is_file(),
                    b'd' => st.is_dir(),
                    b's' => st.size > 0,
                    b'r' => os::access(&st, 4),
                    b'w' => os::access(&st, 2),
                    b'x' => os::access(&st, 1),
                    b'p' => st.kind() == 0o010_000,
                    b'S' => st.kind() == 0o140_000,
                    b'b' => st.kind() == 0o060_000,
                    b'c' => st.kind() == 0o020_000,
                    b'u' => st.mode & 0o4000 != 0,
                    b'g' => st.mode & 0o2000 != 0,
                    b'k' => st.mode & 0o1000 != 0,
                    b'O' => st.uid == os::ids().0,
                    b'G' => st.gid == os::ids().1,
                    b'N' => st.mtime > st.atime,
                    _ => false,
                }
            }
        }
    }

    /// `-v name`, `-v name[sub]`.
    fn test_set(&mut self, arg: &[u8]) -> bool {
        if let Some((name, sub)) = crate::access::split_subscript(arg) {
            let (name, sub) = (name.to_vec(), sub.to_vec());
            if sub == b"@" || sub == b"*" {
                if self.array_kind(&name) == crate::access::Kind::Assoc {
                    return self.get_elem_key(&name, &sub).is_some();
                }
                return !self.elements(&name).is_empty();
            }
            return self.get_elem_text(&name, &sub).is_some();
        }
        if let Some(n) = crate::strs::parse_int(arg) {
            return usize::try_from(n).is_ok_and(|n| n <= self.st.args.len());
        }
        crate::strs::is_name(arg) && self.is_set(arg)
    }
}

/// A comparison of numbers.
pub(crate) fn compare(op: &[u8], x: i64, y: i64) -> bool {
    match op {
        b"-eq" => x == y,
        b"-ne" => x != y,
        b"-lt" => x < y,
        b"-le" => x <= y,
        b"-gt" => x > y,
        _ => x >= y,
    }
}

/// `-nt`, `-ot`, `-ef`.
pub(crate) fn test_files(op: &[u8], a: &[u8], b: &[u8]) -> bool {
    let (x, y) = (os::stat(a), os::stat(b));
    match (op, x, y) {
        (b"-ef", Ok(x), Ok(y)) => (x.dev, x.ino) == (y.dev, y.ino),
        (b"-nt", Ok(x), Ok(y)) => x.mtime > y.mtime,
        (b"-nt", Ok(_), Err(_)) => true,
        (b"-ot", Ok(x), Ok(y)) => x.mtime < y.mtime,
        (b"-ot", Err(_), Ok(_)) => true,
        _ => false,
    }
}
