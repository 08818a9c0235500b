//! A case, and running it in both shells.

use anyhow::{Context as _, bail};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// No case needs this long; one that does has hung.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A file that is there before a case runs.
pub(super) struct Input {
    pub(super) path: String,
    pub(super) bytes: Vec<u8>,
    pub(super) executable: bool,
}

/// Where the right answer comes from.
pub(super) enum Expect {
    /// Real bash, run beside.
    Oracle,
    /// The collection says it. Real bash must agree, or the case does not count.
    Stated { stdout: String, status: Option<i32> },
}

/// A case.
pub(super) struct Case {
    pub(super) file: String,
    pub(super) name: String,
    pub(super) args: Vec<String>,
    pub(super) stdin: String,
    pub(super) env: Vec<(String, String)>,
    pub(super) files: Vec<Input>,
    pub(super) expect: Expect,
    pub(super) ignore_stdout: bool,
    pub(super) ignore_blanks: bool,
}

impl Case {
    /// Its name in the lists of known failures.
    pub(super) fn id(&self) -> String {
        format!("{} :: {}", self.file, self.name)
    }

    fn same_stdout(&self, a: &str, b: &str) -> bool {
        if self.ignore_stdout {
            return true;
        }
        if self.ignore_blanks {
            return a.split_whitespace().eq(b.split_whitespace());
        }
        match self.expect {
            Expect::Oracle => a == b,
            Expect::Stated { .. } => a.trim_end_matches('\n') == b.trim_end_matches('\n'),
        }
    }
}

/// What a run gave.
#[derive(Default)]
pub(super) struct Ran {
    /// `None`: it hung or could not be started.
    pub(super) status: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// How a case went.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// As bash.
    Pass,
    /// Not as bash.
    Fail,
    /// Real bash does not give the stated answer here: the case says nothing.
    NotCounted,
}

/// Both runs of a case.
pub(super) struct Verdict {
    pub(super) bash: Ran,
    pub(super) ours: Ran,
    outcome: Outcome,
}

impl Verdict {
    pub(super) fn outcome(&self) -> Outcome {
        self.outcome
    }
}

/// The two shells.
pub(super) struct Shells {
    bash: PathBuf,
    binary: PathBuf,
    path: String,
}

impl Shells {
    pub(super) fn new(binary: &Path) -> anyhow::Result<Self> {
        let Some(bash) = crate::cmd::which("bash") else {
            bail!("bash is not installed")
        };
        if !binary.is_file() {
            bail!(
                "{} is not there: build it, or name another with --binary",
                binary.display()
            );
        }
        Ok(Self {
            bash,
            binary: binary.to_owned(),
            path: std::env::var("PATH").unwrap_or_default(),
        })
    }

    /// Runs the case in both, each in a folder of its own.
    pub(super) fn run(&self, case: &Case) -> Verdict {
        let bash = self.in_folder(case, false);
        let ours = self.in_folder(case, true);
        let outcome = match &case.expect {
            Expect::Oracle => {
                let same = bash.status.is_some()
                    && bash.status == ours.status
                    && case.same_stdout(&bash.stdout, &ours.stdout);
                if bash.status.is_none() {
                    Outcome::NotCounted
                } else if same {
                    Outcome::Pass
                } else {
                    Outcome::Fail
                }
            }
            Expect::Stated { stdout, status } => {
                let right = |r: &Ran| {
                    r.status.is_some()
                        && case.same_stdout(stdout, &r.stdout)
                        && status.is_none_or(|s| r.status == Some(s))
                };
                if !right(&bash) {
                    Outcome::NotCounted
                } else if right(&ours) && ours.status == bash.status {
                    Outcome::Pass
                } else {
                    Outcome::Fail
                }
            }
        };
        Verdict {
            bash,
            ours,
            outcome,
        }
    }

    fn in_folder(&self, case: &Case, ours: bool) -> Ran {
        match self.try_in_folder(case, ours) {
            Ok(ran) => ran,
            Err(error) => Ran {
                stderr: format!("{error:#}"),
                ..Ran::default()
            },
        }
    }

    fn try_in_folder(&self, case: &Case, ours: bool) -> anyhow::Result<Ran> {
        let dir = tempfile::Builder::new().prefix("case").tempdir()?;
        for input in &case.files {
            let path = dir.path().join(&input.path);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(&path, &input.bytes)?;
            if input.executable {
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
            }
        }
        let mut command = if ours {
            Command::new(&self.binary)
        } else {
            Command::new(&self.bash)
        };
        command
            .env_clear()
            .env("PATH", &self.path)
            .env("HOME", "/root")
            .env("LANG", "C.UTF-8");
        // Our own start-up needs to know where the modules and their cache are.
        for key in ["HARDSHELL_BUNDLE_DIR", "XDG_CACHE_HOME"] {
            if let Some(value) = std::env::var_os(key) {
                command.env(key, value);
            }
        }
        if let Some(home) = std::env::var_os("HOME")
            && ours
        {
            command.env("HOME", home);
        }
        if ours {
            command.args([
                "sh",
                "--timeout",
                "15s",
                "--env",
                "HOME=/root",
                "--env",
                "TERM=xterm",
            ]);
            for (key, value) in &case.env {
                command.arg("--env").arg(format!("{key}={value}"));
            }
            // The words go to a bash inside as they are: the outer command has options of its own.
            command.args(["-c", "exec bash \"$@\"", "bash"]);
        } else {
            command
                .env("TERM", "xterm")
                .envs(case.env.iter().map(|(k, v)| (k, v)));
        }
        command.args(&case.args).current_dir(dir.path());
        let ran = run(command, case.stdin.as_bytes())?;
        let here = dir.path().to_string_lossy().into_owned();
        let plain = |text: String| text.replace(&here, "/workspace");
        Ok(Ran {
            status: ran.status,
            stdout: plain(ran.stdout),
            stderr: plain(ran.stderr),
        })
    }
}

/// Runs a command to its end, or kills it after [`TIMEOUT`].
fn run(mut command: Command, stdin: &[u8]) -> anyhow::Result<Ran> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {:?}", command.get_program()))?;
    let (pipe, mut stdout, mut stderr) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let started = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if let Some(mut pipe) = pipe {
                // A script that ends early does not read all of it.
                let _ = pipe.write_all(stdin);
            }
        });
        let out = scope.spawn(move || read_all(stdout.as_mut()));
        let err = scope.spawn(move || read_all(stderr.as_mut()));
        let status = loop {
            match child.try_wait()? {
                Some(status) => break Some(status),
                None if started.elapsed() > TIMEOUT => {
                    let _ = child.kill();
                    let _ = child.wait();
                    break None;
                }
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        };
        use std::os::unix::process::ExitStatusExt as _;
        Ok(Ran {
            status: status.map(|s| s.code().unwrap_or_else(|| 128 + s.signal().unwrap_or(0))),
            stdout: out.join().unwrap_or_default(),
            stderr: err.join().unwrap_or_default(),
        })
    })
}

fn read_all(pipe: Option<&mut impl std::io::Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        let _ = pipe.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
