//! The builtin commands, one file each or a family.

mod alias;
mod cd;
mod command;
mod complete;
mod declare;
mod echo;
mod flow;
mod getopts;
mod help;
mod jobs;
mod mapfile;
mod misc;
mod printf;
mod read;
mod set;
pub mod strftime;
mod test;
mod trap;
mod unset;

use crate::shell::{Ex, Shell};

/// A builtin.
pub struct Builtin {
    /// Its name.
    pub name: &'static str,
    /// A special builtin of POSIX.
    pub special: bool,
    /// What it does with its arguments, the name first.
    pub run: fn(&mut Shell, &[Vec<u8>]) -> Ex,
    /// Its arguments, for `help` and usage errors.
    pub usage: &'static str,
}

macro_rules! table {
    ($($name:literal $special:literal $run:path, $usage:literal;)*) => {
        /// All, sorted by name.
        pub static TABLE: &[Builtin] = &[
            $(Builtin { name: $name, special: $special, run: $run, usage: $usage },)*
        ];
    };
}

table! {
    "." true command::source, ". filename [arguments]";
    ":" true flow::yes, ":";
    "[" false test::test, "[ arg... ]";
    "alias" false alias::alias, "alias [-p] [name[=value] ... ]";
    "bg" false jobs::bg, "bg [job_spec ...]";
    "bind" false misc::bind, "bind [-lpsvPSVX] [-m keymap] [-f filename] [-q name] [-u name] [-r keyseq] [-x keyseq:shell-command] [keyseq:readline-function or readline-command]";
    "break" true flow::brk, "break [n]";
    "builtin" false command::builtin, "builtin [shell-builtin [arg ...]]";
    "caller" false misc::caller, "caller [expr]";
    "cd" false cd::cd, "cd [-L|[-P [-e]] [-@]] [dir]";
    "command" false command::command, "command [-pVv] command [arg ...]";
    "compgen" false complete::compgen, "compgen [-abcdefgjksuv] [-o option] [-A action] [-G globpat] [-W wordlist] [-F function] [-C command] [-X filterpat] [-P prefix] [-S suffix] [word]";
    "complete" false complete::complete, "complete [-abcdefgjksuv] [-pr] [-DEI] [-o option] [-A action] [-G globpat] [-W wordlist] [-F function] [-C command] [-X filterpat] [-P prefix] [-S suffix] [name ...]";
    "compopt" false complete::compopt, "compopt [-o|+o option] [-DEI] [name ...]";
    "continue" true flow::cont, "continue [n]";
    "declare" false declare::declare, "declare [-aAfFgiIlnrtux] [name[=value] ...] or declare -p [-aAfFilnrtux] [name ...]";
    "dirs" false cd::dirs, "dirs [-clpv] [+N] [-N]";
    "disown" false jobs::disown, "disown [-h] [-ar] [jobspec ... | pid ...]";
    "echo" false echo::echo, "echo [-neE] [arg ...]";
    "enable" false command::enable, "enable [-a] [-dnps] [-f filename] [name ...]";
    "eval" true command::eval, "eval [arg ...]";
    "exec" true command::exec, "exec [-cl] [-a name] [command [argument ...]] [redirection ...]";
    "exit" true flow::exit, "exit [n]";
    "export" true declare::export, "export [-fn] [name[=value] ...] or export -p";
    "false" false flow::no, "false";
    "fc" false misc::fc, "fc [-e ename] [-lnr] [first] [last] or fc -s [pat=rep] [command]";
    "fg" false jobs::fg, "fg [job_spec]";
    "getopts" false getopts::getopts, "getopts optstring name [arg ...]";
    "hash" false command::hash, "hash [-lr] [-p pathname] [-dt] [name ...]";
    "help" false help::help, "help [-dms] [pattern ...]";
    "history" false misc::history, "history [-c] [-d offset] [n] or history -anrw [filename] or history -ps arg [arg...]";
    "jobs" false jobs::jobs, "jobs [-lnprs] [jobspec ...] or jobs -x command [args]";
    "kill" false jobs::kill, "kill [-s sigspec | -n signum | -sigspec] pid | jobspec ... or kill -l [sigspec]";
    "let" false misc::let_, "let arg [arg ...]";
    "local" false declare::local, "local [option] name[=value] ...";
    "logout" false flow::logout, "logout [n]";
    "mapfile" false mapfile::mapfile, "mapfile [-d delim] [-n count] [-O origin] [-s count] [-t] [-u fd] [-C callback] [-c quantum] [array]";
    "popd" false cd::popd, "popd [-n] [+N | -N]";
    "printf" false printf::printf, "printf [-v var] format [arguments]";
    "pushd" false cd::pushd, "pushd [-n] [+N | -N | dir]";
    "pwd" false cd::pwd, "pwd [-LP]";
    "read" false read::read, "read [-ers] [-a array] [-d delim] [-i text] [-n nchars] [-N nchars] [-p prompt] [-t timeout] [-u fd] [name ...]";
    "readarray" false mapfile::mapfile, "readarray [-d delim] [-n count] [-O origin] [-s count] [-t] [-u fd] [-C callback] [-c quantum] [array]";
    "readonly" true declare::readonly, "readonly [-aAf] [name[=value] ...] or readonly -p";
    "return" true flow::ret, "return [n]";
    "set" true set::set, "set [-abefhkmnptuvxBCEHPT] [-o option-name] [--] [-] [arg ...]";
    "shift" true misc::shift, "shift [n]";
    "shopt" false set::shopt, "shopt [-pqsu] [-o] [optname ...]";
    "source" true command::source, "source filename [arguments]";
    "suspend" false jobs::suspend, "suspend [-f]";
    "test" false test::test, "test [expr]";
    "times" true misc::times, "times";
    "trap" true trap::trap, "trap [-lp] [[arg] signal_spec ...]";
    "true" false flow::yes, "true";
    "type" false command::type_, "type [-afptP] name [name ...]";
    "typeset" false declare::declare, "typeset [-aAfFgiIlnrtux] name[=value] ... or typeset -p [-aAfFilnrtux] [name ...]";
    "ulimit" false misc::ulimit, "ulimit [-SHabcdefiklmnpqrstuvxPRT] [limit]";
    "umask" false misc::umask, "umask [-p] [-S] [mode]";
    "unalias" false alias::unalias, "unalias [-a] name [name ...]";
    "unset" true unset::unset, "unset [-f] [-v] [-n] [name ...]";
    "wait" false jobs::wait, "wait [-fn] [-p var] [id ...]";
}

