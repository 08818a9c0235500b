//! Values of expressions.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::rc::Rc;

use hardshell_cli::Out;
use hardshell_posix_regex::{Options as RegexOptions, Regex, Syntax};

use crate::ast::*;
use crate::options::Options;
use crate::reader::{Reader, Separator};
use crate::record::{FieldSep, Record, append_value};
use crate::streams::Streams;
use crate::value::{Map, MapRef, Value, append_number, looks_numeric, to_number};

/// Why evaluation does not go on.
pub enum Stop {
    Fatal(String),
    Exit,
    Next,
    NextFile,
}

/// A result of evaluation.
pub type Res<T> = Result<T, Stop>;

/// Calls nested more deeply than this end the program instead of the stack.
const MAX_CALLS: usize = 10_000;
/// Dynamic patterns kept compiled.
const MAX_PATTERNS: usize = 500;

pub struct Interp<'p> {
    pub program: &'p Program,
    pub utf8: bool,
    pub globals: Vec<Value>,
    pub stack: Vec<Value>,
    pub base: usize,
    pub calls: usize,
    pub returned: Value,
    pub record: Record,
    pub nr: f64,
    pub fnr: f64,
    pub fs_value: Value,
    pub fs: FieldSep,
    pub ofs: Vec<u8>,
    pub ors: Vec<u8>,
    pub rs_value: Value,
    pub rs: Separator,
    pub subsep: Vec<u8>,
    pub convfmt: Vec<u8>,
    pub ofmt: Vec<u8>,
    pub ignore_case: bool,
    pub fpat: Value,
    pub widths: Value,
    pub stdout: Out,
    pub streams: Streams,
    pub ranges: Vec<bool>,
    patterns: HashMap<Text, Pattern>,
    pub main: Option<Reader>,
    pub next_arg: usize,
    pub used_file: bool,
    pub input_done: bool,
    pub key: Vec<u8>,
    pub buffer: Vec<u8>,
    pub incoming: Vec<u8>,
    pub terminator: Vec<u8>,
    pub exit_status: i32,
    pub random: u64,
    pub seed: f64,
    pub zone: Option<hardshell_cli::time::Zone>,
}

impl<'p> Interp<'p> {
    pub fn new(program: &'p Program, options: &Options) -> Self {
        let mut this = Self {
            program,
            utf8: options.utf8,
            globals: vec![Value::Uninit; program.globals.len()],
            stack: Vec::new(),
            base: 0,
            calls: 0,
            returned: Value::Uninit,
            record: Record::default(),
            nr: 0.0,
            fnr: 0.0,
            fs_value: Value::text(b" "),
            fs: FieldSep::Blank,
            ofs: b" ".to_vec(),
            ors: b"\n".to_vec(),
            rs_value: Value::text(b"\n"),
            rs: Separator::Byte(b'\n'),
            subsep: vec![0x1c],
            convfmt: b"%.6g".to_vec(),
            ofmt: b"%.6g".to_vec(),
            ignore_case: false,
            fpat: Value::Uninit,
            widths: Value::Uninit,
            stdout: Out::stdout(),
            streams: Streams::default(),
            ranges: vec![false; program.ranges],
            patterns: HashMap::new(),
            main: None,
            next_arg: 1,
            used_file: false,
            input_done: false,
            key: Vec::new(),
            buffer: Vec::new(),
            incoming: Vec::new(),
            terminator: Vec::new(),
            exit_status: 0,
            random: 0,
            seed: 0.0,
            zone: None,
        };
        this.record.limit = program.last_field;
        this.seed_random(0);
        this.set_up(options);
        this
    }

