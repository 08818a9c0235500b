//! The shell against bash: loops, pipelines, substitutions.

use crate::measure::in_turns;
use crate::row::{Row, Target};
use crate::world::{World, run as native};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

pub(crate) fn run(world: &World) -> anyhow::Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let lines: String = (0..100_000_u32)
        .map(|n| format!("line {}\n", n.wrapping_mul(2_654_435_761) % 1_000_003))
        .collect();
    std::fs::write(folder.path().join("lines"), lines)?;
    let mut rows = Vec::new();
    // (name, script, rounds, how many commands it runs, targets)
    for (name, script, rounds, parts, targets) in [
        (
            "1,000 external commands in a loop, per command",
            "i=0; while [ $i -lt 1000 ]; do /bin/true; i=$((i+1)); done",
            10,
            1000,
            [Target::AtMost(80.0), Target::FasterTimes(10.0)].as_slice(),
        ),
        (
            "1,000 builtins in a loop",
            "i=0; while [ $i -lt 1000 ]; do :; i=$((i+1)); done",
            20,
            1,
            &[Target::AtMostTimes(1.5)],
        ),
        (
            "200 command substitutions, each",
            "i=0; while [ $i -lt 200 ]; do x=$(echo $i); i=$((i+1)); done",
            10,
            200,
            &[Target::FasterTimes(5.0)],
        ),
        (
            "cat | grep | wc of 100,000 lines",
            "cat lines | grep 7 | wc -l",
            10,
            1,
            &[],
        ),
        (
            "sort of 100,000 lines",
            "sort lines > /dev/null",
            10,
            1,
            &[Target::AtMostTimes(1.5)],
        ),
    ] {
        let (ours, theirs) = compare(world, folder.path(), script, rounds)?;
        rows.push(Row::pair(
            name,
            ours / parts,
            "bash",
            theirs / parts,
            targets,
        ));
    }
    Ok(rows)
}

/// One script in a sandbox that exists, against a new bash.
fn compare(
    world: &World,
    folder: &Path,
    script: &str,
    rounds: usize,
) -> anyhow::Result<(Duration, Duration)> {
    let sandbox = world.sandbox(folder)?;
    in_turns(
        world.rounds(rounds),
        || world.call(&sandbox, &["sh", "-c", script]).map(drop),
        || {
            native(
                Command::new("bash")
                    .args(["-c", script])
                    .current_dir(folder),
            )
        },
    )
}
