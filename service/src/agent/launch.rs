//! The confinement of the agent child.
//!
//! Between fork and exec there is no room for anything but system calls, so the
//! child is not confined there: this executable is started once more as a launcher,
//! confines itself in plain code on its only thread, and becomes the agent.
//! What it sets is kept over exec: user, process limits, Landlock, no new
//! privileges, death with the parent.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, NetPort, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Gid, Resource, Rlimit, Signal, Uid};
use serde::{Deserialize, Serialize};

/// First argument that turns this executable into the child's launcher.
pub const LAUNCH_ARGUMENT: &str = "__agent-launch";

/// Exit code of a launcher that could not confine itself or start the agent.
pub(crate) const LAUNCH_FAILED: u8 = 125;

/// What the launcher is told. No secret is in it: it stands in the process list.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LaunchSpec {
    pub(crate) parent: i32,
    /// User and group to become.
    pub(crate) user: Option<u32>,
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) cwd: PathBuf,
    /// Folders that it may write in.
    pub(crate) writable: Vec<PathBuf>,
    /// Ports of loopback that it may connect to.
    pub(crate) ports: Vec<u16>,
    pub(crate) memory: u64,
    pub(crate) processes: u64,
    pub(crate) require_landlock: bool,
}

/// How far the kernel can confine by Landlock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Landlock {
    /// Files and ports.
    Full,
    /// Some of it.
    Partial,
    /// Not at all.
    None,
}

/// Call this first thing in `main`, before threads exist: when the process was
/// started as the launcher it confines itself, becomes the agent and does not
/// return; a failure gives the exit code to end with. Otherwise `None`.
#[must_use]
pub fn intercept() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    if args.next().as_deref() != Some(OsStr::new(LAUNCH_ARGUMENT)) {
        return None;
    }
    let spec = args
        .next()
        .and_then(|spec| serde_json::from_str(spec.to_str()?).ok());
    let error = match spec {
        Some(spec) => launch(&spec),
        None => io::Error::other("the launcher was started without its specification"),
    };
    // Standard error is what the service shows in its log.
    eprintln!("hardshell: the agent could not be started: {error}");
    Some(ExitCode::from(LAUNCH_FAILED))
}

/// Becomes the agent; returns only an error.
fn launch(spec: &LaunchSpec) -> io::Error {
    match confine(spec) {
        Ok(program) => {
            // By its handle: the agent's user need not be able to reach its folder.
            let by_handle = format!("/proc/self/fd/{}", program.as_raw_fd());
            Command::new(by_handle)
                .arg0("claude")
                .args(&spec.args)
                .current_dir(&spec.cwd)
                .exec()
        }
        Err(error) => error,
    }
}

fn confine(spec: &LaunchSpec) -> io::Result<OwnedFd> {
    let program = rustix::fs::open(&spec.program, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| {
            io::Error::other(format!(
                "{}: {}",
                spec.program.display(),
                io::Error::from(error)
            ))
        })?;
    if let Some(id) = spec.user {
        rustix::thread::set_thread_groups(&[])?;
        let (uid, gid) = (Uid::from_raw(id), Gid::from_raw(id));
        // Real, effective and saved: there is no way back.
        rustix::thread::set_thread_res_gid(gid, gid, gid)?;
        rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    }
    // After the change of user, which would undo it.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    if rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get()) != Some(spec.parent) {
        return Err(io::Error::other("the server is gone"));
    }
    let limit = |resource, value| {
        rustix::process::setrlimit(
            resource,
            Rlimit {
                current: Some(value),
                maximum: Some(value),
            },
        )
    };
    limit(Resource::Core, 0)?;
    limit(Resource::Nofile, 4096)?;
    limit(Resource::Fsize, 1 << 30)?;
    limit(Resource::Data, spec.memory)?;
    if spec.user.is_some() {
        // Counted per user: only one of its own can be limited by it.
        limit(Resource::Nproc, spec.processes)?;
    }
    rustix::thread::set_no_new_privs(true)?;
    let status = restrict(spec, &program).map_err(io::Error::other)?;
    if spec.require_landlock && status != Landlock::Full {
        return Err(io::Error::other(
            "this kernel cannot confine it by Landlock, and the configuration asks for that",
        ));
    }
    Ok(program)
}

/// Folders and files that the executable needs to run at all.
const READABLE: &[&str] = &[
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/etc/ld.so.cache",
    "/dev",
    "/proc",
    "/sys/fs/cgroup",
];

fn restrict(spec: &LaunchSpec, program: &OwnedFd) -> Result<Landlock, landlock::RulesetError> {
    let abi = ABI::V6;
    let read = AccessFs::from_read(abi);
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?
        .add_rule(PathBeneath::new(
            program.as_fd(),
            AccessFs::Execute | AccessFs::ReadFile,
        ))?;
    for path in READABLE {
        if let Ok(fd) = PathFd::new(path) {
            let access = if Path::new(path).is_dir() {
                read
            } else {
                read & AccessFs::from_file(abi)
            };
            rules = rules.add_rule(PathBeneath::new(fd, access))?;
        }
    }
    if let Ok(fd) = PathFd::new("/dev/null") {
        rules = rules.add_rule(PathBeneath::new(
            fd,
            AccessFs::ReadFile | AccessFs::WriteFile,
        ))?;
    }
    if let Ok(fd) = PathFd::new(&spec.cwd) {
        rules = rules.add_rule(PathBeneath::new(fd, read))?;
    }
    for path in &spec.writable {
        if let Ok(fd) = PathFd::new(path) {
            rules = rules.add_rule(PathBeneath::new(fd, AccessFs::from_all(abi)))?;
        }
    }
    for port in &spec.ports {
        rules = rules.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
    }
    Ok(match rules.restrict_self()?.ruleset {
        RulesetStatus::FullyEnforced => Landlock::Full,
        RulesetStatus::PartiallyEnforced => Landlock::Partial,
        RulesetStatus::NotEnforced => Landlock::None,
    })
}

/// What this kernel can do, tried out on a thread that ends at once.
pub(crate) fn probe() -> Landlock {
    let spec = LaunchSpec {
        parent: 0,
        user: None,
        program: PathBuf::new(),
        args: Vec::new(),
        cwd: PathBuf::new(),
        writable: Vec::new(),
        ports: vec![1],
        memory: 0,
        processes: 0,
        require_landlock: false,
    };
    std::thread::spawn(move || {
        let root = rustix::fs::open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
        restrict(&spec, &root).ok()
    })
    .join()
    .ok()
    .flatten()
    .unwrap_or(Landlock::None)
}