    fn set_up(&mut self, options: &Options) {
        let environ = new_map();
        for (name, value) in std::env::vars_os() {
            let value = Value::input(hardshell_cli::bytes(&value));
            environ
                .borrow_mut()
                .insert(Rc::from(hardshell_cli::bytes(&name)), value);
        }
        self.globals[ENVIRON] = Value::Array(environ);
        let argv = new_map();
        argv.borrow_mut()
            .insert(Rc::from(b"0".as_slice()), Value::text(b"awk"));
        for (i, word) in options.operands.iter().enumerate() {
            argv.borrow_mut()
                .insert(Rc::from((i + 1).to_string().as_bytes()), Value::input(word));
        }
        self.globals[ARGV] = Value::Array(argv);
        self.globals[ARGC] = Value::Num(options.operands.len() as f64 + 1.0);
        let procinfo = new_map();
        procinfo
            .borrow_mut()
            .insert(Rc::from(b"version".as_slice()), Value::text(b"5.2.1"));
        procinfo.borrow_mut().insert(
            Rc::from(b"pid".as_slice()),
            Value::Num(f64::from(hardshell_sys::getpid())),
        );
        self.globals[PROCINFO] = Value::Array(procinfo);
        if let Some(fs) = &options.fs {
            let _ = self.set_special(Special::Fs, Value::text(&crate::lexer::unescape(fs)));
        }
        for assign in &options.assigns {
            let _ = self.assign_word(assign);
        }
    }

    /// `name=value` from the command line.
    pub fn assign_word(&mut self, word: &[u8]) -> Res<()> {
        let at = memchr::memchr(b'=', word).unwrap_or(0);
        let name = String::from_utf8_lossy(&word[..at]).into_owned();
        let value = Value::input(&crate::lexer::unescape(&word[at + 1..]));
        if let Some((_, special)) = SPECIALS.iter().find(|(n, _)| *n == name) {
            return self.set_special(*special, value);
        }
        if let Some(slot) = self.program.globals.iter().position(|g| *g == name) {
            self.globals[slot] = value;
        }
        Ok(())
    }

    // Special variables.

    pub fn special(&mut self, special: Special) -> Value {
        match special {
            Special::Nf => Value::Num(self.record.count(&self.fs, self.utf8) as f64),
            Special::Nr => Value::Num(self.nr),
            Special::Fnr => Value::Num(self.fnr),
            Special::Fs => self.fs_value.clone(),
            Special::Ofs => Value::text(&self.ofs),
            Special::Ors => Value::text(&self.ors),
            Special::Rs => self.rs_value.clone(),
            Special::Subsep => Value::text(&self.subsep),
            Special::Convfmt => Value::text(&self.convfmt),
            Special::Ofmt => Value::text(&self.ofmt),
            Special::IgnoreCase => Value::Num(f64::from(u8::from(self.ignore_case))),
            Special::Fpat => self.fpat.clone(),
            Special::FieldWidths => self.widths.clone(),
        }
    }

    pub fn set_special(&mut self, special: Special, value: Value) -> Res<()> {
        match special {
            Special::Nf => {
                let count = value.num();
                if !(0.0..=1e7).contains(&count) {
                    return Err(Stop::Fatal(format!(
                        "NF set to {count}, which is not a number of fields"
                    )));
                }
                self.record.set_count(count as usize, &self.fs, self.utf8);
            }
            Special::Nr => self.nr = value.num(),
            Special::Fnr => self.fnr = value.num(),
            Special::Fs => {
                self.record.freeze(&self.fs, self.utf8);
                let text = self.text_of(&value);
                self.fs = self.field_separator(&text)?;
                self.fs_value = value;
            }
            Special::Ofs => self.ofs = self.text_of(&value),
            Special::Ors => self.ors = self.text_of(&value),
            Special::Rs => {
                let text = self.text_of(&value);
                self.rs = match text.as_slice() {
                    [] => Separator::Paragraph,
                    [byte] => Separator::Byte(*byte),
                    _ => Separator::Regex(Box::new(self.compile(&text)?)),
                };
                self.rs_value = value;
            }
            Special::Subsep => self.subsep = self.text_of(&value),
            Special::Convfmt => self.convfmt = self.text_of(&value),
            Special::Ofmt => self.ofmt = self.text_of(&value),
            Special::IgnoreCase => self.ignore_case = value.truth(),
            Special::Fpat => {
                self.record.freeze(&self.fs, self.utf8);
                let text = self.text_of(&value);
                self.fs = FieldSep::Pattern(self.pattern(&text)?);
                self.fpat = value;
            }
            Special::FieldWidths => {
                self.record.freeze(&self.fs, self.utf8);
                let text = String::from_utf8_lossy(&self.text_of(&value)).into_owned();
                let widths = text.split_whitespace().map(|w| {
                    if w == "*" {
                        usize::MAX / 2
                    } else {
                        w.parse().unwrap_or(0)
                    }
                });
                self.fs = FieldSep::Widths(widths.collect());
                self.widths = value;
            }
        }
        Ok(())
    }

