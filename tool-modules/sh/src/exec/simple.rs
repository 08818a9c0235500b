//! Simple commands.

use super::lookup::Found;
use crate::access::Kind;
use crate::ast::{Assign, AssignValue, Command, Elem, Simple};
use crate::builtins;
use crate::opts;
use crate::os;
use crate::shell::{Ex, Shell, Unwind};
use crate::vars::{Assoc, EXPORT, Val, Var};
use std::collections::BTreeMap;
use std::rc::Rc;

impl Shell {
    pub(super) fn run_simple(&mut self, cmd: &Command, s: &Simple) -> Ex {
        self.at_line(cmd.line);
        if self.wants_debug() {
            if self.debug_trap(cmd)? {
                return Ok(self.st.status);
            }
        } else {
            self.note_command(cmd);
        }
        let result = self.run_simple_inner(cmd, s);
        if !self.strays.is_empty() {
            self.reap_strays();
        }
        result
    }

    fn run_simple_inner(&mut self, cmd: &Command, s: &Simple) -> Ex {
        self.subst_status = None;
        let procs = self.st.procsubs.len();
        let args = match self.expand_command_words(s) {
            Ok(a) => a,
            Err(u) => {
                self.close_procsubs(procs);
                return Err(u);
            }
        };
        if args.is_empty() {
            let r = self.run_assignments(cmd, s);
            self.close_procsubs(procs);
            return r;
        }
        let saved = if cmd.redirs.is_empty() {
            None
        } else {
            Some(self.st.fds.clone())
        };
        if self.opt(opts::XTRACE) {
            self.trace_command(&s.assigns, &args)?;
        }
        if !cmd.redirs.is_empty() {
            match self.redirect(&cmd.redirs, &mut Vec::new()) {
                Ok(true) => {}
                Ok(false) => {
                    if let Some(f) = saved {
                        self.st.fds = f;
                    }
                    let special = args.first().is_some_and(|n| builtins::is_special(n))
                        && self.opt(opts::POSIX);
                    self.done(1);
                    return if special { Err(Unwind::Exit) } else { Ok(1) };
                }
                Err(u) => {
                    if let Some(f) = saved {
                        self.st.fds = f;
                    }
                    // A program performs its redirections itself: an error there is its own.
                    let program = args.first().is_some_and(|n| {
                        !self.st.funcs.contains_key(n.as_slice()) && self.builtin(n).is_none()
                    });
                    if program && matches!(u, Unwind::Exit | Unwind::Abort) {
                        return Ok(self.done(1));
                    }
                    return Err(u);
                }
            }
        }
        let result = self.run_args(cmd, s, args);
        if let Some(f) = saved {
            if std::mem::take(&mut self.exec_redirects) {
                // `exec` with redirections only: they stay.
            } else {
                self.st.fds = self.keep_new_fds(f, &cmd.redirs);
            }
        }
        self.close_procsubs(procs);
        result
    }

    /// The words of a command; arguments of declarations keep their shape.
    pub(crate) fn expand_command_words(&mut self, s: &Simple) -> Result<Vec<Vec<u8>>, Unwind> {
        let declaration = s.words.iter().any(|w| w.assign.is_some()) && self.is_declaration(s);
        if !declaration {
            return self.expand_args(&s.words);
        }
        let mut out = Vec::with_capacity(s.words.len());
        let mut pending = Vec::new();
        for w in &s.words {
            match &w.assign {
                None => out.extend(self.expand_args(std::slice::from_ref(w))?),
                Some(a) => {
                    // `declare a=(…)`: the builtin takes the elements from the tree.
                    match &a.value {
                        AssignValue::Word(v) => {
                            let mut text = a.name.to_vec();
                            if let Some(sub) = &a.sub {
                                text.push(b'[');
                                text.extend(self.expand_subscript(sub)?);
                                text.push(b']');
                            }
                            text.extend_from_slice(if a.append { b"+=" } else { b"=" });
                            text.extend(self.expand_single(v)?);
                            out.push(text);
                        }
                        AssignValue::Array(_) => {
                            pending.push((out.len(), a.clone()));
                            out.push(
                                [&*a.name, if a.append { &b"+=("[..] } else { &b"=("[..] }]
                                    .concat(),
                            );
                        }
                    }
                }
            }
        }
        self.array_args = pending;
        Ok(out)
    }

