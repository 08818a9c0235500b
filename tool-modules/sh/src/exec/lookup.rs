//! What a command's name stands for.

use crate::ast::FuncDef;
use crate::builtins::{self, Builtin};
use crate::opts;
use crate::os;
use crate::shell::{Ex, Shell};
use std::rc::Rc;

/// What a name stands for.
pub enum Found {
    /// A function.
    Function(Rc<FuncDef>),
    /// A builtin.
    Builtin(&'static Builtin),
    /// A program.
    External(Vec<u8>),
    /// Nothing.
    Nothing,
}

impl Shell {
    /// Function, builtin or program?
    pub fn lookup(&mut self, name: &[u8]) -> Found {
        if name.contains(&b'/') {
            return match self.st.funcs.get(name) {
                Some((def, _)) => Found::Function(def.clone()),
                None => Found::External(name.to_vec()),
            };
        }
        if let Some((def, _)) = self.st.funcs.get(name) {
            return Found::Function(def.clone());
        }
        if let Some(b) = self.builtin(name) {
            return Found::Builtin(b);
        }
        match self.find_program(name) {
            Some(path) => Found::External(path),
            None => Found::Nothing,
        }
    }

    /// The builtin of that name, unless it was switched off.
    pub fn builtin(&self, name: &[u8]) -> Option<&'static Builtin> {
        let b = builtins::find(name)?;
        if !self.st.disabled.is_empty() && self.st.disabled.iter().any(|d| d == name) {
            None
        } else {
            Some(b)
        }
    }

    /// The file that `$PATH` gives, remembered like bash's hash table.
    pub fn find_program(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        if name.is_empty() {
            return None;
        }
        if let Some((path, _)) = self.st.hash.get(name) {
            let path = path.clone();
            if self.opt(opts::HASHALL)
                && let Some((_, hits)) = Rc::make_mut(&mut self.st.hash).get_mut(name)
            {
                *hits += 1;
            }
            return Some(path);
        }
        let path = self.search_path(name, true).into_iter().next()?;
        if path.first() == Some(&b'/') {
            Rc::make_mut(&mut self.st.hash).insert(name.to_vec(), (path.clone(), 1));
        }
        Some(path)
    }

    /// All files of that name along `$PATH`, or the first.
    pub fn search_path(&mut self, name: &[u8], first: bool) -> Vec<Vec<u8>> {
        let path = self.get_or_empty(b"PATH");
        let mut out = Vec::new();
        let mut fallback = None;
        for dir in path.split(|b| *b == b':') {
            let dir: &[u8] = if dir.is_empty() { b"." } else { dir };
            let mut full = dir.to_vec();
            if full.last() != Some(&b'/') {
                full.push(b'/');
            }
            full.extend_from_slice(name);
            if let Ok(st) = os::stat(&full)
                && !st.is_dir()
            {
                if os::access(&st, 1) {
                    out.push(full);
                    if first {
                        return out;
                    }
                } else if fallback.is_none() {
                    fallback = Some(full);
                }
            }
        }
        if out.is_empty() {
            out.extend(fallback);
        }
        out
    }

    /// A command that is not there.
    pub(super) fn not_found(&mut self, args: &[Vec<u8>]) -> Ex {
        if let Some((def, _)) = self.st.funcs.get(b"command_not_found_handle".as_slice()) {
            let def = def.clone();
            let mut call = vec![b"command_not_found_handle".to_vec()];
            call.extend_from_slice(args);
            let status = self.in_subshell(|sh| sh.call_function(&def, &call));
            return Ok(status);
        }
        let name = args.first().cloned().unwrap_or_default();
        if self.get(b"PATH").is_none_or(|p| p.is_empty()) {
            self.error([name.as_slice(), b": No such file or directory"].concat());
            return Ok(127);
        }
        self.error([name.as_slice(), b": command not found"].concat());
        Ok(127)
    }
}
