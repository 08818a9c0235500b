//! `hardshell sh`: the sandboxed shell on a folder, used as `bash -c` is.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use hardshell_host::CallSpec;

use super::kernel::{self, Workspace};
use super::limits::{CommandArgs, LimitArgs};
use super::report::JsonArgs;
use super::{prompt, streams};
use crate::exit::{Failed, Outcome};

/// Options of `hardshell sh`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hardshell sh -c 'sort data.csv | uniq -c | sort -rn | head'
  hardshell sh script.sh one two
  hardshell sh                          a prompt on the current folder
  curl -s URL | hardshell sh -c 'jq -r .name'
  hardshell sh --timeout 5s --memory 64MiB --json=report.json -c 'make-report > out.txt'
  hardshell sh --workspace DIR --read-only --allow-command ls,cat -c 'cat *.md'

The folder is /workspace and the only part of the host that exists in there. Nothing of the
environment is passed in but what --env names. The exit code is the script's; see the exit
codes of `hardshell --help` for limits and signals.")]
pub(crate) struct Args {
    /// Run this text; the words behind it are $0, $1, …
    #[arg(short = 'c', value_name = "SCRIPT", allow_hyphen_values = true)]
    script: Option<String>,
    /// Interactive: a prompt with line editing and history (default on a terminal)
    #[arg(short)]
    interactive: bool,
    /// Read the script from stdin; all words are its arguments
    #[arg(short = 's', conflicts_with = "script")]
    from_stdin: bool,
    /// End at the first command that fails
    #[arg(short = 'e', help_heading = "Shell options")]
    errexit: bool,
    /// An unset variable is an error
    #[arg(short = 'u', help_heading = "Shell options")]
    nounset: bool,
    /// Show every command before it runs
    #[arg(short = 'x', help_heading = "Shell options")]
    xtrace: bool,
    /// No file name expansion
    #[arg(short = 'f', help_heading = "Shell options")]
    noglob: bool,
    /// Check the syntax, run nothing
    #[arg(short = 'n', help_heading = "Shell options")]
    noexec: bool,
    /// Set an option by its name, such as pipefail
    #[arg(short = 'o', value_name = "OPTION", help_heading = "Shell options")]
    option: Vec<String>,
    /// The folder that becomes /workspace [default: the current one]
    #[arg(long, short = 'w', value_name = "DIR")]
    workspace: Option<PathBuf>,
    /// Nothing in the workspace can be changed
    #[arg(long)]
    read_only: bool,
    /// Give the script a variable; NAME alone passes the value that it has here
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = variable)]
    env: Vec<(String, String)>,
    #[command(flatten)]
    commands: CommandArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    json: JsonArgs,
    /// FILE and its arguments; with -c: $0 and the arguments
    #[arg(
        value_name = "FILE [ARGS]",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    words: Vec<String>,
}

/// `NAME=VALUE`, or `NAME` for what it is in our own environment.
pub(crate) fn variable(text: &str) -> Result<(String, String), String> {
    if text.contains('=') {
        return super::limits::pair(text);
    }
    match std::env::var(text) {
        Ok(value) => Ok((text.to_owned(), value)),
        Err(_) => Err(format!("{text} is not set here: write {text}=VALUE")),
    }
}

impl Args {
    fn options(&self) -> Vec<String> {
        let mut out = Vec::new();
        for (on, letter) in [
            (self.errexit, "-e"),
            (self.nounset, "-u"),
            (self.xtrace, "-x"),
            (self.noglob, "-f"),
            (self.noexec, "-n"),
        ] {
            if on {
                out.push(letter.to_owned());
            }
        }
        for option in &self.option {
            out.extend(["-o".to_owned(), option.clone()]);
        }
        out
    }

