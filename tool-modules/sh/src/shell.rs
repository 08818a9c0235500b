//! The interpreter's state.

use crate::ast::FuncDef;
use crate::fds::{Capture, Kernel, Table, Target};
use crate::opts;
use crate::os;
use crate::vars::{NameMap, Saved, Var};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

/// Why execution does not simply go on. The status is in [`State::status`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unwind {
    /// `break n`
    Break(u32),
    /// `continue n`
    Continue(u32),
    /// `return`
    Return,
    /// `exit`
    Exit,
    /// An error that gives up the current top-level command.
    Abort,
    /// `set -e` struck.
    ErrExit,
}

/// Result of running something: its status.
pub type Ex = Result<i32, Unwind>;

/// A function call (or a sourced file) on the stack.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The function's name, or `source`.
    pub name: Rc<[u8]>,
    /// The file it came from.
    pub source: Rc<[u8]>,
    /// The line it was called on.
    pub line: u32,
    /// A sourced file: has no variables of its own.
    pub sourced: bool,
    /// What its locals hide.
    pub saved: Saved,
    /// Its arguments, for `BASH_ARGV` with `extdebug`.
    pub args: Rc<Vec<Vec<u8>>>,
    /// `local -`: the options to put back.
    pub opts: Option<u64>,
}

/// A background job.
#[derive(Debug, Clone)]
pub struct Job {
    /// `%n`
    pub id: u32,
    /// Its processes.
    pub pids: Vec<u32>,
    /// Statuses of those that ended.
    pub ended: HashMap<u32, i32>,
    /// Its text.
    pub text: Vec<u8>,
    /// Reported to the user.
    pub noted: bool,
    /// Marked by `disown -h`.
    pub nohup: bool,
    /// A coprocess's name.
    pub coproc: Option<Vec<u8>>,
}

impl Job {
    /// Its status, when all its processes have ended.
    pub fn status(&self) -> Option<i32> {
        if self.pids.iter().all(|p| self.ended.contains_key(p)) {
            self.pids.last().and_then(|p| self.ended.get(p)).copied()
        } else {
            None
        }
    }
}

/// What a trap does.
pub type Traps = BTreeMap<u32, Vec<u8>>;
/// Trap numbers past the signals.
pub const TRAP_EXIT: u32 = 0;
/// `DEBUG`
pub const TRAP_DEBUG: u32 = 65;
/// `ERR`
pub const TRAP_ERR: u32 = 66;
/// `RETURN`
pub const TRAP_RETURN: u32 = 67;

/// Everything that a subshell gets a copy of. Cloning is cheap: the large parts are shared
/// until one side writes.
#[derive(Clone)]
pub struct State {
    /// Variables.
    pub vars: Rc<NameMap<Var>>,
    /// Functions.
    pub funcs: Rc<HashMap<Vec<u8>, (Rc<FuncDef>, u16)>>,
    /// Aliases.
    pub aliases: Rc<HashMap<Vec<u8>, Vec<u8>>>,
    /// `set` options.
    pub opts: u64,
    /// `shopt` options.
    pub shopts: u64,
    /// Traps.
    pub traps: Rc<Traps>,
    /// Traps that `trap` still prints in a subshell although they no longer act.
    pub old_traps: Option<Rc<Traps>>,
    /// `$1`…
    pub args: Rc<Vec<Vec<u8>>>,
    /// `$0`
    pub arg0: Rc<Vec<u8>>,
    /// Descriptors.
    pub fds: Table,
    /// Call stack.
    pub frames: Vec<Frame>,
    /// `$?`
    pub status: i32,
    /// `$!`
    pub last_bg: Option<u32>,
    /// `$_`
    pub last_arg: Rc<Vec<u8>>,
    /// The logical working directory, whatever `PWD` says.
    pub cwd: Option<Rc<Vec<u8>>>,
    /// The directory stack below the current directory.
    pub dirs: Rc<Vec<Vec<u8>>>,
    /// State of `$RANDOM`.
    pub random: u32,
    /// When `SECONDS` was 0, nanoseconds.
    pub seconds_base: u64,
    /// `BASH_SUBSHELL`
    pub level: u32,
    /// Loops around the current command.
    pub loops: u32,
    /// Position inside a clustered option of `getopts`.
    pub getopts_at: usize,
    /// `OPTIND` as `getopts` left it.
    pub getopts_index: i64,
    /// Jobs.
    pub jobs: Rc<Vec<Job>>,
    /// They are the parent shell's: only to be looked at.
    pub foreign_jobs: bool,
    /// Remembered commands: (path, hits).
    pub hash: Rc<BTreeMap<Vec<u8>, (Vec<u8>, u32)>>,
    /// Builtins switched off.
    pub disabled: Rc<Vec<Vec<u8>>>,
    /// `BASHPID` if not the process's own.
    pub fake_pid: Option<u32>,
    /// Completion specifications, kept to be shown again.
    pub completions: Rc<BTreeMap<Vec<u8>, Vec<u8>>>,
    /// History.
    pub history: Rc<Vec<Vec<u8>>>,
    /// Descriptors opened by `{var}` or process substitution for the current command.
    pub procsubs: Vec<u32>,
    /// The text of the command being run, for `BASH_COMMAND`.
    pub command: Option<Rc<crate::ast::Command>>,
}

