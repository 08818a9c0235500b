//! `declare`, `typeset`, `local`, `export`, `readonly`.

use crate::access::{self, Kind};
use crate::ast::{Assign, AssignValue};
use crate::opts;
use crate::shell::{Ex, Shell, Unwind};
use crate::strs::is_name;
use crate::vars::{
    self, Assoc, CAPITAL, EXPORT, INTEGER, LOWER, NAMEREF, READONLY, TRACE, UPPER, Val, Var,
};
use std::rc::Rc;

/// Which of the family runs.
#[derive(Clone, Copy, PartialEq)]
enum Who {
    Declare,
    Local,
    Export,
    Readonly,
}

#[derive(Default)]
struct Flags {
    on: u16,
    off: u16,
    array: bool,
    assoc: bool,
    functions: bool,
    names_only: bool,
    global: bool,
    inherit: bool,
    print: bool,
    unarray: bool,
}

pub(super) fn declare(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    run(sh, args, Who::Declare)
}

pub(super) fn local(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    if !sh.st.frames.iter().any(|f| !f.sourced) {
        sh.berr("can only be used in a function");
        return Ok(1);
    }
    run(sh, args, Who::Local)
}

pub(super) fn export(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    run(sh, args, Who::Export)
}

pub(super) fn readonly(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    run(sh, args, Who::Readonly)
}

fn run(sh: &mut Shell, args: &[Vec<u8>], who: Who) -> Ex {
    let arrays = std::mem::take(&mut sh.array_args);
    let spec = match who {
        Who::Export => "fnp",
        Who::Readonly => "aAfp",
        _ => "aAfFgiIlnprtucx",
    };
    let p = match super::options(sh, args, spec, matches!(who, Who::Declare | Who::Local)) {
        Ok(p) => p,
        Err(s) => return Ok(s),
    };
    let mut f = Flags::default();
    for (l, on, _) in &p.opts {
        let attr = match l {
            b'i' => INTEGER,
            b'l' => LOWER,
            b'u' => UPPER,
            b'c' => CAPITAL,
            b'r' => READONLY,
            b't' => TRACE,
            b'x' => EXPORT,
            b'n' if who == Who::Export => {
                f.off |= EXPORT;
                continue;
            }
            b'n' => NAMEREF,
            b'a' => {
                if *on {
                    f.array = true
                } else {
                    f.unarray = true
                }
                continue;
            }
            b'A' => {
                if *on {
                    f.assoc = true
                } else {
                    f.unarray = true
                }
                continue;
            }
            b'f' => {
                f.functions = true;
                continue;
            }
            b'F' => {
                f.functions = true;
                f.names_only = true;
                continue;
            }
            b'g' => {
                f.global = true;
                continue;
            }
            b'I' => {
                f.inherit = true;
                continue;
            }
            _ => {
                f.print = true;
                continue;
            }
        };
        if *on { f.on |= attr } else { f.off |= attr }
    }
    if f.on & LOWER != 0 && f.on & UPPER != 0 {
        f.on &= !(LOWER | UPPER);
        f.off |= LOWER | UPPER;
    }
    match who {
        Who::Export if f.off & EXPORT == 0 => f.on |= EXPORT,
        Who::Readonly => f.on |= READONLY,
        _ => {}
    }
    if f.array || f.assoc {
        f.on &= !NAMEREF;
    }
    let names = args.get(p.rest..).unwrap_or_default();
    if f.functions {
        return functions(sh, names, &f, who);
    }
    if names.is_empty() {
        return list(sh, &f, who, p.opts.is_empty());
    }
    if f.print && matches!(who, Who::Declare | Who::Local) {
        return print(sh, names, who);
    }
    let mut status = 0;
    for (i, arg) in names.iter().enumerate() {
        let array = arrays
            .iter()
            .find(|(at, _)| *at == p.rest + i)
            .map(|(_, a)| a.clone());
        match one(sh, arg, array.as_deref(), &f, who) {
            Ok(s) => status = status.max(s),
            Err(Unwind::Abort) => status = 1,
            Err(u) => return Err(u),
        }
    }
    Ok(status)
}

