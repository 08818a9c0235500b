//! Read-only mounts, several mounts of one folder, setting up.

use super::*;

#[test]
fn nothing_goes_into_or_out_of_a_read_only_mount() {
    for openat2 in [true, false] {
        let w = World::with(Setup {
            access: Access::ReadOnly,
            openat2,
            ..Setup::default()
        });
        let base = Base::Root;
        let times = Times {
            atime: When::At(1),
            mtime: When::Now,
        };
        w.write("/tmp/mine", "x").unwrap();
        let dir = w.dir("/workspace/sub").unwrap();
        let file = w.file("/workspace/file", read()).unwrap();
        let at_dir = |path: &[u8], o| w.vfs.open(&w.actor, Base::Dir(&dir), path, o).map(|_| ());
        let trunc = OpenOptions {
            truncate: true,
            ..read()
        };
        for (what, got, want) in [
            ("write", w.write("/workspace/file", "x"), Errno::ROFS),
            ("create", w.write("/workspace/new", "x"), Errno::ROFS),
            (
                "create below a handle",
                at_dir(b"new", create()),
                Errno::ROFS,
            ),
            (
                "write below a handle",
                at_dir(b"inner/f", write()),
                Errno::ROFS,
            ),
            ("up to the mount", at_dir(b"../file", write()), Errno::ROFS),
            (
                "truncate",
                w.open("/workspace/file", trunc).map(|_| ()),
                Errno::ROFS,
            ),
            (
                "create missing parent",
                w.write("/workspace/a/b", "x"),
                Errno::NOENT,
            ),
            (
                "write a directory",
                w.write("/workspace/sub", "x"),
                Errno::ISDIR,
            ),
            ("mkdir", w.mkdir("/workspace/d"), Errno::ROFS),
            ("mkdir there", w.mkdir("/workspace/sub"), Errno::EXIST),
            ("rmdir", w.rmdir("/workspace/sub/inner"), Errno::ROFS),
            ("unlink", w.unlink("/workspace/file"), Errno::ROFS),
            (
                "rename",
                w.rename("/workspace/file", "/workspace/g"),
                Errno::ROFS,
            ),
            (
                "rename out",
                w.rename("/workspace/file", "/tmp/g"),
                Errno::XDEV,
            ),
            (
                "rename in",
                w.rename("/tmp/mine", "/workspace/g"),
                Errno::XDEV,
            ),
            (
                "rename over",
                w.rename("/tmp/mine", "/workspace/file"),
                Errno::XDEV,
            ),
            (
                "link",
                w.link("/workspace/file", "/workspace/g"),
                Errno::ROFS,
            ),
            ("link out", w.link("/workspace/file", "/tmp/g"), Errno::XDEV),
            ("link in", w.link("/tmp/mine", "/workspace/g"), Errno::XDEV),
            ("symlink", w.symlink("file", "/workspace/l"), Errno::ROFS),
            (
                "chmod",
                w.vfs.chmod(&w.actor, base, b"/workspace/file", 0o777),
                Errno::ROFS,
            ),
            (
                "chmod top",
                w.vfs.chmod(&w.actor, base, b"/workspace", 0o777),
                Errno::ROFS,
            ),
            (
                "times",
                w.vfs
                    .set_times(&w.actor, base, b"/workspace/file", true, times),
                Errno::ROFS,
            ),
            (
                "times top",
                w.vfs.set_times(&w.actor, base, b"/workspace", true, times),
                Errno::ROFS,
            ),
            ("fd chmod", file.chmod(&w.actor, 0o777), Errno::ROFS),
            ("fd times", file.set_times(&w.actor, times), Errno::ROFS),
            ("fd truncate", file.set_len(&w.actor, 0), Errno::BADF),
            (
                "fd write",
                file.write_at(&w.actor, &[IoSlice::new(b"x")], 0)
                    .map(|_| ()),
                Errno::BADF,
            ),
            (
                "fd append",
                file.append(&w.actor, &[IoSlice::new(b"x")]).map(|_| ()),
                Errno::BADF,
            ),
            ("fd allocate", file.allocate(&w.actor, 0, 100), Errno::BADF),
            ("dir chmod", dir.chmod(&w.actor, 0o777), Errno::ROFS),
            ("dir times", dir.set_times(&w.actor, times), Errno::ROFS),
        ] {
            assert_eq!(got, Err(want), "{what}");
        }
        // A link in a writable place does not lend its permission.
        w.symlink("/workspace/file", "/tmp/l").unwrap();
        w.symlink("/workspace/sub", "/tmp/d").unwrap();
        assert_eq!(w.write("/tmp/l", "x"), Err(Errno::ROFS));
        assert_eq!(w.write("/tmp/d/new", "x"), Err(Errno::ROFS));
        assert_eq!(
            w.vfs.chmod(&w.actor, base, b"/tmp/l", 0o600),
            Err(Errno::ROFS)
        );
        assert_eq!(w.unlink("/tmp/d/inner/f"), Err(Errno::ROFS));
        // Opening an existing file to create it is allowed, as natively.
        assert!(
            w.open(
                "/workspace/file",
                OpenOptions {
                    create: true,
                    ..read()
                }
            )
            .is_ok()
        );
        assert_eq!(w.read("/workspace/file").as_deref(), Ok("hello"));
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(w.host("ws/file")).unwrap().permissions(),
        );
        assert_eq!(mode & 0o777, 0o644);
    }
}

