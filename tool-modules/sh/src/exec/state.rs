//! The state of a subshell that runs in a process of its own, as its parent hands it over.

use crate::ast::{Command, FuncDef, List};
use crate::fds::{Kernel, Table, Target};
use crate::os;
use crate::shell::{Ex, Frame, Mode, Shell};
use crate::vars::Var;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::rc::Rc;

/// What the process is to do.
#[derive(Serialize, Deserialize)]
pub(crate) enum Work {
    /// Run a command.
    Command(Command),
    /// Run a list.
    List(Rc<List>),
    /// Write bytes and end with a status.
    Write(Vec<u8>, i32),
}

#[derive(Serialize, Deserialize)]
struct FrameState {
    name: Vec<u8>,
    source: Vec<u8>,
    line: u32,
    sourced: bool,
}

#[derive(Serialize, Deserialize, Default)]
struct Portable {
    vars: Vec<(Vec<u8>, Var)>,
    funcs: Vec<(Vec<u8>, Rc<FuncDef>, u16)>,
    aliases: Vec<(Vec<u8>, Vec<u8>)>,
    opts: u64,
    shopts: u64,
    traps: BTreeMap<u32, Vec<u8>>,
    args: Vec<Vec<u8>>,
    arg0: Vec<u8>,
    fds: Vec<u32>,
    frames: Vec<FrameState>,
    status: i32,
    last_bg: Option<u32>,
    last_arg: Vec<u8>,
    dirs: Vec<Vec<u8>>,
    random: u32,
    seconds_base: u64,
    started_ns: u64,
    level: u32,
    hash: Vec<(Vec<u8>, Vec<u8>)>,
    disabled: Vec<Vec<u8>>,
    pid: u32,
    mode: u8,
    line: u32,
    no_errexit: u32,
    pipestatus: Vec<i32>,
}

#[derive(Serialize, Deserialize)]
struct Blob {
    state: Portable,
    work: Work,
}

/// A process that only writes.
pub(crate) fn writer_blob(text: Vec<u8>, status: i32) -> Vec<u8> {
    let state = Portable {
        fds: vec![0, 1, 2],
        ..Portable::default()
    };
    postcard::to_stdvec(&Blob {
        state,
        work: Work::Write(text, status),
    })
    .unwrap_or_default()
}

impl Shell {
    /// The state and the work, for a new process.
    pub(crate) fn blob(&mut self, work: Work) -> Option<Vec<u8>> {
        let st = &self.st;
        let state = Portable {
            vars: st
                .vars
                .iter()
                .map(|(k, v)| (k.to_vec(), v.clone()))
                .collect(),
            funcs: st
                .funcs
                .iter()
                .map(|(k, (d, a))| (k.clone(), d.clone(), *a))
                .collect(),
            aliases: st
                .aliases
                .iter()
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect(),
            opts: st.opts,
            shopts: st.shopts,
            traps: (*st.traps).clone(),
            args: (*st.args).clone(),
            arg0: st.arg0.to_vec(),
            fds: st.fds.entries().iter().map(|e| e.n).collect(),
            frames: st
                .frames
                .iter()
                .map(|f| FrameState {
                    name: f.name.to_vec(),
                    source: f.source.to_vec(),
                    line: f.line,
                    sourced: f.sourced,
                })
                .collect(),
            status: st.status,
            last_bg: st.last_bg,
            last_arg: st.last_arg.to_vec(),
            dirs: (*st.dirs).clone(),
            random: st.random,
            seconds_base: st.seconds_base,
            started_ns: self.started_ns,
            level: st.level,
            hash: st
                .hash
                .iter()
                .map(|(k, (p, _))| (k.clone(), p.clone()))
                .collect(),
            disabled: (*st.disabled).clone(),
            pid: self.pid,
            mode: match self.mode {
                Mode::Command => 0,
                Mode::Script => 1,
                Mode::Stdin => 2,
            },
            line: self.line,
            no_errexit: self.no_errexit,
            pipestatus: self.pipestatus.clone(),
        };
        postcard::to_stdvec(&Blob { state, work }).ok()
    }

