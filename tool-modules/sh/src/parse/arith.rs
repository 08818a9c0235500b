//! Arithmetic: text to expression tree.

use crate::ast::{Bin, Bs, Expr, Part, Pname, Word};

/// Why a text is not arithmetic, in bash's words.
#[derive(Debug, Clone)]
pub struct ArithError {
    /// What is wrong.
    pub message: &'static str,
    /// Where the token that bash names begins; `None`: it names none.
    pub at: Option<usize>,
}

/// Marks a piece that is not text, followed by its number and [`EMBED_END`].
const EMBED: u8 = 1;
const EMBED_END: u8 = 2;
const MAX_DEPTH: u32 = 120;

/// Parses beforehand what does not depend on expansion, or only through whole operands.
pub(super) fn static_expr(word: &Word) -> Option<Box<Expr>> {
    let mut text = Vec::new();
    for (i, part) in word.parts.iter().enumerate() {
        match part {
            Part::Lit(t) => {
                if t.iter().any(|b| matches!(*b, EMBED | EMBED_END)) {
                    return None;
                }
                text.extend_from_slice(t);
            }
            Part::Param(p) if !matches!(p.name, Pname::Special(b'@' | b'*')) && p.sub.is_none() => {
                text.push(EMBED);
                text.extend_from_slice(i.to_string().as_bytes());
                text.push(EMBED_END);
            }
            Part::CmdSub(_) | Part::Arith(_) => {
                text.push(EMBED);
                text.extend_from_slice(i.to_string().as_bytes());
                text.push(EMBED_END);
            }
            _ => return None,
        }
    }
    if text.iter().all(u8::is_ascii_whitespace) {
        return None;
    }
    // Two operands side by side would become one token in the text.
    let glue = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'#' | b'@' | EMBED);
    for (i, b) in text.iter().enumerate() {
        let before = i.checked_sub(1).and_then(|j| text.get(j)).copied();
        let after = text.get(i + 1).copied();
        if *b == EMBED && before.is_some_and(|c| glue(c) || c == EMBED_END) {
            return None;
        }
        if *b == EMBED_END && after.is_some_and(|c| glue(c) || c == b'[') {
            return None;
        }
    }
    parse_expr(&text).ok().map(Box::new)
}

/// Parses a text.
pub fn parse_expr(text: &[u8]) -> Result<Expr, ArithError> {
    let mut p = Arith {
        text,
        pos: 0,
        last: 0,
        depth: 0,
    };
    p.space();
    if p.pos == text.len() {
        return Ok(Expr::Num(0));
    }
    let e = p.comma()?;
    p.space();
    if p.pos < text.len() {
        return Err(p.err_here("syntax error in expression"));
    }
    Ok(e)
}

struct Arith<'t> {
    text: &'t [u8],
    pos: usize,
    last: usize,
    depth: u32,
}

type AResult = Result<Expr, ArithError>;

