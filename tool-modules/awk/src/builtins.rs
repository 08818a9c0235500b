//! Built-in functions that are not about strings, and the dispatch to those
//! that are.

use std::rc::Rc;

use hardshell_cli::process::Spawn;

use crate::ast::*;
use crate::interp::{Interp, Res, Stop};
use crate::value::{MapRef, Value};

impl Interp<'_> {
    pub fn builtin(&mut self, builtin: Builtin, args: &[Expr], line: u32) -> Res<Value> {
        let number = |n: f64| Ok(Value::Num(n));
        match builtin {
            Builtin::Length => self.length(args),
            Builtin::Substr => self.substr(args),
            Builtin::Index => self.index_of(args),
            Builtin::Split | Builtin::Patsplit => self.split(builtin, args),
            Builtin::Sub | Builtin::Gsub => self.substitute(builtin == Builtin::Gsub, args, line),
            Builtin::Gensub => self.gensub(args),
            Builtin::Match => self.match_function(args),
            Builtin::Sprintf => self.formatted(args).map(|out| Value::text(&out)),
            Builtin::ToLower => self.change_case(args, false),
            Builtin::ToUpper => self.change_case(args, true),
            Builtin::Sin => number(self.num(&args[0])?.sin()),
            Builtin::Cos => number(self.num(&args[0])?.cos()),
            Builtin::Atan2 => {
                let y = self.num(&args[0])?;
                let x = self.num(&args[1])?;
                number(y.atan2(x))
            }
            Builtin::Exp => number(self.num(&args[0])?.exp()),
            Builtin::Log => number(self.num(&args[0])?.ln()),
            Builtin::Sqrt => number(self.num(&args[0])?.sqrt()),
            Builtin::Int => number(self.num(&args[0])?.trunc()),
            Builtin::Rand => number(self.next_random()),
            Builtin::Srand => {
                let old = self.seed;
                let seed = match args.first() {
                    Some(e) => self.num(e)?,
                    None => hardshell_cli::time::now() as f64,
                };
                self.seed = seed;
                self.seed_random(seed.to_bits());
                number(old)
            }
            Builtin::System => {
                let command = self.argument_text(&args[0])?;
                self.stdout.flush();
                self.streams.flush_all();
                let status = match Spawn::shell(&command).run() {
                    Ok(status) => f64::from(status),
                    Err(error) => {
                        hardshell_cli::complain(
                            "awk",
                            format!(
                                "cannot start a shell: {}",
                                hardshell_cli::errno_text(&error)
                            ),
                        );
                        127.0
                    }
                };
                number(status)
            }
            Builtin::Close => {
                let name = self.argument_text(&args[0])?;
                self.stdout.flush();
                number(self.streams.close(&name).map_or(-1.0, f64::from))
            }
            Builtin::Fflush => {
                self.stdout.flush();
                match args.first() {
                    None => {
                        self.streams.flush_all();
                        number(0.0)
                    }
                    Some(e) => {
                        let name = self.argument_text(e)?;
                        if name.is_empty() {
                            self.streams.flush_all();
                            return number(0.0);
                        }
                        let known = self.streams.flush(&name) || name == b"/dev/stdout";
                        number(if known { 0.0 } else { -1.0 })
                    }
                }
            }
            Builtin::Systime => number(hardshell_cli::time::now() as f64),
            Builtin::Strftime => self.strftime(args),
            Builtin::Mktime => {
                let text = self.argument_text(&args[0])?;
                let utc = match args.get(1) {
                    Some(e) => self.truth(e)?,
                    None => false,
                };
                let zone = self.zone().clone();
                number(hardshell_cli::time::mktime(&text, &zone, utc).map_or(-1.0, |t| t as f64))
            }
            Builtin::And | Builtin::Or | Builtin::Xor => {
                let mut result: Option<u64> = None;
                for arg in args {
                    let value = self.whole_number(arg)?;
                    result = Some(match (result, builtin) {
                        (None, _) => value,
                        (Some(r), Builtin::And) => r & value,
                        (Some(r), Builtin::Or) => r | value,
                        (Some(r), _) => r ^ value,
                    });
                }
                number(result.unwrap_or(0) as f64)
            }
            Builtin::Lshift | Builtin::Rshift => {
                let value = self.whole_number(&args[0])?;
                let by = u32::try_from(self.whole_number(&args[1])?).unwrap_or(64);
                let shifted = if builtin == Builtin::Lshift {
                    value.checked_shl(by)
                } else {
                    value.checked_shr(by)
                };
                number(shifted.unwrap_or(0) as f64)
            }
            Builtin::Compl => {
                let value = self.whole_number(&args[0])?;
                number((!value & 0x1f_ffff_ffff_ffff) as f64)
            }
            Builtin::Strtonum => {
                let value = self.eval(&args[0])?;
                if let Value::Num(n) = value {
                    return number(n);
                }
                let text = self.text_of(&value);
                number(strtonum(&text))
            }
            Builtin::Asort | Builtin::Asorti => self.sort_array(builtin == Builtin::Asorti, args),
            Builtin::Typeof => self.type_of(&args[0]),
            Builtin::IsArray => {
                let is = match &args[0] {
                    Expr::Var(_) | Expr::Index(_) => {
                        matches!(self.peek(&args[0])?, Some(Value::Array(_)))
                    }
                    _ => false,
                };
                number(f64::from(u8::from(is)))
            }
        }
    }

    pub fn argument_text(&mut self, e: &Expr) -> Res<Vec<u8>> {
        let mut out = Vec::new();
        self.append(e, &mut out)?;
        Ok(out)
    }

    fn whole_number(&mut self, e: &Expr) -> Res<u64> {
        let n = self.num(e)?;
        if n < 0.0 {
            return Err(Stop::Fatal(format!(
                "a bit operation on the negative value {n} is not allowed"
            )));
        }
        Ok(n as u64)
    }

    /// A value without creating anything.
    fn peek(&mut self, e: &Expr) -> Res<Option<Value>> {
        Ok(match e {
            Expr::Var(Var::Global(slot)) => self.globals.get(*slot).cloned(),
            Expr::Var(Var::Local(slot)) => self.stack.get(self.base + slot).cloned(),
            Expr::Index(index) => {
                let map = self.array(&index.array)?;
                let key = self.take_key(&index.subs)?;
                let found = map.borrow().get(key.as_slice()).cloned();
                self.key = key;
                found
            }
            _ => Some(self.eval(e)?),
        })
    }

    fn type_of(&mut self, e: &Expr) -> Res<Value> {
        let name = match e {
            Expr::Regex(_) => "regexp",
            _ => match self.peek(e)? {
                None => "untyped",
                Some(Value::Uninit) => {
                    if matches!(e, Expr::Var(_)) {
                        "untyped"
                    } else {
                        "unassigned"
                    }
                }
                Some(Value::Num(_)) => "number",
                Some(Value::Str(_)) => "string",
                Some(Value::Input(text)) => {
                    if crate::value::looks_numeric(&text).is_some() {
                        "strnum"
                    } else {
                        "string"
                    }
                }
                Some(Value::Array(_)) => "array",
            },
        };
        Ok(Value::text(name.as_bytes()))
    }

    pub fn array_argument(&mut self, e: &Expr) -> Res<MapRef> {
        match e {
            Expr::Var(Var::Global(slot)) => self.array(&Array::Global(*slot)),
            Expr::Var(Var::Local(slot)) => self.array(&Array::Local(*slot)),
            Expr::Index(index) => self.array(&Array::Element(index.clone())),
            Expr::Group(inner) => self.array_argument(inner),
            _ => Err(Stop::Fatal("an array is needed here".to_owned())),
        }
    }

    // Random numbers: xorshift, good enough for what awk is used for.

    pub fn seed_random(&mut self, seed: u64) {
        self.random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d;
        if self.random == 0 {
            self.random = 1;
        }
        for _ in 0..8 {
            self.next_random();
        }
    }

    fn next_random(&mut self) -> f64 {
        let mut x = self.random;
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.random = x;
        (x >> 11) as f64 / (1u64 << 53) as f64
    }

    // Time.

    fn zone(&mut self) -> &hardshell_cli::time::Zone {
        self.zone
            .get_or_insert_with(hardshell_cli::time::Zone::local)
    }

    fn strftime(&mut self, args: &[Expr]) -> Res<Value> {
        let format = match args.first() {
            Some(e) => self.argument_text(e)?,
            None => b"%a %b %e %H:%M:%S %Z %Y".to_vec(),
        };
        let when = match args.get(1) {
            Some(e) => self.num(e)? as i64,
            None => hardshell_cli::time::now(),
        };
        let utc = match args.get(2) {
            Some(e) => self.truth(e)?,
            None => false,
        };
        let zone = self.zone().clone();
        Ok(Value::text(&hardshell_cli::time::strftime(
            &format, when, &zone, utc,
        )))
    }

    // Arrays.

    fn sort_array(&mut self, by_index: bool, args: &[Expr]) -> Res<Value> {
        let source = self.array_argument(&args[0])?;
        let target = match args.get(1) {
            Some(e) => self.array_argument(e)?,
            None => Rc::clone(&source),
        };
        let how = match args.get(2) {
            Some(e) => self.argument_text(e)?,
            None if by_index => b"@ind_str_asc".to_vec(),
            None => b"@val_type_asc".to_vec(),
        };
        let mut pairs: Vec<(Text, Value)> = source
            .borrow()
            .iter()
            .map(|(k, v)| (Rc::clone(k), v.clone()))
            .collect();
        self.sort_pairs(&mut pairs, &how)?;
        let mut target = target.borrow_mut();
        target.clear();
        let count = pairs.len();
        for (i, (key, value)) in pairs.into_iter().enumerate() {
            let value = if by_index { Value::Str(key) } else { value };
            target.insert(Rc::from((i + 1).to_string().as_bytes()), value);
        }
        Ok(Value::Num(count as f64))
    }

    /// The keys in the order that PROCINFO["sorted_in"] asks for.
    pub fn ordered_keys(&mut self, map: &MapRef) -> Res<Vec<Text>> {
        let how = match &self.globals[PROCINFO] {
            Value::Array(info) => info
                .borrow()
                .get(b"sorted_in".as_slice())
                .map(|v| self.text_of(v)),
            _ => None,
        };
        let map = map.borrow();
        match how {
            Some(how) if !how.is_empty() => {
                let mut pairs: Vec<(Text, Value)> =
                    map.iter().map(|(k, v)| (Rc::clone(k), v.clone())).collect();
                drop(map);
                self.sort_pairs(&mut pairs, &how)?;
                Ok(pairs.into_iter().map(|(k, _)| k).collect())
            }
            _ => Ok(crate::order::arrange(map.keys().map(Rc::clone).collect())),
        }
    }

    fn sort_pairs(&mut self, pairs: &mut [(Text, Value)], how: &[u8]) -> Res<()> {
        use std::cmp::Ordering;
        let index_number = |k: &Text| crate::value::to_number(k);
        let by_number = |a: f64, b: f64| a.partial_cmp(&b).unwrap_or(Ordering::Equal);
        let descending = how.ends_with(b"_desc");
        let base = how
            .strip_suffix(b"_desc")
            .or(how.strip_suffix(b"_asc"))
            .unwrap_or(how);
        match base {
            b"@unsorted" => {}
            b"@ind_str" => pairs.sort_by(|a, b| a.0.cmp(&b.0)),
            b"@ind_num" => pairs.sort_by(|a, b| {
                by_number(index_number(&a.0), index_number(&b.0)).then_with(|| a.0.cmp(&b.0))
            }),
            b"@val_num" => {
                pairs.sort_by(|a, b| by_number(a.1.num(), b.1.num()).then_with(|| a.0.cmp(&b.0)));
            }
            b"@val_str" => {
                pairs.sort_by(|a, b| self.order_as_text(&a.1, &b.1).then_with(|| a.0.cmp(&b.0)))
            }
            b"@val_type" => pairs.sort_by(|a, b| {
                // Numbers come before strings, strings before arrays.
                let rank = |v: &Value| match v {
                    Value::Array(_) => 2,
                    v if v.numeric().is_some() => 0,
                    _ => 1,
                };
                rank(&a.1)
                    .cmp(&rank(&b.1))
                    .then_with(|| match (a.1.numeric(), b.1.numeric()) {
                        (Some(x), Some(y)) => by_number(x, y),
                        _ => self.order_as_text(&a.1, &b.1),
                    })
            }),
            _ => return self.sort_by_function(pairs, how),
        }
        if descending {
            pairs.reverse();
        }
        Ok(())
    }

    /// Sorts with a function of the program: (key1, value1, key2, value2).
    fn sort_by_function(&mut self, pairs: &mut [(Text, Value)], name: &[u8]) -> Res<()> {
        let shown = String::from_utf8_lossy(name).into_owned();
        let Some(index) = self
            .program
            .functions
            .iter()
            .position(|f| f.name.as_bytes() == name)
        else {
            return Err(Stop::Fatal(format!(
                "sort comparison function `{shown}' is not defined"
            )));
        };
        let mut failed = None;
        // Merge sort never compares inconsistently in a way that panics.
        let mut order: Vec<(Text, Value)> = pairs.to_vec();
        merge_sort(&mut order, &mut |a, b| {
            if failed.is_some() {
                return true;
            }
            match self.call_values(
                index,
                vec![
                    Value::Str(Rc::clone(&a.0)),
                    a.1.clone(),
                    Value::Str(Rc::clone(&b.0)),
                    b.1.clone(),
                ],
            ) {
                Ok(value) => value.num() <= 0.0,
                Err(stop) => {
                    failed = Some(stop);
                    true
                }
            }
        });
        if let Some(stop) = failed {
            return Err(stop);
        }
        for (place, pair) in pairs.iter_mut().zip(order) {
            *place = pair;
        }
        Ok(())
    }

    /// Calls a function of the program with values.
    fn call_values(&mut self, index: usize, mut values: Vec<Value>) -> Res<Value> {
        let Some(function) = self.program.functions.get(index) else {
            return Ok(Value::Uninit);
        };
        values.resize(function.params, Value::Uninit);
        let base = self.stack.len();
        self.stack.append(&mut values);
        let saved = std::mem::replace(&mut self.base, base);
        let outcome = self.block(&function.body);
        self.base = saved;
        self.stack.truncate(base);
        outcome?;
        Ok(std::mem::take(&mut self.returned))
    }
}