    /// Becomes the subshell that a blob describes and runs it; the exit status.
    pub fn run_blob(&mut self, bytes: &[u8]) -> i32 {
        let Ok(blob) = postcard::from_bytes::<Blob>(bytes) else {
            self.write_err(b"bash: the start-up state cannot be read\n");
            return 126;
        };
        let s = blob.state;
        self.child = true;
        let mut fds = Table::default();
        for n in &s.fds {
            fds.set(
                *n,
                Some(Target::Kernel(Rc::new(Kernel(os::inherited(*n), true)))),
            );
        }
        self.st.fds = fds;
        if let Work::Write(text, status) = &blob.work {
            return match self.write_fd(1, text) {
                Ok(()) => *status,
                Err(_) => 141,
            };
        }
        let st = &mut self.st;
        st.vars = Rc::new(s.vars.into_iter().map(|(k, v)| (k.into(), v)).collect());
        st.funcs = Rc::new(s.funcs.into_iter().map(|(k, d, a)| (k, (d, a))).collect());
        st.aliases = Rc::new(s.aliases.into_iter().collect());
        st.opts = s.opts;
        st.shopts = s.shopts;
        st.traps = Rc::new(s.traps);
        st.args = Rc::new(s.args);
        st.arg0 = Rc::new(s.arg0);
        st.frames = s
            .frames
            .into_iter()
            .map(|f| Frame {
                name: f.name.into(),
                source: f.source.into(),
                line: f.line,
                sourced: f.sourced,
                saved: Vec::new(),
                args: Rc::default(),
                opts: None,
            })
            .collect();
        st.status = s.status;
        st.last_bg = s.last_bg;
        st.last_arg = Rc::new(s.last_arg);
        st.dirs = Rc::new(s.dirs);
        // Each process has numbers of its own, as after a fork.
        st.random = if s.random == 0 {
            0
        } else {
            s.random ^ os::getpid().wrapping_mul(0x9e37_79b9)
        };
        st.seconds_base = s.seconds_base;
        self.started_ns = s.started_ns;
        st.level = s.level;
        st.hash = Rc::new(s.hash.into_iter().map(|(k, p)| (k, (p, 0))).collect());
        st.disabled = Rc::new(s.disabled);
        self.pid = s.pid;
        self.mode = match s.mode {
            0 => Mode::Command,
            1 => Mode::Script,
            _ => Mode::Stdin,
        };
        self.line = s.line;
        self.no_errexit = s.no_errexit;
        self.pipestatus = s.pipestatus;
        self.enter_subshell();
        // A signal that the parent ignored stays ignored; the kernel handed that on already.
        let result: Ex = match blob.work {
            Work::Command(cmd) => self.run_stage(&cmd),
            Work::List(list) => self.run_list(&list),
            Work::Write(..) => Ok(0),
        };
        let status = self.subshell_status(result);
        self.exit_trap(status)
    }

    /// The command of a stage: for `( … )` the stage already is the subshell, and a plain
    /// command does not count as one for `BASH_SUBSHELL`.
    pub(crate) fn run_stage(&mut self, cmd: &Command) -> Ex {
        if let crate::ast::Kind::Subshell(list) = &cmd.kind {
            if !cmd.redirs.is_empty() && !self.redirect(&cmd.redirs, &mut Vec::new())? {
                return Ok(1);
            }
            return self.run_list(list);
        }
        if let crate::ast::Kind::Simple(_) = &cmd.kind {
            self.st.level = self.st.level.saturating_sub(1);
        }
        let p = crate::ast::Pipeline {
            negate: false,
            timed: None,
            cmds: vec![cmd.clone()],
        };
        self.run_pipeline(&p)
    }
}
