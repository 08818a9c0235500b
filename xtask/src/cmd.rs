//! Running other programs so that a failure names the command that failed.

use anyhow::{Context as _, bail};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A command that is shown before it runs.
pub(crate) struct Cmd {
    inner: Command,
    text: String,
    quiet: bool,
}

impl Cmd {
    /// A command; `program` is looked up in PATH when it holds no slash.
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let program = program.as_ref();
        Self {
            text: program.to_string_lossy().into_owned(),
            inner: Command::new(program),
            quiet: false,
        }
    }

    /// The cargo that runs us.
    pub(crate) fn cargo() -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut cmd = Self::new(cargo);
        cmd.text = "cargo".to_owned();
        // These name this package; a build script of another would read them as its own.
        for key in ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "CARGO_PKG_VERSION"] {
            cmd.inner.env_remove(key);
        }
        cmd
    }

    /// Adds one argument.
    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        let arg = arg.as_ref();
        self.text.push(' ');
        self.text.push_str(&arg.to_string_lossy());
        self.inner.arg(arg);
        self
    }

    /// Adds arguments.
    pub(crate) fn args<I: AsRef<OsStr>>(self, args: impl IntoIterator<Item = I>) -> Self {
        args.into_iter().fold(self, Self::arg)
    }

    /// Adds `--locked` in CI, where a lock file that does not fit must fail, not be repaired.
    pub(crate) fn locked(self) -> Self {
        self.args(std::env::var_os("CI").map(|_| "--locked"))
    }

    /// Sets a variable.
    pub(crate) fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.inner.env(key, value);
        self
    }

    /// Takes a variable out.
    pub(crate) fn env_remove(mut self, key: &str) -> Self {
        self.inner.env_remove(key);
        self
    }

    /// Runs in this folder.
    pub(crate) fn dir(mut self, dir: &Path) -> Self {
        self.inner.current_dir(dir);
        self
    }

    /// Does not show the command.
    pub(crate) fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Runs to the end with our own input and output; a status other than 0 is an error.
    pub(crate) fn run(mut self) -> anyhow::Result<()> {
        if !self.quiet {
            eprintln!("   $ {}", self.text);
        }
        let status = self
            .inner
            .status()
            .with_context(|| format!("cannot start `{}`", self.text))?;
        if !status.success() {
            bail!("`{}` ended with {status}", self.text);
        }
        Ok(())
    }

    /// Runs to the end and gives what it wrote on stdout; a status other than 0 is an error
    /// that carries its stderr.
    pub(crate) fn read(mut self) -> anyhow::Result<String> {
        let out = self
            .inner
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot start `{}`", self.text))?;
        if !out.status.success() {
            bail!(
                "`{}` ended with {}\n{}",
                self.text,
                out.status,
                String::from_utf8_lossy(&out.stderr)
            );
        }
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    }

    /// The command itself, for callers that read its output as it comes.
    pub(crate) fn into_inner(self) -> (Command, String) {
        if !self.quiet {
            eprintln!("   $ {}", self.text);
        }
        (self.inner, self.text)
    }
}

/// Where a program lies in PATH.
pub(crate) fn which(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| is_executable(file))
}

/// Whether a path is a file that may be run.
pub(crate) fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