/// The shell.
pub struct Shell {
    /// What subshells copy.
    pub st: State,
    /// Line being run.
    pub line: u32,
    /// How the script was given, for error messages.
    pub mode: Mode,
    /// Inside a condition, where `set -e` and `ERR` are off.
    pub no_errexit: u32,
    /// Depth of function calls.
    pub depth: u32,
    /// In place of `$$`.
    pub pid: u32,
    /// Environment as last built for a child.
    pub env_cache: Option<Rc<Vec<Vec<u8>>>>,
    /// Output of the builtin that is running.
    pub out: Vec<u8>,
    /// A command substitution ran: the status of an assignment is its.
    pub subst_status: Option<i32>,
    /// Running a trap, so that it does not interrupt itself.
    pub in_trap: u32,
    /// Signals that were caught and wait.
    pub pending: Vec<u32>,
    /// Processes of process substitutions that are not waited for yet.
    pub strays: Vec<u32>,
    /// Number for the next in-place subshell.
    pub next_fake_pid: u32,
    /// Statuses of children that ended while waiting for others.
    pub reaped: HashMap<u32, i32>,
    /// How much of the host's stack the commands being run take, in bytes, as estimated.
    pub nest: usize,
    /// Where the stack began, to know how much is used.
    pub stack_base: usize,
    /// Compiled regular expressions.
    pub regexes: HashMap<Vec<u8>, Rc<regex::bytes::Regex>>,
    /// This process is a subshell of its own.
    pub child: bool,
    /// Parsed texts of traps, `eval` and prompts.
    pub parsed: HashMap<Vec<u8>, (u32, Rc<crate::ast::List>)>,
    /// The builtin being run, for its error messages.
    pub builtin: &'static str,
    /// When this shell started, nanoseconds since 1970.
    pub started_ns: u64,
    /// How a failed arithmetic expansion unwinds, if not by giving up the command.
    pub arith_unwind: Option<Unwind>,
    /// Some signal has a trap: the kernel must be asked.
    pub catching: bool,
    /// In a trap: the depth of calls at which `LINENO` stays that of the command before it.
    pub frozen: Option<usize>,
    /// The arguments of the script itself.
    pub main_args: Rc<Vec<Vec<u8>>>,
    /// How the last trap ended.
    pub trap_status: i32,
    /// `PIPESTATUS`
    pub pipestatus: Vec<i32>,
    /// The redirections of a compound command failed.
    pub redirect_failed: bool,
    /// How deep the call was in which ERR was set.
    pub err_frame: Option<usize>,
    /// `exec` without a command: its redirections stay.
    pub exec_redirects: bool,
    /// Arguments of a declaration that are `name=( … )`, by position.
    pub array_args: Vec<(usize, Box<crate::ast::Assign>)>,
    /// Descriptors that `{var}>` opened for the current command.
    pub new_fds: Vec<u32>,
    /// Descriptors that `{var}>&-` closed.
    pub closed_fds: Vec<u32>,
    /// How the last foreground process was ended by a signal.
    pub last_death: Option<&'static str>,
    /// Counts changes of the working directory.
    pub moves: u64,
    /// The mask before this subshell changed it.
    pub mask_changed: Option<u32>,
    /// Nesting of command substitutions and `eval`, for `set -x`.
    pub trace_level: u32,
    /// The script uses `BASH_COMMAND`.
    pub keep_command: bool,
}

