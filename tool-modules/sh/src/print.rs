//! The tree as text, in the form that `declare -f`, `type` and `jobs` print.

use crate::ast::{
    ArmEnd, Assign, AssignValue, Command, CondExpr, FuncDef, Item, Kind, List, Op, Param, Part,
    Pipeline, Pname, RedirFd, RedirOp, Redirect, Sub, Word,
};
use crate::strs::{ansi_quote, double_quote};
use crate::vars::{self, Val, Var};

/// A parameter's name.
pub fn param_name(name: &Pname) -> Vec<u8> {
    match name {
        Pname::Var(n) => n.to_vec(),
        Pname::Pos(n) => n.to_string().into_bytes(),
        Pname::Special(c) => vec![*c],
    }
}

/// A word as it was written, as far as the tree knows.
pub fn word(w: &Word) -> Vec<u8> {
    if let Some(a) = &w.assign {
        return assign(a);
    }
    let mut out = Vec::new();
    parts(&w.parts, false, &mut out);
    out
}

fn parts(list: &[Part], quoted: bool, out: &mut Vec<u8>) {
    for p in list {
        match p {
            Part::Lit(t) if quoted => {
                for b in t.iter() {
                    if matches!(b, b'"' | b'\\' | b'$' | b'`') {
                        out.push(b'\\');
                    }
                    out.push(*b);
                }
            }
            Part::Lit(t) | Part::Bad(t) => out.extend_from_slice(t),
            Part::Quoted(t) => match &**t {
                [b] if !matches!(b, b'\n' | b'\'') && *b > 0x20 => {
                    out.extend_from_slice(&[b'\\', *b])
                }
                t if t.contains(&b'\'')
                    || t.iter().any(|b| *b < 0x20 && *b != b'\n' && *b != b'\t') =>
                {
                    out.extend_from_slice(&ansi_quote(t));
                }
                t => {
                    out.push(b'\'');
                    out.extend_from_slice(t);
                    out.push(b'\'');
                }
            },
            Part::DQuote(inner) => {
                out.push(b'"');
                parts(inner, true, out);
                out.push(b'"');
            }
            Part::Param(p) => param(p, out),
            Part::CmdSub(c) => out.extend_from_slice(&c.text),
            Part::Arith(a) => {
                out.extend_from_slice(b"$((");
                parts(&a.word.parts, false, out);
                out.extend_from_slice(b"))");
            }
            Part::ProcSub(write, l) => {
                out.extend_from_slice(if *write { b">(" } else { b"<(" });
                out.extend_from_slice(&list_line(l));
                out.push(b')');
            }
            Part::Tilde(n) => {
                out.push(b'~');
                out.extend_from_slice(n);
            }
        }
    }
}

fn param(p: &Param, out: &mut Vec<u8>) {
    out.push(b'$');
    if p.text.is_empty() && matches!(p.op, Op::None) && !p.indirect && p.sub.is_none() {
        out.extend_from_slice(&param_name(&p.name));
        return;
    }
    out.push(b'{');
    if p.text.is_empty() {
        out.extend_from_slice(&param_name(&p.name));
        if let Some(s) = &p.sub {
            out.push(b'[');
            match s {
                Sub::At => out.push(b'@'),
                Sub::Star => out.push(b'*'),
                Sub::Idx(w) => out.extend_from_slice(&word(w)),
            }
            out.push(b']');
        }
    } else {
        out.extend_from_slice(&p.text);
    }
    out.push(b'}');
}

