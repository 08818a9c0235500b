//! Reading another tenant's or the host's data.

use super::{CANARY, Target};
use std::fs;
use std::os::unix::fs::symlink;

#[test]
fn another_workspace_and_the_hosts_files() {
    let target = Target::new();
    let outside = target.outside();
    let (canary, outside) = (outside.join("canary.txt"), outside.display().to_string());
    let canary = canary.display().to_string();
    let relative = "../".repeat(12);
    for script in [
        format!("cat {canary}"),
        format!("cat /workspace/{relative}{canary}"),
        "cat ../host/canary.txt ../neighbour/theirs.txt ../beside.txt".to_owned(),
        format!("ln -s {canary} link; cat link; rm link"),
        format!(
            "ln -s {outside} folder; cat folder/canary.txt; ls folder/; echo x > folder/canary.txt; rm folder"
        ),
        format!("ln {canary} hard; cat hard"),
        "ln -s .. up; ln -s up/../.. more; cat up/beside.txt more/host/canary.txt; rm up more"
            .to_owned(),
        "cat /proc/self/cwd/../beside.txt /proc/self/root/etc/passwd /proc/1/environ".to_owned(),
        "cat /etc/passwd /etc/shadow /root/.ssh/id_rsa ~/.aws/credentials".to_owned(),
        "for n in 0 1 2 3 4 5 6 7 8 9 10 19 20 21 30; do cat /dev/fd/$n <&- ; done".to_owned(),
        format!("cp -r {outside} copy; tar cf t.tar {outside}; grep -r canary {outside} /"),
        format!("cd {outside} && cat canary.txt"),
        format!("mv {canary} mine; cp own {canary}; : > {canary}"),
        format!("read x < {canary}; echo $x; source {canary}; exec 5<{canary}; cat <&5"),
    ] {
        target.attack(&script);
    }
}

/// Links that somebody with rights on the host left in the workspace.
#[test]
fn planted_links_lead_nowhere() {
    let target = Target::new();
    let workspace = target.workspace();
    symlink(target.outside(), workspace.join("folder")).unwrap();
    symlink(target.outside().join("canary.txt"), workspace.join("file")).unwrap();
    symlink("../../../../../../../../etc/passwd", workspace.join("dots")).unwrap();
    symlink("/proc/self/root", workspace.join("magic")).unwrap();
    symlink("loop", workspace.join("loop")).unwrap();
    for script in [
        "cat file folder/canary.txt dots magic/etc/passwd loop",
        "ls -R folder/ magic/; find -L . -type f; grep -r root: .",
        "echo changed > file; echo changed > folder/canary.txt; rm -rf folder/",
        "cp -rL . /tmp/copy; cat /tmp/copy/*; tar chf - . | tar tf -",
        "cd folder && cat canary.txt; cd magic && ls",
        "mv file elsewhere; cat elsewhere; truncate -s 0 elsewhere",
    ] {
        let ran = target.attack(script);
        assert!(!ran.stdout.contains("root:"), "{script}: {ran:?}");
    }
}

/// One process swaps a folder for a link while another reads and writes through it.
#[test]
fn a_race_between_check_and_use() {
    let target = Target::new();
    let outside = target.outside().display().to_string();
    fs::create_dir(target.workspace().join("real")).unwrap();
    fs::write(target.workspace().join("real/canary.txt"), "inside").unwrap();
    let script = format!(
        "swap() {{ i=0; while [ $i -lt 1500 ]; do ln -sfn {outside} d; ln -sfn real d; i=$((i+1)); done; }}; \
         swap & i=0; while [ $i -lt 1500 ]; do read x < d/canary.txt; [ \"$x\" = inside ] || [ -z \"$x\" ] || echo \"$x\"; \
         x=; i=$((i+1)); done 2>/dev/null; wait"
    );
    let ran = target.attack(&script);
    assert!(!ran.stdout.contains(CANARY), "{ran:?}");
}