/// How the script was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// `-c`
    Command,
    /// A file.
    Script,
    /// Standard input.
    Stdin,
}

impl Shell {
    /// A shell with nothing in it.
    pub fn new() -> Shell {
        let st = State {
            vars: Rc::default(),
            funcs: Rc::default(),
            aliases: Rc::default(),
            opts: opts::BRACEEXPAND | opts::HASHALL | opts::COMMENTS,
            shopts: opts::shopt_start(),
            traps: Rc::default(),
            old_traps: None,
            args: Rc::default(),
            arg0: Rc::new(b"bash".to_vec()),
            fds: Table::default(),
            frames: Vec::new(),
            status: 0,
            last_bg: None,
            last_arg: Rc::default(),
            cwd: None,
            dirs: Rc::default(),
            random: 0,
            seconds_base: 0,
            level: 0,
            loops: 0,
            getopts_at: 0,
            getopts_index: 1,
            jobs: Rc::default(),
            foreign_jobs: false,
            hash: Rc::default(),
            disabled: Rc::default(),
            fake_pid: None,
            completions: Rc::default(),
            history: Rc::default(),
            procsubs: Vec::new(),
            command: None,
        };
        Shell {
            st,
            line: 0,
            mode: Mode::Command,
            no_errexit: 0,
            depth: 0,
            pid: 0,
            env_cache: None,
            out: Vec::new(),
            subst_status: None,
            in_trap: 0,
            pending: Vec::new(),
            strays: Vec::new(),
            next_fake_pid: 1_000_000,
            reaped: HashMap::new(),
            nest: 0,
            stack_base: stack_here(),
            regexes: HashMap::new(),
            child: false,
            parsed: HashMap::new(),
            builtin: "",
            started_ns: os::now_ns(),
            arith_unwind: None,
            catching: false,
            frozen: None,
            main_args: Rc::default(),
            trap_status: 0,
            pipestatus: vec![0],
            redirect_failed: false,
            err_frame: None,
            exec_redirects: false,
            array_args: Vec::new(),
            new_fds: Vec::new(),
            closed_fds: Vec::new(),
            last_death: None,
            moves: 0,
            mask_changed: None,
            trace_level: 0,
            keep_command: false,
        }
    }

    /// A command on this line is about to run.
    pub fn at_line(&mut self, line: u32) {
        if self.frozen != Some(self.st.frames.len()) {
            self.line = line;
        }
    }

    /// Is the `set` option on?
    pub fn opt(&self, bit: u64) -> bool {
        self.st.opts & bit != 0
    }

    /// Is the `shopt` option on?
    pub fn shopt(&self, bit: u64) -> bool {
        self.st.shopts & bit != 0
    }

    /// The name that error messages begin with.
    pub fn error_name(&self) -> Vec<u8> {
        if let Some(f) = self.st.frames.last()
            && !f.source.is_empty()
        {
            return f.source.to_vec();
        }
        self.st.arg0.to_vec()
    }

    /// Prints `name: line N: message` on standard error.
    pub fn error(&mut self, message: impl AsRef<[u8]>) {
        let mut text = self.error_name();
        if !self.opt(opts::INTERACTIVE) {
            text.extend_from_slice(format!(": line {}", self.line).as_bytes());
        }
        text.extend_from_slice(b": ");
        text.extend_from_slice(message.as_ref());
        text.push(b'\n');
        self.write_err(&text);
    }

