//! Nothing outside the mounts can be read, changed or even seen.

use super::*;

#[test]
fn paths_that_lead_out_end_inside_or_nowhere() {
    for w in World::both() {
        let root = w.dir.path().to_str().unwrap().to_owned();
        // Links of every shape, to things that exist on the host.
        for (target, name) in [
            (format!("{root}/canary"), "abs"),
            (root.clone(), "absdir"),
            ("..".to_owned(), "up"),
            ("../..".to_owned(), "upup"),
            ("../outside".to_owned(), "out"),
            ("sub/../../outside/canary".to_owned(), "zigzag"),
            ("/proc/self/root".to_owned(), "proc"),
            ("/proc/self/cwd".to_owned(), "proccwd"),
            ("/dev/fd/3".to_owned(), "fd3"),
            ("/".to_owned(), "slash"),
            ("loop".to_owned(), "loop"),
            ("/etc".to_owned(), "etc"),
        ] {
            w.symlink(&target, &format!("/workspace/{name}")).unwrap();
        }
        let long = format!("/workspace/{}", "../".repeat(200));
        for path in [
            "/workspace/../canary",
            "/workspace/../../canary",
            "/workspace/sub/../../canary",
            "/../canary",
            "/../../../../etc/passwd",
            "/etc/passwd",
            "/proc/self/environ",
            "/proc/1/root/etc/passwd",
            "/sys/kernel",
            "/dev/mem",
            "/dev/sda",
            "/dev/fd/../../etc/passwd",
            "/workspace/abs",
            "/workspace/absdir/canary",
            "/workspace/up/canary",
            "/workspace/up/outside/canary",
            "/workspace/upup/etc/passwd",
            "/workspace/out/canary",
            "/workspace/out/deep/canary",
            "/workspace/zigzag",
            "/workspace/proc/etc/passwd",
            "/workspace/proccwd/Cargo.toml",
            "/workspace/slash/etc/passwd",
            "/workspace/etc/passwd",
            "/workspace/loop",
            "/workspace/loop/x",
            "/workspace/sub/../../../../../../../../etc/passwd",
            "/tmp/../canary",
            "/tmp/../../canary",
            "/skills/../canary",
            "canary",
            "../canary",
            "outside/canary",
            &format!("{long}canary"),
            &format!("{root}/canary"),
        ] {
            let why = w.read(path).expect_err(path);
            assert!(
                [Errno::NOENT, Errno::NOTDIR, Errno::LOOP, Errno::NAMETOOLONG].contains(&why),
                "{path}: {why:?}"
            );
            for result in [
                w.stat(path).map(|_| ()),
                w.write(path, "pwned"),
                w.vfs.chdir(Base::Root, path.as_bytes()).map(|_| ()),
                w.rename(path, "/workspace/stolen"),
                w.link(path, "/workspace/stolen"),
            ] {
                // Names of the links themselves may be moved or linked.
                let own = path.starts_with("/workspace/") && !path[11..].contains('/');
                assert!(result.is_err() || own, "{path}");
            }
            // Put a moved link back.
            let there = "/workspace/stolen";
            if w.vfs.stat(Base::Root, there.as_bytes(), false).is_ok() {
                if w.vfs.stat(Base::Root, path.as_bytes(), false).is_ok() {
                    w.unlink(there).unwrap();
                } else {
                    w.rename(there, path).unwrap();
                }
            }
        }
        // Ways back in are ways in.
        for (path, text) in [
            ("/workspace/../workspace/file", "hello"),
            ("/workspace/slash/workspace/file", "hello"),
            ("/workspace/up/workspace/file", "hello"),
            ("/../../workspace/sub/../file", "hello"),
            ("/skills/../workspace/slash/skills/skill", "skill"),
        ] {
            assert_eq!(w.read(path).as_deref(), Ok(text), "{path}");
        }
        w.assert_outside_intact();
    }
}

