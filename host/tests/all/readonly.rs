//! Read-only mounts, through every door a guest has.

use hardshell_host::{Access, CommandSet, DirSource, Registry, Sandbox, Scratch};

use crate::files::check;
use crate::support::{World, engine, guest};

/// `/workspace` and, read-only, the same folder again and another.
fn world() -> (World, tempfile::TempDir) {
    let registry = Registry::builder(engine())
        .module(guest("fs"), &["fs"])
        .build()
        .unwrap();
    let (dir, skills) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(dir.path().join("mine"), "mine").unwrap();
    std::fs::create_dir(skills.path().join("d")).unwrap();
    std::fs::write(skills.path().join("skill"), "skill").unwrap();
    std::fs::write(skills.path().join("d/deep"), "deep").unwrap();
    std::os::unix::fs::symlink("skill", skills.path().join("l")).unwrap();
    let path = |d: &tempfile::TempDir| DirSource::Path(d.path().to_owned());
    let sandbox = Sandbox::builder(&registry)
        .workspace(path(&dir), Access::ReadWrite)
        .mount("/skills", path(&skills), Access::ReadOnly)
        .mount("/again", path(&dir), Access::ReadOnly)
        .scratch(Scratch::Temp)
        .allow_commands(CommandSet::All)
        .build()
        .unwrap();
    (World::of(sandbox, dir), skills)
}

#[test]
fn every_way_to_change_is_refused() {
    let (w, skills) = world();
    check(
        &w,
        &[
            ("open f r 3 skills/skill", "ok"),
            ("open d rd 3 skills/d", "ok"),
            ("open x w 3 skills/skill", "E69"),
            ("open x rw 3 skills/skill", "E69"),
            ("open x rt 3 skills/skill", "E69"),
            ("open x wc 3 skills/new", "E69"),
            ("open x wc d new", "E69"),
            ("open x w d ../skill", "E69"),
            ("open x w 3 skills/l", "E69"),
            ("open x rc 3 skills/skill", "ok"),
            ("write f x", "E8"),
            ("pwrite f x 0", "E8"),
            ("size f 0", "E8"),
            ("alloc f 0 100", "E8"),
            ("times f 1 1 5", "E69"),
            ("ptimes 3 1 skills/skill 1 1 5", "E69"),
            ("ptimes d 1 deep 1 1 5", "E69"),
            ("ptimes 3 1 skills 1 1 5", "E69"),
            ("times d 1 1 5", "E69"),
            ("chmod /skills/skill 777", "E69"),
            ("chmod /skills/l 777", "E69"),
            ("chmod /skills 777", "E69"),
            ("fchmod f 777", "E69"),
            ("fchmod d 777", "E69"),
            ("mkdir 3 skills/new", "E69"),
            ("mkdir d new", "E69"),
            ("rmdir 3 skills/d", "E69"),
            ("unlink 3 skills/skill", "E69"),
            ("unlink d deep", "E69"),
            ("symlink x 3 skills/new", "E69"),
            ("rename 3 skills/skill 3 skills/new", "E69"),
            ("rename d deep d new", "E69"),
            ("rename 3 skills/skill 3 workspace/new", "E75"),
            ("rename 3 workspace/mine 3 skills/new", "E75"),
            ("rename 3 workspace/mine 3 skills/skill", "E75"),
            ("link 3 skills/skill 3 skills/new", "E69"),
            ("link 3 skills/skill 3 workspace/new", "E75"),
            ("link 3 workspace/mine 3 skills/new", "E75"),
            // A link lends no permission, wherever it stands.
            ("symlink /skills/skill 3 workspace/l", "ok"),
            ("symlink ../skills/d 3 workspace/ld", "ok"),
            ("open x w 3 workspace/l", "E69"),
            ("open x wc 3 workspace/ld/new", "E69"),
            ("mkdir 3 workspace/ld/new", "E69"),
            ("unlink 3 workspace/ld/deep", "E69"),
            ("chmod /workspace/l 777", "E69"),
            ("ptimes 3 1 workspace/l 1 1 5", "E69"),
            ("flink 3 workspace/l 3 workspace/new", "E75"),
            ("open x r 3 workspace/l", "ok"),
            ("read x 10", "skill"),
        ],
    );
    assert_eq!(
        std::fs::read(skills.path().join("skill")).unwrap(),
        b"skill"
    );
    assert_eq!(std::fs::read_dir(skills.path()).unwrap().count(), 3);
    assert_eq!(
        std::fs::read_dir(skills.path().join("d")).unwrap().count(),
        1
    );
}

#[test]
fn one_folder_in_two_places_keeps_two_permissions() {
    let (w, _skills) = world();
    check(
        &w,
        &[
            ("open r r 3 again/mine", "ok"),
            ("open w rw 3 workspace/mine", "ok"),
            ("open x w 3 again/mine", "E69"),
            ("write w MINE", "4"),
            ("read r 10", "MINE"),
            ("write r x", "E8"),
            ("link 3 workspace/mine 3 workspace/second", "ok"),
            ("open x w 3 again/second", "E69"),
            ("link 3 again/mine 3 workspace/third", "E75"),
            ("rename 3 again/mine 3 workspace/third", "E75"),
            ("rename 3 workspace/mine 3 again/third", "E75"),
            ("unlink 3 again/second", "E69"),
        ],
    );
}
