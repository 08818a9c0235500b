//! Against the host: the same operations on the same tree, once by plain system calls,
//! once through a sandbox by the quick way, once by the careful way.

use std::os::fd::OwnedFd;

use proptest::prelude::*;
use rustix::fs::{AtFlags, Mode, OFlags};

use super::*;

#[derive(Clone, Debug)]
enum Op {
    Open(u8, String),
    Stat(bool, String),
    Mkdir(String),
    Rmdir(String),
    Unlink(String),
    Rename(String, String),
    Link(bool, String, String),
    Symlink(String, String),
    Readlink(String),
}

/// Bits of `Op::Open`.
fn options(bits: u8) -> OpenOptions {
    OpenOptions {
        read: bits & 1 == 0,
        write: bits & 2 != 0,
        create: bits & 4 != 0,
        exclusive: bits & 8 != 0 && bits & 4 != 0,
        truncate: bits & 16 != 0 && bits & 2 != 0,
        // The kernel's answers to creating directories by open have changed over time.
        directory: bits & 32 != 0 && bits & 4 == 0 && bits & 2 == 0,
        nofollow: bits & 64 != 0,
        mode: 0o644,
    }
}

fn native(top: &OwnedFd, op: &Op) -> Result<String, Errno> {
    let done = |r: Result<(), rustix::io::Errno>| Ok(r.map(|()| String::new())?);
    match op {
        Op::Open(bits, path) => {
            let o = options(*bits);
            let mut flags = match (o.read, o.write) {
                (_, false) => OFlags::RDONLY,
                (false, true) => OFlags::WRONLY,
                (true, true) => OFlags::RDWR,
            };
            flags.set(OFlags::CREATE, o.create);
            flags.set(OFlags::EXCL, o.exclusive);
            flags.set(OFlags::TRUNC, o.truncate);
            flags.set(OFlags::DIRECTORY, o.directory);
            flags.set(OFlags::NOFOLLOW, o.nofollow);
            let fd = rustix::fs::openat(top, path, flags, Mode::from_raw_mode(o.mode))?;
            let stat = rustix::fs::fstat(&fd)?;
            Ok(format!("{:?}", meta::file_type(&stat)))
        }
        Op::Stat(follow, path) => {
            let flags = if *follow {
                AtFlags::empty()
            } else {
                AtFlags::SYMLINK_NOFOLLOW
            };
            let stat = rustix::fs::statat(top, path, flags)?;
            let links = if stat.st_mode & 0o040_000 == 0 {
                stat.st_nlink
            } else {
                0
            };
            Ok(format!(
                "{:?} {:o} {links}",
                meta::file_type(&stat),
                stat.st_mode
            ))
        }
        Op::Mkdir(path) => done(rustix::fs::mkdirat(top, path, Mode::from_raw_mode(0o755))),
        Op::Rmdir(path) => done(rustix::fs::unlinkat(top, path, AtFlags::REMOVEDIR)),
        Op::Unlink(path) => done(rustix::fs::unlinkat(top, path, AtFlags::empty())),
        Op::Rename(a, b) => done(rustix::fs::renameat(top, a, top, b)),
        Op::Link(follow, a, b) => {
            let flags = if *follow {
                AtFlags::SYMLINK_FOLLOW
            } else {
                AtFlags::empty()
            };
            done(rustix::fs::linkat(top, a, top, b, flags))
        }
        Op::Symlink(target, path) => done(rustix::fs::symlinkat(target, top, path)),
        Op::Readlink(path) => {
            let target = rustix::fs::readlinkat(top, path, Vec::new())?;
            Ok(target.into_string().unwrap())
        }
    }
}

fn ours(w: &World, dir: &DirHandle, op: &Op) -> Result<String, Errno> {
    let (v, base, a) = (&w.vfs, Base::Dir(dir), &w.actor);
    let done = |r: Result<(), Errno>| r.map(|()| String::new());
    match op {
        Op::Open(bits, path) => match v.open(a, base, path.as_bytes(), options(*bits))? {
            Opened::File(_) => Ok("File".to_owned()),
            Opened::Dir(_) => Ok("Dir".to_owned()),
            _ => Ok("?".to_owned()),
        },
        Op::Stat(follow, path) => match v.stat(base, path.as_bytes(), *follow)? {
            Stated::Here(s) => {
                let links = if s.mode & 0o040_000 == 0 { s.nlink } else { 0 };
                Ok(format!("{:?} {:o} {links}", s.file_type, s.mode))
            }
            Stated::Fd(_) => Ok("?".to_owned()),
        },
        Op::Mkdir(path) => done(v.mkdir(a, base, path.as_bytes(), 0o755)),
        Op::Rmdir(path) => done(v.rmdir(a, base, path.as_bytes())),
        Op::Unlink(path) => done(v.unlink(a, base, path.as_bytes())),
        Op::Rename(x, y) => done(v.rename(a, base, x.as_bytes(), base, y.as_bytes())),
        Op::Link(follow, x, y) => done(v.link(a, base, x.as_bytes(), *follow, base, y.as_bytes())),
        Op::Symlink(target, path) => done(v.symlink(a, target.as_bytes(), base, path.as_bytes())),
        Op::Readlink(path) => v
            .readlink(base, path.as_bytes())
            .map(|t| String::from_utf8(t).unwrap()),
    }
}

