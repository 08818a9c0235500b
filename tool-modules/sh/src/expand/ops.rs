//! What `${x…}` does to a value: cutting, replacing, slicing, case, transformations.

use super::param::Value;
use super::pattern::Pattern;
use crate::access::Kind;
use crate::ast::{Op, Param, Pname, Sub, Word};
use crate::opts;
use crate::shell::{Shell, Unwind};
use crate::strs::{self, char_len, char_offset, count_chars, map_case};
use crate::vars::Text;
use std::rc::Rc;

impl Shell {
    pub(crate) fn pattern(&mut self, w: &Word, nocase: bool) -> Result<Pattern, Unwind> {
        let text = self.expand_pattern(w)?;
        Ok(Pattern::new(&text, self.shopt(opts::EXTGLOB), nocase))
    }

    pub(super) fn apply(&mut self, op: &Op, p: &Param, value: Value) -> Result<Value, Unwind> {
        match op {
            Op::Strip(suffix, long, w) => {
                let pat = self.pattern(w, false)?;
                Ok(each(value, |t| strip(t, &pat, *suffix, *long)))
            }
            Op::Replace(mode, w, rep) => {
                let nocase = self.shopt(opts::NOCASEMATCH);
                let pat = self.pattern(w, nocase)?;
                let rep = match rep {
                    Some(w) => self.replacement(w)?,
                    None => Vec::new(),
                };
                let amp = rep.iter().any(|(b, _)| *b == b'&');
                let plain: Vec<u8> = rep.iter().map(|(b, _)| *b).collect();
                let special = amp && rep.iter().any(|(b, q)| *b == b'&' && !q);
                Ok(each(value, |t| {
                    replace(t, &pat, *mode, &|matched, out| {
                        if special {
                            for (b, quoted) in &rep {
                                if *b == b'&' && !quoted {
                                    out.extend_from_slice(matched)
                                } else {
                                    out.push(*b)
                                }
                            }
                        } else {
                            out.extend_from_slice(&plain);
                        }
                    })
                }))
            }
            Op::Slice(off, len) => self.slice(p, value, off, len.as_ref()),
            Op::Case(kind, all, w) => {
                let pat = match w {
                    Some(w) => Some(self.pattern(w, false)?),
                    None => None,
                };
                Ok(each(value, |t| change_case(t, *kind, *all, pat.as_ref())))
            }
            Op::Transform(k) => self.transform(*k, p, value),
            _ => Ok(value),
        }
    }

    /// The replacement text, each byte with whether it was quoted: an unquoted `&` is the match.
    fn replacement(&mut self, w: &Word) -> Result<Vec<(u8, bool)>, Unwind> {
        use crate::ast::Part;
        let mut out = Vec::new();
        let amp = self.shopt(opts::PATSUB_REPLACEMENT);
        for p in &w.parts {
            let quoted = matches!(p, Part::Quoted(_) | Part::DQuote(_));
            let word = Word {
                parts: vec![p.clone()],
                ..Word::default()
            };
            let text = self.expand_single(&word)?;
            let expanded = !matches!(p, Part::Quoted(_) | Part::DQuote(_) | Part::Lit(_));
            let mut i = 0;
            while let Some(&b) = text.get(i) {
                // In an expanded value `\&` is a plain ampersand.
                if amp && expanded && b == b'\\' && matches!(text.get(i + 1), Some(b'&' | b'\\')) {
                    if let Some(&n) = text.get(i + 1) {
                        out.push((n, true));
                    }
                    i += 2;
                    continue;
                }
                out.push((b, quoted || !amp));
                i += 1;
            }
        }
        Ok(out)
    }

