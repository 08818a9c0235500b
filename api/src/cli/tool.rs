//! `hardshell tool`: from an empty folder to a tool in a running server.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Subcommand, ValueEnum};
use hardshell_host::Registry;
use hardshell_mcp::ToolProvider;
use hardshell_mcp::policy::Policy;
use hardshell_mcp::provider::folder::ToolFolder;
use hardshell_mcp::toolkit;

use super::{ConfigArgs, kernel, serve};
use crate::config::Settings;
use crate::exit::{self, Failed, Outcome};
use crate::telemetry;

/// Options of `hardshell tool`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hardshell tool new word_count && cd word_count
  hardshell tool build
  hardshell tool test
  hardshell tool inspect dist/word_count.wasm
  hardshell tool add dist/word_count.wasm --tools /srv/hardshell/tools
  hardshell mcp --workspace . --tools /srv/hardshell/tools

A running server takes up what is added to its tools folder (tools.dir) within a second.")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

/// A tools folder and what its tools may do.
#[derive(Debug, clap::Args)]
struct Place {
    /// The folder of tools [default: tools.dir of the configuration]
    #[arg(long, value_name = "DIR")]
    tools: Option<PathBuf>,
    #[command(flatten)]
    policy: PolicyArgs,
}

/// What tools may do.
#[derive(Debug, clap::Args)]
struct PolicyArgs {
    /// What tools may do [default: tools.policy of the configuration, or read the workspace]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Write a project that builds and has a test
    New {
        /// Name of the tool and of its new folder
        name: String,
        /// What it is written in
        #[arg(long, value_enum, default_value_t = Language::Rust)]
        language: Language,
    },
    /// Build the project of a folder into its dist/
    Build {
        /// The project [default: the current folder]
        folder: Option<PathBuf>,
    },
    /// Run a tool's cases, each in a sandbox of its own
    Test {
        /// The module [default: build the current folder]
        module: Option<PathBuf>,
        /// The cases
        #[arg(long, value_name = "FILE", default_value = "tests/cases.toml")]
        cases: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        policy: PolicyArgs,
    },
    /// Put a manifest file into a module
    Embed {
        /// The module
        module: PathBuf,
        /// The manifest, TOML
        manifest: PathBuf,
        /// Where to write the result [default: over the module]
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Say what a module is, what it imports and what it asks for, without running it
    Inspect {
        /// The module or component
        module: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        policy: PolicyArgs,
    },
    /// Put a tool into a tools folder, if the policy allows it
    Add {
        /// The module or component
        module: PathBuf,
        /// Take the place of a tool of the same name
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        place: Place,
    },
    /// List the tools of a folder
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Remove a tool from a folder
    Remove {
        /// Its name
        name: String,
        #[command(flatten)]
        place: Place,
    },
}

/// What a project is written in.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Language {
    /// Rust with the SDK
    Rust,
    /// C with a manifest beside it
    C,
    /// A WASI 0.2 component in Rust
    Component,
}

impl From<Language> for toolkit::Language {
    fn from(language: Language) -> Self {
        match language {
            Language::Rust => toolkit::Language::Rust,
            Language::C => toolkit::Language::C,
            Language::Component => toolkit::Language::Component,
        }
    }
}

/// Does what is asked.
pub(crate) fn run(args: &Args) -> Outcome {
    telemetry::quiet();
    match &args.action {
        Action::New { name, language } => {
            let here = std::env::current_dir().context("the current folder cannot be found")?;
            let files =
                toolkit::new(&here, name, (*language).into()).map_err(Failed::from_error)?;
            for file in files {
                let shown = file.strip_prefix(&here).unwrap_or(&file);
                anstream::println!("  {}", shown.display());
            }
            anstream::println!("Next: cd {name} && hardshell tool test");
        }
        Action::Build { folder } => {
            let folder = folder.clone().unwrap_or_else(|| PathBuf::from("."));
            let built = toolkit::build(&folder).map_err(Failed::from_error)?;
            anstream::println!("{}  ({})", built.module.display(), built.manifest.name);
        }
        Action::Test {
            module,
            cases,
            json,
            policy,
        } => {
            return test(module.as_deref(), cases, *json, &policy.load()?.1);
        }
        Action::Embed {
            module,
            manifest,
            output,
        } => {
            let output = output.as_deref().unwrap_or(module);
            toolkit::embed(module, manifest, output).map_err(Failed::from_error)?;
            anstream::println!("{}", output.display());
        }
        Action::Inspect {
            module,
            json,
            policy,
        } => {
            let found = toolkit::inspect(module, &policy.load()?.1).map_err(Failed::from_error)?;
            print(&found, *json)?;
        }
        Action::Add {
            module,
            replace,
            place,
        } => {
            let (folder, policy) = place.load()?;
            let added =
                toolkit::add(module, &folder, &policy, *replace).map_err(Failed::from_error)?;
            let verb = if added.replaced { "Replaced" } else { "Added" };
            anstream::println!("{verb} {}", added.module.display());
        }
        Action::List { json, place } => {
            let (folder, policy) = place.load()?;
            let listed = toolkit::list(&folder, &policy).map_err(Failed::from_error)?;
            if *json {
                anstream::println!(
                    "{}",
                    serde_json::to_string(&listed).map_err(anyhow::Error::from)?
                );
                return Ok(exit::OK);
            }
            for tool in listed {
                let what = match (&tool.inspection.manifest, tool.inspection.refused.first()) {
                    (_, Some(reason)) => format!("refused: {reason}"),
                    (Some(manifest), None) => manifest
                        .description
                        .lines()
                        .next()
                        .unwrap_or_default()
                        .to_owned(),
                    (None, None) => "a shell command".to_owned(),
                };
                anstream::println!("{:<24}  {what}", tool.name);
            }
        }
        Action::Remove { name, place } => {
            let (folder, policy) = place.load()?;
            let removed = toolkit::remove(name, &folder, &policy).map_err(Failed::from_error)?;
            anstream::println!("Removed {}", removed.display());
        }
    }
    Ok(exit::OK)
}