/// One `name`, `name=value`, `name+=value` or `name=( … )`.
fn one(sh: &mut Shell, arg: &[u8], array: Option<&Assign>, f: &Flags, who: Who) -> Ex {
    let (name, sub, value, append) = split(arg);
    if who == Who::Local && arg == b"-" {
        let opts = sh.st.opts;
        if let Some(frame) = sh.st.frames.iter_mut().rev().find(|f| !f.sourced) {
            frame.opts = Some(opts);
        }
        return Ok(0);
    }
    if !is_name(&name) {
        sh.berr([b"`", arg, b"': not a valid identifier"].concat());
        return Ok(1);
    }
    if sub.is_some() && value.is_none() && f.on & NAMEREF != 0 {
        sh.berr([arg, b": reference variable cannot be an array"].concat());
        return Ok(1);
    }
    let in_function = sh.st.frames.iter().any(|f| !f.sourced);
    let local = in_function && !f.global && matches!(who, Who::Declare | Who::Local);
    let mut restore_global = None;
    if local && !sh.is_local(&name) {
        let outer = sh.raw_var(&name).cloned();
        if outer.as_ref().is_some_and(|v| v.has(READONLY))
            && who == Who::Local
            && is_global_readonly(sh, &name)
        {
            sh.berr([name.as_slice(), b": readonly variable"].concat());
            return Ok(1);
        }
        sh.make_local(&name);
        let inherit = f.inherit || sh.shopt(opts::LOCALVAR_INHERIT);
        if inherit && let Some(v) = outer {
            let v = Var {
                attrs: v.attrs & !NAMEREF,
                ..v
            };
            sh.put(&name, v);
        } else if outer.is_some_and(|v| v.has(EXPORT)) {
            sh.put(
                &name,
                Var {
                    val: Val::Unset,
                    attrs: EXPORT,
                    bare: false,
                },
            );
        }
    } else if f.global && in_function {
        // The global lies under the locals: take it up, work on it, put it back.
        restore_global = lift_global(sh, &name);
    }
    // Without -n, attributes and values go to what a nameref names.
    let target = if f.on & NAMEREF == 0 && f.off & NAMEREF == 0 {
        match sh.resolve(&name) {
            Some(t) if access::split_subscript(&t).is_none() => t,
            _ => name.clone(),
        }
    } else {
        name.clone()
    };
    let result = apply(sh, &target, sub.as_deref(), value, append, array, f, who);
    if let Some((frame, index)) = restore_global {
        lower_global(sh, &name, frame, index);
    }
    result
}

/// A read-only global may not be hidden by a local? bash forbids it.
fn is_global_readonly(sh: &Shell, name: &[u8]) -> bool {
    !sh.st
        .frames
        .iter()
        .any(|f| f.saved.iter().any(|(n, _)| &**n == name))
}

type Lifted = Option<(usize, usize)>;

fn lift_global(sh: &mut Shell, name: &[u8]) -> Lifted {
    let at = sh
        .st
        .frames
        .iter()
        .position(|f| f.saved.iter().any(|(n, _)| &**n == name))?;
    let index = sh
        .st
        .frames
        .get(at)?
        .saved
        .iter()
        .position(|(n, _)| &**n == name)?;
    swap_global(sh, name, at, index);
    Some((at, index))
}

fn lower_global(sh: &mut Shell, name: &[u8], at: usize, index: usize) {
    swap_global(sh, name, at, index);
}

fn swap_global(sh: &mut Shell, name: &[u8], at: usize, index: usize) {
    let current = sh.vars_mut().remove(name);
    let Some(slot) = sh
        .st
        .frames
        .get_mut(at)
        .and_then(|f| f.saved.get_mut(index))
    else {
        return;
    };
    let under = std::mem::replace(&mut slot.1, current);
    if let Some(v) = under {
        sh.put(name, v);
    }
    sh.env_cache = None;
}

