//! Subshells and substitutions.
//!
//! A subshell runs in this process whenever the parent would only wait for it: `( … )`,
//! `$( … )`, and one stage of a pipeline. That is equivalent to a process of its own because
//! everything a subshell can change lives in [`State`](crate::shell::State) (variables,
//! functions, options, traps, descriptors, positional parameters), plus the working
//! directory, the mask and signal dispositions, which are put back afterwards. `exit`,
//! errors and `exec` unwind to the boundary instead of ending the process; `BASHPID` is a
//! number of its own. What runs *beside* the parent (a background job, a further stage, a
//! process substitution) is a process, which receives the state in its start-up blob.
//!
//! The output of `$( … )` is collected in memory. A program started inside writes to a pipe
//! that the shell empties until its end before it waits, so nothing can block.

use crate::ast::{CmdSub, Kind, List, RedirOp};
use crate::fds::Target;
use crate::opts;
use crate::os;
use crate::shell::{
    Ex, NEST_COMPOUND, Shell, TRAP_DEBUG, TRAP_ERR, TRAP_EXIT, TRAP_RETURN, Unwind,
};
use std::rc::Rc;

impl Shell {
    /// Runs `f` as a subshell in place; its status.
    pub(crate) fn in_subshell(&mut self, f: impl FnOnce(&mut Shell) -> Ex) -> i32 {
        if self.stack_low() {
            self.error("maximum subshell nesting level exceeded");
            return 1;
        }
        let saved = self.st.clone();
        let env = self.env_cache.clone();
        let moves = self.moves;
        let cwd = os::getcwd();
        let mask = self.mask_changed;
        let (in_trap, builtin, line) = (self.in_trap, self.builtin, self.line);
        let out = std::mem::take(&mut self.out);
        self.enter_subshell();
        self.next_fake_pid += 1;
        self.st.fake_pid = Some(self.next_fake_pid);
        self.nest += NEST_COMPOUND;
        let result = f(self);
        self.nest -= NEST_COMPOUND;
        let mut status = self.subshell_status(result);
        status = self.exit_trap(status);
        let traps = std::mem::replace(&mut self.st, saved).traps;
        self.restore_signals(&traps);
        self.env_cache = env;
        self.in_trap = in_trap;
        self.builtin = builtin;
        self.line = line;
        self.out = out;
        if self.moves != moves
            && let Ok(cwd) = cwd
        {
            let _ = os::chdir(&cwd);
            self.moves += 1;
        }
        if let Some(mask) = self.mask_changed.take() {
            os::umask(Some(mask));
        }
        self.mask_changed = mask;
        self.st.status = status;
        status
    }

    /// What changes on entering a subshell, in place or in a process.
    pub(crate) fn enter_subshell(&mut self) {
        self.st.level += 1;
        // `jobs` still shows the parent's, but they are not ours to wait for.
        self.st.foreign_jobs = true;
        self.st.loops = 0;
        self.st.opts &= !opts::MONITOR;
        self.mask_changed = None;
        if !self.st.traps.is_empty() {
            let all = self.st.traps.clone();
            let keep_err = self.opt(opts::ERRTRACE);
            let keep_debug = self.opt(opts::FUNCTRACE);
            let kept = all
                .iter()
                .filter(|(sig, action)| match **sig {
                    TRAP_ERR => keep_err,
                    TRAP_DEBUG | TRAP_RETURN => keep_debug,
                    TRAP_EXIT => false,
                    _ => action.is_empty(),
                })
                .map(|(s, a)| (*s, a.clone()))
                .collect();
            self.st.traps = Rc::new(kept);
            if self.st.old_traps.is_none() {
                self.st.old_traps = Some(all);
            }
        }
    }

    /// The status that a subshell's end stands for.
    pub(crate) fn subshell_status(&mut self, result: Ex) -> i32 {
        match result {
            Ok(s) => s,
            Err(Unwind::Break(_) | Unwind::Continue(_)) => 0,
            Err(_) => self.st.status,
        }
    }

    /// Runs the EXIT trap, if there is one. The status after it.
    pub(crate) fn exit_trap(&mut self, status: i32) -> i32 {
        let Some(action) = self.st.traps.get(&TRAP_EXIT).cloned() else {
            return status;
        };
        Rc::make_mut(&mut self.st.traps).remove(&TRAP_EXIT);
        self.st.status = status;
        self.st.frames.clear();
        self.in_trap = 0;
        match self.eval_text(&action, None) {
            Err(Unwind::Exit | Unwind::ErrExit) => self.st.status,
            _ => status,
        }
    }