    pub fn field_separator(&mut self, text: &[u8]) -> Res<FieldSep> {
        Ok(match text {
            b" " => FieldSep::Blank,
            [] => FieldSep::Chars,
            [byte] if *byte != b'\\' && !(self.ignore_case && byte.is_ascii_alphabetic()) => {
                FieldSep::Byte(*byte)
            }
            [_] => FieldSep::Byte(b'\\'),
            _ => {
                let pattern = self.pattern(text)?;
                let literal = pattern
                    .borrow()
                    .literal()
                    .and_then(|l| if l.len() == 1 { Some(l[0]) } else { None });
                match literal {
                    Some(byte) => FieldSep::Byte(byte),
                    None => FieldSep::Regex(pattern),
                }
            }
        })
    }

    // Patterns.

    fn compile(&self, source: &[u8]) -> Res<Regex> {
        let mut options = RegexOptions::new(Syntax::Awk);
        options.utf8 = self.utf8;
        options.ignore_case = self.ignore_case;
        Regex::new(source, &options).map_err(|error| {
            Stop::Fatal(format!(
                "invalid regexp: {error}: /{}/",
                String::from_utf8_lossy(source)
            ))
        })
    }

    pub fn pattern(&mut self, source: &[u8]) -> Res<Pattern> {
        let mut key = Vec::with_capacity(source.len() + 1);
        key.push(u8::from(self.ignore_case));
        key.extend_from_slice(source);
        if let Some(pattern) = self.patterns.get(key.as_slice()) {
            return Ok(Rc::clone(pattern));
        }
        if self.patterns.len() >= MAX_PATTERNS {
            self.patterns.clear();
        }
        let pattern = Rc::new(RefCell::new(self.compile(source)?));
        self.patterns
            .insert(Rc::from(key.as_slice()), Rc::clone(&pattern));
        Ok(pattern)
    }

    /// The pattern that an expression stands for as an operand of `~` or an
    /// argument of `split` and the like.
    pub fn pattern_of(&mut self, e: &Expr) -> Res<Pattern> {
        match e {
            Expr::Regex(literal) if !self.ignore_case => Ok(Rc::clone(&literal.pattern)),
            Expr::Regex(literal) => self.pattern(&literal.source),
            Expr::Group(inner) => self.pattern_of(inner),
            _ => {
                let mut source = Vec::new();
                self.append(e, &mut source)?;
                self.pattern(&source)
            }
        }
    }

    // Conversions.

    pub fn text_of(&self, value: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        append_value(&mut out, value, &self.convfmt);
        out
    }

    // Arrays.

    pub fn array(&mut self, array: &Array) -> Res<MapRef> {
        match array {
            Array::Global(slot) => match &mut self.globals[*slot] {
                Value::Array(map) => Ok(Rc::clone(map)),
                place @ Value::Uninit => {
                    let map = new_map();
                    *place = Value::Array(Rc::clone(&map));
                    Ok(map)
                }
                _ => Err(self.not_an_array(*slot)),
            },
            Array::Local(slot) => {
                let at = self.base + slot;
                match &mut self.stack[at] {
                    Value::Array(map) => Ok(Rc::clone(map)),
                    place @ Value::Uninit => {
                        let map = new_map();
                        *place = Value::Array(Rc::clone(&map));
                        Ok(map)
                    }
                    _ => Err(Stop::Fatal(
                        "attempt to use a scalar parameter as an array".to_owned(),
                    )),
                }
            }
            Array::Element(index) => {
                let map = self.array(&index.array)?;
                let key = self.take_key(&index.subs)?;
                let mut map = map.borrow_mut();
                let inner = match map.get_mut(key.as_slice()) {
                    Some(Value::Array(inner)) => Rc::clone(inner),
                    Some(place @ Value::Uninit) => {
                        let inner = new_map();
                        *place = Value::Array(Rc::clone(&inner));
                        inner
                    }
                    Some(_) => {
                        return Err(Stop::Fatal(
                            "attempt to use a scalar element as an array".to_owned(),
                        ));
                    }
                    None => {
                        let inner = new_map();
                        map.insert(Rc::from(key.as_slice()), Value::Array(Rc::clone(&inner)));
                        inner
                    }
                };
                self.key = key;
                Ok(inner)
            }
        }
    }

