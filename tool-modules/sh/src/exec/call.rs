//! Calling functions, `eval`, sourced files.

use crate::ast::{FuncDef, List};
use crate::opts;
use crate::parse::Parser;
use crate::shell::{Ex, Frame, NEST_CALL, NEST_COMPOUND, Shell, TRAP_RETURN, Unwind};
use std::rc::Rc;

impl Shell {
    /// Calls a function with its arguments (its name first).
    pub(crate) fn call_function(&mut self, def: &Rc<FuncDef>, args: &[Vec<u8>]) -> Ex {
        let limit = self
            .get(b"FUNCNEST")
            .and_then(|t| crate::strs::parse_int(&t))
            .filter(|n| *n > 0);
        if limit.is_some_and(|n| i64::from(self.depth) >= n) || self.stack_low() {
            let depth = limit
                .filter(|n| i64::from(self.depth) >= *n)
                .unwrap_or(i64::from(self.depth));
            let text = [
                &*def.name,
                format!(": maximum function nesting level exceeded ({depth})").as_bytes(),
            ]
            .concat();
            self.error(text);
            self.st.status = 1;
            return Err(Unwind::Abort);
        }
        let name = args.first().cloned().unwrap_or_default();
        let rest: Rc<Vec<Vec<u8>>> = Rc::new(args.get(1..).unwrap_or_default().to_vec());
        let old_args = std::mem::replace(&mut self.st.args, rest.clone());
        let source = def.file.borrow().clone();
        let call_line = self.line;
        self.st.frames.push(Frame {
            name: name.into(),
            source: (*source).into(),
            line: call_line,
            sourced: false,
            saved: Vec::new(),
            args: rest,
            opts: None,
        });
        self.depth += 1;
        let loops = std::mem::replace(&mut self.st.loops, 0);
        let debug = self.hide_function_traps();
        self.nest += NEST_CALL;
        let result = self.run_function_body(def);
        self.nest -= NEST_CALL;
        self.st.loops = loops;
        self.depth -= 1;
        let result = match result {
            Err(Unwind::Return) => Ok(self.st.status),
            Err(Unwind::Break(_) | Unwind::Continue(_)) => Ok(0),
            other => other,
        };
        let result = self.return_trap(result, debug.is_some());
        self.show_function_traps(debug);
        if let Some(frame) = self.st.frames.pop() {
            self.restore(frame.saved);
            if let Some(opts) = frame.opts {
                self.st.opts = opts;
            }
        }
        self.st.args = old_args;
        if result.is_ok() {
            self.line = call_line;
        }
        result
    }

    fn run_function_body(&mut self, def: &Rc<FuncDef>) -> Ex {
        if self.wants_debug() {
            let line = self.line;
            self.line = def.line;
            self.run_debug()?;
            self.line = line;
        }
        self.run_command(&def.body)
    }

    /// The RETURN trap, after a function or a sourced file. It sees the frame still.
    fn return_trap(&mut self, result: Ex, hidden: bool) -> Ex {
        if hidden || !self.st.traps.contains_key(&TRAP_RETURN) || !result.is_ok() {
            return result;
        }
        if let Ok(s) = result {
            self.st.status = s;
            self.run_trap(TRAP_RETURN)?;
            self.st.status = s;
        }
        result
    }

