//! Pipelines of several stages, and commands in the background.
//!
//! Every stage but one may be a process; the one that is not a program, if any, runs in place
//! as a subshell while the others run beside it.

use super::lookup::Found;
use super::spawn::Pump;
use crate::ast::{Command, Item, Kind, List};
use crate::fds::{Table, Target};
use crate::opts;
use crate::os::{self, Errno};
use crate::shell::{Ex, Job, Shell, Unwind, write_all};
use std::collections::HashMap;
use std::rc::Rc;

/// A stage that was started, or ended at once.
enum Stage {
    Pid(u32),
    Status(i32),
}

/// Output that a pipe surely takes without a reader.
const PIPE_ROOM: usize = 32 * 1024;

impl Shell {
    pub(super) fn run_stages(&mut self, cmds: &[Command]) -> Ex {
        let last = cmds.len() - 1;
        let internal: Vec<bool> = cmds.iter().map(|c| !self.is_program(c)).collect();
        let mut in_place = if internal.last() == Some(&true) {
            Some(last)
        } else {
            internal.iter().rposition(|i| *i)
        };
        // A process that writes into a capture needs us to read; then we cannot also be a stage
        // that may block. Only the last stage, and only if nobody else holds a capture, may.
        let capture_out = matches!(self.st.fds.get(1), Some(Target::Capture(_)));
        let capture_other = self
            .st
            .fds
            .entries()
            .iter()
            .any(|e| e.n != 1 && matches!(e.to, Target::Capture(_)));
        if let Some(i) = in_place
            && (capture_other || (capture_out && i != last))
        {
            in_place = None;
        }
        let base = self.st.fds.clone();
        let mut statuses: Vec<Stage> = Vec::with_capacity(cmds.len());
        let mut pumps: Vec<Pump> = Vec::new();
        let mut input: Option<Target> = None;
        let mut held: Option<(usize, Table)> = None;
        // Echo or printf at the front: its output is small and known at once.
        let mut first_output = None;
        if in_place != Some(0) && internal.first() == Some(&true) && self.is_small(cmds.first()) {
            first_output = cmds.first().map(|c| self.collect(c));
        } else if in_place == Some(0) && self.is_small(cmds.first()) {
            first_output = cmds.first().map(|c| self.collect(c));
            in_place = None;
        }
        for (i, cmd) in cmds.iter().enumerate() {
            let mut fds = base.clone();
            if let Some(r) = input.take() {
                fds.set(0, Some(r));
            }
            let mut writer = None;
            if i < last {
                match os::pipe() {
                    Ok((r, w)) => {
                        input = Some(Shell::own(r));
                        let w = Shell::own(w);
                        writer = Some(w.clone());
                        fds.set(1, Some(w));
                    }
                    Err(e) => {
                        self.error(format!("pipe error: {e}"));
                        return Err(self.abort(1));
                    }
                }
            }
            if i == 0
                && let Some((status, text)) = first_output.take()
            {
                if text.len() <= PIPE_ROOM {
                    if let Some(Target::Kernel(w)) = &writer {
                        let _ = write_all(w.0, &text);
                    }
                    statuses.push(Stage::Status(status));
                } else {
                    let stage = self.start_writer(text, status, fds, &mut pumps);
                    statuses.push(stage);
                }
                continue;
            }
            if in_place == Some(i) {
                held = Some((i, fds));
                statuses.push(Stage::Status(0));
                continue;
            }
            let stage = self.start_stage(cmd, fds, &mut pumps)?;
            statuses.push(stage);
        }
        drop(input);
        if let Some((i, fds)) = held
            && let Some(cmd) = cmds.get(i)
        {
            let status = if i == last && self.shopt(opts::LASTPIPE) && !self.opt(opts::MONITOR) {
                let saved = std::mem::replace(&mut self.st.fds, fds);
                let r = self.run_command(cmd);
                let now = std::mem::replace(&mut self.st.fds, saved);
                drop(now);
                match r {
                    Ok(s) => s,
                    Err(u) => {
                        self.wait_stages(&statuses);
                        return Err(u);
                    }
                }
            } else {
                self.in_subshell(move |sh| {
                    sh.st.fds = fds;
                    sh.run_stage(cmd)
                })
            };
            if let Some(s) = statuses.get_mut(i) {
                *s = Stage::Status(status);
            }
        }
        self.drain(pumps);
        let all = self.wait_stages(&statuses);
        let mut status = all.last().copied().unwrap_or(0);
        if self.opt(opts::PIPEFAIL) {
            status = all.iter().rev().copied().find(|s| *s != 0).unwrap_or(0);
        }
        self.pipestatus = all;
        self.st.status = status;
        Ok(status)
    }