#[test]
fn one_folder_twice_keeps_two_permissions() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("f"), "text").unwrap();
    let limits = Limits::default();
    let vfs = Vfs::builder(&limits, commands())
        .workspace(dir.path().to_owned().into(), Access::ReadWrite)
        .mount("/skills", dir.path().to_owned().into(), Access::ReadOnly)
        .build()
        .unwrap();
    let actor = Actor::new(&limits, 0, CallJournal::new());
    let o = OpenOptions {
        write: true,
        ..read()
    };
    assert!(vfs.open(&actor, Base::Root, b"/workspace/f", o).is_ok());
    assert_eq!(
        vfs.open(&actor, Base::Root, b"/skills/f", o).err(),
        Some(Errno::ROFS)
    );
    let r = Base::Root;
    assert_eq!(
        vfs.link(&actor, r, b"/skills/f", false, r, b"/workspace/g"),
        Err(Errno::XDEV)
    );
    assert_eq!(
        vfs.rename(&actor, r, b"/skills/f", r, b"/workspace/g"),
        Err(Errno::XDEV)
    );
    assert_eq!(
        vfs.rename(&actor, r, b"/workspace/f", r, b"/skills/g"),
        Err(Errno::XDEV)
    );
    vfs.link(&actor, r, b"/workspace/f", false, r, b"/workspace/g")
        .unwrap();
    assert_eq!(
        vfs.open(&actor, r, b"/skills/g", write()).err(),
        Some(Errno::ROFS)
    );
    assert!(vfs.open(&actor, r, b"/skills/g", read()).is_ok());
}

#[test]
fn mount_points() {
    let dir = tempfile::tempdir().unwrap();
    let source = || DirSource::Path(dir.path().to_owned());
    let builder = || Vfs::builder(&Limits::default(), commands());
    for (at, ok) in [
        ("/skills", true),
        ("/usr/lib/python3", true),
        ("/data/a/b", true),
        ("/opt/", true),
        ("/", false),
        ("", false),
        ("skills", false),
        ("/bin", false),
        ("/bin/x", false),
        ("/dev/null", false),
        ("/workspace", false),
        ("/workspace/x", false),
        ("/a/../b", false),
    ] {
        let built = builder()
            .workspace(source(), Access::ReadWrite)
            .mount(at, source(), Access::ReadOnly)
            .build();
        assert_eq!(built.is_ok(), ok, "{at}");
    }
    let gone = builder().workspace(PathBuf::from("/does/not/exist").into(), Access::ReadOnly);
    let error = gone.build().err().unwrap().to_string();
    assert!(
        error.starts_with("cannot mount /workspace: No such file"),
        "{error}"
    );
}

#[test]
fn scratch_goes_with_the_sandbox() {
    let w = World::new();
    let scratch = |dir: &Path| {
        std::fs::read_dir(dir)
            .unwrap()
            .filter(|e| {
                e.as_ref()
                    .unwrap()
                    .file_name()
                    .to_str()
                    .unwrap()
                    .starts_with("hardshell-")
            })
            .count()
    };
    // Made when first needed.
    assert_eq!(scratch(w.dir.path()), 0);
    w.mkdir("/tmp/a").unwrap();
    w.write("/tmp/a/f", "x").unwrap();
    let World { vfs, dir, .. } = w;
    assert_eq!(scratch(dir.path()), 1);
    drop(vfs);
    assert_eq!(scratch(dir.path()), 0);
}

