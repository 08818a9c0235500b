//! Limits of the file system, from inside a guest. Each test fails when its limit is gone.

use hardshell_host::{Limits, QuotaKind, Report, Termination};

use crate::files::check;
use crate::support::{World, err, guest, out};

fn world(f: impl FnOnce(&mut Limits)) -> World {
    let mut limits = Limits::default();
    f(&mut limits);
    World::with_limits(vec![("fs", guest("fs"))], limits)
}

/// The process ended by this limit, said so, and the next call works.
fn ended(w: &World, report: &Report, kind: QuotaKind, words: &[&str]) {
    assert_eq!(
        (report.status, &report.termination),
        (137, &Termination::Quota(kind))
    );
    let sentence = report.sentence.as_deref().unwrap_or_default();
    for word in words {
        assert!(sentence.contains(word), "{sentence}");
    }
    assert!(err(report).contains(sentence), "{}", err(report));
    assert_eq!(report.limit_hits.len(), 1, "{:?}", report.limit_hits);
    check(w, &[("getcwd", "/workspace")]);
}

#[test]
fn the_size_of_one_file() {
    let w = world(|l| l.file_bytes = 100_000);
    let report = w.call(&["fs", "open f wc 3 workspace/f", "fill f 1000000", "getcwd"]);
    ended(&w, &report, QuotaKind::FileBytes, &["file_bytes"]);
    assert_eq!(out(&report), "ok\n");
    assert!(std::fs::metadata(w.dir.path().join("f")).unwrap().len() <= 100_000);
    // A hole is as large as it claims to be.
    for step in [
        "size f 100001",
        "alloc f 0 100001",
        "pwrite f x 100000",
        "pwrite f x 99999999999",
    ] {
        let report = w.call(&["fs", "open f wct 3 workspace/f", step]);
        ended(&w, &report, QuotaKind::FileBytes, &["file_bytes"]);
        assert_eq!(
            std::fs::metadata(w.dir.path().join("f")).unwrap().len(),
            0,
            "{step}"
        );
    }
}

#[test]
fn the_size_of_one_file_by_its_type() {
    let w = world(|l| {
        l.sizes.insert("png".to_owned(), 10);
    });
    let report = w.call(&["fs", "open f wc 3 workspace/a.png", "write f 0123456789a"]);
    ended(&w, &report, QuotaKind::FileBytes, &["png"]);
    let steps = [
        "fs",
        "open f wc 3 workspace/a",
        "write f 0123456789a",
        "rename 3 workspace/a 3 workspace/a.png",
    ];
    let report = w.call(&steps);
    ended(&w, &report, QuotaKind::FileBytes, &["png"]);
    assert!(w.dir.path().join("a").exists());
}

#[test]
fn bytes_of_the_workspace_over_many_files_and_calls() {
    let w = world(|l| l.workspace_bytes = 1_000_000);
    for i in 0..10 {
        let open = format!("open f wc 3 workspace/f{i}");
        check(&w, &[(open.as_str(), "ok"), ("fill f 100000", "ok")]);
    }
    let report = w.call(&["fs", "open f wc 3 workspace/more", "write f x"]);
    ended(&w, &report, QuotaKind::WorkspaceBytes, &["workspace_bytes"]);
    assert_eq!(w.sandbox.usage().workspace_bytes, 1_000_000);
    check(
        &w,
        &[
            ("statfs /workspace", "1000000 0 100000 99989"),
            ("unlink 3 workspace/f0", "ok"),
            ("open f wc 3 workspace/more", "ok"),
            ("fill f 100000", "ok"),
        ],
    );
}

#[test]
fn removed_files_count_while_they_are_open() {
    let w = world(|l| l.workspace_bytes = 1_000_000);
    let mut steps = vec!["fs".to_owned()];
    for i in 0..20 {
        steps.push(format!("open f{i} wc 3 workspace/same"));
        steps.push(format!("fill f{i} 100000"));
        steps.push("unlink 3 workspace/same".to_owned());
    }
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    let report = w.call(&steps);
    ended(&w, &report, QuotaKind::WorkspaceBytes, &["workspace_bytes"]);
    assert_eq!(out(&report).lines().count(), 31);
    assert_eq!(w.sandbox.usage().workspace_bytes, 0);
}

#[test]
fn the_number_of_entries() {
    let w = world(|l| l.workspace_files = 50);
    for make in [
        "mkdir 3 workspace/d",
        "symlink x 3 workspace/s",
        "open f wc 3 workspace/f",
        "link 3 workspace/a 3 workspace/l",
    ] {
        let mut steps = vec!["fs".to_owned(), "open f wc 3 workspace/a".to_owned()];
        steps.extend((0..60).map(|i| format!("{make}{i}")));
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        let report = w.call(&steps);
        ended(&w, &report, QuotaKind::WorkspaceFiles, &["workspace_files"]);
        assert_eq!(out(&report).lines().count(), 50, "{make}");
        for entry in std::fs::read_dir(w.dir.path()).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let (rmdir, unlink) = (
                format!("rmdir 3 workspace/{name}"),
                format!("unlink 3 workspace/{name}"),
            );
            let step = if name.starts_with('d') {
                &rmdir
            } else {
                &unlink
            };
            check(&w, &[(step.as_str(), "ok")]);
        }
    }
    assert_eq!(w.sandbox.usage().workspace_files, 0);
}

#[test]
fn bytes_of_scratch() {
    let w = world(|l| l.scratch_bytes = 100_000);
    let report = w.call(&["fs", "open f wc 3 tmp/f", "fill f 1000000"]);
    ended(&w, &report, QuotaKind::ScratchBytes, &["scratch_bytes"]);
    assert!(w.sandbox.usage().scratch_bytes <= 100_000);
}

#[test]
fn the_depth_of_a_path() {
    let w = world(|l| l.path_depth = 10);
    let mut steps = vec!["fs".to_owned(), "open d rd 3 workspace".to_owned()];
    for _ in 0..15 {
        steps.push("mkdir d x".to_owned());
        steps.push("open d rd d x".to_owned());
    }
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    let text = out(&w.call(&steps));
    assert!(text.lines().filter(|l| *l == "E37").count() > 0, "{text}");
    let mut depth = 0;
    let mut at = w.dir.path().to_owned();
    while at.join("x").exists() {
        at = at.join("x");
        depth += 1;
    }
    assert_eq!(depth, 10);
}