#[allow(clippy::too_many_arguments)]
fn apply(
    sh: &mut Shell,
    name: &[u8],
    sub: Option<&[u8]>,
    value: Option<Vec<u8>>,
    append: bool,
    array: Option<&Assign>,
    f: &Flags,
    who: Who,
) -> Ex {
    let old = sh.raw_var(name).cloned();
    let changes = value.is_some() || array.is_some();
    if let Some(v) = &old
        && v.has(READONLY)
    {
        if changes {
            if matches!(who, Who::Declare | Who::Local) {
                sh.berr([name, b": readonly variable"].concat());
            } else {
                sh.error([name, b": readonly variable"].concat());
            }
            return Ok(1);
        }
        if f.off & READONLY != 0 || f.array && !matches!(v.val, Val::Arr(_)) || f.unarray {
            sh.berr([name, b": readonly variable"].concat());
            return Ok(1);
        }
    }
    if f.off & READONLY != 0 && old.is_none() {
        // Nothing to take away.
    }
    if let Some(v) = &old {
        if f.assoc && matches!(v.val, Val::Arr(_)) && array.is_some() {
            sh.error([name, b": cannot convert indexed to associative array"].concat());
            return Err(sh.abort(1));
        }
        if f.assoc && matches!(v.val, Val::Arr(_)) && who != Who::Readonly {
            sh.berr([name, b": cannot convert indexed to associative array"].concat());
            return Ok(1);
        }
        if f.array && matches!(v.val, Val::Assoc(_)) {
            sh.berr([name, b": cannot convert associative to indexed array"].concat());
            return Ok(1);
        }
        if f.unarray && matches!(v.val, Val::Arr(_) | Val::Assoc(_)) {
            sh.berr([name, b": cannot destroy array variables in this way"].concat());
            return Ok(1);
        }
    }
    if f.on & NAMEREF != 0 {
        let target = value
            .clone()
            .or_else(|| old.as_ref().and_then(Var::scalar).map(|t| t.to_vec()));
        if let Some(t) = &target {
            if value.is_some() && t.as_slice() == name && !sh.st.frames.iter().any(|f| !f.sourced) {
                sh.berr([name, b": nameref variable self references not allowed"].concat());
                return Ok(1);
            }
            if value.is_some() && t.as_slice() == name {
                sh.error([b"warning: ", name, b": circular name reference"].concat());
            }
            if !t.is_empty() && !access::valid_ref_target(t) {
                sh.berr(
                    [
                        b"`",
                        t.as_slice(),
                        b"': invalid variable name for name reference",
                    ]
                    .concat(),
                );
                return Ok(1);
            }
        }
        if old
            .as_ref()
            .is_some_and(|v| matches!(v.val, Val::Arr(_) | Val::Assoc(_)))
        {
            sh.berr([name, b": reference variable cannot be an array"].concat());
            return Ok(1);
        }
        let attrs = old.as_ref().map_or(0, |v| v.attrs) & !f.off | f.on;
        let val = match target {
            Some(t) => Val::Str(Rc::new(t)),
            None => Val::Unset,
        };
        sh.put(
            name,
            Var {
                val,
                attrs,
                bare: false,
            },
        );
        return Ok(0);
    }
    // The attributes first (but read-only last), then the value.
    let mut v = old.unwrap_or(Var {
        val: Val::Unset,
        attrs: 0,
        bare: false,
    });
    let was_set = !matches!(v.val, Val::Unset);
    v.attrs = (v.attrs & !f.off) | (f.on & !READONLY);
    if f.on & LOWER != 0 {
        v.attrs &= !UPPER;
    }
    if f.on & UPPER != 0 {
        v.attrs &= !LOWER;
    }
    let f_array = f.array && !(who == Who::Readonly && !changes);
    let f_assoc = f.assoc && !(who == Who::Readonly && !changes);
    let is_array = f_array || (array.is_some() && !f.assoc) || (sub.is_some() && !f.assoc);
    if f_assoc && !matches!(v.val, Val::Assoc(_)) {
        let mut a = Assoc::default();
        if let Val::Str(s) = &v.val {
            a.set(b"0".to_vec(), s.clone());
        }
        v.val = Val::Assoc(Rc::new(a));
        v.bare = !was_set;
    } else if is_array && !matches!(v.val, Val::Arr(_) | Val::Assoc(_)) {
        v.val = match &v.val {
            Val::Str(s) => Val::Arr(Rc::new([(0, s.clone())].into_iter().collect())),
            _ => Val::Arr(Rc::default()),
        };
        v.bare = !was_set;
    }
    if sh.opt(opts::ALLEXPORT) && changes {
        v.attrs |= EXPORT;
    }
    sh.put(name, v);
    sh.env_cache = None;
    let mut status = 0;
    if let Some(a) = array {
        if let AssignValue::Array(elems) = &a.value {
            let assoc = sh.array_kind(name) == Kind::Assoc;
            sh.assign_array(name, elems, append, assoc)?;
        }
    } else if let Some(value) = value {
        let done = match sub {
            Some(s) => sh.assign_elem(name, s, value, append),
            // `declare -a x='(1 2)'` is read as a list, as older scripts expect.
            None if (f.array || f.assoc) && value.starts_with(b"(") && value.ends_with(b")") => {
                let text = [name, if append { b"+=" } else { &b"="[..] }, &value].concat();
                match crate::parse::Parser::new(&text, sh.line).lone_assignment() {
                    Some(a) => sh.run_assign(&a, false),
                    None => sh.assign(name, value, append),
                }
            }
            None => sh.assign(name, value, append),
        };
        if let Err(u) = done {
            if u != Unwind::Abort {
                return Err(u);
            }
            status = 1;
        }
    }
    if f.on & READONLY != 0
        && let Some(v) = sh.vars_mut().get_mut(name)
    {
        v.attrs |= READONLY;
    }
    if f.on & EXPORT != 0 {
        sh.env_cache = None;
    }
    Ok(status)
}