/// All paths below, with type and link target.
fn snapshot(dir: &Path) -> Vec<String> {
    let mut out = Vec::new();
    let mut queue = vec![dir.to_owned()];
    while let Some(at) = queue.pop() {
        for entry in std::fs::read_dir(&at).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
            let meta = path.symlink_metadata().unwrap();
            if meta.is_dir() {
                queue.push(path);
                out.push(format!("{name}/"));
            } else if meta.is_symlink() {
                out.push(format!(
                    "{name} -> {}",
                    std::fs::read_link(&path).unwrap().display()
                ));
            } else {
                out.push(format!("{name} {}", meta.len()));
            }
        }
    }
    out.sort();
    out
}

fn plant(dir: &Path) {
    std::fs::create_dir_all(dir.join("w/d/e")).unwrap();
    std::fs::create_dir_all(dir.join("w/empty")).unwrap();
    std::fs::write(dir.join("w/f"), "text").unwrap();
    std::fs::write(dir.join("w/d/g"), "more").unwrap();
    for (target, name) in [
        ("f", "lf"),
        ("d", "ld"),
        ("nowhere", "dangling"),
        ("new", "lnew"),
        ("self", "self"),
        ("f/", "lslash"),
        ("d/e/..", "ldots"),
        ("../f", "d/up"),
        ("../../w/d", "d/round"),
    ] {
        std::os::unix::fs::symlink(target, dir.join("w").join(name)).unwrap();
    }
}

/// Runs operations everywhere and compares after each.
fn compare(ops: &[Op]) -> Result<(), String> {
    let host = quick_tempdir();
    plant(host.path());
    let top: OwnedFd = std::fs::File::open(host.path().join("w")).unwrap().into();
    let worlds = World::both();
    let mut dirs = Vec::new();
    for w in &worlds {
        plant(&w.host("ws"));
        // A handle below the mount's root, so that dot-dot has somewhere to go.
        dirs.push(w.dir("/workspace/w").unwrap());
    }
    for op in ops {
        let want = native(&top, op);
        for (i, w) in worlds.iter().enumerate() {
            let got = ours(w, &dirs[i], op);
            let way = ["quick", "careful"][i];
            if got != want {
                return Err(format!("{op:?}: host {want:?}, {way} {got:?}"));
            }
            let (a, b) = (snapshot(&host.path().join("w")), snapshot(&w.host("ws/w")));
            if a != b {
                return Err(format!("{op:?} ({way}): host {a:?}, ours {b:?}"));
            }
        }
    }
    Ok(())
}

const PATHS: &[&str] = &[
    "f",
    "f/",
    "f/.",
    "f/..",
    "f/x",
    "d",
    "d/",
    "d/.",
    "d/..",
    "d/g",
    "d/g/",
    "d/e",
    "d/e/",
    "d/e/x",
    "empty",
    "empty/",
    "empty/n",
    "new",
    "new/",
    "new/x",
    "lf",
    "lf/",
    "ld",
    "ld/",
    "ld/g",
    "ld/n",
    "ld/e/..",
    "dangling",
    "dangling/",
    "dangling/x",
    "lnew",
    "self",
    "self/",
    "self/x",
    "lslash",
    "ldots",
    "ldots/g",
    "d/up",
    "d/round",
    "d/round/e",
    "d/round/round/g",
    ".",
    "./",
    "..",
    "d/../f",
    "ld/../f",
    "d/e/../../f",
    "nope/../f",
    "./f",
    "d//g",
    "./././d/./g",
    "d/n",
    "x y",
    "",
];