impl Arith<'_> {
    fn err_here(&self, message: &'static str) -> ArithError {
        ArithError {
            message,
            at: Some(self.pos),
        }
    }

    fn at(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.pos + ahead).copied()
    }

    fn space(&mut self) {
        while self
            .at(0)
            .is_some_and(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'))
        {
            self.pos += 1;
        }
    }

    /// Takes the operator if it is next and is not the start of a longer one.
    fn op(&mut self, op: &[u8], not_before: &[u8]) -> bool {
        self.space();
        if !self.text.get(self.pos..).is_some_and(|s| s.starts_with(op)) {
            return false;
        }
        if self.at(op.len()).is_some_and(|b| not_before.contains(&b)) {
            return false;
        }
        self.last = self.pos;
        self.pos += op.len();
        true
    }

    fn comma(&mut self) -> AResult {
        let mut left = self.assign()?;
        while self.op(b",", b"") {
            let right = self.assign()?;
            left = Expr::Comma(Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn assign(&mut self) -> AResult {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.err_here("expression recursion level exceeded"));
        }
        let left = self.cond()?;
        self.space();
        let ops: [(&[u8], Option<Bin>); 11] = [
            (b"=", None),
            (b"+=", Some(Bin::Add)),
            (b"-=", Some(Bin::Sub)),
            (b"*=", Some(Bin::Mul)),
            (b"/=", Some(Bin::Div)),
            (b"%=", Some(Bin::Rem)),
            (b"<<=", Some(Bin::Shl)),
            (b">>=", Some(Bin::Shr)),
            (b"&=", Some(Bin::And)),
            (b"|=", Some(Bin::Or)),
            (b"^=", Some(Bin::Xor)),
        ];
        let from = self.pos;
        let mut out = left;
        for (text, bin) in ops {
            if self.op(text, if bin.is_none() { b"=" } else { b"" }) {
                if !matches!(out, Expr::Var(_) | Expr::Elem(..)) {
                    return Err(ArithError {
                        message: "attempted assignment to non-variable",
                        at: Some(from),
                    });
                }
                let right = self.assign()?;
                out = Expr::Assign(bin, Box::new(out), Box::new(right));
                break;
            }
        }
        self.depth -= 1;
        Ok(out)
    }

    fn cond(&mut self) -> AResult {
        let test = self.binary(0)?;
        if !self.op(b"?", b"") {
            return Ok(test);
        }
        self.space();
        if self.at(0) == Some(b':') || self.at(0).is_none() {
            return Err(self.err_here("expression expected"));
        }
        let yes = self.comma()?;
        if !self.op(b":", b"") {
            return Err(self.err_here("`:' expected for conditional expression"));
        }
        self.space();
        if self.at(0).is_none() {
            return Err(ArithError {
                message: "expression expected",
                at: Some(self.last),
            });
        }
        let no = self.assign()?;
        Ok(Expr::Cond(Box::new(test), Box::new(yes), Box::new(no)))
    }

    fn binary(&mut self, level: usize) -> AResult {
        // Loosest first; the second column lists what must not follow.
        const LEVELS: [&[(&[u8], &[u8], Bin)]; 10] = [
            &[(b"||", b"", Bin::Or)],
            &[(b"&&", b"", Bin::And)],
            &[(b"|", b"|=", Bin::Or)],
            &[(b"^", b"=", Bin::Xor)],
            &[(b"&", b"&=", Bin::And)],
            &[(b"==", b"", Bin::Eq), (b"!=", b"", Bin::Ne)],
            &[
                (b"<=", b"", Bin::Le),
                (b">=", b"", Bin::Ge),
                (b"<", b"<=", Bin::Lt),
                (b">", b">=", Bin::Gt),
            ],
            &[(b"<<", b"=", Bin::Shl), (b">>", b"=", Bin::Shr)],
            &[(b"+", b"=", Bin::Add), (b"-", b"=", Bin::Sub)],
            &[
                (b"*", b"*=", Bin::Mul),
                (b"/", b"=", Bin::Div),
                (b"%", b"=", Bin::Rem),
            ],
        ];
        let Some(ops) = LEVELS.get(level) else {
            return self.power();
        };
        let mut left = self.binary(level + 1)?;
        'more: loop {
            for (text, not, bin) in *ops {
                if self.op(text, not) {
                    self.space();
                    let at = self.pos as u32;
                    let right = self.binary(level + 1)?;
                    let (l, r) = (Box::new(left), Box::new(right));
                    left = match (level, bin) {
                        (0, _) => Expr::Logic(false, l, r),
                        (1, _) => Expr::Logic(true, l, r),
                        (_, Bin::Div) => Expr::Div(false, l, r, at),
                        (_, Bin::Rem) => Expr::Div(true, l, r, at),
                        _ => Expr::Binary(*bin, l, r),
                    };
                    continue 'more;
                }
            }
            return Ok(left);
        }
    }

    fn power(&mut self) -> AResult {
        let base = self.unary()?;
        if self.op(b"**", b"") {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err(self.err_here("expression recursion level exceeded"));
            }
            let exp = self.power()?;
            self.depth -= 1;
            return Ok(Expr::Binary(Bin::Pow, Box::new(base), Box::new(exp)));
        }
        Ok(base)
    }

    fn unary(&mut self) -> AResult {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.err_here("expression recursion level exceeded"));
        }
        let out = self.unary_inner();
        self.depth -= 1;
        out
    }

    fn unary_inner(&mut self) -> AResult {
        self.space();
        for (text, delta) in [(&b"++"[..], 1), (b"--", -1)] {
            if self
                .text
                .get(self.pos..)
                .is_some_and(|s| s.starts_with(text))
            {
                let save = (self.pos, self.last);
                self.last = self.pos;
                self.pos += 2;
                self.space();
                if self
                    .at(0)
                    .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
                {
                    let target = self.primary()?;
                    return Ok(Expr::Step(true, delta, Box::new(target)));
                }
                (self.pos, self.last) = save;
                // Otherwise two signs.
                break;
            }
        }
        for c in [b'!', b'~', b'-', b'+'] {
            if self.at(0) == Some(c) && !(c == b'!' && self.at(1) == Some(b'=')) {
                self.last = self.pos;
                self.pos += 1;
                let inner = self.unary()?;
                return Ok(Expr::Unary(c, Box::new(inner)));
            }
        }
        let out = self.primary()?;
        self.space();
        for (text, delta) in [(&b"++"[..], 1), (b"--", -1)] {
            if matches!(out, Expr::Var(_) | Expr::Elem(..))
                && self
                    .text
                    .get(self.pos..)
                    .is_some_and(|s| s.starts_with(text))
            {
                self.last = self.pos;
                self.pos += 2;
                return Ok(Expr::Step(false, delta, Box::new(out)));
            }
        }
        Ok(out)
    }

    fn primary(&mut self) -> AResult {
        self.space();
        let Some(c) = self.at(0) else {
            return Err(ArithError {
                message: "syntax error: operand expected",
                at: Some(self.last),
            });
        };
        let from = self.pos;
        match c {
            b'(' => {
                self.last = self.pos;
                self.pos += 1;
                let e = self.comma()?;
                if !self.op(b")", b"") {
                    return Err(ArithError {
                        message: "missing `)'",
                        at: Some(self.pos.min(self.text.len())),
                    });
                }
                Ok(e)
            }
            EMBED => {
                let end = self
                    .text
                    .iter()
                    .skip(from)
                    .position(|b| *b == EMBED_END)
                    .unwrap_or(0);
                let n =
                    std::str::from_utf8(self.text.get(from + 1..from + end).unwrap_or_default())
                        .ok()
                        .and_then(|s| s.parse().ok())
                        .unwrap_or(0);
                self.last = from;
                self.pos = from + end + 1;
                Ok(Expr::Embed(n))
            }
            b'0'..=b'9' => {
                while self
                    .at(0)
                    .is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'#' | b'@'))
                {
                    self.pos += 1;
                }
                self.last = from;
                let token = self.text.get(from..self.pos).unwrap_or_default();
                number(token).map(Expr::Num).map_err(|message| ArithError {
                    message,
                    at: Some(from),
                })
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                while self
                    .at(0)
                    .is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
                {
                    self.pos += 1;
                }
                self.last = from;
                let name: Bs = self.text.get(from..self.pos).unwrap_or_default().into();
                if self.at(0) == Some(b'[') {
                    let open = self.pos + 1;
                    let mut depth = 0;
                    while let Some(b) = self.at(0) {
                        self.pos += 1;
                        match b {
                            b'[' => depth += 1,
                            b']' => {
                                depth -= 1;
                                if depth == 0 {
                                    break;
                                }
                            }
                            _ => {}
                        }
                    }
                    if depth != 0 {
                        return Err(ArithError {
                            message: "bad array subscript",
                            at: Some(from),
                        });
                    }
                    let sub = self.text.get(open..self.pos - 1).unwrap_or_default();
                    let expr = parse_expr(sub).ok().map(Box::new);
                    return Ok(Expr::Elem(name, sub.into(), expr));
                }
                Ok(Expr::Var(name))
            }
            _ => Err(ArithError {
                message: "syntax error: operand expected",
                at: Some(self.pos),
            }),
        }
    }
}

