//! Statements, rules and the main input.

use std::rc::Rc;

use hardshell_cli::{Input, complain, errno_text, open_input};

use crate::ast::*;
use crate::interp::{Interp, Res, Stop};
use crate::options::is_assignment;
use crate::reader::{Reader, Separator};
use crate::streams::Mode;
use crate::value::Value;

/// How a statement ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    Normal,
    Break,
    Continue,
    Return,
}

impl Interp<'_> {
    /// Runs the whole program; its exit status.
    pub fn run(mut self, program: &Program) -> i32 {
        let outcome = self.phases(program);
        let mut status = self.exit_status;
        if let Err(Stop::Fatal(message)) = outcome {
            self.stdout.flush();
            self.streams.flush_all();
            status = if message.contains("error: division") {
                1
            } else {
                2
            };
            let message = if message.starts_with("cmd. line") || message.starts_with("fatal: ") {
                message
            } else {
                format!("cmd. line:1: fatal: {message}")
            };
            complain("awk", message);
        }
        let written = self.stdout.finish();
        self.streams.close_all();
        if let Err(error) = written {
            complain("awk", format!("write failure ({})", errno_text(&error)));
            return 2;
        }
        status
    }

    fn phases(&mut self, program: &Program) -> Res<()> {
        let mut outcome = Ok(());
        for body in &program.begin {
            outcome = self.toplevel(body);
            if outcome.is_err() {
                break;
            }
        }
        let reads = !program.rules.is_empty()
            || !program.end.is_empty()
            || !program.begin_file.is_empty()
            || !program.end_file.is_empty();
        if outcome.is_ok() && reads {
            outcome = self.records(program);
        }
        match outcome {
            Ok(()) | Err(Stop::Exit) => {}
            Err(other) => return Err(other),
        }
        let exited = matches!(outcome, Err(Stop::Exit));
        // `exit` in BEGIN or a rule still runs END; there it ends at once.
        if !(exited && !reads) {
            for body in &program.end {
                match self.toplevel(body) {
                    Ok(()) => {}
                    Err(Stop::Exit) => break,
                    Err(other) => return Err(other),
                }
            }
        }
        Ok(())
    }

    fn toplevel(&mut self, body: &[Stmt]) -> Res<()> {
        match self.block(body) {
            Ok(_) => Ok(()),
            Err(Stop::Next | Stop::NextFile) => {
                Err(Stop::Fatal("`next' used in BEGIN or END action".to_owned()))
            }
            Err(other) => Err(other),
        }
    }

    fn records(&mut self, program: &Program) -> Res<()> {
        while self.next_main()? {
            match self.rules(program) {
                Ok(()) | Err(Stop::Next) => {}
                Err(Stop::NextFile) => self.skip_file()?,
                Err(other) => return Err(other),
            }
            if self.stdout.failed() {
                return Err(Stop::Exit);
            }
        }
        Ok(())
    }

    fn skip_file(&mut self) -> Res<()> {
        self.main = None;
        self.end_file()
    }

    fn rules(&mut self, program: &Program) -> Res<()> {
        for rule in &program.rules {
            let hit = match &rule.test {
                Test::Always => true,
                Test::Expr(e) => self.truth(e)?,
                Test::Range(from, to, index) => {
                    let mut open = self.ranges[*index];
                    let hit = open || self.truth(from)?;
                    if hit {
                        open = !self.truth(to)?;
                    }
                    self.ranges[*index] = open;
                    hit
                }
            };
            if !hit {
                continue;
            }
            match &rule.body {
                Some(body) => {
                    self.block(body)?;
                }
                None => {
                    self.record.ensure_text(&self.ofs, &self.convfmt);
                    self.stdout.put(&self.record.text);
                    self.stdout.put(&self.ors);
                }
            }
        }
        Ok(())
    }

    pub fn block(&mut self, body: &[Stmt]) -> Res<Flow> {
        for stmt in body {
            let flow = self.stmt(stmt)?;
            if flow != Flow::Normal {
                return Ok(flow);
            }
        }
        Ok(Flow::Normal)
    }

    fn stmt(&mut self, stmt: &Stmt) -> Res<Flow> {
        match stmt {
            Stmt::Expr(e) => self.discard(e)?,
            Stmt::Print(args, redirect) => self.print(args, redirect)?,
            Stmt::Printf(args, redirect) => {
                let out = self.formatted(args)?;
                self.emit(&out, redirect)?;
            }
            Stmt::If(test, yes, no) => {
                if self.truth(test)? {
                    return self.stmt(yes);
                }
                if let Some(no) = no {
                    return self.stmt(no);
                }
            }
            Stmt::Block(body) => return self.block(body),
            Stmt::While(test, body) => {
                while self.truth(test)? {
                    match self.stmt(body)? {
                        Flow::Break => break,
                        Flow::Return => return Ok(Flow::Return),
                        Flow::Normal | Flow::Continue => {}
                    }
                }
            }
            Stmt::Do(body, test) => loop {
                match self.stmt(body)? {
                    Flow::Break => break,
                    Flow::Return => return Ok(Flow::Return),
                    Flow::Normal | Flow::Continue => {}
                }
                if !self.truth(test)? {
                    break;
                }
            },
            Stmt::For(init, test, step, body) => {
                if let Some(init) = init {
                    self.stmt(init)?;
                }
                loop {
                    if let Some(test) = test
                        && !self.truth(test)?
                    {
                        break;
                    }
                    match self.stmt(body)? {
                        Flow::Break => break,
                        Flow::Return => return Ok(Flow::Return),
                        Flow::Normal | Flow::Continue => {}
                    }
                    if let Some(step) = step {
                        self.stmt(step)?;
                    }
                }
            }
            Stmt::ForIn(place, array, body) => {
                let map = self.array(array)?;
                let keys = self.ordered_keys(&map)?;
                for key in keys {
                    // An element deleted meanwhile is still visited, as in gawk.
                    self.assign(place, Value::Input(key))?;
                    match self.stmt(body)? {
                        Flow::Break => break,
                        Flow::Return => return Ok(Flow::Return),
                        Flow::Normal | Flow::Continue => {}
                    }
                }
            }
            Stmt::Switch(value, cases) => return self.switch(value, cases),
            Stmt::Next => return Err(Stop::Next),
            Stmt::NextFile => return Err(Stop::NextFile),
            Stmt::Exit(status) => {
                if let Some(e) = status {
                    let n = self.num(e)?;
                    self.exit_status = (n as i64 & 0xff) as i32;
                }
                return Err(Stop::Exit);
            }
            Stmt::Return(value) => {
                self.returned = match value {
                    Some(e) => self.eval(e)?,
                    None => Value::Uninit,
                };
                return Ok(Flow::Return);
            }
            Stmt::Break => return Ok(Flow::Break),
            Stmt::Continue => return Ok(Flow::Continue),
            Stmt::Delete(array, subs) => {
                let map = self.array(array)?;
                match subs {
                    None => map.borrow_mut().clear(),
                    Some(subs) => {
                        let key = self.take_key(subs)?;
                        map.borrow_mut().shift_remove_fast(&key);
                        self.key = key;
                    }
                }
            }
        }
        Ok(Flow::Normal)
    }

    /// Evaluates for the side effects only.
    fn discard(&mut self, e: &Expr) -> Res<()> {
        match e {
            Expr::Assign(place, value) => {
                let value = self.eval(value)?;
                self.assign(place, value)
            }
            Expr::Augment(..) | Expr::Step(..) => self.num(e).map(|_| ()),
            _ => self.eval(e).map(|_| ()),
        }
    }

    fn switch(&mut self, value: &Expr, cases: &[(Option<Expr>, Vec<Stmt>)]) -> Res<Flow> {
        let value = self.eval(value)?;
        let mut start = None;
        for (i, (label, _)) in cases.iter().enumerate() {
            let Some(label) = label else { continue };
            let hit = match label {
                Expr::Regex(_) => {
                    let pattern = self.pattern_of(label)?;
                    let text = self.text_of(&value);
                    pattern.borrow().is_match(&text)
                }
                _ => {
                    let label = self.eval(label)?;
                    self.compare_values(Cmp::Eq, &value, &label)
                }
            };
            if hit {
                start = Some(i);
                break;
            }
        }
        let start = start.or_else(|| cases.iter().position(|(label, _)| label.is_none()));
        if let Some(start) = start {
            for (_, body) in &cases[start..] {
                match self.block(body)? {
                    Flow::Normal => {}
                    Flow::Break => break,
                    other => return Ok(other),
                }
            }
        }
        Ok(Flow::Normal)
    }

    // Output.

    fn print(&mut self, args: &[Expr], redirect: &Redirect) -> Res<()> {
        if let (Redirect::Stdout, []) = (redirect, args) {
            self.record.ensure_text(&self.ofs, &self.convfmt);
            self.stdout.put(&self.record.text);
            self.stdout.put(&self.ors);
            return Ok(());
        }
        let mut out = std::mem::take(&mut self.buffer);
        out.clear();
        if args.is_empty() {
            self.record.ensure_text(&self.ofs, &self.convfmt);
            out.extend_from_slice(&self.record.text);
        }
        for (i, arg) in args.iter().enumerate() {
            if i > 0 {
                out.extend_from_slice(&self.ofs);
            }
            self.append_output(arg, &mut out)?;
        }
        out.extend_from_slice(&self.ors);
        let result = self.emit(&out, redirect);
        self.buffer = out;
        result
    }

    fn emit(&mut self, text: &[u8], redirect: &Redirect) -> Res<()> {
        let (target, mode) = match redirect {
            Redirect::Stdout => {
                self.stdout.put(text);
                return Ok(());
            }
            Redirect::File(e) => (e, Mode::Truncate),
            Redirect::Append(e) => (e, Mode::Append),
            Redirect::Pipe(e) => (e, Mode::Pipe),
        };
        let mut name = Vec::new();
        self.append(target, &mut name)?;
        if mode != Mode::Pipe && (name == b"/dev/stdout" || name == b"-") {
            self.stdout.put(text);
            return Ok(());
        }
        match self.streams.writer(&name, mode, &mut self.stdout) {
            Ok(out) => {
                out.put(text);
                Ok(())
            }
            Err(error) => {
                let shown = String::from_utf8_lossy(&name).into_owned();
                let what = if mode == Mode::Pipe {
                    "open pipe"
                } else {
                    "redirect to"
                };
                Err(Stop::Fatal(format!(
                    "cannot {what} `{shown}': {}",
                    errno_text(&error)
                )))
            }
        }
    }

    // Input.

    /// Reads the next record of the main input into `$0`.
    pub fn next_main(&mut self) -> Res<bool> {
        let mut text = std::mem::take(&mut self.incoming);
        let found = self.read_main(&mut text)?;
        if found {
            self.record.replace(&mut text);
            self.record.paragraph = matches!(self.rs, Separator::Paragraph);
        }
        self.incoming = text;
        Ok(found)
    }

    /// Reads the next record of the main input.
    pub fn read_main(&mut self, text: &mut Vec<u8>) -> Res<bool> {
        loop {
            if self.main.is_none() && !self.open_next()? {
                return Ok(false);
            }
            let Some(reader) = &mut self.main else {
                return Ok(false);
            };
            match reader.read(&mut self.rs, text, &mut self.terminator) {
                Ok(true) => {
                    self.nr += 1.0;
                    self.fnr += 1.0;
                    self.set_rt();
                    return Ok(true);
                }
                Ok(false) => {
                    self.main = None;
                    self.end_file()?;
                }
                Err(error) => {
                    self.main = None;
                    let name = self.text_of(&self.globals[FILENAME]);
                    let shown = String::from_utf8_lossy(&name).into_owned();
                    self.stdout.flush();
                    complain(
                        "awk",
                        format!(
                            "warning: command line argument `{shown}': {}",
                            errno_text(&error)
                        ),
                    );
                    self.exit_status = 2;
                }
            }
        }
    }

    fn set_rt(&mut self) {
        // The usual terminator needs no new string for each record.
        if self.terminator == b"\n" {
            if !matches!(&self.globals[RT], Value::Str(text) if &**text == b"\n") {
                self.globals[RT] = Value::text(b"\n");
            }
        } else {
            self.globals[RT] = Value::text(&self.terminator);
        }
    }

    fn end_file(&mut self) -> Res<()> {
        let program = self.program;
        for body in &program.end_file {
            match self.block(body) {
                Ok(_) | Err(Stop::NextFile) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    fn open_next(&mut self) -> Res<bool> {
        if self.input_done {
            return Ok(false);
        }
        let program = self.program;
        loop {
            let count = self.globals[ARGC].num();
            if self.next_arg as f64 >= count {
                self.input_done = true;
                if self.used_file {
                    return Ok(false);
                }
                self.used_file = true;
                self.main = Some(Reader::new(Box::new(Input::stdin())));
                self.globals[FILENAME] = Value::text(b"");
                self.fnr = 0.0;
                for body in &program.begin_file {
                    self.block(body)?;
                }
                return Ok(true);
            }
            let index = self.next_arg;
            self.next_arg += 1;
            let Value::Array(argv) = &self.globals[ARGV] else {
                continue;
            };
            let word = argv
                .borrow()
                .get(index.to_string().as_bytes())
                .map(|v| self.text_of(v))
                .unwrap_or_default();
            if word.is_empty() {
                continue;
            }
            if is_assignment(&word) {
                self.assign_word(&word)?;
                continue;
            }
            self.used_file = true;
            match open_input(&word) {
                Ok(input) => {
                    self.main = Some(Reader::new(Box::new(input)));
                    self.globals[FILENAME] = Value::input(&word);
                    self.globals[ARGIND] = Value::Num(index as f64);
                    self.fnr = 0.0;
                    for body in &program.begin_file {
                        match self.block(body) {
                            Ok(_) => {}
                            Err(Stop::NextFile) => {
                                self.main = None;
                                break;
                            }
                            Err(other) => return Err(other),
                        }
                    }
                    if self.main.is_none() {
                        continue;
                    }
                    return Ok(true);
                }
                Err(error) => {
                    let shown = String::from_utf8_lossy(&word).into_owned();
                    self.stdout.flush();
                    let reason = errno_text(&error);
                    if reason == "Is a directory" {
                        complain(
                            "awk",
                            format!(
                                "cmd. line:1: warning: command line argument `{shown}' is a directory: skipped"
                            ),
                        );
                    } else {
                        let place = if self.nr > 0.0 { "cmd. line:1: " } else { "" };
                        return Err(Stop::Fatal(format!(
                            "{place}fatal: cannot open file `{shown}' for reading: {reason}"
                        )));
                    }
                }
            }
        }
    }

    /// `getline` in all its forms: 1, 0 at the end, -1 on an error.
    pub fn getline(&mut self, getline: &Getline) -> Res<f64> {
        let mut text = Vec::new();
        match &getline.from {
            Origin::Main => {
                if !self.read_main(&mut text)? {
                    return Ok(0.0);
                }
            }
            Origin::File(e) | Origin::Command(e) => {
                let command = matches!(getline.from, Origin::Command(_));
                let mut name = Vec::new();
                self.append(e, &mut name)?;
                let reader = match self.streams.source(&name, command, &mut self.stdout) {
                    Ok(reader) => reader,
                    Err(error) => {
                        self.globals[ERRNO] = Value::text(errno_text(&error).as_bytes());
                        return Ok(-1.0);
                    }
                };
                match reader.read(&mut self.rs, &mut text, &mut self.terminator) {
                    Ok(true) => {}
                    Ok(false) => return Ok(0.0),
                    Err(error) => {
                        self.globals[ERRNO] = Value::text(errno_text(&error).as_bytes());
                        return Ok(-1.0);
                    }
                }
                self.set_rt();
            }
        }
        match &getline.into {
            Some(place) => self.assign(place, Value::Input(Rc::from(text.as_slice())))?,
            None => {
                self.record.replace(&mut text);
                self.record.paragraph = matches!(self.rs, Separator::Paragraph);
            }
        }
        Ok(1.0)
    }
}

/// Removal that keeps the order where that is cheap.
trait Remove {
    fn shift_remove_fast(&mut self, key: &[u8]);
}

impl Remove for crate::value::Map {
    fn shift_remove_fast(&mut self, key: &[u8]) {
        // Shifting a large array at each removal would be quadratic.
        if self.len() <= 64 {
            self.shift_remove(key);
        } else {
            self.swap_remove(key);
        }
    }
}
