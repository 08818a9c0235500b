//! A process from nothing to exited, and a fresh sandbox.

use crate::measure::in_turns;
use crate::row::{Row, Target};
use crate::world::{World, run as native};
use std::process::Command;

pub(crate) fn run(world: &World) -> anyhow::Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let sandbox = world.sandbox(folder.path())?;
    let rounds = world.rounds(2_000);
    let (ours, theirs) = in_turns(
        rounds,
        || world.call(&sandbox, &["true"]).map(drop),
        || native(&mut Command::new("/bin/true")),
    )?;
    let mut rows = vec![Row::pair(
        "spawn and exit of true, host API",
        ours,
        "posix_spawn /bin/true",
        theirs,
        &[Target::AtMost(60.0), Target::FasterTimes(10.0)],
    )];
    let (ours, theirs) = in_turns(
        rounds,
        || {
            let sandbox = world.sandbox(folder.path())?;
            world.call(&sandbox, &["echo", "hi"]).map(drop)
        },
        || native(Command::new("/bin/echo").arg("hi")),
    )?;
    rows.push(Row::pair(
        "fresh sandbox and echo hi",
        ours,
        "/bin/echo hi",
        theirs,
        &[Target::AtMost(100.0)],
    ));
    let (ours, theirs) = in_turns(
        world.rounds(400),
        || world.call(&sandbox, &["sh", "-c", "echo hi"]).map(drop),
        || native(Command::new("bash").args(["-c", "echo hi"])),
    )?;
    rows.push(Row::pair(
        "sh -c 'echo hi', host API",
        ours,
        "bash -c 'echo hi'",
        theirs,
        &[],
    ));
    let (ours, theirs) = in_turns(
        world.rounds(40),
        || {
            native(
                hardshell_tests::binary::command()
                    .args(["sh", "-c", "true"])
                    .current_dir(folder.path()),
            )
        },
        || native(Command::new("bash").args(["-c", "true"])),
    )?;
    rows.push(Row::pair(
        "the binary: hardshell sh -c true",
        ours,
        "bash -c true",
        theirs,
        &[],
    ));
    Ok(rows)
}