    fn not_an_array(&self, slot: usize) -> Stop {
        let name = self.program.globals.get(slot).cloned().unwrap_or_default();
        Stop::Fatal(format!("attempt to use scalar `{name}' as an array"))
    }

    /// The key for these subscripts, in a buffer to be put back to `self.key`.
    #[inline]
    pub fn take_key(&mut self, subs: &[Expr]) -> Res<Vec<u8>> {
        let mut key = std::mem::take(&mut self.key);
        key.clear();
        for (i, sub) in subs.iter().enumerate() {
            if i > 0 {
                key.extend_from_slice(&self.subsep);
            }
            self.append(sub, &mut key)?;
        }
        Ok(key)
    }

    // Expressions.

    pub fn eval(&mut self, e: &Expr) -> Res<Value> {
        Ok(match e {
            Expr::Num(n) => Value::Num(*n),
            Expr::Str(text) => Value::Str(Rc::clone(text)),
            Expr::Var(Var::Global(slot)) => match &self.globals[*slot] {
                Value::Array(_) => return Err(self.array_as_scalar(*slot)),
                value => value.clone(),
            },
            Expr::Var(Var::Local(slot)) => match &self.stack[self.base + slot] {
                Value::Array(_) => {
                    return Err(Stop::Fatal(
                        "attempt to use an array in a scalar context".to_owned(),
                    ));
                }
                value => value.clone(),
            },
            Expr::Var(Var::Special(special)) => self.special(*special),
            Expr::FieldConst(n) => self.field(*n),
            Expr::Field(inner) => {
                let n = self.num(inner)?;
                let n = self.field_number(n)?;
                self.field(n)
            }
            Expr::Index(index) => {
                let map = self.array(&index.array)?;
                let key = self.take_key(&index.subs)?;
                let mut map = map.borrow_mut();
                let value = match map.get(key.as_slice()) {
                    Some(Value::Array(_)) => {
                        return Err(Stop::Fatal(
                            "attempt to use an array in a scalar context".to_owned(),
                        ));
                    }
                    Some(value) => value.clone(),
                    None => {
                        map.insert(Rc::from(key.as_slice()), Value::Uninit);
                        Value::Uninit
                    }
                };
                self.key = key;
                value
            }
            Expr::Assign(place, value) => {
                let value = match self.eval(value)? {
                    // An unset variable's value is copied as it is.
                    value @ (Value::Uninit | Value::Num(_) | Value::Str(_) | Value::Input(_)) => {
                        value
                    }
                    Value::Array(_) => {
                        return Err(Stop::Fatal(
                            "attempt to use an array in a scalar context".to_owned(),
                        ));
                    }
                };
                self.assign(place, value.clone())?;
                value
            }
            Expr::Concat(_) => {
                let mut out = Vec::new();
                self.append(e, &mut out)?;
                Value::text(&out)
            }
            Expr::Cond(test, yes, no) => {
                if self.truth(test)? {
                    self.eval(yes)?
                } else {
                    self.eval(no)?
                }
            }
            Expr::Group(inner) => self.eval(inner)?,
            Expr::Call(function, args) => self.call(*function, args)?,
            Expr::Builtin(builtin, args, line) => self.builtin(*builtin, args, *line)?,
            Expr::Getline(getline) => Value::Num(self.getline(getline)?),
            Expr::Augment(..)
            | Expr::Step(..)
            | Expr::Binary(..)
            | Expr::Neg(_)
            | Expr::Plus(_) => Value::Num(self.num(e)?),
            Expr::Regex(_)
            | Expr::And(..)
            | Expr::Or(..)
            | Expr::Not(_)
            | Expr::Compare(..)
            | Expr::Match(..)
            | Expr::In(..) => Value::Num(if self.truth(e)? { 1.0 } else { 0.0 }),
        })
    }