#[test]
fn absolute_links_resolve_inside_the_sandbox() {
    for w in World::both() {
        w.symlink("/workspace/file", "/workspace/sub/abs").unwrap();
        w.symlink("/skills/skill", "/workspace/sub/skill").unwrap();
        w.symlink("/tmp/new", "/workspace/sub/new").unwrap();
        w.symlink("../inner/../../file", "/workspace/sub/inner/rel")
            .unwrap();
        w.symlink("/bin/grep", "/workspace/g").unwrap();
        assert_eq!(w.read("/workspace/sub/abs").as_deref(), Ok("hello"));
        assert_eq!(w.read("/workspace/sub/skill").as_deref(), Ok("skill"));
        assert_eq!(w.read("/workspace/sub/inner/rel").as_deref(), Ok("hello"));
        // Created through a dangling link, across mounts.
        w.write("/workspace/sub/new", "via link").unwrap();
        assert_eq!(w.read("/tmp/new").as_deref(), Ok("via link"));
        // But not into what is read-only.
        assert_eq!(w.write("/workspace/sub/skill", "x"), Err(Errno::ROFS));
        assert!(matches!(w.open("/workspace/g", read()), Ok(Opened::Command(n)) if n == "grep"));
        assert_eq!(w.stat("/workspace/sub/abs").unwrap().size, 5);
        assert_eq!(
            w.open(
                "/workspace/sub/abs",
                OpenOptions {
                    nofollow: true,
                    ..read()
                }
            )
            .err(),
            Some(Errno::LOOP)
        );
        w.assert_outside_intact();
    }
}

#[test]
fn links_end_after_forty() {
    for w in World::both() {
        w.symlink("/workspace/file", "/workspace/l0").unwrap();
        for i in 1..=45 {
            w.symlink(
                &format!("/workspace/l{}", i - 1),
                &format!("/workspace/l{i}"),
            )
            .unwrap();
        }
        assert_eq!(w.read("/workspace/l39").as_deref(), Ok("hello"));
        assert_eq!(w.read("/workspace/l40"), Err(Errno::LOOP));
        w.symlink("me", "/workspace/me").unwrap();
        assert_eq!(w.read("/workspace/me"), Err(Errno::LOOP));
        assert_eq!(w.stat("/workspace/me/x").err(), Some(Errno::LOOP));
    }
}

#[test]
fn odd_names_are_names() {
    for w in World::both() {
        for name in [
            &b"\xff\xfe"[..],
            b"a\nb",
            b" ",
            b"...",
            b"..a",
            b"-rf",
            b"\x01\x7f",
            "\u{202e}txt.exe".as_bytes(),
            &[b'n'; 255],
        ] {
            let path = [b"/workspace/", name].concat();
            w.write(&path, "odd").unwrap();
            assert_eq!(w.read(&path).as_deref(), Ok("odd"));
            w.vfs.unlink(&w.actor, Base::Root, &path).unwrap();
        }
        for (name, want) in [
            (vec![b'n'; 256], Errno::NAMETOOLONG),
            (b"a\0b".to_vec(), Errno::INVAL),
            ([b"x/".repeat(120), b"y".to_vec()].concat(), Errno::NOENT),
            (
                [b"x/".repeat(400), b"y".to_vec()].concat(),
                Errno::NAMETOOLONG,
            ),
            (vec![b'/'; 5000], Errno::NAMETOOLONG),
        ] {
            let path = [b"/workspace/", name.as_slice()].concat();
            assert_eq!(w.write(&path, "x"), Err(want), "{}", path.len());
        }
        assert_eq!(w.open("", read()).err(), Some(Errno::NOENT));
        let long_in_bin = format!("/bin/{}", "b".repeat(300));
        assert_eq!(w.open(long_in_bin, read()).err(), Some(Errno::NAMETOOLONG));
    }
}

#[test]
fn special_files_are_seen_but_not_opened() {
    for w in World::both() {
        let host = w.host("ws");
        let mode = Mode::from_raw_mode(0o666);
        use rustix::fs::{CWD, FileType as T, Mode, mknodat};
        mknodat(CWD, host.join("fifo"), T::Fifo, mode, 0).unwrap();
        let listener = std::os::unix::net::UnixListener::bind(host.join("sock")).unwrap();
        let mut names = vec!["fifo", "sock"];
        // Only the superuser can make device nodes.
        if mknodat(CWD, host.join("zero"), T::CharacterDevice, mode, 0x105).is_ok() {
            names.push("zero");
        }
        for name in names {
            let path = format!("/workspace/{name}");
            for o in [
                read(),
                write(),
                create(),
                OpenOptions {
                    read: true,
                    ..create()
                },
                OpenOptions {
                    nofollow: true,
                    ..read()
                },
            ] {
                assert_eq!(w.open(&path, o).err(), Some(Errno::NXIO), "{name} {o:?}");
            }
            assert_eq!(
                w.vfs.chmod(&w.actor, Base::Root, path.as_bytes(), 0o600),
                Err(Errno::PERM)
            );
            assert!(matches!(
                w.stat(&path).unwrap().file_type,
                FileType::Other | FileType::CharDevice
            ));
            w.unlink(&path).unwrap();
        }
        drop(listener);
    }
}

