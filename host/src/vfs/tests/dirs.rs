//! Reading directories.

use super::*;

/// File systems order and number their entries in different ways.
fn on_disk_and_in_memory() -> [World; 2] {
    [
        World::new(),
        World::with(Setup {
            memory: false,
            ..Setup::default()
        }),
    ]
}

fn read_in_steps(dir: &DirHandle, step: usize, mut between: impl FnMut(usize)) -> Vec<String> {
    let mut out = Vec::new();
    let mut cookie = 0;
    loop {
        let mut left = step;
        let before = out.len();
        dir.read_dir(cookie, &[], &mut |e| {
            if left == 0 {
                return false;
            }
            left -= 1;
            cookie = e.next_cookie;
            out.push(String::from_utf8_lossy(e.name).into_owned());
            true
        })
        .unwrap();
        if out.len() == before {
            return out;
        }
        between(out.len());
    }
}

#[test]
fn every_entry_comes_once_whatever_the_step() {
    for w in on_disk_and_in_memory() {
        for i in 0..3000 {
            std::fs::write(w.host(&format!("ws/sub/file-{i:04}")), "").unwrap();
        }
        let mut want = w.list("/workspace/sub");
        assert_eq!(want.len(), 3003);
        want.sort();
        for step in [1, 2, 7, 100, 5000] {
            let dir = w.dir("/workspace/sub").unwrap();
            let mut got = read_in_steps(&dir, step, |_| {});
            got.sort();
            assert_eq!(got, want, "step {step}");
            // And again from the start.
            assert_eq!(read_in_steps(&dir, 1000, |_| {}).len(), 3003);
        }
    }
}

#[test]
fn what_stays_is_seen_while_others_come_and_go() {
    for w in on_disk_and_in_memory() {
        for i in 0..2000 {
            w.write(format!("/workspace/sub/stay-{i}"), "").unwrap();
            w.write(format!("/workspace/sub/go-{i}"), "").unwrap();
        }
        let dir = w.dir("/workspace/sub").unwrap();
        let mut n = 0;
        let got = read_in_steps(&dir, 10, |_| {
            for _ in 0..8 {
                if n < 2000 {
                    w.unlink(&format!("/workspace/sub/go-{n}")).unwrap();
                    w.write(format!("/workspace/sub/new-{n}"), "").unwrap();
                    n += 1;
                }
            }
        });
        let mut stayed: Vec<_> = got.iter().filter(|n| n.starts_with("stay-")).collect();
        assert_eq!(stayed.len(), 2000);
        stayed.sort();
        stayed.dedup();
        assert_eq!(stayed.len(), 2000);
    }
}

#[test]
fn removing_while_reading_removes_all() {
    // What `rm -r` does.
    for w in on_disk_and_in_memory() {
        for i in 0..5000 {
            std::fs::write(w.host(&format!("ws/sub/inner/{i}")), "").unwrap();
        }
        let dir = w.dir("/workspace/sub/inner").unwrap();
        let mut cookie = 0;
        loop {
            let mut batch = Vec::new();
            dir.read_dir(cookie, &[], &mut |e| {
                cookie = e.next_cookie;
                batch.push(e.name.to_vec());
                batch.len() < 50
            })
            .unwrap();
            if batch.is_empty() {
                break;
            }
            for name in batch.iter().filter(|n| n.first() != Some(&b'.')) {
                w.vfs.unlink(&w.actor, Base::Dir(&dir), name).unwrap();
            }
        }
        w.rmdir("/workspace/sub/inner").unwrap();
    }
}

#[test]
fn cookies_from_nowhere_do_no_harm() {
    for w in on_disk_and_in_memory() {
        for path in ["/workspace", "/", "/bin", "/dev/fd"] {
            let dir = w.dir(path).unwrap();
            for cookie in [1, 3, 1 << 20, i64::MAX as u64, u64::MAX] {
                // An error or no or some entries; then all is well again.
                let _ = dir.read_dir(cookie, &[], &mut |_| true);
            }
            assert!(names(&dir).contains(&"..".to_owned()), "{path}");
        }
    }
}

#[test]
fn entries_agree_with_stat() {
    for w in World::both() {
        w.symlink("file", "/workspace/l").unwrap();
        for path in [
            "/",
            "/workspace",
            "/workspace/sub",
            "/dev",
            "/bin",
            "/skills",
        ] {
            let dir = w.dir(path).unwrap();
            let mut entries = Vec::new();
            dir.read_dir(0, &[], &mut |e| {
                entries.push((e.name.to_vec(), e.ino, e.file_type));
                true
            })
            .unwrap();
            for (name, ino, file_type) in entries {
                match w.vfs.stat(Base::Dir(&dir), &name, false).unwrap() {
                    Stated::Here(s) => {
                        let name = String::from_utf8_lossy(&name);
                        assert_eq!((s.ino, s.file_type), (ino, file_type), "{path} {name}");
                    }
                    Stated::Fd(_) => assert_eq!(file_type, FileType::CharDevice),
                }
            }
        }
    }
}