    fn array_as_scalar(&self, slot: usize) -> Stop {
        let name = self.program.globals.get(slot).cloned().unwrap_or_default();
        Stop::Fatal(format!("attempt to use array `{name}' in a scalar context"))
    }

    #[inline]
    pub fn num(&mut self, e: &Expr) -> Res<f64> {
        Ok(match e {
            Expr::Num(n) => *n,
            Expr::Var(Var::Global(slot)) => match &self.globals[*slot] {
                Value::Num(n) => *n,
                Value::Array(_) => return Err(self.array_as_scalar(*slot)),
                value => value.num(),
            },
            Expr::Var(Var::Local(slot)) => self.stack[self.base + slot].num(),
            Expr::Var(Var::Special(Special::Nr)) => self.nr,
            Expr::Var(Var::Special(Special::Fnr)) => self.fnr,
            Expr::FieldConst(n) if *n > 0 => match self.record.part(*n, &self.fs, self.utf8) {
                Some(bytes) => to_number(bytes),
                None => self.field(*n).num(),
            },
            Expr::Binary(op, a, b, line) => {
                let a = self.num(a)?;
                let b = self.num(b)?;
                arithmetic(*op, a, b, *line)?
            }
            Expr::Neg(inner) => -self.num(inner)?,
            Expr::Plus(inner) | Expr::Group(inner) => self.num(inner)?,
            Expr::Augment(op, place, value, line) => self.augment(*op, place, value, *line)?,
            Expr::Step(place, by, prefix) => self.step(place, *by, *prefix)?,
            Expr::Index(index) => {
                let map = self.array(&index.array)?;
                let key = self.take_key(&index.subs)?;
                let found = map.borrow().get(key.as_slice()).map(Value::num);
                self.key = key;
                match found {
                    Some(n) => n,
                    None => self.eval(e)?.num(),
                }
            }
            _ => self.eval(e)?.num(),
        })
    }

    pub fn truth(&mut self, e: &Expr) -> Res<bool> {
        Ok(match e {
            Expr::Regex(_) => {
                let pattern = self.pattern_of(e)?;
                self.record.ensure_text(&self.ofs, &self.convfmt);
                pattern.borrow().is_match(&self.record.text)
            }
            Expr::And(a, b) => self.truth(a)? && self.truth(b)?,
            Expr::Or(a, b) => self.truth(a)? || self.truth(b)?,
            Expr::Not(inner) => !self.truth(inner)?,
            Expr::Group(inner) => self.truth(inner)?,
            Expr::Compare(cmp, a, b) => self.compare(*cmp, a, b)?,
            Expr::Match(negated, text, pattern) => self.matches(text, pattern)? != *negated,
            Expr::In(subs, array) => {
                let map = self.array(array)?;
                let key = self.take_key(subs)?;
                let found = map.borrow().contains_key(key.as_slice());
                self.key = key;
                found
            }
            Expr::Num(n) => *n != 0.0,
            Expr::Binary(..)
            | Expr::Step(..)
            | Expr::Augment(..)
            | Expr::Neg(_)
            | Expr::Plus(_) => self.num(e)? != 0.0,
            _ => self.eval(e)?.truth(),
        })
    }

    fn matches(&mut self, text: &Expr, pattern: &Expr) -> Res<bool> {
        let pattern = self.pattern_of(pattern)?;
        match text {
            Expr::FieldConst(0) => {
                self.record.ensure_text(&self.ofs, &self.convfmt);
                Ok(pattern.borrow().is_match(&self.record.text))
            }
            Expr::FieldConst(n) => {
                if let Some(bytes) = self.record.part(*n, &self.fs, self.utf8) {
                    return Ok(pattern.borrow().is_match(bytes));
                }
                let value = self.field(*n);
                Ok(pattern.borrow().is_match(&self.text_of(&value)))
            }
            _ => {
                let mut bytes = Vec::new();
                self.append(text, &mut bytes)?;
                Ok(pattern.borrow().is_match(&bytes))
            }
        }
    }

