//! Reading and writing variables: scopes, attributes, namerefs, the variables that compute.

use crate::opts;
use crate::os;
use crate::shell::{Shell, Unwind};
use crate::strs::{map_case, parse_int};
use crate::vars::{
    Assoc, CAPITAL, EXPORT, INTEGER, LOWER, NAMEREF, Name, READONLY, Text, UPPER, Val, Var,
};
use std::collections::BTreeMap;
use std::rc::Rc;

/// How deep namerefs may chain.
const MAX_REFS: u32 = 10;

impl Shell {
    /// The variable of that name, namerefs not followed.
    pub fn raw_var(&self, name: &[u8]) -> Option<&Var> {
        self.st.vars.get(name)
    }

    /// The table, to be changed.
    pub fn vars_mut(&mut self) -> &mut crate::vars::NameMap<Var> {
        Rc::make_mut(&mut self.st.vars)
    }

    /// Puts a variable, whatever it was.
    pub fn put(&mut self, name: &[u8], var: Var) {
        if var.has(EXPORT) || self.raw_var(name).is_some_and(|v| v.has(EXPORT)) {
            self.env_cache = None;
        }
        let vars = self.vars_mut();
        if let Some(slot) = vars.get_mut(name) {
            *slot = var;
        } else {
            vars.insert(name.into(), var);
        }
    }

    /// Follows namerefs: the name (perhaps with a subscript) that `name` stands for.
    /// `None`: a circle.
    pub fn resolve(&self, name: &[u8]) -> Option<Vec<u8>> {
        let mut current = name.to_vec();
        for _ in 0..MAX_REFS {
            match self.raw_var(&current) {
                Some(v) if v.has(NAMEREF) => match v.scalar() {
                    Some(target) if !target.is_empty() => current = target.to_vec(),
                    _ => return Some(current),
                },
                _ => return Some(current),
            }
        }
        None
    }

    fn is_ref(&self, name: &[u8]) -> bool {
        self.raw_var(name).is_some_and(|v| v.has(NAMEREF))
    }

    /// The value of `$name`.
    pub fn get(&mut self, name: &[u8]) -> Option<Text> {
        if let Some(v) = self.st.vars.get(name) {
            if !v.has(NAMEREF) {
                return v.scalar();
            }
            let target = self.resolve(name);
            let Some(target) = target else {
                self.error([b"warning: ", name, b": circular name reference"].concat());
                return None;
            };
            if let Some((base, sub)) = split_subscript(&target) {
                let (base, sub) = (base.to_vec(), sub.to_vec());
                return self.get_elem_text(&base, &sub);
            }
            if target == name {
                return None;
            }
            return match self.st.vars.get(target.as_slice()) {
                Some(v) if v.has(NAMEREF) => None,
                Some(v) => v.scalar(),
                None => self.dynamic(&target),
            };
        }
        self.dynamic(name)
    }

    /// `name[sub]` with the subscript as text.
    pub fn get_elem_text(&mut self, name: &[u8], sub: &[u8]) -> Option<Text> {
        if sub == b"@" || sub == b"*" {
            let all = self.elements(name);
            let sep: &[u8] = b" ";
            return if all.is_empty() {
                None
            } else {
                Some(Rc::new(join(&all, sep)))
            };
        }
        match self.array_kind(name) {
            Kind::Assoc => {
                let key = unquote_key(sub);
                match self.var(name).map(|v| &v.val) {
                    Some(Val::Assoc(a)) => a.get(&key).cloned(),
                    _ => None,
                }
            }
            _ => {
                let i = self.arith_value(sub).ok()?;
                self.get_index(name, i).ok()?
            }
        }
    }

    /// The variable, namerefs followed.
    pub fn var(&self, name: &[u8]) -> Option<&Var> {
        let v = self.st.vars.get(name)?;
        if !v.has(NAMEREF) {
            return Some(v);
        }
        let target = self.resolve(name)?;
        self.st
            .vars
            .get(target.as_slice())
            .filter(|v| !v.has(NAMEREF))
    }

