//! `hardshell completions`.

use clap::CommandFactory as _;

use crate::exit::{self, Outcome};

/// Options of `hardshell completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hardshell completions bash > ~/.local/share/bash-completion/completions/hardshell
  hardshell completions zsh > \"${fpath[1]}/_hardshell\"
  hardshell completions fish > ~/.config/fish/completions/hardshell.fish")]
pub(crate) struct Args {
    /// The shell
    shell: clap_complete::Shell,
}

/// Prints the script.
pub(crate) fn run(args: &Args) -> Outcome {
    let mut command = super::Cli::command();
    clap_complete::generate(
        args.shell,
        &mut command,
        "hardshell",
        &mut std::io::stdout(),
    );
    Ok(exit::OK)
}