    fn is_declaration(&self, s: &Simple) -> bool {
        s.words
            .iter()
            .find_map(|w| match w.as_lit() {
                Some(b"command" | b"builtin") => None,
                other => Some(other),
            })
            .flatten()
            .is_some_and(|w| {
                matches!(
                    w,
                    b"declare" | b"typeset" | b"local" | b"export" | b"readonly" | b"alias"
                )
            })
    }

    /// A command of assignments and redirections only.
    fn run_assignments(&mut self, cmd: &Command, s: &Simple) -> Ex {
        if !cmd.redirs.is_empty() {
            let saved = self.st.fds.clone();
            let ok = self.redirect(&cmd.redirs, &mut Vec::new());
            self.st.fds = self.keep_new_fds(saved, &cmd.redirs);
            if !ok? {
                return Ok(self.done(1));
            }
        }
        for a in &s.assigns {
            self.run_assign(a, true)?
        }
        let status = self.subst_status.take().unwrap_or(0);
        if !s.assigns.is_empty() && !self.st.last_arg.is_empty() {
            self.st.last_arg = Rc::default();
        }
        Ok(self.done(status))
    }

    /// Performs an assignment.
    pub(crate) fn run_assign(&mut self, a: &Assign, trace: bool) -> Result<(), Unwind> {
        match &a.value {
            AssignValue::Word(w) => {
                let sub = match &a.sub {
                    Some(sub) => Some(self.expand_subscript(sub)?),
                    None => None,
                };
                let value = self.expand_single(w)?;
                if trace && self.opt(opts::XTRACE) {
                    self.trace_assign(a, sub.as_deref(), &value)?;
                }
                match sub {
                    Some(sub) => self.assign_elem(&a.name, &sub, value, a.append),
                    None => self.assign(&a.name, value, a.append),
                }
            }
            AssignValue::Array(elems) => {
                if trace && self.opt(opts::XTRACE) {
                    self.trace_array(a)?;
                }
                if a.sub.is_some() {
                    self.error([&*a.name, b": cannot assign list to array member"].concat());
                    return Err(self.abort(1));
                }
                let kind = self.array_kind(&a.name);
                self.assign_array(&a.name, elems, a.append, kind == Kind::Assoc)
            }
        }
    }

    /// `name=( … )`.
    pub(crate) fn assign_array(
        &mut self,
        name: &[u8],
        elems: &[Elem],
        append: bool,
        assoc: bool,
    ) -> Result<(), Unwind> {
        let Some(target) = self.resolve(name) else {
            return Ok(());
        };
        if crate::access::split_subscript(&target).is_some() {
            self.error([b"`", target.as_slice(), b"': not a valid identifier"].concat());
            return Err(self.abort(1));
        }
        // Expanded first: the old elements may be used.
        let mut items: Vec<(Option<Vec<u8>>, Vec<u8>, bool)> = Vec::with_capacity(elems.len());
        for e in elems {
            match &e.sub {
                Some(sub) => {
                    let key = self.expand_subscript(sub)?;
                    let value = self.expand_single(&e.value)?;
                    items.push((Some(key), value, e.append));
                }
                None => {
                    for value in self.expand_args(std::slice::from_ref(&e.value))? {
                        items.push((None, value, false));
                    }
                }
            }
        }
        self.check_writable(&target)?;
        let attrs = self.raw_var(&target).map_or(0, |v| v.attrs);
        if matches!(
            target.as_slice(),
            b"DIRSTACK" | b"GROUPS" | b"PIPESTATUS" | b"FUNCNAME" | b"BASH_SOURCE" | b"BASH_LINENO"
        ) {
            return Ok(());
        }
        if assoc {
            let start = if append {
                match self.raw_var(&target).map(|v| v.val.clone()) {
                    Some(Val::Assoc(a)) => a,
                    _ => Rc::default(),
                }
            } else {
                Rc::new(Assoc::default())
            };
            // Elements without subscripts pair up as keys and values.
            let pairs = items.iter().all(|(k, ..)| k.is_none());
            let mut entries = Vec::new();
            if pairs {
                for pair in items.chunks(2) {
                    let key = pair.first().map(|(_, v, _)| v.clone()).unwrap_or_default();
                    let value = pair.get(1).map(|(_, v, _)| v.clone()).unwrap_or_default();
                    entries.push((key, value, false));
                }
            } else {
                for (key, value, add) in items {
                    match key {
                        Some(k) => entries.push((k, value, add)),
                        None => {
                            let m = [
                                name,
                                b": ",
                                &value,
                                b": must use subscript when assigning associative array",
                            ]
                            .concat();
                            self.error(m);
                        }
                    }
                }
            }
            self.put(
                &target,
                Var {
                    val: Val::Assoc(start),
                    attrs,
                    bare: false,
                },
            );
            for (k, v, add) in entries {
                if k.is_empty() {
                    self.error([name, b": bad array subscript"].concat());
                    continue;
                }
                let key = k;
                self.assign_key(&target, key, v, add)?;
            }
            return Ok(());
        }
        let start: BTreeMap<u64, crate::vars::Text> = if append {
            match self.raw_var(&target).map(|v| &v.val) {
                Some(Val::Arr(a)) => (**a).clone(),
                Some(Val::Str(s)) => BTreeMap::from([(0, s.clone())]),
                _ => BTreeMap::new(),
            }
        } else {
            BTreeMap::new()
        };
        let simple = attrs & !EXPORT == 0 && items.iter().all(|(k, ..)| k.is_none());
        if simple {
            // The common case in one go.
            let mut map = start;
            let next = map.keys().next_back().map_or(0, |k| k + 1);
            map.extend((next..).zip(items.into_iter().map(|(_, v, _)| Rc::new(v))));
            self.put(
                &target,
                Var {
                    val: Val::Arr(Rc::new(map)),
                    attrs,
                    bare: false,
                },
            );
            return Ok(());
        }
        let mut next = start.keys().next_back().map_or(0, |k| *k as i64 + 1);
        self.put(
            &target,
            Var {
                val: Val::Arr(Rc::new(start)),
                attrs,
                bare: false,
            },
        );
        for (k, v, add) in items {
            let index = match k {
                Some(k) => match self.arith_value(&k) {
                    Ok(i) => i,
                    Err(()) => return Err(self.arith_failure()),
                },
                None => next,
            };
            let sub = index.to_string().into_bytes();
            self.assign_index(&target, index, v, add, &sub)?;
            next = index + 1;
        }
        Ok(())
    }

