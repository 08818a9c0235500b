//! What the file system costs above the system calls it stands for.
//!
//! Run with `cargo test --release -p hardshell-host --lib vfs::tests::speed -- --ignored --nocapture`.

use std::time::Instant;

use rustix::fs::{CWD, Mode, OFlags};

use super::*;

const FILES: usize = 2000;

/// Best of several rounds, nanoseconds per file.
fn best(mut f: impl FnMut(usize)) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..25 {
        let start = Instant::now();
        (0..FILES).for_each(&mut f);
        best = best.min(start.elapsed().as_secs_f64());
    }
    best / FILES as f64 * 1e9
}

fn report(what: &str, native: f64, ours: f64) {
    println!(
        "{what:42} host {native:6.0} ns  ours {ours:6.0} ns  ratio {:.2}",
        ours / native
    );
}

#[test]
#[ignore = "a measurement"]
fn small_files() {
    let w = World::with(Setup {
        memory: false,
        ..Setup::default()
    });
    std::fs::create_dir_all(w.host("ws/many/deep")).unwrap();
    for i in 0..FILES {
        std::fs::write(w.host(&format!("ws/many/deep/f{i}")), [b'x'; 1000]).unwrap();
    }
    let host: Vec<_> = (0..FILES)
        .map(|i| w.host(&format!("ws/many/deep/f{i}")))
        .collect();
    let guest: Vec<_> = (0..FILES)
        .map(|i| format!("workspace/many/deep/f{i}"))
        .collect();
    let short: Vec<_> = (0..FILES).map(|i| format!("f{i}")).collect();
    let dir = w.dir("/workspace/many/deep").unwrap();
    let mut buf = vec![0u8; 4096];
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;

    let native = best(|i| {
        let fd = rustix::fs::openat(CWD, &host[i], flags, Mode::empty()).unwrap();
        assert_eq!(rustix::io::read(&fd, &mut buf[..]).unwrap(), 1000);
    });
    let mut open_read = |base: Base<'_>, path: &[u8]| {
        let Ok(Opened::File(f)) = w.vfs.open(&w.actor, base, path, read()) else {
            panic!()
        };
        assert_eq!(f.read_at(&mut [IoSliceMut::new(&mut buf)], 0), Ok(1000));
    };
    report(
        "open+read+close",
        native,
        best(|i| open_read(Base::Root, guest[i].as_bytes())),
    );
    let ours = best(|i| open_read(Base::Dir(&dir), short[i].as_bytes()));
    report("open+read+close at a directory", native, ours);

    let native = best(|i| {
        let fd = rustix::fs::openat(CWD, &host[i], flags, Mode::empty()).unwrap();
        rustix::fs::fstat(&fd).unwrap();
        while rustix::io::read(&fd, &mut buf[..]).unwrap() > 0 {}
    });
    let ours = best(|i| {
        let Ok(Opened::File(f)) = w
            .vfs
            .open(&w.actor, Base::Root, guest[i].as_bytes(), read())
        else {
            panic!()
        };
        assert_eq!(f.stat().unwrap().size, 1000);
        let mut at = 0;
        loop {
            match f.read_at(&mut [IoSliceMut::new(&mut buf)], at).unwrap() {
                0 => break,
                n => at += n as u64,
            }
        }
    });
    report("open+stat+read to the end+close", native, ours);

    let native = best(|i| {
        rustix::fs::stat(&host[i]).unwrap();
    });
    let ours = best(|i| {
        w.vfs.stat(Base::Root, guest[i].as_bytes(), true).unwrap();
    });
    report("stat", native, ours);
    let ours = best(|i| {
        w.vfs
            .stat(Base::Dir(&dir), short[i].as_bytes(), true)
            .unwrap();
    });
    report("stat at a directory", native, ours);
}

#[test]
#[ignore = "a measurement"]
fn changes() {
    let w = World::with(Setup {
        memory: false,
        ..Setup::default()
    });
    std::fs::create_dir_all(w.host("ws/many/deep")).unwrap();
    let host: Vec<_> = (0..FILES)
        .map(|i| w.host(&format!("ws/many/deep/f{i}")))
        .collect();
    let guest: Vec<_> = (0..FILES)
        .map(|i| format!("workspace/many/deep/f{i}"))
        .collect();
    let file = w.file("/workspace/many/deep/f0", create()).unwrap();
    let out = std::fs::File::create(w.host("ws/native")).unwrap();
    let native = best(|i| {
        rustix::io::pwrite(&out, b"0123456789abcdef", i as u64).unwrap();
    });
    let ours = best(|i| {
        file.write_at(&w.actor, &[IoSlice::new(b"0123456789abcdef")], i as u64)
            .unwrap();
    });
    report("write of 16 bytes", native, ours);

    let native = best(|i| {
        let path = &host[i];
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(CWD, path, flags, Mode::RUSR).unwrap();
        rustix::io::write(&fd, b"0123456789abcdef").unwrap();
        drop(fd);
        rustix::fs::unlinkat(CWD, path, rustix::fs::AtFlags::empty()).unwrap();
    });
    let ours = best(|i| {
        let Ok(Opened::File(f)) = w
            .vfs
            .open(&w.actor, Base::Root, guest[i].as_bytes(), create())
        else {
            panic!()
        };
        f.write_at(&w.actor, &[IoSlice::new(b"0123456789abcdef")], 0)
            .unwrap();
        drop(f);
        w.vfs
            .unlink(&w.actor, Base::Root, guest[i].as_bytes())
            .unwrap();
    });
    report("create+write+close+unlink", native, ours);
}

#[test]
#[ignore = "a measurement"]
fn setting_up() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits::default();
    let build = |scratch: bool| {
        let mut b = Vfs::builder(&limits, commands())
            .workspace(dir.path().to_owned().into(), Access::ReadWrite);
        if scratch {
            b = b.scratch(Scratch::TempIn(dir.path().to_owned()));
        }
        drop(b.build().unwrap());
    };
    println!("sandbox without scratch {:6.0} ns", best(|_| build(false)));
    println!("sandbox with scratch    {:6.0} ns", best(|_| build(true)));
}