    fn compare(&mut self, cmp: Cmp, a: &Expr, b: &Expr) -> Res<bool> {
        // A field against a constant needs no value in between.
        if let Expr::FieldConst(n) = a
            && *n > 0
        {
            match b {
                Expr::Num(right) => {
                    if let Some(bytes) = self.record.part(*n, &self.fs, self.utf8)
                        && !bytes.is_empty()
                        && let Some(left) = looks_numeric(bytes)
                    {
                        return Ok(by_number(cmp, left, *right));
                    }
                }
                Expr::Str(right) => {
                    if let Some(bytes) = self.record.part(*n, &self.fs, self.utf8) {
                        return Ok(by_order(cmp, bytes.cmp(right)));
                    }
                }
                _ => {}
            }
        }
        let left = self.eval(a)?;
        let right = self.eval(b)?;
        Ok(self.compare_values(cmp, &left, &right))
    }

    pub fn compare_values(&self, cmp: Cmp, left: &Value, right: &Value) -> bool {
        if let (Some(a), Some(b)) = (left.numeric(), right.numeric()) {
            return by_number(cmp, a, b);
        }
        by_order(cmp, self.order_as_text(left, right))
    }

    pub fn order_as_text(&self, left: &Value, right: &Value) -> Ordering {
        if let (Value::Str(a) | Value::Input(a), Value::Str(b) | Value::Input(b)) = (left, right) {
            return a.cmp(b);
        }
        self.text_of(left).cmp(&self.text_of(right))
    }

    /// Appends the text of an expression.
    pub fn append(&mut self, e: &Expr, out: &mut Vec<u8>) -> Res<()> {
        match e {
            Expr::Str(text) => out.extend_from_slice(text),
            Expr::Num(n) => append_number(out, *n, &self.convfmt),
            Expr::FieldConst(0) => {
                self.record.ensure_text(&self.ofs, &self.convfmt);
                out.extend_from_slice(&self.record.text);
            }
            Expr::FieldConst(n) => match self.record.part(*n, &self.fs, self.utf8) {
                Some(bytes) => out.extend_from_slice(bytes),
                None => {
                    let value = self.field(*n);
                    append_value(out, &value, &self.convfmt);
                }
            },
            Expr::Var(Var::Global(slot)) => match &self.globals[*slot] {
                Value::Array(_) => return Err(self.array_as_scalar(*slot)),
                value => append_value(out, value, &self.convfmt),
            },
            Expr::Var(Var::Local(slot)) => {
                append_value(out, &self.stack[self.base + slot], &self.convfmt)
            }
            Expr::Concat(parts) => {
                for part in parts {
                    self.append(part, out)?;
                }
            }
            Expr::Group(inner) => self.append(inner, out)?,
            Expr::Binary(..) | Expr::Neg(_) => {
                let n = self.num(e)?;
                append_number(out, n, &self.convfmt);
            }
            _ => {
                let value = self.eval(e)?;
                append_value(out, &value, &self.convfmt);
            }
        }
        Ok(())
    }

    /// As `append`, but numbers in the format for output.
    pub fn append_output(&mut self, e: &Expr, out: &mut Vec<u8>) -> Res<()> {
        match e {
            Expr::Str(_) | Expr::FieldConst(_) | Expr::Concat(_) => self.append(e, out),
            Expr::Binary(..) | Expr::Num(_) => {
                let n = self.num(e)?;
                append_number(out, n, &self.ofmt);
                Ok(())
            }
            _ => {
                let value = self.eval(e)?;
                append_value(out, &value, &self.ofmt);
                Ok(())
            }
        }
    }

    // Fields.

    fn field_number(&self, n: f64) -> Res<usize> {
        if n < 0.0 || n.is_nan() {
            return Err(Stop::Fatal(format!("attempt to access field {n}")));
        }
        if n > 1e7 {
            return Err(Stop::Fatal(format!(
                "attempt to access field {n}, beyond what a record can hold"
            )));
        }
        Ok(n as usize)
    }

    pub fn field(&mut self, n: usize) -> Value {
        if n == 0 {
            self.record.ensure_text(&self.ofs, &self.convfmt);
            return self.record.whole();
        }
        self.record.get(n, &self.fs, self.utf8)
    }

    // Assignment.