fn print<T: serde::Serialize + std::fmt::Display>(value: &T, json: bool) -> anyhow::Result<()> {
    if json {
        anstream::println!("{}", serde_json::to_string(value)?);
    } else {
        anstream::print!("{value}");
    }
    Ok(())
}

fn test(module: Option<&Path>, cases: &Path, json: bool, policy: &Policy) -> Outcome {
    let module = match module {
        Some(module) => module.to_owned(),
        None => {
            toolkit::build(Path::new("."))
                .map_err(Failed::from_error)?
                .module
        }
    };
    let config = kernel::local_config()?;
    let engine = kernel::engine(&config, true)?;
    let registry = kernel::registry(&engine)?;
    let results = serve::server_runtime()?
        .block_on(toolkit::test(&module, cases, &registry, policy))
        .map_err(Failed::from_error)?;
    let failed = results
        .iter()
        .filter(|result| result.failure.is_some())
        .count();
    if json {
        anstream::println!(
            "{}",
            serde_json::to_string(&results).map_err(anyhow::Error::from)?
        );
    } else {
        for result in &results {
            match &result.failure {
                None => anstream::println!(
                    "\x1b[32mok\x1b[0m    {}  ({:.1} ms)",
                    result.name,
                    result.elapsed_ms
                ),
                Some(text) => anstream::println!(
                    "\x1b[31mFAIL\x1b[0m  {}\n      {}",
                    result.name,
                    text.replace('\n', "\n      ")
                ),
            }
        }
        anstream::println!(
            "{} of {} cases passed",
            results.len() - failed,
            results.len()
        );
    }
    Ok(if failed > 0 || results.is_empty() {
        exit::FAILURE
    } else {
        exit::OK
    })
}

impl PolicyArgs {
    /// The configured tools folder, and the policy.
    fn load(&self) -> Result<(Option<PathBuf>, Policy), Failed> {
        let settings = Settings::load(&self.config.flags()).map_err(Failed::usage)?;
        let tools = settings.config().map_err(Failed::usage)?.tools;
        let policy = policy(self.policy.as_deref().or(tools.policy.as_deref()))?;
        Ok((tools.dir, policy))
    }
}

impl Place {
    fn load(&self) -> Result<(PathBuf, Policy), Failed> {
        let (configured, policy) = self.policy.load()?;
        let folder = self.tools.clone().or(configured).ok_or_else(|| {
            Failed::usage(anyhow::anyhow!(
                "which tools folder? Name it by --tools DIR, or by tools.dir in hardshell.toml"
            ))
        })?;
        Ok((folder, policy))
    }
}

/// Reads a policy; without a file, the default one.
fn policy(file: Option<&Path>) -> anyhow::Result<Policy> {
    match file {
        Some(file) => {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("cannot read the policy {}", file.display()))?;
            Policy::parse(&text).with_context(|| format!("{} is no policy", file.display()))
        }
        None => Ok(Policy::default()),
    }
}

/// The tools of a folder, for sessions; it is watched from now on.
pub(crate) fn provider(
    folder: &Path,
    policy_file: Option<&Path>,
    registry: &Registry,
) -> anyhow::Result<Arc<dyn ToolProvider>> {
    let tools = ToolFolder::open(folder, policy(policy_file)?, registry)
        .with_context(|| format!("cannot read the tools folder {}", folder.display()))?;
    for rejected in tools.rejected() {
        tracing::warn!(
            "the tool {} is not served: {}",
            rejected.file,
            rejected.reason
        );
    }
    tools.watch();
    Ok(tools)
}