    fn slice(
        &mut self,
        p: &Param,
        value: Value,
        off: &crate::ast::ArithText,
        len: Option<&crate::ast::ArithText>,
    ) -> Result<Value, Unwind> {
        let number = |sh: &mut Shell, a| sh.arith(a).map_err(|()| sh.arith_failure());
        let mut start = number(self, off)?;
        let len = match len {
            Some(l) => Some((number(self, l)?, l)),
            None => None,
        };
        let bad = |sh: &mut Shell, l: &crate::ast::ArithText| {
            let text = crate::print::word(&l.word);
            sh.error([text.as_slice(), b": substring expression < 0"].concat());
            sh.abort(1)
        };
        match value {
            Value::One(t) => {
                let text = t.unwrap_or_default();
                let n = count_chars(&text) as i64;
                if start < 0 {
                    start += n;
                }
                if start < 0 || start > n {
                    return Ok(Value::One(Some(Rc::default())));
                }
                let end = match len {
                    None => n,
                    Some((l, text)) if l < 0 => {
                        let end = n + l;
                        if end < start {
                            return Err(bad(self, text));
                        }
                        end
                    }
                    Some((l, _)) => start.saturating_add(l).min(n),
                };
                let (a, b) = (
                    char_offset(&text, start as usize),
                    char_offset(&text, end as usize),
                );
                Ok(Value::One(Some(Rc::new(
                    text.get(a..b).unwrap_or_default().to_vec(),
                ))))
            }
            Value::Many(items, star) => {
                // Positional parameters begin at $0; sparse arrays count by index.
                let (list, indexed): (Vec<Text>, Option<Vec<i64>>) = match (&p.name, &p.sub) {
                    (Pname::Special(_), _) => {
                        let mut all = vec![self.st.arg0.clone()];
                        all.extend(items);
                        (all, None)
                    }
                    (Pname::Var(n), Some(Sub::At | Sub::Star))
                        if self.array_kind(n) == Kind::Indexed =>
                    {
                        let keys = self
                            .items(n)
                            .into_iter()
                            .map(|(k, _)| strs::parse_int(&k).unwrap_or(0))
                            .collect::<Vec<_>>();
                        (items, Some(keys))
                    }
                    _ => (items, None),
                };
                let top = match &indexed {
                    Some(keys) => keys.last().map_or(0, |k| k + 1),
                    None => list.len() as i64,
                };
                if start < 0 {
                    start += top;
                    if start < 0 {
                        return Ok(Value::Many(Vec::new(), star));
                    }
                }
                let skip = match &indexed {
                    Some(keys) => keys.iter().take_while(|k| **k < start).count(),
                    None => start as usize,
                };
                let take = match len {
                    None => usize::MAX,
                    Some((l, text)) if l < 0 => return Err(bad(self, text)),
                    Some((l, _)) => l as usize,
                };
                Ok(Value::Many(
                    list.into_iter().skip(skip).take(take).collect(),
                    star,
                ))
            }
        }
    }

    fn transform(&mut self, k: u8, p: &Param, value: Value) -> Result<Value, Unwind> {
        match k {
            b'Q' => Ok(each(value, strs::quote_always)),
            b'U' => Ok(each(value, |t| map_case(t, true, false))),
            b'L' => Ok(each(value, |t| map_case(t, false, false))),
            b'u' => Ok(each(value, |t| map_case(t, true, true))),
            b'E' => Ok(each(value, crate::parse::ansi_c)),
            b'P' => {
                let mut go = |t: &Text| self.prompt(t);
                Ok(match value {
                    Value::One(t) => Value::One(t.as_ref().map(|t| Rc::new(go(t)))),
                    Value::Many(ts, s) => {
                        Value::Many(ts.iter().map(|t| Rc::new(go(t))).collect(), s)
                    }
                })
            }
            b'a' => {
                let flags = match &p.name {
                    Pname::Var(n) => {
                        let n = self.resolve(n).unwrap_or_else(|| n.to_vec());
                        self.raw_var(&n)
                            .map(crate::print::attr_letters)
                            .unwrap_or_default()
                    }
                    _ => Vec::new(),
                };
                Ok(match value {
                    Value::One(_) => Value::One(Some(Rc::new(flags))),
                    Value::Many(ts, s) => {
                        Value::Many(ts.iter().map(|_| Rc::new(flags.clone())).collect(), s)
                    }
                })
            }
            b'A' => {
                let Pname::Var(n) = &p.name else {
                    return Ok(match value {
                        Value::Many(ts, s) => {
                            let mut out = b"set --".to_vec();
                            for t in &ts {
                                out.push(b' ');
                                out.extend_from_slice(&strs::quote_always(t));
                            }
                            Value::Many(vec![Rc::new(out)], s)
                        }
                        Value::One(t) => Value::One(t.map(|t| Rc::new(strs::quote_always(&t)))),
                    });
                };
                let n = self.resolve(n).unwrap_or_else(|| n.to_vec());
                let Some(v) = self.raw_var(&n).cloned() else {
                    return Ok(Value::One(None));
                };
                let flags = crate::print::attr_letters(&v);
                let text = match value {
                    Value::Many(..) => crate::print::declaration(&n, &v),
                    Value::One(t) => {
                        let mut out = Vec::new();
                        if !flags.is_empty() {
                            out.extend_from_slice(b"declare -");
                            out.extend_from_slice(&flags);
                            out.push(b' ');
                        }
                        out.extend_from_slice(&n);
                        if let Some(t) = t {
                            out.push(b'=');
                            out.extend_from_slice(&strs::quote_always(&t));
                        }
                        out
                    }
                };
                Ok(Value::One(Some(Rc::new(text))))
            }
            _ => {
                // K and k: keys and values.
                let (Pname::Var(n), Value::Many(_, star)) = (&p.name, &value) else {
                    return Ok(each(value, strs::quote_always));
                };
                let items = self.items(n);
                if k == b'k' {
                    let all = items
                        .into_iter()
                        .flat_map(|(k, v)| [Rc::new(k), v])
                        .collect();
                    return Ok(Value::Many(all, *star));
                }
                let assoc = self.array_kind(n) == Kind::Assoc;
                let mut out = Vec::new();
                for (i, (k, v)) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(b' ');
                    }
                    out.extend_from_slice(&if assoc {
                        crate::print::key(k)
                    } else {
                        k.clone()
                    });
                    out.push(b' ');
                    out.extend_from_slice(&strs::double_quote(v));
                }
                if assoc && !items.is_empty() {
                    out.push(b' ');
                }
                Ok(Value::Many(vec![Rc::new(out)], *star))
            }
        }
    }
}