/// Reserved words, as `type` and `compgen -k` know them.
pub const KEYWORDS: [&str; 22] = [
    "!", "[[", "]]", "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for",
    "function", "if", "in", "select", "then", "time", "until", "while", "{", "}",
];

/// The builtin of that name.
pub fn find(name: &[u8]) -> Option<&'static Builtin> {
    TABLE
        .binary_search_by(|b| b.name.as_bytes().cmp(name))
        .ok()
        .and_then(|i| TABLE.get(i))
}

/// A special builtin?
pub fn is_special(name: &[u8]) -> bool {
    find(name).is_some_and(|b| b.special)
}

impl Shell {
    /// Runs a builtin and writes what it said.
    pub(crate) fn run_builtin(&mut self, b: &'static Builtin, args: &[Vec<u8>]) -> Ex {
        let old = std::mem::replace(&mut self.builtin, b.name);
        let result = (b.run)(self, args);
        self.builtin = b.name;
        let failed = match self.flush() {
            Ok(f) => f,
            Err(u) => {
                self.builtin = old;
                return Err(u);
            }
        };
        self.builtin = old;
        match result {
            Ok(0) if failed => Ok(1),
            other => other,
        }
    }

    /// Prints the usage of the builtin that is running; status 2.
    pub(crate) fn usage_error(&mut self) -> i32 {
        if let Some(b) = find(self.builtin.as_bytes()) {
            let mut text = self.builtin.as_bytes().to_vec();
            text.extend_from_slice(b": usage: ");
            text.extend_from_slice(b.usage.as_bytes());
            text.push(b'\n');
            self.write_err(&text);
        }
        2
    }

    /// An option that the builtin does not have.
    pub(crate) fn bad_option(&mut self, letter: u8, sign: u8) -> i32 {
        self.berr([&[sign, letter][..], b": invalid option"].concat());
        self.usage_error()
    }
}

/// Options of a builtin: letters (with their sign) and arguments; then the operands.
pub(crate) struct Parsed {
    /// (letter, with `-`, argument)
    pub opts: Vec<(u8, bool, Option<Vec<u8>>)>,
    /// Where the operands begin.
    pub rest: usize,
}

/// Reads options. A letter followed by `:` in `spec` takes an argument. `plus`: `+x` counts too.
pub(crate) fn options(
    sh: &mut Shell,
    args: &[Vec<u8>],
    spec: &str,
    plus: bool,
) -> Result<Parsed, i32> {
    let mut out = Parsed {
        opts: Vec::new(),
        rest: 1,
    };
    let spec = spec.as_bytes();
    while let Some(arg) = args.get(out.rest) {
        if arg == b"--" {
            out.rest += 1;
            break;
        }
        let (sign, letters) = match arg.split_first() {
            Some((s @ b'-', l)) if !l.is_empty() => (*s, l),
            Some((s @ b'+', l)) if plus && !l.is_empty() => (*s, l),
            _ => break,
        };
        out.rest += 1;
        let mut i = 0;
        while let Some(&l) = letters.get(i) {
            i += 1;
            let Some(at) = spec.iter().position(|s| *s == l && l != b':') else {
                if l == b'-' && letters == b"-help" {
                    return Err(help::help_for(sh));
                }
                return Err(sh.bad_option(l, sign));
            };
            if spec.get(at + 1) == Some(&b':') {
                let value = if i < letters.len() {
                    letters.get(i..).unwrap_or_default().to_vec()
                } else {
                    match args.get(out.rest) {
                        Some(v) => {
                            out.rest += 1;
                            v.clone()
                        }
                        None => {
                            sh.berr([&[b'-', l][..], b": option requires an argument"].concat());
                            return Err(sh.usage_error());
                        }
                    }
                };
                out.opts.push((l, sign == b'-', Some(value)));
                break;
            }
            out.opts.push((l, sign == b'-', None));
        }
    }
    Ok(out)
}