    fn assign_key(
        &mut self,
        name: &[u8],
        key: Vec<u8>,
        value: Vec<u8>,
        append: bool,
    ) -> Result<(), Unwind> {
        // Quoting must not be taken off a second time, so the element is set directly.
        let attrs = self.raw_var(name).map_or(0, |v| v.attrs);
        if attrs & !EXPORT != 0 {
            let mut quoted = vec![b'\''];
            quoted.extend_from_slice(&key);
            quoted.push(b'\'');
            return self.assign_elem(name, &quoted, value, append);
        }
        let old = if append {
            self.get_elem_key(name, &key)
        } else {
            None
        };
        let mut text = old.map(|t| t.to_vec()).unwrap_or_default();
        text.extend_from_slice(&value);
        if let Some(Var {
            val: Val::Assoc(a), ..
        }) = self.vars_mut().get_mut(name)
        {
            Rc::make_mut(a).set(key, Rc::new(text));
        }
        Ok(())
    }

    /// Runs a command whose words are expanded and whose redirections are in place.
    fn run_args(&mut self, cmd: &Command, s: &Simple, args: Vec<Vec<u8>>) -> Ex {
        let Some(name) = args.first().cloned() else {
            return Ok(0);
        };
        let found = self.lookup(&name);
        match found {
            Found::Function(def) => {
                let temp = self.temporary_env(&s.assigns)?;
                let result = self.call_function(&def, &args);
                self.restore(temp);
                let status = result?;
                self.note_last(&args);
                Ok(self.done(status))
            }
            Found::Builtin(b) => {
                let temp = if s.assigns.is_empty() {
                    Vec::new()
                } else {
                    self.temporary_env(&s.assigns)?
                };
                let keep = builtins::is_special(&name) && self.opt(opts::POSIX);
                let result = self.run_builtin(b, &args);
                if !keep {
                    self.restore(temp);
                }
                let status = result?;
                self.note_last(&args);
                Ok(self.done(status))
            }
            Found::External(path) => {
                let env = self.command_env(&s.assigns)?;
                let status = self.run_external(&path, &args, &env);
                self.note_last(&args);
                let _ = cmd;
                Ok(self.done(status?))
            }
            Found::Nothing => {
                // Assignments before a command that is not there still fail or not by themselves.
                for a in &s.assigns {
                    if let AssignValue::Word(w) = &a.value {
                        self.expand_single(w)?;
                    }
                }
                let status = self.not_found(&args)?;
                self.note_last(&args);
                Ok(self.done(status))
            }
        }
    }