#[test]
fn modes_and_umask() {
    for w in World::both() {
        w.actor.set_umask(0);
        w.mkdir("/workspace/open").unwrap();
        w.write("/workspace/open/f", "x").unwrap();
        assert_eq!(w.stat("/workspace/open").unwrap().mode, 0o040_777);
        assert_eq!(w.stat("/workspace/open/f").unwrap().mode, 0o100_666);
        w.actor.set_umask(0o077);
        w.mkdir("/workspace/closed").unwrap();
        assert_eq!(w.stat("/workspace/closed").unwrap().mode, 0o040_700);
        let chmod = |path: &str, mode| w.vfs.chmod(&w.actor, Base::Root, path.as_bytes(), mode);
        chmod("/workspace/open/f", 0o7777).unwrap();
        // Nothing becomes set-user-id.
        assert_eq!(w.stat("/workspace/open/f").unwrap().mode, 0o100_777);
        chmod("/workspace/open/f", 0o200).unwrap();
        assert_eq!(w.read("/workspace/open/f"), Err(Errno::ACCES));
        chmod("/workspace/open/f", 0o400).unwrap();
        assert_eq!(w.write("/workspace/open/f", "x"), Err(Errno::ACCES));
        chmod("/workspace/closed", 0).unwrap();
        assert_eq!(
            w.vfs.chdir(Base::Root, b"/workspace/closed").err(),
            Some(Errno::ACCES)
        );
    }
}

#[test]
fn a_view_allows_no_more_than_said() {
    let w = World::new();
    let (r, a) = (Base::Root, &w.actor);
    w.write("/tmp/t", "x").unwrap();
    let open = |v: &Arc<Vfs>, path: &str, o| v.open(a, r, path.as_bytes(), o).map(|_| ());
    let same = w.vfs.view(Some(Access::ReadWrite), true);
    assert!(Arc::ptr_eq(&same, &w.vfs));
    let reader = w.vfs.view(Some(Access::ReadOnly), true);
    let nothing = w.vfs.view(None, false);
    for (what, got, want) in [
        ("read", open(&reader, "/workspace/file", read()), Ok(())),
        (
            "write",
            open(&reader, "/workspace/file", write()),
            Err(Errno::ROFS),
        ),
        (
            "create",
            open(&reader, "/workspace/new", create()),
            Err(Errno::ROFS),
        ),
        ("tmp", open(&reader, "/tmp/t", write()), Ok(())),
        (
            "link",
            reader.link(a, r, b"/workspace/file", false, r, b"/workspace/l"),
            Err(Errno::ROFS),
        ),
        (
            "move",
            reader.rename(a, r, b"/workspace/file", r, b"/workspace/m"),
            Err(Errno::ROFS),
        ),
        (
            "skills",
            open(&reader, "/skills/skill", write()),
            Err(Errno::ROFS),
        ),
        (
            "none",
            open(&nothing, "/workspace/file", read()),
            Err(Errno::NOENT),
        ),
        (
            "none there",
            open(&nothing, "/skills/skill", read()),
            Err(Errno::NOENT),
        ),
        (
            "no tmp",
            open(&nothing, "/tmp/t", read()),
            Err(Errno::NOENT),
        ),
        ("null", open(&nothing, "/dev/null", write()), Ok(())),
    ] {
        assert_eq!(got, want, "{what}");
    }
    // Views of views only take away.
    let again = reader.view(Some(Access::ReadWrite), true);
    assert_eq!(open(&again, "/workspace/file", write()), Err(Errno::ROFS));
    let again = nothing.view(Some(Access::ReadWrite), true);
    assert_eq!(open(&again, "/workspace/file", read()), Err(Errno::NOENT));
    // Nor do handles from outside the view carry what they could do there.
    let dir = w.dir("/workspace/sub").unwrap();
    for v in [&reader, &nothing] {
        assert!(v.open(a, Base::Dir(&dir), b"new", create()).is_err());
        assert!(v.mkdir(a, Base::Dir(&dir), b"d", 0o777).is_err());
        assert!(v.unlink(a, Base::Dir(&dir), b"inner/f").is_err());
    }
    assert!(
        nothing
            .open(a, Base::Dir(&dir), b"inner/f", read())
            .is_err()
    );
    assert!(nothing.stat(Base::Dir(&dir), b"inner/f", true).is_err());
    assert_eq!(nothing.root_dir().path(), b"/");
    assert_eq!(names(&nothing.root_dir()).join(" "), ". .. bin dev usr");
}
