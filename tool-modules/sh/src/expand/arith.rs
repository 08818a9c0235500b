//! Arithmetic: expression trees to numbers.

use super::fields::{Fields, Ifs, Mode};
use crate::access::Kind;
use crate::ast::{ArithText, Bin, Expr, Part};
use crate::opts;
use crate::parse::parse_expr;
use crate::shell::Shell;
use crate::vars::Val;

/// Why there is no number.
pub(crate) enum Fail {
    /// An error in bash's words, and where the token that it names begins.
    Error(&'static str, Option<usize>),
    /// Already reported.
    Said,
    /// The tree does not do: the text has to be expanded and parsed.
    Text,
}

const MAX_DEPTH: u32 = 64;

/// A number that arithmetic reads as itself.
fn simple_number(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.is_empty() || digits.len() > 18 || (digits.len() > 1 && digits.first() == Some(&b'0'))
    {
        return None;
    }
    let mut n = 0i64;
    for b in digits {
        if !b.is_ascii_digit() {
            return None;
        }
        n = n * 10 + i64::from(b - b'0');
    }
    Some(if digits.len() < text.len() { -n } else { n })
}

impl Shell {
    /// The value of `$((…))` and its like. `Err`: said why.
    pub fn arith(&mut self, a: &ArithText) -> Result<i64, ()> {
        self.arith_in(a, "")
    }

    /// The same, with what an error message begins with.
    pub fn arith_in(&mut self, a: &ArithText, prefix: &str) -> Result<i64, ()> {
        if let Some(expr) = &a.expr {
            let mut embedded = Vec::new();
            if !matches!(a.word.parts.as_slice(), [Part::Lit(_)])
                && !self.embeds(a, &mut embedded)?
            {
                return self.arith_text(&a.word.parts, prefix);
            }
            match self.eval(expr, &embedded, 0) {
                Ok(n) => return Ok(n),
                Err(Fail::Said) => return Err(()),
                Err(Fail::Text) => return self.arith_text(&a.word.parts, prefix),
                Err(Fail::Error(m, at)) => {
                    if let [Part::Lit(t)] = a.word.parts.as_slice() {
                        self.arith_error(t, m, at, prefix);
                        return Err(());
                    }
                    return self.arith_text(&a.word.parts, prefix);
                }
            }
        }
        self.arith_text(&a.word.parts, prefix)
    }

    /// Expands the pieces that are operands. `false`: one of them is not a plain number.
    /// Command substitutions run once only, so with one of them the text decides.
    fn embeds(&mut self, a: &ArithText, out: &mut Vec<i64>) -> Result<bool, ()> {
        for p in &a.word.parts {
            let n = match p {
                Part::Lit(_) => 0,
                Part::Param(p) if matches!(p.op, crate::ast::Op::None) && !p.indirect => {
                    let text = match self.param_plain(p) {
                        Some(t) => t,
                        None => return Ok(false),
                    };
                    match simple_number(&text) {
                        Some(n) => n,
                        None => return Ok(false),
                    }
                }
                Part::Param(p) if matches!(p.op, crate::ast::Op::Length) => {
                    let ifs = Ifs::new(None);
                    let mut f = Fields::new(Mode::Single, ifs);
                    self.expand_param(p, true, &mut f).map_err(|_| ())?;
                    match simple_number(&f.into_text()) {
                        Some(n) => n,
                        None => return Ok(false),
                    }
                }
                Part::Arith(inner) => self.arith(inner)?,
                _ => return Ok(false),
            };
            out.push(n);
        }
        Ok(true)
    }

    /// Expands the text, then parses it.
    fn arith_text(&mut self, parts: &[Part], prefix: &str) -> Result<i64, ()> {
        let ifs = self.ifs();
        let mut f = Fields::new(Mode::Single, ifs);
        for p in parts {
            match self.expand_part(p, true, &mut f) {
                Ok(()) => {}
                Err(u) => {
                    self.arith_unwind = Some(u);
                    return Err(());
                }
            }
        }
        let text = f.into_text();
        self.arith_str(&text, prefix)
    }

    /// The value of a text.
    pub fn arith_value(&mut self, text: &[u8]) -> Result<i64, ()> {
        self.arith_str(text, "")
    }

    /// The value of a text, with what an error message begins with.
    pub fn arith_str(&mut self, text: &[u8], prefix: &str) -> Result<i64, ()> {
        if let Some(n) = simple_number(text) {
            return Ok(n);
        }
        let result = match parse_expr(text) {
            Ok(e) => self.eval(&e, &[], 0),
            Err(e) => Err(Fail::Error(e.message, e.at)),
        };
        match result {
            Ok(n) => Ok(n),
            Err(Fail::Error(m, at)) => {
                self.arith_error(text, m, at, prefix);
                Err(())
            }
            Err(Fail::Said | Fail::Text) => Err(()),
        }
    }

