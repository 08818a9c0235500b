//! What people are told when a limit ends something: which limit, how much, its name.

use std::time::Duration;

use crate::process::Stop;
use crate::report::{QuotaKind, Termination};
use crate::vfs::QuotaExceeded;

/// Bytes with the largest unit that is exact enough to read.
pub(crate) fn bytes(n: u64) -> String {
    const UNITS: [&str; 4] = ["bytes", "KiB", "MiB", "GiB"];
    let mut value = n;
    let mut rest = 0;
    let mut unit = 0;
    while value >= 1024 && unit + 1 < UNITS.len() {
        rest = value % 1024;
        value /= 1024;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or("bytes");
    if rest == 0 {
        format!("{value} {name}")
    } else {
        format!("{value}.{} {name}", rest * 10 / 1024)
    }
}

fn seconds(d: Duration) -> String {
    let s = d.as_secs_f64();
    if d.subsec_millis() == 0 {
        format!("{} s", d.as_secs())
    } else {
        format!("{s:.3} s")
    }
}

fn stop(termination: Termination, sentence: String) -> Stop {
    Stop {
        termination,
        sentence: Some(format!("hardshell: {sentence}")),
    }
}

pub(crate) fn memory_per_process(limit: u64, wanted: u64) -> Stop {
    let text = format!(
        "memory limit: the process needed more than {} (limit memory_per_process, asked for {})",
        bytes(limit),
        bytes(wanted),
    );
    stop(Termination::Memory, text)
}

pub(crate) fn memory(limit: u64, used: u64) -> Stop {
    let text = format!(
        "memory limit: the processes together needed more than {} (limit memory, used {})",
        bytes(limit),
        bytes(used),
    );
    stop(Termination::Memory, text)
}

pub(crate) fn processes_alive(limit: u32) -> Stop {
    let text = format!(
        "process limit: more than {limit} processes at once (limit processes, used {limit})"
    );
    stop(Termination::Processes, text)
}

pub(crate) fn processes_started(limit: u64) -> Stop {
    let text = format!(
        "process limit: more than {limit} processes started \
         (limit processes_started, used {limit})"
    );
    stop(Termination::Processes, text)
}

pub(crate) fn deadline(limit: Duration, used: Duration) -> Stop {
    let text = format!(
        "time limit: the call ran longer than {} (limit wall, used {})",
        seconds(limit),
        seconds(used),
    );
    stop(Termination::Deadline, text)
}

pub(crate) fn cpu_time(limit: Duration) -> Stop {
    let text = format!(
        "CPU limit: the call used more than {} of CPU (limit cpu)",
        seconds(limit)
    );
    stop(Termination::CpuTime, text)
}

pub(crate) fn fuel(limit: u64) -> Stop {
    let text = format!("fuel limit: the call used more than {limit} units of fuel (limit fuel)");
    stop(Termination::Fuel, text)
}

pub(crate) fn output(limit: u64) -> Stop {
    let text = format!(
        "output limit: the call wrote more than {} (limit output_bytes)",
        bytes(limit)
    );
    stop(Termination::Output, text)
}

pub(crate) fn quota(hit: &QuotaExceeded) -> Stop {
    let (limit, used) = (bytes(hit.limit), bytes(hit.used));
    let asked = bytes(hit.asked);
    let text = match (hit.which, &hit.extension) {
        (QuotaKind::FileBytes, Some(extension)) => format!(
            "file size limit: a .{extension} file would have grown beyond {limit} \
             (limit sizes.{extension}, used {used}, asked for {asked} more)"
        ),
        (QuotaKind::FileBytes, None) => format!(
            "file size limit: a file would have grown beyond {limit} \
             (limit file_bytes, used {used}, asked for {asked} more)"
        ),
        (QuotaKind::WorkspaceBytes, _) => format!(
            "disk limit: the workspace would have grown beyond {limit} \
             (limit workspace_bytes, used {used}, asked for {asked} more)"
        ),
        (QuotaKind::WorkspaceFiles, _) => format!(
            "disk limit: the workspace would have held more than {} files \
             (limit workspace_files, used {})",
            hit.limit, hit.used
        ),
        (QuotaKind::ScratchBytes, _) => format!(
            "disk limit: /tmp would have grown beyond {limit} \
             (limit scratch_bytes, used {used}, asked for {asked} more)"
        ),
    };
    stop(Termination::Quota(hit.which), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_units() {
        for (n, text) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            (256 << 20, "256 MiB"),
            (5 << 30, "5 GiB"),
        ] {
            assert_eq!(bytes(n), text);
        }
        assert_eq!(seconds(Duration::from_millis(1500)), "1.500 s");
        assert_eq!(seconds(Duration::from_secs(5)), "5 s");
    }
}
