//! Attackers who change the tree while it is walked.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

const ROUNDS: usize = 10_000;

/// One thread swaps things, another resolves paths through them. Whatever the other gets,
/// it is never the canary, and what it writes never lands outside.
fn race(openat2: bool, prepare: impl Fn(&World), swap: impl Fn(&World) + Sync, paths: &[&str]) {
    let w = World::with(Setup {
        openat2,
        ..Setup::default()
    });
    prepare(&w);
    let done = AtomicBool::new(false);
    let mut reached = 0;
    std::thread::scope(|s| {
        s.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                swap(&w);
            }
        });
        for round in 0..ROUNDS {
            let path = paths[round % paths.len()];
            if let Ok(text) = w.read(path) {
                assert_ne!(text, CANARY, "{path}");
                reached += 1;
            }
            match round % 5 {
                0 => drop(w.write(path, "pwned")),
                1 => drop(w.stat(path)),
                2 => drop(w.mkdir(&format!("{path}-dir"))),
                3 => drop(w.vfs.chmod(&w.actor, Base::Root, path.as_bytes(), 0o640)),
                _ => drop(w.unlink(&format!("{path}-gone"))),
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    w.assert_outside_intact();
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(w.host("outside/canary"))
            .unwrap()
            .permissions(),
    );
    assert_eq!(mode & 0o777, 0o644);
    assert!(reached <= ROUNDS);
}

#[test]
fn a_directory_swapped_for_a_link_by_a_guest() {
    for openat2 in [true, false] {
        race(
            openat2,
            |w| {
                w.mkdir("/workspace/real").unwrap();
                w.write("/workspace/real/canary", "inside").unwrap();
                w.symlink("../outside", "/workspace/link").unwrap();
            },
            |w| {
                // real <-> link, by three renames.
                let _ = w.rename("/workspace/real", "/workspace/t");
                let _ = w.rename("/workspace/link", "/workspace/real");
                let _ = w.rename("/workspace/real", "/workspace/link");
                let _ = w.rename("/workspace/t", "/workspace/real");
            },
            &[
                "/workspace/real/canary",
                "/workspace/real/../real/canary",
                "workspace/real/deep/../canary",
            ],
        );
    }
}

#[test]
fn a_file_swapped_for_a_link_by_someone_outside() {
    for openat2 in [true, false] {
        race(
            openat2,
            |w| {
                std::fs::write(w.host("ws/f"), "inside").unwrap();
                std::os::unix::fs::symlink("../outside/canary", w.host("ws/l")).unwrap();
            },
            |w| {
                let (a, b) = (w.host("ws/f"), w.host("ws/l"));
                let flags = rustix::fs::RenameFlags::EXCHANGE;
                let cwd = rustix::fs::CWD;
                rustix::fs::renameat_with(cwd, &a, cwd, &b, flags).unwrap();
            },
            &["/workspace/f", "/workspace/sub/../f"],
        );
    }
}

#[test]
fn a_directory_moved_out_and_back_while_dot_dot_is_walked() {
    for openat2 in [true, false] {
        race(
            openat2,
            |w| {
                std::fs::create_dir_all(w.host("ws/a/b/c")).unwrap();
                std::fs::write(w.host("ws/canary"), "inside").unwrap();
                std::fs::write(w.host("ws/a/canary"), "inside").unwrap();
            },
            |w| {
                let (a, b) = (w.host("ws/a/b"), w.host("ws/b"));
                let _ = std::fs::rename(&a, &b);
                let _ = std::fs::rename(&b, &a);
            },
            &[
                "/workspace/a/b/c/../../../canary",
                "/workspace/a/b/../canary",
                "/workspace/a/b/c/../../../../canary",
                "/workspace/b/../../canary",
            ],
        );
    }
}

#[test]
fn a_directory_moved_outside_while_dot_dot_is_walked() {
    for openat2 in [true, false] {
        let w = World::with(Setup {
            openat2,
            ..Setup::default()
        });
        std::fs::create_dir_all(w.host("ws/a/b/c")).unwrap();
        std::fs::create_dir_all(w.host("outside2")).unwrap();
        std::fs::write(w.host("outside2/canary"), CANARY).unwrap();
        let done = AtomicBool::new(false);
        let cwd = w.vfs.chdir(Base::Root, b"/workspace/a/b/c").unwrap();
        std::thread::scope(|s| {
            s.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let (a, b) = (w.host("ws/a/b"), w.host("outside2/b"));
                    let _ = std::fs::rename(&a, &b);
                    let _ = std::fs::rename(&b, &a);
                }
            });
            for round in 0..ROUNDS {
                let (base, path): (_, &[u8]) = match round % 4 {
                    0 => (Base::Root, b"/workspace/a/b/c/../../canary"),
                    1 => (Base::Cwd(&cwd), b"../../canary"),
                    2 => (Base::Cwd(&cwd), b"../../../canary"),
                    _ => (Base::Root, b"/workspace/a/b/../canary"),
                };
                if let Ok(Opened::File(f)) = w.vfs.open(&w.actor, base, path, read()) {
                    assert_ne!(content(&f).unwrap(), CANARY);
                }
                let write = w.vfs.open(
                    &w.actor,
                    base,
                    path,
                    OpenOptions {
                        write: true,
                        ..none()
                    },
                );
                assert!(write.is_err());
            }
            done.store(true, Ordering::Relaxed);
        });
        assert_eq!(
            std::fs::read_to_string(w.host("outside2/canary")).unwrap(),
            CANARY
        );
        w.assert_outside_intact();
    }
}
