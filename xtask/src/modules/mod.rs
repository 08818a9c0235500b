//! `cargo xtask modules`: builds the tool modules and collects them for the binary.
//!
//! Every package of tool-modules that has a `[package.metadata.hardshell]` table is a tool
//! module: its binary goes to `target/modules/NAME.wasm` and into the manifest. The package
//! `hardshell-test-guests`, and those whose table says `test = true`, are guests of tests and
//! benches: each of their binaries goes to `target/modules/test/NAME.wasm`, and those that its metadata lists under `components` are
//! built for WASI 0.2 as `target/modules/test/NAME.component.wasm` as well.

mod build;
mod collect;
mod manifest;
mod metadata;

use crate::root::Root;
use crate::setup;
use anyhow::bail;
use std::path::PathBuf;

pub(crate) use manifest::one_command_each;
pub(crate) use metadata::packages_with_tests;

/// The package whose binaries are guests for tests.
pub(crate) const TEST_GUESTS: &str = "hardshell-test-guests";

/// Options of `cargo xtask modules`.
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Build only these modules (`sh`, `coreutils` …; `test` stands for the tests' guests).
    #[arg(long = "only", value_name = "NAME")]
    only: Vec<String>,
    /// Cargo profile, `release` unless said; any other is for a quick look at an error only.
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    /// Cargo's target folder for this build.
    #[arg(long, value_name = "DIR")]
    target_dir: Option<PathBuf>,
    /// Where the modules are collected, instead of target/modules.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Passed on to cargo.
    #[arg(short, long)]
    jobs: Option<u32>,
}

impl Args {
    fn profile(&self) -> &str {
        self.profile.as_deref().unwrap_or("release")
    }

    fn wants(&self, name: &str) -> bool {
        self.only.is_empty()
            || self
                .only
                .iter()
                .any(|only| only == name || only.strip_prefix("hardshell-") == Some(name))
    }
}

/// Builds, collects, and writes the manifest. Modules that did build are collected even when
/// another does not, so that one broken module stops nobody who needs the rest.
pub(crate) fn run(root: &Root, args: &Args) -> anyhow::Result<PathBuf> {
    setup::wasm::ensure()?;
    let plan = metadata::read(root)?;
    for name in &args.only {
        if name != "test"
            && !plan
                .modules
                .iter()
                .any(|module| args.wants(&module.name) && short(name) == module.name)
        {
            let known: Vec<&str> = plan
                .modules
                .iter()
                .map(|module| module.name.as_str())
                .collect();
            bail!(
                "no tool module is called {name}; there are: {}, test",
                known.join(", ")
            );
        }
    }
    let out = args.out.clone().unwrap_or_else(|| root.modules_out());
    let target = args
        .target_dir
        .clone()
        .unwrap_or_else(|| root.tool_modules().join("target"));

    let modules: Vec<&metadata::Module> = plan
        .modules
        .iter()
        .filter(|module| args.wants(&module.name))
        .collect();
    let mut failures = Vec::new();
    let settings = build::Settings {
        profile: args.profile(),
        target_dir: &target,
        jobs: args.jobs,
    };

    let mut packages: Vec<&str> = modules
        .iter()
        .map(|module| module.package.as_str())
        .collect();
    let guests = args.wants("test").then_some(&plan.guests);
    if let Some(guests) = guests {
        packages.extend(guests.packages.iter().map(String::as_str));
    }
    if packages.is_empty() {
        bail!("tool-modules has no package with [package.metadata.hardshell]");
    }
    let built = build::wasip1(root, &settings, &packages)?;
    failures.extend(built.failure);

    let mut collected = collect::Report::default();
    let mut listed = Vec::new();
    for module in modules {
        let Some(file) = built
            .artifacts
            .get(&(module.package.clone(), module.bin.clone()))
        else {
            continue;
        };
        let entry = collect::module(file, &out, module, &mut collected)?;
        listed.push(entry);
    }
    manifest::merge(&out, &plan, listed)?;

    if let Some(guests) = guests {
        let test_out = out.join("test");
        for bin in &guests.bins {
            let mut of_guests = built
                .artifacts
                .iter()
                .filter(|((package, _), _)| guests.packages.contains(package));
            if let Some((_, file)) = of_guests.find(|((_, name), _)| name == bin) {
                collect::guest(file, &test_out.join(format!("{bin}.wasm")), &mut collected)?;
            }
        }
        if !guests.components.is_empty() {
            let built = build::wasip2(root, &settings, &guests.components)?;
            failures.extend(built.failure);
            for ((_, bin), file) in &built.artifacts {
                collect::guest(
                    file,
                    &test_out.join(format!("{bin}.component.wasm")),
                    &mut collected,
                )?;
            }
        }
        collect::remove_stale_guests(&test_out, guests)?;
    }
    eprintln!(
        "   modules: {} collected in {}, {} of them changed, {} in all",
        collected.files,
        root.show(&out),
        collected.changed,
        collect::size(collected.bytes),
    );
    if !failures.is_empty() {
        bail!("not every module was built: {}", failures.join("; "));
    }
    Ok(out)
}

fn short(name: &str) -> &str {
    name.strip_prefix("hardshell-").unwrap_or(name)
}
