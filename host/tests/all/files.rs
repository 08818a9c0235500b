//! Preview 1's file functions from inside a guest: every one, with its errors.

use crate::support::{World, guest, out};

/// A sandbox whose one command is the file guest.
pub(crate) fn world() -> World {
    World::new(vec![("fs", guest("fs"))])
}

/// Runs steps in one process and returns what each found.
pub(crate) fn run(world: &World, steps: &[&str]) -> Vec<String> {
    let mut argv = vec!["fs"];
    argv.extend(steps);
    let report = world.call(&argv);
    assert_eq!(report.status, 0, "{report:?}");
    out(&report).lines().map(str::to_owned).collect()
}

/// Runs steps, each beside what it must find.
pub(crate) fn check(world: &World, table: &[(&str, &str)]) {
    let steps: Vec<&str> = table.iter().map(|(step, _)| *step).collect();
    let found = run(world, &steps);
    let mut wrong = Vec::new();
    for ((step, want), got) in table.iter().zip(&found) {
        if got != want {
            wrong.push(format!("{step}: expected {want}, got {got}"));
        }
    }
    assert_eq!(found.len(), table.len());
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn reading_writing_and_positions() {
    let w = world();
    check(
        &w,
        &[
            ("open f rwc 3 workspace/f", "ok"),
            ("write f hello", "5"),
            ("tell f", "5"),
            ("seek f 0 0", "0"),
            ("read f 100", "hello"),
            ("read f 100", ""),
            ("pwrite f HE 0", "2"),
            ("pread f 10 0", "HEllo"),
            ("pread f 10 5", ""),
            ("pread f 10 999", ""),
            ("tell f", "5"),
            ("seek f -1 2", "4"),
            ("seek f -2 1", "2"),
            ("seek f -3 1", "E28"),
            ("seek f 0 7", "E28"),
            ("tell f", "2"),
            ("read f 2", "ll"),
            // A hole reads as zeroes.
            ("seek f 8 0", "8"),
            ("write f x", "1"),
            ("pread f 20 0", "HEllo\\x00\\x00\\x00x"),
            ("fstat f", "type 4 links 1 size 9"),
            ("size f 3", "ok"),
            ("pread f 20 0", "HEl"),
            ("size f 5", "ok"),
            ("pread f 20 0", "HEl\\x00\\x00"),
            ("alloc f 0 4", "ok"),
            ("fstat f", "type 4 links 1 size 5"),
            ("alloc f 4 4", "ok"),
            ("fstat f", "type 4 links 1 size 8"),
            ("alloc f 0 0", "E28"),
            ("advise f 0 0 0", "ok"),
            ("advise f 0 10 5", "ok"),
            ("advise f 0 10 9", "E28"),
            ("sync f", "ok"),
            ("datasync f", "ok"),
            ("close f", "ok"),
            ("close f", "E8"),
            ("read f 1", "E8"),
            // Opened for one thing only.
            ("open r r 3 workspace/f", "ok"),
            ("open w w 3 workspace/f", "ok"),
            ("write r x", "E8"),
            ("read w 1", "E8"),
            ("write w HELLO", "5"),
            ("read r 5", "HELLO"),
        ],
    );
}

#[test]
fn appending() {
    check(
        &world(),
        &[
            ("open a wca 3 workspace/log", "ok"),
            ("open b wa 3 workspace/log", "ok"),
            ("open r rw 3 workspace/log", "ok"),
            ("write a one", "3"),
            ("write b two", "3"),
            ("write a three", "5"),
            ("tell a", "11"),
            ("seek a 0 0", "0"),
            ("write a 4", "1"),
            ("pread r 50 0", "onetwothree4"),
            ("fdstat a", "type 4 flags 1"),
            // The flag can be taken away and given.
            ("setflags a 0", "ok"),
            ("seek a 0 0", "0"),
            ("write a ONE", "3"),
            ("setflags r 1", "ok"),
            ("write r !", "1"),
            ("pread r 50 0", "ONEtwothree4!"),
        ],
    );
}

#[test]
fn opening() {
    check(
        &world(),
        &[
            ("open f r 3 workspace/f", "E44"),
            ("open f rwcx 3 workspace/f", "ok"),
            ("write f text", "4"),
            ("open g rwcx 3 workspace/f", "E20"),
            ("open g rwc 3 workspace/f", "ok"),
            ("fstat g", "type 4 links 1 size 4"),
            ("open g rwt 3 workspace/f", "ok"),
            ("fstat f", "type 4 links 1 size 0"),
            ("open g rd 3 workspace/f", "E54"),
            ("open g r 3 workspace/f/", "E54"),
            ("open g r 3 workspace/f/x", "E54"),
            ("open g rwc 3 workspace/no/f", "E44"),
            ("open g w 3 workspace", "E31"),
            ("open g rwc 3 workspace/new/", "E31"),
            ("open d rd 3 workspace", "ok"),
            ("fstat d", "type 3 links 2 size 4096"),
            ("fdstat d", "type 3 flags 0"),
            ("read d 1", "E31"),
            ("write d x", "E8"),
            ("seek d 0 0", "E8"),
            ("open g r d f", "ok"),
            ("open g r d ./f", "ok"),
            ("open g r d ../workspace/f", "ok"),
            ("open g r f x", "E54"),
            ("open g r 99 x", "E8"),
            ("open g r 1 x", "E54"),
            ("open g r 3 ", "E44"),
            ("open g r 3 a%00b", "E28"),
            ("symlink f d l", "ok"),
            ("open g r d l", "ok"),
            ("open g rn d l", "E32"),
            ("open g rd d l", "E54"),
            ("symlink nowhere d dangling", "ok"),
            ("open g r d dangling", "E44"),
            ("open g rn d dangling", "E32"),
            ("open g rwcx d dangling", "E20"),
            ("open g rwc d dangling", "ok"),
            ("stat d nowhere", "type 4 links 1 size 0"),
        ],
    );
}

#[test]
fn names() {
    check(
        &world(),
        &[
            ("open d rd 3 workspace", "ok"),
            ("mkdir d a", "ok"),
            ("mkdir d a", "E20"),
            ("mkdir d a/b/", "ok"),
            ("mkdir d x/y", "E44"),
            ("mkdir d .", "E20"),
            ("open f wc d a/f", "ok"),
            ("mkdir d a/f/g", "E54"),
            ("rmdir d a", "E55"),
            ("rmdir d a/f", "E54"),
            ("rmdir d a/.", "E28"),
            ("rmdir d a/b/..", "E55"),
            ("rmdir d nope", "E44"),
            ("unlink d a", "E31"),
            ("unlink d a/f/", "E54"),
            ("unlink d nope", "E44"),
            ("rename d a/f d a/g", "ok"),
            ("rename d a/f d a/h", "E44"),
            ("rename d a d a/b/c", "E28"),
            ("rename d a/b d a/g", "E54"),
            ("rename d a/g d a/b", "E31"),
            ("rename d a/b d .", "E10"),
            ("mkdir d full", "ok"),
            ("mkdir d full/x", "ok"),
            ("rename d a/b d full", "E55"),
            ("rmdir d full/x", "ok"),
            ("rename d a/b d full", "ok"),
            ("stat d a/b", "E44"),
            ("link d a/g d h", "ok"),
            ("link d a/g d h", "E20"),
            ("link d a d h2", "E63"),
            ("link d a/g d nope/h", "E44"),
            ("stat d h", "type 4 links 2 size 0"),
            ("same d h a/g", "true"),
            ("rename d h d a/g", "ok"),
            ("stat d h", "type 4 links 2 size 0"),
            ("unlink d a/g", "ok"),
            ("stat d h", "type 4 links 1 size 0"),
            ("symlink ../h d full/l", "ok"),
            ("readlink d full/l", "../h"),
            ("readlink d h", "E28"),
            ("readlink d nope", "E44"),
            ("stat d full/l", "type 4 links 1 size 0"),
            ("lstat d full/l", "type 7 links 1 size 4"),
            ("link d full/l d l2", "ok"),
            ("lstat d l2", "type 7 links 2 size 4"),
            ("flink d full/l d l3", "ok"),
            ("lstat d l3", "type 4 links 2 size 0"),
            ("unlink d l2", "ok"),
            ("unlink d full/l", "ok"),
            ("rmdir d full", "ok"),
            ("rename d a 3 tmp/a", "E75"),
            ("link d h 3 tmp/h", "E75"),
            ("unlink f x", "E54"),
        ],
    );
}

#[test]
fn times_and_modes() {
    check(
        &world(),
        &[
            ("open f rwc 3 workspace/f", "ok"),
            ("times f 1000000001 2000000002 5", "ok"),
            ("mtime 3 workspace/f", "1000000001 2000000002"),
            ("ptimes 3 1 workspace/f 7 8 4", "ok"),
            ("mtime 3 workspace/f", "1000000001 8"),
            ("ptimes 3 1 workspace/f 7 8 1", "ok"),
            ("mtime 3 workspace/f", "7 8"),
            ("ptimes 3 1 workspace/f 7 8 3", "E28"),
            ("symlink f 3 workspace/l", "ok"),
            ("ptimes 3 0 workspace/l 11 12 5", "ok"),
            ("mtime 3 workspace/l", "11 12"),
            ("mtime 3 workspace/f", "7 8"),
            ("ptimes 3 1 workspace/nope 1 1 5", "E44"),
            ("mode /workspace/f", "100644 1000 1000"),
            ("chmod /workspace/f 4711", "ok"),
            ("mode /workspace/f", "100711 1000 1000"),
            ("fchmod f 600", "ok"),
            ("mode f", "100600 1000 1000"),
            ("umask 77", "22"),
            ("open g wc 3 workspace/g", "ok"),
            ("mode /workspace/g", "100600 1000 1000"),
            ("mkdir 3 workspace/d", "ok"),
            ("mode /workspace/d", "40700 1000 1000"),
        ],
    );
}

#[test]
fn the_working_directory_belongs_to_the_process() {
    let w = world();
    check(
        &w,
        &[
            ("getcwd", "/workspace"),
            ("mkdir 3 workspace/a", "ok"),
            ("chdir a", "ok"),
            ("getcwd", "/workspace/a"),
            ("open f wc 3 workspace/a/f", "ok"),
            ("mode f", "100644 1000 1000"),
            ("chdir f", "E54"),
            ("chdir nope", "E44"),
            ("chdir ..", "ok"),
            ("getcwd", "/workspace"),
            ("chdir ../../..", "ok"),
            ("getcwd", "/"),
            ("symlink a 3 workspace/l", "ok"),
            ("chdir workspace/l", "ok"),
            ("getcwd", "/workspace/a"),
        ],
    );
    check(&w, &[("getcwd", "/workspace")]);
}

#[test]
fn directories_are_read_with_any_buffer() {
    let w = world();
    for i in 0..300 {
        std::fs::write(w.dir.path().join(format!("file-{i:03}")), "").unwrap();
    }
    let mut want: Vec<String> = (0..300).map(|i| format!("file-{i:03}:4")).collect();
    want.extend([".:3".to_owned(), "..:3".to_owned()]);
    want.sort();
    let want = want.join(" ");
    let mut table = vec![("open d rd 3 workspace", "ok")];
    let steps: Vec<String> = [64, 100, 1000, 4096, 65536]
        .iter()
        .map(|n| format!("readdir d {n}"))
        .collect();
    for step in &steps {
        table.push((step, &want));
    }
    table.push(("open f r 3 workspace/file-001", "ok"));
    table.push(("readdir f 100", "E54"));
    check(&w, &table);
}

#[test]
fn descriptors_are_renumbered() {
    check(
        &world(),
        &[
            ("open f rwc 3 workspace/f", "ok"),
            ("open g rwc 3 workspace/g", "ok"),
            ("write f F", "1"),
            ("renumber f g", "ok"),
            ("tell f", "E8"),
            ("tell g", "1"),
            ("renumber g 4000000000", "E8"),
            ("renumber 99 g", "E8"),
            ("pread g 5 0", "F"),
            ("renumber g g", "ok"),
        ],
    );
}

#[test]
fn locks_hold_between_descriptions() {
    check(
        &world(),
        &[
            ("open f rwc 3 workspace/f", "ok"),
            ("open g rwc 3 workspace/f", "ok"),
            ("flock f 5", "ok"),
            ("flock g 5", "ok"),
            ("flock g 6", "E6"),
            ("flock f 8", "ok"),
            ("flock g 6", "ok"),
            ("flock f 5", "E6"),
            ("close g", "ok"),
            ("flock f 6", "ok"),
            ("flock 99 6", "E8"),
        ],
    );
}