/// An assignment.
pub fn assign(a: &Assign) -> Vec<u8> {
    let mut out = a.name.to_vec();
    if let Some(s) = &a.sub {
        out.push(b'[');
        out.extend_from_slice(&word(s));
        out.push(b']');
    }
    out.extend_from_slice(if a.append { b"+=" } else { b"=" });
    match &a.value {
        AssignValue::Word(w) => out.extend_from_slice(&word(w)),
        AssignValue::Array(elems) => {
            out.push(b'(');
            for (i, e) in elems.iter().enumerate() {
                if i > 0 {
                    out.push(b' ');
                }
                if let Some(s) = &e.sub {
                    out.push(b'[');
                    out.extend_from_slice(&word(s));
                    out.extend_from_slice(if e.append { b"]+=" } else { b"]=" });
                }
                out.extend_from_slice(&word(&e.value));
            }
            out.push(b')');
        }
    }
    out
}

/// Prints with indentation.
struct Printer {
    out: Vec<u8>,
    indent: usize,
    heres: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Printer {
    fn new() -> Printer {
        Printer {
            out: Vec::new(),
            indent: 0,
            heres: Vec::new(),
        }
    }
    fn put(&mut self, t: impl AsRef<[u8]>) {
        self.out.extend_from_slice(t.as_ref());
    }
    fn line(&mut self) {
        self.put("\n");
        self.flush_heres();
        for _ in 0..self.indent {
            self.put(" ");
        }
    }
    fn flush_heres(&mut self) {
        for (body, delim) in std::mem::take(&mut self.heres) {
            self.put(&body);
            self.put(&delim);
            self.put("\n\n");
        }
    }

    /// Commands, one per line; `;` after each but those that end in `&`.
    fn block(&mut self, l: &List, last_semi: bool) {
        self.indent += 4;
        let n = l.0.len();
        for (i, it) in l.0.iter().enumerate() {
            // What follows a background job stays on its line.
            if i > 0 && l.0.get(i - 1).is_some_and(|p| p.background) {
                self.put(" ");
            } else {
                self.line();
            }
            self.item(it);
            if it.background {
                self.put(" &");
            } else if self.heres.is_empty() && (i + 1 < n || last_semi) {
                self.put(";");
            }
        }
        self.indent -= 4;
        self.line();
    }

    /// Commands on one line.
    fn inline(&mut self, l: &List) {
        for (i, it) in l.0.iter().enumerate() {
            if i > 0 {
                self.put(if l.0.get(i - 1).is_some_and(|p| p.background) {
                    " "
                } else {
                    "; "
                });
            }
            self.item(it);
            if it.background {
                self.put(" &");
            }
        }
    }

    fn item(&mut self, it: &Item) {
        self.pipeline(&it.first);
        for (and, p) in &it.rest {
            self.put(if *and { " && " } else { " || " });
            self.pipeline(p);
        }
    }

    fn pipeline(&mut self, p: &Pipeline) {
        if let Some(posix) = p.timed {
            self.put(if posix { "time -p " } else { "time " });
        }
        if p.negate {
            self.put("! ");
        }
        for (i, c) in p.cmds.iter().enumerate() {
            if i > 0 {
                if self.heres.is_empty() {
                    self.put(" | ");
                } else {
                    self.put(" |\n");
                    self.flush_heres();
                    self.out.pop();
                    self.put("  ");
                }
            }
            self.command(c);
        }
    }

    fn command(&mut self, c: &Command) {
        match &c.kind {
            Kind::Simple(s) => {
                let mut first = true;
                let mut space = |me: &mut Self| {
                    if !std::mem::replace(&mut first, false) {
                        me.put(" ");
                    }
                };
                for a in &s.assigns {
                    space(self);
                    self.put(assign(a));
                }
                for w in &s.words {
                    space(self);
                    self.put(word(w));
                }
                for r in &c.redirs {
                    space(self);
                    self.redirect(r);
                }
                return;
            }
            Kind::Subshell(l) => {
                self.put("( ");
                for (i, it) in l.0.iter().enumerate() {
                    if i > 0 {
                        if l.0.get(i - 1).is_some_and(|p| p.background) {
                            self.put(" ");
                        } else {
                            if self.heres.is_empty() {
                                self.put(";");
                            }
                            self.line();
                        }
                    }
                    self.item(it);
                    if it.background {
                        self.put(" &");
                    }
                }
                self.put(" )");
            }
            Kind::Group(l) => {
                self.put("{ ");
                self.block(l, false);
                self.put("}");
            }
            Kind::For(f) | Kind::Select(f) => {
                self.put(if matches!(c.kind, Kind::For(_)) {
                    "for "
                } else {
                    "select "
                });
                self.put(&f.var);
                if let Some(ws) = &f.words {
                    self.put(" in");
                    for w in ws {
                        self.put(" ");
                        self.put(word(w));
                    }
                } else {
                    self.put(" in \"$@\"");
                }
                self.put(";");
                self.line();
                self.put("do");
                self.block(&f.body, true);
                self.put("done");
            }
            Kind::ArithFor(f) => {
                self.put("for ((");
                let text = |t: &Option<crate::ast::ArithText>| {
                    t.as_ref()
                        .map(|t| word(&t.word).trim_ascii_start().to_vec())
                        .unwrap_or_else(|| b"1".to_vec())
                };
                self.put(text(&f.init));
                self.put("; ");
                self.put(text(&f.cond));
                self.put("; ");
                self.put(text(&f.step));
                self.put("))");
                self.line();
                self.put("do");
                self.block(&f.body, true);
                self.put("done");
            }
            Kind::Case(k) => {
                self.put("case ");
                self.put(word(&k.word));
                self.put(" in ");
                self.indent += 4;
                for arm in &k.arms {
                    self.line();
                    for (i, p) in arm.pats.iter().enumerate() {
                        if i > 0 {
                            self.put(" | ");
                        }
                        self.put(word(p));
                    }
                    self.put(")");
                    if arm.body.0.is_empty() {
                        self.put("\n");
                        self.line();
                    } else {
                        self.block(&arm.body, false);
                    }
                    self.put(match arm.end {
                        ArmEnd::Break => ";;",
                        ArmEnd::Fall => ";&",
                        ArmEnd::Test => ";;&",
                    });
                }
                self.indent -= 4;
                self.line();
                self.put("esac");
            }
            Kind::If(arms, other) => {
                for (i, (cond, body)) in arms.iter().enumerate() {
                    if i > 0 {
                        self.put("else");
                        self.indent += 4;
                        self.line();
                    }
                    self.put("if ");
                    self.inline(cond);
                    self.put("; then");
                    self.block(body, true);
                }
                if let Some(l) = other {
                    self.put("else");
                    self.block(l, true);
                }
                self.put("fi");
                for _ in 1..arms.len() {
                    self.put(";");
                    self.indent -= 4;
                    self.line();
                    self.put("fi");
                }
            }
            Kind::While(until, parts) => {
                self.put(if *until { "until " } else { "while " });
                self.inline(&parts.0);
                self.put("; do");
                self.block(&parts.1, true);
                self.put("done");
            }
            Kind::Arith(a) => {
                self.put("((");
                self.put(word(&a.word));
                self.put("))");
            }
            Kind::Cond(e) => {
                self.put("[[ ");
                self.cond(e);
                self.put(" ]]");
            }
            Kind::Func(d) => self.function(d),
            Kind::Coproc(name, body) => {
                self.put("coproc ");
                if let Some(n) = name {
                    self.put(n);
                    self.put(" ");
                }
                self.command(body);
            }
        }
        for r in &c.redirs {
            self.put(" ");
            self.redirect(r);
        }
    }

    fn cond(&mut self, e: &CondExpr) {
        match e {
            CondExpr::Or(a, b) => {
                self.cond(a);
                self.put(" || ");
                self.cond(b);
            }
            CondExpr::And(a, b) => {
                self.cond(a);
                self.put(" && ");
                self.cond(b);
            }
            CondExpr::Not(a) => {
                self.put("! ");
                self.cond(a);
            }
            CondExpr::Paren(a) => {
                self.put("( ");
                self.cond(a);
                self.put(" )");
            }
            CondExpr::Unary(op, w) => {
                self.put([b'-', *op, b' ']);
                self.put(word(w));
            }
            CondExpr::Binary(op, a, b) => {
                self.put(word(a));
                self.put(" ");
                self.put(op);
                self.put(" ");
                self.put(word(b));
            }
            CondExpr::Word(w) => {
                self.put("-n ");
                self.put(word(w));
            }
        }
    }

    fn redirect(&mut self, r: &Redirect) {
        let fd = match &r.fd {
            None => Vec::new(),
            Some(RedirFd::Num(n)) => n.to_string().into_bytes(),
            Some(RedirFd::Var(n, None)) => [b"{", &**n, b"}"].concat(),
            Some(RedirFd::Var(n, Some(s))) => [b"{", &**n, b"[", &word(s)[..], b"]}"].concat(),
        };
        let shown = |default: &str| {
            if fd.is_empty() {
                default.as_bytes().to_vec()
            } else {
                fd.clone()
            }
        };
        match &r.op {
            RedirOp::Read(w) => self.put([&fd[..], b"< ", &word(w)].concat()),
            RedirOp::Write(w) => self.put([&fd[..], b"> ", &word(w)].concat()),
            RedirOp::Clobber(w) => self.put([&fd[..], b">| ", &word(w)].concat()),
            RedirOp::Append(w) => self.put([&fd[..], b">> ", &word(w)].concat()),
            RedirOp::ReadWrite(w) => self.put([&fd[..], b"<> ", &word(w)].concat()),
            RedirOp::Both(add, w) => {
                self.put([if *add { &b"&>> "[..] } else { b"&> " }, &word(w)].concat())
            }
            RedirOp::DupIn(w) => self.put([&shown("0")[..], b"<&", &word(w)].concat()),
            RedirOp::DupOut(w) => self.put([&shown("1")[..], b">&", &word(w)].concat()),
            RedirOp::HereStr(w) => self.put([&fd[..], b"<<< ", &word(w)].concat()),
            RedirOp::Here(h) => {
                let h = h.borrow();
                self.put(&fd);
                self.put(if h.strip { "<<-" } else { "<<" });
                if h.quoted {
                    self.put([b"'", &*h.delim, b"'"].concat());
                } else {
                    self.put(&h.delim);
                }
                self.heres.push((h.text.to_vec(), h.delim.to_vec()));
            }
        }
    }

    fn function(&mut self, d: &FuncDef) {
        if crate::builtins::KEYWORDS
            .iter()
            .any(|k| k.as_bytes() == &*d.name)
        {
            self.put("function ");
        }
        self.put(&d.name);
        self.put(" () ");
        self.line();
        self.function_body(d);
    }

    fn function_body(&mut self, d: &FuncDef) {
        if let Kind::Group(l) = &d.body.kind {
            self.put("{ ");
            self.block(l, false);
            self.put("}");
            for r in &d.body.redirs {
                self.put(" ");
                self.redirect(r);
            }
        } else {
            self.put("{ ");
            self.indent += 4;
            self.line();
            self.command(&d.body);
            self.indent -= 4;
            self.line();
            self.put("}");
        }
    }

    fn finish(mut self) -> Vec<u8> {
        if !self.heres.is_empty() {
            self.put("\n");
            self.flush_heres();
            self.out.pop();
            self.out.pop();
        }
        self.out
    }
}

/// A function as `declare -f` prints it.
pub fn function(d: &FuncDef) -> Vec<u8> {
    let mut p = Printer::new();
    p.function(d);
    p.finish()
}

/// A function as it travels in the environment: `() { … }`.
pub fn function_body(d: &FuncDef) -> Vec<u8> {
    let mut p = Printer::new();
    p.put("() ");
    p.function_body(d);
    p.finish()
}

/// A command on one line, as `BASH_COMMAND` shows it.
pub fn command_line(c: &Command) -> Vec<u8> {
    let mut p = Printer::new();
    match &c.kind {
        Kind::Arith(_) | Kind::Cond(_) | Kind::Simple(_) => p.command(c),
        Kind::Case(k) => {
            p.put("case ");
            p.put(word(&k.word));
            p.put(" in ");
        }
        Kind::For(f) | Kind::Select(f) => {
            p.put(if matches!(c.kind, Kind::For(_)) {
                "for "
            } else {
                "select "
            });
            p.put(&f.var);
            p.put(" in");
            match &f.words {
                Some(ws) => {
                    for w in ws {
                        p.put(" ");
                        p.put(word(w));
                    }
                }
                None => p.put(" \"$@\""),
            }
        }
        _ => p.command(c),
    }
    p.out
}

/// A list on one line.
pub fn list_line(l: &List) -> Vec<u8> {
    let mut p = Printer::new();
    p.inline(l);
    p.finish()
}

/// A background job's text.
pub fn item(it: &Item) -> Vec<u8> {
    let mut p = Printer::new();
    p.item(it);
    p.finish()
}

/// The letters of a variable's attributes, in bash's order.
pub fn attr_letters(v: &Var) -> Vec<u8> {
    let mut out = Vec::new();
    match v.val {
        Val::Arr(_) => out.push(b'a'),
        Val::Assoc(_) => out.push(b'A'),
        _ => {}
    }
    for (attr, letter) in [
        (vars::INTEGER, b'i'),
        (vars::NAMEREF, b'n'),
        (vars::READONLY, b'r'),
        (vars::TRACE, b't'),
        (vars::EXPORT, b'x'),
        (vars::CAPITAL, b'c'),
        (vars::LOWER, b'l'),
        (vars::UPPER, b'u'),
    ] {
        if v.has(attr) {
            out.push(letter);
        }
    }
    out
}

/// A key of an associative array in `declare -p`.
pub fn key(k: &[u8]) -> Vec<u8> {
    let plain = !k.is_empty()
        && k.iter().all(|b| {
            b.is_ascii_alphanumeric()
                || *b >= 0x80
                || matches!(
                    b,
                    b'_' | b'-' | b'.' | b'/' | b':' | b'+' | b'%' | b',' | b'=' | b'#'
                )
        });
    if plain { k.to_vec() } else { double_quote(k) }
}

/// The value as `declare -p` shows it, without the name.
pub fn value(v: &Var) -> Option<Vec<u8>> {
    match &v.val {
        Val::Unset => None,
        Val::Str(s) => Some(double_quote(s)),
        Val::Arr(_) | Val::Assoc(_) if v.bare => None,
        Val::Arr(a) => {
            let mut out = vec![b'('];
            for (i, (k, t)) in a.iter().enumerate() {
                if i > 0 {
                    out.push(b' ');
                }
                out.extend_from_slice(format!("[{k}]=").as_bytes());
                out.extend_from_slice(&double_quote(t));
            }
            out.push(b')');
            Some(out)
        }
        Val::Assoc(a) => {
            let mut out = vec![b'('];
            for (k, t) in a.items() {
                out.push(b'[');
                out.extend_from_slice(&key(k));
                out.extend_from_slice(b"]=");
                out.extend_from_slice(&double_quote(t));
                out.push(b' ');
            }
            out.push(b')');
            Some(out)
        }
    }
}

/// `declare -x name="value"`.
pub fn declaration(name: &[u8], v: &Var) -> Vec<u8> {
    let letters = attr_letters(v);
    let mut out = b"declare -".to_vec();
    if letters.is_empty() {
        out.push(b'-');
    } else {
        out.extend_from_slice(&letters);
    }
    out.push(b' ');
    out.extend_from_slice(name);
    if let Some(text) = value(v) {
        out.push(b'=');
        out.extend_from_slice(&text);
    }
    out
}