/// A stable sort by "comes not after".
fn merge_sort<T: Clone>(items: &mut Vec<T>, not_after: &mut dyn FnMut(&T, &T) -> bool) {
    if items.len() < 2 {
        return;
    }
    let mut right = items.split_off(items.len() / 2);
    merge_sort(items, not_after);
    merge_sort(&mut right, not_after);
    let left = std::mem::take(items);
    let (mut i, mut j) = (0, 0);
    while i < left.len() && j < right.len() {
        if not_after(&left[i], &right[j]) {
            items.push(left[i].clone());
            i += 1;
        } else {
            items.push(right[j].clone());
            j += 1;
        }
    }
    items.extend_from_slice(&left[i..]);
    items.extend_from_slice(&right[j..]);
}

/// A number in decimal, octal (`0…`) or hexadecimal (`0x…`).
fn strtonum(text: &[u8]) -> f64 {
    let start = text.iter().take_while(|b| b.is_ascii_whitespace()).count();
    let rest = &text[start..];
    let (negative, body) = match rest.first() {
        Some(b'-') => (true, &rest[1..]),
        Some(b'+') => (false, &rest[1..]),
        _ => (false, rest),
    };
    let (base, digits) = if body.len() > 1 && body[0] == b'0' && (body[1] | 0x20) == b'x' {
        (16, &body[2..])
    } else if body.len() > 1
        && body[0] == b'0'
        && body[1..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .all(|b| *b < b'8')
        && !body.contains(&b'.')
    {
        (8, &body[1..])
    } else {
        return crate::value::to_number(text);
    };
    let mut value = 0.0;
    for byte in digits {
        let Some(digit) = char::from(*byte).to_digit(base) else {
            break;
        };
        value = value * f64::from(base) + f64::from(digit);
    }
    if negative { -value } else { value }
}
