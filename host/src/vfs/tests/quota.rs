//! Limits of size and number.

use super::*;

fn limits(f: impl FnOnce(&mut Limits)) -> World {
    let mut limits = Limits::default();
    f(&mut limits);
    World::with(Setup {
        limits,
        ..Setup::default()
    })
}

fn hit(w: &World) -> Option<(QuotaKind, u64, u64, u64)> {
    w.actor
        .take_quota_hit()
        .map(|q| (q.which, q.limit, q.used, q.asked))
}

#[test]
fn the_size_of_a_file() {
    let w = limits(|l| l.file_bytes = 10);
    let f = w.file("/workspace/new", create()).unwrap();
    let put = |text: &str, at| f.write_at(&w.actor, &[IoSlice::new(text.as_bytes())], at);
    assert_eq!(put("0123456789", 0), Ok(10));
    assert_eq!(put("x", 10), Err(Errno::DQUOT));
    assert_eq!(hit(&w), Some((QuotaKind::FileBytes, 10, 10, 1)));
    assert_eq!(put("xyz", 8), Err(Errno::DQUOT));
    assert_eq!(put("xy", 8), Ok(2));
    assert_eq!(f.append(&w.actor, &[IoSlice::new(b"z")]), Err(Errno::DQUOT));
    assert_eq!(f.set_len(&w.actor, 11), Err(Errno::DQUOT));
    assert_eq!(f.allocate(&w.actor, 5, 6), Err(Errno::DQUOT));
    assert_eq!(put("x", 1 << 40), Err(Errno::DQUOT));
    assert_eq!(put("x", u64::MAX), Err(Errno::FBIG));
    assert_eq!(put("x", i64::MAX as u64), Err(Errno::FBIG));
    assert_eq!(w.read("/workspace/new").as_deref(), Ok("01234567xy"));
    assert_eq!(std::fs::metadata(w.host("ws/new")).unwrap().len(), 10);
    f.set_len(&w.actor, 3).unwrap();
    assert_eq!(
        f.append(&w.actor, &[IoSlice::new(b"z"), IoSlice::new(b"zz")]),
        Ok((3, 6))
    );
    // The same in scratch.
    assert_eq!(w.write("/tmp/x", "0123456789a"), Err(Errno::DQUOT));
}

#[test]
fn sizes_by_extension_hold_through_renames() {
    let w = limits(|l| {
        l.sizes.insert("png".to_owned(), 4);
    });
    assert_eq!(w.write("/workspace/a.png", "12345"), Err(Errno::DQUOT));
    let q = w.actor.take_quota_hit().unwrap();
    assert_eq!((q.extension.as_deref(), q.limit), (Some("png"), 4));
    w.write("/workspace/a.PNG", "1234").unwrap();
    w.write("/workspace/big.txt", "12345").unwrap();
    assert_eq!(
        w.rename("/workspace/big.txt", "/workspace/big.png"),
        Err(Errno::DQUOT)
    );
    assert_eq!(
        w.link("/workspace/big.txt", "/workspace/big.png"),
        Err(Errno::DQUOT)
    );
    let f = w.file("/workspace/s.txt", create()).unwrap();
    w.rename("/workspace/s.txt", "/workspace/s.png").unwrap();
    assert_eq!(
        f.write_at(&w.actor, &[IoSlice::new(b"12345")], 0),
        Err(Errno::DQUOT)
    );
}

#[test]
fn bytes_of_the_workspace() {
    // "hello" and "inner" are there: 10.
    let w = limits(|l| l.workspace_bytes = 30);
    assert_eq!(w.vfs.usage().0, 10);
    w.write("/workspace/a", "0123456789").unwrap();
    w.write("/workspace/b", "0123456789").unwrap();
    assert_eq!(w.vfs.usage().0, 30);
    assert_eq!(w.write("/workspace/c", "x"), Err(Errno::DQUOT));
    assert_eq!(hit(&w), Some((QuotaKind::WorkspaceBytes, 30, 30, 1)));
    // Overwriting does not grow.
    w.file("/workspace/a", write())
        .unwrap()
        .write_at(&w.actor, &[IoSlice::new(b"9876543210")], 0)
        .unwrap();
    // Truncating by opening makes room, and so does every way to lose a file.
    w.write("/workspace/a", "").unwrap();
    assert_eq!(w.vfs.usage().0, 20);
    w.write("/workspace/c", "0123456789").unwrap();
    w.rename("/workspace/c", "/workspace/b").unwrap();
    assert_eq!(w.vfs.usage().0, 20);
    w.unlink("/workspace/b").unwrap();
    assert_eq!(w.vfs.usage().0, 10);
    // Sparse counts as what it claims to be.
    let f = w.file("/workspace/sparse", create()).unwrap();
    assert_eq!(f.set_len(&w.actor, 1 << 30), Err(Errno::DQUOT));
    f.set_len(&w.actor, 20).unwrap();
    assert_eq!(w.vfs.usage().0, 30);
    assert_eq!(w.write("/tmp/other", "scratch is another pool"), Ok(()));
    let space = w.vfs.statfs(Base::Root, b"/workspace/sub").unwrap();
    assert_eq!((space.total_bytes, space.free_bytes), (30, 0));
}

