//! Host destruction; what one session leaves for another.

use super::Target;
use hardshell_tests::binary::sh;
use std::fs;

#[test]
fn host_destruction() {
    for script in [
        "rm -rf /",
        "rm -rf --no-preserve-root /",
        "cd / && rm -rf -- * .*",
        "rm -rf /bin /usr /dev /tmp",
        "find / -delete",
        "find / -exec rm -rf {} +",
        "mv /bin /tmp/bin; mv /dev /workspace/dev",
        "for f in /bin/*; do : > $f; chmod 000 $f; done 2>/dev/null",
        "ln -sf /bin/false /bin/sh; cp /bin/cat /bin/ls",
        "dd if=/dev/zero of=/dev/sda bs=1k count=1; echo x > /dev/mem",
        "kill -9 1; kill -9 -1; kill -KILL 0",
        "chmod -R 000 /; chown -R 0:0 /",
        "mkdir /new; touch /file; ln -s / /root",
    ] {
        let target = Target::new();
        fs::write(target.workspace().join("own.txt"), "mine").unwrap();
        target.attack(script);
        let commands = sh(&target.workspace(), "ls /bin | wc -l");
        let count: u32 = commands.stdout.trim().parse().unwrap_or(0);
        assert!(
            count > 50,
            "{script}: {count} commands are left: {commands:?}"
        );
        let root = sh(&target.workspace(), "ls /");
        for name in ["bin", "dev", "tmp", "usr", "workspace"] {
            assert!(
                root.stdout.split_whitespace().any(|found| found == name),
                "{script}: {root:?}"
            );
        }
    }
}

#[test]
fn global_pollution() {
    let (first, second) = (Target::new(), Target::new());
    first.attack(
        "export PATH=/tmp:$PATH LEFT=behind; echo 'echo evil' > /tmp/ls; chmod +x /tmp/ls; alias cat=rm; \
         echo trap > /tmp/left; echo 'alias ls=rm' > ~/.bashrc; echo x > /bin/evil; echo x > /usr/bin/evil",
    );
    for workspace in [first.workspace(), second.workspace()] {
        let ran = sh(&workspace, "ls /tmp; echo [$LEFT]; alias; command -v evil");
        assert!(
            !ran.stdout.contains("left") && ran.stdout.contains("[]"),
            "{ran:?}"
        );
        assert!(
            !ran.stdout.contains("evil") && !ran.stdout.contains("cat="),
            "{ran:?}"
        );
    }
}