/// (name, subscript, value, append)
fn split(arg: &[u8]) -> (Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>, bool) {
    // The `=` that assigns is the first one outside a subscript.
    let mut depth = 0;
    let mut eq = None;
    for (i, b) in arg.iter().enumerate() {
        match b {
            b'[' => depth += 1,
            b']' => depth -= 1,
            b'=' if depth <= 0 => {
                eq = Some(i);
                break;
            }
            _ => {}
        }
    }
    let (left, value) = match eq {
        Some(i) => (
            arg.get(..i).unwrap_or_default(),
            arg.get(i + 1..).map(<[u8]>::to_vec),
        ),
        None => (arg, None),
    };
    let (left, append) = match left.strip_suffix(b"+") {
        Some(l) if value.is_some() => (l, true),
        _ => (left, false),
    };
    match access::split_subscript(left) {
        Some((n, s)) => (n.to_vec(), Some(s.to_vec()), value, append),
        None => (left.to_vec(), None, value, append),
    }
}

/// Without names: all variables that fit.
fn list(sh: &mut Shell, f: &Flags, who: Who, bare: bool) -> Ex {
    let mut names: Vec<Vec<u8>> = sh
        .st
        .vars
        .keys()
        .map(|k| k.to_vec())
        .filter(|k| is_name(k))
        .collect();
    if who == Who::Local {
        names = sh
            .st
            .frames
            .iter()
            .rev()
            .find(|f| !f.sourced)
            .map(|f| f.saved.iter().map(|(n, _)| n.to_vec()).collect())
            .unwrap_or_default();
    }
    names.sort_unstable();
    for n in names {
        let Some(v) = sh.raw_var(&n).cloned() else {
            continue;
        };
        if f.on != 0 && v.attrs & f.on != f.on {
            continue;
        }
        if f.array && !matches!(v.val, Val::Arr(_)) || f.assoc && !matches!(v.val, Val::Assoc(_)) {
            continue;
        }
        if bare && who == Who::Declare {
            if matches!(v.val, Val::Unset) {
                continue;
            }
            if let Some(line) = assignment(&n, &v) {
                sh.say(line);
                sh.say("\n");
            }
            continue;
        }
        sh.say(vars_declaration(&n, &v));
        sh.say("\n");
    }
    if bare && who == Who::Declare && !sh.opt(opts::POSIX) {
        all_functions(sh, false, 0);
    }
    Ok(0)
}

/// `name=value` as `set` lists it.
pub(super) fn assignment(name: &[u8], v: &Var) -> Option<Vec<u8>> {
    let text = match &v.val {
        Val::Str(s) => crate::strs::quote_if_needed(s),
        Val::Unset => return None,
        _ => crate::print::value(v).unwrap_or_else(|| b"()".to_vec()),
    };
    let text = if text == b"''" { Vec::new() } else { text };
    Some([name, b"=", &text].concat())
}

fn vars_declaration(name: &[u8], v: &Var) -> Vec<u8> {
    crate::print::declaration(name, v)
}

