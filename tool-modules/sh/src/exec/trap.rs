//! Traps.

use crate::ast::Command;
use crate::opts;
use crate::os;
use crate::shell::{Shell, TRAP_DEBUG, TRAP_ERR, TRAP_RETURN, Traps, Unwind};
use std::rc::Rc;

/// Traps that a function does not see, to be put back after it.
pub(crate) type Hidden = Option<Vec<(u32, Vec<u8>)>>;

impl Shell {
    /// Is there a DEBUG trap to run?
    pub(crate) fn wants_debug(&self) -> bool {
        !self.st.traps.is_empty() && self.in_trap == 0 && self.st.traps.contains_key(&TRAP_DEBUG)
    }

    /// Remembers the command for `BASH_COMMAND`, where anybody may ask.
    pub(crate) fn note_command(&mut self, cmd: &Command) {
        if self.in_trap == 0 && (!self.st.traps.is_empty() || self.keep_command) {
            self.st.command = Some(Rc::new(cmd.clone()));
        }
    }

    /// Runs the DEBUG trap before a command.
    /// True: with `extdebug` it said that the command is to be skipped.
    pub(crate) fn debug_trap(&mut self, cmd: &Command) -> Result<bool, Unwind> {
        self.note_command(cmd);
        if self.wants_debug() {
            self.run_debug()
        } else {
            Ok(false)
        }
    }

    pub(crate) fn run_debug(&mut self) -> Result<bool, Unwind> {
        let status = self.st.status;
        self.trap_status = 0;
        let r = self.run_trap(TRAP_DEBUG);
        self.st.status = status;
        r?;
        if !self.shopt(opts::EXTDEBUG) || self.trap_status == 0 {
            return Ok(false);
        }
        if self.trap_status == 2 && !self.st.frames.is_empty() {
            return Err(Unwind::Return);
        }
        Ok(true)
    }

    /// Runs the action of a trap.
    pub(crate) fn run_trap(&mut self, which: u32) -> Result<(), Unwind> {
        if self.in_trap > 0 && which > 64 {
            return Ok(());
        }
        let Some(action) = self.st.traps.get(&which).cloned() else {
            return Ok(());
        };
        if action.is_empty() {
            return Ok(());
        }
        let (status, line, pipes) = (self.st.status, self.line, self.pipestatus.clone());
        let subst = self.subst_status;
        self.in_trap += u32::from(which > 64);
        let frozen = self.frozen.replace(self.st.frames.len());
        let result = self.eval_text(&action, None);
        self.frozen = frozen;
        self.in_trap -= u32::from(which > 64);
        self.line = line;
        self.subst_status = subst;
        self.trap_status = match result {
            Ok(s) => s,
            Err(_) => self.st.status,
        };
        match result {
            Ok(_) | Err(Unwind::Abort) => {
                self.st.status = status;
                self.pipestatus = pipes;
                Ok(())
            }
            Err(u) => Err(u),
        }
    }

    /// Runs traps of signals that arrived.
    pub(crate) fn run_pending_traps(&mut self) -> Result<(), Unwind> {
        if self.catching {
            self.collect_signals();
        }
        // A subshell in place leaves signals to the process that it is part of.
        let inner = self.st.fake_pid.is_some();
        let mut at = 0;
        while let Some(sig) = self.pending.get(at).copied() {
            if inner && !self.st.traps.contains_key(&sig) {
                at += 1;
                continue;
            }
            self.pending.remove(at);
            if self.st.traps.get(&sig).is_some_and(|a| !a.is_empty()) {
                self.run_trap(sig)?;
            } else if !self.st.traps.contains_key(&sig) && sig == 2 && !self.opt(opts::INTERACTIVE)
            {
                self.st.status = 130;
                return Err(Unwind::Exit);
            }
        }
        Ok(())
    }

    /// Sets or removes a trap.
    pub(crate) fn set_trap(&mut self, which: u32, action: Option<Vec<u8>>) {
        if (1..=64).contains(&which) {
            let how = match &action {
                None => 0,
                Some(a) if a.is_empty() => 1,
                Some(_) => 2,
            };
            let base = if which == 13 && how == 0 { 2 } else { how };
            let _ = os::sigaction(which, base);
            if how == 2 {
                self.catching = true;
            }
        }
        if which == TRAP_ERR {
            self.err_frame = Some(self.st.frames.len());
        }
        let traps = Rc::make_mut(&mut self.st.traps);
        match action {
            Some(a) => traps.insert(which, a),
            None => traps.remove(&which),
        };
        self.st.old_traps = None;
    }

    /// After a subshell in place: the dispositions of the parent's traps again.
    pub(crate) fn restore_signals(&mut self, inner: &Rc<Traps>) {
        if Rc::ptr_eq(inner, &self.st.traps) {
            return;
        }
        for sig in 1..=31u32 {
            let (a, b) = (inner.get(&sig), self.st.traps.get(&sig));
            if a != b {
                let how = match b {
                    None if sig == 13 => 2,
                    None => 0,
                    Some(a) if a.is_empty() => 1,
                    Some(_) => 2,
                };
                let _ = os::sigaction(sig, how);
            }
        }
    }

    /// DEBUG and RETURN are not seen by functions, unless `set -T`.
    pub(crate) fn hide_function_traps(&mut self) -> Hidden {
        if self.st.traps.is_empty() || self.opt(opts::FUNCTRACE) {
            return None;
        }
        if !self.st.traps.contains_key(&TRAP_DEBUG) && !self.st.traps.contains_key(&TRAP_RETURN) {
            return None;
        }
        let traps = Rc::make_mut(&mut self.st.traps);
        let mut out = Vec::new();
        for which in [TRAP_DEBUG, TRAP_RETURN] {
            if let Some(a) = traps.remove(&which) {
                out.push((which, a));
            }
        }
        Some(out)
    }

    pub(crate) fn show_function_traps(&mut self, hidden: Hidden) {
        let Some(hidden) = hidden else { return };
        let traps = Rc::make_mut(&mut self.st.traps);
        for (which, action) in hidden {
            traps.entry(which).or_insert(action);
        }
    }
}