    fn arith_error(&mut self, text: &[u8], message: &str, at: Option<usize>, prefix: &str) {
        let mut out = prefix.as_bytes().to_vec();
        let start = text.iter().take_while(|b| b.is_ascii_whitespace()).count();
        out.extend_from_slice(text.get(start..).unwrap_or_default());
        out.extend_from_slice(b": ");
        out.extend_from_slice(message.as_bytes());
        if let Some(at) = at {
            out.extend_from_slice(b" (error token is \"");
            out.extend_from_slice(text.get(at..).unwrap_or_default());
            out.extend_from_slice(b"\")");
        }
        self.error(out);
    }

    pub(crate) fn eval(&mut self, e: &Expr, emb: &[i64], depth: u32) -> Result<i64, Fail> {
        if depth > MAX_DEPTH && self.stack_low() || depth > 1000 {
            return Err(Fail::Error("expression recursion level exceeded", None));
        }
        Ok(match e {
            Expr::Num(n) => *n,
            Expr::Embed(i) => *emb.get(*i as usize).ok_or(Fail::Text)?,
            Expr::Var(name) => self.eval_var(name, depth)?,
            Expr::Elem(name, text, sub) => {
                let sub = self.eval_sub(name, text, sub.as_deref(), emb, depth)?;
                self.eval_elem(name, &sub, depth)?
            }
            Expr::Unary(op, inner) => {
                let v = self.eval(inner, emb, depth + 1)?;
                match op {
                    b'-' => v.wrapping_neg(),
                    b'!' => i64::from(v == 0),
                    b'~' => !v,
                    _ => v,
                }
            }
            Expr::Binary(op, a, b) => {
                let x = self.eval(a, emb, depth + 1)?;
                let y = self.eval(b, emb, depth + 1)?;
                binary(*op, x, y)?
            }
            Expr::Div(rem, a, b, at) => {
                let x = self.eval(a, emb, depth + 1)?;
                let y = self.eval(b, emb, depth + 1)?;
                if y == 0 {
                    return Err(Fail::Error("division by 0", Some(*at as usize)));
                }
                if *rem {
                    x.wrapping_rem(y)
                } else {
                    x.wrapping_div(y)
                }
            }
            Expr::Logic(and, a, b) => {
                let x = self.eval(a, emb, depth + 1)? != 0;
                if x != *and {
                    i64::from(x)
                } else {
                    i64::from(self.eval(b, emb, depth + 1)? != 0)
                }
            }
            Expr::Cond(c, a, b) => {
                let branch = if self.eval(c, emb, depth + 1)? != 0 {
                    a
                } else {
                    b
                };
                self.eval(branch, emb, depth + 1)?
            }
            Expr::Comma(a, b) => {
                self.eval(a, emb, depth + 1)?;
                self.eval(b, emb, depth + 1)?
            }
            Expr::Assign(op, target, value) => {
                let sub = self.target_sub(target, emb, depth)?;
                let mut v = self.eval(value, emb, depth + 1)?;
                if let Some(op) = op {
                    let old = self.target_value(target, sub.as_ref(), depth)?;
                    v = match op {
                        Bin::Div | Bin::Rem if v == 0 => {
                            return Err(Fail::Error("division by 0", None));
                        }
                        Bin::Div => old.wrapping_div(v),
                        Bin::Rem => old.wrapping_rem(v),
                        _ => binary(*op, old, v)?,
                    };
                }
                self.store(target, sub.as_ref(), v)?;
                v
            }
            Expr::Step(prefix, delta, target) => {
                let sub = self.target_sub(target, emb, depth)?;
                let old = self.target_value(target, sub.as_ref(), depth)?;
                let new = old.wrapping_add(*delta);
                self.store(target, sub.as_ref(), new)?;
                if *prefix { new } else { old }
            }
        })
    }

    fn eval_var(&mut self, name: &[u8], depth: u32) -> Result<i64, Fail> {
        // A plain number needs no copy.
        if let Some(v) = self.st.vars.get(name)
            && let Val::Str(s) = &v.val
            && v.attrs & crate::vars::NAMEREF == 0
        {
            if let Some(n) = simple_number(s) {
                return Ok(n);
            }
            let text = s.clone();
            return self.eval_value(&text, depth);
        }
        match self.get(name) {
            Some(text) => self.eval_value(&text, depth),
            None => {
                if self.opt(opts::NOUNSET) {
                    self.unbound(name);
                    return Err(Fail::Said);
                }
                Ok(0)
            }
        }
    }

    fn eval_value(&mut self, text: &[u8], depth: u32) -> Result<i64, Fail> {
        if let Some(n) = simple_number(text) {
            return Ok(n);
        }
        if depth > MAX_DEPTH * 8 {
            self.arith_error(text, "expression recursion level exceeded", Some(0), "");
            return Err(Fail::Said);
        }
        let result = match parse_expr(text) {
            Ok(e) => self.eval(&e, &[], depth + 8),
            Err(e) => Err(Fail::Error(e.message, e.at)),
        };
        match result {
            Err(Fail::Error(m, at)) => {
                self.arith_error(text, m, at, "");
                Err(Fail::Said)
            }
            other => other,
        }
    }

