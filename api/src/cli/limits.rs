//! The limits as options, shared by `sh`, `exec` and `mcp`.

use std::collections::BTreeSet;

use hardshell_host::{CommandSet, Limits};

use crate::units::{Period, Size};

/// Limits of a call. What is not given keeps its default, which is finite.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitArgs {
    /// Wall-clock time of a call [default: 120s; without limit for a prompt]
    #[arg(long, value_name = "TIME")]
    pub(crate) timeout: Option<Period>,
    /// CPU time of a call, all its processes together [default: 60s]
    #[arg(long, value_name = "TIME")]
    pub(crate) cpu: Option<Period>,
    /// WebAssembly operators that a call may execute [default: bounded by --cpu alone]
    #[arg(long, value_name = "N")]
    pub(crate) fuel: Option<u64>,
    /// Memory of one process [default: 256MiB]
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<Size>,
    /// Memory of all processes together [default: 1GiB]
    #[arg(long, value_name = "SIZE")]
    pub(crate) total_memory: Option<Size>,
    /// Processes alive at once [default: 128]
    #[arg(long, value_name = "N")]
    pub(crate) processes: Option<u32>,
    /// Processes started over the life of a call [default: 200000]
    #[arg(long, value_name = "N")]
    pub(crate) processes_started: Option<u64>,
    /// Bytes written to stdout and stderr together [default: 16MiB]
    #[arg(long, value_name = "SIZE")]
    pub(crate) output: Option<Size>,
    /// Size of one file [default: 256MiB]
    #[arg(long, value_name = "SIZE")]
    pub(crate) file_size: Option<Size>,
    /// Bytes in the workspace [default: 1GiB]
    #[arg(long, value_name = "SIZE")]
    pub(crate) workspace_size: Option<Size>,
    /// Files in the workspace [default: 100000]
    #[arg(long, value_name = "N")]
    pub(crate) workspace_files: Option<u64>,
    /// Open files of one process [default: 256]
    #[arg(long, value_name = "N")]
    pub(crate) open_files: Option<u32>,
}

impl LimitArgs {
    /// The defaults with what was given on the command line.
    pub(crate) fn limits(&self) -> Limits {
        self.over(Limits::default())
    }

    /// `base` with what was given on the command line.
    pub(crate) fn over(&self, mut limits: Limits) -> Limits {
        fn set<T: Copy>(target: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *target = value;
            }
        }
        let size = |s: Option<Size>| s.map(|s| s.0);
        set(&mut limits.wall, self.timeout.map(|p| p.0));
        set(&mut limits.cpu, self.cpu.map(|p| p.0));
        limits.fuel = self.fuel.or(limits.fuel);
        set(&mut limits.memory_per_process, size(self.memory));
        set(&mut limits.memory, size(self.total_memory));
        if self.total_memory.is_none() {
            // One process may have all of what its own limit says.
            limits.memory = limits.memory.max(limits.memory_per_process);
        }
        set(&mut limits.processes, self.processes);
        set(&mut limits.processes_started, self.processes_started);
        set(&mut limits.output_bytes, size(self.output));
        set(&mut limits.file_bytes, size(self.file_size));
        set(&mut limits.workspace_bytes, size(self.workspace_size));
        set(&mut limits.workspace_files, self.workspace_files);
        set(&mut limits.descriptors, self.open_files);
        limits
    }
}

/// Which commands exist.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct CommandArgs {
    /// Only these commands exist; may be given several times [default: all]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) allow_command: Vec<String>,
}

impl CommandArgs {
    /// The set for the sandbox; `needed` is always in it.
    pub(crate) fn set(&self, needed: &str) -> CommandSet {
        if self.allow_command.is_empty() {
            return CommandSet::All;
        }
        let mut names: BTreeSet<String> = self
            .allow_command
            .iter()
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect();
        names.insert(needed.to_owned());
        CommandSet::Only(names)
    }
}

/// Parses `K=V`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}
