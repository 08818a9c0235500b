//! What is known before the program runs: which parameters are arrays, and
//! how many fields a record must be split into.

use crate::ast::*;

/// Fills in the facts.
pub fn analyse(program: &mut Program) {
    // A parameter that is passed on to an array parameter is one too, so this
    // is repeated until nothing changes.
    loop {
        let mut changed = false;
        for i in 0..program.functions.len() {
            let mut walk = Walk {
                program,
                found: program.functions[i].arrays.clone(),
                facts: Facts::default(),
            };
            walk.block(&program.functions[i].body);
            let found = walk.found;
            if found != program.functions[i].arrays {
                program.functions[i].arrays = found;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    let mut walk = Walk {
        program,
        found: Vec::new(),
        facts: Facts::default(),
    };
    for body in program
        .begin
        .iter()
        .chain(&program.end)
        .chain(&program.begin_file)
        .chain(&program.end_file)
    {
        walk.block(body);
    }
    for rule in &program.rules {
        match &rule.test {
            Test::Always => {}
            Test::Expr(e) => walk.expr(e),
            Test::Range(a, b, _) => {
                walk.expr(a);
                walk.expr(b);
            }
        }
        if let Some(body) = &rule.body {
            walk.block(body);
        }
    }
    for function in &program.functions {
        walk.block(&function.body);
    }
    program.last_field = if walk.facts.all_fields {
        None
    } else {
        Some(walk.facts.last_field)
    };
}

#[derive(Default)]
struct Facts {
    last_field: usize,
    all_fields: bool,
}

struct Walk<'a> {
    program: &'a Program,
    found: Vec<bool>,
    facts: Facts,
}

impl Walk<'_> {
    fn mark(&mut self, slot: usize) {
        if let Some(flag) = self.found.get_mut(slot) {
            *flag = true;
        }
    }

    fn array(&mut self, array: &Array) {
        match array {
            Array::Local(slot) => self.mark(*slot),
            Array::Global(_) => {}
            Array::Element(index) => self.index(index),
        }
    }

    fn index(&mut self, index: &Index) {
        self.array(&index.array);
        self.all(&index.subs);
    }

    fn all(&mut self, all: &[Expr]) {
        for e in all {
            self.expr(e);
        }
    }

    fn block(&mut self, all: &[Stmt]) {
        for stmt in all {
            self.stmt(stmt);
        }
    }

    fn lvalue(&mut self, place: &LValue) {
        match place {
            LValue::Var(var) => self.var(*var),
            LValue::Field(Expr::Num(n)) if *n == 0.0 => {}
            LValue::Field(e) => {
                self.facts.all_fields = true;
                self.expr(e);
            }
            LValue::Index(index) => self.index(index),
        }
    }

    fn var(&mut self, var: Var) {
        if var == Var::Special(Special::Nf) {
            self.facts.all_fields = true;
        }
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Expr(e) => self.expr(e),
            Stmt::Print(args, redirect) | Stmt::Printf(args, redirect) => {
                self.all(args);
                match redirect {
                    Redirect::Stdout => {}
                    Redirect::File(e) | Redirect::Append(e) | Redirect::Pipe(e) => self.expr(e),
                }
            }
            Stmt::If(test, yes, no) => {
                self.expr(test);
                self.stmt(yes);
                if let Some(no) = no {
                    self.stmt(no);
                }
            }
            Stmt::While(test, body) | Stmt::Do(body, test) => {
                self.expr(test);
                self.stmt(body);
            }
            Stmt::For(init, test, step, body) => {
                for part in [init, step].into_iter().flatten() {
                    self.stmt(part);
                }
                if let Some(test) = test {
                    self.expr(test);
                }
                self.stmt(body);
            }
            Stmt::ForIn(place, array, body) => {
                self.lvalue(place);
                self.array(array);
                self.stmt(body);
            }
            Stmt::Switch(value, cases) => {
                self.expr(value);
                for (label, body) in cases {
                    if let Some(label) = label {
                        self.expr(label);
                    }
                    self.block(body);
                }
            }
            Stmt::Block(all) => self.block(all),
            Stmt::Exit(Some(e)) | Stmt::Return(Some(e)) => self.expr(e),
            Stmt::Delete(array, subs) => {
                self.array(array);
                if let Some(subs) = subs {
                    self.all(subs);
                }
            }
            _ => {}
        }
    }

    fn expr(&mut self, e: &Expr) {
        match e {
            Expr::Num(_) | Expr::Str(_) | Expr::Regex(_) => {}
            Expr::Var(var) => self.var(*var),
            Expr::FieldConst(n) => self.facts.last_field = self.facts.last_field.max(*n),
            Expr::Field(inner) => {
                self.facts.all_fields = true;
                self.expr(inner);
            }
            Expr::Index(index) => self.index(index),
            Expr::Assign(place, value) | Expr::Augment(_, place, value, _) => {
                self.lvalue(place);
                self.expr(value);
            }
            Expr::Step(place, ..) => self.lvalue(place),
            Expr::Cond(a, b, c) => {
                self.expr(a);
                self.expr(b);
                self.expr(c);
            }
            Expr::And(a, b)
            | Expr::Or(a, b)
            | Expr::Binary(_, a, b, _)
            | Expr::Compare(_, a, b)
            | Expr::Match(_, a, b) => {
                self.expr(a);
                self.expr(b);
            }
            Expr::Not(a) | Expr::Neg(a) | Expr::Plus(a) | Expr::Group(a) => self.expr(a),
            Expr::Concat(all) => self.all(all),
            Expr::In(subs, array) => {
                self.all(subs);
                self.array(array);
            }
            Expr::Call(index, args) => {
                let arrays = self
                    .program
                    .functions
                    .get(*index)
                    .map(|f| f.arrays.clone())
                    .unwrap_or_default();
                for (i, arg) in args.iter().enumerate() {
                    if let (Expr::Var(Var::Local(slot)), Some(true)) = (arg, arrays.get(i)) {
                        self.mark(*slot);
                    }
                    self.expr(arg);
                }
            }
            Expr::Builtin(builtin, args, _) => {
                let array_at: &[usize] = match builtin {
                    Builtin::Split | Builtin::Patsplit => &[1, 3],
                    Builtin::Match => &[2],
                    Builtin::Asort | Builtin::Asorti => &[0, 1],
                    _ => &[],
                };
                for at in array_at {
                    if let Some(Expr::Var(Var::Local(slot))) = args.get(*at) {
                        self.mark(*slot);
                    }
                }
                if matches!(builtin, Builtin::Sub | Builtin::Gsub)
                    && matches!(args.get(2), Some(Expr::FieldConst(n)) if *n > 0)
                {
                    self.facts.all_fields = true;
                }
                self.all(args);
            }
            Expr::Getline(getline) => {
                match &getline.from {
                    Origin::Main => {}
                    Origin::File(e) | Origin::Command(e) => self.expr(e),
                }
                if let Some(place) = &getline.into {
                    self.lvalue(place);
                }
            }
        }
    }
}