#[test]
fn handles_outlive_the_names_of_what_they_hold() {
    for w in World::both() {
        let dir = w.dir("/workspace/sub/inner").unwrap();
        let file = w.file("/workspace/sub/inner/f", read()).unwrap();
        w.unlink("/workspace/sub/inner/f").unwrap();
        w.rmdir("/workspace/sub/inner").unwrap();
        assert_eq!(content(&file).as_deref(), Ok("inner"));
        assert_eq!(file.stat().unwrap().nlink, 0);
        assert_eq!(names(&dir).len(), 0);
        let made = w.vfs.open(&w.actor, Base::Dir(&dir), b"new", create());
        assert_eq!(made.err(), Some(Errno::NOENT));
        assert_eq!(
            w.vfs.stat(Base::Dir(&dir), b"../..", true).err(),
            Some(Errno::NOENT)
        );
        // The same name made again is another directory.
        w.mkdir("/workspace/sub/inner").unwrap();
        let made = w.vfs.open(&w.actor, Base::Dir(&dir), b"new", create());
        assert_eq!(made.err(), Some(Errno::NOENT));
    }
}

#[test]
fn a_directory_moved_out_from_under_a_handle_gives_no_way_out() {
    for w in World::both() {
        let dir = w.dir("/workspace/sub/inner").unwrap();
        let cwd = w.vfs.chdir(Base::Root, b"/workspace/sub/inner").unwrap();
        // Someone outside moves it out of the workspace.
        std::fs::rename(w.host("ws/sub/inner"), w.host("outside/deep/inner")).unwrap();
        for base in [Base::Dir(&dir), Base::Cwd(&cwd)] {
            for path in [
                "../canary",
                "../../canary",
                "..",
                "../deep/canary",
                "./../canary",
            ] {
                assert_eq!(
                    w.vfs.open(&w.actor, base, path.as_bytes(), read()).err(),
                    Some(Errno::NOENT),
                    "{path}"
                );
                assert_eq!(
                    w.vfs.stat(base, path.as_bytes(), true).err(),
                    Some(Errno::NOENT)
                );
            }
        }
        std::fs::rename(w.host("outside/deep/inner"), w.host("ws/sub/inner")).unwrap();
        assert!(w.vfs.stat(Base::Dir(&dir), b"../inner/f", true).is_ok());
        w.assert_outside_intact();
    }
}

#[test]
fn dot_dot_follows_renames_inside() {
    for w in World::both() {
        w.write("/workspace/sub/mark", "old parent").unwrap();
        w.mkdir("/workspace/other").unwrap();
        w.write("/workspace/other/mark", "new parent").unwrap();
        let dir = w.dir("/workspace/sub/inner").unwrap();
        let up = |w: &World| match w.vfs.open(&w.actor, Base::Dir(&dir), b"../mark", read()) {
            Ok(Opened::File(f)) => content(&f),
            Ok(_) => Err(Errno::IO),
            Err(e) => Err(e),
        };
        assert_eq!(up(&w).as_deref(), Ok("old parent"));
        w.rename("/workspace/sub/inner", "/workspace/other/moved")
            .unwrap();
        assert_eq!(up(&w).as_deref(), Ok("new parent"));
        assert_eq!(dir.path(), b"/workspace/other/moved");
        w.rename("/workspace/other", "/workspace/third").unwrap();
        assert_eq!(dir.path(), b"/workspace/third/moved");
        assert_eq!(up(&w).as_deref(), Ok("new parent"));
        // From the top of a mount, up is the root of the sandbox.
        let top = w.dir("/workspace").unwrap();
        assert_eq!(
            w.vfs
                .stat(Base::Dir(&top), b"../skills/skill", true)
                .map(|_| ()),
            Ok(())
        );
        let cwd = w.vfs.chdir(Base::Dir(&dir), b"../../..").unwrap();
        assert_eq!(cwd.path(), b"/");
    }
}