fn each(value: Value, mut f: impl FnMut(&[u8]) -> Vec<u8>) -> Value {
    match value {
        Value::One(t) => Value::One(t.map(|t| Rc::new(f(&t)))),
        Value::Many(ts, star) => Value::Many(ts.iter().map(|t| Rc::new(f(t))).collect(), star),
    }
}

fn strip(t: &[u8], pat: &Pattern, suffix: bool, long: bool) -> Vec<u8> {
    if suffix {
        // A literal needs no search.
        if let Some(lit) = pat.literal() {
            return t.strip_suffix(lit.as_slice()).unwrap_or(t).to_vec();
        }
        match pat.match_suffix(t, long) {
            Some(at) => t.get(..at).unwrap_or_default().to_vec(),
            None => t.to_vec(),
        }
    } else {
        match pat.match_at(t, 0, long) {
            Some(at) => t.get(at..).unwrap_or_default().to_vec(),
            None => t.to_vec(),
        }
    }
}

fn replace(t: &[u8], pat: &Pattern, mode: u8, put: &dyn Fn(&[u8], &mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::with_capacity(t.len());
    match mode {
        b'#' => {
            match pat.match_at(t, 0, true) {
                Some(end) => {
                    put(t.get(..end).unwrap_or_default(), &mut out);
                    out.extend_from_slice(t.get(end..).unwrap_or_default());
                }
                None => return t.to_vec(),
            }
            return out;
        }
        b'%' => {
            match pat.match_suffix(t, true) {
                Some(at) => {
                    out.extend_from_slice(t.get(..at).unwrap_or_default());
                    put(t.get(at..).unwrap_or_default(), &mut out);
                }
                None => return t.to_vec(),
            }
            return out;
        }
        _ => {}
    }
    if pat.is_empty() {
        return t.to_vec();
    }
    let mut at = 0;
    // `*` matches an empty value once.
    if t.is_empty() {
        if pat.matches(b"") {
            put(b"", &mut out);
        }
        return out;
    }
    while at < t.len() {
        match pat.match_at(t, at, true) {
            Some(end) if end > at => {
                put(t.get(at..end).unwrap_or_default(), &mut out);
                at = end;
                if mode == 0 {
                    break;
                }
            }
            hit => {
                // An empty match counts too, before each character.
                if hit.is_some() {
                    put(b"", &mut out);
                    if mode == 0 {
                        break;
                    }
                }
                let len = char_len(t, at);
                out.extend_from_slice(t.get(at..at + len).unwrap_or_default());
                at += len;
            }
        }
    }
    out.extend_from_slice(t.get(at..).unwrap_or_default());
    out
}

fn change_case(t: &[u8], kind: u8, all: bool, pat: Option<&Pattern>) -> Vec<u8> {
    let mut out = Vec::with_capacity(t.len());
    for (i, c) in strs::chars(t).enumerate() {
        if (i > 0 && !all) || pat.is_some_and(|p| !p.matches(c)) {
            out.extend_from_slice(c);
            continue;
        }
        let upper = match kind {
            b'^' => true,
            b',' => false,
            _ => !strs::decode(c).is_some_and(char::is_uppercase),
        };
        strs::push_case(&mut out, c, upper);
    }
    out
}