    fn note_last(&mut self, args: &[Vec<u8>]) {
        if let Some(last) = args.last() {
            if let Some(t) = Rc::get_mut(&mut self.st.last_arg) {
                t.clear();
                t.extend_from_slice(last);
            } else {
                self.st.last_arg = Rc::new(last.clone());
            }
        }
    }

    /// `x=1 command` for a function or builtin: what the assignments hid.
    pub(crate) fn temporary_env(
        &mut self,
        assigns: &[Assign],
    ) -> Result<crate::vars::Saved, Unwind> {
        let mut saved: crate::vars::Saved = Vec::new();
        for a in assigns {
            let AssignValue::Word(w) = &a.value else {
                if let Err(u) = self.run_assign(a, false) {
                    self.restore(saved);
                    return Err(u);
                }
                continue;
            };
            let value = match self.expand_single(w) {
                Ok(v) => v,
                Err(u) => {
                    self.restore(saved);
                    return Err(u);
                }
            };
            let name = self.resolve(&a.name).unwrap_or_else(|| a.name.to_vec());
            if a.sub.is_some() {
                continue;
            }
            let old = self.st.vars.get(name.as_slice()).cloned();
            if let Err(u) = self.check_writable(&name) {
                let _ = u;
                continue;
            }
            saved.push((name.as_slice().into(), old.clone()));
            let value = if a.append {
                let mut t = old
                    .as_ref()
                    .and_then(Var::scalar)
                    .map(|t| t.to_vec())
                    .unwrap_or_default();
                t.extend_from_slice(&value);
                t
            } else {
                value
            };
            self.env_cache = None;
            let special = matches!(name.as_slice(), b"OPTIND" | b"RANDOM" | b"SECONDS");
            if special {
                let _ = self.assign(&name, value.clone(), false);
            }
            self.put(
                &name,
                Var {
                    val: Val::Str(Rc::new(value)),
                    attrs: EXPORT,
                    bare: false,
                },
            );
            if name == b"PATH" {
                self.st.hash = Rc::default();
            }
        }
        Ok(saved)
    }

    /// The environment for a command with `x=1` before it.
    pub(crate) fn command_env(&mut self, assigns: &[Assign]) -> Result<Rc<Vec<Vec<u8>>>, Unwind> {
        if assigns.is_empty() {
            return Ok(self.environment());
        }
        let saved = self.temporary_env(assigns)?;
        let env = self.environment();
        self.restore(saved);
        Ok(env)
    }

    /// Starts a program and waits for it.
    pub(crate) fn run_external(&mut self, path: &[u8], args: &[Vec<u8>], env: &[Vec<u8>]) -> Ex {
        match self.start(path, args, env) {
            Ok((pid, pumps)) => {
                self.drain(pumps);
                Ok(self.wait_pid(pid))
            }
            Err(e) => Ok(self.start_failed(path, args, env, e)),
        }
    }

    /// Says why a program could not be started; the status.
    pub(crate) fn start_failed(
        &mut self,
        path: &[u8],
        args: &[Vec<u8>],
        env: &[Vec<u8>],
        e: os::Errno,
    ) -> i32 {
        let name = args.first().cloned().unwrap_or_default();
        if e == os::Errno::NOENT && !name.contains(&b'/') {
            self.error([name.as_slice(), b": command not found"].concat());
            return 127;
        }
        if e == os::Errno::NOEXEC {
            // A text file without `#!`: run it as a script of ours.
            return self.run_script_file(path, args, env);
        }
        let text = if os::stat(path).is_ok_and(|s| s.is_dir()) {
            os::Errno::ISDIR.text()
        } else {
            e.text()
        };
        self.error([name.as_slice(), b": ", text.as_bytes()].concat());
        if e == os::Errno::NOENT { 127 } else { 126 }
    }

    /// Reads a line from one of the shell's descriptors, byte by byte.
    pub(crate) fn read_line(&mut self, n: u32) -> Option<Vec<u8>> {
        let fd = self.kernel_fd(n)?;
        let mut out = Vec::new();
        let mut byte = [0u8; 1];
        loop {
            match os::read(fd, &mut byte) {
                Ok(0) | Err(_) => return if out.is_empty() { None } else { Some(out) },
                Ok(_) => {
                    let [b] = byte;
                    out.push(b);
                    if b == b'\n' {
                        return Some(out);
                    }
                }
            }
        }
    }
}
