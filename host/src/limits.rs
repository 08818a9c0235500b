//! What a sandbox, a call and a process may use. Every limit is finite by default.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Limits of a sandbox or of one call. Where several sets apply, the smallest value of
/// each wins ([`Limits::min`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Wall-clock time of a call. Default 120 s.
    pub wall: Duration,
    /// CPU time of a call, all its processes together. Default 60 s.
    pub cpu: Duration,
    /// Fuel of a call in Wasm operators, all its processes together. None (the default)
    /// bounds CPU by time alone; a value makes the bound reproducible and costs more.
    pub fuel: Option<u64>,
    /// Linear memory of one process, bytes. Default 256 MiB.
    pub memory_per_process: u64,
    /// Linear memory of all live processes of the sandbox, bytes. Default 1 GiB.
    pub memory: u64,
    /// Processes alive at once in a call. Default 128.
    pub processes: u32,
    /// Processes started over the life of a call. Default 200,000.
    pub processes_started: u64,
    /// Open descriptors of one process. Default 256.
    pub descriptors: u32,
    /// Capacity of one pipe, bytes. Default 64 KiB.
    pub pipe_bytes: u32,
    /// Bytes that a call may write to its stdout and stderr together. Default 16 MiB.
    pub output_bytes: u64,
    /// Size of one file, bytes. Default 256 MiB.
    pub file_bytes: u64,
    /// Size of one file by extension (lower case, without the dot), bytes; applies
    /// beside `file_bytes`. Default empty.
    pub sizes: BTreeMap<String, u64>,
    /// Bytes in the writable mounts. Default 1 GiB.
    pub workspace_bytes: u64,
    /// Files, folders and links in the writable mounts. Default 100,000.
    pub workspace_files: u64,
    /// Bytes in `/tmp`. Default 256 MiB.
    pub scratch_bytes: u64,
    /// Components of a path. Default 128.
    pub path_depth: u32,
}

const MIB: u64 = 1 << 20;

impl Default for Limits {
    fn default() -> Self {
        Limits {
            wall: Duration::from_secs(120),
            cpu: Duration::from_secs(60),
            fuel: None,
            memory_per_process: 256 * MIB,
            memory: 1024 * MIB,
            processes: 128,
            processes_started: 200_000,
            descriptors: 256,
            pipe_bytes: 64 << 10,
            output_bytes: 16 * MIB,
            file_bytes: 256 * MIB,
            sizes: BTreeMap::new(),
            workspace_bytes: 1024 * MIB,
            workspace_files: 100_000,
            scratch_bytes: 256 * MIB,
            path_depth: 128,
        }
    }
}

impl Limits {
    /// The stricter of both, value by value.
    #[must_use]
    pub fn min(&self, other: &Limits) -> Limits {
        let mut sizes = self.sizes.clone();
        for (ext, size) in &other.sizes {
            let entry = sizes.entry(ext.clone()).or_insert(*size);
            *entry = (*entry).min(*size);
        }
        Limits {
            wall: self.wall.min(other.wall),
            cpu: self.cpu.min(other.cpu),
            fuel: match (self.fuel, other.fuel) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            },
            memory_per_process: self.memory_per_process.min(other.memory_per_process),
            memory: self.memory.min(other.memory),
            processes: self.processes.min(other.processes),
            processes_started: self.processes_started.min(other.processes_started),
            descriptors: self.descriptors.min(other.descriptors),
            pipe_bytes: self.pipe_bytes.min(other.pipe_bytes),
            output_bytes: self.output_bytes.min(other.output_bytes),
            file_bytes: self.file_bytes.min(other.file_bytes),
            sizes,
            workspace_bytes: self.workspace_bytes.min(other.workspace_bytes),
            workspace_files: self.workspace_files.min(other.workspace_files),
            scratch_bytes: self.scratch_bytes.min(other.scratch_bytes),
            path_depth: self.path_depth.min(other.path_depth),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_wins() {
        let a = Limits {
            fuel: Some(10),
            memory: 5,
            ..Limits::default()
        };
        let b = Limits {
            processes: 1,
            sizes: BTreeMap::from([("png".to_owned(), 3)]),
            ..Limits::default()
        };
        let m = a.min(&b);
        assert_eq!((m.fuel, m.memory, m.processes), (Some(10), 5, 1));
        assert_eq!(m, b.min(&a));
        assert_eq!(m.sizes.get("png"), Some(&3));
    }
}
