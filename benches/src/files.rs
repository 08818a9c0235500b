//! Files and pipes: the same program in the sandbox and natively.

use crate::measure::in_turns;
use crate::row::{Row, Target};
use crate::world::{World, run as native};
use std::process::Command;

pub(crate) fn run(world: &World) -> anyhow::Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let small = folder.path().join("small");
    std::fs::create_dir(&small)?;
    for index in 0..2_000 {
        std::fs::write(
            small.join(format!("file-{index}")),
            format!("{index}\n").repeat(50),
        )?;
    }
    std::fs::write(folder.path().join("large"), vec![b'x'; 100 << 20])?;
    let sandbox = world.sandbox(folder.path())?;
    let mut rows = Vec::new();
    for (name, words, most) in [
        (
            "open, read, close of 2,000 small files",
            ["read-files", "small", ""],
            1.2,
        ),
        ("stat of 2,000 files", ["stat-files", "small", ""], 1.2),
        ("write of 100 MiB", ["write-file", "written", "100"], 1.2),
        ("read of 100 MiB", ["read-file", "large", ""], 1.2),
    ] {
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        let guest: Vec<&str> = std::iter::once("bench-guest")
            .chain(words.iter().copied())
            .collect();
        let (ours, theirs) = in_turns(
            world.rounds(30),
            || world.call(&sandbox, &guest).map(drop),
            || world.run_native(folder.path(), &words),
        )?;
        rows.push(Row::pair(
            name,
            ours,
            "natively",
            theirs,
            &[Target::AtMostTimes(most)],
        ));
    }
    let native_program = world.native.display();
    let megabytes = if world.quick { 128 } else { 1024 };
    let (ours, theirs) = in_turns(
        world.rounds(10),
        || {
            let script = format!("bench-guest pipe-write {megabytes} | bench-guest pipe-read");
            world.call(&sandbox, &["sh", "-c", &script]).map(drop)
        },
        || {
            let script =
                format!("{native_program} pipe-write {megabytes} | {native_program} pipe-read");
            native(Command::new("bash").args(["-c", &script]))
        },
    )?;
    let name = format!("a pipe of {megabytes} MiB between two processes");
    rows.push(Row::pair(
        &name,
        ours,
        "natively",
        theirs,
        &[Target::AtMostTimes(1.5)],
    ));
    Ok(rows)
}