#[test]
fn every_operation_on_every_path() {
    let mut failures = Vec::new();
    let mut check = |op: Op| {
        if let Err(e) = compare(std::slice::from_ref(&op)) {
            failures.push(e);
        }
    };
    for p in PATHS {
        let p = || (*p).to_owned();
        for bits in [
            0, 1, 2, 3, 4, 6, 7, 12, 14, 18, 22, 32, 33, 64, 66, 68, 76, 96,
        ] {
            check(Op::Open(bits, p()));
        }
        for op in [
            Op::Stat(true, p()),
            Op::Stat(false, p()),
            Op::Mkdir(p()),
            Op::Rmdir(p()),
            Op::Unlink(p()),
            Op::Symlink("f".to_owned(), p()),
            Op::Readlink(p()),
            Op::Link(false, "f".to_owned(), p()),
            Op::Link(false, p(), "new".to_owned()),
            Op::Link(true, p(), "new".to_owned()),
        ] {
            check(op);
        }
        for q in [
            "f", "new", "new/", "d/e", "empty", "d/e/x", "lf", "ld", "dangling", "d", "nope/x",
        ] {
            check(Op::Rename(p(), q.to_owned()));
            check(Op::Rename(q.to_owned(), p()));
        }
    }
    assert!(
        failures.is_empty(),
        "{} differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

fn path() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(PATHS).prop_map(str::to_owned),
        prop::collection::vec(
            prop::sample::select(
                &[
                    "d", "e", "f", "ld", "lf", "new", "empty", ".", "up", "round"
                ][..]
            ),
            1..4
        )
        .prop_map(|c| c.join("/")),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let target = prop::sample::select(&["f", "d", "new", "../w/f", "d/e", "ld/..", "self"][..]);
    prop_oneof![
        3 => (any::<u8>(), path()).prop_map(|(b, p)| Op::Open(b, p)),
        1 => (any::<bool>(), path()).prop_map(|(f, p)| Op::Stat(f, p)),
        2 => path().prop_map(Op::Mkdir),
        1 => path().prop_map(Op::Rmdir),
        1 => path().prop_map(Op::Unlink),
        3 => (path(), path()).prop_map(|(a, b)| Op::Rename(a, b)),
        1 => (any::<bool>(), path(), path()).prop_map(|(f, a, b)| Op::Link(f, a, b)),
        2 => (target, path()).prop_map(|(t, p)| Op::Symlink(t.to_owned(), p)),
        1 => path().prop_map(Op::Readlink),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn random_operations_on_a_tree(ops in prop::collection::vec(op(), 1..25)) {
        if let Err(e) = compare(&ops) {
            prop_assert!(false, "{}", e);
        }
    }

    /// Absolute links and ways out, which the host cannot be asked about: the quick way and
    /// the careful way agree.
    #[test]
    fn both_ways_agree_on_links_that_leave(
        links in prop::collection::vec((
            prop::sample::select(&["/workspace/w/f", "/workspace", "/tmp", "/", "..", "../..", "../../../w",
                "/skills/skill", "/dev/null", "/bin/ls", "/workspace/w/a", "/nope", "d/../..", "/workspace/../tmp/"][..]),
            prop::sample::select(&["a", "b", "d/a", "d/b", "ld/c"][..])), 1..5),
        ops in prop::collection::vec((op(), prop::sample::select(&["", "a/", "b/", "d/a/", "d/b/", "d/c/", "a/b/", "a/../", "../w/a/"][..])), 1..10),
    ) {
        let worlds = World::both();
        let mut all = Vec::new();
        for w in &worlds {
            plant(&w.host("ws"));
            let dir = w.dir("/workspace/w").unwrap();
            let mut got = Vec::new();
            for (target, name) in &links {
                got.push(ours(w, &dir, &Op::Symlink((*target).to_owned(), (*name).to_owned())));
            }
            for (op, prefix) in &ops {
                let at = |p: &String| format!("{prefix}{p}");
                let op = match op {
                    Op::Open(b, p) => Op::Open(*b, at(p)),
                    Op::Stat(f, p) => Op::Stat(*f, at(p)),
                    Op::Mkdir(p) => Op::Mkdir(at(p)),
                    Op::Rmdir(p) => Op::Rmdir(at(p)),
                    Op::Unlink(p) => Op::Unlink(at(p)),
                    Op::Rename(p, q) => Op::Rename(at(p), q.clone()),
                    Op::Link(f, p, q) => Op::Link(*f, at(p), q.clone()),
                    Op::Symlink(t, p) => Op::Symlink(t.clone(), at(p)),
                    Op::Readlink(p) => Op::Readlink(at(p)),
                };
                got.push(ours(w, &dir, &op));
            }
            w.assert_outside_intact();
            let (changes, scan) = w.vfs.changes();
            all.push((got, snapshot(&w.host("ws")), show(&changes, scan)));
        }
        prop_assert_eq!(&all[0], &all[1]);
    }
}
