//! The synthetic part of the tree.

use super::*;

#[test]
fn listings() {
    let w = World::new();
    for (path, want) in [
        ("/", ". .. bin dev skills tmp usr workspace"),
        (
            "/dev",
            ". .. fd full null random stderr stdin stdout urandom zero",
        ),
        ("/dev/fd", ". .. 0 1 5"),
        ("/bin", ". .. cat grep ls"),
        ("/usr", ". .. bin"),
        ("/usr/bin", ". .. cat grep ls"),
        ("/workspace", ". .. file sub"),
        ("/skills", ". .. skill"),
        ("/tmp", ". .."),
    ] {
        assert_eq!(w.list(path).join(" "), want, "{path}");
    }
}

#[test]
fn devices_and_commands_open_as_what_they_are() {
    let w = World::new();
    for (path, want) in [
        ("/dev/null", Ok(Device::Null)),
        ("/dev/zero", Ok(Device::Zero)),
        ("/dev/full", Ok(Device::Full)),
        ("/dev/urandom", Ok(Device::Random)),
        ("/dev/random", Ok(Device::Random)),
        ("/dev/stdin", Ok(Device::Fd(0))),
        ("/dev/stderr", Ok(Device::Fd(2))),
        ("/dev/fd/17", Ok(Device::Fd(17))),
        ("dev/../dev/./null", Ok(Device::Null)),
        ("/dev/fd/017", Err(Errno::NOENT)),
        ("/dev/fd/-1", Err(Errno::NOENT)),
        ("/dev/fd/99999999999", Err(Errno::NOENT)),
        ("/dev/null/", Err(Errno::NOTDIR)),
        ("/dev/null/x", Err(Errno::NOTDIR)),
        ("/dev/tty", Err(Errno::NOENT)),
        ("/dev/kmsg", Err(Errno::NOENT)),
    ] {
        let got = w.open(path, read()).map(|o| match o {
            Opened::Device(d) => Some(d),
            _ => None,
        });
        assert_eq!(got, want.map(Some), "{path}");
    }
    assert!(matches!(w.open("/bin/ls", read()), Ok(Opened::Command(n)) if n == "ls"));
    assert!(matches!(w.open("/usr/bin/ls", read()), Ok(Opened::Command(n)) if n == "ls"));
    assert_eq!(w.open("/bin/nope", read()).err(), Some(Errno::NOENT));
    assert_eq!(w.open("/bin/ls", write()).err(), Some(Errno::ROFS));
    let stat = w.stat("/bin/ls").unwrap();
    assert_eq!(
        (stat.mode, stat.ino),
        (0o100_555, w.stat("/usr/bin/ls").unwrap().ino)
    );
    assert_eq!(w.stat("/dev/null").unwrap().mode, 0o020_666);
    assert!(matches!(
        w.vfs.stat(Base::Root, b"/dev/fd/4", true),
        Ok(Stated::Fd(4))
    ));
}

#[test]
fn the_root_cannot_be_changed() {
    let w = World::new();
    for (what, got, want) in [
        ("create", w.write("/new", "x"), Errno::ROFS),
        ("create in dev", w.write("/dev/new", "x"), Errno::ROFS),
        ("create in bin", w.write("/bin/new", "x"), Errno::ROFS),
        ("mkdir", w.mkdir("/new"), Errno::ROFS),
        ("mkdir there", w.mkdir("/dev"), Errno::EXIST),
        ("mkdir mount", w.mkdir("/workspace"), Errno::EXIST),
        ("mkdir /", w.mkdir("/"), Errno::EXIST),
        ("rmdir mount", w.rmdir("/workspace"), Errno::BUSY),
        ("rmdir /", w.rmdir("/"), Errno::BUSY),
        ("rmdir dev", w.rmdir("/dev"), Errno::ROFS),
        ("unlink device", w.unlink("/dev/null"), Errno::ROFS),
        ("unlink command", w.unlink("/bin/ls"), Errno::ROFS),
        ("unlink nothing", w.unlink("/nope"), Errno::NOENT),
        ("unlink mount", w.unlink("/workspace"), Errno::ISDIR),
        ("rename mount", w.rename("/workspace", "/ws"), Errno::BUSY),
        (
            "rename device",
            w.rename("/dev/null", "/dev/nil"),
            Errno::ROFS,
        ),
        (
            "rename out",
            w.rename("/workspace/file", "/file"),
            Errno::XDEV,
        ),
        (
            "rename in",
            w.rename("/dev/null", "/workspace/null"),
            Errno::XDEV,
        ),
        ("link", w.link("/dev/null", "/workspace/null"), Errno::XDEV),
        ("symlink", w.symlink("x", "/x"), Errno::ROFS),
        ("write dir", w.write("/dev", "x"), Errno::ISDIR),
        (
            "chmod",
            w.vfs.chmod(&w.actor, Base::Root, b"/dev/null", 0),
            Errno::ROFS,
        ),
    ] {
        assert_eq!(got, Err(want), "{what}");
    }
}

#[test]
fn foreign_guests_reach_both_absolute_and_relative() {
    let w = World::new();
    w.mkdir("/workspace/tmp").unwrap();
    let cwd = w.vfs.chdir(Base::Root, b"/workspace").unwrap();
    for (path, root) in [
        ("workspace/file", true),
        ("dev/null", true),
        ("file", false),
        ("nope", false),
        ("tmp/x", false),
        (".", false),
        ("..", false),
    ] {
        let base = w.vfs.foreign_base(&cwd, path.as_bytes());
        assert_eq!(matches!(base, Base::Root), root, "{path}");
    }
}