    /// The subscript: a key as text, or an index as number.
    fn eval_sub(
        &mut self,
        name: &[u8],
        text: &[u8],
        expr: Option<&Expr>,
        emb: &[i64],
        depth: u32,
    ) -> Result<SubVal, Fail> {
        if self.array_kind(name) == Kind::Assoc {
            if text.contains(&1) {
                return Err(Fail::Text);
            }
            return Ok(SubVal::Key(self.expand_key_text(text)));
        }
        match expr {
            Some(e) => Ok(SubVal::Index(self.eval(e, emb, depth + 1)?)),
            None if text.contains(&1) => Err(Fail::Text),
            None => {
                let expanded = self.expand_key_text(text);
                Ok(SubVal::Index(self.eval_value(&expanded, depth + 1)?))
            }
        }
    }

    /// A subscript that came as text may still hold expansions.
    fn expand_key_text(&mut self, text: &[u8]) -> Vec<u8> {
        if text
            .iter()
            .any(|b| matches!(b, b'$' | b'`' | b'"' | b'\'' | b'\\'))
        {
            let mut p = crate::parse::Parser::new(text, self.line);
            if let Ok(w) = p.whole_word()
                && let Ok(t) = self.expand_single(&w)
            {
                return t;
            }
        }
        text.to_vec()
    }

    fn eval_elem(&mut self, name: &[u8], sub: &SubVal, depth: u32) -> Result<i64, Fail> {
        let value = match sub {
            SubVal::Key(k) => self.get_elem_key(name, k),
            SubVal::Index(i) => match self.get_index(name, *i) {
                Ok(v) => v,
                Err(()) => {
                    self.error([name, b": bad array subscript"].concat());
                    return Err(Fail::Said);
                }
            },
        };
        match value {
            Some(text) => self.eval_value(&text, depth + 1),
            None => {
                if self.opt(opts::NOUNSET) {
                    let sub = match sub {
                        SubVal::Key(k) => k.clone(),
                        SubVal::Index(i) => i.to_string().into_bytes(),
                    };
                    self.unbound(&[name, b"[", &sub, b"]"].concat());
                    return Err(Fail::Said);
                }
                Ok(0)
            }
        }
    }

    fn target_sub(
        &mut self,
        target: &Expr,
        emb: &[i64],
        depth: u32,
    ) -> Result<Option<SubVal>, Fail> {
        match target {
            Expr::Elem(name, text, sub) => self
                .eval_sub(name, text, sub.as_deref(), emb, depth)
                .map(Some),
            _ => Ok(None),
        }
    }

    fn target_value(
        &mut self,
        target: &Expr,
        sub: Option<&SubVal>,
        depth: u32,
    ) -> Result<i64, Fail> {
        match (target, sub) {
            (Expr::Var(name), _) => self.eval_var(name, depth),
            (Expr::Elem(name, ..), Some(sub)) => self.eval_elem(name, sub, depth),
            _ => Err(Fail::Text),
        }
    }

    fn store(&mut self, target: &Expr, sub: Option<&SubVal>, value: i64) -> Result<(), Fail> {
        let text = value.to_string().into_bytes();
        let done = match (target, sub) {
            (Expr::Var(name), _) => self.set(name, text),
            (Expr::Elem(name, ..), Some(SubVal::Key(k))) => {
                let key = k.clone();
                self.assign_elem(name, &key, text, false)
            }
            (Expr::Elem(name, ..), Some(SubVal::Index(i))) => {
                let target = self.resolve(name).unwrap_or_else(|| name.to_vec());
                match self.check_writable(&target) {
                    Ok(()) => self.assign_index(&target, *i, text, false, i.to_string().as_bytes()),
                    Err(u) => Err(u),
                }
            }
            _ => return Err(Fail::Text),
        };
        done.map_err(|_| Fail::Said)
    }
}

enum SubVal {
    Key(Vec<u8>),
    Index(i64),
}

fn binary(op: Bin, x: i64, y: i64) -> Result<i64, Fail> {
    Ok(match op {
        Bin::Add => x.wrapping_add(y),
        Bin::Sub => x.wrapping_sub(y),
        Bin::Mul => x.wrapping_mul(y),
        Bin::Pow => {
            if y < 0 {
                return Err(Fail::Error("exponent less than 0", None));
            }
            let (mut base, mut exp, mut out) = (x, y as u64, 1i64);
            while exp > 0 {
                if exp & 1 == 1 {
                    out = out.wrapping_mul(base);
                }
                base = base.wrapping_mul(base);
                exp >>= 1;
            }
            out
        }
        Bin::Shl => x.wrapping_shl((y & 63) as u32),
        Bin::Shr => x.wrapping_shr((y & 63) as u32),
        Bin::And => x & y,
        Bin::Or => x | y,
        Bin::Xor => x ^ y,
        Bin::Lt => i64::from(x < y),
        Bin::Le => i64::from(x <= y),
        Bin::Gt => i64::from(x > y),
        Bin::Ge => i64::from(x >= y),
        Bin::Eq => i64::from(x == y),
        Bin::Ne => i64::from(x != y),
        Bin::Div | Bin::Rem => return Err(Fail::Text),
    })
}
