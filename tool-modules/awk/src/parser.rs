//! From tokens to the program.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use hardshell_posix_regex::{Options as RegexOptions, Regex, Syntax};

use crate::ast::*;
use crate::lexer::{Key, Spot, Token, lex};

/// Nesting beyond this is refused rather than risking the stack.
const MAX_DEPTH: usize = 400;

/// A message with the line it is about.
pub type Problem = (u32, String);

/// Parses a program.
pub fn parse(text: &[u8], utf8: bool) -> Result<Program, Problem> {
    let tokens = lex(text)?;
    let mut parser = Parser {
        tokens,
        at: 0,
        program: Program::default(),
        globals: HashMap::new(),
        functions: HashMap::new(),
        defined: Vec::new(),
        locals: Vec::new(),
        depth: 0,
        no_in: false,
        no_gt: false,
        utf8,
        in_function: false,
        loops: 0,
    };
    for (name, _) in SPECIALS {
        parser.add_global(name);
    }
    for name in WELL_KNOWN {
        parser.add_global(name);
    }
    parser.program()?;
    let mut program = parser.program;
    crate::analyse::analyse(&mut program);
    Ok(program)
}

struct Parser {
    tokens: Vec<Spot>,
    at: usize,
    program: Program,
    globals: HashMap<String, usize>,
    functions: HashMap<String, usize>,
    defined: Vec<bool>,
    locals: Vec<String>,
    depth: usize,
    no_in: bool,
    no_gt: bool,
    utf8: bool,
    in_function: bool,
    loops: usize,
}

impl Parser {
    fn add_global(&mut self, name: &str) -> usize {
        if let Some(slot) = self.globals.get(name) {
            return *slot;
        }
        let slot = self.program.globals.len();
        self.program.globals.push(name.to_owned());
        self.globals.insert(name.to_owned(), slot);
        slot
    }

    fn peek(&self) -> &Token {
        self.tokens
            .get(self.at)
            .map_or(&Token::End, |spot| &spot.token)
    }

    fn peek_at(&self, ahead: usize) -> &Token {
        self.tokens
            .get(self.at + ahead)
            .map_or(&Token::End, |spot| &spot.token)
    }

