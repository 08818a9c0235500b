//! `if`, loops, `case`, `select`, functions' definitions.

use crate::ast::{ArithFor, ArmEnd, Case, Command, For, FuncDef, List};
use crate::expand::pattern::Pattern;
use crate::opts;
use crate::shell::{Ex, Shell, Unwind};
use crate::strs::is_name;
use std::rc::Rc;

/// What a loop does after its body.
enum Next {
    Round,
    Leave,
}

impl Shell {
    /// Runs a condition: `set -e` and ERR are off inside.
    fn condition(&mut self, list: &List) -> Ex {
        self.no_errexit += 1;
        let r = self.run_list(list);
        self.no_errexit -= 1;
        r
    }

    pub(super) fn run_if(&mut self, arms: &[(List, List)], other: Option<&List>) -> Ex {
        for (cond, body) in arms {
            if self.condition(cond)? == 0 {
                return self.run_list(body);
            }
        }
        match other {
            Some(list) => self.run_list(list),
            None => {
                self.st.status = 0;
                Ok(0)
            }
        }
    }

    /// What `break` and `continue` mean to the loop they reached.
    fn loop_body(&mut self, body: &List, status: &mut i32) -> Result<Next, Unwind> {
        match self.run_list(body) {
            Ok(s) => {
                *status = s;
                Ok(Next::Round)
            }
            Err(Unwind::Break(n)) => {
                *status = self.st.status;
                if n > 1 {
                    Err(Unwind::Break(n - 1))
                } else {
                    Ok(Next::Leave)
                }
            }
            Err(Unwind::Continue(n)) => {
                *status = self.st.status;
                if n > 1 {
                    Err(Unwind::Continue(n - 1))
                } else {
                    Ok(Next::Round)
                }
            }
            Err(u) => Err(u),
        }
    }

    /// A condition may hold `break` and `continue` too.
    fn loop_condition(&mut self, cond: &List) -> Result<Option<i32>, Unwind> {
        match self.condition(cond) {
            Ok(s) => Ok(Some(s)),
            Err(Unwind::Break(n)) => {
                if n > 1 {
                    Err(Unwind::Break(n - 1))
                } else {
                    Ok(None)
                }
            }
            Err(Unwind::Continue(n)) if n <= 1 => Ok(Some(0)),
            Err(Unwind::Continue(n)) => Err(Unwind::Continue(n - 1)),
            Err(u) => Err(u),
        }
    }

    pub(super) fn run_while(&mut self, until: bool, cond: &List, body: &List) -> Ex {
        self.st.loops += 1;
        let mut status = 0;
        let result = loop {
            match self.loop_condition(cond) {
                Ok(Some(s)) if (s == 0) != until => {}
                Ok(_) => break Ok(status),
                Err(u) => break Err(u),
            }
            match self.loop_body(body, &mut status) {
                Ok(Next::Round) => {}
                Ok(Next::Leave) => break Ok(status),
                Err(u) => break Err(u),
            }
        };
        self.st.loops = self.st.loops.saturating_sub(1);
        if let Ok(s) = result {
            self.st.status = s;
        }
        result
    }