    pub fn assign(&mut self, place: &LValue, value: Value) -> Res<()> {
        match place {
            LValue::Var(Var::Global(slot)) => {
                if matches!(self.globals[*slot], Value::Array(_)) {
                    return Err(self.array_as_scalar(*slot));
                }
                self.globals[*slot] = value;
            }
            LValue::Var(Var::Local(slot)) => {
                let at = self.base + slot;
                self.stack[at] = value;
            }
            LValue::Var(Var::Special(special)) => self.set_special(*special, value)?,
            LValue::Field(e) => {
                let n = self.num(e)?;
                let n = self.field_number(n)?;
                self.set_field(n, value);
            }
            LValue::Index(index) => {
                let map = self.array(&index.array)?;
                let key = self.take_key(&index.subs)?;
                let mut map = map.borrow_mut();
                match map.get_mut(key.as_slice()) {
                    Some(Value::Array(_)) => {
                        return Err(Stop::Fatal(
                            "attempt to use an array in a scalar context".to_owned(),
                        ));
                    }
                    Some(slot) => *slot = value,
                    None => {
                        map.insert(Rc::from(key.as_slice()), value);
                    }
                }
                self.key = key;
            }
        }
        Ok(())
    }

    pub fn set_field(&mut self, n: usize, value: Value) {
        if n == 0 {
            let text = self.text_of(&value);
            self.record.set_text(&text);
        } else {
            self.record.set(n, value, &self.fs, self.utf8);
        }
    }

    pub fn load(&mut self, place: &LValue) -> Res<Value> {
        match place {
            LValue::Var(var) => self.eval(&Expr::Var(*var)),
            LValue::Field(e) => {
                let n = self.num(e)?;
                let n = self.field_number(n)?;
                Ok(self.field(n))
            }
            LValue::Index(index) => {
                let map = self.array(&index.array)?;
                let key = self.take_key(&index.subs)?;
                let value = map
                    .borrow()
                    .get(key.as_slice())
                    .cloned()
                    .unwrap_or_default();
                self.key = key;
                Ok(value)
            }
        }
    }

    fn augment(&mut self, op: Op, place: &LValue, value: &Expr, line: u32) -> Res<f64> {
        // The right side first: it may change the left.
        let right = self.num(value)?;
        match place {
            LValue::Var(Var::Global(slot)) => {
                if let Value::Num(left) = self.globals[*slot] {
                    let result = arithmetic(op, left, right, line)?;
                    self.globals[*slot] = Value::Num(result);
                    return Ok(result);
                }
            }
            LValue::Index(index) => {
                let map = self.array(&index.array)?;
                let key = self.take_key(&index.subs)?;
                let mut map = map.borrow_mut();
                let result = match map.get_mut(key.as_slice()) {
                    Some(slot) => {
                        let result = arithmetic(op, slot.num(), right, line)?;
                        *slot = Value::Num(result);
                        result
                    }
                    None => {
                        let result = arithmetic(op, 0.0, right, line)?;
                        map.insert(Rc::from(key.as_slice()), Value::Num(result));
                        result
                    }
                };
                self.key = key;
                return Ok(result);
            }
            _ => {}
        }
        let left = self.load(place)?.num();
        let result = arithmetic(op, left, right, line)?;
        self.assign(place, Value::Num(result))?;
        Ok(result)
    }

    fn step(&mut self, place: &LValue, by: f64, prefix: bool) -> Res<f64> {
        let old = match place {
            LValue::Var(Var::Global(slot)) if !matches!(self.globals[*slot], Value::Array(_)) => {
                let old = self.globals[*slot].num();
                self.globals[*slot] = Value::Num(old + by);
                old
            }
            LValue::Var(Var::Local(slot)) => {
                let at = self.base + slot;
                let old = self.stack[at].num();
                self.stack[at] = Value::Num(old + by);
                old
            }
            LValue::Index(index) => {
                let map = self.array(&index.array)?;
                let key = self.take_key(&index.subs)?;
                let mut map = map.borrow_mut();
                let old = match map.get_mut(key.as_slice()) {
                    Some(slot) => {
                        let old = slot.num();
                        *slot = Value::Num(old + by);
                        old
                    }
                    None => {
                        map.insert(Rc::from(key.as_slice()), Value::Num(by));
                        0.0
                    }
                };
                self.key = key;
                old
            }
            _ => {
                let old = self.load(place)?.num();
                self.assign(place, Value::Num(old + by))?;
                old
            }
        };
        Ok(if prefix { old + by } else { old })
    }

