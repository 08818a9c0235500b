//! The small commands that the core utilities leave out, in one multi-call
//! module: the base name of `argv[0]` says which.

mod cat;
mod chmod;
mod column;
mod df;
mod du;
mod dump;
mod env;
mod file;
mod identity;
mod install;
mod ls;
mod man;
mod pager;
mod processes;
mod refuse;
mod small;
mod stat;
mod strings;
mod terminal;
mod timeout;
mod tree;
mod which;

type Main = fn(&str, Vec<Vec<u8>>) -> i32;

fn find(name: &str) -> Option<Main> {
    Some(match name {
        "cat" => cat::run,
        "ls" | "dir" | "vdir" => ls::run,
        "env" => env::env,
        "nice" => env::nice,
        "nohup" | "setsid" => env::nohup,
        "time" => timeout::time,
        "timeout" => timeout::timeout,
        "which" => which::run,
        "stat" => stat::run,
        "chmod" => chmod::run,
        "chown" | "chgrp" => chmod::chown,
        "du" => du::run,
        "df" => df::run,
        "free" => df::free,
        "install" => install::run,
        "id" => identity::id,
        "whoami" | "logname" => identity::whoami,
        "groups" => identity::groups,
        "hostname" => identity::hostname,
        "ps" => processes::ps,
        "kill" => processes::kill,
        "pkill" | "pgrep" => processes::pkill,
        "tree" => tree::run,
        "column" => column::run,
        "rev" => small::rev,
        "uuidgen" => small::uuidgen,
        "envsubst" => small::envsubst,
        "getconf" => small::getconf,
        "sync" => small::sync,
        "uptime" => small::uptime,
        "flock" => small::flock,
        "strings" => strings::run,
        "xxd" => dump::xxd,
        "hexdump" | "hd" => dump::hexdump,
        "file" => file::run,
        "less" | "more" => pager::run,
        "man" => man::run,
        "clear" | "reset" | "tput" => terminal::run,
        _ if refuse::reason(name).is_some() => refuse::run,
        _ => return None,
    })
}

fn main() {
    hardshell_sys::init();
    let mut args = hardshell_cli::args();
    let mut name = hardshell_cli::command_name(&args, "posixutils");
    if name == "posixutils" && args.len() > 1 {
        args.remove(0);
        name = hardshell_cli::command_name(&args, "posixutils");
    }
    let status = match find(&name) {
        Some(main) => main(&name, args),
        None => {
            hardshell_cli::complain("posixutils", format!("unknown command '{name}'"));
            127
        }
    };
    std::process::exit(status);
}