    pub(super) fn run_for(&mut self, f: &For, cmd: &Command) -> Ex {
        let line = cmd.line;
        self.at_line(line);
        if !is_name(&f.var) {
            self.error([b"`", &*f.var, b"': not a valid identifier"].concat());
            return Ok(self.done(1));
        }
        let items = match &f.words {
            Some(words) => self.expand_args(words)?,
            None => self.st.args.to_vec(),
        };
        self.st.loops += 1;
        let mut status = 0;
        let mut result = Ok(());
        for item in items {
            self.at_line(line);
            if (self.opt(opts::XTRACE) || self.wants_debug())
                && let Err(u) = self.before_for(f, cmd)
            {
                result = Err(u);
                break;
            }
            // A nameref as the variable is pointed elsewhere, not followed.
            let set = match self.st.vars.get(&*f.var) {
                Some(v) if v.has(crate::vars::NAMEREF) => {
                    if !crate::access::valid_ref_target(&item) {
                        self.error([b"`", item.as_slice(), b"': not a valid identifier"].concat());
                        status = 1;
                        break;
                    }
                    if let Some(v) = self.vars_mut().get_mut(&*f.var) {
                        v.val = crate::vars::Val::Str(Rc::new(item));
                    }
                    Ok(())
                }
                _ => self.set(&f.var, item),
            };
            if let Err(u) = set {
                if u == Unwind::Abort {
                    status = 1;
                    break;
                }
                result = Err(u);
                break;
            }
            match self.loop_body(&f.body, &mut status) {
                Ok(Next::Round) => {}
                Ok(Next::Leave) => break,
                Err(u) => {
                    result = Err(u);
                    break;
                }
            }
        }
        self.st.loops = self.st.loops.saturating_sub(1);
        result?;
        self.st.status = status;
        Ok(status)
    }

    pub(super) fn run_arith_for(&mut self, f: &ArithFor, line: u32) -> Ex {
        self.st.loops += 1;
        let result = self.arith_for_inner(f, line);
        self.st.loops = self.st.loops.saturating_sub(1);
        if let Ok(s) = result {
            self.st.status = s;
        }
        result
    }

    fn arith_for_inner(&mut self, f: &ArithFor, line: u32) -> Ex {
        let step = |sh: &mut Shell,
                    e: &Option<crate::ast::ArithText>,
                    empty: i64|
         -> Result<Option<i64>, Unwind> {
            let Some(e) = e else { return Ok(Some(empty)) };
            sh.at_line(line);
            sh.trace_arith(&e.word)?;
            match sh.arith_in(e, "((: ") {
                Ok(n) => Ok(Some(n)),
                Err(()) => match sh.arith_unwind.take() {
                    Some(u) => Err(u),
                    None => Ok(None),
                },
            }
        };
        if step(self, &f.init, 0)?.is_none() {
            return Ok(1);
        }
        let mut status = 0;
        loop {
            match step(self, &f.cond, 1)? {
                None => return Ok(1),
                Some(0) => return Ok(status),
                Some(_) => {}
            }
            if let Next::Leave = self.loop_body(&f.body, &mut status)? {
                return Ok(status);
            }
            if step(self, &f.step, 0)?.is_none() {
                return Ok(1);
            }
        }
    }

    pub(super) fn run_case(&mut self, c: &Case, cmd: &Command) -> Ex {
        self.at_line(cmd.line);
        if self.debug_trap(cmd)? {
            return Ok(self.st.status);
        }
        let word = self.expand_single(&c.word)?;
        self.trace_case(&c.word)?;
        let nocase = self.shopt(opts::NOCASEMATCH);
        let extglob = self.shopt(opts::EXTGLOB);
        let mut status = 0;
        let mut fall = false;
        for arm in &c.arms {
            let mut hit = fall;
            if !hit {
                for p in &arm.pats {
                    let pat = self.expand_pattern(p)?;
                    if Pattern::new(&pat, extglob, nocase).matches(&word) {
                        hit = true;
                        break;
                    }
                }
            }
            if !hit {
                continue;
            }
            status = self.run_list(&arm.body)?;
            match arm.end {
                ArmEnd::Break => break,
                ArmEnd::Fall => fall = true,
                ArmEnd::Test => fall = false,
            }
        }
        self.st.status = status;
        Ok(status)
    }

    pub(super) fn run_select(&mut self, f: &For, line: u32) -> Ex {
        self.at_line(line);
        let items = match &f.words {
            Some(words) => self.expand_args(words)?,
            None => self.st.args.to_vec(),
        };
        if items.is_empty() {
            return Ok(self.done(0));
        }
        self.st.loops += 1;
        let result = self.select_inner(f, &items);
        self.st.loops = self.st.loops.saturating_sub(1);
        if let Ok(s) = result {
            self.st.status = s;
        }
        result
    }