    /// Which kind of array it is.
    pub fn array_kind(&self, name: &[u8]) -> Kind {
        match self.var(name).map(|v| &v.val) {
            Some(Val::Arr(_)) => Kind::Indexed,
            Some(Val::Assoc(_)) => Kind::Assoc,
            Some(Val::Str(_)) => Kind::Scalar,
            Some(Val::Unset) => Kind::None,
            None => match name {
                b"FUNCNAME" | b"BASH_SOURCE" | b"BASH_LINENO" | b"DIRSTACK" | b"GROUPS"
                | b"BASH_VERSINFO" | b"BASH_ARGC" | b"BASH_ARGV" | b"PIPESTATUS" => Kind::Indexed,
                b"BASH_ALIASES" | b"BASH_CMDS" => Kind::Assoc,
                _ => Kind::None,
            },
        }
    }

    /// The element of an indexed array (or the scalar, at 0). An error if the index is before the start.
    pub fn get_index(&mut self, name: &[u8], index: i64) -> Result<Option<Text>, ()> {
        let dynamic;
        let val = match self.var(name).map(|v| &v.val) {
            Some(v) => v,
            None => {
                dynamic = self.dynamic_array(name);
                match &dynamic {
                    Some(v) => v,
                    None => {
                        let s = if index == 0 || index == -1 {
                            self.dynamic(name)
                        } else {
                            None
                        };
                        return Ok(s);
                    }
                }
            }
        };
        match val {
            Val::Arr(a) => {
                let i = if index < 0 {
                    let top = a.keys().next_back().map_or(0, |k| *k as i64 + 1);
                    let i = top + index;
                    if i < 0 {
                        return Err(());
                    }
                    i
                } else {
                    index
                };
                Ok(a.get(&(i as u64)).cloned())
            }
            Val::Str(s) if index == 0 || index == -1 => Ok(Some(s.clone())),
            Val::Str(_) | Val::Unset => {
                if index < -1 {
                    Err(())
                } else {
                    Ok(None)
                }
            }
            Val::Assoc(a) => Ok(a.get(index.to_string().as_bytes()).cloned()),
        }
    }

    /// The values of an array (a scalar counts as one).
    pub fn elements(&mut self, name: &[u8]) -> Vec<Text> {
        if let Some(target) = self.resolve(name)
            && let Some((base, sub)) = split_subscript(&target)
        {
            let (base, sub) = (base.to_vec(), sub.to_vec());
            if sub == b"@" || sub == b"*" {
                return self.elements(&base);
            }
            return self.get_elem_text(&base, &sub).into_iter().collect();
        }
        match self.var(name).map(|v| &v.val) {
            Some(Val::Arr(a)) => a.values().cloned().collect(),
            Some(Val::Assoc(a)) => a.items().into_iter().map(|(_, v)| v.clone()).collect(),
            Some(Val::Str(s)) => vec![s.clone()],
            Some(Val::Unset) => Vec::new(),
            None => match self.dynamic_array(name) {
                Some(Val::Arr(a)) => a.values().cloned().collect(),
                Some(Val::Assoc(a)) => a.items().into_iter().map(|(_, v)| v.clone()).collect(),
                _ => self.dynamic(name).into_iter().collect(),
            },
        }
    }

    /// Keys with values.
    pub fn items(&mut self, name: &[u8]) -> Vec<(Vec<u8>, Text)> {
        let from = |v: &Val| match v {
            Val::Arr(a) => a
                .iter()
                .map(|(k, v)| (k.to_string().into_bytes(), v.clone()))
                .collect(),
            Val::Assoc(a) => a
                .items()
                .into_iter()
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect(),
            Val::Str(s) => vec![(b"0".to_vec(), s.clone())],
            Val::Unset => Vec::new(),
        };
        if let Some(v) = self.var(name) {
            return from(&v.val);
        }
        match self.dynamic_array(name) {
            Some(v) => from(&v),
            None => self
                .dynamic(name)
                .map(|s| (b"0".to_vec(), s))
                .into_iter()
                .collect(),
        }
    }

    /// Is `$name` set?
    pub fn is_set(&mut self, name: &[u8]) -> bool {
        self.get(name).is_some()
    }

    /// The value as text, empty if unset.
    pub fn get_or_empty(&mut self, name: &[u8]) -> Vec<u8> {
        self.get(name).map(|t| t.to_vec()).unwrap_or_default()
    }

