//! `hardshell exec`: one module, with the folders that it is given.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use hardshell_host::{
    Access, CallSpec, CommandSet, DirSource, ModuleSource, Registry, Sandbox, Scratch,
};

use super::limits::LimitArgs;
use super::report::JsonArgs;
use super::{kernel, streams};
use crate::exit::{Failed, Outcome};

/// Options of `hardshell exec`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hardshell exec hello.wasm
  hardshell exec --dir .::/workspace tool.wasm --input data.csv
  hardshell exec --dir /srv/data::/data:ro --env LANG=C --fuel 5000000000 tool.wasm /data/x
  hardshell exec --json --timeout 1s spin.wasm

Runs WASI preview 1 commands and WASI 0.2 command components. It sees no folder that --dir does
not name, no environment, no network.")]
pub(crate) struct Args {
    /// Give it a folder: read-write, or read-only with :ro; without GUEST it is /workspace
    #[arg(long, value_name = "HOST[::GUEST][:ro]", value_parser = folder)]
    dir: Vec<Folder>,
    /// Give it a variable; NAME alone passes the value that it has here
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = super::sh::variable)]
    env: Vec<(String, String)>,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    json: JsonArgs,
    /// The module or component
    #[arg(value_name = "MODULE.wasm")]
    module: PathBuf,
    /// Its arguments
    #[arg(
        value_name = "ARGS",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    arguments: Vec<String>,
}

/// One `--dir`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Folder {
    host: PathBuf,
    guest: String,
    access: Access,
}

fn folder(text: &str) -> Result<Folder, String> {
    let (text, access) = match text.strip_suffix(":ro") {
        Some(rest) => (rest, Access::ReadOnly),
        None => (text.strip_suffix(":rw").unwrap_or(text), Access::ReadWrite),
    };
    let (host, guest) = match text.split_once("::") {
        Some((host, guest)) => (host, guest),
        None => (text, "/workspace"),
    };
    let guest = match guest {
        "." => "/workspace".to_owned(),
        guest => format!("/{}", guest.trim_matches('/')),
    };
    if host.is_empty() || guest == "/" || guest[1..].contains('/') {
        return Err("write HOST::GUEST, where GUEST is one name below the root, such as .::/workspace or data::/data:ro".to_owned());
    }
    Ok(Folder {
        host: PathBuf::from(host),
        guest,
        access,
    })
}

/// Runs the module.
pub(crate) fn run(args: &Args) -> Outcome {
    if !args.module.is_file() {
        let what = if args.module.exists() {
            "is not a file"
        } else {
            "does not exist"
        };
        return Err(Failed {
            code: 127,
            error: anyhow::anyhow!("{} {what}", args.module.display()),
        });
    }
    crate::telemetry::quiet();
    let config = kernel::local_config()?;
    let engine = kernel::engine(&config, true).map_err(Failed::host)?;
    let name = command_name(&args.module).map_err(Failed::host)?;
    let registry = Registry::builder(&engine)
        .module(ModuleSource::Path(args.module.clone()), &[&name])
        .build()
        .context("the module cannot be used")
        .map_err(Failed::host)?;
    let mut builder = Sandbox::builder(&registry)
        .scratch(Scratch::Temp)
        .allow_commands(CommandSet::All)
        .limits(args.limits.limits());
    for dir in &args.dir {
        builder = builder.mount(&dir.guest, DirSource::Path(dir.host.clone()), dir.access);
    }
    for (key, value) in &args.env {
        builder = builder.env(key, value);
    }
    let sandbox = builder.build().map_err(Failed::host)?;
    let cwd = match args
        .dir
        .iter()
        .find(|dir| dir.guest == "/workspace")
        .or(args.dir.first())
    {
        Some(dir) => dir.guest.as_str(),
        None => "/",
    };
    let argv = std::iter::once(name.clone()).chain(args.arguments.iter().cloned());
    streams::on_own_streams(&sandbox, CallSpec::new(argv).cwd(cwd), args.json.target())
}

fn command_name(module: &Path) -> anyhow::Result<String> {
    module
        .file_name()
        .and_then(|name| name.to_str())
        .map(str::to_owned)
        .with_context(|| format!("{} has no usable file name", module.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn folders() {
        for (text, host, guest, access) in [
            (".", ".", "/workspace", Access::ReadWrite),
            (".::.", ".", "/workspace", Access::ReadWrite),
            ("/srv/x::/data:ro", "/srv/x", "/data", Access::ReadOnly),
            ("a:b::data:rw", "a:b", "/data", Access::ReadWrite),
            ("x:ro", "x", "/workspace", Access::ReadOnly),
        ] {
            let got = folder(text).unwrap();
            assert_eq!(
                got,
                Folder {
                    host: host.into(),
                    guest: guest.to_owned(),
                    access
                },
                "{text}"
            );
        }
        for text in ["", "::/x", "x::/", "x::/a/b", "x::"] {
            assert!(folder(text).is_err(), "{text}");
        }
    }
}
