//! Computing with the default bound on CPU time in force.

use crate::measure::in_turns;
use crate::row::{Row, Target};
use crate::world::World;

pub(crate) fn run(world: &World) -> anyhow::Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let sandbox = world.sandbox(folder.path())?;
    let mut rows = Vec::new();
    for (name, work, amount) in [
        ("hashing, 500,000 rounds", "hash", "500000"),
        ("sorting 2,000,000 numbers", "sort", "2000000"),
        ("a regular expression over 500,000 lines", "regex", "500000"),
    ] {
        let (ours, theirs) = in_turns(
            world.rounds(20),
            || {
                world
                    .call(&sandbox, &["bench-guest", work, amount])
                    .map(drop)
            },
            || world.run_native(folder.path(), &[work, amount]),
        )?;
        rows.push(Row::pair(
            name,
            ours,
            "natively",
            theirs,
            &[Target::AtMostTimes(1.3)],
        ));
    }
    Ok(rows)
}