    /// Variables that compute their value.
    fn dynamic(&mut self, name: &[u8]) -> Option<Text> {
        let number = |n: u64| Some(Rc::new(n.to_string().into_bytes()));
        match name {
            b"RANDOM" => {
                let n = self.next_random();
                number(u64::from(n))
            }
            b"SRANDOM" => number(u64::from(os::random())),
            b"SECONDS" => number(os::now_ns().saturating_sub(self.seconds_base()) / 1_000_000_000),
            b"LINENO" => number(u64::from(self.line)),
            b"BASHPID" => {
                let pid = self.st.fake_pid.unwrap_or_else(os::getpid);
                number(u64::from(pid))
            }
            b"EPOCHSECONDS" => number(os::now_ns() / 1_000_000_000),
            b"EPOCHREALTIME" => {
                let us = os::now_ns() / 1000;
                Some(Rc::new(
                    format!("{}.{:06}", us / 1_000_000, us % 1_000_000).into_bytes(),
                ))
            }
            b"BASH_SUBSHELL" => number(u64::from(self.st.level)),
            b"BASH_COMMAND" => self
                .st
                .command
                .as_ref()
                .map(|c| Rc::new(crate::print::command_line(c))),
            b"UID" | b"EUID" => number(u64::from(os::ids().0)),
            b"PPID" => number(u64::from(os::getppid())),
            b"_" => Some(self.st.last_arg.clone()),
            b"SHELLOPTS" => {
                let names: Vec<&str> = opts::SET
                    .iter()
                    .filter(|(_, _, bit)| self.st.opts & bit != 0)
                    .map(|(n, ..)| *n)
                    .collect();
                Some(Rc::new(names.join(":").into_bytes()))
            }
            b"BASHOPTS" => {
                let names: Vec<&str> = opts::SHOPT
                    .iter()
                    .chain(opts::SHOPT_MORE.iter())
                    .filter(|(n, _)| {
                        opts::shopt_bit(n.as_bytes()).is_some_and(|b| self.st.shopts & b != 0)
                    })
                    .map(|(n, _)| *n)
                    .collect();
                Some(Rc::new(names.join(":").into_bytes()))
            }
            b"BASH_VERSION" => Some(Rc::new(crate::VERSION.as_bytes().to_vec())),
            b"HOSTTYPE" => Some(Rc::new(b"wasm32".to_vec())),
            b"MACHTYPE" => Some(Rc::new(b"wasm32-unknown-wasi".to_vec())),
            b"OSTYPE" => Some(Rc::new(b"linux-gnu".to_vec())),
            b"HOSTNAME" => Some(Rc::new(b"hardshell".to_vec())),
            b"BASH" => Some(Rc::new(b"/bin/bash".to_vec())),
            b"HISTCMD" => number(self.st.history.len() as u64 + 1),
            b"COMP_WORDBREAKS" => Some(Rc::new(b" \t\n\"'><=;|&(:".to_vec())),
            b"FUNCNAME" | b"BASH_SOURCE" | b"BASH_LINENO" | b"DIRSTACK" | b"GROUPS"
            | b"BASH_VERSINFO" | b"BASH_ARGC" | b"BASH_ARGV" | b"PIPESTATUS" => {
                match self.dynamic_array(name) {
                    Some(Val::Arr(a)) => a.get(&0).cloned(),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn seconds_base(&self) -> u64 {
        if self.st.seconds_base == 0 {
            self.started_ns
        } else {
            self.st.seconds_base
        }
    }

    fn next_random(&mut self) -> u32 {
        if self.st.random == 0 {
            self.st.random = os::random() | 1;
        }
        // The generator that bash uses, so that a seed gives the same numbers.
        let mut s = i64::from(self.st.random);
        if s == 0 {
            s = 123_459_876;
        }
        let (h, l) = (s / 127_773, s % 127_773);
        let mut t = 16_807 * l - 2_836 * h;
        if t < 0 {
            t += 0x7fff_ffff;
        }
        self.st.random = t as u32;
        ((self.st.random >> 16) ^ (self.st.random & 0xffff)) & 0x7fff
    }

    fn dynamic_array(&mut self, name: &[u8]) -> Option<Val> {
        let list = |items: Vec<Vec<u8>>| {
            Some(Val::Arr(Rc::new(
                items
                    .into_iter()
                    .enumerate()
                    .map(|(i, v)| (i as u64, Rc::new(v)))
                    .collect(),
            )))
        };
        let main = || -> Vec<u8> { self.st.arg0.to_vec() };
        match name {
            b"FUNCNAME" => {
                if !self.st.frames.iter().any(|f| !f.sourced) {
                    return None;
                }
                let mut names: Vec<Vec<u8>> = self
                    .st
                    .frames
                    .iter()
                    .rev()
                    .map(|f| f.name.to_vec())
                    .collect();
                if self.mode == crate::shell::Mode::Script {
                    names.push(b"main".to_vec());
                }
                list(names)
            }
            b"BASH_SOURCE" => {
                let mut names: Vec<Vec<u8>> = self
                    .st
                    .frames
                    .iter()
                    .rev()
                    .map(|f| f.source.to_vec())
                    .collect();
                if self.mode == crate::shell::Mode::Script {
                    names.push(main());
                }
                list(names)
            }
            b"BASH_LINENO" => {
                let mut lines: Vec<Vec<u8>> = self
                    .st
                    .frames
                    .iter()
                    .rev()
                    .map(|f| f.line.to_string().into_bytes())
                    .collect();
                if self.mode == crate::shell::Mode::Script {
                    lines.push(b"0".to_vec());
                }
                list(lines)
            }
            b"PIPESTATUS" => list(
                self.pipestatus
                    .iter()
                    .map(|s| s.to_string().into_bytes())
                    .collect(),
            ),
            b"BASH_ARGC" => {
                let mut out: Vec<Vec<u8>> = self
                    .st
                    .frames
                    .iter()
                    .rev()
                    .map(|f| f.args.len().to_string().into_bytes())
                    .collect();
                out.push(self.main_args.len().to_string().into_bytes());
                list(out)
            }
            b"BASH_ARGV" => {
                let mut out = Vec::new();
                for f in self.st.frames.iter().rev() {
                    out.extend(f.args.iter().rev().cloned());
                }
                out.extend(self.main_args.iter().rev().cloned());
                list(out)
            }
            b"DIRSTACK" => {
                let mut out = vec![self.get_or_empty(b"PWD")];
                out.extend(self.st.dirs.iter().cloned());
                list(out)
            }
            b"GROUPS" => list(vec![os::ids().1.to_string().into_bytes()]),
            b"BASH_VERSINFO" => list(
                ["5", "2", "15", "1", "release", "wasm32-unknown-wasi"]
                    .iter()
                    .map(|s| s.as_bytes().to_vec())
                    .collect(),
            ),
            b"BASH_ALIASES" | b"BASH_CMDS" => {
                let mut a = Assoc::default();
                if name == b"BASH_ALIASES" {
                    for (k, v) in self.st.aliases.iter() {
                        a.set(k.clone(), Rc::new(v.clone()));
                    }
                } else {
                    for (k, (v, _)) in self.st.hash.iter() {
                        a.set(k.clone(), Rc::new(v.clone()));
                    }
                }
                Some(Val::Assoc(Rc::new(a)))
            }
            _ => None,
        }
    }

    /// `name=value`, through namerefs, with the attributes' effects.
    pub fn set(&mut self, name: &[u8], value: Vec<u8>) -> Result<(), Unwind> {
        self.assign(name, value, false)
    }

    /// `name=value` or `name+=value`.
    pub fn assign(&mut self, name: &[u8], value: Vec<u8>, append: bool) -> Result<(), Unwind> {
        // The common case first: a plain variable, no attributes to heed.
        if !append
            && let Some(v) = self.st.vars.get(name)
            && v.attrs & !EXPORT == 0
            && matches!(v.val, Val::Str(_))
            && !is_special(name)
            && self.st.opts & opts::ALLEXPORT == 0
        {
            if v.has(EXPORT) {
                self.env_cache = None;
            }
            if let Some(v) = self.vars_mut().get_mut(name) {
                v.val = Val::Str(Rc::new(value));
            }
            return Ok(());
        }
        let target = if self.is_ref(name) {
            match self.resolve(name) {
                None => {
                    self.error([b"warning: ", name, b": circular name reference"].concat());
                    return Err(self.abort(1));
                }
                Some(t) if t == name => {
                    // A nameref that names nothing yet: the value becomes the name.
                    if !valid_ref_target(&value) {
                        self.error([b"`", value.as_slice(), b"': not a valid identifier"].concat());
                        return Err(self.abort(1));
                    }
                    if let Some(v) = self.vars_mut().get_mut(name) {
                        v.val = Val::Str(Rc::new(value));
                    }
                    return Ok(());
                }
                Some(t) => t,
            }
        } else {
            name.to_vec()
        };
        if let Some((base, sub)) = split_subscript(&target) {
            let (base, sub) = (base.to_vec(), sub.to_vec());
            return self.assign_elem(&base, &sub, value, append);
        }
        if self.is_ref(&target) {
            if let Some(v) = self.vars_mut().get_mut(target.as_slice()) {
                v.val = Val::Str(Rc::new(value));
            }
            return Ok(());
        }
        self.check_writable(&target)?;
        let attrs = self.raw_var(&target).map_or(0, |v| v.attrs);
        let old = if append { self.get(&target) } else { None };
        let value = self.converted(attrs, value, old.as_ref().map(|t| t.as_slice()))?;
        if self.special_assign(&target, &value) {
            return Ok(());
        }
        let export = if self.opt(opts::ALLEXPORT) { EXPORT } else { 0 };
        if export != 0 || attrs & EXPORT != 0 {
            self.env_cache = None;
        }
        let vars = self.vars_mut();
        match vars.get_mut(target.as_slice()) {
            Some(v) => {
                v.attrs |= export;
                v.bare = false;
                match &mut v.val {
                    Val::Arr(a) => {
                        Rc::make_mut(a).insert(0, Rc::new(value));
                    }
                    Val::Assoc(a) => Rc::make_mut(a).set(b"0".to_vec(), Rc::new(value)),
                    v => *v = Val::Str(Rc::new(value)),
                }
            }
            None => {
                vars.insert(
                    target.as_slice().into(),
                    Var {
                        val: Val::Str(Rc::new(value)),
                        attrs: export,
                        bare: false,
                    },
                );
            }
        }
        self.after_assign(&target);
        Ok(())
    }

    /// What assignments to the computing variables do instead. True: that was all.
    fn special_assign(&mut self, name: &[u8], value: &[u8]) -> bool {
        if !is_special(name) {
            return false;
        }
        if self.st.vars.contains_key(name) {
            return false;
        }
        match name {
            b"RANDOM" => {
                self.st.random = parse_int(value).unwrap_or(0) as u32;
                true
            }
            b"SECONDS" => {
                let n = parse_int(value).unwrap_or(0);
                self.st.seconds_base =
                    os::now_ns().saturating_sub((n.max(0) as u64) * 1_000_000_000);
                true
            }
            b"LINENO" | b"BASHPID" | b"EPOCHSECONDS" | b"EPOCHREALTIME" | b"SRANDOM"
            | b"BASH_SUBSHELL" | b"FUNCNAME" | b"GROUPS" | b"HISTCMD" | b"BASH_COMMAND"
            | b"BASH_ARGC" | b"BASH_ARGV" | b"BASH_SOURCE" | b"BASH_LINENO" | b"DIRSTACK"
            | b"_" => true,
            _ => false,
        }
    }

    fn after_assign(&mut self, name: &[u8]) {
        match name {
            b"OPTIND" => {
                self.st.getopts_at = 0;
            }
            b"PATH" => self.st.hash = Rc::default(),
            b"POSIXLY_CORRECT" => self.st.opts |= opts::POSIX,
            _ => {}
        }
    }

    /// Fails if the variable is read-only.
    pub fn check_writable(&mut self, name: &[u8]) -> Result<(), Unwind> {
        let fixed = matches!(
            name,
            b"UID" | b"EUID" | b"PPID" | b"BASHOPTS" | b"SHELLOPTS" | b"BASH_VERSINFO"
        );
        if fixed || self.raw_var(name).is_some_and(|v| v.has(READONLY)) {
            self.error([name, b": readonly variable"].concat());
            return Err(self.abort(1));
        }
        Ok(())
    }

    /// Gives up the current top-level command with this status.
    pub fn abort(&mut self, status: i32) -> Unwind {
        self.st.status = status;
        Unwind::Abort
    }

    /// A value as the attributes want it; `old` is what it is appended to.
    fn converted(
        &mut self,
        attrs: u16,
        value: Vec<u8>,
        old: Option<&[u8]>,
    ) -> Result<Vec<u8>, Unwind> {
        let mut value = if attrs & INTEGER != 0 {
            let mut n = self.arith_value(&value).map_err(|()| self.abort(1))?;
            if let Some(old) = old {
                let old = self.arith_value(old).map_err(|()| self.abort(1))?;
                n = n.wrapping_add(old);
            }
            n.to_string().into_bytes()
        } else if let Some(old) = old {
            let mut out = old.to_vec();
            out.extend_from_slice(&value);
            out
        } else {
            value
        };
        if attrs & (LOWER | UPPER | CAPITAL) != 0 {
            value = if attrs & LOWER != 0 {
                map_case(&value, false, false)
            } else if attrs & UPPER != 0 {
                map_case(&value, true, false)
            } else {
                map_case(&map_case(&value, false, false), true, true)
            };
        }
        Ok(value)
    }

    /// `name[sub]=value`, the subscript as text.
    pub fn assign_elem(
        &mut self,
        name: &[u8],
        sub: &[u8],
        value: Vec<u8>,
        append: bool,
    ) -> Result<(), Unwind> {
        let target = match self.resolve(name) {
            Some(t) => t,
            None => return Ok(()),
        };
        if split_subscript(&target).is_some() {
            self.error([b"`", target.as_slice(), b"': not a valid identifier"].concat());
            return Err(self.abort(1));
        }
        self.check_writable(&target)?;
        if target == b"BASH_ALIASES" {
            Rc::make_mut(&mut self.st.aliases).insert(sub.to_vec(), value);
            return Ok(());
        }
        let attrs = self.raw_var(&target).map_or(0, |v| v.attrs);
        if self.array_kind(&target) == Kind::Assoc {
            let key = unquote_key(sub);
            if key.is_empty() {
                self.error([name, b"[", sub, b"]: bad array subscript"].concat());
                return Err(self.abort(1));
            }
            let old = if append {
                self.get_elem_key(&target, &key)
            } else {
                None
            };
            let value = self.converted(attrs, value, old.as_ref().map(|t| t.as_slice()))?;
            if let Some(Var {
                val: Val::Assoc(a),
                bare,
                ..
            }) = self.vars_mut().get_mut(target.as_slice())
            {
                *bare = false;
                Rc::make_mut(a).set(key, Rc::new(value));
            }
            return Ok(());
        }
        if sub.iter().all(u8::is_ascii_whitespace) || sub == b"@" || sub == b"*" {
            self.error([name, b"[", sub, b"]: bad array subscript"].concat());
            return Err(self.abort(1));
        }
        let index = self.arith_value(sub).map_err(|()| self.abort(1))?;
        self.assign_index(&target, index, value, append, sub)
    }

    /// The value of a key.
    pub fn get_elem_key(&self, name: &[u8], key: &[u8]) -> Option<Text> {
        match self.var(name).map(|v| &v.val) {
            Some(Val::Assoc(a)) => a.get(key).cloned(),
            _ => None,
        }
    }

    /// `name[index]=value`.
    pub fn assign_index(
        &mut self,
        name: &[u8],
        index: i64,
        value: Vec<u8>,
        append: bool,
        sub: &[u8],
    ) -> Result<(), Unwind> {
        let attrs = self.raw_var(name).map_or(0, |v| v.attrs);
        let old = if append {
            self.get_index(name, index).unwrap_or(None)
        } else {
            None
        };
        let value = self.converted(attrs, value, old.as_ref().map(|t| t.as_slice()))?;
        let export = if self.opt(opts::ALLEXPORT) { EXPORT } else { 0 };
        let vars = self.vars_mut();
        let v = vars.entry(name.into()).or_insert_with(|| Var {
            val: Val::Arr(Rc::default()),
            attrs: export,
            bare: false,
        });
        v.bare = false;
        match &v.val {
            Val::Str(s) => v.val = Val::Arr(Rc::new(BTreeMap::from([(0, s.clone())]))),
            Val::Unset => v.val = Val::Arr(Rc::default()),
            _ => {}
        }
        if let Val::Arr(a) = &mut v.val {
            let i = if index < 0 {
                a.keys().next_back().map_or(0, |k| *k as i64 + 1) + index
            } else {
                index
            };
            if i < 0 {
                self.error([name, b"[", sub, b"]: bad array subscript"].concat());
                return Err(self.abort(1));
            }
            Rc::make_mut(a).insert(i as u64, Rc::new(value));
        }
        Ok(())
    }

    /// Makes `name` a local of the innermost function. Its old self waits in the frame.
    pub fn make_local(&mut self, name: &[u8]) {
        let old = self.st.vars.get(name).cloned();
        let Some(frame) = self.st.frames.iter_mut().rev().find(|f| !f.sourced) else {
            return;
        };
        if frame.saved.iter().any(|(n, _)| &**n == name) {
            return;
        }
        let key: Name = name.into();
        if old.as_ref().is_some_and(|v| v.has(EXPORT)) {
            self.env_cache = None;
        }
        frame.saved.push((key.clone(), old));
        self.vars_mut().remove(&key);
    }

    /// Is it a local of the innermost function?
    pub fn is_local(&self, name: &[u8]) -> bool {
        self.st
            .frames
            .iter()
            .rev()
            .find(|f| !f.sourced)
            .is_some_and(|f| f.saved.iter().any(|(n, _)| &**n == name))
    }

    /// Puts back what a frame's locals hid.
    pub fn restore(&mut self, saved: crate::vars::Saved) {
        if saved.is_empty() {
            return;
        }
        for (name, old) in saved.into_iter().rev() {
            if old.as_ref().is_some_and(|v| v.has(EXPORT))
                || self.raw_var(&name).is_some_and(|v| v.has(EXPORT))
            {
                self.env_cache = None;
            }
            if &*name == b"OPTIND" {
                self.st.getopts_at = 0;
            }
            match old {
                Some(v) => {
                    self.vars_mut().insert(name, v);
                }
                None => {
                    self.vars_mut().remove(&name);
                }
            }
        }
    }

    /// `unset name`. A local of a caller uncovers what it hid.
    pub fn unset(&mut self, name: &[u8]) {
        self.env_cache = None;
        let current = self.st.frames.iter().rposition(|f| !f.sourced);
        let holder = self
            .st
            .frames
            .iter()
            .rposition(|f| f.saved.iter().any(|(n, _)| &**n == name));
        if let (Some(current), Some(holder)) = (current, holder)
            && holder < current
            && let Some(frame) = self.st.frames.get_mut(holder)
            && let Some(i) = frame.saved.iter().position(|(n, _)| &**n == name)
        {
            let (name, old) = frame.saved.remove(i);
            match old {
                Some(v) => self.vars_mut().insert(name, v),
                None => self.vars_mut().remove(&name),
            };
            return;
        }
        if current.is_some() && holder == current {
            // A local stays one, without a value.
            self.put(
                name,
                Var {
                    val: Val::Unset,
                    attrs: 0,
                    bare: false,
                },
            );
            return;
        }
        self.vars_mut().remove(name);
        match name {
            b"OPTIND" => self.st.getopts_at = 0,
            b"POSIXLY_CORRECT" => self.st.opts &= !opts::POSIX,
            _ => {}
        }
    }

    /// The environment for a child: `NAME=value` each.
    pub fn environment(&mut self) -> Rc<Vec<Vec<u8>>> {
        if let Some(env) = &self.env_cache {
            return env.clone();
        }
        let mut out: Vec<Vec<u8>> = self
            .st
            .vars
            .iter()
            .filter(|(_, v)| v.has(EXPORT))
            .filter_map(|(n, v)| {
                let value = match &v.val {
                    Val::Str(s) => s,
                    _ => return None,
                };
                let mut pair = n.to_vec();
                pair.push(b'=');
                pair.extend_from_slice(value);
                Some(pair)
            })
            .collect();
        for (name, (def, attrs)) in self.st.funcs.iter() {
            if attrs & EXPORT != 0 {
                let mut pair = b"BASH_FUNC_".to_vec();
                pair.extend_from_slice(name);
                pair.extend_from_slice(b"%%=");
                pair.extend_from_slice(&crate::print::function_body(def));
                out.push(pair);
            }
        }
        out.sort_unstable();
        let env = Rc::new(out);
        self.env_cache = Some(env.clone());
        env
    }

    /// All names with this prefix, sorted.
    pub fn names_with(&self, prefix: &[u8]) -> Vec<Vec<u8>> {
        let mut out: Vec<Vec<u8>> = self
            .st
            .vars
            .iter()
            .filter(|(n, v)| n.starts_with(prefix) && !matches!(v.val, Val::Unset))
            .map(|(n, _)| n.to_vec())
            .collect();
        for name in DYNAMIC {
            if name.as_bytes().starts_with(prefix) && !self.st.vars.contains_key(name.as_bytes()) {
                out.push(name.as_bytes().to_vec());
            }
        }
        out.sort_unstable();
        out
    }
}

/// Variables that compute and always exist.
pub const DYNAMIC: [&str; 25] = [
    "BASH",
    "BASHOPTS",
    "BASHPID",
    "BASH_ALIASES",
    "BASH_ARGC",
    "BASH_ARGV",
    "BASH_CMDS",
    "BASH_COMMAND",
    "BASH_LINENO",
    "BASH_SOURCE",
    "BASH_SUBSHELL",
    "BASH_VERSINFO",
    "BASH_VERSION",
    "DIRSTACK",
    "EPOCHREALTIME",
    "EPOCHSECONDS",
    "EUID",
    "GROUPS",
    "LINENO",
    "PPID",
    "RANDOM",
    "SECONDS",
    "SHELLOPTS",
    "SRANDOM",
    "UID",
];

fn is_special(name: &[u8]) -> bool {
    match name.first() {
        Some(b'R') => name == b"RANDOM",
        Some(b'S') => matches!(name, b"SECONDS" | b"SRANDOM"),
        Some(b'L') => name == b"LINENO",
        Some(b'B') => name.starts_with(b"BASH"),
        Some(b'E') => matches!(name, b"EPOCHSECONDS" | b"EPOCHREALTIME"),
        Some(b'F') => name == b"FUNCNAME",
        Some(b'G') => name == b"GROUPS",
        Some(b'D') => name == b"DIRSTACK",
        Some(b'H') => name == b"HISTCMD",
        Some(b'O') => name == b"OPTIND",
        Some(b'P') => matches!(name, b"PATH" | b"POSIXLY_CORRECT"),
        Some(b'_') => name == b"_",
        _ => false,
    }
}

/// Kinds of variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Not set.
    None,
    /// A string.
    Scalar,
    /// An indexed array.
    Indexed,
    /// An associative array.
    Assoc,
}

/// `name[sub]` split; `None` if there is no subscript.
pub fn split_subscript(s: &[u8]) -> Option<(&[u8], &[u8])> {
    let open = s.iter().position(|b| *b == b'[')?;
    let inner = s.get(open + 1..)?.strip_suffix(b"]")?;
    Some((s.get(..open)?, inner))
}

/// May a nameref name this?
pub fn valid_ref_target(s: &[u8]) -> bool {
    match split_subscript(s) {
        Some((name, sub)) => crate::strs::is_name(name) && !sub.is_empty(),
        None => crate::strs::is_name(s),
    }
}

/// A key of an associative array whose quotes are still on (it came as text).
pub fn unquote_key(sub: &[u8]) -> Vec<u8> {
    let n = sub.len();
    if n >= 2
        && let (Some(a), Some(b)) = (sub.first(), sub.last())
        && a == b
        && matches!(a, b'"' | b'\'')
    {
        return sub.get(1..n - 1).unwrap_or_default().to_vec();
    }
    sub.to_vec()
}

/// Joined.
pub fn join(items: &[Text], sep: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(items.iter().map(|t| t.len() + sep.len()).sum());
    for (i, t) in items.iter().enumerate() {
        if i > 0 {
            out.extend_from_slice(sep);
        }
        out.extend_from_slice(t);
    }
    out
}
