//! `cargo xtask tidy`: the rules of the repository that no compiler checks.
//!
//! A rule is a function from the repository to its problems, each one line that names the place
//! and says what to do. A new rule is a new file here and a line in [`RULES`].

mod ambient;
mod changelog;
mod edges;
mod guests;
mod licences;
mod links;
mod manifests;
mod repo;
mod sizes;
mod unsafety;
mod words;

use crate::root::Root;
use anyhow::bail;
use repo::Repo;

/// Options of `cargo xtask tidy`.
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Check only these rules.
    #[arg(long, value_name = "RULE")]
    only: Vec<String>,
    /// Name the rules.
    #[arg(long)]
    list: bool,
}

type Rule = fn(&Repo) -> anyhow::Result<Vec<String>>;

const RULES: &[(&str, &str, Rule)] = &[
    ("edges", "which crate may depend on what", edges::check),
    (
        "manifests",
        "every dependency has its reason, every crate the workspace's lints",
        manifests::check,
    ),
    (
        "licences",
        "every dependency's licence is in deny.toml",
        licences::check,
    ),
    ("sizes", "no hand-written source above 40 kB", sizes::check),
    (
        "ambient",
        "no file of the host is opened by path in the libraries",
        ambient::check,
    ),
    (
        "unsafe",
        "unsafe code only where it is expected",
        unsafety::check,
    ),
    (
        "words",
        "nothing about a machine or a workplace",
        words::check,
    ),
    ("links", "links of the documents resolve", links::check),
    (
        "changelog",
        "the changelog has a place for the next change",
        changelog::check,
    ),
    (
        "guests",
        "every guest of the tests is used by one",
        guests::check,
    ),
];

/// Checks the rules and prints every problem.
pub(crate) fn run(root: &Root, args: &Args) -> anyhow::Result<()> {
    if args.list {
        for (name, what, _) in RULES {
            println!("{name:<10} {what}");
        }
        return Ok(());
    }
    if let Some(unknown) = args
        .only
        .iter()
        .find(|only| RULES.iter().all(|(name, ..)| name != only))
    {
        bail!("no rule is called {unknown}; `cargo xtask tidy --list` names them");
    }
    let repo = Repo::read(root)?;
    let mut count = 0_usize;
    for (name, what, rule) in RULES {
        if !args.only.is_empty() && !args.only.iter().any(|only| only == name) {
            continue;
        }
        // A rule that cannot look is a problem of its own; the others still run.
        let problems = rule(&repo).unwrap_or_else(|error| vec![format!("{error:#}")]);
        eprintln!(
            "   {:<10} {:<70} {}",
            name,
            what,
            if problems.is_empty() { "ok" } else { "NOT OK" }
        );
        for problem in &problems {
            eprintln!("     {problem}");
        }
        count = count.saturating_add(problems.len());
    }
    match count {
        0 => Ok(()),
        1 => bail!("1 problem"),
        _ => bail!("{count} problems"),
    }
}
