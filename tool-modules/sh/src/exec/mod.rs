//! Execution of the tree.

pub mod call;
pub mod compound;
pub mod cond;
pub mod jobs;
pub mod lookup;
pub mod pipeline;
pub mod redirect;
pub mod simple;
pub mod spawn;
pub mod state;
pub mod subshell;
pub mod trace;
pub mod trap;

use crate::ast::{Command, Item, Kind, List, Pipeline};
use crate::opts;
use crate::os;
use crate::shell::{Ex, NEST_COMPOUND, Shell, TRAP_ERR, Unwind};

impl Shell {
    /// Runs commands in order. The status of the last.
    pub fn run_list(&mut self, list: &List) -> Ex {
        let mut status = 0;
        for item in &list.0 {
            status = self.run_item(item)?;
        }
        Ok(status)
    }

    /// Runs one item of a list.
    pub fn run_item(&mut self, item: &Item) -> Ex {
        if self.opt(opts::NOEXEC) && !self.opt(opts::INTERACTIVE) {
            return Ok(self.st.status);
        }
        if item.background {
            return self.background(item);
        }
        if item.rest.is_empty() {
            return self.run_pipeline(&item.first);
        }
        // All but the last may fail without `set -e` or ERR taking note.
        let last = item.rest.len() - 1;
        self.no_errexit += 1;
        let mut result = self.run_pipeline(&item.first);
        for (i, (and, p)) in item.rest.iter().enumerate() {
            let status = match result {
                Ok(s) => s,
                Err(u) => {
                    self.no_errexit -= 1;
                    return Err(u);
                }
            };
            if (status == 0) != *and {
                result = Ok(status);
                continue;
            }
            if i == last {
                self.no_errexit -= 1;
                return self.run_pipeline(p);
            }
            result = self.run_pipeline(p);
        }
        self.no_errexit -= 1;
        result
    }

    /// Runs a pipeline with `!` and `time`.
    pub fn run_pipeline(&mut self, p: &Pipeline) -> Ex {
        if !self.pending.is_empty() || self.catching {
            self.run_pending_traps()?;
        }
        if let Some(posix) = p.timed {
            return self.timed(p, posix);
        }
        self.run_pipeline_untimed(p)
    }

    fn run_pipeline_untimed(&mut self, p: &Pipeline) -> Ex {
        if p.negate {
            self.no_errexit += 1;
        }
        let had_err = !self.st.traps.is_empty() && self.st.traps.contains_key(&TRAP_ERR);
        let result = match p.cmds.as_slice() {
            [] => Ok(0),
            [one] => self.run_command(one),
            many => self.run_stages(many),
        };
        if p.negate {
            self.no_errexit -= 1;
        }
        let mut status = result?;
        if p.negate {
            status = i32::from(status == 0);
        }
        self.st.status = status;
        if status != 0 && !p.negate && self.no_errexit == 0 {
            let counts = match p.cmds.as_slice() {
                [one] => {
                    matches!(
                        one.kind,
                        Kind::Simple(_) | Kind::Subshell(_) | Kind::Arith(_) | Kind::Cond(_)
                    ) || std::mem::take(&mut self.redirect_failed)
                }
                _ => true,
            };
            if counts {
                self.failed_if(status, had_err)?;
            }
        }
        Ok(status)
    }

    /// A command failed where that counts: the ERR trap, and `set -e`.
    fn failed_if(&mut self, status: i32, trap: bool) -> Result<(), Unwind> {
        if trap
            && self.st.traps.contains_key(&TRAP_ERR)
            && (self.st.frames.is_empty() || self.opt(opts::ERRTRACE) || self.err_here())
        {
            self.run_trap(TRAP_ERR)?;
            self.st.status = status;
        }
        if self.opt(opts::ERREXIT) {
            self.st.status = status;
            return Err(Unwind::ErrExit);
        }
        Ok(())
    }

    fn err_here(&self) -> bool {
        self.st.frames.iter().all(|f| f.sourced) || self.err_frame == Some(self.st.frames.len())
    }

