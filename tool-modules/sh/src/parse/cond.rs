//! `[[ … ]]`.

use super::word::Place;
use super::{PResult, Parser, is_meta};
use crate::ast::CondExpr;

const BINARY: [&[u8]; 14] = [
    b"==", b"=", b"!=", b"=~", b"-eq", b"-ne", b"-lt", b"-le", b"-gt", b"-ge", b"-nt", b"-ot",
    b"-ef", b"<=",
];

impl Parser<'_> {
    /// After `[[`, through `]]`.
    pub(super) fn cond_expr(&mut self) -> PResult<CondExpr> {
        self.newlines()?;
        if self.at_close() {
            return Err(self.unexpected());
        }
        let e = self.cond_or()?;
        self.newlines()?;
        if !self.at_close() {
            return Err(self.cond_error());
        }
        self.pos += 2;
        Ok(e)
    }

    fn at_close(&mut self) -> bool {
        self.starts(b"]]") && self.peek_near(2).is_none_or(is_meta)
    }

    fn cond_error(&mut self) -> super::ParseError {
        let mut e = self.unexpected();
        if !e.at_end
            && e.message
                .starts_with(b"syntax error near unexpected token `")
        {
            let at = b"syntax error near unexpected token `".len();
            let token = e.message.get(at..).unwrap_or_default().to_vec();
            e.message = b"syntax error in conditional expression: unexpected token `".to_vec();
            e.message.extend_from_slice(&token);
        }
        e
    }

    fn cond_or(&mut self) -> PResult<CondExpr> {
        self.deeper()?;
        let mut left = self.cond_and()?;
        loop {
            self.newlines()?;
            if !self.starts(b"||") {
                break;
            }
            self.pos += 2;
            let right = self.cond_and()?;
            left = CondExpr::Or(Box::new(left), Box::new(right));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn cond_and(&mut self) -> PResult<CondExpr> {
        let mut left = self.cond_not()?;
        loop {
            self.newlines()?;
            if !self.starts(b"&&") {
                return Ok(left);
            }
            self.pos += 2;
            let right = self.cond_not()?;
            left = CondExpr::And(Box::new(left), Box::new(right));
        }
    }

    fn cond_not(&mut self) -> PResult<CondExpr> {
        self.newlines()?;
        if self.peek() == Some(b'!') && self.peek_near(1).is_none_or(is_meta) {
            self.pos += 1;
            self.deeper()?;
            let inner = self.cond_not()?;
            self.depth -= 1;
            return Ok(CondExpr::Not(Box::new(inner)));
        }
        if self.peek() == Some(b'(') {
            self.pos += 1;
            let inner = self.cond_or()?;
            self.newlines()?;
            if self.peek() != Some(b')') {
                return Err(self.cond_error());
            }
            self.pos += 1;
            return Ok(CondExpr::Paren(Box::new(inner)));
        }
        self.cond_primary()
    }

    fn cond_primary(&mut self) -> PResult<CondExpr> {
        if self.at_close() {
            return Err(self.cond_error());
        }
        let Some(first) = self.word()? else {
            return Err(self.cond_error());
        };
        // -x word
        if let Some([b'-', flag]) = first.as_lit()
            && b"abcdefghknoprstuvwxzGLNORS".contains(flag)
        {
            let flag = *flag;
            self.blanks();
            let from = self.pos;
            if self.peek().is_some()
                && !self.at_close()
                && !matches!(self.peek(), Some(b'&' | b'|' | b')' | b'\n'))
            {
                // `-f == x` compares; anything else is the operand.
                if self.binary_operator().is_none() || self.operand_is_last() {
                    self.pos = from;
                    if let Some(w) = self.word()? {
                        return Ok(CondExpr::Unary(flag, w));
                    }
                }
                self.pos = from;
            }
        }
        self.blanks();
        let op: Vec<u8> = if let Some(op) = self.binary_operator() {
            op.to_vec()
        } else if let Some(c @ (b'<' | b'>')) = self.peek() {
            if self.peek_near(1) == Some(b'(') {
                return Err(self.cond_error());
            }
            self.pos += 1;
            vec![c]
        } else {
            return Ok(CondExpr::Word(first));
        };
        self.blanks();
        let place = match op.as_slice() {
            b"=~" => Place::Regex,
            b"==" | b"=" | b"!=" => Place::Pattern,
            _ => Place::Arg,
        };
        if self.at_close() {
            return Err(self.cond_error());
        }
        let Some(right) = self.word_at(place)? else {
            return Err(self.cond_error());
        };
        Ok(CondExpr::Binary(op.into(), first, right))
    }

    /// Takes an operator of two operands that is a word.
    fn binary_operator(&mut self) -> Option<&'static [u8]> {
        for op in BINARY {
            if self.starts(op)
                && self
                    .peek_near(op.len())
                    .is_none_or(|b| matches!(b, b' ' | b'\t' | b'\n'))
            {
                self.pos += op.len();
                return Some(op);
            }
        }
        None
    }

    fn operand_is_last(&mut self) -> bool {
        self.newlines().is_ok()
            && (self.at_close() || matches!(self.peek(), Some(b'&' | b'|' | b')')))
    }
}
