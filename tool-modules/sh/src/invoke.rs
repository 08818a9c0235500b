//! The command line, and the loop that reads and runs.

use crate::fds;
use crate::opts;
use crate::os::{self, OpenHow};
use crate::parse::Parser;
use crate::shell::{Mode, Shell, Unwind};
use crate::strs::is_name;
use crate::vars::{EXPORT, Val, Var};
use std::rc::Rc;

const HELP: &str = "\
GNU bash, version 5.2.15(1)-release-(wasm32-unknown-wasi)
Usage:\tbash [GNU long option] [option] ...
\tbash [GNU long option] [option] script-file ...
GNU long options:
\t--debug
\t--help
\t--init-file
\t--login
\t--noediting
\t--noprofile
\t--norc
\t--posix
\t--rcfile
\t--verbose
\t--version
Shell options:
\t-ilrsD or -c command or -O shopt_option\t\t(invocation only)
\t-abefhkmnptuvxBCHP or -o option
This is hardshell's shell: bash's language inside a sandbox.
Type `bash -c help' for the builtin commands.
";

/// What the command line asks for.
#[derive(Default)]
struct Options {
    command: bool,
    stdin: bool,
    login: bool,
    interactive: bool,
    rcfile: Option<Vec<u8>>,
    norc: bool,
}

/// Runs the shell; its exit status.
pub fn main() -> i32 {
    let blob = os::blob();
    let mut sh = Shell::new();
    // A broken pipe ends the subshell that wrote, which may be a part of this process.
    let _ = os::sigaction(13, 2);
    if !blob.is_empty() {
        return sh.run_blob(&blob);
    }
    drop(blob);
    sh.st.fds = fds::inherited();
    sh.pid = os::getpid();
    let args = os::args();
    sh.import_environment();
    sh.begin(args)
}

impl Shell {
    fn import_environment(&mut self) {
        for pair in os::env() {
            let Some(eq) = pair.iter().position(|b| *b == b'=') else {
                continue;
            };
            let (name, value) = (
                pair.get(..eq).unwrap_or_default(),
                pair.get(eq + 1..).unwrap_or_default(),
            );
            if let Some(f) = name
                .strip_prefix(b"BASH_FUNC_")
                .and_then(|n| n.strip_suffix(b"%%"))
            {
                self.import_function(f, value);
                continue;
            }
            if !is_name(name) {
                continue;
            }
            if matches!(name, b"SHELLOPTS" | b"BASHOPTS") {
                self.import_options(name, value);
                continue;
            }
            if matches!(
                name,
                b"UID" | b"EUID" | b"PPID" | b"BASH_VERSINFO" | b"_" | b"OPTIND" | b"IFS" | b"PS4"
            ) && name != b"PS4"
            {
                continue;
            }
            let var = Var {
                val: Val::Str(Rc::new(value.to_vec())),
                attrs: EXPORT,
                bare: false,
            };
            self.put(name, var);
        }
        let plain = |s: &[u8]| Var::text(s.to_vec());
        if self.raw_var(b"PATH").is_none() {
            self.put(b"PATH", plain(crate::DEFAULT_PATH.as_bytes()));
        }
        self.put(b"IFS", plain(b" \t\n"));
        self.put(b"OPTIND", plain(b"1"));
        self.put(b"OPTERR", plain(b"1"));
        if self.raw_var(b"PS4").is_none() {
            self.put(b"PS4", plain(b"+ "));
        }
        let cwd = os::getcwd().unwrap_or_else(|_| b"/".to_vec());
        // A PWD that names this place by another way (through links) is kept.
        let pwd = self
            .get(b"PWD")
            .filter(|p| p.first() == Some(&b'/'))
            .map(|p| p.to_vec());
        let keep = pwd.as_ref().is_some_and(|p| {
            *p == cwd || matches!((os::stat(p), os::stat(&cwd)), (Ok(a), Ok(b)) if (a.dev, a.ino) == (b.dev, b.ino))
        });
        if !keep {
            self.put(
                b"PWD",
                Var {
                    val: Val::Str(Rc::new(cwd)),
                    attrs: EXPORT,
                    bare: false,
                },
            );
        }
        let old = self.get(b"OLDPWD");
        if !old.is_some_and(|o| os::stat(&o).is_ok_and(|s| s.is_dir())) {
            self.put(
                b"OLDPWD",
                Var {
                    val: Val::Unset,
                    attrs: EXPORT,
                    bare: false,
                },
            );
        }
        let level = self
            .get(b"SHLVL")
            .and_then(|t| crate::strs::parse_int(&t))
            .unwrap_or(0)
            .max(0)
            + 1;
        let level = if level >= 1000 { 1 } else { level };
        self.put(
            b"SHLVL",
            Var {
                val: Val::Str(Rc::new(level.to_string().into_bytes())),
                attrs: EXPORT,
                bare: false,
            },
        );
    }

    fn import_function(&mut self, name: &[u8], body: &[u8]) {
        if !body.starts_with(b"() {") {
            return;
        }
        let text = [name, b" ", body].concat();
        if let Ok(list) = Parser::new(&text, 1).all()
            && let [item] = list.0.as_slice()
            && let [cmd] = item.first.cmds.as_slice()
            && let crate::ast::Kind::Func(def) = &cmd.kind
        {
            *def.file.borrow_mut() = (*b"environment").into();
            Rc::make_mut(&mut self.st.funcs).insert(name.to_vec(), (def.clone(), EXPORT));
        }
    }

    fn import_options(&mut self, name: &[u8], value: &[u8]) {
        for o in value.split(|b| *b == b':') {
            if name == b"BASHOPTS" {
                if let Some(bit) = opts::shopt_bit(o) {
                    self.st.shopts |= bit;
                }
            } else if let Some((_, _, bit)) = opts::SET.iter().find(|(n, ..)| n.as_bytes() == o) {
                self.st.opts |= bit;
            }
        }
    }

    fn usage(&mut self, text: &[u8]) -> i32 {
        let mut m = self.st.arg0.to_vec();
        m.extend_from_slice(b": ");
        m.extend_from_slice(text);
        m.push(b'\n');
        self.write_err(&m);
        2
    }

    fn begin(&mut self, args: Vec<Vec<u8>>) -> i32 {
        let arg0 = args.first().cloned().unwrap_or_else(|| b"bash".to_vec());
        let base = arg0
            .rsplit(|b| *b == b'/')
            .next()
            .unwrap_or_default()
            .to_vec();
        let shown = if base.is_empty() {
            b"bash".to_vec()
        } else {
            arg0.clone()
        };
        self.st.arg0 = Rc::new(shown);
        self.st.last_arg = match os::env()
            .iter()
            .find_map(|e| e.strip_prefix(b"_=").map(<[u8]>::to_vec))
        {
            Some(path) => Rc::new(path),
            None => self.st.arg0.clone(),
        };
        let mut o = Options::default();
        if base.first() == Some(&b'-') {
            o.login = true;
        }
        let mut at = 1;
        while let Some(arg) = args.get(at) {
            if arg == b"--" || arg == b"-" {
                at += 1;
                break;
            }
            if let Some(long) = arg.strip_prefix(b"--") {
                at += 1;
                match long {
                    b"version" => {
                        let text = format!(
                            "GNU bash, version {} (wasm32-unknown-wasi)\nhardshell's shell: bash's language inside a sandbox.\n",
                            crate::VERSION
                        );
                        let _ = self.write_fd(1, text.as_bytes());
                        return 0;
                    }
                    b"help" => {
                        let _ = self.write_fd(1, HELP.as_bytes());
                        return 0;
                    }
                    b"norc" => o.norc = true,
                    b"noprofile" | b"noediting" | b"debug" | b"debugger" | b"restricted" => {}
                    b"login" => o.login = true,
                    b"posix" => self.st.opts |= opts::POSIX,
                    b"verbose" => self.st.opts |= opts::VERBOSE,
                    b"rcfile" | b"init-file" => {
                        o.rcfile = args.get(at).cloned();
                        at += 1;
                    }
                    _ => {
                        let text = [arg.as_slice(), b": invalid option"].concat();
                        self.usage(&text);
                        let _ = self.write_fd(2, HELP.as_bytes());
                        return 2;
                    }
                }
                continue;
            }
            let (sign, letters) = match arg.split_first() {
                Some((s @ (b'-' | b'+'), rest)) if !rest.is_empty() => (*s, rest),
                _ => break,
            };
            at += 1;
            for l in letters {
                let on = sign == b'-';
                match l {
                    b'c' if on => o.command = true,
                    b's' if on => o.stdin = true,
                    b'i' if on => o.interactive = true,
                    b'l' if on => o.login = true,
                    b'r' | b'D' => {}
                    b'o' => {
                        let Some(name) = args.get(at).cloned() else {
                            self.builtin = "set";
                            self.list_options(!on);
                            let _ = self.flush();
                            return 0;
                        };
                        at += 1;
                        match opts::SET.iter().find(|(n, ..)| n.as_bytes() == name) {
                            Some((_, _, bit)) if on => self.st.opts |= bit,
                            Some((_, _, bit)) => self.st.opts &= !bit,
                            None => {
                                return self
                                    .usage(&[name.as_slice(), b": invalid option name"].concat());
                            }
                        }
                    }
                    b'O' => {
                        let Some(name) = args.get(at).cloned() else {
                            continue;
                        };
                        at += 1;
                        match opts::shopt_bit(&name) {
                            Some(bit) if on => self.st.shopts |= bit,
                            Some(bit) => self.st.shopts &= !bit,
                            None => {
                                return self.usage(
                                    &[name.as_slice(), b": invalid shell option name"].concat(),
                                );
                            }
                        }
                    }
                    _ => match opts::SET.iter().find(|(_, c, _)| c == l && *c != 0) {
                        Some((_, _, bit)) if on => self.st.opts |= bit,
                        Some((_, _, bit)) => self.st.opts &= !bit,
                        None => {
                            let text =
                                [b"-", std::slice::from_ref(l), b": invalid option"].concat();
                            self.usage(&text);
                            let _ = self.write_fd(2, HELP.as_bytes());
                            return 2;
                        }
                    },
                }
            }
        }
        if o.login {
            self.st.shopts |= opts::LOGIN_SHELL;
        }
        let mut rest = args.get(at..).unwrap_or_default().to_vec();
        if o.command {
            if rest.is_empty() {
                return self.usage(b"-c: option requires an argument");
            }
            let text = rest.remove(0);
            if !rest.is_empty() {
                self.st.arg0 = Rc::new(rest.remove(0));
            }
            self.st.args = Rc::new(rest);
            self.main_args = self.st.args.clone();
            self.mode = Mode::Command;
            self.st.opts |= opts::COMMAND;
            if o.interactive {
                if let Some(status) = self.become_interactive(&o) {
                    return status;
                }
            } else {
                self.startup_file();
            }
            return self.run_string(&text);
        }
        if !rest.is_empty() && !o.stdin {
            let path = rest.remove(0);
            self.st.args = Rc::new(rest);
            self.main_args = self.st.args.clone();
            self.mode = Mode::Script;
            return self.run_file(&path);
        }
        self.st.args = Rc::new(rest);
        self.main_args = self.st.args.clone();
        self.mode = Mode::Stdin;
        self.st.opts |= opts::STDIN;
        if o.interactive || (os::isatty(0) && os::isatty(2)) {
            if let Some(status) = self.become_interactive(&o) {
                return status;
            }
        } else {
            self.startup_file();
        }
        self.run_stdin()
    }

    /// `$BASH_ENV`.
    fn startup_file(&mut self) {
        let Some(file) = self.get(b"BASH_ENV").filter(|t| !t.is_empty()) else {
            return;
        };
        if let Ok(text) = read_file(&file) {
            let _ = self.source(&file, &text, None);
        }
    }

    /// Sets up a prompt. `Some`: the start-up file ended the shell.
    fn become_interactive(&mut self, o: &Options) -> Option<i32> {
        self.st.opts |= opts::INTERACTIVE | opts::HISTORY;
        self.st.shopts |= opts::EXPAND_ALIASES;
        for (name, value) in [(&b"PS1"[..], &b"\\s-\\v\\$ "[..]), (b"PS2", b"> ")] {
            if self.raw_var(name).is_none() {
                self.put(name, Var::text(value.to_vec()));
            }
        }
        // Interrupts end what runs in the foreground, not the shell; children get the default.
        for sig in [2, 3, 15] {
            let _ = os::sigaction(sig, 2);
        }
        if let Some(rc) = &o.rcfile
            && !o.norc
            && let Ok(text) = read_file(rc)
            && let Err(Unwind::Exit | Unwind::ErrExit) = self.source(rc, &text, None)
        {
            self.unwind_frames();
            let status = self.st.status;
            return Some(self.finish(status));
        }
        None
    }

    /// The end of the shell: the EXIT trap. Returns the status.
    fn finish(&mut self, status: i32) -> i32 {
        let status = self.exit_trap(status);
        status & 0xff
    }

    /// What an unwinding at the top means: the status to end with, or go on.
    fn top(&mut self, u: Unwind) -> Option<i32> {
        self.no_errexit = 0;
        self.st.loops = 0;
        match u {
            Unwind::Exit | Unwind::ErrExit => Some(self.st.status),
            Unwind::Abort | Unwind::Break(_) | Unwind::Continue(_) | Unwind::Return => {
                self.unwind_frames();
                None
            }
        }
    }

    /// Puts back the locals of functions that were given up.
    fn unwind_frames(&mut self) {
        while let Some(f) = self.st.frames.pop() {
            self.restore(f.saved);
        }
        self.depth = 0;
        self.in_trap = 0;
    }

    fn run_string(&mut self, text: &[u8]) -> i32 {
        let mut p = self.parser(text, 1);
        let mut status = 0;
        loop {
            self.prepare(&mut p);
            let list = match p.next_command() {
                Ok(Some(l)) => l,
                Ok(None) => {
                    self.warn(&mut p);
                    break;
                }
                Err(e) => {
                    self.warn(&mut p);
                    self.line = e.line;
                    self.syntax_error(&e, Some("-c"));
                    return self.finish(2);
                }
            };
            self.warn(&mut p);
            let text = p.taken_text();
            self.remember(&text);
            match self.run_list(&list) {
                Ok(s) => status = s,
                Err(u) => match self.top(u) {
                    Some(s) => return self.finish(s),
                    None => status = self.st.status,
                },
            }
            if self.opt(opts::ONECMD) {
                break;
            }
        }
        self.finish(status)
    }

    /// Adds a command to the history, as `HISTCONTROL` wants.
    fn remember(&mut self, text: &[u8]) {
        if !self.opt(opts::HISTORY) {
            return;
        }
        let text = text.trim_ascii_end();
        if text.is_empty() {
            return;
        }
        let control = self.get_or_empty(b"HISTCONTROL");
        let has = |n: &[u8]| {
            control.split(|b| *b == b':').any(|c| {
                c == n || c == b"ignoreboth" && (n == b"ignorespace" || n == b"ignoredups")
            })
        };
        if has(b"ignorespace") && text.first() == Some(&b' ') {
            return;
        }
        if has(b"ignoredups") && self.st.history.last().is_some_and(|l| l == text) {
            return;
        }
        let text = text.to_vec();
        let history = Rc::make_mut(&mut self.st.history);
        if has(b"erasedups") {
            history.retain(|l| *l != text);
        }
        history.push(text);
    }

    fn run_file(&mut self, path: &[u8]) -> i32 {
        let fail = |sh: &mut Shell, e: os::Errno, path: &[u8]| {
            let text = [path, b": ", e.text().as_bytes()].concat();
            sh.usage(&text);
            if e == os::Errno::NOENT { 127 } else { 126 }
        };
        let mut found = path.to_vec();
        if !path.contains(&b'/') && os::stat(path).is_err() {
            match self.search_path(path, true).into_iter().next() {
                Some(p) => found = p,
                None => return fail(self, os::Errno::NOENT, path),
            }
        }
        if os::stat(&found).is_ok_and(|s| s.is_dir()) {
            let text = [path, b": Is a directory"].concat();
            self.usage(&text);
            return 126;
        }
        let text = match read_file(&found) {
            Ok(t) => t,
            Err(e) => return fail(self, e, path),
        };
        let head = text.get(..text.len().min(80)).unwrap_or_default();
        let line = head.split(|b| *b == b'\n').next().unwrap_or_default();
        if line.contains(&0) {
            let text = [path, b": cannot execute binary file"].concat();
            self.usage(&text);
            return 126;
        }
        self.st.arg0 = Rc::new(path.to_vec());
        self.startup_file();
        let mut p = self.parser(&text, 1);
        let mut status = 0;
        let mut shown = 0;
        loop {
            self.prepare(&mut p);
            if self.opt(opts::VERBOSE) {
                self.verbose(&text, p.offset(), &mut shown);
            }
            let list = match p.next_command() {
                Ok(Some(l)) => l,
                Ok(None) => {
                    self.warn(&mut p);
                    break;
                }
                Err(e) => {
                    self.warn(&mut p);
                    self.syntax_error(&e, None);
                    return self.finish(2);
                }
            };
            self.warn(&mut p);
            match self.run_list(&list) {
                Ok(s) => status = s,
                Err(u) => match self.top(u) {
                    Some(s) => return self.finish(s),
                    None => status = self.st.status,
                },
            }
            if self.opt(opts::ONECMD) {
                break;
            }
        }
        self.finish(status)
    }

    /// `set -v`: the lines that are about to be read. What was read before is not shown.
    fn verbose(&mut self, text: &[u8], from: usize, shown: &mut usize) {
        let start = (*shown).max(from);
        let rest = text.get(start..).unwrap_or_default();
        let end = rest
            .iter()
            .position(|b| *b == b'\n')
            .map_or(rest.len(), |i| i + 1);
        let line = rest.get(..end).unwrap_or_default().to_vec();
        self.write_err(&line);
        *shown = start + end;
    }

    /// Commands from standard input, line by line: what a command reads itself is not taken away.
    fn run_stdin(&mut self) -> i32 {
        let interactive = self.opt(opts::INTERACTIVE);
        let seekable = os::seek_by(0, 0).is_ok();
        let shared = Rc::new(std::cell::RefCell::new((
            Vec::<u8>::new(),
            b"> ".to_vec(),
            self.opt(opts::VERBOSE),
        )));
        let source = Rc::new(std::cell::Cell::new(Some(0)));
        let from = source.clone();
        let prompts = shared.clone();
        let mut more = move || {
            if interactive {
                let mut s = prompts.borrow_mut();
                let prompt = std::mem::take(&mut s.0);
                let text = if prompt.is_empty() {
                    s.1.clone()
                } else {
                    prompt
                };
                let _ = crate::shell::write_all(2, &text);
            }
            let fd = from.get()?;
            let line = next_line(
                fd,
                if fd == 0 {
                    seekable
                } else {
                    os::seek_by(fd, 0).is_ok()
                },
            );
            if prompts.borrow().2
                && let Some(l) = &line
            {
                let _ = crate::shell::write_all(2, l);
            }
            line
        };
        let mut p = Parser::from_lines(&mut more, 1);
        let mut status = 0;
        loop {
            self.prepare(&mut p);
            if interactive {
                self.poll_jobs();
                let ps1 = self.get_or_empty(b"PS1");
                if let Some(c) = self.get(b"PROMPT_COMMAND") {
                    let _ = self.eval_text(&c, None);
                }
                let ps1 = self.prompt(&ps1);
                let ps2 = self.get_or_empty(b"PS2");
                let ps2 = self.prompt(&ps2);
                let mut s = shared.borrow_mut();
                s.0 = ps1;
                s.1 = ps2;
            }
            shared.borrow_mut().2 = self.opt(opts::VERBOSE);
            source.set(self.kernel_fd(0));
            let list = match p.next_command() {
                Ok(Some(l)) => l,
                Ok(None) => {
                    self.warn(&mut p);
                    break;
                }
                Err(e) => {
                    self.warn(&mut p);
                    self.syntax_error(&e, None);
                    self.st.status = 2;
                    status = 2;
                    if interactive && !e.at_end {
                        p.skip_line();
                        continue;
                    }
                    return self.finish(2);
                }
            };
            self.warn(&mut p);
            let text = p.taken_text();
            self.remember(&text);
            match self.run_list(&list) {
                Ok(s) => status = s,
                Err(u) => match self.top(u) {
                    Some(s) => return self.finish(s),
                    None => status = self.st.status,
                },
            }
            if self.opt(opts::ONECMD) {
                break;
            }
        }
        if interactive {
            self.write_err(b"exit\n");
        }
        self.finish(status)
    }
}

/// A line of standard input. A file is read in blocks, and what lies past the line is given back.
fn next_line(fd: u32, seekable: bool) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    if seekable {
        let mut buf = [0u8; 512];
        loop {
            let n = os::read(fd, &mut buf).unwrap_or(0);
            let got = buf.get(..n).unwrap_or_default();
            if n == 0 {
                break;
            }
            if let Some(i) = got.iter().position(|b| *b == b'\n') {
                line.extend_from_slice(got.get(..=i).unwrap_or_default());
                let extra = n - i - 1;
                if extra > 0 {
                    let _ = os::seek_by(fd, -(extra as i64));
                }
                break;
            }
            line.extend_from_slice(got);
        }
    } else {
        let mut byte = [0u8; 1];
        loop {
            match os::read(fd, &mut byte) {
                Ok(0) => break,
                Ok(_) => {
                    let [b] = byte;
                    line.push(b);
                    if b == b'\n' {
                        break;
                    }
                }
                Err(os::Errno::INTR) => while os::sigtake().is_some() {},
                Err(_) => break,
            }
        }
    }
    if line.is_empty() { None } else { Some(line) }
}

/// The whole of a file.
pub(crate) fn read_file(path: &[u8]) -> os::Res<Vec<u8>> {
    let fd = os::open(
        path,
        OpenHow {
            read: true,
            ..OpenHow::default()
        },
        0,
    )?;
    let size = os::fstat(fd).map_or(0, |s| s.size).min(64 << 20) as usize;
    let mut out = vec![0u8; size + 1];
    let mut len = 0;
    let result = loop {
        if len == out.len() {
            out.resize(len * 2 + 4096, 0);
        }
        match os::read(fd, out.get_mut(len..).unwrap_or_default()) {
            Ok(0) => break Ok(()),
            Ok(n) => len += n,
            Err(os::Errno::INTR) => {}
            Err(e) => break Err(e),
        }
    };
    os::close(fd);
    out.truncate(len);
    result.map(|()| out)
}
