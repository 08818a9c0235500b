//! `/dev`, `/bin` and the root, from inside a guest.

use crate::files::{check, world};

#[test]
fn devices() {
    check(
        &world(),
        &[
            ("open n rw 3 dev/null", "ok"),
            ("read n 10", ""),
            ("write n abc", "3"),
            ("fdstat n", "type 2 flags 0"),
            ("open z rw 3 dev/zero", "ok"),
            ("read z 4", "\\x00\\x00\\x00\\x00"),
            ("write z abc", "3"),
            ("open f rw 3 dev/full", "ok"),
            ("read f 2", "\\x00\\x00"),
            ("write f abc", "E51"),
            ("open r r 3 dev/urandom", "ok"),
            ("open x r 3 dev/null/", "E54"),
            ("open x r 3 dev/mem", "E44"),
            ("open x r 3 dev/fd/200", "E44"),
            ("open x rcx 3 dev/null", "E20"),
            ("open x rd 3 dev/null", "E54"),
        ],
    );
}

#[test]
fn random_bytes_differ() {
    let found = crate::files::run(
        &world(),
        &[
            "open r r 3 dev/urandom",
            "read r 32",
            "read r 32",
            "open s r 3 dev/random",
            "read s 32",
        ],
    );
    assert!(
        found[1].len() > 16 && found[1] != found[2] && found[2] != found[4],
        "{found:?}"
    );
}

#[test]
fn standard_streams_by_name() {
    let found = crate::files::run(
        &world(),
        &[
            "open o w 3 dev/stdout",
            "write o through-dev-stdout%0a",
            "open p w 3 dev/fd/1",
            "write p x%0a",
        ],
    );
    assert_eq!(found, ["ok", "through-dev-stdout", "19", "ok", "x", "2"]);
}

#[test]
fn the_root_and_the_commands() {
    check(
        &world(),
        &[
            (
                "readdir 3 4096",
                "..:3 .:3 bin:3 dev:3 tmp:3 usr:3 workspace:3",
            ),
            ("open b rd 3 bin", "ok"),
            ("readdir b 4096", "..:3 .:3 fs:4"),
            ("open u rd 3 usr/bin", "ok"),
            ("readdir u 4096", "..:3 .:3 fs:4"),
            ("mode /bin/fs", "100555 1000 1000"),
            ("same 3 bin/fs usr/bin/fs", "true"),
            ("open x w 3 bin/fs", "E69"),
            ("open x wc 3 bin/new", "E69"),
            ("unlink 3 bin/fs", "E69"),
            ("mkdir 3 etc", "E69"),
            ("stat 3 etc/passwd", "E44"),
            ("stat 3 proc/self/environ", "E44"),
            ("rename 3 workspace 3 ws", "E10"),
            ("rmdir 3 workspace", "E10"),
            ("rename 3 bin/fs 3 workspace/fs", "E75"),
            ("link 3 bin/fs 3 workspace/fs", "E75"),
            ("chmod /bin/fs 777", "E69"),
            ("open v rd 3 dev", "ok"),
            (
                "readdir v 4096",
                "..:3 .:3 fd:3 full:2 null:2 random:2 stderr:2 stdin:2 stdout:2 urandom:2 zero:2",
            ),
        ],
    );
}