    // Functions.

    fn call(&mut self, index: usize, args: &[Expr]) -> Res<Value> {
        let Some(function) = self.program.functions.get(index) else {
            return Ok(Value::Uninit);
        };
        if self.calls >= MAX_CALLS {
            return Err(Stop::Fatal(format!(
                "function `{}' calls itself too deeply ({MAX_CALLS} calls)",
                function.name
            )));
        }
        if args.len() > function.params {
            return Err(Stop::Fatal(format!(
                "function `{}' called with more arguments than declared",
                function.name
            )));
        }
        let mut values = Vec::with_capacity(function.params);
        for (i, arg) in args.iter().enumerate() {
            let wants_array = function.arrays.get(i).copied().unwrap_or(false);
            values.push(self.argument(arg, wants_array)?);
        }
        values.resize(function.params, Value::Uninit);
        let base = self.stack.len();
        self.stack.append(&mut values);
        let saved = std::mem::replace(&mut self.base, base);
        self.calls += 1;
        let outcome = self.block(&function.body);
        self.calls -= 1;
        self.base = saved;
        self.stack.truncate(base);
        outcome?;
        Ok(std::mem::take(&mut self.returned))
    }

    fn argument(&mut self, arg: &Expr, wants_array: bool) -> Res<Value> {
        match arg {
            Expr::Var(Var::Global(slot)) => {
                if wants_array {
                    return self.array(&Array::Global(*slot)).map(Value::Array);
                }
                Ok(self.globals[*slot].clone())
            }
            Expr::Var(Var::Local(slot)) => {
                if wants_array {
                    return self.array(&Array::Local(*slot)).map(Value::Array);
                }
                Ok(self.stack[self.base + slot].clone())
            }
            Expr::Index(index) if wants_array => {
                self.array(&Array::Element(index.clone())).map(Value::Array)
            }
            Expr::Index(index) => {
                let map = self.array(&index.array)?;
                let key = self.take_key(&index.subs)?;
                let value = map.borrow().get(key.as_slice()).cloned();
                self.key = key;
                match value {
                    Some(value) => Ok(value),
                    None => self.eval(arg),
                }
            }
            _ => self.eval(arg),
        }
    }
}

pub fn new_map() -> MapRef {
    Rc::new(RefCell::new(Map::default()))
}

#[inline]
fn by_number(cmp: Cmp, a: f64, b: f64) -> bool {
    match cmp {
        Cmp::Lt => a < b,
        Cmp::Le => a <= b,
        Cmp::Eq => a == b,
        Cmp::Ne => a != b,
        Cmp::Gt => a > b,
        Cmp::Ge => a >= b,
    }
}

fn by_order(cmp: Cmp, order: Ordering) -> bool {
    match cmp {
        Cmp::Lt => order.is_lt(),
        Cmp::Le => order.is_le(),
        Cmp::Eq => order.is_eq(),
        Cmp::Ne => order.is_ne(),
        Cmp::Gt => order.is_gt(),
        Cmp::Ge => order.is_ge(),
    }
}

#[inline]
fn arithmetic(op: Op, a: f64, b: f64, line: u32) -> Res<f64> {
    Ok(match op {
        Op::Add => a + b,
        Op::Sub => a - b,
        Op::Mul => a * b,
        Op::Div if b == 0.0 => {
            return Err(Stop::Fatal(format!(
                "cmd. line:{line}: error: division by zero attempted"
            )));
        }
        Op::Div => a / b,
        Op::Mod if b == 0.0 => {
            return Err(Stop::Fatal(format!(
                "cmd. line:{line}: error: division by zero attempted in `%'"
            )));
        }
        Op::Mod => a % b,
        Op::Pow => power(a, b),
    })
}

fn power(a: f64, b: f64) -> f64 {
    // Whole exponents by multiplication, which is exact for whole bases.
    if b.fract() == 0.0 && b.abs() <= 1024.0 {
        return a.powi(b as i32);
    }
    a.powf(b)
}
