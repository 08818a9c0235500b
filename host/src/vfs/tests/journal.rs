//! The journal, as driven by real operations.

use super::*;

#[test]
fn every_kind_of_change() {
    for w in World::both() {
        let times = Times {
            atime: When::Omit,
            mtime: When::At(5_000_000_000),
        };
        w.write("/workspace/new", "x").unwrap();
        w.write("/workspace/file", "changed").unwrap();
        w.mkdir("/workspace/d").unwrap();
        w.symlink("x", "/workspace/d/l").unwrap();
        w.rename("/workspace/sub", "/workspace/moved").unwrap();
        w.vfs
            .chmod(&w.actor, Base::Root, b"/workspace/moved/inner/f", 0o600)
            .unwrap();
        assert_eq!(
            w.changes(),
            ["+d", "+d/l", "~file", "sub>moved", "%moved/inner/f", "+new"]
        );
        w.unlink("/workspace/d/l").unwrap();
        w.rmdir("/workspace/d").unwrap();
        w.unlink("/workspace/new").unwrap();
        w.rename("/workspace/moved", "/workspace/sub").unwrap();
        w.vfs
            .set_times(&w.actor, Base::Root, b"/workspace/file", true, times)
            .unwrap();
        assert_eq!(w.changes(), ["~file", "%sub/inner/f"]);
        assert_eq!(w.stat("/workspace/file").unwrap().mtime, 5_000_000_000);
        // Not of the scratch folder, nor of what failed.
        w.write("/tmp/t", "x").unwrap();
        assert!(w.mkdir("/workspace/no/such").is_err());
        assert!(w.rename("/workspace/nope", "/workspace/x").is_err());
        assert_eq!(w.changes().len(), 2);
        let (drained, _) = w.vfs.drain_changes();
        assert_eq!(drained.len(), 2);
        assert!(w.changes().is_empty());
        assert_eq!(w.actor.call.changes().len(), 2);
    }
}

#[test]
fn changes_through_links_and_handles_have_the_real_name() {
    for w in World::both() {
        w.symlink("sub", "/workspace/s").unwrap();
        w.symlink("/workspace/sub/inner/f", "/workspace/f").unwrap();
        w.write("/workspace/f", "x").unwrap();
        w.write("/workspace/s/../sub/./inner//g", "x").unwrap();
        w.vfs.drain_changes();
        w.write("/workspace/f", "x").unwrap();
        w.write("/workspace/s/inner/g", "x").unwrap();
        w.write("/workspace/s/h", "x").unwrap();
        w.vfs
            .chmod(&w.actor, Base::Root, b"/workspace/s", 0o700)
            .unwrap();
        assert_eq!(
            w.changes(),
            ["%sub", "+sub/h", "~sub/inner/f", "~sub/inner/g"]
        );
        w.vfs.drain_changes();
        // A handle knows where its file went.
        let f = w.file("/workspace/file", write()).unwrap();
        let dir = w.dir("/workspace/sub/inner").unwrap();
        let reader = w.file("/workspace/f", read()).unwrap();
        w.rename("/workspace/file", "/workspace/sub/file2").unwrap();
        w.rename("/workspace/sub", "/workspace/sub2").unwrap();
        w.vfs.drain_changes();
        f.write_at(&w.actor, &[IoSlice::new(b"y")], 0).unwrap();
        f.write_at(&w.actor, &[IoSlice::new(b"z")], 1).unwrap();
        w.vfs
            .open(&w.actor, Base::Dir(&dir), b"k", create())
            .unwrap();
        dir.chmod(&w.actor, 0o700).unwrap();
        reader.chmod(&w.actor, 0o600).unwrap();
        assert_eq!(
            w.changes(),
            [
                "~sub2/file2",
                "%sub2/inner",
                "%sub2/inner/f",
                "+sub2/inner/k"
            ]
        );
        assert_eq!(f.path(), b"/workspace/sub2/file2");
    }
}

#[test]
fn a_write_is_recorded_again_for_every_call_and_drain() {
    let w = World::new();
    let f = w.file("/workspace/file", write()).unwrap();
    let other = Actor::new(&Limits::default(), 0, CallJournal::new());
    let put = |actor: &Actor| {
        f.write_at(actor, &[IoSlice::new(b"y")], 0)
            .map(|_| ())
            .unwrap()
    };
    put(&w.actor);
    put(&other);
    assert_eq!(
        (w.actor.call.changes().len(), other.call.changes().len()),
        (1, 1)
    );
    w.vfs.drain_changes();
    put(&other);
    assert_eq!(w.changes(), ["~file"]);
    w.vfs.drain_changes();
    f.set_len(&other, 1).unwrap();
    assert_eq!(w.changes(), ["~file"]);
}

#[test]
fn what_has_two_names_asks_for_a_scan() {
    let w = World::new();
    w.link("/workspace/file", "/workspace/other").unwrap();
    assert_eq!(w.changes(), ["+other"]);
    w.write("/workspace/file", "both").unwrap();
    assert_eq!(w.changes(), ["scan"]);
    assert!(w.actor.call.scan_needed());
    w.vfs.drain_changes();
    assert!(w.changes().is_empty());
}

#[test]
fn writes_to_removed_files_are_no_change() {
    let w = World::new();
    let f = w.file("/workspace/t", create()).unwrap();
    w.unlink("/workspace/t").unwrap();
    f.write_at(&w.actor, &[IoSlice::new(b"y")], 0).unwrap();
    assert!(w.changes().is_empty());
}

#[test]
fn other_mounts_have_their_path() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits::default();
    let vfs = Vfs::builder(&limits, commands())
        .mount("/data", dir.path().to_owned().into(), Access::ReadWrite)
        .build()
        .unwrap();
    let actor = Actor::new(&limits, 0, CallJournal::new());
    vfs.mkdir(&actor, Base::Root, b"/data/d", 0o777).unwrap();
    let (changes, scan) = vfs.changes();
    assert_eq!(show(&changes, scan), ["+/data/d"]);
}