    fn timed(&mut self, p: &Pipeline, posix: bool) -> Ex {
        let start = os::monotonic_ns();
        let (own, kids) = os::cpu();
        let result = self.run_pipeline_untimed(p);
        let real = os::monotonic_ns().saturating_sub(start);
        let (own2, kids2) = os::cpu();
        let user = (own2.0 + kids2.0).saturating_sub(own.0 + kids.0);
        let sys = (own2.1 + kids2.1).saturating_sub(own.1 + kids.1);
        let format = self.get(b"TIMEFORMAT").map(|t| t.to_vec());
        let text = trace::time_report(format.as_deref(), posix, real / 1000, user, sys);
        self.write_err(&text);
        result
    }

    /// Runs a command with its redirections.
    pub fn run_command(&mut self, cmd: &Command) -> Ex {
        if let Kind::Simple(s) = &cmd.kind {
            return self.run_simple(cmd, s);
        }
        if self.stack_low() {
            self.error("maximum nesting level exceeded");
            self.st.status = 1;
            return Err(Unwind::Exit);
        }
        if let Kind::Func(def) = &cmd.kind {
            self.at_line(cmd.line);
            return self.define_function(def);
        }
        self.nest += NEST_COMPOUND;
        let result = self.run_compound(cmd);
        self.nest -= NEST_COMPOUND;
        result
    }

    fn run_compound(&mut self, cmd: &Command) -> Ex {
        if cmd.redirs.is_empty() {
            return self.run_kind(cmd);
        }
        self.at_line(cmd.line);
        let saved = self.st.fds.clone();
        let procs = self.st.procsubs.len();
        match self.redirect(&cmd.redirs, &mut Vec::new()) {
            Ok(true) => {}
            Ok(false) => {
                self.st.fds = saved;
                self.st.status = 1;
                self.redirect_failed = true;
                return Ok(1);
            }
            Err(u) => {
                self.st.fds = saved;
                return Err(u);
            }
        }
        let result = self.run_kind(cmd);
        self.st.fds = self.keep_new_fds(saved, &cmd.redirs);
        self.st.procsubs.truncate(procs);
        result
    }

    fn run_kind(&mut self, cmd: &Command) -> Ex {
        match &cmd.kind {
            Kind::Group(list) => self.run_list(list),
            Kind::Subshell(list) => {
                let status = self.in_subshell(|sh| sh.run_list(list));
                self.after_subshell(status)
            }
            Kind::If(arms, other) => self.run_if(arms, other.as_ref()),
            Kind::While(until, parts) => self.run_while(*until, &parts.0, &parts.1),
            Kind::For(f) => self.run_for(f, cmd),
            Kind::ArithFor(f) => self.run_arith_for(f, cmd.line),
            Kind::Select(f) => self.run_select(f, cmd.line),
            Kind::Case(c) => self.run_case(c, cmd),
            Kind::Arith(text) => {
                self.at_line(cmd.line);
                if self.debug_trap(cmd)? {
                    return Ok(self.st.status);
                }
                self.trace_arith(&text.word)?;
                match self.arith_in(text, "((: ") {
                    Ok(n) => Ok(self.done(i32::from(n == 0))),
                    Err(()) => match self.arith_unwind.take() {
                        Some(u) => Err(u),
                        None => Ok(self.done(1)),
                    },
                }
            }
            Kind::Cond(e) => {
                self.at_line(cmd.line);
                if self.debug_trap(cmd)? {
                    return Ok(self.st.status);
                }
                let yes = self.run_cond(e)?;
                Ok(self.done(yes))
            }
            Kind::Coproc(name, body) => self.coproc(name.as_deref(), body),
            Kind::Simple(_) | Kind::Func(_) => Ok(0),
        }
    }

    /// Notes a status that no process gave.
    pub(crate) fn done(&mut self, status: i32) -> i32 {
        self.st.status = status;
        self.pipestatus.clear();
        self.pipestatus.push(status);
        status
    }

    fn after_subshell(&mut self, status: i32) -> Ex {
        Ok(self.done(status))
    }
}