    fn select_inner(&mut self, f: &For, items: &[Vec<u8>]) -> Ex {
        let mut status = 0;
        let mut show = true;
        loop {
            if show {
                let menu = self.select_menu(items);
                self.write_err(&menu);
            }
            let ps3 = self
                .get(b"PS3")
                .map_or_else(|| b"#? ".to_vec(), |t| t.to_vec());
            self.write_err(&ps3);
            let Some(line) = self.read_line(0) else {
                self.write_err(b"\n");
                return Ok(1);
            };
            let reply = crate::strs::trim(&line).to_vec();
            self.set(b"REPLY", reply.clone())?;
            if reply.is_empty() {
                show = true;
                continue;
            }
            show = false;
            let choice = crate::strs::parse_int(&reply)
                .and_then(|n| usize::try_from(n).ok())
                .and_then(|n| n.checked_sub(1))
                .and_then(|n| items.get(n))
                .cloned()
                .unwrap_or_default();
            self.set(&f.var, choice)?;
            if let Next::Leave = self.loop_body(&f.body, &mut status)? {
                return Ok(status);
            }
        }
    }

    /// The menu in as many columns as fit.
    fn select_menu(&mut self, items: &[Vec<u8>]) -> Vec<u8> {
        let columns = self
            .get(b"COLUMNS")
            .and_then(|t| crate::strs::parse_int(&t))
            .filter(|n| *n > 0)
            .unwrap_or(80) as usize;
        let digits = items.len().to_string().len();
        let widest = items
            .iter()
            .map(|i| crate::strs::count_chars(i))
            .max()
            .unwrap_or(0)
            + digits
            + 2;
        let mut out = Vec::new();
        let cols = (columns / (widest + 2)).max(1);
        let rows = items.len().div_ceil(cols);
        let cols = items.len().div_ceil(rows);
        // One column as long as everything fits on twenty lines or so, as bash does when rows equal items.
        let (rows, cols) = if rows == 1 {
            (items.len(), 1)
        } else {
            (rows, cols)
        };
        for r in 0..rows {
            for c in 0..cols {
                let i = c * rows + r;
                let Some(item) = items.get(i) else { continue };
                out.extend_from_slice(format!("{:>digits$}) ", i + 1).as_bytes());
                out.extend_from_slice(item);
                if c + 1 < cols && i + rows < items.len() {
                    let used = digits + 2 + crate::strs::count_chars(item);
                    out.extend(std::iter::repeat_n(b' ', (widest + 2).saturating_sub(used)));
                }
            }
            out.push(b'\n');
        }
        out
    }

    pub(super) fn define_function(&mut self, def: &Rc<FuncDef>) -> Ex {
        let name = def.name.to_vec();
        if let Some((_, attrs)) = self.st.funcs.get(&name)
            && attrs & crate::vars::READONLY != 0
        {
            self.error([name.as_slice(), b": readonly function"].concat());
            return Ok(self.done(1));
        }
        if name
            .iter()
            .any(|b| matches!(b, b'$' | b'<' | b'>' | b'&' | b'\'' | b'"' | b'`'))
        {
            self.error([b"`", name.as_slice(), b"': not a valid identifier"].concat());
            return Ok(self.done(1));
        }
        if def.file.borrow().is_empty() {
            *def.file.borrow_mut() = self.source_name().into();
        }
        let attrs = if self.opt(opts::ALLEXPORT) {
            crate::vars::EXPORT
        } else {
            0
        };
        Rc::make_mut(&mut self.st.funcs).insert(name, (def.clone(), attrs));
        self.st.status = 0;
        Ok(0)
    }

    /// The file that is being run, as `BASH_SOURCE` names it.
    pub(crate) fn source_name(&self) -> Vec<u8> {
        if let Some(f) = self.st.frames.last() {
            return f.source.to_vec();
        }
        match self.mode {
            crate::shell::Mode::Command => b"environment".to_vec(),
            crate::shell::Mode::Script => self.st.arg0.to_vec(),
            crate::shell::Mode::Stdin => b"main".to_vec(),
        }
    }
}