    fn wait_stages(&mut self, stages: &[Stage]) -> Vec<i32> {
        stages
            .iter()
            .map(|s| match s {
                Stage::Pid(pid) => self.wait_pid(*pid),
                Stage::Status(s) => *s,
            })
            .collect()
    }

    /// A plain command that names a program, as far as can be seen before expansion.
    fn is_program(&self, cmd: &Command) -> bool {
        let Kind::Simple(s) = &cmd.kind else {
            return false;
        };
        let Some(first) = s.words.first() else {
            return false;
        };
        match first.as_lit() {
            Some(name) => !self.st.funcs.contains_key(name) && self.builtin(name).is_none(),
            None => !first
                .parts
                .iter()
                .all(|p| matches!(p, crate::ast::Part::Quoted(_) | crate::ast::Part::Lit(_))),
        }
    }

    /// `echo` or `printf` without redirections: ends by itself, soon.
    fn is_small(&self, cmd: Option<&Command>) -> bool {
        let Some(cmd) = cmd else { return false };
        let Kind::Simple(s) = &cmd.kind else {
            return false;
        };
        cmd.redirs.is_empty()
            && s.words.first().and_then(|w| w.as_lit()).is_some_and(|n| {
                matches!(n, b"echo" | b"printf")
                    && !self.st.funcs.contains_key(n)
                    && self.builtin(n).is_some()
            })
    }

    /// Runs a small command and keeps its output.
    fn collect(&mut self, cmd: &Command) -> (i32, Vec<u8>) {
        let capture = Shell::capture();
        let target = Target::Capture(capture.clone());
        let status = self.in_subshell(|sh| {
            sh.st.fds.set(1, Some(target));
            sh.run_stage(cmd)
        });
        let text = std::mem::take(&mut *capture.data.borrow_mut());
        (status, text)
    }

    fn start_writer(
        &mut self,
        text: Vec<u8>,
        status: i32,
        fds: Table,
        pumps: &mut Vec<Pump>,
    ) -> Stage {
        let blob = super::state::writer_blob(text, status);
        let saved = std::mem::replace(&mut self.st.fds, fds);
        let r = self.start_shell(&blob);
        self.st.fds = saved;
        self.started(r, pumps)
    }

    fn started(&mut self, r: Result<(u32, Vec<Pump>), Errno>, pumps: &mut Vec<Pump>) -> Stage {
        match r {
            Ok((pid, mut more)) => {
                pumps.append(&mut more);
                Stage::Pid(pid)
            }
            Err(e) => {
                self.error(format!("fork: {e}"));
                Stage::Status(126)
            }
        }
    }

    /// Starts a stage as a process: the program itself, or a shell that runs the command.
    fn start_stage(
        &mut self,
        cmd: &Command,
        fds: Table,
        pumps: &mut Vec<Pump>,
    ) -> Result<Stage, Unwind> {
        if self.is_program(cmd)
            && let Kind::Simple(s) = &cmd.kind
        {
            // Expansions happen in the stage, so what they change is undone.
            let saved = self.st.clone();
            let env_cache = self.env_cache.clone();
            self.at_line(cmd.line);
            self.st.fds = fds;
            let result = self.start_program(cmd, s, pumps);
            let fds = std::mem::replace(&mut self.st, saved).fds;
            self.env_cache = env_cache;
            match result {
                Ok(Some(stage)) => return Ok(stage),
                Ok(None) => return Ok(self.start_command(cmd, fds, pumps)),
                Err(_) => return Ok(Stage::Status(1)),
            }
        }
        Ok(self.start_command(cmd, fds, pumps))
    }