fn print(sh: &mut Shell, names: &[Vec<u8>], who: Who) -> Ex {
    let mut status = 0;
    for n in names {
        let shown = match sh.raw_var(n).cloned() {
            Some(v) if who != Who::Local || sh.is_local(n) => Some(vars_declaration(n, &v)),
            Some(_) => None,
            None => {
                // Variables that compute.
                match (sh.array_kind(n), sh.get(n)) {
                    (Kind::Indexed | Kind::Assoc, _) => {
                        let items = sh.items(n);
                        let val = if sh.array_kind(n) == Kind::Assoc {
                            let mut a = Assoc::default();
                            for (k, v) in items {
                                a.set(k, v);
                            }
                            Val::Assoc(Rc::new(a))
                        } else {
                            Val::Arr(Rc::new(
                                items
                                    .into_iter()
                                    .map(|(k, v)| {
                                        (crate::strs::parse_int(&k).unwrap_or(0) as u64, v)
                                    })
                                    .collect(),
                            ))
                        };
                        Some(vars_declaration(
                            n,
                            &Var {
                                val,
                                attrs: 0,
                                bare: false,
                            },
                        ))
                    }
                    (_, Some(t)) => {
                        let attrs = match n.as_slice() {
                            b"UID" | b"EUID" | b"PPID" => READONLY | INTEGER,
                            b"BASHOPTS" | b"SHELLOPTS" => READONLY,
                            b"RANDOM" | b"SECONDS" | b"LINENO" | b"BASHPID" => INTEGER,
                            _ => 0,
                        };
                        Some(vars_declaration(
                            n,
                            &Var {
                                val: Val::Str(t),
                                attrs,
                                bare: false,
                            },
                        ))
                    }
                    _ => None,
                }
            }
        };
        match shown {
            Some(line) => {
                sh.say(line);
                sh.say("\n");
            }
            None => {
                sh.berr([n.as_slice(), b": not found"].concat());
                status = 1;
            }
        }
    }
    Ok(status)
}

/// All functions, or their names.
pub(super) fn all_functions(sh: &mut Shell, names_only: bool, attrs: u16) {
    let mut names: Vec<Vec<u8>> = sh.st.funcs.keys().cloned().collect();
    names.sort_unstable();
    for n in names {
        let Some((def, a)) = sh.st.funcs.get(&n).cloned() else {
            continue;
        };
        if a & attrs != attrs {
            continue;
        }
        if !names_only {
            sh.say(crate::print::function(&def));
            sh.say("\n");
        }
        if names_only || a != 0 {
            let mut letters = b"declare -f".to_vec();
            for (bit, l) in [(READONLY, b'r'), (vars::TRACE, b't'), (EXPORT, b'x')] {
                if a & bit != 0 {
                    letters.push(l);
                }
            }
            sh.say([letters.as_slice(), b" ", &n, b"\n"].concat());
        }
    }
}

fn functions(sh: &mut Shell, names: &[Vec<u8>], f: &Flags, who: Who) -> Ex {
    if names.is_empty() {
        all_functions(
            sh,
            f.names_only || who == Who::Export,
            f.on & (EXPORT | READONLY | TRACE),
        );
        return Ok(0);
    }
    let mut status = 0;
    for n in names {
        let Some((def, attrs)) = sh.st.funcs.get(n.as_slice()).cloned() else {
            if matches!(who, Who::Export | Who::Readonly) {
                sh.berr([n.as_slice(), b": not a function"].concat());
            }
            status = 1;
            continue;
        };
        let change = f.on | f.off;
        if change != 0 {
            if attrs & READONLY != 0 && f.off & READONLY != 0 {
                sh.berr([n.as_slice(), b": readonly function"].concat());
                status = 1;
                continue;
            }
            Rc::make_mut(&mut sh.st.funcs).insert(n.clone(), (def, (attrs & !f.off) | f.on));
            sh.env_cache = None;
            continue;
        }
        if f.names_only && f.print {
            sh.say([b"declare -f ", n.as_slice(), b"\n"].concat());
        } else if f.names_only {
            if sh.shopt(opts::EXTDEBUG) {
                let file = def.file.borrow().to_vec();
                sh.say(
                    [
                        n.as_slice(),
                        format!(" {} ", def.line).as_bytes(),
                        &file,
                        b"\n",
                    ]
                    .concat(),
                );
            } else {
                sh.say([n.as_slice(), b"\n"].concat());
            }
        } else {
            sh.say(crate::print::function(&def));
            sh.say("\n");
        }
    }
    Ok(status)
}
