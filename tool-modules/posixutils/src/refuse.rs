//! Commands that cannot work here: each says so in one sentence, with what to
//! do instead, and ends with status 1. That is a plain failure rather than the
//! 127 of an unknown command, because the command is known and the answer will
//! not change.

use std::io::Write;

const NETWORK: &str = "this sandbox has no network; ask for the data to be put into the workspace, or use a tool that was granted network access";
const INSTALL: &str = "nothing can be installed here; use the commands that `help` lists, or ask for a tool module to be added";
const ROOT: &str =
    "there is one user without special rights here; run the command itself, without it";
const EDITOR: &str = "there is no terminal to edit in; change files with sed -i, awk, patch, a here-document, or the Edit and Write tools";

/// Why a command is refused; None if it is not one of them.
pub fn reason(name: &str) -> Option<&'static str> {
    Some(match name {
        "curl" | "wget" | "ping" | "nc" | "telnet" | "nslookup" | "dig" | "ssh" | "scp"
        | "sftp" => NETWORK,
        "rsync" => {
            "this sandbox has no network and no rsync; copy within the workspace with cp -a or tar"
        }
        "sudo" | "su" | "doas" => ROOT,
        "apt" | "apt-get" | "yum" | "dnf" | "apk" | "brew" | "pip" | "pip3" | "npm" | "npx"
        | "yarn" | "pnpm" => INSTALL,
        "cargo" | "go" | "gcc" | "cc" => {
            "there is no compiler in this sandbox; use the commands that `help` lists, or ask for a tool module to be added"
        }
        "make" => {
            "make is not available in this sandbox; run the commands of the rule directly with sh"
        }
        "git" => {
            "git is not available in this sandbox; compare and apply changes with diff and patch"
        }
        "docker" | "podman" | "kubectl" => {
            "containers cannot be run inside this sandbox; every command is isolated already"
        }
        "watch" => {
            "a command that repeats until it is interrupted makes no sense without a terminal; run the command once, or in a loop with sleep"
        }
        "top" | "htop" => "there is no terminal to refresh; use ps",
        "systemctl" | "service" | "crontab" | "shutdown" | "reboot" => {
            "there is no system to manage here: every call has its own processes and they end with it"
        }
        "mount" | "umount" | "chroot" | "mknod" | "mkfifo" => {
            "the file system of this sandbox is fixed: /workspace, /tmp and what was mounted for you; use pipes and /tmp instead"
        }
        "vi" | "vim" | "nano" | "emacs" => EDITOR,
        "tmux" | "screen" | "script" => {
            "there is no terminal here; run commands in the background with & and wait for them"
        }
        _ => return None,
    })
}

pub fn run(name: &str, args: Vec<Vec<u8>>) -> i32 {
    let reason = reason(name).unwrap_or("not possible here");
    if args.get(1).is_some_and(|w| w == b"--help") {
        println!("Usage: {name} [ARGUMENT]...\nNot possible in this sandbox: {reason}.");
        return 0;
    }
    let _ = writeln!(std::io::stderr(), "{name}: {reason}");
    1
}