    /// `None`: it is no program after all (`$cmd` was a builtin).
    fn start_program(
        &mut self,
        cmd: &Command,
        s: &crate::ast::Simple,
        pumps: &mut Vec<Pump>,
    ) -> Result<Option<Stage>, Unwind> {
        if s.words.first().is_some_and(|w| w.as_lit().is_none()) {
            // Which command it is shows only now; a second expansion must not happen.
            let first = s
                .words
                .first()
                .map(std::slice::from_ref)
                .unwrap_or_default();
            let simple_params = first.iter().all(|w| {
                w.parts.iter().all(|p| {
                    matches!(p, crate::ast::Part::Param(q) if matches!(q.op, crate::ast::Op::None))
                        || matches!(p, crate::ast::Part::Lit(_) | crate::ast::Part::Quoted(_))
                        || matches!(p, crate::ast::Part::DQuote(i) if i.iter().all(|p| matches!(p, crate::ast::Part::Param(q) if matches!(q.op, crate::ast::Op::None))))
                })
            });
            if !simple_params {
                return Ok(None);
            }
            let names = self.expand_args(first)?;
            match names.first().cloned() {
                Some(n) if matches!(self.lookup(&n), Found::External(_)) => {}
                _ => return Ok(None),
            }
        }
        let args = self.expand_command_words(s)?;
        if self.opt(opts::XTRACE) {
            self.trace_command(&s.assigns, &args)?;
        }
        if !self.redirect(&cmd.redirs, &mut Vec::new())? {
            return Ok(Some(Stage::Status(1)));
        }
        let Some(name) = args.first() else {
            return Ok(Some(Stage::Status(0)));
        };
        let path = match self.lookup(name) {
            Found::External(p) => p,
            _ => {
                let status = self.not_found(&args)?;
                return Ok(Some(Stage::Status(status)));
            }
        };
        let env = self.command_env(&s.assigns)?;
        match self.start(&path, &args, &env) {
            Ok((pid, mut more)) => {
                pumps.append(&mut more);
                Ok(Some(Stage::Pid(pid)))
            }
            Err(Errno::NOEXEC) => Ok(None),
            Err(e) => Ok(Some(Stage::Status(
                self.start_failed(&path, &args, &env, e),
            ))),
        }
    }

    /// Starts a shell that runs the command.
    fn start_command(&mut self, cmd: &Command, fds: Table, pumps: &mut Vec<Pump>) -> Stage {
        let saved = std::mem::replace(&mut self.st.fds, fds);
        let r = match self.blob(super::state::Work::Command(cmd.clone())) {
            Some(blob) => self.start_shell(&blob),
            None => Err(Errno::NOMEM),
        };
        self.st.fds = saved;
        self.started(r, pumps)
    }

    /// Starts a list beside this shell, with these descriptors: for process substitution.
    pub(crate) fn start_list(&mut self, list: &Rc<List>, fds: Table) -> Option<u32> {
        let mut pumps = Vec::new();
        let single = match list.0.as_slice() {
            [item]
                if item.rest.is_empty()
                    && !item.background
                    && !item.first.negate
                    && item.first.timed.is_none() =>
            {
                match item.first.cmds.as_slice() {
                    [cmd] if self.is_program(cmd) => Some(cmd),
                    _ => None,
                }
            }
            _ => None,
        };
        let stage = match single {
            Some(cmd) => self.start_stage(cmd, fds, &mut pumps).ok()?,
            None => {
                let saved = std::mem::replace(&mut self.st.fds, fds);
                let r = match self.blob(super::state::Work::List(list.clone())) {
                    Some(blob) => self.start_shell(&blob),
                    None => Err(Errno::NOMEM),
                };
                self.st.fds = saved;
                self.started(r, &mut pumps)
            }
        };
        self.keep_pumps(pumps);
        match stage {
            Stage::Pid(p) => Some(p),
            Stage::Status(_) => None,
        }
    }

    /// Pipes of processes that nobody waits for now: read at the end of the capture.
    fn keep_pumps(&mut self, pumps: Vec<Pump>) {
        for (fd, capture) in pumps {
            capture.pumps.borrow_mut().push(fd);
        }
    }