    /// A parser for text that is run now.
    pub(crate) fn parser(&self, text: &[u8], line: u32) -> Parser<'static> {
        let mut p = Parser::new(text, line);
        self.prepare(&mut p);
        p
    }

    /// Tells the parser about aliases and options as they are now.
    pub(crate) fn prepare(&self, p: &mut Parser<'_>) {
        p.extglob = self.shopt(opts::EXTGLOB);
        p.aliases = if self.shopt(opts::EXPAND_ALIASES) && !self.st.aliases.is_empty() {
            Some(self.st.aliases.clone())
        } else {
            None
        };
        p.posix = self.opt(opts::POSIX);
    }

    /// Runs a text: `eval`, traps, `-c`. `what` names it in syntax errors.
    pub(crate) fn eval_text(&mut self, text: &[u8], what: Option<&str>) -> Ex {
        if self.stack_low() {
            self.error("maximum eval nesting level exceeded");
            self.st.status = 1;
            return Err(Unwind::Abort);
        }
        self.nest += NEST_COMPOUND;
        let result = self.eval_inner(text, what);
        self.nest -= NEST_COMPOUND;
        result
    }

    fn eval_inner(&mut self, text: &[u8], what: Option<&str>) -> Ex {
        // Short texts that run again and again (traps, `eval` in a loop) are parsed once.
        let line = self.line;
        if let Some((at, list)) = self.parsed.get(text)
            && (*at == line || self.frozen == Some(self.st.frames.len()))
        {
            let list = list.clone();
            return self.run_list(&list);
        }
        let cacheable = text.len() < 4096 && self.st.aliases.is_empty();
        let mut p = self.parser(text, line.max(1));
        let mut status = 0;
        let mut whole = Some(List::default());
        loop {
            self.prepare(&mut p);
            match p.next_command() {
                Ok(None) => break,
                Ok(Some(list)) => {
                    self.warn(&mut p);
                    if let Some(w) = &mut whole {
                        w.0.extend(list.0.iter().cloned());
                    }
                    status = self.run_list(&list)?;
                }
                Err(e) => {
                    self.warn(&mut p);
                    self.syntax_error(&e, what);
                    self.st.status = 2;
                    return if what == Some("eval") {
                        Ok(2)
                    } else {
                        Err(Unwind::Abort)
                    };
                }
            }
        }
        self.warn(&mut p);
        if cacheable {
            if self.parsed.len() > 64 {
                self.parsed.clear();
            }
            if let Some(w) = whole.take().filter(|w| w.0.len() < 32) {
                self.parsed.insert(text.to_vec(), (line, Rc::new(w)));
            }
        }
        Ok(status)
    }

    /// Prints what the parser has to say besides errors.
    pub(crate) fn warn(&mut self, p: &mut Parser<'_>) {
        for (line, text) in std::mem::take(&mut p.warnings) {
            let old = std::mem::replace(&mut self.line, line);
            self.error(text);
            self.line = old;
        }
    }

    /// Prints a syntax error.
    pub(crate) fn syntax_error(&mut self, e: &crate::parse::ParseError, what: Option<&str>) {
        let mut prefix = self.error_name();
        if let Some(what) = what {
            prefix.extend_from_slice(b": ");
            prefix.extend_from_slice(what.as_bytes());
        }
        if !self.opt(opts::INTERACTIVE) {
            prefix.extend_from_slice(format!(": line {}", e.line).as_bytes());
        }
        prefix.extend_from_slice(b": ");
        let mut text = prefix.clone();
        text.extend_from_slice(&e.message);
        text.push(b'\n');
        if let Some(context) = &e.context {
            text.extend_from_slice(&prefix);
            text.push(b'`');
            text.extend_from_slice(context);
            text.extend_from_slice(b"'\n");
        }
        self.write_err(&text);
    }

    /// Runs a file in this shell.
    pub(crate) fn source(&mut self, path: &[u8], text: &[u8], args: Option<Vec<Vec<u8>>>) -> Ex {
        if self.stack_low() {
            self.error("maximum source nesting level exceeded");
            self.st.status = 1;
            return Err(Unwind::Abort);
        }
        let had_args = args.is_some();
        let old_args = args.map(|a| std::mem::replace(&mut self.st.args, Rc::new(a)));
        let line = self.line;
        self.st.frames.push(Frame {
            name: (*b"source").into(),
            source: path.into(),
            line,
            sourced: true,
            saved: Vec::new(),
            args: self.st.args.clone(),
            opts: None,
        });
        let given = self.st.args.clone();
        self.depth += 1;
        self.nest += NEST_COMPOUND;
        let result = self.source_inner(text);
        self.nest -= NEST_COMPOUND;
        self.depth -= 1;
        let result = match result {
            Err(Unwind::Return) => Ok(self.st.status),
            other => other,
        };
        let result = self.return_trap(result, false);
        self.st.frames.pop();
        if let Some(old) = old_args
            && had_args
            && Rc::ptr_eq(&given, &self.st.args)
        {
            self.st.args = old;
        }
        self.line = line;
        result
    }

    fn source_inner(&mut self, text: &[u8]) -> Ex {
        let mut p = self.parser(text, 1);
        let mut status = 0;
        loop {
            self.prepare(&mut p);
            match p.next_command() {
                Ok(None) => {
                    self.warn(&mut p);
                    return Ok(status);
                }
                Ok(Some(list)) => {
                    self.warn(&mut p);
                    status = self.run_list(&list)?;
                }
                Err(e) => {
                    self.warn(&mut p);
                    self.syntax_error(&e, None);
                    self.st.status = 2;
                    return Ok(2);
                }
            }
        }
    }
}