#[test]
fn removed_but_open_files_still_count() {
    let w = limits(|l| l.workspace_bytes = 30);
    w.write("/workspace/a", "0123456789").unwrap();
    let reader = w.file("/workspace/a", read()).unwrap();
    w.unlink("/workspace/a").unwrap();
    assert_eq!(w.vfs.usage().0, 20);
    drop(reader);
    assert_eq!(w.vfs.usage().0, 10);
    let writer = w.file("/workspace/a", create()).unwrap();
    w.unlink("/workspace/a").unwrap();
    writer
        .write_at(&w.actor, &[IoSlice::new(b"0123456789")], 0)
        .unwrap();
    assert_eq!(w.vfs.usage().0, 20);
    let again = writer.write_at(&w.actor, &[IoSlice::new(b"0123456789abcdef")], 5);
    assert_eq!(again, Err(Errno::DQUOT));
    drop(writer);
    assert_eq!(w.vfs.usage().0, 10);
    // Both at once, and the writer goes first.
    let writer = w.file("/workspace/a", create()).unwrap();
    writer
        .write_at(&w.actor, &[IoSlice::new(b"0123456789")], 0)
        .unwrap();
    let reader = w.file("/workspace/a", read()).unwrap();
    w.write("/workspace/b", "").unwrap();
    w.rename("/workspace/b", "/workspace/a").unwrap();
    drop(writer);
    assert_eq!(w.vfs.usage().0, 20);
    drop(reader);
    assert_eq!(w.vfs.usage().0, 10);
}

#[test]
fn hard_links_count_their_bytes_once_and_their_names_each() {
    let w = limits(|_| {});
    let (bytes, files, _) = w.vfs.usage();
    w.link("/workspace/file", "/workspace/l1").unwrap();
    w.link("/workspace/file", "/workspace/l2").unwrap();
    assert_eq!(w.vfs.usage(), (bytes, files + 2, 0));
    w.unlink("/workspace/file").unwrap();
    w.rename("/workspace/l1", "/workspace/l2").unwrap();
    // Renaming one name of a file over another does nothing.
    assert_eq!(w.vfs.usage(), (bytes, files + 1, 0));
    w.unlink("/workspace/l1").unwrap();
    w.unlink("/workspace/l2").unwrap();
    assert_eq!(w.vfs.usage(), (bytes - 5, files - 1, 0));
}

#[test]
fn the_number_of_entries() {
    // There are 4: file, sub, sub/inner, sub/inner/f.
    let w = limits(|l| l.workspace_files = 7);
    w.write("/workspace/a", "").unwrap();
    w.mkdir("/workspace/d").unwrap();
    w.symlink("x", "/workspace/s").unwrap();
    let attempts: [&dyn Fn() -> Result<(), Errno>; 4] = [
        &|| w.write("/workspace/b", ""),
        &|| w.mkdir("/workspace/e"),
        &|| w.symlink("x", "/workspace/t"),
        &|| w.link("/workspace/a", "/workspace/l"),
    ];
    for attempt in attempts {
        assert_eq!(attempt(), Err(Errno::DQUOT));
        assert_eq!(hit(&w), Some((QuotaKind::WorkspaceFiles, 7, 7, 1)));
    }
    // What fails anyway fails as it would.
    assert_eq!(w.mkdir("/workspace/d"), Err(Errno::EXIST));
    assert_eq!(hit(&w), None);
    w.write("/workspace/a", "again").unwrap();
    w.rename("/workspace/a", "/workspace/b").unwrap();
    w.rmdir("/workspace/d").unwrap();
    w.unlink("/workspace/s").unwrap();
    assert_eq!(w.vfs.usage().1, 5);
    w.write("/workspace/f1", "").unwrap();
    w.rename("/workspace/f1", "/workspace/b").unwrap();
    assert_eq!(w.vfs.usage().1, 5);
    // A failed creation counts nothing.
    assert_eq!(w.write("/workspace/no/such", ""), Err(Errno::NOENT));
    assert_eq!(w.vfs.usage().1, 5);
    for i in 0..7 {
        w.write(format!("/tmp/{i}"), "").unwrap();
    }
    assert_eq!(w.write("/tmp/8", ""), Err(Errno::DQUOT));
}

