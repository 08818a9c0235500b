//! What a call and a session changed, as the report tells it.

use hardshell_host::{Change, ChangeKind};

use crate::files::world;
use crate::support::World;

fn show(changes: &[Change]) -> Vec<String> {
    changes
        .iter()
        .map(|c| match &c.kind {
            ChangeKind::Created => format!("+{}", c.path),
            ChangeKind::Modified => format!("~{}", c.path),
            ChangeKind::Removed => format!("-{}", c.path),
            ChangeKind::Mode => format!("%{}", c.path),
            ChangeKind::Renamed { from } => format!("{from}>{}", c.path),
        })
        .collect()
}

fn call(w: &World, steps: &[&str]) -> Vec<String> {
    let mut argv = vec!["fs"];
    argv.extend(steps);
    let report = w.call(&argv);
    assert_eq!(report.status, 0);
    show(&report.changes)
}

#[test]
fn calls_and_the_session() {
    let w = world();
    let made = call(
        &w,
        &[
            "open f wc 3 workspace/f",
            "write f x",
            "mkdir 3 workspace/d",
            "open g wc 3 workspace/d/g%ff",
            "open t wc 3 workspace/tmp",
            "unlink 3 workspace/tmp",
            "open s wc 3 tmp/scratch",
        ],
    );
    assert_eq!(made, ["+d", "+d/g\\xff", "+f"]);
    assert!(call(&w, &["open f r 3 workspace/f", "read f 10"]).is_empty());
    let changed = call(
        &w,
        &[
            "open f w 3 workspace/f",
            "write f y",
            "write f z",
            "chmod /workspace/d/g%ff 600",
            "rename 3 workspace/d 3 workspace/e",
        ],
    );
    assert_eq!(changed, ["d>e", "~f"]);
    let removed = call(
        &w,
        &[
            "unlink 3 workspace/f",
            "unlink 3 workspace/e/g%ff",
            "rmdir 3 workspace/e",
        ],
    );
    assert_eq!(removed, ["-e", "-e/g\\xff", "-f"]);
    assert!(w.sandbox.changes().is_empty());
    call(&w, &["mkdir 3 workspace/last"]);
    assert_eq!(show(&w.sandbox.drain_changes()), ["+last"]);
    assert!(w.sandbox.changes().is_empty());
}