    /// The command line of the shell, without the interactive case.
    fn argv(&self) -> anyhow::Result<Vec<String>> {
        let mut argv = vec!["sh".to_owned()];
        argv.extend(self.options());
        if let Some(script) = &self.script {
            argv.extend(["-c".to_owned(), script.clone()]);
            argv.extend(self.words.iter().cloned());
            return Ok(argv);
        }
        match self.words.split_first() {
            Some((file, arguments)) if !self.from_stdin => {
                // The file may lie outside of the workspace: it is read here, by the user's
                // own right, and run in there.
                argv.extend(["-c".to_owned(), read_script(Path::new(file))?, file.clone()]);
                argv.extend(arguments.iter().cloned());
            }
            _ => {
                argv.push("-s".to_owned());
                if !self.words.is_empty() {
                    argv.push("--".to_owned());
                    argv.extend(self.words.iter().cloned());
                }
            }
        }
        Ok(argv)
    }

    /// A first word that looks like an option and so is hardly the name of a script.
    fn stray_option(&self) -> Option<&str> {
        let word = self.words.first()?;
        let script_elsewhere = self.script.is_some() || self.from_stdin;
        (!script_elsewhere && word.starts_with('-')).then_some(word)
    }

    fn wants_prompt(&self) -> bool {
        let nothing = self.script.is_none() && self.words.is_empty() && !self.from_stdin;
        self.interactive && self.script.is_none() && self.words.is_empty()
            || nothing && std::io::stdin().is_terminal()
    }
}

fn read_script(file: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::read(file)
        .with_context(|| format!("cannot read the script {}", file.display()))?;
    String::from_utf8(bytes)
        .map_err(|_| anyhow::anyhow!("the script {} is not UTF-8 text", file.display()))
}

/// Runs the shell.
pub(crate) fn run(args: &Args) -> Outcome {
    let interactive = args.wants_prompt();
    if let Some(word) = args.stray_option() {
        return Err(Failed::usage(anyhow::anyhow!(
            "there is no option {word} (`hardshell sh --help` lists them; a FILE of that name is ./{word})"
        )));
    }
    let argv = if interactive {
        Vec::new()
    } else {
        args.argv().map_err(|error| Failed { code: 127, error })?
    };
    crate::telemetry::quiet();
    let config = kernel::local_config()?;
    let engine = kernel::engine(&config, true).map_err(Failed::host)?;
    let registry = kernel::registry(&engine).map_err(Failed::host)?;
    let mut limits = args.limits.limits();
    if interactive {
        // A person sits before it: what bounds a script would only end the session.
        limits.wall = args.limits.timeout.map_or(kernel::UNBOUNDED, |p| p.0);
        limits.cpu = args.limits.cpu.map_or(kernel::UNBOUNDED, |p| p.0);
        limits.output_bytes = args.limits.output.map_or(1 << 40, |s| s.0);
        limits.processes_started = args.limits.processes_started.unwrap_or(1 << 40);
    }
    let sandbox = Workspace {
        folder: args.workspace.as_deref(),
        read_only: args.read_only,
        commands: args.commands.set("sh"),
        env: &args.env,
        limits,
    }
    .sandbox(&registry)
    .map_err(Failed::host)?;
    let target = args.json.target();
    if interactive {
        let mut argv = vec!["sh".to_owned()];
        argv.extend(args.options());
        argv.push("-i".to_owned());
        return prompt::run(&sandbox, argv, target);
    }
    streams::on_own_streams(&sandbox, CallSpec::new(argv), target)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: super::Args,
    }

    #[test]
    fn command_lines() {
        for (line, want) in [
            ("-c echo", "sh|-c|echo"),
            ("-c echo name a -b --json", "sh|-c|echo|name|a|-b|--json"),
            ("-euo pipefail -c x", "sh|-e|-u|-o|pipefail|-c|x"),
            ("-ec x", "sh|-e|-c|x"),
            ("-s a b", "sh|-s|--|a|b"),
            ("--timeout 5s --memory 1MiB -c x", "sh|-c|x"),
        ] {
            let words = std::iter::once("sh").chain(line.split(' '));
            let args = Line::try_parse_from(words).unwrap().args;
            assert_eq!(args.argv().unwrap().join("|"), want, "{line}");
        }
        for line in ["--timeout soon -c x", "--memory lots -c x", "--env =x -c x"] {
            let words = std::iter::once("sh").chain(line.split(' '));
            assert!(Line::try_parse_from(words).is_err(), "{line}");
        }
    }
}