    /// `$( … )`.
    pub(crate) fn command_substitution(&mut self, c: &Rc<CmdSub>) -> Result<Vec<u8>, Unwind> {
        if let Some(message) = &c.error {
            let text = [b"command substitution: ", &**message].concat();
            self.error(text);
            self.st.status = 2;
            self.subst_status = Some(2);
            return Ok(Vec::new());
        }
        if let Some(text) = self.file_substitution(&c.list)? {
            return Ok(trimmed(text));
        }
        let capture = Shell::capture();
        let target = Target::Capture(capture.clone());
        let keep_errexit = self.shopt(opts::INHERIT_ERREXIT) || self.opt(opts::POSIX);
        let no_errexit = self.no_errexit;
        let status = self.in_subshell(|sh| {
            sh.st.fds.set(1, Some(target));
            if !keep_errexit {
                sh.st.opts &= !opts::ERREXIT;
            }
            let r = sh.run_list(&c.list);
            sh.drain_capture();
            r
        });
        self.no_errexit = no_errexit;
        self.subst_status = Some(status);
        for pump in capture.pumps.borrow_mut().drain(..) {
            super::spawn::read_all(pump.0, &capture);
        }
        let mut text = std::mem::take(&mut *capture.data.borrow_mut());
        if text.contains(&0) {
            self.error("warning: command substitution: ignored null byte in input");
            text.retain(|b| *b != 0);
        }
        Ok(trimmed(text))
    }

    /// Empties the pipes of background jobs that write into the current capture.
    pub(crate) fn drain_capture(&mut self) {
        if let Some(Target::Capture(c)) = self.st.fds.get(1) {
            let c = c.clone();
            let pumps: Vec<_> = c.pumps.borrow_mut().drain(..).collect();
            for pump in pumps {
                super::spawn::read_all(pump.0, &c);
            }
        }
    }

    /// `$(<file)`.
    fn file_substitution(&mut self, list: &List) -> Result<Option<Vec<u8>>, Unwind> {
        let [item] = list.0.as_slice() else {
            return Ok(None);
        };
        if item.background || !item.rest.is_empty() || item.first.negate {
            return Ok(None);
        }
        let [cmd] = item.first.cmds.as_slice() else {
            return Ok(None);
        };
        let Kind::Simple(s) = &cmd.kind else {
            return Ok(None);
        };
        let [r] = cmd.redirs.as_slice() else {
            return Ok(None);
        };
        if !s.words.is_empty() || !s.assigns.is_empty() || r.fd.is_some() {
            return Ok(None);
        }
        if !matches!(
            r.op,
            RedirOp::Read(_) | RedirOp::HereStr(_) | RedirOp::Here(_)
        ) {
            return Ok(None);
        }
        let saved = self.st.fds.clone();
        let ok = self.redirect(&cmd.redirs, &mut Vec::new());
        let mut text = Vec::new();
        if let Ok(true) = ok
            && let Some(fd) = self.kernel_fd(0)
        {
            let capture = Shell::capture();
            super::spawn::read_all(fd, &capture);
            text = std::mem::take(&mut *capture.data.borrow_mut());
        }
        self.st.fds = saved;
        let ok = ok?;
        self.subst_status = Some(i32::from(!ok));
        text.retain(|b| *b != 0);
        Ok(Some(text))
    }

    /// `<( … )` and `>( … )`: the path of the descriptor.
    pub(crate) fn process_substitution(
        &mut self,
        write: bool,
        list: &Rc<List>,
    ) -> Result<Vec<u8>, Unwind> {
        let (r, w) = match os::pipe() {
            Ok(p) => p,
            Err(e) => {
                self.error(format!("cannot make pipe for process substitution: {e}"));
                return Err(self.abort(1));
            }
        };
        let (ours, theirs) = if write { (w, r) } else { (r, w) };
        let n = self.st.fds.free_below(63);
        let mut fds = self.st.fds.clone();
        fds.set(if write { 0 } else { 1 }, Some(Shell::own(theirs)));
        let started = self.start_list(list, fds);
        self.st.fds.set(n, Some(Shell::own(ours)));
        self.st.procsubs.push(n);
        if let Some(pid) = started {
            self.st.last_bg = Some(pid);
            self.strays.push(pid);
        }
        Ok(format!("/dev/fd/{n}").into_bytes())
    }
}

fn trimmed(mut text: Vec<u8>) -> Vec<u8> {
    while text.last() == Some(&b'\n') {
        text.pop();
    }
    text
}