/// A number as arithmetic writes it: `10`, `017`, `0x1f`, `36#zz`.
pub fn number(token: &[u8]) -> Result<i64, &'static str> {
    let (base, digits, explicit) = if let Some(i) = token.iter().position(|b| *b == b'#') {
        let base = std::str::from_utf8(token.get(..i).unwrap_or_default())
            .ok()
            .and_then(|s| s.parse::<u64>().ok());
        match base {
            Some(b) if (2..=64).contains(&b) => (b, token.get(i + 1..).unwrap_or_default(), true),
            Some(_) => return Err("invalid arithmetic base"),
            None => return Err("invalid number"),
        }
    } else if let Some(hex) = token
        .strip_prefix(b"0x")
        .or_else(|| token.strip_prefix(b"0X"))
    {
        (16, hex, false)
    } else if token.len() > 1 && token.first() == Some(&b'0') {
        (8, token.get(1..).unwrap_or_default(), false)
    } else {
        (10, token, false)
    };
    if digits.is_empty() && explicit {
        return Err("invalid integer constant");
    }
    let mut value = 0i64;
    for b in digits {
        let d = match b {
            b'0'..=b'9' => u64::from(b - b'0'),
            b'a'..=b'z' => u64::from(b - b'a') + 10,
            b'A'..=b'Z' if base <= 36 => u64::from(b - b'A') + 10,
            b'A'..=b'Z' => u64::from(b - b'A') + 36,
            b'@' => 62,
            b'_' => 63,
            _ => return Err("invalid number"),
        };
        if d >= base {
            return Err("value too great for base");
        }
        value = value.wrapping_mul(base as i64).wrapping_add(d as i64);
    }
    Ok(value)
}