    /// `item &`.
    pub(super) fn background(&mut self, item: &Item) -> Ex {
        let mut base = self.st.fds.clone();
        if !self.opt(opts::MONITOR) {
            let null = os::open(
                b"/dev/null",
                os::OpenHow {
                    read: true,
                    ..os::OpenHow::default()
                },
                0,
            );
            if let Ok(fd) = null {
                base.set(0, Some(Shell::own(fd)));
            }
        }
        let mut pids = Vec::new();
        let mut ended = HashMap::new();
        let mut pumps = Vec::new();
        if item.rest.is_empty()
            && !item.first.negate
            && item.first.timed.is_none()
            && !item.first.cmds.is_empty()
        {
            let last = item.first.cmds.len() - 1;
            let mut input: Option<Target> = None;
            for (i, cmd) in item.first.cmds.iter().enumerate() {
                let mut fds = base.clone();
                if let Some(r) = input.take() {
                    fds.set(0, Some(r));
                }
                if i < last {
                    match os::pipe() {
                        Ok((r, w)) => {
                            input = Some(Shell::own(r));
                            fds.set(1, Some(Shell::own(w)));
                        }
                        Err(e) => {
                            self.error(format!("pipe error: {e}"));
                            return Err(self.abort(1));
                        }
                    }
                }
                match self.start_stage(cmd, fds, &mut pumps)? {
                    Stage::Pid(p) => pids.push(p),
                    Stage::Status(s) => {
                        // It ended before it began; it still needs a number.
                        self.next_fake_pid += 1;
                        pids.push(self.next_fake_pid);
                        ended.insert(self.next_fake_pid, s);
                    }
                }
            }
        } else {
            let mut fg = item.clone();
            fg.background = false;
            let saved = std::mem::replace(&mut self.st.fds, base);
            let r = match self.blob(super::state::Work::List(Rc::new(List(vec![fg])))) {
                Some(blob) => self.start_shell(&blob),
                None => Err(Errno::NOMEM),
            };
            self.st.fds = saved;
            match self.started(r, &mut pumps) {
                Stage::Pid(p) => pids.push(p),
                Stage::Status(s) => return Ok(self.done(s)),
            }
        }
        self.keep_pumps(pumps);
        let last = pids.last().copied();
        let text = crate::print::item(item);
        let id = self.add_job(Job {
            id: 0,
            pids,
            ended,
            text,
            noted: false,
            nohup: false,
            coproc: None,
        });
        self.st.last_bg = last;
        if self.opt(opts::INTERACTIVE)
            && let Some(pid) = last
        {
            self.write_err(format!("[{id}] {pid}\n").as_bytes());
        }
        self.st.status = 0;
        Ok(0)
    }

    /// `coproc`.
    pub(super) fn coproc(&mut self, name: Option<&[u8]>, body: &Command) -> Ex {
        let name = name.unwrap_or(b"COPROC").to_vec();
        if !crate::strs::is_name(&name) {
            self.error([b"`", name.as_slice(), b"': not a valid identifier"].concat());
            return Ok(self.done(1));
        }
        let (Ok((in_r, in_w)), Ok((out_r, out_w))) = (os::pipe(), os::pipe()) else {
            self.error("coproc: cannot make pipe");
            return Ok(self.done(1));
        };
        let mut fds = self.st.fds.clone();
        fds.set(0, Some(Shell::own(in_r)));
        fds.set(1, Some(Shell::own(out_w)));
        let mut pumps = Vec::new();
        let stage = self.start_stage(body, fds, &mut pumps)?;
        self.keep_pumps(pumps);
        let n = self.st.fds.free_below(63);
        self.st.fds.set(n, Some(Shell::own(out_r)));
        let m = self.st.fds.free_below(62);
        self.st.fds.set(m, Some(Shell::own(in_w)));
        self.unset(&name);
        for (i, fd) in [(0, n), (1, m)] {
            self.assign_index(&name, i, fd.to_string().into_bytes(), false, b"0")?;
        }
        let pid = match stage {
            Stage::Pid(p) => p,
            Stage::Status(_) => {
                self.next_fake_pid += 1;
                self.next_fake_pid
            }
        };
        self.set(
            &[name.as_slice(), b"_PID"].concat(),
            pid.to_string().into_bytes(),
        )?;
        self.st.last_bg = Some(pid);
        let mut ended = HashMap::new();
        if let Stage::Status(s) = stage {
            ended.insert(pid, s);
        }
        let text = [b"coproc ", name.as_slice()].concat();
        self.add_job(Job {
            id: 0,
            pids: vec![pid],
            ended,
            text,
            noted: false,
            nohup: false,
            coproc: Some(name),
        });
        Ok(self.done(0))
    }
}