    /// The same for a builtin: its name comes first.
    pub fn berr(&mut self, message: impl AsRef<[u8]>) {
        let mut text = self.builtin.as_bytes().to_vec();
        text.extend_from_slice(b": ");
        text.extend_from_slice(message.as_ref());
        self.error(text);
    }

    /// Writes to standard error, whatever it is now.
    pub fn write_err(&mut self, text: &[u8]) {
        let _ = self.write_fd(2, text);
    }

    /// Writes to one of the shell's descriptors.
    pub fn write_fd(&mut self, n: u32, text: &[u8]) -> os::Res<()> {
        match self.st.fds.get(n) {
            None => Err(os::Errno::BADF),
            Some(Target::Capture(c)) => {
                c.data.borrow_mut().extend_from_slice(text);
                Ok(())
            }
            Some(Target::Kernel(k)) => write_all(k.0, text),
        }
    }

    /// The kernel's number of one of the shell's descriptors, if it has one.
    pub fn kernel_fd(&self, n: u32) -> Option<u32> {
        match self.st.fds.get(n) {
            Some(Target::Kernel(k)) => Some(k.0),
            _ => None,
        }
    }

    /// Adds to the output of the builtin that is running.
    pub fn say(&mut self, text: impl AsRef<[u8]>) {
        self.out.extend_from_slice(text.as_ref());
    }

    /// Writes what the builtin said. True if it could not.
    pub fn flush(&mut self) -> Result<bool, Unwind> {
        if self.out.is_empty() {
            return Ok(false);
        }
        let text = std::mem::take(&mut self.out);
        let result = self.write_fd(1, &text);
        self.out = text;
        self.out.clear();
        match result {
            Ok(()) => Ok(false),
            Err(os::Errno::PIPE) if !self.ignores(13) => {
                // As if SIGPIPE had ended the process that this (sub)shell is.
                self.st.status = 141;
                if self.st.fake_pid.is_none() && !self.child {
                    os::die_by(13);
                }
                Err(Unwind::Exit)
            }
            Err(e) => {
                self.berr(format!("write error: {e}"));
                Ok(true)
            }
        }
    }

    /// Is the signal ignored by a trap?
    pub fn ignores(&self, sig: u32) -> bool {
        self.st.traps.get(&sig).is_some_and(Vec::is_empty)
    }

    /// A fresh entry for a kernel descriptor that is ours.
    pub fn own(fd: u32) -> Target {
        Target::Kernel(Rc::new(Kernel(fd, true)))
    }

    /// A fresh capture.
    pub fn capture() -> Rc<Capture> {
        Rc::new(Capture::default())
    }

    /// Whether the stack is nearly used up.
    pub fn stack_low(&self) -> bool {
        self.nest > STACK_LIMIT || self.stack_base.abs_diff(stack_here()) > SHADOW_LIMIT
    }
}

impl Default for Shell {
    fn default() -> Self {
        Self::new()
    }
}

/// What the executor may use of the host's stack, which it cannot see: it counts what it nests
/// by the bytes that each level was measured to take. The kernel gives 2 MiB.
const STACK_LIMIT: usize = 1_850_000;
/// Bytes of the host's stack for a compound command, a subshell, an `eval`.
pub const NEST_COMPOUND: usize = 2_300;
/// The same for the call of a function.
pub const NEST_CALL: usize = 900;
/// What may be used of the program's own stack, where larger values lie.
const SHADOW_LIMIT: usize = 6 << 20;

#[inline(never)]
fn stack_here() -> usize {
    let probe = 0u8;
    std::hint::black_box(&raw const probe as usize)
}

/// Writes all.
pub fn write_all(fd: u32, mut text: &[u8]) -> os::Res<()> {
    while !text.is_empty() {
        match os::write(fd, text) {
            Ok(n) => text = text.get(n..).unwrap_or_default(),
            Err(os::Errno::INTR) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
