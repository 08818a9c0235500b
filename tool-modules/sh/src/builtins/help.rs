//! `help`.

use super::{TABLE, find};
use crate::expand::pattern::Pattern;
use crate::shell::{Ex, Shell};

/// `name --help`.
pub(super) fn help_for(sh: &mut Shell) -> i32 {
    if let Some(b) = find(sh.builtin.as_bytes()) {
        sh.say(format!(
            "{}: {}\n    {}\n",
            b.name,
            b.usage,
            summary(b.name)
        ));
    }
    2
}

pub(super) fn help(sh: &mut Shell, args: &[Vec<u8>]) -> Ex {
    let p = match super::options(sh, args, "dms", false) {
        Ok(p) => p,
        Err(s) => return Ok(s),
    };
    let short = p.opts.iter().any(|(o, ..)| *o == b's');
    let describe = p.opts.iter().any(|(o, ..)| *o == b'd');
    let names = args.get(p.rest..).unwrap_or_default();
    if names.is_empty() {
        sh.say(format!(
            "GNU bash, version {} (wasm32-unknown-wasi)\n",
            crate::VERSION
        ));
        sh.say("These shell commands are defined internally. `help NAME' tells more about NAME;\n`compgen -c' lists every command of the sandbox.\n\n");
        for b in TABLE {
            sh.say(format!(" {}\n", b.usage));
        }
        return Ok(0);
    }
    let mut status = 0;
    for n in names {
        let pat = Pattern::new(n, true, false);
        let mut any = false;
        for b in TABLE
            .iter()
            .filter(|b| b.name.as_bytes() == n.as_slice() || pat.matches(b.name.as_bytes()))
        {
            any = true;
            if describe {
                sh.say(format!("{} - {}\n", b.name, summary(b.name)));
            } else if short {
                sh.say(format!("{}: {}\n", b.name, b.usage));
            } else {
                sh.say(format!(
                    "{}: {}\n    {}\n",
                    b.name,
                    b.usage,
                    summary(b.name)
                ));
            }
        }
        if !any {
            sh.berr(
                [
                    b"no help topics match `",
                    n.as_slice(),
                    b"'.  Try `help help'.",
                ]
                .concat(),
            );
            status = 1;
        }
    }
    Ok(status)
}

fn summary(name: &str) -> &'static str {
    match name {
        "." | "source" => "Runs the commands of a file in this shell.",
        ":" | "true" => "Does nothing, successfully.",
        "false" => "Does nothing, unsuccessfully.",
        "[" | "test" => "Evaluates a condition.",
        "alias" => "Defines or shows aliases.",
        "unalias" => "Removes aliases.",
        "break" => "Leaves loops.",
        "continue" => "Begins the next round of a loop.",
        "builtin" => "Runs a shell builtin even if a function has its name.",
        "caller" => "Shows where the current function was called.",
        "cd" => "Changes the working directory.",
        "command" => "Runs a command even if a function has its name, or tells about it.",
        "compgen" => "Shows possible completions.",
        "complete" | "compopt" => "Keeps completion specifications.",
        "declare" | "typeset" => "Sets variables and their attributes.",
        "local" => "Makes variables of the current function.",
        "export" => "Marks variables for the environment of commands.",
        "readonly" => "Marks variables that cannot be changed.",
        "dirs" => "Shows the directory stack.",
        "pushd" => "Puts a directory on the stack and goes there.",
        "popd" => "Takes a directory off the stack.",
        "disown" => "Forgets jobs.",
        "echo" => "Writes its arguments.",
        "enable" => "Switches builtins on and off.",
        "eval" => "Runs its arguments as a command.",
        "exec" => "Runs a command in place of the shell, or keeps redirections.",
        "exit" | "logout" => "Ends the shell.",
        "fc" | "history" => "Shows or repeats commands of the history.",
        "fg" | "bg" | "suspend" => "Job control, which the sandbox does not have.",
        "getopts" => "Reads options from arguments.",
        "hash" => "Remembers where programs are.",
        "help" => "Tells about builtins.",
        "jobs" => "Lists background jobs.",
        "kill" => "Sends signals.",
        "let" => "Evaluates arithmetic.",
        "mapfile" | "readarray" => "Reads lines into an array.",
        "printf" => "Writes formatted arguments.",
        "pwd" => "Shows the working directory.",
        "read" => "Reads a line into variables.",
        "return" => "Leaves a function or sourced file.",
        "set" => "Sets options and positional parameters.",
        "shift" => "Drops positional parameters.",
        "shopt" => "Sets further options.",
        "times" => "Shows the time used.",
        "trap" => "Sets what signals and events do.",
        "type" => "Tells what a name is.",
        "ulimit" => "Shows the limits, which the sandbox sets.",
        "umask" => "Shows or sets the mask for modes of new files.",
        "unset" => "Removes variables and functions.",
        "wait" => "Waits for background jobs.",
        _ => "Line editing, which the sandbox leaves to its host.",
    }
}