    fn line(&self) -> u32 {
        self.tokens
            .get(self.at)
            .or(self.tokens.last())
            .map_or(1, |spot| spot.line)
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    /// Offset of the current token, for messages.
    fn here(&self) -> u32 {
        self.tokens
            .get(self.at)
            .or(self.tokens.last())
            .map_or(0, |spot| spot.at)
    }

    fn is(&self, punct: &str) -> bool {
        matches!(self.peek(), Token::Punct(p) if *p == punct)
    }

    fn is_key(&self, key: Key) -> bool {
        *self.peek() == Token::Key(key)
    }

    fn accept(&mut self, punct: &str) -> bool {
        let found = self.is(punct);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, punct: &str) -> Result<(), Problem> {
        if self.accept(punct) {
            Ok(())
        } else {
            self.unexpected()
        }
    }

    fn unexpected<T>(&self) -> Result<T, Problem> {
        let what = match self.peek() {
            Token::Newline => "newline".to_owned(),
            Token::End => "end of program".to_owned(),
            Token::Number(n) => format!("{n}"),
            Token::Str(text) => format!("\"{}\"", String::from_utf8_lossy(text)),
            Token::Regex(text) => format!("/{}/", String::from_utf8_lossy(text)),
            Token::Name(name) | Token::FuncName(name) => name.clone(),
            Token::Builtin(builtin) => BUILTINS
                .iter()
                .find(|(_, b, ..)| b == builtin)
                .map_or(String::new(), |(name, ..)| (*name).to_owned()),
            Token::Key(key) => format!("{key:?}").to_lowercase(),
            Token::Punct(p) => (*p).to_owned(),
        };
        if matches!(self.peek(), Token::Newline | Token::End) {
            return Err((
                self.here(),
                "unexpected newline or end of string".to_owned(),
            ));
        }
        Err((self.here(), format!("syntax error at or near {what}")))
    }

    fn newlines(&mut self) {
        while *self.peek() == Token::Newline {
            self.at += 1;
        }
    }

    /// Newlines and semicolons.
    fn separators(&mut self) {
        while *self.peek() == Token::Newline || self.is(";") {
            self.at += 1;
        }
    }

    fn program(&mut self) -> Result<(), Problem> {
        self.declare_functions();
        loop {
            self.separators();
            match self.peek().clone() {
                Token::End => break,
                Token::Key(Key::Function) => self.function()?,
                Token::Key(key @ (Key::Begin | Key::EndBlock | Key::BeginFile | Key::EndFile)) => {
                    self.at += 1;
                    if !self.is("{") {
                        let name = if key == Key::Begin { "BEGIN" } else { "END" };
                        return Err((
                            self.here(),
                            format!("{name} blocks must have an action part"),
                        ));
                    }
                    let body = self.block()?;
                    match key {
                        Key::Begin => self.program.begin.push(body),
                        Key::EndBlock => self.program.end.push(body),
                        Key::BeginFile => self.program.begin_file.push(body),
                        _ => self.program.end_file.push(body),
                    }
                }
                _ => self.rule()?,
            }
        }
        for (name, index) in &self.functions {
            if !self.defined.get(*index).copied().unwrap_or(false) {
                return Err((0, format!("fatal: function `{name}' not defined")));
            }
        }
        Ok(())
    }

    /// Functions may be called before they are defined.
    fn declare_functions(&mut self) {
        for i in 0..self.tokens.len().saturating_sub(1) {
            if self.tokens[i].token != Token::Key(Key::Function) {
                continue;
            }
            if let Token::Name(name) | Token::FuncName(name) = &self.tokens[i + 1].token
                && !self.functions.contains_key(name)
            {
                self.functions
                    .insert(name.clone(), self.program.functions.len());
                self.program.functions.push(Function {
                    name: name.clone(),
                    ..Function::default()
                });
                self.defined.push(false);
            }
        }
    }

    fn function(&mut self) -> Result<(), Problem> {
        self.at += 1;
        let (Token::Name(name) | Token::FuncName(name)) = self.next() else {
            self.at -= 1;
            return self.unexpected();
        };
        self.expect("(")?;
        let mut params = Vec::new();
        while !self.accept(")") {
            self.newlines();
            let Token::Name(param) = self.next() else {
                self.at -= 1;
                return self.unexpected();
            };
            params.push(param);
            self.newlines();
            if !self.accept(",") && !self.is(")") {
                return self.unexpected();
            }
        }
        self.newlines();
        let index = self.functions.get(&name).copied().unwrap_or(0);
        if self.defined.get(index).copied().unwrap_or(false) {
            return Err((
                self.here(),
                format!("function name `{name}' previously defined"),
            ));
        }
        self.locals = params;
        self.in_function = true;
        let body = self.block()?;
        self.in_function = false;
        let count = self.locals.len();
        self.locals.clear();
        if let (Some(function), Some(defined)) = (
            self.program.functions.get_mut(index),
            self.defined.get_mut(index),
        ) {
            function.params = count;
            function.arrays = vec![false; count];
            function.body = body;
            *defined = true;
        }
        Ok(())
    }

    fn rule(&mut self) -> Result<(), Problem> {
        let test = if self.is("{") {
            Test::Always
        } else {
            let first = self.expr()?;
            if self.accept(",") {
                self.newlines();
                let second = self.expr()?;
                let index = self.program.ranges;
                self.program.ranges += 1;
                Test::Range(first, second, index)
            } else {
                Test::Expr(first)
            }
        };
        let body = if self.is("{") {
            Some(self.block()?)
        } else {
            if !matches!(self.peek(), Token::Newline | Token::End) && !self.is(";") && !self.is("}")
            {
                return self.unexpected();
            }
            None
        };
        self.program.rules.push(Rule { test, body });
        Ok(())
    }

    fn block(&mut self) -> Result<Vec<Stmt>, Problem> {
        self.expect("{")?;
        let mut out = Vec::new();
        loop {
            self.separators();
            if self.accept("}") {
                break;
            }
            if *self.peek() == Token::End {
                return self.unexpected();
            }
            out.push(self.statement()?);
        }
        Ok(out)
    }

    /// The end of a simple statement.
    fn end_of_statement(&mut self) -> Result<(), Problem> {
        if self.is("}") || *self.peek() == Token::End {
            return Ok(());
        }
        if *self.peek() == Token::Newline || self.is(";") {
            self.at += 1;
            return Ok(());
        }
        self.unexpected()
    }

    fn statement(&mut self) -> Result<Stmt, Problem> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err((self.here(), "statements are nested too deeply".to_owned()));
        }
        let result = self.statement_inner();
        self.depth -= 1;
        result
    }

    fn body(&mut self) -> Result<Box<Stmt>, Problem> {
        self.newlines();
        if self.accept(";") {
            return Ok(Box::new(Stmt::Block(Vec::new())));
        }
        self.statement().map(Box::new)
    }

    fn loop_body(&mut self) -> Result<Box<Stmt>, Problem> {
        self.loops += 1;
        let body = self.body();
        self.loops -= 1;
        body
    }

    fn statement_inner(&mut self) -> Result<Stmt, Problem> {
        if self.is("{") {
            return self.block().map(Stmt::Block);
        }
        let Token::Key(key) = *self.peek() else {
            let stmt = self.simple()?;
            self.end_of_statement()?;
            return Ok(stmt);
        };
        match key {
            Key::If => {
                self.at += 1;
                self.expect("(")?;
                let test = self.whole_expr()?;
                self.expect(")")?;
                let yes = self.body()?;
                let mark = self.at;
                self.separators();
                if self.is_key(Key::Else) {
                    self.at += 1;
                    let no = self.body()?;
                    return Ok(Stmt::If(test, yes, Some(no)));
                }
                self.at = mark;
                Ok(Stmt::If(test, yes, None))
            }
            Key::While => {
                self.at += 1;
                self.expect("(")?;
                let test = self.whole_expr()?;
                self.expect(")")?;
                if self.accept(";") {
                    return Ok(Stmt::While(test, Box::new(Stmt::Block(Vec::new()))));
                }
                let body = self.loop_body()?;
                Ok(Stmt::While(test, body))
            }
            Key::Do => {
                self.at += 1;
                let body = self.loop_body()?;
                self.separators();
                if !self.is_key(Key::While) {
                    return self.unexpected();
                }
                self.at += 1;
                self.expect("(")?;
                let test = self.whole_expr()?;
                self.expect(")")?;
                self.end_of_statement()?;
                Ok(Stmt::Do(body, test))
            }
            Key::For => self.for_statement(),
            Key::Switch => self.switch(),
            Key::Else => self.unexpected(),
            _ => {
                let stmt = self.simple()?;
                self.end_of_statement()?;
                Ok(stmt)
            }
        }
    }

    fn for_statement(&mut self) -> Result<Stmt, Problem> {
        self.at += 1;
        self.expect("(")?;
        // `for (name in array)` needs the closing bracket to tell it from an
        // `in` expression.
        if let (Token::Name(_), Token::Key(Key::In), Token::Name(_)) =
            (self.peek(), self.peek_at(1), self.peek_at(2))
            && matches!(self.peek_at(3), Token::Punct(")" | "["))
        {
            let mark = self.at;
            let Token::Name(name) = self.next() else {
                return self.unexpected();
            };
            self.at += 1;
            let var = self.variable(&name);
            if let Token::Name(array) = self.next() {
                let array = self.array_path(&array)?;
                if self.accept(")") {
                    let body = self.loop_body()?;
                    return Ok(Stmt::ForIn(LValue::Var(var), array, body));
                }
            }
            self.at = mark;
        }
        let init = if self.is(";") {
            None
        } else {
            Some(Box::new(self.simple()?))
        };
        self.expect(";")?;
        self.newlines();
        let test = if self.is(";") {
            None
        } else {
            Some(self.whole_expr()?)
        };
        self.expect(";")?;
        self.newlines();
        let step = if self.is(")") {
            None
        } else {
            Some(Box::new(self.simple()?))
        };
        self.expect(")")?;
        if self.accept(";") {
            return Ok(Stmt::For(
                init,
                test,
                step,
                Box::new(Stmt::Block(Vec::new())),
            ));
        }
        let body = self.loop_body()?;
        Ok(Stmt::For(init, test, step, body))
    }

    fn switch(&mut self) -> Result<Stmt, Problem> {
        self.at += 1;
        self.expect("(")?;
        let value = self.whole_expr()?;
        self.expect(")")?;
        self.newlines();
        self.expect("{")?;
        let mut cases: Vec<(Option<Expr>, Vec<Stmt>)> = Vec::new();
        self.loops += 1;
        loop {
            self.separators();
            if self.accept("}") {
                break;
            }
            if self.is_key(Key::Case) {
                self.at += 1;
                let label = self.primary_signed()?;
                self.expect(":")?;
                cases.push((Some(label), Vec::new()));
            } else if self.is_key(Key::Default) {
                self.at += 1;
                self.expect(":")?;
                cases.push((None, Vec::new()));
            } else {
                let stmt = self.statement()?;
                match cases.last_mut() {
                    Some((_, body)) => body.push(stmt),
                    None => return self.unexpected(),
                }
            }
        }
        self.loops -= 1;
        Ok(Stmt::Switch(value, cases))
    }

    fn primary_signed(&mut self) -> Result<Expr, Problem> {
        if self.accept("-") {
            return Ok(Expr::Neg(Box::new(self.primary()?)));
        }
        self.accept("+");
        self.primary()
    }

    fn simple(&mut self) -> Result<Stmt, Problem> {
        let Token::Key(key) = *self.peek() else {
            return self.whole_expr().map(Stmt::Expr);
        };
        if key == Key::Getline {
            return self.whole_expr().map(Stmt::Expr);
        }
        self.at += 1;
        let ends =
            |p: &Self| p.is(";") || p.is("}") || matches!(p.peek(), Token::Newline | Token::End);
        Ok(match key {
            Key::Print | Key::Printf => {
                let (args, redirect) = self.print_args()?;
                if key == Key::Print {
                    Stmt::Print(args, redirect)
                } else {
                    if args.is_empty() {
                        return Err((self.here(), "printf: no arguments".to_owned()));
                    }
                    Stmt::Printf(args, redirect)
                }
            }
            Key::Next => Stmt::Next,
            Key::NextFile => Stmt::NextFile,
            Key::Break if self.loops > 0 => Stmt::Break,
            Key::Continue if self.loops > 0 => Stmt::Continue,
            Key::Break => {
                return Err((
                    self.here(),
                    "`break' is not allowed outside a loop or switch".to_owned(),
                ));
            }
            Key::Continue => {
                return Err((
                    self.here(),
                    "`continue' is not allowed outside a loop".to_owned(),
                ));
            }
            Key::Exit => Stmt::Exit(if ends(self) {
                None
            } else {
                Some(self.whole_expr()?)
            }),
            Key::Return => {
                if !self.in_function {
                    return Err((
                        self.here(),
                        "`return' used outside function context".to_owned(),
                    ));
                }
                Stmt::Return(if ends(self) {
                    None
                } else {
                    Some(self.whole_expr()?)
                })
            }
            Key::Delete => {
                let parenthesised = self.accept("(");
                let Token::Name(name) = self.next() else {
                    self.at -= 1;
                    return self.unexpected();
                };
                let mut array = self.array(&name);
                let mut subs = None;
                while self.accept("[") {
                    if let Some(subs) = subs.take() {
                        array = Array::Element(Box::new(Index { array, subs }));
                    }
                    subs = Some(self.expr_list("]")?);
                }
                if parenthesised {
                    self.expect(")")?;
                }
                Stmt::Delete(array, subs)
            }
            _ => {
                self.at -= 1;
                return self.unexpected();
            }
        })
    }

    /// The arguments of `print` and `printf`, with or without brackets, and
    /// the redirection.
    fn print_args(&mut self) -> Result<(Vec<Expr>, Redirect), Problem> {
        let mut args = Vec::new();
        let ends = |p: &Self| {
            p.is(";")
                || p.is("}")
                || p.is(">")
                || p.is(">>")
                || p.is("|")
                || matches!(p.peek(), Token::Newline | Token::End)
        };
        let mark = self.at;
        let mut bracketed = false;
        if self.accept("(") {
            let saved = (self.no_gt, self.no_in);
            (self.no_gt, self.no_in) = (false, false);
            let list = self.expr_list(")");
            (self.no_gt, self.no_in) = saved;
            match list {
                Ok(list) if ends(self) => {
                    args = list;
                    bracketed = true;
                }
                _ => self.at = mark,
            }
        }
        if !bracketed && !ends(self) {
            let saved = self.no_gt;
            self.no_gt = true;
            loop {
                args.push(self.expr()?);
                if !self.accept(",") {
                    break;
                }
                self.newlines();
            }
            self.no_gt = saved;
        }
        let redirect = if self.accept(">") {
            Redirect::File(self.redirect_target()?)
        } else if self.accept(">>") {
            Redirect::Append(self.redirect_target()?)
        } else if self.accept("|") {
            Redirect::Pipe(self.redirect_target()?)
        } else if self.is("|&") {
            return Err((
                self.here(),
                "coprocesses (|&) are not supported; use a file or a one-way pipe".to_owned(),
            ));
        } else {
            Redirect::Stdout
        };
        Ok((args, redirect))
    }

    fn redirect_target(&mut self) -> Result<Expr, Problem> {
        let saved = self.no_gt;
        self.no_gt = true;
        let target = self.concatenation();
        self.no_gt = saved;
        target
    }

    /// Expressions up to a closing bracket, which is taken.
    fn expr_list(&mut self, close: &str) -> Result<Vec<Expr>, Problem> {
        let saved = (self.no_in, self.no_gt);
        (self.no_in, self.no_gt) = (false, false);
        let mut out = Vec::new();
        self.newlines();
        while !self.accept(close) {
            out.push(self.expr()?);
            self.newlines();
            if self.accept(",") {
                self.newlines();
            } else if !self.is(close) {
                return self.unexpected();
            }
        }
        (self.no_in, self.no_gt) = saved;
        Ok(out)
    }

    fn variable(&mut self, name: &str) -> Var {
        if let Some(local) = self.locals.iter().position(|l| l == name) {
            return Var::Local(local);
        }
        if let Some((_, special)) = SPECIALS.iter().find(|(n, _)| *n == name) {
            return Var::Special(*special);
        }
        Var::Global(self.add_global(name))
    }

    fn array(&mut self, name: &str) -> Array {
        match self.variable(name) {
            Var::Local(slot) => Array::Local(slot),
            Var::Global(slot) => Array::Global(slot),
            Var::Special(special) => Array::Global(special as usize),
        }
    }

    /// A name with subscripts that lead to an array.
    fn array_path(&mut self, name: &str) -> Result<Array, Problem> {
        let mut array = self.array(name);
        while self.accept("[") {
            let subs = self.expr_list("]")?;
            array = Array::Element(Box::new(Index { array, subs }));
        }
        Ok(array)
    }

    /// An expression in which `in` and `>` have their usual meaning.
    fn whole_expr(&mut self) -> Result<Expr, Problem> {
        let saved = (self.no_in, self.no_gt);
        (self.no_in, self.no_gt) = (false, false);
        let result = self.expr();
        (self.no_in, self.no_gt) = saved;
        result
    }

    fn expr(&mut self) -> Result<Expr, Problem> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err((
                self.here(),
                "the expression is nested too deeply".to_owned(),
            ));
        }
        let result = self.assignment();
        self.depth -= 1;
        result
    }

    fn assignment(&mut self) -> Result<Expr, Problem> {
        let left = self.ternary()?;
        let op = match self.peek() {
            Token::Punct("=") => None,
            Token::Punct("+=") => Some(Op::Add),
            Token::Punct("-=") => Some(Op::Sub),
            Token::Punct("*=") => Some(Op::Mul),
            Token::Punct("/=") => Some(Op::Div),
            Token::Punct("%=") => Some(Op::Mod),
            Token::Punct("^=") => Some(Op::Pow),
            _ => return Ok(left),
        };
        let line = self.line();
        // `a && b = c` assigns to b, as in every awk.
        self.assign_to(left, op, line)
    }

    fn assign_to(&mut self, left: Expr, op: Option<Op>, line: u32) -> Result<Expr, Problem> {
        match left {
            Expr::And(a, b) => {
                let right = self.assign_to(*b, op, line)?;
                Ok(Expr::And(a, Box::new(right)))
            }
            Expr::Or(a, b) => {
                let right = self.assign_to(*b, op, line)?;
                Ok(Expr::Or(a, Box::new(right)))
            }
            Expr::Not(inner) => Ok(Expr::Not(Box::new(self.assign_to(*inner, op, line)?))),
            Expr::Compare(cmp, a, b) => {
                let right = self.assign_to(*b, op, line)?;
                Ok(Expr::Compare(cmp, a, Box::new(right)))
            }
            Expr::Cond(test, yes, no) => {
                let right = self.assign_to(*no, op, line)?;
                Ok(Expr::Cond(test, yes, Box::new(right)))
            }
            other => {
                let Some(place) = lvalue(other) else {
                    return self.unexpected();
                };
                self.at += 1;
                self.newlines();
                let value = Box::new(self.expr()?);
                Ok(match op {
                    None => Expr::Assign(Box::new(place), value),
                    Some(op) => Expr::Augment(op, Box::new(place), value, line),
                })
            }
        }
    }

    fn ternary(&mut self) -> Result<Expr, Problem> {
        let test = self.or()?;
        if !self.accept("?") {
            return Ok(test);
        }
        self.newlines();
        let yes = self.expr()?;
        self.newlines();
        self.expect(":")?;
        self.newlines();
        let no = self.expr()?;
        Ok(Expr::Cond(Box::new(test), Box::new(yes), Box::new(no)))
    }

    fn or(&mut self) -> Result<Expr, Problem> {
        let mut left = self.and()?;
        while self.accept("||") {
            self.newlines();
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expr, Problem> {
        let mut left = self.membership()?;
        while self.accept("&&") {
            self.newlines();
            left = Expr::And(Box::new(left), Box::new(self.membership()?));
        }
        Ok(left)
    }

    fn membership(&mut self) -> Result<Expr, Problem> {
        let mut left = self.matching()?;
        while !self.no_in && self.is_key(Key::In) {
            self.at += 1;
            let Token::Name(name) = self.next() else {
                self.at -= 1;
                return self.unexpected();
            };
            let array = self.array_path(&name)?;
            left = Expr::In(vec![left], array);
        }
        Ok(left)
    }

    fn matching(&mut self) -> Result<Expr, Problem> {
        let mut left = self.comparison()?;
        loop {
            let negated = self.is("!~");
            if !negated && !self.is("~") {
                return Ok(left);
            }
            self.at += 1;
            let right = self.comparison()?;
            left = Expr::Match(negated, Box::new(left), Box::new(right));
        }
    }

    fn comparison(&mut self) -> Result<Expr, Problem> {
        let mut left = self.concatenation()?;
        loop {
            if self.is("|") && *self.peek_at(1) == Token::Key(Key::Getline) {
                self.at += 2;
                let into = self.optional_lvalue()?;
                left = Expr::Getline(Box::new(Getline {
                    from: Origin::Command(left),
                    into,
                }));
                continue;
            }
            if self.is("|&") {
                return Err((
                    self.here(),
                    "coprocesses (|&) are not supported; use a file or a one-way pipe".to_owned(),
                ));
            }
            let cmp = match self.peek() {
                Token::Punct("<") => Cmp::Lt,
                Token::Punct("<=") => Cmp::Le,
                Token::Punct("==") => Cmp::Eq,
                Token::Punct("!=") => Cmp::Ne,
                Token::Punct(">") if !self.no_gt => Cmp::Gt,
                Token::Punct(">=") => Cmp::Ge,
                _ => return Ok(left),
            };
            self.at += 1;
            let right = self.concatenation()?;
            left = Expr::Compare(cmp, Box::new(left), Box::new(right));
        }
    }

    fn starts_operand(&self) -> bool {
        match self.peek() {
            Token::Number(_)
            | Token::Str(_)
            | Token::Regex(_)
            | Token::Name(_)
            | Token::FuncName(_)
            | Token::Builtin(_) => true,
            Token::Punct(p) => matches!(*p, "(" | "$" | "!" | "-" | "+" | "++" | "--" | "@"),
            _ => false,
        }
    }

    fn concatenation(&mut self) -> Result<Expr, Problem> {
        let first = self.additive()?;
        let mut parts = vec![first];
        // A sign after an operand was taken as an operator already.
        while self.starts_operand() && !self.is("-") && !self.is("+") && !self.is("!") {
            parts.push(self.additive()?);
        }
        if parts.len() == 1 {
            return Ok(parts.swap_remove(0));
        }
        Ok(Expr::Concat(parts))
    }

    fn additive(&mut self) -> Result<Expr, Problem> {
        let mut left = self.multiplicative()?;
        loop {
            let op = match self.peek() {
                Token::Punct("+") => Op::Add,
                Token::Punct("-") => Op::Sub,
                _ => return Ok(left),
            };
            let line = self.line();
            self.at += 1;
            let right = self.multiplicative()?;
            left = Expr::Binary(op, Box::new(left), Box::new(right), line);
        }
    }

    fn multiplicative(&mut self) -> Result<Expr, Problem> {
        let mut left = self.unary()?;
        loop {
            let op = match self.peek() {
                Token::Punct("*") => Op::Mul,
                Token::Punct("/") => Op::Div,
                Token::Punct("%") => Op::Mod,
                _ => return Ok(left),
            };
            let line = self.line();
            self.at += 1;
            let right = self.unary()?;
            left = Expr::Binary(op, Box::new(left), Box::new(right), line);
        }
    }

    fn unary(&mut self) -> Result<Expr, Problem> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err((
                self.here(),
                "the expression is nested too deeply".to_owned(),
            ));
        }
        let result = if self.accept("!") {
            self.unary().map(|e| Expr::Not(Box::new(e)))
        } else if self.accept("-") {
            self.unary().map(|e| Expr::Neg(Box::new(e)))
        } else if self.accept("+") {
            self.unary().map(|e| Expr::Plus(Box::new(e)))
        } else {
            self.power()
        };
        self.depth -= 1;
        result
    }

    fn power(&mut self) -> Result<Expr, Problem> {
        let base = self.postfix()?;
        let line = self.line();
        if !self.accept("^") {
            return Ok(base);
        }
        // Right-associative, and the exponent may have a sign.
        let exponent = if self.is("-") || self.is("+") || self.is("!") {
            self.unary()?
        } else {
            self.power()?
        };
        Ok(Expr::Binary(
            Op::Pow,
            Box::new(base),
            Box::new(exponent),
            line,
        ))
    }

    fn postfix(&mut self) -> Result<Expr, Problem> {
        if self.is("++") || self.is("--") {
            let by = if self.is("++") { 1.0 } else { -1.0 };
            self.at += 1;
            let target = self.primary()?;
            let Some(place) = lvalue(target) else {
                return self.unexpected();
            };
            return Ok(Expr::Step(Box::new(place), by, true));
        }
        let operand = self.primary()?;
        if self.is("++") || self.is("--") {
            let by = if self.is("++") { 1.0 } else { -1.0 };
            if let Some(place) = lvalue(operand.clone()) {
                self.at += 1;
                return Ok(Expr::Step(Box::new(place), by, false));
            }
        }
        Ok(operand)
    }

    fn optional_lvalue(&mut self) -> Result<Option<LValue>, Problem> {
        if !matches!(self.peek(), Token::Name(_) | Token::Punct("$")) {
            return Ok(None);
        }
        let target = self.primary()?;
        match lvalue(target) {
            Some(place) => Ok(Some(place)),
            None => self.unexpected(),
        }
    }

    fn primary(&mut self) -> Result<Expr, Problem> {
        let line = self.line();
        match self.next() {
            Token::Number(n) => Ok(Expr::Num(n)),
            Token::Str(text) => Ok(Expr::Str(text)),
            Token::Regex(source) => self.regex(source),
            Token::Punct("$") => {
                let inner = if self.is("++") || self.is("--") {
                    self.postfix()?
                } else if self.accept("-") {
                    Expr::Neg(Box::new(self.primary()?))
                } else {
                    self.primary()?
                };
                Ok(match inner {
                    Expr::Num(n) if n >= 0.0 && n.fract() == 0.0 && n < 1e6 => {
                        Expr::FieldConst(n as usize)
                    }
                    other => Expr::Field(Box::new(other)),
                })
            }
            Token::Punct("(") => self.parenthesised(),
            Token::Punct("-") => Ok(Expr::Neg(Box::new(self.unary()?))),
            Token::Punct("+") => Ok(Expr::Plus(Box::new(self.unary()?))),
            Token::Punct("!") => Ok(Expr::Not(Box::new(self.unary()?))),
            Token::Punct("@") => Err((
                self.here(),
                "indirect function calls are not supported".to_owned(),
            )),
            Token::Name(name) => {
                if !self.is("[") {
                    return Ok(Expr::Var(self.variable(&name)));
                }
                let mut array = self.array(&name);
                loop {
                    self.expect("[")?;
                    let subs = self.expr_list("]")?;
                    let index = Index { array, subs };
                    if !self.is("[") {
                        return Ok(Expr::Index(Box::new(index)));
                    }
                    array = Array::Element(Box::new(index));
                }
            }
            Token::FuncName(name) => {
                self.at += 1;
                let args = self.expr_list(")")?;
                let Some(index) = self.functions.get(&name).copied() else {
                    return Err((self.here(), format!("fatal: function `{name}' not defined")));
                };
                Ok(Expr::Call(index, args))
            }
            Token::Builtin(builtin) => self.builtin(builtin, line),
            Token::Key(Key::Getline) => {
                let into = self.optional_lvalue()?;
                let from = if self.accept("<") {
                    Origin::File(self.postfix()?)
                } else {
                    Origin::Main
                };
                Ok(Expr::Getline(Box::new(Getline { from, into })))
            }
            _ => {
                self.at -= 1;
                self.unexpected()
            }
        }
    }

    fn parenthesised(&mut self) -> Result<Expr, Problem> {
        let mut list = self.expr_list(")")?;
        if list.len() == 1 {
            return Ok(Expr::Group(Box::new(list.swap_remove(0))));
        }
        // `(i, j) in array`
        if list.is_empty() || !self.is_key(Key::In) {
            return self.unexpected();
        }
        self.at += 1;
        let Token::Name(name) = self.next() else {
            self.at -= 1;
            return self.unexpected();
        };
        let array = self.array_path(&name)?;
        Ok(Expr::In(list, array))
    }

    fn builtin(&mut self, builtin: Builtin, line: u32) -> Result<Expr, Problem> {
        let (name, _, min, max) = BUILTINS
            .iter()
            .find(|(_, b, ..)| *b == builtin)
            .copied()
            .unwrap_or(("", builtin, 0, 0));
        let args = if self.accept("(") {
            self.expr_list(")")?
        } else if builtin == Builtin::Length {
            Vec::new()
        } else {
            return self.unexpected();
        };
        if args.len() < min || args.len() > max {
            return Err((
                self.tokens.get(self.at - 1).map_or(0, |spot| spot.at),
                format!(
                    "{} is invalid as number of arguments for {name}",
                    args.len()
                ),
            ));
        }
        // The target of a substitution must be something that can be set.
        if matches!(builtin, Builtin::Sub | Builtin::Gsub)
            && let Some(target) = args.get(2)
            && lvalue(target.clone()).is_none()
        {
            return Ok(Expr::Builtin(builtin, args, line));
        }
        Ok(Expr::Builtin(builtin, args, line))
    }

    fn regex(&mut self, source: Text) -> Result<Expr, Problem> {
        let mut options = RegexOptions::new(Syntax::Awk);
        options.utf8 = self.utf8;
        options.lone_close_is_literal = false;
        let regex = Regex::new(&source, &options).map_err(|error| {
            (
                self.here(),
                format!("error: {error}: /{}/", String::from_utf8_lossy(&source)),
            )
        })?;
        Ok(Expr::Regex(RegexLiteral {
            source,
            pattern: Rc::new(RefCell::new(regex)),
        }))
    }
}

/// An expression as something that can be assigned to.
fn lvalue(expr: Expr) -> Option<LValue> {
    match expr {
        Expr::Var(var) => Some(LValue::Var(var)),
        Expr::FieldConst(n) => Some(LValue::Field(Expr::Num(n as f64))),
        Expr::Field(inner) => Some(LValue::Field(*inner)),
        Expr::Index(index) => Some(LValue::Index(*index)),
        Expr::Group(inner) => lvalue(*inner),
        _ => None,
    }
}

/// As above, for the interpreter.
pub fn as_lvalue(expr: &Expr) -> Option<LValue> {
    lvalue(expr.clone())
}