#[test]
fn scratch_has_its_own_limit() {
    let w = limits(|l| l.scratch_bytes = 5);
    w.write("/tmp/a", "12345").unwrap();
    assert_eq!(w.write("/tmp/b", "1"), Err(Errno::DQUOT));
    assert_eq!(hit(&w), Some((QuotaKind::ScratchBytes, 5, 5, 1)));
    w.write("/workspace/b", "plenty of room here").unwrap();
}

#[test]
fn a_given_usage_is_believed() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits {
        workspace_bytes: 100,
        ..Limits::default()
    };
    let vfs = Vfs::builder(&limits, commands())
        .workspace(dir.path().to_owned().into(), Access::ReadWrite)
        .usage(99, 3)
        .build()
        .unwrap();
    assert_eq!(vfs.usage(), (99, 3, 0));
}

#[test]
fn the_depth_of_a_path() {
    let w = limits(|l| l.path_depth = 5);
    w.mkdir("/workspace/a").unwrap();
    w.mkdir("/workspace/a/b").unwrap();
    w.mkdir("/workspace/a/b/c").unwrap();
    w.mkdir("/workspace/a/b/c/d").unwrap();
    assert_eq!(w.mkdir("/workspace/a/b/c/d/e"), Err(Errno::NAMETOOLONG));
    // Not through handles either.
    let dir = w.dir("/workspace/a/b/c/d").unwrap();
    w.vfs.mkdir(&w.actor, Base::Dir(&dir), b"e", 0o777).unwrap();
    let dir = match w.vfs.open(
        &w.actor,
        Base::Dir(&dir),
        b"e",
        OpenOptions {
            directory: true,
            ..read()
        },
    ) {
        Ok(Opened::Dir(dir)) => dir,
        _ => panic!(),
    };
    let deep = w.vfs.mkdir(&w.actor, Base::Dir(&dir), b"f", 0o777);
    assert_eq!(deep, Err(Errno::NAMETOOLONG));
}

#[test]
fn many_writers_of_one_file_count_it_once() {
    let w = limits(|l| l.workspace_bytes = 100_010);
    let w = Arc::new(w);
    let threads: Vec<_> = (0..4)
        .map(|t| {
            let w = w.clone();
            std::thread::spawn(move || {
                let actor = w.actor.fork();
                for i in 0..250u64 {
                    let o = OpenOptions {
                        truncate: false,
                        ..create()
                    };
                    let Ok(Opened::File(f)) =
                        w.vfs.open(&actor, Base::Root, b"/workspace/shared", o)
                    else {
                        panic!()
                    };
                    if t % 2 == 0 {
                        f.append(&actor, &[IoSlice::new(&[b'a'; 50])]).unwrap();
                    } else {
                        f.write_at(&actor, &[IoSlice::new(&[b'w'; 50])], i * 10)
                            .unwrap();
                    }
                }
            })
        })
        .collect();
    for t in threads {
        t.join().unwrap();
    }
    let size = std::fs::metadata(w.host("ws/shared")).unwrap().len();
    assert_eq!(w.vfs.usage().0, 10 + size);
    w.unlink("/workspace/shared").unwrap();
    assert_eq!(w.vfs.usage().0, 10);
}

#[test]
fn links_count_the_length_of_their_target() {
    let w = limits(|l| l.workspace_bytes = 100);
    w.symlink(&"t".repeat(90), "/workspace/l").unwrap();
    assert_eq!(w.vfs.usage().0, 100);
    assert_eq!(w.symlink("t", "/workspace/m"), Err(Errno::DQUOT));
    let files = w.vfs.usage().1;
    assert_eq!(w.symlink("t", "/workspace/l"), Err(Errno::EXIST));
    w.unlink("/workspace/l").unwrap();
    assert_eq!((w.vfs.usage().0, w.vfs.usage().1), (10, files - 1));
    assert_eq!(w.symlink("t", "/workspace/no/such"), Err(Errno::NOENT));
    w.symlink("t", "/workspace/m").unwrap();
    assert_eq!(w.symlink("t", "/workspace/m"), Err(Errno::EXIST));
    assert_eq!(w.vfs.usage().0, 11);
}

#[test]
fn a_sandbox_holds_a_bounded_number_of_handles() {
    let w = World::new();
    let mut held = Vec::new();
    let error = loop {
        match w.open("/workspace/file", read()) {
            Ok(opened) => held.push(opened),
            Err(e) => break e,
        }
        if held.len() > 10_000 {
            panic!("no bound");
        }
    };
    // The machine's own limit may be lower.
    assert!(error == Errno::NFILE && held.len() == 4096 || error == Errno::MFILE);
    held.pop();
    assert!(w.open("/workspace/file", read()).is_ok());
}
